"""Patches of libraries: each gives what the library gives, and its test fails when a new version has changed."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, TypeVar

import genai_prices
import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types.beta import BetaRawMessageStreamEvent
from genai_prices import data_snapshot
from genai_prices.data_snapshot import get_snapshot, set_custom_snapshot
from openai import AsyncOpenAI
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, ConfigDict
from pydantic_ai.messages import ModelMessage, ModelRequest
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.function import AgentInfo, FunctionModel

from aster_sidecar.models import library_patches
from aster_sidecar.models.library_patches import (
    Segments,
    add_prices,
    all_prices,
    keep_prices,
    read_by_type,
    release_streams,
    send_as_is,
    tap_events,
    unbuilt,
    use_timeouts,
    without,
)

DELTA = {
    "type": "response.output_text.delta",
    "content_index": 0,
    "delta": "x",
    "item_id": "m",
    "output_index": 0,
    "sequence_number": 5,
    "logprobs": [],
}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 5,
    "model": "gpt-of-tomorrow",
    "status": "completed",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": "be good",
    "metadata": {"a": "b"},
    "output": [
        {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "x",
        },
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "said", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
    ],
    "parallel_tool_calls": True,
    "reasoning": {"effort": "low", "summary": None},
    "service_tier": "default",
    "temperature": 1,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False, "description": ""}],
    "unknown": {"of": ["tomorrow"]},
    "usage": {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 7,
    },
}
SPARSE = {"id": "resp_1", "status": "in_progress", "output": [], "usage": None}
OPENAI = [
    DELTA,
    {"type": "response.created", "sequence_number": 0, "response": {**RESPONSE, "output": [], "usage": None}},
    {"type": "response.in_progress", "sequence_number": 1, "response": SPARSE},
    *({"type": "response.output_item.added", "output_index": 0, "item": item} for item in RESPONSE["output"]),
    *({"type": "response.output_item.done", "output_index": 0, "item": item} for item in RESPONSE["output"]),
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "of.tomorrow", "id": "x"}},
    {
        "type": "response.content_part.added",
        "content_index": 0,
        "item_id": "m",
        "output_index": 0,
        "part": {"type": "output_text", "text": "", "annotations": []},
    },
    {"type": "response.function_call_arguments.done", "arguments": "{}", "item_id": "f", "name": "f"},
    {"type": "response.completed", "sequence_number": 9, "response": RESPONSE},
    {"type": "response.completed", "response": {**RESPONSE, "output": "nothing", "usage": "much"}},
    {"type": "response.incomplete", "response": {**RESPONSE, "incomplete_details": {"reason": "max_output_tokens"}}},
    {"type": "response.failed", "response": {**RESPONSE, "error": {"code": "server_error", "message": "no"}}},
    {"type": "response.completed"},
]
ANTHROPIC = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-of-tomorrow",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 3, "output_tokens": 1, "service_tier": "standard"},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    },
    {"type": "content_block_start", "index": 1, "content_block": {"type": "of.tomorrow"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]
REQUEST = httpx2.Request("GET", "http://127.0.0.1/")


def clients() -> list[tuple[Any, Any, list[dict[str, Any]]]]:
    http = httpx2.AsyncClient(verify=False)
    return [
        (AsyncOpenAI(api_key="k", http_client=http), ResponseStreamEvent, OPENAI),
        (AsyncAnthropic(api_key="k", http_client=http), BetaRawMessageStreamEvent, ANTHROPIC),
    ]


@pytest.mark.parametrize("which", [0, 1], ids=["openai", "anthropic"])
def test_events_are_read_as_the_sdk_reads_them(which: int) -> None:
    client, union, events = clients()[which]
    response = httpx2.Response(200, request=REQUEST)
    odd: list[Any] = [{"type": "of.tomorrow", "delta": "x"}, {"type": 5}, {"type": None}, {}]
    plain = client._process_response_data
    for event in [*events, *odd]:
        expected: Any
        try:
            expected = plain(data=event, cast_to=union, response=response)
        except Exception as error:
            expected = type(error)
        read_by_type(client, union)
        try:
            told = client._process_response_data(data=event, cast_to=union, response=response)
        except Exception as error:
            told = type(error)
        assert told == expected
        assert type(told) is type(expected)


def test_what_is_sent_as_it_is_arrives_as_it_is() -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(400, json={"error": {"message": "enough"}})

    odd = [{"role": "user", "content": [{"type": "input_text", "text": "ü😀", "unknown": {"deep": [None]}}]}]
    tools = [{"type": "function", "name": "t", "parameters": {"$defs": {}}, "strict": None, "description": "d"}]

    async def send() -> None:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        for lean in (False, True):
            client: Any = AsyncOpenAI(api_key="k", http_client=http, max_retries=0)
            if lean:
                send_as_is(client.responses, ("input", "tools"))
                send_as_is(client.chat.completions, ("messages", "tools"))
            for call, name in ((client.responses.create, "input"), (client.chat.completions.create, "messages")):
                with pytest.raises(Exception, match="enough"):
                    await call(model="m", **{name: odd}, tools=tools, extra_body={"more": 1})
                with pytest.raises(Exception, match="enough"):
                    await call(model="m", **{name: odd})

    asyncio.run(send())
    assert seen[:4] == seen[4:]
    assert seen[0]["more"] == 1
    assert seen[0]["tools"] == tools


@pytest.fixture
def prices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(library_patches, "_priced", None)
    yield
    set_custom_snapshot(None)


URLS = ("https://openrouter.ai/api/v1/", "https://api.deepseek.com/", "http://127.0.0.1:1/v1/")


@pytest.mark.usefixtures("prices")
def test_prices_that_are_kept_are_what_they_were() -> None:
    def told() -> list[Any]:
        usage = genai_prices.Usage(input_tokens=1000, output_tokens=100)
        asked: list[dict[str, Any]] = [*({"provider_api_url": url} for url in URLS), {"provider_id": "openai"}]
        found: list[Any] = []
        for name in ("gpt-5", "claude-sonnet-4-5", "anthropic/claude-sonnet-4.5", "deepseek-chat", "unheard-of"):
            for where in asked:
                try:
                    price = genai_prices.calc_price(usage, name, **where)
                    found.append((price.provider.id, price.model, price.total_price))
                except LookupError as error:
                    found.append(str(error))
        return found

    set_custom_snapshot(None)
    whole, providers = told(), len(get_snapshot().providers)
    keep_prices({"openai", *URLS})
    assert told() == whole
    assert len(get_snapshot().providers) < providers / 4


@pytest.mark.usefixtures("prices")
def test_prices_of_one_provider_are_added_to_those_of_another() -> None:
    def loaded() -> set[str]:
        return {provider.id for provider in get_snapshot().providers}

    add_prices("openai")
    assert "openai" in loaded()
    assert "anthropic" not in loaded()
    add_prices("anthropic")
    assert {"openai", "anthropic"} <= loaded()


@pytest.mark.usefixtures("prices")
def test_prices_that_an_app_keeps_up_to_date_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    updated = data_snapshot.DataSnapshot(providers=all_prices(), from_auto_update=True)
    set_custom_snapshot(updated)
    assert data_snapshot._custom_snapshot is updated, "the library keeps it there"
    keep_prices({"openai"})
    assert get_snapshot() is updated


def test_the_whole_price_list_does_not_stay_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "genai_prices.data", raising=False)
    assert {"openai", "anthropic"} <= {provider.id for provider in all_prices()}
    assert "genai_prices.data" not in sys.modules


# -- imports -----------------------------------------------------------------------------------------------------------


def test_a_hidden_module_is_missing_only_while_it_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with without("this", "json"), pytest.raises(ImportError):
        importlib.import_module("this")
    assert "this" not in sys.modules
    assert sys.modules["json"] is json, "a module that was loaded before is not hidden"


Item = TypeVar("Item")


def test_a_generic_models_schema_is_built_at_its_first_use() -> None:
    class Box(BaseModel, Generic[Item]):
        model_config = ConfigDict(defer_build=True)
        item: Item

    with unbuilt(Box):
        kind = Box[int]
        assert not Box.__pydantic_complete__
    assert kind(item=1).item == 1
    assert "model_rebuild" not in vars(Box)
    assert Box[str](item="x").item == "x"
    assert Box.__pydantic_complete__, "pydantic builds it when a parameter is given"


# -- openai, anthropic, google-genai, pydantic-ai ----------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1], ids=["openai", "anthropic"])
def test_the_sdks_read_events_where_the_patch_is(which: int) -> None:
    client, _, _ = clients()[which]
    told = inspect.signature(client._process_response_data)
    assert {name: one.kind.name for name, one in told.parameters.items()} == dict.fromkeys(
        ("data", "cast_to", "response"), "KEYWORD_ONLY"
    )


@pytest.mark.parametrize("which", [0, 1], ids=["openai", "anthropic"])
def test_a_streamed_event_goes_through_the_patch(which: int) -> None:
    """The SDK's own stream calls what `read_by_type` replaces, with the union that it was given."""
    event: dict[str, Any] = DELTA if which == 0 else ANTHROPIC[5]
    body = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    headers = {"content-type": "text/event-stream"}
    http = httpx2.AsyncClient(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=body))
    )
    client: Any = (AsyncOpenAI, AsyncAnthropic)[which](api_key="k", http_client=http)
    unions: list[Any] = []
    plain = client._process_response_data

    def note(**given: Any) -> Any:
        unions.append(given["cast_to"])
        return plain(**given)

    client._process_response_data = note

    async def read() -> list[Any]:
        if which == 0:
            stream = await client.responses.create(model="m", input="x", stream=True)
        else:
            asked = [{"role": "user", "content": "x"}]
            stream = await client.beta.messages.create(model="m", messages=asked, max_tokens=5, stream=True)
        return [one.type async for one in stream]

    union = (ResponseStreamEvent, BetaRawMessageStreamEvent)[which]
    assert asyncio.run(read()) == [event["type"]]
    assert unions == [union]
    read_by_type(client, union)
    assert asyncio.run(read()) == [event["type"]]
    assert unions == [union], "the SDK's own reading must not run"


def google_client(http: httpx2.AsyncClient) -> Any:
    genai = pytest.importorskip("google.genai", reason="the extra google is not installed")
    options = genai.types.HttpOptions(base_url="http://127.0.0.1:1", httpx_async_client=http)
    return genai.Client(vertexai=False, api_key="k", http_options=options)


def test_google_waits_as_its_http_client_does_and_sends_no_timeout() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"candidates": []})

    timeout = httpx2.Timeout(77.0, connect=3.0)
    client = google_client(httpx2.AsyncClient(transport=httpx2.MockTransport(answer)))
    use_timeouts(client, timeout)
    asyncio.run(client.aio.models.generate_content(model="m", contents="x"))
    assert seen[0].extensions["timeout"] == timeout.as_dict()
    assert "x-server-timeout" not in seen[0].headers


def test_googles_streams_are_read_as_segments() -> None:
    body = b'data: {"candidates": [{"content": {"parts": [{"text": "said"}], "role": "model"}}]}\n\n'
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=body)))
    client = google_client(http)
    release_streams(client)
    answers: list[Any] = []
    ask = client._api_client._async_request

    async def note(*given: Any, **named: Any) -> Any:
        answers.append(await ask(*given, **named))
        return answers[-1]

    client._api_client._async_request = note

    async def read() -> list[str]:
        stream = await client.aio.models.generate_content_stream(model="m", contents="x")
        return [one.text async for one in stream]

    assert asyncio.run(read()) == ["said"]
    assert [type(one) for one in answers] == [Segments]


def test_tapped_events_are_the_ones_that_are_read() -> None:
    async def words(_: list[ModelMessage], __: AgentInfo) -> AsyncIterator[str]:
        for word in ("one ", "two ", "three"):
            yield word

    async def read(*, tapped: bool) -> list[Any]:
        async def without_first(events: AsyncIterator[Any]) -> AsyncIterator[Any]:
            await anext(events)
            async for event in events:
                yield event

        model = FunctionModel(stream_function=words)
        asked: list[ModelMessage] = [ModelRequest.user_text_prompt("x")]
        async with model.request_stream(asked, None, ModelRequestParameters()) as stream:
            if tapped:
                tap_events(stream, without_first)
            return [type(event).__name__ async for event in stream]

    whole = asyncio.run(read(tapped=False))
    assert len(whole) > 3
    assert asyncio.run(read(tapped=True)) == whole[1:]
