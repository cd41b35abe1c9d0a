"""The file of the store and those beside it: whether it is there, copies of it, and the way back to one.

No history is ever begun in the place of one that is missing: what a daemon leaves beside its store (the mark, the
write-ahead log) says that there was one.
"""

# apsw's stubs name types that only exist when its C sources are there.
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
from aster_sidecar.store.high_water_mark import SUFFIX, Witness

log = logging.getLogger(__name__)

OURS = {"meta", "events", "sessions", "messages"}
"""Tables that a store has had in every version."""
COMPANIONS = ("-wal", "-shm", SUFFIX)
BEFORE, SAVED, ASIDE = "before", "saved", "aside"
"""How copies are called: made before an update; of a store that was deleted while it was open; moved aside."""
PART = ".part"
BEFORE_KEPT = 2
SPARE_BYTES = 16 << 20
"""What stays free on the disk beside a copy: the update itself takes some."""
COPY_PAGES = 4096
SHARED_BYTES = 32 << 10
"""What the index of a write-ahead log takes at first. Source: SQLite, walformat.html."""
LOCK_WAIT_MS = 2000
"""How long another program's lock is waited for before it is an error."""
PATH_BYTES = 504
"""Longest path of a store: with `-journal` behind it, it must fit. Source: SQLite, os_unix.c, MAX_PATHNAME."""
DATALESS, RECALL = 0x4000_0000, 0x0040_1000
"""Source: macOS, sys/stat.h, SF_DATALESS; Windows, FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS and …_OFFLINE."""


# -- errors ------------------------------------------------------------------------------------------------------------


def command(path: Path, words: str) -> str:
    """A command over the data directory of a store, as it is typed."""
    return f"`aster-sidecar store {words} --data-dir {shlex.quote(str(path.parent))}`"


def ways_out(path: Path) -> str:
    """What can be done about a store that is damaged or missing."""
    return f"{ways_back(path)}; or begin anew, with what is there moved aside: {command(path, 'new')}"


def ways_back(path: Path) -> str:
    """How a store is put back from a backup, or from the newest copy beside it."""
    there = copies(path)
    back = f"; the newest copy here: {command(path, f'restore {shlex.quote(there[0].path.name)}')}" if there else ""
    return f"restore {path.name} from a backup: {command(path, 'restore FILE')}{back}"


def damaged(path: Path, why: str) -> StoreCorrupt:
    """The error that names the file and the ways out."""
    return StoreCorrupt(
        f"the store {path} is damaged: {why}",
        hint=f"stop the daemon, then {ways_out(path)}; `aster-sidecar doctor` says what is damaged,"
        " `sqlite3 FILE .recover` reads what is left",
    )


def missing(path: Path, how: str) -> StoreCorrupt:
    """There was a store, and now there is none."""
    return StoreCorrupt(
        f"the store {path} {how}, though there was one: no empty history is begun in its place",
        hint=f"put it back, or {ways_out(path)}",
    )


def lost(path: Path, how: str) -> StoreCorrupt:
    """What was recorded last is not there any more."""
    mark = Witness(path).path
    return StoreCorrupt(
        f"the store's write-ahead log {log_of(path)} {how}: what was recorded last is not in the store {path}",
        hint=f"put {log_of(path).name} back, or {ways_back(path)}; or remove {mark} to go on without what is missing",
    )


def translate(error: apsw.Error | UnicodeDecodeError, path: Path) -> StoreError:
    """A SQLite error in the words of our tree."""
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return damaged(path, str(error))
    if isinstance(error, UnicodeDecodeError):
        return damaged(path, "a text in it is none")
    if is_full(error, path):
        return StoreError("the disk is full: nothing was recorded", hint="free some space; it goes on by itself")
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return StoreLocked(f"the store {path} is locked by another program", hint=f"close what has {path.name} open")
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
    """Whether a SQLite error means that the disk is full. Where it can't make its shared memory, it says I/O error."""
    if isinstance(error, apsw.FullError):
        return True
    try:
        return isinstance(error, apsw.IOError) and shutil.disk_usage(path.parent).free < SHARED_BYTES
    except OSError:
        return False


def unreadable(path: Path, why: str) -> StoreError:
    """The system could not read or write the file, though it is there."""
    if is_placeholder(path):
        return StoreError(
            f"the store {path} cannot be read: a cloud service keeps its content elsewhere ({why})",
            hint="have the cloud service download it and keep it on this machine, or use another --data-dir",
        )
    return StoreError(
        f"the store {path} cannot be read or written: {why}",
        hint="check the disk; in a folder that a cloud service keeps, have it download the file",
    )


def is_placeholder(path: Path) -> bool:
    """Whether a cloud service keeps what is in the file, and may not give it back."""
    try:
        told = os.stat(path)
    except OSError:
        return False
    return bool(getattr(told, "st_flags", 0) & DATALESS or getattr(told, "st_file_attributes", 0) & RECALL)


# -- is it there -------------------------------------------------------------------------------------------------------


def log_of(path: Path) -> Path:
    """The write-ahead log of a store. Of a store that is a link, SQLite keeps it beside the file that it leads to."""
    real = Path(os.path.realpath(path)) if path.is_symlink() else path
    return real.with_name(f"{real.name}-wal")


def beside(path: Path) -> list[Path]:
    """All files of a store, whether or not they are there: it, its log and the log's index, its mark."""
    log_path = log_of(path)
    return [path, log_path, log_path.with_name(f"{log_path.name.removesuffix('-wal')}-shm"), Witness(path).path]


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_there(path: Path) -> bool:
    """Whether there is a store to open; False on a first start.

    Raises: StoreCorrupt when there was one or it is no file, StoreError when the system can't say.
    """
    try:
        told = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise missing(path, f"is a link to {os.readlink(path)}, which is not there") from None
        how = "is not there"
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise missing(path, f"is a link to {os.readlink(path)}, which leads back to it") from None
        raise unreadable(path, error.strerror or str(error)) from error
    else:
        if not stat.S_ISREG(told.st_mode):
            raise damaged(path, "it is a directory" if stat.S_ISDIR(told.st_mode) else "it is not a file")
        if told.st_size:
            return True
        how = "is empty"
    mark = Witness(path).read()
    if (mark is not None and mark.seq) or size_of(log_of(path)):
        raise missing(path, how)
    if copies(path):
        log.warning("the store %s is begun anew; copies of an earlier one: %s", path, names_of(copies(path)))
    return False


def shut(path: Path) -> list[Path]:
    """Which of a store's files this user may not write."""
    return [place for place in beside(path) if place.exists() and not os.access(place, os.R_OK | os.W_OK)]


def check_open(path: Path) -> None:
    """That all files of a store can be written. Raises: StoreError.

    SQLite makes a log that is like the store: one that nobody may write would stay when the store's own mode is set
    right.
    """
    if found := shut(path):
        raise StoreError(
            f"the store {path} cannot be used: {', '.join(map(str, found))} can't be written by this user",
            hint=f"chmod u+rw {shlex.join(map(str, found))}, or chown it; check that the disk is not read-only",
        )


def check_ours(connection: apsw.Connection, path: Path, knows: int) -> None:
    """That a file is a store of ours and of no newer version, before anything in it is changed.

    Raises: StoreCorrupt, StoreTooNew, apsw.Error.
    """
    version: Any = connection.execute("PRAGMA user_version").fetchall()[0][0]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'").fetchall()}
    if (version or tables) and not tables >= OURS:
        raise damaged(path, "it is a database of another program")
    if version > knows:
        fitting = [copy for copy in copies(path) if copy.schema <= knows]
        back = f", or go back to {command(path, f'restore {fitting[0].path.name}')}" if fitting else ""
        raise StoreTooNew(
            f"the store {path} has schema {version}, this version knows {knows}",
            hint=f"the data directory was written by a newer version: update, or use another --data-dir{back}",
        )


def check_reach(reached: int, path: Path, log_bytes: int) -> None:
    """That a store holds what the mark beside it says. `log_bytes`: its write-ahead log's, before it was opened.

    A copy of an earlier time in the place of a store that was closed well is somebody's wish. Raises: StoreCorrupt.
    """
    mark = Witness(path).read()
    if mark is None or reached >= mark.seq:
        return
    if mark.open and log_bytes:
        raise lost(path, "is damaged")
    if reached == 0:
        raise missing(path, "holds nothing")
    if mark.open:
        raise lost(path, "is gone")
    log.warning("the store %s is an earlier copy: it ends at %d, there were %d events", path, reached, mark.seq)


def identity(path: Path) -> tuple[int, int] | None:
    """What makes a file this one and no other of its name; None where there is none."""
    try:
        told = os.stat(path)
    except OSError:
        return None
    return told.st_dev, told.st_ino


# -- copies ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a store beside it. `made_at`: seconds since 1970; `schema`: -1 where it can't be read."""

    path: Path
    kind: str
    made_at: float
    bytes: int
    schema: int


def copies(path: Path) -> list[Copy]:
    """The copies of a store beside it, the newest first. Never raises."""
    found: list[Copy] = []
    for kind in (BEFORE, SAVED, ASIDE):
        for place in path.parent.glob(f"{path.name}.{kind}-*"):
            if PART in place.name or place.name.endswith(COMPANIONS):
                continue
            with contextlib.suppress(OSError):
                told = place.stat()
                if stat.S_ISREG(told.st_mode):
                    found.append(Copy(place, kind, told.st_mtime, told.st_size, schema_of(place)))
    return sorted(found, key=lambda copy: (copy.made_at, copy.path.name), reverse=True)


def names_of(there: list[Copy]) -> str:
    return ", ".join(copy.path.name for copy in there[:5])


def schema_of(place: Path) -> int:
    """The version of a file's schema; -1 when that can't be read."""
    try:
        with reading(place) as connection:
            version: Any = connection.execute("PRAGMA user_version").fetchall()[0][0]
            return int(version)
    except apsw.Error:
        return -1


def stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%S", time.localtime())


def unused(path: Path, kind: str) -> Path:
    """A name beside the store that nothing has."""
    base = path.with_name(f"{path.name}.{kind}-{stamp()}")
    return next(
        place
        for place in (base, *(base.with_name(f"{base.name}-{number}") for number in range(2, 1000)))
        if not any(os.path.lexists(f"{place}{end}") for end in ("", *COMPANIONS))
    )


def make_copy(source: apsw.Connection, target: Path) -> None:
    """Write all that has committed into one file that is there whole or not at all. Raises: apsw.Error, OSError."""
    part = target.with_name(target.name + PART)
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with contextlib.closing(apsw.Connection(str(part))) as into:
            with into.backup("main", source, "main") as copying:
                while not copying.done:
                    copying.step(COPY_PAGES)
            into.execute("PRAGMA journal_mode=DELETE")  # one file, which nobody need accompany
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            Path(f"{part}{end}").unlink(missing_ok=True)


def copy_before(source: apsw.Connection, path: Path, number: int) -> Path | None:
    """Keep the store as it is before update `number`; None when there is nothing in it to lose.

    Raises: StoreError when there is no room, apsw.Error, OSError.
    """
    if not source.execute("SELECT 1 FROM sessions UNION ALL SELECT 1 FROM events LIMIT 1").fetchall():
        return None
    target = path.with_name(f"{path.name}.{BEFORE}-{number:04}")
    if life_of(source) == life_of_file(target):
        return target  # an update that failed is tried again
    needed, free = size_of(path) + size_of(log_of(path)), shutil.disk_usage(path.parent).free
    if free < needed + SPARE_BYTES:
        raise StoreError(
            f"the store {path} is not updated: a copy of it from before takes {needed >> 20} MiB, and"
            f" {free >> 20} MiB are free",
            hint=f"free some space on the disk of {path.parent} ({(needed + SPARE_BYTES) >> 20} MiB); nothing was"
            " changed",
        )
    make_copy(source, target)
    log.info("copied the store before its update", extra={"path": target.name})
    return target


def life_of(connection: apsw.Connection) -> tuple[Any, ...]:
    """What differs between any two lives of a daemon over a store, and between two versions of it."""
    version = connection.execute("PRAGMA user_version").fetchall()
    return *version, *connection.execute("SELECT value FROM meta WHERE key='seq_reserved'").fetchall()


def life_of_file(place: Path) -> tuple[Any, ...] | None:
    try:
        with reading(place) as connection:
            return life_of(connection)
    except apsw.Error:
        return None


def prune(path: Path) -> None:
    """Remove all but the newest copies from before updates, and what a copy left that was never whole. Never raises."""
    for left in path.parent.glob(f"{path.name}.*{PART}*"):
        with contextlib.suppress(OSError):
            left.unlink()
    before = sorted((copy for copy in copies(path) if copy.kind == BEFORE), key=lambda copy: copy.path.name)
    for copy in before[:-BEFORE_KEPT]:
        with contextlib.suppress(OSError):
            copy.path.unlink()


@contextlib.contextmanager
def reading(path: Path) -> Generator[apsw.Connection]:
    """A connection that changes nothing, not even beside the file. Raises: apsw.Error."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    # Without a write-ahead log nobody has it open; opening it the usual way would leave one behind.
    mode = "mode=ro" if log_of(path).exists() else "immutable=1"
    with contextlib.closing(apsw.Connection(f"{path.absolute().as_uri()}?{mode}", flags=flags)) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(LOCK_WAIT_MS)
        yield connection


# -- the way back ------------------------------------------------------------------------------------------------------


def set_aside(path: Path) -> Path | None:
    """Move the store and what belongs to it out of the way; returns its new name, None when nothing was there.

    No daemon may have it open. Raises: OSError.
    """
    target = unused(path, ASIDE)
    moved = False
    for end in ("", *COMPANIONS):
        if os.path.lexists(f"{path}{end}"):
            os.rename(f"{path}{end}", f"{target}{end}")
            moved = True
    return target if moved else None


def restore(path: Path, copy: Path, knows: int) -> Path | None:
    """Put a copy in the place of the store, which is moved aside; returns its new name, None when none was there.

    The copy stays. No daemon may have the store open. Raises: StoreError, OSError; then all is as it was.
    """
    if not copy.is_file():
        raise StoreError(f"{copy} is not a file", hint="`aster-sidecar store` lists the copies that there are")
    fresh = path.with_name(f".{path.name}.new")
    try:
        with reading(copy) as source:
            check_ours(source, copy, knows)
            if not schema_of(copy):
                raise StoreError(f"{copy} is an empty database", hint="name a copy of a store")
            wrong = source.execute("PRAGMA quick_check(1)").fetchall()[0][0]
            if wrong != "ok":
                raise StoreError(f"{copy} is damaged itself: {wrong}", hint="take another copy")
            make_copy(source, fresh)
    except apsw.FullError as error:
        raise StoreError(
            f"there is no room for a copy of {copy}", hint=f"free some space on the disk of {path}"
        ) from error
    except apsw.Error as error:
        raise StoreError(f"{copy} cannot be used: {error}", hint="take another copy") from error
    mark = Witness(path).read()
    aside = set_aside(path)
    os.replace(fresh, path)
    if mark is not None:
        Witness(path).leave(mark.seq)  # seqs go on behind those that clients have seen
    return aside
