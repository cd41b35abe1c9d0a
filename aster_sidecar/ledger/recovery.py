"""What a killed daemon has left: changes that had begun are completed or dropped, and reverts are finished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from aster_sidecar.ledger.choosing import Step, in_order
from aster_sidecar.ledger.keeping import state_of
from aster_sidecar.ledger.leftovers import remove_leftovers
from aster_sidecar.ledger.path_state import NOTHING, PathState, alike, same, same_content
from aster_sidecar.ledger.recorded import Origin, after, again, before, completed, put_event
from aster_sidecar.ledger.writing import Writing, put_outcome, write_all
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.store.rows import changes as rows
from aster_sidecar.store.rows.changes import ChangeRow, NewChange
from aster_sidecar.store.sql import Write
from aster_sidecar.text.safe_text import shown

log = logging.getLogger(__name__)

COMMAND = "run_command"
UNRECORDED = "The daemon was ended while a command ran. What that command changed is not recorded."


async def recover(journal: Journal, files: KeptFiles) -> None:
    """Complete what a killed daemon had begun, before anything else changes files. Raises: StoreError."""
    begun = journal.rows(rows.select_begun())
    notes = [
        rows.insert_note(call.session_id, call.turn_id, UNRECORDED)
        for call in journal.rows(rows.select_started())
        if call.name == COMMAND
    ]
    journal.put(writes=notes)
    await asyncio.to_thread(remove_leftovers, begun, files)
    tools = [row for row in begun if row.source != "revert"]
    if tools:
        found = await asyncio.to_thread(lambda: [state_of(Path(row.path), files) for row in tools])
        _complete(journal, tools, found)
    await journal.commit()
    await finish_reverts(journal, files)


def _complete(journal: Journal, begun: Sequence[ChangeRow], found: Sequence[PathState]) -> None:
    """Put the ends of changes by tools. `found`: what is at their paths now."""
    by_call: dict[Origin, list[NewChange]] = {}
    for row, now in zip(begun, found, strict=True):
        if alike(before(row), now):
            journal.put(writes=[rows.delete_begun(again(row))])
        else:
            origin = Origin(row.session_id, row.turn_id, row.call_id)
            by_call.setdefault(origin, []).append(completed(again(row), now))
    for origin, changed in by_call.items():
        put_event(journal, origin, changed, writes=[rows.update_done(row) for row in changed])


async def finish_reverts(journal: Journal, files: KeptFiles) -> None:
    """Finish reverts that were recorded, but not their end. Raises: StoreError.

    A path that is neither as it was when the revert began nor as the revert leaves it was changed by someone else in
    the meantime, and is left.
    """
    begun = [row for row in journal.rows(rows.select_begun()) if row.source == "revert"]
    for revert_id in dict.fromkeys(row.revert_id for row in begun):
        mine = [row for row in begun if row.revert_id == revert_id]
        outcome, notes = await asyncio.to_thread(_finish, mine, files)
        log.info("a revert was finished that had begun before", extra={"revert_id": revert_id})
        put_outcome(journal, outcome, notes)
        await journal.commit()


def _finish(begun: Sequence[ChangeRow], files: KeptFiles) -> tuple[list[tuple[NewChange, bool]], list[Write]]:
    """Write what is still to be written. Returns each row and whether its path is in the wanted state. It blocks."""
    order = in_order([Step(Path(row.path), [row], before(row), after(row)) for row in begun])
    todo: list[Writing] = []
    left: list[ChangeRow] = []
    for path, [row], seen, wanted in order:
        now = state_of(path, files)
        if same(now, wanted):
            continue
        if _is_on_the_way(now, seen, wanted):
            todo.append(Writing(path, now, wanted))
        else:
            left.append(row)
    failed = write_all(todo, files)
    left += [row for _, [row], _, _ in order if Path(row.path) in failed]
    for row in left:
        log.warning("an interrupted revert left %s as it is", row.path)
    notes = [
        rows.insert_note(
            row.session_id,
            row.turn_id,
            f"The daemon was ended while changes were undone. {shown(row.path)} was changed meanwhile, and left.",
        )
        for row in left
        if failed.get(Path(row.path), True) is not None
    ]
    return [(again(row), row not in left) for row in begun], notes


def _is_on_the_way(now: PathState, seen: PathState, wanted: PathState) -> bool:
    """Whether a revert can have left this state before its path was in the wanted one."""
    if same(now, seen) or same_content(now, wanted):  # then its permission bits are still to be set
        return True
    return same(now, NOTHING) and seen.type is not None and seen.type != wanted.type
