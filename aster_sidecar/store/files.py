"""The store's files: checks before the journal opens them, copies of the store, and restoring one.

A missing store is never silently replaced by an empty one: the mark and the write-ahead log that a daemon leaves
beside its store show that one existed.
"""

# apsw's stubs refer to types that exist only where its C sources are installed.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shlex
import shutil
import stat
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from aster_sidecar.errors import StoreCorrupt, StoreError, StoreLocked, StoreTooNew
from aster_sidecar.store.high_water_mark import SUFFIX, HighWaterMark

log = logging.getLogger(__name__)

STORE_TABLES = {"meta", "events", "sessions", "messages"}
"""Tables that every version of the store has."""
SIDE_FILES = ("-wal", "-shm", SUFFIX)
BEFORE, SAVED, ASIDE = "before", "saved", "aside"
"""Kinds of copies, as in their names: made before a migration; of a store deleted while open; moved aside."""
PART = ".part"
BEFORE_KEPT = 2
SPARE_BYTES = 16 << 20
"""Free space required besides the copy itself, for the migration."""
COPY_PAGES = 4096
SHARED_BYTES = 32 << 10
"""Initial size of a write-ahead log's index (shared memory). Source: SQLite, walformat.html."""
LOCK_WAIT_MS = 2000
"""How long to wait for another program's lock before raising an error."""
PATH_BYTES = 504
"""Longest path of a store: SQLite appends `-journal` to it. Source: SQLite, os_unix.c, MAX_PATHNAME."""
DATALESS, RECALL = 0x4000_0000, 0x0040_1000
"""Source: macOS, sys/stat.h, SF_DATALESS; Windows, FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS and …_OFFLINE."""


# -- errors ------------------------------------------------------------------------------------------------------------


def command(path: Path, words: str) -> str:
    """An `aster-sidecar store` command for the store's data directory, quoted for a shell."""
    return f"`aster-sidecar store {words} --data-dir {shlex.quote(str(path.parent))}`"


def recovery_hint(path: Path) -> str:
    """The commands that recover from a damaged or missing store."""
    return f"{restore_hint(path)}; or start a new store and move the current files aside: {command(path, 'new')}"


def restore_hint(path: Path) -> str:
    """The commands that restore a store from a backup, or from the newest copy beside it."""
    there = copies(path)
    newest = f"; the newest copy here: {command(path, f'restore {shlex.quote(there[0].path.name)}')}" if there else ""
    return f"restore {path.name} from a backup: {command(path, 'restore FILE')}{newest}"


def damaged(path: Path, why: str) -> StoreCorrupt:
    """The error for a damaged store; its hint lists the recovery commands."""
    return StoreCorrupt(
        f"the store {path} is damaged: {why}",
        hint=f"stop the daemon, then {recovery_hint(path)}; `aster-sidecar doctor` reports what is damaged,"
        " `sqlite3 FILE .recover` extracts what is still readable",
    )


def missing(path: Path, how: str) -> StoreCorrupt:
    """The error for a store that existed and is missing or empty now."""
    return StoreCorrupt(
        f"the store {path} {how}, but it existed before: it is not replaced by an empty one",
        hint=f"put it back, or {recovery_hint(path)}",
    )


def log_lost(path: Path, how: str) -> StoreCorrupt:
    """The error for a store without its newest events, because its write-ahead log is gone or damaged."""
    mark = HighWaterMark(path).path
    return StoreCorrupt(
        f"the store's write-ahead log {log_of(path)} {how}: the newest events are missing from the store {path}",
        hint=f"put {log_of(path).name} back, or {restore_hint(path)}; or remove {mark} to go on without them",
    )


def translate(error: apsw.Error | UnicodeDecodeError, path: Path) -> StoreError:
    """The StoreError for an error of SQLite."""
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return damaged(path, str(error))
    if isinstance(error, UnicodeDecodeError):
        return damaged(path, "it contains text that is not valid UTF-8")
    if is_full(error, path):
        return StoreError("the disk is full: nothing was recorded", hint="free some space; no restart is needed")
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return StoreLocked(
            f"the store {path} is locked by another program", hint=f"close the program that has {path.name} open"
        )
    if isinstance(error, apsw.IOError):
        return unreadable(path, str(error))
    if isinstance(error, apsw.CantOpenError) and len(os.fsencode(os.path.realpath(path))) > PATH_BYTES:
        return StoreError(
            f"the path of the store is longer than the {PATH_BYTES} bytes that SQLite opens: {path}",
            hint="use a --data-dir with a shorter path",
        )
    if isinstance(error, (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)):
        return StoreError(
            f"the store {path} cannot be written: {error}",
            hint=f"check that this user may write {path.name} and its directory, and that the disk is not read-only",
        )
    return StoreError(f"the store {path} cannot be used: {error}")


def is_full(error: Exception, path: Path) -> bool:
    """Whether a SQLite error means a full disk. Without space for its shared memory, SQLite reports an I/O error."""
    if isinstance(error, apsw.FullError):
        return True
    try:
        return isinstance(error, apsw.IOError) and shutil.disk_usage(path.parent).free < SHARED_BYTES
    except OSError:
        return False


def unreadable(path: Path, why: str) -> StoreError:
    """The error for a file that exists but can't be read or written."""
    if is_placeholder(path):
        return StoreError(
            f"the store {path} cannot be read: its content is only in a cloud service ({why})",
            hint="have the cloud service download it and keep it on this machine, or use another --data-dir",
        )
    return StoreError(
        f"the store {path} cannot be read or written: {why}",
        hint="check the disk; in a folder that a cloud service syncs, have it download the file",
    )


def is_placeholder(path: Path) -> bool:
    """Whether the file is a placeholder: a cloud service holds its content, which may be unavailable."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return bool(getattr(found, "st_flags", 0) & DATALESS or getattr(found, "st_file_attributes", 0) & RECALL)


# -- checks before opening ---------------------------------------------------------------------------------------------


def log_of(path: Path) -> Path:
    """The write-ahead log of a store. If the store is a symbolic link, SQLite keeps it beside the link's target."""
    real = Path(os.path.realpath(path)) if path.is_symlink() else path
    return real.with_name(f"{real.name}-wal")


def store_files(path: Path) -> list[Path]:
    """All files of a store, existing or not: the database, its write-ahead log, the log's index, its mark."""
    log_path = log_of(path)
    return [path, log_path, log_path.with_name(f"{log_path.name.removesuffix('-wal')}-shm"), HighWaterMark(path).path]


def size_of(path: Path) -> int:
    """The size of a file in bytes; 0 if it does not exist."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_there(path: Path) -> bool:
    """Whether there is a store to open; False on a first start.

    Raises: StoreCorrupt when a store that existed is missing, or the path is not a regular file; StoreError when the
    system can't tell.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise missing(path, f"is a link to {os.readlink(path)}, which is not there") from None
        how = "is not there"
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise missing(path, f"is a link to {os.readlink(path)}, which leads back to it") from None
        raise unreadable(path, error.strerror or str(error)) from error
    else:
        if not stat.S_ISREG(found.st_mode):
            raise damaged(path, "it is a directory" if stat.S_ISDIR(found.st_mode) else "it is not a file")
        if found.st_size:
            return True
        how = "is empty"
    mark = HighWaterMark(path).read()
    if (mark is not None and mark.seq) or size_of(log_of(path)):
        raise missing(path, how)
    if copies(path):
        log.warning("creating a new store %s; copies of an earlier one: %s", path, names_of(copies(path)))
    return False


def unwritable_files(path: Path) -> list[Path]:
    """The existing files of a store that this user may not read and write."""
    return [place for place in store_files(path) if place.exists() and not os.access(place, os.R_OK | os.W_OK)]


def check_access(path: Path) -> None:
    """Check that this user may read and write all files of a store. Raises: StoreError.

    SQLite gives the log the store's mode, so a read-only log would remain after the store's mode was corrected.
    """
    if found := unwritable_files(path):
        raise StoreError(
            f"the store {path} cannot be used: {', '.join(map(str, found))} can't be written by this user",
            hint=f"chmod u+rw {shlex.join(map(str, found))}, or chown it; check that the disk is not read-only",
        )


def check_schema(connection: apsw.Connection, path: Path, knows: int) -> None:
    """Check that a file is an Aster store with at most schema `knows`, before anything in it is changed.

    Raises: StoreCorrupt, StoreTooNew, apsw.Error.
    """
    version: Any = connection.execute("PRAGMA user_version").fetchall()[0][0]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'").fetchall()}
    if (version or tables) and not tables >= STORE_TABLES:
        raise damaged(path, "it is a database of another program")
    if version > knows:
        fitting = [copy for copy in copies(path) if copy.schema <= knows]
        older = f", or restore an older copy: {command(path, f'restore {fitting[0].path.name}')}" if fitting else ""
        raise StoreTooNew(
            f"the store {path} has schema {version}, this version knows {knows}",
            hint=f"the data directory was written by a newer version: update, or use another --data-dir{older}",
        )


def check_mark(reached: int, path: Path, log_bytes: int) -> None:
    """Check that a store reaches the seq in its mark. `log_bytes`: size of its write-ahead log before it was opened.

    An older copy in the place of a store that was closed cleanly is accepted, as a deliberately restored backup.
    Raises: StoreCorrupt.
    """
    mark = HighWaterMark(path).read()
    if mark is None or reached >= mark.seq:
        return
    if mark.open and log_bytes:
        raise log_lost(path, "is damaged")
    if reached == 0:
        raise missing(path, "holds nothing")
    if mark.open:
        raise log_lost(path, "is gone")
    log.warning("the store %s is an earlier copy: its last seq is %d, its mark says %d", path, reached, mark.seq)


def identity(path: Path) -> tuple[int, int] | None:
    """The device and inode of a file, which differ once another file takes its name; None if there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


# -- copies ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a store, in the same directory. `made_at`: seconds since 1970; `schema`: -1 if it can't be read."""

    path: Path
    kind: str
    made_at: float
    bytes: int
    schema: int


def copies(path: Path) -> list[Copy]:
    """The copies of a store in its directory, newest first. Never raises."""
    found: list[Copy] = []
    for kind in (BEFORE, SAVED, ASIDE):
        for place in path.parent.glob(f"{path.name}.{kind}-*"):
            if PART in place.name or place.name.endswith(SIDE_FILES):
                continue
            with contextlib.suppress(OSError):
                status = place.stat()
                if stat.S_ISREG(status.st_mode):
                    found.append(Copy(place, kind, status.st_mtime, status.st_size, schema_of(place)))
    return sorted(found, key=lambda copy: (copy.made_at, copy.path.name), reverse=True)


def has_others(path: Path) -> bool:
    """Whether another store is beside it: one that was moved aside, or saved when its file was deleted."""
    return any(copy.kind in (SAVED, ASIDE) for copy in copies(path))


def names_of(there: list[Copy]) -> str:
    return ", ".join(copy.path.name for copy in there[:5])


def schema_of(place: Path) -> int:
    """The schema version of a database file; -1 if it can't be read."""
    try:
        with reading(place) as connection:
            version: Any = connection.execute("PRAGMA user_version").fetchall()[0][0]
            return int(version)
    except apsw.Error:
        return -1


def stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%S", time.localtime())


def unused(path: Path, kind: str) -> Path:
    """A path for a new copy of this kind in the store's directory, unused so far."""
    base = path.with_name(f"{path.name}.{kind}-{stamp()}")
    return next(
        place
        for place in (base, *(base.with_name(f"{base.name}-{number}") for number in range(2, 1000)))
        if not any(os.path.lexists(f"{place}{end}") for end in ("", *SIDE_FILES))
    )


def make_copy(source: apsw.Connection, target: Path) -> None:
    """Copy all that has committed to `target`, atomically. Raises: apsw.Error, OSError."""
    part = target.with_name(target.name + PART)
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with contextlib.closing(apsw.Connection(str(part))) as into:
            with into.backup("main", source, "main") as copying:
                while not copying.done:
                    copying.step(COPY_PAGES)
            into.execute("PRAGMA journal_mode=DELETE")  # a single file, without a write-ahead log
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            Path(f"{part}{end}").unlink(missing_ok=True)


def copy_before(source: apsw.Connection, path: Path, number: int) -> Path | None:
    """Copy the store before migration `number`; returns the copy, None when the store is empty.

    Raises: StoreError when the disk has too little space, apsw.Error, OSError.
    """
    if not source.execute("SELECT 1 FROM sessions UNION ALL SELECT 1 FROM events LIMIT 1").fetchall():
        return None
    target = path.with_name(f"{path.name}.{BEFORE}-{number:04}")
    if start_of(source) == start_of_file(target):
        return target  # the migration failed before and is tried again
    needed, free = size_of(path) + size_of(log_of(path)), shutil.disk_usage(path.parent).free
    if free < needed + SPARE_BYTES:
        raise StoreError(
            f"the store {path} is not updated: the copy made before an update takes {needed >> 20} MiB, and only"
            f" {free >> 20} MiB are free",
            hint=f"free some space on the disk of {path.parent} ({(needed + SPARE_BYTES) >> 20} MiB); nothing was"
            " changed",
        )
    make_copy(source, target)
    log.info("copied the store before its update", extra={"path": target.name})
    return target


def start_of(connection: apsw.Connection) -> tuple[Any, ...]:
    """Values that change with each start of a daemon (the reserved seqs) and each schema version."""
    version = connection.execute("PRAGMA user_version").fetchall()
    return *version, *connection.execute("SELECT value FROM meta WHERE key='seq_reserved'").fetchall()


def start_of_file(place: Path) -> tuple[Any, ...] | None:
    try:
        with reading(place) as connection:
            return start_of(connection)
    except apsw.Error:
        return None


def prune(path: Path) -> None:
    """Remove all but the newest copies made before migrations, and the rest of unfinished copies. Never raises."""
    for left in path.parent.glob(f"{path.name}.*{PART}*"):
        with contextlib.suppress(OSError):
            left.unlink()
    before = sorted((copy for copy in copies(path) if copy.kind == BEFORE), key=lambda copy: copy.path.name)
    for copy in before[:-BEFORE_KEPT]:
        with contextlib.suppress(OSError):
            copy.path.unlink()


@contextlib.contextmanager
def reading(path: Path) -> Generator[apsw.Connection]:
    """A read-only connection that creates no file beside the store either. Raises: apsw.Error."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    # Without a write-ahead log no process has the store open, and mode=ro would leave a log behind.
    mode = "mode=ro" if log_of(path).exists() else "immutable=1"
    with contextlib.closing(apsw.Connection(f"{path.absolute().as_uri()}?{mode}", flags=flags)) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(LOCK_WAIT_MS)
        yield connection


# -- restoring ---------------------------------------------------------------------------------------------------------


def set_aside(path: Path) -> Path | None:
    """Move the store and its files aside; returns the store's new path, None when there was nothing to move.

    No daemon may have the store open. Raises: OSError.
    """
    target = unused(path, ASIDE)
    moved = False
    for end in ("", *SIDE_FILES):
        if os.path.lexists(f"{path}{end}"):
            os.rename(f"{path}{end}", f"{target}{end}")
            moved = True
    return target if moved else None


def restore(path: Path, copy: Path, knows: int) -> Path | None:
    """Move the store aside and put a copy in its place; returns the old store's new path, None if there was no store.

    The copy stays. No daemon may have the store open. Raises: StoreError, OSError; then nothing has changed.
    """
    if not copy.is_file():
        raise StoreError(f"{copy} is not a file", hint="`aster-sidecar store` lists the available copies")
    fresh = path.with_name(f".{path.name}.new")
    try:
        with reading(copy) as source:
            check_schema(source, copy, knows)
            if not schema_of(copy):
                raise StoreError(f"{copy} is an empty database", hint="name a copy of a store")
            wrong = source.execute("PRAGMA quick_check(1)").fetchall()[0][0]
            if wrong != "ok":
                raise StoreError(f"{copy} is damaged as well: {wrong}", hint="use another copy")
            make_copy(source, fresh)
    except apsw.FullError as error:
        raise StoreError(
            f"there is no room for a copy of {copy}", hint=f"free some space on the disk of {path}"
        ) from error
    except apsw.Error as error:
        raise StoreError(f"{copy} cannot be used: {error}", hint="use another copy") from error
    mark = HighWaterMark(path).read()
    aside = set_aside(path)
    os.replace(fresh, path)
    if mark is not None:
        HighWaterMark(path).leave(mark.seq)  # new seqs must be above those that clients have seen
    return aside
