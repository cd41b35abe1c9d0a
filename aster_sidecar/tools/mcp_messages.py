"""What MCP servers send: a bad byte in it costs no more than its place, a bad answer no more than its request."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError
from pydantic_core import from_json

if TYPE_CHECKING:
    import httpx2
    from mcp.types import JSONRPCMessage, RequestId

_NO_TEXT = re.compile(
    r"""(?P<whole> \\\\ | \\u d[89ab][0-9a-f]{2} \\u d[c-f][0-9a-f]{2} )
      | \\u d[89a-f][0-9a-f]{2} | \\u 0000 | [\x00-\x08\x0b\x0c\x0e-\x1f]""",
    re.VERBOSE | re.IGNORECASE,
)
"""In JSON: half of a surrogate pair, NUL, and control characters as they are. What no provider and no store takes."""
_MAYBE_NO_TEXT = re.compile(rb"\\u(?:d[89a-f]|0000)|[\x00-\x08\x0b\x0c\x0e-\x1f]", re.IGNORECASE)
"""Without this in it a line of UTF-8 is text: looked for first, because messages may be megabytes."""
_ID = re.compile(r'"id"\s*:\s*"?(\d{1,18})["\s,}]')
"""The id of one of our requests: they are numbers, and some servers make strings of them."""
_ANSWERS = re.compile(r'"(?:result|error)"\s*:')


def mended(lines: bytes) -> bytes:
    """Lines of JSON with U+FFFD for what is no text in it: bytes that are not UTF-8, half surrogate pairs, NUL."""
    try:
        text = lines.decode()
        if _MAYBE_NO_TEXT.search(lines) is None:
            return lines
    except UnicodeDecodeError:
        text = lines.decode("utf-8", "replace")
    return _NO_TEXT.sub(lambda found: found["whole"] or "\\ufffd", text).encode()


def message_in(line: bytes) -> JSONRPCMessage | None:
    """The message in a line of a program's output; None when there is none in it, as in a line of a log.

    An answer that can't be read is an error to the request that it belongs to.
    """
    from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter

    line = mended(line)
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as error:
        request_id = _answered(line)
        if request_id is None:
            return None
        told = ErrorData(code=PARSE_ERROR, message=f"its answer can't be read: {error.errors()[0]['msg'][:200]}")
        return JSONRPCError(jsonrpc="2.0", id=request_id, error=told)


def _answered(line: bytes) -> RequestId | None:
    """The id of the request that this answers, as far as that can be told of what is no message."""
    try:
        told: Any = from_json(line)
    except ValueError:
        text = line.decode()
        answer = _ANSWERS.search(text)
        if not text.lstrip().startswith("{") or answer is None or '"method"' in text[: answer.start()]:
            return None
        ids = _ID.findall(text[: answer.start()]) or _ID.findall(text)[-1:]
        return int(ids[0]) if ids else None
    if not isinstance(told, dict) or "method" in told:
        return None
    request_id: Any = cast("dict[str, Any]", told).get("id")
    return request_id if isinstance(request_id, int | str) and not isinstance(request_id, bool) else None


async def mend(response: httpx2.Response) -> None:
    """Have the lines of an answer over HTTP mended while they arrive."""
    import httpx2

    class Mended(httpx2.AsyncByteStream):
        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncGenerator[bytes]:
            pending: list[bytes] = []
            async for chunk in self._stream:
                end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
                if end:
                    yield mended(b"".join((*pending, chunk[:end])))
                    pending = []
                pending.append(chunk[end:])
            yield mended(b"".join(pending))

        async def aclose(self) -> None:
            await self._stream.aclose()

    if "content-encoding" not in response.headers and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = Mended(response.stream)
