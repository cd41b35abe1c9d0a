"""Removes the temporary files that a killed daemon has left beside the files that it was changing."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from aster_sidecar import clock
from aster_sidecar.errors import StoreError
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.store.rows.changes import ChangeRow
from aster_sidecar.tools import opening
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.files.replacing import TEMPORARY
from aster_sidecar.tools.opening import Folder, at

log = logging.getLogger(__name__)

_NAME = re.compile(TEMPORARY.format("[0-9a-f]{16}").replace(".", r"\."))


def remove_leftovers(begun: Iterable[ChangeRow], files: KeptFiles) -> None:
    """Remove the temporary files in the directories of changes that had begun. It blocks.

    A temporary file can also be what another program wrote at the last moment. So it is removed only if its content is
    kept, or if a tool was changing the directory then: what a tool writes is not kept before it is done.
    """
    times: dict[Path, list[str]] = {}
    for row in begun:
        times.setdefault(Path(row.path).parent, []).extend([row.recorded_at] if row.source == "tool" else [])
    for path, recorded_at in times.items():
        try:
            since_s = clock.parse(min(recorded_at)).timestamp() if recorded_at else None
            with opening.opened_folder(path) as folder:
                for name in _listed(folder):
                    if _is_ours(folder, name, since_s, files):
                        target, dir_fd = at(folder, name)
                        os.unlink(target, dir_fd=dir_fd)
        except (OSError, ToolError, StoreError, ValueError) as error:
            log.info("temporary files may be left in %s: %s", path, error)


def _listed(folder: Folder) -> list[str]:
    descriptor = opening.opened_list(folder)
    try:
        return [name for name in os.listdir(descriptor) if _NAME.fullmatch(name)]
    finally:
        opening.closed(descriptor)


def _is_ours(folder: Folder, name: str, since_s: float | None, files: KeptFiles) -> bool:
    found = opening.status(folder, name)
    if found is None:
        return False
    if found.st_size == 0 or (since_s is not None and found.st_ctime >= since_s):
        return True
    if opening.is_link(found):
        target, dir_fd = at(folder, name)
        return files.has(hashlib.sha256(os.fsencode(os.readlink(target, dir_fd=dir_fd))).hexdigest())
    if not stat.S_ISREG(found.st_mode):
        return False
    with open(opening.opened_file(folder, name), "rb") as file:
        return files.has(hashlib.file_digest(file, "sha256").hexdigest())
