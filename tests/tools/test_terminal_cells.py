"""The cells of a row: what takes how many columns, and what writing over a part of a character leaves."""

from __future__ import annotations

import pytest

from aster_sidecar.tools.terminal_cells import MARKS, Row, put


@pytest.mark.parametrize(
    ("before", "column", "text", "cells", "after"),
    [
        ("", 0, "ab", ["a", "b"], 2),
        ("abc", 1, "X", ["a", "X", "c"], 2),
        ("a", 3, "b", ["a", " ", " ", "b"], 4),
        ("", 0, "界x", ["界", "", "x"], 3),
        ("界x", 1, "y", [" ", "y", "x"], 2),
        ("界界", 1, "ab", [" ", "a", "b", " "], 3),
        ("", 0, "e\u0301", ["e\u0301"], 1),
        ("界", 2, "\u0301", ["界\u0301", ""], 2),
        ("", 0, "\u0301", [], 0),
        ("", 0, "a\tb", ["a", *" " * 7, "b"], 9),
        ("", 0, "\udc80", ["\udc80"], 1),
    ],
)
def test_text_is_written_over_the_cells(before: str, column: int, text: str, cells: list[str], after: int) -> None:
    row = Row(before)
    assert put(row.in_cells(), column, text) == after
    assert row.cells == cells


def test_a_cell_holds_only_so_many_marks() -> None:
    [cell] = Row("e" + "\u0301" * 100).in_cells()
    assert len(cell) == 1 + MARKS


def test_blanks_at_the_end_stay_while_a_row_only_grows() -> None:
    row = Row("a  ")
    assert str(row) == "a  "
    row.in_cells()
    assert str(row) == "a"
    assert len(row) == 3
