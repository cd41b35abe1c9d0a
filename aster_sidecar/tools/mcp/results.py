"""What a call of an MCP server's tool reports and returns, in the daemon's own form and within its bounds."""

from __future__ import annotations

import json
import math
import time
from base64 import b64decode
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.media_types import HEAD_BYTES, is_image
from aster_sidecar.text.safe_text import sized, visible
from aster_sidecar.tools.base import CallContext, Image, Outcome, ToolError

if TYPE_CHECKING:
    from mcp.types import CallToolResult

RESULT_BYTES = 64 * 1024
ERROR_BYTES = 8192
IMAGES_MOST = 8
"""Images of a result that the model gets."""
OTHER_MOST = 32
"""Content blocks other than text that are named in a result."""
PROGRESS_AT_ONCE = 100
"""Progress notifications of a call that are all shown; of later ones, one in `PROGRESS_S` seconds."""
PROGRESS_S = 0.1


class Progress:
    """Passes a call's progress notifications on to `ctx`, not more than clients can take."""

    def __init__(self, ctx: CallContext) -> None:
        self._ctx = ctx
        self._left = PROGRESS_AT_ONCE
        self._shown_at = 0.0
        self.over = False
        """Set when the call has ended: later notifications are dropped."""

    async def tell(self, progress: float, total: float | None, message: str | None) -> None:
        """Show one notification: the share of `total`, from 0 to 1, and the message."""
        now = time.monotonic()
        if self.over or (self._left <= 0 and now - self._shown_at < PROGRESS_S):
            return
        self._left, self._shown_at = self._left - 1, now
        share = progress / total if total and total > 0 else None
        if share is not None:
            share = min(max(share, 0.0), 1.0) if math.isfinite(share) else None
        words = visible(message[:1000], newlines=False) if message else None
        if share is not None or words:
            await self._ctx.progress(words, progress=share)


def outcome(result: CallToolResult) -> Outcome:
    """A result as the model reads it: `text`, `structured` content, and the names of `other` blocks.

    Raises: ToolError when the server reports that the call failed.
    """
    texts: list[str] = []
    other: list[str] = []
    images: list[Image] = []
    for block in result.content:
        if block.type == "text":
            texts.append(block.text)
            continue
        if len(images) < IMAGES_MOST and (data := _image_in(block)) is not None:
            images.append(Image(f"image {len(images) + 1}", data))
        if len(other) < OTHER_MOST:
            other.append(_named(block))
    text = "\n".join(texts)
    if result.is_error:
        raise ToolError(shortened(text, ERROR_BYTES)[0] or "the server reports a failure, without a reason")
    value: dict[str, Any] = {}
    left, truncated = RESULT_BYTES - 2048, False
    if result.structured_content is not None:
        size = len(json.dumps(result.structured_content, ensure_ascii=False).encode("utf-8", "replace"))
        if size <= left:
            value["structured"] = result.structured_content
            left -= size
        else:
            truncated = True
            value["note"] = f"the structured result is left out: {sized(size)} is too much"
        with suppress(ValueError, RecursionError):
            if "structured" in value and parse_json(text) == result.structured_content:
                text = ""  # servers repeat the structured content as text, for clients that only read text
    if other:
        value["other"] = other
        left -= len(json.dumps(other).encode())
    if text or not value:
        value["text"], cut = shortened(text, max(left, 0))
        truncated = truncated or cut
    return Outcome(value, truncated, tuple(images))


def _image_in(block: Any) -> bytes | None:
    """The image in a block, if it is one that providers take."""
    inner = getattr(block, "resource", block)
    data = getattr(inner, "data", None) or getattr(inner, "blob", None)
    if not isinstance(data, str) or not str(getattr(inner, "mime_type", None)).startswith("image/"):
        return None
    try:
        content = b64decode(data, validate=True)
    except ValueError:
        return None
    return content if is_image(content[:HEAD_BYTES]) else None


def shortened(text: str, most: int) -> tuple[str, bool]:
    """The beginning of `text` that takes at most `most` bytes as JSON, and whether that is less than all of it."""
    size = len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
    if size <= most:
        return text, False
    kept = text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
    while kept and (size := len(json.dumps(kept, ensure_ascii=False).encode())) > most:
        kept = kept[: min(len(kept) - 1, len(kept) * most // size)]
    return kept, True


def _named(block: Any) -> str:
    """A block that is not text, by its kind, address, media type and size."""
    kind = {"resource_link": "link to a resource"}.get(block.type, str(block.type))
    inner = getattr(block, "resource", block)
    details = [str(detail) for name in ("uri", "mime_type") if (detail := getattr(inner, name, None))]
    data = getattr(inner, "data", None) or getattr(inner, "blob", None)
    if isinstance(data, str):
        details.append(sized(len(data) * 3 // 4))
    elif isinstance(text := getattr(inner, "text", None), str):
        details.append(sized(len(text.encode("utf-8", "replace"))))
    return visible(f"{kind} ({', '.join(details)})"[:300] if details else kind, newlines=False)
