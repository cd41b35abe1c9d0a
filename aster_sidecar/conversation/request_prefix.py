"""What was said before a turn, as the JSON in which it was sent: kept, and put into the body of the next request.

A model is given marks in its place. `library_patches.send_as_is` makes texts of them, and the edge puts the JSON there.
So nothing maps, copies and encodes a long conversation anew for each request. Where a message's form may depend on
others, or a mark is not found where it must be, all messages are given as they are.
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

from aster_sidecar.models.request_context import MARK, MARKS

LEAST_MESSAGES = 12
"""Fewer are not worth the marks."""
MOST_BYTES = 16 << 20
"""A longer prefix is not kept."""
MOST_THOUGHTS = 8
SETTINGS = frozenset(
    (
        *("max_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"),
        *("stop_sequences", "parallel_tool_calls", "thinking"),
    )
)
"""The settings under which a message is sent the same way whatever is around it."""
ANSWERS = (TextPart, ThinkingPart, ToolCallPart)
ODD_DETAILS = ("input_transformations", "citations", "container_id")
"""What a provider says of an answer that changes how others are sent."""
COMMA = re.compile(rb"\s*,\s*")
BEFORE = re.compile(rb"[\[,]\s*\Z")


class NotThere(ValueError):
    """A mark is not in a request's body where it must be."""


@dataclass(slots=True)
class Prefix:
    """The JSON of the first `many` messages that are sent of a conversation, and what it was made under."""

    json: bytes = b""
    many: int = 0
    seen: int = 0
    """Of so many it is known that each is sent the same way whatever is around it."""
    model: Any = None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    thoughts: dict[object, ModelResponse] = field(default_factory=dict[object, ModelResponse])
    """Answers with thinking, one of each kind. Chat completions want it in a turn if it was anywhere before."""
    off: bool = False

    def passage(
        self,
        sent: Sequence[ModelMessage],
        turn: Sequence[ModelMessage],
        model: Any,
        settings: Mapping[str, Any] | None,
        *,
        remembers_thinking: bool,
    ) -> Passage | None:
        """What to give the model in place of `sent`, all that is sent before `turn`; None: that itself."""
        settings = dict(settings or {})
        if self.off or len(sent) < LEAST_MESSAGES or not SETTINGS.issuperset(settings):
            return None
        if self.model is not model or self.settings != settings:
            self.json, self.many, self.model, self.settings = b"", 0, model, settings
        for message in sent[self.seen :]:
            if not is_plain(message):
                self.off = True
                return None
        self.seen = len(sent)
        if not (speaks_first(turn) and all(is_plain(message) for message in turn)):
            return None
        thoughts = list(self.thoughts.values()) if remembers_thinking and self.many else []
        return Passage(self, sent, turn, thoughts) if len(thoughts) <= MOST_THOUGHTS else None

    def keep(self, many: int, json: bytes, sent: Sequence[ModelMessage]) -> None:
        """Keep the JSON of so many messages, if no other request did."""
        if len(json) > MOST_BYTES:
            self.off, self.json = True, b""
            return
        if not self.many:
            self.thoughts.clear()
        for message in sent[self.many : many]:
            note_thoughts(message, self.thoughts)
        self.json, self.many = json, many


class Passage:
    """One request: the messages to give, and its body."""

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
        self._from = prefix.many
        self._json = prefix.json
        begin, kept, new = (ModelResponse(parts=[TextPart(mark)]) for mark in MARKS)
        self.messages: list[ModelMessage] = [begin, *thoughts, kept, *sent[prefix.many :], new, *turn]
        self.failed = False
        """Whether a mark was not found, so that nothing left."""

    def complete(self, body: bytes) -> bytes:
        """The body as it would be with all messages. Raises: NotThere."""
        try:
            return self._complete(body)
        except NotThere:
            self.failed = self._prefix.off = True
            raise

    def _complete(self, body: bytes) -> bytes:
        _, kept, new = (b'"%s"' % mark.encode() for mark in MARKS)
        head, found, rest = body.partition(kept)
        comma = COMMA.match(rest)
        if not found or BEFORE.search(head[-8:]) is None or comma is None:
            raise NotThere("what was said before")
        between, found, tail = rest[comma.end() :].partition(new)
        behind = COMMA.match(tail)
        if not found or behind is None or (between and not between.endswith(comma[0])):
            raise NotThere("where this turn begins")
        tail = tail[behind.end() :]
        if any(MARK.encode() in part for part in (head, between, tail)):
            raise NotThere("a mark is left over")
        added = between[: -len(comma[0])] if between else b""
        json = comma[0].join(part for part in (self._json, added) if part)
        if self._prefix.many == self._from:
            self._prefix.keep(self._until, json, self._sent)
        return b"".join((head, json, comma[0] if json else b"", tail))


def is_plain(message: ModelMessage) -> bool:
    """Whether a message is sent the same way whatever is around it. Where that is not certain it is not."""
    if isinstance(message, ModelRequest):
        return all(is_plain_part(part) for part in message.parts)
    return (
        message.state != "suspended"
        and is_undetailed(message)
        and all(type(part) in ANSWERS and is_undetailed(part) for part in message.parts)
    )


def is_plain_part(part: Any) -> bool:
    if type(part) is UserPromptPart:
        return isinstance(part.content, str) or all(type(item) is str for item in part.content)
    return type(part) is ToolReturnPart and not part.files


def is_undetailed(said: Any) -> bool:
    details: dict[str, Any] = said.provider_details or {}
    return not any(odd in details for odd in ODD_DETAILS)


def speaks_first(turn: Sequence[ModelMessage]) -> bool:
    """Whether a turn begins with a person's words alone."""
    first = turn[0] if turn else None
    return isinstance(first, ModelRequest) and all(type(part) is UserPromptPart for part in first.parts)


def note_thoughts(message: ModelMessage, thoughts: dict[object, ModelResponse]) -> None:
    """Add an answer with thinking of a kind that is not there yet, without the rest of what it says."""
    if not isinstance(message, ModelResponse):
        return
    for part in message.parts:
        if isinstance(part, ThinkingPart):
            kind = (part.id, part.provider_name, message.provider_name, message.provider_url, message.model_name)
            if kind not in thoughts and len(thoughts) <= MOST_THOUGHTS:
                thoughts[kind] = replace(message, parts=[part, TextPart(MARK)])
