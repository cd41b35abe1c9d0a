"""Full-text search for the API: the conversations and messages that contain a query, and the position of the match."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aster_sidecar.contract import wire
from aster_sidecar.store.journal import Journal, Row
from aster_sidecar.text.finding import around, places
from aster_sidecar.text.folding import fold

HOLDS = "coalesce(f.text, m.text) LIKE ? ESCAPE '\\'"
FOUND = (
    "(fold(s.title) LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM messages m LEFT JOIN folded_texts f USING (n)"
    f" WHERE m.session_id=s.session_id AND {HOLDS}))"
)
MESSAGES = (
    "SELECT m.message_id, m.role, m.text, m.created_at FROM messages m LEFT JOIN folded_texts f USING (n)"
    f" WHERE m.session_id=? AND m.n<? AND {HOLDS} ORDER BY m.n DESC LIMIT ?"
)
NO_BOUND = 1 << 62


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
        row = journal.one(MESSAGES, (session_id, NO_BOUND, pattern_of(query), 1))
        if row:
            hits[session_id] = _hit(row, query)
    return hits


def find(journal: Journal, session_id: str, query: str, bound: int, limit: int) -> tuple[list[wire.Hit], bool]:
    """At most `limit` messages with `n` below `bound` that contain the query, newest first; and whether there are more.

    Raises: StoreError.
    """
    if not fold(query):
        return [], False
    rows = journal.all(MESSAGES, (session_id, bound, pattern_of(query), limit + 1))
    return [_hit(row, query) for row in rows[:limit]], len(rows) > limit


def _hit(row: Row, query: str) -> wire.Hit:
    message_id, role, text, created_at = row
    start, end = next(places(text, fold(query)), (0, 0))
    shown, first, last = around(text, start, end)
    return wire.Hit(message_id=message_id, role=role, created_at=created_at, text=shown, start=first, end=last)
