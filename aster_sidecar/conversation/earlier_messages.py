"""What was said before a turn, in the form that its model is sent: made once for each turn, and kept.

The agent itself is run with the messages of its turn only. All that pydantic-ai does with a history for each request
would take longer with each turn of a long conversation, though nothing of the earlier ones changes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolReturnPart, UserPromptPart

from aster_sidecar.conversation.request_prefix import Prefix

KEPT = 8
"""Conversations whose earlier messages are kept in this form."""

Form = Callable[[Sequence[ModelMessage]], list[ModelMessage]]


@dataclass(slots=True)
class Kept:
    """The messages of a conversation so far, and what is sent of them."""

    stored: list[ModelMessage] = field(default_factory=list[ModelMessage])
    sent: list[ModelMessage] = field(default_factory=list[ModelMessage])
    prefix: Prefix = field(default_factory=Prefix)

    def leads(self, messages: Sequence[ModelMessage]) -> bool:
        """Whether these messages begin with the kept ones. Histories only grow, or are replaced whole."""
        many = len(self.stored)
        return many <= len(messages) and (
            many == 0 or (messages[0] is self.stored[0] and messages[many - 1] is self.stored[-1])
        )


class Earlier:
    """The earlier messages of the conversations that were on last, each for one model."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def of(self, key: Hashable, messages: Sequence[ModelMessage], form: Form) -> Kept:
        """These messages, kept with what is sent of them. `form` brings a turn's messages into that form."""
        kept = self._kept.get(key)
        if kept is None or not kept.leads(messages):
            kept = self._kept[key] = Kept()
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        for turn in turns(messages[len(kept.stored) :]):
            kept.stored += turn
            kept.sent += form(turn)
        return kept


def turns(messages: Sequence[ModelMessage]) -> list[list[ModelMessage]]:
    """The messages cut where a person speaks behind an answer, so that each piece can stand alone."""
    found: list[list[ModelMessage]] = []
    for message in messages:
        if found and not (is_person(message) and isinstance(found[-1][-1], ModelResponse)):
            found[-1].append(message)
        else:
            found.append([message])
    return found


def begins_at(history: Sequence[ModelMessage], *, fresh: bool) -> int:
    """Where the messages begin that the agent must be run with. `fresh`: a new prompt follows.

    Before it every call has its result, and the last message is an answer.
    """
    if not history or (fresh and isinstance(history[-1], ModelResponse)):
        return len(history)
    position = len(history) - 1
    while position and not (is_person(history[position]) and isinstance(history[position - 1], ModelResponse)):
        position -= 1
    return position


def is_person(message: ModelMessage) -> bool:
    """Whether a message is a person's, without results of tools."""
    return (
        isinstance(message, ModelRequest)
        and any(isinstance(part, UserPromptPart) for part in message.parts)
        and not any(isinstance(part, ToolReturnPart) for part in message.parts)
    )
