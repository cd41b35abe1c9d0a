"""Finds what other programs run later in a folder: git's hooks and settings, shell start files, an editor's tasks."""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aster_sidecar.sandbox.places import GIT_DEEPER, GIT_RUNS, GIT_SKIPPED, GIT_WORDS, RUN_LATER

BEFORE_ENTRIES, BEFORE_S = 2000, 0.03
"""How much of a folder is looked at before a command: what is near the top, without installed packages."""
AFTER_ENTRIES, AFTER_S = 500_000, 10.0
CLOCK_S = 0.02
"""The kernel's times of files are as old as its last tick: at most this much older than the clock."""
NAMED_MOST = 50
_BARE = frozenset(("HEAD", "objects", "refs"))
_INSTALLED = "node_modules"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a directory that other programs run or follow. Links are not followed."""

    path: str
    why: str
    status: os.stat_result
    repository: bool = False
    """Whether it is the directory of a repository, in which git has to write."""

    @property
    def identity(self) -> tuple[int, int]:
        """The device and the inode."""
        return self.status.st_dev, self.status.st_ino


@dataclass(frozen=True, slots=True)
class Left:
    """What a command has left in its folder for other programs to run."""

    found: tuple[tuple[str, str], ...]
    """Paths, at most `NAMED_MOST`, and why each is named."""
    complete: bool
    """Whether all of the folder was looked at, and all that was found is named."""


def before(folder: str) -> list[Entry]:
    """What is there before a command, near the top of the folder. Blocks for about `BEFORE_S` seconds at most."""
    found: list[Entry] = []

    def deeper(entry: Entry) -> bool:
        found.append(entry)
        return entry.repository

    _Look(BEFORE_ENTRIES, BEFORE_S, deeper, installed=False).walk(folder)
    return found


def after(folder: str, began: float, known: Mapping[tuple[int, int], int], more: Iterable[str]) -> Left:
    """What was made or changed since `began` (seconds of the epoch), by the time that the kernel has for each inode.

    A command can't set this time. `known` has the times (st_ctime_ns) of what was there before, which the command could
    not write: a directory's time also changes when something in it does. `more` are single paths to look at. Blocks for
    at most `AFTER_S` seconds.
    """
    since_ns = int((began - CLOCK_S) * 1e9)
    found: list[tuple[str, str]] = []

    def deeper(entry: Entry) -> bool:
        time_before = known.get(entry.identity)
        if time_before is not None and (stat.S_ISDIR(entry.status.st_mode) or time_before == entry.status.st_ctime_ns):
            return entry.repository
        if entry.status.st_ctime_ns < since_ns:
            return True
        found.append((entry.path, entry.why))
        return False

    look = _Look(AFTER_ENTRIES, AFTER_S, deeper, installed=True)
    look.walk(folder)
    for path in more:
        for entry in _entry(path, "other programs of the user run what is there"):
            deeper(entry)
    named = dict(found)
    return Left(tuple(named.items())[:NAMED_MOST], look.complete and len(named) <= NAMED_MOST)


class _Look:
    """One walk through a folder, by breadth. `deeper` is given each entry and says whether to look inside."""

    def __init__(self, entries: int, seconds: float, deeper: Callable[[Entry], bool], *, installed: bool) -> None:
        self._left = entries
        self._until = time.monotonic() + seconds
        self._deeper = deeper
        self._installed = installed
        self.complete = True

    def walk(self, folder: str) -> None:
        """Look at everything, or until a limit is reached."""
        waiting: deque[tuple[str, _Rule]] = deque([(folder, _plain)])
        while waiting:
            if self._left < 0 or time.monotonic() > self._until:
                self.complete = False
                return
            path, rule = waiting.popleft()
            try:
                with os.scandir(path) as scanned:
                    entries = list(scanned)
            except OSError:
                self.complete = False
                continue
            self._left -= len(entries)
            if rule is _plain and {entry.name for entry in entries} >= _BARE:
                rule = _in_repository
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                why, inside = rule(entry.name.casefold(), is_folder)
                if why:
                    repository = inside is _in_repository and is_folder
                    if not any(self._deeper(one) for one in _entry(entry.path, why, repository)):
                        continue
                if is_folder and inside and (self._installed or entry.name != _INSTALLED):
                    waiting.append((entry.path, inside))


_Rule = Callable[[str, bool], "tuple[str, _Rule | None]"]
"""For a name and whether it is a directory: why it is found ("" if it is not), and the rule for what is inside."""


def _plain(name: str, is_folder: bool) -> tuple[str, _Rule | None]:
    if name == ".git":
        return GIT_WORDS, _in_repository if is_folder else None
    if name in RUN_LATER:
        return RUN_LATER[name], _all(RUN_LATER[name])
    return "", _plain


def _in_repository(name: str, is_folder: bool) -> tuple[str, _Rule | None]:
    if name in GIT_RUNS:
        return GIT_WORDS, _all(GIT_WORDS)
    return "", _deep_in_repository if name in GIT_DEEPER else None


def _deep_in_repository(name: str, is_folder: bool) -> tuple[str, _Rule | None]:
    if name in GIT_RUNS:
        return GIT_WORDS, _all(GIT_WORDS)
    return "", None if name in GIT_SKIPPED else _deep_in_repository


def _all(why: str) -> _Rule:
    def rule(name: str, is_folder: bool) -> tuple[str, _Rule | None]:
        return why, rule

    return rule


def _entry(path: str, why: str, repository: bool = False) -> Iterator[Entry]:
    try:
        yield Entry(path, why, os.lstat(path), repository)
    except OSError:
        return
