"""Which entries of a folder git ignores: .gitignore at every level, and .git/info/exclude.

`tools/files/ignoring.py` does the same for a search, which also skips what .ignore excludes. Here, decisions outlive
one walk: rules are values that stay equal until an ignore file has another text, so that a walk asks only about new
names.

Source: https://git-scm.com/docs/gitignore.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aster_sidecar.tools import opening
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.files.ignoring import IGNORE_BYTES
from aster_sidecar.tools.files.matching import Matcher
from aster_sidecar.tools.opening import Folder, at

GITIGNORE = ".gitignore"
ALWAYS = frozenset({".git", ".hg", ".svn"})
"""Directories that are left out without an ignore file."""


@dataclass(frozen=True, slots=True, eq=False)
class IgnoreFile:
    """The text of an ignore file, whose patterns are relative to `base`. It is equal only to itself."""

    base: Path
    text: str


class Rules(NamedTuple):
    """The ignore files that apply in a directory: each .gitignore, nearest first, and the repository's exclude file."""

    git: tuple[IgnoreFile, ...] = ()
    exclude: IgnoreFile | None = None

    def all(self) -> tuple[IgnoreFile, ...]:
        return self.git if self.exclude is None else (*self.git, self.exclude)


class IgnoreFiles:
    """The ignore files of one folder, which outlive a walk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, IgnoreFile] = {}
        self._above: tuple[Rules, bool] | None = None

    def file(self, path: Path, base: Path, text: str | None) -> IgnoreFile | None:
        """The ignore file at `path`: the same value as before, if its text is the same. None: it has no text."""
        if not text:
            self._known.pop(path, None)
            return None
        known = self._known.get(path)
        if known is None or known.text != text:
            known = self._known[path] = IgnoreFile(base, text)
        return known

    def start(self, asking: Asking) -> Rules | None:
        """The rules from the directories above the folder; None when ignore files don't apply, as it is ignored itself.

        A folder was chosen by a person, so being ignored does not leave it out.
        """
        base = next((path for path in (self._folder, *self._folder.parents) if os.path.lexists(path / ".git")), None)
        if base is None or base == self._folder:
            return Rules()
        rules = Rules(exclude=self.exclude(base))
        steps = self._folder.relative_to(base).parts
        chain: list[tuple[Rules, Path, str]] = []
        place = base
        for name in steps:
            own = self.file(place / GITIGNORE, place, _text(str(place), GITIGNORE))
            rules = rules if own is None else rules._replace(git=(own, *rules.git))
            chain.append((rules, place, name))
            place /= name
        if self._above is None or self._above[0] != rules:
            ignored = any((asking.ignored(*step[:2], [f"{step[2]}/"]) or [False])[0] for step in chain)
            self._above = rules, ignored
        return None if self._above[1] else rules

    def entered(self, rules: Rules, path: Path, own_text: str | None, is_repository: bool) -> Rules:
        """The rules within a directory. `own_text`: of its .gitignore. `is_repository`: it has an entry `.git`."""
        if is_repository:  # the outer repository's rules end here
            rules = Rules(exclude=self.exclude(path))
        own = self.file(path / GITIGNORE, path, own_text)
        return rules if own is None else rules._replace(git=(own, *rules.git))

    def exclude(self, repository: Path) -> IgnoreFile | None:
        """.git/info/exclude, also where .git is a file that names the directory (worktrees, submodules)."""
        git = repository / ".git"
        if not git.is_dir():
            named = _named_in(repository, git, "gitdir:")
            git = (_named_in(named, named / "commondir", "") or named) if named is not None else git
        path = git / "info" / "exclude"
        return self.file(path, repository, _text(str(path.parent), path.name))


class Asking:
    """Asks the matcher's process, which is started when it is needed. `close` it after the walk."""

    def __init__(self, deadline_s: float) -> None:
        self.failed = False
        """Whether the process could not answer: patterns that take too long, or no process."""
        self._deadline_s = deadline_s
        self._matcher: Matcher | None = None
        self._numbers: dict[IgnoreFile, int] = {}

    def ignored(self, rules: Rules, path: Path, names: Sequence[str]) -> list[bool] | None:
        """Whether each name in the directory `path` is ignored (directories end with a slash); None when it failed."""
        files = rules.all()
        if not files or not names:
            return [False] * len(names)
        if self.failed:
            return None
        fresh: dict[int, str] = {}
        folders: list[tuple[int, str]] = []
        for file in files:
            if file not in self._numbers:
                self._numbers[file] = len(self._numbers)
                fresh[self._numbers[file]] = file.text
            below = path.relative_to(file.base).as_posix()
            folders.append((self._numbers[file], "" if below == "." else f"{below}/"))
        try:
            if self._matcher is None:
                self._matcher = Matcher("", self._deadline_s)
            found = self._matcher.ignored(fresh, folders, names)
        except (OSError, ToolError):
            found = None
        self.failed = found is None
        return found

    def close(self) -> None:
        """End the process."""
        if self._matcher is not None:
            self._matcher.close()


def text_in(folder: Folder, name: str) -> str | None:
    """The text of an ignore file; None if there is none. Like git, it follows no link here."""
    return _text(folder, name)


def _text(folder: Folder, name: str) -> str | None:
    try:
        path, dir_fd = at(folder, name)
        descriptor = os.open(path, opening.READ, dir_fd=dir_fd)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = file.read(IGNORE_BYTES + 1)
    except OSError:
        return None
    if len(data) > IGNORE_BYTES:
        data = data[:IGNORE_BYTES].rpartition(b"\n")[0]
    return data.decode("utf-8-sig", "surrogateescape")


def _named_in(base: Path, file: Path, head: str) -> Path | None:
    text = _text(str(file.parent), file.name)
    if text is None or not text.startswith(head):
        return None
    with suppress(OSError, ValueError):
        return Path(os.path.realpath(base / text.removeprefix(head).strip()))
    return None
