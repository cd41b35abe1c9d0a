"""Rows of `decisions`: the record of decisions about tool calls. They stay when their session is deleted."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aster_sidecar.store.sql import Write, columns

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


class StartedCall(NamedTuple):
    """A call that runs, as its `tool_start` event shows it."""

    call_id: str
    summary: str
    arguments_sha256: str
    risk: str
    sandbox: str


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
