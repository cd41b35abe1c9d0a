"""Files by their content: each stored once, under its SHA-256, in a directory beside the store.

A file appears under its name only when it is complete and on disk. So a crash leaves either the whole file or a part
file, which the next start removes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import re
import secrets
import stat
from collections.abc import Collection, Generator
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from aster_sidecar.errors import StoreError

log = logging.getLogger(__name__)

PART = ".part-"
_NAME = re.compile("[0-9a-f]{64}")
# O_NONBLOCK: opening a FIFO that was put in a file's place must not block.
_READ = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Contents:
    """The files in one directory. All methods block, and raise StoreError when the disk is full or not writable."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._checked: dict[str, tuple[int, int, int]] = {}
        """SHA-256 → size, time and inode of a file whose content was checked."""

    def begin(self) -> Incoming:
        """A new file, to be filled."""
        with _translated("saved", self._directory):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            return Incoming(self._directory)

    def path(self, sha256: str) -> Path:
        """Where the file with this content is. Raises: StoreError for what is no SHA-256, as in a damaged row."""
        if not is_name(sha256):
            raise StoreError(f"not the SHA-256 of a file: {str(sha256)[:80]!r}", hint="attach the file again")
        return self._directory / sha256[:2] / sha256

    def read(self, sha256: str) -> bytes:
        """The content. Raises: StoreError, also when it is gone or was changed."""
        path = self.path(sha256)
        with self._file(path) as file, _translated("read", path):
            content = file.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise changed(path)
        return content

    def size(self, sha256: str) -> int:
        """Bytes of the content. Raises: StoreError, as `check`."""
        with self.opened(sha256) as file, _translated("read", self._directory):
            return os.fstat(file.fileno()).st_size

    def read_checked(self, sha256: str) -> bytes:
        """The content, which is compared with its SHA-256 only if the file has changed since. Raises: StoreError."""
        with self.opened(sha256) as file, _translated("read", self._directory):
            return file.readall()

    def check(self, sha256: str, size: int) -> None:
        """Raises: StoreError when the file is gone, was changed, or has another size in bytes.

        The content is read only if the file is not the one that was checked last.
        """
        if self.size(sha256) != size:
            raise changed(self.path(sha256))

    def opened(self, sha256: str) -> FileIO:
        """The file, to be read from its beginning; the caller closes it. Raises: StoreError, as `check`."""
        path = self.path(sha256)
        file = self._file(path)
        try:
            with _translated("read", path):
                found = os.fstat(file.fileno())
                mark = (found.st_size, found.st_mtime_ns, found.st_ino)
                if self._checked.get(sha256) != mark:
                    if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                        raise changed(path)
                    file.seek(0)
                    self._checked[sha256] = mark
        except BaseException:
            file.close()
            raise
        return file

    def _file(self, path: Path) -> FileIO:
        """A regular file, opened without following a link. Raises: StoreError."""
        with _translated("read", path):
            descriptor = os.open(path, _READ)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise changed(path)
            return FileIO(descriptor)

    def remove(self, sha256: str) -> None:
        """Remove a file; one that is gone already is no error."""
        if is_name(sha256):  # a damaged row has no file
            with _translated("removed", self._directory), contextlib.suppress(FileNotFoundError):
                self.path(sha256).unlink()
        self._checked.pop(sha256, None)

    def sweep(self, needed: Collection[str] | None) -> None:
        """Remove part files, and files that nothing needs (None: all are needed). Call it before any file is begun.

        Only what has the name of a content is removed: the directory may be a link to one with other files.
        """
        found = self._directory.glob("??/*") if needed is not None else ()
        kept = set(needed or ())
        contents = [path for path in found if is_name(path.name) and path.name not in kept]
        for path in (*self._directory.glob(f"{PART}*"), *contents):
            with contextlib.suppress(OSError):
                path.unlink()


def is_name(text: str) -> bool:
    """Whether it is a SHA-256 in hexadecimal. A damaged row may have any value."""
    return _NAME.fullmatch(str(text)) is not None


def changed(path: Path) -> StoreError:
    """The error for a file with another content than its name says."""
    return StoreError(f"{path} was changed", hint="attach the file again")


class Incoming:
    """A file that arrives in pieces. `finish` or `discard` ends it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._part = directory / f"{PART}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._file = os.fdopen(os.open(self._part, flags, 0o600), "wb", buffering=0)
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Append bytes."""
        self._digest.update(piece)
        self.size += len(piece)
        left = memoryview(piece)
        with _translated("saved", self._directory):
            while left:
                left = left[self._file.write(left) :]

    def reader(self) -> BinaryIO:
        """What has arrived, to be read; the caller closes it."""
        with _translated("read", self._directory):
            return self._part.open("rb")

    def finish(self) -> str:
        """Put the complete file on disk under its name; returns its SHA-256 in hexadecimal."""
        sha256 = self._digest.hexdigest()
        folder = self._directory / sha256[:2]
        place = folder / sha256
        try:
            with _translated("saved", self._directory):
                os.fsync(self._file.fileno())
                self._file.close()
                folder.mkdir(exist_ok=True, mode=0o700)
                os.replace(self._part, place)
                for directory in (folder, self._directory):
                    sync_directory(directory)
        except StoreError:
            self.discard()
            raise
        return sha256

    def discard(self) -> None:
        """Remove what has arrived."""
        self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable; Windows does this by itself."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _translated(done: str, path: Path) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some space on the disk" if full else f"check the permissions of {path}"
        raise StoreError(f"the file could not be {done}: {error.strerror or error}", hint=hint) from error
