"""The text encoding of a file: UTF-8, UTF-16, UTF-32, or none of them."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

SAMPLE_BYTES = 8192
"""How much of the beginning of a file decides about its encoding."""

# The longer marks first: UTF-32's mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ESCAPED = re.compile("[\udc80-\udcff]")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        return "\udc80", error.end
    raise error


# Not "replace", because the file may contain U+FFFD; "surrogateescape" does not work for UTF-16.
_ERRORS = "aster.escape"
codecs.register_error(_ERRORS, _escape)


@dataclass(frozen=True, slots=True)
class Encoding:
    """Python's name of the `codec`, the length of the byte order mark, and the line end.

    `line_end` is a line feed (perhaps with a carriage return before it), or a carriage return in files without one.
    """

    codec: str
    mark_bytes: int = 0
    line_end: str = "\n"

    @property
    def errors(self) -> str:
        """The error handler for decoding: invalid bytes become lone surrogates, which `replaced` counts."""
        return "surrogateescape" if self.codec == "utf-8" else _ERRORS

    @property
    def note(self) -> str | None:
        """What a reader of the text should know; None for UTF-8."""
        if self.codec == "utf-8":
            return None
        return f"the file is {self.codec}, and shown decoded; changes keep it"


def encoding_of(start: bytes) -> Encoding | None:
    """The encoding of a file with this beginning (`SAMPLE_BYTES`, or the whole file); None when it is binary."""
    found = _encoding_of(start)
    if found is None or b"\r" not in start:
        return found
    text = _begun(start[found.mark_bytes :], found.codec, "replace")
    sure = text if len(start) < SAMPLE_BYTES else text[:-1]  # a line feed may follow the last character
    return replace(found, line_end="\r") if "\r" in sure and "\n" not in text else found


def _encoding_of(start: bytes) -> Encoding | None:
    found = next((Encoding(codec, len(mark)) for mark, codec in _MARKS if start.startswith(mark)), None)
    if found is not None and "\0" not in _begun(start[found.mark_bytes :], found.codec, "replace"):
        return found
    if b"\0" not in start:
        return Encoding("utf-8")
    return _wide(start)


def _wide(start: bytes) -> Encoding | None:
    """UTF-16 without a mark, if the sample is text in one byte order and not in the other; otherwise None."""
    readable: dict[str, str] = {}
    for codec in ("utf-16-le", "utf-16-be"):
        try:
            text = _begun(start, codec, "strict")
        except UnicodeDecodeError:
            continue
        plain = len(text) > 1 and all(char.isprintable() or char in "\t\r\n" for char in text)
        if plain and any(map(str.isascii, text)):  # at least a space or a line end
            readable[codec] = text
    if len(readable) == 2:
        # In the wrong order, Latin letters look like Chinese ones, but Chinese ones hardly ever like Latin ones.
        readable = {codec: text for codec, text in readable.items() if sum(map(str.isascii, text)) * 2 > len(text)}
    return Encoding(next(iter(readable))) if len(readable) == 1 else None


def _begun(data: bytes, codec: str, errors: str) -> str:
    """`data` decoded, without an incomplete character at its end."""
    return codecs.getincrementaldecoder(codec)(errors).decode(data, final=False)


def replaced(text: str) -> tuple[str, int]:
    """`text` with U+FFFD for the surrogates that `Encoding.errors` made, and how many there are."""
    return (text, 0) if text.isascii() else _ESCAPED.subn("\ufffd", text)


def decoded(data: bytes, encoding: Encoding, *, cut: bool) -> tuple[str, int]:
    """`data` as text, and how many places are invalid. With `cut`, `data` may end within a character."""
    data = data[encoding.mark_bytes :]
    decode = codecs.getincrementaldecoder(encoding.codec)(encoding.errors).decode
    return replaced(decode(data, final=not cut))
