"""Unified diffs: right for random texts, bounded for large ones, and nothing misleading in them."""

from __future__ import annotations

import random
import re

import pytest

from aster_sidecar.ledger import diffs
from aster_sidecar.ledger.diffs import NO_LINE_END, diff


def applied(old: str, text: str) -> str:
    """`old` with a unified diff applied."""
    lines, new, at, last = old.splitlines(keepends=True), list[str](), 0, ""
    for line in text.split("\n") if text else []:
        if found := re.match(r"@@ -(\d+)(?:,(\d+))? ", line):
            start = int(found[1]) - (found[2] != "0")
            new += lines[at:start]
            at = start
        elif line == NO_LINE_END:
            new[-1:] = [new[-1].removesuffix("\n")] if new and last != "-" else new[-1:]
        else:
            last = line[0]
            if last in " -":
                assert lines[at].removesuffix("\n") == line[1:]
                at += 1
            if last in " +":
                new.append(line[1:] + "\n")
    return "".join(new + lines[at:])


@pytest.mark.parametrize("compared", [1000, 8])
def test_a_diff_turns_the_old_text_into_the_new_one(compared: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffs, "COMPARED_LINES", compared)
    for seed in range(200):
        choice = random.Random(seed)
        old = [f"{choice.randint(0, 40)}\n" for _ in range(choice.randint(0, 60))]
        new = list(old)
        for _ in range(choice.randint(0, 8)):
            place = choice.randint(0, len(new))
            new[place : place + choice.choice((0, 0, 1, 5))] = [f"{choice.randint(0, 60)}\n"] * choice.randint(0, 3)
        if new and choice.random() < 0.3:
            new[-1] = new[-1].removesuffix("\n")
        found = diff("".join(old).encode(), "".join(new).encode())
        assert found is not None
        assert applied("".join(old), found.text) == "".join(new), seed
        assert found.added - found.removed == len(new) - len(old)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"", b"a\n", "@@ -0,0 +1 @@\n+a"),
        (b"a\n", b"", "@@ -1 +0,0 @@\n-a"),
        (b"a", b"a\n", f"@@ -1 +1 @@\n-a\n{NO_LINE_END}\n+a"),
        (b"a\r\nb\r\n", b"a\r\nc\r\n", "@@ -1,2 +1,2 @@\n a\n-b\n+c"),
        (b"a\r\n", b"a\n", "@@ -1 +1 @@\n-a\u2039U+000D\u203a\n+a"),
        (b"\ta\n", b"\tb\x1b[2J\n", "@@ -1 +1 @@\n-\ta\n+\tb\u2039U+001B\u203a[2J"),
        ("ä\n".encode("utf-16"), "ö\n".encode("utf-16"), "@@ -1 +1 @@\n-ä\n+ö"),
        (b"same\n", b"same\n", ""),
    ],
)
def test_texts(old: bytes, new: bytes, text: str) -> None:
    found = diff(old, new)
    assert found is not None
    assert found.text == text


def test_what_is_not_text_or_too_large_has_no_diff() -> None:
    assert diff(b"a\0b", b"text\n") is None
    assert diff(b"text\n", b"\xff\xfe\xff") is None
    assert diff(b"", b"a" * (diffs.COMPARED_BYTES + 1)) is None


def test_a_long_diff_is_cut_and_its_lines_are_counted() -> None:
    lines = [f"line {number}\n" for number in range(60_000)]
    changed = [f"changed {number}\n" if number % 2 else line for number, line in enumerate(lines)]
    found = diff("".join(lines).encode(), "".join(changed).encode())
    assert found is not None
    assert (found.added, found.removed, found.truncated) == (30_000, 30_000, True)
    assert len(found.text.encode()) <= diffs.DIFF_BYTES
