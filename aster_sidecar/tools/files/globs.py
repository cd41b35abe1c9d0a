"""The glob of a search: `*`, `?`, `[…]`, `**/` and `{a,b}`. Names that look the same match.

fnmatch compiles the patterns. Our own code expands what fnmatch does not know: braces, and `**/` that stands for no
directory. pathspec can't take its place, because in its globs `*` stops at a slash, and because its expressions take
practically forever on some names; see docs/decisions/0027-globs.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from itertools import islice

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.lookalikes import likeness

MOST_PATTERNS = 256
"""How many patterns the braces and `**/` of one glob may expand to."""

_FOLDERS = re.compile(r"(?:(?<=/)|^)\*\*/")
_CLASS = re.compile(r"\[!?\]?[^\]]*\]")


class Glob:
    """A glob without a slash is matched against a file's name, one with a slash against its path below the directory.

    `*` matches slashes too, and `**/` also matches no directory at all. Case matters.
    """

    def __init__(self, text: str) -> None:
        """Raises: ToolError when the glob begins with `!` or expands to too many patterns."""
        if text.startswith("!"):
            raise ToolError("a glob can't begin with !: it says which files to search, not which to leave out")
        whole = text.removeprefix("./").removeprefix("/") if "/" in text else text
        patterns = list(islice(_variants(whole), MOST_PATTERNS + 1))
        if len(patterns) > MOST_PATTERNS:
            raise ToolError(f"the glob expands to more than {MOST_PATTERNS} patterns: use a simpler one")
        # fnmatch's expressions never go back to an earlier star, so that matching is fast.
        self._names, self._paths = (
            [re.compile(translate(likeness(one))) for one in patterns if ("/" in one) is with_slash]
            for with_slash in (False, True)
        )

    def matches(self, name: str, below: str) -> bool:
        """Whether the glob matches a file by its `name`, or by `below`, its path with slashes."""
        return any(one.match(likeness(name)) for one in self._names) or (
            bool(self._paths) and any(one.match(likeness(below)) for one in self._paths)
        )


def _variants(text: str) -> Iterator[str]:
    for pattern in _expanded(text):
        yield from _without_folders(pattern, 0)


def _without_folders(pattern: str, start: int) -> Iterator[str]:
    """`pattern` with each `**/` from `start` on kept, and removed."""
    found = _FOLDERS.search(pattern, start)
    if found is None:
        yield pattern
        return
    yield from _without_folders(pattern, found.end())
    yield from _without_folders(pattern[: found.start()] + pattern[found.end() :], found.start())


def _expanded(text: str) -> Iterator[str]:
    """The patterns that braces expand to, the leftmost first."""
    found = _braces(text)
    if found is None:
        yield text
        return
    start, end, parts = found
    for part in parts:
        yield from _expanded(text[:start] + part + text[end:])


def _braces(text: str) -> tuple[int, int, list[str]] | None:
    """Start, end and alternatives of the first closed pair of braces; None when there is none."""
    literal = {place for found in _CLASS.finditer(text) for place in range(*found.span())}
    marks = [(place, char) for place, char in enumerate(text) if char in "{,}" and place not in literal]
    for number, (start, char) in enumerate(marks):
        if char != "{":
            continue
        depth, parts, at = 0, list[str](), start + 1
        for place, mark in marks[number:]:
            depth += (mark == "{") - (mark == "}")
            if depth == 0 or (depth == 1 and mark == ","):
                parts.append(text[at:place])
                at = place + 1
            if depth == 0:
                if parts != [""]:
                    return start, place + 1, parts
                break
    return None
