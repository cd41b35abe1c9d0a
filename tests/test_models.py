"""Models: what is taken around the SDKs gives what the SDKs give, only sooner."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import RawMessageStreamEvent
from openai import AsyncOpenAI
from openai.types.responses import ResponseStreamEvent

from aster_sidecar.models import read_by_type, send_as_is

DELTA = {
    "type": "response.output_text.delta",
    "content_index": 0,
    "delta": "x",
    "item_id": "m",
    "output_index": 0,
    "sequence_number": 5,
    "logprobs": [],
}
PING = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}
REQUEST = httpx2.Request("GET", "http://127.0.0.1/")


def clients() -> list[tuple[Any, Any, list[dict[str, Any]]]]:
    http = httpx2.AsyncClient(verify=False)
    return [
        (AsyncOpenAI(api_key="k", http_client=http), ResponseStreamEvent, [DELTA, {"type": "response.completed"}]),
        (AsyncAnthropic(api_key="k", http_client=http), RawMessageStreamEvent, [PING, {"type": "message_stop"}]),
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
