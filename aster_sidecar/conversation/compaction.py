"""How a conversation is made shorter for the model: its size, what follows a refusal, and the history that is left.

Nothing here sends a request: `compact` is given the means to ask for a summary, and does without where there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast
from weakref import ref

from pydantic_ai import RequestUsage, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.messages import BaseToolCallPart, BaseToolReturnPart, ModelMessage, ModelRequest, ModelResponse

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
"""Part of the context window at which the history is summarised."""
UNSURE_AT = 0.6
"""Part of the context window from which a refusal that nobody understands may mean that the window is full."""
ASSUMED_TOKENS = 24_000
"""What a context window is taken for there that nobody knows: many servers have no more than this."""
TARGET_SHARE = 0.5
"""Part of the context window that the next request may fill after a compaction; half of it after each refusal."""
KEEP_SHARE = 0.25
"""Part of the context window that the newest messages may fill which a summary leaves as they are."""
MOST_COMPACTIONS = 3
"""Times the history is shortened for one request, each time further."""
SUMMARY_TOKENS = 4000
"""Most that a summary may take."""
MESSAGE_TOKENS = 6
"""What a message or a tool call takes besides its text: names, ids, marks of the chat template."""
FILE_TOKENS = 1600
"""What an image or another file is taken for. Source: about what providers count for one image."""
NOTE_TOKENS = 20
"""What the note takes that something was left out: nothing is cut to less."""
MANY_MESSAGES = 4
"""So many are summarised although they are short: a provider may count more than we do."""
SMALLEST_WINDOW_TOKENS = 100
MOST_WINDOW_TOKENS = 100_000_000
"""More than this is no count of tokens."""
TRUSTED_FACTOR = 4
"""A provider's count is believed when it is within this factor of the estimate."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a request takes of the window, and how many of the provider's tokens one of our estimate stands for."""

    tokens: int
    ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """One compaction to be done: the window that is believed now, and the part of it that may be full afterwards."""

    reason: Literal["near_window", "over_window"]
    window_tokens: int
    target_share: float = TARGET_SHARE
    learned: bool = False
    """Whether the refusal said that the window is full, so that what it tells of the window holds for later."""


@dataclass(slots=True)
class Beginning:
    """The messages of a history up to its last answer, and what they take."""

    first: ref[ModelMessage]
    last: ref[ModelMessage] | None = None
    many: int = 0
    tokens: int = 0

    def leads(self, messages: Sequence[ModelMessage]) -> bool:
        return self.first() is messages[0] and (
            self.last is None or (self.many <= len(messages) and self.last() is messages[self.many - 1])
        )


_beginnings: dict[int, Beginning] = {}
_messages: dict[int, tuple[ref[ModelMessage], int]] = {}
_tools: dict[tuple[str, str], tuple[Mapping[str, Any], int]] = {}

# -- sizes -------------------------------------------------------------------------------------------------------------


def size(messages: Sequence[ModelMessage], fixed_tokens: int = 0) -> Size:
    """What a request with these messages takes: the provider's own count where it told one, else estimated.

    `fixed_tokens`: what instructions and tools take. A count that has nothing to do with the estimate is not believed.
    """
    whole, after = fixed_tokens + whole_tokens(messages), 0
    for message in reversed(messages):
        if isinstance(message, ModelResponse) and message.usage.input_tokens:
            told, ours = message.usage.input_tokens + message.usage.output_tokens, max(whole - after, 1)
            if ours / TRUSTED_FACTOR <= told <= min(ours * TRUSTED_FACTOR, MOST_WINDOW_TOKENS):
                ratio = told / ours
                return Size(told + int(after * max(ratio, 1.0)), ratio)
            break
        after += message_tokens(message)
    return Size(whole)


def whole_tokens(messages: Sequence[ModelMessage]) -> int:
    """`estimated`, of a history that grows: what it began with when it was counted last is not counted again.

    It is the same beginning when its first message and its last answer are: a compaction makes new answers.
    """
    first = messages[0] if messages else None
    if first is None:
        return 0
    key = id(first)
    known = _beginnings.get(key)
    if known is None or not known.leads(messages):
        known = _beginnings[key] = Beginning(ref(first, lambda _: _beginnings.pop(key, None)))
    tokens = known.tokens
    for position in range(known.many, len(messages)):
        message = messages[position]
        tokens += message_tokens(message)
        if isinstance(message, ModelResponse):
            known.many, known.last, known.tokens = position + 1, ref(message), tokens
    return tokens


def estimated(messages: Iterable[ModelMessage]) -> int:
    """What the messages take by our own estimate."""
    return sum(message_tokens(message) for message in messages)


def message_tokens(message: ModelMessage) -> int:
    """What one message takes by our own estimate. Counted once: a message that is kept does not change any more."""
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
        files = len(part.files) * FILE_TOKENS
        return MESSAGE_TOKENS + estimate_tokens(part.model_response_str()) + files
    return content_tokens(getattr(part, "content", None))


def content_tokens(content: object) -> int:
    """What a part's content takes: text, or a list of texts and files."""
    if content is None:
        return 0
    if isinstance(content, str):
        return estimate_tokens(content)
    if isinstance(content, list | tuple):
        return sum(content_tokens(item) for item in cast("Sequence[object]", content))
    if hasattr(content, "data") or hasattr(content, "url"):
        return FILE_TOKENS
    return estimate_tokens(str(getattr(content, "content", content)))


def fixed_tokens(instructions: str, tools: Iterable[tuple[str, str, Mapping[str, Any]]]) -> int:
    """What goes with every request: instructions, and tools as (name, description, schema of the arguments)."""
    return MESSAGE_TOKENS + estimate_tokens(instructions) + sum(tool_tokens(*tool) for tool in tools)


def tool_tokens(name: str, description: str, schema: Mapping[str, Any]) -> int:
    """What a tool takes of each request. Counted once as long as its schema is the same object."""
    key = (name, description)
    known = _tools.get(key)
    if known is None or known[0] is not schema:
        text = f"{name} {description} {json.dumps(schema, ensure_ascii=False)}"
        known = _tools[key] = schema, 2 * MESSAGE_TOKENS + estimate_tokens(text)
    return known[1]


# -- policy ------------------------------------------------------------------------------------------------------------


def nearly_full(tokens: int, window_tokens: int, answer_tokens: int = 0) -> bool:
    """Whether a request of this size comes too near to the window; `answer_tokens`: what its answer may take."""
    free = window_tokens - min(answer_tokens, window_tokens // 2)
    return tokens > min(COMPACT_AT * window_tokens, free)


def after_refusal(
    refusal: ModelError, *, tokens: int, window_tokens: int, compacted: int, assumed: bool = False
) -> Step | None:
    """What to do after a request of `tokens` was refused: shorten the history and send it again, or (None) give up.

    `compacted`: how often the history was shortened for this request already; `assumed`: nobody knows the window.
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
    """The window that a refusal leaves to be believed, in the tokens that `tokens`, what was refused, is counted in."""
    told: int | None = getattr(refusal, "window_tokens", None)
    if told is None or not SMALLEST_WINDOW_TOKENS <= told <= MOST_WINDOW_TOKENS:
        believed = 0.75 * tokens
    elif tokens > told:
        believed = told
    else:  # the provider counts in another way: its window is less than what we counted
        asked: int | None = getattr(refusal, "asked_tokens", None)
        believed = tokens * (max(told / asked, 0.05) if asked is not None and asked > told else 0.9)
    return min(window_tokens, max(int(believed), SMALLEST_WINDOW_TOKENS))


# -- the history that is left ------------------------------------------------------------------------------------------


async def compact(
    history: Sequence[ModelMessage], step: Step, fixed: int, ask: Ask, ratio: float = 1.0
) -> list[ModelMessage] | None:
    """A shorter history for the same conversation: a summary in place of the older messages, long results cut.

    `fixed`: what instructions and tools take. None when nothing can be left out: a person's last message never is.
    Asks for at most two summaries, none longer than half of the window. Raises: ModelError (one of NO_ANSWER).
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
    elif cut and (step.reason == "over_window" or worth(older, summary_tokens)):
        most = min(summary_tokens, max(estimated(older) - LEAST_TOKENS, LEAST_TOKENS))
        summary, refused = await summarise(older, ask, int((step.window_tokens - fixed) / 2 / scale), most)
        room = room // 2 if refused else room
    else:
        cut = 0
    shorter = shorten_parts([*head(history, cut, summary), *forget_counts(history[cut:])], room)
    if summary is not None and (over := estimated(shorter) - room) > 0:
        less = head(history, cut, cut_text(summary, max(summary_tokens - over, LEAST_TOKENS)))
        shorter[: len(less)] = less
    return shorter if estimated(shorter) < before or len(shorter) < len(history) else None


def worth(older: Sequence[ModelMessage], summary_tokens: int) -> bool:
    """Whether a summary frees enough to be asked for where nothing was refused yet."""
    return estimated(older) > summary_tokens + 2 * LEAST_TOKENS or len(older) >= MANY_MESSAGES


def summary_alone(history: Sequence[ModelMessage], cut: int) -> str | None:
    """The earlier summary when there is nothing before `cut` but that and the person's last message; `""`: not even it.

    None: there is more, of which a summary can be made.
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


def head(history: Sequence[ModelMessage], cut: int, summary: str | None) -> list[ModelMessage]:
    """What stands for the messages before `cut`: the summary, with the person's last message if that is among them."""
    if summary is None:
        return []
    person = last_said(history)
    told = SUMMARY_HEAD + summary.replace(PERSON_HEAD, "\n\n")
    parts: list[Any] = []
    if person is not None and person[0] < cut:
        content = person[1]
        if all(isinstance(said, str) for said in content):
            told += PERSON_HEAD + "\n\n".join(cast("list[str]", content))
        else:
            parts = [UserPromptPart(content=said) for said in content]
    messages: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart(content=told), *parts])]
    if cut < len(history) and isinstance(history[cut], ModelRequest):
        messages.append(ModelResponse(parts=[TextPart(content=GO_ON)]))
    return messages


def last_said(history: Sequence[ModelMessage]) -> tuple[int, list[Any]] | None:
    """Where the person's last message is, and its contents; a summary is none, but may hold one."""
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
    """The messages without the provider's token counts: those include the messages that are now gone."""
    return [replace(m, usage=RequestUsage()) if isinstance(m, ModelResponse) else m for m in messages]


def cut_at(messages: Sequence[ModelMessage], keep_tokens: int) -> int:
    """Where the newer messages begin that stay: as many as fit in `keep_tokens`, at least the last request.

    Only before a response, or before a person's message without tool results, so that no call loses its result.
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
    """Cut tool results, then what tools were called with, then answers, until the messages fit or nothing is left.

    Those of the last two messages are cut only when the others were not enough. What a person said stays.
    """
    for kind in (ToolReturnPart, ToolCallPart, TextPart):
        for end in (len(messages) - 2, len(messages)):
            over = estimated(messages) - most_tokens
            if over <= 0:
                return messages
            messages = shorten_kind(messages, kind, end, over)
    return messages


def shorten_kind(messages: list[ModelMessage], kind: type[Any], end: int, over: int) -> list[ModelMessage]:
    """Cut the longest parts of a kind in `messages[:end]`, to one length that makes all shorter by `over` tokens."""
    sizes = [part_tokens(part) for message in messages[: max(end, 0)] for part in message.parts if type(part) is kind]
    most = level(sizes, sum(sizes) - over)
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


def level(sizes: Sequence[int], most: int) -> int:
    """The length to which all sizes must be cut that are above it, for their sum to be `most`."""
    left = sorted(sizes)
    while left:
        share = most // len(left)
        if left[0] > share:
            return max(share, NOTE_TOKENS)
        most -= left.pop(0)
    return max(most, NOTE_TOKENS)


def shorten_part(part: Any, most_tokens: int) -> Any:
    """A part of which at most about `most_tokens` are left; a call's arguments stay an object with the same names."""
    if isinstance(part, ToolReturnPart):
        text = part.model_response_str()
        return replace(
            cast("ToolReturnPart[Any]", part), content=cut_text(text, most_tokens - MESSAGE_TOKENS, tail_share=0.3)
        )
    if isinstance(part, ToolCallPart):
        call = cast("ToolCallPart[Any]", part)
        try:
            arguments = call.args_as_dict()
        except (ValueError, AssertionError):  # what a model wrote need not be JSON
            return call
        texts = [estimate_tokens(text) for text in strings(arguments)]
        most = level(texts, most_tokens - (part_tokens(part) - sum(texts)))
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
    """A JSON value whose texts are cut."""
    if isinstance(value, str):
        return cut_text(value, most_tokens, tail_share=0.3)
    if isinstance(value, dict):
        return {name: cut_strings(item, most_tokens) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [cut_strings(item, most_tokens) for item in cast("list[Any]", value)]
    return value
