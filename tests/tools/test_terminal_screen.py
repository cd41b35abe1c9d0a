"""The screen by itself: what becomes final, and when. tests/tools/test_shell_output.py tests its content."""

from __future__ import annotations

import pytest

from aster_sidecar.tools.terminal_grid import CELLS, ROWS
from aster_sidecar.tools.terminal_screen import Screen


def written(*pieces: str, end: bool = True) -> list[str]:
    """The final text, piece by piece."""
    final: list[str] = []
    screen = Screen(final.append)
    for piece in pieces:
        screen.write(piece)
    if end:
        screen.end()
    return final


def test_nothing_is_final_while_it_is_on_the_screen() -> None:
    assert written("a\n" * (ROWS - 1), end=False) == []
    assert "".join(written("a\n" * (ROWS + 1), end=False)) == "a\na\n"


def test_a_line_longer_than_the_screen_holds_becomes_final() -> None:
    assert written("x" * (CELLS - 1), end=False) == []
    final = "".join(written("x" * (3 * CELLS), end=False))
    assert len(final) >= 2 * CELLS
    assert final == "x" * len(final)
    assert "".join(written("x" * (3 * CELLS))) == "x" * (3 * CELLS)


def test_at_the_end_the_screen_is_final() -> None:
    assert written("loading\rdone   \nnext") == ["done\nnext"]


def test_of_the_alternate_screen_nothing_is_final_once_it_is_left() -> None:
    assert written("before\n\x1b[?1049h" + "menu\n" * (2 * ROWS) + "\x1b[?1049lafter") == ["before\nafter"]
    assert written("before\n\x1b[?1049hmenu") == ["before\n\nmenu"]


def test_a_note_stands_on_a_line_of_its_own() -> None:
    final: list[str] = []
    screen = Screen(final.append)
    screen.write("text\x1b[")
    screen.note("[a note]")
    screen.write("more")
    screen.end()
    assert final == ["text\n[a note]\nmore"]


@pytest.mark.parametrize("pieces", [("\x1b[3", "1mred\x1b[", "0m"), ("\x1b]0;ti", "tle\x1b", "\\red"), ("r", "e", "d")])
def test_a_sequence_may_come_in_pieces(pieces: tuple[str, ...]) -> None:
    assert written(*pieces) == ["red"]
