"""The tools that read and change files: list, read, search, write, edit, delete, move.

`assess` resolves the path and rates it (paths.look); `run` opens that very path, component by component, and refuses
whatever took its place. A change is written beside the file and renamed over it: it is done or it is not there.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from aster_sidecar.permissions import Assessment, Risk, Scope
from aster_sidecar.processes import to_the_end
from aster_sidecar.tools import CallContext, Outcome, Surroundings, Tool, ToolError, paths
from aster_sidecar.tools.display import shown, sized, visible
from aster_sidecar.tools.paths import Folder, Place, Text, at
from aster_sidecar.tools.shell import worker

READ_BYTES = 256 * 1024  # of text, a call
READ_SCAN_BYTES = 64 * 1024 * 1024  # read to get to the first line asked for
LINE_CHARS = 2000
EDIT_BYTES = 8 * 1024 * 1024
WRITE_CHARS = 4 * 1024 * 1024
LIST_ENTRIES = 1000
SCAN_ENTRIES = 50_000  # of one directory, before it is sorted
SEARCH_HITS = 200
SEARCH_FILES = 20_000
SEARCH_FILE_BYTES = 4 * 1024 * 1024
SEARCH_BYTES = 256 * 1024 * 1024
SEARCH_S = 20.0
PREVIEW_CHARS = 16_000

T = TypeVar("T")


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class ReadFile(_Arguments):
    path: Text = Field(min_length=1, description="File to read; relative paths start at the work directory.")
    offset: int = Field(default=1, ge=1, description="First line to return, counted from 1.")
    limit: int = Field(default=2000, ge=1, le=100_000, description="How many lines to return at most.")


class ListDir(_Arguments):
    path: Text = Field(default=".", min_length=1, description="Directory to list.")
    depth: int = Field(default=1, ge=1, le=10, description="How many levels to descend; 1 lists the directory itself.")


class SearchFiles(_Arguments):
    pattern: Text = Field(min_length=1, max_length=1000, description="Python regular expression, matched line by line.")
    path: Text = Field(default=".", min_length=1, description="Directory (searched with all below it) or file.")
    glob: Text | None = Field(
        default=None, max_length=200, description="Only files that match, e.g. *.py or src/**/*.ts."
    )
    max_results: int = Field(default=100, ge=1, le=SEARCH_HITS, description="How many lines to return at most.")


class WriteFile(_Arguments):
    path: Text = Field(min_length=1, description="File to create or replace; missing directories are made.")
    content: Text = Field(max_length=WRITE_CHARS, description="The whole new content, as UTF-8.")


class EditFile(_Arguments):
    path: Text = Field(min_length=1, description="File to change; must be UTF-8.")
    old: Text = Field(min_length=1, max_length=WRITE_CHARS, description="Exact text to replace; must occur once.")
    new: Text = Field(max_length=WRITE_CHARS, description="Text to put there.")
    replace_all: bool = Field(default=False, description="Replace every occurrence instead.")


class DeleteFile(_Arguments):
    path: Text = Field(min_length=1, description="File, link (not what it leads to) or empty directory to delete.")


class MoveFile(_Arguments):
    source: Text = Field(min_length=1, description="File or link to move or rename.")
    destination: Text = Field(min_length=1, description="Its new path, name included; missing directories are made.")
    overwrite: bool = Field(default=False, description="Replace the destination when it exists.")


# --- assessing -----------------------------------------------------------------------------------------------------


def _judge(
    tool: str,
    asked: Sequence[str],
    surroundings: Surroundings,
    display: str,
    *,
    reads: bool = False,
    follow: bool = True,
) -> Assessment:
    """Rate a use of the paths `asked`. `display` has a {} for each of them, in order."""
    places = [paths.look(one, surroundings, follow=follow, changes=not reads) for one in asked]
    concerns = list(dict.fromkeys(concern for place in places for concern in place.concerns))
    risk: Risk = "high" if concerns else "low" if reads else "medium"
    reason = "; ".join(concerns) or ("reads" if reads else "changes files") + " in the work directory"
    targets = [str(place.path) for place in places]
    return Assessment(
        risk=risk,
        target=targets[0],
        also=tuple(targets[1:]),
        display=display.format(*(shown(target) for target in targets)),
        reason=reason,
        remember=_scope(tool, places, surroundings),
        binding={"paths": targets, "work_dir": str(surroundings.work_dir)},
        forbidden=next((place.forbidden for place in places if place.forbidden), None),
    )


def _scope(tool: str, places: Sequence[Place], surroundings: Surroundings) -> Scope | None:
    if any(place.always_asks or place.forbidden for place in places):
        return None
    if all(place.inside for place in places):
        folder = str(surroundings.work_dir)
        return Scope("beneath", folder, f"{tool} anywhere in {shown(folder)} (files that hold secrets still ask)")
    if len(places) > 1:
        return None  # a rule names one path, this call has two
    path = str(places[0].path)
    return Scope("exact", path, f"{tool} on {shown(path)} only")


def _braced(text: str, *, newlines: bool = True) -> str:
    return visible(text, newlines=newlines).replace("{", "{{").replace("}", "}}")


def _preview(text: str) -> str:
    """What a person reads before they decide; says how much is not shown."""
    rest = len(text) - PREVIEW_CHARS
    return _braced(text[:PREVIEW_CHARS]) + (f"\n[{rest} more characters are not shown here]" if rest > 0 else "")


def _assess_read(arguments: ReadFile, surroundings: Surroundings) -> Assessment:
    lines = f" from line {arguments.offset}" if arguments.offset > 1 else ""
    return _judge("read_file", [arguments.path], surroundings, f"read {{}}{lines}", reads=True)


def _assess_list(arguments: ListDir, surroundings: Surroundings) -> Assessment:
    deep = f", {arguments.depth} levels deep" if arguments.depth > 1 else ""
    return _judge("list_dir", [arguments.path], surroundings, f"list {{}}{deep}", reads=True)


def _assess_search(arguments: SearchFiles, surroundings: Surroundings) -> Assessment:
    display = f"search {{}}\nfor {_braced(arguments.pattern, newlines=False)}"
    if arguments.glob is not None:
        display += f"\nin files named {_braced(arguments.glob, newlines=False)}"
    return _judge("search_files", [arguments.path], surroundings, display, reads=True)


def _assess_write(arguments: WriteFile, surroundings: Surroundings) -> Assessment:
    size = sized(len(arguments.content.encode()))
    display = f"write {{}} ({size})\n{_preview(arguments.content)}"
    assessment = _judge("write_file", [arguments.path], surroundings, display)
    # Creating a file and replacing one are different things to approve.
    replaces = os.path.lexists(assessment.target)
    return _bound(assessment, replaces=replaces)


def _assess_edit(arguments: EditFile, surroundings: Surroundings) -> Assessment:
    every = ", every occurrence" if arguments.replace_all else ""
    # Each line is marked, so that no text can pose as the other part.
    old, new = (
        _preview(text).replace("\n", f"\n{mark} ") for text, mark in ((arguments.old, "-"), (arguments.new, "+"))
    )
    display = f"edit {{}}{every}\n- {old}\n+ {new}"
    return _judge("edit_file", [arguments.path], surroundings, display)


def _assess_delete(arguments: DeleteFile, surroundings: Surroundings) -> Assessment:
    assessment = _judge("delete_file", [arguments.path], surroundings, "delete {}", follow=False)
    if Path(assessment.target) in (surroundings.work_dir, *surroundings.work_dir.parents):
        raise ToolError("the work directory can't be deleted")
    return assessment


def _assess_move(arguments: MoveFile, surroundings: Surroundings) -> Assessment:
    display = "move {}\nto {}" + ("\n(replacing what is there)" if arguments.overwrite else "")
    return _judge("move_file", [arguments.source, arguments.destination], surroundings, display, follow=False)


def _bound(assessment: Assessment, **more: Any) -> Assessment:
    from dataclasses import replace

    return replace(assessment, binding={**assessment.binding, **more})


# --- running -------------------------------------------------------------------------------------------------------


async def _in_thread(work: Callable[[threading.Event], T], *, cancelled: Callable[[], object] = lambda: None) -> T:
    """Run blocking `work` in a thread. Cancelled, it is told so by its event, and waited for: nothing happens later."""
    stop = threading.Event()

    def end() -> None:
        stop.set()
        cancelled()

    try:
        return await to_the_end(asyncio.to_thread(work, stop), cancelled=end)
    except OSError as error:
        raise ToolError(f"{error.strerror or error}") from error


@contextmanager
def _located(path: Path, *, create: bool = False) -> Generator[tuple[Folder, str], None, None]:
    """The opened directory of `path`, and its name there. Raises: ToolError, also in place of OSError inside."""
    if not path.name:
        raise ToolError(f"{shown(path)} is a directory")
    with paths.opened_folder(path.parent, create=create) as folder:
        try:
            yield folder, path.name
        except OSError as error:
            raise paths.refused(path, error) from error


async def _run_read(arguments: ReadFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await _in_thread(lambda stop: _read(Path(assessment.target), arguments, stop))


def _read(path: Path, arguments: ReadFile, stop: threading.Event) -> Outcome:
    with _located(path) as (folder, name), open(paths.opened_file(folder, name), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        value: dict[str, Any] = {"path": str(path), "bytes": size}
        binary = {"binary": True, "note": f"a binary file of {sized(size)}: not shown"}
        if b"\0" in file.peek(8192)[:8192]:
            return Outcome(value | binary)
        lines: list[str] = []
        left, number, more, cut = READ_BYTES, 0, False, False
        for number, (line, missing) in enumerate(_lines(file, READ_SCAN_BYTES, stop), 1):
            if number < arguments.offset:
                continue
            if b"\0" in line:
                return Outcome(value | binary)
            text = line.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
            text = text.removeprefix("\ufeff") if number == 1 else text
            if missing or len(text) > LINE_CHARS:
                text, cut = f"{text[:LINE_CHARS]} [the rest of this line is cut]", True
            left -= len(text.encode()) + 1
            if len(lines) == arguments.limit or (left < 0 and lines):
                more = True
                break
            lines.append(text)
        else:
            more = file.read(1) != b""
    last = arguments.offset + len(lines) - 1
    value |= {"first_line": arguments.offset, "last_line": last, "text": "\n".join(lines), "more": more}
    if lines and more:
        value["note"] = f"read on with offset {last + 1}"
    elif not lines:
        beyond = f"line {arguments.offset} is not among the first {sized(READ_SCAN_BYTES)}"
        value["note"] = beyond if more else f"the file has {number} lines"
    return Outcome(value, truncated=more or cut)


def _lines(file: BinaryIO, budget: int, stop: threading.Event) -> Iterator[tuple[bytes, int]]:
    """Each line as (its first bytes, how many bytes were left out), until `budget` bytes are read."""
    keep = 4 * LINE_CHARS + 8
    while budget > 0 and not stop.is_set() and (line := file.readline(keep)):
        budget -= len(line)
        missing, ended = 0, line.endswith(b"\n")
        while not ended and budget > 0 and not stop.is_set() and (rest := file.readline(65536)):
            missing, budget, ended = missing + len(rest), budget - len(rest), rest.endswith(b"\n")
        yield line, missing


async def _run_list(arguments: ListDir, assessment: Assessment, ctx: CallContext) -> Outcome:
    root = Path(assessment.target)
    return await _in_thread(lambda stop: _list(root, arguments.depth, ctx.surroundings.protected, stop))


def _list(root: Path, depth: int, protected: tuple[Path, ...], stop: threading.Event) -> Outcome:
    entries: list[dict[str, Any]] = []
    notes: list[str] = []
    waiting = deque([(root, 1)])
    while waiting and len(entries) <= LIST_ENTRIES and not stop.is_set():
        path, level = waiting.popleft()
        try:
            with _listing(path) as (folder, found):
                for entry in islice(found, LIST_ENTRIES + 1 - len(entries)):
                    entries.append(_described(folder, entry, path, root))
                    inner = path / entry.name
                    if entries[-1]["kind"] == "directory" and level < depth:
                        if reason := paths.forbidden(inner, protected):
                            notes.append(f"{shown(entry.name)} is left out: {reason}")
                        else:
                            waiting.append((inner, level + 1))
        except ToolError as error:
            if path == root:
                raise
            notes.append(str(error))
    truncated = len(entries) > LIST_ENTRIES
    if truncated:
        notes.append(f"only the first {LIST_ENTRIES} entries are listed")
    return Outcome({"path": str(root), "entries": entries[:LIST_ENTRIES], "notes": notes[:20]}, truncated)


@contextmanager
def _listing(path: Path) -> Generator[tuple[Folder, list[os.DirEntry[str]]], None, None]:
    """A directory, opened, and its entries by name. Raises: ToolError."""
    with paths.opened_folder(path) as crossed:
        try:
            folder = paths.opened_list(crossed)
            try:
                with os.scandir(folder) as found:
                    entries = sorted(islice(found, SCAN_ENTRIES), key=lambda entry: entry.name)
                yield folder, entries
            finally:
                paths.closed(folder)
        except OSError as error:
            raise paths.refused(path, error) from error


def _described(folder: Folder, entry: os.DirEntry[str], path: Path, root: Path) -> dict[str, Any]:
    name = _tellable(os.path.relpath(path / entry.name, root))
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return {"name": name, "kind": "gone"}
    if paths.is_link(found):
        whole, dir_fd = at(folder, entry.name)
        with suppress(OSError):
            return {"name": name, "kind": "link", "to": _tellable(os.readlink(whole, dir_fd=dir_fd))}
    if stat.S_ISREG(found.st_mode):
        return {"name": name, "kind": "file", "bytes": found.st_size}
    return {"name": name, "kind": paths.kind(found).split(" ", 1)[1]}


def _tellable(name: str) -> str:
    """A file name as JSON can carry it: one that is not valid UTF-8 is shown escaped, and can't be named in a call."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return shown(name)
    return name


async def _run_search(arguments: SearchFiles, assessment: Assessment, ctx: CallContext) -> Outcome:
    search = _Search(arguments, Path(assessment.target), ctx.surroundings)
    return await _in_thread(search.run, cancelled=search.kill)


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
        return _tellable(str(path.relative_to(self.surroundings.work_dir) if inside else path))

    def _candidates(self) -> Generator[tuple[Path, Folder, str, os.stat_result], None, None]:
        if self.root.name:
            with _located(self.root) as (folder, name):
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
                with _listing(path) as (folder, entries):
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


# --- changing ------------------------------------------------------------------------------------------------------


async def _run_write(arguments: WriteFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await _in_thread(lambda stop: _write(Path(assessment.target), arguments.content.encode(), stop))


def _write(path: Path, data: bytes, stop: threading.Event) -> Outcome:
    with _located(path, create=True) as (folder, name):
        old = paths.status(folder, name)
        paths.replace(folder, name, lambda file: file.write(data), old, stop, like=old)
    return Outcome({"path": str(path), "bytes": len(data), "created": old is None})


async def _run_edit(arguments: EditFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await _in_thread(lambda stop: _edit(Path(assessment.target), arguments, stop))


def _edit(path: Path, arguments: EditFile, stop: threading.Event) -> Outcome:
    with _located(path) as (folder, name):
        with open(paths.opened_file(folder, name), "rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(EDIT_BYTES + 1)
        if len(data) > EDIT_BYTES:
            raise ToolError(f"{shown(path)} is larger than {sized(EDIT_BYTES)}")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            # Written back with replacement characters it would be destroyed.
            raise ToolError(f"{shown(path)} is not UTF-8 text (byte {error.start}); it is left as it is") from error
        text, count = _replaced(text, arguments, path)
        changed = text.encode()
        paths.replace(folder, name, lambda file: file.write(changed), found, stop, like=found)
    return Outcome({"path": str(path), "replaced": count, "bytes": len(changed)})


def _replaced(text: str, arguments: EditFile, path: Path) -> tuple[str, int]:
    """`text` after the edit, and how many places changed. Raises: ToolError when the place is not clear."""
    old, new = arguments.old, arguments.new
    # read_file shows a CRLF file with plain line ends, so an edit comes with those; the file keeps its own.
    if "\r\n" in text and (text.count("\n") == text.count("\r\n") or old not in text):
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    if old == new:
        raise ToolError("old and new are the same: nothing to change")
    first = text.find(old)
    if first < 0:
        raise ToolError(f"old does not occur in {shown(path)}; read the file and copy the text exactly")
    if arguments.replace_all:
        return text.replace(old, new), text.count(old)
    if text.find(old, first + 1) >= 0:
        raise ToolError(f"old occurs more than once in {shown(path)}: add lines around it, or set replace_all")
    return text[:first] + new + text[first + len(old) :], 1


async def _run_delete(arguments: DeleteFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await _in_thread(lambda stop: _delete(Path(assessment.target)))


def _delete(path: Path) -> Outcome:
    with _located(path) as (folder, name):
        found = paths.status(folder, name)
        target, dir_fd = at(folder, name)
        if found is None:
            raise ToolError(f"{shown(path)}: no such file or directory")
        if stat.S_ISDIR(found.st_mode) and not paths.is_link(found):
            try:
                os.rmdir(target, dir_fd=dir_fd)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise ToolError(f"{shown(path)} is a directory and not empty") from error
                raise
        else:
            if not paths.is_link(found):
                paths.regular(found, name)
            os.unlink(target, dir_fd=dir_fd)
        paths.sync(folder)
    return Outcome({"path": str(path), "deleted": paths.kind(found).split(" ", 1)[1]})


async def _run_move(arguments: MoveFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    source, destination = (Path(path) for path in (assessment.target, *assessment.also))
    return await _in_thread(lambda stop: _move(source, destination, arguments.overwrite, stop))


def _move(source: Path, destination: Path, overwrite: bool, stop: threading.Event) -> Outcome:
    with _located(source) as (folder, name):
        found = paths.status(folder, name)
        if found is None:
            raise ToolError(f"{shown(source)}: no such file")
        if not paths.is_link(found):
            paths.regular(found, name)
        with _located(destination, create=True) as (into, new_name):
            there = paths.status(into, new_name)
            if there is not None:
                _check_replaceable(into, new_name, there, overwrite)
            try:
                (paths.rename_over if overwrite else paths.rename_new)(folder, name, into, new_name)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                paths.carry(folder, name, into, new_name, found, there, stop)
            paths.sync(into)
        paths.sync(folder)
    return Outcome({"path": str(destination), "moved_from": str(source), "replaced": there is not None})


def _check_replaceable(folder: Folder, name: str, there: os.stat_result, overwrite: bool) -> None:
    if not overwrite:
        raise ToolError(f"{shown(name)} exists already; set overwrite to replace it")
    if not paths.is_link(there):
        paths.regular(there, name)
        paths.check_writable(*at(folder, name), there)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "read_file",
        "Read a text file, whole or a range of lines. Binary files are named, not shown. "
        f"At most {sized(READ_BYTES)} a call; the answer says where to read on.",
        ReadFile,
        "low",
        _assess_read,
        _run_read,
    ),
    Tool(
        "list_dir",
        f"List a directory with kinds and sizes, at most {LIST_ENTRIES} entries. Links are named, not followed.",
        ListDir,
        "low",
        _assess_list,
        _run_list,
    ),
    Tool(
        "search_files",
        "Find lines that match a regular expression. Skips binary files, .git, node_modules and files that may hold "
        "secrets; links are not followed.",
        SearchFiles,
        "low",
        _assess_search,
        _run_search,
    ),
    Tool(
        "write_file",
        "Create a file or replace it as a whole. To change a part of a file use edit_file.",
        WriteFile,
        "medium",
        _assess_write,
        _run_write,
    ),
    Tool(
        "edit_file",
        "Replace an exact piece of text in a file. The text must occur once, unless replace_all is set. "
        "Line ends and the byte order mark stay as they are.",
        EditFile,
        "medium",
        _assess_edit,
        _run_edit,
    ),
    Tool(
        "delete_file",
        "Delete a file, a link (not what it leads to) or an empty directory.",
        DeleteFile,
        "medium",
        _assess_delete,
        _run_delete,
    ),
    Tool(
        "move_file",
        "Move or rename a file or link; not directories.",
        MoveFile,
        "medium",
        _assess_move,
        _run_move,
    ),
)
