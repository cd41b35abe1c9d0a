"""A body has one length, is JSON, and has at most 1 MiB, also where its length is known only after reading it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from aster_sidecar.errors import AsterError, BadRequest, BodyTooLarge, WrongMediaType
from aster_sidecar.http.request_body import BODY_LIMIT_BYTES, MESSAGE_LIMIT_BYTES, BodyMeter, check_body, is_json
from aster_sidecar.http.request_head import Headers

JSON = [b"application/json"]
HTTP: Scope = {"type": "http", "http_version": "1.1"}


def head(**values: list[bytes]) -> Headers:
    return {name.replace("_", "-").encode(): value for name, value in values.items()}


@pytest.mark.parametrize(
    ("headers", "counted"),
    [
        (head(), False),
        (head(content_length=[b"0"]), False),
        (head(content_length=[b"2"], content_type=JSON), False),
        (head(content_length=[str(BODY_LIMIT_BYTES).encode()], content_type=JSON), False),
        (head(transfer_encoding=[b"Chunked"], content_type=JSON), True),
        (head(transfer_encoding=[b"chunked"]), True),
    ],
)
def test_a_body_passes_and_one_without_a_length_is_counted(headers: Headers, counted: bool) -> None:
    assert check_body(HTTP, headers) is counted


def test_a_body_of_http_2_needs_no_length() -> None:
    assert check_body({"type": "http", "http_version": "2"}, head())
    assert not check_body({"type": "http", "http_version": "1.0"}, head())


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        (head(content_length=[b"2", b"2"], content_type=JSON), BadRequest),
        (head(content_length=[b"2"], transfer_encoding=[b"chunked"], content_type=JSON), BadRequest),
        (head(transfer_encoding=[b"gzip"], content_type=JSON), BadRequest),
        (head(content_length=[b"-1"], content_type=JSON), BadRequest),
        (head(content_length=[b"9" * 21], content_type=JSON), BadRequest),
        (head(content_length=[b"2"]), WrongMediaType),
        (head(content_length=[b"2"], content_type=[*JSON, *JSON]), WrongMediaType),
        (head(transfer_encoding=[b"chunked"], content_type=[b"text/plain"]), WrongMediaType),
        (head(content_length=[str(BODY_LIMIT_BYTES + 1).encode()], content_type=JSON), BodyTooLarge),
    ],
)
def test_any_other_body_is_refused(headers: Headers, error: type[AsterError]) -> None:
    with pytest.raises(AsterError) as refused:
        check_body(HTTP, headers)
    assert type(refused.value) is error


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (b"application/json", True),
        (b"Application/JSON ; Charset=UTF-8", True),
        (b'application/json;charset="utf8";x=y', True),
        (b"application/json;charset=latin-1", False),
        (b"application/json, text/plain", False),
        (b"application/json5", False),
        (b"", False),
    ],
)
def test_only_json_in_utf_8_is_json(value: bytes, json: bool) -> None:
    assert is_json([value]) is json
    assert not is_json([value, value])


def test_a_websocket_has_room_for_a_body_that_is_too_large() -> None:
    assert MESSAGE_LIMIT_BYTES > BODY_LIMIT_BYTES


# -- counting ----------------------------------------------------------------------------------------------------------


class Exchange:
    """A metered request whose client sends `bodies`, and its results."""

    def __init__(self, *bodies: bytes, typed: bool = True) -> None:
        self.refusals: list[AsterError] = []
        self.sent: list[Message] = []
        self.taken: list[Message] = []
        self._bodies = list(bodies)
        self.meter = BodyMeter(self._receive, self._send, self._refuse, typed=typed)

    async def _receive(self) -> Message:
        return {"type": "http.request", "body": self._bodies.pop(0), "more_body": bool(self._bodies)}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    async def _refuse(self, refusal: AsterError) -> None:
        self.refusals.append(refusal)

    def run(self, *, first: bool = False, raises: bool = True) -> None:
        """Run an app that reads the complete body.

        `first`: it starts its answer before it reads. `raises`: it raises ClientDisconnect when the client is gone.
        """

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if first:
                await send({"type": "http.response.start", "status": 200})
            while (message := await receive())["type"] == "http.request":
                self.taken.append(message)
                if not message["more_body"]:
                    break
            else:
                if raises:
                    raise ClientDisconnect
            await send({"type": "http.response.body"})

        scope: dict[str, Any] = {"type": "http"}
        asyncio.run(self.meter.run(app, scope))


def test_a_body_within_the_limit_passes() -> None:
    exchange = Exchange(b"1" * (BODY_LIMIT_BYTES - 1), b"1")
    exchange.run()
    assert (exchange.refusals, len(exchange.taken), len(exchange.sent)) == ([], 2, 1)


@pytest.mark.parametrize("raises", [True, False])
def test_a_body_above_the_limit_is_refused_once_and_the_app_s_answer_dropped(raises: bool) -> None:
    exchange = Exchange(b"1" * BODY_LIMIT_BYTES, b"1", b"1")
    exchange.run(raises=raises)
    assert [type(one) for one in exchange.refusals] == [BodyTooLarge]
    assert (len(exchange.taken), exchange.sent) == (1, [])


def test_a_body_without_a_type_is_refused_and_no_body_is_not() -> None:
    exchange = Exchange(b"{}", typed=False)
    exchange.run()
    assert [type(one) for one in exchange.refusals] == [WrongMediaType]
    empty = Exchange(b"", typed=False)
    empty.run()
    assert (empty.refusals, len(empty.sent)) == ([], 1)


def test_an_app_that_has_begun_its_answer_ends_it_itself() -> None:
    exchange = Exchange(b"1" * (BODY_LIMIT_BYTES + 1))
    exchange.run(first=True, raises=False)
    assert exchange.refusals == []
    assert [message["type"] for message in exchange.sent] == ["http.response.start", "http.response.body"]


def test_a_client_that_leaves_by_itself_is_no_refusal() -> None:
    async def gone(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        asyncio.run(Exchange(b"").meter.run(gone, {"type": "http"}))
