"""What sessions chose for themselves: folder, model, effort, mode. In memory, and stored in the table `sessions`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, cast, get_args

from aster_sidecar.contract import wire
from aster_sidecar.policy.permissions import STRICTNESS, Mode
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.sessions import ChoicesRow, select_choices


class Choices(NamedTuple):
    """What one session chose; None: it takes what its agent and the configuration say.

    `work_dir` is absolute and canonical. `mcp_off` are names of MCP servers whose tools it does without.
    """

    work_dir: str | None = None
    model: str | None = None
    effort: wire.Effort | None = None
    permission_mode: Mode | None = None
    mcp_off: tuple[str, ...] = ()

    @property
    def folder(self) -> Path | None:
        return Path(self.work_dir) if self.work_dir is not None else None

    def row(self, session_id: str) -> ChoicesRow:
        mcp_off = json.dumps(self.mcp_off) if self.mcp_off else None
        return ChoicesRow(session_id, self.work_dir, self.model, self.effort, self.permission_mode, mcp_off)


NONE = Choices()


class SessionChoices:
    """The choices of all sessions, also of those in the trash."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._choices: dict[str, Choices] = {}
        journal.lost.subscribe(self.open)

    def open(self) -> None:
        """Read them; also called after a failed transaction. Raises: StoreError."""
        rows = self._journal.rows(select_choices())
        self._choices = {row.session_id: chosen for row in rows if (chosen := choices_of(row)) != NONE}

    def of(self, session_id: str) -> Choices:
        return self._choices.get(session_id, NONE)

    def work_dir(self, session_id: str) -> Path | None:
        """The folder that a session chose."""
        return self.of(session_id).folder

    def keep(self, session_id: str, choices: Choices) -> None:
        """Use these choices from now on. Call it when their row is committed, or earlier for a stricter mode."""
        if choices == NONE:
            self._choices.pop(session_id, None)
        else:
            self._choices[session_id] = choices


def choices_of(row: ChoicesRow) -> Choices:
    """The choices in a row; values that this version does not know count as not chosen."""
    mode = row.permission_mode if row.permission_mode in STRICTNESS else None
    off = tuple(json.loads(row.mcp_off)) if row.mcp_off is not None else ()
    return Choices(row.work_dir, row.model, effort_of(row.effort), mode, off)


def effort_of(text: str | None) -> wire.Effort | None:
    """The effort in a row; None for one that this version does not know."""
    return cast("wire.Effort", text) if text in get_args(wire.Effort) else None
