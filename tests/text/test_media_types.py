"""The media type of a file is decided by its content."""

from __future__ import annotations

import pytest

from aster_sidecar.text.media_types import Sniffer, is_readable

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def found(content: bytes, size: int) -> str:
    sniffer = Sniffer()
    for start in range(0, len(content), size):
        sniffer.feed(content[start : start + size])
    return sniffer.media_type()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"hello", "text/plain"),
        ("Größe 🙂".encode(), "text/plain"),
        (b"\xef\xbb\xbfhello", "text/plain"),
        (b'{"a": 1}', "text/plain"),
        (b"\x1b[1mbold", "text/plain"),
        (b"a\0b", "application/octet-stream"),
        (b"\xff\xfe\x00", "application/octet-stream"),
        ("é".encode()[:1], "application/octet-stream"),
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest\0", "image/jpeg"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "application/octet-stream"),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "application/pdf"),
        (b"%PDF-1.4\n1 0 obj", "application/pdf"),
        (b"PK\x03\x04\x14\0", "application/zip"),
        (b"\0\0\0\x18ftypheic\0", "image/heic"),
        (b"<svg xmlns='x'><script>1</script></svg>", "image/svg+xml"),
        (b"<?xml version='1.0'?>\n<svg/>", "image/svg+xml"),
        (b"<?xml version='1.0'?>\n<feed/>", "text/xml"),
        (b"<!-- x --> <!DOCTYPE html><p>", "text/html"),
        (b"  \n<HTML>", "text/html"),
        (b"<script>alert(1)</script>", "text/html"),
        (b"a <b> c", "text/plain"),
        (PNG + b"<script>alert(1)</script>%PDF-1.7", "image/png"),
        (b"MZ\x90\0%PDF-1.7", "application/octet-stream"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_the_content_decides(content: bytes, media_type: str, size: int) -> None:
    assert found(content, size) == media_type


def test_what_a_model_reads_as_text() -> None:
    assert [is_readable(one) for one in ("text/html", "image/svg+xml", "image/png", "application/pdf")] == [
        True,
        True,
        False,
        False,
    ]
