"""The bytes provider: a server that answers with exactly the bytes of a script, well-formed or not.

`ProviderDouble` speaks its protocols as they are documented; this server sends what servers really send. `stream_bytes`
makes such bytes. `strict_servers` answers like servers that are strict about requests.
"""

from __future__ import annotations

import gzip
import json
import select
import socket
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias, cast

from tests.support.held import HeldPort
from tests.support.provider_wire import RecordedRequest, protocol_of

__all__ = ["Answer", "Answering", "BytesProvider", "RecordedRequest", "Repeat"]

EVENTS = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
_POLL_S = 0.02


@dataclass(frozen=True)
class Repeat:
    """Bytes that are sent repeatedly, one copy every `every_s`: `times` times, or until the client leaves."""

    text: str
    every_s: float = 0.1
    times: int | None = None


Piece: TypeAlias = "str | bytes | threading.Event | Repeat"


@dataclass
class Answer:
    """One answer, whose body is sent piece by piece.

    An event in the body must be set before the next piece is sent, and `hold` before the answer ends. `match`: a part
    of the path that the answer is for. `when`: a further condition on the request.
    """

    body: str | bytes | Sequence[Piece] = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=EVENTS.copy)
    framing: Literal["close", "chunked", "length"] = "close"
    encoding: Literal["gzip", "deflate"] | None = None
    hold: threading.Event | None = None
    match: str = ""
    when: Callable[[RecordedRequest], bool] = lambda _: True

    def pieces(self) -> Sequence[Piece]:
        return [self.body] if isinstance(self.body, str | bytes) else self.body

    @classmethod
    def json(cls, body: object, status: int = 200, **headers: str) -> Answer:
        """A JSON answer. Write `_` for `-` in header names."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(json.dumps(body), status, {**JSON, **named}, "length")


Answering: TypeAlias = "Answer | Callable[[RecordedRequest], Answer]"


class _ClientGoneError(Exception):
    """The client closed the connection before its answer was complete."""


class BytesProvider:
    """The server, with a thread per connection. Other threads may script and read it.

    The answers of `script` are used in order, each once; the last one is repeated. An answer that does not fit a
    request is skipped. A function answers every request.
    """

    def __init__(self) -> None:
        held = HeldPort() if HeldPort.possible() else None
        provider = self

        class Handler(_Handler):
            owner = provider

        self._held = held
        self._server = _Server(("127.0.0.1", held.port if held else 0), Handler)
        self.port: int = self._server.server_address[1]
        self.requests: list[RecordedRequest] = []
        """The requests that ask a model for an answer."""
        self.other_requests: list[RecordedRequest] = []
        self.pages: dict[str, Answer] = {}
        """The answers at other paths."""
        self.not_found = Answer("404 page not found", 404, {"content-type": "text/plain"}, "length")
        self.left = 0
        """How many clients closed the connection before their answer was complete."""
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self._script: deque[Answering] = deque()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)
        self.reset()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> BytesProvider:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reset(self) -> None:
        """Forget the script and the requests."""
        with self.changed:
            self._script.clear()
            self.requests, self.other_requests, self.left = [], [], 0
            listed = {"object": "list", "data": [{"id": "m", "object": "model"}]}
            self.pages = {"/v1/models": Answer.json(listed)}

    def script(self, *answers: Answering) -> None:
        """Replace the answers that have not been used."""
        with self.changed:
            self._script = deque(answers)

    def wait_for_requests(self, count: int, timeout_s: float = 20.0) -> list[RecordedRequest]:
        """Wait until `count` requests have arrived (answered or not). Returns all requests."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.requests) >= count, timeout_s):
                raise TimeoutError(f"{len(self.requests)} of {count} requests arrived within {timeout_s} s")
            return list(self.requests)

    def wait_for_left(self, count: int = 1, timeout_s: float = 20.0) -> None:
        """Wait until `count` clients have left before the end of their answer."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.left >= count, timeout_s):
                raise TimeoutError(f"{self.left} of {count} clients left within {timeout_s} s")

    def answer(self, request: RecordedRequest) -> Answer:
        """The next answer for this request. Called in the server's threads."""
        with self.changed:
            asked = request.protocol is not None
            (self.requests if asked else self.other_requests).append(request)
            self.changed.notify_all()
            if not asked:
                return self.pages.get(request.path, self.not_found)
            fitting = [given for given in self._script if fits(given, request)]
            if not fitting:
                return Answer(f"no answer is scripted for {request.path}", 500, {"content-type": "text/plain"})
            if len(fitting) > 1:
                self._script.remove(fitting[0])
        return fitting[0] if isinstance(fitting[0], Answer) else fitting[0](request)

    def note_left(self) -> None:
        with self.changed:
            self.left += 1
            self.changed.notify_all()


def fits(given: Answering, request: RecordedRequest) -> bool:
    """Whether an answer is meant for this request."""
    return not isinstance(given, Answer) or (given.match in request.path and given.when(request))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is not an error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: BytesProvider

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        self._respond({}, None)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = cast("dict[str, Any]", json.loads(raw)) if raw else {}
        self._respond(body, protocol_of(self.path.partition("?")[0]))

    def _respond(self, body: dict[str, Any], protocol: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        request = RecordedRequest(path, headers, body, time.monotonic(), protocol)
        answer = self.owner.answer(request)
        try:
            self._send(answer)
            request.outcome = "complete"
        except (_ClientGoneError, OSError):
            request.outcome = "aborted"
            self.close_connection = True
            self.owner.note_left()
        finally:
            request.finished.set()

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.encoding is not None:
            self.send_header("content-encoding", answer.encoding)
        whole = b""
        if answer.framing == "length":
            whole = b"".join(self._packed(answer))
            self.send_header("content-length", str(len(whole)))
        elif answer.framing == "chunked":
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        if answer.framing == "length":
            self.wfile.write(whole)
        else:
            for data in self._packed(answer):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if answer.framing == "chunked" else data)
        if answer.hold is not None:
            self._wait(answer.hold)
        if answer.framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    def _packed(self, answer: Answer) -> Iterable[bytes]:
        """The bytes with their content encoding, each piece flushed separately."""
        if answer.encoding is None:
            yield from self._plain(answer.pieces())
        elif answer.encoding == "gzip" and answer.framing == "length":
            yield gzip.compress(b"".join(self._plain(answer.pieces())))
        else:
            packer = zlib.compressobj(wbits=31 if answer.encoding == "gzip" else 15)
            for data in self._plain(answer.pieces()):
                yield packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
            yield packer.flush()

    def _plain(self, pieces: Sequence[Piece]) -> Iterable[bytes]:
        for piece in pieces:
            if isinstance(piece, threading.Event):
                self._wait(piece)
            elif isinstance(piece, Repeat):
                sent = 0
                while piece.times is None or sent < piece.times:
                    sent += 1
                    yield piece.text.encode()
                    self._wait(None, piece.every_s)
            elif piece:
                yield piece if isinstance(piece, bytes) else piece.encode()

    def _wait(self, event: threading.Event | None, most_s: float = float("inf")) -> None:
        """Wait for an event or for a time. Stops with _ClientGoneError when the client leaves or the server closes."""
        until = time.monotonic() + most_s
        waited = event or threading.Event()
        while not waited.wait(_POLL_S) and time.monotonic() < until:
            if self.owner.closing.is_set() or self._client_left():
                raise _ClientGoneError

    def _client_left(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True
