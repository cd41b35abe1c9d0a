"""Wraps text for a terminal between words, by cells, at the width of the window.

Wrapped, with continuation lines indented: answers, thinking, messages of people, notes, errors, lists, help, the reason
of a question and what "always" would cover.

Not wrapped by us but by the terminal, so that a copy has no line ends in it: code blocks, the lines of a tool call and
its output, and the `display` and arguments of a question. Within wrapped text, an address, a path or `inline code` is
not divided: if it does not fit, it begins a new line. In tables these are divided, because columns are side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

ADDRESS = re.compile(
    r"(?<!\w)\w+://[!-~]+|mailto:[!-~]+|(?<![!-~])(?:~|\.{1,2})?/[!-.0-~]+/[!-~]+|(?<![!-~])[A-Za-z]:\\[!-~]+"
)
"""An address, or a path of at least two parts."""
_CHOICE = re.compile(r"(?<!\S)[a-z] [A-Z]\w*")
"""A key and its choice, such as `e Edit`."""
WHOLE = {"whole": True}
"""The `meta` of a style whose text is not divided."""
QUOTE_BAR = "▌"
_HEAD = re.compile(r" *(?:[^\w\s]{1,2} +)?(?:\d+\.? +)?")
_ONE_BY_ONE = re.compile(
    "[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003fffd]"
)
"""Letters of scripts without spaces, and Hangul: a line may end after each of them."""
_NEVER_FIRST = frozenset("、。，．：；？！）］｝〉》」』】〕〗〙’”…ー々％・,.:;?!)]}")
_NEVER_LAST = frozenset("（［｛〈《「『【〔〖〘‘“([{")


def cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    from wcwidth import width

    return len(text) if text.isascii() else width(text)


def breaks(line: str, width: int, whole: Iterable[tuple[int, int]] = ()) -> list[int]:
    """The indexes at which to divide a line so that its parts fit into `width` cells without their trailing spaces.

    `whole`: ranges (from, to) that are not divided even when they are longer.
    """
    kept = [*whole, *(found.span() for kind in (ADDRESS, _CHOICE) for found in kind.finditer(line))]
    found: list[int] = []
    used = begin = 0
    for end in (*_chances(line, kept), len(line)):
        piece = line[begin:end]
        bare = cells(piece.rstrip(" "))
        if used and used + bare > width:
            found.append(begin)
            used = 0
        if bare > width and not any(low < end and high > begin for low, high in kept):
            at = begin
            for grapheme in _graphemes(piece):
                step = cells(grapheme)
                if used and used + step > width and grapheme != " ":
                    found.append(at)
                    used = 0
                used += step
                at += len(grapheme)
        else:
            used += cells(piece)
        begin = end
    return found


def _graphemes(text: str) -> Iterable[str]:
    from wcwidth import iter_graphemes

    return text if text.isascii() else iter_graphemes(text)


def _chances(line: str, kept: list[tuple[int, int]]) -> list[int]:
    """The indexes at which a line may end: after spaces, and around letters of scripts without spaces."""
    chances: list[int] = []
    at, before = 0, ""
    for grapheme in _graphemes(line):
        if before and grapheme != " " and not any(low < at < high for low, high in kept):
            alone = _ONE_BY_ONE.match(before) or _ONE_BY_ONE.match(grapheme)
            if before == " " or (alone and before not in _NEVER_LAST and grapheme not in _NEVER_FIRST):
                chances.append(at)
        at += len(grapheme)
        before = grapheme
    return chances


def wrapped(text: Text, width: int, indent: int | None = None) -> list[Text]:
    """The text as lines of at most `width` cells, continuation lines indented by `indent` cells.

    Without `indent` they are aligned with the first word of their line, after spaces, a mark (`•`, `✗`, …) or a number.
    """
    from rich.style import Style
    from rich.text import Text

    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        plain = line.plain
        head = _HEAD.match(plain)
        begins = head.end() if head else 0
        hang = cells(plain[:begins]) if indent is None else indent
        hang = hang if hang <= width // 2 else 0
        whole = [(span.start, span.end) for span in line.spans if isinstance(span.style, Style) and span.style.meta]
        whole.append((0, begins + 1 if hang else 0))
        first = breaks(plain, width, whole)[:1]
        if not first:
            lines.append(line)
            continue
        one, rest = line.divide(first)
        one.rstrip()
        lines.append(one)
        stretches = [(low - first[0], high - first[0]) for low, high in whole]
        for part in rest.divide(breaks(rest.plain, max(1, width - hang), stretches)):
            part.rstrip()
            lines.append(Text.assemble(" " * hang, part))
    return lines
