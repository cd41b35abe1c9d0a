"""Rows of `sessions`: conversations. `used_n` orders them by last use: unlike a clock it never goes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from aster_sidecar.store.rows.decisions import update_forgotten
from aster_sidecar.store.rows.messages import CONTAINS
from aster_sidecar.store.rows.messages import SHOWN as IN_CONVERSATION
from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns

SHOWN = f"session_id NOT IN ({TRASHED})"
USED_NOW = "(SELECT coalesce(max(used_n), 0) + 1 FROM sessions)"
"""The next value of `used_n`."""
PINNED_FIRST = "s.pinned * 1000000000000000 + s.used_n"
"""The order of the list as one number, so that an index can hold it."""


class SessionRow(NamedTuple):
    """A session with the number of its messages. `deleted_at` is set for one in the trash.

    `context_tokens`: how much of the model's window, of `window_tokens`, it filled after its last request.

    `forked_from`: the session that it was copied from, up to the turn of the message `forked_at`.

    `position` orders a list: the next page begins below that of its last row.
    """

    session_id: str
    agent_id: str
    title: str
    created_at: str
    updated_at: str
    archived: int
    is_default: int
    messages: int
    deleted_at: str | None
    pinned: int
    context_tokens: int | None
    window_tokens: int | None
    forked_from: str | None
    forked_at: str | None
    position: int


class ChoicesRow(NamedTuple):
    """What a session chose for itself; None: it takes what its agent and the configuration say."""

    session_id: str
    work_dir: str | None
    model: str | None
    effort: str | None
    permission_mode: str | None
    mcp_off: str | None
    """JSON."""


COLUMNS = (
    "s.session_id, s.agent_id, s.title, s.created_at, s.updated_at, s.archived, s.is_default,"
    f" (SELECT count(*) FROM messages m WHERE m.session_id=s.session_id AND m.{IN_CONVERSATION}),"
    " (SELECT deleted_at FROM trash t WHERE t.session_id=s.session_id), s.pinned,"
    " s.context_tokens, s.window_tokens, s.forked_from, s.forked_at"
)


class OwnerRow(NamedTuple):
    session_id: str
    agent_id: str
    is_default: int


class TitleRow(NamedTuple):
    title: str
    archived: int


class CountRow(NamedTuple):
    sessions: int
    messages: int
    turns: int


class Listed(NamedTuple):
    """Which sessions a list has. `pattern` is a LIKE pattern; `before` is the position of the previous page's last row.

    A list has those that are archived or those that are not.
    """

    agent_id: str | None
    pattern: str | None
    archived: bool
    before: int | None
    limit: int


def select_owners() -> Query[OwnerRow]:
    return Query(f"SELECT session_id, agent_id, is_default FROM sessions WHERE {SHOWN}", (), OwnerRow)


def select_choices() -> Query[ChoicesRow]:
    """The choices of all sessions, also of those in the trash."""
    return Query(f"SELECT {columns(ChoicesRow)} FROM sessions", (), ChoicesRow)


def select_folders(limit: int) -> Query[str]:
    """The folders that sessions chose, the last used first, each once."""
    sql = (
        f"SELECT work_dir FROM sessions WHERE work_dir IS NOT NULL AND {SHOWN}"
        " GROUP BY work_dir ORDER BY max(used_n) DESC LIMIT ?"
    )
    return Query(sql, (limit,), str)


def select_session(session_id: str) -> Query[SessionRow]:
    """A session, also one in the trash."""
    return Query(
        f"SELECT {COLUMNS}, s.used_n AS position FROM sessions s WHERE s.session_id=?", (session_id,), SessionRow
    )


def select_listed(wanted: Listed) -> Query[SessionRow]:
    """Sessions that are not in the trash: pinned ones first, then the most recently used.

    Those of a search and archived ones are sorted by last use only.
    """
    order = "s.used_n" if wanted.pattern or wanted.archived else PINNED_FIRST
    return _select("sessions s", order, [f"s.{SHOWN}", "s.archived=?"], [int(wanted.archived)], wanted)


def select_trashed(wanted: Listed, expired: Sequence[str]) -> Query[SessionRow]:
    """Sessions in the trash but the expired ones, archived or not, the last deleted first."""
    conditions = ["s.session_id<>?" for _ in expired]
    return _select("sessions s JOIN trash t USING (session_id)", "t.n", conditions, list(expired), wanted)


def _select(source: str, order: str, conditions: list[str], parameters: list[Any], wanted: Listed) -> Query[SessionRow]:
    if wanted.agent_id is not None:
        conditions.append("s.agent_id=?")
        parameters.append(wanted.agent_id)
    if wanted.before is not None:
        conditions.append(f"{order} < ?")
        parameters.append(wanted.before)
    if wanted.pattern is not None:
        conditions.append(
            "(fold(s.title) LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM messages m LEFT JOIN folded_texts f USING (n)"
            f" WHERE m.session_id=s.session_id AND m.{IN_CONVERSATION} AND {CONTAINS}))"
        )
        parameters += [wanted.pattern, wanted.pattern]
    where = " AND ".join(conditions) or "true"
    sql = f"SELECT {COLUMNS}, {order} AS position FROM {source} WHERE {where} ORDER BY {order} DESC LIMIT ?"
    return Query(sql, [*parameters, wanted.limit], SessionRow)


def select_title(session_id: str) -> Query[TitleRow]:
    return Query("SELECT title, archived FROM sessions WHERE session_id=?", (session_id,), TitleRow)


def count_shown() -> Query[int]:
    return Query(f"SELECT count(*) FROM sessions WHERE {SHOWN}", (), int)


def select_counts() -> Query[CountRow]:
    """The number of rows of some tables, those of sessions in the trash included."""
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in ("sessions", "messages", "turns"))
    return Query(f"SELECT {counts}", (), CountRow)


def insert_session(session_id: str, agent_id: str, title: str, created_at: str, *, is_default: bool) -> Write:
    return (
        "INSERT INTO sessions (session_id, agent_id, title, created_at, updated_at, is_default, used_n)"
        f" VALUES (?,?,?,?,?,?,{USED_NOW})",
        (session_id, agent_id, title, created_at, created_at, int(is_default)),
    )


def update_session(session_id: str, title: str, *, archived: bool, pinned: bool) -> Write:
    return (
        "UPDATE sessions SET title=?, archived=?, pinned=? WHERE session_id=?",
        (title, int(archived), int(pinned), session_id),
    )


def update_title(session_id: str, title: str) -> Write:
    return ("UPDATE sessions SET title=? WHERE session_id=?", (title, session_id))


def update_forked(session_id: str, forked_from: str, forked_at: str | None) -> Write:
    """The session is a copy of another one, up to the turn of the message `forked_at`."""
    return ("UPDATE sessions SET forked_from=?, forked_at=? WHERE session_id=?", (forked_from, forked_at, session_id))


def update_choices(row: ChoicesRow) -> Write:
    return (
        "UPDATE sessions SET work_dir=?, model=?, effort=?, permission_mode=?, mcp_off=? WHERE session_id=?",
        (row.work_dir, row.model, row.effort, row.permission_mode, row.mcp_off, row.session_id),
    )


def update_agent(session_id: str, agent_id: str) -> Write:
    return ("UPDATE sessions SET agent_id=? WHERE session_id=?", (agent_id, session_id))


def update_used(session_id: str, updated_at: str) -> Write:
    """The session was used now."""
    return (f"UPDATE sessions SET updated_at=?, used_n={USED_NOW} WHERE session_id=?", (updated_at, session_id))


def update_used_and_title(session_id: str, updated_at: str, title: str) -> Write:
    """The session was used now, is not archived any more, and has this title."""
    return (
        f"UPDATE sessions SET updated_at=?, used_n={USED_NOW}, archived=0, title=? WHERE session_id=?",
        (updated_at, title, session_id),
    )


def update_default(session_id: str, *, is_default: bool) -> Write:
    return ("UPDATE sessions SET is_default=? WHERE session_id=?", (int(is_default), session_id))


def delete_session(session_id: str) -> list[Write]:
    """Delete a session and all rows that belong to it; tables that refer to it are emptied by cascade.

    Decisions about its calls stay, without texts.
    """
    tables = ("approvals", "questions", "rules", "sessions")
    deletes: list[Write] = [(f"DELETE FROM {table} WHERE session_id=?", (session_id,)) for table in tables]
    return [*deletes, update_forgotten(session_id)]


def update_context(session_id: str, tokens: int | None, window_tokens: int | None) -> Write:
    """How much of the model's context window the session fills. None: not known."""
    sql = "UPDATE sessions SET context_tokens=?, window_tokens=? WHERE session_id=?"
    return (sql, (tokens, window_tokens, session_id))


def delete_history(session_id: str) -> list[Write]:
    """Delete all messages and turns of a session, and what belongs to them; decisions stay, without texts."""
    tables = (
        "messages",
        "model_messages",
        "turns",
        "approvals",
        "questions",
        "calls",
        "sends",
        "rewinds",
        "changes",
        "change_notes",
    )
    deletes: list[Write] = [(f"DELETE FROM {table} WHERE session_id=?", (session_id,)) for table in tables]
    return [*deletes, update_forgotten(session_id), update_context(session_id, None, None)]
