"""Whatever comes from outside can be encoded, stored and sent afterwards, and valid values stay unchanged."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_sidecar.text.repair import (
    DEEPEST,
    INT_BITS,
    MOST,
    as_text,
    count,
    cut,
    jsonable,
    misnamed,
    plain,
    price,
    typed_path,
    whole,
    without_nul,
)

HIGH, LOW = "\ud83d", "\ude00"
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


# -- texts -------------------------------------------------------------------------------------------------------------


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
    assert whole(text) == repaired


@given(ANY_TEXT)
def test_every_text_can_be_encoded_afterwards(text: str) -> None:
    repaired = whole(text)
    assert "\0" not in repaired
    assert repaired.encode().decode() == repaired
    assert whole(repaired) is repaired


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


# -- values ------------------------------------------------------------------------------------------------------------


def test_a_value_is_what_json_would_bring_back() -> None:
    assert jsonable({1: (1, 2.5, None), "path": Path("/a"), "text": f"a\0{HIGH}"}) == {
        "1": [1, 2.5, None],
        "path": "/a",
        "text": "a\ufffd?",
    }


@dataclass
class Pair:
    one: object
    other: object


class Mute:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        (math.nan, None),
        (math.inf, None),
        (1 << INT_BITS, None),
        ((1 << INT_BITS) - 1, (1 << INT_BITS) - 1),
        ("a\0", "a\ufffd"),
        ({1: {"a"}, None: (1,)}, {"1": ["a"], "": [1]}),
        (b"\xff\xfe", "__4="),
        (Pair(HIGH, Pair(1, math.nan)), {"one": "\ufffd", "other": {"one": 1, "other": None}}),
        (Path("/a"), "/a"),
        (Mute(), "Mute"),
    ],
)
def test_a_plain_value_has_only_types_of_json(value: object, made: object) -> None:
    assert plain(value) == made
    assert type(plain(value)) is type(made)
    json.dumps(plain(value), allow_nan=False).encode()


def test_a_value_that_is_too_deep_ends_in_none() -> None:
    value: object = "deep"
    for _ in range(DEEPEST + 5):
        value = [value]
    found, depth = plain(value), 0
    while isinstance(found, list):
        found, depth = found[0], depth + 1  # pyright: ignore[reportUnknownVariableType]
    assert (found, depth) == (None, DEEPEST)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\0", "a\ufffd"), (None, ""), (3, "3"), ({"a": [math.nan, "é"]}, '{"a": [null, "é"]}')],
)
def test_any_value_has_a_text(value: object, text: str) -> None:
    assert as_text(value) == text


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3),
        ("3", 3),
        (2.6, 3),
        (True, 1),
        (MOST, MOST),
        (MOST + 1, 0),
        (-1, 0),
        (math.nan, 0),
        (math.inf, 0),
        ("many", 0),
        (None, 0),
        ([], 0),
        (10**400, 0),
    ],
)
def test_a_count_is_a_number_that_every_client_can_read(value: object, number: int) -> None:
    assert count(value) == number
    assert type(count(value)) is int


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (0, 0.0),
        ("0.25", 0.25),
        (1, 1.0),
        (True, None),
        (None, None),
        (-0.1, None),
        (math.nan, None),
        (math.inf, None),
        ("dear", None),
        (10**400, None),
        ({}, None),
    ],
)
def test_a_price_is_an_amount_or_none(value: object, amount: float | None) -> None:
    assert price(value) == amount


# -- paths -------------------------------------------------------------------------------------------------------------


def test_an_empty_path_on_a_command_line_is_refused() -> None:
    assert typed_path(".") == Path()
    with pytest.raises(argparse.ArgumentTypeError, match="the path is empty"):
        typed_path("")


@pytest.mark.parametrize("path", ["/home/ada/é", Path("a b"), "😀"])
def test_a_name_that_can_be_stored_needs_no_other(path: object) -> None:
    assert misnamed(path) is None


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a\udcff", "/a\\xff"),
        (b"/caf\xe9".decode("utf-8", "surrogateescape"), "/caf\\xe9"),
        (f"/a{HIGH}", "/a\\ud83d"),
        (f"/\udcff{HIGH}", "/\\udcff\\ud83d"),
        ("/a\0b", "/a\\0b"),
    ],
)
def test_a_name_that_can_not_be_stored_is_shown_escaped(path: str, shown: str) -> None:
    assert misnamed(path) == shown
    shown.encode()
