"""The provider double: an HTTP server that answers as OpenAI Responses, OpenAI chat or Anthropic messages would."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import signal
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeAlias, cast

from tests.support.held import HeldPort
from tests.support.provider_wire import (
    PATHS,
    WIRES,
    Call,
    Fault,
    Protocol,
    RecordedRequest,
    Reply,
    Say,
    Think,
    Wire,
    bench_reply,
    encode,
    error_answer,
    make_id,
    model_entry,
)

__all__ = ["Answer", "Call", "Fault", "ProviderDouble", "RecordedRequest", "Reply", "Say", "Think", "bench_reply"]

_BATCH_BYTES = 32 * 1024
_READ_LIMIT_BYTES = 1024 * 1024
_ACCEPT_STEPS = 10
"""More steps of the event loop than an accepted socket needs until a task answers it."""
_GATE_POLL_S = 0.001

Answer: TypeAlias = Reply | Fault
# A text is the same as Reply([Say(text)]).
Answering: TypeAlias = Answer | str | Callable[[RecordedRequest], Answer | str]
Matching: TypeAlias = str | Callable[[RecordedRequest], bool]


def _default_answer(request: RecordedRequest) -> Reply:
    return bench_reply(request.model) or Reply([Say(f"You said: {request.last_user_text}")])


class _ClientGoneError(Exception):
    """The client closed the connection before its answer was complete."""


class _Connection(asyncio.StreamReaderProtocol):
    """Streams over one connection. It notices at once that the client has left."""

    def __init__(self, double: ProviderDouble) -> None:
        self._event_loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_LIMIT_BYTES, loop=self._event_loop)
        super().__init__(reader, self._handle, loop=self._event_loop)
        self._double = double
        self._waiter: asyncio.Future[None] | None = None
        self.gone = False

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._double._serve(self, reader, writer)  # pyright: ignore[reportPrivateUsage]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._double._open[self] = cast(asyncio.Transport, transport)  # pyright: ignore[reportPrivateUsage]

    def eof_received(self) -> bool | None:
        self._leave()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._double._open.pop(self, None)  # pyright: ignore[reportPrivateUsage]
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        self.gone = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def pause(self, delay_s: float | None) -> None:
        """Wait `delay_s`, or forever if None. Stops with _ClientGoneError when the client leaves."""
        if not self.gone:
            self._waiter = self._event_loop.create_future()
            timer = self._event_loop.call_later(delay_s, self._wake) if delay_s is not None else None
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        if self.gone:
            raise _ClientGoneError

    async def pass_gate(self, reply: Reply, request: RecordedRequest) -> None:
        if reply.gate is not None:
            request.at_gate.set()
            while not reply.gate.is_set():
                await self.pause(_GATE_POLL_S)


class _Exchange:
    """The answer to one request while it is sent."""

    def __init__(self, connection: _Connection, writer: asyncio.StreamWriter, request: RecordedRequest) -> None:
        self.connection = connection
        self.request = request
        self.keep_alive = request.headers.get("connection", "").lower() != "close"
        self.started = False
        self._writer = writer
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._flushes = 0

    def head(
        self, status: int, content_type: str, length: int | None, headers: Mapping[str, str] | None = None
    ) -> None:
        reason = http.client.responses.get(status, "Unknown")
        request_id = "request-id" if self.request.protocol == "anthropic" else "x-request-id"
        fields: dict[str, str] = {"content-type": content_type, request_id: make_id("req_")}
        fields |= {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
        fields["connection"] = "keep-alive" if self.keep_alive else "close"
        fields |= {name.lower(): value for name, value in (headers or {}).items()}
        self.started = True
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._writer.write(f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode())

    async def body(
        self, status: int, body: object, headers: Mapping[str, str] | None = None, cut_at: int | None = None
    ) -> None:
        """Send a complete answer, or its first `cut_at` bytes."""
        data = body.encode() if isinstance(body, str) else encode(body)
        self.head(status, "text/plain" if isinstance(body, str) else "application/json", len(data), headers)
        await self._write(data[:cut_at])

    async def stream(self, wire: Wire, stop_after: int | None = None) -> None:
        """Batch and send the answer's events, or those before delta number `stop_after`. end() sends the last batch."""
        reply, connection = wire.reply, self.connection
        gate_at = None
        if reply.gate is not None:
            last = reply.delta_count() - 1 if stop_after is None else stop_after
            gate_at = last if reply.gate_at is None else reply.gate_at
        self.head(200, "text/event-stream; charset=utf-8", None)
        now, index = asyncio.get_running_loop().time, 0
        due_s = now()
        for frame in wire.frames():
            if isinstance(frame, bytes):
                await self.send(frame, at_once=reply.flush_each)
                continue
            if index == gate_at:
                await self.flush()
                await connection.pass_gate(reply, self.request)
                due_s = now()
            if index == stop_after:
                break
            index += 1
            if frame > 0:
                await self.flush()
                due_s += frame  # by a fixed schedule, so that late timers do not add up
                if (wait_s := due_s - now()) > 0:
                    await connection.pause(wait_s)

    async def send(self, data: bytes, at_once: bool = False) -> None:
        self._batch.append(data)
        self._batch_bytes += len(data)
        if at_once or self._batch_bytes >= _BATCH_BYTES:
            await self.flush()

    async def flush(self) -> None:
        if chunk := self._take_chunk():
            self._flushes += 1
            if self._flushes % 32 == 0 or len(chunk) >= _BATCH_BYTES:
                await asyncio.sleep(0)  # so that other connections are served, and a client that left is noticed
            await self._write(chunk)

    async def end(self) -> None:
        """Send the last batch together with the end mark: a client may leave once it has read the last event."""
        await self._write(self._take_chunk() + b"0\r\n\r\n")

    async def cut(self) -> None:
        """Close in the middle of a chunk."""
        await self._write(self._take_chunk() + b"1000\r\ndata: {")
        self.keep_alive = False

    async def reset(self) -> None:
        sock = cast(socket.socket, self._writer.get_extra_info("socket"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self.keep_alive = False

    def _take_chunk(self) -> bytes:
        data = b"".join(self._batch)
        self._batch.clear()
        self._batch_bytes = 0
        return b"%x\r\n%b\r\n" % (len(data), data) if data else b""

    async def _write(self, data: bytes) -> None:
        if self.connection.gone:
            raise _ClientGoneError
        self._writer.write(data)
        await self._writer.drain()


class ProviderDouble:
    """The server, in its own thread. Other threads may script and read it.

    An answer is chosen in this order: `on` rules, `script`, `otherwise`. Callables run in the server's thread.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port  # after the first start(), the actual port: a restart listens there again
        self.models: list[str | dict[str, Any]] = ["gpt-double", "claude-double"]
        self.models_fault: Fault | None = None
        self.otherwise: Answering = _default_answer
        self.requests: list[RecordedRequest] = []
        self.other_requests: list[RecordedRequest] = []  # model lists, token counts, unknown paths
        self.errors: list[Exception] = []  # of the double and of callables; the first one is raised at `__exit__`
        self.aborted = 0
        self._changed = threading.Condition()
        self._script: deque[Answering] = deque()
        self._rules: list[tuple[Matching, deque[Answering]]] = []
        self._disabled: dict[str, object] = {}
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._open: dict[_Connection, asyncio.Transport] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._failure: OSError | None = None
        self._held: HeldPort | None = None

    # --- used from the test's thread ---

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> ProviderDouble:
        self._started.clear()
        self._failure = None
        if self.port == 0 and HeldPort.possible():
            self._held = HeldPort()
            self.port = self._held.port
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="provider-double", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._thread is not None and self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # already over
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        self._thread = None

    def __enter__(self) -> ProviderDouble:
        return self.start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.stop()
        if self.errors and error is None:
            raise self.errors[0]

    def script(self, *answers: Answering) -> None:
        """Add answers, used in order, one per request."""
        with self._changed:
            self._script.extend(answers)

    def on(self, match: Matching, *answers: Answering) -> None:
        """Answer requests whose last user text contains `match`, or for which `match` returns True.

        Each answer is used once, and the last one from then on. If several rules match, the latest one is used.
        """
        if not answers:
            raise ValueError("no answers given")
        with self._changed:
            self._rules.insert(0, (match, deque(answers)))

    def disable(self, path: str, body: object = "404 page not found") -> None:
        """Answer 404 at this path, like servers that do not have it (Ollama in plain text, llama.cpp in JSON)."""
        self._disabled[path] = body

    def enable(self, path: str) -> None:
        self._disabled.pop(path, None)

    def wait_for_requests(self, count: int, timeout_s: float = 30.0) -> list[RecordedRequest]:
        """Wait until `count` requests have arrived (answered or not). Returns all requests."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout_s):
                raise TimeoutError(f"{len(self.requests)} of {count} requests arrived within {timeout_s} s")
            return list(self.requests)

    def wait_for_aborted(self, count: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until `count` clients have left before the end of their answer."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.aborted >= count, timeout_s):
                raise TimeoutError(f"{self.aborted} of {count} requests were aborted within {timeout_s} s")

    # --- used in the server's thread ---

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            server = await self._loop.create_server(lambda: _Connection(self), self.host, self.port, backlog=1024)
        except OSError as error:
            self._failure = error
            self._started.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        with contextlib.suppress(NotImplementedError):  # the event loop on Windows has no readers
            for listening in server.sockets:
                self._loop.remove_reader(listening.fileno())
        for _ in range(_ACCEPT_STEPS):  # accepted sockets must become connections, or asyncio loses them at close()
            await asyncio.sleep(0)
        server.close()
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        while self._open:  # connections that no task has begun to answer
            for transport in self._open.values():
                transport.abort()
            await asyncio.sleep(0)

    async def _serve(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not connection.gone and await self._exchange(connection, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, _ClientGoneError):
            pass
        except asyncio.CancelledError:  # stop(): the task ends normally, as asyncio's callback in 3.11 expects
            pass
        except Exception as error:  # a request that no provider would understand
            self.errors.append(error)
        finally:
            writer.close()

    async def _exchange(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Read a request and answer it. Returns whether the connection may be used again."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ", 2)
        received = time.monotonic()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("expect") == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        path = target.partition("?")[0]
        body = cast(dict[str, Any], json.loads(raw)) if raw else {}
        protocol = PATHS.get(path) if method == "POST" else None
        request = RecordedRequest(path, headers, body, received, protocol)
        with self._changed:
            (self.other_requests if protocol is None else self.requests).append(request)
            self._changed.notify_all()
        exchange = _Exchange(connection, writer, request)
        try:
            if path in self._disabled:
                await exchange.body(404, self._disabled[path])
            elif protocol is None:
                await self._answer_other(exchange, method)
            else:
                await self._answer(exchange, protocol)
            request.outcome = "complete" if request.outcome == "running" else request.outcome
        except (_ClientGoneError, ConnectionError):
            with self._changed:
                self.aborted += 1
                request.outcome = "aborted"
                self._changed.notify_all()
            raise
        except asyncio.CancelledError:
            request.outcome = "stopped"
            raise
        except Exception as error:  # of the double or of a test's callable
            self.errors.append(error)
            exchange.keep_alive = False
            if not exchange.started:
                message = {"message": f"the provider double failed: {error!r}", "type": "double_error"}
                await exchange.body(500, {"error": message}, {"x-should-retry": "false"})
        finally:
            request.finished.set()
        return exchange.keep_alive

    def _choose(self, request: RecordedRequest) -> Answer:
        with self._changed:
            for match, answers in self._rules:
                if match in request.last_user_text if isinstance(match, str) else match(request):
                    answer = answers.popleft() if len(answers) > 1 else answers[0]
                    break
            else:
                answer = self._script.popleft() if self._script else self.otherwise
        if callable(answer):
            answer = answer(request)
        return Reply([Say(answer)]) if isinstance(answer, str) else answer

    async def _answer(self, exchange: _Exchange, protocol: Protocol) -> None:
        request = exchange.request
        answer = self._choose(request)
        reply = answer.reply if isinstance(answer, Fault) else answer
        wire = WIRES[protocol](reply, request.body)
        if reply.wait_before_s > 0:
            await exchange.connection.pause(reply.wait_before_s)
        if isinstance(answer, Fault):
            request.outcome = "fault"
            await self._fail(exchange, answer, wire)
        elif request.streamed:
            await exchange.stream(wire)
            await exchange.end()
        else:
            await exchange.connection.pass_gate(reply, request)
            await exchange.body(200, wire.whole())

    async def _fail(self, exchange: _Exchange, fault: Fault, wire: Wire) -> None:
        kind, streamed = fault.kind, exchange.request.streamed
        if kind == "status" or (kind in ("error_event", "failed_event") and not streamed):
            status, body = error_answer(wire.protocol, fault, wire.model)
            await exchange.body(status, body if fault.body is None else fault.body, fault.headers)
        elif kind == "reset":
            await exchange.reset()
        elif kind == "malformed" and not streamed:
            text = encode(wire.whole()).decode()
            await exchange.body(200, text[: len(text) // 2], {"content-type": "application/json"})
        elif streamed and kind != "hang":
            await exchange.stream(wire, stop_after=fault.after)
            if kind == "cut":
                await exchange.cut()
            elif kind == "stall":
                await exchange.flush()
            else:
                if kind != "truncate":
                    await exchange.send(wire.malformed() if kind == "malformed" else wire.error_event(fault))
                await exchange.end()
        elif kind != "hang":
            await exchange.body(200, wire.whole(), cut_at=20)
            exchange.keep_alive = False
        if kind in ("hang", "stall"):
            await exchange.connection.pause(None)

    async def _answer_other(self, exchange: _Exchange, method: str) -> None:
        request, fault = exchange.request, self.models_fault
        protocol: Protocol = "anthropic" if "anthropic-version" in request.headers else "chat"
        listed = {str(entry["id"]): entry for entry in map(model_entry, self.models)}
        wanted = request.path.removeprefix("/v1/models").lstrip("/")
        if method == "POST" and request.path in ("/v1/messages/count_tokens", "/v1/responses/input_tokens"):
            await exchange.body(200, {"object": "response.input_tokens", "input_tokens": 10})
        elif method != "GET" or not request.path.startswith("/v1/models"):
            await exchange.body(404, {"error": {"message": "Not found", "type": "invalid_request_error"}})
        elif fault is not None and fault.kind != "status":
            await (exchange.connection.pause(None) if fault.kind == "hang" else exchange.reset())
        elif fault is not None or (wanted and wanted not in listed):
            fault = fault or Fault(404)
            status, body = error_answer(protocol, fault, wanted)
            await exchange.body(status, body if fault.body is None else fault.body, fault.headers)
        elif wanted:
            await exchange.body(200, listed[wanted])
        else:
            ids = list(listed) or [None]
            pages = {"object": "list", "has_more": False, "first_id": ids[0], "last_id": ids[-1]}
            await exchange.body(200, {**pages, "data": list(listed.values())})


def main() -> None:
    """Serve until it is stopped, for benchmarks that want the double in a separate process."""
    parser = argparse.ArgumentParser(description="Serve the provider double.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=5000, help="deltas per answer of a model not called bench-*")
    parser.add_argument("--delay-ms", type=float, default=20, help="time between the deltas of such a model")
    options = parser.parse_args()
    done = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        done.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, finish)
    default = f"bench-{options.tokens}-{options.delay_ms}"
    with ProviderDouble(options.host, options.port) as double:
        double.otherwise = lambda request: bench_reply(request.model) or cast(Reply, bench_reply(default))
        print(json.dumps({"url": double.url}), flush=True)
        done.wait()


if __name__ == "__main__":
    main()
