"""What the gate demands of a request's body: one length, JSON, at most 1 MiB."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aster_sidecar.errors import AsterError, BadRequest, BodyTooLarge, WrongMediaType
from aster_sidecar.http.request_head import Headers, quoted, values

BODY_LIMIT_BYTES = 1024 * 1024
FILE_LIMIT_BYTES = 25 * BODY_LIMIT_BYTES
"""The largest body of an upload."""
FILE_PATH = "/api/attachments"
"""The path of uploads: the body of a POST is a file of any type."""
MESSAGE_LIMIT_BYTES = 2 * BODY_LIMIT_BYTES
"""The longest message of a WebSocket. It leaves room for a body above the limit, which is then refused as over HTTP."""
_CONTENT_TYPE_MISSING = "a request with a body needs exactly one Content-Type"


def is_upload(scope: Scope) -> bool:
    """Whether the body of a request is a file."""
    return scope.get("method") == "POST" and scope["path"] == FILE_PATH


def limit_of(scope: Scope) -> int:
    """The most bytes of a request's body."""
    return FILE_LIMIT_BYTES if is_upload(scope) else BODY_LIMIT_BYTES


def check_body(scope: Scope, headers: Headers) -> bool:
    """Refuse a body that is too large or, unless it is an upload, not JSON; for every method.

    Returns whether the body's length is not announced, so that a `BodyMeter` must count it. Raises: BadRequest,
    WrongMediaType, BodyTooLarge.
    """
    lengths, codings = values(headers, b"content-length"), values(headers, b"transfer-encoding")
    if len(lengths) + len(codings) > 1:  # RFC 9112, 6.1: two lengths for one body allow request smuggling
        raise BadRequest(
            "the request states the length of its body more than once",
            hint="send one Content-Length or one Transfer-Encoding",
        )
    if codings and codings[0].lower() != b"chunked":
        raise BadRequest(f"unsupported Transfer-Encoding: {quoted(codings[0])}", hint="send chunked, or omit it")
    if lengths and not (lengths[0].isdigit() and len(lengths[0]) <= 20):
        raise BadRequest(f"invalid Content-Length: {quoted(lengths[0])}", hint="send the body's length in bytes")
    length = int(lengths[0]) if lengths else 0
    unannounced = bool(codings) or (not lengths and not scope.get("http_version", "1.1").startswith("1."))
    if not length and not unannounced:
        return False
    types = values(headers, b"content-type")
    if is_upload(scope):
        pass  # any type; what the client says about it does not count
    elif types != [b"application/json"] and (types or length) and not is_json(types):
        raise WrongMediaType(_CONTENT_TYPE_MISSING if len(types) != 1 else f"not JSON: {quoted(types[0])}")
    if length > limit_of(scope):
        raise BodyTooLarge(f"the body has {length} bytes", hint=too_large_hint(scope))
    return unannounced


def is_json(types: list[bytes]) -> bool:
    """Whether the values of Content-Type are exactly one, and it means JSON in UTF-8."""
    if len(types) != 1:
        return False
    media_type, *parameters = types[0].lower().split(b";")
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            return False
    return media_type.strip() == b"application/json"


def too_large_hint(scope: Scope) -> str:
    """The limit, in words."""
    return f"{'an attachment' if is_upload(scope) else 'a request body'} is at most {limit_of(scope) >> 20} MiB"


class BodyMeter:
    """Counts a body of unannounced length as the app reads it, and refuses the request when it is not allowed.

    It answers by `refuse` instead of raising into the app, because frameworks take an exception from `receive` for a
    parse error (FastAPI answers 400). The app is told that the client disconnected, and what it sends then is dropped.
    `typed`: the request has a Content-Type, or needs none. `limit`: the most bytes.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        refuse: Callable[[AsterError], Awaitable[None]],
        *,
        typed: bool,
        limit: int = BODY_LIMIT_BYTES,
    ) -> None:
        self._receive = receive
        self._send = send
        self._refuse = refuse
        self._typed = typed
        self._limit = limit
        self._taken_bytes = 0
        self._started = False
        self._refused = False
        self._answered = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the app with the metered `receive` and `send`."""
        try:
            await app(scope, self.receive, self.send)
        except ClientDisconnect:
            if not self._refused:
                raise

    async def receive(self) -> Message:
        """The app's `receive`."""
        if not self._refused:
            message = await self._receive()
            refusal = self._count(message)
            if refusal is None:
                return message
            self._refused = True
            if not self._started:
                self._answered = True
                await self._refuse(refusal)
        return {"type": "http.disconnect"}

    def _count(self, message: Message) -> AsterError | None:
        body = message.get("body", b"")
        self._taken_bytes += len(body)
        if body and not self._typed:
            return WrongMediaType(_CONTENT_TYPE_MISSING)
        if self._taken_bytes > self._limit:
            hint = f"it may have at most {self._limit >> 20} MiB"
            return BodyTooLarge(f"the body has more than {self._limit} bytes", hint=hint)
        return None

    async def send(self, message: Message) -> None:
        """The app's `send`."""
        if not self._answered:
            self._started = True
            await self._send(message)
