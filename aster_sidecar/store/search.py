"""Searching the store: in which conversations and messages a query is found, and where in them."""

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
    """What LIKE looks for in folded texts: the query as it stands, each of its characters meaning itself."""
    return "%" + re.sub(r"[\\%_]", r"\\\g<0>", fold(query)) + "%"


def newest(journal: Journal, session_ids: Sequence[str], query: str) -> dict[str, wire.Hit]:
    """The newest message of each conversation that holds the query; none where only its title does.

    Raises: StoreError.
    """
    hits: dict[str, wire.Hit] = {}
    if not fold(query):
        return hits  # it is made of marks that nobody sees, and would be found between any two letters
    for session_id in session_ids:
        row = journal.one(MESSAGES, (session_id, NO_BOUND, pattern_of(query), 1))
        if row:
            hits[session_id] = _hit(row, query)
    return hits


def find(journal: Journal, session_id: str, query: str, bound: int, limit: int) -> tuple[list[wire.Hit], bool]:
    """The messages of a conversation before number `bound` that hold the query, newest first, and whether more do.

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
