"""The commands trust and untrust."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.commands.run import run
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
