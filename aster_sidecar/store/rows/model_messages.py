"""Rows of `model_messages`: the history that the model receives."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.rows.rewinds import REWOUND
from aster_sidecar.store.sql import Query, Write

LIVE = f"turn_id NOT IN ({REWOUND}) AND (superseded_by IS NULL OR superseded_by IN ({REWOUND}))"
"""The condition for messages that count: not those that a rewind took out, or that a compaction replaced."""


class ModelMessageRow(NamedTuple):
    """`message` is JSON."""

    message: str
    turn_id: str


def select_messages(session_id: str) -> Query[ModelMessageRow]:
    """A session's messages in order."""
    return Query(
        f"SELECT message, turn_id FROM model_messages WHERE session_id=? AND {LIVE} ORDER BY n",
        (session_id,),
        ModelMessageRow,
    )


def select_damaged(session_id: str) -> Query[ModelMessageRow]:
    """A session's messages in order. Bytes that are not UTF-8, which `select_messages` can't read, are replaced."""
    return Query(
        f"SELECT CAST(message AS BLOB), turn_id FROM model_messages WHERE session_id=? AND {LIVE} ORDER BY n",
        (session_id,),
        decoded,
    )


class TextsRow(NamedTuple):
    """What people see of a turn: the message that began it, and the answer."""

    turn_id: str
    question: str
    answer: str


def select_forgotten(session_id: str) -> Query[TextsRow]:
    """The turns that the model knew and that have no messages: an earlier version deleted what it summarised."""
    return Query(
        "SELECT t.turn_id, u.text AS question, a.text AS answer FROM turns t"
        " JOIN messages u ON u.message_id=t.user_message_id JOIN messages a ON a.message_id=t.message_id"
        " WHERE t.session_id=? AND t.rewound IS NULL AND t.state='ended' AND t.kept_chars>=0"
        " AND NOT EXISTS (SELECT 1 FROM model_messages m WHERE m.session_id=t.session_id AND m.turn_id=t.turn_id)"
        " ORDER BY t.ended_n",
        (session_id,),
        TextsRow,
    )


def select_oldest_turn(session_id: str) -> Query[str]:
    """The turn of the session's oldest message."""
    return Query("SELECT turn_id FROM model_messages WHERE session_id=? ORDER BY n LIMIT 1", (session_id,), str)


def insert_message(session_id: str, turn_id: str, message: str, superseded_by: str | None = None) -> Write:
    """`superseded_by`: a turn whose compaction has replaced the message already."""
    sql = "INSERT INTO model_messages (session_id, turn_id, message, superseded_by) VALUES (?,?,?,?)"
    return (sql, (session_id, turn_id, message, superseded_by))


def update_message(session_id: str, from_end: int, message: str) -> Write:
    """Replace a message. `from_end` counts from the session's last message, which has 0."""
    row = f"SELECT n FROM model_messages WHERE session_id=? AND {LIVE} ORDER BY n DESC LIMIT 1 OFFSET ?"
    return (f"UPDATE model_messages SET message=? WHERE n=({row})", (message, session_id, from_end))


def update_superseded(session_id: str, turn_id: str) -> Write:
    """A compaction in this turn replaces all messages."""
    return (f"UPDATE model_messages SET superseded_by=? WHERE session_id=? AND {LIVE}", (turn_id, session_id))


def decoded(message: bytes, turn_id: str) -> ModelMessageRow:
    return ModelMessageRow(message.decode("utf-8", "replace"), turn_id)
