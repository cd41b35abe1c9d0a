"""Bytes of provider streams in each dialect: from parts and an ending to SSE events as text.

A `Dialect` gives a stream as a list of events, so that a test can change an event or insert others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.support.bytes_provider import Answer, Answering, RecordedRequest
from tests.support.provider_wire import GOOGLES

Json: TypeAlias = "dict[str, Any]"
DONE = "data: [DONE]\n\n"
SAME = object()
"""The default: the usage that a dialect itself reports."""


def event(data: object, name: str | None = None) -> str:
    """One SSE event. Non-ASCII characters are escaped, so that half a surrogate pair can be sent."""
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"


def chat(delta: object, finish: str | None = None, **more: Any) -> str:
    """One chunk of chat completions."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return event({**head, "choices": choices, **more})


def chat_usage(prompt: Any = 10, completion: Any = 5, **more: Any) -> str:
    """The last chunk, with usage and without choices."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 15, **more}
    return event(
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage}
    )


def chat_call(index: int | None, call_id: Any, name: Any, arguments: Any) -> Json:
    """A delta with one tool call, without fields that are None."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    call: Json = {"index": index, "id": call_id, "type": "function", "function": function}
    return {"tool_calls": [{key: value for key, value in call.items() if value is not None}]}


def responses(kind: str, **fields: Any) -> str:
    """One event of Responses; use `numbered` if sequence numbers matter."""
    return event({"type": kind, **fields}, kind)


def anthropic(kind: str, **fields: Any) -> str:
    """One event of Anthropic messages."""
    return event({"type": kind, **fields}, kind)


@dataclass(frozen=True)
class Said:
    """Text of an answer, in pieces."""

    pieces: Sequence[str]


@dataclass(frozen=True)
class Thought:
    """Reasoning, in pieces, and its signature where the dialect has one."""

    pieces: Sequence[str]
    signature: str = "c2lnbmVk"


@dataclass(frozen=True)
class Called:
    """A tool call, its arguments' JSON in pieces."""

    name: str
    pieces: Sequence[str]
    call_id: str = "call_a"


Part: TypeAlias = "Said | Thought | Called"


def called(name: str, call_id: str = "call_a", **arguments: Any) -> Called:
    return Called(name, [json.dumps(arguments)], call_id)


class Dialect:
    """How one kind of provider streams. `finish`: stop, length, filter, tools, or a text to send unchanged."""

    name: str
    model: str
    path: str
    words: Mapping[str, str]
    before: int
    """How many events a stream has before its first piece of text."""

    def stream(self, *parts: Part | str, finish: str | None = None, usage: Any = SAME) -> list[str]:
        """The events of a complete answer."""
        shaped = [Said([part]) if isinstance(part, str) else part for part in parts]
        ending = finish or ("tools" if any(isinstance(part, Called) for part in shaped) else "stop")
        return self._events(shaped, self.words.get(ending, ending), self.usage() if usage is SAME else usage)

    def answer(self, *parts: Part | str, finish: str | None = None, usage: Any = SAME) -> Answer:
        return Answer("".join(self.stream(*parts, finish=finish, usage=usage)))

    def open(self, *pieces: str) -> list[str]:
        """The events of an answer up to its last piece of text, without its end."""
        return self._halves(pieces)[0]

    def rest(self, *pieces: str) -> list[str]:
        """The events after those of `open`."""
        return self._halves(pieces)[1]

    def _halves(self, pieces: Sequence[str]) -> tuple[list[str], list[str]]:
        events = self.stream(Said(pieces))
        at = self.before + len(pieces)
        return events[:at], events[at:]

    def _events(self, parts: Sequence[Part], finish: str, usage: Any) -> list[str]:
        raise NotImplementedError

    def usage(self, read: Any = 10, written: Any = 5) -> Json:
        raise NotImplementedError

    def whole(self, text: str, read: int = 10, written: int = 5) -> Json:
        """The JSON of an answer that is not streamed."""
        raise NotImplementedError

    def error(self, message: str, kind: str = "invalid_request_error", code: Any = None) -> Json:
        """The JSON of a refusal."""
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}

    def error_event(self, message: str, kind: str = "invalid_request_error", code: Any = None) -> str:
        """A refusal within a stream."""
        return event(self.error(message, kind, code))


class Chat(Dialect):
    name = "chat"
    model = "openai-chat:m"
    path = "/v1/chat/completions"
    before = 1
    words = {"stop": "stop", "length": "length", "filter": "content_filter", "tools": "tool_calls"}  # noqa: RUF012

    def _events(self, parts: Sequence[Part], finish: str, usage: Any) -> list[str]:
        events = [chat({"role": "assistant", "content": ""})]
        calls = 0
        for part in parts:
            if isinstance(part, Called):
                events.append(chat(chat_call(calls, part.call_id, part.name, "")))
                events += [chat(chat_call(calls, None, None, piece)) for piece in part.pieces]
                calls += 1
            else:
                key = "content" if isinstance(part, Said) else "reasoning_content"
                events += [chat({key: piece}) for piece in part.pieces]
        events.append(chat({}, finish))
        if usage is not None:
            head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            events.append(event({**head, "choices": [], "usage": usage}))
        return [*events, DONE]

    def usage(self, read: Any = 10, written: Any = 5) -> Json:
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": 15}

    def whole(self, text: str, read: int = 10, written: int = 5) -> Json:
        message = {"role": "assistant", "content": text}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        head = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m"}
        return {**head, "choices": choices, "usage": self.usage(read, written)}


class Responses(Dialect):
    name = "responses"
    model = "openai-responses:m"
    path = "/v1/responses"
    before = 4
    words = {"stop": "completed", "length": "max_output_tokens", "filter": "content_filter", "tools": "completed"}  # noqa: RUF012

    def response(self, status: str, output: Sequence[Json] = (), usage: Any = None, **more: Any) -> Json:
        made: Json = {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "model": "m",
            "output": list(output),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "temperature": 1.0,
            "top_p": 1.0,
            "metadata": {},
            "usage": usage,
        }
        return {**made, **more}

    def item(self, part: Part, index: int) -> Json:
        text = "".join(part.pieces)
        if isinstance(part, Said):
            content = [{"type": "output_text", "text": text, "annotations": []}]
            return {
                "id": f"msg_{index}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": content,
            }
        if isinstance(part, Thought):
            return {"id": f"rs_{index}", "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
        call = {"call_id": part.call_id, "name": part.name, "arguments": text}
        return {"id": f"fc_{index}", "type": "function_call", "status": "completed", **call}

    def _item_events(self, part: Part, index: int) -> list[str]:
        item = self.item(part, index)
        where: Json = {"item_id": item["id"], "output_index": index}
        begun = {**item, **{"message": {"content": []}, "reasoning": {"summary": []}}.get(item["type"], {})}
        if isinstance(part, Called):
            begun["arguments"] = ""
        events = [responses("response.output_item.added", output_index=index, item=begun)]
        text = "".join(part.pieces)
        if isinstance(part, Said):
            where["content_index"] = 0
            blank = {"type": "output_text", "text": "", "annotations": []}
            events.append(responses("response.content_part.added", **where, part=blank))
            events += [responses("response.output_text.delta", **where, delta=piece) for piece in part.pieces]
            events.append(responses("response.output_text.done", **where, text=text))
            events.append(responses("response.content_part.done", **where, part=item["content"][0]))
        elif isinstance(part, Thought):
            where["summary_index"] = 0
            kind = "response.reasoning_summary"
            events.append(responses(f"{kind}_part.added", **where, part={"type": "summary_text", "text": ""}))
            events += [responses(f"{kind}_text.delta", **where, delta=piece) for piece in part.pieces]
            events.append(responses(f"{kind}_text.done", **where, text=text))
            events.append(responses(f"{kind}_part.done", **where, part=item["summary"][0]))
        else:
            kind = "response.function_call_arguments"
            events += [responses(f"{kind}.delta", **where, delta=piece) for piece in part.pieces]
            events.append(responses(f"{kind}.done", **where, arguments=text, name=part.name))
        return [*events, responses("response.output_item.done", output_index=index, item=item)]

    def _events(self, parts: Sequence[Part], finish: str, usage: Any) -> list[str]:
        events = [
            responses("response.created", response=self.response("in_progress")),
            responses("response.in_progress", response=self.response("in_progress")),
        ]
        for index, part in enumerate(parts):
            events += self._item_events(part, index)
        output = [self.item(part, index) for index, part in enumerate(parts)]
        if finish == "completed":
            last = responses("response.completed", response=self.response("completed", output, usage))
        else:
            ended = self.response("incomplete", output, usage, incomplete_details={"reason": finish})
            last = responses("response.incomplete", response=ended)
        return numbered([*events, last])

    def usage(self, read: Any = 10, written: Any = 5) -> Json:
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        return {"input_tokens": read, "output_tokens": written, "total_tokens": 15, **details}

    def whole(self, text: str, read: int = 10, written: int = 5) -> Json:
        return self.response("completed", [self.item(Said([text]), 0)], self.usage(read, written))

    def error_event(self, message: str, kind: str = "invalid_request_error", code: Any = None) -> str:
        return responses("error", sequence_number=0, code=code or kind, message=message, param=None)

    def failed_event(self, message: str, code: str) -> str:
        """`response.failed`: another form of a refusal within a stream."""
        failed = self.response("failed", error={"code": code, "message": message})
        return responses("response.failed", response=failed, sequence_number=1)


class Anthropic(Dialect):
    name = "anthropic"
    model = "anthropic:m"
    path = "/v1/messages"
    before = 2
    words = {"stop": "end_turn", "length": "max_tokens", "filter": "refusal", "tools": "tool_use"}  # noqa: RUF012

    def start(self, usage: Any = SAME) -> str:
        counted = {"input_tokens": 10, "output_tokens": 1} if usage is SAME else usage
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
        return anthropic(
            "message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": counted}
        )

    def block(self, part: Part, index: int) -> list[str]:
        if isinstance(part, Said):
            begun, kind, key = {"type": "text", "text": ""}, "text_delta", "text"
        elif isinstance(part, Thought):
            begun, kind, key = {"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking"
        else:
            begun = {"type": "tool_use", "id": part.call_id, "name": part.name, "input": {}}
            kind, key = "input_json_delta", "partial_json"
        events = [anthropic("content_block_start", index=index, content_block=begun)]
        deltas: list[Json] = [{"type": kind, key: piece} for piece in part.pieces]
        if isinstance(part, Thought):
            deltas.append({"type": "signature_delta", "signature": part.signature})
        events += [anthropic("content_block_delta", index=index, delta=delta) for delta in deltas]
        return [*events, anthropic("content_block_stop", index=index)]

    def _events(self, parts: Sequence[Part], finish: str, usage: Any) -> list[str]:
        events = [self.start({"input_tokens": usage["input_tokens"], "output_tokens": 1} if usage else None)]
        for index, part in enumerate(parts):
            events += self.block(part, index)
        delta = {"stop_reason": finish, "stop_sequence": None}
        return [*events, anthropic("message_delta", delta=delta, usage=usage), anthropic("message_stop")]

    def usage(self, read: Any = 10, written: Any = 5) -> Json:
        return {"input_tokens": read, "output_tokens": written}

    def whole(self, text: str, read: int = 10, written: int = 5) -> Json:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
        ending = {"stop_reason": "end_turn", "stop_sequence": None, "usage": self.usage(read, written)}
        return {**message, "content": [{"type": "text", "text": text}], **ending}

    def error(self, message: str, kind: str = "invalid_request_error", code: Any = None) -> Json:
        return {"type": "error", "error": {"type": kind, "message": message}}

    def error_event(self, message: str, kind: str = "invalid_request_error", code: Any = None) -> str:
        return event(self.error(message, kind, code), "error")


class Gemini(Dialect):
    """Google's Gemini API. Calls are sent in one piece; arguments that are not JSON are sent as text."""

    name = "gemini"
    model = "google:m"
    path = f"/v1beta/models/m{GOOGLES}"
    before = 0
    words = {"stop": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY", "tools": "STOP"}  # noqa: RUF012

    def chunk(self, parts: Any, finish: str | None = None, usage: Any = None, **more: Any) -> str:
        """One event with one candidate, without fields that are None."""
        content = None if parts is None else {"parts": parts, "role": "model"}
        candidate: Json = {"content": content, "finishReason": finish, "index": 0, **more}
        candidates = [{key: value for key, value in candidate.items() if value is not None}]
        told: Json = {"candidates": candidates, "usageMetadata": usage, "modelVersion": "m", "responseId": "r1"}
        return event({key: value for key, value in told.items() if value is not None})

    def part(self, part: Part, piece: str) -> Json:
        if isinstance(part, Said):
            return {"text": piece}
        if isinstance(part, Thought):
            return {"text": piece, "thought": True}
        return {"functionCall": {"name": part.name, "args": told(piece), "id": part.call_id}}

    def _events(self, parts: Sequence[Part], finish: str, usage: Any) -> list[str]:
        events = list[str]()
        for part in parts:
            pieces = ["".join(part.pieces)] if isinstance(part, Called) else part.pieces
            events += [self.chunk([self.part(part, piece)]) for piece in pieces]
        return [*events, self.chunk([{"text": ""}], finish, usage)]

    def usage(self, read: Any = 10, written: Any = 5) -> Json:
        return {"promptTokenCount": read, "candidatesTokenCount": written, "totalTokenCount": 15}

    def whole(self, text: str, read: int = 10, written: int = 5) -> Json:
        content = {"parts": [{"text": text}], "role": "model"}
        candidates = [{"content": content, "finishReason": "STOP", "index": 0}]
        return {"candidates": candidates, "usageMetadata": self.usage(read, written), "modelVersion": "m"}

    def error(self, message: str, kind: str = "INVALID_ARGUMENT", code: Any = None, details: Any = ()) -> Json:
        status = "INVALID_ARGUMENT" if kind == "invalid_request_error" else kind
        return {"error": {"code": code or 400, "message": message, "status": status, "details": list(details)}}


def told(text: str) -> Any:
    """The value of a JSON text; the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


CHAT, RESPONSES, ANTHROPIC, GEMINI = Chat(), Responses(), Anthropic(), Gemini()
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (CHAT, RESPONSES, ANTHROPIC)}
"""The dialects whose SDKs are always installed. Google's is an extra, with its own tests."""
BY_PATH = {dialect.path: dialect for dialect in (*DIALECTS.values(), GEMINI)}


def spoken(request: RecordedRequest) -> Dialect:
    """The dialect of a request."""
    return GEMINI if request.protocol == "google" else BY_PATH[request.path]


def numbered(events: Sequence[str]) -> list[str]:
    """Responses' events with their sequence numbers."""
    return [sent.replace('{"type"', f'{{"sequence_number": {n}, "type"', 1) for n, sent in enumerate(events)]


def say(text: str, read: int = 10, written: int = 5) -> Answering:
    """A text in the form that the request wants: in its dialect, streamed or not."""

    def answer(request: RecordedRequest) -> Answer:
        dialect = spoken(request)
        if not request.streamed:
            return Answer.json(dialect.whole(text, read, written))
        return dialect.answer(text, usage=dialect.usage(read, written))

    return answer


def refuse(
    message: str, status: int = 400, kind: str = "invalid_request_error", code: Any = None, **headers: str
) -> Answering:
    """A refusal in the form of the request's dialect. It allows a retry after 10 ms."""

    def answer(request: RecordedRequest) -> Answer:
        body = spoken(request).error(message, kind, code)
        return Answer.json(body, status, **{"retry_after_ms": "10", **headers})

    return answer
