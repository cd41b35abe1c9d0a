"""Rows of `attachments` and `attachment_uses`: files that people attach, and the messages that refer to them."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write, columns, insert

USED = "SELECT attachment_id FROM attachment_uses"


class AttachmentRow(NamedTuple):
    """A file. `width` and `height` are in pixels, None if it is not an image; `pages` are those of a PDF.

    `scaled_sha256`, `scaled_type` and `scaled_size` are of the image that models get instead of it, if there is one.
    `expires_at`: when it is deleted unless a message refers to it; by `clock.real_s` at `due_s` in the run `boot`.
    `used`: 1 if a message has referred to it; then it is deleted with the last one that does.
    """

    attachment_id: str
    sha256: str
    name: str
    media_type: str
    size: int
    width: int | None
    height: int | None
    pages: int | None
    scaled_sha256: str | None
    scaled_type: str | None
    scaled_size: int | None
    created_at: str
    expires_at: str
    due_s: float | None
    boot: str | None
    used: int = 0


class UseRow(NamedTuple):
    """A message refers to an attachment, which is at a position among those of the message or of the call.

    `call_id`: the tool call whose result it is; None: a person attached it.
    """

    message_id: str
    attachment_id: str
    position: int
    call_id: str | None = None


def select_attachment(attachment_id: str) -> Query[AttachmentRow]:
    sql = f"SELECT {columns(AttachmentRow)} FROM attachments WHERE attachment_id=?"
    return Query(sql, (attachment_id,), AttachmentRow)


def select_unused() -> Query[AttachmentRow]:
    """The attachments to which no message refers."""
    sql = f"SELECT {columns(AttachmentRow)} FROM attachments WHERE attachment_id NOT IN ({USED})"
    return Query(sql, (), AttachmentRow)


def select_of_message(message_id: str) -> Query[AttachmentRow]:
    """The attachments of a message, in their order."""
    sql = (
        f"SELECT {columns(AttachmentRow, 'a')} FROM attachments a JOIN attachment_uses u USING (attachment_id)"
        " WHERE u.message_id=? ORDER BY u.position"
    )
    return Query(sql, (message_id,), AttachmentRow)


def select_of_call(message_id: str, call_id: str) -> Query[AttachmentRow]:
    """The files in the result of a tool call, in their order. The call belongs to the message."""
    sql = (
        f"SELECT {columns(AttachmentRow, 'a')} FROM attachments a JOIN attachment_uses u USING (attachment_id)"
        " WHERE u.message_id=? AND u.call_id=? ORDER BY u.position"
    )
    return Query(sql, (message_id, call_id), AttachmentRow)


def select_contents() -> Query[str]:
    """The SHA-256 of each content that is needed, in hexadecimal."""
    sql = "SELECT sha256 FROM attachments UNION SELECT scaled_sha256 FROM attachments WHERE scaled_sha256 IS NOT NULL"
    return Query(sql, (), str)


def insert_attachment(row: AttachmentRow) -> Write:
    return insert("attachments", row)


def insert_use(row: UseRow) -> Write:
    """A message refers to an attachment from now on."""
    sql, values = insert("attachment_uses", row)
    return f"{sql}; UPDATE attachments SET used=1 WHERE attachment_id=?", (*values, row.attachment_id)


def delete_if_unused(attachment_id: str) -> Write:
    """Delete an attachment, unless a message refers to it."""
    return (f"DELETE FROM attachments WHERE attachment_id=? AND attachment_id NOT IN ({USED})", (attachment_id,))
