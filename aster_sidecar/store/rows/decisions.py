"""Rows of `decisions`: the record of decisions about tool calls. They stay when their session is deleted."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from aster_sidecar.store.sql import Query, Write, columns

CLOCK = "decisions_clock"
"""The key in `meta` of the clock of this table, a JSON array that begins with the seconds that it counted."""
COUNTED = f"(SELECT coalesce(max(json_extract(value, '$[0]')), 0.0) FROM meta WHERE key='{CLOCK}')"


class NewDecision(NamedTuple):
    """A decision that is recorded."""

    decision_id: str
    decided_at: str
    agent_id: str
    session_id: str
    turn_id: str
    call_id: str
    tool: str
    summary: str | None
    arguments_sha256: str
    risk: Literal["low", "medium", "high"]
    decision: Literal["allow", "deny"]
    decided_by: str
    words: str | None
    client: str | None
    sandbox: str


class DecisionRow(NamedTuple):
    """A recorded decision. `n` orders them; `outcome` is None until the call has ended."""

    n: int
    decision_id: str
    decided_at: str
    agent_id: str
    session_id: str
    turn_id: str
    call_id: str
    tool: str
    summary: str | None
    arguments_sha256: str
    risk: Literal["low", "medium", "high"]
    decision: Literal["allow", "deny"]
    decided_by: str
    words: str | None
    client: str | None
    sandbox: str
    outcome: str | None


class Listed(NamedTuple):
    """Which decisions a list has: those that match what is not None.

    `since` (inclusive) and `until` (exclusive) are stamps. The list begins before `before`, newest first, or, if that
    is given, after `after`, oldest first.
    """

    agent_id: str | None
    session_id: str | None
    tool: str | None
    decision: Literal["allow", "deny"] | None
    since: str | None
    until: str | None
    before: int | None
    after: int | None
    limit: int


class StartedCall(NamedTuple):
    """A call that runs, as its `tool_start` event shows it."""

    call_id: str
    summary: str
    arguments_sha256: str
    risk: str
    sandbox: str


def select_listed(wanted: Listed) -> Query[DecisionRow]:
    """Decisions, newest first, or oldest first after `after`."""
    asked: list[tuple[str, Any]] = [
        ("agent_id=?", wanted.agent_id),
        ("session_id=?", wanted.session_id),
        ("tool=?", wanted.tool),
        ("decision=?", wanted.decision),
        ("decided_at>=?", wanted.since),
        ("decided_at<?", wanted.until),
        ("n<?", wanted.before),
        ("n>?", wanted.after),
    ]
    where = " AND ".join(condition for condition, value in asked if value is not None) or "true"
    order = "DESC" if wanted.after is None else "ASC"
    sql = f"SELECT {columns(DecisionRow)} FROM decisions WHERE {where} ORDER BY n {order} LIMIT ?"
    return Query(sql, [*(value for _, value in asked if value is not None), wanted.limit], DecisionRow)


def select_has_older(recorded_s: float) -> Query[bool]:
    """Whether the oldest decision was recorded before this time, on the clock of this table."""
    return Query("SELECT recorded_s < ? FROM decisions ORDER BY n LIMIT 1", (recorded_s,), bool)


def insert_decision(row: NewDecision) -> Write:
    marks = ",".join("?" * len(row))
    return (f"INSERT INTO decisions ({columns(NewDecision)}, recorded_s) VALUES ({marks}, {COUNTED})", row)


def update_started(call: StartedCall) -> Write:
    """The call that a person had allowed runs now, with arguments that they may have edited."""
    return (
        "UPDATE decisions SET summary=?, arguments_sha256=?, risk=?, sandbox=? WHERE call_id=? AND outcome IS NULL",
        (call.summary, call.arguments_sha256, call.risk, call.sandbox, call.call_id),
    )


def update_outcome(call_id: str, outcome: str) -> Write:
    """Record how a call ended, in those of its decisions that have no outcome."""
    return ("UPDATE decisions SET outcome=? WHERE call_id=? AND outcome IS NULL", (outcome, call_id))


def update_forgotten(session_id: str) -> Write:
    """Remove the texts of a session from its decisions."""
    return ("UPDATE decisions SET summary=NULL, words=NULL WHERE session_id=?", (session_id,))


def delete_older(recorded_s: float, limit: int) -> Write:
    """Delete decisions that were recorded before this time, on the clock of this table; at most `limit`."""
    oldest = "SELECT n, recorded_s FROM decisions ORDER BY n LIMIT ?"
    sql = f"DELETE FROM decisions WHERE n IN (SELECT n FROM ({oldest}) WHERE recorded_s < ?)"
    return (sql, (limit, recorded_s))
