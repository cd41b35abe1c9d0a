"""WebSocket handshakes pass through the same gate."""

from __future__ import annotations

from starlette.types import Scope

from tests.http.guard.support import BEARER, HANDSHAKE, Daemon, call


def test_a_websocket_meets_the_same_gate(daemon: Daemon, open_daemon: Daemon) -> None:
    answer = daemon.ask("GET /ws", *HANDSHAKE, BEARER, "X-Request-Id: mine")
    assert (answer.status, answer.all("x-request-id")) == (101, ["mine"])
    assert open_daemon.ask("GET /ws", *HANDSHAKE).status == 101
    assert open_daemon.ask("GET /ws", *HANDSHAKE, "Origin: http://localhost:PORT").status == 101
    daemon.refuses(401, "token_refused", "GET /ws", *HANDSHAKE, "Origin: http://localhost:PORT")
    for door, bearer in ((daemon, [BEARER]), (open_daemon, [])):
        for origin in ("http://evil.com", "null", "http://localhost:1"):
            door.refuses(403, "origin_refused", "GET /ws", *HANDSHAKE, *bearer, f"Origin: {origin}")


def test_a_refused_websocket_closes_with_1008_where_the_server_takes_no_answer() -> None:
    scope: Scope = {
        "type": "websocket",
        "path": "/ws",
        "raw_path": b"/ws",
        "headers": [(b"host", b"127.0.0.1:7"), (b"origin", b"http://evil.com")],
        "client": ("127.0.0.1", 9),
        "server": ("127.0.0.1", 7),
    }
    assert call(scope) == [{"type": "websocket.close", "code": 1008, "reason": "origin_refused"}]
