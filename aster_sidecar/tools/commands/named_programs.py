"""Which programs a line runs, going by its words, for rules that deny a program.

What a program starts by itself is not seen, such as the commands in a script of `package.json`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aster_sidecar.policy.programs import Run
from aster_sidecar.tools.commands.grammar import Command, Joined, Simple, Unclear, Word, parsed, simple_commands
from aster_sidecar.tools.commands.project_rows import VARIABLES
from aster_sidecar.tools.commands.rows import BUILTINS, ROWS, WHERE_PROGRAMS_ARE, names

_SHELLS = names("sh bash zsh dash ash ksh mksh fish")
# Programs that run no other one, whatever their arguments are. So do those of `ROWS`, except `_NOT_THESE`.
_RUNS_NONE = names(
    """
    rm rmdir mv cp mkdir touch ln chmod chown chgrp truncate mktemp unlink sync shred dd tee mkfifo kill pkill
    killall curl gzip gunzip zcat bzip2 bunzip2 xz unxz zstd unzip ping dig nslookup host iconv dos2unix cd wait umask
    ruff black isort tsc clang-format rustfmt gofmt shellcheck hadolint
    """
)
_NOT_THESE = names("sed awk sort rg command")
_EVALUATE = names("test [ printf wait")
"""bash evaluates the subscript of a variable's name, as in `[ -v 'a[$(id)]' ]`."""
_ELSEWHERE = re.compile(
    r"-C.*|--(?:prefix|cwd|dir|git-dir|work-tree|manifest-path|directory|project|project-dir|file|workspaces?|filter"
    r"|recursive|build|test-dir)(?:=.*)?"
)
"""Options that say where a program works."""
_ELSEWHERE_OF: dict[str, re.Pattern[str]] = {
    "npm": re.compile(r"-[a-z]*w.*"),
    "pnpm": re.compile(r"-[a-zA-Z]*[Fr].*"),
    "yarn": re.compile(r"workspaces?"),
    "mvn": re.compile(r"-(?:f|pl).*"),
    "gradle": re.compile(r"-p.*"),
}
# git's own commands, and the options with which they run another program. Another word may be an alias.
_GIT = names(
    """
    add am annotate apply archive blame branch bundle cat-file check-ignore checkout cherry cherry-pick
    clean clone commit count-objects describe diff diff-tree fetch for-each-ref format-patch fsck gc
    grep init log ls-files ls-remote ls-tree merge merge-base mv name-rev notes pull push
    range-diff rebase reflog remote repack replace reset restore rev-list rev-parse revert rm shortlog show
    show-branch show-ref sparse-checkout stash status switch symbolic-ref tag update-index update-ref version
    whatchanged worktree
    """
)
_GIT_RUNNING: dict[str, re.Pattern[str]] = {
    **dict.fromkeys(
        ("archive", "clone", "fetch", "ls-remote", "pull", "push", "remote"),
        re.compile(r"-[^-]*[cu].*|--(?:u|e|rec|c|t).*|[\w+.-]*::.*"),
    ),
    "rebase": re.compile(r"-[^-]*x.*|--e.*"),
    "grep": re.compile(r"-[^-]*O.*|--op.*"),
    "init": re.compile(r"--t.*"),
    **dict.fromkeys(("diff", "log", "show"), re.compile(r"--(?:ext|textc).*")),
}
_GIT_BEFORE = names("--no-pager --no-optional-locks --literal-pathspecs --bare -P")
# Other words for the subcommands of programs.
_SAME: dict[str, dict[str, str]] = {
    "npm": {
        **dict.fromkeys(["t", "tst"], "test"),
        **dict.fromkeys(["run-script", "rum", "urn"], "run"),
        **dict.fromkeys(
            ["i", "in", "ins", "inst", "insta", "instal", "isnt", "isnta", "isntal", "isntall", "add"], "install"
        ),
        **dict.fromkeys(["ic", "clean-install", "install-clean", "isntall-clean"], "ci"),
        **dict.fromkeys(["un", "unlink", "remove", "rm", "r"], "uninstall"),
        **dict.fromkeys(["up", "upgrade", "udpate"], "update"),
        "x": "exec",
    },
    "pnpm": {"t": "test", "i": "install", "rm": "remove", "run-script": "run"},
    "cargo": {"b": "build", "c": "check", "d": "doc", "r": "run", "t": "test", "rm": "remove"},
    "bun": {"i": "install", "a": "add", "rm": "remove"},
}
_SCRIPTS = names("npm pnpm yarn bun")
_STARTS = {"npm": names("test install publish uninstall exec start restart update unpublish deprecate login token")}
"""Subcommands that the program also takes by their beginnings."""
MOST_NESTED = 3


class Found(NamedTuple):
    """The programs of a line. `opaque`: it may run others, which its words don't tell."""

    runs: tuple[Run, ...]
    opaque: bool


def found(line: str, cwd: str, home: str) -> Found:
    """The programs of a line that runs in the directory `cwd`, as rules name it."""
    if os.name != "posix":
        return Found((), True)
    return _found(line, cwd, home, 0)


def _found(line: str, cwd: str | None, home: str, depth: int) -> Found:
    try:
        commands = [one for one in simple_commands(parsed(line, home)) if one.words]
    except Unclear:
        return Found((), True)
    if any(_name(one) in ("cd", "chdir", "pushd", "popd") for one in commands):
        cwd = None
    runs: list[Run] = []
    opaque = False
    for command in commands:
        words = [word.text if word.pattern is None else None for word in command.words]
        here, unseen = _runs(words, cwd, home, depth)
        runs += here
        # A variable may name a program, such as a pager, or a place where programs are.
        opaque |= unseen or any(name not in VARIABLES for name, _ in command.assigned)
    return Found(tuple(runs), opaque)


def _name(command: Simple) -> str:
    return command.words[0].text or ""


def _runs(words: Sequence[str | None], cwd: str | None, home: str, depth: int) -> tuple[list[Run], bool]:
    """The programs that one command runs, and whether it may run others."""
    if words[0] is None:
        return [], True
    known = [word for word in words if word is not None]
    name = os.path.basename(words[0])
    runs = _named(known, cwd)
    if _runs_none(name, words):
        return runs, False
    # Each of the following words may be the program that it runs, or a command line.
    for place in range(1, len(known)):
        runs += _named(known[place:], None)
    for text in known[1:] if depth < MOST_NESTED else ():
        for line in {text, text.partition("=")[2]}:
            if name in (*_SHELLS, "eval", "xargs", "watch") or re.search(r"\s", line):
                runs += _found(line, None, home, depth + 1).runs
    return runs, True


def _named(words: Sequence[str], cwd: str | None) -> list[Run]:
    """A program with its arguments, by all its names."""
    name = os.path.basename(words[0])
    elsewhere = _ELSEWHERE_OF.get(name)
    moved = any(_ELSEWHERE.fullmatch(word) or (elsewhere and elsewhere.fullmatch(word)) for word in words[1:])
    folder = None if moved else cwd
    found = [tuple(words)]
    if "-" in name[1:-1]:  # such as git-push
        found.append((*name.split("-", 1), *words[1:]))
    same, starts = _SAME.get(name, {}), _STARTS.get(name, frozenset[str]())
    for place, word in enumerate(words[1:], 1):
        meant = {same[word]} if word in same else {one for one in starts if len(word) > 1 and one.startswith(word)}
        found += [(*words[:place], one, *words[place + 1 :]) for one in sorted(meant - {word})]
    if name in _SCRIPTS:  # `yarn build` means `yarn run build`
        found += [(words[0], "run", *rest) for _, *rest in found]
    return [Run(folder, one) for one in found]


def canonical(name: str) -> str:
    """The name of a program and its subcommand, with the subcommand's usual word."""
    program, *rest = name.split(" ")
    same = _SAME.get(program, {})
    return " ".join([program, *(same.get(word, word) for word in rest[:1]), *rest[1:]])


def _runs_none(name: str, words: Sequence[str | None]) -> bool:
    """Whether a program runs no other one, going by its arguments."""
    program, arguments = words[0] or "", words[1:]
    if "/" in program and os.path.dirname(program) not in WHERE_PROGRAMS_ARE:  # it may be a link to another one
        return False
    if name == "git":
        return None not in arguments and _is_own([word for word in arguments if word is not None])
    if name in _EVALUATE:
        return not any(word is None or "$" in word or "`" in word for word in arguments)
    return name not in _NOT_THESE and (name in ROWS or name in BUILTINS | _RUNS_NONE)


def _is_own(words: Sequence[str]) -> bool:
    """Whether git's subcommand is one of its own, as far as its options are known, and runs no other program."""
    rest = iter(words)
    for word in rest:
        if word in ("-C", "--git-dir", "--work-tree", "--namespace"):
            next(rest, None)
        elif word.startswith("-"):
            if word not in _GIT_BEFORE:  # it may define an alias, or name a folder with other programs
                return False
        else:
            running = _GIT_RUNNING.get(word)
            return word in _GIT and (running is None or not any(map(running.fullmatch, rest)))
    return True


def plain_programs(line: str, home: str) -> list[str] | None:
    """The program of each command in a plain list of commands; None when the list is not plain.

    In a plain list all words are known, and there is no redirection, substitution, assignment, group or condition.
    """
    try:
        commands = list(_plain(parsed(line, home)))
    except (Unclear, ValueError):
        return None
    return commands or None


def _plain(command: Command) -> Iterator[str]:
    """Raises: ValueError when the command is not plain."""
    match command:
        case Simple(words, (), ()) if words and all(map(_is_known, words)) and words[0].text:
            yield words[0].text
        case Joined("then" | "and" | "or" | "pipe", parts):
            for part in parts:
                yield from _plain(part)
        case _:
            raise ValueError("the command is not plain")


def _is_known(word: Word) -> bool:
    return word.text is not None and word.pattern is None
