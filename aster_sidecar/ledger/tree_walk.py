"""One walk through a folder: what is in it now, given what was there at the walk before.

Only files whose status differs are read.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from aster_sidecar.ledger import ignored as ignoring
from aster_sidecar.ledger.ignored import ALWAYS, GITIGNORE, Asking, IgnoreFiles, Rules
from aster_sidecar.ledger.keeping import MOST_FILE_BYTES, look_at
from aster_sidecar.ledger.path_state import PathState
from aster_sidecar.ledger.tree import (
    CLOSED,
    CONTENTS,
    DEEP,
    ENTRIES,
    GAP,
    LARGE,
    LATE,
    LATE_FOLDERS,
    MARK,
    MOST_DEPTH,
    MOUNTED,
    SEEN,
    SIZE,
    UNREADABLE,
    WHY,
    Directory,
    Entry,
    Limits,
    directory,
    entry_of,
    left_out,
    mark_of,
)
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.tools import opening
from aster_sidecar.tools.opening import Folder

RACY_NS = 50_000_000
"""A file that changed less than this before it was read may change again without a new time: the system's clock for
times of files advances in steps of up to 10 ms. It is read again at the next walk, as git does."""
FLUSH_BYTES = 8 << 20


class Own(Enum):
    """The type of `OWN`."""

    OWN = "own"


OWN = Own.OWN
"""In place of the daemon's data directory, which changes with every walk."""


class _Current(NamedTuple):
    """What of a directory is covered: entries as before, others, directories; and what is ignored (see `Directory`)."""

    kept: dict[str, Entry]
    fresh: list[tuple[str, os.stat_result]]
    names: list[str]
    ignored: dict[str, bool]


class Stopped(Exception):
    """The walk was cancelled."""


class Walk:
    """One walk. `run` it once, in a worker thread."""

    def __init__(
        self, folder: Path, files: KeptFiles, ignore_files: IgnoreFiles, limits: Limits, stop: threading.Event
    ) -> None:
        self._folder = folder
        self._files = files
        self._ignore_files = ignore_files
        self._limits = limits
        self._stop = stop
        self._began = 0.0
        self._asking = Asking(limits.seconds)
        self._count = 0
        self._bytes_left = 0
        self._device = 0
        self._own = _identity(files.path.parent)
        self._pending: dict[str, bytes] = {}
        self._pending_bytes = 0
        self._applies = True
        """Whether ignore files apply in this folder."""

    def run(self, known: Directory | None) -> Directory | None:
        """What is in the folder; None if there is no such folder. `known`: the result of the walk before.

        Contents are kept when it returns. Raises: Stopped, StoreError.
        """
        self._began = time.monotonic()
        self._bytes_left = self._limits.content_bytes - (known.kept_bytes if known is not None else 0)
        try:
            found = os.stat(self._folder)
            if not stat.S_ISDIR(found.st_mode):
                return None
            root: Folder = str(self._folder)
            if opening.HANDLES:
                root = os.open(self._folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return left_out(0, 0, CLOSED)
        try:
            self._device = found.st_dev
            rules = self._ignore_files.start(self._asking)
            self._applies = rules is not None
            result = self._scan(root, found, known, rules or Rules(), "", 0)
            self._flush()
            return result
        finally:
            opening.closed(root)
            self._asking.close()

    @property
    def unsure(self) -> bool:
        """Whether ignore files could not be applied, so that what they ignore is covered as well."""
        return self._asking.failed

    def _late(self) -> bool:
        return time.monotonic() - self._began > self._limits.seconds

    def _again(self) -> bool:
        """Whether there is time for what took too long before."""
        return time.monotonic() - self._began < self._limits.again_s

    # -- directories -------------------------------------------------------------------------------------------------

    def _enter(
        self, folder: Folder, name: str, known: Directory | None, rules: Rules, path: str, depth: int
    ) -> Directory | os.stat_result | Own | None:
        """The directory `name`; OWN for the daemon's; its status if it is no directory any more; None if it is gone."""
        try:
            opened = opening.opened_list(folder, name)
        except FileNotFoundError:
            return None
        except OSError:
            try:
                found = opening.status(folder, name)
            except OSError:
                return left_out(0, 0, CLOSED)
            if found is None or opening.is_link(found) or not stat.S_ISDIR(found.st_mode):
                return found
            return self._out(known, found, CLOSED)
        try:
            found = os.fstat(opened) if isinstance(opened, int) else os.lstat(opened)
            if (found.st_dev, found.st_ino) == self._own:
                return OWN
            return self._scan(opened, found, known, rules, path, depth)
        finally:
            opening.closed(opened)

    def _scan(
        self, folder: Folder, status: os.stat_result, known: Directory | None, outer: Rules, path: str, depth: int
    ) -> Directory:
        """A directory. `known`: what was there; `outer`: the rules around it; `path`: relative, "" or with a slash."""
        if self._stop.is_set():
            raise Stopped
        inode, mode = status.st_ino, stat.S_IMODE(status.st_mode)
        if gap := self._gap(status, known, depth):
            return self._out(known, status, gap)
        was = known if known is not None and known.left_out is None else None
        entries = was.entries if was is not None else {}
        get = entries.get
        ignored = was.ignored if was is not None else {}
        same: list[str] = []
        fresh: list[tuple[str, os.stat_result]] = []
        names: list[str] = []  # of directories
        skipped: list[tuple[str, bool]] = []
        is_repository = False
        room = self._limits.entries - self._count
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if name in ALWAYS:
                            is_repository = is_repository or name == ".git"
                        elif ignored.get(name):
                            skipped.append((name, True))
                        else:
                            names.append(name)
                        continue
                    if name in ignored and not ignored[name]:
                        skipped.append((name, False))
                        continue
                    try:
                        st = entry.stat(follow_symlinks=False)
                    except OSError:  # it is gone
                        continue
                    one = get(name)
                    if one is not None and one[MARK] == (
                        st.st_mtime_ns,
                        st.st_ctime_ns,
                        st.st_size,
                        st.st_ino,
                        st.st_mode,
                    ):
                        same.append(name)
                    else:
                        fresh.append((name, st))
                        if len(fresh) > room:
                            break
        except OSError:
            return self._out(known, status, CLOSED)
        if len(fresh) + len(same) + len(names) > room:
            return self._out(known, status, ENTRIES)
        if os.name == "nt":  # there, junctions are listed as directories
            names = [name for name in names if not self._is_link(folder, name, fresh)]
        is_repository = is_repository or any(name == ".git" for name, _ in fresh) or ".git" in entries
        rules = self._rules(folder, was, outer, path, fresh, is_repository)
        current = self._decided(folder, was, rules, path, fresh, names, skipped, same)
        self._count += 1 + len(current.kept) + len(current.fresh)
        found_entries = current.kept
        changed = len(found_entries) != len(entries) or bool(current.fresh)
        if current.fresh:
            found_entries = dict(found_entries)
        for name, st in current.fresh:
            if (new := self._look(folder, name, st, get(name))) is not None:
                found_entries[name] = new
        folders: dict[str, Directory] = {}
        inner_known = was.folders if was is not None else {}
        for name in sorted(current.names, key=_order):
            before = inner_known.get(name)
            inner = self._enter(folder, name, before, rules, f"{path}{name}/", depth + 1)
            if isinstance(inner, Directory):
                folders[name] = inner
                changed = changed or inner is not before
            elif inner is OWN:
                current.ignored[name] = True
            elif inner is not None and (new := self._look(folder, name, inner, None)) is not None:
                found_entries = {**found_entries, name: new}
                changed = True
        decided = None if self._asking.failed else rules
        if (
            was is not None
            and not changed
            and len(folders) == len(inner_known)
            and (inode, mode) == (was.inode, was.mode)
            and was.rules == decided
            and current.ignored == ignored
        ):
            return was
        return directory(inode, mode, found_entries, folders, current.ignored, decided)

    def _out(self, known: Directory | None, status: os.stat_result, gap: str) -> Directory:
        """A directory that is left out; the same value as before if it was already."""
        self._count += 1
        out = left_out(status.st_ino, stat.S_IMODE(status.st_mode), gap)
        return known if known == out and known is not None else out

    def _gap(self, status: os.stat_result, known: Directory | None, depth: int) -> str | None:
        """Why a directory is left out."""
        if status.st_dev != self._device:
            return MOUNTED
        if depth > MOST_DEPTH:
            return DEEP
        if self._count >= self._limits.entries:
            return ENTRIES
        if self._late() or (known is not None and known.left_out == LATE_FOLDERS and not self._again()):
            return LATE_FOLDERS
        return None

    def _is_link(self, folder: Folder, name: str, fresh: list[tuple[str, os.stat_result]]) -> bool:
        found = opening.status(folder, name)
        if found is None or not opening.is_link(found):
            return False
        fresh.append((name, found))
        return True

    # -- what is ignored ---------------------------------------------------------------------------------------------

    def _rules(
        self,
        folder: Folder,
        was: Directory | None,
        outer: Rules,
        path: str,
        fresh: Iterable[tuple[str, os.stat_result]],
        is_repository: bool,
    ) -> Rules:
        """The rules within a directory."""
        if not self._applies:
            return Rules()
        here = self._folder / path
        changed = any(name == GITIGNORE for name, _ in fresh)
        there = changed or (was is not None and (GITIGNORE in was.entries or GITIGNORE in was.ignored))
        if not there and not is_repository:
            return outer
        return self._ignore_files.entered(
            outer, here, ignoring.text_in(folder, GITIGNORE) if there else None, is_repository
        )

    def _decided(
        self,
        folder: Folder,
        was: Directory | None,
        rules: Rules,
        path: str,
        fresh: list[tuple[str, os.stat_result]],
        names: list[str],
        skipped: list[tuple[str, bool]],
        same: list[str],
    ) -> _Current:
        """What of a directory is covered."""
        entries = was.entries if was is not None else {}
        kept = entries if len(same) == len(entries) else {name: entries[name] for name in same}
        ignored: dict[str, bool] = {}
        if was is not None and was.rules == rules:
            ignored = dict(skipped)
            known = was.folders
            asked = [name for name, _ in fresh if name not in entries]
            asked_folders = [name for name in names if name not in known]
        else:
            # Everything is decided again; what was ignored may be covered now.
            for name, is_folder in skipped:
                if is_folder:
                    names.append(name)
                elif (found := opening.status(folder, name)) is not None:
                    fresh.append((name, found))
            asked = [*kept, *(name for name, _ in fresh)]
            asked_folders = names
        questions = [*asked, *(f"{name}/" for name in asked_folders)]
        answers = self._asking.ignored(rules, self._folder / path, questions)
        if answers is not None and any(answers):
            out = {name for name, answer in zip(questions, answers, strict=True) if answer}
            ignored |= {name.removesuffix("/"): name.endswith("/") for name in out}
            kept = {name: entry for name, entry in kept.items() if name not in out}
            fresh = [(name, found) for name, found in fresh if name not in out]
            names = [name for name in names if f"{name}/" not in out]
        return _Current(kept, fresh, names, ignored)

    # -- files -------------------------------------------------------------------------------------------------------

    def _look(self, folder: Folder, name: str, found: os.stat_result, was: Entry | None) -> Entry | None:
        """A file whose status is not known; None if it is gone."""
        if self._stop.is_set():
            raise Stopped
        seen = mark_of(found)
        size = found.st_size if stat.S_ISREG(found.st_mode) else 0
        freed = was[SIZE] if was is not None and was[WHY] is None else 0
        late = self._late() or (was is not None and was[GAP] == LATE and was[SEEN] == seen and not self._again())
        if size <= MOST_FILE_BYTES and (late or size > self._bytes_left + freed):
            gap = LATE if late else CONTENTS
            what, which = self._limits.words(gap)
            why = f"it is a {what} {which}"
            state = PathState("file", found.st_size, stat.S_IMODE(found.st_mode), kept=False, why_not_kept=why)
            return entry_of(None if late else seen, seen, state, gap)
        read_at = time.time_ns()
        look = look_at(folder, name, found)
        state = look.state
        if state.type is None:
            return None
        if look.data is None or state.sha256 is None:
            gap = LARGE if size > MOST_FILE_BYTES or not look.steady else None
            gap = gap or (UNREADABLE if stat.S_ISREG(found.st_mode) else None)
            return entry_of(seen if look.steady else None, seen, state, gap)
        self._bytes_left += freed - state.size
        if state.sha256 not in self._pending:
            self._pending[state.sha256] = look.data
            self._pending_bytes += len(look.data)
            if self._pending_bytes > FLUSH_BYTES:
                self._flush()
        changed_ns = found.st_mtime_ns if os.name == "nt" else found.st_ctime_ns
        steady = look.steady and changed_ns < read_at - RACY_NS
        return entry_of(seen if steady else None, seen, state)

    def _flush(self) -> None:
        """Keep the contents that were read. Raises: StoreError."""
        self._files.keep_hashed(self._pending)
        self._pending.clear()
        self._pending_bytes = 0


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _order(name: str) -> tuple[bool, str]:
    """Hidden directories come last, so that caches in a home directory don't use up the limits."""
    return name.startswith("."), name
