"""Whether a command line only reads, in the session's folder: then it runs unasked in the mode `smart_approve`.

Every simple command of the line is looked up in the rows; what is not fully known makes the daemon ask.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aster_sidecar.text.safe_text import quoted, shown
from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.commands import git
from aster_sidecar.tools.commands.grammar import (
    Command,
    Joined,
    Redirect,
    Redirected,
    Simple,
    Word,
    parsed,
    simple_commands,
)
from aster_sidecar.tools.commands.operands import Asks, Files, beginning
from aster_sidecar.tools.commands.rows import (
    BUILTINS,
    HARMLESS_VARIABLES,
    OTHER_NAMES,
    ROWS,
    VERSIONED,
    Row,
    names,
)
from aster_sidecar.tools.sensitive_places import is_beneath

MOST_FOLDERS = 8
"""In how many directories a command of the line may run, depending on how the ones before it end."""

# Variables before a command that only change its language and colors.
_HARMLESS = names("LANG LANGUAGE NO_COLOR CLICOLOR CLICOLOR_FORCE FORCE_COLOR COLUMNS TZ")
_VALUE = re.compile(r"[A-Za-z0-9_.@:+-]*|[A-Z][A-Za-z]+/[A-Za-z_+-]+(?:/[A-Za-z_]+)?")
_MULTICALL = frozenset(("busybox", "toybox", "coreutils", "uutils"))

# find's expression, without what runs programs, writes or deletes.
_FIND_ALONE = names(
    """
    ( ) ! , -not -a -and -o -or -empty -print -print0 -prune -quit -true -false -depth -d -xdev -mount -daystart -ls
    -readable -writable -executable -nouser -nogroup -noleaf -nowarn -warn -ignore_readdir_race
    """
)
_FIND_TEXT = names(
    """
    -name -iname -path -ipath -wholename -iwholename -lname -ilname -regex -iregex -regextype -type -xtype -size
    -maxdepth -mindepth -mtime -atime -ctime -mmin -amin -cmin -perm -user -group -uid -gid -links -inum -printf
    -fstype -used -context
    """
)
_FIND_FILE = names("-newer -anewer -cnewer -samefile")


def _is_cd(command: Simple) -> bool:
    return bool(command.words) and command.words[0].text == "cd"


def _sends_to_background(command: Command) -> bool:
    """Whether the line has `&>`: for a POSIX shell, what is before it runs in the background, in another shell."""
    match command:
        case Simple():
            return any(map(_sends_to_background, command.within))
        case Redirected():
            inner = (*command.within, *((command.command,) if command.command is not None else ()))
            return any(one.operator.startswith("&") for one in command.redirects) or any(
                map(_sends_to_background, inner)
            )
        case Joined():
            return any(map(_sends_to_background, command.parts))


class Ends(NamedTuple):
    """The directories that the shell may be in after a command, if it succeeds and if it fails."""

    well: frozenset[Path]
    badly: frozenset[Path]

    @property
    def either(self) -> frozenset[Path]:
        return self.well | self.badly


class Judge:
    """Judges the commands of one line that runs in `cwd`. All methods raise Asks.

    `confined`: the line runs in a sandbox that holds, so that it does no harm if a repository names programs.
    """

    def __init__(
        self, surroundings: Surroundings, cwd: Path, env: Mapping[str, str], *, confined: bool = False
    ) -> None:
        self._files = Files(surroundings)
        self._cwd = cwd
        self._env = env
        self._confined = confined
        self._binaries: dict[str, str] = {}
        self._files.check(".", cwd)

    def run_line(self, line: str) -> None:
        """Judge a line. Raises: Unclear, Asks."""
        command = parsed(line, self._env.get("HOME", "~"))
        if _sends_to_background(command) and any(_is_cd(one) for one in simple_commands(command)):
            raise Asks("`&>` sends what is before it to the background in some shells")
        self.run(command, frozenset((self._cwd,)))

    def run(self, command: Command, places: frozenset[Path]) -> Ends:
        """Judge a command that runs in one of the directories `places`."""
        if len(places) > MOST_FOLDERS:
            raise Asks("it may run in many folders")
        match command:
            case Simple():
                return self._simple(command, places)
            case Redirected():
                ends = self.run(command.command, places) if command.command is not None else Ends(places, places)
                for part in command.within:
                    self.run(part, ends.either | places)
                for redirect in command.redirects:
                    self._redirect(redirect, ends.either | places)
                return ends
            case Joined():
                return self._joined(command, places)

    def _joined(self, command: Joined, places: frozenset[Path]) -> Ends:
        match command.how:
            case "and" | "or":
                first = self.run(command.parts[0], places)
                second = self.run(command.parts[1], first.well if command.how == "and" else first.badly)
                if command.how == "and":
                    return Ends(second.well, first.badly | second.badly)
                return Ends(first.well | second.well, second.badly)
            case "not":
                ends = self._all(command.parts, places)
                return Ends(ends.badly, ends.well)
            case "subshell":
                self._all(command.parts, places)
                return Ends(places, places)
            case "then" | "if" | "pipe":
                # One of a pipe, of an "if" or in the background may run in a directory from before.
                return self._all(command.parts, places)

    def _all(self, parts: Sequence[Command], places: frozenset[Path]) -> Ends:
        """Judge commands of which each may run after any one before it, or in the background."""
        ends = Ends(places, places)
        reached = places
        for part in parts:
            ends = self.run(part, reached)
            reached |= ends.either
        return ends if len(parts) == 1 else Ends(reached, reached)

    def _redirect(self, redirect: Redirect, places: frozenset[Path]) -> None:
        operator, to = redirect.operator, redirect.to
        if operator in (">&", "<&") and to.text is not None and to.text.isascii() and to.text.isdigit():
            return
        if to.text is None or to.pattern is not None:
            raise Asks("it redirects to a file that is known only when it runs")
        if to.text == os.devnull and operator in ("<", ">", ">>", "&>", "&>>", ">|"):
            return
        if operator != "<":
            raise Asks(f"it may write to {shown(to.text)}")
        for place in places:
            self._files.check(to.text, place)

    # -- simple commands -----------------------------------------------------------------------------------------------

    def _simple(self, command: Simple, places: frozenset[Path]) -> Ends:
        for part in command.within:
            self.run(part, places)
        for name, value in command.assigned:
            self._assigned(name, value)
        if not command.words:
            raise Asks("it has an empty command")
        name = command.words[0].text
        if name is None or command.words[0].pattern is not None:
            raise Asks("its program is known only when it runs")
        program, arguments = os.path.basename(name), command.words[1:]
        if name == "cd":
            return self._cd(arguments, places)
        try:
            self._reads(name, program, arguments, places)
        except Asks as reason:
            self._does_more(name, arguments, places, reason)
        return Ends(places, places)

    def _assigned(self, name: str, value: Word) -> None:
        """Check a variable that is set for a program."""
        # A path could lead to a file with texts for a program's messages.
        plain = value.text is not None and value.pattern is None and _VALUE.fullmatch(value.text)
        if (name not in _HARMLESS and not name.startswith("LC_")) or not plain or ".." in (value.text or ""):
            raise Asks(f"it sets {name} for a program")

    def _does_more(self, name: str, arguments: Sequence[Word], places: frozenset[Path], reason: Asks) -> None:
        """Judge a program that may do more than read, because of `reason`."""
        raise reason

    def _reads(self, name: str, program: str, arguments: Sequence[Word], places: frozenset[Path]) -> None:
        """Check that a program only reads."""
        self._check_binary(name, program)
        if program in VERSIONED and [word.text for word in arguments] == ["--version"]:
            if (
                beginning(Path(self._binaries[name]), 2) or b"#!"
            ) == b"#!":  # a file in the folder may choose what it runs
                raise Asks(f"{quoted(shown(name))} is a script")
            return
        for place in places:
            if program == "find":
                self._find(arguments, place)
            elif program == "git":
                self._git(arguments, place)
            elif (row := ROWS.get(program)) is not None:
                self._row(quoted(program), row, arguments, place)
            else:
                raise Asks(f"{quoted(shown(program))} is not known to only read")

    def _cd(self, arguments: Sequence[Word], places: frozenset[Path]) -> Ends:
        words = [word.text for word in arguments if word.pattern is None]
        if len(words) != 1 or len(arguments) != 1 or words[0] is None or words[0][:1] in ("-", ""):
            raise Asks("it changes to a folder that is not known")
        if self._env.get("CDPATH"):
            raise Asks("CDPATH decides where it changes to")
        reached: set[Path] = set()
        for place in places:
            path = self._files.check(words[0], place)
            if str(path) != os.path.normpath(place / words[0]):  # then `cd ..` would lead to another folder
                raise Asks("it changes to a folder through a link")
            if path.is_dir():
                reached.add(path)
        return Ends(frozenset(reached) or places, places)

    def _check_binary(self, name: str, program: str) -> None:
        """Check that a program is not in a place where the agent, or somebody else, may have put it."""
        if name in BUILTINS:
            return
        if name in self._binaries:
            return
        if os.path.dirname(name) and not os.path.isabs(name):
            raise Asks(f"{quoted(shown(name))} is in the folder")
        search = self._env.get("PATH", "")
        if os.path.dirname(name) and os.path.dirname(name) not in search.split(os.pathsep):
            raise Asks(f"{quoted(shown(name))} is not where programs are")
        found = shutil.which(name, path=search)
        if found is None:
            raise Asks(f"there is no program {quoted(shown(name))}")
        binary = Path(os.path.realpath(found))
        home = Path(os.path.realpath(os.path.expanduser("~")))
        for way in (binary, Path(found)):
            if is_beneath(way, self._files.work_dir) or is_beneath(way, home):
                raise Asks(f"the program {quoted(shown(name))} is in your home or work folder, where it can be changed")
        usual = binary.name in (program, *_MULTICALL, *ROWS, *OTHER_NAMES.get(program, ()))
        if not usual and not binary.name.startswith(program):
            raise Asks(f"{quoted(shown(name))} is {quoted(shown(binary.name))}")
        self._binaries[name] = str(binary)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _row(self, name: str, row: Row, arguments: Sequence[Word], cwd: Path) -> None:
        operands, options = self._options(name, row, arguments, cwd)
        self._check_row(name, row, operands, options, cwd)

    def _check_row(
        self, name: str, row: Row, operands: list[tuple[str, Word]], options: Mapping[str, list[str]], cwd: Path
    ) -> None:
        words = [text for text, _ in operands]
        if row.operands == "text":
            self._files.check_matches((text for text, word in operands if word.pattern is not None), cwd, content=False)
        if row.check is not None and (reason := row.check(words, options)) is not None:
            raise Asks(f"{name}: {reason}" if ":" not in reason else reason)
        if row.anything or row.operands == "text":
            return
        lead = 0 if row.lead_in & options.keys() else row.lead
        files = operands[lead:]
        if row.operands == "none" and files:
            raise Asks(f"{name} gets {quoted(shown(files[0][0]))}")
        if row.most is not None and len(files) > row.most:
            raise Asks(f"{name} may write to {quoted(shown(files[row.most][0]))}")
        deep = "*" in row.deep or bool(row.deep & options.keys())
        if row.changes:
            for text, word in files:
                for name in self._files.expanded(word, cwd) if word.pattern is not None else (text,):
                    self._files.check_changes(name, cwd)
        else:
            self._check_files(files, cwd, content=row.content)
        if deep:
            tree = row.tree(options)
            for text in [text for text, _ in files] or ["."]:
                self._files.check_tree(self._files.check(text, cwd), tree if row.content else None)
        if row.within:
            for text in [text for text, _ in files] or ["."]:
                # A pattern that the program itself expands may be about all that is in the folder.
                there = self._files.check(text, cwd) if os.path.lexists(cwd / text) else cwd
                self._files.check_changes_within(there)

    def _check_files(self, files: Sequence[tuple[str, Word]], cwd: Path, *, content: bool) -> None:
        self._files.check_matches((text for text, word in files if word.pattern is not None), cwd, content=content)
        for text, word in files:
            if word.pattern is None:
                self._files.check(text, cwd)

    def _options(
        self, name: str, row: Row, arguments: Sequence[Word], cwd: Path
    ) -> tuple[list[tuple[str, Word]], dict[str, list[str]]]:
        """The operands of a call, each with the word that it comes from, and its options."""
        if row.anything:
            if row.known and any(word.text is None or word.pattern is not None for word in arguments):
                raise Asks(f"the arguments of {name} are known only when it runs")
            for variable in (variable for word in arguments for variable in word.variables):
                if variable in self._env and variable not in HARMLESS_VARIABLES:
                    raise Asks(f"it uses the value of {variable}")
            known = [word for word in arguments if word.text is not None]
            if not row.known:
                return [(text, word) for word in known for text in self._files.expanded(word, cwd)], {}
            for word in known:
                self._files.check_text(word.text or "", cwd)
            return [(word.text or "", word) for word in known], {}
        words = [(text, word) for word in arguments for text in self._files.expanded(word, cwd)]
        long, optional = set(row.long.split()), set(row.optional.split())
        operands: list[tuple[str, Word]] = []
        options: dict[str, list[str]] = {}
        rest = iter(words)

        def following(option: str) -> str:
            """The next word as the value of an option; some programs take it as an operand after the first operand."""
            value = self._next(name, option, rest)
            if operands and row.operands == "files":
                self._files.check(value, cwd)
            return value

        for text, word in rest:
            if text == "--":
                operands += rest
                break
            if text == "-" or not text.startswith("-"):
                operands.append((text, word))
                continue
            if os.path.lexists(cwd / text):
                raise Asks(f"{quoted(shown(text))} is a file and looks like an option")
            if row.first and operands:
                raise Asks(f"{name} may take {quoted(shown(text))} as a file, or run what it names")
            if row.numeric and text[1:].isascii() and text[1:].isdigit():
                continue
            if text.startswith("--"):
                option, equals, value = text[2:].partition("=")
                if option in row.long_values:
                    value = value if equals else following(text)
                    self._check_value(row.long_values[option], value, cwd)
                elif not (option in optional if equals else option in long or option in optional):
                    raise Asks(f"{name} with {quoted(shown('--' + option))} may do more than read")
                options.setdefault(option, []).append(value)
                continue
            for place, letter in enumerate(text[1:], 1):
                if letter in row.joined:
                    options.setdefault(letter, []).append(text[place + 1 :])
                    break
                if letter in row.values:
                    if row.apart and text[1:] != letter:
                        raise Asks(f"{name} may read {quoted(shown(text))} as several options")
                    value = text[place + 1 :] or following(text)
                    self._check_value(row.values[letter], value, cwd)
                    options.setdefault(letter, []).append(value)
                    break
                if letter not in row.flags:
                    raise Asks(f"{name} with {quoted(shown('-' + letter))} may do more than read")
                options.setdefault(letter, []).append("")
        return operands, options

    @staticmethod
    def _next(name: str, option: str, rest: Iterator[tuple[str, Word]]) -> str:
        found = next(rest, None)
        if found is None:
            raise Asks(f"{name} lacks a value for {quoted(shown(option))}")
        if found[1].pattern is not None:
            raise Asks(f"the value of {quoted(shown(option))} is known only when it runs")
        return found[0]

    def _check_value(self, kind: str, value: str, cwd: Path) -> None:
        if kind == "file":
            self._files.check(value, cwd)

    # -- programs with a language of their own -------------------------------------------------------------------------

    def _find(self, arguments: Sequence[Word], cwd: Path) -> None:
        words = list(arguments)
        while words and words[0].text == "-P":
            words.pop(0)
        roots = 0
        while roots < len(words) and (words[roots].text or "-")[0] not in "-(!,":
            roots += 1
        named = [(text, word) for word in words[:roots] for text in self._files.expanded(word, cwd)]
        if any(text.startswith("-") for text, _ in named):
            raise Asks("`find` gets a file whose name looks like an option")
        self._check_files(named, cwd, content=False)
        for text in [text for text, _ in named] or ["."]:
            self._files.check_tree(self._files.check(text, cwd), None)
        rest = iter(words[roots:])
        for word in rest:
            text = word.text
            if word.pattern is not None or text is None:
                raise Asks("the expression of `find` is known only when it runs")
            if text in _FIND_ALONE:
                continue
            value = next(rest, None)
            if text not in _FIND_TEXT | _FIND_FILE or value is None:
                raise Asks(f"`find` with {quoted(shown(text))} may do more than read")
            if value.text is None or value.pattern is not None:
                raise Asks("the expression of `find` is known only when it runs")
            if text in _FIND_FILE:
                self._files.check(value.text, cwd)

    def _git(self, arguments: Sequence[Word], cwd: Path) -> None:
        if any(name.startswith("GIT_") and name not in _GIT_SET for name in self._env):
            raise Asks("variables of git are set")
        words = list(arguments)
        while words and (words[0].text or "").startswith("-"):
            option = words.pop(0).text
            if option == "-C" and words and words[0].text is not None and words[0].pattern is None:
                cwd = self._files.check(words.pop(0).text or ".", cwd)
            elif option not in ("--no-pager", "--no-optional-locks", "--literal-pathspecs"):
                raise Asks(f"`git` with {quoted(shown(option or ''))} may do more than read")
        command = words.pop(0).text if words else None
        row = git.COMMANDS.get(command or "")
        if command is None or row is None:
            raise Asks(
                f"{quoted(shown(f'git {command}'))} is not known to only read" if command else "`git` gets no command"
            )
        name = quoted(f"git {command}")
        operands, options = self._options(name, row, words, cwd)
        if row.operands == "none" and operands:
            raise Asks(f"{name} gets {quoted(shown(operands[0][0]))}")
        lead = 1 if command == "grep" and "e" not in options else 0
        if row.most is not None and len(operands) > row.most:
            raise Asks(f"{name} gets {quoted(shown(operands[row.most][0]))}")
        first = words[0].text if words else None
        words_of = [text for text, _ in operands[lead:]]
        git.check_call(command, first, words_of, options, cwd, self._files, confined=self._confined)


_GIT_SET = names("GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_TERMINAL_PROMPT GIT_ASKPASS GIT_SSL_CAINFO")
"""Variables of git that the daemon sets for commands, and one that only concerns the network."""
