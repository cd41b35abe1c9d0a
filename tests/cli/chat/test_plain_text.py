"""Text from other sources on a terminal: escape sequences are removed, and every hidden character is shown."""

from __future__ import annotations

import pytest

from aster_sidecar.cli.chat.plain_text import output, plain, trimmed, uncoloured


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("two\r\nlines\n", "two\nlines\n"),
        ("a\tb", "a    b"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x07\x7f", "␇␡"),
        ("a\rb", "a␍b"),
        ("\u202etxt.exe", "‹U+202E›txt.exe"),
        ("\x9b2J\u2028\ud800", "‹U+009B›2J‹U+2028›‹U+D800›"),
        ("ümläut 你好 👩‍👩‍👧", "ümläut 你好 👩‍👩‍👧"),
    ],
)
def test_control_characters_become_visible(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m\n", "red\n"),
        ("10 %\r50 %\r100 %\ndone", "100 %\ndone"),
        ("a line\r\nanother\r\n", "a line\nanother\n"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdata\x1b\\after", "after"),
        ("\x1b alone", "␛ alone"),
    ],
)
def test_output_of_a_tool_loses_its_colours_and_what_it_wrote_over(text: str, shown: str) -> None:
    assert output(text) == shown


def test_a_line_of_nothing_but_colours_is_empty() -> None:
    assert uncoloured("\x1b[1;31mbold\x1b[0m") == "bold"
    assert trimmed(["", "\x1b[0m", "a", " ", "\x1b[1mb\x1b[0m", "  "]) == ["a", " ", "\x1b[1mb\x1b[0m"]
    assert trimmed(["", "\x1b[0m"]) == []
