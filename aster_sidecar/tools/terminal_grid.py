"""The grid of a terminal's screen: its rows and its cursor, what is printed there, moved, erased, inserted and deleted.

`terminal_screen.py` reads the control sequences and calls this. Rows and columns are counted from 0.
"""

from __future__ import annotations

from collections.abc import Callable

from aster_sidecar.tools.terminal_cells import Row, part, put

ROWS = 100
CELLS = 32 * 1024
"""How many characters the screen holds, in all rows together."""
COLUMNS = 200
"""How far to the right of the text an escape sequence may move the cursor."""


class Grid:
    """The rows and the cursor of a screen. It keeps at most `ROWS` rows and about `CELLS` characters."""

    # `_column` None stands for the end of a row that has only grown: its number is not needed to append to it.

    def __init__(self, final: Callable[[str], None]) -> None:
        """`final` is given the text that can't change any more, from the beginning on."""
        self._final = final
        self._rows = [Row()]
        self._row = 0
        self._column: int | None = None
        self._size = 0
        self._returned = False
        """Whether the last character was a carriage return."""
        self._saved: tuple[int, int] | None = None
        self._main: tuple[list[Row], int, int] | None = None
        """The main screen's rows and cursor while the alternate screen is shown."""

    def end(self) -> None:
        """Pass on what is on the screen as final, and clear it."""
        rows, cursor = self._rows, self._row
        if self._main is not None:
            rows = [*self._main[0], *rows]
            cursor += len(self._main[0])
        # Drop empty rows at the end that only erasing or moving the cursor made; keep those that the command wrote.
        written = max((n + 1 for n, row in enumerate(rows) if str(row)), default=0)
        count = len(rows)
        while count > written + 1 and (count - 1 > cursor or rows[count - 1].cells is not None):
            count -= 1
        lines = [f"{row}\r" if row.crlf else str(row) for row in rows[:count]]
        lines[-1] = lines[-1].removesuffix("\r")
        self._final("\n".join(lines))
        self._rows, self._main = [Row()], None
        self._row, self._column, self._size = 0, None, 0

    # -- printing --------------------------------------------------------------------------------------------------

    def print(self, text: str) -> None:
        """Show text with tabs and line ends, but no other control characters."""
        place, end = 0, len(text)
        while place < end:
            row = self._rows[self._row]
            if self._column is None and self._row == len(self._rows) - 1 and len(row) < CELLS:
                piece = text[place : place + CELLS - len(row)]
                # The last character may be the first half of a line end.
                if piece[-1] == "\r":
                    piece = text[place : place + len(piece) + 1]
                self._append(piece)
                place += len(piece)
            elif text[place] == "\r":
                self._carriage_return()
                place += 1
            elif text[place] == "\n":
                self._line_feed()
                place += 1
            else:
                until = min(at for at in (text.find("\n", place), text.find("\r\n", place), end) if at >= 0)
                while place < until:
                    # Write no more than surely fits (a tab takes eight cells): then the top of the screen becomes final
                    # at the same character for every division of the text.
                    room = (CELLS - self._size) // 8 if (self._column or 0) <= len(self._rows[self._row]) else 1
                    piece = text[place : min(until, place + max(room, 1))]
                    self._write(piece)
                    place += len(piece)

    def print_line(self, words: str) -> None:
        """Show a line of its own."""
        if len(self._rows[self._row]):
            self._line_feed()
        self.print(words + "\n")

    def _append(self, text: str) -> None:
        """Append to the last row, which has only grown."""
        self._returned = False
        last = self._rows[-1]
        if "\n" not in text:
            last.text += text
            self._size += len(text)
        else:
            lines = (last.text + text).rsplit("\n", ROWS)
            if len(lines) > ROWS:
                self._finish_rows(len(self._rows) - 1)
                self._scroll_off(lines[0] + "\n")
                lines, self._rows, self._size = lines[1:], [], 0
            else:
                self._rows.pop()
                self._size -= len(last)
            for line in lines:
                crlf = line.endswith("\r")
                self._rows.append(Row(line[:-1] if crlf else line, crlf))
            self._size += sum(map(len, self._rows[-len(lines) :]))
            self._finish_rows(len(self._rows) - ROWS)
            self._row = len(self._rows) - 1
        self._make_room()

    def _write(self, text: str) -> None:
        """Write text without line ends at the cursor, over what is there."""
        self._returned = False
        row = self._rows[self._row]
        if self._column is None:
            row.text += text
            self._size += len(text)
        else:
            before = len(row)
            self._column = put(row.in_cells(), self._column, text)
            self._size += len(row) - before
        self._make_room()

    # -- what leaves the screen ------------------------------------------------------------------------------------

    def _scroll_off(self, text: str) -> None:
        if self._main is None:  # nothing of the alternate screen is kept
            self._final(text)

    def _finish_rows(self, count: int) -> None:
        """Make the topmost rows final."""
        if count <= 0:
            return
        gone = self._rows[:count]
        self._scroll_off("".join(f"{row}\r\n" if row.crlf else f"{row}\n" for row in gone))
        del self._rows[:count]
        self._size -= sum(map(len, gone))
        self._row = max(self._row - count, 0)

    def _make_room(self) -> None:
        """Make rows final until the screen is within `CELLS`, and what the cursor's row holds if that is not enough."""
        while self._size > CELLS and self._row > 0:
            self._finish_rows(1)
        if self._size > CELLS and self._column in (None, len(self._rows[0])):
            row = self._rows[0]
            self._scroll_off(row.text if row.cells is None else "".join(row.cells))
            self._size -= len(row)
            row.text, row.cells = "", None
            self._column = None

    # -- control characters ----------------------------------------------------------------------------------------

    def control(self, character: str) -> None:
        """Carry out a line end or a backspace. Others show nothing, but part a carriage return from a line feed."""
        if character == "\r":
            self._carriage_return()
        elif character in "\n\v\f":
            self._line_feed()
        else:
            self._returned = False
            if character == "\b":
                self.move(0, -1)

    def _carriage_return(self) -> None:
        self._column, self._returned = 0, True

    def _line_feed(self) -> None:
        if self._returned:
            self._rows[self._row].crlf = True
        self._returned = False
        if self._row < len(self._rows) - 1:
            self._row += 1
            self._column = 0
            return
        self._rows.append(Row())
        self._row += 1
        self._column = None
        self._finish_rows(len(self._rows) - ROWS)

    # -- the cursor ------------------------------------------------------------------------------------------------

    @property
    def appends(self) -> bool:
        """Whether the cursor is at the end of a row that has only grown, so that nothing is after it."""
        return self._column is None

    def at(self) -> tuple[int, int]:
        """The cursor's row and column."""
        if self._column is None:
            row = self._rows[self._row]
            if not len(row):
                return self._row, 0
            before = len(row)
            self._column = len(row.in_cells())
            self._size += len(row) - before
        return self._row, self._column

    def move(self, rows: int, columns: int) -> None:
        """Move the cursor by so many rows and columns, within the bounds of the screen."""
        row, column = self.at()
        self.go(row + rows, column + columns)

    def go(self, row: int, column: int) -> None:
        """Move the cursor to a row and column, within the bounds of the screen."""
        self._returned = False
        row = min(max(row, 0), ROWS - 1)
        while len(self._rows) <= row:
            self._rows.append(Row())
            self._rows[-1].cells = []
        self._row = row
        here = self._rows[row]
        before = len(here)
        most = max(len(here.in_cells()), COLUMNS)
        self._size += len(here) - before
        self._column = min(max(column, 0), most)

    def next_row(self, column: int) -> None:
        """Move the cursor one row down, to `column`; at the bottom, the screen scrolls."""
        self._line_feed()
        self.go(self._row, column)

    def save_cursor(self) -> None:
        self._saved = self.at()

    def restore_cursor(self) -> None:
        """Move the cursor to where it was saved, if it was."""
        if self._saved is not None:
            self.go(*self._saved)

    # -- erasing and changing --------------------------------------------------------------------------------------

    def erase_in_display(self, what: int) -> None:
        """Erase what is after the cursor (0), before and under it (1), or everything (2)."""
        row, column = self.at()
        if what in (2, 3):  # 3 erases what has scrolled off, which is final
            if what == 2:
                self._clear()
            return
        if what == 0:
            gone = self._rows[row + 1 :]
            self._size -= sum(map(len, gone))
            del self._rows[row + 1 :]
        elif what == 1:
            self._blank(row)
        self._erase_in_row(what, column)

    def erase_in_line(self, what: int) -> None:
        """Erase what is in the row after the cursor (0), before and under it (1), or the whole row (2)."""
        self._erase_in_row(what, self.at()[1])

    def _erase_in_row(self, what: int, column: int) -> None:
        row = self._rows[self._row]
        before, self._column = len(row), column
        if (column == 0 and what == 0) or what == 2:
            # The whole row: it can be text again.
            row.text, row.cells = "", [] if column else None
            self._column = column or None
        elif what == 0:
            cells = row.in_cells()
            part(cells, column)
            del cells[column:]
        elif what == 1:
            cells = row.in_cells()
            part(cells, column + 1)
            cells[: column + 1] = [" "] * min(column + 1, len(cells))
        self._size += len(row) - before

    def _clear(self) -> None:
        """Empty all rows; the cursor stays."""
        _, self._column = self.at()
        del self._rows[self._row + 1 :]
        self._blank(self._row + 1)
        self._size = 0

    def _blank(self, count: int) -> None:
        """Empty the topmost rows."""
        for row in self._rows[:count]:
            if len(row):
                self._size -= len(row)
                row.text, row.cells, row.crlf = "", [], False

    def insert_blanks(self, count: int) -> None:
        """Insert blanks at the cursor; the characters from there on move to the right."""
        self._replace(0, min(count, COLUMNS))

    def delete_characters(self, count: int) -> None:
        """Delete characters from the cursor on; those after them move to the left."""
        self._replace(min(count, COLUMNS), 0)

    def erase_characters(self, count: int) -> None:
        """Replace characters from the cursor on by blanks; the row does not become longer."""
        row, column = self.at()
        count = max(min(count, COLUMNS, len(self._rows[row]) - column), 0)
        self._replace(count, count)

    def _replace(self, count: int, blanks: int) -> None:
        """Replace `count` characters from the cursor on by blanks, if the row reaches to the cursor."""
        place, self._column = self.at()
        row, column = self._rows[place], self._column
        before, cells = len(row), row.in_cells()
        if column < len(cells):
            part(cells, column)
            part(cells, column + count)
            cells[column : column + count] = [" "] * blanks
        if (excess := self._size + len(cells) - before - CELLS) > 0:
            del cells[max(len(cells) - excess, column) :]
        self._size += len(cells) - before

    def insert_rows(self, count: int) -> None:
        """Insert empty rows at the cursor; what is pushed off the bottom is gone."""
        row, _ = self.at()
        fresh = [Row() for _ in range(min(count, ROWS - row))]
        for one in fresh:
            one.cells = []
        self._rows[row:row] = fresh
        gone = self._rows[ROWS:]
        del self._rows[ROWS:]
        self._after_rows(row, gone)

    def delete_rows(self, count: int) -> None:
        """Delete rows from the cursor's on."""
        row, _ = self.at()
        gone = self._rows[row : row + min(count, ROWS)]
        del self._rows[row : row + min(count, ROWS)]
        self._after_rows(row, gone)

    def _after_rows(self, row: int, gone: list[Row]) -> None:
        """Put the cursor at the beginning of its row after rows were inserted or deleted."""
        self._size -= sum(map(len, gone))
        if len(self._rows) <= row:
            self._rows.append(Row())
            self._rows[-1].cells = []
        self.go(row, 0)

    # -- the whole screen ------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Show the main screen, empty, with the cursor at its top left."""
        self.leave_alternate()
        self._clear()
        self._row = self._column = 0

    def enter_alternate(self) -> None:
        """Show the alternate screen, empty. Nothing of it is kept once it is left."""
        if self._main is None:
            row, column = self.at()
            self._main = (self._rows, row, column)
            self._rows, self._row, self._column, self._size = [Row()], 0, None, 0

    def leave_alternate(self) -> None:
        """Show the main screen again, with its cursor."""
        if self._main is not None:
            self._rows, row, column = self._main
            self._main = None
            self._size = sum(map(len, self._rows))
            self.go(row, column)
