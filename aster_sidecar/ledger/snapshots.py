"""What is in a folder before a command, and what the command has changed there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from aster_sidecar.ledger.ignored import IgnoreFiles
from aster_sidecar.ledger.keeping import state_of
from aster_sidecar.ledger.path_state import PathChange
from aster_sidecar.ledger.tree import Comparison, Directory, Limits, gap_words
from aster_sidecar.ledger.tree_index import read_index, record_index
from aster_sidecar.ledger.tree_walk import Walk
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.text.safe_text import shown

T = TypeVar("T")

FOLDERS = 4
ENTRIES = 250_000
"""Of how many folders what was seen is in memory, and how many files these have together; the others are read anew."""
TELL_AFTER_S = 1.0
IGNORED_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder at one moment.

    `not_covered`: what could not be recorded, as sentences for people. `ignored`: the names in the folder that ignore
    files leave out, at most 20; directories end with a slash.
    """

    folder: Path
    root: Directory | None
    not_covered: list[str]
    ignored: list[str]


@dataclass(slots=True)
class _Folder:
    """A folder of which what was seen last is in memory."""

    path: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    root: Directory | None = None
    recorded: Directory | None = None
    """What the index in the store has."""
    trimmed: int | None = None
    """`KeptFiles.trimmed` when `root` was seen; None: the index was not read yet."""
    ignore_files: IgnoreFiles = field(init=False)

    def __post_init__(self) -> None:
        self.ignore_files = IgnoreFiles(self.path)


class Snapshots:
    """Looks at folders. What was seen last is remembered, so that only what has changed is read."""

    def __init__(self, files: KeptFiles, limits: Limits | None = None) -> None:
        self._files = files
        self._limits = limits or Limits()
        self._folders: OrderedDict[Path, _Folder] = OrderedDict()

    async def before(self, folder: Path, tell: Callable[[str], None] | None = None) -> Snapshot:
        """What is in a folder now; the contents of its files are kept.

        `tell` is called with a sentence when it takes longer than a second. Raises: StoreError.
        """
        return await self._in_thread(folder, tell, self._look)

    async def changes_since(self, snapshot: Snapshot) -> list[PathChange]:
        """What is different now, a directory before what is in it. The contents of now are kept too.

        What ignore files leave out, or what the snapshot does not cover, is not listed. Raises: StoreError.
        """

        def look(state: _Folder, stop: threading.Event) -> list[PathChange]:
            now = self._look(state, stop)
            comparison = Comparison(snapshot.folder, lambda path: state_of(path, self._files))
            changes = comparison.compare(snapshot.root, now.root)
            self._files.use(change.before.sha256 for change in changes if change.before.sha256 is not None)
            return changes

        return await self._in_thread(snapshot.folder, None, look)

    async def _in_thread(
        self, folder: Path, tell: Callable[[str], None] | None, work: Callable[[_Folder, threading.Event], T]
    ) -> T:
        """Run `work` in a thread, one at a time for each folder. When this is cancelled, the thread stops first."""
        state = self._folders.setdefault(folder, _Folder(folder))
        self._folders.move_to_end(folder)
        state.users += 1
        stop = threading.Event()
        try:
            async with state.lock:
                task = asyncio.ensure_future(asyncio.to_thread(work, state, stop))
                try:
                    await asyncio.wait({task}, timeout=TELL_AFTER_S)
                    if tell is not None and not task.done():
                        tell(f"Looking at the files in {shown(folder)}, so that changes can be undone")
                    return await asyncio.shield(task)
                except asyncio.CancelledError:
                    stop.set()
                    while not task.done():
                        with suppress(asyncio.CancelledError):
                            await asyncio.wait({task})
                    if not task.cancelled():
                        task.exception()  # is looked at, so that asyncio does not log it
                    raise
        finally:
            state.users -= 1
            self._forget()

    def _forget(self) -> None:
        """Forget the folders that were not used for longest, beyond the limits."""
        for path, state in list(self._folders.items()):
            entries = sum(one.root.count for one in self._folders.values() if one.root is not None)
            if len(self._folders) <= FOLDERS and (entries <= ENTRIES or len(self._folders) == 1):
                return
            if not state.users:
                del self._folders[path]

    def _look(self, state: _Folder, stop: threading.Event) -> Snapshot:
        """Walk through the folder. Runs in a thread. Raises: Stopped, StoreError; then nothing of it is remembered."""
        name = os.fsencode(state.path)
        if state.trimmed != (trimmed := self._files.trimmed):
            # Contents that were deleted have no row any more, so that their files are read again.
            state.root = state.recorded = read_index(self._files, name)
            state.trimmed = trimmed
        walk = Walk(state.path, self._files, state.ignore_files, self._limits, stop)
        root = walk.run(state.root)
        if self._files.trimmed == trimmed:
            record_index(self._files, name, state.recorded, root)
            state.recorded = state.root = root
        ignored: list[str] = []
        gaps: list[str] = []
        if root is not None:
            ignored = [f"{name}/" if is_folder else name for name, is_folder in sorted(root.ignored.items())]
            gaps = gap_words(root.gaps, self._limits)
        if walk.unsure:
            gaps.append("The ignore files could not be applied, so what they leave out is covered as well.")
        return Snapshot(state.path, root, gaps, ignored[:IGNORED_SHOWN])
