"""Marks of files in a request's body, and the files in their place."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable

import pytest

from aster_sidecar.models.file_marks import MOST_CACHED_BYTES, EncodedFiles, FilledBody, mark, split

FILES = {hashlib.sha256(bytes([n])).hexdigest(): bytes([n, 255, 62, 63]) * size for n, size in enumerate((1, 7, 500))}


def marked(key: str) -> bytes:
    return mark(key, len(FILES[key]))


def sent(body: FilledBody) -> bytes:
    async def gather() -> bytes:
        return b"".join([piece async for piece in body])

    return asyncio.run(gather())


@pytest.mark.parametrize(
    ("encode", "url_safe"), [(base64.b64encode, False), (base64.urlsafe_b64encode, True)], ids=["usual", "url"]
)
def test_files_are_sent_as_a_library_would_have_encoded_them(encode: Callable[[bytes], bytes], url_safe: bool) -> None:
    def body(content: Callable[[str], bytes]) -> bytes:
        parts = [f"data:image/png;base64,{encode(content(key)).decode()}" for key in [*FILES, *FILES]]
        return json.dumps({"begin": "x", "parts": parts}).encode()

    read: list[str] = []

    def read_file(key: str) -> bytes:
        read.append(key)
        return FILES[key]

    files = EncodedFiles(read_file)
    filled = FilledBody(body(marked), files, url_safe=url_safe)
    expected = body(FILES.__getitem__)
    assert filled.length == len(expected)
    assert sent(filled) == expected
    assert sent(filled) == expected, "a redirect sends it again"
    read.clear()
    assert sent(FilledBody(body(marked), files, url_safe=url_safe)) == expected
    assert read == [], "files that were sent lately are not read again"
    files.forget()
    assert sent(FilledBody(body(marked), files, url_safe=url_safe)) == expected
    assert sorted(set(read)) == sorted(FILES)


def test_the_cache_keeps_what_was_sent_last_and_is_bounded() -> None:
    large = {f"{n:064}": bytes([n]) * (MOST_CACHED_BYTES // 4) for n in range(6)}  # a third of the cache in base64
    files = EncodedFiles(large.__getitem__)
    first, second, third, fourth, *_ = large
    for key in (first, second, third):
        files.load(key, url_safe=False)
    assert files.cached(first, url_safe=False) is not None
    assert files.cached(first, url_safe=True) is None, "it is in another alphabet"
    files.load(fourth, url_safe=False)
    found = [key for key in large if files.cached(key, url_safe=False) is not None]
    assert found == [first, third, fourth]


def test_a_body_without_marks_stays_as_it_is() -> None:
    body = b'{"text": "' + base64.b64encode(b"aster-0123456789abcdef0123456789abcdef-fil" + b"0" * 75) + b'"}'
    assert split(body) == [body], "the mark of another process is only text"


def test_a_file_of_another_length_is_not_sent() -> None:
    [key, *_] = FILES
    with pytest.raises(ValueError, match="changed"):
        sent(FilledBody(base64.b64encode(mark(key, 400)), EncodedFiles(FILES.__getitem__), url_safe=False))


@pytest.mark.parametrize("key", ["", "a" * 63, "../" + "a" * 61, "ä" * 64])
def test_only_a_digest_is_a_key(key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        mark(key, 1)
