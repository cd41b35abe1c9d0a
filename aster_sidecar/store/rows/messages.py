"""Rows of `messages`: the history that people see; and of `folded_texts`, their text in the form that is searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from aster_sidecar.store.rows.rewinds import REWOUND
from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns
from aster_sidecar.text.folding import fold, folds_itself

SHOWN = f"turn_id NOT IN ({REWOUND})"

ALL = 1 << 62
"""As a bound: above the number of every row."""
CONTAINS = "coalesce(f.text, m.text) LIKE ? ESCAPE '\\'"
"""The condition for a message that contains what a LIKE pattern says; `m` and `f` are the two tables."""


class MessageRow(NamedTuple):
    """`parts`, `context` and `usage` are JSON. The events of a message are at or after `first_seq`."""

    message_id: str
    turn_id: str
    session_id: str
    role: str
    text: str
    parts: str
    context: str | None
    usage: str | None
    created_at: str
    status: str
    first_seq: int


class HitRow(NamedTuple):
    """A message that a search found."""

    message_id: str
    role: Literal["user", "assistant"]
    text: str
    created_at: str


class PromptRow(NamedTuple):
    """A user's message that the model has not received yet."""

    message_id: str
    text: str


class PlainRow(NamedTuple):
    """A message for the diagnostics bundle."""

    session_id: str
    role: str
    created_at: str
    status: str
    text: str


def select_before(session_id: str, bound: int, limit: int) -> Query[MessageRow]:
    """Messages with a row number below `bound`, newest first."""
    sql = f"SELECT {columns(MessageRow)} FROM messages WHERE session_id=? AND n<? AND {SHOWN} ORDER BY n DESC LIMIT ?"
    return Query(sql, (session_id, bound, limit), MessageRow)


def select_number(message_id: str, session_id: str) -> Query[int]:
    """A message's row number."""
    return Query("SELECT n FROM messages WHERE message_id=? AND session_id=?", (message_id, session_id), int)


def is_shown(message_id: str) -> Query[bool]:
    """Whether a message is in its conversation: no rewind took it out."""
    return Query(f"SELECT {SHOWN} FROM messages WHERE message_id=?", (message_id,), bool)


def select_hits(session_id: str, pattern: str, bound: int, limit: int) -> Query[HitRow]:
    """Messages with a row number below `bound` that match a LIKE pattern, newest first."""
    return Query(
        f"SELECT {columns(HitRow, 'm')} FROM messages m LEFT JOIN folded_texts f USING (n)"
        f" WHERE m.session_id=? AND m.n<? AND m.{SHOWN} AND {CONTAINS} ORDER BY m.n DESC LIMIT ?",
        (session_id, bound, pattern, limit),
        HitRow,
    )


def select_pending(turn_id: str) -> Query[PromptRow]:
    """Messages that were sent during the turn and that the model has not received yet, oldest first."""
    where = "turn_id=? AND role='user' AND status='pending'"
    return Query(f"SELECT message_id, text FROM messages WHERE {where} ORDER BY n", (turn_id,), PromptRow)


def select_newest(limit: int) -> Query[PlainRow]:
    """The newest messages of all sessions that are not in the trash, newest first."""
    where = f"session_id NOT IN ({TRASHED}) AND {SHOWN}"
    sql = f"SELECT {columns(PlainRow)} FROM messages WHERE {where} ORDER BY n DESC LIMIT ?"
    return Query(sql, (limit,), PlainRow)


def count_of(session_id: str) -> Query[int]:
    return Query(f"SELECT count(*) FROM messages WHERE session_id=? AND {SHOWN}", (session_id,), int)


def count_of_turns(turn_ids: Sequence[str]) -> Query[int]:
    """How many messages belong to these turns."""
    marks = ",".join("?" * len(turn_ids))
    return Query(f"SELECT count(*) FROM messages WHERE turn_id IN ({marks})", turn_ids, int)


def select_message(message_id: str) -> Query[MessageRow]:
    """A message, also one that was taken out by a rewind."""
    return Query(f"SELECT {columns(MessageRow)} FROM messages WHERE message_id=?", (message_id,), MessageRow)


def insert_or_update(row: MessageRow) -> Write:
    """Insert a message, or replace its text, parts, usage and status; and the text that is searched."""
    message_id = row.message_id
    if folds_itself(row.text):
        folded = ("DELETE FROM folded_texts WHERE n=(SELECT n FROM messages WHERE message_id=?)", (message_id,))
    else:
        folded = (
            "INSERT INTO folded_texts (n, text) SELECT n, ? FROM messages WHERE message_id=?"
            " ON CONFLICT (n) DO UPDATE SET text=excluded.text",
            (fold(row.text), message_id),
        )
    sql = (
        f"INSERT INTO messages ({columns(MessageRow)}) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (message_id) DO"
        " UPDATE SET text=excluded.text, parts=excluded.parts, usage=excluded.usage, status=excluded.status; "
    )
    first = (message_id, row.turn_id, row.session_id, row.role, row.text, row.parts, row.context, row.usage)
    return (sql + folded[0], (*first, row.created_at, row.status, row.first_seq, *folded[1]))


def update_status(message_id: str, status: str) -> Write:
    return ("UPDATE messages SET status=? WHERE message_id=?", (status, message_id))


def update_text(message_id: str, status: str, text: str) -> Write:
    """Set status and text only, where the parts can't be stored."""
    return ("UPDATE messages SET status=?, text=? WHERE message_id=?", (status, text, message_id))


def update_prompts_complete(turn_id: str) -> Write:
    """The user's messages of a turn are complete."""
    return ("UPDATE messages SET status='complete' WHERE turn_id=? AND role='user'", (turn_id,))
