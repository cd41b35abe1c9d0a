"""The files for the next message: read from this machine's disk and uploaded at once."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.choices import typed_path
from aster_sidecar.cli.chat.connection import Connection, Json
from aster_sidecar.cli.chat.file_lines import line_of
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.views import View

MOST_BYTES = 25 << 20
"""The largest file that the daemon takes."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that was read. `name` has no directory."""

    name: str
    content: bytes


class Unreadable(Exception):
    """The file can't be attached; the text says why."""


def read(path: str) -> LocalFile:
    """Read a file of at most 25 MiB; `~` is the home directory. Raises: Unreadable."""
    place = Path(os.path.expanduser(path))
    try:
        with place.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable(texts.not_attached(plain(path), texts.NOT_A_FILE))
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with NUL is a ValueError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(texts.not_attached(plain(path), reason)) from error
    if len(content) > MOST_BYTES:
        raise Unreadable(texts.not_attached(plain(path), texts.too_large(MOST_BYTES)))
    return LocalFile(place.name, content)


class Files:
    """The files that go with the next message."""

    def __init__(self, connection: Connection, view: View) -> None:
        self._connection = connection
        self._view = view
        self._ready: list[Json] = []
        """What the daemon returned for each."""

    async def attach(self, path: str) -> None:
        """Attach a file, or list the attached ones without a path; with `-` none any more.

        Raises: Refused, Unreachable.
        """
        if path == "-":
            self._ready.clear()
            self._view.note(texts.NOTHING_ATTACHED)
        elif not path:
            for file in self._ready:
                self._view.note(texts.attached(line_of(file)))
            self._view.note(texts.ATTACH_TAKES)
        else:
            try:
                file = await asyncio.to_thread(read, typed_path(path))
            except Unreadable as error:
                self._view.note(texts.trouble("✗", str(error)), "red")
                return
            await self.upload(file)

    async def upload(self, file: LocalFile) -> None:
        """Attach a file that was read. Raises: Refused, Unreachable."""
        self.add([await self._connection.upload(file.name, file.content)])

    def add(self, files: list[Json]) -> None:
        """Attach files that the daemon has."""
        for file in files:
            self._ready.append(file)
            self._view.note(texts.attached(line_of(file)))

    def take(self) -> list[Json]:
        """The files for a message that is about to be sent; the next one has none."""
        taken, self._ready = self._ready, []
        return taken

    def put_back(self, files: list[Json]) -> None:
        """Keep the files of a message that was refused or taken out for the next one."""
        self._ready = files + self._ready

    def remove(self, files: list[Json]) -> None:
        """Keep these files no longer for the next message."""
        ids = {file["attachment_id"] for file in files}
        self._ready = [file for file in self._ready if file["attachment_id"] not in ids]
