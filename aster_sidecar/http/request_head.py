"""Reads a request's head for the gate: the headers that decide, its target, and a page's bearer token.

Every header is kept with all its values, because a header that is sent twice is itself a reason to refuse a request.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import unquote

from starlette.types import Scope

from aster_sidecar.errors import HostRefused, TokenRefused

Pair: TypeAlias = tuple[bytes, bytes]
Headers: TypeAlias = dict[bytes, list[bytes]]
"""The values of each header by its name in lower case, in the order in which they were sent."""

SUBPROTOCOL = "aster.1"
"""The WebSocket subprotocol that the daemon selects. A page offers it beside its bearer token."""
_BEARER_OFFER = b"aster.bearer."
QUOTED_BYTES = 100
"""The most bytes of a header's value that a message quotes."""
_LOOPBACK_ORIGIN = re.compile(rb"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
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


def read_headers(pairs: Iterable[Pair]) -> Headers:
    """The headers that the gate looks at; all others are left out."""
    headers: Headers = {}
    for name, value in pairs:
        name = name.lower()  # ASGI promises lower case, but an Origin that we overlook for its spelling would be a hole
        if name in _READ:
            # Space around a value is not part of it (RFC 9110, 5.5). h11 strips it; httptools strips only the front.
            headers.setdefault(name, []).append(value.strip(b" \t"))
    return headers


def values(headers: Headers, name: bytes) -> list[bytes]:
    """All values of a header; empty when it was not sent."""
    return headers.get(name, [])


def quoted(value: bytes) -> str:
    """The beginning of a header's value, as a message may quote it."""
    return repr(value[:QUOTED_BYTES].decode("latin-1"))


def request_id_of(headers: Headers) -> str:
    """The client's X-Request-Id, or a new id when it sent none, several or an unsuitable one."""
    sent = values(headers, b"x-request-id")
    if len(sent) == 1 and _REQUEST_ID.fullmatch(sent[0]):
        return sent[0].decode("ascii")
    return "req_" + secrets.token_hex(8)


def is_unix_socket(scope: Scope) -> bool:
    """Whether the request came over the Unix socket of `--uds`.

    A missing `client` alone does not tell: uvicorn also has none for a TCP client that reset its connection.
    """
    return scope.get("client") is None and scope.get("server") is not None and scope["server"][1] is None


def is_preflight(scope: Scope, headers: Headers) -> bool:
    """Whether the request is a CORS preflight."""
    return scope["type"] == "http" and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers


def loopback_origin(headers: Headers) -> bytes | None:
    """The request's one Origin, if it is an http(s) origin on this machine; otherwise None."""
    origins = values(headers, b"origin")
    return origins[0] if len(origins) == 1 and _LOOPBACK_ORIGIN.fullmatch(origins[0]) else None


def resolve_target(scope: Scope, headers: Headers) -> None:
    """Replace an absolute-form target by its path. Raises: HostRefused unless its authority equals the Host header.

    uvicorn passes the whole URL on as the path when it parses with h11. With httptools it drops the authority before
    the gate can see it; the exact check of the Host header makes that harmless.
    """
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if raw.startswith(b"/"):
        return
    scheme, _, rest = raw.partition(b"://")
    authority, _, path = rest.partition(b"/")
    agrees = [host.lower() for host in values(headers, b"host")] == [authority.lower()]
    if scheme.lower() != b"http" or not agrees:
        raise HostRefused(f"the request target is not a path on this daemon: {quoted(raw)}")
    scope["raw_path"] = b"/" + path
    scope["path"] = unquote(scope["raw_path"].decode("latin-1"))


def move_bearer(scope: Scope, headers: Headers) -> None:
    """Move the bearer token of a page's WebSocket handshake from the subprotocols to the Authorization header.

    A page can't set headers on its WebSocket, so it offers the subprotocols `aster.1, aster.bearer.TOKEN`. The token is
    removed from the offers, so that the server can neither select nor log it. Raises: TokenRefused.
    """
    offers = [
        offer.strip(b" \t") for value in values(headers, b"sec-websocket-protocol") for offer in value.split(b",")
    ]
    bearers = [offer for offer in offers if offer.startswith(_BEARER_OFFER)]
    names = [offer for offer in offers if offer and not offer.startswith(_BEARER_OFFER)]
    scope["subprotocols"] = [name.decode("latin-1") for name in names]
    scope["headers"] = [pair for pair in scope["headers"] if pair[0].lower() != b"sec-websocket-protocol"]
    if not bearers:
        return
    bearer = bearers[0].removeprefix(_BEARER_OFFER)
    if len(bearers) > 1 or not bearer or SUBPROTOCOL.encode() not in names or b"authorization" in headers:
        raise TokenRefused(
            "the offered subprotocols hold no usable bearer token",
            hint="offer aster.1 and one aster.bearer.TOKEN, and send no Authorization header",
        )
    scope["headers"].append((b"authorization", b"Bearer " + bearer))
    headers[b"authorization"] = [b"Bearer " + bearer]
    scope["state"]["sent_by_page"] = True
