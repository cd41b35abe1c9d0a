"""Connections through the proxy that the daemon's environment sets (HTTP, HTTPS or SOCKS5)."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import SplitResult, unquote, urlsplit

from aster_sidecar.models.network import Way
from aster_sidecar.tools.browser.messages import HEAD_BYTES, Refused, read_response
from aster_sidecar.tools.web.urls import Target

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


async def open_through(way: Way, target: Target, *, tunnel: bool) -> Streams:
    """A connection to `target` through the proxy of `way`, which resolves the name.

    Without `tunnel`, an HTTP proxy gets requests in absolute form (`takes_requests`). Raises: OSError, Refused.
    """
    parts = urlsplit(way.proxy or "")
    context = await asyncio.to_thread(way.verify) if parts.scheme == "https" else None
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    reader, writer = await asyncio.open_connection(host, port, ssl=context or None, limit=HEAD_BYTES)
    try:
        if parts.scheme.startswith("socks"):
            await _ask_socks(reader, writer, parts, target)
        elif tunnel:
            await _ask_http(reader, writer, parts, target)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


def takes_requests(way: Way) -> bool:
    """Whether the proxy of `way` gets plain HTTP requests in absolute form. Many refuse CONNECT to port 80."""
    return urlsplit(way.proxy or "").scheme in ("http", "https")


def authorization(way: Way) -> str | None:
    """The value of Proxy-Authorization for the proxy of `way`."""
    return _authorization(urlsplit(way.proxy or ""))


def _authorization(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(user.encode()).decode()}"


async def _ask_http(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: SplitResult, target: Target
) -> None:
    place = f"{f'[{target.host}]' if ':' in target.host else target.host}:{target.port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if (proof := _authorization(parts)) is not None:
        lines.append(f"Proxy-Authorization: {proof}")
    writer.write("\r\n".join((*lines, "", "")).encode("latin-1"))
    await writer.drain()
    try:
        response = await read_response(reader)
    except EOFError:
        raise Refused(502, "No connection", "the proxy that the environment sets did not answer") from None
    if not 200 <= response.status < 300:
        raise Refused(502, "No connection", f"the proxy that the environment sets answered {response.status}")


async def _ask_socks(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: SplitResult, target: Target
) -> None:
    """Source: RFC 1928, RFC 1929. The host is always sent as a name, so that the proxy resolves it."""
    user, password = (unquote(text or "").encode()[:255] for text in (parts.username, parts.password))
    host = target.host.encode("ascii")
    why = "it refused the user name or password"
    try:
        writer.write(b"\5\2\0\2" if parts.username is not None else b"\5\1\0")
        version, method = await reader.readexactly(2)
        if version == 5 and method == 2:
            writer.write(bytes((1, len(user))) + user + bytes((len(password),)) + password)
            _, failed = await reader.readexactly(2)
        else:
            failed = (version, method) != (5, 0)
        if not failed:
            writer.write(b"\5\1\0\3" + bytes((len(host),)) + host + target.port.to_bytes(2, "big"))
            _, failed, _, kind = await reader.readexactly(4)
            size = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
            await reader.readexactly(size + 2)
            why = f"it answered {failed}"
    except asyncio.IncompleteReadError:
        failed, why = True, "it closed the connection"
    if failed:
        raise Refused(502, "No connection", f"the SOCKS proxy that the environment sets did not connect: {why}")
