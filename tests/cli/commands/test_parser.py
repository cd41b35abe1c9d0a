"""What the parsers of the commands accept."""

from __future__ import annotations

from pathlib import Path

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
