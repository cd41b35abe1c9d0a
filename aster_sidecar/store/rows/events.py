"""Rows of `events`: the log. `Journal.put` inserts them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from aster_sidecar.store.events import COLUMNS, Event
from aster_sidecar.store.sql import Query, Write


class EventCount(NamedTuple):
    """`first_seq` and `last_seq` are 0 when there are no events."""

    events: int
    first_seq: int
    last_seq: int


def select_after(session_id: str | None, after: int, upto: int, limit: int) -> Query[Event]:
    """Events after one seq, up to and including another; `session_id` None: of all sessions and of none."""
    where, parameters = ("session_id=? AND ", [session_id]) if session_id is not None else ("", [])
    sql = f"SELECT {COLUMNS} FROM events WHERE {where}seq>? AND seq<=? ORDER BY seq LIMIT ?"
    return Query(sql, [*parameters, after, upto, limit], Event)


def select_types(types: Collection[str], after: int) -> Query[Event]:
    """Events of these types after a seq, in order."""
    marks = ",".join("?" * len(types))
    sql = f"SELECT {COLUMNS} FROM events WHERE seq>? AND type IN ({marks}) ORDER BY seq"
    return Query(sql, [after, *types], Event)


def select_count() -> Query[EventCount]:
    return Query("SELECT count(*), coalesce(min(seq),0), coalesce(max(seq),0) FROM events", (), EventCount)


def select_older(keep: int) -> Query[int]:
    """The newest seq that is not one of the newest `keep`; no row when there are not more."""
    return Query("SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?", (keep,), int)


def count_upto(seq: int) -> Query[int]:
    return Query("SELECT count(*) FROM events WHERE seq<=?", (seq,), int)


def delete_upto(seq: int) -> Write:
    return ("DELETE FROM events WHERE seq<=?", (seq,))


class TurnEvent(NamedTuple):
    """An event of a turn; `data` is JSON."""

    seq: int
    type: str
    data: str


class FailureEvent(NamedTuple):
    """An `error` event; `data` is JSON."""

    time: str
    turn_id: str | None
    data: str


def select_of_turn(session_id: str, turn_id: str, first_seq: int) -> Query[TurnEvent]:
    """The events of a turn from a seq on, in order."""
    sql = "SELECT seq, type, data FROM events WHERE session_id=? AND turn_id=? AND seq>=? ORDER BY seq"
    return Query(sql, (session_id, turn_id, first_seq), TurnEvent)


def select_last_data(session_id: str, kind: str) -> Query[str]:
    """The data of the session's newest event of a type, as JSON."""
    sql = "SELECT data FROM events WHERE session_id=? AND type=? ORDER BY seq DESC LIMIT 1"
    return Query(sql, (session_id, kind), str)


def select_failures(limit: int) -> Query[FailureEvent]:
    """The newest `error` events, newest first."""
    sql = "SELECT time, turn_id, data FROM events WHERE type='error' ORDER BY seq DESC LIMIT ?"
    return Query(sql, (limit,), FailureEvent)


def delete_of_session(session_id: str, upto: int) -> Write:
    """Delete the session's events up to and including a seq."""
    return ("DELETE FROM events WHERE session_id=? AND seq<=?", (session_id, upto))


def delete_ended_of_session(session_id: str, before: int) -> Write:
    """Delete the session's events before a seq, but those of a turn that has not ended."""
    return (
        "DELETE FROM events WHERE session_id=? AND seq<? AND coalesce(turn_id, '') NOT IN"
        " (SELECT turn_id FROM turns WHERE session_id=? AND state<>'ended')",
        (session_id, before, session_id),
    )
