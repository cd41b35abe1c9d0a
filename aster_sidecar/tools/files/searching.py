"""The tool that searches files. It walks and reads here; a child process matches (`matching.py`)."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import Field

from aster_sidecar.policy.permissions import Assessment
from aster_sidecar.text.safe_text import shown, sized
from aster_sidecar.tools import opening, paths, sensitive_places
from aster_sidecar.tools.base import CallContext, Outcome, Surroundings, Tool, ToolError
from aster_sidecar.tools.encodings import SAMPLE_BYTES, decoded, encoding_of
from aster_sidecar.tools.files.common import (
    DENIED,
    Arguments,
    Omitted,
    braced,
    denied_to,
    in_thread,
    judge,
    listed,
    located,
    taken_instead,
    why,
)
from aster_sidecar.tools.files.globs import Glob
from aster_sidecar.tools.files.ignoring import NEVER, Ignores
from aster_sidecar.tools.files.matching import Matcher
from aster_sidecar.tools.files.reading import SCAN_ENTRIES, UNNAMEABLE, listing, tellable
from aster_sidecar.tools.opening import Folder
from aster_sidecar.tools.paths import Text

SEARCH_HITS = 200
SEARCH_FILES = 20_000
SEARCH_FILE_BYTES = 4 * 1024 * 1024
SEARCH_BYTES = 256 * 1024 * 1024
SEARCH_S = 20.0

SECRET = "may hold secrets"
_LINE_END = re.compile(r"\n|(?<!\\)(?:\\\\)*\\[nr]")


class SearchFiles(Arguments):
    pattern: Text = Field(min_length=1, max_length=1000, description="Python regular expression, matched line by line.")
    path: Text = Field(default=".", min_length=1, description="Directory (searched with all below it) or file.")
    glob: Text | None = Field(
        default=None, max_length=200, description="Only files that match, e.g. *.py, *.{ts,tsx} or src/**/*.ts."
    )
    max_results: int = Field(default=100, ge=1, le=SEARCH_HITS, description="How many lines to return at most.")


def _assess_search(arguments: SearchFiles, surroundings: Surroundings) -> Assessment:
    display = f"search {{}}\nfor {braced(arguments.pattern, newlines=False)}"
    if arguments.glob:
        Glob(arguments.glob)
        display += f"\nin files named {braced(arguments.glob, newlines=False)}"
    return judge("search_files", [arguments.path], surroundings, display, reads=True)


async def _run_search(arguments: SearchFiles, assessment: Assessment, ctx: CallContext) -> Outcome:
    search = _Search(arguments, Path(assessment.target), ctx.surroundings)
    search.notes += taken_instead(assessment)
    return await in_thread(search.run, cancelled=search.kill)


class _Search:
    """One search."""

    def __init__(
        self, arguments: SearchFiles, root: Path, surroundings: Surroundings, deadline_s: float = SEARCH_S
    ) -> None:
        self.arguments = arguments
        self.root = root
        self.deadline_s = deadline_s
        self.surroundings = surroundings
        self.hits: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.files = 0
        self.bytes = 0
        self.cut = False
        self._glob = Glob(arguments.glob) if arguments.glob else None
        self._globbed = 0
        self._denied = denied_to("search_files", surroundings)
        self._protected_files: set[tuple[int, int]] | None = None
        self._matcher: Matcher | None = None
        self._stop = threading.Event()
        self._deadline = 0.0
        self._ended = False
        """Whether the matcher was killed, at the deadline or by `kill`."""
        self._omitted = Omitted()
        self._ignored_folders: list[str] = []
        self._ignored_files: list[str] = []
        self._large: list[str] = []
        self._not_utf8: list[str] = []
        self._damaged: list[str] = []
        self._excerpts = 0
        self._unnameable = False
        """Whether a reported name is not UTF-8."""

    def kill(self) -> None:
        """Kill the matcher, also during a match."""
        if self._matcher is not None:
            self._matcher.kill()

    def run(self, stop: threading.Event) -> Outcome:
        """Search. Raises: ToolError when the pattern is not valid or nothing can be searched."""
        self._stop = stop
        self._deadline = time.monotonic() + self.deadline_s
        matcher = self._matcher = Matcher(self.arguments.pattern, self.deadline_s)
        with closing(matcher), closing(self._candidates(matcher)) as candidates:
            for path, folder, name, found in candidates:
                if self.files >= SEARCH_FILES or self.bytes >= SEARCH_BYTES:
                    self._cut(f"stopped after {self.files} files, {sized(self.bytes)}")
                    break
                if not self._search(matcher, path, self._text(path, folder, name, found)):
                    break
            else:
                if self._over():
                    self._cut(f"stopped after {self.deadline_s:g} s")
        self._tell()
        hits = self.hits[: self.arguments.max_results]
        return Outcome({"hits": hits, "files_searched": self.files, "notes": self.notes}, truncated=self.cut)

    def _search(self, matcher: Matcher, path: Path, text: str) -> bool:
        """Add the hits in `text`; whether to continue the search."""
        asked = time.monotonic()
        matches = matcher.find(text) if text else []
        if matches is None:
            slow = f" in {shown(path)}, where the pattern takes too long: use a simpler one"
            long = time.monotonic() - asked > self.deadline_s / 4
            self._cut(f"stopped after {self.deadline_s:g} s{slow if long else ''}")
            return False
        for match in matches:
            hit: dict[str, Any] = {"path": self._named(path), "line": match.number, "column": match.column}
            if len(match.text) < match.length:
                hit["text_column"] = match.text_column
                self._excerpts += 1
            if match.others:
                hit["others_in_line"] = match.others
            self.hits.append(hit | {"text": match.text})
        if len(self.hits) > self.arguments.max_results:
            self._cut(f"only the first {self.arguments.max_results} lines are returned")
            return False
        return True

    def _cut(self, note: str) -> None:
        self.cut = True
        self.notes.append(note)

    def _over(self) -> bool:
        return self._ended or self._stop.is_set() or time.monotonic() > self._deadline

    def _tell(self) -> None:
        """Add notes about what was left out."""
        if ignored := [*self._ignored_folders, *self._ignored_files]:
            folders, files = len(self._ignored_folders), len(self._ignored_files)
            self.notes.append(
                f"not searched, because ignored (.gitignore, .ignore, or {' and '.join(NEVER)}): {listed(ignored)}"
                f" ({folders} directories, {files} files); give one as path to search it"
            )
        self.notes += self._omitted.notes()
        if self._large:
            self.notes.append(f"only the first {sized(SEARCH_FILE_BYTES)} are searched of {listed(self._large)}")
        if self._not_utf8:
            these = f"{len(self._not_utf8)} files searched are" if len(self._not_utf8) > 1 else "1 file searched is"
            self.notes.append(
                f"{these} not UTF-8: what is not ASCII in there can't be found, and is shown as \ufffd:"
                f" {listed(self._not_utf8)}"
            )
        if self._damaged:
            self.notes.append(
                f"not all of it is UTF-16 or UTF-32, the rest is shown as \ufffd: {listed(self._damaged)}"
            )
        if self._excerpts:
            self.notes.append(
                "of long lines an excerpt is shown, which begins at text_column; read_file reads on with offset (the"
                " line) and column"
            )
        if self._unnameable:
            self.notes.append(UNNAMEABLE)
        if not self.hits and _LINE_END.search(self.arguments.pattern):
            self.notes.append("the pattern is matched line by line: a line end in it is never found")
        if self._glob is not None and not self._globbed and not self.cut:
            self.notes.append(f"no file that is searched is named {shown(self.arguments.glob)}")

    def _named(self, path: Path) -> str:
        inside = path.is_relative_to(self.surroundings.work_dir)
        name = str(path.relative_to(self.surroundings.work_dir) if inside else path)
        told = tellable(name)
        self._unnameable = self._unnameable or told != name
        return told

    def _candidates(self, matcher: Matcher) -> Generator[tuple[Path, Folder, str, os.stat_result], None, None]:
        if self.root.name:
            with located(self.root) as (folder, name):
                found = opening.status(folder, name)
                if found is None:
                    raise ToolError(f"{shown(self.root)}: no such file or directory")
                if not stat.S_ISDIR(found.st_mode):
                    if self._wanted(self.root, found):
                        yield self.root, folder, name, found
                    return
        ignores = Ignores(self.root, self.surroundings.work_dir, self.surroundings.protected, matcher)
        start = ignores.start()
        waiting = deque([(self.root, start)] if start is not None else [])
        self._ended = start is None
        while waiting and not self._over():
            path, rules = waiting.popleft()
            try:
                with listing(path) as (folder, entries, complete):
                    if not complete:
                        self._cut(f"only {SCAN_ENTRIES} entries of {self._named(path)} are looked at")
                    found = self._looked_at(path, entries)
                    names = [f"{entry.name}/" if is_folder(status) else entry.name for entry, status in found]
                    entered = ignores.enter(rules, folder, path, names)
                    if entered is None:
                        self._ended = True
                        return
                    inner_rules, ignored = entered
                    for (entry, status), name in zip(found, names, strict=True):
                        inner = path / entry.name
                        if is_folder(status):
                            if self._descends(inner, status, name in ignored):
                                waiting.append((inner, inner_rules))
                        elif self._wanted(inner, status, name in ignored):
                            if self._over():
                                return
                            yield inner, folder, entry.name, status
            except ToolError as error:
                if path == self.root:
                    raise
                self._omitted.add(why(error), self._named(path))
        for path in ignores.unread:
            self._omitted.add(
                "it can't be read completely, so files that it ignores may be searched", self._named(path)
            )

    def _looked_at(self, path: Path, entries: list[os.DirEntry[str]]) -> list[tuple[os.DirEntry[str], os.stat_result]]:
        found: list[tuple[os.DirEntry[str], os.stat_result]] = []
        for entry in entries:
            try:
                # On Windows, an entry has neither the file's identity nor its number of names.
                whole = os.name == "nt"
                found.append((entry, os.lstat(path / entry.name) if whole else entry.stat(follow_symlinks=False)))
            except OSError as error:
                self._omitted.add(why(error), self._named(path / entry.name))
        return found

    def _descends(self, path: Path, found: os.stat_result, ignored: bool) -> bool:
        if sensitive_places.in_secret_place(path):
            self._omitted.add(SECRET, self._named(path))
        elif reason := paths.forbidden(path, self.surroundings.protected):
            self._omitted.add(reason, self._named(path))
        elif self._denied.reason_of_entry(path, found):
            self._omitted.add(DENIED, self._named(path))
        elif ignored:
            self._ignored_folders.append(shown(self._named(path)))
        else:
            return True
        return False

    def _wanted(self, path: Path, found: os.stat_result, ignored: bool = False) -> bool:
        """Whether to search the file; if not, and the glob matches it, it is noted as left out."""
        if self._glob is not None and not opening.is_link(found) and not self._globs(path):
            return False
        if reason := self._omits(path, found):
            self._omitted.add(reason, self._named(path))
        elif ignored:
            self._ignored_files.append(shown(self._named(path)))
        else:
            self._globbed += 1
            return True
        return False

    def _globs(self, path: Path) -> bool:
        assert self._glob is not None
        below = path.name if path == self.root else path.relative_to(self.root).as_posix()
        return self._glob.matches(path.name, below)

    def _omits(self, path: Path, found: os.stat_result) -> str | None:
        """Why this entry is not searched, in words; None when it is."""
        if opening.is_link(found):
            return "links are not followed"
        if not stat.S_ISREG(found.st_mode):
            return f"{opening.kind(found)} is not searched"
        if sensitive_places.holds_secrets(path):
            return SECRET
        if self._denied.reason_of_entry(path, found) or self._denied.reason_of_file(found):
            return DENIED
        if found.st_nlink > 1:
            if self._protected_files is None:
                self._protected_files = paths.protected_files(self.surroundings.protected)
            if (found.st_dev, found.st_ino) in self._protected_files:
                return "it is the daemon's own"
        return None

    def _text(self, path: Path, folder: Folder, name: str, found: os.stat_result) -> str:
        """The text of the file, up to `SEARCH_FILE_BYTES`; "" when it is binary or can't be read."""
        try:
            with open(opening.opened_file(folder, name), "rb") as file:
                data = file.read(SEARCH_FILE_BYTES + 1)
        except (OSError, ToolError) as error:
            self._omitted.add(why(error), self._named(path))
            return ""
        cut = len(data) > SEARCH_FILE_BYTES
        data = data[:SEARCH_FILE_BYTES]
        self.bytes += len(data)
        encoding = encoding_of(data[:SAMPLE_BYTES])
        if encoding is None:
            self._omitted.add("binary", self._named(path))
            return ""
        if cut:
            self.cut = True
            self._large.append(shown(self._named(path)))
        self.files += 1
        text, invalid = decoded(data, encoding, cut=cut)
        text = text.replace(encoding.line_end, "\n")
        if invalid:
            (self._not_utf8 if encoding.note is None else self._damaged).append(shown(self._named(path)))
        return text


def is_folder(found: os.stat_result) -> bool:
    return stat.S_ISDIR(found.st_mode) and not opening.is_link(found)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "search_files",
        "Find lines that match a regular expression, in UTF-8, UTF-16 and UTF-32 text. Left out, with a note: "
        "what .gitignore and .ignore name, .git and node_modules (unless given as path), binary files, files that may "
        "hold secrets, links, and what a rule denies. It searches at most "
        f"{SEARCH_FILES} files, the first {sized(SEARCH_FILE_BYTES)} of each, for at most {SEARCH_S:g} s.",
        SearchFiles,
        "low",
        _assess_search,
        _run_search,
        paths.rule_value,
    ),
)
