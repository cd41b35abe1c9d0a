"""The tool that searches files: one side walks and reads, the other matches in a process of its own."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import closing, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import Field

from aster_sidecar.permissions import Assessment
from aster_sidecar.tools import CallContext, Outcome, Surroundings, Tool, ToolError, paths
from aster_sidecar.tools.display import shown, sized
from aster_sidecar.tools.files.common import Arguments, braced, in_thread, judge, located, taken_instead
from aster_sidecar.tools.files.reading import listing, tellable
from aster_sidecar.tools.paths import Folder, Text
from aster_sidecar.tools.shell import worker

SEARCH_HITS = 200
SEARCH_FILES = 20_000
SEARCH_FILE_BYTES = 4 * 1024 * 1024
SEARCH_BYTES = 256 * 1024 * 1024
SEARCH_S = 20.0


class SearchFiles(Arguments):
    pattern: Text = Field(min_length=1, max_length=1000, description="Python regular expression, matched line by line.")
    path: Text = Field(default=".", min_length=1, description="Directory (searched with all below it) or file.")
    glob: Text | None = Field(
        default=None, max_length=200, description="Only files that match, e.g. *.py or src/**/*.ts."
    )
    max_results: int = Field(default=100, ge=1, le=SEARCH_HITS, description="How many lines to return at most.")


def _assess_search(arguments: SearchFiles, surroundings: Surroundings) -> Assessment:
    display = f"search {{}}\nfor {braced(arguments.pattern, newlines=False)}"
    if arguments.glob is not None:
        display += f"\nin files named {braced(arguments.glob, newlines=False)}"
    return judge("search_files", [arguments.path], surroundings, display, reads=True)


async def _run_search(arguments: SearchFiles, assessment: Assessment, ctx: CallContext) -> Outcome:
    search = _Search(arguments, Path(assessment.target), ctx.surroundings)
    search.notes += taken_instead(assessment)
    return await in_thread(search.run, cancelled=search.kill)


class _Search:
    """One search: walks and reads here, matches in a process of its own.

    A regular expression can take for ever on one line, and Python's engine holds the interpreter's lock all the while,
    so a thread could freeze the daemon. The process is killed at the deadline, and what was found by then is returned.
    """

    def __init__(
        self, arguments: SearchFiles, root: Path, surroundings: Surroundings, deadline_s: float = SEARCH_S
    ) -> None:
        self.arguments = arguments
        self.root = root
        self.deadline_s = deadline_s
        self.surroundings = surroundings
        self.hits: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.secrets: list[str] = []
        self.files = 0
        self.bytes = 0
        self.cut = False
        self._protected_files: set[tuple[int, int]] | None = None
        self._matcher: _Matcher | None = None

    def kill(self) -> None:
        """End a match that is under way."""
        if self._matcher is not None:
            self._matcher.kill()

    def run(self, stop: threading.Event) -> Outcome:
        """Raises: ToolError when the pattern is wrong or nothing can be searched."""
        deadline = time.monotonic() + self.deadline_s
        matcher = self._matcher = _Matcher(self.arguments.pattern, self.deadline_s)
        with closing(matcher), closing(self._candidates()) as candidates:
            for path, folder, name, found in candidates:
                if stop.is_set() or time.monotonic() > deadline:
                    self._cut(f"stopped after {self.deadline_s:g} s")
                    break
                if self.files >= SEARCH_FILES or self.bytes >= SEARCH_BYTES:
                    self._cut(f"stopped after {self.files} files, {sized(self.bytes)}")
                    break
                text = self._text(folder, name, found)
                asked = time.monotonic()
                matches = matcher.find(text) if text else []
                if matches is None:
                    slow = f" in {shown(path)}, where the pattern takes too long: use a simpler one"
                    long = time.monotonic() - asked > self.deadline_s / 4
                    self._cut(f"stopped after {self.deadline_s:g} s{slow if long else ''}")
                    break
                for number, line in matches:
                    self.hits.append({"path": self._named(path), "line": number, "text": line})
                if len(self.hits) > self.arguments.max_results:
                    self._cut(f"only the first {self.arguments.max_results} lines are returned")
                    break
        if self.secrets:
            listed = ", ".join(self.secrets[:10])
            self.notes.append(f"not searched, may hold secrets: {listed} ({len(self.secrets)} in all)")
        hits = self.hits[: self.arguments.max_results]
        return Outcome({"hits": hits, "files_searched": self.files, "notes": self.notes[:20]}, truncated=self.cut)

    def _cut(self, note: str) -> None:
        self.cut = True
        self.notes.append(note)

    def _named(self, path: Path) -> str:
        inside = path.is_relative_to(self.surroundings.work_dir)
        return tellable(str(path.relative_to(self.surroundings.work_dir) if inside else path))

    def _candidates(self) -> Generator[tuple[Path, Folder, str, os.stat_result], None, None]:
        if self.root.name:
            with located(self.root) as (folder, name):
                found = paths.status(folder, name)
                if found is None:
                    raise ToolError(f"{shown(self.root)}: no such file or directory")
                if not stat.S_ISDIR(found.st_mode):
                    if self._wanted(self.root, found):
                        yield self.root, folder, name, found
                    return
        waiting = deque([self.root])
        while waiting:
            path = waiting.popleft()
            try:
                with listing(path) as (folder, entries, _):
                    for entry in entries:
                        inner = path / entry.name
                        try:
                            found = entry.stat(follow_symlinks=False)
                        except OSError:
                            continue
                        if stat.S_ISDIR(found.st_mode) and not paths.is_link(found):
                            if self._descends(inner):
                                waiting.append(inner)
                        elif self._wanted(inner, found):
                            yield inner, folder, entry.name, found
            except ToolError as error:
                if path == self.root:
                    raise
                self.notes.append(str(error))

    def _descends(self, path: Path) -> bool:
        if path.name in (".git", "node_modules"):
            return False
        if paths.in_secret_place(path):
            self.secrets.append(shown(path))
            return False
        if reason := paths.forbidden(path, self.surroundings.protected):
            self.notes.append(f"{shown(path)} is left out: {reason}")
            return False
        return True

    def _wanted(self, path: Path, found: os.stat_result) -> bool:
        if not stat.S_ISREG(found.st_mode) or paths.is_link(found) or not self._globbed(path):
            return False
        if paths.holds_secrets(path):
            self.secrets.append(shown(path))
            return False
        if found.st_nlink > 1:
            if self._protected_files is None:
                self._protected_files = paths.protected_files(self.surroundings.protected)
            return (found.st_dev, found.st_ino) not in self._protected_files
        return True

    def _globbed(self, path: Path) -> bool:
        glob = self.arguments.glob
        if glob is None:
            return True
        if "/" not in glob:
            return fnmatchcase(path.name, glob)
        below = path.relative_to(self.root).as_posix()
        # fnmatch's * crosses slashes already; **/ may also stand for no directory at all.
        return fnmatchcase(below, glob) or fnmatchcase(below, glob.replace("**/", ""))

    def _text(self, folder: Folder, name: str, found: os.stat_result) -> bytes:
        if found.st_size > SEARCH_FILE_BYTES:
            self._cut(f"only the first {sized(SEARCH_FILE_BYTES)} of {shown(name)} are searched")
        try:
            with open(paths.opened_file(folder, name), "rb") as file:
                data = file.read(SEARCH_FILE_BYTES)
        except (OSError, ToolError) as error:
            self.notes.append(f"{shown(name)}: {error}")
            return b""
        self.bytes += len(data)
        if b"\0" in data[:8192]:
            return b""
        self.files += 1
        return data


class _Matcher:
    """The process that matches. Raises: ToolError when the pattern is not a regular expression."""

    def __init__(self, pattern: str, deadline_s: float) -> None:
        argv, env = worker(match_lines)
        self._process = subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.kill = self._process.kill
        self._timer = threading.Timer(deadline_s, self.kill)
        self._timer.daemon = True
        self._timer.start()
        try:
            self._check(pattern)
        except BaseException:
            self.close()
            raise

    def _check(self, pattern: str) -> None:
        answer = self._ask(pattern.encode())
        if isinstance(answer, str):
            raise ToolError(f"the pattern is not a regular expression: {answer}")
        if answer is None:
            raise ToolError("the search could not be started, or took too long to read the pattern")

    def find(self, text: bytes) -> list[tuple[int, str]] | None:
        """The matching lines as (number, excerpt), SEARCH_HITS + 1 at most; None when the process was killed at it."""
        return self._ask(text)

    def _ask(self, frame: bytes) -> Any:
        import json

        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(len(frame).to_bytes(4, "big") + frame)
            self._process.stdin.flush()
        except OSError:
            return None
        line = self._process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        """End the process; it is gone when this returns."""
        self._timer.cancel()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        self._process.wait()


def match_lines() -> None:
    """The other side of `_Matcher`, in a process of its own: stands alone, since only its source is handed over.

    Reads frames (length in four bytes, UTF-8): first the pattern, then texts. Answers each with a line of JSON.
    """
    import json
    import re
    import sys

    most, line_chars, excerpt_chars = 201, 2000, 400
    source, answers = sys.stdin.buffer, sys.stdout.buffer

    def frame() -> str | None:
        head = source.read(4)
        return source.read(int.from_bytes(head, "big")).decode("utf-8", "replace") if len(head) == 4 else None

    def answer(value: object) -> None:
        answers.write(json.dumps(value).encode() + b"\n")
        answers.flush()

    try:
        pattern = re.compile(frame() or "")
    except (re.error, OverflowError, RecursionError, MemoryError) as error:
        return answer(str(error) or type(error).__name__)
    answer([])
    while (text := frame()) is not None:
        hits: list[tuple[int, str]] = []
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            line = line[:line_chars].removesuffix("\r")
            if found := pattern.search(line):
                start = max(0, min(found.start(), len(line) - excerpt_chars))
                hits.append((number, line[start : start + excerpt_chars]))
                if len(hits) == most:
                    break
        answer(hits)
    return None


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "search_files",
        "Find lines that match a regular expression. Skips binary files, .git, node_modules and files that may hold "
        "secrets; links are not followed.",
        SearchFiles,
        "low",
        _assess_search,
        _run_search,
        paths.rule_value,
    ),
)
