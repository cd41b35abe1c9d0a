"""The WebSocket at `/ws`: API calls and the event stream over one connection. `guard → routes → websocket`.

Each message from the client is one JSON object. Answers are envelopes with its `id`; events are exactly the `data` of
SSE. Messages are started in order and answered when done, so answers may be out of order. The peer process is checked
again for each message, because a socket can be passed to another process. A `request` passes the gate and the routes
like a request over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote, urlencode

from pydantic import BaseModel, ValidationError
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from aster_sidecar.api.calls import Calls
from aster_sidecar.api.event_stream import Transient, Watch
from aster_sidecar.api.policy import who
from aster_sidecar.contract import wire
from aster_sidecar.errors import (
    AsterError,
    BodyTooLarge,
    InvalidShape,
    MalformedBody,
    NotFound,
    Stopping,
    StoreError,
    TokenRefused,
)
from aster_sidecar.http.envelope import bug, failure, shape_error, success
from aster_sidecar.http.guard import BODY_LIMIT_BYTES, SUBPROTOCOL
from aster_sidecar.http.sse import SEND_TIMEOUT_S
from aster_sidecar.store.events import Event
from aster_sidecar.text.json_text import parse_json

log = logging.getLogger(__name__)

AT_ONCE = 32
"""Maximum number of concurrent messages per socket; further ones are read when one is done."""
GOODBYE_S = 0.4
"""How long a stop waits for a socket's remaining answers and events."""
GOING_AWAY = 1001

PAYLOADS: dict[str, type[wire.Request]] = {
    "chat": wire.ChatRequest,
    "cancel": wire.CancelRequest,
    "approve": wire.ApproveRequest,
    "answer": wire.AnswerRequest,
    "host_register": wire.HostRegister,
    "host_accept": wire.SocketHostAccept,
    "host_result": wire.SocketHostResult,
    "host_progress": wire.SocketHostProgress,
    "host_leave": wire.SocketHostLeave,
    "get_status": wire.SessionQuery,
    "get_history": wire.HistoryQuery,
    "clear_history": wire.SessionQuery,
    "get_config": wire.NoPayload,
    "set_config": wire.ConfigPatch,
    "subscribe": wire.SubscribeRequest,
    "request": wire.SocketRequest,
}
"""The payload of each message type; `agent_id` may be beside `payload` instead of in it."""


async def serve(websocket: WebSocket, here: Calls) -> None:
    """Serve one socket until either side closes it. Calls in progress are finished even if the client disconnects."""
    if here.lifecycle.stopping:
        await deny(websocket, Stopping("the daemon is stopping"))
        return
    task = asyncio.current_task()
    assert task is not None
    here.lifecycle.sockets.add(task)
    try:
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None)
        await Socket(websocket, here).run()
    finally:
        here.lifecycle.sockets.discard(task)


async def deny(websocket: WebSocket, error: AsterError) -> None:
    """Refuse a handshake with an error in the envelope."""
    request_id = str(websocket.scope.get("state", {}).get("request_id", ""))
    await websocket.send_denial_response(
        Response(failure(request_id, error), error.status, media_type="application/json")
    )


async def no_such(websocket: WebSocket) -> None:
    """Refuse a handshake on any path other than /ws."""
    await deny(websocket, NotFound(f"no WebSocket at {websocket.url.path[:200]}", hint="the WebSocket is at /ws"))


class Socket:
    """One client's socket."""

    def __init__(self, websocket: WebSocket, here: Calls) -> None:
        self._websocket = websocket
        self._here = here
        self._who = who(websocket.headers)
        self._check_caller: Callable[[], Awaitable[None]] = websocket.scope["state"]["check_caller"]
        self._checking = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._over = asyncio.Event()
        self._subscribing = asyncio.Lock()
        self._stream: asyncio.Task[None] | None = None
        self._leases: list[str] = []
        """Of hosts that registered over this socket: they are gone when it is closed."""

    async def run(self) -> None:
        """Read and answer until the client disconnects, stops reading, or the daemon stops."""
        loop = asyncio.get_running_loop()
        reading = loop.create_task(self._read())
        ends = [reading, loop.create_task(self._over.wait()), loop.create_task(self._here.lifecycle.ending.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._here.lifecycle.ending.is_set() and not self._over.is_set() and not reading.done():
                await self._close_at_stop()
        finally:
            for task in (*ends, *([self._stream] if self._stream is not None else [])):
                task.cancel()
            for lease in self._leases:
                self._here.hosts.closed(lease)

    async def _close_at_stop(self) -> None:
        """Send the remaining answers and events, then close the socket; the journal ends the stream."""
        last = {*self._under_way, *([self._stream] if self._stream is not None else [])}
        if last:
            await asyncio.wait(last, timeout=GOODBYE_S)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close(GOING_AWAY, "the daemon is stopping")

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            task = loop.create_task(self._answer(message.get("text")))
            self._under_way.add(task)
            task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._slots.release()

    async def _answer(self, text: str | None) -> None:
        request_id, asks_rest = "", False
        try:
            parsed = parse(text)
            given: Any = parsed.get("id")
            request_id = given if wire.is_request_id(given) else ""
            asks_rest = parsed.get("type") == "request"
            async with self._checking:  # keeps the order of messages, even if the check takes long
                await self._check_caller()
            if not asks_rest and (size := len((text or "").encode())) > BODY_LIMIT_BYTES:
                raise BodyTooLarge(f"{size} bytes")
            message = wire.SocketMessage.model_validate(parsed)
            payload = PAYLOADS[message.type].model_validate(fields_of(message))
            if isinstance(payload, wire.SocketRequest):
                await self._send(await ask(self._websocket.scope, message.id, payload))
                return
            self._here.lifecycle.enter()
            if isinstance(payload, wire.SubscribeRequest):
                await self._subscribe(request_id, payload)
                return
            if isinstance(payload, wire.HostRegister):
                registered = await self._here.hosts.register(payload, over_socket=True)
                self._leases.append(registered.lease)
                await self._send(success(request_id, registered))
                return
            answer, status = success(request_id, await CALLS[message.type](self._here, payload, self._who)), 200
        except ValidationError as error:
            refusal, details = shape_error(error.errors(include_url=False, include_input=False))
            answer, status = failure(request_id, refusal, details), refusal.status
        except AsterError as error:
            answer, status = failure(request_id, error), error.status
        except Exception:
            log.exception("a message failed", extra={"request_id": request_id})
            answer, status = failure(request_id, bug()), bug().status
        await self._send(with_status(status, answer) if asks_rest else answer)

    # -- events ----------------------------------------------------------------------------------------------------

    async def _subscribe(self, request_id: str, wanted: wire.SubscribeRequest) -> None:
        """Start to send events; an earlier subscription ends. Raises: what `EventCalls.watch` raises."""
        after = None if wanted.after is None else str(wanted.after)
        watch = self._here.events.watch(after, wanted.agent_id, wanted.session_id, wanted.types)
        # The cursor is set now, so events caused by the client's next messages are not missed.
        watch = self._here.events.from_now(watch)
        async with self._subscribing:
            if self._stream is not None:
                self._stream.cancel()
                await asyncio.wait([self._stream])
            await self._send(success(request_id, wire.Subscribed(after=watch.after or 0)))
            self._stream = asyncio.get_running_loop().create_task(self._follow(watch))

    async def _follow(self, watch: Watch) -> None:
        events = self._here.events.follow(watch)
        try:
            async with aclosing(events):
                async for item in events:
                    if not await self._send(*([item] if isinstance(item, Transient) else item)):
                        return
        except StoreError as error:
            log.warning("a subscription ended: %s", error.message)
            self._over.set()  # the client can resume from its cursor

    async def _send(self, *messages: bytes | Transient | Event) -> bool:
        """Send these in order; returns False if the client is gone or does not read."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                for one in messages:
                    await self._websocket.send_text((one if isinstance(one, bytes) else one.json).decode())
                await asyncio.sleep(0)  # lets other tasks run during a long replay
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            self._over.set()  # disconnected, or not reading; the client can resume from its cursor
            return False
        return True


def parse(text: str | None) -> dict[str, Any]:
    """Parse a message as a JSON object. Raises: MalformedBody, InvalidShape."""
    if text is None:
        raise MalformedBody("the message is binary", hint="send JSON as text")
    try:
        parsed = parse_json(text)
    except ValueError as error:
        raise MalformedBody("the message is not valid JSON") from error
    if not isinstance(parsed, dict):
        raise InvalidShape("the message is not a JSON object", hint='send {"id": "…", "type": "…", "payload": {…}}')
    return parsed  # pyright: ignore[reportUnknownVariableType]


def fields_of(message: wire.SocketMessage) -> dict[str, Any]:
    """The payload, with the message's `agent_id` if the payload takes one. Raises: InvalidShape."""
    fields = dict(message.payload)
    if message.agent_id is None or "agent_id" not in PAYLOADS[message.type].model_fields:
        return fields
    if fields.setdefault("agent_id", message.agent_id) != message.agent_id:
        raise InvalidShape("agent_id: the message names one agent and its payload another")
    return fields


# -- any REST call -----------------------------------------------------------------------------------------------------

KEPT = frozenset((b"host", b"origin", b"authorization", b"user-agent", b"sec-fetch-site", b"sec-fetch-mode"))
"""Headers of the handshake that are copied to each request over the socket."""


def with_status(status: int, envelope: bytes) -> bytes:
    """The envelope with the status code of HTTP added."""
    return b'{"status":%d,%s' % (status, envelope[1:])


async def ask(socket: Scope, request_id: str, wanted: wire.SocketRequest) -> bytes:
    """The answer of REST to a client's request over this socket, which passes the gate like any HTTP request.

    Raises: InvalidShape when the answer is not JSON, TokenRefused when the browser is signed out meanwhile.
    """
    body = b"" if "body" not in wanted.model_fields_set else json.dumps(wanted.body, ensure_ascii=False).encode()
    exchange = Exchange(body)
    app: ASGIApp = socket["state"]["outer_app"]
    await exchange.run(app, scope_of(socket, request_id, wanted, len(body)))
    if exchange.status is None and exchange.is_json:
        raise TokenRefused("the browser was signed out")
    body = exchange.body
    if exchange.status is None or not body.startswith(b'{"id":'):
        raise InvalidShape(
            f"path: {wanted.method} {wanted.path[:200]} is not answered with an envelope",
            hint="use `subscribe` for events; fetch files and /health over HTTP",
        )
    return with_status(exchange.status, body)


def scope_of(socket: Scope, request_id: str, wanted: wire.SocketRequest, length: int) -> Scope:
    """The ASGI scope that the request would have over HTTP on the socket's connection."""
    headers = [pair for pair in socket["headers"] if pair[0] in KEPT]
    headers.append((b"x-request-id", request_id.encode()))
    if length:
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
    if wanted.client is not None:
        headers.append((b"x-aster-client", wanted.client.encode("latin-1", "replace")))
    else:
        headers += [pair for pair in socket["headers"] if pair[0] == b"x-aster-client"]
    query = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in wanted.query.items()
        if value is not None
    }
    return {
        "type": "http",
        "asgi": socket["asgi"],
        "http_version": "1.1",
        "method": wanted.method,
        "scheme": "http",
        "path": unquote(wanted.path),
        "raw_path": wanted.path.encode(),
        "query_string": urlencode(query).encode(),
        "root_path": "",
        "headers": headers,
        "client": socket["client"],
        "server": socket["server"],
        "state": {name: value for name, value in socket["state"].items() if name in ("peer", "over_socket")},
        "extensions": {},
    }


class Exchange:
    """Runs one request through the ASGI application and collects its answer, unless that is not JSON."""

    def __init__(self, body: bytes) -> None:
        self._requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._pieces: list[bytes] = []
        self._refused = asyncio.Event()
        self.status: int | None = None
        """None: no answer, because the browser was signed out or the answer is not JSON."""
        self.is_json = True

    @property
    def body(self) -> bytes:
        return b"".join(self._pieces)

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        loop = asyncio.get_running_loop()
        work, end = loop.create_task(self._call(app, scope)), loop.create_task(self._refused.wait())
        try:
            await asyncio.wait((work, end), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            end.cancel()

    async def _call(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            if self.status is None:
                raise
            log.exception("a request failed", extra={"request_id": scope["state"].get("request_id")})

    async def _receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        return await asyncio.get_running_loop().create_future()  # no disconnect: the call is finished in any case

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_json = dict(message["headers"]).get(b"content-type", b"").startswith(b"application/json")
            if not self.is_json:
                self._refused.set()
                await asyncio.get_running_loop().create_future()  # until it is cancelled
            self.status = message["status"]
        else:
            self._pieces.append(message.get("body", b""))


# -- message type → API call -------------------------------------------------------------------------------------------


async def _get_config(here: Calls, _: Any, who: str) -> BaseModel:
    return here.settings.view()


CALLS: Mapping[str, Callable[[Calls, Any, str], Awaitable[BaseModel]]] = {
    "chat": lambda here, body, who: here.conversations.chat(body),
    "cancel": lambda here, body, who: here.conversations.cancel(body),
    "approve": lambda here, body, who: here.policy.approve(body, who),
    "answer": lambda here, body, who: here.questions.answer(body, who),
    "host_accept": lambda here, body, who: here.hosts.accept(body.host_id, body),
    "host_result": lambda here, body, who: here.hosts.finish(body.host_id, body),
    "host_progress": lambda here, body, who: here.hosts.progress(body.host_id, body),
    "host_leave": lambda here, body, who: here.hosts.leave(body.host_id, body),
    "get_status": lambda here, body, who: here.conversations.status(body.agent_id, body.session_id),
    "get_history": lambda here, body, who: here.conversations.history(
        body.agent_id, body.session_id, body.before, body.limit
    ),
    "clear_history": lambda here, body, who: here.conversations.clear_history(body.agent_id, body.session_id),
    "get_config": _get_config,
    "set_config": lambda here, body, who: here.settings.change(body),
}
