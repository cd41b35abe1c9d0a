"""What the parsers of the commands accept."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.commands import parser as commands


def test_the_arguments_that_chat_gets() -> None:
    given = commands.parser().parse_args(["chat", "what", "is here", "--agent", "a", "--new", "--json"])
    assert (given.message, given.agent, given.session, given.new, given.model, given.json) == (
        ["what", "is here"],
        "a",
        None,
        True,
        None,
        True,
    )
    assert (given.data_dir, given.config_dir) == (None, None)


def test_flags_hold_before_and_behind_a_verb() -> None:
    parser = commands.parser()
    before = parser.parse_args(["sessions", "--data-dir", "d", "--json", "list"])
    behind = parser.parse_args(["sessions", "list", "--data-dir", "d", "--json"])
    assert vars(before) == vars(behind)
    assert (before.data_dir, before.json) == (Path("d"), True)


@pytest.mark.parametrize(
    "words",
    [
        ["run_command", "npm test", "--kind", "program", "--agent", "a"],
        ["run_command", "--kind", "program", "npm test", "--agent", "a"],
        ["--kind", "program", "--agent", "a", "run_command", "npm test"],
    ],
)
def test_the_value_of_a_rule_may_follow_flags(words: list[str]) -> None:
    given = commands.parser().parse_args(["permissions", "allow", *words])
    assert (given.tool, given.value, given.kind, given.agent) == ("run_command", "npm test", "program", "a")


@pytest.mark.parametrize("more", [["two"], ["--unknown"], ["--kind", "other"], ["--where", "path", "equals"]])
def test_what_a_rule_can_not_have_is_refused(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        commands.parser().parse_args(["permissions", "deny", "run_command", "one", *more])
    assert stopped.value.code == exit_codes.EXIT_USAGE
    assert more[0] in capsys.readouterr().err


def test_conditions_of_a_rule_are_in_order() -> None:
    words = ["--where", "path", "beneath", "src", "--where-not", "path", "glob", "*.py", "--where", "a", "equals", "1"]
    given = commands.parser().parse_args(["permissions", "deny", "write_file", *words])
    assert given.where == [["path", "beneath", "src"], ["a", "equals", "1"]]
    assert (given.where_not, given.value) == ([["path", "glob", "*.py"]], None)


@pytest.mark.parametrize(
    ("words", "program"),
    [
        (["--env", "A=b", "--", "npx", "-y", "notes", "--risk", "low", "--", "x"], ["npx", "-y", "notes", "--risk"]),
        (["--", "npx"], ["npx"]),
        (["--"], []),
        (["--url", "http://x"], []),
    ],
)
def test_the_program_of_a_server_follows_two_dashes(words: list[str], program: list[str]) -> None:
    given = commands.parser().parse_args(["mcp", "--json", "add", "notes", *words])
    assert (given.name, given.program[:4], given.risk, given.json) == ("notes", program, None, True)


def test_a_program_without_the_dashes_is_refused_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        commands.parser().parse_args(["mcp", "add", "notes", "npx", "server"])
    assert stopped.value.code == exit_codes.EXIT_USAGE
    told = capsys.readouterr().err
    assert "the program has to follow --, as in: aster-sidecar mcp add NAME -- npx server" in told
