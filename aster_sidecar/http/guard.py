"""Who gets in: the first thing any request or WebSocket handshake meets, before routing. `guard → routes → …`.

The checks in order, cheapest and most telling first: target and Host, Origin, preflight, token, fetch site, peer, body.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import os
import re
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias
from urllib.parse import unquote

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aster_sidecar.errors import (
    AsterError,
    BadRequest,
    BodyTooLarge,
    HostAmbiguous,
    HostRefused,
    OriginRefused,
    PeerRefused,
    TokenRefused,
    WrongMediaType,
)
from aster_sidecar.http.peer_credentials import Credentials, Peers

Framework: TypeAlias = Literal["tauri", "electron", "wails", "web"]
Pair: TypeAlias = tuple[bytes, bytes]
Seen: TypeAlias = dict[bytes, list[bytes]]

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 1024 * 1024
MESSAGE_LIMIT_BYTES = 2 * BODY_LIMIT_BYTES
"""The longest message of a WebSocket: room for a body that is too large, so that it is refused as one over HTTP is."""
SUBPROTOCOL = "aster.1"
"""What a page's WebSocket offers beside its bearer, and what is selected: never the bearer."""
SIGNED_OUT = 4401
"""The code that a WebSocket is closed with when the browser that opened it is signed out."""
REDEEM_PATH = "/api/handoff/redeem"
"""Needs no token: the code in its body is one."""
_ECHO_LIMIT = 100
_TOLD_ORIGINS = 20
"""Refused origins that are told to the person at the terminal, each once; the rest only to whoever asks."""
_PLAIN_ORIGIN = re.compile(rb"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
_LOOPBACK_ORIGIN = re.compile(rb"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_BEARER_OFFER = b"aster.bearer."
_GOODBYE_S = 1.0
"""How long a close frame may take to be written."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

# Source: guarantees.md 2.3. Electron 9's file:// preload sends no Origin at all; some versions name `file://`.
_PAGE_ORIGINS: dict[Framework, tuple[str, ...]] = {
    "tauri": ("tauri://localhost", "http://tauri.localhost", "https://tauri.localhost"),
    "electron": ("aster-app://app", "file://"),
    "wails": ("wails://wails", "wails://wails.localhost", "http://wails.localhost"),
    "web": (),
}
_READ = frozenset(
    (
        b"host",
        b"origin",
        b"authorization",
        b"content-type",
        b"content-length",
        b"transfer-encoding",
        b"sec-fetch-site",
        b"sec-fetch-mode",
        b"sec-websocket-protocol",
        b"x-request-id",
        b"access-control-request-method",
        b"access-control-request-private-network",
    )
)
# On every answer. CORP only governs loads that ask for no permission (img, script, no-cors fetch), never a CORS fetch
# or an EventSource, so `same-origin` costs an app's page nothing and keeps answers out of a foreign page's process.
_ALWAYS: tuple[Pair, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"Origin"),
)
# Decided here alone: what a route sets under these names is dropped, and with it any `*` or Allow-Credentials.
_OWNED = frozenset(name for name, _ in _ALWAYS if name != b"vary") | {b"x-request-id"}
_PREFLIGHT: tuple[Pair, ...] = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type, last-event-id, x-aster-client, x-request-id"),
    (b"access-control-max-age", b"600"),
)


class SignedIn(Protocol):
    """A browser that a handoff signed in; what it has open ends when it is revoked."""

    @property
    def revoked(self) -> asyncio.Event: ...


class Kin(Protocol):
    """Tells who descends from this daemon (`peer_ancestry.py`)."""

    def alone(self) -> bool: ...
    async def of_socket(self, inode: int) -> Literal["ours", "other", "unknown"]: ...
    def of_process(self, pid: int, started: float | None) -> Literal["ours", "other", "unknown"]: ...


@dataclass(frozen=True, slots=True)
class Gate:
    """What is let in; plain values, built by daemon/wiring.py.

    `token` None means that the launcher gave none: programs of this user are then answered (guarantees.md 2.2).
    `port` is the port actually bound, asked at every request. `allow_origins` are exact origins; `null` is never one.
    `check_peer` has the client's uid checked on Linux when there is no token. `kin` says whether who connected descends
    from the daemon, as a tool's process does, however it hides; without it nobody is asked. `is_page` names the files
    of the UI, which hold nobody's data and need no token; `find_signed_in` finds the browser that a handoff gave these
    credentials.
    """

    framework: Framework
    token: str | None
    port: Callable[[], int]
    allow_origins: tuple[str, ...] = ()
    check_peer: bool = True
    kin: Kin | None = None
    is_page: Callable[[str], bool] = lambda path: False
    find_signed_in: Callable[[bytes], SignedIn | None] = lambda credentials: None


class Guard:
    """ASGI middleware that refuses, with the JSON envelope, whatever may not come in, and dresses every answer.

    The daemon's own origins (http://127.0.0.1:PORT, localhost, [::1]) are listed under every framework, not only
    `web`: a handoff opens a page of the daemon in the browser whatever the shell is. Only the daemon itself can serve
    a page there, so listing them lets nobody else in.

    The server in front must not believe forwarded headers (uvicorn: `proxy_headers=False`): it would put what a client
    wrote in the place of the client's address, and the peer check would look up the wrong process.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        """Raises: ValueError for an empty token, which would be no token that looks like one."""
        if gate.token == "":
            raise ValueError("an empty token protects nothing; pass None for none")
        self.app = app
        self.gate = gate
        self._token = None if gate.token is None else gate.token.encode()
        self._page_origins = frozenset(
            origin.encode()
            for origin in (*_PAGE_ORIGINS[gate.framework], *gate.allow_origins)
            if origin.strip().lower() != "null"
        )
        self._checks_uid = gate.check_peer and gate.token is None
        self._peers = Peers()
        self._told: set[bytes] = set()
        self._port = -1
        self._hosts: frozenset[bytes] = frozenset()
        self._origins: frozenset[bytes] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        self._learn_port()
        seen = _read(scope["headers"])
        request_id = _request_id(seen)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        local = _is_unix_socket(scope)
        origin = None if local else self._listed_origin(seen)
        answer = _dress(send, request_id, origin)
        meter: _Meter | None = None
        try:
            if not local:
                self._check_target(scope, seen)
                self._check_host(seen)
                self._check_origin(seen, origin)
                if _is_preflight(scope, seen) and origin is not None:
                    await _answer_preflight(send, seen, request_id, origin)
                    return
            if scope["type"] == "websocket":
                _move_bearer(scope, seen)
            await self._check_caller(scope, seen)
            if scope["type"] == "http" and _check_body(scope, seen):
                meter = _Meter(receive, answer, request_id, typed=b"content-type" in seen)
        except AsterError as refusal:
            if isinstance(refusal, OriginRefused) and not _is_preflight(scope, seen):
                answer = _dress(send, request_id, _origin_on_this_machine(seen))
            await _refuse(refusal, request_id, scope, receive, answer)
            return
        if scope["type"] == "websocket":
            state["check_caller"] = lambda: self._check_caller(scope, seen)
            state.setdefault("outer_app", self)
            state["over_socket"] = True
        run = self.app(scope, receive, answer) if meter is None else meter.run(self.app, scope)
        signed_in: SignedIn | None = state.get("signed_in")
        if signed_in is None:
            await run
        elif not await _unless(signed_in.revoked, run) and scope["type"] == "websocket":
            # The client may have hung up, or read nothing any more: then it is hung up on without a word.
            with contextlib.suppress(OSError, RuntimeError):
                async with asyncio.timeout(_GOODBYE_S):
                    await answer({"type": "websocket.close", "code": SIGNED_OUT, "reason": "signed out"})

    async def _check_caller(self, scope: Scope, seen: Seen) -> None:
        """Who asks: the token, then the program. An open WebSocket is asked again with each message.

        Raises: TokenRefused, OriginRefused, PeerRefused.
        """
        bearer = self._check_token(scope, seen)
        if _is_unix_socket(scope):
            self._check_credentials(scope)
            return
        if not bearer:
            self._check_fetch_site(seen)
        await self._check_peer(scope)

    def _learn_port(self) -> None:
        port = self.gate.port()
        if port != self._port:
            hosts = [f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost", "[::1]")]
            self._hosts = frozenset(hosts)
            self._origins = self._page_origins.union(b"http://" + host for host in hosts)
            self._port = port

    def _check_target(self, scope: Scope, seen: Seen) -> None:
        """Turn an absolute-form target whose authority is the Host into a path; refuse every other non-path.

        uvicorn's h11 hands the whole URL on as the path; its httptools drops the authority before anyone sees it,
        which the exact Host rule makes harmless.
        """
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        if raw.startswith(b"/"):
            return
        scheme, _, rest = raw.partition(b"://")
        authority, slash, path = rest.partition(b"/")
        agrees = [host.lower() for host in _all(seen, b"host")] == [authority.lower()]
        if scheme.lower() != b"http" or not agrees:
            raise HostRefused(f"the request target is no path of this daemon: {_show(raw)}")
        scope["raw_path"] = b"/" + path if slash else b"/"
        scope["path"] = unquote(scope["raw_path"].decode("latin-1"))

    def _check_host(self, seen: Seen) -> None:
        hosts = _all(seen, b"host")
        if len(hosts) != 1:
            raise HostAmbiguous("no Host header" if not hosts else f"{len(hosts)} Host headers")
        if hosts[0].lower() not in self._hosts:
            raise HostRefused(f"not a host of this daemon: {_show(hosts[0])}")

    def _listed_origin(self, seen: Seen) -> bytes | None:
        origins = _all(seen, b"origin")
        return origins[0] if len(origins) == 1 and origins[0] in self._origins else None

    def _check_origin(self, seen: Seen, listed: bytes | None) -> None:
        origins = _all(seen, b"origin")
        if not origins or listed is not None:
            return
        if len(origins) > 1:
            raise OriginRefused(f"{len(origins)} Origin headers")
        if _PLAIN_ORIGIN.fullmatch(origins[0]) is None or len(origins[0]) > _ECHO_LIMIT:
            raise OriginRefused(f"origin not listed: {_show(origins[0])}")
        origin = origins[0].decode("ascii")
        if origins[0] not in self._told and len(self._told) < _TOLD_ORIGINS:
            self._told.add(origins[0])
            log.warning("refused a page of %s; to let it in, start the daemon with --allow-origin %s", origin, origin)
        raise OriginRefused(
            f"origin not listed: {origin!r}", hint=f"start the daemon with --allow-origin {origin} to let its pages in"
        )

    def _check_token(self, scope: Scope, seen: Seen) -> bool:
        """Whether the request brought the token, or one that a browser was handed. What is public may do without."""
        if self._token is None:
            return False
        sent = _all(seen, b"authorization")
        if len(sent) == 1:
            scheme, _, credentials = sent[0].partition(b" ")
            if scheme.lower() == b"bearer":
                credentials = credentials.lstrip(b" ")
                # As a subprotocol only what a handoff gave a page counts: the launcher's token belongs into no page.
                if "sent_by_page" not in scope["state"] and hmac.compare_digest(credentials, self._token):
                    return True
                scope["state"]["signed_in"] = self.gate.find_signed_in(credentials)
                if scope["state"]["signed_in"] is not None:
                    return True
        # `path` and not `raw_path`: what the router compares must be what is let through here.
        if scope["type"] == "http" and self._is_public(scope["method"], scope["path"]):
            return False
        raise TokenRefused("the token is missing" if not sent else "the token is wrong, or not one Bearer token")

    def _is_public(self, method: str, path: str) -> bool:
        if method in ("GET", "HEAD"):
            return path == "/health" or self.gate.is_page(path)
        return method == "POST" and path == REDEEM_PATH

    def _check_fetch_site(self, seen: Seen) -> None:
        """Refuse what a browser sends for a foreign page without naming it: no-cors fetches, images, links, frames.

        Electron's file:// preload looks the same but for mode `cors`, and a web page's cors request has an Origin.
        """
        if b"origin" in seen:
            return
        for site in _all(seen, b"sec-fetch-site"):
            if site not in (b"none", b"same-origin"):
                if self.gate.framework == "electron" and _all(seen, b"sec-fetch-mode") == [b"cors"]:
                    continue
                raise OriginRefused(f"a browser sent this for another site's page: Sec-Fetch-Site {_show(site)}")

    def _check_credentials(self, scope: Scope) -> None:
        """Refuse other users and a tool's own process on the Unix socket. sockets.py notes who connected."""
        peer: Credentials | None = scope.get("state", {}).get("peer")
        if peer is None:
            raise PeerRefused("nobody can say whose program connected")
        if peer.uid != os.geteuid():
            raise PeerRefused(f"the connecting program runs as another user (uid {peer.uid})")
        kin = self.gate.kin
        if kin is not None and not kin.alone():
            _refuse_kin(kin.of_process(peer.pid, peer.started), strict=True)

    async def _check_peer(self, scope: Scope) -> None:
        """Refuse other users (without a token) and, always, whoever descends from the daemon: a tool's own process.

        Asked anew for every request: an answer kept for the connection's life would outlive a socket that was handed
        to, or inherited by, a tool. Without a token it has to be found whose socket it is; a token is a proof itself.
        What comes over an open WebSocket has met the uid check at its handshake: it counts also when the client has
        hung up behind it, as long as no tool could have sent it.
        """
        if sys.platform != "linux":
            return
        kin = self.gate.kin
        if kin is not None and kin.alone():
            kin = None
        checks_uid = self._checks_uid and "over_socket" not in scope["state"]
        if kin is None and not checks_uid:
            return
        client, server = scope.get("client"), scope.get("server")
        peer = self._peers.find((client[0], client[1]), (server[0], server[1])) if client and server else None
        if peer is None:
            raise PeerRefused("the connecting program is gone, so nobody can say whose it was")
        if checks_uid and peer.uid != os.geteuid():
            raise PeerRefused(f"the connecting program runs as another user (uid {peer.uid})")
        if kin is not None:
            _refuse_kin(await kin.of_socket(peer.inode), strict=self._token is None)


def _refuse_kin(answer: Literal["ours", "other", "unknown"], *, strict: bool) -> None:
    """Raises: PeerRefused."""
    if answer == "ours":
        raise PeerRefused("a tool's own process may not call the daemon")
    if answer == "unknown" and strict:
        raise PeerRefused(
            "while a tool, an MCP server or a service runs, it must be seen which program connects, and this one hides",
            hint="start the daemon with a token, which is proof enough: ASTER_SIDECAR_TOKEN",
        )


async def _unless(revoked: asyncio.Event, run: Awaitable[None]) -> bool:
    """Run it until it ends, or whoever asked for it is signed out; whether it ended by itself."""
    work, end = asyncio.ensure_future(run), asyncio.ensure_future(revoked.wait())
    try:
        await asyncio.wait((work, end), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
            return True
        work.cancel()
        await asyncio.wait((work,))
        return False
    finally:
        work.cancel()
        end.cancel()


def _move_bearer(scope: Scope, seen: Seen) -> None:
    """Move the bearer of a page's handshake from the offered subprotocols to where the token of others is.

    A page can't set a header of its WebSocket; what it can send is `aster.1, aster.bearer.TOKEN`. Behind this nobody
    sees the token among the subprotocols, so it is neither selected nor logged as one. Raises: TokenRefused.
    """
    offers = [offer.strip(b" \t") for value in _all(seen, b"sec-websocket-protocol") for offer in value.split(b",")]
    bearers = [offer for offer in offers if offer.startswith(_BEARER_OFFER)]
    names = [offer for offer in offers if offer and not offer.startswith(_BEARER_OFFER)]
    scope["subprotocols"] = [name.decode("latin-1") for name in names]
    scope["headers"] = [pair for pair in scope["headers"] if pair[0].lower() != b"sec-websocket-protocol"]
    if not bearers:
        return
    bearer = bearers[0].removeprefix(_BEARER_OFFER)
    if len(bearers) > 1 or not bearer or SUBPROTOCOL.encode() not in names or b"authorization" in seen:
        raise TokenRefused(
            "the subprotocols bring no usable bearer",
            hint="offer aster.1 and one aster.bearer.TOKEN, and send no Authorization header beside them",
        )
    scope["headers"].append((b"authorization", b"Bearer " + bearer))
    seen[b"authorization"] = [b"Bearer " + bearer]
    scope["state"]["sent_by_page"] = True


def _check_body(scope: Scope, seen: Seen) -> bool:
    """Refuse a body that is not JSON or too large; whether its length is unannounced, so that it must be counted.

    Whatever the method: a body on a GET is as good a place to hide one. Content-Length itself was checked by the
    server, which would have read a wrong number of bytes otherwise.
    """
    lengths, codings = _all(seen, b"content-length"), _all(seen, b"transfer-encoding")
    if len(lengths) + len(codings) > 1:  # RFC 9112, 6.1: two lengths for one body is how requests are smuggled
        raise BadRequest("more than one length for one body", hint="send one Content-Length or Transfer-Encoding")
    if codings and codings[0].lower() != b"chunked":
        raise BadRequest(f"not a Transfer-Encoding served here: {_show(codings[0])}", hint="send chunked, or nothing")
    if lengths and not (lengths[0].isdigit() and len(lengths[0]) <= 20):
        raise BadRequest(f"not a Content-Length: {_show(lengths[0])}", hint="send the body's length in bytes")
    length = int(lengths[0]) if lengths else 0
    unannounced = bool(codings) or (not lengths and not scope.get("http_version", "1.1").startswith("1."))
    if not length and not unannounced:
        return False
    types = _all(seen, b"content-type")
    if types != [b"application/json"] and (types or length) and not _is_json(types):
        raise WrongMediaType("a body needs one Content-Type" if len(types) != 1 else f"not JSON: {_show(types[0])}")
    if length > BODY_LIMIT_BYTES:
        raise BodyTooLarge(f"{length} bytes")
    return unannounced


def _is_json(types: list[bytes]) -> bool:
    if len(types) != 1:
        return False
    media_type, *parameters = types[0].lower().split(b";")
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            return False
    return media_type.strip() == b"application/json"


class _Meter:
    """Counts a body of unannounced length as the app reads it, and answers in the app's place when it goes wrong.

    It answers itself instead of raising into the app because frameworks take an exception out of `receive` for a
    parse error of their own (FastAPI: 400). The app is told that the client left, and what it says then is dropped.
    """

    def __init__(self, receive: Receive, send: Send, request_id: str, *, typed: bool) -> None:
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._typed = typed
        self._taken_bytes = 0
        self._started = False
        self._refused = False
        self._answered = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self.receive, self.send)
        except ClientDisconnect:
            if not self._refused:
                raise

    async def receive(self) -> Message:
        if not self._refused:
            message = await self._receive()
            refusal = self._count(message)
            if refusal is None:
                return message
            self._refused = True
            if not self._started:
                self._answered = True
                await _send_refusal(self._send, refusal, self._request_id, "http.response")
        return {"type": "http.disconnect"}

    def _count(self, message: Message) -> AsterError | None:
        body = message.get("body", b"")
        self._taken_bytes += len(body)
        if body and not self._typed:
            return WrongMediaType("a body needs one Content-Type")
        if self._taken_bytes > BODY_LIMIT_BYTES:
            return BodyTooLarge(f"more than {BODY_LIMIT_BYTES} bytes")
        return None

    async def send(self, message: Message) -> None:
        if not self._answered:
            self._started = True
            await self._send(message)


def _read(headers: Iterable[Pair]) -> Seen:
    """The headers that decide something, each with all its values: a doubled one is itself a reason to refuse."""
    seen: Seen = {}
    for name, value in headers:
        name = name.lower()  # ASGI promises lower case; an Origin missed for its spelling would be a hole
        if name in _READ:
            # The space around a value is not part of it (RFC 9110, 5.5); h11 takes it off, httptools only before it.
            seen.setdefault(name, []).append(value.strip(b" \t"))
    return seen


def _all(seen: Seen, name: bytes) -> list[bytes]:
    return seen.get(name, [])


def _origin_on_this_machine(seen: Seen) -> bytes | None:
    """The origin of a page on this machine, which may read why it is refused; None for any other.

    A developer's page on another port would otherwise see a failed request without a reason, as if there were no
    daemon. What it reads is the refusal alone, which it could have written itself.
    """
    origins = _all(seen, b"origin")
    return origins[0] if len(origins) == 1 and _LOOPBACK_ORIGIN.fullmatch(origins[0]) else None


def _is_unix_socket(scope: Scope) -> bool:
    """Whether this came over `--uds`: no Host or Origin to check there, and no browser that could send one.

    The directory's mode keeps other users out, and the peer's credentials are checked in this branch.
    A missing `client` alone doesn't say so: uvicorn has none either for a TCP client that reset its connection.
    """
    return scope.get("client") is None and scope.get("server") is not None and scope["server"][1] is None


def _request_id(seen: Seen) -> str:
    sent = _all(seen, b"x-request-id")
    if len(sent) == 1 and _REQUEST_ID.fullmatch(sent[0]):
        return sent[0].decode("ascii")
    return "req_" + secrets.token_hex(8)


def _show(header: bytes) -> str:
    return repr(header[:_ECHO_LIMIT].decode("latin-1"))


def _is_preflight(scope: Scope, seen: Seen) -> bool:
    return scope["type"] == "http" and scope["method"] == "OPTIONS" and b"access-control-request-method" in seen


async def _answer_preflight(send: Send, seen: Seen, request_id: str, origin: bytes) -> None:
    headers = _dress_headers(_PREFLIGHT, request_id, origin, keep_cors=True)
    if _all(seen, b"access-control-request-private-network") == [b"true"]:
        headers.append((b"access-control-allow-private-network", b"true"))
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _dress(send: Send, request_id: str, origin: bytes | None) -> Send:
    """`send`, with what every answer carries; CORS headers only for `origin`, the listed one that asked."""

    async def answer(message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" or kind == "websocket.http.response.start":
            message = {**message, "headers": _dress_headers(message.get("headers", ()), request_id, origin)}
        elif kind == "websocket.accept":
            message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", request_id.encode())]}
        await send(message)

    return answer


def _dress_headers(
    given: Iterable[Pair], request_id: str, origin: bytes | None, *, keep_cors: bool = False
) -> list[Pair]:
    headers: list[Pair] = []
    says_caching = False
    for pair in given:
        name = pair[0].lower()
        if name in _OWNED or (name.startswith(b"access-control-") and not keep_cors):
            continue
        says_caching = says_caching or name == b"cache-control"
        headers.append(pair)
    headers += _ALWAYS
    headers.append((b"x-request-id", request_id.encode()))
    if not says_caching:
        headers.append((b"cache-control", b"no-store"))
    if origin is not None:
        headers.append((b"access-control-allow-origin", origin))
        headers.append((b"access-control-expose-headers", b"x-request-id, retry-after"))
    return headers


async def _refuse(refusal: AsterError, request_id: str, scope: Scope, receive: Receive, answer: Send) -> None:
    if scope["type"] == "http":
        await _send_refusal(answer, refusal, request_id, "http.response")
        return
    await receive()  # websocket.connect: nothing may be sent before it
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _send_refusal(answer, refusal, request_id, "websocket.http.response")
    else:
        await answer({"type": "websocket.close", "code": 1008, "reason": refusal.code})


async def _send_refusal(answer: Send, refusal: AsterError, request_id: str, kind: str) -> None:
    envelope: dict[str, Any] = {
        "id": request_id,
        "success": False,
        "error": refusal.message,
        "code": refusal.code,
        "hint": refusal.hint,
    }
    body = json.dumps(envelope, ensure_ascii=True).encode("ascii")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if isinstance(refusal, TokenRefused):
        headers.append((b"www-authenticate", b"Bearer"))
    elif isinstance(refusal, BadRequest):  # its framing is in doubt: nothing more is read from this connection
        headers.append((b"connection", b"close"))
    await answer({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await answer({"type": f"{kind}.body", "body": body, "more_body": False})
