"""What the child process of `matching.py` runs. It imports nothing of ours: see `tools/workers.py`.

pathspec parses the patterns of ignore files. Which one decides is our own code, because pathspec's verdict differs from
git's; see docs/decisions/0027-globs.md.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import islice
from typing import Any

MOST_LINES = 201
EXCERPT_CHARS = 400
BEFORE_CHARS = 100
"""How much of an excerpt stands before the match, at most."""
MOST_COUNTED = 1000
"""How many matches after an excerpt are counted."""


def main() -> None:
    """Answer each frame on stdin with a line of JSON on stdout, until stdin ends.

    A frame is a letter, the length in four bytes, and UTF-8: first the pattern (p), then texts (t) and names for ignore
    files (i). A pattern that is not a regular expression is answered with the reason, which ends the process.
    """
    pattern = re.compile("")
    specs: dict[int, list[Any]] = {}
    while len(head := sys.stdin.buffer.read(5)) == 5:
        frame = sys.stdin.buffer.read(int.from_bytes(head[1:], "big")).decode("utf-8", "surrogatepass")
        if head[:1] == b"p":
            try:
                pattern = re.compile(frame)
            except (re.error, OverflowError, RecursionError, MemoryError) as error:
                return answer(str(error) or type(error).__name__)
            answer([])
        elif head[:1] == b"t":
            answer(matches(pattern, frame))
        else:
            asked = json.loads(frame)
            specs.update((number, compiled(text)) for number, text in asked["rules"])
            files = [(specs[number], folder) for number, folder in asked["folders"]]
            answer([ignored(files, name) for name in asked["names"]])
    return None


def answer(value: object) -> None:
    sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
    sys.stdout.buffer.flush()


# -- lines -------------------------------------------------------------------------------------------------------------


def matches(pattern: re.Pattern[str], text: str) -> list[tuple[int, int, int, int, str, int]]:
    """The lines that match, at most `MOST_LINES`: the fields of `matching.Match` for each."""
    hits: list[tuple[int, int, int, int, str, int]] = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        line = line.removesuffix("\r")
        found = pattern.search(line)
        if found is None:
            continue
        start, end, length = 0, len(line), len(line)
        if length > EXCERPT_CHARS:
            start = max(0, min(found.start() - BEFORE_CHARS, length - EXCERPT_CHARS))
            end = start + EXCERPT_CHARS
        behind = pattern.finditer(line, end) if end < length else iter(())
        others = sum(1 for _ in islice(behind, MOST_COUNTED))
        hits.append((number, length, found.start() + 1, start + 1, line[start:end], others))
        if len(hits) == MOST_LINES:
            break
    return hits


# -- names -------------------------------------------------------------------------------------------------------------


def compiled(text: str) -> list[Any]:
    """The patterns of an ignore file, last first."""
    from pathspec import GitIgnoreSpec

    patterns: list[Any] = []
    for line in text.split("\n"):
        line = trimmed(line.removesuffix("\r"))
        if line.endswith("**/"):
            line += "*/"  # the same for git; for pathspec, "a/**/" would match the directory a itself
        try:
            spec = GitIgnoreSpec.from_lines([line], backend="simple")
        except (ValueError, re.error):
            continue  # not a valid pattern: it matches nothing
        patterns += [one for one in spec.patterns if one.include is not None]
    return patterns[::-1]


def trimmed(line: str) -> str:
    """The line without spaces at its end, unless a backslash escapes the first; git keeps other white space."""
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    if backslashes % 2 and bare != line:
        return bare + " "
    if bare[-1:].isspace():  # pathspec would remove it
        backslashes = len(bare) - 1 - len(bare[:-1].rstrip("\\"))
        return f"{bare[: -1 - backslashes % 2]}[{bare[-1]}]"
    return bare


def ignored(files: list[tuple[list[Any], str]], name: str) -> bool:
    """Whether ignore files leave out a name. `files`: the patterns of each, and the names' directory relative to it."""
    # The last pattern that matches decides; directories above were checked before.
    for patterns, folder in files:
        path = folder + name
        for one in patterns:
            if any(means(found, path) for found in one.regex.finditer(path)):
                return bool(one.include)
    return False


def means(found: Any, path: str) -> bool:
    """Whether a match of pathspec's is about `path` itself, and not about a directory above it."""
    if found.lastindex:  # the slash behind a directory
        return found.end() == len(path)
    return not path.endswith("/") or found.end() < len(path)  # "a/**" is not about "a/"
