"""Which projects the person trusts: stored, found again, for the project's own directory only, never set by a tool."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aster_sidecar.config.trusted_projects import (
    CONTENT,
    FILE,
    distrust,
    project_of,
    trust,
    trusted,
    trusted_files,
    trusted_project,
)
from aster_sidecar.errors import ConfigInvalid


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / ".aster").mkdir(parents=True)
    (tmp_path / "project" / "src" / "deep").mkdir(parents=True)
    return (tmp_path / "project").resolve()


def test_nothing_is_trusted_at_first(tmp_path: Path, project: Path) -> None:
    assert trusted(tmp_path / "config") == []
    assert project_of(project / "src" / "deep") == project
    assert trusted_project(tmp_path / "config", project) is None


def test_trust_is_kept_for_the_owner_only_and_taken_back(tmp_path: Path, project: Path) -> None:
    config = tmp_path / "config"
    assert trust(config, project, {}) == project
    trust(config, project, {})  # a second time changes nothing
    assert trusted(config) == [project]
    assert trusted_project(config, project / "src" / "deep") == project
    if os.name == "posix":
        assert (config / FILE).stat().st_mode & 0o777 == 0o600
    assert distrust(config, project, {})
    assert not distrust(config, project, {})
    assert trusted(config) == []
    assert [entry.name for entry in config.iterdir()] == [FILE]


def test_the_digests_of_a_project_s_files_are_kept_while_it_is_trusted(tmp_path: Path, project: Path) -> None:
    config, other = tmp_path / "config", tmp_path.resolve()
    trust(config, project, {}, {"a": "1"})
    trust(config, other, {}, {"b": "2"})
    assert trusted_files(config, project) == {"a": "1"}
    assert json.loads((config / FILE).read_text()) == [str(project), str(other)], "as earlier versions read it"
    trust(config, project, {}, {"a": "3"})
    assert (trusted_files(config, project), trusted_files(config, other)) == ({"a": "3"}, {"b": "2"})
    if os.name == "posix":
        assert (config / CONTENT).stat().st_mode & 0o777 == 0o600
    distrust(config, project, {})
    assert trusted_files(config, project) is None
    assert json.loads((config / CONTENT).read_text()) == {str(other): {"b": "2"}}


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "", "[" * 100_000, '{"/a": 1}'])
def test_damaged_digests_are_unknown_and_written_anew(tmp_path: Path, project: Path, text: str) -> None:
    (tmp_path / CONTENT).write_text(text)
    trust(tmp_path, project, {})
    assert trusted_files(tmp_path, project) is None
    trust(tmp_path, project, {}, {"a": "1"})
    assert trusted_files(tmp_path, project) == {"a": "1"}


def test_a_trusted_directory_that_became_a_link_can_be_taken_back(tmp_path: Path, project: Path) -> None:
    trust(tmp_path, project, {})
    project.rename(project.with_name("moved"))
    project.symlink_to(project.with_name("moved"))
    assert distrust(tmp_path, project, {})
    assert trusted(tmp_path) == []


def test_a_link_trusts_what_it_leads_to(tmp_path: Path, project: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    assert trust(tmp_path, tmp_path / "link", {}) == project


def test_trust_does_not_reach_into_a_project_within(tmp_path: Path, project: Path) -> None:
    (project / "vendor" / ".aster").mkdir(parents=True)
    trust(tmp_path, project, {})
    assert trusted_project(tmp_path, project / "vendor") is None
    assert trusted_project(tmp_path, project / "src") == project


def test_a_directory_below_the_project_is_not_the_project(tmp_path: Path, project: Path) -> None:
    trust(tmp_path, project / "src", {})
    assert trusted_project(tmp_path, project / "src") is None


@pytest.mark.parametrize("command", [trust, distrust])
def test_a_tool_s_process_decides_nothing(tmp_path: Path, project: Path, command: object) -> None:
    with pytest.raises(ConfigInvalid, match="tool"):
        command(tmp_path, project, {"ASTER_TOOL_CALL": "call_1"})  # type: ignore[operator]
    assert trusted(tmp_path) == []


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="not a directory"):
        trust(tmp_path, tmp_path / "nothing", {})


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[1]", '"x"', "", "[" * 100_000])
def test_a_damaged_list_trusts_nobody_and_is_named(tmp_path: Path, project: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigInvalid, match=FILE):
        trusted_project(tmp_path, project)
    with pytest.raises(ConfigInvalid, match=FILE):
        trust(tmp_path, project, {})
    assert (tmp_path / FILE).read_text() == text


def test_a_list_that_cannot_be_written_changes_nothing(tmp_path: Path, project: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid):
        trust(tmp_path / "file", project, {})
    (tmp_path / FILE).write_text(json.dumps([str(project)]))
    assert trusted(tmp_path) == [project]
