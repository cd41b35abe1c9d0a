"""Messages of MCP servers as they are repaired; tests/tools/mcp/test_broken_messages.py has real processes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aster_sidecar.tools.mcp.messages import Answers, messages_in, repaired

pytest.importorskip("mcp")


def line(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"a": "caf\xc3\xa9"}', '{"a": "caf\u00e9"}'),
        (b'{"a": "\xff"}', '{"a": "\ufffd"}'),
        (b'{"a": "\\ud83d\\ude00"}', '{"a": "\\ud83d\\ude00"}'),
        (b'{"a": "\\ud83d"}', '{"a": "\\ufffd"}'),
        (b'{"a": "\\u0000"}', '{"a": "\\ufffd"}'),
        (b'{"a": "\\\\u0000"}', '{"a": "\\\\u0000"}'),
        (b'{"a": "\x01"}', '{"a": "\\ufffd"}'),
    ],
)
def test_what_is_no_text_is_replaced(data: bytes, text: str) -> None:
    assert repaired(data).decode() == text


def test_a_line_of_a_log_is_no_message() -> None:
    assert messages_in(b"starting up") == []
    assert messages_in(b'{"level": "info", "id": 3}') == []
    assert messages_in(b"") == []


def test_a_message_is_read_behind_a_byte_order_mark_and_in_a_list() -> None:
    good = line(id=1, result={})
    assert [one.id for one in messages_in(b"\xef\xbb\xbf" + good)] == [1]  # type: ignore[union-attr]
    assert [one.id for one in messages_in(b"[" + good + b"," + line(id=2, result={}) + b"]")] == [1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data", [b'{"jsonrpc": "2.0", "id": 7, "result": {"a": ', line(id=7, result="text"), b'{"id": 7, "result": 3}']
)
def test_an_answer_that_can_not_be_read_is_an_error_to_its_request(data: bytes) -> None:
    from mcp.types import JSONRPCError

    [found] = messages_in(data)
    assert isinstance(found, JSONRPCError)
    assert found.id == 7
    assert found.error.message.startswith("its answer can't be read: ")


@pytest.mark.parametrize(("given", "message"), [("broken", "broken"), ({"message": "no"}, "no"), ({"x": 1}, None)])
def test_an_error_of_any_form_has_a_code_and_a_message(given: Any, message: str | None) -> None:
    from mcp.types import INTERNAL_ERROR, JSONRPCError

    [found] = messages_in(line(id=1, error=given))
    assert isinstance(found, JSONRPCError)
    assert found.error.code == INTERNAL_ERROR
    assert message is None or found.error.message == message
    assert message is not None or '{"x":1}' in found.error.message


def answered(method: str, result: Any, answers: Answers | None = None) -> tuple[Any, Answers]:
    """What becomes of the answer to one request, whose id the server makes a string of."""
    answers = answers or Answers()
    [request] = messages_in(line(id=4, method=method, params={}))
    answers.asked(request)
    [answer] = messages_in(line(id="4", result=result))
    return answers.taken(answer).result, answers  # type: ignore[union-attr]


def test_a_tool_that_can_not_be_used_costs_no_other_tool() -> None:
    tools = [
        {"name": "good", "inputSchema": {}, "title": 3, "outputSchema": {"type": "array"}},
        {"name": "list", "inputSchema": {"type": "array"}},
        {"inputSchema": {"type": "object"}},
        "text",
    ]
    result, answers = answered("tools/list", {"tools": tools, "nextCursor": 3})
    assert result == {"tools": [{"name": "good", "inputSchema": {"type": "object"}}]}
    assert answers.left_out.keys() == {"list", ""}


@pytest.mark.parametrize(
    ("began", "offered"),
    [
        ({"capabilities": {"tasks": {"list": {}, "requests": {"tools": {"call": {}}}}}}, {"plain", "maybe"}),
        # Without this capability, a server must run calls as usual.
        ({"capabilities": {"tasks": {"requests": {"sampling": {}}}}}, {"plain", "maybe", "task"}),
        ({"capabilities": {"tasks": None}}, {"plain", "maybe", "task"}),
        ({"capabilities": "all"}, {"plain", "maybe", "task"}),
        (None, {"plain", "maybe", "task"}),  # protocol 2026-07-28
    ],
)
def test_a_tool_that_can_only_be_called_as_a_task_is_left_out(began: Any, offered: set[str]) -> None:
    tools = [
        {"name": "plain", "inputSchema": {}, "execution": "odd"},
        {"name": "maybe", "inputSchema": {}, "execution": {"taskSupport": "optional"}},
        {"name": "task", "inputSchema": {}, "execution": {"taskSupport": "required"}},
    ]
    answers = Answers()
    if began is not None:
        answered("initialize", began, answers)
    result, _ = answered("tools/list", {"tools": tools}, answers)
    assert {tool["name"] for tool in result["tools"]} == offered
    assert set(answers.left_out) == {"plain", "maybe", "task"} - offered


def test_a_result_of_a_call_has_content_of_known_kinds() -> None:
    text = {"type": "text", "text": "a"}
    assert answered("tools/call", {"content": [text, "b", {"type": "video"}]})[0]["content"] == [
        text,
        {"type": "text", "text": "b"},
        {"type": "text", "text": "[content of an unknown kind: video]"},
    ]
    assert answered("tools/call", {"structuredContent": {"a": 1}})[0]["content"] == []
    asks = {"resultType": "input_required", "inputRequests": {}}
    assert answered("tools/call", asks)[0] == asks


def test_resources_that_can_not_be_used_do_not_hide_the_others() -> None:
    good = {"uri": "a://1", "name": "one", "title": "One", "mimeType": "text/plain", "size": 3}
    odd = [
        None,
        {},
        {"uri": 7, "name": "x"},
        {"uri": "a://2", "name": None, "title": [], "size": "big", "annotations": 3, "icons": "x"},
    ]
    result, _ = answered("resources/list", {"resources": [good, *odd], "nextCursor": 7, "_meta": 3})
    assert result == {"resources": [good, {"uri": "a://2", "name": "a://2"}]}
    assert answered("resources/list", {"resources": "none"})[0] == {"resources": []}
    assert answered("resources/list", {"resources": [], "nextCursor": "2"})[0]["nextCursor"] == "2"


def test_prompts_that_can_not_be_used_do_not_hide_the_others() -> None:
    arguments = [{"name": "a", "required": True, "description": "A"}, {"name": "b", "required": "yes"}, {}, "c"]
    result, _ = answered("prompts/list", {"prompts": [{"name": "good", "arguments": arguments}, {"name": ""}, 3]})
    assert result == {
        "prompts": [
            {
                "name": "good",
                "arguments": [
                    {"name": "a", "required": True, "description": "A"},
                    {"name": "b", "required": False},
                ],
            }
        ]
    }


def test_what_is_read_has_texts_and_files_only() -> None:
    good = {"uri": "a://1", "text": "one", "mimeType": "text/plain"}
    odd = [{"uri": 3, "blob": "AAAA"}, {"uri": "a://2"}, {"text": 3}, "words", None]
    result, _ = answered("resources/read", {"contents": [good, *odd]})
    assert result["contents"] == [good, {"uri": "", "blob": "AAAA"}, {"uri": "", "text": "words"}]
    assert answered("resources/read", {"contents": good})[0]["contents"] == [good]
    asks = {"resultType": "input_required", "inputRequests": {}}
    assert answered("resources/read", asks)[0] == asks


def test_messages_of_a_prompt_have_one_block_each() -> None:
    text, video = {"type": "text", "text": "a"}, {"type": "video"}
    given = [{"role": "assistant", "content": text}, {"role": "system", "content": [text, "b", video]}, "c", {}]
    result, _ = answered("prompts/get", {"messages": given, "description": 3})
    assert [(one["role"], one["content"].get("text")) for one in result["messages"]] == [
        ("assistant", "a"),
        ("user", "a"),
        ("user", "b"),
        ("user", "[content of an unknown kind: video]"),
        ("user", "c"),
    ]
