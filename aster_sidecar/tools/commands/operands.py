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
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from aster_sidecar.policy.conditions import beginning as beginning_of
from aster_sidecar.policy.permissions import Rule
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
MOST_IGNORE_BYTES = 64 * 1024
MOST_CONFIG_BYTES = 256 * 1024
LEFT_OUT = frozenset((".git", ".hg", ".venv", "venv", "node_modules", "__pypackages__"))
"""Folders that formatters leave out, and that have many files or links to the programs of the system."""
IGNORE_FILES = (".gitignore", ".ignore", ".rgignore")
READING_TOOLS = ("run_command", "read_file", "search_files", "list_dir")
"""A command does what these tools do, so a rule that denies one of them a place denies the command, too."""
CHANGING_TOOLS = ("write_file", "edit_file", "delete_file", "move_file")
"""The same for a command that changes the files that it is given."""


class Asks(Exception):
    """A person has to be asked: `str(error)` says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Which files a program reads in a folder.

    `names` are patterns of the names; None: all. `hidden`: also those that begin with a dot. `ignores`: not what an
    ignore file names. `links`: also what links lead to.
    """

    names: tuple[str, ...] | None = None
    hidden: bool = True
    ignores: bool = False
    links: bool = False


class Files:
    """Judges the files of one command line. All methods raise Asks."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.work_dir = surroundings.work_dir
        self._surroundings = surroundings
        rules = dict.fromkeys(rule for tool in READING_TOOLS for rule in surroundings.denials(tool))
        self._denied = Denied(rules)
        self._checked: set[str] = set()
        self._own: set[tuple[int, int]] | None = None

    def within(self, folder: Path) -> Files:
        """The same for a program that may only use what is in `folder`."""
        return Files(replace(self._surroundings, work_dir=folder))

    def has_looked(self, places: Iterable[Path]) -> bool:
        """Whether files were checked besides the directories `places`."""
        return not self._checked <= {str(place) for place in places}

    # -- one file ----------------------------------------------------------------------------------------------------

    def check(self, name: str, cwd: Path) -> Path:
        """Check the file or folder that `name` is in the directory `cwd`; returns its canonical path."""
        if name == os.devnull or (name == "-" and not os.path.lexists(cwd / name)):  # "-" is a file for some programs
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

    def check_changes(self, name: str, cwd: Path) -> None:
        """Check a file that a program changes, as for the tools that change files."""
        path = self.check(name, cwd)
        place = paths.look(os.path.join(cwd, name), self._surroundings, changes=True)
        if place.concerns:
            raise Asks(f"other programs run {self._named(path)} or take their settings from it")
        rules = dict.fromkeys(rule for tool in CHANGING_TOOLS for rule in self._surroundings.denials(tool))
        if rules and (reason := Denied(rules).reason(path)) is not None:
            raise Asks(reason)

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

    def check_text(self, text: str, cwd: Path) -> None:
        """Check a word that may be the name of a file: one with a path, or the name of a file that exists."""
        if os.path.isabs(text) or text.startswith("~") or ".." in text.split("/") or os.path.lexists(cwd / text):
            self.check(text, cwd)

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
        self._check_rules(self._denied.rules, root)
        for own in self._surroundings.protected:
            if is_beneath(Path(os.path.realpath(own)), root):
                raise Asks(f"Aster's own data is in {self._named(root)}")
        if tree is not None and root.is_dir():
            self._walk(root, tree)

    def _check_rules(self, rules: Iterable[Rule], root: Path) -> None:
        """Check that no rule denies something in a folder."""
        for rule in rules:
            if os.path.isabs(rule.value) and (
                is_beneath(Path(rule.value), root)
                # What a pattern covers may be anywhere below the folder that it begins with.
                or (rule.kind == "glob" and is_beneath(root, Path(beginning_of(rule.value))))
            ):
                raise Asks(f"a rule denies {shown(rule.value)}, which is in {self._named(root)}")

    def check_changes_within(self, root: Path) -> None:
        """Check that a program may change all that is in a folder, where no link may lead outside.

        Folders that formatters leave out are left out.
        """
        rules = [rule for tool in (*READING_TOOLS, *CHANGING_TOOLS) for rule in self._surroundings.denials(tool)]
        self._check_rules(dict.fromkeys(rules), root)
        left = MOST_WALKED
        waiting = [root] if root.is_dir() else []
        while waiting:
            try:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        left -= 1
                        if left < 0:
                            raise Asks(f"{self._named(root)} has too many files to check them all for links")
                        if entry.is_symlink():
                            if not is_beneath(Path(os.path.realpath(entry.path)), self.work_dir):
                                raise Asks(f"{self._named(Path(entry.path))} is a link that leads outside the folder")
                        elif entry.is_dir() and entry.name not in LEFT_OUT:
                            waiting.append(Path(entry.path))
            except OSError:
                continue  # gone, or unreadable for the program too

    def _walk(self, root: Path, tree: Tree) -> None:
        chosen = _matcher(tree.names)
        left = MOST_WALKED
        hidden, ignored = tree.hidden, _Ignored()
        ignores = tree.ignores and any((folder / ".git").exists() for folder in (root, *root.parents))
        if ignores or not hidden:
            for folder in reversed(root.parents):
                read = _IgnoreFiles.of(folder, IGNORE_FILES)
                above = _Ignored() if os.path.lexists(folder / ".git") else ignored
                hidden, ignored = hidden or read.takes_back, read.within(above)
        waiting: list[tuple[Path, bool, _Ignored]] = [(root, hidden, ignored if ignores else _Ignored())]
        while waiting:
            folder, hidden, ignored = waiting.pop()
            here = _Ignored()
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
                if ignores:  # the ignore files above a repository are not for what is in it
                    ignored, here = read.within(_Ignored() if ".git" in names else ignored), read.here
            folders = [entry for entry in found if entry.is_dir(follow_symlinks=False)]
            skipped = ignored.any | here.any | {entry.name for entry in folders}
            files = [
                entry
                for entry in found
                if entry.name not in skipped and (hidden or entry.name[0] != ".") and chosen(entry.name)
            ]
            for secret in secrets_among(folder, [entry.name for entry in files]):
                if not (folder.name == ".git" and secret == "config" and not has_credentials(folder / "config")):
                    raise Asks(f"there may be secrets in {self._named(folder / secret)}")
            self._check_found(folder, files, tree)
            unread = ignored.any | ignored.folders | here.any | here.folders
            waiting += [
                (folder / entry.name, hidden, ignored)
                for entry in folders
                if (hidden or entry.name[0] != ".") and entry.name not in unread
            ]

    def _check_found(self, folder: Path, entries: Iterable[os.DirEntry[str]], tree: Tree) -> None:
        """Check the files of a folder for what their names don't tell: links, rules, and further names of files."""
        for entry in entries:
            if entry.is_symlink():
                if tree.links and self.check(entry.name, folder).is_dir():
                    raise Asks(f"{self._named(folder / entry.name)} is a link to a folder")
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if self._denied.rules:
                path = folder / entry.name
                reason = self._denied.reason_of_entry(path, found) or self._denied.reason_of_file(found)
                if reason is not None:
                    raise Asks(reason)
            if found.st_nlink > 1 and (found.st_dev, found.st_ino) in self._own_files():
                raise Asks(f"{self._named(folder / entry.name)} is Aster's own data")

    def _own_files(self) -> set[tuple[int, int]]:
        if self._own is None:
            self._own = paths.protected_files(self._surroundings.protected)
        return self._own


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
        letters = re.compile(fnmatch.translate(plain)).match
        # Some shells compare bytes: then a letter matches several question marks.
        octets = re.compile(fnmatch.translate(_octets(plain))).match

        def matches(name: str) -> bool:
            return letters(name) is not None or octets(_octets(name)) is not None

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


def _octets(text: str) -> str:
    """The text with one character for each byte."""
    return text if text.isascii() else os.fsencode(text).decode("latin-1")


def _literal(part: str) -> str | None:
    """A part of a pattern without wildcards as it is; None if it has some."""
    plain = re.sub(r"\[([*?[])\]", r"\1", part)
    rest = re.sub(r"\[[*?[]\]", "", part)
    return None if WILDCARDS & set(rest) else plain


def _matcher(patterns: tuple[str, ...] | None) -> Callable[[str], bool]:
    """Whether the name of a file may match one of the patterns of a search program, in any case of letters."""
    if patterns is None:
        return lambda name: True
    ends = {_end(one) for pattern in patterns for one in _alternatives(pattern)}
    whole = re.compile("|".join(map(fnmatch.translate, ends)), re.IGNORECASE)
    return lambda name: whole.match(name) is not None


def _alternatives(pattern: str) -> list[str]:
    """The patterns that a pattern with braces may stand for; some programs take braces as they are."""
    match = re.fullmatch(r"([^{}]*)\{([^{}]*)\}([^{}]*)", pattern)
    if match is not None:
        return [pattern, *(match[1] + one + match[3] for one in match[2].split(","))]
    return [pattern, "*"] if "{" in pattern else [pattern]


def _end(pattern: str) -> str:
    """A pattern for what the names end with; a wildcard may match a slash, and a backslash is for any character."""
    plain = re.sub(r"\\.?|\[.*\]", "*", pattern)
    place = max(plain.rfind(char) for char in "*?[/")
    return plain if place < 0 else ("" if plain[place] == "/" and plain[place + 1 :] else "*") + plain[place + 1 :]


@dataclass(frozen=True, slots=True)
class _Ignored:
    """The plain names that are ignored: `any` for files and folders, `folders` only for these."""

    any: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    @staticmethod
    def of(lines: Iterable[str]) -> _Ignored:
        names = list(lines)
        return _Ignored(
            frozenset(line.strip("/") for line in names if line[-1] != "/"),
            frozenset(line.strip("/") for line in names if line[-1] == "/"),
        )


@dataclass(frozen=True, slots=True)
class _IgnoreFiles:
    """What the ignore files of one folder say.

    The names that they ignore `below` the folder and only `here` in it, and whether one of them takes back what is
    ignored elsewhere: then nothing counts as ignored, and hidden files count as read.
    """

    below: _Ignored
    here: _Ignored
    takes_back: bool

    def within(self, ignored: _Ignored) -> _Ignored:
        """The names that are ignored below the folder, if `ignored` are those of the folders above."""
        if self.takes_back:
            return _Ignored()
        return _Ignored(ignored.any | self.below.any, ignored.folders | self.below.folders)

    @staticmethod
    def of(folder: Path, names: Iterable[str]) -> _IgnoreFiles:
        lines: list[str] = []
        for name in IGNORE_FILES:
            if name not in names or not os.path.exists(folder / name):
                continue
            if not os.path.isfile(folder / name):  # a program would wait for it, or read it forever
                raise Asks(f"{shown(folder / name)} is not a file")
            if (data := beginning(folder / name, MOST_IGNORE_BYTES + 1)) is not None:
                text = data.decode("utf-8-sig", "replace")
                if len(data) > MOST_IGNORE_BYTES or re.search(r"^\s*!", text, re.MULTILINE):
                    return _IgnoreFiles(_Ignored(), _Ignored(), True)
                lines += (line.removesuffix("\r") for line in text.split("\n")) if name == ".gitignore" else []
        plain = [line for line in lines if re.fullmatch(r"/?[\w.-]+/?", line)]
        below = _Ignored.of(line for line in plain if line[0] != "/")
        return _IgnoreFiles(below, _Ignored.of(line for line in plain if line[0] == "/"), False)


def beginning(path: Path, size: int) -> bytes | None:
    """The first `size` bytes of a regular file; None if there is none, or it can't be read."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            return file.read(size) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError:
        return None


def has_credentials(config: Path) -> bool:
    """Whether a git configuration may hold a password or token: in an address, or as a header."""
    data = beginning(config, MOST_CONFIG_BYTES + 1)
    if data is None or len(data) > MOST_CONFIG_BYTES:
        return True
    text = data.decode("utf-8", "replace").casefold()
    return re.search(r"://[^/\s]*@|header|password|token|cookie|secret", text) is not None
