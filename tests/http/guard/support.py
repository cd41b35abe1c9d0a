"""An app behind the gate on a real server, requests as raw bytes, and checks of the answers."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from aster_sidecar.http.gate import Framework, Gate
from aster_sidecar.http.guard import Guard
from tests.support.raw import Answer, exchange

TOKEN = "correct-horse-battery-staple-0123456789abcde"
BEARER = f"Authorization: Bearer {TOKEN}"
JSON = "Content-Type: application/json"
MIB = 1024 * 1024
# uvicorn uses the parser that is installed, and each parser lets other attacks through to the gate.
PARSERS = ["h11", *(["httptools"] if importlib.util.find_spec("httptools") else [])]
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
FRAMEWORKS: list[Framework] = ["tauri", "electron", "wails", "web"]


def words(text: str) -> list[str]:
    return text.split()


def small_app() -> Starlette:
    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def echo(request: Request) -> Response:
        body = await request.body()
        return JSONResponse({"length": len(body), "id": request.state.request_id})

    async def boom(_: Request) -> Response:
        raise RuntimeError("boom")

    async def wild(_: Request) -> Response:
        """A route with headers that would open what the gate closes."""
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Credentials": "true",
            "Cache-Control": "max-age=60",
            "X-Content-Type-Options": "sniff",
            "Vary": "Accept",
        }
        return JSONResponse({}, headers=headers)

    async def talks_first(scope: Scope, receive: Receive, send: Send) -> None:
        """Start the response before the body is read, and end it however much was read."""
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
    """An app behind the gate on a real uvicorn. `reached` has the requests that the gate let through."""

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
        """Start the server. The socket listens already, so a connection made before the server runs is answered too."""
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True

    def join(self) -> None:
        self._thread.join(30)
        self._bound.close()
        assert not self._thread.is_alive(), "the server did not stop within 30 s"

    def bytes_of(self, line: str, *headers: str, body: bytes = b"", host: str | None = "127.0.0.1:PORT") -> bytes:
        """A request. Before the body, PORT is replaced by the daemon's port."""
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
        """Assert that no request of the block reaches the app."""
        before = list(self.reached)
        yield
        assert self.reached == before, "the gate let a request through"

    def refuses(
        self, status: int, code: str, line: str, *headers: str, body: bytes = b"", host: str | None = "127.0.0.1:PORT"
    ) -> Answer:
        """Assert that the gate itself refuses the request, and return the response."""
        with self.unreached():
            answer = self.ask(line, *headers, body=body, host=host)
        is_refusal(answer, status, code)
        return answer


def is_refusal(answer: Answer, status: int, code: str) -> None:
    """Assert that the response has this status and, in the error envelope, this code."""
    assert answer.status == status, answer
    if answer.body:
        envelope = answer.json()
        assert set(envelope) == {"id", "success", "error", "code", "hint"}
        assert (envelope["success"], envelope["code"]) == (False, code)
        assert envelope["hint"]
        assert envelope["id"] == answer.one("x-request-id")
    has_safe_headers(answer)


def has_safe_headers(answer: Answer) -> None:
    """Assert that the response has the headers that the gate adds to each response."""
    assert answer.one("x-content-type-options") == "nosniff"
    assert answer.one("cross-origin-resource-policy") == "same-origin"
    assert answer.one("referrer-policy") == "no-referrer"
    assert "Origin" in answer.all("vary")
    assert len(answer.all("cache-control")) == 1
    assert len(answer.all("x-request-id")) == 1
    assert "*" not in answer.all("access-control-allow-origin")
    assert not answer.all("access-control-allow-credentials")


def allows(answer: Answer, origin: str | None) -> None:
    """Assert that the response has the CORS headers for `origin`, or with None no CORS headers."""
    assert answer.all("access-control-allow-origin") == ([] if origin is None else [origin])
    exposed = answer.all("access-control-expose-headers")
    assert exposed == ([] if origin is None else ["x-request-id, retry-after"])
    has_safe_headers(answer)


def build(
    *,
    token: str | None = TOKEN,
    framework: Framework = "web",
    parser: Any = "h11",
    bound: socket.socket | None = None,
    **gate: Any,
) -> Daemon:
    """A daemon that is not started yet, on a new TCP port unless `bound` is given."""
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


@contextmanager
def serving(**options: Any) -> Generator[Daemon]:
    daemon = build(**options)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        daemon.join()


def call(scope: Scope, app: ASGIApp | None = None, **gate: Any) -> list[Message]:
    """Call the gate directly, as a server would, and return the ASGI messages that it sends."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"} if scope["type"] == "websocket" else {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    guard = Guard(app or small_app(), Gate(framework="web", token=None, port=lambda: 7, check_peer=False, **gate))
    asyncio.run(guard(scope, receive, send))
    return sent
