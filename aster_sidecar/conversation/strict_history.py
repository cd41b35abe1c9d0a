"""Converts the model's messages to a form that strict servers accept, for the engine; the store is unchanged."""

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
"""Inserted answer between tool results and a person's message, for servers that require alternating roles."""

ALPHABET = string.ascii_letters + string.digits
EPOCH = datetime.fromtimestamp(0, UTC)
"""Timestamp of inserted parts: constant, so that the same history gives the same request."""
SHORT_CHARS = 9
"""Length of the ids that Mistral's API and its templates accept."""
SHORT = re.compile(rf"[a-zA-Z0-9]{{{SHORT_CHARS}}}")
LONGEST_ID_CHARS = 40
"""Longest id that OpenAI's chat completions accept; Anthropic and Responses accept 64."""
ACCEPTED = re.compile(r"[!-~]{1,64}")
"""An id that is sent unchanged."""
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""A tool name that every server accepts. The history may contain others, because a model may call any name."""


def as_sent(
    messages: Sequence[ModelMessage], *, strict_roles: bool = False, short_ids: bool = False
) -> list[ModelMessage]:
    """The messages in the form to send: a new list, with the same objects where nothing changes.

    Empty answers and old retry prompts are left out, messages of one role in a row are merged, each call has one result
    right after it and every result its call; ids are unique, and the first message is a person's. `strict_roles`: an
    assistant's message is inserted between tool results and a prompt. `short_ids`: ids are 9 letters and digits.
    The same messages always give the same result, so that a provider's prompt cache stays valid.
    """
    last = len(messages) - 1
    filled = [kept for n, message in enumerate(messages) if (kept := without_empty(message, n == last)) is not None]
    merged = with_paired_results(merge(filled))
    sent = merge(with_accepted_names(merged, short_ids))
    if not sent or isinstance(sent[0], ModelResponse):
        sent.insert(0, prompt(BEGINNING))
    if isinstance(sent[-1], ModelResponse) and messages and isinstance(messages[-1], ModelRequest):
        sent.append(prompt(GO_ON))  # the last request was empty, but the last message must be a person's
    return with_alternating_roles(sent) if strict_roles else sent


def without_thinking(
    messages: Sequence[ModelMessage], keeps: Callable[[ModelResponse, ThinkingPart], bool]
) -> list[ModelMessage]:
    """The messages with only the thinking parts for which `keeps` is true; unchanged messages are the same objects."""
    left: list[ModelMessage] = []
    for message in messages:
        if isinstance(message, ModelResponse):
            parts = [part for part in message.parts if not isinstance(part, ThinkingPart) or keeps(message, part)]
            message = message if len(parts) == len(message.parts) else replace(message, parts=parts)
        left.append(message)
    return left


# -- empty parts and messages ------------------------------------------------------------------------------------------


def without_empty(message: ModelMessage, last: bool) -> ModelMessage | None:
    """The message without empty parts; None when no part is left.

    A retry prompt after an empty answer is sent only in the last message, and only if it contains no person's prompt.
    """
    if isinstance(message, ModelResponse):
        if last and message.state == "suspended":  # the provider continues exactly this message
            return message
        filled = [part for part in message.parts if not is_blank(part)]
        if all(isinstance(part, ThinkingPart) for part in filled):
            return None
        return message if len(filled) == len(message.parts) else replace(message, parts=filled)
    send_retry = last and not any(isinstance(part, UserPromptPart) and not blank_prompt(part) for part in message.parts)
    parts: list[Any] = [sent for part in message.parts if (sent := as_prompt(part, send_retry)) is not None]
    if not parts:
        return replace(message, parts=[UserPromptPart(GO_ON, timestamp=EPOCH)]) if last else None
    same = len(parts) == len(message.parts) and all(new is old for new, old in zip(parts, message.parts, strict=True))
    return message if same else replace(message, parts=parts)


def is_blank(part: object) -> bool:
    """Whether a part of an answer is empty. A part with provider details or a signature is not: they are sent back."""
    if isinstance(part, TextPart):
        return not part.content.strip() and not part.provider_details
    return isinstance(part, ThinkingPart) and not (part.content or part.signature or part.provider_details or part.id)


def as_prompt(part: Any, send_retry: bool) -> Any:
    """The part; a retry prompt as a person's, because servers refuse a later system prompt. None if it is left out."""
    if isinstance(part, RetryFeedbackPart):
        if part.retry.cause == "no_output" and not send_retry:
            return None
        return UserPromptPart(part.model_response(), timestamp=part.timestamp)
    return None if isinstance(part, UserPromptPart | SystemPromptPart) and blank_prompt(part) else part


def blank_prompt(part: UserPromptPart | SystemPromptPart) -> bool:
    if isinstance(part.content, str):
        return not part.content.strip()
    return all(isinstance(item, str) and not item.strip() for item in part.content)


def prompt(text: str) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(text, timestamp=EPOCH)])


# -- merging adjacent messages -----------------------------------------------------------------------------------------


def merge(messages: Iterable[ModelMessage]) -> list[ModelMessage]:
    """Adjacent messages of one role become one; in a request tool results come first and one prompt last."""
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
            merged[-1] = merge_answers(before, message)
        elif isinstance(message, ModelRequest):
            merged.append(ordered(message))
        else:
            merged.append(message)
    return [without_system(m) if n and isinstance(m, ModelRequest) else m for n, m in enumerate(merged)]


def merge_answers(first: ModelResponse, second: ModelResponse) -> ModelResponse:
    """Two answers as one. Of the first only text and calls: its other parts belong to another request."""
    thought = [part for part in second.parts if isinstance(part, ThinkingPart)]
    if second.parts[: len(thought)] != thought:
        thought = []  # only thinking that begins an answer may stay at its beginning
    earlier = [
        TextPart(part.content) if isinstance(part, TextPart) else part
        for part in first.parts
        if isinstance(part, TextPart | ToolCallPart)
    ]
    return replace(second, parts=[*thought, *earlier, *second.parts[len(thought) :]])


def ordered(request: ModelRequest) -> ModelRequest:
    """The request with tool results first and all prompts joined at the end."""
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
    """The request with system prompts as a person's: many servers accept them only in the first message."""
    if not any(isinstance(part, SystemPromptPart) for part in request.parts):
        return request
    parts = [
        UserPromptPart(part.content, timestamp=part.timestamp) if isinstance(part, SystemPromptPart) else part
        for part in request.parts
    ]
    return ordered(replace(request, parts=parts))


def with_alternating_roles(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Requests with both tool results and a prompt are split, with an assistant's message in between."""
    split: list[ModelMessage] = []
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolReturnPart)]
        others: list[Any] = [part for part in message.parts if not isinstance(part, ToolReturnPart)]
        if isinstance(message, ModelRequest) and results and others:
            split.append(replace(message, parts=results))
            split.append(ModelResponse(parts=[TextPart(SEEN)], timestamp=results[-1].timestamp))
            split.append(replace(message, parts=others))
        else:
            split.append(message)
    return split


# -- calls and results -------------------------------------------------------------------------------------------------


def with_paired_results(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Every call gets one result in the next request, and results without a call are removed."""
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
            matched = results_for(calls, results)
            if not same(matched, results):
                rest = [part for part in message.parts if not isinstance(part, ToolReturnPart)]
                message = replace(message, parts=[*matched, *rest])
        calls = []
        if message.parts:
            sent.append(message)
    if calls and not (isinstance(sent[-1], ModelResponse) and sent[-1].state == "suspended"):
        sent.append(ModelRequest(parts=[no_result(call) for call in calls]))
    return sent


def results_for(calls: Sequence[ToolCallPart], results: Sequence[ToolReturnPart]) -> list[ToolReturnPart]:
    """One result for each call, in the given order; made-up results for calls without one come last."""
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


def with_accepted_names(messages: Sequence[ModelMessage], short_ids: bool) -> list[ModelMessage]:
    """The messages with unique ids and tool names that servers accept, the same in calls and their results."""
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
    """A tool's name in characters that every server accepts."""
    if NAME.fullmatch(name):
        return name
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "unnamed_tool"


def free_id(call_id: str, used: set[str], short: bool) -> str:
    """The id to send for a call, unique in the request; added to `used`."""
    fits = SHORT if short else ACCEPTED
    found, number = call_id, 0
    if not fits.fullmatch(call_id):
        found = digest(call_id, SHORT_CHARS if short else 24)
    while found in used:
        number += 1
        found = digest(f"{call_id}\n{number}", SHORT_CHARS) if short else numbered_id(call_id, number)
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


def with_unique_ids(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages with unique call ids. The newest call with an id keeps it, because it may be unanswered."""
    changed, used = list(messages), set[str]()
    for position in range(len(changed) - 1, -1, -1):
        message = changed[position]
        ids = call_ids([message])
        others = {call_id: free_id(call_id, used, short=False) for call_id in sorted(ids & used)}
        used |= ids
        if others:
            changed[position] = with_ids(message, others)
            if position + 1 < len(changed) and isinstance(changed[position + 1], ModelRequest):
                changed[position + 1] = with_ids(changed[position + 1], others)
    return changed


def with_ids(message: ModelMessage, others: Mapping[str, str]) -> ModelMessage:
    """The message with the ids of calls and results replaced; `others` maps old ids to new ones."""
    parts: list[Any] = [
        replace(part, tool_call_id=others[part.tool_call_id])
        if isinstance(part, ToolCallPart | ToolReturnPart) and part.tool_call_id in others
        else part
        for part in message.parts
    ]
    return replace(message, parts=parts)


def unique_ids(ids: Iterable[str], used: Iterable[str] = ()) -> list[str]:
    """The ids, each made unique and kept similar; some servers number the calls of each response alike.

    `used`: ids that are in use already.
    """
    used = set(used)
    return [free_id(call_id, used, short=False) for call_id in ids]


def numbered_id(call_id: str, number: int) -> str:
    """A variant of an id, different for each `number`: another 9 letters and digits, or the id with a suffix."""
    if SHORT.fullmatch(call_id):
        return digest(f"{call_id}\n{number}", SHORT_CHARS)
    suffix = f"_{number}"
    base = call_id if ACCEPTED.fullmatch(call_id) else digest(call_id, 24)
    return base[: LONGEST_ID_CHARS - len(suffix)] + suffix


def digest(text: str, chars: int) -> str:
    """A hash of a text as `chars` letters and digits."""
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    letters: list[str] = []
    for _ in range(chars):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)
