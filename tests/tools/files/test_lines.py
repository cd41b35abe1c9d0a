"""Lines of a file, read in parts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from aster_sidecar.tools.encodings import Encoding
from aster_sidecar.tools.files.lines import PIECE_CHARS, Line, Lines

Reading = Callable[..., Lines]


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    def opened(data: bytes, encoding: Encoding = Encoding("utf-8"), budget: int = 1 << 30) -> Lines:
        path = tmp_path / "file"
        path.write_bytes(data)
        return Lines(path.open("rb"), encoding, budget, threading.Event())

    return opened


def whole(lines: Lines) -> list[str]:
    found: list[str] = []
    while (line := lines.next(0, 1 << 30)) is not None:
        found.append(line.text)
    lines._text.close()
    return found


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"", []), (b"a", ["a"]), (b"a\n", ["a"]), (b"a\r\n\nb", ["a", "", "b"]), (b"a\rb\n", ["a\rb"])],
)
def test_lines_come_without_their_ends(reading: Reading, data: bytes, found: list[str]) -> None:
    assert whole(reading(data)) == found


def test_a_part_of_a_line_says_how_much_follows(reading: Reading) -> None:
    lines = reading(b"0123456789\r\nnext\n")
    assert lines.next(2, 3) == Line("234", 5, 10, True)
    assert lines.more()
    lines._text.close()


def test_a_long_line_is_read_to_its_end(reading: Reading) -> None:
    lines = reading(b"x" * (3 * PIECE_CHARS) + b"END\nb")
    assert lines.next(3 * PIECE_CHARS, 10) == Line("END", 0, 3 * PIECE_CHARS + 3, True)
    assert lines.next(0, 10) == Line("b", 0, 1, True)
    assert lines.next(0, 10) is None
    assert not lines.more()
    lines._text.close()


def test_another_encoding_and_line_end(reading: Reading) -> None:
    lines = reading("\ufeffa\rb".encode("utf-16-le"), Encoding("utf-16-le", 2, "\r"))
    assert whole(lines) == ["a", "b"]


def test_bytes_that_are_no_text_are_counted_where_they_are_returned(reading: Reading) -> None:
    lines = reading(b"\xffa\xff\n")
    assert lines.next(1, 1) == Line("a", 1, 3, True)
    assert lines.invalid == 0
    lines._text.close()
    assert whole(other := reading(b"\xffa\n")) == ["\ufffda"]
    assert other.invalid == 1


def test_reading_stops_at_the_budget(reading: Reading) -> None:
    lines = reading(b"x" * (4 * PIECE_CHARS), budget=PIECE_CHARS)
    found = lines.next(0, 5)
    assert found is not None
    assert not found.whole
    assert found.length < 4 * PIECE_CHARS
    lines._text.close()
