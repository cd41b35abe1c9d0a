"""Text from models, tools and people made safe for a terminal, and measured without its colours.

The views, the screen and the commands pass everything that others wrote through `plain`, `output` or
`text.safe_text.visible`: no escape sequence of theirs reaches the terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[P^_X].*?\x1b\\", re.DOTALL)
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """Prose as it may be shown: newlines stay, tabs become spaces, other control and bidi characters visible signs."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_sign, text.replace("\r\n", "\n").replace("\t", "    ")))


def _sign(char: str) -> str:
    if char == "\n" or char.isprintable():
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if char in _BIDI or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
        return f"\u2039U+{code:04X}\u203a"
    return char


def output(text: str) -> str:
    """A tool's output as it may be shown: without colours; what follows a carriage return replaces its line."""
    text = uncoloured(text.replace("\r\n", "\n"))
    return plain("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")))


def uncoloured(text: str) -> str:
    """The text without escape sequences."""
    return _ESCAPES.sub("", text)


def trimmed(lines: Sequence[str]) -> list[str]:
    """The lines without empty ones at the beginning and the end; a line of nothing but colours is empty."""
    full = [number for number, line in enumerate(lines) if uncoloured(line).strip()]
    return list(lines[full[0] : full[-1] + 1]) if full else []
