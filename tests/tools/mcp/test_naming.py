"""The names of MCP servers' tools, and digests of JSON values."""

from __future__ import annotations

import pytest

from aster_sidecar.tools.mcp.naming import canonical, digest, shown_name, tool_names


def test_names_are_plain_and_never_shared() -> None:
    given = {"a": ["b_c"], "s": ["x.y", "x_y", "z" * 80, "ok"], "read": ["file"]}
    [of_a] = tool_names("a", given["a"], [*given, "a_b"], {"read_file"})
    given["a_b"] = ["c", of_a.removeprefix("a_b_")]
    named = {server: tool_names(server, tools, list(given), {"read_file"}) for server, tools in given.items()}
    names = [name for found in named.values() for name in found]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 64 and name.replace("-", "_").isidentifier() for name in names)
    assert named["a"] == [of_a], "a name must not depend on which servers have answered"
    assert named["s"][-1] == "s_ok"
    assert named["a_b"][0] == "a_b_c"
    assert "read_file" not in names
    assert tool_names("s", given["s"][::-1], list(given), ()) == named["s"][::-1]


def test_equal_values_have_one_text_and_one_digest() -> None:
    assert canonical({"b": 1, "a": ["é"]}) == canonical({"a": ["é"], "b": 1}) == '{"a":["é"],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) != digest({"a": 1, "b": 2})


@pytest.mark.parametrize("value", [float("nan"), {"a": float("inf")}, "\ud800"])
def test_what_json_cannot_hold_has_no_text(value: object) -> None:
    with pytest.raises(ValueError):
        canonical(value)


def test_a_shown_name_is_short_and_on_one_line() -> None:
    assert shown_name("a\nb") == "a‹U+000A›b"
    assert len(shown_name("x" * 1000)) == 128
