"""Rows of `calls`: tool calls.

States: waiting → approved or denied → started → ended. A call that waits while it runs is parked, then resumed, then
started again. A call is closed when the model has received its result:
the next response may use its `model_call_id` again.
"""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.rows.approvals import NEWEST
from aster_sidecar.store.rows.decisions import update_outcome
from aster_sidecar.store.sql import Query, Write, columns

PAUSED = ("parked", "resumed")
"""The states of a call that has run, and has to go on."""


class CallRow(NamedTuple):
    """A call that is not closed. `arguments` and `result` are JSON."""

    call_id: str
    model_call_id: str
    name: str
    arguments: str
    state: str
    outcome: str | None
    result: str | None


class OpenCallRow(NamedTuple):
    """A call without an outcome."""

    call_id: str
    name: str
    state: str


class RecordedCallRow(NamedTuple):
    """What a call came to. `result` is JSON; `note` is what a person wrote with the answer."""

    call_id: str
    model_call_id: str
    state: str
    outcome: str | None
    result: str | None
    note: str | None


class EditedCallRow(NamedTuple):
    """Arguments that a person edited, as JSON."""

    model_call_id: str
    edited: str


class NewCallRow(NamedTuple):
    """A call that is recorded for the first time, or again with another state."""

    call_id: str
    turn_id: str
    session_id: str
    agent_id: str
    model_call_id: str
    name: str
    arguments: str
    risk: str
    state: str
    started_at: str | None


def select_calls(turn_id: str) -> Query[CallRow]:
    return Query(f"SELECT {columns(CallRow)} FROM calls WHERE turn_id=? AND state<>'closed'", (turn_id,), CallRow)


def select_open(turn_id: str) -> Query[OpenCallRow]:
    where = "turn_id=? AND state NOT IN ('ended', 'closed')"
    return Query(f"SELECT {columns(OpenCallRow)} FROM calls WHERE {where}", (turn_id,), OpenCallRow)


def select_started() -> Query[str]:
    """The ids of all calls that had started and have no outcome: a daemon was killed while they ran."""
    return Query("SELECT call_id FROM calls WHERE state='started'", (), str)


def select_recorded(turn_id: str) -> Query[RecordedCallRow]:
    """The calls of the turn's last response."""
    note = f"SELECT note FROM approvals a WHERE a.call_id=c.call_id {NEWEST}"
    found = f"call_id, model_call_id, state, outcome, result, ({note})"
    sql = f"SELECT {found} FROM calls c WHERE turn_id=? AND state<>'closed'"
    return Query(sql, (turn_id,), RecordedCallRow)


def select_edited(turn_id: str) -> Query[EditedCallRow]:
    """The calls of the turn's last response whose arguments a person edited."""
    edited = f"SELECT edited FROM approvals a WHERE a.call_id=c.call_id AND a.state='resolved' {NEWEST}"
    sql = (
        f"SELECT c.model_call_id, ({edited}) AS edited FROM calls c"
        " WHERE c.turn_id=? AND c.state<>'closed' AND edited IS NOT NULL"
    )
    return Query(sql, (turn_id,), EditedCallRow)


def insert_or_update(row: NewCallRow) -> Write:
    """Insert a call, or record that it has another state now."""
    sql = (
        f"INSERT INTO calls ({columns(NewCallRow)}) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (call_id) DO UPDATE SET"
        " state=excluded.state, risk=excluded.risk, started_at=excluded.started_at"
    )
    first = (row.call_id, row.turn_id, row.session_id, row.agent_id, row.model_call_id, row.name)
    return (sql, (*first, row.arguments, row.risk, row.state, row.started_at))


def update_state(call_id: str, state: str) -> Write:
    return ("UPDATE calls SET state=? WHERE call_id=?", (state, call_id))


def update_ended(call_id: str, outcome: str, result: str, ended_at: str) -> list[Write]:
    """Record the outcome of a call, also with the decisions about it, and the result for the model as JSON."""
    ended = "UPDATE calls SET state='ended', outcome=?, result=?, ended_at=? WHERE call_id=?"
    return [(ended, (outcome, result, ended_at, call_id)), update_outcome(call_id, outcome)]


def update_closed(turn_id: str) -> Write:
    """Close all calls of a turn."""
    return ("UPDATE calls SET state='closed' WHERE turn_id=? AND state<>'closed'", (turn_id,))
