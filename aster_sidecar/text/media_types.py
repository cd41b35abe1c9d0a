"""What a file is, by its content. Neither its name nor what a client says counts: both can be wrong, or a trick."""

from __future__ import annotations

import codecs

HEAD_BYTES = 4096
"""How much of the beginning of a file decides."""
BINARY = "application/octet-stream"
TEXT = "text/plain"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Images that providers take."""
PDF = "application/pdf"

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_MARKUP = (
    (b"<svg", "image/svg+xml"),
    (b"<!doctype svg", "image/svg+xml"),
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<script", "text/html"),
    (b"<body", "text/html"),
    (b"<head", "text/html"),
    (b"<iframe", "text/html"),
)
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


class Sniffer:
    """Finds out the media type of a file while it arrives in pieces."""

    def __init__(self) -> None:
        self._head = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_text = True

    def feed(self, piece: bytes) -> None:
        if len(self._head) < HEAD_BYTES:
            self._head += piece[: HEAD_BYTES - len(self._head)]
        if self._is_text:
            self._is_text = not _CONTROL.intersection(piece) and self._decodes(piece, final=False)

    def _decodes(self, piece: bytes, *, final: bool) -> bool:
        try:
            self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            return False
        return True

    def media_type(self) -> str:
        """The media type; call it once, at the end."""
        if self._head.startswith(b"%PDF-"):  # one without images may be all ASCII
            return PDF
        if self._is_text and self._decodes(b"", final=True):
            return _of_text(self._head)
        for signature, media_type in _SIGNATURES:
            if self._head.startswith(signature):
                return media_type
        if self._head[:4] == b"RIFF" and self._head[8:12] == b"WEBP":
            return "image/webp"
        if self._head[4:8] == b"ftyp" and self._head[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
            return "image/avif" if self._head[8:12] == b"avif" else "image/heic"
        return BINARY


def _of_text(head: bytes) -> str:
    """The media type of a text by its beginning: markup that a browser would run is named as such."""
    begin = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if begin.startswith(b"<?xml"):
        rest = begin.partition(b"?>")[2]
        return "image/svg+xml" if b"<svg" in rest else "text/xml"
    while begin.startswith(b"<!--"):
        begin = begin.partition(b"-->")[2].lstrip()
    return next((media_type for tag, media_type in _MARKUP if begin.startswith(tag)), TEXT)


def is_image(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an image that providers take."""
    sniffer = Sniffer()
    sniffer.feed(head)
    return sniffer.media_type() in IMAGES


def is_readable(media_type: str) -> bool:
    """Whether a model can read the file as text."""
    return media_type.startswith("text/") or media_type == "image/svg+xml"
