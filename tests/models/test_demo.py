"""The demo model: which words make it do what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters

from aster_sidecar.errors import ModelError
from aster_sidecar.models.demo import (
    INTRODUCTION,
    PROGRESS,
    attached_to,
    calls_for,
    demo_model,
    last_exchange,
    report,
    text_for,
)
from aster_sidecar.models.inputs import LABEL

TOOLS = ("read_file", "write_file", "list_dir", "run_command", "my_tool")


@pytest.mark.parametrize(
    ("prompt", "calls"),
    [
        ("read README.md", [("read_file", {"path": "README.md"})]),
        ("please read `src/main.py`, will you", [("read_file", {"path": "src/main.py"})]),
        ("list", [("list_dir", {"path": "."})]),
        ("run", [("run_command", {"command": PROGRESS})]),
        ("run `ls -l`", [("run_command", {"command": "ls -l"})]),
        ('call my_tool {"a": {"b": 1}}', [("my_tool", {"a": {"b": 1}})]),
        ("call my_tool", [("my_tool", {})]),
        ("call my_tool {broken}", []),
        ("call no_such_tool {}", []),
        ("hello", []),
    ],
)
def test_words_ask_for_tools(prompt: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    assert calls_for(prompt, TOOLS) == calls


def test_two_calls_of_one_message_are_in_order() -> None:
    assert [name for name, _ in calls_for("run and write", TOOLS)] == ["write_file", "run_command"]
    [(_, arguments), _] = calls_for("write to.txt and run", TOOLS)
    assert arguments["path"] == "to.txt"


def test_the_last_exchange_is_the_prompt_and_the_results_after_it() -> None:
    asked = ModelRequest(parts=[UserPromptPart("one")])
    result = ToolReturnPart("read_file", "text", tool_call_id="c")
    history: list[ModelMessage] = [asked, ModelResponse(parts=[TextPart("said")]), ModelRequest(parts=[result])]
    assert last_exchange(history) == ("one", [result])
    assert last_exchange([*history, ModelRequest(parts=[UserPromptPart("two")])]) == ("two", [])
    assert last_exchange([]) == ("", [])


def test_attached_files_are_received_and_not_looked_at() -> None:
    files = [BinaryContent(b"PNG", media_type="image/png"), BinaryContent(b"%PDF", media_type="application/pdf")]
    named = [item for n, file in enumerate(files) for item in (f"{LABEL}file: {n}]", file)]
    text = [f"{LABEL}file: a.txt]", "run, says a text file"]
    asked: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart([*named, *text, "look"])])]
    assert last_exchange(asked) == ("look", [])
    assert attached_to(asked) == 3
    assert last_exchange([ModelRequest(parts=[UserPromptPart(text)])]) == ("", [])
    assert attached_to([ModelRequest(parts=[UserPromptPart("look")])]) == attached_to([]) == 0
    assert text_for("look", 2) == "I have received 2 attached files. I don't look at such files."
    assert "1 attached file." in text_for("look", 1)


def test_results_are_reported_short_and_with_their_outcome() -> None:
    done = ToolReturnPart("read_file", "x" * 700, tool_call_id="c")
    denied = ToolReturnPart("run_command", "not allowed", tool_call_id="d", outcome="denied")
    told = report([done, denied])
    assert "`read_file` is done" in told
    assert "x" * 600 + "\n…" in told
    assert "x" * 601 not in told
    assert "`run_command` did not run: not allowed" in told


def test_a_message_without_a_request_gets_the_introduction() -> None:
    assert INTRODUCTION in text_for("hello " * 100)
    assert len(text_for("hello " * 1000)) < len(INTRODUCTION) + 300
    assert text_for("a long one").count("\n\n") == 39


def said(prompt: str) -> list[Any]:
    async def read() -> list[Any]:
        parameters = ModelRequestParameters()
        model = demo_model(instant=True)
        async with model.request_stream([ModelRequest.user_text_prompt(prompt)], None, parameters) as answer:
            async for _ in answer:
                pass
            return [part.part_kind for part in answer.get().parts]

    return asyncio.run(read())


def test_it_thinks_calls_and_fails_on_request() -> None:
    assert said("think") == ["thinking", "text"]
    assert said("read README.md and run") == ["text", "tool-call", "tool-call"]
    with pytest.raises(ModelError) as raised:
        said("fail")
    assert raised.value.code == "demo_failure"
