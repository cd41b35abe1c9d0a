"""A cache of the JSON of the messages before a turn, for the engine: it is put into the body of the next request.

pydantic-ai's model gets marks in place of the messages. `library_patches.send_as_is` turns them into texts, and the
transport replaces them by the JSON, so that a long conversation is not mapped, copied and encoded for each request. If
the form of a message may depend on others, or a mark is not found where expected, all messages are sent the usual way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from aster_sidecar.conversation.file_references import is_reference
from aster_sidecar.models.request_context import MARK, MARKS

LEAST_MESSAGES = 12
"""For fewer messages the cache is not used."""
MOST_BYTES = 16 << 20
"""Longest prefix in the cache."""
MOST_THOUGHTS = 8
SETTINGS = frozenset(
    (
        *("max_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"),
        *("stop_sequences", "parallel_tool_calls", "thinking"),
    )
)
"""Settings with which the form of a message does not depend on the other messages."""
ANSWERS = (TextPart, ThinkingPart, ToolCallPart)
ODD_DETAILS = ("input_transformations", "citations", "container_id")
"""Provider details of an answer that change how other messages are sent."""
COMMA = re.compile(rb"\s*,\s*")
BEFORE = re.compile(rb"[\[,]\s*\Z")


class MarkMissing(ValueError):
    """A mark is not in a request's body where expected."""


@dataclass(slots=True)
class Prefix:
    """The JSON of the first `length` sent messages of a conversation, with the model and settings it was made for."""

    json: bytes = b""
    length: int = 0
    checked: int = 0
    """Number of messages that are known to be plain (`is_plain`)."""
    model: Any = None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    thoughts: dict[object, ModelResponse] = field(default_factory=dict[object, ModelResponse])
    """Answers with thinking, one of each kind. Chat completions need it in a turn if it was anywhere before."""
    disabled: bool = False

    def passage(
        self,
        sent: Sequence[ModelMessage],
        turn: Sequence[ModelMessage],
        model: Any,
        settings: Mapping[str, Any] | None,
        *,
        remembers_thinking: bool,
    ) -> Passage | None:
        """What the model gets in place of `sent`, the messages before `turn`; None: the prefix can't be used."""
        settings = dict(settings or {})
        if self.disabled or len(sent) < LEAST_MESSAGES or not SETTINGS.issuperset(settings):
            return None
        if self.model is not model or self.settings != settings:
            self.json, self.length, self.model, self.settings = b"", 0, model, settings
        for message in sent[self.checked :]:
            if not is_plain(message):
                self.disabled = True
                return None
        self.checked = len(sent)
        if not (begins_with_prompt(turn) and all(is_plain(message) for message in turn)):
            return None
        thoughts = list(self.thoughts.values()) if remembers_thinking and self.length else []
        return Passage(self, sent, turn, thoughts) if len(thoughts) <= MOST_THOUGHTS else None

    def keep(self, length: int, json: bytes, sent: Sequence[ModelMessage]) -> None:
        """Store the JSON of the first `length` messages of `sent`; disables the prefix if it is too long."""
        if len(json) > MOST_BYTES:
            self.disabled, self.json = True, b""
            return
        if not self.length:
            self.thoughts.clear()
        for message in sent[self.length : length]:
            collect_thinking(message, self.thoughts)
        self.json, self.length = json, length


class Passage:
    """One request: the messages that the model gets, and the completion of the body."""

    def __init__(
        self,
        prefix: Prefix,
        sent: Sequence[ModelMessage],
        turn: Sequence[ModelMessage],
        thoughts: Sequence[ModelMessage],
    ) -> None:
        self._prefix = prefix
        self._sent = sent
        self._until = len(sent)
        self._from = prefix.length
        self._json = prefix.json
        begin, kept, new = (ModelResponse(parts=[TextPart(mark)]) for mark in MARKS)
        self.messages: list[ModelMessage] = [begin, *thoughts, kept, *sent[prefix.length :], new, *turn]
        self.failed = False
        """Whether a mark was not found, so that no request was sent."""

    def complete(self, body: bytes) -> bytes:
        """The body with the JSON of all messages in place of the marks. Raises: MarkMissing."""
        try:
            return self._complete(body)
        except MarkMissing:
            self.failed = self._prefix.disabled = True
            raise

    def _complete(self, body: bytes) -> bytes:
        _, kept, new = (b'"%s"' % mark.encode() for mark in MARKS)
        head, found, rest = body.partition(kept)
        comma = COMMA.match(rest)
        if not found or BEFORE.search(head[-8:]) is None or comma is None:
            raise MarkMissing("what was said before")
        between, found, tail = rest[comma.end() :].partition(new)
        behind = COMMA.match(tail)
        if not found or behind is None or (between and not between.endswith(comma[0])):
            raise MarkMissing("where this turn begins")
        tail = tail[behind.end() :]
        if any(MARK.encode() in part for part in (head, between, tail)):
            raise MarkMissing("a mark is left over")
        added = between[: -len(comma[0])] if between else b""
        json = comma[0].join(part for part in (self._json, added) if part)
        if self._prefix.length == self._from:
            self._prefix.keep(self._until, json, self._sent)
        return b"".join((head, json, comma[0] if json else b"", tail))


def is_plain(message: ModelMessage) -> bool:
    """Whether the form of a message certainly does not depend on the other messages."""
    if isinstance(message, ModelRequest):
        return all(is_plain_part(part) for part in message.parts)
    return (
        message.state != "suspended"
        and has_no_odd_details(message)
        and all(type(part) in ANSWERS and has_no_odd_details(part) for part in message.parts)
    )


def is_plain_part(part: Any) -> bool:
    if type(part) is UserPromptPart:
        return isinstance(part.content, str) or all(type(item) is str or is_reference(item) for item in part.content)
    return type(part) is ToolReturnPart and all(is_reference(file) for file in part.files)


def has_no_odd_details(said: Any) -> bool:
    details: dict[str, Any] = said.provider_details or {}
    return not any(odd in details for odd in ODD_DETAILS)


def begins_with_prompt(turn: Sequence[ModelMessage]) -> bool:
    """Whether a turn begins with a request that contains only prompts."""
    first = turn[0] if turn else None
    return isinstance(first, ModelRequest) and all(type(part) is UserPromptPart for part in first.parts)


def collect_thinking(message: ModelMessage, thoughts: dict[object, ModelResponse]) -> None:
    """Add the thinking of an answer if its kind is not there yet, with a mark in place of the answer's text."""
    if not isinstance(message, ModelResponse):
        return
    for part in message.parts:
        if isinstance(part, ThinkingPart):
            kind = (part.id, part.provider_name, message.provider_name, message.provider_url, message.model_name)
            if kind not in thoughts and len(thoughts) <= MOST_THOUGHTS:
                thoughts[kind] = replace(message, parts=[part, TextPart(MARK)])
