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
from aster_sidecar.tools.commands.rows import BUILTINS, ROWS, names

# Programs that run what they are given as arguments, as text, or as a file.
_RUNS_OTHERS = names(
    """
    env sudo doas su runuser exec command builtin nohup setsid setpriv nice ionice chrt taskset time timeout stdbuf
    xargs parallel watch entr unshare chroot bwrap firejail fakeroot faketime pkexec sg numactl setarch linux32 linux64
    dbus-run-session ssh-agent xvfb-run rlwrap unbuffer caffeinate systemd-inhibit busybox toybox script flock eval
    source . trap find fd ssh npx pnpx bunx uvx pipx corepack just task expect git-shell rsync gdb strace ltrace
    awk gawk mawk nawk vim vi ex ed emacs coproc
    """
)
_INTERPRETERS = re.compile(
    r"(?:python|pypy|node|nodejs|deno|bun|tsx|ts-node|ruby|perl|php|lua|luajit|tclsh|pwsh|osascript"
    r"|sh|bash|zsh|dash|ash|ksh|mksh|fish|csh|tcsh)[\d.]*"
)
_SHELLS = names("sh bash zsh dash ash ksh mksh fish")
_ELSEWHERE = re.compile(r"-C.*|--(?:prefix|cwd|git-dir|work-tree|manifest-path|directory|project)(?:=.*)?")
# git's own commands: another word may be an alias, which may stand for any command.
_GIT = names(
    """
    add am annotate apply archive bisect blame branch bundle cat-file check-ignore checkout cherry cherry-pick citool
    clean clone commit config count-objects describe diff diff-tree difftool fetch for-each-ref format-patch fsck gc
    grep gui help init log ls-files ls-remote ls-tree maintenance merge merge-base mergetool mv name-rev notes pull push
    range-diff rebase reflog remote repack replace request-pull reset restore rev-list rev-parse revert rm shortlog show
    show-branch show-ref sparse-checkout stash status submodule switch symbolic-ref tag update-index update-ref version
    whatchanged worktree
    """
)
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
    if any(_name(one) in ("cd", "pushd", "popd") for one in commands):
        cwd = None
    runs: list[Run] = []
    opaque = False
    for command in commands:
        words = [word.text if word.pattern is None else None for word in command.words]
        here, unseen = _runs(words, cwd, home, depth)
        runs += here
        opaque |= unseen
    return Found(tuple(runs), opaque)


def _name(command: Simple) -> str:
    return command.words[0].text or ""


def _runs(words: Sequence[str | None], cwd: str | None, home: str, depth: int) -> tuple[list[Run], bool]:
    """The programs that one command runs, and whether it may run others."""
    if words[0] is None:
        return [], True
    name = os.path.basename(words[0])
    known = [word for word in words if word is not None]
    folder = None if any(map(_ELSEWHERE.fullmatch, known)) else cwd
    runs = [Run(folder, tuple(known))]
    in_folder = "/" in words[0] and not os.path.isabs(words[0])
    if name not in _RUNS_OTHERS and not _INTERPRETERS.fullmatch(name) and not in_folder:
        printing = name in ROWS or name in BUILTINS
        return runs, (None in words and not printing) or (name == "git" and not _is_own(known))
    # Each of the following words may be the program that it runs.
    runs += [Run(None, tuple(known[place:])) for place in range(1, len(known))]
    if name in (*_SHELLS, "eval", "xargs", "watch") and depth < MOST_NESTED:
        for text in known[1:]:
            runs += _found(text, None, home, depth + 1).runs
    return runs, True


def _is_own(words: Sequence[str]) -> bool:
    """Whether git's subcommand is one of its own, as far as its options are known."""
    rest = iter(words[1:])
    for word in rest:
        if word in ("-C", "-c", "--git-dir", "--work-tree", "--namespace"):
            if word == "-c":  # it may define an alias
                return False
            next(rest, None)
        elif not word.startswith("-"):
            return word in _GIT
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
