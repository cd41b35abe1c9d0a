"""The grid by itself: the cursor's bounds, and what changes at the cursor. test_shell_output.py tries it as a whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aster_sidecar.tools.terminal_grid import CELLS, COLUMNS, ROWS, Grid


def shown(text: str, *steps: Callable[[Grid], None]) -> str:
    final: list[str] = []
    grid = Grid(final.append)
    grid.print(text)
    for step in steps:
        step(grid)
    grid.end()
    return "".join(final)


def at(row: int, column: int) -> Callable[[Grid], None]:
    return lambda grid: grid.go(row, column)


@pytest.mark.parametrize(
    ("step", "seen"),
    [
        (lambda grid: grid.insert_blanks(2), "abc\nd  ef\nghi"),
        (lambda grid: grid.delete_characters(1), "abc\ndf\nghi"),
        (lambda grid: grid.delete_characters(99), "abc\nd\nghi"),
        (lambda grid: grid.erase_characters(1), "abc\nd f\nghi"),
        (lambda grid: grid.erase_characters(99), "abc\nd\nghi"),
        (lambda grid: grid.insert_rows(1), "abc\n\ndef\nghi"),
        (lambda grid: grid.delete_rows(1), "abc\nghi"),
        (lambda grid: grid.erase_in_line(0), "abc\nd\nghi"),
        (lambda grid: grid.erase_in_line(1), "abc\n  f\nghi"),
        (lambda grid: grid.erase_in_line(2), "abc\n\nghi"),
        (lambda grid: grid.erase_in_display(0), "abc\nd"),
        (lambda grid: grid.erase_in_display(1), "\n  f\nghi"),
        (lambda grid: grid.erase_in_display(2), ""),
        (lambda grid: grid.erase_in_display(3), "abc\ndef\nghi"),
        (lambda grid: grid.reset(), ""),
    ],
)
def test_what_changes_at_the_cursor(step: Callable[[Grid], None], seen: str) -> None:
    assert shown("abc\ndef\nghi", at(1, 1), step) == seen


def test_the_cursor_stays_on_the_screen() -> None:
    grid = Grid(lambda text: None)
    grid.go(-5, -5)
    assert grid.at() == (0, 0)
    grid.go(10 * ROWS, 10 * COLUMNS)
    assert grid.at() == (ROWS - 1, COLUMNS)
    grid.move(-ROWS, 1)
    assert grid.at() == (0, COLUMNS)


def test_the_cursor_goes_back_to_where_it_was_saved() -> None:
    grid = Grid(lambda text: None)
    grid.print("abc")
    grid.restore_cursor()
    assert grid.at() == (0, 3)
    grid.save_cursor()
    grid.go(2, 0)
    grid.restore_cursor()
    assert grid.at() == (0, 3)


def test_inserted_blanks_make_no_row_longer_than_the_screen_holds() -> None:
    seen = shown("x" * (CELLS - 1), at(0, 0), *[lambda grid: grid.insert_blanks(COLUMNS)] * 3)
    assert seen == " " * 3 * COLUMNS + "x" * (CELLS - 3 * COLUMNS)
