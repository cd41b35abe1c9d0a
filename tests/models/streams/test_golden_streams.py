"""The edge does not change a well-formed stream: the response is the same with and without it."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic_ai import ModelRequest
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelResponse

from aster_sidecar.models.build import Models
from aster_sidecar.models.network import way
from aster_sidecar.models.sdk_models import known_types
from aster_sidecar.models.streams.dialects import READERS, AnthropicReader, ChatReader, ResponsesReader
from aster_sidecar.models.streams.gemini import GeminiReader
from aster_sidecar.models.streams.reader import Reader
from aster_sidecar.models.transport import EdgeClient

STREAMS = Path(__file__).parent.parent.parent / "golden" / "streams"
NAMES = sorted(path.stem for path in STREAMS.glob("*.sse"))
MODELS = {
    "responses": "openai-responses:golden",
    "chat": "openai-chat:golden",
    "anthropic": "anthropic:golden",
    "gemini": "google:golden",
}
ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-golden",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "ANTHROPIC_API_KEY": "sk-golden",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "GOOGLE_API_KEY": "g-golden",
    "GOOGLE_BASE_URL": "http://127.0.0.1:9",
}
COUNTING = {"vllm-chat-tools": (201, 18)}
"""Streams with usage figures in each event, each a total so far: without the edge they would be added up."""
EPOCH = datetime.fromtimestamp(0, UTC)
EVENT = re.compile(rb".*?(?:\r\n\r\n|\n\n)", re.DOTALL)


def dialect(name: str) -> str:
    """The dialect in a stream's name; `chat` if the name has none."""
    return next((part for part in reversed(name.split("-")) if part in MODELS), "chat")


def need_sdk(name: str) -> None:
    """Skip a test that needs Google's SDK where it is not installed: it is an extra."""
    if dialect(name) == "gemini":
        pytest.importorskip("google.genai", reason="needs the google extra")


def whole(data: bytes) -> list[bytes]:
    return [data]


def by_event(data: bytes) -> list[bytes]:
    return EVENT.findall(data)


def by_three(data: bytes) -> list[bytes]:
    return [data[at : at + 3] for at in range(0, len(data), 3)]


def by_hundred(data: bytes) -> list[bytes]:
    return [data[at : at + 100] for at in range(0, len(data), 100)]


CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "in one": whole,
    "by event": by_event,
    "in threes": by_three,
    "in hundreds": by_hundred,
}


class Pieces(httpx2.AsyncByteStream):
    """A body that arrives piece by piece."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
            await asyncio.sleep(0)


async def read(name: str, pieces: list[bytes], *, edge: bool, headers: dict[str, str]) -> ModelResponse:
    """The response that a model reads from these bytes."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream", **headers}, stream=Pieces(pieces))

    transport = httpx2.MockTransport(answer)
    models = Models(ENVIRONMENT, lambda: None, lambda _: None, lambda *_: None)
    http = EdgeClient(known_types, transport=transport) if edge else httpx2.AsyncClient(transport=transport)
    models.sdk.clients[way(ENVIRONMENT["OPENAI_BASE_URL"], ENVIRONMENT)] = http
    model = models.build(MODELS[dialect(name)]).model
    async with http, model_request_stream(model, [ModelRequest.user_text_prompt("hello")]) as stream:
        async for _ in stream:
            pass
        return stream.get()


def comparable(response: ModelResponse) -> Any:
    """The response without what differs each time: times, and ids that pydantic-ai makes."""
    parts: list[Any] = [replace(part, tool_call_id="") if made_here(part) else part for part in response.parts]
    parts = [replace(part, timestamp=EPOCH) if hasattr(part, "timestamp") else part for part in parts]
    return {**vars(replace(response, parts=parts)), "timestamp": EPOCH}


def made_here(part: Any) -> bool:
    return str(getattr(part, "tool_call_id", "")).startswith("pyd_ai_")


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_response_comes_out(name: str, cut: str) -> None:
    need_sdk(name)
    data = (STREAMS / f"{name}.sse").read_bytes()
    bare = asyncio.run(read(name, [data], edge=False, headers={}))
    through = asyncio.run(read(name, CUTS[cut](data), edge=True, headers={}))
    if name in COUNTING:
        assert (through.usage.input_tokens, through.usage.output_tokens) == COUNTING[name]
        through.usage = bare.usage
    assert comparable(through) == comparable(bare)


@pytest.mark.parametrize("name", NAMES)
def test_a_compressed_body_is_read_alike(name: str) -> None:
    need_sdk(name)
    data = gzip.compress((STREAMS / f"{name}.sse").read_bytes())
    headers = {"content-encoding": "gzip"}
    bare = asyncio.run(read(name, by_hundred(data), edge=False, headers=headers))
    through = asyncio.run(read(name, by_hundred(data), edge=True, headers=headers))
    if name in COUNTING:
        through.usage = bare.usage
    assert comparable(through) == comparable(bare)


@pytest.mark.parametrize("name", sorted({*NAMES} - {*COUNTING}))
def test_events_that_arrive_one_by_one_pass_byte_for_byte(name: str) -> None:
    need_sdk(name)
    data = (STREAMS / f"{name}.sse").read_bytes()
    readers: dict[str, type[Reader]] = {
        "chat": ChatReader,
        "responses": ResponsesReader,
        "anthropic": AnthropicReader,
        "gemini": GeminiReader,
    }
    reader = readers[dialect(name)](known_types(readers[dialect(name)]))
    out = b"".join(reader.feed(piece) for piece in by_event(data)) + reader.end()
    assert out == data


def test_every_dialect_has_streams() -> None:
    assert len(READERS) == len(MODELS)
    assert {dialect(name) for name in NAMES} == set(MODELS)
    assert len(NAMES) >= 18
