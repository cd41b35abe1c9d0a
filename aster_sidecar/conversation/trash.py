"""The trash: deleted conversations that can be restored, and how long each of them is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aster_sidecar import clock
from aster_sidecar.store.journal import Journal, Write

log = logging.getLogger(__name__)

KEPT_S = 30 * 24 * 3600.0
"""Seconds from the deletion of a conversation until it is deleted for good."""
GAP_MOST_S = 7 * 24 * 3600.0
"""Most seconds that count for a time of which only the wall clock knows: the machine, or (where the system gives a run
of the machine no id) the daemon, did not run. A wall clock that was set years ahead would else empty the trash."""
LOOK_S = 6 * 3600.0
"""Seconds between two looks whether somebody's time is over, and between two notes of how much of it is left."""


class Trash:
    """Which sessions are in the trash. `on_due` is called, some time after, when the time of any of them is over."""

    def __init__(self, journal: Journal, on_due: Callable[[], Awaitable[None]]) -> None:
        self._journal = journal
        self._on_due = on_due
        self._ends: dict[str, clock.Deadline] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Read what is in it, and count what has passed since the last look. Raises: StoreError."""
        self.read()
        if self._ends:
            self._journal.put(writes=self._counted())

    def read(self) -> None:
        """Read what is in it. Raises: StoreError."""
        self._ends.clear()
        for session_id, deleted_at, left_s, *counted in self._journal.all(
            "SELECT session_id, deleted_at, left_s, counted_at, counted_s, boot FROM trash ORDER BY n"
        ):
            with self._journal.taking_apart(f"the deletion of session {str(session_id)[:100]}"):
                left_s -= passed_s(*counted)
                at = clock.stamp(clock.parse(deleted_at) + timedelta(seconds=KEPT_S))
            self._ends[session_id] = clock.Deadline(at, clock.real_s() + left_s)

    def watch(self) -> None:
        """From now on, look every `LOOK_S` whether anything is due, as long as there is something in the trash."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._ends:
            left_s = min(ends.left_s for ends in self._ends.values())
            self._alarm = asyncio.get_running_loop().call_later(max(1.0, min(left_s, LOOK_S)), self._look)

    def close(self) -> None:
        """Stop looking."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._work is not None:
            self._work.cancel()

    def _look(self) -> None:
        self._alarm = None
        self._journal.put(writes=self._counted(), durable=False)
        self._work = asyncio.get_running_loop().create_task(self._see_to_due())

    async def _see_to_due(self) -> None:
        try:
            await self._on_due()
        except Exception as error:  # the store may be away; the next look comes
            log.warning("the trash could not be emptied of what is due", exc_info=error)
        self._work = None
        self.watch()

    def _counted(self) -> list[Write]:
        """Rows that say how much time is left now."""
        return [
            (
                "UPDATE trash SET left_s=?, counted_at=?, counted_s=?, boot=? WHERE session_id=?",
                (ends.left_s, clock.stamp(), clock.real_s(), clock.boot(), session_id),
            )
            for session_id, ends in self._ends.items()
        ]

    # -- what is in it ---------------------------------------------------------------------------------------------

    def __contains__(self, session_id: str) -> bool:
        """Whether the session can be restored: one whose time is over can't, though it may still be there."""
        ends = self._ends.get(session_id)
        return ends is not None and not ends.over

    @property
    def due(self) -> list[str]:
        """The sessions whose time is over."""
        return [session_id for session_id, ends in self._ends.items() if ends.over]

    def until(self, session_id: str) -> str:
        """Until when a session in the trash can be restored, on the wall clock as it is now."""
        return clock.stamp(self._ends[session_id].moment)

    # -- what goes in and out --------------------------------------------------------------------------------------

    def put(self, session_id: str, was_default: bool) -> Write:
        """Take a session in. Returns the row; it stands once the caller's transaction commits."""
        self._ends[session_id] = clock.Deadline.after(KEPT_S)
        return (
            "INSERT INTO trash (session_id, deleted_at, was_default, left_s, counted_at, counted_s, boot)"
            " VALUES (?,?,?,?,?,?,?)",
            (session_id, clock.stamp(), int(was_default), KEPT_S, clock.stamp(), clock.real_s(), clock.boot()),
        )

    def forget(self, session_id: str) -> None:
        """A session is in the trash no more: it was restored or deleted for good, or its deletion did not commit."""
        self._ends.pop(session_id, None)


def passed_s(counted_at: Any, counted_s: Any, boot: Any) -> float:
    """Seconds since a look at the trash, perhaps in another life of daemon or machine. Raises: ValueError."""
    if boot is not None and boot == clock.boot():
        return max(0.0, clock.real_s() - counted_s)
    return max(0.0, min(GAP_MOST_S, (clock.now() - clock.parse(counted_at)).total_seconds()))
