"""Rows of `model_messages`: the history that the model receives."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write


class ModelMessageRow(NamedTuple):
    """`message` is JSON."""

    message: str
    turn_id: str


def select_messages(session_id: str) -> Query[ModelMessageRow]:
    """A session's messages in order."""
    return Query(
        "SELECT message, turn_id FROM model_messages WHERE session_id=? ORDER BY n", (session_id,), ModelMessageRow
    )


def select_damaged(session_id: str) -> Query[ModelMessageRow]:
    """A session's messages in order. Bytes that are not UTF-8, which `select_messages` can't read, are replaced."""
    return Query(
        "SELECT CAST(message AS BLOB), turn_id FROM model_messages WHERE session_id=? ORDER BY n",
        (session_id,),
        decoded,
    )


def insert_message(session_id: str, turn_id: str, message: str) -> Write:
    sql = "INSERT INTO model_messages (session_id, turn_id, message) VALUES (?,?,?)"
    return (sql, (session_id, turn_id, message))


def update_message(session_id: str, from_end: int, message: str) -> Write:
    """Replace a message. `from_end` counts from the session's last message, which has 0."""
    row = "SELECT n FROM model_messages WHERE session_id=? ORDER BY n DESC LIMIT 1 OFFSET ?"
    return (f"UPDATE model_messages SET message=? WHERE n=({row})", (message, session_id, from_end))


def delete_messages(session_id: str) -> Write:
    return ("DELETE FROM model_messages WHERE session_id=?", (session_id,))


def decoded(message: bytes, turn_id: str) -> ModelMessageRow:
    return ModelMessageRow(message.decode("utf-8", "replace"), turn_id)
