"""The commands trust and untrust."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.run_command import run
from tests.cli.support import answer


def test_trust_list_and_untrust(home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project = tmp_path / "pro\x1b[31mject"
    project.mkdir()
    assert json.loads(answer(capsys, "trust", str(project), "--json")) == {"trusted": str(project)}
    listed = answer(capsys, "trust")
    assert "\x1b" not in listed
    assert "‹U+001B›" in listed
    assert answer(capsys, "untrust", str(project)).startswith("no longer trusted")
    assert run(["untrust", str(project)]) == exit_codes.EXIT_FAILED
    assert json.loads(answer(capsys, "trust", "--json")) == []


def test_it_says_which_folder_counts_and_when_it_is_read(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "project" / "src").mkdir(parents=True)
    assert run(["trust", str(tmp_path / "project")]) == 0
    assert "there is no .aster folder in it yet" in capsys.readouterr().err
    (tmp_path / "project" / ".aster").mkdir()
    assert run(["trust", str(tmp_path / "project" / "src")]) == 0
    told = capsys.readouterr().err
    assert f"aster-sidecar trust {tmp_path / 'project'}" in told
    assert "running daemon" not in told, "none runs"


@pytest.mark.parametrize("command", ["trust", "untrust"])
def test_a_process_that_a_tool_has_started_decides_nothing(
    command: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASTER_TOOL_CALL", "call_1")
    assert run([command, str(tmp_path)]) == exit_codes.EXIT_CONFIG
    assert "run the command yourself in a terminal" in capsys.readouterr().err
    monkeypatch.delenv("ASTER_TOOL_CALL")
    assert json.loads(answer(capsys, "trust", "--json")) == []
