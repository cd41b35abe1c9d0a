"""Looks at what is at a path, and keeps its content. No link is followed, and nothing is opened that could block."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from aster_sidecar.errors import StoreError
from aster_sidecar.ledger.path_state import NOTHING, PathState
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.text.safe_text import sized
from aster_sidecar.tools import opening
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.opening import Folder, at

MOST_FILE_BYTES = 32 << 20
"""A larger file is not kept."""


class Look(NamedTuple):
    """What was found at a name. `data`: the content that `state` is of, which is still to be kept; None if it has none.

    `steady`: the file did not change while it was read.
    """

    state: PathState
    data: bytes | None = None
    steady: bool = True


def state_of(path: Path, files: KeptFiles | None) -> PathState:
    """The state of a path. Its content is kept in `files`; None: it is not kept, as `why_not_kept` says.

    It blocks, and never raises for what is at the path.
    """
    if not path.name:
        return PathState("directory", 0, stat.S_IMODE(os.lstat(path).st_mode))
    try:
        with opening.opened_folder(path.parent) as folder:
            found = opening.status(folder, path.name)
            look = Look(NOTHING) if found is None else look_at(folder, path.name, found)
    except (OSError, ToolError) as error:
        return _hidden(path, error)
    state = look.state
    if look.data is None or state.sha256 is None:
        return state
    if files is None:
        return state._replace(kept=False, why_not_kept="its content was not kept")
    try:
        files.keep_hashed({state.sha256: look.data})
    except StoreError as error:
        return state._replace(kept=False, why_not_kept=error.message)
    return state


def _hidden(path: Path, error: OSError | ToolError) -> PathState:
    """The state of a path whose directory can't be opened without following a link."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return NOTHING
    except OSError:
        return PathState("file", kept=False, why_not_kept=f"it can't be read: {_words(error)}")
    kind = "link" if opening.is_link(found) else "directory" if stat.S_ISDIR(found.st_mode) else "file"
    mode = stat.S_IMODE(found.st_mode)
    return PathState(kind, found.st_size, mode, kept=False, why_not_kept=f"it can't be read: {_words(error)}")


def look_at(folder: Folder, name: str, found: os.stat_result) -> Look:
    """What is at a name in a directory. `found`: its status. Never raises: what can't be read has a reason."""
    mode = stat.S_IMODE(found.st_mode)
    try:
        if opening.is_link(found):
            path, dir_fd = at(folder, name)
            text = os.fsencode(os.readlink(path, dir_fd=dir_fd))
            return Look(PathState("link", len(text), mode, hashlib.sha256(text).hexdigest()), text)
        if stat.S_ISDIR(found.st_mode):
            return Look(PathState("directory", 0, mode))
        if not stat.S_ISREG(found.st_mode):
            why = f"it is {opening.kind(found)}, not a regular file"
            return Look(PathState("file", 0, mode, kept=False, why_not_kept=why))
        if found.st_size > MOST_FILE_BYTES:
            return Look(_too_large(found.st_size, mode))
        return _read(folder, name, found)
    except FileNotFoundError:
        return Look(NOTHING, steady=False)
    except (OSError, ToolError) as error:
        kind = "link" if opening.is_link(found) else "file"
        why = f"it can't be read: {_words(error)}"
        return Look(PathState(kind, found.st_size, mode, kept=False, why_not_kept=why))


def _read(folder: Folder, name: str, found: os.stat_result) -> Look:
    path, dir_fd = at(folder, name)
    descriptor = os.open(path, opening.READ, dir_fd=dir_fd)
    try:
        opening.regular(os.fstat(descriptor), name)
        pieces: list[bytes] = []
        size, wanted = 0, found.st_size + 1
        while size <= MOST_FILE_BYTES and (piece := os.read(descriptor, wanted)):
            pieces.append(piece)
            size += len(piece)
            wanted = 1 << 20
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    mode = stat.S_IMODE(after.st_mode)
    if size > MOST_FILE_BYTES:
        return Look(_too_large(size, mode), steady=False)
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    steady = (after.st_size, after.st_mtime_ns, after.st_mode) == (found.st_size, found.st_mtime_ns, found.st_mode)
    if os.name != "nt":  # where a directory's entry has neither
        steady = steady and (after.st_ctime_ns, after.st_ino) == (found.st_ctime_ns, found.st_ino)
    return Look(PathState("file", size, mode, hashlib.sha256(data).hexdigest()), data, steady)


def _too_large(size: int, mode: int) -> PathState:
    why = f"it has {sized(size)}, and files of more than {sized(MOST_FILE_BYTES)} are not kept"
    return PathState("file", size, mode, kept=False, why_not_kept=why)


def _words(error: OSError | ToolError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
