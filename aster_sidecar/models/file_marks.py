"""Marks that stand for files while a request is built, and the files that replace them when its body is sent.

A library would copy and encode each image of a conversation again for each request, on the event loop. It gets a mark
of some bytes instead, whose base64 form is found in the finished body. No mark is ever sent.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import httpx2

from aster_sidecar.models.request_context import MARK

_BEGIN = f"{MARK}fil".encode()
_LONGEST = 64
"""A key is a SHA-256 in hexadecimal. Padding makes the length of a mark a multiple of 3, as base64 needs it."""
_FOUND = re.compile(b64encode(_BEGIN) + rb"([A-Za-z0-9]{88})")


class MarkedFile(NamedTuple):
    """A file in a body, by its key. `encoded_bytes` is its length in base64."""

    key: str
    encoded_bytes: int


def mark(key: str) -> bytes:
    """The bytes that stand for the file with a key of 64 letters and digits. Raises: ValueError for another key."""
    if len(key) != _LONGEST or not (key.isascii() and key.isalnum()):
        raise ValueError("not a key")
    return _BEGIN + key.encode() + b"--"


def split(body: bytes, size: Callable[[str], int]) -> list[bytes | MarkedFile]:
    """The body as pieces: its own bytes, and files in place of the marks. `size` returns a file's bytes, by its key."""
    pieces: list[bytes | MarkedFile] = []
    end = 0
    for found in _FOUND.finditer(body):
        key = b64decode(found[1])[:_LONGEST].decode()
        pieces += [body[end : found.start()], MarkedFile(key, 4 * ((size(key) + 2) // 3))]
        end = found.end()
    return [*pieces, body[end:]]


class FilledBody(httpx2.AsyncByteStream):
    """A body that reads each file while the one before it is sent, so that only two are in memory.

    `read` returns the file of a key, and may block. `url_safe`: in base64's alphabet for URLs, as Google's SDK does.
    """

    def __init__(self, pieces: list[bytes | MarkedFile], read: Callable[[str], bytes], *, url_safe: bool) -> None:
        self._pieces = pieces
        self._read = read
        self._encode = urlsafe_b64encode if url_safe else b64encode

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return sum(piece.encoded_bytes if isinstance(piece, MarkedFile) else len(piece) for piece in self._pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        files = iter([piece for piece in self._pieces if isinstance(piece, MarkedFile)])
        reading = self._begin(next(files, None))
        try:
            for piece in self._pieces:
                if isinstance(piece, MarkedFile) and reading is not None:
                    encoded = await reading
                    reading = self._begin(next(files, None))
                    yield encoded
                elif isinstance(piece, bytes):
                    yield piece
        finally:
            if reading is not None:
                reading.cancel()

    def _begin(self, file: MarkedFile | None) -> asyncio.Future[bytes] | None:
        return asyncio.ensure_future(asyncio.to_thread(self._encoded, file)) if file is not None else None

    def _encoded(self, file: MarkedFile) -> bytes:
        """Raises: ValueError when the file has another length now; what `read` raises."""
        encoded = self._encode(self._read(file.key))
        if len(encoded) != file.encoded_bytes:
            raise ValueError("a file has changed")
        return encoded
