"""Models: what is taken around the SDKs gives what the SDKs give, only sooner."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import genai_prices
import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types.beta import BetaRawMessageStreamEvent
from genai_prices.data_snapshot import get_snapshot, set_custom_snapshot
from openai import AsyncOpenAI
from openai.types.responses import ResponseStreamEvent

from aster_sidecar.models.build import Models, read_by_type, send_as_is
from aster_sidecar.models.library_patches import Unclear, keep_prices, shaped
from tests.support.provider import ProviderDouble

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


def test_what_may_be_several_things_is_left_to_the_sdk() -> None:
    for kind, value in ((bytes, "x"), (list[int] | list[str], []), (int | str, {"a": 1})):
        with pytest.raises(Unclear):
            shaped(kind, value)
    assert shaped(dict[str, list[float]], {"a": [1, 2.5, None]}) == {"a": [1.0, 2.5, None]}


@pytest.fixture
def prices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Models, "_priced", None)
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
def test_models_reached_alike_share_a_client() -> None:
    here = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "ANTHROPIC_API_KEY": "k"}
    models = Models(here, lambda: None, lambda _: None, lambda _, __: None)
    names = ("openai:a", "openai:b", "openai-chat:a", "anthropic:claude-sonnet-4-5", "anthropic:claude-opus-4-1")
    built = [models.build(name).model for name in names]
    used = {id(cast(Any, model).client._client) for model in built}
    assert len(used) == 2
    assert built[3].context_window == 200_000
    asyncio.run(models.close())


SCRIPT = """
import asyncio, os, sys
from pathlib import Path
from aster_sidecar.daemon.wiring import build_app, build_parts
from aster_sidecar.models.build import probe
from aster_sidecar.config.places import places
from aster_sidecar.config.settings import Settings

async def main():
    home = Path(sys.argv[1])
    settings = Settings("web", 0, places(os.environ, data_dir=home, config_dir=home), environment=dict(os.environ))
    parts = build_parts(settings)
    build_app(parts)
    parts.journal.open()
    await parts.load_engine()
    await probe(parts.models)
    await parts.close()

asyncio.run(main())
unused = {"pydantic.v1", "httpx._main", "rich", "pygments", "genai_prices.data", "anthropic"}
print("loaded:", sorted(unused & set(sys.modules)))
from openai.types import responses
large = {"Response", "ParsedResponse", "ResponseCreatedEvent", "ResponseCompletedEvent", "ResponseOutputItemAddedEvent"}
print("built:", [name for name in sorted(large) if getattr(responses, name).__pydantic_complete__])
print("usable:", responses.ParsedResponse[int].model_json_schema()["title"])
"""


def test_a_turn_brings_along_what_it_needs_only(tmp_path: Path, provider: ProviderDouble) -> None:
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent.parent,
        env={**os.environ, "OPENAI_BASE_URL": f"{provider.url}/v1", "ASTER_MODEL": "openai:gpt-5"},
    )
    assert told.stderr == ""
    assert told.stdout.splitlines() == ["loaded: []", "built: []", "usable: ParsedResponse[int]"]


def test_a_model_that_is_being_built_while_its_key_is_forgotten_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"OPENAI_API_KEY": "old", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    models = Models(environment, lambda: "openai-chat:m", lambda _: None, lambda key, value: None)
    began, goes_on = threading.Event(), threading.Event()
    make = Models._make

    def slow(self: Models, *given: Any) -> Any:
        began.set()
        assert goes_on.wait(20)
        return make(self, *given)

    monkeypatch.setattr(Models, "_make", slow)
    building = threading.Thread(target=models.build)  # as when a client comes
    building.start()
    assert began.wait(20)
    environment["OPENAI_API_KEY"] = "new"
    models.forget()
    goes_on.set()
    building.join(20)
    assert models.built() is None, "it has the old key"
    chosen = models.build()
    assert cast("Any", chosen.model).client.api_key == "new"
    assert models.built() is chosen
    assert models.build() is chosen
