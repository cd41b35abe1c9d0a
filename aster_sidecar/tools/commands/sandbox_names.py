"""What a rule names for a program that runs in a sandbox that holds, where it may be any program.

The name is as narrow as what a person sees of the line: a script, a module or a subcommand belongs to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from aster_sidecar.tools.commands.project_rows import FIRST, PROJECTS
from aster_sidecar.tools.commands.rows import ROWS, WHERE_PROGRAMS_ARE, names
from aster_sidecar.tools.sensitive_places import holds_secrets

_NAME = re.compile(r"[A-Za-z0-9_.][\w.:@+/-]*")
_PROGRAM = re.compile(r"[\w.@+/-]+")

BY_ROW = names("rm mv cp mkdir touch chmod sed")
"""Programs whose rows hold in a sandbox too: they could change or delete all that is in the folder."""
# What deletes or overwrites, ends programs, or runs what its words don't tell.
_NEVER = names(
    """
    find dd shred truncate ln install chown chgrp rmdir unlink tee rsync kill pkill killall sudo su doas eval exec
    source . trap alias export unset set command builtin coproc
    flock parallel watch entr taskset chrt unshare script fakeroot unbuffer busybox toybox chroot bwrap firejail
    faketime setpriv runuser pkexec sg numactl setarch linux32 linux64 dbus-run-session ssh-agent rlwrap caffeinate
    systemd-inhibit strace ltrace gdb time
    """
)
_WITH_LANGUAGE = names("awk jq sort tree date")
"""Programs that only read in most lines, and whose scripts or options are not all known."""

_WITH_SUBCOMMANDS = names(
    """
    kubectl helm terraform pip pip3 pipx uv poetry pdm hatch conda rustup gem bundle rails composer artisan mix rebar3
    stack cabal dart flutter swift xcodebuild brew apt apt-get dnf yum pacman snap gh glab aws gcloud az nx turbo lerna
    corepack django-admin alembic flask mkdocs hugo jekyll cmake deno
    """
)
"""Programs with subcommands, besides those of `PROJECTS`."""
_RUNNERS = {
    **dict.fromkeys(("uv", "poetry", "pdm", "hatch", "pipx"), names("run")),
    **dict.fromkeys(("npm", "pnpm", "yarn", "bun"), names("exec x dlx")),
    "bundle": names("exec"),
}
"""Subcommands that run a program, which belongs to the name."""
_FIRST_WITH_VALUE = {"pnpm": names("--filter -F"), "npm": names("-w --workspace")}
"""Options with a value that may come before the subcommand: they choose packages of the folder."""
_BARE_RUNNERS = names("npx bunx pnpx uvx xvfb-run")
_RUNNER_FLAGS = names("-y --yes --no-install --quiet -q --")
_WRAPPERS = names("env timeout nice nohup stdbuf ionice setsid xargs")
_WRAPPER_WORD = re.compile(
    r"[A-Za-z_]\w*=.*|[0-9]+(?:\.[0-9]+)?[smhd]?|-[0-9rtL]+|-n[0-9]*|-P[0-9]*|-I(?:\{\}|%)?|\{\}|%|-[oe][0L]"
)
_INTERPRETERS = re.compile(
    r"(?:python|pypy|node|ruby|perl|php|lua|luajit|tclsh|tsx|ts-node|Rscript|julia|bash|sh|zsh|dash|ash|ksh|mksh|fish"
    r"|csh|tcsh)[\d.]*"
)
_INTERPRETER_FLAGS = names("-u -B -q -v -x -e -ex --no-warnings --enable-source-maps")
_SHELLS = names("bash sh zsh dash ash ksh mksh fish csh tcsh")
_TEXT = names("-c -e --eval -p --print -")
_MODES = names("--build --install --test --check --version -version -V -S -B")
"""Options that say what a program does, and so belong to its name."""
_WITH_OWN_SUBCOMMANDS = names("manage.py artisan console rails")
"""Scripts of frameworks with subcommands."""


def name_in_sandbox(name: str, words: Sequence[str | None]) -> str | None:
    """What a rule names for a program with its arguments; None if no rule may cover it.

    `words` are the arguments; None for one that is known only when it runs.
    """
    program = os.path.basename(name)
    # A program elsewhere is named with its path, because it is not what the name says usually.
    called = program if os.path.dirname(name) in ("", *WHERE_PROGRAMS_ARE) else name
    if not _PROGRAM.fullmatch(called) or program in _NEVER | BY_ROW or any(map(_names_secret, words)):
        return None
    if program in ROWS and (program not in _WITH_LANGUAGE or None in words):
        return None
    if program in _WRAPPERS:
        return _wrapped(program, words)
    if _INTERPRETERS.fullmatch(program):
        return _interpreted(called, words)
    if program in _BARE_RUNNERS:
        place = next((n for n, word in enumerate(words) if word not in _RUNNER_FLAGS), len(words))
        return _started(called, words[place:])
    rows = PROJECTS.get(program, {})
    if program not in _WITH_SUBCOMMANDS and not any(key for key in rows if key):
        return called
    return _with_subcommand(called, program, words)


def never_named(program: str) -> bool:
    """Whether no rule can allow this program by its name."""
    return program in _NEVER | _WRAPPERS or (program in ROWS and program not in _WITH_LANGUAGE | BY_ROW)


def _names_secret(word: str | None) -> bool:
    """Whether a word has the name of a file that may hold secrets, in a text too."""
    return word is not None and any(
        holds_secrets(Path(os.sep, token)) for token in re.findall(r"[\w.~/-]+", word) if token.strip("/.~")
    )


def _wrapped(program: str, words: Sequence[str | None]) -> str | None:
    """The name of the program that a wrapper starts. With xargs it gets arguments that nobody sees."""
    for place, word in enumerate(words):
        if word is None:
            return None
        if not _WRAPPER_WORD.fullmatch(word):
            if word.startswith("-"):
                return None
            inner = name_in_sandbox(word, words[place + 1 :])
            return f"xargs {inner}" if program == "xargs" and inner is not None else inner
    return None


def _started(called: str, words: Sequence[str | None]) -> str | None:
    """The name of a program that starts another one, with the name of that."""
    if not words or words[0] is None or not _NAME.fullmatch(words[0]):
        return None
    inner = name_in_sandbox(words[0], words[1:])
    return f"{called} {inner}" if inner is not None else None


def _interpreted(called: str, words: Sequence[str | None]) -> str | None:
    shell = os.path.basename(called) in _SHELLS
    rest = list(words)
    while rest and rest[0] in _INTERPRETER_FLAGS and (shell or rest[0] != "-e"):
        rest.pop(0)
    if not rest:
        return called
    first, second = rest[0], rest[1] if len(rest) > 1 else None
    if first is None:
        return None
    if first == "-m":
        return f"{called} -m {second}" if second is not None and _NAME.fullmatch(second) else None
    if first in _TEXT:
        return f"{called} -c" if first == "-c" else f"{called} {first}"
    if not _NAME.fullmatch(first):
        return f"{called} {first}" if first in _MODES else None
    if os.path.basename(first) in _WITH_OWN_SUBCOMMANDS:
        return f"{called} {first} {second}" if second is not None and _NAME.fullmatch(second) else None
    return f"{called} {first}"


def _with_subcommand(called: str, program: str, words: Sequence[str | None]) -> str | None:
    rows, before = PROJECTS.get(program, {}), FIRST.get(program, frozenset())
    with_value = _FIRST_WITH_VALUE.get(program, frozenset())
    place = 0
    while place < len(words) and (words[place] in before or words[place] in with_value):
        place += 2 if words[place] in with_value else 1
    first = words[place] if place < len(words) else ""
    if first is None:
        return None
    if not first:
        return called
    if not _NAME.fullmatch(first):
        if first in _MODES:
            return f"{called} {first}"
        # Without a subcommand: there is no word that could be one.
        return called if "" in rows and all(word and word.startswith("-") for word in words[place:]) else None
    second = words[place + 1] if place + 1 < len(words) else None
    if first in _RUNNERS.get(program, frozenset()):
        return _started(f"{called} {first}", words[place + 1 :])
    if f"{first} *" in rows:
        return f"{called} {first} {second}" if second is not None and _NAME.fullmatch(second) else None
    return f"{called} {first}"
