"""What the turns of a session changed, for clients: one entry per turn and path, compared with what is there now."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from aster_sidecar.contract import wire
from aster_sidecar.errors import StoreError
from aster_sidecar.ledger.choosing import is_of_directory, kind_of
from aster_sidecar.ledger.diffs import COMPARED_BYTES, Diff, diff
from aster_sidecar.ledger.looking import Looker
from aster_sidecar.ledger.path_state import PathState, alike, same
from aster_sidecar.ledger.recorded import after, before
from aster_sidecar.ledger.reverting import why_gone
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.store.rows.changes import ChangeRow, TurnRow
from aster_sidecar.tools.sensitive_places import holds_secrets

DIFFS_BYTES = 4 * 1024 * 1024
"""The most text of diffs in one answer; the files after it have none."""
COMPARING_S = 5.0
"""How long one answer compares contents; the files after it have no numbers of lines."""
REMEMBERED = 4096
"""Of how many pairs of contents the numbers of lines are remembered."""


class Net(NamedTuple):
    """What a turn changed at a path, all together. `origin`: the path before a move. `changes`: those at both."""

    path: str
    was: PathState
    now: PathState
    changes: list[ChangeRow]
    origin: str | None = None


class TurnChanges:
    """Makes the answers."""

    def __init__(self, files: KeptFiles) -> None:
        self._files = files
        self._looker = Looker()
        self._counts: OrderedDict[tuple[str | None, str | None], tuple[int, int] | None] = OrderedDict()

    def list(
        self,
        turns: Sequence[TurnRow],
        changes: Mapping[str, Sequence[ChangeRow]],
        notes: Mapping[str, Sequence[str]],
        *,
        diffs: bool,
    ) -> list[wire.TurnChanges]:
        """What each of the turns changed; `changes` and `notes` are by turn. It blocks. Raises: StoreError."""
        answer = _Answer(time.monotonic() + COMPARING_S, diffs)
        return [
            wire.TurnChanges(
                turn_id=turn.turn_id,
                message_id=turn.user_message_id,
                rewound=turn.rewound is not None,
                files=self._files_of(changes.get(turn.turn_id, ()), answer),
                not_covered=list(notes.get(turn.turn_id, ())),
            )
            for turn in turns
        ]

    def _files_of(self, changes: Sequence[ChangeRow], answer: _Answer) -> list[wire.ChangedFile]:
        undone_by = {row.path: row.revert_id for row in changes if row.source == "revert"}
        return [self._file(net, undone_by, answer) for net in net_changes(changes)]

    def _file(self, net: Net, undone_by: Mapping[str, str | None], answer: _Answer) -> wire.ChangedFile:
        why = why_gone(net.was, self._files)
        lines = self._compared(net, answer)
        return wire.ChangedFile(
            path=net.path,
            kind=kind_of(net.was, net.now, moved=net.origin is not None),
            moved_from=net.origin,
            source="command" if any(row.source == "command" for row in net.changes) else "tool",
            call_ids=list(dict.fromkeys(row.call_id for row in net.changes if row.call_id is not None)),
            before=_shown(net.was),
            after=_shown(net.now),
            added=lines.added if lines is not None else None,
            removed=lines.removed if lines is not None else None,
            diff=lines.text if lines is not None and answer.diffs else None,
            truncated=lines is not None and lines.truncated,
            now=self._now(net),
            kept=why is None,
            why_not_kept=why,
            revert_id=undone_by.get(net.path),
        )

    def _now(self, net: Net) -> Literal["changed", "undone", "edited"]:
        """What is there now, at the path and where it was moved from."""
        ends: dict[str, list[ChangeRow]] = {}
        for row in net.changes:
            ends.setdefault(row.path, []).append(row)
        found: list[tuple[bool, bool]] = []
        for path, rows in ends.items():
            was, then = before(rows[0]), after(rows[-1])
            there = self._looker.look(Path(path), was, then)
            found.append((there is not None and alike(there, then), there is not None and alike(there, was)))
        if all(unchanged for unchanged, _ in found):
            return "changed"
        return "undone" if all(undone for _, undone in found) else "edited"

    def _compared(self, net: Net, answer: _Answer) -> Diff | None:
        """The lines that differ; None if they can't be compared, or not in this answer any more."""
        if not {net.was.type, net.now.type} <= {"file", None} or holds_secrets(Path(net.path)):
            return None
        if max(net.was.size, net.now.size) > COMPARED_BYTES:
            return None
        key = (net.was.sha256, net.now.sha256)
        if not answer.diffs and key in self._counts:
            counts = self._counts[key]
            self._counts.move_to_end(key)
            return Diff(*counts, "", False) if counts is not None else None
        if answer.is_full:
            return None
        contents = [self._content(state) for state in (net.was, net.now)]
        if contents[0] is None or contents[1] is None:
            return None
        found = diff(contents[0], contents[1])
        self._counts[key] = (found.added, found.removed) if found is not None else None
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        if found is not None:
            answer.bytes += len(found.text)
        return found

    def _content(self, state: PathState) -> bytes | None:
        """The content of a file, empty for none; None if it is not kept."""
        if state.type is None:
            return b""
        if state.sha256 is None:
            return None
        try:
            return self._files.read(state.sha256) if self._files.has(state.sha256) else None
        except StoreError:
            return None


class _Answer:
    """The limits of one answer. `diffs`: whether it has diffs. `until`: by `time.monotonic`."""

    def __init__(self, until: float, diffs: bool) -> None:
        self.diffs = diffs
        self.bytes = 0
        self._until = until

    @property
    def is_full(self) -> bool:
        return time.monotonic() > self._until or (self.diffs and self.bytes > DIFFS_BYTES)


def net_changes(changes: Sequence[ChangeRow]) -> list[Net]:
    """What tools and commands changed at each path, in the order of the paths' first change.

    Paths that are as before are left out, and directories in which something is listed. A path that was moved is listed
    where it is now.
    """
    by_path: dict[str, list[ChangeRow]] = {}
    for row in changes:
        if row.source != "revert":
            by_path.setdefault(row.path, []).append(row)
    nets = {
        path: Net(path, before(rows[0]), after(rows[-1]), rows)
        for path, rows in by_path.items()
        if not same(before(rows[0]), after(rows[-1]))
    }
    for path, net in list(nets.items()):
        origin = _origin(path, by_path)
        source = nets.get(origin) if origin is not None else None
        if source is not None and source.was.type is not None and source.now.type is None and net.now.type is not None:
            nets[path] = Net(path, source.was, net.now, [*source.changes, *net.changes], origin)
            del nets[source.path]
    above = {
        str(folder)
        for net in nets.values()
        if not all(is_of_directory(row) for row in net.changes)
        for folder in Path(net.path).parents
    }
    return [
        net for net in nets.values() if net.path not in above or not all(is_of_directory(row) for row in net.changes)
    ]


def _origin(path: str, by_path: Mapping[str, Sequence[ChangeRow]]) -> str | None:
    """Where what is at a path was before the turn, following its moves; None if it was not moved there."""
    seen = {path}
    found: str | None = None
    while True:
        last = next((row.moved_from for row in reversed(by_path.get(path, ())) if row.moved_from is not None), None)
        if last is None or last in seen:
            return found
        seen.add(last)
        found = path = last


def _shown(state: PathState) -> wire.FileState | None:
    if state.type is None:
        return None
    return wire.FileState(type=state.type, size=state.size, mode=state.mode)
