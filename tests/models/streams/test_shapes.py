"""Values are changed to the shape that an SDK needs, or left out; a value that fits stays the same object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aster_sidecar.models.streams.shapes import (
    GONE,
    LAST_PLACE,
    LATEST_S,
    MOST,
    Shape,
    fit,
    holds_nul,
    joined,
    readable,
    sound,
    split_half,
)


@pytest.mark.parametrize(
    ("kind", "value", "right"),
    [
        *(("text", value, value) for value in ("x", "", None)),
        *[("text", 5, "5"), ("text", True, "true"), ("text", [], GONE), ("text", float("nan"), GONE)],
        *(("count", value, value) for value in (0, 5, MOST, None)),
        *[("count", "5", 5), ("count", 5.4, 5), ("count", -1, GONE), ("count", True, GONE), ("count", MOST * 2, GONE)],
        *[("count", "many", GONE), ("count", float("inf"), GONE), ("count", "nan", GONE), ("count", {}, GONE)],
        *[("position", 3, 3), ("position", "3", 3), ("position", None, GONE), ("position", LAST_PLACE + 1, GONE)],
        *[("moment", 1_700_000_000, 1_700_000_000), ("moment", 1_700_000_000_000, 1_700_000_000)],
        *[("moment", "1700000000.5", 1_700_000_000), ("moment", -1, GONE), ("moment", "today", GONE)],
        *[("moment", LATEST_S * 10**6, LATEST_S), ("moment", None, None)],
        *[("arguments", '{"a":1}', '{"a":1}'), ("arguments", {"a": 1}, '{"a": 1}'), ("arguments", [], "{}")],
        *[("arguments", None, None), ("arguments", False, "{}")],
        *[("fields", {}, {}), ("fields", None, None), ("fields", [], GONE)],
        *[
            ("counts", {"tokens": 5}, {"tokens": 5}),
            ("counts", {"tokens": "5", "cost": 0.5}, {"tokens": 5, "cost": 0.5}),
        ],
        *[("counts", {"tokens": -1, "x": float("nan"), "y": []}, {}), ("counts", [], GONE), ("counts", None, None)],
        ("counts", {"tokens_details": {"cached_tokens": 1.0}}, {"tokens_details": {"cached_tokens": 1}}),
    ],
    ids=lambda value: "GONE" if value is GONE else repr(value),
)
def test_a_value_of_each_kind(kind: str, value: Any, right: Any) -> None:
    told = fit(value, kind)
    assert told is GONE if right is GONE else (told, type(told)) == (right, type(right))


def test_what_fits_is_the_same_object() -> None:
    shape: Shape = {"id": "text", "items": [{"n": "count"}], "usage": "counts", "made": "moment"}
    value = {"id": "x", "items": [{"n": 1}, {"n": 2, "more": [None]}], "usage": {"tokens": 5}, "made": 5, "other": {}}
    assert fit(value, shape) is value


def test_what_does_not_fit_is_changed_in_a_copy() -> None:
    shape: Shape = {"id": "text", "items": [{"n": "count"}]}
    value = {"id": 5, "items": [{"n": "1"}, None, "odd", {"n": "x"}], "other": 1}
    before = json.dumps(value)
    assert fit(value, shape) == {"id": "5", "items": [{"n": 1}, {}], "other": 1}
    assert json.dumps(value) == before
    assert fit({"id": []}, shape) == {}
    assert fit([], shape) is GONE
    assert fit({"n": 1}, [{"n": "count"}]) == [{"n": 1}], "an object counts as a list of one"


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        ({"token": "x", "logprob": -0.5}, True),
        ({"token": "x", "logprob": 0, "bytes": [1], "top_logprobs": [{"token": "y", "logprob": -1}]}, True),
        ({"token": "x"}, False),
        ({"token": "x", "logprob": "-1"}, False),
        ({"token": "x", "logprob": -0.5, "bytes": ["a"]}, False),
        ({"token": "x", "logprob": -0.5, "top_logprobs": [{}]}, False),
        ("x", False),
    ],
)
def test_log_probabilities_are_taken_whole_or_not_at_all(entry: Any, fits: bool) -> None:
    good = {"token": "x", "logprob": -0.5}
    value = [good, entry]
    assert (fit(value, "logprobs") is value) is fits
    assert fits or fit(value, "logprobs") is GONE


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("x", "x"),
        ("ü😀", "ü😀"),
        ("\ud83d\ude00", "😀"),
        ("a\ud83d", "a\ufffd"),
        ("\ude00b", "\ufffdb"),
        ("a\0b", "a\ufffdb"),
    ],
)
def test_surrogates_and_nul(text: str, right: str) -> None:
    assert joined(text) == right
    assert sound({text: [text, {"x": text}], "n": 1}) == {right: [right, {"x": right}], "n": 1}


def test_a_half_at_the_end_is_split_off() -> None:
    assert split_half("a\ud83d") == ("a", "\ud83d")
    assert split_half("a\ude00") == ("a\ude00", "")
    assert split_half("") == ("", "")


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ('{"a": "b"}', '{"a": "b"}'),
        ('{"a": "\\u00fc"}', '{"a": "\\u00fc"}'),
        ('{"a": "\\ud83d"}', '{"a": "\ufffd"}'),
        ('{"a": "\\u0000"}', '{"a": "\ufffd"}'),
        ('{"a": "\0', '{"a": "\ufffd'),
    ],
)
def test_arguments_can_be_read_by_others(arguments: str, right: str) -> None:
    assert readable(arguments) == right


def test_nul_is_found_at_any_depth() -> None:
    assert holds_nul({"a": [{"b\0": 1}]})
    assert holds_nul(["x", ["\0"]])
    assert not holds_nul({"a": [1, None, "x"]})
