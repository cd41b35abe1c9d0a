"""What MCP servers send: a bad byte in it costs no more than its place, a bad answer no more than its request."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from aster_sidecar.text.safe_text import sized
from aster_sidecar.tools.mcp.schemas import of_object

if TYPE_CHECKING:
    import httpx2
    from mcp.client._transport import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage
    from mcp.types import JSONRPCError, JSONRPCMessage, RequestId

MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest message of a server; one that sends more without an end is ended."""
TOO_LARGE = f"a message was larger than {sized(MESSAGE_BYTES)}"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

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


def messages_in(line: bytes) -> list[JSONRPCMessage]:
    """The messages in a line of a program's output; none, as in a line of a log, or several, as older servers send.

    An answer that can't be read is an error to the request that it belongs to.
    """
    from mcp.types import jsonrpc_message_adapter

    line = mended(line).removeprefix(_BYTE_ORDER_MARK)
    try:
        return [jsonrpc_message_adapter.validate_json(line, by_name=False)]
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
    try:
        told: Any = from_json(line)
    except ValueError:
        request_id = _answered(line.decode())
        return [] if request_id is None else [_unreadable(request_id, reason)]
    several = cast("list[Any]", told) if isinstance(told, list) else [told]
    return [message for one in several if (message := _salvaged(one)) is not None]


def _salvaged(told: Any) -> JSONRPCMessage | None:
    """What a server may have meant by JSON that is not a message as it stands; None when it is none at all."""
    from mcp.types import jsonrpc_message_adapter

    if not isinstance(told, dict):
        return None
    message = dict(cast("dict[str, Any]", told))
    if "jsonrpc" not in message and ("id" not in message or not {"result", "error"} & message.keys()):
        return None  # a line of a log
    if isinstance(told_id := message.get("id"), float) and told_id.is_integer():
        message["id"] = int(told_id)
    request_id: Any = message.get("id")
    if "method" not in message:
        message["jsonrpc"] = "2.0"
        if message.get("error") is not None:
            message["error"] = _error(message["error"])
    try:
        return jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValidationError as error:
        known = isinstance(request_id, int | str) and not isinstance(request_id, bool)
        return _unreadable(request_id, error.errors()[0]["msg"]) if known and "method" not in message else None


def _error(told: Any) -> dict[str, Any]:
    """An error with a code and words, whatever a server says of it."""
    from mcp.types import INTERNAL_ERROR

    given = cast("dict[str, Any]", told) if isinstance(told, dict) else {"message": told}
    code, words = given.get("code"), given.get("message")
    if not isinstance(code, int) or isinstance(code, bool):
        code = INTERNAL_ERROR
    if not isinstance(words, str):
        words = f"it failed, and says only: {to_json(told).decode()[:500]}"
    return {**given, "code": code, "message": words}


def _unreadable(request_id: RequestId, reason: str) -> JSONRPCError:
    from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError

    told = ErrorData(code=PARSE_ERROR, message=f"its answer can't be read: {reason[:200]}")
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=told)


def _answered(text: str) -> RequestId | None:
    """The id of the request that this answers, as far as that can be told of what is no JSON."""
    answer = _ANSWERS.search(text)
    if not text.lstrip().startswith("{") or answer is None or '"method"' in text[: answer.start()]:
        return None
    ids = _ID.findall(text[: answer.start()]) or _ID.findall(text)[-1:]
    return int(ids[0]) if ids else None


class Answers:
    """What was asked of a server, and its answers as the library takes them, which refuses each as a whole."""

    def __init__(self) -> None:
        self._asked: dict[RequestId, str] = {}
        self.left_out: dict[str, str] = {}
        """Why tools can't be offered, by their names."""

    def asked(self, message: JSONRPCMessage) -> None:
        """Note a message that goes to the server."""
        from mcp.types import JSONRPCNotification, JSONRPCRequest

        if isinstance(message, JSONRPCRequest):
            self._asked[message.id] = message.method
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self._asked.pop((message.params or {}).get("requestId"), None)  # type: ignore[arg-type]

    def taken(self, message: JSONRPCMessage) -> JSONRPCMessage:
        """A message of the server as the library gets it."""
        from mcp.types import JSONRPCError, JSONRPCResponse

        if isinstance(message, JSONRPCResponse):
            method = self._asked.pop(_number(message.id), None)
            mend = {"tools/list": self._listed, "tools/call": _called}.get(method or "")
            return message.model_copy(update={"result": mend(message.result)}) if mend else message
        if isinstance(message, JSONRPCError):
            if message.id is None and len(self._asked) == 1:  # it could not read the request, so not its id either
                return message.model_copy(update={"id": self._asked.popitem()[0]})
            if message.id is not None:
                self._asked.pop(_number(message.id), None)
        return message

    def _listed(self, result: dict[str, Any]) -> dict[str, Any]:
        """A list of the tools that can be understood, of each what is used of it."""
        tools: Any = result.get("tools")
        if not isinstance(tools, list):
            return result
        kept: list[dict[str, Any]] = []
        for tool in cast("list[Any]", tools):
            known = cast("dict[str, Any]", tool) if isinstance(tool, dict) else {}
            name = known.get("name")
            schema = of_object(known.get("inputSchema"))
            if not isinstance(name, str) or not name.strip():
                self.left_out[""] = "a tool must have a name"
            elif schema is None:
                self.left_out[name] = "its schema is not one of an object"
            else:
                # Not the schema of its results: what it returns is told as it is, and checked against nothing.
                words = {key: known[key] for key in ("title", "description") if isinstance(known.get(key), str)}
                kept.append({"name": name, **words, "inputSchema": schema})
        cursor = result.get("nextCursor")
        more = {"nextCursor": cursor} if isinstance(cursor, str) else {}
        return {key: value for key, value in result.items() if key != "nextCursor"} | {"tools": kept} | more


def _number(request_id: RequestId) -> RequestId:
    """The id that we gave: some servers make texts of numbers."""
    return int(request_id) if isinstance(request_id, str) and request_id.isdecimal() else request_id


_BLOCKS = frozenset(("text", "image", "audio", "resource", "resource_link"))


def _called(result: dict[str, Any]) -> dict[str, Any]:
    """A result of a call: without content it has none, and of content of another kind the name is told."""
    content: Any = result.get("content")
    if content is None and ("content" in result or "structuredContent" in result or not result):
        return {**result, "content": []}
    if not isinstance(content, list):
        return result
    blocks = [one if _is_known(one) else {"type": "text", "text": _told_of(one)} for one in cast("list[Any]", content)]
    return {**result, "content": blocks}


def _is_known(block: Any) -> bool:
    return isinstance(block, dict) and cast("dict[str, Any]", block).get("type") in _BLOCKS


def _told_of(block: Any) -> str:
    kind: Any = cast("dict[str, Any]", block).get("type") if isinstance(block, dict) else None
    if isinstance(block, str):
        return block
    return f"[content of an unknown kind: {kind[:64]}]" if isinstance(kind, str) else "[content of an unknown kind]"


class Reading:
    """The messages of a server, as `Answers` has them."""

    def __init__(self, stream: ReadStream[SessionMessage | Exception], answers: Answers) -> None:
        self._stream = stream
        self._answers = answers

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        return self._taken(await self._stream.receive())

    def __aiter__(self) -> Reading:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return self._taken(await self._stream.__anext__())

    def _taken(self, item: SessionMessage | Exception) -> SessionMessage | Exception:
        return item if isinstance(item, Exception) else replace(item, message=self._answers.taken(item.message))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(exc_type, exc_val, exc_tb)


class Writing:
    """The messages to a server, which `Answers` notes."""

    def __init__(self, stream: WriteStream[SessionMessage], answers: Answers) -> None:
        self._stream = stream
        self._answers = answers

    async def send(self, item: SessionMessage, /) -> None:
        self._answers.asked(item.message)
        await self._stream.send(item)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(exc_type, exc_val, exc_tb)


# -- over HTTP ---------------------------------------------------------------------------------------------------------


async def mend(response: httpx2.Response) -> None:
    """Have an answer over HTTP mended while it arrives, and ended when a message in it is too large."""
    import httpx2

    events = response.headers.get("content-type", "").lower().startswith("text/event-stream")
    failed = response.status_code >= 400

    class Mended(httpx2.AsyncByteStream):
        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncGenerator[bytes]:
            pending: list[bytes] = []
            size = 0
            async for chunk in self._stream:
                end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1 if events else 0
                if end:
                    yield _events(mended(b"".join((*pending, chunk[:end]))))
                    pending, size = [], 0
                pending.append(chunk[end:])
                size += len(chunk) - end
                if size > MESSAGE_BYTES:
                    raise (httpx2.SSEError if events else httpx2.StreamError)(TOO_LARGE)
            rest = mended(b"".join(pending))
            yield rest if events or failed else _as_message(rest)

        async def aclose(self) -> None:
            await self._stream.aclose()

    if "content-encoding" not in response.headers and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = Mended(response.stream)


def _events(lines: bytes) -> bytes:
    """Lines of an event stream. Data that is whole JSON and no message becomes one, as far as it can."""
    return b"".join(
        b"data: " + _as_message(line[5:].strip()) + b"\n" if line.startswith(b"data:") and _is_json(line[5:]) else line
        for line in lines.splitlines(keepends=True)
    )


def _is_json(data: bytes) -> bool:
    try:
        from_json(data)
    except ValueError:
        return False
    return True


def _as_message(data: bytes) -> bytes:
    """The one answer in what should be a message; `data` itself when it is one, or has none."""
    from mcp.types import JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter

    data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        jsonrpc_message_adapter.validate_json(data, by_name=False)
        return data
    except ValidationError:
        answers = [one for one in messages_in(data) if isinstance(one, JSONRPCResponse | JSONRPCError)]
    return answers[0].model_dump_json(by_alias=True, exclude_unset=True).encode() if answers else data
