"""Conditions of rules on the arguments of a call, and patterns of targets. Pure functions without I/O."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

Test = Literal["equals", "one_of", "beneath", "glob"]

MOST_CHARS = 4096
"""The longest argument to which the pattern of a condition is applied; a longer one can't be tested."""
CASELESS = sys.platform in ("darwin", "win32")
"""Whether the usual file systems take a name in any case of letters."""
_SEPARATORS = re.compile(r"[/\\]" if os.name == "nt" else "/")


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold for one argument of a call.

    `argument` is its name; a name within an object follows after a dot. `value`: the argument is equal to it, is one
    of it (a tuple), lies in this directory (an absolute path), or matches this pattern. `negated` reverses the test.
    """

    argument: str
    test: Test
    value: Any
    negated: bool = False

    @property
    def words(self) -> str:
        """The condition as the end of "where …"."""
        isnt = "is not" if self.negated else "is"
        match self.test:
            case "equals":
                return f"{self.argument} {isnt} {json.dumps(self.value)}"
            case "one_of":
                return f"{self.argument} {isnt} one of {', '.join(map(json.dumps, self.value))}"
            case "beneath":
                return f"{self.argument} {isnt} in {self.value}"
            case "glob":
                return f"{self.argument} {'does not match' if self.negated else 'matches'} {self.value}"


def holds(condition: Condition, arguments: Mapping[str, Any], places: Mapping[str, str]) -> bool | None:
    """Whether a condition holds for a call; None if it can't be tested, because the argument is missing, for example.

    `places` has the canonical paths of arguments that are paths.
    """
    found: Any = arguments
    for name in condition.argument.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = cast("Mapping[str, Any]", found)[name]
    if found is None:  # as if it were left out
        return None
    result: bool | None
    match condition.test:
        case "equals":
            result = _same(found, condition.value)
        case "one_of":
            result = any(_same(found, one) for one in condition.value)
        case "beneath":
            place = places.get(condition.argument)
            result = beneath(condition.value, place) if place is not None else None
        case "glob":
            result = matches(condition.value, found) if isinstance(found, str) and len(found) <= MOST_CHARS else None
    return result if result is None or not condition.negated else not result


def _same(found: Any, wanted: Any) -> bool:
    """Equality as in JSON, where true is not 1."""
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted


def beneath(folder: str, path: str) -> bool:
    """Whether `path` is the directory `folder` or lies in it."""
    base = folder.rstrip("/\\")
    return path == base or path.startswith((base + "/", base + "\\"))


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern covers all of `text`.

    `*` stands for any characters but `/`, `?` for one, `[abc]` for one of these, and `**` as a whole name for any
    number of names.
    """
    return _matched(_SEPARATORS.split(pattern), _SEPARATORS.split(text))


def _matched(pattern: Sequence[str], names: Sequence[str]) -> bool:
    reached = {0}  # how many names the part of the pattern so far may cover
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(names) + 1))
        else:
            reached = {place + 1 for place in reached if place < len(names) and fnmatch.fnmatchcase(names[place], part)}
        if not reached:
            return False
    return len(names) in reached


def matches_any(pattern: str, text: str) -> bool:
    """The same for a text that is no path, such as a command: `*` also stands for `/`."""
    return matches(pattern, text) or fnmatch.fnmatchcase(text, pattern)


def folded(text: str) -> str:
    """The text without the differences that the file systems of macOS and Windows ignore; elsewhere as it is."""
    return unicodedata.normalize("NFC", text).casefold() if CASELESS else text


def beginning(pattern: str) -> str:
    """The directory in which everything that a pattern covers lies: its names before the first with a wildcard."""
    names = _SEPARATORS.split(pattern)
    plain = next((place for place, name in enumerate(names) if set(name) & set("*?[")), len(names) - 1)
    return "/".join(names[:plain]) or "/"
