"""Changes the form of a request's messages for servers that need another form than pydantic-ai's."""

from __future__ import annotations

from typing import Any, cast

from aster_sidecar.models.request_context import MARK

THOUGHT = (f"{MARK}thought", f"{MARK}thought-end")
"""Tags around thinking without a signature, which pydantic-ai sends as text. `with_thoughts` finds it by these."""

Message = dict[str, Any]


def with_thoughts(messages: list[Any]) -> list[Any]:
    """Messages for `/messages` with unsigned thinking as thinking blocks, as the server sent it."""
    return [with_blocks(message) if is_from_model(message) else message for message in messages]


def is_from_model(message: Any) -> bool:
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
    """Items for `/responses` with explicit types: `message`, and `output_text` for the model's text."""
    return [typed(cast("Message", item)) if isinstance(item, dict) and "role" in item else item for item in items]


def typed(item: Message) -> Message:
    content = item.get("content")
    if item["role"] == "assistant" and isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    return {"type": "message", **item, "content": content}
