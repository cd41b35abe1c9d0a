"""Files between the browser and the folders of conversations.

The browser reads and writes files in one directory of its own, which no tool can reach. What it saved for a
conversation is moved to `downloads` in the conversation's folder, and files for a page are lent to it from there.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.opening import CREATE, READ, Folder, at, opened_folder
from aster_sidecar.tools.sensitive_places import holds_secrets, is_beneath

DOWNLOADS = "downloads"
"""The directory in the folder of a conversation."""
LENT = "uploads"
"""The directory for lent files, in that of the browser."""
SAME_NAME_MOST = 1000
BEGUN = re.compile(r"^- Downloading file (.+) \.\.\.$", re.MULTILINE)
SAVED = re.compile(r'^- Downloaded file (.+) to "(.+)"$', re.MULTILINE)
"""How the server reports downloads."""


class Exchange:
    """The browser's directory, `directory`. All functions block; one thread at a time may call them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._owners: dict[str, Path] = {}
        """By the name of a download that has begun: the folder of the conversation that began it."""
        self._last: Path | None = None
        """The folder of the last call."""
        self._lent = 0

    def lend(self, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """The arguments of a call for the server: with its own paths of files that are in the folder `folder`.

        Raises: ToolError for a file that the browser may not get.
        """
        self._last = folder
        lent = dict(values)
        if isinstance(values.get("paths"), list):
            lent["paths"] = [self._lend(one, folder) for one in cast("list[Any]", values["paths"])]
        name = values.get("filename")
        if isinstance(name, str):
            place = folder / name
            inside = next((base for base in (folder / DOWNLOADS, folder) if is_beneath(place, base)), None)
            lent["filename"] = str(place.relative_to(inside)) if inside is not None else place.name
        return lent

    def _lend(self, given: Any, folder: Path) -> str:
        if not isinstance(given, str):
            raise ToolError("paths: each is a text")
        try:
            path = (folder / Path(given).expanduser()).resolve(strict=True)
            if not is_beneath(path, folder.resolve()):
                raise ToolError(f"a file for the browser has to be in the folder of the conversation: {shown(given)}")
            if holds_secrets(path):
                raise ToolError(f"the browser gets no files that may hold secrets: {shown(given)}")
            self._lent += 1
            place = self.directory / LENT / str(self._lent) / path.name
            place.parent.mkdir(parents=True)
            with opened_folder(path.parent) as source, open(_opened(source, path.name), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise ToolError(f"it is not a file: {shown(given)}")
                with place.open("xb") as copy:
                    shutil.copyfileobj(file, copy)
        except (OSError, ValueError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ToolError(f"{shown(given)} can't be read: {reason}") from error
        return str(place)

    def hand_over(self, result: Any, folder: Path) -> tuple[Any, list[str]]:
        """Move the files that a result names to the folder of the conversation.

        Returns the result with their new paths, and a sentence for each file that could not be moved.
        """
        texts = list(_texts(result))
        owners: dict[str, Path] = {}
        for text in texts:
            for begun in BEGUN.finditer(text):
                self._owners.setdefault(begun[1], folder)
            for saved in SAVED.finditer(text):
                owners[saved[2]] = self._owners.pop(saved[1], folder)
        moved: dict[str, str] = {}
        troubles: list[str] = []
        for file in self._files():
            path = str(file)
            if any(_names(path).search(text) for text in texts):
                try:
                    moved[path] = str(self._move(file, owners.get(path, folder)))
                except (OSError, ToolError) as error:
                    troubles.append(_trouble(file, owners.get(path, folder), error))
        return _replaced(result, moved), troubles

    def clear(self, otherwise: Path) -> list[str]:
        """The browser has ended: move what it has saved, and forget what was lent.

        `otherwise` is the folder for files of which it is not known what they are for. Returns the sentences about
        files that could not be moved.
        """
        shutil.rmtree(self.directory / LENT, ignore_errors=True)
        troubles: list[str] = []
        for file in self._files():
            known = (self._owners.get(file.name), self._last)
            folder = next((one for one in known if one is not None and one.is_dir()), otherwise)
            try:
                self._move(file, folder)
            except (OSError, ToolError) as error:
                troubles.append(_trouble(file, folder, error))
        self._owners.clear()
        return troubles

    def _files(self) -> list[Path]:
        """What the browser has saved, without links."""
        found: list[Path] = []
        for place, folders, names in os.walk(self.directory):
            if place == str(self.directory) and LENT in folders:
                folders.remove(LENT)
            paths = (Path(place, name) for name in names)
            found += [path for path in paths if path.is_file() and not path.is_symlink()]
        return found

    def _move(self, file: Path, folder: Path) -> Path:
        """Move a file to `downloads` in a folder; nothing is replaced. Raises: OSError, ToolError."""
        target = folder / DOWNLOADS / file.parent.relative_to(self.directory)
        with opened_folder(target, create=True) as opened:
            name, copy = _created(opened, file.name)
            try:
                with open(copy, "wb") as out, file.open("rb") as source:
                    shutil.copyfileobj(source, out)
            except OSError:
                with suppress(OSError):
                    path, dir_fd = at(opened, name)
                    os.unlink(path, dir_fd=dir_fd)
                raise
        file.unlink()
        return target / name


def _opened(folder: Folder, name: str) -> int:
    """A file in an open folder, which must not be a link. Raises: OSError."""
    path, dir_fd = at(folder, name)
    return os.open(path, READ, dir_fd=dir_fd)


def _created(folder: Folder, wanted: str) -> tuple[str, int]:
    """A new file with this name, or with a number in it if there is one. Raises: OSError."""
    stem, suffix = os.path.splitext(wanted)
    name, number = wanted, 1
    while True:
        path, dir_fd = at(folder, name)
        try:
            return name, os.open(path, CREATE, 0o666, dir_fd=dir_fd)
        except FileExistsError:
            if number == SAME_NAME_MOST:
                raise
        number += 1
        name = f"{stem} ({number}){suffix}"


def _trouble(file: Path, folder: Path, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{shown(file.name)} could not be saved in {shown(str(folder / DOWNLOADS))}: {reason}."


def _names(path: str) -> re.Pattern[str]:
    """Finds this path in a text, but not a longer one."""
    return re.compile(re.escape(path) + r"(?=[\"')\]>\s]|$)")


def _texts(value: Any) -> Iterable[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast("dict[str, Any]", value).values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _texts(inner)


def _replaced(value: Any, moved: Mapping[str, str]) -> Any:
    """A JSON value with other paths in its texts."""
    if isinstance(value, str):
        for path, now in moved.items():
            value = _names(path).sub(lambda _, now=now: now, value)
        return value
    if isinstance(value, dict):
        return {key: _replaced(inner, moved) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_replaced(inner, moved) for inner in cast("list[Any]", value)]
    return value
