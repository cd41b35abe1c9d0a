"""What a body is, and its text."""

from __future__ import annotations

import pytest

from aster_sidecar.tools.web.content import declared, decoded, readable, sort


@pytest.mark.parametrize(
    ("content_type", "is_read"),
    [
        *(("", True), ("text/html", True), ("text/x-anything", True), ("application/xhtml+xml", True)),
        *(("application/json", True), ("application/x-yaml", True), ("application/ld+json", True), ("text", False)),
        *(("image/svg+xml", True), ("image/png", False), ("application/octet-stream", False), ("audio/x+xml", False)),
    ],
)
def test_only_bodies_that_may_be_text_are_read(content_type: str, is_read: bool) -> None:
    assert readable(content_type) is is_read


@pytest.mark.parametrize(
    ("body", "content_type", "charset", "what"),
    [
        (b"\0<p>", "text/html", None, "html"),
        (b"a\0b", "text/plain", None, "binary"),
        ("wide".encode("utf-16"), "text/plain", None, "text"),
        ("wide".encode("utf-16-le"), "text/plain", "utf-16le", "text"),
        (b"  <!DOCTYPE HTML>", "", None, "html"),
        (b"<html>", "text/plain", None, "text"),
        (b"text", "application/zip", None, "binary"),
    ],
)
def test_type_and_first_bytes_decide(body: bytes, content_type: str, charset: str | None, what: str) -> None:
    assert sort(body, content_type, charset) == what


def test_a_byte_order_mark_counts_more_than_what_is_declared() -> None:
    assert decoded("wide".encode("utf-16"), "latin-1") == "wide"
    assert decoded(b"caf\xe9", "latin-1") == "café"
    assert decoded(b"caf\xe9", "no-such") == "caf\ufffd"


def test_a_page_may_name_its_encoding() -> None:
    assert declared(b'<meta http-equiv=x content="text/html; charset=Shift_JIS">') == "Shift_JIS"
    assert declared(b"<p>charset=x") is None
    assert declared(b" " * 5000 + b"<meta charset=x>") is None
