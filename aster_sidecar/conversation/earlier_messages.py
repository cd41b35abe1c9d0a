"""A cache of the messages before a turn, in the form that is sent to its model, for the engine.

The agent itself runs with the messages of its turn only: pydantic-ai processes the whole history for each request, so
a request would take longer with each turn of a long conversation, although the earlier messages don't change.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolReturnPart, UserPromptPart

from aster_sidecar.conversation.request_prefix import Prefix

MOST_CACHED = 8
"""Conversations in the cache."""

Form = Callable[[Sequence[ModelMessage]], list[ModelMessage]]


@dataclass(slots=True)
class Sent:
    """The messages of a conversation before the turn, as stored and as sent to one model."""

    stored: list[ModelMessage] = field(default_factory=list[ModelMessage])
    sent: list[ModelMessage] = field(default_factory=list[ModelMessage])
    prefix: Prefix = field(default_factory=Prefix)

    def begins(self, messages: Sequence[ModelMessage]) -> bool:
        """Whether the messages begin with the cached ones. Histories only grow, or are replaced as a whole."""
        length = len(self.stored)
        return length <= len(messages) and (
            length == 0 or (messages[0] is self.stored[0] and messages[length - 1] is self.stored[-1])
        )


class Earlier:
    """The cached earlier messages of the most recently used conversations, each for one model."""

    def __init__(self) -> None:
        self._cache: OrderedDict[Hashable, Sent] = OrderedDict()

    def of(self, key: Hashable, messages: Sequence[ModelMessage], form: Form) -> Sent:
        """The messages as stored and as sent, cached as far as possible. `form` converts one turn's messages."""
        cached = self._cache.get(key)
        if cached is None or not cached.begins(messages):
            cached = self._cache[key] = Sent()
        self._cache.move_to_end(key)
        while len(self._cache) > MOST_CACHED:
            self._cache.popitem(last=False)
        for turn in turns(messages[len(cached.stored) :]):
            cached.stored += turn
            cached.sent += form(turn)
        return cached


def turns(messages: Sequence[ModelMessage]) -> list[list[ModelMessage]]:
    """The messages split before each person's message that follows an answer, so that each piece is complete."""
    found: list[list[ModelMessage]] = []
    for message in messages:
        if found and not (is_person(message) and isinstance(found[-1][-1], ModelResponse)):
            found[-1].append(message)
        else:
            found.append([message])
    return found


def begins_at(history: Sequence[ModelMessage], *, fresh: bool) -> int:
    """The position from which the agent needs the messages. `fresh`: a new prompt follows.

    In the messages before it every call has its result, and the last one is an answer.
    """
    if not history or (fresh and isinstance(history[-1], ModelResponse)):
        return len(history)
    position = len(history) - 1
    while position and not (is_person(history[position]) and isinstance(history[position - 1], ModelResponse)):
        position -= 1
    return position


def is_person(message: ModelMessage) -> bool:
    """Whether a message is a person's and has no tool results."""
    return (
        isinstance(message, ModelRequest)
        and any(isinstance(part, UserPromptPart) for part in message.parts)
        and not any(isinstance(part, ToolReturnPart) for part in message.parts)
    )
