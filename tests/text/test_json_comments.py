"""JSON with comments and trailing commas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_sidecar.text.json_comments import JsonObject, parse_json_with_comments

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
BETWEEN = st.sampled_from(["", " ", "\n", "\t", '// it\'s "quoted", }\n', '/* , } " // */', "/**/", "/* a\n * b */ "])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, // one\n}', {"a": 1}),
        ("[1, 2, /* last */ ]", [1, 2]),
        ('{"a": {"b": [1,],},}', {"a": {"b": [1]}}),
        ('"// no comment"', "// no comment"),
        ('"/* no comment */"', "/* no comment */"),
        (r'["\"//", "\\", 1 // "', None),
        (r'["\"//", "\\"] // "', ['"//', "\\"]),
        ('{"url": "https://h/,]"}', {"url": "https://h/,]"}),
        ("// a\r\n1", 1),
        ("1 /* the comment's end */ // and another", 1),
        ("/* a */ /* b */ 1", 1),
        ('{"a": "b,}"}', {"a": "b,}"}),
    ],
)
def test_comments_and_trailing_commas_are_left_out(text: str, value: Any) -> None:
    if value is None:
        with pytest.raises(ValueError):
            parse_json_with_comments(text)
    else:
        assert parse_json_with_comments(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[,]", "line 1 column 2"),
        ("{,}", "line 1 column 2"),
        ("[1,,]", "line 1 column 4"),
        ('{"a":,}', "line 1 column 6"),
        (",]", "line 1 column 1"),
        ("{} ,", "line 1 column 4"),
        ('{"a": 1}\n/* open', "begins in line 2 has no end"),
        ('{\n  // two\n  "a": /* x */ b\n}', "line 3 column 16"),
        ("1 / 2", "line 1 column 3"),
        ("{'a': 1}", "line 1 column 2"),
        ("[NaN]", "NaN is not a JSON value"),
        ("[-Infinity]", "-Infinity is not a JSON value"),
        ('["a\nb"]', "Invalid control character"),
        ('"a', "Unterminated string"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "digits"),
        ("[1\u00a0]", "line 1 column 3"),
        ("", "line 1 column 1"),
    ],
)
def test_a_mistake_is_reported_where_it_is(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_json_with_comments(text)


def test_repeated_names_are_known_and_the_last_counts() -> None:
    made = parse_json_with_comments('{"a": 1, "b": {"c": 1}, "a": 2}')
    assert isinstance(made, JsonObject)
    assert (made, made.repeated, made["b"].repeated) == ({"a": 2, "b": {"c": 1}}, {"a"}, frozenset())


@given(JSON)
def test_plain_json_is_read_as_it_is(value: Any) -> None:
    for indent in (None, 1):
        assert parse_json_with_comments(json.dumps(value, indent=indent)) == value
    assert parse_json_with_comments(json.dumps(value, ensure_ascii=False)) == value


@given(JSON, st.data())
def test_comments_between_tokens_change_nothing(value: Any, data: st.DataObject) -> None:
    def written(value: Any) -> str:
        gap = data.draw(BETWEEN)
        comma = data.draw(st.sampled_from(["", ","])) + data.draw(BETWEEN)
        if isinstance(value, list):
            inner = ",".join(f"{gap}{written(one)}" for one in value)
            return f"[{inner}{comma if value else gap}]"
        if isinstance(value, dict):
            inner = ",".join(f"{json.dumps(key)}{gap}:{gap}{written(one)}" for key, one in value.items())
            return f"{gap}{{{inner}{comma if value else gap}}}"
        return json.dumps(value) + gap

    assert parse_json_with_comments(written(value)) == value


@given(st.text(alphabet='{}[]",:/*\\\n 1atrue') | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = parse_json_with_comments(text)
    except ValueError:
        return
    json.dumps(value)
