"""The screen: finished lines are printed once, and the tail is repainted below them, at any width."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from aster_sidecar.cli.chat.screen import Screen, folded, rows_of, window_console
from tests.cli.chat.support import Bottom, printed, screen

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("size", "width", "rows"), [(0, 10, 1), (10, 10, 1), (11, 10, 2), (30, 10, 3), (5, 0, 5)])
def test_rows_of_a_line(size: int, width: int, rows: int) -> None:
    assert rows_of(size, width) == rows


def test_a_long_line_with_colours_is_folded_into_rows() -> None:
    assert folded(["short", "\x1b[1mone two three\x1b[0m"], 8)[0] == "short"
    rows = folded(["one two three"], 8)
    assert rows == ["one two", "three"]


def test_finished_lines_replace_the_tail_and_notes_stay_above_it() -> None:
    at = screen(40)
    at.tail(["one", "two"])
    assert printed(at) == "one\ntwo\n"
    at.say("a note", aside=True)
    assert printed(at) == "one\ntwo\n\x1b[2A\r\x1b[Ja note\none\ntwo\n"
    at.write(["finished"])
    assert printed(at).endswith("\x1b[2A\r\x1b[Jfinished\n")
    at.erase()
    assert printed(at).endswith("finished\n")


def test_only_rows_that_changed_are_repainted() -> None:
    at = screen(40)
    at.tail(["one", "two"])
    at.tail(["one", "2"])
    assert printed(at) == "one\ntwo\n\x1b[1A\r\x1b[J2\n"
    at.tail(["one", "2"])
    assert printed(at).endswith("\x1b[1A\r\x1b[J2\n")


def test_the_tail_has_at_most_a_third_of_the_window() -> None:
    at = screen(40, height=30)
    at.tail([str(number) for number in range(40)])
    assert printed(at).split() == [str(number) for number in range(30, 40)]
    assert [screen(height=height).tail_rows for height in (1, 6, 9, 12, 60)] == [1, 2, 4, 4, 20]
    assert at.rows(3) == ["37", "38", "39"]
    assert at.rows(0) == []


def test_a_window_that_became_narrower_has_more_rows_to_erase() -> None:
    at = screen(40)
    at.tail(["x" * 35])
    at.console.width = 10
    at.erase()
    assert printed(at).endswith("\x1b[4A\r\x1b[J")


def test_what_is_beneath_gets_the_finished_lines() -> None:
    at, bottom = screen(40), Bottom()
    at.beneath = bottom
    at.tail(["growing"])
    at.write(["finished"])
    assert (bottom.text, printed(at), at.rows(5)) == ("finished\n", "", [])


def test_a_terminal_without_cursor_control_has_no_tail_and_wraps_itself() -> None:
    at = Screen(screen().console.__class__(file=screen().console.file, force_terminal=False, width=10))
    at.tail(["growing"])
    at.say("a line that is longer than the window")
    assert printed(at) == "a line that is longer than the window\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_the_width_is_that_of_the_window() -> None:
    import fcntl
    import termios

    script = (
        "import sys; from aster_sidecar.cli.chat.screen import window_console as w; sys.stderr.write(str(w().width))"
    )
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 33, 0, 0))
    environment = {**os.environ, "COLUMNS": "77", "TERM": "xterm"}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment, cwd=ROOT, timeout=60
    )
    os.close(ours)
    os.close(theirs)
    assert ended.stderr == b"33"


def test_without_a_window_the_width_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert window_console().width == 77
