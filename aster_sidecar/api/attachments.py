"""API calls about attachments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import FileIO

from aster_sidecar.contract import wire
from aster_sidecar.conversation.attachments import Attachments


class AttachmentCalls:
    """Calls about files that people attach to messages."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    async def upload(self, name: str, pieces: AsyncIterator[bytes]) -> wire.AttachmentInfo:
        """Keep a file for a message. Raises: InvalidShape, BodyTooLarge, StoreError."""
        return await self._attachments.receive(name, pieces)

    async def download(self, attachment_id: str) -> tuple[wire.AttachmentInfo, FileIO]:
        """A file, to be read from its beginning; the caller closes it. Raises: AttachmentNotFound, StoreError."""
        return self._attachments.find(attachment_id), await self._attachments.opened(attachment_id)
