"""Which files a glob means: `*`, `?`, `[…]`, `**/` and `{a,b}`, compared by how names look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from itertools import islice

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.paths import likeness

MOST_PATTERNS = 256  # that braces and **/ may stand for

_FOLDERS = re.compile(r"(?:(?<=/)|^)\*\*/")
_CLASS = re.compile(r"\[!?\]?[^\]]*\]")


class Glob:
    """A glob without a slash is compared with a file's name, one with a slash with its path below the directory.

    `*` crosses slashes, `**/` also stands for no directory at all. Case counts. Raises: ToolError.
    """

    def __init__(self, text: str) -> None:
        if text.startswith("!"):
            raise ToolError("a glob that begins with ! is not understood: say which files to search, not which not to")
        whole = text.removeprefix("./").removeprefix("/") if "/" in text else text
        patterns = list(islice(_variants(whole), MOST_PATTERNS + 1))
        if len(patterns) > MOST_PATTERNS:
            raise ToolError(f"the glob stands for more than {MOST_PATTERNS} patterns: use a simpler one")
        # fnmatch's expressions do not go back to a star, so each of them ends soon.
        self._names, self._paths = (
            [re.compile(translate(likeness(one))) for one in patterns if ("/" in one) is with_slash]
            for with_slash in (False, True)
        )

    def matches(self, name: str, below: str) -> bool:
        """Whether it means the file `name`, whose path with slashes is `below`."""
        return any(one.match(likeness(name)) for one in self._names) or (
            bool(self._paths) and any(one.match(likeness(below)) for one in self._paths)
        )


def _variants(text: str) -> Iterator[str]:
    for pattern in _expanded(text):
        yield from _without_folders(pattern, 0)


def _without_folders(pattern: str, start: int) -> Iterator[str]:
    """`pattern` with each `**/` from `start` on kept, and left out."""
    found = _FOLDERS.search(pattern, start)
    if found is None:
        yield pattern
        return
    yield from _without_folders(pattern, found.end())
    yield from _without_folders(pattern[: found.start()] + pattern[found.end() :], found.start())


def _expanded(text: str) -> Iterator[str]:
    """The patterns that braces stand for, the leftmost first."""
    found = _braces(text)
    if found is None:
        yield text
        return
    start, end, parts = found
    for part in parts:
        yield from _expanded(text[:start] + part + text[end:])


def _braces(text: str) -> tuple[int, int, list[str]] | None:
    """Where the first whole pair of braces is, and what its commas part; None when there is none."""
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
