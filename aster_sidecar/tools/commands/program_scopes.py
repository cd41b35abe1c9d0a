"""Which programs of a line "always" may cover, as a program and its subcommand in a folder.

A line is covered if each of its commands only reads, or is such a program. Without a sandbox, these are the programs
of `project_rows`, with arguments that choose no other code. In a sandbox that holds, see `sandbox_names`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aster_sidecar.policy.programs import NETWORK, value_of
from aster_sidecar.sandbox.spec import Network
from aster_sidecar.text.safe_text import quoted, shown
from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.commands import git
from aster_sidecar.tools.commands.grammar import Redirect, Unclear, Word
from aster_sidecar.tools.commands.named_programs import canonical
from aster_sidecar.tools.commands.operands import Asks
from aster_sidecar.tools.commands.project_rows import FIRST, PROJECTS, VARIABLES
from aster_sidecar.tools.commands.read_only import Ends, Judge
from aster_sidecar.tools.commands.rows import BUILTINS, ROWS, Row
from aster_sidecar.tools.commands.sandbox_names import BY_ROW, name_in_sandbox
from aster_sidecar.tools.sensitive_places import holds_secrets, is_beneath

_NAME = re.compile(r"(?!.*(?:^|/)\.\.(?:/|$))[A-Za-z0-9_.][\w.:@/-]*")
"""A subcommand; none with `..`, which could lead out of the folder."""
_PLAIN_VALUE = re.compile(r"[\w.,:-]*")
# They put other files in the places of those that a later command of the line names.
_REPLACES = frozenset(("git switch", "git stash"))


class Judged(NamedTuple):
    """What a line does. `why_not`: why it may do more than read, as the end of a sentence; None: it only reads.

    `needs`: the values of the rules for programs that have to cover it; () if such rules can't.
    """

    why_not: str | None
    needs: tuple[str, ...] = ()


def judged(line: str, cwd: Path, surroundings: Surroundings, env: Mapping[str, str], sandbox: Network | None) -> Judged:
    """Judge a line. `cwd` is canonical, `env` the environment of the line.

    `sandbox`: what the line can reach in a sandbox that holds; None without one.
    """
    if os.name != "posix":
        return Judged("it is checked only for a POSIX shell")
    try:
        programs = _Programs(surroundings, cwd, env, sandbox)
    except Asks as error:
        return Judged(str(error))
    try:
        programs.run_line(line)
    except (Unclear, Asks) as error:
        return Judged(programs.why or str(error))
    return Judged(programs.why, tuple(programs.needs) if programs.settled else ())


class _Programs(Judge):
    """Judges a line and collects what a rule has to cover. `why`: the first reason why it may do more than read."""

    def __init__(self, surroundings: Surroundings, cwd: Path, env: Mapping[str, str], sandbox: Network | None) -> None:
        super().__init__(surroundings, cwd, env, confined=sandbox == "none")
        self._sandbox = sandbox
        self.why: str | None = None
        self.needs: dict[str, None] = {}
        self._set: Asks | None = None
        self._needed = False
        self._work_dir = surroundings.work_dir
        self._makes_folder = self._replaces = self._reads_files = False

    def _more(self, reason: Asks) -> None:
        self.why = self.why or str(reason)

    def _assigned(self, name: str, value: Word) -> None:
        try:
            super()._assigned(name, value)
        except Asks as reason:
            plain = value.text is not None and value.pattern is None and _PLAIN_VALUE.fullmatch(value.text)
            if self._sandbox is None and not (plain and name in VARIABLES):
                raise
            self._set = reason  # a rule for the program covers it

    def _redirect(self, redirect: Redirect, places: frozenset[Path]) -> None:
        try:
            super()._redirect(redirect, places)
        except Asks as reason:
            # Without a sandbox, what is written could be code that the program then runs.
            # It belongs to the command before it, and a rule has to cover that.
            known = redirect.to.text is not None and redirect.to.pattern is None
            if self._sandbox is None or not self._needed or not known:
                raise
            for place in places:
                self._files.check_changes(redirect.to.text or "", place)
            self._more(reason)

    @property
    def settled(self) -> bool:
        """Whether each command was judged by what it will find, and no command changes that before."""
        return not self._makes_folder and not (self._replaces and self._reads_files)

    def _cd(self, arguments: Sequence[Word], places: frozenset[Path]) -> Ends:
        folder = arguments[0].text if arguments else None
        # Another command of the line may make the folder first.
        self._makes_folder |= not all(os.path.isdir(place / (folder or "")) for place in places)
        return super()._cd(arguments, places)

    def _reads(self, name: str, program: str, arguments: Sequence[Word], places: frozenset[Path]) -> None:
        super()._reads(name, program, arguments, places)
        self._needed = False
        if self._set is not None:
            raise self._set
        row = ROWS.get(program)
        whole = row is None or bool(row.deep) or any(word.pattern is not None for word in arguments)
        self._reads_files |= (whole and program not in BUILTINS) or self._files.has_looked(places)

    def _does_more(self, name: str, arguments: Sequence[Word], places: frozenset[Path], reason: Asks) -> None:
        self._set = None
        if (scope := self._scope(name, arguments, places)) is None:
            raise reason
        self._needed = True
        scope = canonical(scope)
        self._more(reason)
        if self._sandbox == "all":
            scope += NETWORK
        self.needs |= dict.fromkeys(value_of(shown(place), [scope]) for place in places)

    def _scope(self, name: str, arguments: Sequence[Word], places: frozenset[Path]) -> str | None:
        """What a rule names that covers this program with these arguments; None if there is no such rule."""
        program = os.path.basename(name)
        if self._sandbox is not None and program not in BY_ROW:
            if not self._hides_no_secrets(arguments, places):
                return None
            return name_in_sandbox(name, [word.text if word.pattern is None else None for word in arguments])
        if not self._is_installed(name):
            return None
        found = _row(program, arguments)
        if found is None:
            return None
        scope, row, rest = found
        before = self._files
        try:
            for place in places:
                # A rule is for one folder, so that what is elsewhere in the work folder is outside of it, too.
                self._files = self._files.within(place)
                self._check_words(program, rest, place)
                self._row(quoted(program), row, rest, place)
                self._check_more(program, scope, rest, place)
                self._reads_files |= self._files.has_looked((place,))
        except Asks:
            return None
        finally:
            self._files = before
        self._replaces |= scope in _REPLACES
        return scope

    def _hides_no_secrets(self, arguments: Sequence[Word], places: frozenset[Path]) -> bool:
        """Whether no pattern matches a file with secrets, and nothing unknown is sent into the network."""
        try:
            return not any(
                holds_secrets(place / name)
                for word in arguments
                if word.pattern is not None or (word.text is None and self._sandbox == "all")
                for place in places
                for name in self._files.expanded(word, place)
            )
        except Asks:
            return False

    def _check_words(self, program: str, arguments: Sequence[Word], cwd: Path) -> None:
        """Check for words that have a meaning of their own for many programs."""
        for text in [word.text or "" for word in arguments]:
            if program != "git" and program not in BY_ROW and (text.startswith("@") or text == "-"):
                raise Asks(f"{quoted(program)} reads further arguments or files from {quoted(shown(text))}")
            if program == "pytest" and "::" in text:
                self._files.check(text.split("::")[0], cwd)
            if program == "go" and text.endswith("..."):
                self._files.check(text.removesuffix("..."), cwd)

    def _check_more(self, program: str, scope: str, arguments: Sequence[Word], cwd: Path) -> None:
        if program in ("cp", "mv"):
            self._check_destinations(program, arguments, cwd)
        if program == "git":
            words = [word.text or "" for word in arguments]
            switched = scope == "git switch" and not {"-c", "--create"} & set(words)
            named = [word for word in words if word == "-" or not word.startswith("-")]
            git.check_changed(self._work_dir, cwd, named[0] if switched and named else None)

    def _is_installed(self, name: str) -> bool:
        """Whether a program is found on PATH, and not in the folder, where the agent may have put it."""
        folder = os.path.dirname(name)
        if folder and folder not in self._env.get("PATH", "").split(os.pathsep):
            return False
        found = shutil.which(name, path=self._env.get("PATH", ""))
        return found is not None and not any(
            is_beneath(way, self._work_dir) for way in (Path(os.path.realpath(found)), Path(found))
        )

    def _check_destinations(self, program: str, arguments: Sequence[Word], cwd: Path) -> None:
        """Check the files that a copy or a move creates in a folder; a move of a folder would take links with it."""
        words = [one for word in arguments for one in self._files.expanded(word, cwd)]
        if "--" in words:  # after it, words that look like options are files
            raise Asks("it has files whose names look like options")
        *sources, to = [text for text in words if not text.startswith("-")] or [""]
        for source in sources:
            if program == "mv" and os.path.lexists(cwd / source) and not _is_plain(cwd / source):
                raise Asks(f"{shown(source)} is no plain file")
            if os.path.isdir(cwd / to):
                self._files.check_changes(os.path.join(to, os.path.basename(source.rstrip("/"))), cwd)


def _is_plain(path: Path) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _row(program: str, arguments: Sequence[Word]) -> tuple[str, Row, list[Word]] | None:
    """The name of a program with its subcommand, its row, and the other arguments; None without a row."""
    rows = PROJECTS.get(program)
    if rows is None or any(word.text is None for word in arguments):
        return None
    before = FIRST.get(program, frozenset())
    place = next((n for n, word in enumerate(arguments) if word.text not in before or word.pattern), len(arguments))
    first = arguments[place].text if place < len(arguments) and arguments[place].pattern is None else None
    rest = list(arguments[place + 1 :])
    if first is not None and first in rows:
        return f"{program} {first}", rows[first], rest
    if first is not None and _NAME.fullmatch(first):
        if (row := rows.get(f"{first} *")) is not None and place + 1 < len(arguments):
            second = arguments[place + 1]
            if second.pattern is None and _NAME.fullmatch(second.text or ""):
                return f"{program} {first} {second.text}", row, list(arguments[place + 2 :])
            return None
        if (row := rows.get("*")) is not None:
            return f"{program} {first}", row, rest
    return (program, rows[""], list(arguments)) if "" in rows else None
