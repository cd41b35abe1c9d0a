"""How many pages a PDF has, as far as that can be seen without unpacking anything in it."""

from __future__ import annotations

import re
from typing import BinaryIO

MOST_PAGES = 100_000
PIECE_BYTES = 1 << 18
BEFORE_BYTES = 4096
"""How far before an object's type its number is looked for."""
NAME_BYTES = 64
"""More than the type of an object is long."""

_PAGE = re.compile(rb"/Type\s{0,8}/Page(?![A-Za-z0-9])")
_OBJECT = re.compile(rb"(\d{1,10})\s{1,4}\d{1,5}\s{1,4}$")


def count_pages(file: BinaryIO) -> int | None:
    """The number of pages; None if it can't be counted, mostly because the PDF has packed objects.

    It costs one pass over the bytes, and little memory, whatever they are.
    """
    file.seek(0)
    seen, begin, done, pages = b"", 0, 0, set[bytes | int]()
    while True:
        piece = file.read(PIECE_BYTES)
        seen += piece
        if b"/ObjStm" in seen:
            return None
        until = begin + len(seen) - (NAME_BYTES if piece else 0)
        for found in _PAGE.finditer(seen, max(0, done - begin)):
            if begin + found.start() < until:
                pages.add(_object(seen, found.start()) or begin + found.start())
            if len(pages) > MOST_PAGES:
                return None
        if not piece:
            return len(pages) or None
        done = max(done, until)
        begin += max(0, len(seen) - BEFORE_BYTES)
        seen = seen[-BEFORE_BYTES:]


def _object(seen: bytes, at: int) -> bytes | None:
    """The number of the object at this place: a PDF that was changed has a page once for each version."""
    begin = seen.rfind(b" obj", max(0, at - BEFORE_BYTES // 2), at)
    number = _OBJECT.search(seen, max(0, begin - 20), begin + 1) if begin >= 0 else None
    return number[1] if number is not None else None
