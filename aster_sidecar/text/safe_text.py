"""Shows a model's text to a person who decides about it: nothing in it is hidden or looks like other text."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from aster_sidecar.text.repair import cut

# Letters and marks without a glyph of their own, which Unicode classes neither as control nor as format characters.
# Source: Unicode DerivedCoreProperties.txt, Default_Ignorable_Code_Point, and characters that are named blank (Braille
# pattern, null notehead), filler or joiner.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u2d7f\u303f\u3164\uffa0\U0001107f\U00016fe4"
    "\U00013441\U00013442\U0001bc9d\U0001d159\U0001da7f\U0001da80"
)
# The character that begins an escape is itself escaped, so that different texts never look the same.
_OPENER = "\u2039"
# The most combining marks on one letter. More would be drawn over the neighbouring lines.
_MARKS = 4
# Right-to-left scripts: Hebrew, Arabic and others. Source: Unicode DerivedBidiClass.txt, R and AL.
_LEFTWARD = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_LEFTWARD_RUN = re.compile(f"[{_LEFTWARD}]+")
_ISOLATE, _END = "\u2066", "\u2069"
_ISOLATED = re.compile(f"({_ISOLATE}[{_LEFTWARD}]+{_END})")


def visible(text: str, *, newlines: bool = True) -> str:
    """`text` with every character that is not clearly visible written as ‹U+XXXX›; different texts stay different.

    Escaped are control and format characters (bidi, zero-width, tags), lone surrogates, line separators, every space
    except U+0020, blank letters, private and unassigned characters, all but the first four marks on a letter, and
    ‹ itself. Newlines are kept; pass `newlines=False` where a second line could look like the program's own text. Each
    run of right-to-left letters is isolated (U+2066 to U+2069), so that the words of a line, the arguments of a command
    and the parts of a path keep their order.
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
    """Like `visible`, but leaves a text unchanged that `visible` has already made, such as an approval's display."""
    parts = _ISOLATED.split(text)
    # An escape has only one character that `visible` would escape, its first.
    parts[::2] = [
        _OPENER.join(visible(piece, newlines=newlines) for piece in part.split(_OPENER)) for part in parts[::2]
    ]
    return "".join(parts)


def meant(shown: str) -> str:
    """The inverse of `visible`: the text that it made `shown` from."""
    bare = shown.replace(_ISOLATE, "").replace(_END, "")
    return re.sub("\u2039U\\+([0-9A-F]{4,6})\u203a", lambda found: chr(int(found[1], 16)), bare)


def _plain(char: str) -> bool:
    if char in _BLANK or char == _OPENER or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return False
    # str.isprintable excludes the categories Other (Cc, Cf, Cs, Co, Cn) and Separator, except the space.
    return char.isprintable()


def shown(path: object) -> str:
    """A path on one line, with hidden characters made visible."""
    return visible(str(path), newlines=False)


BRIEF_CHARS = 80
"""The most characters of a path or command within a sentence; the full one is shown below the sentence."""


def quoted(text: str) -> str:
    """A program or a line of a command, already made visible, in backquotes for a sentence.

    It has no other backquotes, so that a command can't fake the rest of the sentence.
    """
    return "`" + cut(text.replace("`", "'"), BRIEF_CHARS) + "`"


def brief(path: Path, work_dir: Path) -> str:
    """A path for a sentence: relative to the work directory or the home directory, its beginning cut off if long."""
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
    """A number of bytes for people, such as `12 bytes` or `1.5 MiB`."""
    if count < 1024:
        return f"{count} byte{'' if count == 1 else 's'}"
    return f"{count / 1024:.1f} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MiB"
