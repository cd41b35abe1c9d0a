"""The responses of the gate: headers for every response, CORS headers, answers to preflights, and refusals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from aster_sidecar.errors import AsterError, BadRequest, TokenRefused
from aster_sidecar.http.request_head import Headers, Pair, values

# CORP governs only loads that need no permission (img, script, no-cors fetch), never a CORS fetch or an EventSource.
# So `same-origin` costs an app's page nothing, and keeps responses out of the process of a foreign page.
_ALWAYS: tuple[Pair, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"Origin"),
)
# A route can't set these: its values are dropped, and with them every `*` or Access-Control-Allow-Credentials.
_OWNED = frozenset(name for name, _ in _ALWAYS if name != b"vary") | {b"x-request-id"}
_PREFLIGHT: tuple[Pair, ...] = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, last-event-id, x-aster-client, x-filename, x-request-id",
    ),
    (b"access-control-max-age", b"600"),
)


def with_headers(send: Send, request_id: str, origin: bytes | None) -> Send:
    """A `send` that adds the gate's headers to each response; CORS headers only for `origin`, the allowed one."""

    async def answer(message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" or kind == "websocket.http.response.start":
            message = {**message, "headers": _headers(message.get("headers", ()), request_id, origin)}
        elif kind == "websocket.accept":
            message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", request_id.encode())]}
        await send(message)

    return answer


def _headers(given: Iterable[Pair], request_id: str, origin: bytes | None, *, keep_cors: bool = False) -> list[Pair]:
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


async def answer_preflight(send: Send, headers: Headers, request_id: str, origin: bytes) -> None:
    """Allow a CORS request of an allowed origin."""
    answer = _headers(_PREFLIGHT, request_id, origin, keep_cors=True)
    if values(headers, b"access-control-request-private-network") == [b"true"]:
        answer.append((b"access-control-allow-private-network", b"true"))
    await send({"type": "http.response.start", "status": 204, "headers": answer})
    await send({"type": "http.response.body", "body": b""})


async def refuse(refusal: AsterError, request_id: str, scope: Scope, receive: Receive, answer: Send) -> None:
    """Answer a request or a WebSocket handshake with the error envelope, or close the WebSocket with 1008."""
    if scope["type"] == "http":
        await send_refusal(answer, refusal, request_id)
        return
    await receive()  # websocket.connect: nothing may be sent before it
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await send_refusal(answer, refusal, request_id, "websocket.http.response")
    else:
        await answer({"type": "websocket.close", "code": 1008, "reason": refusal.code})


async def send_refusal(answer: Send, refusal: AsterError, request_id: str, kind: str = "http.response") -> None:
    """Send the error envelope as a whole response; `kind` is the prefix of its ASGI messages."""
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
    elif isinstance(refusal, BadRequest):  # where the body ends is in doubt: read nothing more from this connection
        headers.append((b"connection", b"close"))
    await answer({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await answer({"type": f"{kind}.body", "body": body, "more_body": False})
