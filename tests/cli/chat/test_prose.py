"""A message while it is written: each line is printed once, at the width that the window has at that moment."""

from __future__ import annotations

import re

import pytest

from aster_sidecar.cli.chat.prose import Prose, position, split
from aster_sidecar.cli.chat.wrapping import cells
from tests.cli.chat.support import Bottom, printed, screen


@pytest.mark.parametrize(("before", "after"), [(60, 33), (33, 60)])
@pytest.mark.parametrize("mark", ["- ", "> - ", "1. "])
def test_a_block_that_is_half_printed_goes_on_at_the_new_width(before: int, after: int, mark: str) -> None:
    at, bottom = screen(before, height=10), Bottom()
    at.beneath = bottom
    items = [f"item {number} has words that are long enough to be wrapped at some width" for number in range(30)]
    text = "".join(f"{mark}{item}\n" for item in items)
    prose = Prose(at)
    prose.chunk(0, text[: len(text) // 2])
    prose.paint()
    half = len(bottom.text)
    assert half > 0
    at.console.width = after
    prose.chunk(len(text) // 2, text[len(text) // 2 :])
    prose.paint()
    prose.close()
    assert all(cells(line) <= after for line in bottom.text[half:].splitlines())
    shown = " ".join(re.sub("[▌•]", " ", bottom.text).split())
    for item in items:
        assert shown.count(item) == 1, (item, shown)


def test_a_block_is_finished_when_another_begins() -> None:
    assert split("one") == ("", "one")
    assert split("one\n\ntwo") == ("one\n", "two")
    assert split("one\n\n- two\n- three") == ("one\n", "- two\n- three")
    assert split("| a |\n|---|\n| b |") == ("", "| a |\n|---|\n| b |")


@pytest.mark.parametrize(
    ("ink", "found"), [(0, (1, 0)), (2, (1, 2)), (5, (2, 0)), (6, (2, 1)), (8, (3, 0)), (99, (3, 0))]
)
def test_a_position_counts_what_is_neither_space_nor_bar(ink: int, found: tuple[int, int]) -> None:
    assert position(["", "▌ ab cde", "\x1b[1mfgh\x1b[0m"], ink) == found


def test_a_chunk_that_comes_twice_is_in_the_text_once() -> None:
    prose = Prose(screen())
    prose.chunk(0, "one ")
    prose.chunk(4, "two")
    prose.chunk(2, "e two three")
    assert prose.text == "one two three"


def test_the_open_block_is_repainted_and_the_finished_one_is_not() -> None:
    at = screen(40)
    prose = Prose(at)
    prose.chunk(0, "The first block.\n\nThe sec")
    prose.paint()
    assert printed(at).endswith("The first block.\n\nThe sec\n")
    prose.chunk(25, "ond block.")
    prose.paint()
    prose.close()
    text = printed(at)
    assert text.count("The first block.") == 1
    assert text.endswith("\x1b[2A\r\x1b[J\nThe second block.\n")


def test_reasoning_is_followed_by_an_empty_line() -> None:
    at = screen(40)
    prose = Prose(at, thinking=True)
    prose.chunk(0, "*a thought*")
    prose.close()
    assert printed(at) == "*a thought*\n\n"
