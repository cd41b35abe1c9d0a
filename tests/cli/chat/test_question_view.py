"""A question shows everything that will run."""

from __future__ import annotations

from typing import Any

from aster_sidecar.cli.chat.question_view import argument_lines, show_question
from tests.cli.chat.support import printed, screen

QUESTION: dict[str, Any] = {
    "name": "write_file",
    "risk": "medium",
    "summary": "Create a.txt (1 line)",
    "display": "write /work/a.txt (3 bytes, a new file)\nabc",
    "arguments": {"path": "a.txt", "content": "abc"},
    "remember": "write_file anywhere in /work",
    "reason": "this tool changes files",
}


def shown(**changes: object) -> list[str]:
    at = screen(100)
    show_question(at, {**QUESTION, **changes})
    return printed(at).splitlines()


def test_a_question_has_summary_display_reason_and_what_always_covers() -> None:
    assert shown() == [
        "? Create a.txt (1 line)  medium risk",
        "  ┃ write /work/a.txt (3 bytes, a new file)",
        "  ┃ abc",
        "  This tool changes files.",
        "  “Always allow” would cover: write_file anywhere in /work.",
    ]


def test_a_call_that_can_not_be_always_allowed_says_so_once() -> None:
    assert shown(remember=None)[-1] == "  This call can’t be always allowed."
    assert shown(remember=None, reason="it can't be always allowed")[-1] == "  It can't be always allowed."


SCOPES = [
    {"scope_id": "exact", "words": "write_file on /work/a.txt only"},
    {"scope_id": "folder", "words": "write_file anywhere in /work"},
]


def test_what_always_can_cover_is_numbered_where_there_is_a_choice() -> None:
    lines = [
        "  “Always” can cover one of these:",
        "   1  write_file on /work/a.txt only",
        "   2  write_file anywhere in /work",
    ]
    assert shown(scopes=SCOPES)[-3:] == lines
    assert shown(scopes=SCOPES, remember=None)[-3:] == lines
    assert shown(scopes=SCOPES[:1])[-1] == "  “Always allow” would cover: write_file on /work/a.txt only."
    assert shown(scopes=[])[-1] == shown(scopes=None)[-1] == shown()[-1]


def test_the_words_of_a_choice_hide_nothing_and_stay_on_their_line() -> None:
    hostile = {"scope_id": "exact", "words": "write_file\n   3  nothing\x1b[2J\u202e ‹U+202E›"}
    assert shown(scopes=[*SCOPES, hostile])[-1] == "   3  write_file‹U+000A›   3  nothing‹U+001B›[2J‹U+202E› ‹U+202E›"
    assert "\x1b" not in "".join(shown(scopes=[hostile]))


def test_arguments_that_the_display_leaves_out_are_shown() -> None:
    lines = shown(arguments={**QUESTION["arguments"], "mode": "append", "more": {"a": [1]}})
    at = lines.index("  mode: append")
    assert lines[at + 1 : at + 6] == ["  more: {", '        "a": [', "          1", "        ]", "      }"]
    assert argument_lines({"a\nb": "c\x1b"}, "") == ["  a‹U+000A›b: c‹U+001B›"]


def test_a_preview_is_coloured_and_replaces_the_arguments() -> None:
    at = screen(100, color_system="standard")
    preview = {"diff": "@@ -1 +1 @@\n-old\n+new", "truncated": False}
    display = "edit a.txt\n- not a diff line\n@@ -1 +1 @@\n-old\n+new"
    show_question(at, {**QUESTION, "display": display, "preview": preview})
    text = printed(at)
    assert "\x1b[32m  ┃ +new\x1b[0m" in text
    assert "\x1b[31m  ┃ -old\x1b[0m" in text
    assert "\n  ┃ - not a diff line\n" in text
    assert "path:" not in text


def test_a_change_that_is_too_long_is_shown_as_its_texts() -> None:
    at = screen(100)
    preview = {"diff": "@ line 1\n-a", "added": 1, "removed": 4321, "truncated": True}
    show_question(at, {**QUESTION, "display": "write a.txt (1 byte)\n+x", "preview": preview})
    text = printed(at)
    assert "\n  ┃ +x\n" in text
    assert "┃ -a" not in text
    assert "In all, 1 line added, 4,321 removed." in text
    assert "path:" not in text


def test_a_display_hides_nothing() -> None:
    assert "  ┃ ‹U+202E›txt.exe" in shown(display="\u202etxt.exe")
