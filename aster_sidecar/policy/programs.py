"""Rules for programs of command lines, such as `npm test` in a folder. Pure functions without I/O.

The value of such a rule is `in FOLDER:` and one line for each program with its subcommand. A rule that denies may
leave out the folder, and then holds in every folder. A name may end with `(with network)`: then the program may also
have the network in its sandbox.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aster_sidecar.policy.conditions import beneath

NETWORK = " (with network)"
_PLACED = re.compile(r"in ([^\n]+):\n(.+)", re.DOTALL)


class Run(NamedTuple):
    """One program that a line runs, with its arguments. `folder`: None if it is not known where it runs."""

    folder: str | None
    words: tuple[str, ...]


class Programs(NamedTuple):
    """The value of a rule for programs. `folder`: None for every folder."""

    folder: str | None
    names: tuple[str, ...]


def programs_of(value: str) -> Programs:
    """What a rule's value names."""
    placed = _PLACED.fullmatch(value)
    folder, names = (placed[1], placed[2]) if placed is not None else (None, value)
    return Programs(folder, tuple(names.split("\n")))


def value_of(folder: str, names: Sequence[str]) -> str:
    """The value of a rule that allows these programs in a folder."""
    return f"in {folder}:\n" + "\n".join(names)


def described(names: Sequence[str], quoted: Callable[[str], str]) -> str:
    """The names of a rule in a sentence; `quoted` puts a name in quotes."""
    parts = [
        quoted(f"{name.removesuffix(NETWORK)} …") + (" with network" if name.endswith(NETWORK) else "")
        for name in names
    ]
    return " and ".join(parts)


def allows(value: str, needed: str) -> bool:
    """Whether a rule's value covers one program that a call needs, which is a value with one name."""
    rule, call = programs_of(value), programs_of(needed)
    name = call.names[0]
    return rule.folder == call.folder and (name in rule.names or name + NETWORK in rule.names)


def denies(value: str, run: Run) -> bool:
    """Whether a rule's value covers a program with its arguments; also when it may run in the rule's folder.

    The subcommand may stand anywhere among the arguments, because options with values may come first.
    """
    rule = programs_of(value)
    if rule.folder is not None and run.folder is not None and not beneath(rule.folder, run.folder):
        return False
    return any(_named(name.removesuffix(NETWORK).split(), run.words) for name in rule.names)


def _named(name: Sequence[str], words: Sequence[str]) -> bool:
    # Some file systems take a name in any case of letters.
    if not name or not words or os.path.basename(words[0]).casefold() != os.path.basename(name[0]).casefold():
        return False
    rest = iter(words[1:])
    return all(part in rest for part in name[1:])
