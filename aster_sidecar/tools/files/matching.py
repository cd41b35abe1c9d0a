"""A child process in which a search matches lines against its pattern, and names against ignore files.

Some regular expressions take practically forever on one line, and Python's engine holds the interpreter lock meanwhile:
in a thread, one would freeze the daemon. The pattern comes from a model, and those of ignore files from any repository.
The process is killed at the deadline. It runs `matching_worker.py`.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.files import matching_worker
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
        argv, env = worker(matching_worker)
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
