"""Records what tools change in files: before a call the state of its paths, after it what is different.

Rows of file tools are recorded before the change, so that after a kill the next start completes them (recovery.py). Of
a command nobody knows what it will change: its folder is looked at before and after it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from aster_sidecar.contract import wire
from aster_sidecar.ledger.keeping import state_of
from aster_sidecar.ledger.path_state import NOTHING, PathChange, PathState, alike
from aster_sidecar.ledger.recorded import Origin, changed_event, completed, new_row
from aster_sidecar.ledger.snapshots import Snapshot, Snapshots
from aster_sidecar.policy.permissions import Assessment
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.store.rows import changes as rows
from aster_sidecar.store.rows.changes import NewChange
from aster_sidecar.store.sql import Write
from aster_sidecar.text.safe_text import counted, shown
from aster_sidecar.tools.base import CallContext, Tool, WillChange

log = logging.getLogger(__name__)

MOST_CHANGES = 20_000
"""The most changes of one command that are recorded."""


class Recorded(NamedTuple):
    """What a call changed: the rows to write with its end, and the event to put with them."""

    writes: list[Write]
    event: wire.FilesChangedEvent | None


NO_CHANGES = Recorded([], None)


class Recorder:
    """Records the changes of tools."""

    def __init__(self, journal: Journal, files: KeptFiles, snapshots: Snapshots) -> None:
        self._journal = journal
        self._files = files
        self._snapshots = snapshots

    def recording(self, ctx: CallContext) -> Recording:
        """The recording of one call; nothing is recorded until its `begin`."""
        return Recording(self._journal, self._files, self._snapshots, ctx)


class Recording:
    """What one call changes. Its end is `end`, whatever came of the call."""

    def __init__(self, journal: Journal, files: KeptFiles, snapshots: Snapshots, ctx: CallContext) -> None:
        self._journal = journal
        self._files = files
        self._snapshots = snapshots
        self._ctx = ctx
        self._origin = Origin(ctx.session_id, ctx.turn_id, ctx.call_id)
        self._begun: dict[Path, tuple[NewChange, PathState]] = {}
        self._snapshot: Snapshot | None = None
        self._notes: list[str] = []
        self.active = False
        """Whether the call may change something that is recorded."""

    async def begin(self, tool: Tool[Any], arguments: BaseModel, assessment: Assessment) -> None:
        """Record what is there before the call runs. Raises: StoreError when the journal can't be written."""
        if tool.changes is None:
            return
        self.active = True
        will = tool.changes(arguments, assessment)
        if will.command_in is not None:
            await self._look_at_folder(will.command_in)
        if will.paths:
            await self._look_at_paths(will)

    async def _look_at_paths(self, will: WillChange) -> None:
        try:
            before = await asyncio.to_thread(lambda: _states(_with_missing_folders(will.paths), self._files))
        except Exception as error:
            self._note_failure("What is there before a call could not be recorded", error)
            return
        moved = {will.paths[1]: str(will.paths[0])} if will.moves else {}
        for path, state in before.items():
            row = new_row(self._origin, "tool", str(path), state, NOTHING, done=False, moved_from=moved.get(path))
            self._begun[path] = row, state
        writes = [rows.insert_change(row) for row, _ in self._begun.values()]
        self._journal.put(turn_id=self._origin.turn_id, writes=writes)
        await self._journal.commit()

    async def _look_at_folder(self, command_in: Path) -> None:
        """Look at the session's folder before a command. A failure is noted and does not stop the command."""
        folder = self._ctx.surroundings.work_dir
        if not command_in.is_relative_to(folder):
            self._notes.append(
                f"A command ran in {shown(command_in)}, outside the session's folder: what it changed there is not"
                " recorded."
            )
        try:
            self._snapshot = await self._snapshots.before(folder, self._ctx.tell)
            self._notes += self._snapshot.not_covered
        except Exception as error:
            self._note_failure(f"The files in {shown(folder)} could not be recorded before a command", error)

    def _note_failure(self, what: str, error: Exception) -> None:
        log.warning("%s", what, exc_info=error)
        self._notes.append(f"{what}: {error}")

    async def end(self) -> Recorded:
        """What is different now; what can't be recorded is noted. Raises: StoreError when the journal can't be read."""
        changed: list[NewChange] = []
        writes: list[Write] = []
        try:
            if self._begun:
                after = await asyncio.to_thread(_states, self._begun, self._files)
                for path, (row, before) in self._begun.items():
                    if alike(before, after[path]):
                        writes.append(rows.delete_begun(row))
                    else:
                        changed.append(completed(row, after[path]))
                        writes.append(rows.update_done(changed[-1]))
            if self._snapshot is not None:
                found = self._rows_of_command(await self._snapshots.changes_since(self._snapshot))
                if found and self._snapshot.ignored:
                    names = ", ".join(map(shown, self._snapshot.ignored))
                    self._notes.append(f"What ignore files leave out is not recorded: {names}.")
                changed += found
                writes += [rows.insert_change(row) for row in found]
        except Exception as error:
            self._note_failure("What a call changed could not be recorded", error)
        notes = dict.fromkeys(self._notes)
        writes += [rows.insert_note(self._origin.session_id, self._origin.turn_id, note) for note in notes]
        return Recorded(writes, changed_event(self._journal, self._origin, changed) if changed else None)

    def _rows_of_command(self, found: Sequence[PathChange]) -> list[NewChange]:
        named = [change for change in found if _is_nameable(change.path)]
        if many := len(found) - len(named):
            self._notes.append(f"{counted(many, 'file')} whose name is not UTF-8 changed and can't be recorded.")
        if len(named) > MOST_CHANGES:
            self._notes.append(f"A command changed {len(named)} paths; the first {MOST_CHANGES} are recorded.")
        return [
            new_row(self._origin, "command", str(change.path), change.before, change.after, done=True)
            for change in named[:MOST_CHANGES]
        ]


def _is_nameable(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _states(paths: Iterable[Path], files: KeptFiles) -> dict[Path, PathState]:
    """What is at each of the paths. It blocks."""
    return {path: state_of(path, files) for path in paths}


def _with_missing_folders(paths: Sequence[Path]) -> list[Path]:
    """The paths, each after the directories above it that do not exist: a tool makes them."""
    found: dict[Path, None] = {}
    for path in paths:
        missing: list[Path] = []
        for folder in path.parents:
            if os.path.lexists(folder):
                break
            missing.append(folder)
        found.update(dict.fromkeys([*reversed(missing), path]))
    return list(found)
