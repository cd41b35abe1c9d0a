"""Unified diffs of two contents, bounded in size and time."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.file_content import read_text

DIFF_BYTES = 64 * 1024
"""The longest diff of a file; the rest is left out."""
COMPARED_BYTES = 4 * 1024 * 1024
"""Larger contents are not compared."""
COMPARED_LINES = 1000
"""Of longer runs of lines, those that occur once in both are matched first: the time grows with the square."""
CONTEXT_LINES = 3
NO_LINE_END = "\\ No newline at end of file"

Block = tuple[int, int, int, int]
"""Lines that differ: from and to in the old text, from and to in the new one; from 0, the end excluded."""


class Diff(NamedTuple):
    """How many lines were added and removed, and the unified diff without file names. `truncated`: it is cut."""

    added: int
    removed: int
    text: str
    truncated: bool


def diff(old: bytes, new: bytes) -> Diff | None:
    """The difference of two contents; None if one is not text, or is too large to be compared.

    Line ends count: a line whose end changes is removed and added. Characters that could mislead are made visible, and
    carriage returns unless all lines of both texts end with them.
    """
    if max(len(old), len(new)) > COMPARED_BYTES:
        return None
    read = read_text(old), read_text(new)
    if read[0] is None or read[1] is None:
        return None
    (old_text, old_form), (new_text, new_form) = read[0], read[1]
    before, after = _lines(old_text), _lines(new_text)
    hidden = (
        "\r" if {form.line_end for form, lines in ((old_form, before), (new_form, after)) if lines} == {"\r\n"} else ""
    )
    blocks = list(_merged(_differing(before, after, 0, 0)))
    added = sum(block[3] - block[2] for block in blocks)
    removed = sum(block[1] - block[0] for block in blocks)
    pieces: list[str] = []
    size = 0
    for line in _hunks(before, after, blocks):
        line = _shown(line, hidden)
        size += len(line.encode()) + 1
        if size > DIFF_BYTES:
            return Diff(added, removed, "\n".join(pieces), True)
        pieces.append(line)
    return Diff(added, removed, "\n".join(pieces), False)


def _lines(text: str) -> list[str]:
    """The lines with their ends. Only line feeds end lines."""
    lines = text.split("\n")
    last = lines.pop()
    return [*(f"{line}\n" for line in lines), *([last] if last else [])]


def _differing(old: Sequence[str], new: Sequence[str], old_at: int, new_at: int) -> Iterator[Block]:
    """The blocks that differ, in order. The two begin at these line numbers."""
    start = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        start += 1
    end = 0
    for one, other in zip(reversed(old[start:]), reversed(new[start:]), strict=False):
        if one != other:
            break
        end += 1
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    old_at, new_at = old_at + start, new_at + start
    if not old and not new:
        return
    if not old or not new:
        yield old_at, old_at + len(old), new_at, new_at + len(new)
    elif max(len(old), len(new)) <= COMPARED_LINES:
        for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                yield old_at + a, old_at + b, new_at + c, new_at + d
    else:
        yield from _between_anchors(old, new, old_at, new_at)


def _between_anchors(old: Sequence[str], new: Sequence[str], old_at: int, new_at: int) -> Iterator[Block]:
    """The blocks that differ between the lines that occur once in both texts; without any, all of it."""
    anchors = _anchors(old, new)
    if not anchors:
        yield old_at, old_at + len(old), new_at, new_at + len(new)
        return
    a = c = 0
    for b, d in [*anchors, (len(old), len(new))]:
        yield from _differing(old[a:b], new[c:d], old_at + a, new_at + c)
        a, c = b + 1, d + 1


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """The longest run of matching lines that occur once in both, as (old, new) numbers: patience diff."""
    counts, new_counts = Counter(old), Counter(new)
    place = {line: number for number, line in enumerate(new)}
    pairs = [(n, place[line]) for n, line in enumerate(old) if counts[line] == 1 and new_counts[line] == 1]
    tops: list[int] = []
    piles: list[int] = []
    """For each pair, the index of the pair before it in the longest run that ends with it; -1: none."""
    ends: list[int] = []
    for index, (_, target) in enumerate(pairs):
        pile = _pile(tops, target)
        piles.append(ends[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(target)
            ends.append(index)
        else:
            tops[pile], ends[pile] = target, index
    run: list[tuple[int, int]] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        run.append(pairs[index])
        index = piles[index]
    return run[::-1]


def _pile(tops: Sequence[int], target: int) -> int:
    low, high = 0, len(tops)
    while low < high:
        middle = (low + high) // 2
        if tops[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low


def _merged(blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks, adjacent ones as one."""
    last: Block | None = None
    for block in blocks:
        if last is not None and last[1] == block[0] and last[3] == block[2]:
            last = (last[0], block[1], last[2], block[3])
            continue
        if last is not None:
            yield last
        last = block
    if last is not None:
        yield last


def _hunks(old: Sequence[str], new: Sequence[str], blocks: Sequence[Block]) -> Iterator[str]:
    """The lines of the unified diff: blocks with few lines between them are in one part."""
    group: list[Block] = []
    for block in blocks:
        if group and block[0] - group[-1][1] > 2 * CONTEXT_LINES:
            yield from _hunk(old, new, group)
            group = []
        group.append(block)
    if group:
        yield from _hunk(old, new, group)


def _hunk(old: Sequence[str], new: Sequence[str], group: Sequence[Block]) -> Iterator[str]:
    before = min(CONTEXT_LINES, group[0][0], group[0][2])
    after = min(CONTEXT_LINES, len(old) - group[-1][1])
    start, end = group[0][0] - before, group[-1][1] + after
    new_start, new_end = group[0][2] - before, group[-1][3] + after
    yield f"@@ -{_range(start, end)} +{_range(new_start, new_end)} @@\n"
    at = start
    for a, b, c, d in group:
        for mark, lines in ((" ", old[at:a]), ("-", old[a:b]), ("+", new[c:d])):
            yield from (mark + line for line in lines)
        at = b
    yield from (" " + line for line in old[at:end])


def _range(start: int, end: int) -> str:
    """The lines of a part: the number of the first one, from 1, and how many. Source: POSIX diff, unified format."""
    many = end - start
    return str(start + 1) if many == 1 else f"{start + 1 if many else start},{many}"


def _shown(line: str, hidden: str) -> str:
    """A line of the diff for people; `hidden` is left out at its end."""
    text = line.removesuffix("\n")
    shown = "\t".join(visible(part) for part in text.removesuffix(hidden).split("\t"))
    return shown if len(text) < len(line) else f"{shown}\n{NO_LINE_END}"
