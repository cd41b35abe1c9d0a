"""Full-text search for the API: the conversations and messages that contain a query, and the position of the match."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aster_sidecar.contract import wire
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import messages as rows
from aster_sidecar.text.finding import around, places
from aster_sidecar.text.folding import fold


def pattern_of(query: str) -> str:
    """The LIKE pattern for a query: folded as the stored texts are, with its own wildcards escaped."""
    return "%" + re.sub(r"[\\%_]", r"\\\g<0>", fold(query)) + "%"


def newest(journal: Journal, session_ids: Sequence[str], query: str) -> dict[str, wire.Hit]:
    """The newest message that contains the query, by session_id; a session matched by its title only is left out.

    Raises: StoreError.
    """
    hits: dict[str, wire.Hit] = {}
    if not fold(query):
        return hits  # only invisible characters: an empty pattern would match everywhere
    for session_id in session_ids:
        row = journal.first(rows.select_hits(session_id, pattern_of(query), rows.ALL, 1))
        if row is not None:
            hits[session_id] = _hit(row, query)
    return hits


def find(journal: Journal, session_id: str, query: str, bound: int, limit: int) -> tuple[list[wire.Hit], bool]:
    """At most `limit` messages with `n` below `bound` that contain the query, newest first; and whether there are more.

    Raises: StoreError.
    """
    if not fold(query):
        return [], False
    found = journal.rows(rows.select_hits(session_id, pattern_of(query), bound, limit + 1))
    return [_hit(row, query) for row in found[:limit]], len(found) > limit


def _hit(row: rows.HitRow, query: str) -> wire.Hit:
    start, end = next(places(row.text, fold(query)), (0, 0))
    shown, first, last = around(row.text, start, end)
    return wire.Hit(
        message_id=row.message_id, role=row.role, created_at=row.created_at, text=shown, start=first, end=last
    )
