"""The settings that a daemon started here would have, without starting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.cli.config_preview import agents_of, config_of, own_environment
from aster_sidecar.config.places import Places, places


@pytest.fixture
def where(home: Path) -> Places:
    return places({"HOME": str(home), "USERPROFILE": str(home)})


def test_the_token_is_not_in_the_environment_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTER_SIDECAR_TOKEN", "secret")
    monkeypatch.setenv("ASTER_MODEL", "demo")
    kept = own_environment()
    assert kept["ASTER_MODEL"] == "demo"
    assert "ASTER_SIDECAR_TOKEN" not in kept


def test_settings_come_from_flags_environment_and_file_and_nothing_is_created(
    where: Places, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTER_PERMISSION_MODE", "always_ask")
    config = config_of(where, model="demo")
    assert (config.sourced("model").source, config.value("permission_mode")) == ("flag", "always_ask")
    assert not home.exists()


def test_an_agent_may_name_a_tool_of_a_configured_mcp_server(where: Places) -> None:
    agents = where.config_dir / "agents"
    agents.mkdir(parents=True)
    (agents / "reader.yaml").write_text("name: Reader\ntools: [read_file, docs_search]\n")
    assert [problem.agent_id for problem in agents_of(where, config_of(where)).problems] == ["reader"]
    where.config_path.write_text('[mcp.docs]\ncommand = "docs-server"\n')
    found = agents_of(where, config_of(where))
    assert (list(found.ids()), list(found.problems)) == (["default", "reader"], [])
