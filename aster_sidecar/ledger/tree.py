"""What is in a folder, as values, and the differences between two of them.

A directory in which nothing has changed is the same object as before, with everything below it. So two trees are
compared without looking at what is equal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aster_sidecar.ledger.ignored import Rules
from aster_sidecar.ledger.keeping import MOST_FILE_BYTES
from aster_sidecar.ledger.path_state import NOTHING, PathChange, PathState
from aster_sidecar.text.safe_text import counted, shown, sized

MOST_DEPTH = 100
"""Directories below are left out; each level takes an open file."""

Mark = tuple[int, int, int, int, int]
"""Of a status: mtime_ns, ctime_ns, size, inode, mode."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one walk covers at most. `again_s`: how long it tries again what took too long in an earlier walk."""

    entries: int = 200_000
    content_bytes: int = 512 << 20
    seconds: float = 20.0
    again_s: float = 2.0

    def words(self, gap: str) -> tuple[str, str]:
        """A gap for people: what is left out, and which of these."""
        return {
            LARGE: ("file", f"larger than {sized(MOST_FILE_BYTES)}"),
            UNREADABLE: ("file", "that can't be read"),
            CONTENTS: ("file", f"beyond the first {sized(self.content_bytes)} of contents"),
            LATE: ("file", f"not read within {self.seconds:g} s"),
            CLOSED: ("directory", "that can't be listed"),
            ENTRIES: ("directory", f"beyond the first {self.entries:,} files"),
            LATE_FOLDERS: ("directory", f"not reached within {self.seconds:g} s"),
            MOUNTED: ("directory", "on another file system"),
            DEEP: ("directory", f"more than {MOST_DEPTH} levels deep"),
        }[gap]


LARGE, UNREADABLE, CONTENTS, LATE = "large", "unreadable", "contents", "late"
CLOSED, ENTRIES, LATE_FOLDERS, MOUNTED, DEEP = "closed", "entries", "late folders", "mounted", "deep"

Gaps = Mapping[str, tuple[int, str]]
"""What is not covered: how many of each kind, and an example's path relative to the directory."""


Type = Literal["file", "link", "directory"]
Entry = tuple[Mark | None, Mark, Type, int, int, str | None, str | None, str | None]
"""A file, link or special file: mark, seen, type, size, mode, sha256, why_not_kept, gap.

`mark` is the status with which it need not be read again; None: read it again. `seen` is the status with which it was
read. The others are as in PathState, and the kind of gap. It is a plain tuple, because there are many: the garbage
collector looks at each object of a class at each full collection, which would stop the daemon for a tenth of a second.
"""
MARK, SEEN, SIZE, SHA256, WHY, GAP = 0, 1, 3, 5, 6, 7
"""Places in an entry."""


def entry_of(mark: Mark | None, seen: Mark, state: PathState, gap: str | None = None) -> Entry:
    """An entry for what is there. `state` has a type."""
    assert state.type is not None
    return mark, seen, state.type, state.size, state.mode, state.sha256, state.why_not_kept, gap


def state_of_entry(entry: Entry) -> PathState:
    """The state that an entry has recorded."""
    _, _, kind, size, mode, sha256, why, _ = entry
    return PathState(kind, size, mode, sha256, why is None, why)


@dataclass(frozen=True, slots=True)
class Directory:
    """What is in a directory. `left_out`: the gap for which nothing in it is known; None: everything is.

    `rules` are those within it; None: not known, so that the names are decided again. `ignored`: names that are left
    out, and whether each is a directory. `count`, `kept_bytes` and `gaps` are of everything in and below it.
    """

    inode: int
    mode: int
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    folders: dict[str, Directory] = field(default_factory=dict[str, "Directory"])
    ignored: dict[str, bool] = field(default_factory=dict[str, bool])
    rules: Rules | None = None
    left_out: str | None = None
    count: int = 0
    kept_bytes: int = 0
    gaps: Gaps = field(default_factory=dict[str, tuple[int, str]])

    @property
    def state(self) -> PathState:
        return PathState("directory", 0, self.mode)


def directory(
    inode: int,
    mode: int,
    entries: dict[str, Entry],
    folders: dict[str, Directory],
    ignored: dict[str, bool] | None = None,
    rules: Rules | None = None,
) -> Directory:
    """A directory that is covered, with the sums of what is in it."""
    gaps: dict[str, tuple[int, str]] = {}
    kept = 0
    for name, entry in entries.items():
        if (gap := entry[GAP]) is not None:
            count, example = gaps.get(gap, (0, name))
            gaps[gap] = count + 1, example
        elif entry[WHY] is None:
            kept += entry[SIZE]
    for name, inner in folders.items():
        kept += inner.kept_bytes
        for gap, (many, example) in inner.gaps.items():
            count, first = gaps.get(gap, (0, f"{name}/{example}" if example else name))
            gaps[gap] = count + many, first
    count = 1 + len(entries) + sum(inner.count for inner in folders.values())
    return Directory(inode, mode, entries, folders, ignored or {}, rules, None, count, kept, gaps)


NONE = Directory(0, 0)
"""Has nothing in it."""


def left_out(inode: int, mode: int, gap: str) -> Directory:
    """A directory of which nothing is known."""
    return Directory(inode, mode, left_out=gap, count=1, gaps={gap: (1, "")})


def mark_of(found: os.stat_result) -> Mark:
    """The mark of a status."""
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode


def gap_words(gaps: Gaps, limits: Limits) -> list[str]:
    """What is not covered, as a sentence for each kind."""
    told: list[str] = []
    for gap, (count, example) in gaps.items():
        what, which = limits.words(gap)
        what = what if count == 1 or not what.endswith("y") else f"{what[:-1]}ie"
        such = f", such as {shown(example)}" if example else ""
        told.append(f"Not covered: {counted(count, what)} {which}{such}.")
    return told


# -- differences -------------------------------------------------------------------------------------------------------


class Comparison:
    """The differences between two trees of one folder.

    `look`: the state of a path now. It is called for paths that only the first tree has, because an ignore file was
    changed in between: they may still be there.
    """

    def __init__(self, folder: Path, look: Callable[[Path], PathState]) -> None:
        self.changes: list[PathChange] = []
        self._folder = folder
        self._look = look

    def compare(self, before: Directory | None, after: Directory | None) -> list[PathChange]:
        """The changes, a directory before what is in it."""
        self._both(self._folder, before, after)
        return self.changes

    def _both(self, path: Path, was: Entry | Directory | None, now: Entry | Directory | None) -> None:
        if was is now:
            return
        if not _equal(was, now):
            self.changes.append(PathChange(path, _state(was), _state(now)))
        before = was if isinstance(was, Directory) else None
        after = now if isinstance(now, Directory) else None
        # What is in a directory that was left out is not known, so nothing in it counts as created or deleted.
        if (before is None or before.left_out is None) and (after is None or after.left_out is None):
            self._inner(path, before or NONE, after or NONE)

    def _inner(self, path: Path, before: Directory, after: Directory) -> None:
        if before.entries is not after.entries:
            for name in sorted(before.entries.keys() | after.entries.keys()):
                if name not in before.folders and name not in after.folders:
                    self._name(path, name, before, after)
        for name in sorted(before.folders.keys() | after.folders.keys()):
            self._name(path, name, before, after)

    def _name(self, path: Path, name: str, before: Directory, after: Directory) -> None:
        was = before.folders.get(name) or before.entries.get(name)
        now = after.folders.get(name) or after.entries.get(name)
        if was is None and name in before.ignored:
            return  # it was there before, and is covered from now on
        if now is None and name in after.ignored:
            self._still(path / name, was)
        else:
            self._both(path / name, was, now)

    def _still(self, path: Path, was: Entry | Directory | None) -> None:
        """A path that is ignored now: what has changed in it since it was covered."""
        now = self._look(path)
        state = _state(was)
        unknown = state.sha256 is None or now.sha256 is None  # of a directory, or of a file that was not read
        if (now.type, now.mode) != (state.type, state.mode) or (now.sha256 != state.sha256 and not unknown):
            self.changes.append(PathChange(path, state, now))
        if isinstance(was, Directory):
            for name, inner in (was.entries | was.folders).items():
                self._still(path / name, inner)


def _state(one: Entry | Directory | None) -> PathState:
    if one is None:
        return NOTHING
    return one.state if isinstance(one, Directory) else state_of_entry(one)


def _equal(was: Entry | Directory | None, now: Entry | Directory | None) -> bool:
    if isinstance(was, tuple) and isinstance(now, tuple) and (was[SHA256] is None or now[SHA256] is None):
        return was[SEEN] == now[SEEN]  # contents are not known
    before, after = _state(was), _state(now)
    return (before.type, before.mode, before.sha256) == (after.type, after.mode, after.sha256)
