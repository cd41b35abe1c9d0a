"""The lines of a text file one after the other, each from any column on; only what is asked for is held."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper

from aster_sidecar.tools.encodings import Encoding, replaced

PIECE_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a line: its `text` without the line's end, and how many characters come after it (`rest`).

    `length` counts all its characters. `whole` is False where reading stopped before the line's end: then the two
    numbers are what was seen of it.
    """

    text: str
    rest: int
    length: int
    whole: bool


class Lines:
    """Reads the lines of `file`, at most about `budget_bytes` of it, until `stop` is set."""

    def __init__(self, file: BufferedReader, encoding: Encoding, budget_bytes: int, stop: threading.Event) -> None:
        self._file = file
        self._budget_bytes = budget_bytes
        self._stop = stop
        file.seek(encoding.mark_bytes)
        self._text = TextIOWrapper(file, encoding=encoding.codec, errors=encoding.errors, newline=encoding.line_end)
        self._end = encoding.line_end
        self.invalid = 0
        """How many places of the text that was returned are not in the encoding."""

    def next(self, skip: int, keep: int) -> Line | None:
        """The next line: `skip` characters are passed over, `keep` returned at most. None when there is none left."""
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
        """Whether anything comes after the last line returned; it is lost for `next`."""
        return self._text.read(1) != ""

    def close(self) -> None:
        """Let go of the file, which stays open."""
        self._text.detach()

    def _within(self) -> bool:
        return self._file.tell() < self._budget_bytes and not self._stop.is_set()
