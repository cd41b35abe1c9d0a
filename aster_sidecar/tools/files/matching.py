"""A child process in which a search matches lines against its pattern, and names against ignore files.

Some regular expressions take practically forever on one line, and Python's engine holds the interpreter lock meanwhile:
in a thread, one would freeze the daemon. The pattern comes from a model, and those of ignore files from any repository.
The process is killed at the deadline.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.workers import worker


class Match(NamedTuple):
    """A matching line: its `number`, `length`, the `column` of the match, and `text`, which begins at `text_column`.

    `text` is the whole line or an excerpt around the match. `others` counts the matches after the excerpt, up to 1000.
    Columns are characters, counted from 1.
    """

    number: int
    length: int
    column: int
    text_column: int
    text: str
    others: int


class Matcher:
    """The child process. `close` it after use."""

    def __init__(self, pattern: str, deadline_s: float) -> None:
        """Start the process. Raises: ToolError when `pattern` is not a regular expression, or it can't be started."""
        argv, env = worker(match_lines)
        self._process = subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.kill: Callable[[], None] = self._process.kill
        self._timer = threading.Timer(deadline_s, self.kill)
        self._timer.daemon = True
        self._timer.start()
        try:
            self._check(pattern)
        except BaseException:
            self.close()
            raise

    def _check(self, pattern: str) -> None:
        answer = self._ask(b"p", pattern.encode())
        if isinstance(answer, str):
            raise ToolError(f"the pattern is not a regular expression: {answer}")
        if answer is None:
            raise ToolError("the search could not be started, or took too long to read the pattern")

    def find(self, text: str) -> list[Match] | None:
        """The matching lines, at most 201; None when the process was killed meanwhile."""
        answer = self._ask(b"t", text.encode("utf-8", "surrogatepass"))
        return None if answer is None else [Match(*hit) for hit in answer]

    def ignored(
        self, rules: Mapping[int, str], folders: Sequence[tuple[int, str]], names: Sequence[str]
    ) -> list[bool] | None:
        """Whether ignore files leave out each of `names` (directories end with a slash); None when it was killed.

        `rules` are the contents of ignore files, by a number; each is sent once. `folders` are the files that apply, as
        (number, directory of the names relative to the file); the first with a pattern for a name decides.
        """
        asked = {"rules": [*rules.items()], "folders": folders, "names": names}
        return self._ask(b"i", json.dumps(asked).encode())

    def _ask(self, kind: bytes, frame: bytes) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(kind + len(frame).to_bytes(4, "big") + frame)
            self._process.stdin.flush()
        except OSError:
            return None
        line = self._process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        """Kill the process, and wait until it has exited."""
        self._timer.cancel()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        self._process.wait()


def match_lines() -> None:
    """What the child process runs. It uses nothing from outside this function: only its source is passed on.

    It reads frames (a letter, the length in four bytes, UTF-8): the pattern (p), then texts (t) and names for ignore
    files (i). It answers each with a line of JSON.

    pathspec parses the patterns of ignore files. Which one decides is our own code, because pathspec's verdict differs
    from git's; see docs/decisions/0027-globs.md.
    """
    import json
    import re
    import sys
    from itertools import islice

    most, excerpt_chars, before_chars, counted = 201, 400, 100, 1000
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    specs: dict[int, list[Any]] = {}

    def answer(value: object) -> None:
        answers.write(json.dumps(value).encode() + b"\n")
        answers.flush()

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

    def means(found: Any, path: str) -> bool:
        """Whether a match of pathspec's is about `path` itself, and not about a directory above it."""
        if found.lastindex:  # the slash behind a directory
            return found.end() == len(path)
        return not path.endswith("/") or found.end() < len(path)  # "a/**" is not about "a/"

    def ignored(folders: list[tuple[int, str]], name: str) -> bool:
        # The last pattern that matches decides; directories above were checked before.
        for number, folder in folders:
            path = folder + name
            for one in specs[number]:
                if any(means(found, path) for found in one.regex.finditer(path)):
                    return bool(one.include)
        return False

    def matches(text: str) -> list[tuple[int, int, int, int, str, int]]:
        hits: list[tuple[int, int, int, int, str, int]] = []
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            line = line.removesuffix("\r")
            found = pattern.search(line)
            if found is None:
                continue
            start, end, length = 0, len(line), len(line)
            if length > excerpt_chars:
                start = max(0, min(found.start() - before_chars, length - excerpt_chars))
                end = start + excerpt_chars
            behind = pattern.finditer(line, end) if end < length else iter(())
            others = sum(1 for _ in islice(behind, counted))
            hits.append((number, length, found.start() + 1, start + 1, line[start:end], others))
            if len(hits) == most:
                break
        return hits

    pattern = re.compile("")
    while len(head := source.read(5)) == 5:
        kind, frame = head[:1], source.read(int.from_bytes(head[1:], "big")).decode("utf-8", "surrogatepass")
        if kind == b"p":
            try:
                pattern = re.compile(frame)
            except (re.error, OverflowError, RecursionError, MemoryError) as error:
                return answer(str(error) or type(error).__name__)
            answer([])
        elif kind == b"t":
            answer(matches(frame))
        else:
            asked = json.loads(frame)
            specs.update((number, compiled(text)) for number, text in asked["rules"])
            answer([ignored(asked["folders"], name) for name in asked["names"]])
    return None
