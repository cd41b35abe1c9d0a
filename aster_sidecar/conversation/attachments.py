"""Files that people attach to messages: kept once per content, and deleted with the last message that refers to them.

An attachment to which no message refers is deleted after a day.
"""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from collections.abc import AsyncIterator, Collection, Iterable
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.conversation import images
from aster_sidecar.conversation.pdf_pages import count_pages
from aster_sidecar.errors import AttachmentNotFound, BodyTooLarge, InvalidShape, Stopping, StoreError
from aster_sidecar.store.contents import Contents, Incoming
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import attachments as rows
from aster_sidecar.store.rows.attachments import AttachmentRow
from aster_sidecar.text.media_types import BINARY, IMAGES, PDF, Sniffer

log = logging.getLogger(__name__)

MOST_BYTES = 25 * 1024 * 1024
UNUSED_S = 24 * 3600.0
"""How long an attachment is kept to which no message refers."""
CHECK_S = 3600.0
PIECE_BYTES = 1 << 20
NAME_BYTES = 255
FOLDER = "attachments"
"""In the data directory."""


class Attachments:
    """All attachments."""

    def __init__(self, journal: Journal, data_dir: Path) -> None:
        self._journal = journal
        self._contents = Contents(data_dir / FOLDER)
        self._alarm: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._again = False
        """Whether there is something to delete since the work began."""
        self._looking = asyncio.Lock()
        """Held while an image is decoded: one at a time, so that many need no more memory than one."""
        self._finishing = asyncio.Lock()
        """Held while a content gets its row, or loses its last one: no content is removed while it becomes needed."""
        self._receiving: set[asyncio.Timeout] = set()
        """The limits of uploads under way; `close` ends them by these."""
        self._closed = False
        self._going: set[str] = set()
        """Attachments that are being deleted, because no message refers to them: none may do so any more."""

    def open(self) -> None:
        """Remove what a crash has left, and begin to delete unused attachments. Raises: StoreError.

        With another store beside this one, all contents stay: that store may need them when a person restores it.
        """
        others = self._journal.has_others()
        self._contents.sweep(None if others else self._journal.rows(rows.select_contents()))
        self._watch(1.0)

    def close(self) -> None:
        """Stop deleting unused attachments, and end uploads."""
        self._closed = True
        for limit in self._receiving:
            limit.reschedule(0.0)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._work is not None:
            self._work.cancel()

    async def receive(self, name: str, pieces: AsyncIterator[bytes]) -> wire.AttachmentInfo:
        """Keep a file that arrives in pieces. It is on disk when this returns.

        Raises: InvalidShape for an empty file or an image with too many pixels, BodyTooLarge, Stopping, StoreError.
        """
        if self._closed:
            raise Stopping("the daemon is stopping")
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._receiving.add(limit)
                return await self._receive(name, pieces)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Stopping("the daemon is stopping") from error
        finally:
            self._receiving.discard(limit)

    async def _receive(self, name: str, pieces: AsyncIterator[bytes]) -> wire.AttachmentInfo:
        incoming = await asyncio.to_thread(self._contents.begin)
        scaled: Incoming | None = None
        try:
            sniffer = await self._fill(incoming, pieces)
            if incoming.size == 0:
                raise InvalidShape("the file is empty", hint="attach a file with content")
            found = await self._look(incoming, sniffer.media_type())
            if found.scaled is not None:
                scaled = await asyncio.to_thread(self._contents.begin)
                await asyncio.to_thread(scaled.write, found.scaled)
            async with self._finishing:
                stored: list[str] = []
                try:
                    for part in (incoming, scaled):
                        if part is not None:
                            stored.append(await asyncio.to_thread(part.finish))
                    return await self._record(stored, safe_name(name), found, incoming.size)
                except StoreError:
                    await self._remove_unneeded(stored)
                    raise
        finally:
            for part in (incoming, scaled):
                if part is not None:
                    await asyncio.shield(asyncio.to_thread(part.discard))

    async def _fill(self, incoming: Incoming, pieces: AsyncIterator[bytes]) -> Sniffer:
        sniffer, gathered = Sniffer(), bytearray()

        def take(piece: bytes) -> None:
            sniffer.feed(piece)
            incoming.write(piece)

        async for piece in pieces:
            gathered += piece
            if incoming.size + len(gathered) > MOST_BYTES:
                raise BodyTooLarge("the file is too large", hint=f"an attachment has at most {MOST_BYTES >> 20} MiB")
            if len(gathered) >= PIECE_BYTES:
                await asyncio.to_thread(take, bytes(gathered))
                gathered.clear()
        await asyncio.to_thread(take, bytes(gathered))
        return sniffer

    async def _look(self, incoming: Incoming, media_type: str) -> Found:
        """Find out what a file is whose content looks like this type. Raises: InvalidShape, StoreError."""
        if media_type not in (*IMAGES, PDF):
            return Found(media_type)
        async with self._looking:
            work = asyncio.ensure_future(asyncio.to_thread(examine, incoming, media_type))
            try:
                return await asyncio.shield(work)
            finally:
                await asyncio.wait([work])  # a thread can't be stopped, and the next image waits for its memory

    async def _record(self, stored: list[str], name: str, found: Found, size: int) -> wire.AttachmentInfo:
        """Insert the row. `stored` has the SHA-256 of the file and, if there is one, that of the scaled image."""
        ends = clock.Deadline.after(UNUSED_S)
        row = AttachmentRow(
            attachment_id=clock.new_id("att"),
            sha256=stored[0],
            name=name,
            media_type=found.media_type,
            size=size,
            width=found.width,
            height=found.height,
            pages=found.pages,
            scaled_sha256=stored[1] if found.scaled is not None else None,
            scaled_type=found.scaled_type,
            scaled_size=len(found.scaled) if found.scaled is not None else None,
            created_at=clock.stamp(),
            expires_at=ends.at,
            due_s=ends.due_s,
            boot=clock.boot(),
        )
        self._journal.put(writes=[rows.insert_attachment(row)])
        await self._journal.commit()
        return info(row)

    async def _remove_unneeded(self, contents: Collection[str]) -> None:
        """Remove those of these contents that no row needs. Call it while `_finishing` is held. Raises: StoreError."""
        needed = set(self._journal.rows(rows.select_contents()))
        for sha256 in set(contents) - needed:
            await asyncio.to_thread(self._contents.remove, sha256)

    def find(self, attachment_id: str) -> wire.AttachmentInfo:
        """Raises: AttachmentNotFound, StoreError."""
        return info(self._row(attachment_id))

    def _row(self, attachment_id: str) -> AttachmentRow:
        row = self._journal.first(rows.select_attachment(attachment_id))
        if row is None or attachment_id in self._going:
            raise AttachmentNotFound(f"attachment not found: {attachment_id[:100]!r}")
        return row

    def of_call(self, message_id: str, call_id: str) -> tuple[AttachmentRow, ...]:
        """The files in the result of a tool call. Raises: StoreError."""
        return tuple(self._journal.rows(rows.select_of_call(message_id, call_id)))

    async def keep(self, name: str, content: bytes) -> AttachmentRow:
        """Keep a file that is in memory. The caller puts `insert_use` before it waits for anything.

        Raises: InvalidShape for an empty file or an image of too many pixels, BodyTooLarge, StoreError.
        """

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        return self._row((await self.receive(name, pieces())).attachment_id)

    def to_use(self, attachment_ids: Iterable[str]) -> tuple[AttachmentRow, ...]:
        """The files for a message, each once; the caller puts `insert_use` before it waits for anything.

        Raises: AttachmentNotFound, StoreError.
        """
        return tuple(self._row(attachment_id) for attachment_id in dict.fromkeys(attachment_ids))

    def of_message(self, message_id: str) -> tuple[AttachmentRow, ...]:
        """The files of a message, in their order. Raises: StoreError."""
        return tuple(self._journal.rows(rows.select_of_message(message_id)))

    async def opened(self, attachment_id: str) -> FileIO:
        """The file, to be read from its beginning; the caller closes it. Raises: AttachmentNotFound, StoreError."""
        return await asyncio.to_thread(self._contents.opened, self._row(attachment_id).sha256)

    def read(self, sha256: str) -> bytes:
        """A content; blocks. Raises: StoreError."""
        return self._contents.read(sha256)

    def read_checked(self, sha256: str) -> bytes:
        """A content after `check`; blocks. Raises: StoreError."""
        return self._contents.read_checked(sha256)

    def check(self, sha256: str, size: int) -> None:
        """Raises: StoreError when a content can't be read, or was changed; blocks, but reads it only the first time."""
        self._contents.check(sha256, size)

    # -- deletion ------------------------------------------------------------------------------------------------------

    def check_soon(self) -> None:
        """Messages were deleted: delete the attachments to which none refers any more."""
        if self._alarm is not None:
            self._watch(0.0)

    def _watch(self, after_s: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(after_s, self._check)

    def _check(self) -> None:
        self._watch(CHECK_S)
        self._again = True
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._delete_unused())

    async def _delete_unused(self) -> None:
        try:
            while self._again:
                self._again = False
                unused = self._journal.rows(rows.select_unused())
                await self._delete([row.attachment_id for row in unused if row.used or is_over(row)])
        except Exception as error:  # the store may be unavailable; the next check tries again
            log.warning("unused attachments could not be deleted", exc_info=error)
        finally:
            self._work = None

    async def _delete(self, attachment_ids: list[str]) -> None:
        """Delete those of these attachments to which no message refers, and contents that nothing needs any more.

        Raises: StoreError.
        """
        if not attachment_ids:
            return
        async with self._finishing:
            found = [self._journal.first(rows.select_attachment(attachment_id)) for attachment_id in attachment_ids]
            self._going.update(attachment_ids)
            try:
                self._journal.put(writes=[rows.delete_if_unused(attachment_id) for attachment_id in attachment_ids])
                await self._journal.commit()
            finally:
                self._going.difference_update(attachment_ids)
            contents = [sha256 for row in found if row is not None for sha256 in (row.sha256, row.scaled_sha256)]
            await self._remove_unneeded([sha256 for sha256 in contents if sha256 is not None])


class Found(NamedTuple):
    """What a file is; the fields are those of `rows.AttachmentRow`, and `scaled` has the scaled image's bytes."""

    media_type: str
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    scaled: bytes | None = None
    scaled_type: str | None = None


def examine(incoming: Incoming, media_type: str) -> Found:
    """Look into an image or a PDF. It blocks. Raises: InvalidShape, StoreError."""
    with incoming.reader() as file:
        if media_type == PDF:
            return Found(media_type, pages=count_pages(file))
        looked = images.look(file, incoming.size, media_type)
    # A broken image is a file: as an image it would make each later request to the model fail.
    return Found(BINARY) if looked is None else Found(media_type, looked.width, looked.height, None, *looked[2:])


def is_over(row: AttachmentRow) -> bool:
    """Whether an attachment that nothing refers to has been kept long enough; one with damaged times has."""
    try:
        return clock.Deadline.restored(row.created_at, row.expires_at, row.boot, row.due_s).over
    except (ValueError, TypeError):
        return True


def info(row: AttachmentRow) -> wire.AttachmentInfo:
    """The attachment as clients see it."""
    return wire.AttachmentInfo(
        attachment_id=row.attachment_id,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        width=row.width,
        height=row.height,
    )


def safe_name(given: str) -> str:
    """A file's name without directories, control characters and characters that reorder text; at most 255 bytes."""
    last = given.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")).strip()
    if shown in ("", ".", ".."):
        return "file"
    stem, dot, suffix = shown.rpartition(".")
    if not stem or len(suffix.encode()) > 20:
        stem, dot, suffix = shown, "", ""
    room = NAME_BYTES - len((dot + suffix).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + suffix
