"""How a model's text is shown to a person who decides about it: nothing in it hides, or poses as other text."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

# Letters and marks that draw nothing, or nothing of their own, though Unicode calls them neither control nor format.
# Source: Unicode DerivedCoreProperties.txt, Default_Ignorable_Code_Point, and characters whose name says that they are
# blank (the Braille pattern, the null notehead), fill or join.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u2d7f\u303f\u3164\uffa0\U0001107f\U00016fe4"
    "\U00013441\U00013442\U0001bc9d\U0001d159\U0001da7f\U0001da80"
)
# The mark that opens an escape is escaped itself, so that two different texts never look the same.
_OPENER = "\u2039"
# Accents and the like that stand on one letter: more of them would be drawn over the lines around.
_MARKS = 4
# What is written from right to left: Hebrew, Arabic and their neighbours. Source: Unicode DerivedBidiClass.txt, R, AL.
_LEFTWARD = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_LEFTWARD_RUN = re.compile(f"[{_LEFTWARD}]+")
_ISOLATE, _END = "\u2066", "\u2069"
_ISOLATED = re.compile(f"({_ISOLATE}[{_LEFTWARD}]+{_END})")


def visible(text: str, *, newlines: bool = True) -> str:
    """`text` with every character that is not plainly seen written as ‹U+XXXX›; different texts stay different.

    Escaped are control and format characters (bidi, zero-width, tags), lone surrogates, line separators, every space
    but the ordinary one, blank letters, private and unassigned characters, all but four of the marks on one letter, and
    ‹ itself. A newline stays a newline, unless `newlines` is False: where a second line could pose as the program's own
    words. Each run of letters that are written from right to left is isolated (U+2066 to U+2069), so that the words of
    a line, the arguments of a command and the parts of a path stand in their order.
    """
    if newlines and "\n" in text:
        return "\n".join(visible(line) for line in text.split("\n"))
    if text.isascii() and text.isprintable():
        return text
    pieces: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if not char.isascii() and unicodedata.category(char)[0] == "M" else 0
        pieces.append(char if marks <= _MARKS and _plain(char) else f"\u2039U+{ord(char):04X}\u203a")
    escaped = "".join(pieces)
    if escaped.isascii():
        return escaped
    return _LEFTWARD_RUN.sub(lambda run: f"{_ISOLATE}{run.group()}{_END}", escaped)


def still_visible(text: str, *, newlines: bool = True) -> str:
    """The same for a text that `visible` has been through, such as an approval's display: it stays as it is."""
    parts = _ISOLATED.split(text)
    # Escapes are plain characters but for the mark that opens them.
    parts[::2] = [
        _OPENER.join(visible(piece, newlines=newlines) for piece in part.split(_OPENER)) for part in parts[::2]
    ]
    return "".join(parts)


def meant(shown: str) -> str:
    """The text that `visible` made `shown` of."""
    bare = shown.replace(_ISOLATE, "").replace(_END, "")
    return re.sub("\u2039U\\+([0-9A-F]{4,6})\u203a", lambda found: chr(int(found[1], 16)), bare)


def _plain(char: str) -> bool:
    if char in _BLANK or char == _OPENER or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return False
    # str.isprintable: no Other (Cc, Cf, Cs, Co, Cn) and no Separator but the space.
    return char.isprintable()


def shown(path: object) -> str:
    """A path on one line, its hidden characters made visible."""
    return visible(str(path), newlines=False)


BRIEF_CHARS = 80
"""Of a path or a command, what a sentence about it shows; the exact thing stands beneath."""


def brief(path: Path, work_dir: Path) -> str:
    """A path as a sentence names it: from the work directory or the home directory on, its beginning cut when long."""
    if path == work_dir:
        return "the work folder"
    if path.is_relative_to(work_dir):
        text = shown(path.relative_to(work_dir))
    else:
        home = Path(os.path.expanduser("~"))
        text = f"~/{shown(path.relative_to(home))}" if path.is_relative_to(home) and path != home else shown(path)
    return text if len(text) <= BRIEF_CHARS else f"…{text[-BRIEF_CHARS:]}"


def counted(many: int, one: str) -> str:
    """A number of things, such as `1 line` or `12 lines`."""
    return f"{many:,} {one}{'' if many == 1 else 's'}"


def sized(count: int) -> str:
    """A count of bytes as people read it."""
    if count < 1024:
        return f"{count} byte{'' if count == 1 else 's'}"
    return f"{count / 1024:.1f} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MiB"
