"""The files that a command names: whether a person has to be asked before it reads them.

A file is read unasked if it is in the session's folder, holds no secrets going by its name, and no rule denies it.
Patterns are expanded as the shell will expand them, and folders that are read with all that is in them are walked.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aster_sidecar.text.safe_text import brief, shown
from aster_sidecar.tools import paths
from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.commands.grammar import WILDCARDS, Word
from aster_sidecar.tools.denied_places import Denied
from aster_sidecar.tools.sensitive_places import is_beneath, secrets_among

MOST_MATCHES = 2000
"""How many names a pattern may match, and how many entries the folders of a pattern may have."""
MOST_WALKED = 20_000
"""How many entries are looked at in a folder that is read with all that is in it."""
IGNORE_FILES = (".gitignore", ".ignore", ".rgignore")
READING_TOOLS = ("run_command", "read_file", "search_files", "list_dir")
"""A command does what these tools do, so a rule that denies one of them a place denies the command, too."""


class Asks(Exception):
    """A person has to be asked: `str(error)` says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Which files a program reads in a folder.

    `names` are patterns of the names; None: all. `hidden`: also those that begin with a dot. `ignores`: not what an
    ignore file names.
    """

    names: tuple[str, ...] | None = None
    hidden: bool = True
    ignores: bool = False


class Files:
    """Judges the files of one command line. All methods raise Asks."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.work_dir = surroundings.work_dir
        self._surroundings = surroundings
        rules = dict.fromkeys(rule for tool in READING_TOOLS for rule in surroundings.denials(tool))
        self._denied = Denied(rules)
        self._checked: set[str] = set()

    # -- one file ----------------------------------------------------------------------------------------------------

    def check(self, name: str, cwd: Path) -> Path:
        """Check the file or folder that `name` is in the directory `cwd`; returns its canonical path."""
        if name in ("/dev/null", "-"):
            return Path(os.devnull)
        try:
            place = paths.look(os.path.join(cwd, name) if name else str(cwd), self._surroundings)
        except ToolError as error:
            raise Asks(str(error)) from error
        if str(place.path) in self._checked:
            return place.path
        if place.forbidden is not None:
            raise Asks(f"{self._named(place.path)} is not open to tools")
        if not place.inside:
            raise Asks(f"{shown(place.path)} is outside the work folder")
        if place.concerns:
            raise Asks(f"there may be secrets in {self._named(place.path)}")
        if (reason := self._denied.reason(place.path)) is not None:
            raise Asks(reason)
        self._check_kind(place.path)
        self._checked.add(str(place.path))
        return place.path

    def _check_kind(self, path: Path) -> None:
        try:
            mode = path.stat().st_mode
        except OSError:
            return  # the program will report it
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise Asks(f"{self._named(path)} is not a file or folder")

    def _named(self, path: Path) -> str:
        return brief(path, self.work_dir)

    # -- patterns ------------------------------------------------------------------------------------------------------

    def expanded(self, word: Word, cwd: Path) -> list[str]:
        """The arguments that a word may become in `cwd`."""
        if word.text is None:
            raise Asks("its arguments are known only when it runs")
        if word.pattern is None:
            return [word.text]
        found = _Expansion(cwd).names(word.pattern)
        return [word.text, *(name for name in found if name != word.text)]

    def check_matches(self, names: Iterable[str], cwd: Path, *, content: bool) -> None:
        """Check the names that a pattern matched; without `content`, only names and sizes are read."""
        folders: dict[str, list[str]] = {}
        for name in names:
            folder, last = os.path.split(name)
            folders.setdefault(folder, []).append(last)
        for folder, lasts in folders.items():
            path = self.check(folder or ".", cwd)
            if content and (secret := next(secrets_among(path, lasts), None)) is not None:
                raise Asks(f"there may be secrets in {self._named(path / secret)}")
            for last in lasts:
                self._check_entry(path, last)

    def _check_entry(self, folder: Path, name: str) -> None:
        """Check an entry of a folder that was checked; links and further names of files are looked up."""
        path = folder / name
        try:
            found = path.lstat()
        except OSError:
            return
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            if self._denied.rules and (reason := self._denied.reason(path)) is not None:
                raise Asks(reason)
        else:
            self.check(name, folder)

    # -- whole folders -------------------------------------------------------------------------------------------------

    def check_tree(self, root: Path, tree: Tree | None) -> None:
        """Check all that is in a folder that was checked; `tree` None: only names and sizes are read, not contents."""
        for rule in self._denied.rules:
            if os.path.isabs(rule.value) and is_beneath(Path(rule.value), root):
                raise Asks(f"a rule denies {shown(rule.value)}, which is in {self._named(root)}")
        for own in self._surroundings.protected:
            if is_beneath(Path(os.path.realpath(own)), root):
                raise Asks(f"Aster's own data is in {self._named(root)}")
        if tree is not None and root.is_dir():
            self._walk(root, tree)

    def _walk(self, root: Path, tree: Tree) -> None:
        chosen = _matcher(tree.names)
        left = MOST_WALKED
        hidden, ignored = tree.hidden, frozenset[str]()
        ignores = tree.ignores and any((folder / ".git").exists() for folder in (root, *root.parents))
        if ignores or not hidden:
            for folder in reversed(root.parents):
                read = _IgnoreFiles.of(folder, IGNORE_FILES)
                hidden, ignored = hidden or read.takes_back, read.within(ignored)
        waiting: list[tuple[Path, bool, frozenset[str]]] = [(root, hidden, ignored if ignores else frozenset[str]())]
        while waiting:
            folder, hidden, ignored = waiting.pop()
            here = frozenset[str]()
            try:
                with os.scandir(folder) as entries:
                    found = list(islice(entries, left + 1))
            except OSError:
                continue  # gone, or unreadable for the program too
            left -= len(found)
            if left < 0:
                raise Asks(f"{self._named(root)} has too many files to check them all for secrets")
            names = [entry.name for entry in found]
            if ignores or not hidden:
                read = _IgnoreFiles.of(folder, names)
                hidden |= read.takes_back
                if ignores:
                    ignored, here = read.within(ignored), read.here
            folders = [entry for entry in found if entry.is_dir(follow_symlinks=False)]
            apart = {entry.name for entry in folders}
            skipped = ignored | here | apart
            files = (name for name in names if name not in skipped and (hidden or name[0] != ".") and chosen(name))
            for secret in secrets_among(folder, files):
                if not (folder.name == ".git" and secret == "config" and not has_credentials(folder / "config")):
                    raise Asks(f"there may be secrets in {self._named(folder / secret)}")
            waiting += [
                (folder / entry.name, hidden, ignored)
                for entry in folders
                if (hidden or entry.name[0] != ".") and entry.name not in ignored | here
            ]


class _Expansion:
    """Expands patterns of file names in one directory, with a limit for all of it."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._left = MOST_MATCHES

    def names(self, pattern: str) -> list[str]:
        """All names that a shell may find for the pattern; each bracket expression stands for any character."""
        found = [""]
        parts = re.split(r"(/+)", pattern)
        for place, part in enumerate(parts):
            if not part:
                continue
            literal = _literal(part)
            if literal is not None:
                found = [name + literal for name in found]
            else:
                last = place == len(parts) - 1
                found = [name + entry for name in found for entry in self._matching(name, part, folders=not last)]
            if len(found) > MOST_MATCHES:
                raise Asks("a pattern matches very many files")
        return [name for name in found if os.path.lexists(os.path.join(self._cwd, name))]

    def _matching(self, folder: str, part: str, *, folders: bool) -> list[str]:
        plain = re.sub(r"\[(?![*?[]\])!?\]?[^]]*\]", "?", part)
        matches = re.compile(fnmatch.translate(plain)).match
        hidden = part.startswith(".")
        try:
            with os.scandir(os.path.join(self._cwd, folder)) as entries:
                found = list(islice(entries, self._left + 1))
        except OSError:
            return []
        self._left -= len(found)
        if self._left < 0:
            raise Asks("a pattern looks through very many files")
        names = [
            entry.name
            for entry in found
            if (hidden or entry.name[0] != ".") and matches(entry.name) and (not folders or entry.is_dir())
        ]
        return [*names, *(name for name in (".", "..") if hidden and matches(name))]


def _literal(part: str) -> str | None:
    """A part of a pattern without wildcards as it is; None if it has some."""
    plain = re.sub(r"\[([*?[])\]", r"\1", part)
    rest = re.sub(r"\[[*?[]\]", "", part)
    return None if WILDCARDS & set(rest) else plain


def _matcher(patterns: tuple[str, ...] | None) -> Callable[[str], bool]:
    """Whether a name matches one of the patterns of a search program, in any case of letters; braces match anything."""
    if patterns is None:
        return lambda name: True
    last = [re.sub(r"\{.*\}|\[.*\]", "*", pattern.rsplit("/", 1)[-1]) or "*" for pattern in patterns]
    whole = re.compile("|".join(fnmatch.translate(one) for one in last), re.IGNORECASE)
    return lambda name: whole.match(name) is not None


@dataclass(frozen=True, slots=True)
class _IgnoreFiles:
    """What the ignore files of one folder say.

    The plain names that they ignore `below` the folder and only `here` in it, and whether one of them takes back what
    is ignored elsewhere: then nothing counts as ignored, and hidden files count as read.
    """

    below: frozenset[str]
    here: frozenset[str]
    takes_back: bool

    def within(self, ignored: frozenset[str]) -> frozenset[str]:
        """The names that are ignored below the folder, if `ignored` are those of the folders above."""
        return frozenset[str]() if self.takes_back else ignored | self.below

    @staticmethod
    def of(folder: Path, names: Iterable[str]) -> _IgnoreFiles:
        lines: list[str] = []
        for name in IGNORE_FILES:
            if name in names:
                with suppress(OSError):
                    text = (folder / name).read_bytes()[: 64 * 1024].decode("utf-8", "replace")
                    if re.search(r"^\s*!", text, re.MULTILINE):
                        return _IgnoreFiles(frozenset(), frozenset(), True)
                    lines += text.splitlines() if name == ".gitignore" else []
        plain = [line for line in lines if re.fullmatch(r"/?[\w.-]+/?", line)]
        below = frozenset(line.rstrip("/") for line in plain if line[0] != "/")
        return _IgnoreFiles(below, frozenset(line.strip("/") for line in plain if line[0] == "/"), False)


def has_credentials(config: Path) -> bool:
    """Whether a git configuration may hold a password or token: in an address, or as a header."""
    try:
        text = config.read_bytes()[: 256 * 1024].decode("utf-8", "replace").casefold()
    except OSError:
        return True
    return re.search(r"://[^/\s]*@|header|password|token|cookie|secret", text) is not None
