"""Rows of `questions`: what tools ask a person. A call may have several, one after the other; the newest counts."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns, insert


class QuestionRow(NamedTuple):
    """An open question.

    `fields` is JSON. `asked_at`, `expires_at`, `boot` and `due_s` are its deadline (`clock.Deadline`); without a time
    limit `expires_at` and `due_s` are None. `live`: a running call waits for the answer. `request` is JSON: what the
    tool needs to go on; None: the answers are the result of the call.
    """

    question_id: str
    call_id: str
    agent_id: str
    session_id: str
    turn_id: str
    message_id: str
    state: str
    live: int
    request: str | None
    name: str
    reason: str
    fields: str
    server: str | None
    url: str | None
    asked_at: str
    expires_at: str | None
    boot: str | None
    due_s: float | None


class EndingRow(NamedTuple):
    """How a question ended, if `state` is not pending. `request` and `answers` are JSON."""

    question_id: str
    state: str
    request: str | None
    answers: str | None
    note: str | None
    resolved_at: str | None
    resolved_by: str | None


def select_pending() -> Query[QuestionRow]:
    """Open questions, oldest first, but those of sessions in the trash."""
    where = f"state='pending' AND session_id NOT IN ({TRASHED})"
    return Query(f"SELECT {columns(QuestionRow)} FROM questions WHERE {where} ORDER BY n", (), QuestionRow)


def select_of_call(call_id: str) -> Query[EndingRow]:
    """The newest question of a call."""
    sql = f"SELECT {columns(EndingRow)} FROM questions WHERE call_id=? ORDER BY n DESC LIMIT 1"
    return Query(sql, (call_id,), EndingRow)


def select_all_of_call(call_id: str) -> Query[EndingRow]:
    """All questions of a call, oldest first."""
    return Query(f"SELECT {columns(EndingRow)} FROM questions WHERE call_id=? ORDER BY n", (call_id,), EndingRow)


def select_ending(question_id: str) -> Query[EndingRow]:
    return Query(f"SELECT {columns(EndingRow)} FROM questions WHERE question_id=?", (question_id,), EndingRow)


def insert_question(row: QuestionRow) -> Write:
    return insert("questions", row)


def update_ended(
    question_id: str, state: str, answers: str | None, note: str | None, resolved_at: str, by: str
) -> Write:
    """Record how a question ended. `answers` is JSON."""
    return (
        "UPDATE questions SET state=?, answers=?, note=?, resolved_at=?, resolved_by=?"
        " WHERE question_id=? AND state='pending'",
        (state, answers, note, resolved_at, by, question_id),
    )
