"""Undoes changes to files: checks everything first, records what will be written, writes it, and records that.

A revert is recorded before it writes, with what is there now, so that it can be undone, and so that after a kill the
next start finishes it (recovery.py).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import RevertConflict, Stopping
from aster_sidecar.ledger.choosing import Choice, Chosen, Looks, Plan, Step, chosen, plan
from aster_sidecar.ledger.keeping import state_of
from aster_sidecar.ledger.looking import Looker
from aster_sidecar.ledger.path_state import PathState, alike
from aster_sidecar.ledger.recorded import Origin, new_row
from aster_sidecar.ledger.recovery import finish_reverts
from aster_sidecar.ledger.writing import Writing, put_outcome, write_all
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.store.rows import changes as rows
from aster_sidecar.store.rows.changes import NewChange
from aster_sidecar.text.safe_text import counted, shown
from aster_sidecar.tools import paths
from aster_sidecar.tools.base import Surroundings


class Reverts:
    """Undoes changes, one revert at a time."""

    def __init__(self, journal: Journal, files: KeptFiles, surroundings: Callable[[str], Surroundings]) -> None:
        """`surroundings` returns where the tools of a session work, by its id."""
        self._journal = journal
        self._files = files
        self._surroundings = surroundings
        self._looker = Looker()
        self._lock = asyncio.Lock()
        self._running: set[asyncio.Task[wire.Reverted]] = set()
        self._closed = False

    async def close(self) -> None:
        """Refuse new reverts, and wait for the one that is running."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)

    async def revert(
        self, choice: Choice, *, dry_run: bool = False, begun: Callable[[str | None], None] = lambda revert_id: None
    ) -> wire.Reverted:
        """Undo changes, or only say what would be done.

        `begun` is called when everything was checked, with the id of the revert (None: nothing has to be written), in
        the transaction that records the revert: what it puts is recorded with it or not at all. It is not called if
        something prevents the revert, or in a dry run. A path that can't be written when its turn comes is in `left`.
        Raises: RevertConflict, ChangeNotFound, Stopping, StoreError; then nothing was written.
        """
        if self._closed:
            raise Stopping("the daemon is stopping")
        task = asyncio.get_running_loop().create_task(self._revert(choice, dry_run, begun))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _revert(self, choice: Choice, dry_run: bool, begun: Callable[[str | None], None]) -> wire.Reverted:
        async with self._lock:
            if not dry_run:
                await finish_reverts(self._journal, self._files)
            found = chosen(self._journal, choice)
            sessions = {row.session_id for row in found.changes}
            protected = {session_id: self._surroundings(session_id).protected for session_id in sessions}
            looks = _Looks(self._looker, self._files, protected)
            planned = await asyncio.to_thread(_planned, choice, found, looks)
            if dry_run:
                return wire.Reverted(revert_id=None, files=planned.files, left=[*planned.left, *planned.conflicts])
            refuse(planned.conflicts)
            planned = await asyncio.to_thread(_kept_present, planned, self._files, choice.force)
            refuse(planned.conflicts)
            return await self._write(planned, begun)

    async def _write(self, planned: Plan, begun: Callable[[str | None], None]) -> wire.Reverted:
        """Record the revert, write its paths, and record what came of it. Raises: StoreError."""
        revert_id = clock.new_id("rev") if planned.steps else None
        recorded = [(step, _row_of(step, revert_id or "")) for step in planned.steps]
        begun(revert_id)  # first: if it raises, because the session was deleted meanwhile, nothing is recorded
        self._journal.put(writes=[rows.insert_change(row) for _, row in recorded])
        await self._journal.commit()
        if revert_id is None:
            return wire.Reverted(revert_id=None, files=planned.files, left=planned.left)
        failed = await asyncio.to_thread(
            write_all, [Writing(step.path, step.seen, step.wanted) for step in planned.steps], self._files
        )
        put_outcome(self._journal, [(row, step.path not in failed) for step, row in recorded])
        await self._journal.commit()
        gone = {str(path) for path in failed}
        return wire.Reverted(
            revert_id=revert_id if len(failed) < len(recorded) else None,
            files=[file for file in planned.files if file.path not in gone],
            left=[*planned.left, *(one for one in failed.values() if one is not None)],
        )


def refuse(conflicts: Sequence[wire.NotReverted]) -> None:
    """Raises: RevertConflict when there are any."""
    if conflicts:
        many = counted(len(conflicts), "file")
        error = RevertConflict(f"{many} can't be undone, so nothing was written: {conflicts[0].message}")
        error.details = [conflict.model_dump() for conflict in conflicts]
        raise error


def _row_of(step: Step, revert_id: str) -> NewChange:
    first, last = step.changes[0], step.changes[-1]
    origin = Origin(first.session_id, first.turn_id, None, revert_id)
    path = str(step.path)
    return new_row(origin, "revert", path, step.seen, step.wanted, done=False, moved_from=last.moved_from)


class _Looks:
    """See `choosing.Looks`. `protected`: what tools may not touch, by session."""

    def __init__(self, looker: Looker, files: KeptFiles, protected: Mapping[str, tuple[Path, ...]]) -> None:
        self.look = looker.look
        self._files = files
        self._protected = protected

    def why_gone(self, state: PathState) -> str | None:
        return why_gone(state, self._files)

    def forbidden(self, session_id: str, path: Path) -> str | None:
        return paths.forbidden(path, self._protected[session_id])


def why_gone(state: PathState, files: KeptFiles) -> str | None:
    """Why the content of a state can't be restored, for people; None if it can. It blocks."""
    if state.type in (None, "directory"):
        return None
    if state.sha256 is not None and files.has(state.sha256):
        return None
    return state.why_not_kept or GONE


GONE = "it was kept too long ago, or other contents needed its space"


def _planned(choice: Choice, found: Chosen, looks: Looks) -> Plan:
    planned = plan(choice, found, looks)
    unwritable = _unwritable(planned.steps)
    left = [one for one in unwritable if one.path in choice.force]
    skipped = {one.path for one in left}
    return Plan(
        [step for step in planned.steps if str(step.path) not in skipped],
        [file for file in planned.files if file.path not in skipped],
        [*planned.left, *left],
        [*planned.conflicts, *(one for one in unwritable if one.path not in skipped)],
    )


def _unwritable(steps: Iterable[Step]) -> list[wire.NotReverted]:
    """The steps in directories where nothing may be written."""
    folders: dict[Path, bool] = {step.path: True for step in steps}
    found: list[wire.NotReverted] = []
    effective = os.access in os.supports_effective_ids
    for step in steps:
        folder = step.path.parent
        if folder not in folders:
            mode = os.W_OK | os.X_OK
            folders[folder] = not os.path.lexists(folder) or os.access(folder, mode, effective_ids=effective)
        if not folders[folder]:
            message = f"{shown(step.path)} can't be undone: {shown(folder)} is not writable"
            found.append(wire.NotReverted(path=str(step.path), code="unwritable", message=message))
    return found


def _kept_present(planned: Plan, files: KeptFiles, force: Collection[str]) -> Plan:
    """The plan, after what is at the paths now was kept, so that the revert can be undone. It blocks.

    What changed since the plan was made is a conflict. A path that is undone by force, although it changed, is left if
    its content now can't be kept.
    """
    steps: list[Step] = []
    left, conflicts = list(planned.left), list(planned.conflicts)
    for step in planned.steps:
        now, path = state_of(step.path, files), str(step.path)
        if not now.kept and path in force:
            message = f"what is at {shown(path)} now would be lost: {now.why_not_kept}"
            left.append(wire.NotReverted(path=path, code="not_kept", message=message))
        elif not alike(now, step.seen):
            conflicts.append(wire.NotReverted(path=path, code="changed_since", message=f"{shown(path)} changed since"))
        else:
            steps.append(step._replace(seen=now))
    gone = {one.path for one in left}
    return Plan(steps, [file for file in planned.files if file.path not in gone], left, conflicts)
