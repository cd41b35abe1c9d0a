"""A message's markdown on the screen while the model writes it.

Finished blocks are printed once; the block that still grows is repainted in the screen's tail.
"""

from __future__ import annotations

from collections.abc import Sequence

from aster_sidecar.cli.chat.plain_text import plain, trimmed, uncoloured
from aster_sidecar.cli.chat.screen import WIDEST, Screen, rows_of
from aster_sidecar.cli.chat.wrapping import QUOTE_BAR, cells


def split(text: str) -> tuple[str, str]:
    """Markdown that still grows, as (finished blocks, the block that may still change)."""
    from markdown_it import MarkdownIt

    blocks = [
        token.map
        for token in MarkdownIt().enable("table").parse(text)
        if token.level == 0 and token.map is not None and token.nesting >= 0
    ]
    if len(blocks) < 2:
        return "", text
    lines = text.split("\n")
    begins = blocks[-1][0]
    return "\n".join(lines[:begins]), "\n".join(lines[begins:])


class Prose:
    """The text or, with `thinking`, the reasoning of one message."""

    def __init__(self, screen: Screen, *, thinking: bool = False) -> None:
        self._screen = screen
        self._thinking = thinking
        self._text: list[str] = []
        """The whole message, one character an entry."""
        self._finished = 0
        """Characters of `_text` whose blocks are printed."""
        self._width = 0
        """The width at which the next two were counted; 0 at the beginning of a block."""
        self._lines_printed = 0
        """Lines of the open block that are printed."""
        self._begun = 0
        """Of the line after those, the ink that is printed (see `_ink`)."""
        self._ink_printed = 0
        """Ink of the open block that is printed: this position is the same at any width."""
        self._has_blocks = False

    def chunk(self, offset: int, delta: str) -> None:
        """Take over `delta`, which begins at character `offset` of the message; the same chunk may come twice."""
        self._text[offset : offset + len(delta)] = delta

    @property
    def text(self) -> str:
        """The message so far, as the model wrote it."""
        return "".join(self._text)

    def paint(self) -> None:
        """Print the blocks that are finished and repaint the one that is not."""
        raw = "".join(self._text[self._finished :])
        finished, _ = split(raw)
        if finished.strip():
            self._finish(raw[: len(finished) + 1])
        block = plain("".join(self._text[self._finished :]))
        if not block.strip() or not self._screen.capable:
            return
        gap = self._gap()
        lines = self._unprinted(block)
        # A table's columns may still change their widths.
        upto = 0 if block.lstrip().startswith("|") else self._overflow(lines)
        if upto:
            # What has scrolled up can't be repainted; these lines no longer change.
            self._screen.write([*gap, *lines[:upto]])
            self._lines_printed += upto
            self._begun = 0
            self._ink_printed += sum(map(_ink, lines[:upto]))
            gap, lines = [], lines[upto:]
        self._screen.tail([*gap, *lines])

    def close(self) -> None:
        """Print the rest: something else comes next, or the turn is over."""
        raw = "".join(self._text[self._finished :])
        if raw.strip():
            self._finish(raw)
            if self._thinking:
                self._screen.write([""])
        self._screen.erase()

    def _finish(self, raw: str) -> None:
        """Print all of the open block, which is `raw`, and begin the next one."""
        text = plain(raw)
        if text.strip():
            gap = self._gap()
            self._screen.write([*gap, *self._unprinted(text.strip("\n"))])
            self._has_blocks = True
        self._finished += len(raw)
        self._lines_printed = self._begun = self._ink_printed = self._width = 0

    def _gap(self) -> list[str]:
        """The empty line before a block; none before the first, nor in the middle of one."""
        return [""] if self._has_blocks and not (self._lines_printed or self._begun) else []

    def _unprinted(self, block: str) -> list[str]:
        """The lines of the open block that are not printed yet, at the width of the window."""
        width = min(self._screen.width, WIDEST)
        lines = self._rendered(block, width)
        if width != self._width:
            if self._ink_printed:
                self._lines_printed, self._begun = position(lines, self._ink_printed)
            self._width = width
        lines = lines[self._lines_printed :]
        if self._begun and lines:
            lines[0] = self._rest(lines[0])
        return lines

    def _rendered(self, block: str, width: int) -> list[str]:
        from rich.text import Text

        from aster_sidecar.cli.chat.markdown import TerminalMarkdown

        if self._thinking:
            return trimmed(self._screen.prose(Text(block.strip("\n"), style="dim italic"), width))
        return trimmed(self._screen.render(TerminalMarkdown(block), width))

    def _rest(self, line: str) -> str:
        """A line without the ink that is printed, at the same indentation."""
        from rich.text import Text

        text = Text.from_ansi(line)
        at = begun = 0
        while begun < self._begun and at < len(text):
            begun += _ink(text.plain[at])
            at += 1
        rest = text[at:]
        indent = len(text.plain) - len(text.plain.lstrip(" "))
        return self._screen.render(Text.assemble(" " * indent, rest[len(rest) - len(rest.plain.lstrip(" ")) :]))[0]

    def _overflow(self, lines: Sequence[str]) -> int:
        """How many lines to print because the tail has no room for them; never the last one, which still grows."""
        sizes = [rows_of(cells(uncoloured(line)), self._screen.width) for line in lines]
        rows, most = sum(sizes), self._screen.tail_rows
        if rows <= most:
            return 0
        upto = 0
        while rows > most // 2 and upto < len(lines) - 1:
            rows -= sizes[upto]
            upto += 1
        return upto


def _ink(line: str) -> int:
    """How many characters of a line are neither space nor the bar of a quote."""
    return sum(not char.isspace() and char != QUOTE_BAR for char in uncoloured(line))


def position(lines: Sequence[str], ink: int) -> tuple[int, int]:
    """The place after so much ink, as (whole lines before it, ink before it in the line after those)."""
    for number, line in enumerate(lines):
        here = _ink(line)
        if ink < here or (ink == 0 and here):
            return number, ink
        ink -= here
    return len(lines), 0
