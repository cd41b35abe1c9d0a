"""Requests and responses as the browser's proxy reads and writes them: HTTP/1, one request on each connection."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.web.urls import Target, parse

HEAD_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
LINE_BYTES = 4096
"""The longest line with the size of a chunk, or in a trailer."""

Headers = list[tuple[str, str]]

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FOR_ONE_HOP = frozenset(
    ("connection", "proxy-connection", "keep-alive", "proxy-authorization", "proxy-authenticate", "te", "upgrade")
)
"""Headers that concern one connection, and are not forwarded. `Upgrade` is one of them: WebSockets use CONNECT."""


class Refused(Exception):
    """A request that is answered with an error. `title` says what happened, `why` gives the reason."""

    def __init__(self, status: int, title: str, why: str) -> None:
        super().__init__(f"{title}: {why}")
        self.status = status
        self.title = title
        self.why = why


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request. `path` is empty for CONNECT."""

    method: str
    target: Target
    path: str
    headers: Headers

    def head(self, *, absolute: bool, authorization: str | None = None) -> bytes:
        """The head to send on: to the server, or (`absolute`) to another proxy, with `authorization` for it."""
        place = f"http://{self.target.authority}{self.path}" if absolute else self.path
        # RFC 9112, 3.2.2: the target counts, not the Host that came with it.
        headers = [("Host", self.target.authority), *_forwarded(self.headers, "host"), ("Connection", "close")]
        if authorization is not None:
            headers.append(("Proxy-Authorization", authorization))
        return _written(f"{self.method} {place} HTTP/1.1", headers)


@dataclass(frozen=True, slots=True)
class Response:
    """The head of a response."""

    status: int
    reason: str
    headers: Headers

    def head(self) -> bytes:
        closing: Headers = [] if self.status < 200 else [("Connection", "close")]
        return _written(f"HTTP/1.1 {self.status} {self.reason}", [*_forwarded(self.headers), *closing])

    def has_body(self, method: str) -> bool:
        return method != "HEAD" and self.status >= 200 and self.status not in (204, 304)


# -- heads -------------------------------------------------------------------------------------------------------------


async def read_head(reader: asyncio.StreamReader) -> tuple[str, Headers]:
    """The first line and the headers of a message.

    `reader` must have the limit `HEAD_BYTES`. Raises: EOFError without any bytes, Refused for a malformed head.
    """
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused(431, "Request too large", f"the headers are larger than {HEAD_BYTES >> 10} KiB") from None
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            raise EOFError from None
        raise Refused(400, "Not a request", "the headers are incomplete") from None
    line, *fields = data[:-4].decode("latin-1").split("\r\n")
    headers: Headers = []
    for field in fields:
        found = re.fullmatch(rf"({_TOKEN}):[ \t]*([^\r\n\0]*?)[ \t]*", field)
        if found is None:
            raise Refused(400, "Not a request", "a header is malformed")
        headers.append((found[1], found[2]))
    return line, headers


def values(headers: Headers, name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]


def request_of(line: str, headers: Headers) -> Request:
    """Raises: Refused for anything but CONNECT with a port, and http:// in absolute form."""
    found = re.fullmatch(rf"({_TOKEN}) ([!-~]+) HTTP/1\.[01]", line)
    if found is None:
        raise Refused(400, "Not a request", "the first line is not one of HTTP/1.1 to a proxy")
    method, place = found[1], found[2]
    try:
        if method == "CONNECT":
            if not re.fullmatch(r"[^/?#]+:\d{1,5}", place):
                raise Refused(400, "Not a request", "CONNECT needs a host and a port")
            return Request(method, parse(f"https://{place}"), "", headers)
        parts = re.fullmatch(r"http://([^/?#]*)([/?][^#]*)?", place, re.IGNORECASE)
        if parts is None:
            raise Refused(400, "Not a request", "the address must begin with http://, as in requests to a proxy")
        path = parts[2] or "/"
        return Request(method, parse(f"http://{parts[1]}"), path if path.startswith("/") else f"/{path}", headers)
    except ToolError as error:
        raise Refused(400, "Not an address", str(error)) from None


async def read_response(reader: asyncio.StreamReader) -> Response:
    """The next head of a response. Raises: Refused, EOFError."""
    try:
        line, headers = await read_head(reader)
    except Refused as error:
        raise Refused(502, "No answer", f"the server's answer can't be read: {error.why}") from None
    found = re.fullmatch(r"HTTP/1\.[01] ([1-9]\d\d)(?: ([\t -~\x80-\xff]*))?", line)
    if found is None:
        raise Refused(502, "No answer", "the server does not speak HTTP")
    return Response(int(found[1]), found[2] or "", headers)


def _forwarded(headers: Headers, *others: str) -> Headers:
    named = {name.strip().lower() for value in values(headers, "connection") for name in value.split(",")}
    left_out = _FOR_ONE_HOP | named | frozenset(others)
    # These say where the body ends: no other header may remove them.
    left_out -= {"content-length", "transfer-encoding"}
    return [(name, value) for name, value in headers if name.lower() not in left_out]


def _written(line: str, headers: Headers) -> bytes:
    return "\r\n".join((line, *(f"{name}: {value}" for name, value in headers), "", "")).encode("latin-1")


# -- bodies ------------------------------------------------------------------------------------------------------------


Take = Callable[[bytes], Awaitable[None]]


async def copy_body(headers: Headers, reader: asyncio.StreamReader, take: Take, *, to_the_end: bool) -> None:
    """Give the bytes of a body to `take`, as they are: chunked, with a length, or (`to_the_end`) until EOF.

    Without any of these there is no body. Raises: Refused when its end is ambiguous or comes too early.
    """
    codings, lengths = values(headers, "transfer-encoding"), values(headers, "content-length")
    if codings:
        if lengths or [coding.lower() for coding in codings] != ["chunked"]:
            raise Refused(400, "Not a request", "it is not clear where the body ends")
        await _copy_chunks(reader, take)
    elif lengths:
        if len(set(lengths)) > 1 or not re.fullmatch(r"\d{1,18}", lengths[0]):
            raise Refused(400, "Not a request", "the length of the body is not a number")
        await _copy_bytes(reader, int(lengths[0]), take)
    elif to_the_end:
        while chunk := await reader.read(CHUNK_BYTES):
            await take(chunk)


async def _copy_bytes(reader: asyncio.StreamReader, count: int, take: Take) -> None:
    while count:
        chunk = await reader.read(min(count, CHUNK_BYTES))
        if not chunk:
            raise Refused(400, "Not a request", "the body is incomplete")
        count -= len(chunk)
        await take(chunk)


async def _copy_chunks(reader: asyncio.StreamReader, take: Take) -> None:
    while True:
        line = await _line(reader)
        found = re.fullmatch(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n", line)
        if found is None:
            raise Refused(400, "Not a request", "the size of a chunk is not a number")
        await take(line)
        size = int(found[1], 16)
        if size == 0:
            break
        await _copy_bytes(reader, size, take)
        end = await _line(reader)
        if end != b"\r\n":
            raise Refused(400, "Not a request", "a chunk is longer than its size")
        await take(end)
    trailers = 0
    while True:
        line = await _line(reader)
        trailers += len(line)
        if trailers > HEAD_BYTES:
            raise Refused(400, "Not a request", "the trailer is too long")
        await take(line)
        if line == b"\r\n":
            return


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        line = b""
    if not line.endswith(b"\r\n") or len(line) > LINE_BYTES:
        raise Refused(400, "Not a request", "the body is incomplete")
    return line


# -- error pages -------------------------------------------------------------------------------------------------------


def error_page(status: int, title: str, why: str, *, challenge: str | None = None, head: bool = False) -> bytes:
    """A whole response that says why there is no other; `challenge` names the authentication that is asked for."""
    text = f"{title}: {why}." if why else f"{title}."
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>"
        "<p>This answer is from Aster Sidecar, through which this browser reaches the network.</p></html>\n"
    ).encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(page))),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'"),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "close"),
    ]
    if challenge is not None:
        headers.append(("Proxy-Authenticate", challenge))
    return _written(f"HTTP/1.1 {status} {title}", headers) + (b"" if head else page)
