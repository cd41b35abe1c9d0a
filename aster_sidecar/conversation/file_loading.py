"""Puts the files into a request to a model, in place of the references in the history, for the engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pydantic_ai import BinaryContent
from pydantic_ai.messages import ModelMessage

from aster_sidecar.conversation.attachments import Attachments
from aster_sidecar.conversation.file_references import (
    MOST_TEXT_BYTES,
    SCHEME,
    Reference,
    fact,
    note,
    number,
    references,
    replaced,
)
from aster_sidecar.errors import StoreError
from aster_sidecar.models.file_marks import EncodedFiles, FilledBody, mark
from aster_sidecar.text.media_types import IMAGES, PDF

log = logging.getLogger(__name__)

GONE = "it can't be read any more"
UNKNOWN = "models do not take files of its type"
CACHED_S = 120.0
"""How long files stay in memory after a request."""


class Files:
    """The files of all attachments, as requests need them."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments
        self._refused: dict[str, frozenset[str]] = {}
        self._encoded = EncodedFiles(attachments.read_checked)
        self._forgetting: asyncio.TimerHandle | None = None

    def leave_out(self, model: str, addresses: frozenset[str], *, instead_of: frozenset[str] = frozenset()) -> None:
        """A model's provider refused one of these files, not `instead_of`: later requests go without them."""
        self._refused[model] = (self.refused_by(model) - instead_of) | addresses

    def refused_by(self, model: str) -> frozenset[str]:
        """The addresses of files that later requests to a model go without, until the daemon ends."""
        return self._refused.get(model, frozenset())

    async def put_in(self, messages: Sequence[ModelMessage], *, marks: bool) -> list[ModelMessage]:
        """The messages with files in place of references. A file that can't be read is replaced by a note.

        `marks`: images and PDFs are marks (`models.file_marks`), which `fill` replaces in the request's body.
        """
        wanted = {item.url: item for message in messages for item in references(message)}
        if not wanted:
            return list(messages)
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(CACHED_S, self._encoded.forget)
        found = await asyncio.to_thread(self._load, wanted, marks)
        return replaced(messages, lambda item: found[item.url])

    def _load(self, wanted: dict[str, Reference], marks: bool) -> dict[str, str | BinaryContent]:
        found: dict[str, str | BinaryContent] = {}
        for url, item in wanted.items():
            try:
                if fact(item, "kind") == "text":
                    found[url] = self._text(item)
                elif item.media_type in (*IMAGES, PDF):
                    found[url] = self._binary(item, marks)
                else:  # its message was not sent, but it is in the history
                    found[url] = note(item, UNKNOWN)
            except (StoreError, ValueError) as error:
                log.warning("an attachment can't be sent to the model: %s", error)
                found[url] = note(item, GONE)
        return found

    def _text(self, item: Reference) -> str:
        """The text of a file, or its beginning. Raises: StoreError."""
        content = self._attachments.read(fact(item, "sha256"))
        text = content[:MOST_TEXT_BYTES].decode("utf-8-sig", "ignore")
        if len(content) <= MOST_TEXT_BYTES:
            return text or "(no text)"
        return f"{text}\n[only the first {MOST_TEXT_BYTES} of its {len(content)} bytes are here]"

    def _binary(self, item: Reference, marks: bool) -> BinaryContent:
        """An image or a PDF. Raises: StoreError, ValueError."""
        sha256 = fact(item, "sha256")
        if marks:
            size = number(item, "size")
            self._attachments.check(sha256, size)
            data = mark(sha256, size)
        else:
            data = self._attachments.read(sha256)
        return BinaryContent(data, media_type=item.media_type, identifier=item.url.removeprefix(SCHEME))

    def fill(self, body: bytes, *, url_safe: bool) -> FilledBody:
        """A request's body with the files in place of their marks."""
        return FilledBody(body, self._encoded, url_safe=url_safe)
