"""Opens files and directories by their canonical path, without following a link that was put there in the meantime.

A tool is judged by its canonical path, and the user decides about that path. It then opens the path one component after
the other from the root, and none of them may be a link. Systems without `dir_fd` (Windows) check the components right
before the use instead, which leaves a gap of microseconds.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import ToolError

HANDLES = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether this system can open a name relative to an open directory without following links."""

Folder = int | str
"""An open directory: its descriptor, or its path where the system has no such descriptors."""

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
# O_PATH also opens directories that may be entered but not listed, such as /home with mode 711.
_CROSS = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY | _NOFOLLOW | _FLAGS
_LIST = os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _FLAGS
# O_NONBLOCK: opening a FIFO that was put in the file's place must not block.
READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NOFOLLOW | _FLAGS
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _FLAGS


def at(folder: Folder, name: str) -> tuple[str, int | None]:
    """`name` in `folder`, as the arguments (path, dir_fd) of the functions in `os`."""
    return (os.path.join(folder, name), None) if isinstance(folder, str) else (name, folder)


@contextmanager
def opened_folder(path: Path, *, create: bool = False, handles: bool = HANDLES) -> Generator[Folder, None, None]:
    """The directory at the canonical `path`, opened without following any link; `create` makes missing directories.

    Raises: ToolError when a component is missing, or has become a link or a file.
    """
    if not handles:
        _check_plain(path, create)
        yield str(path)
        return
    folder = os.open(path.anchor, _CROSS)
    try:
        for depth, name in enumerate(path.parts[1:], 2):
            try:
                inner = _enter(folder, name, create)
            except OSError as error:
                raise refused(Path(*path.parts[:depth]), error) from error
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _enter(folder: int, name: str, create: bool) -> int:
    try:
        return os.open(name, _CROSS, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return os.open(name, _CROSS, dir_fd=folder)


def _check_plain(path: Path, create: bool) -> None:
    for way in reversed((path, *path.parents)):
        try:
            if create and not os.path.lexists(way):
                os.mkdir(way)
            found = os.lstat(way)
        except OSError as error:
            raise refused(way, error) from error
        if is_link(found) or not stat.S_ISDIR(found.st_mode):
            raise ToolError(f"{shown(way)} is not the directory that was checked: a link or a file is in its place")
    if os.path.normcase(os.path.realpath(path)) != os.path.normcase(path):
        raise ToolError(f"{shown(path)} leads elsewhere now")


def opened_list(folder: Folder, name: str = ".") -> int | str:
    """A directory for `os.scandir`; the caller passes it to `closed` afterwards. Raises: OSError."""
    path, dir_fd = at(folder, name)
    if dir_fd is None:
        if is_link(os.lstat(path)):
            raise OSError(errno.ENOTDIR, "a link, not a directory")
        return path
    return os.open(path, _LIST, dir_fd=dir_fd)


def closed(folder: Folder) -> None:
    """Close what `opened_list` returned."""
    if isinstance(folder, int):
        os.close(folder)


def opened_file(folder: Folder, name: str) -> int:
    """A descriptor for reading the regular file `name`, opened without following a link.

    Raises: OSError; ToolError for anything that is not a regular file (a FIFO, a device, a socket, a directory).
    """
    # Check before opening, because opening alone makes some devices act.
    path, dir_fd = at(folder, name)
    regular(os.stat(path, dir_fd=dir_fd, follow_symlinks=False), name)
    descriptor = os.open(path, READ, dir_fd=dir_fd)
    try:
        regular(os.fstat(descriptor), name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def status(folder: Folder, name: str) -> os.stat_result | None:
    """The status of `name`, without following a link; None when it does not exist. Raises: OSError."""
    path, dir_fd = at(folder, name)
    try:
        return os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def regular(found: os.stat_result, name: str) -> None:
    """Raises: ToolError unless `found` is a regular file."""
    if not stat.S_ISREG(found.st_mode) or is_link(found):
        raise ToolError(f"{shown(name)} is {kind(found)}, not a regular file")


def is_link(found: os.stat_result) -> bool:
    """Whether it is a symbolic link, or on Windows a junction or another reparse point."""
    reparse = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)
    return stat.S_ISLNK(found.st_mode) or bool(getattr(found, "st_file_attributes", 0) & reparse)


def kind(found: os.stat_result) -> str:
    """What kind of file it is, in words: "a directory", "a FIFO"."""
    if is_link(found):
        return "a link"
    names = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return names.get(stat.S_IFMT(found.st_mode), "a special file")


def refused(path: Path | str, error: OSError) -> ToolError:
    """The ToolError for `error`; it names the path."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        with suppress(OSError):
            found = os.lstat(path)
            if error.errno == errno.ENOTDIR and not is_link(found) and not stat.S_ISDIR(found.st_mode):
                return ToolError(f"{shown(path)} is {kind(found)}, not a directory")
        return ToolError(f"{shown(path)} is not the file that was checked: a link or another file is in its place")
    return ToolError(f"{shown(path)}: {error.strerror or error}")
