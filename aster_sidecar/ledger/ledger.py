"""The ledger of changes to files: what is recorded, listed, undone, and when its contents are deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from aster_sidecar.contract import wire
from aster_sidecar.errors import AsterError, ChangeNotFound
from aster_sidecar.ledger.recorder import Recorder
from aster_sidecar.ledger.recovery import recover
from aster_sidecar.ledger.reverting import Reverts
from aster_sidecar.ledger.snapshots import Snapshots
from aster_sidecar.ledger.turn_changes import TurnChanges
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.store.rows import changes as rows
from aster_sidecar.store.rows.changes import ChangeRow
from aster_sidecar.tools.base import Surroundings

log = logging.getLogger(__name__)

FIRST_TRIM_S = 60.0
TRIM_EVERY_S = 3600.0


class Ledger:
    """All changes. `recorder` records them, `reverts` undoes them."""

    def __init__(
        self,
        journal: Journal,
        data_dir: Path,
        surroundings: Callable[[str], Surroundings],
        keep: Callable[[], tuple[int, float]],
    ) -> None:
        """`surroundings`: where the tools of a session work, by its id. `keep`: most bytes and days of contents."""
        self._journal = journal
        self._files = KeptFiles(data_dir)
        self._snapshots = Snapshots(self._files)
        self._keep = keep
        self._listing = asyncio.Lock()
        self._turns = TurnChanges(self._files)
        self._alarm: asyncio.TimerHandle | None = None
        self._trimming: asyncio.Task[None] | None = None
        self.recorder = Recorder(journal, self._files, self._snapshots)
        self.reverts = Reverts(journal, self._files, surroundings)

    async def open(self) -> None:
        """Complete what a killed daemon had begun, and begin to delete old contents. Raises: StoreError."""
        try:
            await asyncio.to_thread(self._files.open)
        except AsterError as error:  # conversations work without it; calls report what can't be recorded
            log.warning("changes to files can't be recorded: %s", error.message)
        await recover(self._journal, self._files)
        self._watch(FIRST_TRIM_S)

    async def close(self) -> None:
        """Wait for a revert that is running, and close the contents."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        await self.reverts.close()
        if self._trimming is not None:
            await asyncio.wait([self._trimming])
        await asyncio.to_thread(self._files.close)

    async def changes(self, session_id: str, turn_id: str | None) -> wire.SessionChanges:
        """What the turns of a session changed; with diffs if one is given. Raises: ChangeNotFound, StoreError."""
        turns = self._journal.rows(rows.select_turns(session_id))
        if turn_id is not None:
            turns = [turn for turn in turns if turn.turn_id == turn_id]
            if not turns:
                raise ChangeNotFound(f"nothing that turn {turn_id[:100]!r} of this session changed is recorded")
            found = self._journal.rows(rows.select_of_turns([turn_id]))
        else:
            found = self._journal.rows(rows.select_of_session(session_id))
        changes: dict[str, list[ChangeRow]] = {}
        for row in found:
            changes.setdefault(row.turn_id, []).append(row)
        notes: dict[str, list[str]] = {}
        for note in self._journal.rows(rows.select_notes(session_id)):
            notes.setdefault(note.turn_id, []).append(note.note)
        async with self._listing:  # two would compare the same contents at the same time
            made = await asyncio.to_thread(self._turns.list, turns, changes, notes, diffs=turn_id is not None)
        return wire.SessionChanges(
            session_id=session_id, turns=[turn for turn in made if turn.files or turn.not_covered]
        )

    # -- contents ------------------------------------------------------------------------------------------------------

    def _watch(self, after_s: float) -> None:
        self._alarm = asyncio.get_running_loop().call_later(after_s, self._check)

    def _check(self) -> None:
        self._watch(TRIM_EVERY_S)
        if self._trimming is None:
            self._trimming = asyncio.get_running_loop().create_task(self.trim())

    async def trim(self) -> None:
        """Delete contents that are too old, or too many. Never raises: the next check tries again."""
        try:
            most_bytes, most_days = self._keep()
            await asyncio.to_thread(self._files.trim, most_bytes, most_days)
        except Exception as error:
            log.warning("old contents of changed files could not be deleted", exc_info=error)
        finally:
            self._trimming = None
