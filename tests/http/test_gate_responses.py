"""Every response has the gate's headers, whatever a route sets; refusals have the error envelope."""

from __future__ import annotations

import asyncio
import json

from starlette.types import Message, Scope

from aster_sidecar.errors import AsterError, BadRequest, OriginRefused, TokenRefused
from aster_sidecar.http.gate_responses import answer_preflight, refuse, with_headers
from aster_sidecar.http.request_head import Pair

ORIGIN = b"http://localhost:7"


class Sink:
    """A `send` that keeps its messages, and a `receive` that counts its calls."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.received = 0

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def receive(self) -> Message:
        self.received += 1
        return {"type": "websocket.connect"}


def passed_on(message: Message, origin: bytes | None) -> Message:
    """What the server gets when the app sends a message."""
    sink = Sink()

    async def run() -> None:
        await with_headers(sink.send, "req_1", origin)(message)

    asyncio.run(run())
    return sink.sent[0]


def dressed(*pairs: Pair, origin: bytes | None = None, kind: str = "http.response.start") -> list[Pair]:
    return passed_on({"type": kind, "headers": list(pairs)}, origin)["headers"]


def test_a_response_gets_the_gate_s_headers() -> None:
    for kind in ("http.response.start", "websocket.http.response.start"):
        headers = dict(dressed((b"x-own", b"1"), kind=kind))
        assert headers[b"x-own"] == b"1"
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"cross-origin-resource-policy"] == b"same-origin"
        assert headers[b"referrer-policy"] == b"no-referrer"
        assert (headers[b"x-request-id"], headers[b"cache-control"]) == (b"req_1", b"no-store")
        assert b"access-control-allow-origin" not in headers


def test_an_allowed_origin_may_read_the_response() -> None:
    headers = dict(dressed(origin=ORIGIN))
    assert headers[b"access-control-allow-origin"] == ORIGIN
    assert headers[b"access-control-expose-headers"] == b"x-request-id, retry-after"


def test_a_route_opens_nothing_and_keeps_its_caching() -> None:
    headers = dressed(
        (b"Access-Control-Allow-Origin", b"*"),
        (b"access-control-allow-credentials", b"true"),
        (b"X-Content-Type-Options", b"sniff"),
        (b"X-Request-Id", b"other"),
        (b"Cache-Control", b"max-age=60"),
        (b"vary", b"Accept"),
    )
    names = [name.lower() for name, _ in headers]
    assert not [name for name in names if name.startswith(b"access-control-")]
    assert [value for name, value in headers if name.lower() == b"cache-control"] == [b"max-age=60"]
    assert [value for name, value in headers if name == b"vary"] == [b"Accept", b"Origin"]
    for owned in (b"x-content-type-options", b"x-request-id"):
        assert names.count(owned) == 1


def test_an_accepted_websocket_tells_only_its_request_id() -> None:
    assert dressed((b"x-own", b"1"), origin=ORIGIN, kind="websocket.accept") == [
        (b"x-own", b"1"),
        (b"x-request-id", b"req_1"),
    ]


def test_other_messages_are_passed_on() -> None:
    message: Message = {"type": "http.response.body", "body": b"x"}
    assert passed_on(message, ORIGIN) == message


def preflight(private: list[bytes]) -> dict[bytes, bytes]:
    sink = Sink()
    asyncio.run(answer_preflight(sink.send, {b"access-control-request-private-network": private}, "req_1", ORIGIN))
    assert [message.get("status") for message in sink.sent] == [204, None]
    return dict(sink.sent[0]["headers"])


def test_a_preflight_allows_the_methods_and_headers_of_the_api() -> None:
    headers = preflight([])
    assert headers[b"access-control-allow-origin"] == ORIGIN
    assert set(headers[b"access-control-allow-methods"].split(b", ")) == {b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"}
    assert b"authorization" in headers[b"access-control-allow-headers"].split(b", ")
    assert b"access-control-allow-private-network" not in headers


def test_a_private_network_is_allowed_only_when_asked_for() -> None:
    assert preflight([b"true"])[b"access-control-allow-private-network"] == b"true"
    assert b"access-control-allow-private-network" not in preflight([b"true", b"true"])


def refused(error: AsterError, scope: Scope) -> Sink:
    sink = Sink()
    asyncio.run(refuse(error, "req_1", scope, sink.receive, sink.send))
    return sink


def test_a_refusal_is_the_error_envelope_in_ascii() -> None:
    sink = refused(OriginRefused("é", hint="hint"), {"type": "http"})
    start, body = sink.sent
    assert (start["status"], sink.received) == (403, 0)
    assert body["body"].isascii()
    assert json.loads(body["body"]) == {
        "id": "req_1",
        "success": False,
        "error": "é",
        "code": "origin_refused",
        "hint": "hint",
    }
    headers = dict(start["headers"])
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert b"www-authenticate" not in headers
    assert b"connection" not in headers


def test_some_refusals_say_more_in_their_headers() -> None:
    assert dict(refused(TokenRefused("x"), {"type": "http"}).sent[0]["headers"])[b"www-authenticate"] == b"Bearer"
    assert dict(refused(BadRequest("x"), {"type": "http"}).sent[0]["headers"])[b"connection"] == b"close"


def test_a_handshake_is_refused_with_a_response_where_the_server_can() -> None:
    sink = refused(TokenRefused("x"), {"type": "websocket", "extensions": {"websocket.http.response": {}}})
    assert [message["type"] for message in sink.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sink.received == 1
    for extensions in ({}, None):
        sink = refused(TokenRefused("x"), {"type": "websocket", "extensions": extensions})
        assert sink.sent == [{"type": "websocket.close", "code": 1008, "reason": "token_refused"}]
        assert sink.received == 1
