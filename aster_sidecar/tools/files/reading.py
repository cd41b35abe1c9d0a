"""The tools that read: a file's lines, a directory's entries."""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import Field

from aster_sidecar.permissions import Assessment
from aster_sidecar.tools import CallContext, Outcome, Surroundings, Tool, ToolError, paths
from aster_sidecar.tools.display import shown, sized
from aster_sidecar.tools.files.common import Arguments, in_thread, judge, located
from aster_sidecar.tools.paths import Folder, Text, at

READ_BYTES = 256 * 1024  # of text, a call
READ_SCAN_BYTES = 64 * 1024 * 1024  # read to get to the first line asked for
LINE_CHARS = 2000
LIST_ENTRIES = 1000
SCAN_ENTRIES = 50_000  # of one directory, before it is sorted


class ReadFile(Arguments):
    path: Text = Field(min_length=1, description="File to read; relative paths start at the work directory.")
    offset: int = Field(default=1, ge=1, description="First line to return, counted from 1.")
    limit: int = Field(default=2000, ge=1, le=100_000, description="How many lines to return at most.")


class ListDir(Arguments):
    path: Text = Field(default=".", min_length=1, description="Directory to list.")
    depth: int = Field(default=1, ge=1, le=10, description="How many levels to descend; 1 lists the directory itself.")


def _assess_read(arguments: ReadFile, surroundings: Surroundings) -> Assessment:
    lines = f" from line {arguments.offset}" if arguments.offset > 1 else ""
    return judge("read_file", [arguments.path], surroundings, f"read {{}}{lines}", reads=True)


def _assess_list(arguments: ListDir, surroundings: Surroundings) -> Assessment:
    deep = f", {arguments.depth} levels deep" if arguments.depth > 1 else ""
    return judge("list_dir", [arguments.path], surroundings, f"list {{}}{deep}", reads=True)


async def _run_read(arguments: ReadFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await in_thread(lambda stop: _read(Path(assessment.target), arguments, stop))


def _read(path: Path, arguments: ReadFile, stop: threading.Event) -> Outcome:
    with located(path) as (folder, name), open(paths.opened_file(folder, name), "rb") as file:
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
    return await in_thread(lambda stop: _list(root, arguments.depth, ctx.surroundings.protected, stop))


def _list(root: Path, depth: int, protected: tuple[Path, ...], stop: threading.Event) -> Outcome:
    entries: list[dict[str, Any]] = []
    notes: list[str] = []
    waiting = deque([(root, 1)])
    while waiting and len(entries) <= LIST_ENTRIES and not stop.is_set():
        path, level = waiting.popleft()
        try:
            with listing(path) as (folder, found):
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
def listing(path: Path) -> Generator[tuple[Folder, list[os.DirEntry[str]]], None, None]:
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
    name = tellable(os.path.relpath(path / entry.name, root))
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return {"name": name, "kind": "gone"}
    if paths.is_link(found):
        whole, dir_fd = at(folder, entry.name)
        with suppress(OSError):
            return {"name": name, "kind": "link", "to": tellable(os.readlink(whole, dir_fd=dir_fd))}
    if stat.S_ISREG(found.st_mode):
        return {"name": name, "kind": "file", "bytes": found.st_size}
    return {"name": name, "kind": paths.kind(found).split(" ", 1)[1]}


def tellable(name: str) -> str:
    """A file name as JSON can carry it: one that is not valid UTF-8 is shown escaped, and can't be named in a call."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return shown(name)
    return name


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "read_file",
        "Read a text file, whole or a range of lines. Binary files are named, not shown. "
        f"At most {sized(READ_BYTES)} a call; the answer says where to read on.",
        ReadFile,
        "low",
        _assess_read,
        _run_read,
        paths.rule_value,
    ),
    Tool(
        "list_dir",
        f"List a directory with kinds and sizes, at most {LIST_ENTRIES} entries. Links are named, not followed.",
        ListDir,
        "low",
        _assess_list,
        _run_list,
        paths.rule_value,
    ),
)
