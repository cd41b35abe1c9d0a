"""The first word of the command line: a command, a flag, or an error."""

from __future__ import annotations

import pytest

from aster_sidecar.cli import exit_codes, main
from aster_sidecar.cli.command_list import COMMANDS


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main([name, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "example:" in text
    assert "aster-sidecar " + name in text


def test_an_unknown_command_is_refused_with_the_ones_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main(["docter"])
    assert stopped.value.code == exit_codes.EXIT_USAGE
    assert "no such command: 'docter'; there are chat, doctor," in capsys.readouterr().err
