"""The proxy through which the agent's browser reaches the network, and which keeps it out of this machine's own.

The browser is started so that it can't connect in any other way (`launch.py`). For each connection the proxy

- asks for a password, which is new for each start, so that no other program of this machine can use the proxy;
- resolves the name itself, and refuses it when any of its addresses is not on the public internet, or is in a network
  of this machine, unless a person has allowed that host and port;
- connects to one of the addresses that it has checked, so that a later answer of the name server changes nothing.

So a redirect, a frame, an image, a script's request or a WebSocket is checked like an address that the agent opens.

If the daemon's environment sets a proxy for an address (`models/network.py`), the connection goes through that one.
It resolves the names, because this machine may be unable to. Then only addresses, and names that are usual in a local
network (`localhost`, `printer`, `nas.local`), are refused here: what other names lead to is up to that proxy.

Each connection serves one request or one tunnel. At most 64 KiB wait in each direction.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import ipaddress
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aster_sidecar.errors import ModelError
from aster_sidecar.models import network
from aster_sidecar.text.addresses import is_near
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.browser import upstream
from aster_sidecar.tools.browser.allowed import Allow
from aster_sidecar.tools.browser.messages import (
    CHUNK_BYTES,
    HEAD_BYTES,
    Refused,
    Request,
    copy_body,
    error_page,
    read_head,
    read_response,
    request_of,
    values,
)
from aster_sidecar.tools.web.addresses import Address, is_elsewhere
from aster_sidecar.tools.web.urls import Target

log = logging.getLogger(__name__)

USER = "browser"
CHALLENGE = 'Basic realm="Aster Sidecar browser"'
ADDRESSES = 4  # tried in turn
NEXT_S = 3.0
"""After this time without a connection, the next address is tried."""
RESOLVERS = 8
"""Threads that resolve names. They are the proxy's own, so that slow name servers don't block other parts."""
LINGER_S, LINGER_BYTES = 2.0, 1024 * 1024
"""How long, and how many bytes of, a request are read after an error answer, so that the answer is not lost."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds. `head_s`: for the headers of a request; `idle_s`: without a byte in either direction."""

    connections: int = 256
    head_s: float = 30.0
    connect_s: float = 15.0
    idle_s: float = 300.0


class BrowserProxy:
    """A proxy for one browser, on a free port of 127.0.0.1. `start` it before the browser, `close` it after."""

    def __init__(
        self,
        allow: Allow,
        *,
        on_refusal: Callable[[str], None] = log.info,
        resolve: Resolve | None = None,
        allow_address: Callable[[Address], bool] = is_elsewhere,
        environment: Mapping[str, str] = os.environ,
        limits: Limits | None = None,
    ) -> None:
        """`allow`: what a person has allowed. `on_refusal` gets a sentence for each address that was refused.

        `resolve` finds a host's addresses (default: the system's resolver). `allow_address`, `environment` and
        `limits` have other values in tests.
        """
        self._allow = allow
        self._on_refusal = on_refusal
        self._resolve = resolve or self._ask_system
        self._allow_address = allow_address
        self._environment = environment
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._resolvers: ThreadPoolExecutor | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0
        self.user = USER
        self.password = ""

    @property
    def url(self) -> str:
        """The proxy's address, without user name and password."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on a free port, with a new password. Raises: OSError."""
        self.password = secrets.token_urlsafe(32)
        self._resolvers = ThreadPoolExecutor(RESOLVERS, "browser names")
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end all connections, at once."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)
        if self._resolvers is not None:
            self._resolvers.shutdown(wait=False, cancel_futures=True)

    # -- one connection ------------------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None or not self._server.is_serving():
            writer.transport.abort()  # accepted before `close`
            return
        if len(self._serving) >= self._limits.connections:
            writer.write(error_page(503, "Too many connections", "close some pages of this browser"))
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="browser connection")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(reader, writer)
        try:
            try:
                await self._answer(client)
            except Refused as error:
                if client.answered:
                    return  # nothing but the end of the connection can say it
                challenge = CHALLENGE if error.status == 407 else None
                page = error_page(error.status, error.title, error.why, challenge=challenge, head=client.is_head)
                await client.write(page)
            await client.finish()
        except (OSError, EOFError):
            pass  # the browser or the server is gone
        except Exception:
            log.exception("a connection of the browser failed")
        finally:
            client.writer.transport.abort()

    async def _answer(self, client: _Client) -> None:
        """Serve a connection. Raises: Refused, OSError, EOFError."""
        try:
            async with asyncio.timeout(self._limits.head_s):
                line, headers = await read_head(client.reader)
        except TimeoutError:
            raise EOFError from None
        client.is_head = line.startswith("HEAD ")
        self._check_password(values(headers, "proxy-authorization"))
        request = request_of(line, headers)
        try:
            async with asyncio.timeout(self._limits.connect_s):
                way = self._way(request)
                if way.proxy is None:
                    server = await self._open(request.target)
                else:
                    server = await self._open_through(way, request)
        except TimeoutError:
            why = f"{shown(request.target.host)} did not answer within {self._limits.connect_s:g} s"
            raise Refused(504, "No connection", why) from None
        except OSError as error:
            why = f"{shown(request.target.authority)} can't be reached: {error.strerror or error}"
            raise Refused(502, "No connection", why) from None
        try:
            async with asyncio.timeout(self._limits.idle_s) as clock:
                transfer = _Transfer(client, *server, clock, self._limits.idle_s)
                if request.method == "CONNECT":
                    await client.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await transfer.tunnel()
                else:
                    forward = way.proxy is not None and upstream.takes_requests(way)
                    proof = upstream.authorization(way) if forward else None
                    await transfer.exchange(request, request.head(absolute=forward, authorization=proof))
        except TimeoutError:
            raise Refused(504, "No answer", f"nothing came for {self._limits.idle_s:g} s") from None
        finally:
            server[1].transport.abort()

    def _check_password(self, given: list[str]) -> None:
        """Raises: Refused."""
        right = base64.b64encode(f"{self.user}:{self.password}".encode())
        scheme, _, proof = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        same = hmac.compare_digest(proof.strip().encode("latin-1"), right)
        if not (same and scheme.lower() == "basic"):
            raise Refused(407, "Not allowed", "only the agent's browser may use this proxy")

    # -- where a connection may go -------------------------------------------------------------------------------------

    def _way(self, request: Request) -> network.Way:
        """How the environment says to reach the target. Raises: Refused."""
        try:
            return network.way(request.target.origin, self._environment)
        except ModelError as error:
            raise Refused(502, "No connection", str(error)) from None

    async def _open_through(self, way: network.Way, request: Request) -> upstream.Streams:
        """Raises: Refused, OSError."""
        target = request.target
        if not self._is_allowed(target):
            try:
                refused = not self._allow_address(ipaddress.ip_address(target.host))
            except ValueError:
                refused = is_near(target.host)
            if refused:
                raise self._refusal(target)
        try:
            return await upstream.open_through(way, target, tunnel=request.method == "CONNECT")
        except ModelError as error:
            raise Refused(502, "No connection", str(error)) from None

    async def _open(self, target: Target) -> upstream.Streams:
        """Resolve, check and connect. Raises: Refused, OSError."""
        try:
            found = [ipaddress.ip_address(text.split("%")[0]) for text in await self._resolve(target.host, target.port)]
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise Refused(502, "No such host", f"{shown(target.host)} has no address ({why})") from None
        if not found:
            raise Refused(502, "No such host", f"{shown(target.host)} has no address")
        # A private address among public ones is an attack on this machine or its network.
        if not self._is_allowed(target) and not all(self._allow_address(address) for address in found):
            raise self._refusal(target)
        if target.port == self.port and any(address.is_loopback for address in found):
            raise Refused(403, "Not allowed", "the proxy does not connect to itself")
        *others, last = found[:ADDRESSES]
        for address in others:
            with contextlib.suppress(OSError):  # TimeoutError is one
                async with asyncio.timeout(NEXT_S):
                    return await asyncio.open_connection(str(address), target.port, limit=HEAD_BYTES)
        return await asyncio.open_connection(str(last), target.port, limit=HEAD_BYTES)

    def _is_allowed(self, target: Target) -> bool:
        return self._allow(target.host, target.port)

    def _refusal(self, target: Target) -> Refused:
        """The error for an address that is not public; also reports it."""
        why = (
            f"{shown(target.authority)} is on this machine or in its local network, and nobody has allowed it"
            " (a person can add it to the browser's allowed hosts)"
        )
        self._on_refusal(why)
        return Refused(403, "Not allowed", why)

    async def _ask_system(self, host: str, port: int) -> list[str]:
        """The addresses of `host`. Raises: OSError."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Client:
    """The browser's side of a connection. `answered`: whether a byte of an answer was sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.answered = False
        self.is_head = False

    async def write(self, data: bytes) -> None:
        self.answered = True
        self.writer.write(data)
        await self.writer.drain()

    async def finish(self) -> None:
        """End the answer and wait a moment until the browser has read it. Raises: OSError."""
        async with asyncio.timeout(LINGER_S):  # TimeoutError is an OSError
            await _end(self.writer)
            left = LINGER_BYTES
            while left > 0 and (chunk := await self.reader.read(CHUNK_BYTES)):
                left -= len(chunk)


class _Transfer:
    """Copies bytes between the browser and a server. `clock` ends it after `idle_s` seconds without any."""

    def __init__(
        self,
        client: _Client,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        clock: asyncio.Timeout,
        idle_s: float,
    ) -> None:
        self._client = client
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._idle_s = idle_s

    async def tunnel(self) -> None:
        """Copy in both directions until both have ended. Raises: OSError."""
        await _both(self._pump(self._client.reader, self._to_server), self._pump(self._reader, self._to_client))

    async def _pump(self, reader: asyncio.StreamReader, take: Callable[[bytes], Awaitable[None]]) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await take(chunk)
        await take(b"")

    async def exchange(self, request: Request, head: bytes) -> None:
        """Send one request and copy its answer. Raises: Refused, OSError, EOFError."""
        await self._to_server(head)
        sending = asyncio.ensure_future(self._send_body(request))
        receiving = asyncio.ensure_future(self._receive(request.method))
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                await sending  # a malformed body, or the browser is gone
            await receiving  # a server may answer before it has read the whole request
        finally:
            for task in (sending, receiving):
                task.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    async def _send_body(self, request: Request) -> None:
        """Send the body, then watch the connection. Raises: Refused, EOFError when the browser has closed it."""
        with contextlib.suppress(ConnectionError):  # the answer may still come, and says why
            await copy_body(request.headers, self._client.reader, self._to_server, to_the_end=False)
        if not await self._client.reader.read(1):
            raise EOFError

    async def _receive(self, method: str) -> None:
        while True:
            try:
                response = await read_response(self._reader)
            except (EOFError, ConnectionError):
                raise Refused(502, "No answer", "the server closed the connection without an answer") from None
            if response.status == 101:
                raise Refused(502, "No answer", "the server changed the protocol, which was not asked for")
            await self._to_client(response.head())
            if response.status >= 200:
                break
        if response.has_body(method):
            await copy_body(response.headers, self._reader, self._to_client, to_the_end=True)
        await self._to_client(b"")

    async def _to_server(self, data: bytes) -> None:
        await self._write(self._writer, data)

    async def _to_client(self, data: bytes) -> None:
        self._client.answered = True
        await self._write(self._client.writer, data)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Write `data`; without any, end this direction."""
        if not self._clock.expired():
            self._clock.reschedule(asyncio.get_running_loop().time() + self._idle_s)
        if data:
            writer.write(data)
            await writer.drain()
        else:
            await _end(writer)


async def _end(writer: asyncio.StreamWriter) -> None:
    """Wait until everything was sent, then end this direction. Raises: OSError."""
    writer.transport.set_write_buffer_limits(high=0)  # so that `drain` waits for an empty buffer
    await writer.drain()
    if writer.is_closing():
        return
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()  # TLS has no half-closed connections


async def _both(*work: Awaitable[None]) -> None:
    """Wait for all; when one fails, cancel the others and raise its error."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
