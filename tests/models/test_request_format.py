"""Messages in the form that a server requires."""

from __future__ import annotations

from typing import Any

import pytest

from aster_sidecar.models.request_format import THOUGHT, with_thoughts, with_types


def thinking(text: str) -> dict[str, Any]:
    """Unsigned thinking as pydantic-ai sends it: a text between two tags."""
    return {"type": "text", "text": f"{THOUGHT[0]}\n{text}\n{THOUGHT[1]}"}


@pytest.mark.parametrize("text", ["hm", "two\nlines", "", "ü😀"])
def test_unsigned_thinking_becomes_a_block_again(text: str) -> None:
    said = {"type": "text", "text": "said"}
    [told] = with_thoughts([{"role": "assistant", "content": [thinking(text), said]}])
    assert told == {"role": "assistant", "content": [{"type": "thinking", "thinking": text, "signature": ""}, said]}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [thinking("of a user")]},
        {"role": "assistant", "content": "text"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t"}, "odd", None, {"text": 5}]},
        "odd",
    ],
)
def test_other_messages_stay(message: Any) -> None:
    assert with_thoughts([message]) == [message]


def test_items_get_their_types() -> None:
    call = {"type": "function_call", "call_id": "c"}
    items = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, call, "mark"]
    assert with_types(items) == [
        {"type": "message", "role": "user", "content": "q"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        call,
        "mark",
    ]


def test_a_type_that_is_there_stays() -> None:
    item = {"type": "of.tomorrow", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
    assert with_types([item]) == [item]
