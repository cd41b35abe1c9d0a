"""The trash, for `sessions`: deleted conversations that can be restored, and when each is permanently deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from aster_sidecar import clock
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import trash as rows
from aster_sidecar.store.sql import Write

log = logging.getLogger(__name__)

KEPT_S = 30 * 24 * 3600.0
"""Seconds from the deletion of a conversation until it is deleted permanently."""
CHECK_S = 6 * 3600.0
"""Seconds between two checks for expired sessions; each check also records the time that is left."""


class Trash:
    """The sessions in the trash. `on_due` is called after each check, to delete the sessions in `due`."""

    def __init__(self, journal: Journal, on_due: Callable[[], Awaitable[None]]) -> None:
        self._journal = journal
        self._on_due = on_due
        self._ends: dict[str, clock.Deadline] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Read the trash, and record the time that is left for each session. Raises: StoreError."""
        self.read()
        if self._ends:
            self._journal.put(writes=self._time_left_rows())

    def read(self) -> None:
        """Read the trash. Raises: StoreError."""
        found: dict[str, clock.Deadline] = {}
        for row in self._journal.rows(rows.select_trash()):
            with self._journal.parsing(f"the deletion of session {row.session_id[:100]}"):
                left_s = row.left_s - clock.seconds_since(row.counted_at, row.counted_s, row.boot)
                at = clock.stamp(clock.parse(row.deleted_at) + timedelta(seconds=KEPT_S))
            found[row.session_id] = clock.Deadline(at, clock.real_s() + left_s)
        self._ends = found

    def watch(self) -> None:
        """Set the timer for the next check, at most `CHECK_S` from now, unless the trash is empty."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._ends:
            left_s = min(ends.left_s for ends in self._ends.values())
            self._alarm = asyncio.get_running_loop().call_later(max(1.0, min(left_s, CHECK_S)), self._check)

    def close(self) -> None:
        """Stop the timer."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._work is not None:
            self._work.cancel()

    def _check(self) -> None:
        self._alarm = None
        self._journal.put(writes=self._time_left_rows(), durable=False)
        self._work = asyncio.get_running_loop().create_task(self._delete_due())

    async def _delete_due(self) -> None:
        try:
            await self._on_due()
        except Exception as error:  # the store may be unavailable; the next check tries again
            log.warning("expired sessions in the trash could not be deleted", exc_info=error)
        self._work = None
        self.watch()

    def _time_left_rows(self) -> list[Write]:
        """The updates that record the time that is left."""
        return [
            rows.update_left(session_id, ends.left_s, clock.stamp(), clock.real_s(), clock.boot())
            for session_id, ends in self._ends.items()
        ]

    # -- what is in it ---------------------------------------------------------------------------------------------

    def __contains__(self, session_id: str) -> bool:
        """Whether the session can be restored: it is in the trash and has not expired."""
        ends = self._ends.get(session_id)
        return ends is not None and not ends.over

    @property
    def due(self) -> list[str]:
        """The sessions that have expired."""
        return [session_id for session_id, ends in self._ends.items() if ends.over]

    def until(self, session_id: str) -> str:
        """When a session in the trash expires, as a stamp by the current wall clock."""
        return clock.stamp(self._ends[session_id].moment)

    # -- what goes in and out --------------------------------------------------------------------------------------

    def put(self, session_id: str, was_default: bool) -> Write:
        """Add a session. Returns the row for the caller's transaction."""
        self._ends[session_id] = clock.Deadline.after(KEPT_S)
        now = clock.stamp()
        return rows.insert_trash(
            rows.TrashRow(session_id, now, int(was_default), KEPT_S, now, clock.real_s(), clock.boot())
        )

    def forget(self, session_id: str) -> None:
        """Remove a session that was restored or permanently deleted."""
        self._ends.pop(session_id, None)
