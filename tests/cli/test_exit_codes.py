"""How the program reports why it exits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes

ROOT = Path(__file__).parent.parent.parent


def test_an_error_and_its_hint_are_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_codes.fail(5, "wrong", "fix it") == 5
    assert capsys.readouterr() == ("", "aster-sidecar: wrong\n  fix it\n")
    assert exit_codes.fail(1, "wrong") == 1
    assert capsys.readouterr() == ("", "aster-sidecar: wrong\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_the_code_is_the_same_when_stderr_can_not_be_written() -> None:
    script = "import sys; from aster_sidecar.cli.exit_codes import fail; sys.exit(fail(6, 'wrong'))"
    with open("/dev/full", "w") as full:
        ended = subprocess.run([sys.executable, "-c", script], stderr=full, cwd=ROOT)
    assert ended.returncode == 6


def test_every_code_is_another_but_that_of_success() -> None:
    codes = [value for name, value in vars(exit_codes).items() if name.startswith("EXIT_")]
    assert len(codes) == len(set(codes)) == 10
