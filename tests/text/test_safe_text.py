"""In a text about which a person decides, nothing is hidden, and no two texts look the same."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_sidecar.text.safe_text import BRIEF_CHARS, brief, counted, meant, shown, sized, still_visible, visible

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize("text", ["ls -la /tmp", "naïve café", "日本語", "😀", "e\u0301", "a\nb", "x = {1: '~'}"])
def test_a_plain_text_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u202eb", "a‹U+202E›b"),
        ("a\u200bb", "a‹U+200B›b"),
        ("\x1b[2J", "‹U+001B›[2J"),
        ("a\rb\tc", "a‹U+000D›b‹U+0009›c"),
        ("a\u00a0b", "a‹U+00A0›b"),
        ("a\u2028b", "a‹U+2028›b"),
        ("\ud83d", "‹U+D83D›"),
        ("\U000e0041", "‹U+E0041›"),
        ("\u3164", "‹U+3164›"),
        ("\u2800", "‹U+2800›"),
        ("\ue000", "‹U+E000›"),
        ("x\ufe0f", "x‹U+FE0F›"),
        ("‹U+202E›", "‹U+2039›U+202E›"),
        ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + "‹U+0301›" * 2),
    ],
)
def test_what_is_not_clearly_visible_is_escaped(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_letters_from_right_to_left_keep_their_place() -> None:
    assert visible("rm שלום /tmp") == "rm \u2066שלום\u2069 /tmp"
    assert meant("rm \u2066שלום\u2069 /tmp") == "rm שלום /tmp"


def test_a_second_line_can_be_escaped() -> None:
    assert visible("a\nb", newlines=False) == "a‹U+000A›b"
    assert shown(Path("/tmp/a\nb")) == "/tmp/a‹U+000A›b"


def test_every_character_is_shown_by_itself_or_as_its_number() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char == "\n":
            continue
        text = visible(char).strip("\u2066\u2069")
        if text == char:
            assert char.isprintable()
            assert unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn", "Cs")
        else:
            assert text == f"‹U+{code:04X}›"


@given(ANY_TEXT)
def test_the_text_can_be_had_back(text: str) -> None:
    for newlines in (True, False):
        assert meant(visible(text, newlines=newlines)) == text


@given(ANY_TEXT)
def test_what_was_shown_once_stays_as_it_is(text: str) -> None:
    assert still_visible(visible(text)) == visible(text)


def test_a_text_that_was_not_shown_yet_is_made_visible() -> None:
    assert still_visible("a\u202eb") == "a‹U+202E›b"
    assert still_visible("a\nb", newlines=False) == "a‹U+000A›b"


def test_a_path_is_named_from_the_nearest_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", str(tmp_path / "home")))
    work = tmp_path / "home" / "project"
    assert brief(work, work) == "the work folder"
    assert brief(work / "src" / "a.py", work) == "src/a.py"
    assert brief(tmp_path / "home" / "b", work) == "~/b"
    assert brief(tmp_path / "home", work) == str(tmp_path / "home")
    assert brief(Path("/etc/hosts"), work) == "/etc/hosts"
    long = brief(work / ("x" * 100) / "end.txt", work)
    assert long.startswith("…x")
    assert long.endswith("/end.txt")
    assert len(long) == BRIEF_CHARS + 1


@pytest.mark.parametrize(("many", "words"), [(0, "0 lines"), (1, "1 line"), (2, "2 lines"), (12_345, "12,345 lines")])
def test_a_number_of_things(many: int, words: str) -> None:
    assert counted(many, "line") == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (1048576, "1.0 MiB")],
)
def test_a_size(count: int, words: str) -> None:
    assert sized(count) == words
