"""How a model's text is shown to a person who decides about it: nothing in it hides, or poses as other text."""

from __future__ import annotations

# Letters and marks that draw nothing, or nothing of their own, though Unicode calls them neither control nor format.
# Source: Unicode DerivedCoreProperties.txt, Default_Ignorable_Code_Point; U+2800 is the blank Braille pattern.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# The mark that opens an escape is escaped itself, so that two different texts never look the same.
_OPENER = "\u2039"


def visible(text: str, *, newlines: bool = True) -> str:
    """`text` with every character that is not plainly seen written as ‹U+XXXX›; different texts stay different.

    Escaped are control and format characters (bidi, zero-width, tags), lone surrogates, line separators, every space
    but the ordinary one, blank letters, private and unassigned characters, and ‹ itself. A newline stays a newline,
    unless `newlines` is False: where a second line could pose as the program's own words.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _plain(char, newlines) else f"\u2039U+{ord(char):04X}\u203a" for char in text)


def _plain(char: str, newlines: bool) -> bool:
    if char == "\n":
        return newlines
    if char in _BLANK or char == _OPENER or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return False
    # str.isprintable: no Other (Cc, Cf, Cs, Co, Cn) and no Separator but the space.
    return char.isprintable()


def shown(path: object) -> str:
    """A path on one line, its hidden characters made visible."""
    return visible(str(path), newlines=False)


def sized(count: int) -> str:
    """A count of bytes as people read it."""
    if count < 1024:
        return f"{count} bytes"
    return f"{count / 1024:.1f} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MiB"
