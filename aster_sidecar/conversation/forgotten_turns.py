"""Turns that the model does not have any more, because an earlier version deleted what a compaction had summarised.

When that compaction is cut off by a rewind or a fork, the model gets the texts that people see instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.model_messages import select_forgotten, select_oldest_turn

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine


class Restored(NamedTuple):
    """A message for the model, as JSON, of a turn. `compacted_in` is the turn whose compaction had replaced it."""

    turn_id: str
    message: str
    compacted_in: str


async def restored(
    journal: Journal, load_engine: Callable[[], Awaitable[Engine]], session_id: str, cut: Collection[str]
) -> list[Restored]:
    """The messages that the model lacks when these turns are cut off; usually none. Raises: StoreError."""
    forgotten = [row for row in journal.rows(select_forgotten(session_id)) if row.turn_id not in cut]
    oldest = journal.first(select_oldest_turn(session_id))
    if not forgotten or oldest is None or oldest not in cut:
        return []
    engine = await load_engine()
    return [
        Restored(row.turn_id, message, oldest)
        for row in forgotten
        for message in engine.as_messages(row.question, row.answer)
    ]
