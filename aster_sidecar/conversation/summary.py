"""Summarises the messages that a compaction removes: the prompt for the model, and a fallback without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from pydantic_ai import TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.messages import ModelMessage, ModelResponse

from aster_sidecar.errors import ModelError
from aster_sidecar.models.token_estimate import cut_text, estimate_tokens

PART_TOKENS = 1000
"""Longest excerpt of one message or tool result in the prompt for a summary."""
LEAST_TOKENS = 40
"""Shortest text that is worth keeping or reading."""

SUMMARISE = (
    "Summarise the conversation so far for yourself, so that you can go on without it: what the person wants, what was "
    "decided, which files, commands and facts matter, what is still open. Be complete and brief: at most {words} "
    "words. Do not call tools."
)
SUMMARY_HEAD = "Summary of the conversation so far, made by you because it grew too long to keep whole:\n\n"
PERSON_HEAD = "\n\nThe person's last message, word for word:\n\n"
GO_ON = "I'll go on from this summary."

NO_ANSWER = ("key_refused", "key_missing", "quota_exhausted", "model_unknown", "provider_unreachable")
"""Failures that the next request would hit as well: then the history is not changed."""
SUBJECT_KEYS = ("path", "file", "file_path", "filename", "directory", "url", "command")
"""Arguments of tools that name the subject of a call."""

Ask = Callable[[str], Awaitable[str]]
"""Sends a prompt without tools and returns the model's answer. Raises: ModelError."""


async def summarise(
    messages: Sequence[ModelMessage], ask: Ask, prompt_tokens: int, summary_tokens: int
) -> tuple[str, bool]:
    """A summary, and whether a prompt for it was refused as too long; then a prompt of half the length is sent.

    If the model gives no summary, `without_model` makes one. Raises: ModelError (one of NO_ANSWER).
    """
    instruction = SUMMARISE.format(words=max(summary_tokens * 6 // 10, 20)) + "\n\n"
    refused = False
    for most in (prompt_tokens, prompt_tokens // 2):
        room = most - estimate_tokens(instruction)
        if room < LEAST_TOKENS:
            break
        try:
            summary = (await ask(instruction + script(messages, room))).strip()
        except ModelError as failure:
            if failure.code in NO_ANSWER:
                raise
            if failure.code not in ("context_too_long", "request_refused"):
                break
            refused = True
            continue
        if summary:
            return cut_text(summary, summary_tokens), refused
        break
    return without_model(messages, summary_tokens), refused


def without_model(messages: Sequence[ModelMessage], most_tokens: int) -> str:
    """A summary made without a model: the latest requests, the tools, and the files and commands of the calls."""
    asked: list[str] = []
    tools: Counter[str] = Counter()
    named: dict[str, None] = {}
    earlier = ""
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                tools[part.tool_name] += 1
                named.update(dict.fromkeys(subjects(part)))
            elif isinstance(part, UserPromptPart):
                summary, person = read_summary(part.content)
                earlier = summary or earlier
                text = person if summary is not None else content_text(part.content)
                asked += [one_line(text)] if text else []
    each = max(most_tokens // 8, LEAST_TOKENS)
    lines = [f"{len(messages)} earlier messages were left out; there is no summary of them."]
    if asked:
        lines += ["The person's latest requests among them, in short:"]
        lines += [f"- {cut_text(text, each)}" for text in asked[-5:]]
    if tools:
        lines += ["Tools that were called: " + ", ".join(f"{name} ({count})" for name, count in tools.most_common(20))]
    if named:
        lines += ["What they were called with: " + "; ".join([*named][-20:])]
    if earlier:
        lines += ["What was known before:", cut_text(earlier, max(most_tokens // 2, LEAST_TOKENS))]
    return cut_text("\n".join(lines), most_tokens)


def subjects(call: ToolCallPart) -> list[str]:
    """The files, addresses and commands that a call names."""
    try:
        arguments = call.args_as_dict()
    except (ValueError, AssertionError):
        return []
    values = [arguments.get(key) for key in SUBJECT_KEYS]
    return [one_line(value)[:200] for value in values if isinstance(value, str) and value]


def script(messages: Sequence[ModelMessage], most_tokens: int) -> str:
    """The messages as text: an earlier summary, then excerpts of as many of the newest messages as fit."""
    earlier = ""
    lines: list[str] = []
    most = max(min(PART_TOKENS, most_tokens // 4), LEAST_TOKENS)
    for message in messages:
        who = "assistant" if isinstance(message, ModelResponse) else "person"
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                lines.append(f"assistant calls {part.tool_name}: {brief(part.args_as_json_str(), most)}")
            elif isinstance(part, ToolReturnPart):
                lines.append(f"{part.tool_name} gives: {brief(part.model_response_str(), most)}")
            elif isinstance(part, UserPromptPart | TextPart):
                summary, person = read_summary(part.content)
                earlier = summary or earlier
                text = content_text(part.content) if summary is None else person or ""
                lines += [f"{who}: {brief(text, most)}"] if text and text != GO_ON else []
    begin = f"summary of what was before: {cut_text(one_line(earlier), most_tokens // 2)}\n" if earlier else ""
    room = most_tokens - estimate_tokens(begin) - 5
    kept: list[str] = []
    for line in reversed(lines):
        room -= estimate_tokens(line) + 1
        if room < 0:
            kept.append("…")
            break
        kept.append(line)
    return begin + "\n".join(reversed(kept))


def content_text(content: object) -> str:
    """The text of a part's content. Each attached file has its name in the text before it."""
    items = cast("Sequence[object]", content) if isinstance(content, list | tuple) else [content]
    return " ".join(item for item in items if isinstance(item, str))


def brief(text: str, most_tokens: int) -> str:
    return cut_text(one_line(text), most_tokens, tail_share=0.3)


def one_line(text: str) -> str:
    return " ".join(text.split())


def read_summary(content: object) -> tuple[str | None, str | None]:
    """The summary in a message and the person's message in it. (None, None): it is not a summary."""
    if not isinstance(content, str) or not content.startswith(SUMMARY_HEAD):
        return None, None
    summary, found, person = content.removeprefix(SUMMARY_HEAD).partition(PERSON_HEAD)
    return summary, person if found else None
