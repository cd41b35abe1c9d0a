"""Rows of `host_calls`: calls of the tools that hosts lend.

States: waiting → accepted → done, failed or unknown. Each can become cancelled before it has ended.
"""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns, insert


class HostCallRow(NamedTuple):
    """A call that has not ended.

    `arguments` is JSON. `instance`: who accepted it. `begun_at`, `expires_at`, `boot` and `due_s` are its deadline
    (`clock.Deadline`); without one `expires_at` and `due_s` are None.
    """

    call_id: str
    host: str
    tool: str
    arguments: str
    agent_id: str
    session_id: str
    turn_id: str
    idempotent: int
    state: str
    instance: str | None
    begun_at: str
    expires_at: str | None
    boot: str | None
    due_s: float | None


class HostEndRow(NamedTuple):
    """How a call ended. `result` and `files` (ids of attachments) are JSON."""

    host: str
    state: str
    result: str | None
    files: str | None


def select_open() -> Query[HostCallRow]:
    """Calls that have not ended, oldest first, but those of sessions in the trash."""
    where = f"state IN ('waiting', 'accepted') AND session_id NOT IN ({TRASHED})"
    return Query(f"SELECT {columns(HostCallRow)} FROM host_calls WHERE {where} ORDER BY rowid", (), HostCallRow)


def select_end(call_id: str) -> Query[HostEndRow]:
    return Query(f"SELECT {columns(HostEndRow)} FROM host_calls WHERE call_id=?", (call_id,), HostEndRow)


def insert_call(row: HostCallRow) -> Write:
    return insert("host_calls", row)


def update_accepted(call_id: str, instance: str | None) -> Write:
    """This instance has accepted the call; None: nobody any more, so another one may."""
    state = "accepted" if instance is not None else "waiting"
    return ("UPDATE host_calls SET state=?, instance=? WHERE call_id=?", (state, instance, call_id))


def update_ended(call_id: str, state: str, result: str | None, files: str | None, ended_at: str) -> Write:
    """Record how a call ended. `result` and `files` are JSON."""
    return (
        "UPDATE host_calls SET state=?, result=?, files=?, ended_at=? WHERE call_id=?",
        (state, result, files, ended_at, call_id),
    )
