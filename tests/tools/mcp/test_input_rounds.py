"""What a server of protocol 2026-07-28 needs before its result: bounds, and what is stored while a person is asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aster_sidecar.tools.base import Paused, QuestionEnd, Surroundings, ToolError

pytest.importorskip("mcp")

from mcp.types import ElicitRequest, InputRequiredResult, ListRootsResult
from mcp_types import (
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequestFormParams,
    ListRootsRequest,
)

from aster_sidecar.tools.mcp.input_rounds import InputRounds, Progress, progress_of
from tests.tools.support import Listener

APPROVED = ("server", "definition")
ASK = ElicitRequest(
    params=ElicitRequestFormParams(
        message="?", requested_schema={"type": "object", "properties": {"n": {"type": "integer"}}}
    )
)
ROOTS = ListRootsRequest()
SAMPLE = CreateMessageRequest(params=CreateMessageRequestParams(messages=[], max_tokens=1))
DONE = CallToolResult(content=[])


def needs(state: str | None = None, **requests: Any) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests or None, request_state=state)


async def roots() -> ListRootsResult:
    return ListRootsResult(roots=[])


def got(
    told: list[Any],
    ctx: Listener | None,
    progress: Progress | None = None,
    *,
    offers_roots: bool = True,
) -> list[tuple[Any, str | None]]:
    """What the server was sent until it had given its result."""
    sent: list[tuple[Any, str | None]] = []

    async def send(responses: Any, state: str | None) -> Any:
        sent.append((responses, state))
        return told[len(sent) - 1]

    rounds = InputRounds("desk", roots if offers_roots else None, ctx, progress or Progress(APPROVED))
    assert asyncio.run(rounds.result(send)) is DONE
    return sent


def paused(told: list[Any], ctx: Listener, progress: Progress | None = None) -> list[str]:
    with pytest.raises(Paused) as found:
        got(told, ctx, progress)
    return [one.request for one in found.value.asks]


def going_on(ctx: Listener, *ends: QuestionEnd) -> Progress:
    ctx.again, ctx.ended_questions = True, ends
    return progress_of(ctx, APPROVED)


def test_a_call_goes_on_with_the_answers_of_its_newest_round(place: Surroundings) -> None:
    ctx = Listener(place)
    [first] = paused([needs("one", a=ASK)], ctx)
    one = QuestionEnd(first, "answered", {"n": 1}, None)
    later = paused([needs("two", b=ASK, c=ROOTS, d=ASK)], ctx, going_on(ctx, one))
    two = [QuestionEnd(later[0], "declined", {}, None), QuestionEnd(later[1], "answered", {"n": 2}, None)]
    [(responses, state)] = got([DONE], ctx, going_on(ctx, one, *two))
    assert state == "two"
    assert responses["b"].action == "decline"
    assert (responses["d"].action, responses["d"].content) == ("accept", {"n": 2})
    assert responses["c"] == ListRootsResult(roots=[])
    assert [json.loads(request)["round"] for request in (first, *later)] == [1, 2, 2]


def test_roots_and_time_need_no_person(place: Surroundings) -> None:
    sent = got([needs("a"), needs("b", r=ROOTS), DONE], Listener(place))
    assert sent == [(None, None), (None, "a"), ({"r": ListRootsResult(roots=[])}, "b")]


def test_the_state_is_passed_back_also_when_there_is_none(place: Surroundings) -> None:
    ctx = Listener(place)
    [request] = paused([needs(a=ASK)], ctx)
    [(responses, state)] = got([DONE], ctx, going_on(ctx, QuestionEnd(request, "expired", {}, None)))
    assert (responses["a"].action, state) == ("cancel", None)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (needs(a=SAMPLE), "sampling"),
        (needs(a=ASK, b=SAMPLE), "sampling"),
        (needs(None, **{f"r{n}": ASK for n in range(11)}), "asks 11 things at once"),
        (needs("x" * (1024 * 1024 + 1)), "its state is larger than 1.0 MiB"),
        (needs(a=ROOTS), "the settings do not give it"),
    ],
)
def test_what_a_server_can_not_have_fails_the_call(place: Surroundings, told: Any, why: str) -> None:
    with pytest.raises(ToolError, match=why):
        got([told], Listener(place), offers_roots=False)


def test_only_a_call_can_ask(place: Surroundings) -> None:
    with pytest.raises(ToolError, match="which is possible only in a call"):
        got([needs(a=ASK)], None)


def test_there_are_not_too_many_rounds(place: Surroundings) -> None:
    with pytest.raises(ToolError, match="did not come to a result after 10 requests"):
        got([needs("a")] * 11, Listener(place))
    with pytest.raises(ToolError, match="asked 20 times in one call"):
        got([needs("a", b=ASK)] * 21, Listener(place, unattended=True))
    ctx = Listener(place)
    request = json.dumps({**json.loads(paused([needs("s", a=ASK)], ctx)[0]), "round": 20, "idle": 10})
    end = QuestionEnd(request, "answered", {"n": 1}, None)
    with pytest.raises(ToolError, match="asked 20 times in one call"):
        got([needs("s", a=ASK)], ctx, going_on(ctx, end))
    with pytest.raises(ToolError, match="did not come to a result"):
        got([needs("s")], ctx, going_on(ctx, end))


@pytest.mark.parametrize("request_", ["", "[]", "null", "{}", '{"round": 1}', '{"round": 1, "key": "a"}', "{"])
def test_what_was_stored_and_is_damaged_fails_the_call(place: Surroundings, request_: str) -> None:
    with pytest.raises(ToolError, match="can't go on"):
        going_on(Listener(place), QuestionEnd(request_, "answered", {}, None))
    with pytest.raises(ToolError, match="can't go on"):
        going_on(Listener(place))
