"""The places that deny rules cover, recognized by their names and by device and inode.

`permissions.decide` compares the target of a call with the rules as text. This module also finds a hard link to a
denied file, another path to a denied directory, and denied entries that a tool meets while it walks directories.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from aster_sidecar.policy.conditions import beginning
from aster_sidecar.policy.permissions import Rule, denied_by, reaches
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import ToolError

WALK_ENTRIES = 100_000
"""How many entries of all denied directories are checked for files with several names."""
MOST_HIDDEN = 500
"""How many files and folders that patterns cover can be hidden from a command."""

Identity = tuple[int, int]


class Mount(NamedTuple):
    """A mount: `source`, a path within the file system on `device`, is mounted at `place`."""

    device: bytes
    source: Path
    place: Path


class Denied:
    """The places that deny rules cover."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._roots: dict[Identity, Rule] = {}
        self._patterns: list[tuple[Identity, Rule]] = []
        """The rules with patterns, by the folder in which everything lies that they cover."""
        for rule in self.rules:
            if os.path.isabs(rule.value) and (found := _identity(_root(rule))) is not None:
                if rule.kind == "glob":
                    self._patterns.append((found, rule))
                else:
                    self._roots.setdefault(found, rule)
        placed = [*self._roots.values(), *(rule for _, rule in self._patterns)]
        mounts = _mounts() if placed else []
        self._mounted = {
            place: rule for rule in (placed if mounts else ()) for place in _mounted_from(Path(_root(rule)), mounts)
        }
        self._linked: dict[Identity, Rule] | None = None
        self._too_large: Rule | None = None

    def reason(self, path: Path) -> str | None:
        """Why the canonical `path` is denied, as a sentence; None when no rule covers it."""
        rule = next((rule for rule in self.rules if reaches(rule, str(path))), None)
        if rule is not None:
            return denied_by(rule)
        if not self._roots and not self._patterns:
            return None
        for way in (path, *path.parents):
            identity = _identity(way) or (-1, -1)
            for root, rule in self._patterns:
                if root == identity and reaches(rule, str(Path(_root(rule)) / path.relative_to(way))):
                    return f"This is another name of what matches {shown(rule.value)}. {denied_by(rule)}"
            rule = self._roots.get(identity)
            if rule is not None and (rule.kind == "beneath" or way == path):
                return f"This is another name of {shown(rule.value)}. {denied_by(rule)}"
            if way in self._mounted:
                rule = self._mounted[way]
                return f"{shown(way)} shows files from {shown(rule.value)} (a mount). {denied_by(rule)}"
        try:
            return self.reason_of_file(os.lstat(path))
        except OSError:
            return None

    def reason_of_entry(self, path: Path, found: os.stat_result) -> str | None:
        """The same, without hard links, for an entry of a directory that is not denied itself.

        `found` is its status, links not followed.
        """
        rule = next((rule for rule in self.rules if reaches(rule, str(path))), None)
        rule = rule or self._roots.get((found.st_dev, found.st_ino)) or self._mounted.get(path)
        return denied_by(rule) if rule is not None else None

    def reason_of_file(self, found: os.stat_result) -> str | None:
        """Why a file with several names is denied: one of them lies in a denied directory."""
        if not (self._roots or self._patterns) or not stat.S_ISREG(found.st_mode) or found.st_nlink < 2:
            return None
        if self._linked is None:
            self._linked = {}
            self._walk(self._linked)
        rule = self._linked.get((found.st_dev, found.st_ino))
        if rule is not None:
            return f"This file is a hard link to a file in {shown(rule.value)}. {denied_by(rule)}"
        if self._too_large is not None:
            where = shown(_root(self._too_large))
            return (
                f"This file has several names (hard links). Your rule denies {where}. That folder holds too many files"
                " to check whether this is one of them, so this file is denied, too."
            )
        return None

    def _walk(self, linked: dict[Identity, Rule]) -> None:
        """Find the files with several names in the denied directories; remember a directory that is too large."""
        left = WALK_ENTRIES
        waiting = [(rule.value, rule) for rule in self._roots.values() if rule.kind == "beneath"]
        waiting += [(_root(rule), rule) for _, rule in self._patterns]
        while waiting:
            folder, rule = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        left -= 1
                        if left < 0:
                            self._too_large = rule
                            return
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append((entry.path, rule))
                            continue
                        found = entry.stat(follow_symlinks=False)
                        # On Windows only os.lstat knows the number of names and the identity.
                        found = os.lstat(entry.path) if os.name == "nt" else found
                        if found.st_nlink > 1 and (rule.kind == "beneath" or reaches(rule, entry.path)):
                            linked.setdefault((found.st_dev, found.st_ino), rule)
            except OSError:
                continue  # gone, or unreadable for the tool too


def places_of(rules: Iterable[Rule]) -> Iterator[str]:
    """What the rules cover now: files and folders, as many as can be hidden. Raises: ToolError when it is too much."""
    left = WALK_ENTRIES
    found = 0
    for rule in rules:
        if rule.kind != "glob":
            yield rule.value
            continue
        if not os.path.isabs(rule.value):
            continue
        for folder, folders, files in os.walk(_root(rule)):
            left -= len(folders) + len(files)
            for path in [os.path.join(folder, name) for name in (*folders, *files)]:
                if reaches(rule, path):
                    found += 1
                    yield path
            if left < 0 or found > MOST_HIDDEN:
                raise ToolError(f"too many files would have to be hidden from the command. {denied_by(rule)}")


def _root(rule: Rule) -> str:
    """The place of a rule: a file or folder, or the folder in which its pattern begins."""
    return beginning(rule.value) if rule.kind == "glob" else rule.value


def _mounts() -> list[Mount]:
    """The mounts (Linux); [] when only whole file systems are mounted. Source: proc_pid_mountinfo(5)."""
    try:
        with open("/proc/self/mountinfo", "rb") as table:
            rows = [line.split(b" ") for line in table]
    except OSError:
        return []
    if all(row[3] == b"/" for row in rows):
        return []
    return [Mount(row[2], _unescaped(row[3]), _unescaped(row[4])) for row in rows]


def _unescaped(field: bytes) -> Path:
    return Path(os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), field)))


def _mounted_from(folder: Path, mounts: Sequence[Mount]) -> list[Path]:
    """The other places at which `folder`, or a directory in it, is mounted."""
    real = Path(os.path.realpath(folder))
    above = [mount for mount in mounts if real.is_relative_to(mount.place)]
    if not above:
        return []
    own = max(
        reversed(above), key=lambda mount: len(mount.place.parts)
    )  # of two mounts at one place, the last is visible
    source = own.source / real.relative_to(own.place)
    return [
        mount.place
        for mount in mounts
        if mount.device == own.device and mount.source.is_relative_to(source) and mount.place != own.place
    ]


def _identity(path: Path | str) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
