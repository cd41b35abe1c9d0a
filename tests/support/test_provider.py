"""Tests the provider double with the engine's real models, for each protocol that it speaks."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx2
import pytest
from anthropic import AsyncAnthropic
from genai_prices.data_snapshot import set_custom_snapshot
from openai import AsyncOpenAI, AuthenticationError
from pydantic_ai import Agent, exceptions
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelRequest, ModelResponse, PartDeltaEvent, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from tests.support.provider import Call, Fault, ProviderDouble, RecordedRequest, Reply, Say, Think

T = TypeVar("T")
PROTOCOLS = ("responses", "chat", "anthropic")
PATHS = {"responses": "/v1/responses", "chat": "/v1/chat/completions", "anthropic": "/v1/messages"}
SETTINGS = ModelSettings(max_retries=0, timeout=30.0)
# Only a server that stops sending is given a short time; for the beginning of the answer there is the usual time.
IMPATIENT = ModelSettings(max_retries=0, timeout=cast(Any, httpx2.Timeout(30.0, read=2.0)))
TOOLS = [ToolDefinition(name="weather", parameters_json_schema={"type": "object", "properties": {}})]

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
streamed_or_not = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])


@pytest.fixture(autouse=True)
def all_prices() -> None:
    """Usage is read with the price list, of which another test in this process may have kept only a part."""
    set_custom_snapshot(None)


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with ProviderDouble() as running:
        yield running


def http_client() -> httpx2.AsyncClient:
    """A client that ignores proxy settings and does not load certificates (which takes longer than most tests)."""
    return httpx2.AsyncClient(trust_env=False, verify=False)


def post(url: str, path: str, body: dict[str, Any]) -> str:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.request("POST", path, json.dumps(body))
    with closing(connection):
        return connection.getresponse().read().decode()


@asynccontextmanager
async def connected(double: ProviderDouble, protocol: str) -> AsyncGenerator[Model[Any]]:
    """The engine's model for the protocol, connected to the double."""
    async with http_client() as client:
        openai = OpenAIProvider(base_url=f"{double.url}/v1", api_key="sk-test", http_client=client)
        if protocol == "responses":
            yield OpenAIResponsesModel("gpt-double", provider=openai)
        elif protocol == "chat":
            yield OpenAIChatModel("gpt-double", provider=openai)
        else:
            anthropic = AnthropicProvider(base_url=double.url, api_key="sk-test", http_client=client)
            yield AnthropicModel("claude-double", provider=anthropic)


def run_with(double: ProviderDouble, protocol: str, use: Callable[[Model[Any]], Awaitable[T]]) -> T:
    async def main() -> T:
        async with connected(double, protocol) as model:
            return await use(model)

    return asyncio.run(main())


async def ask_model(
    model: Model[Any], text: str, *, streamed: bool, settings: ModelSettings = SETTINGS, events: list[Any] | None = None
) -> ModelResponse:
    prompt = [ModelRequest.user_text_prompt(text, instructions="Be kind.")]
    tools = ModelRequestParameters(function_tools=TOOLS)
    if not streamed:
        return await model_request(model, prompt, model_settings=settings, model_request_parameters=tools)
    async with model_request_stream(model, prompt, model_settings=settings, model_request_parameters=tools) as stream:
        async for event in stream:
            if events is not None:
                events.append(event)
        return stream.get()


def ask(
    double: ProviderDouble,
    protocol: str,
    text: str = "hello",
    *,
    streamed: bool = True,
    events: list[Any] | None = None,
) -> ModelResponse:
    return run_with(double, protocol, lambda model: ask_model(model, text, streamed=streamed, events=events))


@each_protocol
@streamed_or_not
def test_text_usage_and_finish_reason(double: ProviderDouble, protocol: str, streamed: bool) -> None:
    text = 'Grüße, "Welt" 👋🏽\n\u2028 — done'
    double.script(Reply([Say(text)], input_tokens=100, output_tokens=7, cache_read_tokens=60))
    events: list[Any] = []
    response = ask(double, protocol, streamed=streamed, events=events)
    assert [part.content for part in response.parts if isinstance(part, TextPart)] == [text]
    assert (response.usage.input_tokens, response.usage.output_tokens) == (100, 7)
    assert response.usage.cache_read_tokens == 60
    assert response.finish_reason == "stop"
    if streamed:
        assert sum(isinstance(event, PartDeltaEvent) for event in events) >= len(text) // 4 - 1


@each_protocol
def test_what_is_recorded_of_a_request(double: ProviderDouble, protocol: str) -> None:
    before = time.monotonic()
    assert ask(double, protocol, "how are you?").text == "You said: how are you?"
    (request,) = double.wait_for_requests(1)
    assert request.finished.wait(30)  # the client may have read the end before the double knows
    assert (request.path, request.protocol, request.outcome) == (PATHS[protocol], protocol, "complete")
    assert request.last_user_text == "how are you?"
    assert request.system_text == "Be kind."
    assert request.tool_names == ["weather"]
    assert request.tool_results == []
    assert request.model.endswith("-double")
    assert request.streamed
    assert before <= request.received_monotonic <= time.monotonic()
    assert "sk-test" in request.headers.get("authorization", "") + request.headers.get("x-api-key", "")


@each_protocol
@pytest.mark.parametrize(
    ("finish", "expected"), [("length", "length"), ("content_filter", "content_filter"), ("stop", "stop")]
)
@streamed_or_not
def test_finish_reasons(double: ProviderDouble, protocol: str, finish: str, expected: str, streamed: bool) -> None:
    double.script(Reply([Say("Cut sho")], finish=finish))
    assert ask(double, protocol, streamed=streamed).finish_reason == expected


@each_protocol
@streamed_or_not
def test_thinking_comes_before_text(double: ProviderDouble, protocol: str, streamed: bool) -> None:
    double.script(Reply([Think("Let me see.", signature="c2ln"), Say("42")], output_tokens=9, reasoning_tokens=6))
    thought, said = ask(double, protocol, streamed=streamed).parts
    assert isinstance(thought, ThinkingPart)
    assert isinstance(said, TextPart)
    assert (thought.content, said.content) == ("Let me see.", "42")
    assert thought.signature == {"responses": None, "chat": None, "anthropic": "c2ln"}[protocol]


def test_encrypted_reasoning_only_on_request(double: ProviderDouble) -> None:
    body: dict[str, Any] = {"model": "m", "input": "hi", "include": ["reasoning.encrypted_content"]}
    double.otherwise = Reply([Think("Hm.", signature="c2ln"), Say("42")])
    shown = json.loads(post(double.url, "/v1/responses", body))["output"][0]
    assert shown["encrypted_content"] == "c2ln"
    del body["include"]
    assert "encrypted_content" not in json.loads(post(double.url, "/v1/responses", body))["output"][0]


@each_protocol
@streamed_or_not
def test_two_tool_calls_in_one_response(double: ProviderDouble, protocol: str, streamed: bool) -> None:
    double.script(
        Reply(
            [
                Say("Looking."),
                Call("weather", {"city": "Zürich", "days": [1, 2, 3]}, call_id="one"),
                Call("weather", {}),
            ]
        )
    )
    events: list[Any] = []
    response = ask(double, protocol, streamed=streamed, events=events)
    first, second = (part for part in response.parts if isinstance(part, ToolCallPart))
    assert (first.tool_name, first.args_as_dict(), first.tool_call_id) == (
        "weather",
        {"city": "Zürich", "days": [1, 2, 3]},
        "one",
    )
    assert second.args_as_dict() == {}
    assert second.tool_call_id not in ("", "one")
    assert response.finish_reason == (
        "stop" if protocol == "responses" else "tool_call"
    )  # Responses has no such finish reason
    if streamed:
        assert sum(isinstance(event, PartDeltaEvent) for event in events) >= 4


@each_protocol
def test_a_tool_loop_with_an_agent(double: ProviderDouble, protocol: str) -> None:
    double.on(
        "the weather",
        Reply([Think("Ask."), Call("weather", {"city": "Oslo"}, call_id="a"), Call("weather", {"city": "Rome"})]),
        Reply([Say("Both fine.")]),
    )

    async def use(model: Model[Any]) -> str:
        agent = Agent(model, model_settings=SETTINGS)

        def weather(city: str) -> str:
            return f"sunny in {city}"

        agent.tool_plain(weather)
        async with agent.run_stream_events("What is the weather?") as events:
            async for _ in events:
                pass
        return (await agent.run("Hello")).output

    assert run_with(double, protocol, use) == "You said: Hello"
    first, second, _ = double.wait_for_requests(3)
    assert first.tool_results == []
    assert [text for _, text in second.new_tool_results] == ["sunny in Oslo", "sunny in Rome"]
    assert second.tool_results[0][0] == "a"
    assert second.last_user_text == "What is the weather?"


@each_protocol
@pytest.mark.parametrize(
    ("fault", "expected", "status"),
    [
        (Fault(400), exceptions.ModelRequestRejectedError, 400),
        (Fault(code="context_length_exceeded"), exceptions.ModelContextWindowExceededError, 400),
        (Fault(401), exceptions.ModelAuthenticationError, 401),
        (Fault(403), exceptions.ModelAuthenticationError, 403),
        (Fault(404), exceptions.ModelNotFoundError, 404),
        (Fault(429, headers={"Retry-After": "7"}), exceptions.ModelRateLimitError, 429),
        (Fault(code="insufficient_quota"), exceptions.ModelQuotaExceededError, None),
        (Fault(500), exceptions.ModelServerError, 500),
        (Fault(502, body="<html>Bad gateway</html>"), exceptions.ModelServerError, 502),
        (Fault(503), exceptions.ModelOverloadedError, 503),
        (Fault(529), exceptions.ModelOverloadedError, 529),
    ],
)
@streamed_or_not
def test_error_responses(
    double: ProviderDouble, protocol: str, fault: Fault, expected: type[Exception], status: int | None, streamed: bool
) -> None:
    double.script(fault)
    with pytest.raises(expected) as caught:
        ask(double, protocol, streamed=streamed)
    assert isinstance(caught.value, exceptions.ModelHTTPError)
    assert caught.value.status_code == (status or (400 if protocol == "anthropic" else 429))
    assert caught.value.retry_after == (7 if fault.status == 429 else None)
    assert double.wait_for_requests(1)[0].outcome == "fault"


@each_protocol
def test_a_server_that_goes_silent(double: ProviderDouble, protocol: str) -> None:
    double.on("hang", Fault(kind="hang"))
    double.on("stall", Fault(kind="stall"))
    events: dict[str, list[Any]] = {"hang": [], "stall": []}

    async def use(model: Model[Any]) -> list[ModelResponse | BaseException]:
        return await asyncio.gather(
            *(
                ask_model(model, kind, streamed=streamed, settings=IMPATIENT, events=seen)
                for kind, seen in events.items()
                for streamed in (True, False)
            ),
            return_exceptions=True,
        )

    outcomes = run_with(double, protocol, use)
    assert [type(outcome) for outcome in outcomes] == [exceptions.ModelTimeoutError] * 4
    assert not events["hang"]
    assert events["stall"]
    double.wait_for_aborted(4)
    assert {request.outcome for request in double.requests} == {"aborted"}


@each_protocol
@streamed_or_not
@pytest.mark.parametrize("kind", ["reset", "cut"])
def test_a_connection_that_breaks(double: ProviderDouble, protocol: str, kind: Any, streamed: bool) -> None:
    double.script(Fault(kind=kind))
    events: list[Any] = []
    with pytest.raises(exceptions.ModelConnectionError) as caught:
        ask(double, protocol, streamed=streamed, events=events)
    assert not isinstance(caught.value, exceptions.ModelTimeoutError)
    assert bool(events) is (kind == "cut" and streamed)
    assert (double.aborted, double.requests[0].outcome) == (0, "fault")


@each_protocol
@streamed_or_not
def test_malformed_json(double: ProviderDouble, protocol: str, streamed: bool) -> None:
    double.script(Fault(kind="malformed"))
    with pytest.raises(exceptions.ModelAPIError, match="decode"):
        ask(double, protocol, streamed=streamed)


@each_protocol
@pytest.mark.parametrize("kind", ["error_event", "failed_event"])
def test_an_error_inside_a_stream(double: ProviderDouble, protocol: str, kind: Any) -> None:
    double.script(Fault(kind=kind, code="overloaded"))
    events: list[Any] = []
    with pytest.raises(exceptions.ModelOverloadedError):
        ask(double, protocol, events=events)
    assert events


@each_protocol
def test_a_stream_that_ends_without_its_last_events(double: ProviderDouble, protocol: str) -> None:
    double.script(Fault(kind="truncate", reply=Reply([Say("one two three")]), after=1))
    response = ask(double, protocol)
    # None of the engine's models treats this as an error; the chat model even reports a normal stop.
    assert (response.text, response.finish_reason) == ("one ", "stop" if protocol == "chat" else None)


@each_protocol
def test_the_gate_holds_back_the_last_delta_and_a_leaving_client_is_noticed(
    double: ProviderDouble, protocol: str
) -> None:
    gate = threading.Event()
    double.script(
        Reply([Say(deltas=["a", "b", "c"])], gate=gate),
        Reply([Say(deltas=["a", "b", "c"])], gate=threading.Event(), gate_at=1),
    )
    seen: list[str] = []

    async def use(model: Model[Any]) -> None:
        prompt = [ModelRequest.user_text_prompt("hi")]
        async with model_request_stream(model, prompt, model_settings=SETTINGS) as stream:
            async for _ in stream:
                seen.append(stream.get().text or "")
                if seen[-1] == "ab":
                    assert double.requests[0].at_gate.wait(30)
                    gate.set()
        async with model_request_stream(model, prompt, model_settings=SETTINGS) as stream:
            await anext(aiter(stream))
            assert stream.get().text == "a"

    run_with(double, protocol, use)
    assert seen[-1] == "abc"
    double.wait_for_aborted(1)
    assert double.requests[0].finished.wait(30)
    assert [request.outcome for request in double.requests] == ["complete", "aborted"]


def test_on_rules_keep_concurrent_sessions_apart(double: ProviderDouble) -> None:
    double.on("red", "rose")
    double.on(lambda request: "blue" in request.last_user_text, lambda request: Reply([Say("violet")]))

    async def use(model: Model[Any]) -> list[str]:
        agent = Agent(model, model_settings=SETTINGS)
        runs = [agent.run(f"{color} {index}") for index in range(10) for color in ("red", "blue", "grey")]
        return [result.output for result in await asyncio.gather(*runs)]

    answers = run_with(double, "chat", use)
    assert answers == [text for index in range(10) for text in ("rose", "violet", f"You said: grey {index}")]


def test_a_failing_callable_surfaces(double: ProviderDouble) -> None:
    def broken(request: RecordedRequest) -> Reply:
        raise LookupError("no such reply")

    double.otherwise = broken
    with pytest.raises(exceptions.ModelHTTPError, match="no such reply"):
        ask(double, "chat")
    assert isinstance(double.errors.pop(), LookupError)


def test_model_lists(double: ProviderDouble) -> None:
    double.models = ["one", {"id": "two", "owned_by": "someone"}]

    async def main() -> None:
        async with http_client() as client:
            openai = AsyncOpenAI(base_url=f"{double.url}/v1", api_key="k", http_client=client, max_retries=0)
            anthropic = AsyncAnthropic(base_url=double.url, api_key="k", http_client=client, max_retries=0)
            assert [(model.id, model.owned_by) async for model in openai.models.list()] == [
                ("one", "double"),
                ("two", "someone"),
            ]
            assert [(model.id, model.display_name) async for model in anthropic.models.list()] == [
                ("one", "one"),
                ("two", "two"),
            ]
            assert (await openai.models.retrieve("two")).id == "two"
            double.models_fault = Fault(401)
            with pytest.raises(AuthenticationError):
                await openai.models.list()

    asyncio.run(main())
    assert double.requests == []
    assert len(double.other_requests) == 4


def test_a_disabled_path_and_a_restart(double: ProviderDouble) -> None:
    double.disable("/v1/responses")
    with pytest.raises(exceptions.ModelNotFoundError):
        ask(double, "responses")
    assert ask(double, "chat").text == "You said: hello"
    url = double.url
    double.stop()
    with pytest.raises(exceptions.ModelConnectionError):
        ask(double, "chat")
    double.start()
    assert double.url == url
    assert ask(double, "chat").text == "You said: hello"


def test_connections_are_kept_alive(double: ProviderDouble) -> None:
    connection = HTTPConnection(double.host, double.port, timeout=30)
    body = json.dumps({"model": "bench-3-0", "messages": [], "stream": True})
    for _ in range(3):
        connection.request("POST", "/v1/chat/completions", body)
        sock = connection.sock
        assert b'"tok2 "' in connection.getresponse().read()
        assert connection.sock is sock
    connection.close()


@each_protocol
def test_a_burst_leaves_quickly(double: ProviderDouble, protocol: str) -> None:
    body = json.dumps({"model": "bench-5000-0", "input": "x", "messages": [], "stream": True})
    connection = HTTPConnection(double.host, double.port, timeout=30)
    took_s: list[float] = []  # CPU time: other work of the machine slows both ends
    began = time.monotonic()
    for _ in range(5):
        start = time.process_time()
        connection.request("POST", PATHS[protocol], body)
        data = connection.getresponse().read()
        took_s.append(time.process_time() - start)
        assert data.count(b"tok4999 ") >= 1
    connection.close()
    assert 5000 / min(took_s) >= 50_000
    assert time.monotonic() - began < 20  # a millisecond for each delta would take 25 s


def test_each_delta_can_be_written_on_its_own(double: ProviderDouble) -> None:
    request = b'{"model":"m","messages":[],"stream":true}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(request)
    for flush_each, chunks in ((True, 6), (False, 1)):
        double.script(Reply([Say(deltas=["a", "b", "c"])], flush_each=flush_each))
        with socket.create_connection((double.host, double.port), timeout=30) as sock, sock.makefile("rb") as answer:
            sock.sendall(head + request)
            assert len(re.findall(rb"\r\n[0-9a-f]+\r\ndata: ", answer.read())) == chunks


@pytest.mark.parametrize(
    "make",
    [Fault, lambda: Fault(code="no such code"), lambda: Fault(kind="cut", reply=Reply([Say("one")]), after=1)],
    ids=["nothing to send", "unknown code", "too few deltas"],
)
def test_impossible_faults_are_refused(make: Callable[[], Fault]) -> None:
    with pytest.raises(ValueError, match=r"Fault|code|after"):
        make()


def test_as_a_process_with_stamped_deltas() -> None:
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.provider", "--port", "0", "--tokens", "3", "--delay-ms", "0"],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]

        def stream(model: str) -> list[str]:
            body: dict[str, Any] = {"model": model, "messages": [], "stream": True}
            lines = post(url, "/v1/chat/completions", body).split("\n\n")
            chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
            deltas = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
            return [delta for delta in deltas if delta]

        assert stream("anything") == ["tok0 ", "tok1 ", "tok2 "]
        start_ns = time.perf_counter_ns()
        stamps = [int(stamp) for stamp in stream("bench-ts-4-5")]
        assert len(stamps) == 4
        assert stamps[-1] < time.perf_counter_ns()
        assert all(stamp - start_ns > 5e6 * number - 1e6 for number, stamp in enumerate(stamps, 1))
        process.terminate()
    assert process.returncode == 0
