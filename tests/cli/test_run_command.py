"""How errors of a command become messages and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.command_list import COMMANDS
from aster_sidecar.cli.commands import agents
from aster_sidecar.cli.commands.running import Failed
from aster_sidecar.cli.dispatch import RUN
from aster_sidecar.cli.run_command import run
from aster_sidecar.daemon.client import ClientError
from aster_sidecar.errors import ConfigInvalid


def test_every_command_has_a_function() -> None:
    from importlib import import_module

    assert RUN.keys() == COMMANDS.keys()
    for place in RUN.values():
        module, _, name = place.partition(":")
        assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (Failed("not done", "do it"), exit_codes.EXIT_FAILED, "aster-sidecar: not done\n  do it\n"),
        (ClientError(404, "x", "not \x1bthere"), exit_codes.EXIT_FAILED, "aster-sidecar: not ‹U+001B›there\n"),
        (ConfigInvalid("wrong", hint="fix it"), exit_codes.EXIT_CONFIG, "aster-sidecar: wrong\n  fix it\n"),
        (KeyboardInterrupt(), exit_codes.EXIT_INTERRUPTED, ""),
    ],
)
def test_an_error_becomes_a_message_and_a_code(
    error: BaseException,
    code: int,
    shown: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(_: object) -> int:
        raise error

    monkeypatch.setattr(agents, "run_agents", fails)
    assert run(["agents"]) == code
    assert capsys.readouterr() == ("", shown)


def test_a_directory_whose_name_is_not_utf_8_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["paths", "--data-dir", "caf\udce9"]) == exit_codes.EXIT_USAGE
    assert "its name is not UTF-8" in capsys.readouterr().err
