"""Rows of `changes` and `change_notes`: what tools, commands and reverts changed in files.

States: begun (the change may be under way) → done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns, insert

Type = Literal["file", "link", "directory"]
BY_TURNS = (
    "c.source<>'revert' AND c.state='done' AND 'directory' NOT IN (ifnull(c.before_type, ''), ifnull(c.after_type, ''))"
    " AND c.turn_id NOT IN (SELECT turn_id FROM turns WHERE rewound IS NOT NULL)"
)
"""The changes to files by turns that are in their conversation, as a condition."""


class NewChange(NamedTuple):
    """A change that is recorded. `kept`: 1 if the content before can be restored. `revert_id`: who made the change."""

    session_id: str
    turn_id: str
    call_id: str | None
    revert_id: str | None
    source: Literal["tool", "command", "revert"]
    path: str
    moved_from: str | None
    before_type: Type | None
    before_size: int
    before_mode: int
    before_sha256: str | None
    after_type: Type | None
    after_size: int
    after_mode: int
    after_sha256: str | None
    kept: int
    why_not_kept: str | None
    state: Literal["begun", "done"]
    recorded_at: str


class ChangeRow(NamedTuple):
    """A recorded change; the fields are those of `NewChange`. `n` orders them."""

    n: int
    session_id: str
    turn_id: str
    call_id: str | None
    revert_id: str | None
    source: Literal["tool", "command", "revert"]
    path: str
    moved_from: str | None
    before_type: Type | None
    before_size: int
    before_mode: int
    before_sha256: str | None
    after_type: Type | None
    after_size: int
    after_mode: int
    after_sha256: str | None
    kept: int
    why_not_kept: str | None
    state: Literal["begun", "done"]
    recorded_at: str


class TurnRow(NamedTuple):
    """A turn, the message that began it, and whether it is in the conversation."""

    turn_id: str
    user_message_id: str
    rewound: int | None


class NoteRow(NamedTuple):
    turn_id: str
    note: str


class StartedRow(NamedTuple):
    """A call that had started when the daemon was killed."""

    call_id: str
    turn_id: str
    session_id: str
    name: str


def select_of_session(session_id: str) -> Query[ChangeRow]:
    """The completed changes of a session, in their order."""
    return _select("session_id=? AND state='done'", (session_id,))


def select_of_turns(turn_ids: Sequence[str]) -> Query[ChangeRow]:
    """The completed changes of turns, and those of reverts that undid them, in their order."""
    return _select("turn_id IN (SELECT value FROM json_each(?)) AND state='done'", (json.dumps(list(turn_ids)),))


def select_of_call(call_id: str) -> Query[ChangeRow]:
    return _select("call_id=? AND state='done'", (call_id,))


def select_of_revert(revert_id: str) -> Query[ChangeRow]:
    return _select("revert_id=? AND state='done'", (revert_id,))


def select_newest(paths: Sequence[str], session_id: str | None) -> Query[ChangeRow]:
    """The newest change of each path by a tool or a command; of one session, if that is given."""
    newest = (
        "SELECT max(n) FROM changes WHERE path IN (SELECT value FROM json_each(?)) AND source<>'revert'"
        " AND state='done' AND ? IN ('', session_id) GROUP BY path"
    )
    return _select(f"n IN ({newest})", (json.dumps(list(paths)), session_id or ""))


def select_reverts(paths: Sequence[str], first_n: int, last_n: int) -> Query[ChangeRow]:
    """The changes by reverts to paths, between two others."""
    where = "path IN (SELECT value FROM json_each(?)) AND source='revert' AND state='done' AND n BETWEEN ? AND ?"
    return _select(where, (json.dumps(list(paths)), first_n, last_n))


def select_begun() -> Query[ChangeRow]:
    """The changes that were under way when the daemon was killed."""
    return _select("state='begun'", ())


def _select(where: str, parameters: Sequence[Any]) -> Query[ChangeRow]:
    return Query(f"SELECT {columns(ChangeRow)} FROM changes WHERE {where} ORDER BY n", parameters, ChangeRow)


def select_turns(session_id: str) -> Query[TurnRow]:
    """The turns of a session with changes or notes, in their order."""
    of = "SELECT turn_id FROM {} WHERE session_id=?1"
    changed = f"{of.format('changes')} UNION {of.format('change_notes')}"
    sql = f"SELECT {columns(TurnRow)} FROM turns WHERE session_id=?1 AND turn_id IN ({changed}) ORDER BY n"
    return Query(sql, (session_id,), TurnRow)


def select_notes(session_id: str) -> Query[NoteRow]:
    return Query("SELECT turn_id, note FROM change_notes WHERE session_id=? ORDER BY n", (session_id,), NoteRow)


def select_started() -> Query[StartedRow]:
    """The calls that had started and have no outcome: a daemon was killed while they ran."""
    return Query(f"SELECT {columns(StartedRow)} FROM calls WHERE state='started'", (), StartedRow)


def select_agent(session_id: str) -> Query[str]:
    """The agent of a session that is not in the trash."""
    where = f"session_id=? AND session_id NOT IN ({TRASHED})"
    return Query(f"SELECT agent_id FROM sessions WHERE {where}", (session_id,), str)


def count_changed(session_id: str) -> Query[int]:
    """How many files the turns of a session changed."""
    return Query(f"SELECT count(DISTINCT path) FROM changes c WHERE c.session_id=? AND {BY_TURNS}", (session_id,), int)


def select_counted(session_id: str, paths: Sequence[str]) -> Query[str]:
    """Those of these paths that `count_changed` counts."""
    where = f"c.session_id=? AND c.path IN (SELECT value FROM json_each(?)) AND {BY_TURNS}"
    return Query(f"SELECT DISTINCT path FROM changes c WHERE {where}", (session_id, json.dumps(list(paths))), str)


def insert_change(row: NewChange) -> Write:
    return insert("changes", row)


def insert_note(session_id: str, turn_id: str, note: str) -> Write:
    """Insert a note, unless the turn has it already."""
    where = "NOT EXISTS (SELECT 1 FROM change_notes WHERE turn_id=?2 AND note=?3)"
    sql = f"INSERT INTO change_notes (session_id, turn_id, note) SELECT ?1, ?2, ?3 WHERE {where}"
    return (sql, (session_id, turn_id, note))


def update_done(row: NewChange) -> Write:
    """Complete a change that has begun; it is found by its call or its revert, and its path."""
    return (
        f"UPDATE changes SET after_type=?, after_size=?, after_mode=?, after_sha256=?, state='done' WHERE {_BEGUN}",
        (row.after_type, row.after_size, row.after_mode, row.after_sha256, *_begun(row)),
    )


def delete_begun(row: NewChange) -> Write:
    """Delete a change that has begun and was not made."""
    return (f"DELETE FROM changes WHERE {_BEGUN}", _begun(row))


_BEGUN = "state='begun' AND path=? AND ? IN (call_id, revert_id)"


def _begun(row: NewChange) -> tuple[str, str | None]:
    return row.path, row.revert_id or row.call_id
