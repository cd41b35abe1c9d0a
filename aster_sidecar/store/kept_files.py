"""Contents of files that tools and commands changed, and what was last seen in each folder: `ledger.db`.

It is a database of its own, because it is not critical: the conversations don't need it. When it is lost, changes that
were made before can't be undone any more, and the next look at a folder reads every file again. A database that is
damaged, or that another version wrote, is therefore moved aside, and a new one is begun.
"""

# apsw's stubs refer to types that exist only where its C sources are installed.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import threading
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import apsw

from aster_sidecar import clock
from aster_sidecar.errors import StoreError
from aster_sidecar.store.files import LOCK_WAIT_MS, is_full
from aster_sidecar.text.safe_text import sized

log = logging.getLogger(__name__)

T = TypeVar("T")

NAME = "ledger.db"
ASIDE = ".damaged"
"""What the name of a database that was moved aside ends with. There is at most one: it may be as large as a GiB."""
SCHEMA = 1
MOST_BYTES = 1 << 30
MOST_DAYS = 30.0
DAY_S = 24 * 3600.0
IN_USE_S = DAY_S
"""How long after its last use a folder's newest index protects its contents from `trim`."""
COARSE_S = 3600.0
"""Times of use are recorded again only when they are older than this."""
BATCH_BYTES = 32 << 20
"""About how much is deleted in one transaction. Other threads can work between two."""
VACUUM_PAGES = 4096
LOG_BYTES = 4 << 20
"""The size to which SQLite cuts the write-ahead log after a larger transaction."""
ROW_BYTES = 150
"""About how much a content takes besides its bytes."""
MIN_PACKED = 64
"""Contents shorter than this are not compressed: it would save nothing."""

TABLES = """
CREATE TABLE clock (
    -- Seconds that count for the times of use, and when they were counted: see `KeptFiles._count`.
    seconds REAL NOT NULL,
    counted_at TEXT NOT NULL,
    counted_s REAL NOT NULL,
    boot TEXT
) STRICT;
CREATE TABLE contents (
    content_id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    used_s REAL NOT NULL
) STRICT;
CREATE INDEX contents_by_use ON contents (used_s);
-- Apart from `contents`, so that a new time of use does not write the content again.
CREATE TABLE blobs (
    content_id INTEGER PRIMARY KEY REFERENCES contents ON DELETE CASCADE,
    packed INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE folders (
    folder_id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    used_s REAL NOT NULL
) STRICT;
CREATE TABLE entries (
    folder_id INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
    path BLOB NOT NULL,
    type TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    sha256 BLOB,
    why_not_kept TEXT,
    PRIMARY KEY (folder_id, path)
) STRICT, WITHOUT ROWID;
"""


class IndexRow(NamedTuple):
    """What was last seen at a path. `path` is relative to the folder, in bytes as the system names it.

    `mtime_ns`, `ctime_ns`, `inode`: as in `os.stat_result`, within 64 bits. `sha256`: hexadecimal, of the kept content.
    `why_not_kept`: a reason, for people, when the content is not kept.
    """

    path: bytes
    type: Literal["file", "link", "directory"]
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int
    sha256: str | None
    why_not_kept: str | None


class KeptFiles:
    """The database. Its methods block; each can be called in any thread, and one runs at a time.

    All but `close` raise StoreError, in words for people, when the disk is full or the database can't be used.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / NAME
        self.notice: str | None = None
        """Why earlier changes can't be undone any more, as a sentence; None while nothing was lost."""
        self.trimmed = 0
        """Grows when contents were deleted, so that an index which was read before may name some that are gone."""
        self._connection: apsw.Connection | None = None
        self._lock = threading.RLock()
        self._base: tuple[float, float] = (0.0, 0.0)
        """The counted seconds at a moment, and that moment on `clock.real_s`."""

    # -- opening -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the database, or create it."""
        with self._lock:
            if self._connection is None:
                self._run(lambda connection: None)

    def close(self) -> None:
        """Close the database. Never raises."""
        with self._lock, contextlib.suppress(apsw.Error):
            if self._connection is not None:
                with contextlib.suppress(apsw.Error):
                    self._count(self._connection)
                connection, self._connection = self._connection, None
                connection.close()

    def _opened(self) -> apsw.Connection:
        """The connection. Raises: apsw.Error, OSError, _Unusable."""
        if self._connection is not None:
            return self._connection
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        connection = apsw.Connection(str(self.path))
        try:
            connection.set_busy_timeout(LOCK_WAIT_MS)
            version = _rows(connection, "PRAGMA user_version")[0][0]
            tables = _rows(connection, "SELECT count(*) FROM sqlite_schema")[0][0]
            if version != SCHEMA and (version or tables):
                raise _Unusable(f"it has schema {version}, this version uses {SCHEMA}")
            if not version:
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # only before the first table
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
            if not version:
                with _transaction(connection):
                    connection.execute(TABLES)
                    connection.execute(f"PRAGMA user_version={SCHEMA}")
                    now = (0.0, clock.stamp(), clock.real_s(), clock.boot())
                    connection.execute("INSERT INTO clock VALUES (?, ?, ?, ?)", now)
            self._base = (0.0, clock.real_s())
            self._count(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _run(self, do: Callable[[apsw.Connection], T]) -> T:
        """Call `do` with the connection, in a new database if the present one is damaged. Raises: StoreError."""
        with self._lock, self._translated():
            try:
                return do(self._opened())
            except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, _Unusable) as error:
                self._begin_anew(str(error))
                return do(self._opened())

    def _begin_anew(self, why: str) -> None:
        """Move the database aside. Raises: OSError."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                connection.close()
        aside = self.path.with_name(self.path.name + ASIDE)
        for end in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self.path}{end}", f"{aside}{end}")
        self.trimmed += 1
        self.notice = (
            f"changes to files that were made before now can't be undone: {self.path} could not be used ({why}) and was"
            f" moved to {aside.name}"
        )
        log.warning("a new %s was begun, the one before is %s: %s", self.path, aside, why)

    @contextlib.contextmanager
    def _translated(self) -> Generator[None, None, None]:
        try:
            yield
        except (apsw.Error, OSError) as error:
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            if full or is_full(error, self.path):
                text, hint = "the disk is full: the contents of files were not kept", "free some space on the disk"
            elif isinstance(error, apsw.BusyError | apsw.LockedError):
                text, hint = f"{self.path} is locked by another program", "close the program that has it open"
            else:
                text = f"{self.path} cannot be used: {getattr(error, 'strerror', None) or error}"
                hint = f"check that this user may write {self.path.name} and its directory"
            raise StoreError(text, hint=hint) from error

    # -- times of use ------------------------------------------------------------------------------------------------

    def _count(self, connection: apsw.Connection) -> None:
        """Record the counted seconds.

        Times of use are on a clock of the database, which never goes back: `clock.seconds_since` adds up. A wall clock
        that was set can shorten the life of contents by `GAP_MOST_S` at most, and only across a restart.
        """
        try:
            seconds, counted_at, counted_s, boot = _rows(connection, "SELECT * FROM clock")[0]
            seconds += clock.seconds_since(counted_at, counted_s, boot)
        except (IndexError, ValueError, apsw.SQLError) as error:
            raise _Unusable("its clock is damaged") from error
        self._base = (seconds, clock.real_s())
        connection.execute(
            "UPDATE clock SET seconds=?, counted_at=?, counted_s=?, boot=?",
            (seconds, clock.stamp(), self._base[1], clock.boot()),
        )

    def _now(self) -> float:
        """The counted seconds."""
        return self._base[0] + clock.real_s() - self._base[1]

    # -- contents ----------------------------------------------------------------------------------------------------

    def keep(self, data: bytes) -> str:
        """Keep a content; returns its SHA-256 in hexadecimal."""
        return self.keep_all([data])[0]

    def keep_all(self, contents: Iterable[bytes]) -> list[str]:
        """Keep contents in one transaction; returns their SHA-256 in hexadecimal, in the same order."""
        given = [(hashlib.sha256(content).hexdigest(), content) for content in contents]
        self.keep_hashed(dict(given))
        return [sha256 for sha256, _ in given]

    def keep_hashed(self, contents: Mapping[str, bytes]) -> None:
        """Keep contents in one transaction. Their keys are their SHA-256 in hexadecimal, which the caller computed."""
        given = [(bytes.fromhex(sha256), content) for sha256, content in contents.items()]
        if given:
            missing = self._run(lambda connection: {key for key, _ in given if _id_of(connection, key) is None})
            ready = {key: _packed(content) for key, content in given if key in missing}  # without the lock
            self._run(lambda connection: self._insert(connection, given, ready))

    def _insert(
        self, connection: apsw.Connection, given: list[tuple[bytes, bytes]], ready: dict[bytes, tuple[int, bytes]]
    ) -> None:
        with _transaction(connection):
            for key, content in given:
                if not self._use(connection, key):
                    packed, data = ready.get(key) or _packed(content)
                    row = (key, len(content), len(data) + ROW_BYTES, self._now())
                    connection.execute("INSERT INTO contents (sha256, size, stored, used_s) VALUES (?, ?, ?, ?)", row)
                    blob = (connection.last_insert_rowid(), packed, data)
                    connection.execute("INSERT INTO blobs (content_id, packed, data) VALUES (?, ?, ?)", blob)

    def _use(self, connection: apsw.Connection, key: bytes) -> bool:
        """Record that a content was used; whether it is there."""
        found = _rows(connection, "SELECT content_id, used_s FROM contents WHERE sha256=?", (key,))
        for content_id, used_s in found:
            if self._now() - used_s > COARSE_S:
                connection.execute("UPDATE contents SET used_s=? WHERE content_id=?", (self._now(), content_id))
        return bool(found)

    def use(self, hashes: Iterable[str]) -> None:
        """Record that contents are needed now, so that `trim` deletes others first. Those that are gone are skipped."""
        keys = [bytes.fromhex(sha256) for sha256 in hashes]

        def do(connection: apsw.Connection) -> None:
            with _transaction(connection):
                for key in keys:
                    self._use(connection, key)

        if keys:
            self._run(do)

    def has(self, sha256: str) -> bool:
        """Whether a content is kept."""
        return self._run(lambda connection: _id_of(connection, bytes.fromhex(sha256))) is not None

    def read(self, sha256: str) -> bytes:
        """A content. Raises: StoreError, also when it is gone or damaged."""
        key = bytes.fromhex(sha256)

        def do(connection: apsw.Connection) -> bytes | None:
            found = _rows(
                connection,
                "SELECT content_id, packed, data FROM contents JOIN blobs USING (content_id) WHERE sha256=?",
                (key,),
            )
            for content_id, packed, data in found:
                with contextlib.suppress(zlib.error):
                    content = zlib.decompress(data) if packed else data
                    if hashlib.sha256(content).digest() == key:
                        return content
                # Without the row, the same content can be kept anew.
                connection.execute("DELETE FROM contents WHERE content_id=?", (content_id,))
                connection.execute("DELETE FROM entries WHERE sha256=?", (key,))
                self.trimmed += 1
            return None

        content = self._run(do)
        if content is None:
            raise StoreError(
                "the earlier content is not kept any more",
                hint=f"contents are kept for {MOST_DAYS:.0f} days, {sized(MOST_BYTES)} at most; the oldest go first",
            )
        return content

    # -- what was last seen in a folder ------------------------------------------------------------------------------

    def index(self, folder: bytes) -> list[IndexRow]:
        """What was last seen in a folder, given by its path; empty for an unknown one."""

        def do(connection: apsw.Connection) -> list[IndexRow]:
            found = _rows(
                connection,
                "SELECT e.path, type, size, mtime_ns, ctime_ns, inode, mode, sha256, why_not_kept"
                " FROM entries AS e JOIN folders USING (folder_id) WHERE folders.path=?",
                (folder,),
            )
            return [IndexRow._make((*row[:7], None if row[7] is None else row[7].hex(), row[8])) for row in found]

        return self._run(do)

    def record(self, folder: bytes, rows: Sequence[IndexRow], gone: Sequence[bytes] = ()) -> None:
        """Record what was seen in a folder, all or nothing: new or changed `rows`, and the paths that are `gone`.

        Also without either, it records that the folder is in use.
        """

        def do(connection: apsw.Connection) -> None:
            with _transaction(connection):
                folder_id = self._use_folder(connection, folder)
                connection.executemany(
                    "DELETE FROM entries WHERE folder_id=? AND path=?", ((folder_id, path) for path in gone)
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        (folder_id, *row[:7], None if row.sha256 is None else bytes.fromhex(row.sha256), row[8])
                        for row in rows
                    ),
                )

        self._run(do)

    def _use_folder(self, connection: apsw.Connection, folder: bytes) -> int:
        for folder_id, used_s in _rows(connection, "SELECT folder_id, used_s FROM folders WHERE path=?", (folder,)):
            if self._now() - used_s > COARSE_S:
                connection.execute("UPDATE folders SET used_s=? WHERE folder_id=?", (self._now(), folder_id))
            return folder_id
        connection.execute("INSERT INTO folders (path, used_s) VALUES (?, ?)", (folder, self._now()))
        return connection.last_insert_rowid()

    # -- deleting ----------------------------------------------------------------------------------------------------

    def trim(self, most_bytes: int = MOST_BYTES, most_days: float = MOST_DAYS) -> None:
        """Delete contents that were not used for `most_days`, and the oldest beyond `most_bytes`; return their space.

        Contents of a folder's newest index stay while the folder is in use (`IN_USE_S`), unless the limit in bytes
        can't be reached otherwise.
        """
        oldest_s = self._run(self._counted) - most_days * DAY_S
        self._run(lambda connection: _rows(connection, "DELETE FROM folders WHERE used_s < ?", (oldest_s,)))
        while self._run(lambda connection: self._delete_some(connection, most_bytes, oldest_s)):
            self.trimmed += 1
        while self._run(_vacuum_some):
            pass
        self._run(lambda connection: _rows(connection, "PRAGMA wal_checkpoint(TRUNCATE)"))

    def _counted(self, connection: apsw.Connection) -> float:
        self._count(connection)
        return self._now()

    def _delete_some(self, connection: apsw.Connection, most_bytes: int, oldest_s: float) -> bool:
        """Delete some contents in one transaction; whether there were any to delete."""
        in_use = (
            "SELECT sha256 FROM entries JOIN folders USING (folder_id) WHERE folders.used_s > ? AND sha256 IS NOT NULL"
        )
        with _transaction(connection):
            (total,) = _rows(connection, "SELECT coalesce(sum(stored), 0) FROM contents")[0]
            victims: list[tuple[int, bytes]] = []
            size = 0
            for protected in ("NOT IN", "IN"):
                found: Any = connection.execute(
                    "SELECT content_id, sha256, stored, used_s FROM contents"
                    f" WHERE sha256 {protected} ({in_use}) ORDER BY used_s",
                    (self._now() - IN_USE_S,),
                )
                for content_id, key, stored, used_s in found:
                    over = total - size > most_bytes
                    if size > BATCH_BYTES or not (over or (protected == "NOT IN" and used_s < oldest_s)):
                        break
                    victims.append((content_id, key))
                    size += stored
                found.close()
            connection.executemany("DELETE FROM contents WHERE content_id=?", ((one,) for one, _ in victims))
            connection.execute("CREATE TEMP TABLE IF NOT EXISTS gone (sha256 BLOB PRIMARY KEY)")
            connection.executemany("INSERT INTO gone VALUES (?)", ((key,) for _, key in victims))
            connection.execute("DELETE FROM entries WHERE sha256 IN (SELECT sha256 FROM gone)")
            connection.execute("DELETE FROM gone")
        return bool(victims)


class _Unusable(apsw.Error):
    """The database is not one that this version can use."""


@contextlib.contextmanager
def _transaction(connection: apsw.Connection) -> Generator[None, None, None]:
    """A transaction. Unlike apsw's own, it passes on the error when SQLite has rolled back by itself, as when full."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if not connection.get_autocommit():
            connection.execute("ROLLBACK")
        raise


def _rows(connection: apsw.Connection, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    return connection.execute(sql, parameters).fetchall()


def _id_of(connection: apsw.Connection, key: bytes) -> int | None:
    found = _rows(connection, "SELECT content_id FROM contents WHERE sha256=?", (key,))
    return found[0][0] if found else None


def _packed(content: bytes) -> tuple[int, bytes]:
    """A content as it is stored, and before it whether that is compressed: 1 or 0."""
    if len(content) >= MIN_PACKED:
        packed = zlib.compress(content, 1)
        if len(packed) < len(content):
            return 1, packed
    return 0, content


def _vacuum_some(connection: apsw.Connection) -> bool:
    """Return some free pages to the system; whether there are more."""
    (before,) = _rows(connection, "PRAGMA freelist_count")[0]
    _rows(connection, f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
    (left,) = _rows(connection, "PRAGMA freelist_count")[0]
    return 0 < left < before
