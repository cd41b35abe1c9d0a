"""Recorded changes as states of paths, and states as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.ledger.path_state import PathState
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import changes as rows
from aster_sidecar.store.rows.changes import ChangeRow, NewChange
from aster_sidecar.store.sql import Write

EVENT_PATHS = 20
"""How many paths an event names."""


class Origin(NamedTuple):
    """Whose change it is: of a call, or of a revert, which undoes a change of the turn."""

    session_id: str
    turn_id: str
    call_id: str | None = None
    revert_id: str | None = None


def before(row: ChangeRow) -> PathState:
    """What was at the path before the change."""
    state = PathState(row.before_type, row.before_size or 0, row.before_mode or 0, row.before_sha256)
    return state._replace(kept=bool(row.kept), why_not_kept=row.why_not_kept)


def after(row: ChangeRow) -> PathState:
    """What is at the path after the change; of a revert that has begun, what it is to write."""
    return PathState(row.after_type, row.after_size or 0, row.after_mode or 0, row.after_sha256)


def new_row(
    origin: Origin,
    source: Literal["tool", "command", "revert"],
    path: str,
    was: PathState,
    now: PathState,
    *,
    done: bool,
    moved_from: str | None = None,
) -> NewChange:
    """The row of a change that is recorded now."""
    return NewChange(
        session_id=origin.session_id,
        turn_id=origin.turn_id,
        call_id=origin.call_id,
        revert_id=origin.revert_id,
        source=source,
        path=path,
        moved_from=moved_from,
        before_type=was.type,
        before_size=was.size,
        before_mode=was.mode,
        before_sha256=was.sha256,
        after_type=now.type,
        after_size=now.size,
        after_mode=now.mode,
        after_sha256=now.sha256,
        kept=int(was.kept),
        why_not_kept=was.why_not_kept,
        state="done" if done else "begun",
        recorded_at=clock.stamp(),
    )


def completed(row: NewChange, now: PathState) -> NewChange:
    """The row, with what is at the path after the change."""
    return row._replace(
        after_type=now.type, after_size=now.size, after_mode=now.mode, after_sha256=now.sha256, state="done"
    )


def again(row: ChangeRow) -> NewChange:
    """A row of the store, to be completed or deleted."""
    return NewChange(*row[1:])


def put_event(journal: Journal, origin: Origin, changed: Sequence[NewChange], *, writes: Iterable[Write] = ()) -> None:
    """Put `files_changed` with the rows that record these changes; no event in the trash, or without a change.

    Raises: StoreError.
    """
    agent_id = journal.first(rows.select_agent(origin.session_id)) if changed else None
    if agent_id is None:
        journal.put(writes=writes)
        return
    journal.put(
        "files_changed",
        changed_event(journal, origin, changed),
        agent_id=agent_id,
        session_id=origin.session_id,
        turn_id=origin.turn_id if origin.call_id is not None else None,
        writes=writes,
    )


def changed_event(journal: Journal, origin: Origin, changed: Sequence[NewChange]) -> wire.FilesChangedEvent:
    """The event for changes that are not committed yet. Raises: StoreError."""
    paths = list(dict.fromkeys(row.path for row in changed if "directory" not in (row.before_type, row.after_type)))
    paths = paths or list(dict.fromkeys(row.path for row in changed))
    new = [row.path for row in changed if row.source != "revert" and is_counted(row)]
    counted = journal.first(rows.count_changed(origin.session_id)) or 0
    more = set(new) - set(journal.rows(rows.select_counted(origin.session_id, new))) if new else set[str]()
    return wire.FilesChangedEvent(
        call_id=origin.call_id,
        revert_id=origin.revert_id,
        paths=paths[:EVENT_PATHS],
        files=len(paths),
        changed_files=counted + len(more),
    )


def is_counted(row: NewChange) -> bool:
    """Whether a change counts in `changed_files`: directories don't."""
    return "directory" not in (row.before_type, row.after_type)
