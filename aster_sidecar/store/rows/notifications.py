"""Rows of `notifications`. Those of sessions in the trash are kept, and not returned."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.rows.rewinds import REWOUND
from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns

SHOWN = f"(session_id IS NULL OR session_id NOT IN ({TRASHED}))"


class NotificationRow(NamedTuple):
    notification_id: str
    kind: str
    title: str
    body: str
    agent_id: str | None
    session_id: str | None
    turn_id: str | None
    call_id: str | None
    created_at: str
    read: int


class UnreadRow(NamedTuple):
    notification_id: str
    call_id: str | None


def select_unread() -> Query[UnreadRow]:
    """Unread notifications, oldest first."""
    sql = f"SELECT notification_id, call_id FROM notifications WHERE read=0 AND {SHOWN} ORDER BY n"
    return Query(sql, (), UnreadRow)


def select_unread_of_rewound() -> Query[str]:
    """The ids of unread notifications about turns that a rewind took out of their conversations."""
    sql = f"SELECT notification_id FROM notifications WHERE read=0 AND turn_id IN ({REWOUND})"
    return Query(sql, (), str)


def select_newest(limit: int, *, unread: bool) -> Query[NotificationRow]:
    """At most `limit` notifications, newest first; with `unread` only unread ones."""
    where = f"{SHOWN} AND read=0" if unread else SHOWN
    sql = f"SELECT {columns(NotificationRow)} FROM notifications WHERE {where} ORDER BY n DESC LIMIT ?"
    return Query(sql, (limit,), NotificationRow)


def insert_notification(row: NotificationRow) -> Write:
    """Insert a notification, unless its session has been deleted in the meantime."""
    sql = (
        f"INSERT INTO notifications ({columns(NotificationRow)}) SELECT ?,?,?,?,?,?,?,?,?,?"
        " WHERE ? IS NULL OR EXISTS (SELECT 1 FROM sessions WHERE session_id=?)"
    )
    values = (row.notification_id, row.kind, row.title, row.body, row.agent_id, row.session_id, row.turn_id)
    return (sql, (*values, row.call_id, row.created_at, row.read, row.session_id, row.session_id))


def delete_older(keep: int) -> Write:
    """Delete all but the newest `keep` notifications."""
    return ("DELETE FROM notifications WHERE n <= (SELECT max(n) FROM notifications) - ?", (keep,))


def update_read(notification_id: str) -> Write:
    return ("UPDATE notifications SET read=1 WHERE notification_id=?", (notification_id,))


def update_read_of_session(session_id: str) -> Write:
    return ("UPDATE notifications SET read=1 WHERE session_id=?", (session_id,))
