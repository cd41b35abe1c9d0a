"""What changed between an approved call and the same call now, in words."""

from __future__ import annotations

from typing import Any

import pytest

from aster_sidecar.conversation.binding_changes import changes


@pytest.mark.parametrize(
    ("approved", "now", "words"),
    [
        ({"command": "a"}, {"command": "b"}, ["the command"]),
        (
            {"content": "1", "cwd": "/a"},
            {"content": "2", "cwd": "/b"},
            ["what stands there", "the directory to run in"],
        ),
        ({"own_key": 1}, {}, ["own key"]),
        (
            {"scripts": {"a": "1", "b": "1", "d": "1"}},
            {"scripts": {"a": "2", "b": "1", "c\n": "1"}},
            ["the content of a, c\u2039U+000A\u203a, d"],
        ),
        ({"scripts": {"a": "1"}}, {"scripts": None}, ["the content of"]),
        ({"a": 1}, {"a": 1}, ["the call"]),
    ],
)
def test_each_part_that_changed_is_named(approved: dict[str, Any], now: dict[str, Any], words: list[str]) -> None:
    assert changes(approved, now) == words
