"""Compacts the model's history for the engine: estimates its size, decides when to compact, and shortens it.

This module sends no request. `compact` receives a function that asks for a summary, and has a fallback if that fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast
from weakref import ref

from pydantic_ai import RequestUsage, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.messages import BaseToolCallPart, BaseToolReturnPart, ModelMessage, ModelRequest, ModelResponse

from aster_sidecar.conversation.file_references import Reference, is_reference, number
from aster_sidecar.conversation.summary import (
    GO_ON,
    LEAST_TOKENS,
    PERSON_HEAD,
    SUMMARY_HEAD,
    Ask,
    read_summary,
    summarise,
)
from aster_sidecar.errors import ModelError
from aster_sidecar.models.token_estimate import cut_text, estimate_tokens

COMPACT_AT = 0.8
"""Share of the context window at which the history is summarised."""
UNSURE_AT = 0.6
"""Share of the context window from which an unexplained refusal may mean that the window is full."""
ASSUMED_TOKENS = 24_000
"""Assumed size of an unknown context window after a refusal: many servers have no more than this."""
TARGET_SHARE = 0.5
"""Share of the context window that the next request may fill after a compaction; halved after each refusal."""
KEEP_SHARE = 0.25
"""Share of the context window for the newest messages, which a summary leaves as they are."""
MOST_COMPACTIONS = 3
"""Most compactions for one request; each shortens the history further."""
SUMMARY_TOKENS = 4000
"""Longest summary."""
MESSAGE_TOKENS = 6
"""Overhead of a message or a tool call besides its text: names, ids, marks of the chat template."""
FILE_TOKENS = 1600
"""Estimate for an image or another file. Source: about what providers count for one image."""
NOTE_TOKENS = 20
"""Size of the note that says that text was left out: nothing is cut to less."""
MANY_MESSAGES = 4
"""This many messages are summarised even if they are short: a provider may count more tokens than we do."""
SMALLEST_WINDOW_TOKENS = 100
MOST_WINDOW_TOKENS = 100_000_000
"""A larger number is not a plausible count of tokens."""
TRUSTED_FACTOR = 4
"""A provider's count is used when it is within this factor of our estimate."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a request in tokens, and the ratio of the provider's count to our estimate."""

    tokens: int
    ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """One compaction to do: the size of the window as known now, and the share of it to fill afterwards."""

    reason: Literal["near_window", "over_window"]
    window_tokens: int
    target_share: float = TARGET_SHARE
    learned: bool = False
    """Whether the refusal said that the window is full: then `window_tokens` is remembered for later turns."""


@dataclass(slots=True)
class CountedPrefix:
    """The messages of a history up to its last answer, and their estimated tokens."""

    first: ref[ModelMessage]
    last: ref[ModelMessage] | None = None
    length: int = 0
    tokens: int = 0

    def begins(self, messages: Sequence[ModelMessage]) -> bool:
        return self.first() is messages[0] and (
            self.last is None or (self.length <= len(messages) and self.last() is messages[self.length - 1])
        )


_prefixes: dict[int, CountedPrefix] = {}
_messages: dict[int, tuple[ref[ModelMessage], int]] = {}
_tools: dict[tuple[str, str], tuple[Mapping[str, Any], int]] = {}

# -- sizes -------------------------------------------------------------------------------------------------------------


def size(messages: Sequence[ModelMessage], fixed_tokens: int = 0) -> Size:
    """The size of a request with these messages: the provider's last count plus our estimate of what was added since.

    `fixed_tokens`: tokens of instructions and tools. Without a plausible count (TRUSTED_FACTOR) all of it is estimated.
    """
    whole, after = fixed_tokens + whole_tokens(messages), 0
    for message in reversed(messages):
        if isinstance(message, ModelResponse) and message.usage.input_tokens:
            reported, estimate = message.usage.input_tokens + message.usage.output_tokens, max(whole - after, 1)
            if estimate / TRUSTED_FACTOR <= reported <= min(estimate * TRUSTED_FACTOR, MOST_WINDOW_TOKENS):
                ratio = reported / estimate
                return Size(reported + int(after * max(ratio, 1.0)), ratio)
            break
        after += message_tokens(message)
    return Size(whole)


def whole_tokens(messages: Sequence[ModelMessage]) -> int:
    """`estimated`, for a history that grows: the prefix that was counted last time is not counted again.

    The prefix is the same if its first message and last answer are the same objects: a compaction makes new answers.
    """
    first = messages[0] if messages else None
    if first is None:
        return 0
    key = id(first)
    known = _prefixes.get(key)
    if known is None or not known.begins(messages):
        known = _prefixes[key] = CountedPrefix(ref(first, lambda _: _prefixes.pop(key, None)))
    tokens = known.tokens
    for position in range(known.length, len(messages)):
        message = messages[position]
        tokens += message_tokens(message)
        if isinstance(message, ModelResponse):
            known.length, known.last, known.tokens = position + 1, ref(message), tokens
    return tokens


def estimated(messages: Iterable[ModelMessage]) -> int:
    """Our estimate of the tokens of the messages."""
    return sum(message_tokens(message) for message in messages)


def message_tokens(message: ModelMessage) -> int:
    """Our estimate of the tokens of one message. Cached, because a stored message does not change."""
    key = id(message)
    known = _messages.get(key)
    if known is not None and known[0]() is message:
        return known[1]
    tokens = MESSAGE_TOKENS + sum(part_tokens(part) for part in message.parts)
    _messages[key] = ref(message, lambda _: _messages.pop(key, None)), tokens
    return tokens


def part_tokens(part: Any) -> int:
    if isinstance(part, BaseToolCallPart):
        return MESSAGE_TOKENS + estimate_tokens(part.tool_name) + estimate_tokens(part.args_as_json_str())
    if isinstance(part, BaseToolReturnPart):
        files = sum(content_tokens(file) for file in part.files)
        return MESSAGE_TOKENS + estimate_tokens(part.model_response_str()) + files
    return content_tokens(getattr(part, "content", None))


def content_tokens(content: object) -> int:
    """Our estimate of the tokens of a part's content: text, or a list of texts and files."""
    if content is None:
        return 0
    if isinstance(content, str):
        return estimate_tokens(content)
    if is_reference(content):
        return number(cast("Reference", content), "tokens")
    if isinstance(content, list | tuple):
        return sum(content_tokens(item) for item in cast("Sequence[object]", content))
    if hasattr(content, "data") or hasattr(content, "url"):
        return FILE_TOKENS
    return estimate_tokens(str(getattr(content, "content", content)))


def fixed_tokens(instructions: str, tools: Iterable[tuple[str, str, Mapping[str, Any]]]) -> int:
    """Tokens that every request has: instructions, and tools as (name, description, schema of the arguments)."""
    return MESSAGE_TOKENS + estimate_tokens(instructions) + sum(tool_tokens(*tool) for tool in tools)


def tool_tokens(name: str, description: str, schema: Mapping[str, Any]) -> int:
    """Tokens of a tool in each request. Cached as long as its schema is the same object."""
    key = (name, description)
    known = _tools.get(key)
    if known is None or known[0] is not schema:
        text = f"{name} {description} {json.dumps(schema, ensure_ascii=False)}"
        known = _tools[key] = schema, 2 * MESSAGE_TOKENS + estimate_tokens(text)
    return known[1]


# -- policy ------------------------------------------------------------------------------------------------------------


def nearly_full(tokens: int, window_tokens: int, answer_tokens: int = 0) -> bool:
    """Whether a request of this size is too close to the window's limit; `answer_tokens`: most tokens of its answer."""
    free = window_tokens - min(answer_tokens, window_tokens // 2)
    return tokens > min(COMPACT_AT * window_tokens, free)


def after_refusal(
    refusal: ModelError, *, tokens: int, window_tokens: int, compacted: int, assumed: bool = False
) -> Step | None:
    """The compaction to do after a request of `tokens` was refused; None: compaction would not help.

    `compacted`: compactions done for this request so far; `assumed`: the size of the window is unknown.
    """
    if refusal.code == "context_too_long":
        if compacted >= MOST_COMPACTIONS:
            return None
        believed = believed_window(refusal, tokens=tokens, window_tokens=window_tokens)
        return Step("over_window", believed, TARGET_SHARE / 2**compacted, learned=True)
    unsure = (
        refusal.code in ("request_refused", "provider_error")
        and getattr(refusal, "provider_status", None) in (400, 413, 422, 500)
        and getattr(refusal, "lacks", None) is None
    )
    if not unsure or compacted:
        return None
    believed = min(window_tokens, ASSUMED_TOKENS) if assumed else window_tokens
    return Step("over_window", believed) if tokens > UNSURE_AT * believed else None


def believed_window(refusal: ModelError, *, tokens: int, window_tokens: int) -> int:
    """The window size to assume after a refusal of a request of `tokens`, in the units of that count."""
    stated: int | None = getattr(refusal, "window_tokens", None)
    if stated is None or not SMALLEST_WINDOW_TOKENS <= stated <= MOST_WINDOW_TOKENS:
        believed = 0.75 * tokens
    elif tokens > stated:
        believed = stated
    else:  # the provider counts differently: in our tokens its window is smaller than the request
        asked: int | None = getattr(refusal, "asked_tokens", None)
        believed = tokens * (max(stated / asked, 0.05) if asked is not None and asked > stated else 0.9)
    return min(window_tokens, max(int(believed), SMALLEST_WINDOW_TOKENS))


# -- the history that is left ------------------------------------------------------------------------------------------


async def compact(
    history: Sequence[ModelMessage], step: Step, fixed: int, ask: Ask, ratio: float = 1.0
) -> list[ModelMessage] | None:
    """A shorter history: a summary replaces the older messages, and long tool results are cut.

    `fixed`: tokens of instructions and tools. None when nothing can be left out; a person's last message always stays.
    Asks for at most two summaries, with prompts of at most half the window. Raises: ModelError (one of NO_ANSWER).
    """
    fixed = min(fixed, step.window_tokens // 2)
    target = step.target_share * step.window_tokens
    scale = max(ratio, 1.0)
    room = int(max(target - fixed, target / 4) / scale)
    before = estimated(history)
    summary_tokens = max(min(room // 3, SUMMARY_TOKENS), LEAST_TOKENS)
    keep_tokens = min(
        room - summary_tokens, int(KEEP_SHARE * step.window_tokens / scale), int(step.target_share * before)
    )
    cut = cut_at(history, keep_tokens)
    older = history[:cut]
    known, summary = summary_alone(history, cut), None
    if known is not None:
        cut, summary = (cut, cut_text(known, summary_tokens)) if known else (0, None)
    elif cut and (step.reason == "over_window" or frees_enough(older, summary_tokens)):
        most = min(summary_tokens, max(estimated(older) - LEAST_TOKENS, LEAST_TOKENS))
        summary, refused = await summarise(older, ask, int((step.window_tokens - fixed) / 2 / scale), most)
        room = room // 2 if refused else room
    else:
        cut = 0
    shorter = shorten_parts([*replacement(history, cut, summary), *forget_counts(history[cut:])], room)
    if summary is not None and (over := estimated(shorter) - room) > 0:
        less = replacement(history, cut, cut_text(summary, max(summary_tokens - over, LEAST_TOKENS)))
        shorter[: len(less)] = less
    return shorter if estimated(shorter) < before or len(shorter) < len(history) else None


def frees_enough(older: Sequence[ModelMessage], summary_tokens: int) -> bool:
    """Whether a summary frees enough tokens to ask for one when no request was refused."""
    return estimated(older) > summary_tokens + 2 * LEAST_TOKENS or len(older) >= MANY_MESSAGES


def summary_alone(history: Sequence[ModelMessage], cut: int) -> str | None:
    """The earlier summary, if only it and the person's last message come before `cut`; `""` if there is no summary.

    None: there are other messages to summarise.
    """
    person = last_said(history)
    known = ""
    for position, message in enumerate(history[:cut]):
        for part in message.parts:
            summary = read_summary(part.content)[0] if isinstance(part, UserPromptPart) else None
            if summary is not None:
                known = summary
            elif isinstance(part, TextPart) and part.content == GO_ON:
                pass
            elif not isinstance(part, UserPromptPart) or person is None or position != person[0]:
                return None
    return known


def replacement(history: Sequence[ModelMessage], cut: int, summary: str | None) -> list[ModelMessage]:
    """The messages that replace those before `cut`: the summary, and the person's last message if it was among them."""
    if summary is None:
        return []
    person = last_said(history)
    text = SUMMARY_HEAD + summary.replace(PERSON_HEAD, "\n\n")
    parts: list[Any] = []
    if person is not None and person[0] < cut:
        content = person[1]
        if all(isinstance(said, str) for said in content):
            text += PERSON_HEAD + "\n\n".join(cast("list[str]", content))
        else:
            parts = [UserPromptPart(content=said) for said in content]
    messages: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart(content=text), *parts])]
    if cut < len(history) and isinstance(history[cut], ModelRequest):
        messages.append(ModelResponse(parts=[TextPart(content=GO_ON)]))
    return messages


def last_said(history: Sequence[ModelMessage]) -> tuple[int, list[Any]] | None:
    """Position and contents of the person's last message, which may be quoted in a summary. None: there is none."""
    for position in range(len(history) - 1, -1, -1):
        said: list[Any] = []
        for part in history[position].parts:
            if isinstance(part, UserPromptPart):
                summary, person = read_summary(part.content)
                said += [part.content] if summary is None else [] if person is None else [person]
        if said:
            return position, said
    return None


def forget_counts(messages: Iterable[ModelMessage]) -> list[ModelMessage]:
    """The messages without the provider's token counts, which include the removed messages."""
    return [replace(m, usage=RequestUsage()) if isinstance(m, ModelResponse) else m for m in messages]


def cut_at(messages: Sequence[ModelMessage], keep_tokens: int) -> int:
    """The position of the first message to keep: as many as fit in `keep_tokens`, at least the last request.

    It is a response, or a person's message without tool results, so that no call is separated from its result.
    0: there is nothing before the last request.
    """
    best, room = 0, keep_tokens
    for position in range(len(messages) - 1, 0, -1):
        message = messages[position]
        room -= message_tokens(message)
        if room < 0 and best:
            break
        person = any(isinstance(part, UserPromptPart) for part in message.parts)
        results = any(isinstance(part, BaseToolReturnPart) for part in message.parts)
        if isinstance(message, ModelResponse) or (person and not results):
            best = position
    return best


def shorten_parts(messages: list[ModelMessage], most_tokens: int) -> list[ModelMessage]:
    """Cut tool results, then arguments of tool calls, then answers, until the messages fit or nothing more can be cut.

    Parts of the last two messages are cut only if cutting the others was not enough. A person's messages stay.
    """
    for kind in (ToolReturnPart, ToolCallPart, TextPart):
        for end in (len(messages) - 2, len(messages)):
            over = estimated(messages) - most_tokens
            if over <= 0:
                return messages
            messages = shorten_kind(messages, kind, end, over)
    return messages


def shorten_kind(messages: list[ModelMessage], kind: type[Any], end: int, over: int) -> list[ModelMessage]:
    """Cut the longest parts of a kind in `messages[:end]` to one common length, which saves `over` tokens in total."""
    sizes = [part_tokens(part) for message in messages[: max(end, 0)] for part in message.parts if type(part) is kind]
    most = common_limit(sizes, sum(sizes) - over)
    if not sizes or max(sizes) <= most:
        return messages
    shorter: list[ModelMessage] = []
    for position, message in enumerate(messages):
        if position < end and any(type(part) is kind and part_tokens(part) > most for part in message.parts):
            parts: list[Any] = [
                shorten_part(part, most) if type(part) is kind and part_tokens(part) > most else part
                for part in message.parts
            ]
            message = replace(message, parts=parts)
        shorter.append(message)
    return shorter


def common_limit(sizes: Sequence[int], most: int) -> int:
    """The limit to cut all larger sizes to, so that the sum of the sizes is `most`."""
    left = sorted(sizes)
    while left:
        share = most // len(left)
        if left[0] > share:
            return max(share, NOTE_TOKENS)
        most -= left.pop(0)
    return max(most, NOTE_TOKENS)


def shorten_part(part: Any, most_tokens: int) -> Any:
    """The part, cut to about `most_tokens`; a call's arguments stay an object with the same names."""
    if isinstance(part, ToolReturnPart):
        text = part.model_response_str()
        return replace(
            cast("ToolReturnPart[Any]", part), content=cut_text(text, most_tokens - MESSAGE_TOKENS, tail_share=0.3)
        )
    if isinstance(part, ToolCallPart):
        call = cast("ToolCallPart[Any]", part)
        try:
            arguments = call.args_as_dict()
        except (ValueError, AssertionError):  # the model may have written invalid JSON
            return call
        texts = [estimate_tokens(text) for text in strings(arguments)]
        most = common_limit(texts, most_tokens - (part_tokens(part) - sum(texts)))
        return replace(call, args=cut_strings(arguments, most))
    return replace(part, content=cut_text(part.content, most_tokens, tail_share=0.3))


def strings(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(cast("dict[str, Any]", value).values())
    return [text for item in cast("list[Any]", value) for text in strings(item)] if isinstance(value, list) else []


def cut_strings(value: Any, most_tokens: int) -> Any:
    """A JSON value with each of its texts cut to `most_tokens`."""
    if isinstance(value, str):
        return cut_text(value, most_tokens, tail_share=0.3)
    if isinstance(value, dict):
        return {name: cut_strings(item, most_tokens) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [cut_strings(item, most_tokens) for item in cast("list[Any]", value)]
    return value
