"""Rows of `approvals`: questions about tool calls, pending and answered. A call may have several; the newest counts."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns, insert


class ApprovalRow(NamedTuple):
    """A pending approval.

    `arguments`, `binding`, `remember`, `scopes` and `preview` are JSON. `requested_at`, `expires_at`, `boot` and
    `due_s` are its deadline (`clock.Deadline`); without a time limit `expires_at` and `due_s` are None.
    """

    call_id: str
    agent_id: str
    session_id: str
    turn_id: str
    message_id: str
    state: str
    name: str
    arguments: str
    risk: Literal["low", "medium", "high"]
    reason: str
    display: str
    target: str
    binding: str
    remember: str | None
    requested_at: str
    expires_at: str | None
    boot: str | None
    due_s: float | None
    summary: str | None
    preview: str | None
    scopes: str | None


class AnswerRow(NamedTuple):
    """The answer to an approval. `arguments`, `edited` and `binding` are JSON."""

    state: str
    decision: str | None
    note: str | None
    arguments: str
    edited: str | None
    binding: str


class EndRow(NamedTuple):
    """How an approval ended."""

    state: str
    decision: str | None
    resolved_by: str | None
    resolved_at: str | None


NEWEST = "ORDER BY approval_id DESC LIMIT 1"


def select_pending() -> Query[ApprovalRow]:
    """Pending approvals, oldest first, but those of sessions in the trash."""
    where = f"state='pending' AND session_id NOT IN ({TRASHED})"
    return Query(f"SELECT {columns(ApprovalRow)} FROM approvals WHERE {where} ORDER BY approval_id", (), ApprovalRow)


def select_answer(call_id: str) -> Query[AnswerRow]:
    sql = f"SELECT {columns(AnswerRow)} FROM approvals WHERE call_id=? {NEWEST}"
    return Query(sql, (call_id,), AnswerRow)


def select_end(call_id: str, agent_id: str) -> Query[EndRow]:
    sql = f"SELECT {columns(EndRow)} FROM approvals WHERE call_id=? AND agent_id=? {NEWEST}"
    return Query(sql, (call_id, agent_id), EndRow)


def insert_approval(row: ApprovalRow) -> Write:
    return insert("approvals", row)


def update_answered(
    call_id: str, *, decision: str, note: str | None, edited: str | None, binding: str, resolved_at: str, by: str
) -> Write:
    """Record a person's answer. `edited` and `binding` are JSON."""
    return (
        "UPDATE approvals SET state='resolved', decision=?, note=?, edited=?, binding=?, resolved_at=?, resolved_by=?"
        " WHERE call_id=? AND state='pending'",
        (decision, note, edited, binding, resolved_at, by, call_id),
    )


def update_cancelled(call_id: str, resolved_at: str, by: str) -> Write:
    return (
        "UPDATE approvals SET state='cancelled', resolved_at=?, resolved_by=? WHERE call_id=? AND state='pending'",
        (resolved_at, by, call_id),
    )


def update_expired(call_id: str, resolved_at: str, note: str) -> Write:
    return (
        "UPDATE approvals SET state='expired', note=?, resolved_at=?, resolved_by='timeout'"
        " WHERE call_id=? AND state='pending'",
        (note, resolved_at, call_id),
    )
