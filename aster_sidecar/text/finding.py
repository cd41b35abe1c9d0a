"""Finds the matches of a search in a text, and the words around each match.

Texts are compared after `folding`, which can change their length. Positions are code points of the original text.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Iterator

from aster_sidecar.text.folding import UNSEEN, fold, folds_itself
from aster_sidecar.text.repair import cut

BEFORE_CHARS, AFTER_CHARS = 40, 100
"""The context that `around` shows before and after a match."""
MOST_CHARS = 200
"""The most characters of a match that `around` shows."""

PIECE_CHARS = 4096
"""A long text is folded in pieces of this size; only pieces with a match are mapped letter by letter."""

_PLAIN_RUN = re.compile(r"[\x01-\x7f]+(?=[\x01-\x7f]|\Z)")
"""ASCII that no combining mark follows: each character folds to one."""
_JOINING = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f\uffa0-\uffdc]")
"""Letters that combine with the previous one: later parts of a Hangul syllable, half-width voice marks of kana."""


def places(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    """The matches of `wanted`, a folded text, in `text`, as (start, end) in code points, from left to right.

    A match begins and ends at the borders of visible letters, so it can be longer than `wanted` (`s` matches `ß`).
    Matches don't overlap.
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
    folded = _Folded(text)
    end, at = 0, folded.find(wanted, 0)
    while at >= 0:
        last = at + len(wanted) - 1
        start = folded.letter(at)
        if start >= end:
            end = folded.letter_behind(last)
            yield start, end
        at = folded.find(wanted, last + 1)


class _Folded:
    """A text that is folded piece by piece, as far as needed, and maps folded characters back to the original."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._text = ""
        self._pieces = [0]
        """The start of each piece in the source, then the start of the rest that is not folded yet."""
        self._begins = [0]
        """The same in the folded text."""
        self._starts: dict[int, list[int]] = {}

    def find(self, wanted: str, start: int) -> int:
        """The position of `wanted` in the folded text, at `start` or later; -1 if there is none."""
        while (at := self._text.find(wanted, start)) < 0:
            start = max(start, len(self._text) - len(wanted) + 1)
            if not self._more():
                break
        return at

    def letter(self, n: int) -> int:
        """The start, in the source, of the letter that folded to character `n`."""
        piece = bisect.bisect_right(self._begins, n) - 1
        if piece not in self._starts:
            at, end = self._pieces[piece : piece + 2]
            self._starts[piece] = [at + start for start in _starts(self._source[at:end])]
        return self._starts[piece][n - self._begins[piece]]

    def letter_behind(self, n: int) -> int:
        """The start of the next letter with a folded form; the end of the source if there is none."""
        start = self.letter(n)
        while n + 1 < len(self._text) or self._more():
            if n + 1 < len(self._text):
                n += 1
                if (later := self.letter(n)) > start:
                    return later
        return len(self._source)

    def _more(self) -> bool:
        """Double the number of folded pieces; False at the end of the source."""
        if self._pieces[-1] == len(self._source):
            return False
        folded = [self._text]
        for _ in range(len(self._pieces)):
            at = self._pieces[-1]
            end = min(at + PIECE_CHARS, len(self._source))
            while end < len(self._source) and _joins(self._source[end]):
                end += 1
            folded.append(fold(self._source[at:end]))
            self._pieces.append(end)
            self._begins.append(self._begins[-1] + len(folded[-1]))
            if end == len(self._source):
                break
        self._text = "".join(folded)
        return True


def _starts(text: str) -> list[int]:
    """For each character of the folded text, the start of the letter that it comes from."""
    starts: list[int] = []
    lengths: dict[str, int] = {}
    at = 0
    while at < len(text):
        if run := _PLAIN_RUN.match(text, at):
            starts += range(at, run.end())
            at = run.end()
            continue
        end = at + 1
        while end < len(text) and _joins(text[end]):
            end += 1
        letter = text[at:end]
        if letter not in lengths:
            lengths[letter] = len(fold(letter))
        starts += [at] * lengths[letter]
        at = end
    return starts


def _joins(char: str) -> bool:
    """Whether the character belongs to the previous letter."""
    if char.isascii():
        return char == "\0"
    return unicodedata.category(char)[0] == "M" or bool(_JOINING.match(char) or UNSEEN.match(char))


def around(text: str, start: int, end: int) -> tuple[str, int, int]:
    """A match in `text` with the words around it, on one line, and the start and end of the match in that line.

    "…" marks omitted text.
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
    """The text from its first whole word; from its first whole letter if it has no spaces."""
    _, space, rest = text.partition(" ")
    if space and rest:
        return rest
    first = next((n for n, char in enumerate(text) if not _joins(char)), 0)
    return text[first:]


def _to_a_word(text: str) -> str:
    rest, space, _ = text.rpartition(" ")
    return rest if space and rest else cut(text, max(1, len(text) - 1), "")
