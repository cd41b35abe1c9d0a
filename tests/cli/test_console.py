"""What commands print: no character in it is hidden or controls the terminal."""

from __future__ import annotations

import json

import pytest

from aster_sidecar.cli import console


def test_a_table_hides_nothing_and_says_nothing_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(("a", "b"), [("x\ny\x1b]0;t\x07", True), ("\u202e", None)])
    assert capsys.readouterr().out.splitlines() == [
        "a".ljust(len("x‹U+000A›y‹U+001B›]0;t‹U+0007›")) + "  b",
        "x‹U+000A›y‹U+001B›]0;t‹U+0007›  yes",
        "‹U+202E›",
    ]


def test_json_has_no_character_that_a_terminal_acts_on(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"title": "\x1b[2J\x7f\x9b\u202eé"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert not set(text) & {"\x1b", "\x7f"}
    assert json.loads(text)["title"] == "\x1b[2J\x7f\x9b\u202eé"
