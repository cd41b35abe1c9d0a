"""The output of a service: cut into lines, without secrets, the newest lines kept in memory, all in rotating files.

Lines wait in a queue that is bounded in lines and bytes. When a service writes faster than lines are stored, the oldest
waiting ones are dropped and counted; the service is also read more slowly, so that a flood costs little.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.telemetry.log_file import LogFile
from aster_sidecar.telemetry.redaction import Redactor

LINE_BYTES = 8 * 1024
"""The length at which a line is cut."""
OVERLAP_BYTES = 4 * 1024
"""How much is read beyond the cut and dropped, so that a secret across the cut is recognized."""
TAKEN_BYTES = LINE_BYTES + OVERLAP_BYTES
CUT = " … [cut]"
KEPT_LINES = 400
WAITING_LINES = 2048
WAITING_BYTES = 4 * 1024 * 1024
READ_BYTES = 256 * 1024
BATCH_LINES = 256
BATCH_BYTES = 256 * 1024
BATCH_PAUSE_S = 0.05
FLOOD_PAUSE_S = 0.005
FLOOD_SHARE = 10
"""For each second of work on a flood, this many seconds are waited."""
FILE_BYTES = 2 * 1024 * 1024
KEPT_FILES = 3

Stream = Literal["stdout", "stderr"]
Waiting = tuple[int, str, Stream, bytes]
"""A line: seq, time, stream and bytes."""


class Lines:
    """Cuts a stream into lines in bounded memory: of a line that never ends, only the beginning is kept."""

    def __init__(self) -> None:
        self._part = bytearray()
        self._over = False

    def feed(self, chunk: bytes) -> tuple[list[bytes], int]:
        """The newest lines that `chunk` completes, at most `WAITING_LINES` + 1, and how many before them are dropped.

        A line longer than `TAKEN_BYTES` is complete at that length; the rest of it is skipped.
        """
        lines: list[bytes] = []
        left_out = 0
        *whole, rest = chunk.rsplit(b"\n", WAITING_LINES)
        if whole:
            first, *others = whole
            if b"\n" in first:
                left_out = first.count(b"\n") - self._over
                first = first[first.rfind(b"\n") + 1 :]
                self._part.clear()
                self._over = False
            self._take(first, lines)
            lines += self.finish()
            lines += [line[:TAKEN_BYTES] for line in others]
        self._take(rest, lines)
        return lines, left_out

    def _take(self, piece: bytes, lines: list[bytes]) -> None:
        if self._over:
            return
        self._part += piece[: TAKEN_BYTES - len(self._part)]
        if len(self._part) >= TAKEN_BYTES:
            lines.append(bytes(self._part))
            self._part.clear()
            self._over = True

    def finish(self) -> list[bytes]:
        """The line that ends here, unless it was returned already."""
        lines = [] if self._over else [bytes(self._part)]
        self._part.clear()
        self._over = False
        return lines

    def end(self) -> list[bytes]:
        """The text after the last line end, if there is any."""
        return [line for line in self.finish() if line]


def text_of(line: bytes, redactor: Redactor) -> str:
    """A line as it is shown: valid UTF-8, without secrets, cut at `LINE_BYTES`."""
    text = redactor.clean(line.removesuffix(b"\r").decode("utf-8", "replace"))
    encoded = text.encode()
    most = LINE_BYTES
    if len(line) >= TAKEN_BYTES:  # the line goes on: the end of the overlap may be half a secret
        most = min(most, len(encoded) - OVERLAP_BYTES)
    if len(encoded) <= most:
        return text
    return encoded[:most].decode("utf-8", "ignore") + CUT


class ServiceLog:
    """One service's lines."""

    def __init__(self, redactor: Redactor, path: Path | None) -> None:
        """`path` is the log file; None: no file is written."""
        self._redactor = redactor
        self._file = LogFile(path, FILE_BYTES, KEPT_FILES) if path is not None else None
        self._entries: deque[wire.ServiceLogEntry] = deque(maxlen=KEPT_LINES)
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._seq = 0
        self._dropped = 0
        self._storing: asyncio.Task[None] | None = None

    async def pump(
        self, reader: asyncio.StreamReader, stream: Stream, read: Callable[[bytes], None] | None = None
    ) -> None:
        """Read a stream of the service until its end; `read` is called with everything that is read."""
        lines = Lines()
        try:
            while chunk := await reader.read(READ_BYTES):
                if read is not None:
                    read(chunk)
                began = time.perf_counter()
                self.add(stream, *lines.feed(chunk))
                if len(chunk) >= READ_BYTES // 8:
                    await asyncio.sleep(max(FLOOD_PAUSE_S, FLOOD_SHARE * (time.perf_counter() - began)))
        finally:
            self.add(stream, lines.end())

    def add(self, stream: Stream, lines: list[bytes], left_out: int = 0) -> None:
        """Add lines, oldest first; `left_out` lines before them were dropped."""
        now = clock.stamp()
        self._seq += left_out
        self._dropped += left_out
        for line in lines:
            self._seq += 1
            self._waiting.append((self._seq, now, stream, line))
            self._waiting_bytes += len(line)
        while len(self._waiting) > WAITING_LINES or self._waiting_bytes > WAITING_BYTES:
            self._waiting_bytes -= len(self._waiting.popleft()[3])
            self._dropped += 1
        if self._waiting and self._storing is None:
            self._storing = asyncio.get_running_loop().create_task(self._store())

    async def _store(self) -> None:
        while self._waiting:
            batch: list[Waiting] = []
            taken_bytes = 0
            while self._waiting and len(batch) < BATCH_LINES and taken_bytes < BATCH_BYTES:
                batch.append(self._waiting.popleft())
                taken_bytes += len(batch[-1][3])
            self._waiting_bytes -= taken_bytes
            self._entries.extend(await asyncio.to_thread(self._stored, batch))
            if len(self._waiting) > BATCH_LINES:
                await asyncio.sleep(BATCH_PAUSE_S)
        self._storing = None

    def _stored(self, batch: list[Waiting]) -> list[wire.ServiceLogEntry]:
        """The lines as they are shown; also writes them to the file. Runs in a thread, because a disk may be slow."""
        entries = [
            wire.ServiceLogEntry(seq=seq, time=moment, stream=stream, text=text_of(line, self._redactor))
            for seq, moment, stream, line in batch
        ]
        if self._file is not None:
            self._file.write_lines(b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries))
        return entries

    async def settled(self, within_s: float) -> None:
        """Wait until the lines so far are stored."""
        if self._storing is not None:
            await asyncio.wait({self._storing}, timeout=within_s)

    def page(self, after: int | None, limit: int) -> wire.ServiceLogs:
        """The first `limit` lines after the seq `after`, oldest first; without `after`, the newest `limit` lines.

        For a seq that is still to come (from an earlier run of the daemon), the page begins with the oldest line.
        """
        entries = list(self._entries)
        if after is None:
            entries = entries[-limit:]
        elif after <= self._seq:
            entries = [entry for entry in entries if entry.seq > after]
        return wire.ServiceLogs(
            entries=entries[:limit],
            dropped=self._dropped,
            path=str(self._file.path) if self._file is not None else None,
        )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
