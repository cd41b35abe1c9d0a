"""Models on the providers' SDKs: the client, key, address and form of each."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import httpx2
import pytest
from pydantic_ai.messages import BinaryContent, ModelRequest, UserPromptPart
from pydantic_ai.models import ModelRequestParameters

from aster_sidecar.models.request_context import FIRST_HERE_S, FIRST_S
from aster_sidecar.models.sdk_models import CONNECT_TIMEOUT_S, GOOGLE_VERSION, SdkModels, known_types
from aster_sidecar.models.streams.dialects import AnthropicReader, ChatReader, ResponsesReader
from aster_sidecar.models.transport import EdgeClient

URL = "http://box.example/v1"


def made(
    speaks: str, *, url: str = URL, wait_s: float | None = None, edge: bool = True, lacks: frozenset[str] = frozenset()
) -> Any:
    return cast("Any", SdkModels({}, wait_s, edge=edge).make(speaks, "m", url, "the-key", lacks))


@pytest.mark.parametrize("speaks", ["responses", "chat", "anthropic"])
def test_a_model_has_its_key_and_address_and_no_retries(speaks: str) -> None:
    client = made(speaks).client
    assert (client.api_key, str(client.base_url).rstrip("/"), client.max_retries) == ("the-key", URL, 0)


@pytest.mark.parametrize(
    ("url", "wait_s", "read_s", "connect_s"),
    [
        (URL, None, FIRST_S, CONNECT_TIMEOUT_S),
        ("http://127.0.0.1:1/v1", None, FIRST_HERE_S, CONNECT_TIMEOUT_S),
        (URL, 7.0, 7.0, 7.0),
        (URL, 70.0, 70.0, CONNECT_TIMEOUT_S),
    ],
)
def test_the_timeouts_of_a_model(url: str, wait_s: float | None, read_s: float, connect_s: float) -> None:
    timeout = made("chat", url=url, wait_s=wait_s).client.timeout
    assert (timeout.read, timeout.connect) == (read_s, connect_s)


def test_the_edge_can_be_left_out() -> None:
    assert type(made("chat").client._client) is EdgeClient
    assert type(made("chat", edge=False).client._client) is httpx2.AsyncClient


def test_redirects_are_followed_but_not_to_leave_this_machine() -> None:
    assert made("chat").client._client.follow_redirects
    assert not made("chat", url="http://127.0.0.1:1/v1").client._client.follow_redirects


def test_clients_are_closed() -> None:
    sdk = SdkModels({}, None, edge=True)
    client = cast("Any", sdk.make("chat", "m", URL, "k", frozenset())).client._client
    asyncio.run(sdk.close())
    assert client.is_closed
    assert sdk.clients == {}


@pytest.mark.parametrize(
    ("lacks", "sent"), [(frozenset[str](), None), (frozenset({"ids"}), None), (frozenset({"items"}), "message")]
)
def test_items_get_a_type_for_a_server_that_needs_it(lacks: frozenset[str], sent: str | None) -> None:
    client = made("responses", lacks=lacks).client
    bodies: list[Any] = []

    async def note(request: httpx2.Request) -> None:
        bodies.append(json.loads(request.content))
        raise httpx2.ConnectError("enough")

    client._client.event_hooks = {"request": [note], "response": []}
    with pytest.raises(Exception, match="onnect"):
        asyncio.run(client.responses.create(model="m", input=[{"role": "user", "content": "q"}]))
    assert bodies[0]["input"][0].get("type") == sent


def test_the_types_that_an_sdk_knows() -> None:
    assert known_types(ChatReader) == frozenset(), "it accepts any type"
    assert {"response.created", "response.output_text.delta", "function_call"} <= known_types(ResponsesReader)
    assert {"message_start", "content_block_delta", "tool_use", "thinking"} <= known_types(AnthropicReader)


def test_googles_version_is_taken_off_an_address() -> None:
    for url in ("https://g.example", "https://g.example/v1beta", "https://g.example/v1", "https://g.example/v1alpha"):
        assert GOOGLE_VERSION.sub("", url) == "https://g.example"
    assert GOOGLE_VERSION.sub("", "https://g.example/v1/more") == "https://g.example/v1/more"


@pytest.mark.parametrize(
    ("speaks", "url", "kinds"),
    [
        ("chat", "https://api.openai.com/v1", ["text", "file", "image_url"]),
        ("chat", "https://openrouter.ai/api/v1", ["text", "file", "image_url"]),
        ("chat", "http://127.0.0.1:11434/v1", ["text", "file", "image_url"]),
        ("chat", "https://mine.openai.azure.com/openai/v1", ["text", "file", "image_url"]),
        ("responses", URL, ["input_text", "input_file", "input_image"]),
        ("anthropic", URL, ["text", "document", "image"]),
    ],
)
def test_an_image_and_a_pdf_are_sent_to_any_server(speaks: str, url: str, kinds: list[str]) -> None:
    """Whether a server takes them is decided by what is known about it, not by the library."""
    model, bodies = made(speaks, url=url), list[Any]()

    async def note(request: httpx2.Request) -> None:
        bodies.append(json.loads(request.content))
        raise httpx2.ConnectError("enough")

    model.client._client.event_hooks = {"request": [note], "response": []}
    files = [BinaryContent(b"%PDF-1.7", media_type="application/pdf"), BinaryContent(b"PNG", media_type="image/png")]
    asked = ModelRequest(parts=[UserPromptPart(["what is this?", *files])])
    with pytest.raises(Exception, match="onnect"):
        asyncio.run(model.request([asked], None, ModelRequestParameters()))
    [message] = bodies[0]["input" if speaks == "responses" else "messages"]
    assert [part["type"] for part in message["content"]] == kinds
