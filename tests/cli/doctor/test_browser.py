"""The check of the agent's browser, where no daemon runs. tests/flows/test_mcp_command.py has that with a daemon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aster_sidecar.cli.doctor.browser import browser
from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.config.places import places

ON = "[flags]\nbrowser = true\n"


def check(tmp_path: Path, config: str | None) -> Check:
    where = places({}, data_dir=tmp_path)
    if config is not None:
        where.config_path.write_text(config)
    [found] = browser(where, None)
    return found


def program(place: Path, script: str = "exit 0") -> Path:
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
    return place


@pytest.mark.parametrize(
    ("config", "status", "detail"),
    [
        (None, "skipped", "off"),
        ("[flags]\nbrowser = false\n", "skipped", "off"),
        ("[flags", "skipped", "config.toml can't be read"),
        ("[flags]\nbrowser = 1\n", "failed", "flags.browser = "),
        (f"{ON}[browser]\nallow = ['not a host']\n", "failed", "not a host"),
        (f"{ON}[mcp.browser]\ncommand = 'other'\n", "warning", "config.toml has an MCP server that is called browser"),
    ],
)
def test_what_the_configuration_says(config: str | None, status: str, detail: str, tmp_path: Path) -> None:
    found = check(tmp_path, config)
    assert (found.name, found.status) == ("browser", status)
    assert detail in found.detail
    assert bool(found.remedy) is (status != "skipped")


def test_a_program_that_is_named_and_missing_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("ASTER_BROWSER", str(tmp_path / "no-browser"))
    found = check(tmp_path, ON)
    assert found.status == "warning"
    assert "no-browser, which is not the absolute path of a program; Node is not installed" in found.detail
    assert "set ASTER_BROWSER to the path of" in str(found.remedy)
    assert "install Node" in str(found.remedy)


@pytest.mark.skipif(os.name == "nt", reason="its programs are scripts of a shell")
def test_both_programs_are_found_and_the_browser_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    chosen = program(tmp_path / "chosen", f"touch {started}")
    for name, script in (("node", "echo v22.0.0"), ("npx", f"touch {started}")):
        program(tmp_path / name, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ASTER_BROWSER", str(chosen))
    monkeypatch.delenv("ASTER_BROWSER_MCP", raising=False)
    found = check(tmp_path, ON)
    assert (found.status, found.remedy) == ("ok", None)
    assert found.detail.startswith(f"on: {chosen}, driven by @playwright/mcp@")
    assert found.detail.endswith(", which npx downloads")
    script = tmp_path / "browser" / "node_modules" / "@playwright" / "mcp" / "cli.js"
    script.parent.mkdir(parents=True)
    script.write_text("")
    assert check(tmp_path, ON).detail == f"on: {chosen}, driven by {script}"
    assert not started.exists()
