"""The messages of a request where a server wants them in another form than the one that pydantic-ai gives them."""

from __future__ import annotations

from typing import Any, cast

from aster_sidecar.models.request_context import MARK

THOUGHT = (f"{MARK}thought", f"{MARK}thought-end")
"""Around thinking that has no signature, which pydantic-ai sends as text: by these it is found again."""

Message = dict[str, Any]


def with_thoughts(messages: list[Any]) -> list[Any]:
    """Messages for `/messages` with unsigned thinking as thinking, which it was when the server sent it."""
    return [with_blocks(message) if said_by_model(message) else message for message in messages]


def said_by_model(message: Any) -> bool:
    return isinstance(message, dict) and cast("Message", message).get("role") == "assistant"


def with_blocks(message: Message) -> Message:
    content: Any = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [as_thought(block) for block in cast("list[Any]", content)]}


def as_thought(block: Any) -> Any:
    text: Any = cast("Message", block).get("text") if isinstance(block, dict) else None
    if not isinstance(text, str) or not text.startswith(THOUGHT[0]):
        return cast("Any", block)
    return {"type": "thinking", "thinking": text[len(THOUGHT[0]) + 1 : -len(THOUGHT[1]) - 1], "signature": ""}


def with_types(items: list[Any]) -> list[Any]:
    """Items for `/responses` that each say what they are: a message's `type`, and that the model's text is output."""
    return [typed(cast("Message", item)) if isinstance(item, dict) and "role" in item else item for item in items]


def typed(item: Message) -> Message:
    content = item.get("content")
    if item["role"] == "assistant" and isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    return {"type": "message", **item, "content": content}
