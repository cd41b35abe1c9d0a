"""The output of a service: how it is cut into lines, and which lines are kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.services.log import (
    CUT,
    KEPT_LINES,
    LINE_BYTES,
    OVERLAP_BYTES,
    TAKEN_BYTES,
    WAITING_BYTES,
    WAITING_LINES,
    Lines,
    ServiceLog,
    text_of,
)
from aster_sidecar.telemetry.redaction import MASK, Redactor

at_any_pace = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


# -- lines -------------------------------------------------------------------------------------------------------------


def fed(*chunks: bytes) -> list[bytes]:
    lines = Lines()
    found: list[bytes] = []
    for chunk in chunks:
        more, left_out = lines.feed(chunk)
        assert left_out == 0
        found += more
    return found + lines.end()


@at_any_pace
@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), min_size=1), st.data())
def test_lines_are_the_same_however_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert fed(*chunks) == lines[:-1] + [line for line in lines[-1:] if line]


@pytest.mark.parametrize("size", [TAKEN_BYTES - 1, TAKEN_BYTES, TAKEN_BYTES + 1, 10 * TAKEN_BYTES])
@pytest.mark.parametrize("step", [1000, TAKEN_BYTES, 1 << 20])
def test_a_long_line_is_one_line_and_its_rest_is_skipped(size: int, step: int) -> None:
    whole = b"before\n" + b"x" * size + b"\nafter\n"
    chunks = [whole[place : place + step] for place in range(0, len(whole), step)]
    assert fed(*chunks) == [b"before", b"x" * min(size, TAKEN_BYTES), b"after"]


def test_a_line_of_a_gigabyte_takes_no_memory() -> None:
    lines, chunk = Lines(), b"x" * (1 << 20)
    counts = [len(lines.feed(chunk)[0]) for _ in range(1024)]
    assert counts == [1] + [0] * 1023
    assert lines.feed(b"\nnext\n") == ([b"next"], 0)


@pytest.mark.parametrize("start", [b"", b"begun", b"x" * (2 * TAKEN_BYTES)])
def test_of_more_lines_than_can_wait_the_newest_are_given_and_the_others_counted(start: bytes) -> None:
    lines, count = Lines(), 3 * WAITING_LINES
    first, _ = lines.feed(start)
    given, left_out = lines.feed(b"".join(b"%d\n" % number for number in range(count)))
    assert given == [b"%d" % number for number in range(count - WAITING_LINES, count)]
    assert len(first) + left_out + len(given) == count
    assert lines.end() == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"plain", "plain"),
        (b"windows\r", "windows"),
        ("žluťoučký 🐎".encode(), "žluťoučký 🐎"),
        (b"bad \xff\xfe bytes", "bad \ufffd\ufffd bytes"),
        (b"half \xf0\x9f", "half \ufffd"),
        (b"the-secret-value here", f"{MASK} here"),
        (b"password=hunter2", MASK),
        (b"x" * LINE_BYTES, "x" * LINE_BYTES),
        (b"x" * (LINE_BYTES + 1), "x" * LINE_BYTES + CUT),
        (b"x" * TAKEN_BYTES, "x" * LINE_BYTES + CUT),
        ("é".encode() * LINE_BYTES, "é" * (LINE_BYTES // 2) + CUT),
    ],
)
def test_what_is_shown_of_a_line(line: bytes, text: str) -> None:
    assert text_of(line[:TAKEN_BYTES], Redactor(["the-secret-value"])) == text


@pytest.mark.parametrize("place", [LINE_BYTES - 30, LINE_BYTES - 1, LINE_BYTES, TAKEN_BYTES - 30, TAKEN_BYTES - 1])
@pytest.mark.parametrize("before", [b"x", b"the-secret-value "])
def test_no_part_of_a_secret_across_the_cut_is_shown(place: int, before: bytes) -> None:
    """This is also true when masks before the cut have made the text shorter."""
    line = (before * TAKEN_BYTES)[: place - 1] + b" " + b"another-secret-of-some-length" * 4
    text = text_of(line[:TAKEN_BYTES], Redactor(["the-secret-value", "another-secret-of-some-length"]))
    assert "another" not in text
    assert len(text.encode()) <= LINE_BYTES + len(CUT.encode())
    assert OVERLAP_BYTES > 30


# -- what is kept ------------------------------------------------------------------------------------------------------


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_the_newest_lines_are_kept_and_pages_read_on(loop: asyncio.Runner, tmp_path: Path) -> None:
    async def run() -> None:
        log = ServiceLog(Redactor(), tmp_path / "service-a.log")
        assert log.page(None, 10).entries == []
        log.add("stdout", [b"%d" % number for number in range(1, 1001)])
        await log.settled(30)
        assert log.page(None, 3).model_dump(include={"entries": {"__all__": {"seq", "text"}}})["entries"] == [
            {"seq": seq, "text": str(seq)} for seq in (998, 999, 1000)
        ]
        assert len(log.page(0, KEPT_LINES).entries) == KEPT_LINES
        first = log.page(0, 2).entries
        assert [entry.seq for entry in first] == [601, 602]
        assert [entry.seq for entry in log.page(first[-1].seq, 2).entries] == [603, 604]
        assert log.page(1000, 5).entries == []
        assert [entry.seq for entry in log.page(123_456, 1).entries] == [601], "a seq of an earlier daemon"
        log.add("stderr", [b"one more"])
        await log.settled(30)
        assert [(entry.seq, entry.stream) for entry in log.page(1000, 5).entries] == [(1001, "stderr")]
        assert log.page(0, 1).dropped == 0
        written = [json.loads(line) for line in (tmp_path / "service-a.log").read_text().splitlines()]
        assert [line["text"] for line in written] == [*(str(number) for number in range(1, 1001)), "one more"]
        log.close()

    loop.run(run())


def test_what_can_not_wait_is_dropped_and_counted(loop: asyncio.Runner) -> None:
    async def run() -> None:
        log = ServiceLog(Redactor(), None)
        log.add("stdout", [b"%d" % number for number in range(WAITING_LINES + 100)], left_out=1000)
        await log.settled(30)
        page = log.page(None, 2)
        assert page.dropped == 1100
        assert [(entry.seq, entry.text) for entry in page.entries] == [
            (WAITING_LINES + 1099, str(WAITING_LINES + 98)),
            (WAITING_LINES + 1100, str(WAITING_LINES + 99)),
        ]
        assert page.path is None
        log.add("stdout", [b"x" * TAKEN_BYTES] * 2000)
        most = WAITING_BYTES // TAKEN_BYTES
        assert log.page(None, 1).dropped == 1100 + 2000 - most
        await log.settled(30)

    loop.run(run())
