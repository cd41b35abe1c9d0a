"""Replaces, moves and deletes files in one step, and keeps owner, mode, attributes, hard links and mounts."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import BinaryIO

from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools import opening
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.file_content import Content, content, content_of
from aster_sidecar.tools.opening import Folder, at

TEMPORARY = ".aster-{}.tmp"
"""The name of a file that becomes another, or that is about to be deleted; {} are 16 hexadecimal digits."""


class Changed(ToolError):
    """A file is not the one that was checked."""


class _Stranded(ToolError):
    """A file was moved away and could not be put back; the message says where it is."""


def replace(
    folder: Folder,
    name: str,
    fill: Callable[[BinaryIO], object],
    old: Content,
    stop: threading.Event,
    *,
    like: int | None = None,
    mode: int | None = None,
) -> None:
    """Replace `old`, the file `name`, by what `fill` writes, in one step.

    The new file gets the owner, mode and attributes of the old one, or of the opened file `like`. Without `like`, a
    file that has other names, is mounted, or has an owner that can't be kept is overwritten in place. With `mode`, its
    permission bits are these, and it may also replace a read-only file or a link. Raises: OSError, ToolError; then
    nothing has changed.
    """
    if old.status is not None and mode is None:
        opening.regular(old.status, name)
        check_writable(*at(folder, name), old.status)
    several = old.status is not None and _is_file(old) and old.status.st_nlink > 1 and like is None
    if several or not _renamed(folder, name, fill, old, stop, like, mode):
        _where_it_stands(folder, name, fill, old, stop, mode)
    sync(folder)


def replace_by_link(folder: Folder, name: str, text: str, old: Content) -> None:
    """Replace the file or link `old`, or nothing, by a symbolic link with this text, in one step.

    Raises: OSError, ToolError; then nothing has changed.
    """
    temporary = TEMPORARY.format(os.urandom(8).hex())
    beside, dir_fd = at(folder, temporary)
    os.symlink(text, beside, dir_fd=dir_fd)
    try:
        if content(folder, name).mark != old.mark:
            raise changed(name)
        _put(folder, temporary, name, old)
    except _Stranded:
        beside = ""
        raise
    finally:
        with suppress(OSError):
            os.unlink(beside, dir_fd=dir_fd)
    sync(folder)


def _is_file(found: Content) -> bool:
    return found.status is not None and stat.S_ISREG(found.status.st_mode) and not opening.is_link(found.status)


def set_mode(descriptor: int, mode: int) -> None:
    """Set the permission bits of an opened file or directory, where the system has them. Raises: OSError."""
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)


def changed(name: str) -> Changed:
    """The error for a file that is not the one that was checked."""
    return Changed(f"{shown(name)} was changed by another program just now; read it again")


def _renamed(
    folder: Folder,
    name: str,
    fill: Callable[[BinaryIO], object],
    old: Content,
    stop: threading.Event,
    like: int | None,
    mode: int | None,
) -> bool:
    """Write a new file and rename it; False, without a change, when the old file has to be overwritten in place."""
    must_stay = _is_file(old) and like is None
    # Its name does not contain the file's, which may have the maximum length.
    temporary = TEMPORARY.format(os.urandom(8).hex())
    beside, dir_fd = at(folder, temporary)
    try:
        # Only the owner may read it until it has its mode.
        first_mode = 0o666 if old.status is None and like is None and mode is None else 0o600
        descriptor = os.open(beside, opening.CREATE, first_mode, dir_fd=dir_fd)
    except OSError as error:
        if must_stay and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return False
        raise
    try:
        with open(descriptor, "wb") as file:
            fill(file)
            file.flush()
            alike = _made_like(descriptor, folder, name, old, like)
            if mode is not None:
                set_mode(descriptor, mode)
            os.fsync(descriptor)
        if must_stay and not alike:
            return False
        if content(folder, name).mark != old.mark:
            raise changed(name)
        if stop.is_set():
            raise ToolError("cancelled before anything was changed")
        try:
            _put(folder, temporary, name, old)
        except OSError as error:
            if must_stay and error.errno in (errno.EBUSY, errno.EXDEV):
                return False  # the file is a mount point
            raise
    except _Stranded:
        beside = ""
        raise
    finally:
        with suppress(OSError):
            os.unlink(beside, dir_fd=dir_fd)
    return True


def _put(folder: Folder, temporary: str, name: str, old: Content) -> None:
    """Give the file `temporary` the name `name`, which `old` has. Raises: OSError, ToolError."""
    if old.status is None:
        try:
            rename_new(folder, temporary, folder, name)
        except ToolError as error:
            raise changed(name) from error
    elif exchange(folder, temporary, folder, name):
        try:
            # Check the file that came out: another process may have put it there after the last check.
            if content(folder, temporary).mark != old.mark:
                raise changed(name)
        except BaseException:
            _put_back(folder, temporary, name)
            raise
    else:
        rename_over(folder, temporary, folder, name)


def _put_back(folder: Folder, temporary: str, name: str) -> None:
    try:
        exchange(folder, temporary, folder, name)
    except OSError as error:
        raise _stranded(temporary, name) from error


def _stranded(temporary: str, name: str) -> _Stranded:
    return _Stranded(f"{shown(name)} was changed by another program just now; that version is now {temporary}")


def _where_it_stands(
    folder: Folder,
    name: str,
    fill: Callable[[BinaryIO], object],
    old: Content,
    stop: threading.Event,
    mode: int | None,
) -> None:
    """Overwrite a file in place. Raises: OSError, ToolError."""
    if old.data is None:
        raise ToolError(f"{shown(name)} is too large to be overwritten in place, and can't be replaced by a new file")
    new = io.BytesIO()
    fill(new)
    target, dir_fd = at(folder, name)
    descriptor = os.open(target, opening.READ | os.O_RDWR, dir_fd=dir_fd)
    beside, _ = at(folder, TEMPORARY.format(os.urandom(8).hex()))
    try:
        opening.regular(os.fstat(descriptor), name)
        if content_of(descriptor).mark != old.mark:
            raise changed(name)
        if stop.is_set():
            raise ToolError("cancelled before anything was changed")
        _keep_beside(beside, dir_fd, new.getvalue())
        try:
            _overwrite(descriptor, new.getvalue())
        except BaseException:
            _overwrite(descriptor, old.data)
            raise
        if mode is not None:
            set_mode(descriptor, mode)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(beside, dir_fd=dir_fd)


def _keep_beside(path: str, dir_fd: int | None, data: bytes) -> None:
    """Also write the new text to a file beside it, if possible, in case of a crash while it is overwritten."""
    try:
        descriptor = os.open(path, opening.CREATE, 0o600, dir_fd=dir_fd)
    except OSError:
        return
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _overwrite(descriptor: int, data: bytes) -> None:
    # Truncate last, so that the space of the old bytes stays reserved until then.
    view, place = memoryview(data), 0
    while place < len(view):
        place += (
            os.pwrite(descriptor, view[place:], place) if hasattr(os, "pwrite") else _write(descriptor, view, place)
        )
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _write(descriptor: int, view: memoryview, place: int) -> int:
    os.lseek(descriptor, place, os.SEEK_SET)
    return os.write(descriptor, view[place:])


def bits_lost(folder: Folder, name: str, old: Content) -> str:
    """The note about mode bits that a file lost when it was changed; "" without any. Raises: OSError."""
    now = opening.status(folder, name)
    if old.status is None or now is None:
        return ""
    lost = old.status.st_mode & ~now.st_mode
    names = [word for bit, word in ((stat.S_ISUID, "set-user-ID"), (stat.S_ISGID, "set-group-ID")) if lost & bit]
    return f"it lost {' and '.join(names)}, as every changed program does" if names else ""


def check_writable(target: str, dir_fd: int | None, found: os.stat_result) -> None:
    """Raises: ToolError when the file `found` is read-only."""
    # Renaming over a file needs only the directory's permission: a read-only file would be replaced.
    effective = os.access in os.supports_effective_ids
    if not found.st_mode & 0o222 or not os.access(target, os.W_OK, dir_fd=dir_fd, effective_ids=effective):
        raise ToolError(f"{shown(target)} is read-only")


def _made_like(descriptor: int, folder: Folder, name: str, old: Content, like: int | None) -> bool:
    """Give the opened file owner, mode and attributes of `like` or of the one it replaces; False when it can't."""
    if os.name != "posix":
        return True
    if like is not None:
        return _alike(descriptor, like, moved=True)
    if not _is_file(old):
        return True
    source = opening.opened_file(folder, name)
    try:
        return _alike(descriptor, source, moved=False)
    finally:
        os.close(source)


def _alike(descriptor: int, source: int, *, moved: bool) -> bool:
    like, now = os.fstat(source), os.fstat(descriptor)
    whole = True
    if (now.st_uid, now.st_gid) != (like.st_uid, like.st_gid):
        try:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        except OSError:  # only root may change the owner
            whole = False
    # A changed program loses its setuid and setgid bits; a moved one keeps them.
    os.fchmod(descriptor, like.st_mode & (0o7777 if moved and whole else 0o777))
    if moved:
        os.utime(descriptor, ns=(like.st_atime_ns, like.st_mtime_ns))
    return _attributes_copied(descriptor, source) and whole


def _attributes_copied(descriptor: int, source: int) -> bool:
    """Copy extended attributes and access lists, where the system has them; the system itself sets security labels."""
    if sys.platform != "linux":
        return True
    try:
        for name in os.listxattr(source):
            if name.startswith(("user.", "system.posix_acl_")):
                os.setxattr(descriptor, name, os.getxattr(source, name))
    except OSError as error:
        return error.errno == errno.ENOTSUP
    return True


def sync(folder: Folder) -> None:
    """Sync a directory, so that a rename survives a power failure; nothing happens where that is not possible."""
    if isinstance(folder, int):
        with suppress(OSError):
            listed = opening.opened_list(folder)
            assert isinstance(listed, int)
            try:
                os.fsync(listed)
            finally:
                os.close(listed)


@cache
def _exchanging() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """The system call that exchanges two names in one step; None where there is none."""
    name = {"linux": "renameat2", "darwin": "renameatx_np"}.get(sys.platform)
    return getattr(ctypes.CDLL(None, use_errno=True), name, None) if name and opening.HANDLES else None


def exchange(folder: Folder, name: str, into: Folder, other: str) -> bool:
    """Exchange the files of two names in one step; False where that is not supported. Raises: OSError."""
    call = _exchanging()
    if call is None or isinstance(folder, str) or isinstance(into, str):
        return False
    if call(folder, os.fsencode(name), into, os.fsencode(other), 2) == 0:  # RENAME_EXCHANGE, RENAME_SWAP
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False  # not supported by this file system
    raise OSError(code, os.strerror(code))


def move(folder: Folder, name: str, into: Folder, new_name: str, there: Content) -> None:
    """Rename over the file that `there` describes. Raises: OSError, ToolError; then both are unchanged."""
    if there.status is None:
        rename_new(folder, name, into, new_name)
    elif exchange(folder, name, into, new_name):
        try:
            remove(folder, name, there)
        except _Stranded:
            raise
        except BaseException:
            exchange(folder, name, into, new_name)
            raise
    else:
        rename_over(folder, name, into, new_name)


def remove(folder: Folder, name: str, old: Content) -> None:
    """Delete the file or link that `old` describes. Raises: OSError, ToolError; then it is unchanged."""
    aside = TEMPORARY.format(os.urandom(8).hex())
    target, dir_fd = at(folder, name)
    beside, _ = at(folder, aside)
    if content(folder, name).mark != old.mark:
        raise changed(name)
    os.rename(target, beside, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    try:
        # Check it again here, where no other process can replace it.
        if content(folder, aside).mark != old.mark:
            raise changed(name)
    except BaseException:
        try:
            rename_new(folder, aside, folder, name)
        except (OSError, ToolError) as error:
            raise _stranded(aside, name) from error
        raise
    os.unlink(beside, dir_fd=dir_fd)
    sync(folder)


def rename_over(folder: Folder, name: str, into: Folder, new_name: str) -> None:
    """Rename, replacing an existing file. Raises: OSError."""
    old, old_fd = at(folder, name)
    new, new_fd = at(into, new_name)
    os.replace(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)


def rename_new(folder: Folder, name: str, into: Folder, new_name: str) -> None:
    """Rename, but never over something that appeared there in the meantime. Raises: OSError, ToolError."""
    old, old_fd = at(folder, name)
    new, new_fd = at(into, new_name)
    try:
        if os.name == "nt":
            os.rename(old, new)  # on Windows it never replaces
        else:
            # Elsewhere, a rename replaces, but a link does not.
            os.link(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)
            try:
                os.unlink(old, dir_fd=old_fd)
            except BaseException:
                os.unlink(new, dir_fd=new_fd)
                raise
    except FileExistsError as error:
        raise ToolError(f"{shown(new_name)} exists already; set overwrite to replace it") from error
    except OSError as error:
        if error.errno == errno.EXDEV or opening.status(into, new_name) is not None:
            raise
        rename_over(folder, name, into, new_name)  # a file system without hard links


def carry(
    folder: Folder,
    name: str,
    into: Folder,
    new_name: str,
    found: os.stat_result,
    there: Content,
    stop: threading.Event,
) -> None:
    """Move a file to another file system: copy, put in place, and only then delete. Raises: OSError, ToolError."""
    if opening.is_link(found):
        raise ToolError(f"{shown(name)} is a link, and can't be moved to another file system")
    with open(opening.opened_file(folder, name), "rb") as source:
        seen = content_of(source.fileno())
        source.seek(0)

        def copy(target: BinaryIO) -> None:
            while chunk := source.read(1024 * 1024):
                if stop.is_set():
                    raise ToolError("cancelled before anything was changed")
                target.write(chunk)

        replace(into, new_name, copy, there, stop, like=source.fileno())
    remove(folder, name, seen)
