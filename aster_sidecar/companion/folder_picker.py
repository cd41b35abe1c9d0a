"""The directories that a person can choose as the folder of a conversation."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import string
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aster_sidecar.config.settings import ANY_FOLDER, folder_in_request
from aster_sidecar.contract import wire
from aster_sidecar.errors import InvalidShape
from aster_sidecar.text.folding import fold
from aster_sidecar.text.path_names import misnamed

FOLDERS_MOST = 1_000
"""The most folders in an answer."""
ENTRIES_MOST = 4_000
"""The most directories and links whose properties are read for an answer."""
MARKS = (".git", ".aster")
"""What makes a directory a project."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What is in a directory: `paths` of directories and links, sorted, at most `ENTRIES_MOST`.

    `unnamed`: how many directories were left out because their names are not UTF-8.
    """

    path: str
    paths: list[str]
    truncated: bool
    unnamed: int


def scan(given: str, *, hidden: bool) -> Scan:
    """The directories and links in a directory, `hidden` ones too. Raises: InvalidShape."""
    path = folder_in_request(given, "path")
    names: list[str] = []
    unnamed = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # removed meanwhile
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if not (is_folder or entry.is_symlink()) or not (hidden or not is_hidden(entry)):
                        continue
                    if misnamed(entry.name) is None:
                        names.append(entry.name)
                    else:
                        unnamed += is_folder
    except OSError as error:
        raise InvalidShape(f"path: {path[:200]!r}: {error.strerror or error}", hint=f"choose {ANY_FOLDER}") from error
    names.sort(key=as_people_sort)
    paths = [os.path.join(path, name) for name in names[:ENTRIES_MOST]]
    return Scan(path, paths, len(names) > ENTRIES_MOST, unnamed)


def look(path: str) -> wire.FolderInfo | None:
    """What a person sees of a directory, or of a link to one; None if it is neither."""
    if not os.path.isdir(path):
        return None
    usable = os.access(path, os.R_OK | os.X_OK)
    if usable and os.path.islink(path):
        usable = misnamed(os.path.realpath(path)) is None
    return wire.FolderInfo(
        name=os.path.basename(path) or path,
        path=path,
        project=usable and any(os.path.exists(os.path.join(path, mark)) for mark in MARKS),
        usable=usable,
    )


def unanswered(path: str) -> wire.FolderInfo:
    """What a person sees of a directory that did not answer in time."""
    return wire.FolderInfo(name=os.path.basename(path) or path, path=path, project=False, usable=False)


def as_people_sort(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key: case and accents don't count, and numbers count as numbers."""
    parts = re.split(r"([0-9]+)", fold(name))
    key = [(0, int(part), "") if place % 2 else (1, 0, part) for place, part in enumerate(parts) if part]
    return key, name


def is_hidden(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is hidden: by its name, on Windows and macOS also by its attributes. Raises: OSError."""
    if entry.name.startswith("."):
        return True
    if sys.platform == "linux":
        return False
    status = entry.stat(follow_symlinks=False)
    attributes = getattr(status, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN
    return bool(attributes or getattr(status, "st_flags", 0) & stat.UF_HIDDEN)


def parent_of(path: str) -> str | None:
    """The directory above; None for a root."""
    above = os.path.dirname(path)
    return above if above != path else None


def roots() -> list[str]:
    """Where the file system begins: the drives on Windows."""
    if sys.platform != "win32":
        return ["/"]
    import ctypes

    present = ctypes.windll.kernel32.GetLogicalDrives()
    return [f"{letter}:\\" for place, letter in enumerate(string.ascii_uppercase) if present >> place & 1]


def home(environment: Mapping[str, str]) -> str | None:
    """The person's home directory; None if it is not known."""
    found = environment.get("HOME") or os.path.expanduser("~")
    return found if Path(found).is_absolute() and misnamed(found) is None else None
