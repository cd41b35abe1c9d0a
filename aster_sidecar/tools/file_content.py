"""The content of a file: a mark that changes with it, the form of its text, and the lines that differ."""

from __future__ import annotations

import codecs
import difflib
import hashlib
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools import opening
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.encodings import SAMPLE_BYTES, encoding_of
from aster_sidecar.tools.opening import Folder, at

HASHED_BYTES = 32 * 1024 * 1024
"""Larger files are marked by their first and last MiB, size, time and inode."""
ENDS_BYTES = 1024 * 1024
COMPARED_CHARS = 4 * 1024 * 1024
COMPARED_LINES = 1000
"""How many differing lines are compared; the time grows with the square of them."""
CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Content:
    """What is at a path. Equal content has an equal `mark`; `data` is None except for files up to `HASHED_BYTES`."""

    mark: str
    status: os.stat_result | None = None
    data: bytes | None = None


NOTHING = Content("nothing")


def content(folder: Folder, name: str) -> Content:
    """The content of `name`; a link is not followed. Raises: OSError, ToolError."""
    found = opening.status(folder, name)
    if found is None:
        return NOTHING
    target, dir_fd = at(folder, name)
    if opening.is_link(found):
        return Content(f"link to {os.readlink(target, dir_fd=dir_fd)}", found)
    if not stat.S_ISREG(found.st_mode):
        return Content(opening.kind(found), found)
    with open(opening.opened_file(folder, name), "rb") as file:
        return content_of(file.fileno())


def content_of(descriptor: int) -> Content:
    """The content of an opened regular file. Raises: OSError."""
    found = os.fstat(descriptor)
    data = _read(descriptor, 0, HASHED_BYTES + 1)
    if len(data) <= HASHED_BYTES:
        return Content(f"sha256 {hashlib.sha256(data).hexdigest()}", found, data)
    digest = hashlib.sha256(data[:ENDS_BYTES])
    digest.update(_read(descriptor, max(found.st_size - ENDS_BYTES, 0), ENDS_BYTES))
    place = f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns}"
    return Content(f"sha256 {digest.hexdigest()} of both ends, {place}", found)


def _read(descriptor: int, start: int, most: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    pieces: list[bytes] = []
    while most > 0 and (piece := os.read(descriptor, min(most, 4 * 1024 * 1024))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def content_at(path: Path) -> Content:
    """The content at the canonical `path`; its mark is "unreadable" when it exists but can't be read."""
    if not path.name:
        return Content("a directory")
    try:
        with opening.opened_folder(path.parent) as folder:
            return content(folder, path.name)
    except (OSError, ToolError):
        try:
            return Content("unreadable", os.lstat(path))
        except OSError:
            return NOTHING


# --- the form of a text --------------------------------------------------------------------------------------------


_UNMARKED = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
_LINE_ENDS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR", "": "mixed"}


@dataclass(frozen=True, slots=True)
class Form:
    """How a text is written in its file. `encoding` None: it is not text that we read; `line_end` "": mixed."""

    encoding: str | None = "utf-8"
    bom: bytes = b""
    line_end: str = "\n"

    @property
    def words(self) -> str:
        """What is unusual about the form, for people; "" for UTF-8 with line feeds."""
        if self.encoding is None:
            return "not UTF-8 text"
        name = self.encoding.removesuffix("-le").removesuffix("-be").upper()
        parts = [name if self.encoding != "utf-8" else "", "a byte order mark" if self.bom else ""]
        parts.append({"\r\n": "CRLF line ends", "\r": "CR line ends", "": "mixed line ends"}.get(self.line_end, ""))
        return ", ".join(part for part in parts if part)


def read_text(data: bytes) -> tuple[str, Form] | None:
    """A file's text, without its byte order mark, and its form; None when it is not text that can be written back."""
    encoding = encoding_of(data[:SAMPLE_BYTES])
    if encoding is None:
        return None
    bom = data[: encoding.mark_bytes]
    try:
        text = data[encoding.mark_bytes :].decode(encoding.codec)
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    crlf, lf, cr = text.count("\r\n"), text.count("\n"), text.count("\r")
    line_end = "\n"
    if crlf and crlf == lf == cr:
        line_end = "\r\n"
    elif cr and not lf:
        line_end = "\r"
    elif crlf:
        line_end = ""
    return text, Form(encoding.codec, bom, line_end)


def in_form(text: str, old: bytes) -> tuple[bytes, Form]:
    """`text` as the bytes that replace `old`, in the form of `old`; and that form.

    The encoding and the byte order mark are kept, and so are the line ends, unless `text` has carriage returns. If
    `old` is not text, the result is UTF-8.
    """
    read = read_text(old) if old else ("", Form())
    if read is None:
        return text.encode(), Form(None)
    form = read[1]
    if not form.line_end or "\r" in text:
        form = replace(form, line_end="\n")
    text = text.replace("\n", form.line_end)
    if form.bom:
        text = text.removeprefix("\ufeff")
    return encoded(text, form), form


def encoded(text: str, form: Form) -> bytes:
    """`text` in the encoding of `form`, with its byte order mark.

    Without a mark, UTF-16 is recognised only by what the text is made of. A text that would not be recognised gets one.
    """
    codec = form.encoding or "utf-8"
    data = form.bom + text.encode(codec)
    if text and not form.bom and codec in _UNMARKED:
        read = read_text(data)
        if read is None or read[0] != text:
            return _UNMARKED[codec] + data
    return data


def form_change(old: bytes, new: bytes) -> str:
    """The changes in the form of a text, in words; "" without changes, or when one of the two is not text."""
    before, after = read_text(old), read_text(new)
    if before is None or after is None:
        return ""
    changes: list[str] = []
    was, now = (_LINE_ENDS[form.line_end] if re.search(r"[\r\n]", text) else None for text, form in (before, after))
    if was != now and None not in (was, now):
        changes.append(f"line ends change from {was} to {now}")
    if after[1].bom and not before[1].bom:
        changes.append("a byte order mark is added")
    return ", ".join(changes)


# --- what differs --------------------------------------------------------------------------------------------------


def difference(old: str, new: str) -> str | None:
    """The lines that differ between two texts, with lines around them; None when there are too many to compare.

    Every line begins with a mark, so that no text can fake one: " ", "-" (removed), "+" (added) or "@" (line number).
    """
    if max(len(old), len(new)) > COMPARED_CHARS:
        return None
    before, after = _lines(old), _lines(new)
    start = 0
    for line, new_line in zip(before, after, strict=False):
        if line != new_line:
            break
        start += 1
    end = 0
    for line, new_line in zip(reversed(before[start:]), reversed(after[start:]), strict=False):
        if line != new_line:
            break
        end += 1
    if max(len(before), len(after)) - start - end > COMPARED_LINES:
        return None
    first, last = max(start - CONTEXT_LINES, 0), max(end - CONTEXT_LINES, 0)
    one, other = ([_shown(line) for line in lines[first : len(lines) - last]] for lines in (before, after))
    found = list(difflib.unified_diff(one, other, n=CONTEXT_LINES, lineterm=""))[2:]
    return "\n".join(_placed(line, first) if line.startswith("@") else line for line in found)


def _lines(text: str) -> list[str]:
    """The lines; a last line without a line end gets a NUL, which texts don't contain."""
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, f"{last}\0"] if last else lines


def _shown(line: str) -> str:
    return f"{visible(line[:-1])}\u2039no line end\u203a" if line.endswith("\0") else visible(line)


def _placed(header: str, first: int) -> str:
    """The header of a part, with the line number in the old file; the comparison began `first` lines down."""
    return f"@ line {int(header.split()[1][1:].split(',')[0]) + first}"
