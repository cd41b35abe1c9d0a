"""Repairs text from outside, so that every encoder, database column and client accepts it. Imports nothing slow."""

from __future__ import annotations

import re

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def valid_text(text: str) -> str:
    """The text with split surrogate pairs joined, and U+FFFD for lone surrogates and NUL; the same object if unchanged.

    Servers that split their JSON between the two escapes of a pair send such surrogates, and no encoder accepts one.
    Encoders accept NUL, but providers refuse a request that contains it.
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def without_nul(json_text: str) -> str:
    """A JSON text with U+FFFD for every NUL in its strings; the same object if unchanged."""
    return _NUL.sub(r"\1\\ufffd", json_text) if "\\u0000" in json_text else json_text


def cut(text: str, most: int, mark: str = "…") -> str:
    """The text shortened to at most `most` characters, for people; ends with `mark` if something was left out.

    Grapheme clusters (emoji of several characters, flags, syllables, accented letters) are not split, unless one alone
    is longer than the limit.
    """
    if len(text) <= most:
        return text
    from wcwidth import grapheme_boundary_before

    at = max(0, most - len(mark))
    return text[: grapheme_boundary_before(text, at + 1) or at] + mark
