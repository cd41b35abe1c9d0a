"""A number beside the store that says how far it must reach, and whether a daemon has it open.

SQLite reads a damaged write-ahead log up to the first damage and leaves out the rest without a word, and begins an
empty store where one is missing. The file stays after a stop: it goes with the store wherever that is moved.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

SUFFIX = "-mark"


@dataclass(frozen=True, slots=True)
class Mark:
    """`seq`: what the store must hold. `open`: a daemon has it open, or was killed."""

    seq: int
    open: bool


class Witness:
    """The mark of one store. It is written behind each commit that the disk has, so it never says too much."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + SUFFIX)
        self._file: int | None = None
        self._seq = 0

    def read(self) -> Mark | None:
        """What the mark says; None when nothing is known. Raises nothing."""
        try:
            told = self.path.read_bytes()[:40]
            return Mark(int(told[:20]), told[20:].strip() != b"closed")
        except (OSError, ValueError):
            return None

    def open(self, seq: int) -> None:
        """Begin to keep the mark. Raises: OSError."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        self.note(seq)

    def note(self, seq: int) -> None:
        """The disk has all up to here. Not synchronised itself: what it guards against is not a power cut."""
        self._seq = seq
        self._write(b"open")

    def _write(self, state: bytes) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # an old mark only asks for less
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, b"%020d %-6s\n" % (self._seq, state))

    @property
    def there(self) -> bool:
        """Whether the file that is kept still has its name."""
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self.path))
        except OSError:
            return False

    def close(self, *, well: bool = True) -> None:
        """Let go of the mark. `well`: the store was closed, and has all of it without a log."""
        if self._file is not None:
            if well:
                self._write(b"closed")
            os.close(self._file)
            self._file = None

    def leave(self, seq: int) -> None:
        """Write the mark of a store that nobody has open. Raises: OSError."""
        self.open(seq)
        self.close()
