"""The gate, attacked with raw bytes on a real socket: what must be refused never reaches the app behind it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from aster_sidecar.http import peer_credentials
from aster_sidecar.http import sockets as listening
from aster_sidecar.http.gate import Framework, Gate
from aster_sidecar.http.guard import Guard
from tests.support.raw import Answer, Connection, exchange

TOKEN = "correct-horse-battery-staple-0123456789abcde"
BEARER = f"Authorization: Bearer {TOKEN}"
JSON = "Content-Type: application/json"
MIB = 1024 * 1024
# The daemon runs on whichever parser is installed, and they let different attacks through to the gate.
Whose: TypeAlias = Literal["ours", "other", "unknown"]
PARSERS = ["h11", *(["httptools"] if importlib.util.find_spec("httptools") else [])]
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the peer is looked up on Linux only")


def can_be_another() -> bool:
    """Root of a user namespace may have no other users."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    try:
        maps = [Path(f"/proc/self/{name}_map").read_text() for name in ("uid", "gid")]
    except OSError:
        return True
    ranges = [[line.split() for line in text.splitlines()] for text in maps]
    return all(any(int(first) <= 65534 < int(first) + int(count) for first, _, count in lines) for lines in ranges)


needs_root = pytest.mark.skipif(not can_be_another(), reason="needs root, to run a client as another user")


def words(text: str) -> list[str]:
    return text.split()


# The app behind the gate, and the server before it


def small_app() -> Starlette:
    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def echo(request: Request) -> Response:
        body = await request.body()
        return JSONResponse({"length": len(body), "id": request.state.request_id})

    async def boom(_: Request) -> Response:
        raise RuntimeError("boom")

    async def wild(_: Request) -> Response:
        """A route that tries to open up what the gate keeps shut."""
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Credentials": "true",
            "Cache-Control": "max-age=60",
            "X-Content-Type-Options": "sniff",
            "Vary": "Accept",
        }
        return JSONResponse({}, headers=headers)

    async def talks_first(scope: Scope, receive: Receive, send: Send) -> None:
        """Starts its answer before it reads the body, and ends it whatever it read."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        taken = 0
        while (message := await receive())["type"] == "http.request":
            taken += len(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.body", "body": str(taken).encode()})

    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    fast = FastAPI()

    async def typed(values: dict[str, Any]) -> dict[str, Any]:
        return values

    fast.post("/typed")(typed)
    return Starlette(
        routes=[
            Route("/health", health, methods=["GET", "POST"]),
            Route("/api/echo", echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
            Route("/api/boom", boom),
            Route("/api/wild", wild),
            Mount("/talks-first", talks_first),
            Mount("/fast", fast),
            WebSocketRoute("/ws", ws),
        ]
    )


class Daemon:
    """A guarded app on a real uvicorn, and what got through to it."""

    def __init__(self, bound: socket.socket, server: uvicorn.Server, reached: list[str]) -> None:
        self.reached = reached
        self._bound = bound
        self._server = server
        self._thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        self.address = bound.getsockname()

    @property
    def port(self) -> int:
        return self.address[1]

    def start(self) -> None:
        """No waiting: the socket listens already, so whoever connects is answered once the server is up."""
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True

    def join(self) -> None:
        self._thread.join(30)
        self._bound.close()
        assert not self._thread.is_alive()

    def bytes_of(self, line: str, *headers: str, body: bytes = b"", host: str | None = "127.0.0.1:PORT") -> bytes:
        """A request; PORT stands for the daemon's port wherever it appears before the body."""
        if len(line.split()) == 2:
            line += " HTTP/1.1"
        named = [line, *([] if host is None else [f"Host: {host}"]), *headers, "", ""]
        return "\r\n".join(named).replace("PORT", str(self.port)).encode("latin-1") + body

    def ask(self, line: str, *headers: str, body: bytes = b"", host: str | None = "127.0.0.1:PORT") -> Answer:
        return exchange(self.port, self.bytes_of(line, *headers, body=body, host=host))

    def post(self, *headers: str, body: bytes = b'{"a":1}') -> Answer:
        return self.ask("POST /api/echo", *headers, f"Content-Length: {len(body)}", body=body)

    @contextmanager
    def unreached(self) -> Generator[None]:
        before = list(self.reached)
        yield
        assert self.reached == before

    def refuses(
        self, status: int, code: str, line: str, *headers: str, body: bytes = b"", host: str | None = "127.0.0.1:PORT"
    ) -> Answer:
        with self.unreached():
            answer = self.ask(line, *headers, body=body, host=host)
        is_refusal(answer, status, code)
        return answer


def is_refusal(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer
    if answer.body:
        envelope = answer.json()
        assert set(envelope) == {"id", "success", "error", "code", "hint"}
        assert (envelope["success"], envelope["code"]) == (False, code)
        assert envelope["hint"]
        assert envelope["id"] == answer.one("x-request-id")
    is_dressed(answer)


def is_dressed(answer: Answer) -> None:
    assert answer.one("x-content-type-options") == "nosniff"
    assert answer.one("cross-origin-resource-policy") == "same-origin"
    assert answer.one("referrer-policy") == "no-referrer"
    assert "Origin" in answer.all("vary")
    assert len(answer.all("cache-control")) == 1
    assert len(answer.all("x-request-id")) == 1
    assert "*" not in answer.all("access-control-allow-origin")
    assert not answer.all("access-control-allow-credentials")


def allows(answer: Answer, origin: str | None) -> None:
    """The CORS headers are those of `origin`, or (None) there are none at all."""
    assert answer.all("access-control-allow-origin") == ([] if origin is None else [origin])
    exposed = answer.all("access-control-expose-headers")
    assert exposed == ([] if origin is None else ["x-request-id, retry-after"])
    is_dressed(answer)


def build(
    *,
    token: str | None = TOKEN,
    framework: Framework = "web",
    parser: Any = "h11",
    bound: socket.socket | None = None,
    **gate: Any,
) -> Daemon:
    if bound is None:
        bound = socket.create_server(("127.0.0.1", 0))
    reached: list[str] = []
    app = small_app()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(f"{scope.get('method', 'WS')} {scope['path']}")
        await app(scope, receive, send)

    name = bound.getsockname()
    port: int = 0 if isinstance(name, str) else name[1]
    guard = Guard(watched, Gate(framework=framework, token=token, port=lambda: port, **gate))
    config = uvicorn.Config(guard, http=parser, lifespan="off", log_config=None, access_log=False, proxy_headers=False)
    return Daemon(bound, uvicorn.Server(config), reached)


Serve = Callable[..., Daemon]


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Start a daemon, or hand out the one that was started with the same options."""
    running: dict[str, Daemon] = {}

    def get(**options: Any) -> Daemon:
        key = repr(sorted(options.items()))
        if key not in running:
            running[key] = build(**options)
            running[key].start()
        return running[key]

    yield get
    for daemon in running.values():
        daemon.stop()
    for daemon in running.values():
        daemon.join()


@contextmanager
def serving(**options: Any) -> Generator[Daemon]:
    daemon = build(**options)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        daemon.join()


@pytest.fixture(params=PARSERS)
def daemon(request: pytest.FixtureRequest, serve: Serve) -> Daemon:
    """With a token."""
    return serve(parser=request.param)


@pytest.fixture(params=PARSERS)
def open_daemon(request: pytest.FixtureRequest, serve: Serve) -> Daemon:
    """Without a token: Host, Origin, fetch site and peer are all there is."""
    return serve(parser=request.param, token=None)


# Host and target


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:PORT", "LocalHost:PORT", "[::1]:PORT", " \t127.0.0.1:PORT \t"],
)
def test_own_hosts_are_served(open_daemon: Daemon, host: str) -> None:
    assert open_daemon.ask("GET /health", host=host).status == 200
    assert open_daemon.ask("GET /api/echo", host=host).status == 200


FOREIGN_HOSTS = [
    *words("""
    evil.com evil.com:PORT 127.0.0.1 127.0.0.1: 127.0.0.1:1 127.0.0.1:0PORT 127.0.0.1:+PORT 127.0.0.1:PORT.
    127.0.0.1:PORT0 localhost [::1] :PORT 127.0.0.1.:PORT localhost.:PORT 127.0.0.1.evil.com:PORT
    localhost.evil.com:PORT evil.localhost:PORT tauri.localhost:PORT 127.0.0.1:PORT@evil.com evil.com@127.0.0.1:PORT
    127.0.0.1:PORT/ 127.0.0.1:PORT# 127.0.0.1:PORT\\ http://127.0.0.1:PORT //127.0.0.1:PORT
    127.0.0.1:PORT,127.0.0.1:PORT 127.1:PORT 127.0.0.2:PORT 127.0.1:PORT 0.0.0.0:PORT 0:PORT 0x7f.0.0.1:PORT
    0177.0.0.1:PORT 127.000.000.001:PORT 2130706433:PORT ::1:PORT [::]:PORT [0:0:0:0:0:0:0:1]:PORT
    [::ffff:127.0.0.1]:PORT [::1%25lo]:PORT [127.0.0.1]:PORT
    """),
    "",
    "127.0.0.1:PORT, evil.com",
    "evil.com, 127.0.0.1:PORT",
    "127.0.0.1 :PORT",
    "127.0.0.1: PORT",
    "127.0.0.1:PORT evil.com",
    "127.0.0.1:PORT\tevil.com",
    "127.0.0.1:PORT\xa0",
    "127.0.0.1:PORT\xe9",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_every_other_host_is_misdirected(daemon: Daemon, host: str) -> None:
    daemon.refuses(421, "host_refused", "GET /api/echo", BEARER, host=host)
    daemon.refuses(421, "host_refused", "GET /health", host=host)
    daemon.refuses(421, "host_refused", "GET /ws", *HANDSHAKE, BEARER, host=host)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("127.0.0.1:PORT", "127.0.0.1:PORT"),
        ("127.0.0.1:PORT", "evil.com"),
        ("evil.com", "127.0.0.1:PORT"),
        ("127.0.0.1:PORT", ""),
    ],
)
@pytest.mark.parametrize("name", ["Host", "host", "HOST"])
def test_two_hosts_are_ambiguous(daemon: Daemon, name: str, first: str, second: str) -> None:
    for line, *more in (("GET /health",), ("GET /api/echo",), ("GET /ws", *HANDSHAKE)):
        with daemon.unreached():
            answer = daemon.ask(line, f"{name}: {second}", *more, BEARER, host=first)
        assert answer.status == 400  # h11 says it before the gate does


def test_no_host_is_ambiguous(daemon: Daemon) -> None:
    daemon.refuses(400, "host_ambiguous", "GET /api/echo HTTP/1.0", BEARER, host=None)
    daemon.refuses(400, "host_ambiguous", "GET /health HTTP/1.0", "X-Forwarded-Host: 127.0.0.1:PORT", host=None)
    with daemon.unreached():
        assert daemon.ask("GET /health HTTP/1.1", host=None).status == 400


@pytest.mark.parametrize(
    "header",
    [
        "Host : 127.0.0.1:PORT",
        " Host: 127.0.0.1:PORT",
        "Host\t: 127.0.0.1:PORT",
        "Host\0: 127.0.0.1:PORT",
        "Host: 127.0.0.1:PORT\0",
        "Host: 127.0.0.1:PORT\0evil.com",
        "Host: evil.com\rHost: 127.0.0.1:PORT",
        "Host: 127.0.0.1:PORT\r\n evil.com",
        "Host:\r\n evil.com",
        "Host",
    ],
)
def test_malformed_host_lines_are_refused(daemon: Daemon, header: str) -> None:
    with daemon.unreached():
        assert daemon.ask("GET /health", header, host=None).status in (400, 421)


@pytest.mark.parametrize(
    "target",  # a host of ours doesn't help when Host names another
    words("""
    http://evil.com/health http://evil.com:PORT/api/echo http://localhost:PORT/health
    http://127.0.0.1:PORT@evil.com/health http://evil.com@127.0.0.1:PORT/health http://127.0.0.1/health
    https://127.0.0.1:PORT/health file://127.0.0.1:PORT/health http:///health http:/127.0.0.1:PORT/health
    http:127.0.0.1:PORT/health 127.0.0.1:PORT health * ?/health
    """),
)
def test_targets_that_are_no_path_of_ours_are_misdirected(serve: Serve, target: str) -> None:
    daemon = serve()
    for method in ("GET", "OPTIONS", "CONNECT"):
        daemon.refuses(421, "host_refused", f"{method} {target}", BEARER)
    daemon.refuses(421, "host_refused", f"GET {target}", *HANDSHAKE, BEARER)


def test_absolute_target_that_agrees_with_host_is_routed_as_its_path(serve: Serve) -> None:
    daemon = serve()
    assert daemon.ask("GET http://127.0.0.1:PORT/health?x=1").status == 200
    assert daemon.ask("GET HTTP://LOCALHOST:PORT/%68ealth", host="localhost:PORT").status == 200
    assert daemon.ask("GET http://127.0.0.1:PORT/api/echo", BEARER).status == 200
    assert daemon.ask("GET http://127.0.0.1:PORT", BEARER).status == 404
    daemon.refuses(401, "token_refused", "GET http://127.0.0.1:PORT/api/echo")
    daemon.refuses(401, "token_refused", "GET http://127.0.0.1:PORT")
    daemon.refuses(421, "host_refused", "GET http://evil.com/health", host="evil.com")


# Origin and CORS

OWN = ["http://127.0.0.1:PORT", "http://localhost:PORT", "http://[::1]:PORT"]
TAURI = ["tauri://localhost", "http://tauri.localhost", "https://tauri.localhost"]
ELECTRON = ["aster-app://app", "file://"]
WAILS = ["wails://wails", "wails://wails.localhost", "http://wails.localhost"]
LISTED: dict[Framework, list[str]] = {"tauri": TAURI, "electron": ELECTRON, "wails": WAILS, "web": []}
UNLISTED = [
    *words("""
    null NULL * http://evil.com http://evil.com:PORT http://127.0.0.1 http://127.0.0.1:1 https://127.0.0.1:PORT
    http://127.0.0.1:PORT/ http://127.0.0.1:PORT.evil.com http://localhost:PORT@evil.com http://LOCALHOST:PORT
    HTTP://localhost:PORT http://localhost.:PORT http://127.1:PORT 127.0.0.1:PORT http://tauri.localhost.evil.com
    http://evil.tauri.localhost http://tauri.localhost:80 http://tauri.localhost/ HTTP://tauri.localhost
    Tauri://localhost tauri://localhost:80 tauri://localhost/ tauri://LOCALHOST tauri://evil tauri://
    aster-app://app/ aster-app://app2 aster-app:// file:/// file://localhost file:
    chrome-extension://abcdefghijklmnop wails://wails/ wails://wails.localhost:34115 https://wails.localhost
    """),
    "",
    "http://127.0.0.1:PORT http://evil.com",
    "http://127.0.0.1:PORT, http://evil.com",
    "tauri://localhost\xe9",
]
ON_THIS_MACHINE = set(
    words("""
    http://127.0.0.1 http://127.0.0.1:1 https://127.0.0.1:PORT
    """)
)
"""Those whose pages may read that they are refused."""
FRAMEWORKS: list[Framework] = ["tauri", "electron", "wails", "web"]


@pytest.mark.parametrize("token", [TOKEN, None])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_exactly_the_frameworks_own_origins_are_listed(serve: Serve, framework: Framework, token: str | None) -> None:
    daemon = serve(framework=framework, token=token)
    bearer = [BEARER] if token else []
    listed = LISTED[framework] + OWN
    for origin in listed:
        # Also when the browser says that this is another site: that is what a CORS fetch of the app's page says.
        answer = daemon.ask("GET /api/echo", f"Origin: {origin}", "Sec-Fetch-Site: cross-site", *bearer)
        assert answer.status == 200, origin
        allows(answer, origin.replace("PORT", str(daemon.port)))
        assert daemon.ask("GET /ws", *HANDSHAKE, f"Origin: {origin}", *bearer).status == 101
    for origin in {*UNLISTED, *TAURI, *ELECTRON, *WAILS}.difference(listed):
        for line, more in (("GET /health", ()), ("GET /api/echo", bearer), ("GET /ws", (*HANDSHAKE, *bearer))):
            answer = daemon.refuses(403, "origin_refused", line, f"Origin: {origin}", *more)
            if line != "GET /ws":  # no page can read that one
                allows(answer, origin.replace("PORT", str(daemon.port)) if origin in ON_THIS_MACHINE else None)


def test_a_refusal_names_the_origin_and_the_flag_once_at_the_terminal(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = serve()
    answers = [daemon.refuses(403, "origin_refused", "GET /health", "Origin: http://localhost:5173") for _ in range(3)]
    told = answers[0].json()
    assert "http://localhost:5173" in told["error"]
    assert "--allow-origin http://localhost:5173" in told["hint"]
    [line] = [record.getMessage() for record in caplog.records if "allow-origin" in record.getMessage()]
    assert "--allow-origin http://localhost:5173" in line
    for number in range(100):
        daemon.refuses(403, "origin_refused", "GET /health", f"Origin: http://{number}.example")
    assert len([record for record in caplog.records if "allow-origin" in record.getMessage()]) == 20
    strange = daemon.refuses(403, "origin_refused", "GET /health", "Origin: http://x\x1b[2Jy").json()
    assert "\x1b" not in strange["error"]
    assert "http://x" not in strange["hint"]
    assert len([record for record in caplog.records if "allow-origin" in record.getMessage()]) == 20


@pytest.mark.parametrize("second", ["http://evil.com", "http://127.0.0.1:PORT", "null", ""])
def test_two_origins_are_refused(daemon: Daemon, second: str) -> None:
    own = "Origin: http://127.0.0.1:PORT"
    for pair in ((own, f"Origin: {second}"), (f"ORIGIN: {second}", own)):
        for line in ("GET /health", "GET /api/echo"):
            allows(daemon.refuses(403, "origin_refused", line, *pair, BEARER), None)
        with daemon.unreached():  # websockets says it before the gate does
            assert daemon.ask("GET /ws", *HANDSHAKE, *pair, BEARER).status in (400, 403)


def test_allow_origin_adds_exactly_that_origin_and_never_null(serve: Serve) -> None:
    daemon = serve(allow_origins=("https://app.example:8443", "null", " NULL"))
    allows(daemon.ask("GET /api/echo", BEARER, "Origin: https://app.example:8443"), "https://app.example:8443")
    for origin in ("https://app.example", "http://app.example:8443", "null", "NULL", " null", "Null"):
        daemon.refuses(403, "origin_refused", "GET /api/echo", BEARER, f"Origin: {origin}")


def test_listed_origin_can_read_every_answer_errors_included(serve: Serve) -> None:
    daemon = serve(framework="tauri")
    origin = "Origin: tauri://localhost"
    answers = {
        200: daemon.ask("GET /api/echo", BEARER, origin),
        401: daemon.ask("GET /api/echo", origin),
        404: daemon.ask("GET /nowhere", BEARER, origin),
        405: daemon.ask("POST /api/boom", BEARER, origin),
        413: daemon.ask("POST /api/echo", BEARER, origin, JSON, f"Content-Length: {MIB + 1}"),
        415: daemon.post(BEARER, origin, "Content-Type: text/plain"),
        421: daemon.ask("GET /api/echo", BEARER, origin, host="evil.com"),
        422: daemon.ask("POST /fast/typed", BEARER, origin, JSON, "Content-Length: 2", body=b"[]"),
        500: daemon.ask("GET /api/boom", BEARER, origin),
    }
    for status, answer in answers.items():
        assert answer.status == status
        allows(answer, "tauri://localhost")


def test_no_cors_headers_for_a_client_without_origin(daemon: Daemon) -> None:
    allows(daemon.ask("GET /api/echo", BEARER), None)
    allows(daemon.ask("GET /api/echo"), None)


def test_a_route_cannot_open_what_the_gate_keeps_shut(daemon: Daemon) -> None:
    origin = f"http://localhost:{daemon.port}"
    for answer, expected in (
        (daemon.ask("GET /api/wild", BEARER), None),
        (daemon.ask("GET /api/wild", BEARER, f"Origin: {origin}"), origin),
    ):
        allows(answer, expected)
        assert answer.one("cache-control") == "max-age=60"
        assert answer.all("vary") == ["Accept", "Origin"]


def test_answers_are_not_cached_unless_the_route_says_so(daemon: Daemon) -> None:
    for answer in (daemon.ask("GET /health"), daemon.ask("GET /api/echo"), daemon.ask("GET /nowhere", BEARER)):
        assert answer.one("cache-control") == "no-store"


# Preflight


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_preflight_of_a_listed_origin_is_answered_before_the_token(serve: Serve, framework: Framework) -> None:
    daemon = serve(framework=framework)
    for origin in LISTED[framework] + OWN:
        with daemon.unreached():
            answer = daemon.ask(
                "OPTIONS /api/echo",
                f"Origin: {origin}",
                "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: authorization, x-evil",
                "Access-Control-Request-Private-Network: true",
                "Sec-Fetch-Site: cross-site",
            )
        assert (answer.status, answer.body) == (204, b"")
        allows(answer, origin.replace("PORT", str(daemon.port)))
        assert answer.one("access-control-allow-methods") == "GET, POST, PUT, PATCH, DELETE"
        allowed = "authorization, content-type, last-event-id, x-aster-client, x-request-id"
        assert answer.one("access-control-allow-headers") == allowed
        assert answer.one("access-control-max-age") == "600"
        assert answer.one("access-control-allow-private-network") == "true"


def test_private_network_is_allowed_only_when_asked_for(daemon: Daemon) -> None:
    preflight = ("Origin: http://localhost:PORT", "Access-Control-Request-Method: GET")
    for more in ((), ("Access-Control-Request-Private-Network: false",)):
        answer = daemon.ask("OPTIONS /api/echo", *preflight, *more)
        assert answer.status == 204
        assert not answer.all("access-control-allow-private-network")


@pytest.mark.parametrize("origin", ["null", "http://evil.com", "http://localhost:1", ""])
@pytest.mark.parametrize("path", ["/api/echo", "/health", "*"])
def test_preflight_of_an_unlisted_origin_gets_no_cors_headers(serve: Serve, origin: str, path: str) -> None:
    daemon = serve()
    with daemon.unreached():
        answer = daemon.ask(
            f"OPTIONS {path}",
            f"Origin: {origin}",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Private-Network: true",
        )
    assert answer.status == (421 if path == "*" else 403)
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]


def test_only_a_real_preflight_goes_without_the_token(daemon: Daemon) -> None:
    own = "Origin: http://localhost:PORT"
    method = "Access-Control-Request-Method: POST"
    daemon.refuses(401, "token_refused", "OPTIONS /api/echo", own)  # asks for nothing
    daemon.refuses(401, "token_refused", "OPTIONS /api/echo", method)  # comes from no page
    daemon.refuses(401, "token_refused", "OPTIONS /health", method)
    for verb in ("GET", "POST", "HEAD"):
        daemon.refuses(401, "token_refused", f"{verb} /api/echo", own, method)
    daemon.refuses(421, "host_refused", "OPTIONS /api/echo", own, method, host="evil.com")


# Token


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_token_opens_every_route(daemon: Daemon, scheme: str) -> None:
    assert daemon.ask("GET /api/echo", f"Authorization: {scheme} {TOKEN}").status == 200
    assert daemon.ask("GET /api/echo", f"AUTHORIZATION:  {scheme}  {TOKEN} ").status == 200
    assert daemon.ask("GET /ws", *HANDSHAKE, f"Authorization: {scheme} {TOKEN}").status == 101


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authorization:",),
        ("Authorization: Bearer",),
        ("Authorization: Bearer ",),
        (f"Authorization: {TOKEN}",),
        (f"Authorization: Bearer{TOKEN}",),
        (f"Authorization: Bearer\t{TOKEN}",),
        (f"Authorization: Basic {TOKEN}",),
        (f"Authorization: Token {TOKEN}",),
        (f"Authorization: Bearer Bearer {TOKEN}",),
        (f"Authorization: Bearer {TOKEN[:-1]}",),
        (f"Authorization: Bearer {TOKEN[1:]}",),
        (f"Authorization: Bearer {TOKEN}x",),
        (f"Authorization: Bearer {TOKEN} x",),
        (f"Authorization: Bearer {TOKEN},",),
        (f'Authorization: Bearer "{TOKEN}"',),
        (f"Authorization: Bearer {TOKEN.upper()}",),
        (f"Authorization: Bearer {TOKEN}, Bearer {TOKEN}",),
        ("Authorization: Bearer \xe9\xff\x80",),
        (f"Authorization: Bearer {TOKEN}\xe9",),
        ("Authorization: \xff",),
        ("Authorization: Bearer None",),
        ("Authorization: Bearer null",),
        (BEARER, BEARER),
        (BEARER, "Authorization: Bearer wrong"),
        ("Authorization: Bearer wrong", BEARER),
        (BEARER, "authorization:"),
        (f"Proxy-Authorization: Bearer {TOKEN}",),
        (f"X-Authorization: Bearer {TOKEN}",),
        (f"Cookie: token={TOKEN}; Authorization=Bearer {TOKEN}",),
        (f"Sec-WebSocket-Protocol: bearer, {TOKEN}",),
    ],
)
def test_anything_but_one_right_token_is_refused(daemon: Daemon, headers: tuple[str, ...]) -> None:
    for line, *more in (("GET /api/echo",), ("POST /api/echo",), ("GET /nowhere",), ("GET /ws", *HANDSHAKE)):
        answer = daemon.refuses(401, "token_refused", line, *headers, *more)
        assert answer.one("www-authenticate") == "Bearer"
        assert TOKEN.encode() not in answer.body


@pytest.mark.parametrize("name", ["token", "access_token", "bearer", "authorization"])
def test_the_token_is_never_taken_from_the_url(daemon: Daemon, name: str) -> None:
    for value in (TOKEN, f"Bearer%20{TOKEN}"):
        daemon.refuses(401, "token_refused", f"GET /api/echo?{name}={value}")
        daemon.refuses(401, "token_refused", f"GET /ws?{name}={value}", *HANDSHAKE)
    daemon.refuses(401, "token_refused", f"GET http://127.0.0.1:PORT/api/echo?{name}={TOKEN}")


def test_the_token_is_no_substitute_for_a_listed_origin(daemon: Daemon) -> None:
    daemon.refuses(403, "origin_refused", "GET /api/echo", BEARER, "Origin: http://evil.com")


def test_health_needs_no_token(daemon: Daemon) -> None:
    for line in ("GET /health", "GET /health?x", "GET /health?", "GET /%68ealth", "GET /health HTTP/1.0"):
        assert daemon.ask(line).status == 200, line
    assert daemon.ask("GET /health", "Authorization: Bearer wrong").status == 200
    assert daemon.ask("HEAD /health").status == 200


@pytest.mark.parametrize(
    "path",
    words(r"""
    /health/ //health /health// /Health /HEALTH /health;x /health%3fx /health%23 /health%20 /health%00 /health%0a
    /health%2f /%2fhealth /./health /health/. /health/../api/echo /health/%2e%2e/api/echo /health%2f..%2fapi%2fecho
    /health\..\api\echo /api/../health /api/echo/../../health /api/echo?/health /api/echo;/health
    /api/echo%00/health /healthz /health%68 /
    """),
)
def test_nothing_else_passes_for_health(daemon: Daemon, path: str) -> None:
    for method in ("GET", "HEAD"):
        daemon.refuses(401, "token_refused", f"{method} {path}")


def test_only_get_and_head_health_are_free(daemon: Daemon) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "QUERY"):
        # httptools refuses methods it doesn't know itself
        with daemon.unreached():
            assert daemon.ask(f"{method} /health").status in (401, 400)
    daemon.refuses(401, "token_refused", "GET /health", *HANDSHAKE)
    override = ("X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET")
    daemon.refuses(401, "token_refused", "POST /health", *override)
    daemon.refuses(401, "token_refused", "POST /health?_method=GET", *override)
    daemon.refuses(401, "token_refused", "GET /api/echo", "X-Original-URL: /health", "X-Rewrite-URL: /health")


def test_method_override_headers_change_nothing(daemon: Daemon) -> None:
    assert daemon.ask("GET /health?_method=POST", "X-HTTP-Method-Override: POST").status == 200
    assert daemon.reached[-1] == "GET /health"


def test_an_empty_token_is_not_taken_for_one() -> None:
    with pytest.raises(ValueError, match="empty token"):
        Guard(small_app(), Gate(framework="web", token="", port=lambda: 1))


# What a browser says about where a request comes from


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "None", "same-origin, cross-site", "\xff"])
@pytest.mark.parametrize("mode", ["no-cors", "navigate", "cors", "websocket", "CORS", None])
def test_without_a_token_foreign_pages_are_refused_by_fetch_site(
    serve: Serve, framework: Framework, site: str, mode: str | None
) -> None:
    daemon = serve(framework=framework, token=None)
    headers = (f"Sec-Fetch-Site: {site}", *([] if mode is None else [f"Sec-Fetch-Mode: {mode}"]))
    for line, *more in (("GET /health",), ("GET /api/echo",), ("POST /api/echo",), ("GET /ws", *HANDSHAKE)):
        if framework == "electron" and mode == "cors":  # a file:// preload, facts.md
            assert daemon.ask(line, *headers, *more).status in (200, 101)
        else:
            allows(daemon.refuses(403, "origin_refused", line, *headers, *more), None)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_without_a_token_own_pages_and_programs_are_served(serve: Serve, framework: Framework) -> None:
    daemon = serve(framework=framework, token=None)
    for headers in ((), ("Sec-Fetch-Site: none",), ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors")):
        assert daemon.ask("GET /api/echo", *headers).status == 200
        assert daemon.ask("GET /ws", *HANDSHAKE, *headers).status == 101


def test_doubled_fetch_headers_are_read_as_the_worse(serve: Serve) -> None:
    cross, same = "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"
    for framework in FRAMEWORKS:
        daemon = serve(framework=framework, token=None)
        daemon.refuses(403, "origin_refused", "GET /api/echo", same, cross)
        daemon.refuses(403, "origin_refused", "GET /api/echo", cross, same)
        modes = ("Sec-Fetch-Mode: cors", "Sec-Fetch-Mode: no-cors")
        daemon.refuses(403, "origin_refused", "GET /api/echo", cross, *modes)


def test_a_bearer_counts_more_than_the_fetch_site(daemon: Daemon) -> None:
    assert daemon.ask("GET /api/echo", BEARER, "Sec-Fetch-Site: cross-site").status == 200
    daemon.refuses(401, "token_refused", "GET /api/echo", "Sec-Fetch-Site: cross-site")
    daemon.refuses(403, "origin_refused", "GET /health", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")
    assert daemon.ask("GET /health", BEARER, "Sec-Fetch-Site: cross-site").status == 200


# Body


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json ; charset="utf-8"',
        "application/json; charset=utf8",
        "application/json; profile=x; charset=utf-8",
        "application/json;",
    ],
)
def test_json_bodies_are_let_in(daemon: Daemon, content_type: str) -> None:
    answer = daemon.post(BEARER, f"Content-Type: {content_type}")
    assert (answer.status, answer.json()["length"]) == (200, 7)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain;charset=UTF-8",
        "text/plain; application/json",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; charset",
        "application/json, text/plain",
        "text/plain, application/json",
        "application/json\xa0",
        "application/jsonp",
        "application/problem+json",
        "application/ json",
        "application/*",
        "json",
        "*/*",
        "\xff",
        "",
        None,
    ],
)
def test_every_other_body_is_an_unsupported_type(daemon: Daemon, content_type: str | None) -> None:
    headers = [BEARER, *([] if content_type is None else [f"Content-Type: {content_type}"])]
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS"):
        daemon.refuses(415, "wrong_media_type", f"{method} /api/echo", *headers, "Content-Length: 2", body=b"{}")
    # Without a type and a length only the first chunk says that there is a body: the app may have been called by then.
    answer = daemon.ask("POST /api/echo", *headers, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n")
    is_refusal(answer, 415, "wrong_media_type")


def test_two_content_types_are_refused(daemon: Daemon) -> None:
    other = "Content-Type: text/plain"
    for pair in ((JSON, other), (other, JSON), (JSON, JSON)):
        daemon.refuses(415, "wrong_media_type", "POST /api/echo", BEARER, *pair, "Content-Length: 2", body=b"{}")


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain"])
def test_a_post_without_a_body_is_let_through(daemon: Daemon, content_type: str | None) -> None:
    headers = [BEARER, *([] if content_type is None else [f"Content-Type: {content_type}"])]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert daemon.ask(f"{method} /api/echo", *headers).json()["length"] == 0
        assert daemon.ask(f"{method} /api/echo", *headers, "Content-Length: 0").json()["length"] == 0
    if content_type != "text/plain":
        answer = daemon.ask("POST /api/echo", *headers, "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
        assert answer.json()["length"] == 0


def test_a_body_of_exactly_one_mib_is_let_in(daemon: Daemon) -> None:
    body = b"1" * MIB
    assert daemon.post(BEARER, JSON, body=body).json()["length"] == MIB
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (MIB, body)
    answer = daemon.ask("POST /api/echo", BEARER, JSON, "Transfer-Encoding: chunked", body=chunked)
    assert answer.json()["length"] == MIB


@pytest.mark.parametrize("length", [MIB + 1, 10**12, 10**19])
def test_a_larger_length_is_refused_before_a_byte_of_it_is_sent(daemon: Daemon, length: int) -> None:
    # llhttp (httptools) itself refuses a length beyond 64 bits
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET"):
        sized = f"Content-Length: {length}"
        daemon.refuses(413, "body_too_large", f"{method} /api/echo", BEARER, JSON, sized)
        daemon.refuses(413, "body_too_large", f"{method} /api/echo", BEARER, JSON, sized, "Expect: 100-continue")


@pytest.mark.parametrize("path", ["/api/echo", "/fast/typed"])
def test_an_endless_chunked_body_is_refused_while_it_streams(daemon: Daemon, path: str) -> None:
    chunk = b"10000\r\n" + b"1" * 0x10000 + b"\r\n"
    with Connection(daemon.port) as connection:
        connection.send(daemon.bytes_of(f"POST {path}", BEARER, JSON, "Transfer-Encoding: chunked"))
        connection.send(chunk * 16 + b"1\r\n1\r\n")  # a byte more than 1 MiB, and no last chunk
        is_refusal(connection.read(), 413, "body_too_large")
        connection.send(chunk * 32 + b"0\r\n\r\n" + daemon.bytes_of("GET /health"))
        assert connection.read().status == 200


def test_an_app_that_answers_early_never_sees_more_than_the_limit(daemon: Daemon) -> None:
    body = (b"10000\r\n" + b"1" * 0x10000 + b"\r\n") * 20 + b"0\r\n\r\n"
    answer = daemon.ask("POST /talks-first/x", BEARER, JSON, "Transfer-Encoding: chunked", body=body)
    assert answer.status == 200
    assert int(answer.body) <= MIB


# Framing: one request must stay one


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
            assert connection.read().status in (400, 501)
            assert connection.ended()


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


# WebSocket


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


# What no server we run on lets through, and another might


def call(scope: Scope, app: ASGIApp | None = None, **gate: Any) -> list[Message]:
    """The gate called as a server would, for what uvicorn's parsers refuse before the gate can."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"} if scope["type"] == "websocket" else {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    guard = Guard(app or small_app(), Gate(framework="web", token=None, port=lambda: 7, check_peer=False, **gate))
    asyncio.run(guard(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ([], 400, "host_ambiguous"),
        ([(b"host", b"127.0.0.1:7"), (b"host", b"127.0.0.1:7")], 400, "host_ambiguous"),
        ([(b"host", b"127.0.0.1:7"), (b"Host", b"evil.com")], 400, "host_ambiguous"),
        ([(b"host", b"127.0.0.1:7"), (b"Origin", b"http://evil.com")], 403, "origin_refused"),
        ([(b"host", b"127.0.0.1:7"), *[(b"origin", b"http://127.0.0.1:7")] * 2], 403, "origin_refused"),
        ([(b"host", b"127.0.0.1:7"), (b"content-length", b"2"), (b"content-length", b"3")], 400, "bad_request"),
        ([(b"host", b"127.0.0.1:7"), (b"transfer-encoding", b"gzip, chunked")], 400, "bad_request"),
        ([(b"host", b"127.0.0.1:7"), (b"content-length", b"-1")], 400, "bad_request"),
        ([(b"host", b"127.0.0.1:7"), (b"content-length", b"\xb2")], 400, "bad_request"),
    ],
)
def test_the_gate_relies_on_no_parser(headers: list[tuple[bytes, bytes]], status: int, code: str) -> None:
    start, body = call({"type": "http", "method": "POST", "path": "/api/echo", "headers": headers})
    assert (start["status"], json.loads(body["body"])["code"]) == (status, code)


def test_space_around_a_value_is_no_part_of_it() -> None:
    headers = [(b"host", b" 127.0.0.1:7\t"), (b"origin", b"http://127.0.0.1:7 ")]
    start, *_ = call({"type": "http", "method": "GET", "path": "/health", "headers": headers})
    assert start["status"] == 200
    assert (b"access-control-allow-origin", b"http://127.0.0.1:7") in start["headers"]


# Who is at the other end

CHILD = """
import encodings.idna, os, socket, sys  # all of it now: another user may not be able to read the interpreter's files
request = sys.stdin.buffer.read()
os.setgid(65534)
os.setuid(int(sys.argv[2]))
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30) as connection:
    connection.sendall(request)
    print(connection.recv(65536).split()[1].decode())
"""


def status_as(uid: int, daemon: Daemon, line: str, *headers: str) -> int:
    """The status that a process of `uid` gets."""
    child = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CHILD, str(daemon.port), str(uid)],
        input=daemon.bytes_of(line, *headers),
        capture_output=True,
        check=True,
        timeout=50,
    )
    return int(child.stdout)


@needs_root
def test_without_a_token_another_user_is_refused(open_daemon: Daemon) -> None:
    for line, *more in (("GET /health",), ("GET /api/echo",), ("GET /ws", *HANDSHAKE)):
        with open_daemon.unreached():
            assert status_as(65534, open_daemon, line, *more) == 403
        assert open_daemon.ask(line, *more).status in (200, 101)
    assert status_as(0, open_daemon, "GET /api/echo") == 200


@needs_root
def test_forwarded_headers_disguise_nobody(open_daemon: Daemon) -> None:
    with Connection(open_daemon.port) as ours:
        mine = f"127.0.0.1:{ours.socket.getsockname()[1]}"
        disguise = (f"X-Forwarded-For: {mine}", f'Forwarded: for="{mine}";host=127.0.0.1', "X-Real-IP: 127.0.0.1")
        with open_daemon.unreached():
            assert status_as(65534, open_daemon, "GET /api/echo", *disguise) == 403


@needs_root
def test_the_uid_is_not_asked_for_where_a_token_or_a_person_says_so(serve: Serve) -> None:
    assert status_as(65534, serve(), "GET /api/echo", BEARER) == 200
    assert status_as(65534, serve(token=None, check_peer=False), "GET /api/echo") == 200


def test_forwarded_headers_are_ignored(daemon: Daemon) -> None:
    forwarded = ("X-Forwarded-Host: evil.com", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https")
    assert daemon.ask("GET /api/echo", BEARER, *forwarded, "Forwarded: host=evil.com").status == 200
    daemon.refuses(421, "host_refused", "GET /health", "X-Forwarded-Host: 127.0.0.1:PORT", host="evil.com")


@needs_linux
@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_hung_up_is_nobody(parser: str, reset: bool) -> None:
    """The kernel calls an orphaned socket root's, and uvicorn knows no address of one that was reset."""
    daemon = build(token=None, parser=parser)
    for line in ("POST /api/echo", "GET /health"):
        gone = socket.create_connection(("127.0.0.1", daemon.port))
        gone.sendall(daemon.bytes_of(line))
        if reset:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.close()
    daemon.start()
    try:
        assert daemon.ask("GET /api/echo?after").status == 200  # connections are taken in order
        assert daemon.reached == ["GET /api/echo"]
    finally:
        daemon.stop()
        daemon.join()


class Family:
    """Says of sockets and processes whose they are, as a test has it."""

    def __init__(self) -> None:
        self.is_alone = False
        self.asked: list[int] = []
        self.sockets: dict[int, Whose] = {}
        self.processes: dict[int, Whose] = {}

    def alone(self) -> bool:
        return self.is_alone

    async def of_socket(self, inode: int) -> Whose:
        self.asked.append(inode)
        return self.sockets.get(inode, "other")

    def of_process(self, pid: int, started: float | None) -> Whose:
        return self.processes.get(pid, "other")


@needs_linux
@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_descendants_socket_is_refused(token: str | None) -> None:
    family = Family()
    family.is_alone = True
    bearer = [BEARER] if token else []
    with serving(token=token, kin=family) as daemon, ExitStack() as stack:
        tool, other, hijack = (stack.enter_context(Connection(daemon.port)) for _ in range(3))
        request = daemon.bytes_of("POST /api/echo", *bearer)
        sockets = [os.fstat(each.socket.fileno()).st_ino for each in (tool, hijack)]
        family.sockets = dict.fromkeys(sockets, "ours")
        tool.send(request)
        assert tool.read().status == 200
        assert not family.asked  # nothing is looked up while nothing descends from the daemon
        family.is_alone = False
        with daemon.unreached():
            tool.send(request)  # on the connection that was served before
            is_refusal(tool.read(), 403, "peer_refused")
            hijack.send(daemon.bytes_of("GET /ws", *HANDSHAKE, *bearer))
            is_refusal(hijack.read(), 403, "peer_refused")
        assert family.asked == sockets
        other.send(request)
        assert other.read().status == 200


@needs_linux
def test_a_client_that_is_not_found_needs_a_token() -> None:
    family = Family()
    for token, status in ((None, 403), (TOKEN, 200)):
        with serving(token=token, kin=family) as daemon, Connection(daemon.port) as hiding:
            family.sockets = {os.fstat(hiding.socket.fileno()).st_ino: "unknown"}
            hiding.send(daemon.bytes_of("POST /api/echo", *([BEARER] if token else [])))
            answer = hiding.read()
            assert answer.status == status
            if status == 403:
                is_refusal(answer, 403, "peer_refused")
                assert "ASTER_SIDECAR_TOKEN" in answer.json()["hint"]


# Over a Unix socket


def test_over_a_unix_socket_the_token_counts_and_host_and_origin_do_not(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(path)
    bound.listen()
    with serving(bound=bound, framework="tauri", parser=listening.Protocol) as daemon:

        def ask(line: str, *headers: str) -> Answer:
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(path)
            with Connection.over(connected) as connection:
                connection.send("\r\n".join([f"{line} HTTP/1.1", *headers, "", ""]).encode())
                return connection.read()

        foreign = ("Host: aster", "Origin: http://evil.com", "Sec-Fetch-Site: cross-site")
        assert ask("GET /health", *foreign).status == 200
        answer = ask("POST /api/echo", *foreign, BEARER)
        assert answer.status == 200
        allows(answer, None)
        allows(ask("GET /health", "Host: aster", "Origin: tauri://localhost"), None)
        assert ask("GET /ws", *foreign, *HANDSHAKE, BEARER).status == 101
        with daemon.unreached():
            is_refusal(ask("GET /api/echo", *foreign), 401, "token_refused")
            is_refusal(ask("GET /ws", *foreign, *HANDSHAKE), 401, "token_refused")
            is_refusal(ask("POST /api/echo", *foreign, BEARER, "Content-Length: 1"), 415, "wrong_media_type")


UNIX: Scope = {
    "type": "http",
    "method": "GET",
    "path": "/api/echo",
    "raw_path": b"/api/echo",
    "query_string": b"",
    "headers": [],
    "client": None,
    "server": ("/run/s", None),
}


def test_on_a_unix_socket_only_the_own_user_gets_in_and_only_when_the_kernel_says_so() -> None:
    own, family = os.geteuid(), Family()
    family.processes = {4711: "ours", 4712: "unknown"}
    for peer_is, refused in [
        (None, "peer_refused"),
        (peer_credentials.Credentials(own + 1, 1), "peer_refused"),
        (peer_credentials.Credentials(own, 4711), "peer_refused"),
        (peer_credentials.Credentials(own, 4712), "peer_refused"),
        (peer_credentials.Credentials(own, 4713), None),
    ]:
        said = call({**UNIX, "state": {"peer": peer_is}}, kin=family)
        assert (json.loads(said[1]["body"])["code"] if refused else said[0]["status"]) == (refused or 200)
    family.is_alone = True
    assert call({**UNIX, "state": {"peer": peer_credentials.Credentials(own, 4711)}}, kin=family)[0]["status"] == 200


# Request id and envelope


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_a_clients_request_id_is_echoed(daemon: Daemon, given: str) -> None:
    answer = daemon.ask("GET /api/echo", BEARER, f"X-Request-Id: {given}")
    assert answer.one("x-request-id") == given == answer.json()["id"]
    assert daemon.refuses(401, "token_refused", "GET /api/echo", f"X-Request-Id: {given}").json()["id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a/b", "<b>", "\xe9", "a,b", "a\tb"])
def test_any_other_request_id_is_replaced(daemon: Daemon, given: str) -> None:
    first, second = (daemon.ask("GET /api/echo", BEARER, f"X-Request-Id: {given}") for _ in range(2))
    made = first.one("x-request-id")
    assert made.startswith("req_")
    assert len(made) == 20
    assert int(made[4:], 16) >= 0
    assert made == first.json()["id"] != second.one("x-request-id")


def test_two_request_ids_are_replaced(daemon: Daemon) -> None:
    answer = daemon.ask("GET /api/echo", BEARER, "X-Request-Id: a", "X-Request-Id: b")
    assert answer.one("x-request-id").startswith("req_")


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-Fetch-Site", "Content-Type"])
def test_a_refusal_shows_little_of_a_hostile_header_and_only_as_ascii(serve: Serve, name: str) -> None:
    daemon = serve(token=None)
    hostile = '"</script>\x9b\xad\xff' + "A" * 4000
    headers = [] if name == "Host" else [f"{name}: {hostile}"]
    with daemon.unreached():
        answer = daemon.ask(
            "POST /api/echo",
            *headers,
            "Content-Length: 2",
            body=b"{}",
            host=hostile if name == "Host" else "127.0.0.1:PORT",
        )
    assert answer.status in (403, 415, 421)
    assert answer.one("content-type") == "application/json"
    assert answer.body.isascii()
    assert 50 < answer.json()["error"].count("A") <= 100
