"""The provider double's wire formats: what a scripted reply or fault looks like in each provider protocol."""

from __future__ import annotations

import functools
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast, overload

Protocol: TypeAlias = Literal["responses", "chat", "anthropic", "google"]
FaultKind: TypeAlias = Literal[
    "status", "hang", "reset", "cut", "malformed", "stall", "truncate", "error_event", "failed_event"
]
PATHS: dict[str, Protocol] = {
    "/v1/responses": "responses",
    "/v1/chat/completions": "chat",
    "/v1/messages": "anthropic",
}
GOOGLES = ":streamGenerateContent"
"""The end of the path for a model of Google's; the model's name comes before it."""
STREAMED_KINDS = ("cut", "malformed", "stall", "truncate", "error_event", "failed_event")
# What a stream is made of: bytes are an event to send; a float says that a delta follows, and how many seconds to wait
# before it. The delta's text is requested only after that wait, so that it can contain the time at which it is sent.
Frame: TypeAlias = bytes | float
Json: TypeAlias = dict[str, Any]


ROLES = {"user": "user", "model": "assistant"}


def protocol_of(path: str) -> Protocol | None:
    """The protocol of a path; None for a path that does not ask a model."""
    return "google" if path.endswith(GOOGLES) else PATHS.get(path)


def split(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


def make_id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


@dataclass
class Say:
    """Answer text, `chunk` code points per delta unless `deltas` are given."""

    text: str = ""
    chunk: int = 4
    delay_s: float = 0.0
    deltas: Sequence[str] | None = None

    def pieces(self) -> Sequence[str]:
        return split(self.text, self.chunk) if self.deltas is None else self.deltas


@dataclass
class Think:
    """Reasoning: a reasoning item with a summary, `chat_field` deltas, or a signed thinking block."""

    text: str = ""
    chunk: int = 4
    delay_s: float = 0.0
    deltas: Sequence[str] | None = None
    signature: str | None = None
    chat_field: str = "reasoning_content"

    def pieces(self) -> Sequence[str]:
        return split(self.text, self.chunk) if self.deltas is None else self.deltas


@dataclass
class Call:
    """A tool call. `arguments` given as text are sent unchanged, so they may be invalid JSON (when streamed)."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict[str, Any])
    call_id: str | None = None
    chunk: int = 8
    delay_s: float = 0.0

    def json_text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else compact(self.arguments)

    def pieces(self) -> Sequence[str]:
        return split(self.json_text(), self.chunk)


Part: TypeAlias = Say | Think | Call


@dataclass
class Reply:
    """A complete answer. Token counts include cached and reasoning tokens.

    `finish` is stop, length, tool_call, content_filter, or any other text, which is sent unchanged. Default: from the
    parts.
    """

    parts: Sequence[Part]
    input_tokens: int = 10
    output_tokens: int = 5
    finish: str | None = None
    wait_before_s: float = 0.0
    gate: threading.Event | None = None  # the stream stops before its last delta (or delta `gate_at`) until this is set
    gate_at: int | None = None
    flush_each: bool = False  # send each delta separately even without a delay
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    usage: bool = True  # whether usage is reported

    def delta_count(self) -> int:
        return sum(len(part.pieces()) for part in self.parts)

    def finish_reason(self) -> str:
        return self.finish or ("tool_call" if any(isinstance(part, Call) for part in self.parts) else "stop")


@dataclass
class Fault:
    """A failure: an error response, or another `kind` of failure.

    An error response has `status` and/or `code`, and the provider's own body unless `body` is given. The streamed kinds
    first send `after` deltas of `reply`.
    """

    status: int | None = None
    body: Json | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    kind: FaultKind = "status"
    code: str | None = None  # a key of ERRORS
    message: str | None = None
    reply: Reply = field(default_factory=lambda: Reply([Say("A partial answer.")]))
    after: int = 2

    def __post_init__(self) -> None:
        if self.kind == "status" and self.status is None and self.code is None:
            raise ValueError("a Fault needs a status, a code or a kind")
        if self.code is not None and self.code not in ERRORS:
            raise ValueError(f"unknown error code {self.code!r}, not one of {', '.join(ERRORS)}")
        if self.kind in STREAMED_KINDS and not 0 <= self.after < (count := self.reply.delta_count()):
            raise ValueError(f"after={self.after} is not less than the {count} deltas of the reply")


class _Stamps(Sequence[str]):
    """Deltas whose text is the time (perf_counter_ns) at which each was requested, that is, sent."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if index >= self._count:
            raise IndexError(index)
        return f"{time.perf_counter_ns()} "


@functools.lru_cache(maxsize=64)
def _tokens(count: int) -> tuple[str, ...]:
    return tuple(f"tok{i} " for i in range(count))


def bench_reply(model: str) -> Reply | None:
    """The reply for a model name such as `bench-5000-20` or `bench-ts-5000-20` (count, delay in ms)."""
    if (match := re.fullmatch(r"bench-(ts-)?(\d+)-(\d+(?:\.\d+)?)", model)) is None:
        return None
    stamped, count, delay_s = bool(match[1]), int(match[2]), float(match[3]) / 1000
    say = Say(deltas=_Stamps(count) if stamped else _tokens(count), delay_s=delay_s)
    return Reply([say], output_tokens=count, flush_each=stamped)


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode(value: object) -> bytes:
    try:
        return compact(value).encode()
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value, separators=(",", ":")).encode()


# --- requests ---


@dataclass
class RecordedRequest:
    """A request as it arrived. The text helpers read the body of whichever protocol it is in."""

    path: str
    headers: dict[str, str]  # lower-case names
    body: dict[str, Any]
    received_monotonic: float
    protocol: Protocol | None  # None: not a request for an answer (a model list, an unknown path)
    outcome: Literal["running", "complete", "fault", "aborted", "stopped"] = "running"
    at_gate: threading.Event = field(default_factory=threading.Event, repr=False)  # set when it waits at the gate
    finished: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def streamed(self) -> bool:
        return bool(self.body.get("stream")) or self.protocol == "google"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation as sent: chat or Anthropic messages, Responses input items, or Google's contents."""
        if self.protocol == "google":
            contents = cast(list[dict[str, Any]], self.body.get("contents") or [])
            return [{"role": ROLES[one["role"]], "content": one["parts"]} for one in contents]
        sent: Any = self.body.get("input" if self.protocol == "responses" else "messages") or []
        return [{"role": "user", "content": sent}] if isinstance(sent, str) else cast(list[dict[str, Any]], sent)

    @property
    def last_user_text(self) -> str:
        """The text of the last user message with a text (a message that has only tool results has none)."""
        for message in reversed(self.messages):
            if message.get("role") == "user" and (text := _text(message.get("content"))):
                return text
        return ""

    @property
    def system_text(self) -> str:
        """All instructions: the body's own field, and the system and developer messages, one per line."""
        texts = [_text(self.body.get("instructions" if self.protocol == "responses" else "system"))]
        texts.append(_text(self.body.get("systemInstruction", {}).get("parts")))
        texts += [_text(item.get("content")) for item in self.messages if item.get("role") in ("system", "developer")]
        return "\n".join(text for text in texts if text)

    @property
    def tool_results(self) -> list[tuple[str, str]]:
        """(call id, text) of every tool result in the conversation, in order."""
        return [result for message in self.messages for result in _tool_results(message)]

    @property
    def new_tool_results(self) -> list[tuple[str, str]]:
        """The tool results after the model's last turn."""
        results: list[tuple[str, str]] = []
        for message in reversed(self.messages):
            if message.get("role") == "assistant" or message.get("type") in ("function_call", "reasoning"):
                break
            results[:0] = _tool_results(message)
        return results

    @property
    def tool_names(self) -> list[str]:
        tools = cast(list[dict[str, Any]], self.body.get("tools") or [])
        if self.protocol == "google":
            tools = [declared for tool in tools for declared in tool.get("functionDeclarations", ())]
        return [str(tool.get("function", tool).get("name", tool.get("type"))) for tool in tools]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast(list[Any], content) if isinstance(content, list) else []
    return "".join(part if isinstance(part, str) else str(part.get("text") or "") for part in parts)


def _tool_results(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if message.get("type") == "function_call_output":
        yield str(message["call_id"]), _text(message.get("output"))
    elif message.get("role") == "tool":
        yield str(message["tool_call_id"]), _text(message.get("content"))
    elif isinstance(content := message.get("content"), list):
        for block in cast(list[Any], content):
            if isinstance(block, dict) and (result := cast(dict[str, Any], block)).get("type") == "tool_result":
                yield str(result["tool_use_id"]), _text(result.get("content"))
            elif isinstance(block, dict) and isinstance(
                told := cast(dict[str, Any], block).get("functionResponse"), dict
            ):
                yield str(told.get("id")), str(told.get("response"))


# --- errors ---

# code -> (status, type, code, message) from OpenAI, and (status, type, message) from Anthropic
ERRORS: dict[str, tuple[tuple[int, str, str | None, str], tuple[int, str, str]]] = {
    "invalid_request": (
        (400, "invalid_request_error", "invalid_value", "Invalid value in the request."),
        (400, "invalid_request_error", "messages: Input should be a valid list"),
    ),
    "context_length_exceeded": (
        (
            400,
            "invalid_request_error",
            "context_length_exceeded",
            "Your input exceeds the context window of this model.",
        ),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    ),
    "invalid_api_key": (
        (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-double****."),
        (401, "authentication_error", "invalid x-api-key"),
    ),
    "permission_denied": (
        (403, "invalid_request_error", None, "You have insufficient permissions for this operation."),
        (403, "permission_error", "Your API key does not have permission to use the specified resource."),
    ),
    "model_not_found": (
        (
            404,
            "invalid_request_error",
            "model_not_found",
            "The model `{model}` does not exist or you lack access to it.",
        ),
        (404, "not_found_error", "model: {model}"),
    ),
    "request_too_large": (
        (413, "invalid_request_error", None, "Request body is too large."),
        (413, "request_too_large", "Request exceeds the maximum size"),
    ),
    "rate_limit_exceeded": (
        (429, "tokens", "rate_limit_exceeded", "Rate limit reached for {model}. Please try again in 1.4s."),
        (429, "rate_limit_error", "This request would exceed your organization's rate limit."),
    ),
    "insufficient_quota": (
        (
            429,
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota, check your plan and billing.",
        ),
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
    ),
    "server_error": (
        (500, "server_error", None, "The server had an error while processing your request. Sorry about that!"),
        (500, "api_error", "Internal server error"),
    ),
    "overloaded": (
        (503, "service_unavailable_error", "server_is_overloaded", "Our servers are currently overloaded."),
        (529, "overloaded_error", "Overloaded"),
    ),
}
_CODE_FOR_STATUS = {
    400: "invalid_request",
    401: "invalid_api_key",
    403: "permission_denied",
    404: "model_not_found",
    413: "request_too_large",
    429: "rate_limit_exceeded",
    500: "server_error",
    503: "overloaded",
    529: "overloaded",
}


def error_answer(protocol: Protocol, fault: Fault, model: str) -> tuple[int, Json]:
    """The status and body with which the provider reports the failure outside a stream."""
    code = fault.code or _CODE_FOR_STATUS.get(fault.status or 500)
    if code is None:  # a status without its own body, such as a gateway's 502
        generic = "server_error" if (fault.status or 500) >= 500 else "invalid_request_error"
        openai, anthropic = (500, generic, None, "Bad gateway"), (500, "api_error", "Bad gateway")
    else:
        openai, anthropic = ERRORS[code]
    if protocol == "anthropic":
        status, kind, message = anthropic
        error: Json = {"type": kind, "message": fault.message or message.format(model=model)}
        return fault.status or status, {"type": "error", "error": error, "request_id": make_id("req_")}
    status, kind, openai_code, message = openai
    error = {"message": fault.message or message.format(model=model), "type": kind, "param": None, "code": openai_code}
    return fault.status or status, {"error": error}


# --- the protocols ---


class Wire:
    """One answer in one protocol. `frames()` streams it; `whole()` is the body when it is not streamed."""

    protocol: Protocol

    def __init__(self, reply: Reply, body: Json) -> None:
        self.reply = reply
        self.body = body
        self.model = str(body.get("model", "unknown"))

    def frames(self) -> Iterator[Frame]:
        raise NotImplementedError

    def whole(self) -> Json:
        raise NotImplementedError

    def error_event(self, fault: Fault) -> bytes:
        """The error as this provider reports it inside a stream."""
        raise NotImplementedError

    def malformed(self) -> bytes:
        """An event whose JSON breaks off."""
        raise NotImplementedError

    def _usage_details(self) -> tuple[Json, Json]:
        reply = self.reply
        cached = {"cached_tokens": reply.cache_read_tokens, "cache_write_tokens": reply.cache_write_tokens}
        return cached, {"reasoning_tokens": reply.reasoning_tokens}


def _deltas(part: Part, head: bytes, tail: bytes, sent: list[str]) -> Iterator[Frame]:
    """The part's deltas, each with the JSON of its text between `head` and `tail`. Adds each text to `sent`."""
    pieces, delay_s = part.pieces(), part.delay_s
    for index in range(len(pieces)):
        yield delay_s
        sent.append(piece := pieces[index])
        yield head + encode(piece) + tail


class ResponsesWire(Wire):
    """OpenAI Responses: output items, each with its own added and done events, and all events numbered."""

    protocol = "responses"

    def __init__(self, reply: Reply, body: Json) -> None:
        super().__init__(reply, body)
        self.response_id = make_id("resp_")
        self.created_s = int(time.time())
        self.sequence = -1
        self.reveals_reasoning = "reasoning.encrypted_content" in (body.get("include") or [])

    def _event(self, kind: str, **fields: Any) -> bytes:
        self.sequence += 1
        data = {"type": kind, "sequence_number": self.sequence, **fields}
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode(data))

    def _response(self, status: str, output: list[Json], error: Json | None = None) -> Json:
        reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(self.reply.finish_reason())
        incomplete = {"reason": reason} if status == "incomplete" else None
        usage: Json | None = None
        if status in ("completed", "incomplete") and self.reply.usage:
            input_details, output_details = self._usage_details()
            usage = {
                "input_tokens": self.reply.input_tokens,
                "input_tokens_details": input_details,
                "output_tokens": self.reply.output_tokens,
                "output_tokens_details": output_details,
                "total_tokens": self.reply.input_tokens + self.reply.output_tokens,
            }
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self.created_s,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": incomplete,
            "instructions": self.body.get("instructions"),
            "max_output_tokens": self.body.get("max_output_tokens"),
            "model": self.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": self.body.get("previous_response_id"),
            "reasoning": {"effort": None, "summary": None},
            "store": self.body.get("store", True),
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": self.body.get("tool_choice", "auto"),
            "tools": self.body.get("tools", []),
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": usage,
            "user": None,
            "metadata": {},
        }

    def _final_status(self) -> str:
        return "incomplete" if self.reply.finish_reason() in ("length", "content_filter") else "completed"

    def _item(self, part: Part, item_id: str, text: str) -> Json:
        if isinstance(part, Say):
            content: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
            return {
                "id": item_id,
                "type": "message",
                "status": "completed",
                "content": [content],
                "role": "assistant",
            }
        if isinstance(part, Think):
            item: Json = {"id": item_id, "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
            if self.reveals_reasoning:
                item["encrypted_content"] = part.signature or make_id("gAAAA")
            return item
        return {
            "id": item_id,
            "type": "function_call",
            "status": "completed",
            "arguments": text,
            "call_id": part.call_id or make_id("call_"),
            "name": part.name,
        }

    @staticmethod
    def _item_id(part: Part) -> str:
        return make_id({Say: "msg_", Think: "rs_", Call: "fc_"}[type(part)])

    def _part_frames(self, part: Part, index: int, output: list[Json]) -> Iterator[Frame]:
        item_id = self._item_id(part)
        where = {"item_id": item_id, "output_index": index}
        final = self._item(part, item_id, "")
        blank: dict[type[Part], Json] = {
            Say: {"status": "in_progress", "content": []},
            Think: {"summary": []},
            Call: {"status": "in_progress"},
        }
        yield self._event("response.output_item.added", output_index=index, item={**final, **blank[type(part)]})
        content: Json = {}
        if isinstance(part, Say):
            where["content_index"] = 0
            delta_kind, content = "response.output_text", final["content"][0]
            yield self._event("response.content_part.added", **where, part=dict(content))
        elif isinstance(part, Think):
            where["summary_index"] = 0
            delta_kind, content = "response.reasoning_summary_text", final["summary"][0]
            yield self._event("response.reasoning_summary_part.added", **where, part=dict(content))
        else:
            delta_kind = "response.function_call_arguments"
        sent: list[str] = []
        extra = b',"logprobs":[]' if isinstance(part, Say) else b""
        head = b'event: %b.delta\ndata: {"type":"%b.delta","sequence_number":' % ((delta_kind.encode(),) * 2)
        middle = b",%b" % encode(where)[1:-1] + b',"delta":'
        for frame in _deltas(part, b"", extra + b"}\n\n", sent):
            if isinstance(frame, bytes):
                self.sequence += 1
                yield head + b"%d" % self.sequence + middle + frame
            else:
                yield frame
        text = "".join(sent)
        if isinstance(part, Say):
            content["text"] = text
            yield self._event("response.output_text.done", **where, text=text, logprobs=[])
            yield self._event("response.content_part.done", **where, part=content)
        elif isinstance(part, Think):
            content["text"] = text
            yield self._event("response.reasoning_summary_text.done", **where, text=text)
            yield self._event("response.reasoning_summary_part.done", **where, part=content)
        else:
            final["arguments"] = text
            yield self._event("response.function_call_arguments.done", **where, arguments=text)
        yield self._event("response.output_item.done", output_index=index, item=final)
        output.append(final)

    def frames(self) -> Iterator[Frame]:
        yield self._event("response.created", response=self._response("in_progress", []))
        yield self._event("response.in_progress", response=self._response("in_progress", []))
        output: list[Json] = []
        for index, part in enumerate(self.reply.parts):
            yield from self._part_frames(part, index, output)
        status = self._final_status()
        yield self._event(f"response.{status}", response=self._response(status, output))

    def whole(self) -> Json:
        parts = self.reply.parts
        output = [self._item(part, self._item_id(part), "".join(part.pieces())) for part in parts]
        return self._response(self._final_status(), output)

    def error_event(self, fault: Fault) -> bytes:
        error = error_answer("responses", fault, self.model)[1]["error"]
        code = error["code"] or error["type"]
        if fault.kind == "failed_event":
            failed = self._response("failed", [], {"code": code, "message": error["message"]})
            return self._event("response.failed", response=failed)
        return self._event("error", code=code, message=error["message"], param=None)

    def malformed(self) -> bytes:
        return b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":\n\n'


class ChatWire(Wire):
    """OpenAI chat completions: one kind of chunk, `[DONE]` at the end, usage in a separate chunk when asked for."""

    protocol = "chat"

    def __init__(self, reply: Reply, body: Json) -> None:
        super().__init__(reply, body)
        options = cast(Json, body.get("stream_options") or {})
        self.wants_usage = bool(options.get("include_usage"))
        self.completion_id = make_id("chatcmpl-")
        self.created_s = int(time.time())

    def _head(self, kind: str) -> Json:
        return {"id": self.completion_id, "object": kind, "created": self.created_s, "model": self.model}

    def _chunk(self, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {**self._head("chat.completion.chunk"), "choices": [choice]}
        if self.wants_usage:
            chunk["usage"] = None
        return b"data: %b\n\n" % encode(chunk)

    def _usage(self) -> Json:
        input_details, output_details = self._usage_details()
        return {
            "prompt_tokens": self.reply.input_tokens,
            "completion_tokens": self.reply.output_tokens,
            "total_tokens": self.reply.input_tokens + self.reply.output_tokens,
            "prompt_tokens_details": input_details,
            "completion_tokens_details": output_details,
        }

    def _finish(self) -> str:
        reason = self.reply.finish_reason()
        return "tool_calls" if reason == "tool_call" else reason

    @staticmethod
    def _tool_call(call: Call, arguments: str) -> Json:
        function = {"name": call.name, "arguments": arguments}
        return {"id": call.call_id or make_id("call_"), "type": "function", "function": function}

    def frames(self) -> Iterator[Frame]:
        yield self._chunk({"role": "assistant", "content": ""})
        mark = "\x00"  # replaced by the delta in a chunk that is made once per part
        calls = 0
        for part in self.reply.parts:
            if isinstance(part, Say):
                delta: Json = {"content": mark}
            elif isinstance(part, Think):
                delta = {part.chat_field: mark}
            else:
                yield self._chunk({"tool_calls": [{"index": calls, **self._tool_call(part, "")}]})
                delta = {"tool_calls": [{"index": calls, "function": {"arguments": mark}}]}
                calls += 1
            head, _, tail = self._chunk(delta).partition(encode(mark))
            yield from _deltas(part, head, tail, [])
        yield self._chunk({}, self._finish())
        if self.wants_usage and self.reply.usage:
            chunk: Json = {**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage()}
            yield b"data: %b\n\n" % encode(chunk)
        yield b"data: [DONE]\n\n"

    def whole(self) -> Json:
        said = ["".join(part.pieces()) for part in self.reply.parts if isinstance(part, Say)]
        calls = [part for part in self.reply.parts if isinstance(part, Call)]
        message: Json = {"role": "assistant", "content": "".join(said) if said else None, "refusal": None}
        for part in self.reply.parts:
            if isinstance(part, Think):
                message[part.chat_field] = message.get(part.chat_field, "") + "".join(part.pieces())
        if calls:
            message["tool_calls"] = [self._tool_call(call, call.json_text()) for call in calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish()}
        whole = {**self._head("chat.completion"), "choices": [choice]}
        return {**whole, "usage": self._usage()} if self.reply.usage else whole

    def error_event(self, fault: Fault) -> bytes:
        return b"data: %b\n\ndata: [DONE]\n\n" % encode(error_answer("chat", fault, self.model)[1])

    def malformed(self) -> bytes:
        return b'data: {"id":"chatcmpl-broken","choices":[{"index":0,"delta":{"content":\n\n'


class AnthropicWire(Wire):
    """Anthropic messages: content blocks, each started, filled with deltas and stopped."""

    protocol = "anthropic"

    def __init__(self, reply: Reply, body: Json) -> None:
        super().__init__(reply, body)
        self.message_id = make_id("msg_")

    @staticmethod
    def _event(kind: str, **fields: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode({"type": kind, **fields}))

    def _message(self, content: list[Json], stop_reason: str | None, output_tokens: int) -> Json:
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {**self._usage(output_tokens), "service_tier": "standard"},
        }

    def _usage(self, output_tokens: int) -> Json:
        reply = self.reply
        if not reply.usage:  # the field is required here, so no usage is reported as zeros
            return {"input_tokens": 0, "output_tokens": 0}
        return {
            "input_tokens": reply.input_tokens - reply.cache_read_tokens - reply.cache_write_tokens,
            "cache_creation_input_tokens": reply.cache_write_tokens,
            "cache_read_input_tokens": reply.cache_read_tokens,
            "output_tokens": output_tokens,
        }

    def _stop_reason(self) -> str:
        reason = self.reply.finish_reason()
        known = {"stop": "end_turn", "length": "max_tokens", "tool_call": "tool_use", "content_filter": "refusal"}
        return known.get(reason, reason)

    @staticmethod
    def _block(part: Part, text: str) -> Json:
        if isinstance(part, Say):
            return {"type": "text", "text": text}
        if isinstance(part, Think):
            return {"type": "thinking", "thinking": text, "signature": part.signature or make_id("Eq")}
        arguments: Any = json.loads(text) if text else {}
        return {"type": "tool_use", "id": part.call_id or make_id("toolu_"), "name": part.name, "input": arguments}

    def _part_frames(self, part: Part, index: int) -> Iterator[Frame]:
        block = self._block(part, "")
        signature = block.get("signature")
        if isinstance(part, Think):
            block["signature"] = ""
        yield self._event("content_block_start", index=index, content_block=block)
        if index == 0:
            yield self._event("ping")
        kind, key = {
            Say: ("text_delta", "text"),
            Think: ("thinking_delta", "thinking"),
            Call: ("input_json_delta", "partial_json"),
        }[type(part)]
        mark = "\x00"
        event = self._event("content_block_delta", index=index, delta={"type": kind, key: mark})
        head, _, tail = event.partition(encode(mark))
        yield from _deltas(part, head, tail, [])
        if isinstance(part, Think):
            delta = {"type": "signature_delta", "signature": signature}
            yield self._event("content_block_delta", index=index, delta=delta)
        yield self._event("content_block_stop", index=index)

    def frames(self) -> Iterator[Frame]:
        yield self._event("message_start", message=self._message([], None, 1))
        for index, part in enumerate(self.reply.parts):
            yield from self._part_frames(part, index)
        delta = {"stop_reason": self._stop_reason(), "stop_sequence": None}
        yield self._event("message_delta", delta=delta, usage=self._usage(self.reply.output_tokens))
        yield self._event("message_stop")

    def whole(self) -> Json:
        content = [self._block(part, "".join(part.pieces())) for part in self.reply.parts]
        return self._message(content, self._stop_reason(), self.reply.output_tokens)

    def error_event(self, fault: Fault) -> bytes:
        return b"event: error\ndata: %b\n\n" % encode(error_answer("anthropic", fault, self.model)[1])

    def malformed(self) -> bytes:
        return b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":\n\n'


WIRES: dict[Protocol, type[Wire]] = {"responses": ResponsesWire, "chat": ChatWire, "anthropic": AnthropicWire}


def model_entry(model: str | Mapping[str, Any]) -> dict[str, Any]:
    """A model as both APIs list it: a client reads only the fields that it knows."""
    entry = {"id": model} if isinstance(model, str) else dict(model)
    openai = {"object": "model", "created": 1767225600, "owned_by": "double"}
    anthropic = {"type": "model", "display_name": entry["id"], "created_at": "2026-01-01T00:00:00Z"}
    return {**openai, **anthropic, "lifecycle": "active", **entry}
