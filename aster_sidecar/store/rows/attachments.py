"""Rows of `attachments` and `attachment_uses`: files that people attach, and the messages that refer to them."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write, columns, insert

USED = "SELECT attachment_id FROM attachment_uses"


class AttachmentRow(NamedTuple):
    """A file. `width` and `height` are in pixels, None if it is not an image; `pages` are those of a PDF.

    `scaled_sha256`, `scaled_type` and `scaled_size` are of the image that models get instead of it, if there is one.
    `expires_at`: when it is deleted unless a message refers to it; by `clock.real_s` at `due_s` in the run `boot`.
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


class UseRow(NamedTuple):
    attachment_id: str
    message_id: str
    session_id: str


def select_attachment(attachment_id: str) -> Query[AttachmentRow]:
    sql = f"SELECT {columns(AttachmentRow)} FROM attachments WHERE attachment_id=?"
    return Query(sql, (attachment_id,), AttachmentRow)


def select_unused() -> Query[AttachmentRow]:
    """The attachments to which no message refers."""
    sql = f"SELECT {columns(AttachmentRow)} FROM attachments WHERE attachment_id NOT IN ({USED})"
    return Query(sql, (), AttachmentRow)


def select_used_by(session_id: str) -> Query[str]:
    """The attachments to which messages of a session refer, each once."""
    return Query("SELECT DISTINCT attachment_id FROM attachment_uses WHERE session_id=?", (session_id,), str)


def select_contents() -> Query[str]:
    """The SHA-256 of each content that is needed, in hexadecimal."""
    sql = "SELECT sha256 FROM attachments UNION SELECT scaled_sha256 FROM attachments WHERE scaled_sha256 IS NOT NULL"
    return Query(sql, (), str)


def insert_attachment(row: AttachmentRow) -> Write:
    return insert("attachments", row)


def insert_use(row: UseRow) -> Write:
    return insert("attachment_uses", row)


def delete_if_unused(attachment_id: str) -> Write:
    """Delete an attachment, unless a message refers to it."""
    return (f"DELETE FROM attachments WHERE attachment_id=? AND attachment_id NOT IN ({USED})", (attachment_id,))
