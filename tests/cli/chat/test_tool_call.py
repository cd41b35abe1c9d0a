"""A tool call on the screen."""

from __future__ import annotations

from aster_sidecar.cli.chat import tool_call
from aster_sidecar.cli.chat.tool_call import ToolCall
from tests.cli.chat.support import printed, screen


def test_a_call_says_what_it_does_and_how_it_ended() -> None:
    at = screen()
    call = ToolCall(at, "read_file", "read README.md")
    call.begin()
    call.end({"outcome": "done", "duration_ms": 3400})
    assert printed(at) == "● read_file  read README.md\n  ✓ done in 3.4 s\n"


def test_many_lines_of_a_call_are_counted() -> None:
    at = screen()
    ToolCall(at, "run_command", "\n".join(f"line {number}" for number in range(9))).begin()
    assert printed(at).splitlines()[-2:] == ["  line 6", "  … 2 more lines"]
    at = screen()
    ToolCall(at, "run_command", "\n".join(f"line {number}" for number in range(7))).begin()
    assert printed(at).splitlines()[-1] == "  line 6"


def test_a_denied_call_has_no_duration() -> None:
    at = screen()
    ToolCall(at, "write_file", "write x").end({"outcome": "denied", "error": "not \x1bthis"})
    assert printed(at) == "  ⊘ denied: not ␛this\n"


def test_the_newest_output_is_in_the_tail_cut_to_the_window_and_is_printed_at_the_end() -> None:
    at = screen(30, height=60)
    call = ToolCall(at, "run_command", "x")
    for number in range(30):
        call.progress({"delta": f"line {number} {'x' * 40}\n"})
    call.progress({"progress": 0.5, "message": "half\nway"})
    call.paint()
    rows = printed(at).splitlines()
    assert rows[0] == "  … Earlier output is not sh…"
    assert rows[1].startswith("  │ line 22 x")
    assert all(len(row) < 30 for row in rows)
    assert rows[-1] == "  50% half way"
    call.end({"outcome": "failed", "duration_ms": 5, "error": "exit 1"})
    text = printed(at)
    assert f"  │ line 10 {'x' * 40}\n" in text
    assert "line 9 " not in text
    assert text.endswith("  ✗ failed in 5 ms: exit 1\n")


def test_only_the_newest_characters_are_kept() -> None:
    at = screen(200, height=100)
    call = ToolCall(at, "run_command", "x")
    call.progress({"delta": "first"})
    call.progress({"delta": "x" * tool_call.OUTPUT_CHARS})
    call.end({"outcome": "done"})
    assert "first" not in printed(at)
    assert "Earlier output is not shown" in printed(at)
