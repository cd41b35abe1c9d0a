"""The length of a body: no part of one request may be read as another request."""

from __future__ import annotations

import pytest

from tests.http.guard.support import BEARER, JSON, Daemon, is_refusal
from tests.support.raw import Connection


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: -1",),
        ("Content-Length: +2",),
        ("Content-Length: 2x",),
        ("Content-Length: 0x2",),
        ("Content-Length: 2.0",),
        ("Content-Length: 2 2",),
        ("Content-Length: \xb2",),
        ("Content-Length: ",),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: 2, 3",),
        ("Content-Length: " + "9" * 40,),
        ("Transfer-Encoding: chunked", "Content-Length: 2"),
        ("Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Content-Length: 0", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: identity, chunked, identity",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: \x0bchunked",),
    ],
)
def test_a_body_of_doubtful_length_smuggles_nothing(daemon: Daemon, framing: tuple[str, ...]) -> None:
    hidden = daemon.bytes_of("GET /api/echo?smuggled", BEARER)
    for body in (hidden, b"0\r\n\r\n" + hidden, b"2\r\n{}\r\n0\r\n\r\n" + hidden):
        with daemon.unreached(), Connection(daemon.port) as connection:
            connection.send(daemon.bytes_of("POST /api/echo", BEARER, JSON, *framing, body=body))
            assert connection.read().status in (400, 501), body
            assert connection.ended(), "the connection stays open: its next bytes may be read as another request"


def test_a_refused_body_is_not_read_as_the_next_request(daemon: Daemon) -> None:
    hidden = daemon.bytes_of("GET /api/echo", BEARER)
    with Connection(daemon.port) as connection:
        sized = f"Content-Length: {len(hidden)}"
        with daemon.unreached():
            connection.send(daemon.bytes_of("POST /api/echo", BEARER, "Content-Type: text/plain", sized, body=hidden))
            is_refusal(connection.read(), 415, "wrong_media_type")
            connection.send(daemon.bytes_of("POST /api/echo", JSON, sized, body=hidden))
            is_refusal(connection.read(), 401, "token_refused")
        connection.send(daemon.bytes_of("GET /health", "Connection: close"))
        assert connection.read().status == 200
        assert connection.ended()
    assert daemon.reached[-1] == "GET /health"


def test_every_request_of_a_connection_is_judged_by_itself(daemon: Daemon) -> None:
    lines = [
        daemon.bytes_of("GET /api/echo", BEARER),
        daemon.bytes_of("GET /api/echo"),
        daemon.bytes_of("GET /api/echo", BEARER, "Origin: http://evil.com"),
        daemon.bytes_of("GET /api/echo", BEARER, host="evil.com"),
        daemon.bytes_of("GET /api/echo", BEARER),
    ]
    with Connection(daemon.port) as connection:
        connection.send(b"".join(lines))  # pipelined
        assert [connection.read().status for _ in lines] == [200, 401, 403, 421, 200]
