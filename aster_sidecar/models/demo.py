"""The offline demo model: a deterministic script that needs no key and no network.

It can produce every kind of event on request: read, write, run, think, fail, long.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import (
    AgentInfo,
    DeltaThinkingCalls,
    DeltaThinkingPart,
    DeltaToolCall,
    DeltaToolCalls,
    FunctionModel,
)

from aster_sidecar.errors import ModelError
from aster_sidecar.models.inputs import LABEL

WORDS_PER_S = 25.0
"""About four times as fast as people read: fast enough not to wait, slow enough to see it stream."""

INTRODUCTION = (
    "I am the **demo model** of Aster Sidecar: a small script inside Aster, not a language model. "
    "I need no key and no network, and I only understand a few words. Try:\n\n"
    "- `read README.md`: reads a file (low risk, runs at once)\n"
    "- `list`: lists the work folder\n"
    "- `write hello.txt`: writes a file (asks you first)\n"
    "- `run`: runs a command that shows its progress (asks you first)\n"
    "- `write and run`: asks two questions in one answer\n"
    "- `think`: thinks before it answers\n"
    "- `fail`: shows an error as a provider's would be shown\n"
    "- `long`: answers at length\n"
    "- an attached image or PDF: I take it, but I don't look at it\n"
    '- `call my_tool {"name": "value"}`: calls any tool that this agent has\n\n'
    'To use a real model, choose one in the settings, or by `POST /api/config {"model": "openai:…"}`.'
)
PROGRESS = 'for i in 1 2 3 4 5; do echo "step $i of 5"; sleep 0.3; done; echo finished'


def demo_model(*, instant: bool = False) -> FunctionModel:
    """The demo as a pydantic-ai model. `instant`: without pauses between words."""
    pause_s = 0.0 if instant else 1 / WORDS_PER_S

    async def answer(
        messages: list[ModelMessage], info: AgentInfo
    ) -> AsyncIterator[str | DeltaToolCalls | DeltaThinkingCalls]:
        prompt, results = last_exchange(messages)
        if results:
            async for word in spoken(report(results), pause_s):
                yield word
            return
        wanted = calls_for(prompt, [tool.name for tool in info.function_tools])
        if re.search(r"\bthink\b", prompt, re.I):
            async for word in spoken(
                "This is where the thoughts of a model are shown, before its answer. You can collapse them.",
                pause_s,
            ):
                yield {0: DeltaThinkingPart(content=word)}
        if re.search(r"\bfail\b", prompt, re.I):
            yield "This answer fails on purpose. "
            await asyncio.sleep(pause_s)
            raise ModelError(
                "demo_failure",
                "the demo model failed because you asked it to",
                hint="nothing is broken: send another message",
            )
        if wanted:
            names = " and ".join(f"`{name}`" for name, _ in wanted)
            async for word in spoken(f"I'll call {names}.", pause_s):
                yield word
            for number, (name, arguments) in enumerate(wanted):
                yield {
                    number + 1: DeltaToolCall(
                        name=name, json_args=json.dumps(arguments), tool_call_id=f"demo_{len(messages)}_{number}"
                    )
                }
            return
        async for word in spoken(text_for(prompt, attached_to(messages)), pause_s):
            yield word

    return FunctionModel(stream_function=answer, model_name="demo")


def last_exchange(messages: list[ModelMessage]) -> tuple[str, list[ToolReturnPart]]:
    """The user's last message, and the tool results after it."""
    prompt, results = "", list[ToolReturnPart]()
    for message in messages:
        if not isinstance(message, ModelRequest):
            continue
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                prompt, results = text_in(part), []
            elif isinstance(part, ToolReturnPart):
                results.append(part)
    if messages and isinstance(messages[-1], ModelResponse):
        results = []
    return prompt, results


def text_in(part: UserPromptPart) -> str:
    """What the user wrote, without the names and the contents of attached files."""
    content = [part.content] if isinstance(part.content, str) else part.content
    is_label = [isinstance(item, str) and item.startswith(LABEL) for item in content]
    is_file = [False, *is_label[:-1]]
    own = (item for n, item in enumerate(content) if isinstance(item, str) and not is_label[n] and not is_file[n])
    return "\n\n".join(own)


def attached_to(messages: list[ModelMessage]) -> int:
    """How many images and files the user's last message has."""
    prompts = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    content = prompts[-1].content if prompts and not isinstance(prompts[-1].content, str) else ()
    return sum(isinstance(item, str) and item.startswith(LABEL) for item in content)


def calls_for(prompt: str, names: Collection[str]) -> list[tuple[str, dict[str, Any]]]:
    """The tool calls that a message asks for, in the order read, list, write, run; or the one tool that it names."""
    calls: list[tuple[str, dict[str, Any]]] = []
    named = re.search(r"\bcall\s+`?([\w-]+)`?\s*(\{.*\})?", prompt, re.I | re.S)
    if named and named[1] in names:
        with suppress(ValueError):
            return [(named[1], json.loads(named[2] or "{}"))]
    read = re.search(r"\bread\s+(?:file\s+)?[`'\"]?([\w./~-]+\.\w+|[\w./~-]*/[\w./~-]+)", prompt, re.I)
    write = re.search(r"\bwrite\b(?:\s+(?:file\s+)?[`'\"]?([\w./~-]+\.\w+))?", prompt, re.I)
    if read:
        calls.append(("read_file", {"path": read[1]}))
    if re.search(r"\b(list|files|directory)\b", prompt, re.I) and not read and not write:
        calls.append(("list_dir", {"path": "."}))
    if write:
        path = write[1] or "aster-demo.txt"
        calls.append(("write_file", {"path": path, "content": "Written by the demo model of Aster Sidecar.\n"}))
    command = re.search(r"\brun\s+`([^`]+)`", prompt, re.I)
    if command:
        calls.append(("run_command", {"command": command[1]}))
    elif re.search(r"\brun\b", prompt, re.I):
        calls.append(("run_command", {"command": PROGRESS}))
    return calls


def report(results: list[ToolReturnPart]) -> str:
    """The demo's answer to its tools' results."""
    lines: list[str] = []
    for result in results:
        shown = result.model_response_str(wrap_if_error=False)
        shown = shown if len(shown) <= 600 else shown[:600] + "\n…"
        if result.outcome == "success":
            lines.append(f"`{result.tool_name}` is done:\n\n```\n{shown}\n```")
        else:
            lines.append(f"`{result.tool_name}` did not run: {shown}")
    return "\n\n".join(lines)


def text_for(prompt: str, attached: int = 0) -> str:
    """The answer to a message that asks for no tool. `attached`: how many images and files it has."""
    if attached:
        return f"I have received {attached} attached file{'s' if attached > 1 else ''}. I don't look at such files."
    if re.search(r"\blong\b", prompt, re.I):
        return "\n\n".join(
            f"**{number}.** This is paragraph {number} of a long answer. It carries no meaning, only length: enough to "
            "scroll, to close the window and come back, to cancel, and to see that not a word is lost on the way."
            for number in range(1, 41)
        )
    if re.search(r"\bthink\b", prompt, re.I):
        return "This is the answer that follows the thoughts."
    words = " ".join(prompt.split())
    words = words if len(words) <= 200 else words[:200] + "…"
    return f"You said: “{words}”\n\n{INTRODUCTION}"


async def spoken(text: str, pause_s: float) -> AsyncIterator[str]:
    """The text word by word, with a pause after each one."""
    for word in re.findall(r"\s*\S+\s*?(?=\s|$)|\s+$", text):
        yield word
        if pause_s:
            await asyncio.sleep(pause_s)
