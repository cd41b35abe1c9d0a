"""What is at a path now, compared with recorded states. Nothing is kept, and no link is followed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import OrderedDict
from pathlib import Path

from aster_sidecar.ledger.path_state import NOTHING, PathState
from aster_sidecar.tools import opening
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.opening import Folder, at

REMEMBERED = 20_000
"""Of how many files the hash is remembered."""

Identity = tuple[int, int, int, int, int]


class Looker:
    """Looks at paths. A file is only read again when its status has changed. Use it in one thread at a time."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[Identity, str] = OrderedDict()

    def look(self, path: Path, *states: PathState) -> PathState | None:
        """The state of a path; None if it can't be read. A file with the size of none of `states` is not read.

        It blocks.
        """
        try:
            with opening.opened_folder(path.parent) as folder:
                return self._look(folder, path.name, {state.size for state in states if state.type == "file"})
        except (OSError, ToolError) as error:
            return NOTHING if is_missing(path, error) else None

    def _look(self, folder: Folder, name: str, sizes: set[int]) -> PathState | None:
        found = opening.status(folder, name)
        if found is None:
            return NOTHING
        mode = stat.S_IMODE(found.st_mode)
        if opening.is_link(found):
            path, dir_fd = at(folder, name)
            text = os.fsencode(os.readlink(path, dir_fd=dir_fd))
            return PathState("link", len(text), mode, hashlib.sha256(text).hexdigest())
        if stat.S_ISDIR(found.st_mode):
            return PathState("directory", 0, mode)
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_size not in sizes:
            return PathState("file", found.st_size, mode)
        return PathState("file", found.st_size, mode, self._hash(folder, name))

    def _hash(self, folder: Folder, name: str) -> str:
        with open(opening.opened_file(folder, name), "rb") as file:
            found = os.fstat(file.fileno())
            identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._hashes.get(identity)
            if known is None:
                known = hashlib.file_digest(file, "sha256").hexdigest()
            self._hashes[identity] = known
            self._hashes.move_to_end(identity)
            if len(self._hashes) > REMEMBERED:
                self._hashes.popitem(last=False)
            return known


def is_missing(path: Path, error: OSError | ToolError) -> bool:
    """Whether an error at a path means that nothing can be there: a directory above it is missing, or is a file."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, FileNotFoundError):
        return True
    if not isinstance(cause, NotADirectoryError):
        return False
    for folder in reversed(path.parents):
        try:
            found = os.lstat(folder)
        except OSError:
            return False
        if not stat.S_ISDIR(found.st_mode):
            return not opening.is_link(found)
    return False
