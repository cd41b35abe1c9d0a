"""The terminal of a conversation: finished lines are printed once; the tail below them is repainted.

`prose`, `tool_call`, `question_view` and the views write here, after `plain_text.plain` for what others wrote.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from aster_sidecar.cli.chat.library_patches import console_in
from aster_sidecar.cli.chat.plain_text import uncoloured
from aster_sidecar.cli.chat.wrapping import cells, wrapped

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

TAIL_ROWS_KEPT = 4
"""Rows of the window that the tail leaves free, so that repainting never scrolls lines that it has to erase."""
TAIL_SHARE = 3
"""The tail takes at most one third of the window's rows. When the window becomes narrower, the terminal wraps the
tail's rows, and only rows that are still in the window can be erased."""
WIDEST = 110
"""Cells of the longest line of an answer."""


class Beneath(Protocol):
    """What occupies the bottom of the screen: the input line. It shows the tail above itself, at any width."""

    def above(self, text: str) -> None:
        """Print finished lines above the tail."""
        ...

    def refresh(self) -> None:
        """Show the tail as it is now."""
        ...


class Screen:
    """One terminal. `capable`: it can move the cursor, so that a tail can be repainted."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.capable = console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows
        self.beneath: Beneath | None = None
        self._painted: list[str] = []

    # -- lines -----------------------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Cells in a row, at least 1."""
        return max(1, self.console.width)

    def render(self, thing: RenderableType, width: int | None = None) -> list[str]:
        """The lines of `thing` with their colours, without spaces at their ends.

        Without a width a long line is one line: the terminal wraps it, and a person can copy it whole.
        """
        with self.console.capture() as captured:
            self.console.print(thing, width=width, soft_wrap=width is None, crop=False)
        return [line.rstrip(" ") for line in captured.get().removesuffix("\n").split("\n")]

    def prose(self, text: Text, width: int | None = None, indent: int | None = None) -> list[str]:
        """The lines of a text that is wrapped between words. Where the width is unknown, the terminal wraps it."""
        lines = wrapped(text, width or self.width, indent) if self.capable else [text]
        return [entry for line in lines for entry in self.render(line)]

    def write(self, lines: Sequence[str], *, aside: bool = False) -> None:
        """Print finished lines above the tail. They replace the tail; with `aside` it stays."""
        if not lines:
            return
        painted = self._painted if aside else []
        self.erase()
        text = "".join(line + "\n" for line in lines)
        if self.beneath is not None:
            self.beneath.above(text)
        else:
            self.console.file.write(text)
            self.console.file.flush()
        if painted:
            self.tail(painted)

    def say(self, text: str, style: str = "", *, indent: int | None = None, aside: bool = False) -> None:
        """Print a text of our own; what it quotes from others must have passed `plain`.

        `indent`: cells before each continuation line; see `wrapped`.
        """
        from rich.text import Text

        self.write(self.prose(Text(text, style=style), indent=indent), aside=aside)

    # -- the tail --------------------------------------------------------------------------------------------------

    def tail(self, lines: Sequence[str]) -> None:
        """Repaint the tail, from the first row that changed."""
        if not self.capable:
            return
        if self.beneath is not None:
            self._painted = list(lines)
            self.beneath.refresh()
            return
        rows = folded(lines, self.width)[-self.tail_rows :]
        same = 0
        for old, new in zip(self._painted, rows, strict=False):
            if old != new:
                break
            same += 1
        if same == len(self._painted) == len(rows):
            return
        self._up(self._painted[same:])
        self.console.file.write("".join(row + "\n" for row in rows[same:]))
        self.console.file.flush()
        self._painted = rows

    @property
    def tail_rows(self) -> int:
        """The largest number of rows that the tail may have."""
        height = self.console.height
        return max(1, min(height - TAIL_ROWS_KEPT, max(TAIL_ROWS_KEPT, height // TAIL_SHARE)))

    def rows(self, most: int) -> list[str]:
        """The last rows of the tail, at most `most`, for the input line to show."""
        most = min(most, self.tail_rows)
        return folded(self._painted, self.width)[-most:] if most > 0 else []

    def erase(self) -> None:
        """Erase the tail."""
        if self._painted:
            if self.beneath is not None:
                self.beneath.refresh()
            else:
                self._up(self._painted)
                self.console.file.flush()
            self._painted = []

    def _up(self, lines: Sequence[str]) -> None:
        """Move to the first of these painted lines, as the window wraps them now, and erase from there."""
        rows = sum(rows_of(cells(uncoloured(line)), self.width) for line in lines)
        self.console.file.write(f"\x1b[{rows}A\r\x1b[J" if rows else "")


def rows_of(size: int, width: int) -> int:
    """How many rows a line of `size` cells takes in a window of `width` cells."""
    return max(1, -(-size // max(1, width)))


def folded(lines: Sequence[str], width: int) -> list[str]:
    """Lines with colours as rows of at most `width` cells."""
    from wcwidth import wrap

    rows: list[str] = []
    for line in lines:
        if cells(uncoloured(line)) <= width:
            rows.append(line)
        else:
            rows += wrap(line, width, break_on_hyphens=False)
    return rows


def window_console() -> Console:
    """A console that writes to sys.stdout as it is at each moment: a prompt replaces it while it is on the screen.

    Its size is that of the window, which may change; COLUMNS and LINES of the environment are what they were when a
    shell or make started, so they count only where stdout does not know the size.
    """
    environment = dict(os.environ)
    if _stdout_has_a_width():
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
    return console_in(environment, markup=False, highlight=False, emoji=False, soft_wrap=False)


def _stdout_has_a_width() -> bool:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns > 0
    except (OSError, ValueError):
        return False
