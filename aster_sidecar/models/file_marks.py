"""Marks that stand for files while a request is built, and the files that replace them in its body.

A library would copy and encode each image of a conversation again for each request, on the event loop. It gets a mark
of some bytes instead, and the mark's base64 form is found in the finished body. No mark is ever sent.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable

from aster_sidecar.models.request_context import MARK

_BEGIN = f"{MARK}fil".encode()
_LONGEST = 64
"""A key is a SHA-256 in hexadecimal. Padding makes the length of a mark a multiple of 3, as base64 needs it."""
_FOUND = re.compile(b64encode(_BEGIN) + rb"([A-Za-z0-9]{88})")


def mark(key: str) -> bytes:
    """The bytes that stand for the file with a key of 64 letters and digits."""
    if len(key) != _LONGEST or not (key.isascii() and key.isalnum()):
        raise ValueError("not a key")
    return _BEGIN + key.encode() + b"--"


def filled(body: bytes, read: Callable[[str], bytes], *, url_safe: bool = False) -> bytes:
    """The body with the files in base64 in place of the marks. `read` returns the file of a key; what it raises passes.

    `url_safe`: with the alphabet of URLs, as Google's SDK writes it.
    """
    encode = urlsafe_b64encode if url_safe else b64encode
    pieces: list[bytes] = []
    end = 0
    for found in _FOUND.finditer(body):
        key = b64decode(found[1])[:_LONGEST].decode()
        pieces += [body[end : found.start()], encode(read(key))]
        end = found.end()
    return b"".join((*pieces, body[end:])) if pieces else body
