"""Where in a text a search finds what it looks for, and the words around that place.

Texts are compared in the form of `folding`, which may be longer or shorter than the text: places are counted in code
points of the text as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from aster_sidecar.folding import UNSEEN, fold, folds_itself
from aster_sidecar.text import cut

BEFORE_CHARS, AFTER_CHARS = 40, 100
MOST_CHARS = 200
"""Of the place itself, in a list."""

_PLAIN_RUN = re.compile(r"[\x01-\x7f]+(?=[\x01-\x7f]|\Z)")
"""ASCII that no mark follows: it folds letter by letter."""
_JOINING = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f\uffa0-\uffdc]")
"""Letters that compose with the one before them: the later ones of a Hangul syllable, kana's half-width voice marks."""


def places(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Where `wanted`, a folded text, stands in `text`, as (start, end) in code points, from left to right.

    What people see as one letter is never cut in two: a place begins and ends with whole letters, so it may be longer
    than what was looked for (`s` is found in `ß`).
    """
    if not wanted:
        return
    if folds_itself(text):
        lower = text.lower()
        at = lower.find(wanted)
        while at >= 0:
            yield at, at + len(wanted)
            at = lower.find(wanted, at + len(wanted))
        return
    folded, starts = _mapped(text)
    end, at = 0, folded.find(wanted)
    while at >= 0:
        last = at + len(wanted) - 1
        if starts[at] >= end:
            end = next((starts[n] for n in range(last + 1, len(starts)) if starts[n] > starts[last]), len(text))
            yield starts[at], end
        at = folded.find(wanted, last + 1)


def _mapped(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters where the letter begins that it comes from."""
    pieces: list[str] = []
    starts: list[int] = []
    known: dict[str, str] = {}
    at = 0
    while at < len(text):
        if run := _PLAIN_RUN.match(text, at):
            pieces.append(run[0].lower())
            starts += range(at, run.end())
            at = run.end()
            continue
        end = at + 1
        while end < len(text) and _joins(text[end]):
            end += 1
        letter = text[at:end]
        if letter not in known:
            known[letter] = fold(letter)
        pieces.append(known[letter])
        starts += [at] * len(known[letter])
        at = end
    return "".join(pieces), starts


def _joins(char: str) -> bool:
    """Whether the character belongs to the letter before it."""
    if char.isascii():
        return char == "\0"
    return unicodedata.category(char)[0] == "M" or bool(_JOINING.match(char) or UNSEEN.match(char))


def around(text: str, start: int, end: int) -> tuple[str, int, int]:
    """The place in `text` with the words around it, on one line, and where in that it begins and ends.

    "…" stands where something is left out.
    """
    found = cut(" ".join(text[start:end].split()), MOST_CHARS)
    before = _one_line(text[max(0, start - BEFORE_CHARS) : start])
    if start > BEFORE_CHARS:
        before = "…" + _from_a_word(before)
    before = before.lstrip() if before.strip() else ""
    after = _one_line(text[end : end + AFTER_CHARS]).rstrip()
    if end + AFTER_CHARS < len(text):
        after = _to_a_word(after) + "…"
    return before + found + after, len(before), len(before) + len(found)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _from_a_word(text: str) -> str:
    """The text from the first word that is whole; where nothing parts words, from the first letter that is."""
    _, space, rest = text.partition(" ")
    if space and rest:
        return rest
    first = next((n for n, char in enumerate(text) if not _joins(char)), 0)
    return text[first:]


def _to_a_word(text: str) -> str:
    rest, space, _ = text.rpartition(" ")
    return rest if space and rest else cut(text, max(1, len(text) - 1), "")
