"""Marks that stand for files while a request is built, and the files that replace them when its body is sent.

A library would copy and encode each image of a conversation again for each request, on the event loop. It gets a mark
of some bytes instead, whose base64 form is found in the finished body. No mark is ever sent.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from threading import Lock
from typing import NamedTuple

import httpx2

from aster_sidecar.models.request_context import MARK

_BEGIN = f"{MARK}fil".encode()
_KEY = 64
"""A key is a SHA-256 in hexadecimal."""
_SIZE = 10
"""Digits of a file's size. With the `-` behind it, the length of a mark is a multiple of 3, as base64 needs it."""
_FOUND = re.compile(b64encode(_BEGIN) + rb"([A-Za-z0-9]{100})")
MOST_CACHED_BYTES = 12 << 20
"""Enough for the images of earlier turns in one request, in base64."""


class MarkedFile(NamedTuple):
    """A file in a body, by its key. `size` is in bytes."""

    key: str
    size: int

    @property
    def encoded_bytes(self) -> int:
        """Its length in base64."""
        return 4 * ((self.size + 2) // 3)


def mark(key: str, size: int) -> bytes:
    """The bytes that stand for a file. Raises: ValueError for a key that is not 64 letters and digits."""
    if len(key) != _KEY or not (key.isascii() and key.isalnum()):
        raise ValueError("not a key")
    return _BEGIN + f"{key}{size:0{_SIZE}}-".encode()


def split(body: bytes) -> list[bytes | MarkedFile]:
    """The body as pieces: its own bytes, and files in place of the marks."""
    pieces: list[bytes | MarkedFile] = []
    end = 0
    for found in _FOUND.finditer(body):
        told = b64decode(found[1]).decode()
        pieces += [body[end : found.start()], MarkedFile(told[:_KEY], int(told[_KEY : _KEY + _SIZE]))]
        end = found.end()
    return [*pieces, body[end:]]


class EncodedFiles:
    """Files in base64 that were sent lately: an active conversation sends its images with each request again."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        """`read` returns the file of a key, and may block."""
        self._read = read
        self._cached: dict[tuple[str, bool], bytes] = {}
        self._lock = Lock()

    def cached(self, key: str, *, url_safe: bool) -> bytes | None:
        """The file, if it was sent lately."""
        with self._lock:
            found = self._cached.pop((key, url_safe), None)
            if found is not None:
                self._cached[key, url_safe] = found  # the one that was used last is the last
        return found

    def load(self, key: str, *, url_safe: bool) -> bytes:
        """The file, and cache it; blocks. `url_safe`: in base64's alphabet for URLs. Raises: what `read` raises."""
        encoded = (urlsafe_b64encode if url_safe else b64encode)(self._read(key))
        with self._lock:
            self._cached[key, url_safe] = encoded
            size = sum(len(one) for one in self._cached.values())
            for oldest in list(self._cached):
                if size <= MOST_CACHED_BYTES:
                    break
                size -= len(self._cached.pop(oldest))
        return encoded

    def forget(self) -> None:
        """Free the memory."""
        with self._lock:
            self._cached.clear()


class FilledBody(httpx2.AsyncByteStream):
    """A body that reads each file while the one before it is sent, so that only two are in memory beside the cache.

    `url_safe`: in base64's alphabet for URLs, as Google's SDK does.
    """

    def __init__(self, body: bytes, files: EncodedFiles, *, url_safe: bool) -> None:
        self._files = files
        self._url_safe = url_safe
        self._pieces = [self._with_cached(piece) for piece in split(body)]

    def _with_cached(self, piece: bytes | MarkedFile) -> bytes | MarkedFile:
        if isinstance(piece, bytes):
            return piece
        encoded = self._files.cached(piece.key, url_safe=self._url_safe)
        return encoded if encoded is not None and len(encoded) == piece.encoded_bytes else piece

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
        encoded = self._files.load(file.key, url_safe=self._url_safe)
        if len(encoded) != file.encoded_bytes:
            raise ValueError("a file has changed")
        return encoded
