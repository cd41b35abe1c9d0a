"""The gate as ASGI middleware: every request and WebSocket handshake passes it before routing. `guard → routes → …`.

Order of the checks: target and Host, Origin, preflight, token, fetch site, connecting program, body.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from aster_sidecar.errors import AsterError, OriginRefused
from aster_sidecar.http.gate import REDEEM_PATH, Checks, Gate, SignedIn
from aster_sidecar.http.gate_responses import answer_preflight, refuse, send_refusal, with_headers
from aster_sidecar.http.request_body import BODY_LIMIT_BYTES, BodyMeter, check_body, is_upload, limit_of
from aster_sidecar.http.request_head import (
    SUBPROTOCOL,
    is_preflight,
    is_unix_socket,
    loopback_origin,
    move_bearer,
    read_headers,
    request_id_of,
    resolve_target,
)

__all__ = ["BODY_LIMIT_BYTES", "REDEEM_PATH", "SUBPROTOCOL", "Gate", "Guard"]

SIGNED_OUT = 4401
"""The close code of a WebSocket when the browser that opened it is signed out."""
_CLOSE_S = 1.0
"""The longest time to write a close frame."""


class Guard:
    """ASGI middleware that refuses what the gate does not allow, and adds the gate's headers to every response.

    The server in front must not trust forwarded headers (uvicorn: `proxy_headers=False`). Otherwise a client could
    choose the address that the check of the connecting program looks up.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        """Raises: ValueError for an empty token."""
        self.app = app
        self._checks = Checks(gate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        checks = self._checks
        checks.update_port()
        headers = read_headers(scope["headers"])
        request_id = request_id_of(headers)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        # No browser can reach the Unix socket, so Host and Origin are not checked there.
        local = is_unix_socket(scope)
        origin = None if local else checks.allowed_origin(headers)
        answer = with_headers(send, request_id, origin)
        meter: BodyMeter | None = None
        try:
            if not local:
                resolve_target(scope, headers)
                checks.check_host(headers)
                checks.check_origin(headers, origin)
                if is_preflight(scope, headers) and origin is not None:
                    await answer_preflight(send, headers, request_id, origin)
                    return
            if scope["type"] == "websocket":
                move_bearer(scope, headers)
            await checks.check_caller(scope, headers)
            if scope["type"] == "http" and check_body(scope, headers):
                meter = BodyMeter(
                    receive,
                    answer,
                    lambda refusal: send_refusal(answer, refusal, request_id),
                    typed=is_upload(scope) or b"content-type" in headers,
                    limit=limit_of(scope),
                )
        except AsterError as refusal:
            if isinstance(refusal, OriginRefused) and not is_preflight(scope, headers):
                # A page on another port of this machine may read why it is refused. Otherwise its developer would see
                # a failed request without a reason. The refusal tells the page nothing that it did not know.
                answer = with_headers(send, request_id, loopback_origin(headers))
            await refuse(refusal, request_id, scope, receive, answer)
            return
        if scope["type"] == "websocket":
            state["check_caller"] = lambda: checks.check_caller(scope, headers)
            state.setdefault("outer_app", self)
            state["over_socket"] = True
        run = self.app(scope, receive, answer) if meter is None else meter.run(self.app, scope)
        signed_in: SignedIn | None = state.get("signed_in")
        if signed_in is None:
            await run
        elif not await _run_until(signed_in.revoked, run) and scope["type"] == "websocket":
            # The client may have disconnected, or may not read any more: then no close frame is sent.
            with contextlib.suppress(OSError, RuntimeError):
                async with asyncio.timeout(_CLOSE_S):
                    await answer({"type": "websocket.close", "code": SIGNED_OUT, "reason": "signed out"})


async def _run_until(revoked: asyncio.Event, run: Awaitable[None]) -> bool:
    """Run to the end, or cancel when `revoked` is set; returns whether `run` ended by itself."""
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
