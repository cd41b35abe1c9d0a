"""A terminal's screen: what output with control characters and sequences looks like when it has ended.

- Carriage returns, backspaces, cursor movement, erasing, inserting and deleting are carried out, so that only the last
  frame of a progress bar remains. Colours, titles, images and the addresses of hyperlinks are dropped, and so is the
  alternate screen when the command leaves it.
- The screen has 100 rows and no right edge; what scrolls off its top is final. So is the beginning of a line that is
  longer than the screen holds (`terminal_grid.CELLS`).
- Text without control characters comes out unchanged, `\\r\\n` included. A NUL is shown as ␀.

Not supported: margins, tab stops other than every 8 columns, right-to-left order, and wrapping at the terminal's width,
which programs that write to a pipe don't know. The library for this, pyte, has a screen of fixed width that wraps.

This module reads the control sequences; `terminal_grid.py` has the rows and the cursor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from aster_sidecar.tools.terminal_grid import Grid

PARAMETERS = 64
"""How many characters of a control sequence's parameters are kept."""

_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]+(?:\r\n[^\x00-\x08\x0b-\x1f\x7f-\x9f]*)*")
_SEQUENCE = re.compile(r"\x1b\[([0-?]{0,64})([@-~])")
_IN_STRING = re.compile(r"[^\x07\x0a\x18\x1a\x1b\x9c]+")


@dataclass(frozen=True, slots=True)
class Given:
    """The numbers in a control sequence; one that is not given, or is not a number, is 0."""

    numbers: list[int]

    @property
    def first(self) -> int:
        return self.numbers[0]

    @property
    def count(self) -> int:
        """The first number, at least 1: how many rows or columns, or which one, counted from 1."""
        return max(self.first, 1)

    @property
    def second(self) -> int:
        """The second number, at least 1."""
        return max(self.numbers[1], 1) if len(self.numbers) > 1 else 1


def _given(parameters: str) -> Given:
    return Given([_number(text) for text in parameters.split(";")])


def _number(parameter: str) -> int:
    return min(int(parameter), 10_000) if parameter.isascii() and parameter.isdigit() else 0


# The control sequences that are carried out, by their last character. Others change no text.
_MOVES: dict[str, Callable[[int, int, Given], tuple[int, int]]] = {
    "A": lambda row, column, given: (row - given.count, column),
    **dict.fromkeys("Be", lambda row, column, given: (row + given.count, column)),
    **dict.fromkeys("Ca", lambda row, column, given: (row, column + given.count)),
    "D": lambda row, column, given: (row, column - given.count),
    "E": lambda row, column, given: (row + given.count, 0),
    "F": lambda row, column, given: (row - given.count, 0),
    **dict.fromkeys("G`", lambda row, column, given: (row, given.count - 1)),
    **dict.fromkeys("Hf", lambda row, column, given: (given.count - 1, given.second - 1)),
    "d": lambda row, column, given: (given.count - 1, column),
}
"""Where the cursor goes: from its row and column and the numbers to its new row and column."""
_CHANGES: dict[str, Callable[[Grid, Given], None]] = {
    "J": lambda grid, given: grid.erase_in_display(given.first),
    "K": lambda grid, given: grid.erase_in_line(given.first),
    "@": lambda grid, given: grid.insert_blanks(given.count),
    "P": lambda grid, given: grid.delete_characters(given.count),
    "X": lambda grid, given: grid.erase_characters(given.count),
    "L": lambda grid, given: grid.insert_rows(given.count),
    "M": lambda grid, given: grid.delete_rows(given.count),
    "s": lambda grid, given: grid.save_cursor(),
    "u": lambda grid, given: grid.restore_cursor(),
}
"""What is changed at the cursor."""


class Screen:
    """A terminal's screen: `write` text to it, then call `end`.

    Characters are processed one by one, so that the result does not depend on the pieces in which the output came.
    """

    def __init__(self, final: Callable[[str], None]) -> None:
        """`final` is given the text that can't change any more, from the beginning on."""
        self._grid = Grid(final)
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
                self._grid.control("\x1b")
                self._control_sequence(found[1], found[2])
            elif found := _PLAIN.match(text, place):
                place = found.end()
                self._grid.print(found[0])
            else:
                self._control(text[place])
                place += 1

    def note(self, words: str) -> None:
        """Show a line that the command did not write."""
        self._sequence = None
        self._grid.print_line(words)

    def end(self) -> None:
        """Pass on what is on the screen as final, and clear it."""
        self._grid.end()

    # -- sequences -------------------------------------------------------------------------------------------------

    def _control(self, character: str) -> None:
        self._grid.control(character)
        if character == "\x1b":
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
        elif sequence[:1] == "[":
            return place + self._go_on_with_parameters(sequence, character)
        elif " " <= character < "0" or (not sequence and character in "[]PX^_"):
            self._sequence = (sequence + character)[:2]
        elif not sequence:
            if not "0" <= character <= "~":
                return place
            self._escape(character)
        return place + 1

    def _go_on_with_parameters(self, sequence: str, character: str) -> bool:
        """Process the next character after `ESC [`. Returns whether it is part of the sequence."""
        if character < "@":
            self._sequence = (sequence + character)[: PARAMETERS + 1]
        elif character <= "~":
            self._control_sequence(sequence[1:], character)
        return character <= "~"

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
        grid = self._grid
        if final == "c":
            grid.reset()
        elif final == "7":
            grid.save_cursor()
        elif final == "8":
            grid.restore_cursor()
        elif final == "M":
            grid.move(-1, 0)
        elif final == "D":
            grid.next_row(grid.at()[1])
        elif final == "E":
            grid.next_row(0)

    def _control_sequence(self, parameters: str, final: str) -> None:
        grid = self._grid
        if parameters[:1] == "?":
            if final in "hl" and {"47", "1047", "1049"} & set(parameters[1:].split(";")):
                if final == "h":
                    grid.enter_alternate()
                else:
                    grid.leave_alternate()
        elif move := _MOVES.get(final):
            grid.go(*move(*grid.at(), _given(parameters)))
        elif (change := _CHANGES.get(final)) and not (final == "K" and grid.appends and parameters in ("", "0")):
            grid.at()  # the row consists of cells from now on, whatever the sequence does
            change(grid, _given(parameters))
