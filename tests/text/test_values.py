"""Values from outside can be stored as JSON afterwards, and valid values stay unchanged."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from aster_sidecar.text.values import DEEPEST, INT_BITS, as_text, json_value, jsonable

HIGH = "\ud83d"


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
    assert json_value(value) == made
    assert type(json_value(value)) is type(made)
    json.dumps(json_value(value), allow_nan=False).encode()


def test_a_value_that_is_too_deep_ends_in_none() -> None:
    value: object = "deep"
    for _ in range(DEEPEST + 5):
        value = [value]
    found, depth = json_value(value), 0
    while isinstance(found, list):
        found, depth = found[0], depth + 1  # pyright: ignore[reportUnknownVariableType]
    assert (found, depth) == (None, DEEPEST)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\0", "a\ufffd"), (None, ""), (3, "3"), ({"a": [math.nan, "é"]}, '{"a": [null, "é"]}')],
)
def test_any_value_has_a_text(value: object, text: str) -> None:
    assert as_text(value) == text
