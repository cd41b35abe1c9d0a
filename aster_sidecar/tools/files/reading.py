"""The tools that read: the lines of a file, the entries of a directory."""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field

from aster_sidecar.policy.permissions import Assessment
from aster_sidecar.text.media_types import is_image
from aster_sidecar.text.safe_text import shown, sized
from aster_sidecar.tools import opening, paths
from aster_sidecar.tools.base import CallContext, File, Outcome, Surroundings, Tool, ToolError
from aster_sidecar.tools.encodings import SAMPLE_BYTES, encoding_of
from aster_sidecar.tools.files.common import (
    DENIED,
    Arguments,
    Omitted,
    denied_to,
    in_thread,
    judge,
    located,
    taken_instead,
    why,
)
from aster_sidecar.tools.files.lines import Lines
from aster_sidecar.tools.opening import Folder, at
from aster_sidecar.tools.paths import Text

READ_BYTES = 256 * 1024
"""How much text one call returns."""
READ_SCAN_BYTES = 64 * 1024 * 1024
"""How much of a file is read to reach the first line that is asked for."""
IMAGE_BYTES = 25 * 1024 * 1024
"""A larger image is not shown: no attachment has more."""
LINE_CHARS = 2000
LIST_ENTRIES = 1000
SCAN_ENTRIES = 50_000
"""How many entries of one directory are read, before sorting."""
UNNAMEABLE = (
    "‹U+DCXX› stands for a byte of a name that is not UTF-8: no file tool can be given such a name, a command can"
)


class ReadFile(Arguments):
    path: Text = Field(min_length=1, description="File to read; relative paths start at the work directory.")
    offset: int = Field(default=1, ge=1, description="First line to return, counted from 1.")
    limit: int = Field(default=2000, ge=1, le=100_000, description="How many lines to return at most.")
    column: int | None = Field(
        default=None,
        ge=1,
        description="Where in the line `offset` to start, in characters from 1: for a line that was cut.",
    )


class ListDir(Arguments):
    path: Text = Field(default=".", min_length=1, description="Directory to list.")
    depth: int = Field(default=1, ge=1, le=10, description="How many levels to descend; 1 lists the directory itself.")


def _assess_read(arguments: ReadFile, surroundings: Surroundings) -> Assessment:
    lines = f" from line {arguments.offset}" if arguments.offset > 1 or arguments.column else ""
    lines += f", column {arguments.column}" if arguments.column else ""
    return judge("read_file", [arguments.path], surroundings, f"read {{}}{lines}", reads=True)


def _assess_list(arguments: ListDir, surroundings: Surroundings) -> Assessment:
    deep = f", {arguments.depth} levels deep" if arguments.depth > 1 else ""
    return judge("list_dir", [arguments.path], surroundings, f"list {{}}{deep}", reads=True)


async def _run_read(arguments: ReadFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    taken = taken_instead(assessment)
    return await in_thread(lambda stop: _read(Path(assessment.target), arguments, taken, stop))


def _read(path: Path, arguments: ReadFile, taken: list[str], stop: threading.Event) -> Outcome:
    with located(path) as (folder, name), open(opening.opened_file(folder, name), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        value: dict[str, Any] = {"path": str(path), "bytes": size}
        encoding = encoding_of(file.peek(SAMPLE_BYTES)[:SAMPLE_BYTES])
        page = _Page(arguments)
        image = encoding is None and size <= IMAGE_BYTES and is_image(file.peek(SAMPLE_BYTES)[:SAMPLE_BYTES])
        picture = file.read(IMAGE_BYTES + 1) if image else b""
        if encoding is not None:
            with closing(Lines(file, encoding, READ_SCAN_BYTES, stop)) as lines:
                page.fill(lines)
    if encoding is None or any("\0" in line for line in page.lines):
        if picture and len(picture) <= IMAGE_BYTES:
            noted = {"note": "; ".join(taken)} if taken else {}
            return Outcome(value | {"image": True} | noted, files=(File(path.name, picture),))
        notes = [*taken, f"a binary file of {sized(size)}: not shown"]
        return Outcome(value | {"binary": True, "note": "; ".join(notes)})
    value |= {"first_line": arguments.offset, "last_line": arguments.offset + len(page.lines) - 1}
    if arguments.column is not None:
        value["first_column"] = arguments.column
    if encoding.note is not None:
        value["encoding"] = encoding.codec
    if page.invalid:
        which = "UTF-8" if encoding.note is None else f"{encoding.codec} to its end"
        page.notes.append(
            f"the file is not {which}: each \ufffd stands for a byte that is not, and writing this text back would"
            " destroy those bytes"
        )
    elif encoding.note is not None:
        page.notes.append(encoding.note)
    value |= {"text": "\n".join(page.lines), "more": page.more}
    if notes := [*taken, *page.notes]:
        value["note"] = "; ".join(notes)
    return Outcome(value, truncated=page.more or bool(page.cut))


class _Page:
    """The lines that one call returns."""

    def __init__(self, arguments: ReadFile) -> None:
        self.lines: list[str] = []
        self.notes: list[str] = []
        self.more = False
        self.cut: list[int] = []
        """The numbers of the lines that are cut."""
        self.invalid = 0
        self._arguments = arguments
        self._left = READ_BYTES
        self._number = 0
        """About the last line that was read."""

    def fill(self, lines: Lines) -> None:
        offset, column = self._arguments.offset, self._arguments.column
        while self._number < offset - 1:
            if lines.next(0, 0) is None:
                self.more = lines.more()
                break
            self._number += 1
        else:
            if column is None or self._from_column(lines, column):
                self._whole_lines(lines)
        self.invalid = lines.invalid
        if not self.notes:
            self._say_where_it_goes_on(offset + len(self.lines))

    def _whole_lines(self, lines: Lines) -> None:
        """Add lines from their start on, at most `LINE_CHARS` of each, until a limit is reached."""
        while len(self.lines) < self._arguments.limit:
            line = lines.next(0, LINE_CHARS)
            if line is None:
                break
            text = line.text
            if line.rest:
                least = "" if line.whole else "at least "
                on = f"read on with offset {self._number + 1}, column {LINE_CHARS + 1}"
                text += f" [{least}{line.rest} more characters: {on}]"
            self._left -= len(text.encode()) + 1
            if self._left < 0:
                self.more = True
                return
            self._number += 1
            self.lines.append(text)
            if line.rest:
                self.cut.append(self._number)
        self.more = lines.more()

    def _from_column(self, lines: Lines, column: int) -> bool:
        """Add the first line from `column` on, as much as one call returns; whether that is the rest of it."""
        line = lines.next(column - 1, READ_BYTES)
        if line is None:
            self.more = lines.more()
            return False
        self._number += 1
        if column > line.length + 1:
            self.more = not line.whole
            beyond = f"column {column} of line {self._number} is not among the first {sized(READ_SCAN_BYTES)}"
            self.notes.append(beyond if self.more else f"line {self._number} has {line.length} characters")
            return False
        text = line.text.encode()[: self._left].decode("utf-8", "ignore")
        self._left -= len(text.encode()) + 1
        self.lines.append(text)
        if line.rest == 0 and text == line.text and line.whole:
            return True
        self.more = True
        self.notes.append(f"read on with offset {self._number}, column {column + len(text)}")
        return False

    def _say_where_it_goes_on(self, number: int) -> None:
        if self.lines and self.more:
            self.notes.append(f"read on with offset {number}")
        elif not self.lines:
            beyond = f"line {number} is not among the first {sized(READ_SCAN_BYTES)}"
            self.notes.append(beyond if self.more else f"the file has {self._number} lines")
        if self.cut:
            others = f" ({len(self.cut) - 1} more are cut; each has such a note)" if len(self.cut) > 1 else ""
            on = f"read on with offset {self.cut[0]}, column {LINE_CHARS + 1}"
            self.notes.append(f"line {self.cut[0]} is cut: {on}{others}")


async def _run_list(arguments: ListDir, assessment: Assessment, ctx: CallContext) -> Outcome:
    work = _Listing(Path(assessment.target), arguments.depth, ctx.surroundings, taken_instead(assessment))
    return await in_thread(work.run)


class _Listing:
    """One listing: the entries of a directory, and of directories in it down to a depth."""

    def __init__(self, root: Path, depth: int, surroundings: Surroundings, taken: list[str]) -> None:
        self._root = root
        self._depth = depth
        self._protected = surroundings.protected
        self._denied = denied_to("list_dir", surroundings)
        self._entries: list[dict[str, Any]] = []
        self._notes = taken
        self._omitted = Omitted()
        self._waiting = deque([(root, 1)])
        self._unnameable = False
        """Whether a listed name is not UTF-8."""

    def run(self, stop: threading.Event) -> Outcome:
        """List the directory. Raises: ToolError when it can't be listed."""
        while self._waiting and len(self._entries) <= LIST_ENTRIES and not stop.is_set():
            path, level = self._waiting.popleft()
            try:
                with listing(path) as (folder, found, complete):
                    if not complete:
                        self._notes.append(f"only {SCAN_ENTRIES} entries of {self._named(path)} are looked at")
                    self._add(folder, found, path, level)
            except ToolError as error:
                if path == self._root:
                    raise
                self._omitted.add(why(error), self._named(path))
        truncated = len(self._entries) > LIST_ENTRIES
        if truncated:
            self._notes.append(f"only the first {LIST_ENTRIES} entries are listed")
        notes = [*self._notes, *self._omitted.notes()]
        if self._unnameable:
            notes.append(UNNAMEABLE)
        return Outcome({"path": str(self._root), "entries": self._entries[:LIST_ENTRIES], "notes": notes}, truncated)

    def _add(self, folder: Folder, found: list[os.DirEntry[str]], path: Path, level: int) -> None:
        for entry in found:
            if len(self._entries) > LIST_ENTRIES:
                return
            inner = path / entry.name
            if self._denied.rules and self._is_denied(entry, inner):
                continue
            self._entries.append(_described(folder, entry, path, self._root))
            self._unnameable = self._unnameable or tellable(entry.name) != entry.name
            if self._entries[-1]["kind"] == "directory" and level < self._depth:
                if reason := paths.forbidden(inner, self._protected):
                    self._omitted.add(reason, self._named(inner))
                else:
                    self._waiting.append((inner, level + 1))

    def _is_denied(self, entry: os.DirEntry[str], path: Path) -> bool:
        with suppress(OSError):
            if self._denied.reason_of_entry(path, entry.stat(follow_symlinks=False)):
                self._omitted.add(DENIED, self._named(path))
                return True
        return False

    def _named(self, path: Path) -> str:
        return os.path.relpath(path, self._root)


@contextmanager
def listing(path: Path) -> Generator[tuple[Folder, list[os.DirEntry[str]], bool], None, None]:
    """An opened directory, its entries sorted by name, and whether these are all. Raises: ToolError."""
    with opening.opened_folder(path) as crossed:
        try:
            folder = opening.opened_list(crossed)
            try:
                with os.scandir(folder) as found:
                    entries = list(islice(found, SCAN_ENTRIES))
                    complete = next(found, None) is None
                yield folder, sorted(entries, key=lambda entry: entry.name), complete
            finally:
                opening.closed(folder)
        except OSError as error:
            raise opening.refused(path, error) from error


def _described(folder: Folder, entry: os.DirEntry[str], path: Path, root: Path) -> dict[str, Any]:
    name = tellable(os.path.relpath(path / entry.name, root))
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return {"name": name, "kind": "gone"}
    if opening.is_link(found):
        whole, dir_fd = at(folder, entry.name)
        with suppress(OSError):
            return {"name": name, "kind": "link", "to": tellable(os.readlink(whole, dir_fd=dir_fd))}
    if stat.S_ISREG(found.st_mode):
        return {"name": name, "kind": "file", "bytes": found.st_size}
    return {"name": name, "kind": opening.kind(found).split(" ", 1)[1]}


def tellable(name: str) -> str:
    """A file name that JSON can hold: bytes that are not UTF-8 are escaped, and calls can't use such a name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return shown(name)
    return name


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "read_file",
        "Read a text file, whole or a range of lines, in UTF-8, UTF-16 or UTF-32. Binary files are named, not shown. "
        f"At most {sized(READ_BYTES)} a call, and of each line {LINE_CHARS} characters unless column is given; "
        "notes name what is left out, and the offset and column to read on from.",
        ReadFile,
        "low",
        _assess_read,
        _run_read,
        paths.rule_value,
    ),
    Tool(
        "list_dir",
        f"List a directory with kinds and sizes, at most {LIST_ENTRIES} entries. Links are named, not followed; what a "
        "rule denies is left out and named in a note.",
        ListDir,
        "low",
        _assess_list,
        _run_list,
        paths.rule_value,
    ),
)
