"""Repairs the messages of MCP servers: an invalid byte is replaced, and an invalid answer fails only its own request.

The MCP library would end the session, or wait for the answer until the call times out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from aster_sidecar.text.safe_text import sized
from aster_sidecar.tools.mcp import offered
from aster_sidecar.tools.mcp.blocks import usable_block
from aster_sidecar.tools.schemas import of_object

if TYPE_CHECKING:
    import httpx2
    from mcp.client._transport import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage
    from mcp.types import JSONRPCError, JSONRPCMessage, RequestId

log = logging.getLogger(__name__)

LATEST = "2026-07-28"
"""The first version of the protocol in which a session does not begin with `initialize`."""

MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest message of a server; a server that sends a larger one is ended."""
TOO_LARGE = f"a message was larger than {sized(MESSAGE_BYTES)}"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_INVALID = re.compile(
    r"""(?P<whole> \\\\ | \\u d[89ab][0-9a-f]{2} \\u d[c-f][0-9a-f]{2} )
      | \\u d[89a-f][0-9a-f]{2} | \\u 0000 | [\x00-\x08\x0b\x0c\x0e-\x1f]""",
    re.VERBOSE | re.IGNORECASE,
)
"""What JSON may hold but providers and the store refuse: half surrogate pairs, NUL, unescaped control characters."""
_MAYBE_INVALID = re.compile(rb"\\u(?:d[89a-f]|0000)|[\x00-\x08\x0b\x0c\x0e-\x1f]", re.IGNORECASE)
"""A line of UTF-8 without a match is valid. Checked first, because messages may be megabytes."""
_ID = re.compile(r'"id"\s*:\s*"?(\d{1,18})["\s,}]')
"""The id of one of our requests: a number, which some servers turn into a string."""
_ANSWERS = re.compile(r'"(?:result|error)"\s*:')


def repaired(lines: bytes) -> bytes:
    """Lines of JSON with U+FFFD for bytes that are not UTF-8, half surrogate pairs, NUL and control characters."""
    try:
        text = lines.decode()
        if _MAYBE_INVALID.search(lines) is None:
            return lines
    except UnicodeDecodeError:
        text = lines.decode("utf-8", "replace")
    return _INVALID.sub(lambda found: found["whole"] or "\\ufffd", text).encode()


def messages_in(line: bytes) -> list[JSONRPCMessage]:
    """The messages in a line of a program's output: none in a log line, several in a batch of an older server.

    For an answer that can't be read, an error for its request is returned.
    """
    from mcp.types import jsonrpc_message_adapter

    line = repaired(line).removeprefix(_BYTE_ORDER_MARK)
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
    """The message that a server probably meant by JSON that is not a valid one; None when it is no message."""
    from mcp.types import jsonrpc_message_adapter

    if not isinstance(told, dict):
        return None
    message = dict(cast("dict[str, Any]", told))
    if "jsonrpc" not in message and ("id" not in message or not {"result", "error"} & message.keys()):
        return None  # a log line
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
    """An error with a code and a message, whatever form the server gave it."""
    from mcp.types import INTERNAL_ERROR

    given = cast("dict[str, Any]", told) if isinstance(told, dict) else {"message": told}
    code, words = given.get("code"), given.get("message")
    if not isinstance(code, int) or isinstance(code, bool):
        code = INTERNAL_ERROR
    if not isinstance(words, str):
        words = f"it failed, and reports only: {to_json(told).decode()[:500]}"
    return {**given, "code": code, "message": words}


def _unreadable(request_id: RequestId, reason: str) -> JSONRPCError:
    from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError

    told = ErrorData(code=PARSE_ERROR, message=f"its answer can't be read: {reason[:200]}")
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=told)


def _answered(text: str) -> RequestId | None:
    """The id of the request that this broken JSON probably answers; None when it can't be found."""
    answer = _ANSWERS.search(text)
    if not text.lstrip().startswith("{") or answer is None or '"method"' in text[: answer.start()]:
        return None
    ids = _ID.findall(text[: answer.start()]) or _ID.findall(text)[-1:]
    return int(ids[0]) if ids else None


class Answers:
    """Remembers our requests to a server, and repairs its answers, which the library would refuse as a whole."""

    def __init__(self) -> None:
        self._asked: dict[RequestId, str] = {}
        self.left_out: dict[str, str] = {}
        """Why tools can't be offered, by the tools' names."""
        self._version = LATEST
        self._has_tasks = False
        """Whether the server has declared that tools can be called as tasks."""

    def asked(self, message: JSONRPCMessage) -> None:
        """Remember a message that is sent to the server."""
        from mcp.types import JSONRPCNotification, JSONRPCRequest

        if isinstance(message, JSONRPCRequest):
            self._asked[message.id] = message.method
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self._asked.pop((message.params or {}).get("requestId"), None)  # type: ignore[arg-type]

    def taken(self, message: JSONRPCMessage) -> JSONRPCMessage:
        """A message of the server, repaired."""
        from mcp.types import JSONRPCError, JSONRPCResponse

        if isinstance(message, JSONRPCResponse):
            method = self._asked.pop(_number(message.id), None)
            if method == "initialize":
                self._has_tasks = _declares_tasks(message.result)
                self._version = str(message.result.get("protocolVersion"))
            repair = self._listed if method == "tools/list" else REPAIRS.get(method or "")
            if message.result.get("resultType") == "input_required":
                repair = None  # it is not the result yet
            try:
                return message.model_copy(update={"result": repair(message.result)}) if repair else message
            except Exception as error:  # whatever is in an answer ends only its own request
                log.warning("an answer to %s can't be read", method, exc_info=error)
                return _unreadable(message.id, type(error).__name__)
        if isinstance(message, JSONRPCError):
            if message.id is None and len(self._asked) == 1:  # the server could not read the request, nor its id
                return message.model_copy(update={"id": self._asked.popitem()[0]})
            if message.id is not None:
                self._asked.pop(_number(message.id), None)
        return message

    def _listed(self, result: dict[str, Any]) -> dict[str, Any]:
        """The list of tools, with only the usable ones and the parts that are used."""
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
            elif self._has_tasks and _only_as_task(known):
                self.left_out[name] = "it can only be called as a task, which Aster does not support"
            else:
                # Without the schema of results: they are passed on as they are, unchecked.
                words = {key: known[key] for key in ("title", "description") if isinstance(known.get(key), str)}
                hints: Any = known.get("annotations")
                warns = isinstance(hints, dict) and cast("dict[str, Any]", hints).get("destructiveHint") is True
                annotations = {"annotations": {"destructiveHint": True}} if warns else {}
                one = {"name": name, **words, **annotations, "inputSchema": schema}
                if (wrong := self._refused(one, result)) is None:
                    kept.append(one)
                else:
                    self.left_out[name] = wrong
        cursor = result.get("nextCursor")
        more = {"nextCursor": cursor} if isinstance(cursor, str) else {}
        return {key: value for key, value in result.items() if key != "nextCursor"} | {"tools": kept} | more

    def _refused(self, tool: dict[str, Any], result: dict[str, Any]) -> str | None:
        """Why the library would refuse a list with this tool, and so all tools; None if it would not."""
        from mcp_types.methods import validate_server_result

        try:
            validate_server_result("tools/list", self._version, {**result, "tools": []})
        except (ValidationError, ValueError, KeyError):
            return None  # not because of this tool
        try:
            validate_server_result("tools/list", self._version, {**result, "tools": [tool]})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"] if part not in ("tools", 0))
            return f"its schema is not valid: {place}: {first['msg']}"[:300]
        return None


def _declares_tasks(result: dict[str, Any]) -> bool:
    """Whether a server's answer to `initialize` says that its tools can be called as tasks.

    Only protocol 2025-11-25 has such tasks. In 2026-07-28, which has no `initialize`, a server makes a call a task only
    for a client that has declared the extension for it, and `execution` has no meaning.
    """
    found: Any = result
    for key in ("capabilities", "tasks", "requests", "tools", "call"):
        found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
    return found is not None


def _only_as_task(tool: dict[str, Any]) -> bool:
    """Whether the server must refuse an ordinary call of this tool, if it supports tasks."""
    execution: Any = tool.get("execution")
    return isinstance(execution, dict) and cast("dict[str, Any]", execution).get("taskSupport") == "required"


def _number(request_id: RequestId) -> RequestId:
    """The id that we gave: some servers turn numbers into strings."""
    return int(request_id) if isinstance(request_id, str) and request_id.isdecimal() else request_id


def _called(result: dict[str, Any]) -> dict[str, Any]:
    """The result of a call: missing content becomes an empty list, and blocks of unknown kinds become text."""
    content: Any = result.get("content")
    if content is None and ("content" in result or "structuredContent" in result or not result):
        return {**result, "content": []}
    if not isinstance(content, list):
        return result
    return {**result, "content": [usable_block(one) for one in cast("list[Any]", content)]}


REPAIRS = {
    "tools/call": _called,
    "resources/list": offered.resources,
    "resources/read": offered.contents,
    "prompts/list": offered.prompts,
    "prompts/get": offered.messages,
}
"""What repairs the results of requests, besides that of `tools/list`."""


class Reading:
    """The stream of a server's messages, repaired by `Answers`."""

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
    """The stream of messages to a server, which `Answers` remembers."""

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


async def repair(response: httpx2.Response) -> None:
    """Repair an HTTP answer while it arrives, and end it when a message in it is too large."""
    import httpx2

    events = response.headers.get("content-type", "").lower().startswith("text/event-stream")
    failed = response.status_code >= 400

    class Repaired(httpx2.AsyncByteStream):
        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncGenerator[bytes]:
            pending: list[bytes] = []
            size = 0
            async for chunk in self._stream:
                end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1 if events else 0
                if end:
                    yield _events(repaired(b"".join((*pending, chunk[:end]))))
                    pending, size = [], 0
                pending.append(chunk[end:])
                size += len(chunk) - end
                if size > MESSAGE_BYTES:
                    raise (httpx2.SSEError if events else httpx2.StreamError)(TOO_LARGE)
            rest = repaired(b"".join(pending))
            yield rest if events or failed else _as_message(rest)

        async def aclose(self) -> None:
            await self._stream.aclose()

    if "content-encoding" not in response.headers and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = Repaired(response.stream)


def _events(lines: bytes) -> bytes:
    """Lines of an event stream. Data that is valid JSON but not a valid message is repaired if possible."""
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
    """The answer in `data` as a valid message; `data` itself when it is valid or has no answer."""
    from mcp.types import JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter

    data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        jsonrpc_message_adapter.validate_json(data, by_name=False)
        return data
    except ValidationError:
        answers = [one for one in messages_in(data) if isinstance(one, JSONRPCResponse | JSONRPCError)]
    return answers[0].model_dump_json(by_alias=True, exclude_unset=True).encode() if answers else data
