"""Which text a file's bytes are: UTF-8, UTF-16 or UTF-32, or none of them."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

SAMPLE_BYTES = 8192  # of a file's start, by which it is told

# The longer marks first: UTF-32's begins with UTF-16's.
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


# "replace" could not be told from a U+FFFD that stands in the file, and "surrogateescape" is not for UTF-16.
_ERRORS = "aster.escape"
codecs.register_error(_ERRORS, _escape)


@dataclass(frozen=True, slots=True)
class Encoding:
    """`codec` as Python names it, how many bytes of a byte order mark come before the text, and what ends its lines.

    `line_end` is a line feed, which may have a carriage return before it, or where there is none a carriage return.
    """

    codec: str
    mark_bytes: int = 0
    line_end: str = "\n"

    @property
    def errors(self) -> str:
        """How to decode: bytes that are no text become half surrogates, which `replaced` counts."""
        return "surrogateescape" if self.codec == "utf-8" else _ERRORS

    @property
    def note(self) -> str | None:
        """What a reader of the text has to know; None for UTF-8."""
        if self.codec == "utf-8":
            return None
        return f"the file is {self.codec}, and shown decoded; changes keep it"


def encoding_of(start: bytes) -> Encoding | None:
    """The encoding of a file that begins with these bytes (SAMPLE_BYTES of it, or all); None when it is binary."""
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
    """UTF-16 without a mark, when all of it reads as text in one byte order and not in the other."""
    readable: dict[str, str] = {}
    for codec in ("utf-16-le", "utf-16-be"):
        try:
            text = _begun(start, codec, "strict")
        except UnicodeDecodeError:
            continue
        plain = len(text) > 1 and all(char.isprintable() or char in "\t\r\n" for char in text)
        if plain and any(map(str.isascii, text)):  # a space or a line's end at least
            readable[codec] = text
    if len(readable) == 2:
        # Latin letters read as Chinese ones in the wrong order; Chinese ones hardly ever as Latin ones.
        readable = {codec: text for codec, text in readable.items() if sum(map(str.isascii, text)) * 2 > len(text)}
    return Encoding(next(iter(readable))) if len(readable) == 1 else None


def _begun(data: bytes, codec: str, errors: str) -> str:
    """`data` decoded; a character that is cut off at its end does not count."""
    return codecs.getincrementaldecoder(codec)(errors).decode(data, final=False)


def replaced(text: str) -> tuple[str, int]:
    """`text` as `Encoding.errors` made it, with U+FFFD for what is not in the encoding, and how many there are."""
    return (text, 0) if text.isascii() else _ESCAPED.subn("\ufffd", text)


def decoded(data: bytes, encoding: Encoding, *, cut: bool) -> tuple[str, int]:
    """All of `data` as text, and how many places are not that. With `cut`, `data` may end within a character."""
    data = data[encoding.mark_bytes :]
    decode = codecs.getincrementaldecoder(encoding.codec)(encoding.errors).decode
    return replaced(decode(data, final=not cut))
