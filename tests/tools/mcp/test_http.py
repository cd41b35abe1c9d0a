"""MCP servers over streamable HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools.base import Paused, QuestionEnd, Surroundings, ToolError
from aster_sidecar.tools.mcp.config import ServerSpec
from tests.tools.mcp.support import MANGLED_WORDS, SCRIPT, TEXTS, answered, offered, run, running, serving
from tests.tools.support import Listener, until

pytest.importorskip("mcp")


class Mangling(BaseHTTPRequestHandler):
    """A server with broken texts. It answers a list with a JSON body and a call with an event, both in small pieces."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, number = asked.get("method"), asked.get("id")
        results = {
            "initialize": b'{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"m","version":"1"}}',
            "tools/list": b'{"tools":[%s]}'
            % b",".join(
                b'{"name":"%s","description":"%s","inputSchema":{"type":"object"}}' % (name.encode(), words)
                for name, words in MANGLED_WORDS.items()
            ),
            "tools/call": b'{"content":[{"type":"text","text":"%s"}]}'
            % MANGLED_WORDS.get(asked.get("params", {}).get("name"), b""),
        }
        if number is None:
            self._answer(202, "application/json", b"")
        elif method not in results:
            unknown = b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"Method not found"}}' % number
            self._answer(200, "application/json", unknown)
        else:
            body = b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (number, results[method])
            if method == "tools/call":
                self._answer(200, "text/event-stream", b"event: message\r\ndata: " + body + b"\r\n\r\n")
            else:
                self._answer(200, "application/json", body)

    def do_GET(self) -> None:
        self._answer(405, "text/plain", b"")

    do_DELETE = do_GET

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), 7):
            self.wfile.write(body[start : start + 7])
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None: ...


def test_what_is_no_text_is_replaced_over_http_too(loop: asyncio.Runner, place: Surroundings) -> None:
    async def body(url: str) -> None:
        async with serving(ServerSpec(name="m", url=url, timeout_s=600)) as servers:
            tools, context = await offered(servers), Listener(place)
            assert {name: tool.description for name, tool in tools.items()} == {f"m_{n}": t for n, t in TEXTS.items()}
            for name, text in TEXTS.items():
                assert (await run(tools[f"m_{name}"], context)).value == {"text": text}

    with ThreadingHTTPServer(("127.0.0.1", 0), Mangling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            loop.run(body(f"http://127.0.0.1:{server.server_address[1]}/mcp"))
        finally:
            server.shutdown()


class Odd(BaseHTTPRequestHandler):
    """A server whose answer to a call depends on the tool's name."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, number, name = asked.get("method"), asked.get("id"), asked.get("params", {}).get("name")
        told = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "h", "version": "1"}}
        names = ("batch", "no_words", "mark", "cut", "refused", "gone", "event", "flood", "flood_of_events")
        text = {"content": [{"type": "text", "text": "fine"}]}
        results = {"initialize": told, "tools/list": {"tools": [{"name": one} for one in names]}, "tools/call": text}
        if method not in results:
            error = {"code": -32601, "message": "Method not found"}
            self._json({"jsonrpc": "2.0", "id": number, "error": error}, 202 if number is None else 200)
            return
        good = {"jsonrpc": "2.0", "id": number, "result": results[method]}
        if name == "batch":
            self._json([good])
        elif name == "no_words":
            self._json({"jsonrpc": "2.0", "id": number, "error": {"code": -5}})
        elif name == "mark":
            self._body(200, "application/json", b"\xef\xbb\xbf" + json.dumps(good).encode())
        elif name == "cut":
            self._body(200, "application/json", json.dumps(good).encode()[:-9])
        elif name == "refused":
            self._json({"error": "unauthorized"}, 401)
        elif name == "gone":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif name == "event":
            self._body(
                200, "text/event-stream", b"data: " + json.dumps({**good, "id": float(number)}).encode() + b"\n\n"
            )
        elif name in ("flood", "flood_of_events"):
            self._flood("application/json" if name == "flood" else "text/event-stream")
        else:
            self._json(good)

    def do_GET(self) -> None:
        self._body(405, "text/plain", b"")

    do_DELETE = do_GET

    def _json(self, value: Any, status: int = 200) -> None:
        self._body(status, "application/json", json.dumps(value).encode())

    def _body(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _flood(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(OSError):  # the daemon closes the connection
            while True:
                self.wfile.write(b"data: " + b"x" * 65536)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("batch", None),
        ("mark", None),
        ("event", None),
        ("no_words", 'h: it failed, and reports only: {"code":-5}'),
        ("cut", "h: its answer can't be read: Invalid JSON"),
        ("refused", "h: it answered with HTTP 401 Unauthorized"),
        ("gone", "h: it ended during the call"),
        ("flood", "h: its answer can't be read: a message was larger than 16.0 MiB"),
        ("flood_of_events", "a message was larger than 16.0 MiB"),
    ],
)
def test_odd_answers_over_http(loop: asyncio.Runner, place: Surroundings, name: str, said: str | None) -> None:
    async def body(url: str) -> None:
        async with serving(ServerSpec(name="h", url=url, timeout_s=600)) as servers:
            tools, context = await answered(servers), Listener(place)
            if said is None:
                assert (await run(tools[f"h_{name}"], context)).value == {"text": "fine"}
                return
            with pytest.raises(ToolError) as caught:
                async with asyncio.timeout(60):
                    await run(tools[f"h_{name}"], context)
            assert said in str(caught.value)
            assert "pydantic" not in str(caught.value)

    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            loop.run(body(f"http://127.0.0.1:{server.server_address[1]}/mcp"))
        finally:
            server.shutdown()


@contextmanager
def over_http(script: str, *arguments: str) -> Generator[str]:
    """The URL of a server over streamable HTTP. It gets a listening socket, so an early connection waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        command = [sys.executable, script, *arguments, "http", str(descriptor)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, pass_fds=[descriptor])
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def http() -> Generator[str]:
    with over_http(SCRIPT) as url:
        yield url


ASKING = str(Path(SCRIPT).parent / "mcp_asking.py")


def test_questions_over_http(loop: asyncio.Runner, place: Surroundings, tmp_path: Path) -> None:
    answers = {"name": "Ada", "seats": 3, "table": "garden"}
    arguments = {"day": "Monday", "log": str(tmp_path / "log")}

    async def body(url: str, protocol: str) -> Any:
        spec = ServerSpec(name="web", url=url, timeout_s=40)
        end = QuestionEnd("", "answered", answers, None)
        async with serving(spec) as servers:
            context, tools = Listener(place, answers=[end]), await offered(servers)
            session = servers.get("web").connection.session_now
            assert session is not None
            assert session.protocol == protocol
            if protocol == "2025-11-25":
                return (await run(tools["web_book"], context, **arguments)).value
            with pytest.raises(Paused) as paused:
                await run(tools["web_book"], context, **arguments)
        [asked] = paused.value.asks
        async with serving(spec) as servers:  # another connection
            context = Listener(place, again=True, ended_questions=[end._replace(request=asked.request)])
            return (await run((await offered(servers))["web_book"], context, **arguments)).value

    expected = {"text": f"Monday: {json.dumps(answers)}"}
    with over_http(ASKING, "new") as url:
        assert loop.run(body(url, "2026-07-28")) == expected
    with over_http(ASKING, "old") as url:
        assert loop.run(body(url, "2025-11-25")) == expected


def test_over_http(
    loop: asyncio.Runner, place: Surroundings, http: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # requests to loopback use no proxy

    async def body() -> None:
        async with serving(ServerSpec(name="web", url=http, timeout_s=40)) as servers:
            tools, context, log = await offered(servers), Listener(place), tmp_path / "log"
            assert (await run(tools["web_echo"], context, text="hello")).value == {"text": "hello"}
            await run(tools["web_steps"], context)
            assert any(one.message == "step 1" for one in context.told)
            task = asyncio.create_task(run(tools["web_wait"], context, log=str(log)))
            await until(lambda: log.exists() and log.read_text() == "began")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: log.read_text() == "cancelled")
            with pytest.raises(ToolError):
                await run(tools["web_ask"], context)
            with pytest.raises(ToolError):
                await run(tools["web_die"], context)
            assert running(servers) == 0

    loop.run(body())
