"""The bytes provider itself: which answer is sent, byte for byte, and what waits for what."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.support.bytes_provider import Answer, BytesProvider, RecordedRequest, Repeat
from tests.support.stream_bytes import BY_PATH, DIALECTS, Dialect, Said, refuse, say
from tests.support.strict_servers import Alternating, InTurn, WholePairs

CHAT_PATH = "/v1/chat/completions"


@pytest.fixture
def provider() -> Iterator[BytesProvider]:
    with BytesProvider() as served:
        yield served


@pytest.fixture
def client(provider: BytesProvider) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=provider.url, trust_env=False, timeout=20) as client:
        yield client


def asked(client: httpx.Client, path: str = CHAT_PATH, **body: object) -> httpx.Response:
    return client.post(path, json={"stream": True, **body})


def test_answers_come_in_order_and_the_last_one_again_and_again(provider: BytesProvider, client: httpx.Client) -> None:
    provider.script(Answer("one"), lambda request: Answer(str(request.body["n"])), Answer("last"))
    assert [asked(client, n=n).text for n in range(4)] == ["one", "1", "last", "last"]
    assert [request.body["n"] for request in provider.requests] == [0, 1, 2, 3]


def test_an_answer_is_chosen_by_path_and_by_what_is_asked(provider: BytesProvider, client: httpx.Client) -> None:
    provider.script(
        Answer("messages", match="/messages"),
        Answer("tools", when=lambda request: "tools" in request.body),
        Answer("any"),
    )
    assert asked(client).text == "any"
    assert asked(client, tools=[1]).text == "tools"
    assert asked(client, "/v1/messages").text == "messages"


def test_other_paths_have_pages_of_their_own(provider: BytesProvider, client: httpx.Client) -> None:
    provider.pages["/api/ps"] = Answer.json({"models": []})
    assert client.get("/api/ps").json() == {"models": []}
    assert client.get("/v1/models").json()["data"][0]["id"] == "m"
    assert (client.get("/nowhere").status_code, client.post("/nowhere").status_code) == (404, 404)
    assert provider.requests == []
    assert [request.path for request in provider.other_requests] == ["/api/ps", "/v1/models", "/nowhere", "/nowhere"]


@pytest.mark.parametrize("framing", ["close", "chunked", "length"])
@pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
def test_bytes_arrive_as_they_were_given(
    provider: BytesProvider, client: httpx.Client, framing: str, encoding: str | None
) -> None:
    pieces = ["\ufeffdata: ", b"\xff\xfe", "ünï\r\n"]
    provider.script(Answer(pieces, 201, {"x-odd": "1"}, framing, encoding))  # type: ignore[arg-type]
    answer = asked(client)
    assert answer.content == "\ufeffdata: ".encode() + b"\xff\xfe" + "ünï\r\n".encode()
    assert (answer.status_code, answer.headers["x-odd"]) == (201, "1")


def test_a_piece_waits_for_its_event_and_the_end_for_its_own(provider: BytesProvider, client: httpx.Client) -> None:
    second, end = threading.Event(), threading.Event()
    provider.script(Answer(["one", second, "two"], hold=end))
    with client.stream("POST", CHAT_PATH, json={}) as answer:
        came = answer.iter_bytes()
        assert next(came) == b"one"
        second.set()
        assert next(came) == b"two"
        assert not provider.requests[0].finished.is_set()
        end.set()
        assert list(came) == []
    assert provider.requests[0].finished.wait(20)


def test_a_client_that_leaves_is_noticed(provider: BytesProvider, client: httpx.Client) -> None:
    provider.script(Answer(["one", Repeat(": more\n\n")]))
    with client.stream("POST", CHAT_PATH, json={}) as answer:
        next(answer.iter_bytes())
    provider.wait_for_left()


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))
def test_a_text_comes_in_the_dialect_that_is_asked_for(
    provider: BytesProvider, client: httpx.Client, dialect: Dialect
) -> None:
    provider.script(say("A whole text."))
    streamed = asked(client, dialect.path)
    assert streamed.text == dialect.answer("A whole text.").body
    assert client.post(dialect.path, json={}).json() == dialect.whole("A whole text.")
    assert "".join(dialect.open("a", "b") + dialect.rest("a", "b")) == "".join(dialect.stream(Said(["a", "b"])))
    assert BY_PATH[dialect.path] is dialect
    provider.script(refuse("No.", 418))
    refused = asked(client, dialect.path)
    assert (refused.status_code, refused.json()["error"]["message"]) == (418, "No.")


def request(*messages: object) -> RecordedRequest:
    return RecordedRequest(CHAT_PATH, {}, {"messages": list(messages)}, 0.0, "chat")


USER, HELLO = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}
CALLS = {"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]}
A, B = ({"role": "tool", "tool_call_id": call_id, "content": "x"} for call_id in "ab")


@pytest.mark.parametrize(
    ("messages", "taken"),
    [
        ([USER, CALLS, A, B, HELLO], True),
        ([USER, CALLS, A], False),
        ([USER, CALLS, A, HELLO, USER], False),
        ([USER, A], False),
        ([USER, CALLS, A, B, B], False),
    ],
)
def test_pairs_are_told_from_what_is_none(messages: list[object], taken: bool) -> None:
    assert (WholePairs(say("")).why_not(request(*messages)) is None) is taken


@pytest.mark.parametrize(
    ("messages", "taken"),
    [
        ([USER, HELLO, USER], True),
        ([{"role": "system"}, USER, CALLS, A, B, HELLO, USER], True),
        ([USER, USER], False),
        ([USER, HELLO, HELLO], False),
        ([HELLO], False),
        ([USER, CALLS, A, B, USER], False),
    ],
)
def test_roles_that_alternate_are_told_from_those_that_do_not(messages: list[object], taken: bool) -> None:
    assert (Alternating(say("")).why_not(request(*messages)) is None) is taken


def test_a_strict_server_tells_and_keeps_what_it_refused(provider: BytesProvider, client: httpx.Client) -> None:
    strict = Alternating(InTurn(Answer("first"), Answer("then")), 500)
    provider.script(strict)
    tools = [{"function": {"name": "read_file"}}]
    assert asked(client, messages=[USER], tools=tools).text == "first"
    refused = asked(client, messages=[USER, USER], tools=tools)
    assert (refused.status_code, len(strict.refused)) == (500, 1)
    assert "alternate" in json.dumps(refused.json())
    assert asked(client, messages=[USER], tools=tools).text == "then"
