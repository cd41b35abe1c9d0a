"""Writes one path back to a recorded state, if it is in the state that the caller saw.

It never follows a link, and a file is replaced in one step: see `tools/files/replacing.py`. What another program wrote
in the meantime is never lost.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from pathlib import Path

from aster_sidecar.ledger.path_state import BITS, PathState, same, same_content
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.tools import opening
from aster_sidecar.tools.file_content import NOTHING, Content, content
from aster_sidecar.tools.files.common import located
from aster_sidecar.tools.files.replacing import changed, remove, replace, replace_by_link, set_mode, sync
from aster_sidecar.tools.opening import Folder, at


def restore(path: Path, seen: PathState, wanted: PathState, files: KeptFiles) -> None:
    """Bring `path` from the state `seen` to `wanted`. It blocks. Missing directories above it are made.

    Raises: Changed when it is in another state, ToolError, StoreError; then nothing has changed at this path.
    """
    with located(path, create=wanted.type is not None) as (folder, name):
        found = content(folder, name)
        if not _is(folder, name, found, seen):
            raise changed(name)
        if wanted.type is not None and same_content(seen, wanted):
            _change_mode(folder, name, found, wanted)
        elif wanted.type == "file":
            data = files.read(wanted.sha256 or "")
            found = _without_directory(folder, name, found)
            mode = wanted.mode & BITS
            replace(folder, name, lambda file: file.write(data), found, threading.Event(), mode=mode)
        elif wanted.type == "link":
            text = os.fsdecode(files.read(wanted.sha256 or ""))
            replace_by_link(folder, name, text, _without_directory(folder, name, found))
        else:
            _remove(folder, name, found)
            if wanted.type == "directory":
                _make_directory(folder, name, wanted)
        sync(folder)


def _is(folder: Folder, name: str, found: Content, state: PathState) -> bool:
    """Whether the content found is that of the state."""
    status = found.status
    if status is None or state.type is None:
        return status is None and state.type is None
    mode = stat.S_IMODE(status.st_mode)
    path, dir_fd = at(folder, name)
    if opening.is_link(status):
        text = os.fsencode(os.readlink(path, dir_fd=dir_fd))
        return same(PathState("link", len(text), mode, hashlib.sha256(text).hexdigest()), state)
    if stat.S_ISDIR(status.st_mode):
        return same(PathState("directory", 0, mode), state)
    if not stat.S_ISREG(status.st_mode):
        return False
    if found.data is not None:
        digest = hashlib.sha256(found.data)
    else:
        with open(opening.opened_file(folder, name), "rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    return same(PathState("file", status.st_size, mode, digest.hexdigest()), state)


def _change_mode(folder: Folder, name: str, found: Content, wanted: PathState) -> None:
    if wanted.type == "link" or found.status is None:
        return
    is_directory = wanted.type == "directory"
    descriptor = opening.opened_list(folder, name) if is_directory else opening.opened_file(folder, name)
    if isinstance(descriptor, str):
        return  # Windows: the mode says only whether a file is read-only
    try:
        now = os.fstat(descriptor)
        if (now.st_dev, now.st_ino) != (found.status.st_dev, found.status.st_ino):
            raise changed(name)
        # The bits of directories that are not compared, such as set-group-ID, stay.
        kept = now.st_mode & 0o7000 if is_directory else 0
        set_mode(descriptor, kept | wanted.mode & BITS)
    finally:
        os.close(descriptor)


def _without_directory(folder: Folder, name: str, found: Content) -> Content:
    """What is at the path, after an empty directory there was removed."""
    if found.status is None or not stat.S_ISDIR(found.status.st_mode) or opening.is_link(found.status):
        return found
    _remove(folder, name, found)
    return NOTHING


def _remove(folder: Folder, name: str, found: Content) -> None:
    if found.status is None:
        return
    if stat.S_ISDIR(found.status.st_mode) and not opening.is_link(found.status):
        path, dir_fd = at(folder, name)
        os.rmdir(path, dir_fd=dir_fd)
    else:
        remove(folder, name, found)


def _make_directory(folder: Folder, name: str, wanted: PathState) -> None:
    path, dir_fd = at(folder, name)
    os.mkdir(path, 0o700, dir_fd=dir_fd)
    descriptor = opening.opened_list(folder, name)
    if isinstance(descriptor, str):
        return
    try:
        set_mode(descriptor, os.fstat(descriptor).st_mode & 0o7000 | wanted.mode & BITS)
    finally:
        os.close(descriptor)
