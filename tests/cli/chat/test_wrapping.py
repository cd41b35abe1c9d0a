"""Where lines of text are broken: between words, by cells, and never within text that must be copied in one piece."""

from __future__ import annotations

import re

import pytest
from rich.text import Text

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.wrapping import breaks, wrapped


@pytest.mark.timeout(60)  # searching for an address at each letter would take minutes
def test_a_word_without_an_end_is_wrapped() -> None:
    assert len(breaks("x" * 300_000, 80)) == 300_000 // 80 - 1


def test_a_word_longer_than_the_line_breaks() -> None:
    assert breaks("x" * 25, 10) == [10, 20]


@pytest.mark.parametrize(
    ("line", "indent"),
    [("  plain indentation", 2), ("✗ an error", 2), (" 12  the title of a thing", 5), ("no mark", 0)],
)
def test_lines_that_go_on_keep_the_indentation(line: str, indent: int) -> None:
    _, *others = wrapped(Text(line + " that goes on for some more words of the same line"), 24)
    assert others
    assert {len(other.plain) - len(other.plain.lstrip()) for other in others} == {indent}


@pytest.mark.parametrize("width", range(14, 60, 3))
def test_a_key_stays_with_what_it_chooses(width: int) -> None:
    choices = texts.choices(always=True)
    shown = [line.plain for line in wrapped(Text(choices), width)]
    assert " ".join(shown).split() == choices.split()
    assert not any(re.search(r"(^|\s)[adlxe]$", line) for line in shown)


@pytest.mark.parametrize("by_us", [True, False])
def test_all_lines_of_a_message_stand_behind_its_mark(by_us: bool) -> None:
    first, *others = wrapped(Text(texts.said("one line that is wrapped\ntwo lines that are wrapped", by_us=by_us)), 16)
    assert first.plain[2] != " "
    assert len(others) >= 3
    assert all(other.plain.startswith("  ") and other.plain[2] != " " for other in others)
