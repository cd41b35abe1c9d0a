"""Strict servers: doubles that refuse what some real server does not accept, in that server's words.

Each answers an accepted request with its `inner` answer. They can be nested.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.support.bytes_provider import Answer, Answering, RecordedRequest
from tests.support.stream_bytes import refuse, say

Json: TypeAlias = Any


@dataclass
class Strict:
    """A server that refuses a request if `why_not` gives a reason. `refused`: the requests that it refused."""

    inner: Answering
    status: int = 400
    refused: list[RecordedRequest] = field(default_factory=list[RecordedRequest])

    def __call__(self, request: RecordedRequest) -> Answer:
        words = self.why_not(request)
        if words is not None:
            self.refused.append(request)
            return given(refuse(words, self.status, **self.more()), request)
        return given(self.inner, request)

    def why_not(self, request: RecordedRequest) -> str | None:
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """The kind and code of the refusal."""
        return {}


def asks_for_summary(request: RecordedRequest) -> bool:
    """Whether the request asks for a summary of the history: such a request offers no tools."""
    return not request.streamed or not request.tool_names


def given(answering: Answering, request: RecordedRequest) -> Answer:
    return answering if isinstance(answering, Answer) else answering(request)


class InTurn:
    """Answers in order, one per request; the last one repeats. An `inner` for a strict server.

    A request for a summary gets one, and uses none of the answers.
    """

    def __init__(self, *answers: Answering) -> None:
        self._answers = list(answers)

    def __call__(self, request: RecordedRequest) -> Answer:
        if asks_for_summary(request):
            return given(say("In short: they talked about files."), request)
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        return given(answer, request)


class SystemFirst(Strict):
    """A chat template that accepts a system message only as the first message."""

    def why_not(self, request: RecordedRequest) -> str | None:
        roles = [message.get("role") for message in request.messages]
        return "System message must be at the beginning." if {"system", "developer"} & {*roles[1:]} else None


class Alternating(Strict):
    """A chat template whose roles must alternate; tool results are between a call and the message after it."""

    def why_not(self, request: RecordedRequest) -> str | None:
        roles = [message.get("role") for message in request.messages]
        spoken = [role for role in roles[roles[:1] == ["system"] :] if role != "tool"]
        calls = [bool(m.get("tool_calls")) for m in request.messages if m.get("role") not in ("tool", "system")]
        previous, called = "assistant", False
        for role, calling in zip(spoken, calls, strict=True):
            # After a call and its results it is the assistant's turn again.
            if role != ("assistant" if previous == "user" or called else "user"):
                return "Conversation roles must alternate user/assistant/user/assistant/..."
            previous, called = role, calling
        return None


class MistralIds(Strict):
    """A server whose call ids have nine letters and digits."""

    def why_not(self, request: RecordedRequest) -> str | None:
        for call_id in call_ids(request):
            if not re.fullmatch("[a-zA-Z0-9]{9}", call_id):
                return f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9."
        return None


class ReasoningBack(Strict):
    """A thinking model that requires its reasoning with the calls since the last user message."""

    def why_not(self, request: RecordedRequest) -> str | None:
        messages = request.messages
        last = max((n for n, message in enumerate(messages) if message.get("role") == "user"), default=0)
        for message in messages[last:]:
            has = message.get("reasoning_content") or message.get("reasoning")
            if message.get("tool_calls") and not has:
                return "The reasoning_content in the thinking mode must be passed back to the API."
        return None


class TypedItems(Strict):
    """A `/responses` that requires earlier messages of the model to have a type and a list as content."""

    def why_not(self, request: RecordedRequest) -> str | None:
        for item in request.messages:
            typed = item.get("type") == "message" and isinstance(item.get("content"), list)
            if item.get("role") == "assistant" and not typed:
                return "Cannot determine type of 'item'"
        return None


class NothingEmpty(Strict):
    """A server that refuses an assistant message without text and calls."""

    def why_not(self, request: RecordedRequest) -> str | None:
        for n, message in enumerate(request.messages):
            content = message.get("content")
            blank = not content or (isinstance(content, list) and not any(map(filled, content)))
            if message.get("role") == "assistant" and blank and not message.get("tool_calls"):
                return f"messages.{n}: an assistant message must have non-empty content or tool_calls"
        return None


def filled(block: Json) -> bool:
    """Whether a block of content counts as content."""
    if block.get("type") in ("text", "output_text", "input_text"):
        return bool(block.get("text", "").strip())
    return block.get("type") not in ("thinking", "redacted_thinking")


class WholePairs(Strict):
    """A server that refuses a result without its call, and a call without its result, in each dialect."""

    def why_not(self, request: RecordedRequest) -> str | None:
        waiting: set[str] = set()
        for message in request.messages:
            calls, results = calls_of(message), results_of(message)
            if stray := set(results) - waiting:
                return f"tool results without a preceding call: {sorted(stray)}"
            if len(set(results)) < len(results) or len(set(calls)) < len(calls):
                return f"an id occurs twice: {calls or results}"
            speaks = bool(calls) or message.get("role") in ("assistant", "user")
            waiting -= set(results)
            parallel = message.get("type") in ("function_call", "function_call_output", "reasoning")
            if request.protocol == "responses" and message.get("role") == "assistant":
                parallel = True  # the items of one answer are in the order in which they came
            if waiting and speaks and not parallel:
                return f"calls without results: {sorted(waiting)}"
            waiting |= set(calls)
        return f"calls without results: {sorted(waiting)}" if waiting else None


class TakesNoTools(Strict):
    """A local model whose template has no tools."""

    def why_not(self, request: RecordedRequest) -> str | None:
        return "registry.ollama.ai/library/m does not support tools" if "tools" in request.body else None

    def more(self) -> dict[str, Any]:
        return {"kind": "api_error"}


@dataclass
class Window(Strict):
    """A server with a limit: `measure` gives the size of the messages."""

    most: int = 32_000
    measure: Callable[[list[Json]], int] = lambda messages: len(json.dumps(messages, ensure_ascii=False))
    limit_tokens: int = 8192

    def why_not(self, request: RecordedRequest) -> str | None:
        size = self.measure(request.messages)
        if size <= self.most:
            return None
        asked = size * self.limit_tokens // self.most + 1
        return (
            f"This model's maximum context length is {self.limit_tokens} tokens. However, your prompt contains at"
            f" least {asked} input tokens."
        )

    def more(self) -> dict[str, Any]:
        return {"kind": "BadRequestError", "code": 400}


def calls_of(message: Json) -> list[str]:
    """The ids of the calls in one message or item, in any dialect."""
    if message.get("type") == "function_call":
        return [message["call_id"]]
    if message.get("tool_calls"):
        return [call["id"] for call in message["tool_calls"]]
    return [block["id"] for block in blocks(message) if block.get("type") == "tool_use"]


def results_of(message: Json) -> list[str]:
    """The ids that the results in one message or item answer, in any dialect."""
    if message.get("type") == "function_call_output":
        return [message["call_id"]]
    if message.get("role") == "tool":
        return [message["tool_call_id"]]
    return [block["tool_use_id"] for block in blocks(message) if block.get("type") == "tool_result"]


def call_ids(request: RecordedRequest) -> list[str]:
    """Every id of a call or a result that a request names."""
    return [call_id for message in request.messages for call_id in (*calls_of(message), *results_of(message))]


def blocks(message: Json) -> list[Json]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
