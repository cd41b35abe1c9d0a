"""What trusting a project lets in: which files count, their digest, the agents in them, and what changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.project_content import (
    agents_of,
    changes,
    read_content,
    settings_of,
    trust_directory,
)
from aster_sidecar.agents.registry import FILES_MOST, Agents, Places
from aster_sidecar.agents.spec import DEFAULT, Known
from aster_sidecar.config.project_file import read_project
from aster_sidecar.config.settings import checked
from aster_sidecar.config.trusted_projects import trusted, trusted_files
from aster_sidecar.errors import ConfigInvalid

KNOWN = Known(lambda name: name == "read_file", lambda: ["read_file"], lambda name: None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path.resolve() / "project"
    (made / ".aster" / "agents").mkdir(parents=True)
    (made / ".aster" / "config.toml").write_text('max_requests = 3\nmodel = 1\nwork_dir = "/"\nnew = 1\n')
    for name, text in (
        ("one.yaml", "name: One\n"),
        ("one.yml", ""),
        ("two.yaml", "tools: [rm]\n"),
        ("default.yml", ""),
    ):
        (made / ".aster" / "agents" / name).write_text(text)
    (made / ".aster" / "agents" / "notes.txt").write_text("not an agent")
    (made / ".aster" / "other.toml").write_text("")
    return made


def test_what_is_shown_is_what_applies_when_it_is_trusted(tmp_path: Path, project: Path) -> None:
    content = read_content(project)
    assert [file.name for file in content.files] == [
        ".aster/config.toml",
        ".aster/agents/default.yml",
        ".aster/agents/one.yaml",
        ".aster/agents/one.yml",
        ".aster/agents/two.yaml",
    ]
    trust_directory(tmp_path, project, {})
    assert settings_of(content) == checked(read_project(tmp_path, project))
    assert settings_of(content).values == {"max_requests": 3}
    loaded = Agents(AppCode(), Places(None, lambda: project), KNOWN)
    found = agents_of(content, KNOWN, [DEFAULT])
    assert [agent.spec for agent in found if agent.spec] == [s for s in loaded.list() if s.source == "project"]
    assert [problem for agent in found for problem in agent.problems] == list(loaded.problems)


def test_the_digest_is_that_of_these_files_in_this_project(project: Path) -> None:
    before = read_content(project).digest
    (project / ".aster" / "other.toml").write_text("x = 1\n")
    assert read_content(project).digest == before
    agent = project / ".aster" / "agents" / "one.yaml"
    text = agent.read_text()
    agent.write_text("name: Two\n")
    assert read_content(project).digest != before
    agent.rename(agent.with_name("three.yaml"))
    assert read_content(project).digest != before
    agent.with_name("three.yaml").rename(agent)
    agent.write_text(text)
    assert read_content(project).digest == before
    project.rename(project.with_name("copy"))
    assert read_content(project.with_name("copy")).digest != before


def test_changes_are_named_and_unknown_ones_are_none(project: Path) -> None:
    before = read_content(project).digests
    assert changes(read_content(project), before) == []
    (project / ".aster" / "config.toml").unlink()
    (project / ".aster" / "agents" / "one.yaml").write_text("name: Two\n")
    (project / ".aster" / "agents" / "new.yaml").write_text("")
    assert changes(read_content(project), before) == [
        (".aster/agents/new.yaml", "added"),
        (".aster/agents/one.yaml", "changed"),
        (".aster/config.toml", "removed"),
    ]
    assert changes(read_content(project), None) == []


def test_only_files_that_are_used_count(project: Path) -> None:
    for number in range(FILES_MOST):
        (project / ".aster" / "agents" / f"n{number:03}.yaml").write_text("")
    content = read_content(project)
    assert len(content.files) == 1 + FILES_MOST
    assert "only the first" in content.problems[0]


def test_a_linked_folder_of_agents_is_not_read(project: Path, tmp_path: Path) -> None:
    agents = project / ".aster" / "agents"
    agents.rename(tmp_path / "elsewhere")
    agents.symlink_to(tmp_path / "elsewhere")
    content = read_content(project)
    assert [file.name for file in content.files] == [".aster/config.toml"]
    assert "a link" in content.problems[0]


def test_a_directory_without_a_project_is_trusted_with_no_files(tmp_path: Path) -> None:
    plain = tmp_path.resolve() / "plain"
    plain.mkdir()
    assert trust_directory(tmp_path, plain, {}) == plain
    assert trusted_files(tmp_path, plain) == {}
    (plain / ".aster").mkdir()
    (plain / ".aster" / "config.toml").write_text("")
    assert changes(read_content(plain), trusted_files(tmp_path, plain)) == [(".aster/config.toml", "added")]


def test_a_tool_s_process_trusts_nothing(tmp_path: Path, project: Path) -> None:
    with pytest.raises(ConfigInvalid, match="tool"):
        trust_directory(tmp_path, project, {"ASTER_TOOL_CALL": "call_1"})
    assert trusted(tmp_path) == []
    assert trusted_files(tmp_path, project) is None
