"""What is repaired in a response before it is stored."""

from __future__ import annotations

from pydantic_ai import TextPart, ToolCallPart
from pydantic_ai.messages import ModelResponse

from aster_sidecar.conversation.kept_messages import repair_calls


def calls(response: ModelResponse) -> list[ToolCallPart]:
    return [part for part in response.parts if isinstance(part, ToolCallPart)]


def test_each_call_gets_an_id_that_the_session_does_not_have() -> None:
    response = ModelResponse([ToolCallPart("a", "{}", "1"), TextPart("text"), ToolCallPart("b", "{}", "1")])
    assert repair_calls(response, {"1"}) == set()
    ids = [part.tool_call_id for part in calls(response)]
    assert len({"1", *ids}) == 3
    assert response.parts[1] == TextPart("text")
    kept = ModelResponse([ToolCallPart("a", "{}", "2")])
    repair_calls(kept, {"1"})
    assert calls(kept)[0].tool_call_id == "2"


def test_arguments_become_text_that_a_json_parser_accepts() -> None:
    response = ModelResponse([ToolCallPart("a", '{"x": "\\ud800"}', "1"), ToolCallPart("b", {"x": 1}, "2")])
    assert repair_calls(response, set()) == set()
    assert [part.args for part in calls(response)] == ['{"x": "\ufffd"}', {"x": 1}]


def test_calls_with_nul_in_their_arguments_are_named() -> None:
    response = ModelResponse([ToolCallPart("a", '{"path": "a\\u0000b"}', "1"), ToolCallPart("a", '{"path": "c"}', "2")])
    assert repair_calls(response, set()) == {"1"}
