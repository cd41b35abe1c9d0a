"""Loading the app that --app names: every mistake is reported with a hint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aster_sidecar.agents.app_code import AppProgram
from aster_sidecar.cli.app_program import fill, load
from aster_sidecar.errors import ConfigInvalid

APP = """
from aster_sidecar import Agent, Sidecar

sidecar = Sidecar(port=9000, framework="tauri", model="demo")
number = 5

def made():
    return Sidecar()

def broken():
    return 1 / 0

class Space:
    inner = sidecar
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Write a module `an_app.py` into the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(source: str) -> None:
        (tmp_path / "an_app.py").write_text(source)

    yield write
    sys.modules.pop("an_app", None)


@pytest.mark.parametrize("name", ["an_app:sidecar", "an_app:made", "an_app:Space.inner"])
def test_an_object_or_what_a_function_returns_is_loaded(name: str, module: Callable[[str], None]) -> None:
    module(APP)
    assert isinstance(load(name), AppProgram)


@pytest.mark.parametrize(
    ("source", "name", "message", "hint"),
    [
        (APP, "an_app", "--app 'an_app' is not module:object", "my_app:sidecar"),
        (APP, "an_app:x y", "is not module:object", "my_app:sidecar"),
        (APP, "no_such_app:sidecar", "there is no module 'no_such_app'", "it is searched for in"),
        (APP, "an_app:nothing", "has no attribute 'nothing'", "name a Sidecar"),
        (APP, "an_app:number", "int is not a Sidecar", "name a Sidecar"),
        (APP, "an_app:broken", "an_app.py:11: ZeroDivisionError", "without arguments"),
        ("import no_such_library", "an_app:sidecar", "No module named 'no_such_library'", "install what it imports"),
        ("\ndef (", "an_app:sidecar", "an_app.py:2: invalid syntax", "fix the module"),
        ("raise SystemExit(3)", "an_app:sidecar", "an_app.py:1: SystemExit: 3", "__main__"),
    ],
)
def test_what_can_not_be_loaded_is_named(
    source: str, name: str, message: str, hint: str, module: Callable[[str], None]
) -> None:
    module(source)
    with pytest.raises(ConfigInvalid) as refused:
        load(name)
    assert message in refused.value.message
    assert hint in str(refused.value.hint)


def test_the_command_line_wins_over_the_code(module: Callable[[str], None]) -> None:
    module(APP)
    program = load("an_app:sidecar")
    given = argparse.Namespace(**dict.fromkeys(program.flags))
    given.port = 0
    fill(given, program)
    assert (given.port, given.framework, given.model) == (0, "tauri", "demo")


@pytest.mark.parametrize(("flag", "value"), [("port", True), ("port", 70_000), ("port", "80"), ("framework", "qt")])
def test_a_wrong_flag_in_the_code_is_refused(flag: str, value: object, module: Callable[[str], None]) -> None:
    module(APP.replace('port=9000, framework="tauri"', f"{flag}={value!r}"))
    program = load("an_app:sidecar")
    with pytest.raises(ConfigInvalid, match=f"Sidecar: {flag} = "):
        fill(argparse.Namespace(**dict.fromkeys(program.flags)), program)
