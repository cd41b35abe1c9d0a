"""Rows of `rewinds`: turns that were taken out of a conversation, and can be put back until the next message."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write, columns, insert

REWOUND = "SELECT turn_id FROM turns WHERE rewound IS NOT NULL"
"""A query for the ids of the turns that were taken out, for conditions in other statements."""


class RewindRow(NamedTuple):
    """`title` is the session's before. `revert_id`: the revert that undid the changes to files, if any."""

    rewind_id: str
    session_id: str
    message_id: str
    messages: int
    title: str
    revert_id: str | None
    rewound_at: str


def select_undoable(session_id: str) -> Query[RewindRow]:
    """The rewinds of a session that can be undone, the last one first."""
    sql = f"SELECT {columns(RewindRow)} FROM rewinds WHERE session_id=? AND undoable ORDER BY n DESC"
    return Query(sql, (session_id,), RewindRow)


def insert_rewind(row: RewindRow) -> Write:
    return insert("rewinds", row)


def update_final(session_id: str) -> Write:
    """No rewind of the session can be undone any more: a message was sent."""
    return ("UPDATE rewinds SET undoable=0 WHERE session_id=? AND undoable", (session_id,))


def delete_rewind(rewind_id: str) -> Write:
    return ("DELETE FROM rewinds WHERE rewind_id=?", (rewind_id,))


def update_rewound(turn_id: str, rewind_id: str) -> Write:
    """Take a turn out of its conversation."""
    return ("UPDATE turns SET rewound=? WHERE turn_id=?", (rewind_id, turn_id))


def update_back(rewind_id: str) -> Write:
    """Put the turns of a rewind back."""
    return ("UPDATE turns SET rewound=NULL WHERE rewound=?", (rewind_id,))
