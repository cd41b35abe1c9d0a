"""The high-water mark: the newest seq that is on disk and whether a daemon has the store open, in a file beside it.

It reveals lost data: SQLite reads a damaged write-ahead log up to the first damage and drops the rest without an error,
and creates an empty store where one is missing. The file stays after a stop and must be moved together with the store.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

SUFFIX = "-mark"


@dataclass(frozen=True, slots=True)
class Mark:
    """`seq`: the newest seq that the store must contain. `open`: a daemon has the store open, or was killed."""

    seq: int
    open: bool


class HighWaterMark:
    """The mark of one store. It is written after each durable commit, so it is never ahead of the store."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + SUFFIX)
        self._file: int | None = None
        self._seq = 0

    def read(self) -> Mark | None:
        """The mark on disk; None if it is missing or unreadable. Never raises."""
        try:
            content = self.path.read_bytes()[:40]
            return Mark(int(content[:20]), content[20:].strip() != b"closed")
        except (OSError, ValueError):
            return None

    def open(self, seq: int) -> None:
        """Open the file and write `seq`, marked as open. Raises: OSError."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        self.note(seq)

    def note(self, seq: int) -> None:
        """Write that everything up to `seq` is on disk. No fsync: the mark does not guard against a power cut."""
        self._seq = seq
        self._write(b"open")

    def _write(self, state: bytes) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # a mark that is behind only makes the check weaker
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, b"%020d %-6s\n" % (self._seq, state))

    @property
    def there(self) -> bool:
        """Whether the open file still exists under its name."""
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self.path))
        except OSError:
            return False

    def close(self, *, well: bool = True) -> None:
        """Close the file. `well`: the store was closed cleanly and is complete without a write-ahead log."""
        if self._file is not None:
            if well:
                self._write(b"closed")
            os.close(self._file)
            self._file = None

    def leave(self, seq: int) -> None:
        """Write the mark of a store that no process has open. Raises: OSError."""
        self.open(seq)
        self.close()
