"""The rows and cells of a terminal's screen: characters that are written, and how many columns each takes."""

from __future__ import annotations

MARKS = 8
"""How many combining marks a cell holds."""


class Row:
    """A row of the screen: text while it only grows, cells once something in it was changed.

    A cell is a character with its combining marks. A character of two columns has an empty second cell.
    """

    __slots__ = ("cells", "crlf", "text")

    def __init__(self, text: str = "", crlf: bool = False) -> None:
        self.text = text
        self.crlf = crlf
        self.cells: list[str] | None = None

    def __len__(self) -> int:
        return len(self.text) if self.cells is None else len(self.cells)

    def __str__(self) -> str:
        return self.text if self.cells is None else "".join(self.cells).rstrip(" ")

    def in_cells(self) -> list[str]:
        if self.cells is None:
            self.cells = []
            put(self.cells, 0, self.text)
            self.text = ""
        return self.cells


def put(cells: list[str], column: int, text: str) -> int:
    """Write `text` over the cells from `column` on; returns the column after it."""
    if column > len(cells):
        cells += [" "] * (column - len(cells))
    if text.isascii() and "\t" not in text:
        fresh = list(text)
    else:
        fresh = list[str]()
        for character in text:
            if character == "\t":
                fresh += [" "] * (8 - (column + len(fresh)) % 8)
                continue
            width = 1 if character.isascii() else _columns(character)
            if width:
                fresh += (character, "")[:width]
            elif fresh or column:
                _mark(fresh or cells, len(fresh) or column, character)
    part(cells, column)
    part(cells, column + len(fresh))
    cells[column : column + len(fresh)] = fresh
    return column + len(fresh)


def _mark(cells: list[str], column: int, mark: str) -> None:
    """Add a combining mark to the character before `column`."""
    place = column - 1 if cells[column - 1] or column < 2 else column - 2
    if len(cells[place]) <= MARKS:
        cells[place] += mark


def part(cells: list[str], column: int) -> None:
    """Replace a two-column character by blanks if `column` divides it."""
    if 0 < column < len(cells) and not cells[column]:
        cells[column - 1] = cells[column] = " "


def _columns(character: str) -> int:
    """How many columns a character takes; 0 for a combining mark."""
    from wcwidth import wcwidth

    if "\ud800" <= character <= "\udfff":  # a byte that is not UTF-8
        return 1
    return min(max(wcwidth(character), 0), 2)
