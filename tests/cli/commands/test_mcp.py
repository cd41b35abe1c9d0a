"""What `mcp` refuses before it needs a daemon, and what it sends and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.commands import mcp_views as views
from aster_sidecar.cli.commands.mcp_settings import settings, tool_changes, whole_spec
from aster_sidecar.cli.commands.parser import parser
from aster_sidecar.cli.run_command import run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add", "Notes", "--", "a"], "NAME: 'Notes' can't be the name of a server"),
        (["show", "../x"], "NAME: '../x' can't be the name of a server"),
        (["add", "notes"], "there is neither a command nor --url"),
        (["add", "notes", "--url", "http://x", "--", "a"], "there is both a command and --url"),
        (["try", "--env", "A", "--", "a"], "--env A: there is no value"),
        (["add", "notes", "--header", "=b", "--url", "http://x"], "--header : there is no value"),
        (["add", "notes", "--timeout-s", "soon", "--", "a"], "--timeout-s soon: not a number"),
        (["change", "notes"], "nothing to change"),
        (["logs", "notes", "--limit", "0"], "--limit 0: not possible"),
        (["import", "--all", "notes"], "--all takes no names"),
        (["import", "notes", "../other"], "NAME: '../other' is not the name of a server"),
    ],
)
def test_wrong_usage(words: list[str], told: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mcp", *words]) == exit_codes.EXIT_USAGE
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"aster-sidecar: {told}"
    assert len(lines) == 2, "the second line says what is possible"


def test_what_is_typed_becomes_settings(home: Path) -> None:
    words = ["--env", "A=1", "--env", "B=", "--agent", "a", "--agent", "b", "--timeout-s", "9", "--cwd", "x"]
    given = parser().parse_args(["mcp", "add", "notes", *words, "--", "./server", "-v"])
    here = Path.cwd()
    assert whole_spec(given) == {
        "command": str(here / "server"),
        "args": ["-v"],
        "env": {"A": "1", "B": ""},
        "agents": ["a", "b"],
        "timeout_s": 9.0,
        "cwd": str(here / "x"),
    }
    given = parser().parse_args(["mcp", "add", "notes", "--header", "A=b=c", "--url", "http://x"])
    assert whole_spec(given) == {"url": "http://x", "headers": {"A": "b=c"}}


def test_a_dash_takes_the_default_again() -> None:
    words = ["--risk", "-", "--agent", "-", "--cwd", "-", "--root", "-", "--timeout-s", "-"]
    given = parser().parse_args(["mcp", "change", "notes", *words])
    assert settings(given, changing=True) == dict.fromkeys(("risk", "cwd", "timeout_s", "roots", "agents"))


@pytest.mark.parametrize(
    ("only", "off", "enable", "disable", "changes"),
    [
        (None, [], [], ["a"], {"disabled_tools": ["a"]}),
        (None, ["a"], [], ["a"], {}),
        (None, ["a", "b"], ["a"], ["c"], {"disabled_tools": ["b", "c"]}),
        (None, ["a"], ["a"], [], {"disabled_tools": None}),
        (["b"], ["a"], ["a"], [], {"disabled_tools": None, "tools": ["b", "a"]}),
        (["b"], [], ["b"], [], {}),
        (["b"], [], ["b"], ["b"], {"disabled_tools": ["b"]}),
    ],
)
def test_tools_are_turned_on_and_off(
    only: list[str] | None, off: list[str], enable: list[str], disable: list[str], changes: dict[str, Any]
) -> None:
    assert tool_changes({"tools": only, "disabled_tools": off}, str, enable, disable) == changes


def test_what_others_wrote_moves_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tool = {"tool": "a\x1b[2J", "enabled": True, "risk": "high", "problem": None, "changed": False}
    views.print_tools([{**tool, "description": "one\ntwo \x1b]0;x\x07" + "y" * 200}])
    views.print_log_line({"time": "t", "text": "\x1b[31mred"})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert len(out.splitlines()) == 3
    assert "‹U+001B›[31mred" in out
