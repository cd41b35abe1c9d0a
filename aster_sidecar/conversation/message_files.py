"""The files of a person's message, for `turns`: found or stored when it is sent, and restored after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from io import FileIO
from pathlib import Path

from aster_sidecar.contract import wire
from aster_sidecar.conversation.attachments import PIECE_BYTES, Attachments, info
from aster_sidecar.conversation.run_request import Prompt
from aster_sidecar.errors import AsterError, InvalidShape
from aster_sidecar.store.rows.attachments import AttachmentRow, UseRow, insert_use
from aster_sidecar.store.sql import Write
from aster_sidecar.text.media_types import IMAGES
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools import opening, paths
from aster_sidecar.tools.base import Surroundings, ToolError


class MessageFiles:
    """Finds the files that a message names. `surroundings` returns where the tools of a session work, by its id."""

    def __init__(self, attachments: Attachments, surroundings: Callable[[str], Surroundings]) -> None:
        self._attachments = attachments
        self._surroundings = surroundings

    async def store(self, named: Sequence[wire.AttachmentRef], session_id: str) -> list[str]:
        """The ids of the files. Those named by a path in the session's folder are stored as they are now.

        `session_id` "": the daemon's folder. Raises: InvalidShape, BodyTooLarge, StoreError.
        """
        ids: list[str] = []
        for number, ref in enumerate(named):
            if ref.attachment_id is not None:
                ids.append(ref.attachment_id)
                continue
            try:
                stored = await self._store(ref.path or "", session_id)
            except AsterError as error:
                error.message = f"attachments.{number}: {error.message}"
                raise
            ids.append(stored.attachment_id)
        return ids

    async def _store(self, asked: str, session_id: str) -> wire.AttachmentInfo:
        try:
            path, file = await asyncio.to_thread(opened, asked, self._surroundings(session_id))
        except (ToolError, OSError) as error:
            raise InvalidShape(str(error), hint="name a file in the session's folder, or upload it") from error
        with file:
            return await self._attachments.receive(path.name, pieces(file))

    def of_ids(self, attachment_ids: Sequence[str]) -> tuple[AttachmentRow, ...]:
        """The files. The caller puts `uses` before it waits for anything. Raises: AttachmentNotFound, StoreError."""
        return self._attachments.to_use(attachment_ids)

    def prompt(self, text: str, message_id: str) -> Prompt:
        """A recorded message, with its files. Raises: StoreError."""
        return Prompt(text, self._attachments.of_message(message_id))


def opened(asked: str, surroundings: Surroundings) -> tuple[Path, FileIO]:
    """The canonical path of a file in the session's folder, and the opened file. Raises: ToolError, OSError."""
    place = paths.look(asked, surroundings)
    if place.forbidden is not None:
        raise ToolError(place.forbidden)
    if not place.inside:
        raise ToolError(f"{shown(place.path)} is outside the session's folder {shown(surroundings.work_dir)}")
    if not place.path.name:
        raise ToolError(f"{shown(place.path)} is a directory")
    with opening.opened_folder(place.path.parent) as folder:
        try:
            return place.path, FileIO(opening.opened_file(folder, place.path.name))
        except OSError as error:
            raise opening.refused(place.path, error) from error


async def pieces(file: FileIO) -> AsyncIterator[bytes]:
    """The content of a file in pieces. Raises: InvalidShape if it can't be read."""
    while True:
        try:
            piece = await asyncio.to_thread(file.read, PIECE_BYTES)
        except OSError as error:
            raise InvalidShape(f"the file could not be read: {error.strerror or error}") from error
        if not piece:
            return
        yield piece


def parts(text: str, files: Sequence[AttachmentRow]) -> list[wire.Part]:
    """The parts of a person's message."""
    found: list[wire.Part] = [wire.TextPart(text=text)] if text or not files else []
    return [*found, *(part(row) for row in files)]


def part(row: AttachmentRow) -> wire.ImagePart | wire.FilePart:
    """A file as a part of a message."""
    kind = wire.ImagePart if row.media_type in IMAGES else wire.FilePart
    return kind(**info(row).model_dump())


def uses(message_id: str, files: Sequence[AttachmentRow]) -> list[Write]:
    """The writes that record that a message refers to its files."""
    return [insert_use(UseRow(message_id, row.attachment_id, n)) for n, row in enumerate(files)]
