"""Rows of `turns`. States: queued → running ⇄ waiting → ended."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns

SHOWN = f"session_id NOT IN ({TRASHED})"
BEGUN = "EXISTS (SELECT 1 FROM messages m WHERE m.message_id=turns.message_id)"
"""Whether a turn has an answer, perhaps an empty one. One that was cancelled in the queue has none."""


class TurnRow(NamedTuple):
    """A turn that has not ended, with its user message. `context` and `usage` are JSON.

    `model` and `effort` were chosen for this turn only; None: they were not.

    `first_seq` is that of the answer, 0 before it has begun. `urgent`: it interrupted the turn before it.
    """

    turn_id: str
    session_id: str
    agent_id: str
    user_message_id: str
    message_id: str
    text: str
    context: str | None
    state: Literal["queued", "running", "waiting"]
    usage: str
    ran_s: float
    first_seq: int
    urgent: int
    model: str | None
    effort: str | None


class ActiveRow(NamedTuple):
    """A turn that has not ended, as clients see it."""

    turn_id: str
    session_id: str
    agent_id: str
    state: Literal["queued", "running", "waiting"]


class LastRow(NamedTuple):
    """The turn of a session that ended last. `ended_n` counts the ends of turns."""

    session_id: str
    agent_id: str
    stop_reason: str | None
    ended_n: int


class OutcomeRow(NamedTuple):
    """Usage and error of a turn that has ended, as JSON."""

    usage: str
    error: str | None


def select_open(session_id: str | None) -> Query[TurnRow]:
    """The turns of a session (None: of all that are not in the trash) that have not ended, in their order."""
    return Query(
        "SELECT t.turn_id, t.session_id, t.agent_id, t.user_message_id, t.message_id, u.text, u.context, t.state,"
        " t.usage, t.ran_s, coalesce(a.first_seq, 0), t.urgent, t.model, t.effort FROM turns t"
        " JOIN messages u ON u.message_id=t.user_message_id LEFT JOIN messages a ON a.message_id=t.message_id"
        f" WHERE t.state<>'ended' AND t.{SHOWN} AND ? IN ('', t.session_id) ORDER BY t.urgent DESC, t.n",
        (session_id or "",),
        TurnRow,
    )


def select_last(session_id: str | None) -> Query[LastRow]:
    """The last ended turn of a session (None: of each session that is not in the trash)."""
    return Query(
        "SELECT session_id, agent_id, stop_reason, max(ended_n) FROM turns"
        f" WHERE state='ended' AND rewound IS NULL AND {SHOWN} AND ? IN ('', session_id) GROUP BY session_id",
        (session_id or "",),
        LastRow,
    )


def select_active() -> Query[ActiveRow]:
    """The turns that have not ended, oldest first, but those of sessions in the trash."""
    where = f"state <> 'ended' AND {SHOWN}"
    return Query(f"SELECT {columns(ActiveRow)} FROM turns WHERE {where} ORDER BY n", (), ActiveRow)


def select_outcome(session_id: str) -> Query[OutcomeRow]:
    """Usage and error of the session's turn that ended last."""
    where = "session_id=? AND state='ended' AND rewound IS NULL"
    sql = f"SELECT usage, error FROM turns WHERE {where} ORDER BY ended_n DESC LIMIT 1"
    return Query(sql, (session_id,), OutcomeRow)


ENDED = f"turn_id, n, ended_n, {BEGUN}, user_message_id, message_id, coalesce(stop_reason, ''), usage"


class EndedRow(NamedTuple):
    """A turn that has ended. `begun`: it has an answer, perhaps an empty one. `usage` is JSON."""

    turn_id: str
    n: int
    ended_n: int
    begun: bool
    user_message_id: str
    message_id: str
    stop_reason: str
    usage: str


def select_rewound(rewind_id: str) -> Query[EndedRow]:
    """The turns that a rewind took out, in the order in which they were sent."""
    return Query(f"SELECT {ENDED} FROM turns WHERE rewound=? ORDER BY n", (rewind_id,), EndedRow)


def select_ended(session_id: str) -> Query[EndedRow]:
    """The ended turns of a session that no rewind took out, in the order in which they were sent."""
    where = "session_id=? AND state='ended' AND rewound IS NULL"
    return Query(f"SELECT {ENDED} FROM turns WHERE {where} ORDER BY n", (session_id,), EndedRow)


def select_state(turn_id: str) -> Query[str]:
    return Query("SELECT state FROM turns WHERE turn_id=?", (turn_id,), str)


def select_message_id(turn_id: str) -> Query[str]:
    """The id of the turn's answer."""
    return Query("SELECT message_id FROM turns WHERE turn_id=?", (turn_id,), str)


def select_kept_chars(turn_id: str) -> Query[int]:
    """How many characters of the answer the model's history has; -1 when it lacks the user's message too."""
    return Query("SELECT kept_chars FROM turns WHERE turn_id=?", (turn_id,), int)


def select_first_seq_of_open() -> Query[int]:
    """The seq from which on the events of turns that have not ended begin; 0 when all have ended."""
    sql = "SELECT coalesce(min(m.first_seq), 0) FROM turns t JOIN messages m USING (turn_id) WHERE t.state <> 'ended'"
    return Query(sql, (), int)


def count_shown() -> Query[int]:
    return Query(f"SELECT count(*) FROM turns WHERE {SHOWN}", (), int)


def insert_queued(
    turn_id: str,
    session_id: str,
    agent_id: str,
    *,
    user_message_id: str,
    message_id: str,
    created_at: str,
    usage: str,
    urgent: bool,
    model: str | None,
    effort: str | None,
) -> Write:
    """Insert a queued turn. `usage` is JSON."""
    return (
        "INSERT INTO turns (turn_id, session_id, agent_id, state, user_message_id, message_id, created_at, usage,"
        " urgent, model, effort) VALUES (?,?,?,'queued',?,?,?,?,?,?,?)",
        (turn_id, session_id, agent_id, user_message_id, message_id, created_at, usage, int(urgent), model, effort),
    )


def update_running(turn_id: str) -> Write:
    return ("UPDATE turns SET state='running' WHERE turn_id=?", (turn_id,))


def update_waiting_running(session_id: str) -> Write:
    """Let the waiting turn of a session count as running, so that a restart ends it."""
    return ("UPDATE turns SET state='running' WHERE session_id=? AND state='waiting'", (session_id,))


def update_state(turn_id: str, state: str, usage: str, ran_s: float) -> Write:
    """`usage` is JSON."""
    return ("UPDATE turns SET state=?, usage=?, ran_s=? WHERE turn_id=?", (state, usage, ran_s, turn_id))


def update_ended(turn_id: str, stop_reason: str, usage: str, ran_s: float, error: str | None) -> Write:
    """`usage` and `error` are JSON."""
    return (
        "UPDATE turns SET state='ended', stop_reason=?, usage=?, ran_s=?, error=?,"
        " ended_n=(SELECT coalesce(max(ended_n), 0) + 1 FROM turns) WHERE turn_id=?",
        (stop_reason, usage, ran_s, error, turn_id),
    )


def update_kept_chars(turn_id: str, kept_chars: int) -> Write:
    return ("UPDATE turns SET kept_chars=? WHERE turn_id=?", (kept_chars, turn_id))


def update_prompt_kept(turn_id: str) -> Write:
    """The model's history has the user's message."""
    return ("UPDATE turns SET kept_chars=max(kept_chars, 0) WHERE turn_id=?", (turn_id,))
