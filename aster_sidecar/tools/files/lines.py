"""Reads the lines of a text file one by one, each from any column on, and keeps only what is asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper

from aster_sidecar.tools.encodings import Encoding, replaced

PIECE_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a line: its `text` without the line end, and how many characters of the line follow (`rest`).

    `length` is the length of the line. `whole` is False when reading stopped before the line end; then both numbers
    count only what was read.
    """

    text: str
    rest: int
    length: int
    whole: bool


class Lines:
    """The lines of `file`, of which about `budget_bytes` are read at most, until `stop` is set."""

    def __init__(self, file: BufferedReader, encoding: Encoding, budget_bytes: int, stop: threading.Event) -> None:
        self._file = file
        self._budget_bytes = budget_bytes
        self._stop = stop
        file.seek(encoding.mark_bytes)
        self._text = TextIOWrapper(file, encoding=encoding.codec, errors=encoding.errors, newline=encoding.line_end)
        self._end = encoding.line_end
        self.invalid = 0
        """How many places of the returned text are invalid in the encoding."""

    def next(self, skip: int, keep: int) -> Line | None:
        """The next line: at most `keep` characters of it, after the first `skip`. None when no line is left."""
        kept: list[str] = []
        length, last, ended = 0, "", False
        while not ended and self._within() and (piece := self._text.readline(PIECE_CHARS)):
            ended = piece.endswith(self._end)
            piece = piece.removesuffix(self._end)
            kept.append(piece[max(0, skip - length) : max(0, skip + keep - length)])
            length += len(piece)
            last = piece[-1:] or last
        if not length and not ended:
            return None
        text = "".join(kept)
        if ended and last == "\r":
            length -= 1
            text = text[: max(0, length - skip)]
        text, invalid = replaced(text)
        self.invalid += invalid
        return Line(text, max(0, length - skip - len(text)), length, ended or self._within())

    def more(self) -> bool:
        """Whether text follows the last returned line. Don't call `next` after this: a character is consumed."""
        return self._text.read(1) != ""

    def close(self) -> None:
        """Detach from the file, which stays open."""
        self._text.detach()

    def _within(self) -> bool:
        return self._file.tell() < self._budget_bytes and not self._stop.is_set()
