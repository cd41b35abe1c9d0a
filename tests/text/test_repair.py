"""Text from outside can be encoded, stored and sent afterwards, and valid text stays unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_sidecar.text.repair import cut, valid_text, without_nul

HIGH, LOW = "\ud83d", "\ude00"
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (HIGH + LOW, "😀"),
        (HIGH, "\ufffd"),
        (LOW + HIGH, "\ufffd\ufffd"),
        (f"a{HIGH}b", "a\ufffdb"),
        ("a\0b", "a\ufffdb"),
        (f"\0é{HIGH}", "\ufffdé\ufffd"),
    ],
)
def test_what_no_encoder_takes_is_replaced(text: str, repaired: str) -> None:
    assert valid_text(text) == repaired


@given(ANY_TEXT)
def test_every_text_can_be_encoded_afterwards(text: str) -> None:
    repaired = valid_text(text)
    assert "\0" not in repaired
    assert repaired.encode().decode() == repaired
    assert valid_text(repaired) is repaired


@given(st.recursive(ANY_TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3)))
def test_nul_goes_out_of_a_json_text_and_nothing_else_does(value: Any) -> None:
    text = json.dumps(value)
    cleaned = without_nul(text)
    assert json.dumps(json.loads(cleaned)).count("\\u0000") == json.dumps(json.loads(cleaned)).count("\\\\u0000")
    if "\0" not in str(value) and "\\u0000" not in text:
        assert cleaned is text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (r'"\u0000"', r'"\ufffd"'),
        (r'"\\u0000"', r'"\\u0000"'),  # a backslash, then letters
        (r'"\\\u0000"', r'"\\\ufffd"'),
        (r'"\u0000\u0000"', r'"\ufffd\ufffd"'),
    ],
)
def test_an_escaped_backslash_is_no_escape_of_nul(text: str, cleaned: str) -> None:
    assert without_nul(text) == cleaned
    json.loads(without_nul(text))


@pytest.mark.parametrize(
    ("text", "most", "shortened"),
    [
        ("", 0, ""),
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("e\u0301" * 3, 4, "e\u0301…"),
        ("👩\u200d👩\u200d👧" * 2, 6, "👩\u200d👩\u200d👧…"),
        ("🇩🇪🇫🇷", 3, "🇩🇪…"),
        ("🇩🇪🇫🇷", 4, "🇩🇪🇫🇷"),
        ("🇩🇪🇫🇷🇮🇹", 5, "🇩🇪🇫🇷…"),
    ],
)
def test_a_text_is_cut_between_letters(text: str, most: int, shortened: str) -> None:
    assert cut(text, most) == shortened


def test_a_cut_text_ends_with_the_mark_that_is_asked_for() -> None:
    assert cut("abcdef", 5, " [cut]"[:2]) == "abc ["
    assert cut("abcdef", 3, "") == "abc"


@given(ANY_TEXT, st.integers(1, 20))
def test_a_cut_text_is_never_longer(text: str, most: int) -> None:
    assert len(cut(text, most)) <= max(most, 1)
