"""Rows of `trash`: sessions that were deleted and can be restored."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write, columns, insert

TRASHED = "SELECT session_id FROM trash"
"""A query for the ids of the sessions in the trash, for conditions in other statements."""


class TrashRow(NamedTuple):
    """`left_s`: seconds until the session is deleted permanently, as of `counted_at`.

    `counted_at` is by the wall clock, `counted_s` by `clock.real_s` in the machine's run with the id `boot`.
    """

    session_id: str
    deleted_at: str
    was_default: int
    left_s: float
    counted_at: str
    counted_s: float
    boot: str | None


def select_trash() -> Query[TrashRow]:
    """The trash, the first deleted session first."""
    return Query(f"SELECT {columns(TrashRow)} FROM trash ORDER BY n", (), TrashRow)


def select_was_default(session_id: str) -> Query[bool]:
    return Query("SELECT was_default FROM trash WHERE session_id=?", (session_id,), bool)


def insert_trash(row: TrashRow) -> Write:
    return insert("trash", row)


def update_left(session_id: str, left_s: float, counted_at: str, counted_s: float, boot: str | None) -> Write:
    return (
        "UPDATE trash SET left_s=?, counted_at=?, counted_s=?, boot=? WHERE session_id=?",
        (left_s, counted_at, counted_s, boot, session_id),
    )


def delete_trash(session_id: str) -> Write:
    return ("DELETE FROM trash WHERE session_id=?", (session_id,))
