"""Writes the paths of a revert, and records what came of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from aster_sidecar.contract import wire
from aster_sidecar.errors import StoreError
from aster_sidecar.ledger.path_state import BITS, PathState
from aster_sidecar.ledger.recorded import Origin, put_event
from aster_sidecar.ledger.restoring import restore
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.store.rows import changes as rows
from aster_sidecar.store.rows.changes import NewChange
from aster_sidecar.store.sql import Write
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.files.replacing import Changed

log = logging.getLogger(__name__)

OWNER = 0o700
"""What a directory needs while something is written in it."""


class Writing(NamedTuple):
    """A path that is brought from the state `seen` to `wanted`."""

    path: Path
    seen: PathState
    wanted: PathState


def write_all(writings: Sequence[Writing], files: KeptFiles) -> dict[Path, wire.NotReverted | None]:
    """Write the paths, in this order. Returns those that could not be written; None: it does not matter. It blocks."""
    failed: dict[Path, wire.NotReverted | None] = {}
    later: list[Writing] = []
    for one in writings:
        if one.wanted.type == "directory" and one.wanted.mode & OWNER != OWNER:
            open_to_us = one.wanted._replace(mode=one.wanted.mode | OWNER)
            later.append(Writing(one.path, open_to_us, one.wanted))
            one = one._replace(wanted=open_to_us)
        _write(one, files, failed)
    for one in reversed(later):
        if one.path not in failed:
            _write(one, files, failed)
    return failed


def _write(one: Writing, files: KeptFiles, failed: dict[Path, wire.NotReverted | None]) -> None:
    if one.seen.type == one.wanted.type == "directory" and (one.seen.mode ^ one.wanted.mode) & BITS == 0:
        return
    try:
        restore(one.path, one.seen, one.wanted, files)
    except (ToolError, StoreError) as error:
        if one.wanted.type is None and one.seen.type == "directory":
            failed[one.path] = None  # something was put in it in the meantime
            return
        code = "changed_since" if isinstance(error, Changed) else "unwritable"
        message = error.message if isinstance(error, StoreError) else str(error)
        log.warning("a change could not be undone: %s", message)
        failed[one.path] = wire.NotReverted(path=str(one.path), code=code, message=f"{shown(one.path)}: {message}")


def put_outcome(journal: Journal, outcome: Sequence[tuple[NewChange, bool]], notes: Iterable[Write] = ()) -> None:
    """Put the rows of a revert that are complete, delete those that were not written, and put the events.

    Raises: StoreError.
    """
    writes = [*notes, *(rows.update_done(row) if written else rows.delete_begun(row) for row, written in outcome)]
    journal.put(writes=writes)
    by_session: dict[str, list[NewChange]] = {}
    for row, written in outcome:
        if written:
            by_session.setdefault(row.session_id, []).append(row)
    for session_id, changed in by_session.items():
        put_event(journal, Origin(session_id, changed[0].turn_id, None, changed[0].revert_id), changed)
