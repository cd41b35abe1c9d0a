"""The entries of a directory that a search skips: .gitignore at every level, .git/info/exclude, and .ignore.

This finds and reads the ignore files; `matching.py` matches names against them. pathspec has no part for the first: it
reads no files itself, and its walk would follow links and enter what tools may not open.

Source: https://git-scm.com/docs/gitignore. ripgrep and other search tools read .ignore too; it has precedence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from aster_sidecar.tools import opening, paths
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.files.common import located
from aster_sidecar.tools.files.matching import Matcher
from aster_sidecar.tools.opening import Folder

IGNORE_BYTES = 256 * 1024
"""How much of one ignore file is read."""
NEVER = (".git", "node_modules")
"""Directories that are skipped without an ignore file."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The ignore files that apply in a directory, nearest first, each as (its number, the directory of the file)."""

    own: tuple[tuple[int, Path], ...] = ()
    git: tuple[tuple[int, Path], ...] = ()
    exclude: tuple[tuple[int, Path], ...] = ()

    def all(self) -> tuple[tuple[int, Path], ...]:
        return self.own + self.git + self.exclude


class Ignores:
    """What one walk skips. `root` is where it starts; it is never skipped itself, because it was asked for by name."""

    def __init__(self, root: Path, work_dir: Path, protected: tuple[Path, ...], matcher: Matcher) -> None:
        self.unread: list[Path] = []
        """Ignore files that could not be read in full."""
        self._root = root
        self._work_dir = work_dir
        self._protected = protected
        self._matcher = matcher
        self._texts: dict[int, str] = {}
        self._sent = 0
        asked = root.relative_to(work_dir) if root.is_relative_to(work_dir) else root
        self._never = set[str]() if set(NEVER) & set(asked.parts) else {f"{name}/" for name in NEVER}
        self._free = not self._never
        """Whether ignore files do not apply, because the root was asked for although they exclude it."""

    def start(self) -> Rules | None:
        """The rules from the directories above the root; None when the matcher was killed.

        When the root is ignored itself, or is in an ignored directory, ignore files do not apply within it.
        """
        base = self._base()
        rules = Rules()
        folder = base
        for name in self._root.relative_to(base).parts:
            if self._free:
                break
            with suppress(ToolError), opening.opened_folder(folder) as crossed:
                rules = self._entered(rules, crossed, folder)
            ignored = self._ask(rules.all(), folder, [f"{name}/"])
            if ignored is None:
                return None
            self._free = ignored[0]
            folder /= name
        return rules

    def enter(self, rules: Rules, folder: Folder, path: Path, names: Sequence[str]) -> tuple[Rules, set[str]] | None:
        """The rules in the directory `path`, and which of `names` in it are ignored (directories end with a slash).

        None when the matcher was killed.
        """
        never = self._never & set(names)
        if self._free:
            return rules, never
        known = len(self._texts)
        rules = self._entered(rules, folder, path)
        ignored = self._ask(rules.all(), path, names)
        if ignored is None:
            return None
        if path == self._root:
            here = [rule for rule in rules.all() if rule[0] >= known and rule[1] == path]
            others = [name for name in names if name not in never and name not in (".gitignore", ".ignore")]
            alone = self._ask(here, path, others)
            if alone and all(alone):
                # Its own file ignores everything in it, as in virtual environments, but it was asked for.
                self._free = True
                return rules, never
        return rules, {name for name, is_ignored in zip(names, ignored, strict=True) if is_ignored} | never

    def _base(self) -> Path:
        """Where rules start to apply: the repository, or the work directory, or the root."""
        for path in (self._root, *self._root.parents):
            if os.path.lexists(path / ".git"):
                return path
        return self._work_dir if self._root.is_relative_to(self._work_dir) else self._root

    def _entered(self, rules: Rules, folder: Folder, path: Path) -> Rules:
        if opening.status(folder, ".git") is not None:  # another repository: the outer one's rules end here
            rules = Rules(own=rules.own, exclude=self._read(None, path, self._exclude_of(path)))
        return replace(
            rules,
            own=self._read(folder, path, path / ".ignore") + rules.own,
            git=self._read(folder, path, path / ".gitignore") + rules.git,
        )

    def _read(self, folder: Folder | None, base: Path, file: Path | None) -> tuple[tuple[int, Path], ...]:
        """The rules in `file`, whose paths are relative to `base`; () when there is no such file."""
        text = None if file is None else self._text(folder, file)
        if not text:
            return ()
        self._texts[number := len(self._texts)] = text
        return ((number, base),)

    def _text(self, folder: Folder | None, file: Path) -> str | None:
        try:
            if folder is None:
                with located(file) as (found, name):
                    return self._text(found, file.with_name(name))
            # like git, do not follow a link
            status = opening.status(folder, file.name)
            if status is None or not stat.S_ISREG(status.st_mode) or opening.is_link(status):
                return None
            with open(opening.opened_file(folder, file.name), "rb") as opened:
                data = opened.read(IGNORE_BYTES + 1)
        except (OSError, ToolError):
            if folder is not None:
                self.unread.append(file)
            return None
        if len(data) > IGNORE_BYTES:
            self.unread.append(file)
            data = data[:IGNORE_BYTES].rpartition(b"\n")[0]
        return data.decode("utf-8-sig", "surrogateescape")

    def _exclude_of(self, repository: Path) -> Path | None:
        """.git/info/exclude, also where .git is a file that names the directory (worktrees, submodules)."""
        git = repository / ".git"
        if not os.path.isdir(git):
            git = self._named_in(repository, git, "gitdir:")
            git = git and (self._named_in(git, git / "commondir", "") or git)
        elif os.path.islink(git):
            git = Path(os.path.realpath(git))
        if git is None or paths.forbidden(git, self._protected):
            return None
        return git / "info" / "exclude"

    def _named_in(self, base: Path, file: Path, head: str) -> Path | None:
        text = None if paths.forbidden(file, self._protected) else self._text(None, file)
        if text is None or not text.startswith(head):
            return None
        return Path(os.path.realpath(base / text.removeprefix(head).strip()))

    def _ask(self, rules: Sequence[tuple[int, Path]], path: Path, names: Sequence[str]) -> list[bool] | None:
        if not rules or not names:
            return [False] * len(names)
        fresh = {number: self._texts[number] for number in range(self._sent, len(self._texts))}
        self._sent = len(self._texts)
        return self._matcher.ignored(fresh, [*_from(rules, path)], names)


def _from(rules: Iterable[tuple[int, Path]], path: Path) -> Iterable[tuple[int, str]]:
    for number, base in rules:
        below = path.relative_to(base).as_posix()
        yield number, "" if below == "." else f"{below}/"
