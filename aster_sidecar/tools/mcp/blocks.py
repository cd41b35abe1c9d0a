"""Blocks of content in what an MCP server sends: a block of an unknown kind becomes a text."""

from __future__ import annotations

from typing import Any, cast

KINDS = frozenset(("text", "image", "audio", "resource", "resource_link"))


def usable_block(block: Any) -> Any:
    """The block itself, or a text in place of one whose kind is not known."""
    kind: Any = cast("dict[str, Any]", block).get("type") if isinstance(block, dict) else None
    if isinstance(kind, str) and kind in KINDS:
        return cast("dict[str, Any]", block)
    if isinstance(block, str):
        text = block
    else:
        text = f"[content of an unknown kind: {kind[:64]}]" if isinstance(kind, str) else "[content of an unknown kind]"
    return {"type": "text", "text": text}
