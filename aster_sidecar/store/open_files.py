"""Detect that a file of the store was deleted or replaced while it is open, and keep what had been recorded."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import apsw

from aster_sidecar.errors import StoreCorrupt
from aster_sidecar.store import files
from aster_sidecar.store.files import log_of
from aster_sidecar.store.high_water_mark import HighWaterMark

log = logging.getLogger(__name__)


class OpenFiles:
    """The store's file and its write-ahead log, as they were when the journal opened them."""

    def __init__(
        self, path: Path, writer: apsw.Connection, thread: ThreadPoolExecutor, mark_file: HighWaterMark
    ) -> None:
        """`thread` is the writer's thread, in which `writer` is used."""
        self._path = path
        self._writer = writer
        self._thread = thread
        self._mark_file = mark_file
        self._files = [(one, files.identity(one)) for one in (path, log_of(path))]
        self._saved: Path | None = None
        self._saving: Future[None] | None = None

    @property
    def saving(self) -> bool:
        """Whether a copy of the store is being made."""
        return self._saving is not None and not self._saving.done()

    def error(self) -> StoreCorrupt | None:
        """The error when a file was deleted or replaced, so that writes would be lost.

        Also copies all that has committed into a new file beside the store, once; not if the mark is gone as well,
        because then a user removed the store with all its files on purpose.
        """
        found = next(((path, found) for path, was in self._files if (found := files.identity(path)) != was), None)
        if found is None or sys.platform == "win32":  # Windows does not delete open files
            return None
        if self._saving is None and self._mark_file.there:
            self._saving = self._thread.submit(self._save)
        path, other = found
        kept = f"what had been recorded is kept in {self._saved}; " if self._saved is not None else ""
        back = f"restore {self._saved.name}" if self._saved is not None else "restore FILE"
        return StoreCorrupt(
            f"the store's file {path} was {'deleted or moved' if other is None else 'replaced'} while the daemon had it"
            " open: nothing is recorded any more",
            hint=f"{kept}if it was moved, put it back, and the daemon goes on; otherwise stop the daemon, then"
            f" {files.command(self._path, back)}, and start it again",
        )

    def _save(self) -> None:
        """Copy the store, whose file was deleted or replaced, into a new file. Runs in the writer's thread."""
        target = files.unused(self._path, files.SAVED)
        try:
            files.make_copy(self._writer, target)
        except (apsw.Error, OSError) as error:
            log.error("the store %s is gone, and could not be copied: %s", self._path, error)
            return
        self._saved = target
        log.error("the store %s was deleted or replaced while it was open; its copy: %s", self._path, target)
