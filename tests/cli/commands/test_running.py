"""Commands that need a daemon, where none is running."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.run_command import run


def test_sessions_without_a_daemon_say_how_to_start_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sessions"]) == exit_codes.EXIT_FAILED
    told = capsys.readouterr().err
    assert "no daemon is running for" in told
    assert "start one: aster-sidecar" in told
