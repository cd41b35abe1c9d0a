"""read_file: lines, limits and files that are not text."""

from __future__ import annotations

import time

import psutil
import pytest

from aster_sidecar.tools.base import Surroundings
from tests.tools.support import call


def test_reading_lines_and_where_to_go_on(place: Surroundings) -> None:
    (place.work_dir / "a.txt").write_bytes(b"one\r\ntwo\nthree")
    assert call("read_file", place, path="a.txt").value["text"] == "one\ntwo\nthree"
    part = call("read_file", place, path="a.txt", offset=2, limit=1)
    assert part.value["text"] == "two"
    assert (part.value["more"], part.truncated, part.value["note"]) == (True, True, "read on with offset 3")
    last = call("read_file", place, path="a.txt", offset=3, limit=1)
    assert (last.value["text"], last.value["more"], last.truncated) == ("three", False, False)
    beyond = call("read_file", place, path="a.txt", offset=9)
    assert (beyond.value["text"], beyond.value["note"]) == ("", "the file has 3 lines")


def test_reading_is_bounded(place: Surroundings) -> None:
    (place.work_dir / "long").write_text("é" * 10_000 + "\nend")
    (place.work_dir / "many").write_text("0123456789\n" * 100_000)
    long = call("read_file", place, path="long")
    assert long.truncated
    assert long.value["text"].startswith("é" * 2000 + " [")
    assert long.value["text"].endswith("\nend")
    many = call("read_file", place, path="many", limit=100_000)
    assert many.truncated
    assert len(many.value["text"].encode()) <= 256 * 1024
    rest = call("read_file", place, path="many", offset=many.value["last_line"] + 1, limit=1)
    assert rest.value["text"] == "0123456789"


def test_a_huge_file_without_lines_costs_neither_memory_nor_time(place: Surroundings) -> None:
    with open(place.work_dir / "huge", "wb") as file:
        file.write(b"text, then nothing\n" * 1000)
        try:
            file.truncate(1024**4)
        except OSError:  # the file system allows smaller files only
            file.truncate(1024**3)
    began, before = time.monotonic(), psutil.Process().memory_info().rss
    found = call("read_file", place, path="huge", offset=1001)
    assert time.monotonic() - began < 30
    assert psutil.Process().memory_info().rss - before < 32 * 1024 * 1024, "the file is kept in memory"
    assert found.value["binary"] is True
    with open(place.work_dir / "line", "wb") as file:
        for _ in range(80):
            file.write(b"x" * 1024 * 1024)
    before = psutil.Process().memory_info().rss
    found = call("read_file", place, path="line")
    assert psutil.Process().memory_info().rss - before < 32 * 1024 * 1024, "the file is kept in memory"
    assert (len(found.value["text"]) < 2100, found.truncated) == (True, True)


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", b"\0" * 100, b"\xff\xfe" + b"\0" * 8])
def test_binary_files_are_named_not_shown(place: Surroundings, data: bytes) -> None:
    (place.work_dir / "b").write_bytes(data)
    found = call("read_file", place, path="b").value
    assert found["binary"] is True
    assert "text" not in found


def test_invalid_utf8_is_read_with_replacement(place: Surroundings) -> None:
    (place.work_dir / "latin").write_bytes(b"caf\xe9\n")
    assert call("read_file", place, path="latin").value["text"] == "caf\ufffd"
