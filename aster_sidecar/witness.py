"""A number beside the store that says how far it must reach: what a damaged write-ahead log lost is missed by it.

SQLite reads such a log up to the first damage and leaves out the rest without a word. The file is there while a daemon
has the store open, so after a stop only one that was killed has left it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SUFFIX = "-mark"


class Witness:
    """The mark of one store. It is written behind each commit that the disk has, so it never says too much."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + SUFFIX)
        self._file: int | None = None

    def read(self) -> int | None:
        """The seq that the store must hold; None when nothing is known. Raises nothing."""
        try:
            return int(self.path.read_bytes()[:20])
        except (OSError, ValueError):
            return None

    def open(self, seq: int) -> None:
        """Begin to keep the mark. Raises: OSError."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        self.note(seq)

    def note(self, seq: int) -> None:
        """The disk has all up to here. Not synchronised itself: what it guards against is not a power cut."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # an old mark only asks for less
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, b"%020d\n" % seq)

    def close(self, *, keep: bool = False) -> None:
        """Let go of the mark; of a store that was closed well nothing needs to be known."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            if not keep:
                self.path.unlink(missing_ok=True)
