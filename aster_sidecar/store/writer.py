"""Write transactions: on the event loop when that is quick, else in the writer's thread."""

# apsw's stubs refer to types that exist only where its C sources are installed.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from aster_sidecar.errors import StoreError
from aster_sidecar.store.batch import Batch
from aster_sidecar.store.events import INSERT_EVENT
from aster_sidecar.store.files import LOCK_WAIT_MS, translate
from aster_sidecar.store.sql import storable

log = logging.getLogger(__name__)

CHECKPOINT_PAGES = 1000
"""Pages of the write-ahead log from which on the next transaction in the thread also checkpoints it."""


class Writer:
    """The connection that writes. Its caller prevents two transactions at once."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._synchronous = ""
        self._log_pages = 0
        self._set_synchronous("FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.set_wal_hook(self._count_pages)  # after the pragma, which would remove the hook

    @property
    def checkpoint_due(self) -> bool:
        """Whether the write-ahead log is so long that the next transaction should run in the thread."""
        return self._log_pages >= CHECKPOINT_PAGES

    def write(self, batch: Batch, *, on_loop: bool) -> StoreError | None:
        """Write one transaction; returns why it failed. `on_loop`: fail at once when another program has the lock."""
        try:
            self._connection.set_busy_timeout(0 if on_loop else LOCK_WAIT_MS)
            self._set_synchronous("FULL" if batch.durable else "NORMAL")
            try:
                self._transact(batch, tuple)
            except (UnicodeError, TypeError, OverflowError):  # one value that SQLite refuses must not lose the batch
                self._transact(batch, storable)
        except apsw.Error as error:
            return translate(error, self._path)
        except Exception as error:
            log.error("a transaction failed inside the daemon", exc_info=error)
            return StoreError(f"the store cannot be written: {type(error).__name__}")
        return None

    def _transact(self, batch: Batch, bound: Callable[[Sequence[Any]], tuple[Any, ...]]) -> None:
        with self._connection:
            if batch.events:
                self._connection.executemany(
                    INSERT_EVENT,
                    [(e.seq, e.type, e.agent_id, e.session_id, e.turn_id, e.time, e.data) for e in batch.events],
                )
            for sql, parameters in batch.writes:
                self._connection.execute(sql, bound(parameters))

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the store's file, as far as no reader prevents it."""
        self._log_pages = 0
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            return  # nothing is lost: the log grows until a later checkpoint succeeds

    def _set_synchronous(self, level: str) -> None:
        if self._synchronous != level:
            self._connection.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level

    def _count_pages(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def close(self, *, checkpoint: bool) -> None:
        """Close the connection. Without `checkpoint` SQLite leaves the file with the write-ahead log's name."""
        if not checkpoint:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._connection.close()
