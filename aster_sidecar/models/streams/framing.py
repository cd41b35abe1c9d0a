"""Cuts a provider's bytes into server-sent events, and recognises a response that is not an event stream."""

from __future__ import annotations

import re
from typing import Literal

from aster_sidecar.models.streams.events import Malformed, NoStream

MOST_BYTES = 32 << 20
"""Longest event, and longest answer that is not a stream."""
MOST_FIRST_BYTES = 64 << 10
"""How much is read of a response that is neither events nor JSON."""
BOM = b"\xef\xbb\xbf"
BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)+")
KNOWN_FIELD = re.compile(rb"\s*(data|event|id|retry)?\s*:")


class Framing:
    """The bytes that arrived and are not cut into events yet."""

    def __init__(self) -> None:
        self.form: Literal["events", "json", "unknown"] | None = None
        """What the response is; None until enough bytes have arrived."""
        self._buffer = b""
        self._more: list[bytes] = []
        """Pieces behind the buffer that contain no line end."""
        self._more_bytes = 0
        self._looked = 0
        """The buffer has no end of an event before this position."""

    @property
    def is_no_stream(self) -> bool:
        """Whether the response is JSON or something else instead of an event stream."""
        return self.form in ("json", "unknown")

    def add(self, data: bytes) -> bool:
        """Add bytes that arrived. Returns whether `form` is known. Raises: Malformed, NoStream: too many bytes."""
        if self.form is not None and b"\n" not in data and b"\r" not in data:
            self._more.append(data)
            self._more_bytes += len(data)
        else:
            self.joined(data)
        if self.form is None and not self._recognise():
            return False
        if len(self._buffer) + self._more_bytes > (MOST_FIRST_BYTES if self.form == "unknown" else MOST_BYTES):
            if self.form == "unknown":
                raise NoStream(self.joined())
            raise Malformed(f"an event of more than {MOST_BYTES >> 20} MiB")
        return True

    def frames(self) -> list[bytes]:
        """Remove the complete events from the buffer; each with the blank line behind it."""
        if self._more:
            return []
        frames, at, look = list[bytes](), 0, max(0, self._looked - 3)
        if b"\r" not in self._buffer:
            if self._buffer.find(b"\n\n", look) >= 0:
                *frames, self._buffer = self._buffer.split(b"\n\n")
            self._looked = len(self._buffer)
            return [frame + b"\n\n" for frame in frames]
        for blank in BLANK_LINE.finditer(self._buffer, look):
            frames.append(self._buffer[at : blank.end()])
            at = blank.end()
        self._buffer = self._buffer[at:]
        self._looked = len(self._buffer)
        return frames

    def joined(self, data: bytes = b"") -> bytes:
        """All bytes in the buffer, with `data` appended."""
        if self._more or data:
            self._buffer = b"".join((self._buffer, *self._more, data))
            self._more.clear()
            self._more_bytes = 0
        return self._buffer

    def rest(self) -> bytes:
        """Remove and return all bytes: the provider closed the stream. `form` is known afterwards."""
        if self.form is None:
            self._recognise(last=True)
        rest, self._buffer = self.joined(), b""
        return rest

    def _recognise(self, *, last: bool = False) -> bool:
        """Set `form`. Returns whether there were enough bytes; `last`: no more will come."""
        if not BOM.startswith(self._buffer[:3]):
            self._buffer = self._buffer.lstrip()
        start = self._buffer.removeprefix(BOM).lstrip()
        if not last and (len(start) < 8 or BOM.startswith(self._buffer)):
            return False
        self._buffer = self._buffer.removeprefix(BOM)
        if start[:1] in (b"{", b"["):
            self.form = "json"
        elif KNOWN_FIELD.match(start):
            self.form = "events"
        else:
            self.form = "unknown"
        return True
