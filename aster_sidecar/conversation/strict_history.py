"""A model's messages in the form that strict servers take: what is sent of a history, which stays as it is stored."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryFeedbackPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

NO_RESULT = "No result of this call was recorded."
BEGINNING = "(The beginning of this conversation is not here.)"
GO_ON = "Go on."
SEEN = "I have the results."
"""What the model seems to say between results and a person's message, for servers that want roles to alternate."""

ALPHABET = string.ascii_letters + string.digits
EPOCH = datetime.fromtimestamp(0, UTC)
"""When parts that only stand in were said: always the same, so that the same history is sent the same way."""
SHORT_CHARS = 9
"""Length of the ids that Mistral's API and its templates take."""
SHORT = re.compile(rf"[a-zA-Z0-9]{{{SHORT_CHARS}}}")
APART_CHARS = 40
"""Longest id that OpenAI's chat completions take; Anthropic and Responses take 64."""
TAKEN = re.compile(r"[!-~]{1,64}")
"""An id that is sent as the server gave it."""
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""A tool's name that every server takes; a model can have called any."""


def as_sent(
    messages: Sequence[ModelMessage], *, strict_roles: bool = False, short_ids: bool = False
) -> list[ModelMessage]:
    """The messages as they are sent: a new list, with the same objects where nothing has to change.

    Empty answers and old nudges are left out, neighbours of one role become one, every call has one result right
    behind it, every result its call; ids are unique, and the first message is a person's. `strict_roles`: an
    assistant's message stands between results and what a person says. `short_ids`: ids are 9 letters and digits.
    The same messages always give the same result, so that a provider's prompt cache holds.
    """
    last = len(messages) - 1
    spoken = [kept for n, message in enumerate(messages) if (kept := worth_sending(message, n == last)) is not None]
    merged = paired(merge(spoken))
    sent = merge(named(merged, short_ids))
    if not sent or isinstance(sent[0], ModelResponse):
        sent.insert(0, said_by_person(BEGINNING))
    if isinstance(sent[-1], ModelResponse) and messages and isinstance(messages[-1], ModelRequest):
        sent.append(said_by_person(GO_ON))  # what it said is left out, and it must be a person's turn
    return apart_roles(sent) if strict_roles else sent


def without_thoughts(
    messages: Sequence[ModelMessage], keeps: Callable[[ModelResponse, ThinkingPart], bool]
) -> list[ModelMessage]:
    """The messages with only the thinking that is kept; as they are where that is all."""
    left: list[ModelMessage] = []
    for message in messages:
        if isinstance(message, ModelResponse):
            parts = [part for part in message.parts if not isinstance(part, ThinkingPart) or keeps(message, part)]
            message = message if len(parts) == len(message.parts) else replace(message, parts=parts)
        left.append(message)
    return left


# -- what is left out --------------------------------------------------------------------------------------------------


def worth_sending(message: ModelMessage, last: bool) -> ModelMessage | None:
    """The message without what says nothing; None when nothing is left.

    A nudge to answer is for the next request only, and only where no person has said more.
    """
    if isinstance(message, ModelResponse):
        if last and message.state == "suspended":  # the provider goes on from exactly this
            return message
        said = [part for part in message.parts if not is_blank(part)]
        if all(isinstance(part, ThinkingPart) for part in said):
            return None
        return message if len(said) == len(message.parts) else replace(message, parts=said)
    nudged = last and not any(isinstance(part, UserPromptPart) and not blank_prompt(part) for part in message.parts)
    parts: list[Any] = [heard for part in message.parts if (heard := as_heard(part, nudged)) is not None]
    if not parts:
        return replace(message, parts=[UserPromptPart(GO_ON, timestamp=EPOCH)]) if last else None
    same = len(parts) == len(message.parts) and all(new is old for new, old in zip(parts, message.parts, strict=True))
    return message if same else replace(message, parts=parts)


def is_blank(part: object) -> bool:
    """Whether a part of an answer says nothing. What a provider wants back with it counts as something."""
    if isinstance(part, TextPart):
        return not part.content.strip() and not part.provider_details
    return isinstance(part, ThinkingPart) and not (part.content or part.signature or part.provider_details or part.id)


def as_heard(part: Any, nudged: bool) -> Any:
    """A part of a request: a retry's words as a person's, since a system's are refused in the middle; None for none."""
    if isinstance(part, RetryFeedbackPart):
        if part.retry.cause == "no_output" and not nudged:
            return None
        return UserPromptPart(part.model_response(), timestamp=part.timestamp)
    return None if isinstance(part, UserPromptPart | SystemPromptPart) and blank_prompt(part) else part


def blank_prompt(part: UserPromptPart | SystemPromptPart) -> bool:
    if isinstance(part.content, str):
        return not part.content.strip()
    return all(isinstance(item, str) and not item.strip() for item in part.content)


def said_by_person(text: str) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(text, timestamp=EPOCH)])


# -- one message for each turn of speech -------------------------------------------------------------------------------


def merge(messages: Iterable[ModelMessage]) -> list[ModelMessage]:
    """Neighbours of one role become one message; within a request results stand first and one prompt last."""
    merged: list[ModelMessage] = []
    for message in messages:
        before = merged[-1] if merged else None
        if isinstance(before, ModelRequest) and isinstance(message, ModelRequest):
            merged[-1] = ordered(
                replace(
                    message,
                    parts=[*before.parts, *message.parts],
                    instructions=message.instructions or before.instructions,
                )
            )
        elif isinstance(before, ModelResponse) and isinstance(message, ModelResponse):
            merged[-1] = both(before, message)
        elif isinstance(message, ModelRequest):
            merged.append(ordered(message))
        else:
            merged.append(message)
    return [without_system(m) if n and isinstance(m, ModelRequest) else m for n, m in enumerate(merged)]


def both(first: ModelResponse, second: ModelResponse) -> ModelResponse:
    """Two answers as one. The first one's words and calls only: what else is in it belongs to another request."""
    thought = [part for part in second.parts if isinstance(part, ThinkingPart)]
    if second.parts[: len(thought)] != thought:
        thought = []  # only what leads may lead
    earlier = [
        TextPart(part.content) if isinstance(part, TextPart) else part
        for part in first.parts
        if isinstance(part, TextPart | ToolCallPart)
    ]
    return replace(second, parts=[*thought, *earlier, *second.parts[len(thought) :]])


def ordered(request: ModelRequest) -> ModelRequest:
    """Results first, then the rest; all that a person says is one prompt."""
    results = [part for part in request.parts if isinstance(part, ToolReturnPart)]
    prompts = [part for part in request.parts if isinstance(part, UserPromptPart)]
    if len(prompts) <= 1 and same(request.parts[: len(results)], results):
        return request
    rest = [part for part in request.parts if not isinstance(part, ToolReturnPart | UserPromptPart)]
    return replace(request, parts=[*results, *rest, *([joined(prompts)] if prompts else [])])


def joined(prompts: Sequence[UserPromptPart]) -> UserPromptPart:
    """Several prompts as one."""
    if len(prompts) == 1:
        return prompts[0]
    contents = [part.content for part in prompts]
    if all(isinstance(content, str) for content in contents):
        return replace(prompts[0], content="\n\n".join(str(content) for content in contents))
    items = [item for content in contents for item in ([content] if isinstance(content, str) else content)]
    return replace(prompts[0], content=items)


def without_system(request: ModelRequest) -> ModelRequest:
    """A system's words in the middle as a person's: many servers take them only as the first message."""
    if not any(isinstance(part, SystemPromptPart) for part in request.parts):
        return request
    parts = [
        UserPromptPart(part.content, timestamp=part.timestamp) if isinstance(part, SystemPromptPart) else part
        for part in request.parts
    ]
    return ordered(replace(request, parts=parts))


def apart_roles(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Where a request holds results and a person's words, the model seems to answer between them."""
    apart: list[ModelMessage] = []
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolReturnPart)]
        others: list[Any] = [part for part in message.parts if not isinstance(part, ToolReturnPart)]
        if isinstance(message, ModelRequest) and results and others:
            apart.append(replace(message, parts=results))
            apart.append(ModelResponse(parts=[TextPart(SEEN)], timestamp=results[-1].timestamp))
            apart.append(replace(message, parts=others))
        else:
            apart.append(message)
    return apart


# -- calls and results -------------------------------------------------------------------------------------------------


def paired(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Every call gets one result in the request behind it, and no result is left that answers none."""
    sent: list[ModelMessage] = []
    calls: list[ToolCallPart] = []
    for message in messages:
        if isinstance(message, ModelResponse):
            if calls:
                sent.append(ModelRequest(parts=[no_result(call) for call in calls]))
            sent.append(message)
            calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
            continue
        results = [part for part in message.parts if isinstance(part, ToolReturnPart)]
        if calls or results:
            right = answers_to(calls, results)
            if not same(right, results):
                rest = [part for part in message.parts if not isinstance(part, ToolReturnPart)]
                message = replace(message, parts=[*right, *rest])
        calls = []
        if message.parts:
            sent.append(message)
    if calls and not (isinstance(sent[-1], ModelResponse) and sent[-1].state == "suspended"):
        sent.append(ModelRequest(parts=[no_result(call) for call in calls]))
    return sent


def answers_to(calls: Sequence[ToolCallPart], results: Sequence[ToolReturnPart]) -> list[ToolReturnPart]:
    """One result for each call, in the order in which they came; calls without one come last."""
    open_calls = list(calls)
    found: list[ToolReturnPart] = []
    for result in results:
        call = next((call for call in open_calls if call.tool_call_id == result.tool_call_id), None)
        if call is not None:
            open_calls = [other for other in open_calls if other is not call]
            found.append(result)
    return [*found, *(no_result(call) for call in open_calls)]


def no_result(call: ToolCallPart) -> ToolReturnPart:
    return ToolReturnPart(call.tool_name, NO_RESULT, call.tool_call_id, outcome="interrupted", timestamp=EPOCH)


def same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


def named(messages: Sequence[ModelMessage], short_ids: bool) -> list[ModelMessage]:
    """The messages with ids that are unique and taken, and names that are; calls and their results alike."""
    used: set[str] = set()
    waiting: list[tuple[str, str, str]] = []
    sent: list[ModelMessage] = []
    for message in messages:
        parts: list[Any] = []
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                sent_id = free_id(part.tool_call_id, used, short_ids)
                waiting.append((part.tool_call_id, sent_id, name_of(part.tool_name)))
                parts.append(renamed(part, sent_id, name_of(part.tool_name)))
            elif isinstance(part, ToolReturnPart):
                known = next((entry for entry in waiting if entry[0] == part.tool_call_id), None)
                if known is not None:
                    waiting.remove(known)
                    part = renamed(part, known[1], known[2])
                parts.append(part)
            else:
                parts.append(part)
        if isinstance(message, ModelRequest):
            waiting.clear()
        sent.append(message if same(parts, message.parts) else replace(message, parts=parts))
    return sent


def renamed(part: Any, call_id: str, name: str) -> Any:
    if part.tool_call_id == call_id and part.tool_name == name:
        return part
    return replace(part, tool_call_id=call_id, tool_name=name)


def name_of(name: str) -> str:
    """A tool's name in characters that every server takes."""
    if NAME.fullmatch(name):
        return name
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "unnamed_tool"


def free_id(call_id: str, used: set[str], short: bool) -> str:
    """The id under which a call is sent, which no other call of the request has; noted in `used`."""
    fits = SHORT if short else TAKEN
    found, number = call_id, 0
    if not fits.fullmatch(call_id):
        found = digest(call_id, SHORT_CHARS if short else 24)
    while found in used:
        number += 1
        found = digest(f"{call_id}\n{number}", SHORT_CHARS) if short else following(call_id, number)
    used.add(found)
    return found


def call_ids(messages: Iterable[ModelMessage]) -> set[str]:
    """The ids of all tool calls in the messages."""
    return {
        part.tool_call_id
        for message in messages
        if isinstance(message, ModelResponse)
        for part in message.parts
        if isinstance(part, ToolCallPart)
    }


def ids_apart(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages with an id of its own for each call. The newest of those with one id keep it: they may be open."""
    mended, used = list(messages), set[str]()
    for position in range(len(mended) - 1, -1, -1):
        message = mended[position]
        ids = call_ids([message])
        others = {call_id: free_id(call_id, used, short=False) for call_id in sorted(ids & used)}
        used |= ids
        if others:
            mended[position] = with_ids(message, others)
            if position + 1 < len(mended) and isinstance(mended[position + 1], ModelRequest):
                mended[position + 1] = with_ids(mended[position + 1], others)
    return mended


def with_ids(message: ModelMessage, others: Mapping[str, str]) -> ModelMessage:
    """A message whose calls and results have other ids."""
    parts: list[Any] = [
        replace(part, tool_call_id=others[part.tool_call_id])
        if isinstance(part, ToolCallPart | ToolReturnPart) and part.tool_call_id in others
        else part
        for part in message.parts
    ]
    return replace(message, parts=parts)


def apart(ids: Iterable[str], used: Iterable[str] = ()) -> list[str]:
    """The ids, each made unique in the form that the server gave it; some servers number all calls alike.

    `used`: ids that are taken already.
    """
    used = set(used)
    return [free_id(call_id, used, short=False) for call_id in ids]


def following(call_id: str, number: int) -> str:
    """The `number`th other id of the same form: 9 letters and digits stay that, others get a suffix."""
    if SHORT.fullmatch(call_id):
        return digest(f"{call_id}\n{number}", SHORT_CHARS)
    suffix = f"_{number}"
    base = call_id if TAKEN.fullmatch(call_id) else digest(call_id, 24)
    return base[: APART_CHARS - len(suffix)] + suffix


def digest(text: str, chars: int) -> str:
    """Letters and digits that stand for a text."""
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    letters: list[str] = []
    for _ in range(chars):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)
