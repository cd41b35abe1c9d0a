"""A terminal's screen: what output with control characters and sequences looks like when it has ended.

- Carriage returns, backspaces, cursor movement, erasing, inserting and deleting are carried out, so that only the last
  frame of a progress bar remains. Colours, titles, images and the addresses of hyperlinks are dropped, and so is the
  alternate screen when the command leaves it.
- The screen has `ROWS` rows and no right edge; what scrolls off its top is final. So is the beginning of a line that is
  longer than the screen holds (`CELLS`).
- Text without control characters comes out unchanged, `\\r\\n` included. A NUL is shown as ␀.

Not supported: margins, tab stops other than every 8 columns, right-to-left order, and wrapping at the terminal's width,
which programs that write to a pipe don't know. The library for this, pyte, has a screen of fixed width that wraps.
"""

from __future__ import annotations

import re
from collections.abc import Callable

ROWS = 100
CELLS = 32 * 1024
"""How many characters the screen holds, in all rows together."""
COLUMNS = 200
"""How far to the right of the text an escape sequence may move the cursor."""
MARKS = 8
"""How many combining marks a cell holds."""
PARAMETERS = 64
"""How many characters of a control sequence's parameters are kept."""

_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]+(?:\r\n[^\x00-\x08\x0b-\x1f\x7f-\x9f]*)*")
_SEQUENCE = re.compile(r"\x1b\[([0-?]{0,64})([@-~])")
_IN_STRING = re.compile(r"[^\x07\x0a\x18\x1a\x1b\x9c]+")


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
            _put(self.cells, 0, self.text)
            self.text = ""
        return self.cells


class Screen:
    """A terminal's screen: `write` text to it, then call `end`.

    Characters are processed one by one, so that the result does not depend on the pieces in which the output came.
    """

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
        self._sequence: str | None = None
        """The part of an unfinished control sequence after its ESC."""

    def write(self, text: str) -> None:
        """Show `text`, carrying out its control characters and sequences."""
        text = text.replace("\0", "␀")
        place, end = 0, len(text)
        while place < end:
            if self._sequence is not None:
                place = self._go_on(text, place)
            elif text[place] == "\x1b" and (found := _SEQUENCE.match(text, place)):
                place = found.end()
                self._returned = False
                self._control_sequence(found[1], found[2])
            elif found := _PLAIN.match(text, place):
                place = found.end()
                self._print(found[0])
            else:
                self._control(text[place])
                place += 1

    def note(self, words: str) -> None:
        """Show a line that the command did not write."""
        self._sequence = None
        if len(self._rows[self._row]):
            self._line_feed()
        self._print(words + "\n")

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

    def _print(self, text: str) -> None:
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
                self._control("\r")
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
                    self._put(piece)
                    place += len(piece)

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

    def _put(self, text: str) -> None:
        """Write text without line ends at the cursor, over what is there."""
        self._returned = False
        row = self._rows[self._row]
        if self._column is None:
            row.text += text
            self._size += len(text)
        else:
            before = len(row)
            self._column = _put(row.in_cells(), self._column, text)
            self._size += len(row) - before
        self._make_room()

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

    def _control(self, character: str) -> None:
        if character == "\r":
            self._column, self._returned = 0, True
            return
        if character in "\n\v\f":
            self._line_feed()
            return
        self._returned = False
        if character == "\b":
            self._move(0, -1)
        elif character == "\x1b":
            self._sequence = ""

    def _go_on(self, text: str, place: int) -> int:
        """Process the next character of an unfinished control sequence; returns the position after it."""
        sequence, character = self._sequence or "", text[place]
        if sequence[:1] in ("]", "P", "X", "^", "_"):
            return self._go_on_with_string(text, place)
        self._sequence = None
        if character in "\x18\x1a":  # CAN and SUB cancel the sequence
            return place + 1
        if character == "\x1b":
            self._sequence = ""
        elif character < " ":  # carried out as if it came before the sequence
            self._control(character)
            self._sequence = sequence
        elif sequence[:1] == "[" and not "@" <= character <= "~":
            if " " <= character < "@":
                self._sequence = (sequence + character)[: PARAMETERS + 1]
            else:
                return place  # not a sequence
        elif sequence[:1] == "[":
            self._control_sequence(sequence[1:], character)
        elif " " <= character < "0" or (not sequence and character in "[]PX^_"):
            self._sequence = (sequence + character)[:2]
        elif not sequence:
            if not "0" <= character <= "~":
                return place
            self._escape(character)
        return place + 1

    def _go_on_with_string(self, text: str, place: int) -> int:
        """Skip the string of a title, link or image, which is not shown; returns the position after it."""
        sequence = self._sequence or ""
        if sequence[1:] == "\x1b":  # perhaps the first half of the terminator
            self._sequence = None if text[place] == "\\" else ""
            return place + 1 if text[place] == "\\" else place
        if found := _IN_STRING.match(text, place):
            return found.end()
        character = text[place]
        if character == "\x1b":
            self._sequence = sequence[0] + "\x1b"
        elif character in "\x18\x1a\x9c" or (character == "\x07" and sequence[0] == "]"):
            self._sequence = None
        elif character == "\n" and sequence[0] == "]":  # an unterminated title must not hide the rest
            self._sequence = None
            return place
        return place + 1

    def _escape(self, final: str) -> None:
        if final == "c":
            self._leave_alternate()
            self._clear()
            self._row = self._column = 0
        elif final == "7":
            self._saved = self._at()
        elif final == "8" and self._saved is not None:
            self._go(*self._saved)
        elif final == "M":
            self._move(-1, 0)
        elif final in "DE":
            column = self._at()[1] if final == "D" else 0
            self._line_feed()
            self._go(self._row, column)

    def _control_sequence(self, parameters: str, final: str) -> None:
        if parameters[:1] == "?":
            if final in "hl" and {"47", "1047", "1049"} & set(parameters[1:].split(";")):
                if final == "h":
                    self._enter_alternate()
                else:
                    self._leave_alternate()
            return
        if final not in "ABCDEFGHJKLMPX@`adefsu" or (final == "K" and self._column is None and parameters in ("", "0")):
            return
        numbers = [_number(text) for text in parameters.split(";")]
        first, many = numbers[0], max(numbers[0], 1)
        row, column = self._at()
        if final == "A":
            self._go(row - many, column)
        elif final in "Be":
            self._go(row + many, column)
        elif final in "Ca":
            self._go(row, column + many)
        elif final == "D":
            self._go(row, column - many)
        elif final == "E":
            self._go(row + many, 0)
        elif final == "F":
            self._go(row - many, 0)
        elif final in "G`":
            self._go(row, many - 1)
        elif final == "d":
            self._go(many - 1, column)
        elif final in "Hf":
            self._go(many - 1, max(numbers[1] if len(numbers) > 1 else 1, 1) - 1)
        elif final == "J":
            self._erase_in_display(first, row, column)
        elif final == "K":
            self._erase_in_line(first, column)
        elif final in "@PX":
            self._change_line(final, column, min(many, COLUMNS))
        elif final in "LM":
            self._change_rows(final, row, min(many, ROWS))
        elif final == "s":
            self._saved = (row, column)
        elif final == "u" and self._saved is not None:
            self._go(*self._saved)

    # -- the cursor ------------------------------------------------------------------------------------------------

    def _at(self) -> tuple[int, int]:
        """The cursor's row and column, counted from 0."""
        if self._column is None:
            row = self._rows[self._row]
            if not len(row):
                return self._row, 0
            before = len(row)
            self._column = len(row.in_cells())
            self._size += len(row) - before
        return self._row, self._column

    def _move(self, rows: int, columns: int) -> None:
        row, column = self._at()
        self._go(row + rows, column + columns)

    def _go(self, row: int, column: int) -> None:
        """Move the cursor, within the bounds of the screen."""
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

    # -- erasing and changing --------------------------------------------------------------------------------------

    def _erase_in_display(self, what: int, row: int, column: int) -> None:
        if what in (2, 3):
            if what == 2:
                self._clear()
            return
        if what == 0:
            gone = self._rows[row + 1 :]
            self._size -= sum(map(len, gone))
            del self._rows[row + 1 :]
        elif what == 1:
            self._blank(row)
        self._erase_in_line(what, column)

    def _clear(self) -> None:
        """Empty all rows; the cursor stays."""
        _, self._column = self._at()
        del self._rows[self._row + 1 :]
        self._blank(self._row + 1)
        self._size = 0

    def _blank(self, count: int) -> None:
        """Empty the topmost rows."""
        for row in self._rows[:count]:
            if len(row):
                self._size -= len(row)
                row.text, row.cells, row.crlf = "", [], False

    def _erase_in_line(self, what: int, column: int) -> None:
        row = self._rows[self._row]
        before, self._column = len(row), column
        if (column == 0 and what == 0) or what == 2:
            # The whole row: it can be text again.
            row.text, row.cells = "", [] if column else None
            self._column = column or None
        elif what == 0:
            cells = row.in_cells()
            _part(cells, column)
            del cells[column:]
        elif what == 1:
            cells = row.in_cells()
            _part(cells, column + 1)
            cells[: column + 1] = [" "] * min(column + 1, len(cells))
        self._size += len(row) - before

    def _change_line(self, final: str, column: int, count: int) -> None:
        """Insert blanks, delete characters, or blank them, at the cursor."""
        row = self._rows[self._row]
        before, self._column = len(row), column
        cells = row.in_cells()
        if column < len(cells):
            _part(cells, column)
            if final == "@":
                cells[column:column] = [" "] * count
            else:
                _part(cells, column + count)
                gone = len(cells[column : column + count])
                cells[column : column + count] = [] if final == "P" else [" "] * gone
        if (excess := self._size + len(cells) - before - CELLS) > 0:
            del cells[max(len(cells) - excess, column) :]
        self._size += len(cells) - before

    def _change_rows(self, final: str, row: int, count: int) -> None:
        """Insert empty rows, or delete rows, at the cursor."""
        if final == "L":
            fresh = [Row() for _ in range(min(count, ROWS - row))]
            for one in fresh:
                one.cells = []
            self._rows[row:row] = fresh
            gone = self._rows[ROWS:]
            del self._rows[ROWS:]
        else:
            gone = self._rows[row : row + count]
            del self._rows[row : row + count]
        self._size -= sum(map(len, gone))
        if len(self._rows) <= row:
            self._rows.append(Row())
            self._rows[-1].cells = []
        self._go(row, 0)

    def _enter_alternate(self) -> None:
        if self._main is None:
            row, column = self._at()
            self._main = (self._rows, row, column)
            self._rows, self._row, self._column, self._size = [Row()], 0, None, 0

    def _leave_alternate(self) -> None:
        if self._main is not None:
            self._rows, row, column = self._main
            self._main = None
            self._size = sum(map(len, self._rows))
            self._go(row, column)


def _number(parameter: str) -> int:
    return min(int(parameter), 10_000) if parameter.isascii() and parameter.isdigit() else 0


# -- cells -------------------------------------------------------------------------------------------------------------


def _put(cells: list[str], column: int, text: str) -> int:
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
    _part(cells, column)
    _part(cells, column + len(fresh))
    cells[column : column + len(fresh)] = fresh
    return column + len(fresh)


def _mark(cells: list[str], column: int, mark: str) -> None:
    """Add a combining mark to the character before `column`."""
    place = column - 1 if cells[column - 1] or column < 2 else column - 2
    if len(cells[place]) <= MARKS:
        cells[place] += mark


def _part(cells: list[str], column: int) -> None:
    """Replace a two-column character by blanks if `column` divides it."""
    if 0 < column < len(cells) and not cells[column]:
        cells[column - 1] = cells[column] = " "


def _columns(character: str) -> int:
    """How many columns a character takes; 0 for a combining mark."""
    from wcwidth import wcwidth

    if "\ud800" <= character <= "\udfff":  # a byte that is not UTF-8
        return 1
    return min(max(wcwidth(character), 0), 2)
