"""What a call of an MCP server's tool reports and returns, in the daemon's own form and within its bounds."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.safe_text import sized, visible
from aster_sidecar.tools.base import CallContext, File, Outcome, ToolError
from aster_sidecar.tools.mcp.files import Files

if TYPE_CHECKING:
    from mcp.types import CallToolResult, ContentBlock

RESULT_BYTES = 64 * 1024
ERROR_BYTES = 8192
FILE_LINE_BYTES = 512
"""Room for the line that names a file in the result."""
WHOLE = "result.txt"
"""The file with the whole text, if the model gets only a part of it."""
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
    """A result as the model reads it: `text` and `structured` content, and the files that belong to it.

    Texts, text resources and links stay in their order in `text`, and each file has a mark there. Of a text that is
    too long, the beginning and the end are kept, and the whole text becomes a file. An annotation of a block, such as
    its audience, is a hint, and no block is left out for it.

    Raises: ToolError when the server reports that the call failed.
    """
    structured, repeated = _once(result.structured_content, result.content)
    files = Files()
    pieces = [piece for n, block in enumerate(result.content) if (piece := files.text_of(block)) and n not in repeated]
    pieces = [files.marked(piece) for piece in pieces]
    structured = files.marked_in(structured)
    written = _json(structured) if structured is not None else ""
    if result.is_error:
        text = "\n".join([*pieces, written] if written else pieces)
        error = _bounded(text, ERROR_BYTES, files) or "the server reports a failure, without a reason"
        raise ToolError(error, tuple(files.kept))
    left = RESULT_BYTES - 2048 - FILE_LINE_BYTES * (len(files.kept) + 1)
    size = _size(written)
    text = "\n".join(pieces)
    if size > left // 2 and size + _json_size(text) > left:
        structured, size = None, 0
        text = "\n".join((*pieces, written))
    value: dict[str, Any] = {} if structured is None else {"structured": structured}
    truncated = False
    if text or not value:
        value["text"] = _bounded(text, left - size, files)
        truncated = value["text"] != text
    return Outcome(value, truncated, tuple(files.kept))


# -- each text once ----------------------------------------------------------------------------------------------------


def _once(structured: Any, content: Sequence[ContentBlock]) -> tuple[Any, frozenset[int]]:
    """Structured content, None if it only repeats the blocks; and the places of text blocks that it repeats.

    Servers send the same twice, for clients that read only one of both: the structured value as JSON in a text block,
    a text in an object with one key, or the blocks themselves in a list. The plain text is kept rather than an object
    around it, and the object rather than its JSON as text.
    """
    if structured is None:
        return None, frozenset()
    fields = _fields(structured)
    inner: Any = fields[0] if len(fields) == 1 else structured
    texts = {n: block.text for n, block in enumerate(content) if block.type == "text"}
    if isinstance(inner, list) and inner and len(cast("list[Any]", inner)) == len(content):
        pairs = list(zip(cast("list[Any]", inner), content, strict=True))
        if all(_is_block(item, block) for item, block in pairs):
            return None, frozenset()
        if all(_is_block(item, block) or _is_json(item, block) for item, block in pairs):
            return structured, frozenset(texts)
    if isinstance(inner, dict) and any(_is_block(inner, block) for block in content):
        return None, frozenset()
    joined = [between.join(texts.values()) for between in ("\n", "", "\n\n")]
    if isinstance(inner, str) and any(_has(text, inner) for text in (*joined, *texts.values())):
        return None, frozenset()
    told: list[Any] = [structured, inner, *(field for field in fields if isinstance(field, dict | list) and field)]
    if texts and _tells_one(joined[0], told):
        return structured, frozenset(texts)
    strings = [field for field in fields if isinstance(field, str)]
    return structured, frozenset(
        n for n, text in texts.items() if any(_has(string, text) for string in strings) or _tells_one(text, told)
    )


def _fields(value: Any) -> list[Any]:
    """The values in an object; none of another value."""
    return list(cast("dict[str, Any]", value).values()) if isinstance(value, dict) else []


def _is_block(item: Any, block: ContentBlock) -> bool:
    """Whether an item of structured content is this block: its text, or the complete block."""
    if isinstance(item, str):
        return block.type == "text" and _has(block.text, item)
    if not isinstance(item, dict):
        return False
    return _same(_without_null(item), block.model_dump(mode="json", by_alias=True, exclude_none=True))


def _is_json(item: Any, block: ContentBlock) -> bool:
    return block.type == "text" and _tells_one(block.text, (item,))


def _has(text: str, part: str) -> bool:
    """Whether a text is another one, perhaps with spaces and line ends around it."""
    return text == part or (part in text and text.strip() == part.strip())


def _tells_one(text: str, values: Iterable[Any]) -> bool:
    """Whether a text is the JSON of one of these values."""
    try:
        told = parse_json(text)
    except ValueError:
        return False
    return any(_same(told, value) for value in values)


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal. (In Python, `True` equals 1.)"""
    if one != other:
        return False
    if isinstance(one, dict):
        return all(_same(inner, other[key]) for key, inner in cast("dict[str, Any]", one).items())
    if isinstance(one, list):
        return all(_same(*pair) for pair in zip(cast("list[Any]", one), other, strict=True))
    return isinstance(one, bool) == isinstance(other, bool)


def _without_null(value: Any) -> Any:
    """A value without the keys whose value is null: servers write those of a block, or leave them out."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _without_null(inner) for key, inner in items if inner is not None}
    return [_without_null(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


# -- bounds ------------------------------------------------------------------------------------------------------------


def _bounded(text: str, most: int, files: Files) -> str:
    """The text, or of a longer one than `most` bytes of JSON its beginning and its end; then it becomes a file."""
    if _json_size(text) <= most:
        return text
    files.kept.append(File(WHOLE, text.encode("utf-8", "replace"), "text/plain"))
    room = most - 200  # for the line between them
    beginning = shortened(text, room * 3 // 4)
    end = shortened(text[-most:][::-1], room // 4)[::-1]
    omitted = sized(_size(text) - _size(beginning) - _size(end))
    return f"{beginning}\n[... {omitted} are left out here; the attachment {WHOLE} has the whole text ...]\n{end}"


def shortened(text: str, most: int) -> str:
    """The beginning of `text` that takes at most `most` bytes as JSON."""
    if _json_size(text) <= most:
        return text
    kept = text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
    while kept and (size := _json_size(kept)) > most:
        kept = kept[: min(len(kept) - 1, len(kept) * most // size)]
    return kept


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json_size(value: Any) -> int:
    return _size(_json(value))


def _size(text: str) -> int:
    """The bytes of a text."""
    return len(text.encode("utf-8", "replace"))
