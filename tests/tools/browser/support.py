"""A server and a client for tests of the browser's proxy, which see and send exactly these bytes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aster_sidecar.tools.browser.allowed import allowed_hosts
from aster_sidecar.tools.browser.proxy import BrowserProxy, Limits
from aster_sidecar.tools.web.addresses import Address

HERE = "127.0.0.1"
ELSEWHERE = "127.0.0.2"
"""Stands for a public address: the tests' servers are there, and `is_elsewhere` says that it is public."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def is_elsewhere(address: Address) -> bool:
    return address == ipaddress.ip_address(ELSEWHERE)


@dataclass
class Names:
    """A resolver. `answers`: name → addresses; each of several lists is given once, the last one from then on."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict[str, list[list[str]]])
    asked: list[str] = field(default_factory=list[str])

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        if host not in self.answers:
            raise OSError("unknown name")
        lists = self.answers[host]
        return lists.pop(0) if len(lists) > 1 else lists[0]


def public() -> Names:
    return Names({"public.test": [[ELSEWHERE]], "evil.test": [[HERE]], "localhost": [["::1", HERE]]})


@contextlib.asynccontextmanager
async def running(
    names: Names | None = None,
    *,
    allow: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    refusals: list[str] | None = None,
) -> AsyncGenerator[BrowserProxy]:
    proxy = BrowserProxy(
        allowed_hosts(allow),
        resolve=names or public(),
        allow_address=is_elsewhere,
        environment=environment or {},
        on_refusal=(refusals if refusals is not None else []).append,
        limits=limits,
    )
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()


@dataclass
class Origin:
    """A server. `heads`: the heads of requests that reached it; `connections`: how many connections there were."""

    port: int = 0
    connections: int = 0
    heads: list[str] = field(default_factory=list[str])


@contextlib.asynccontextmanager
async def origin(
    answer: bytes | Handler = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    *,
    host: str = ELSEWHERE,
    port: int = 0,
) -> AsyncGenerator[Origin]:
    """A server that gives this answer to each request, and then waits for the end of the connection."""
    seen = Origin()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            if not isinstance(answer, bytes):
                await answer(reader, writer)
                return
            while True:
                seen.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(answer)
                await writer.drain()
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, host, port)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def proof(proxy: BrowserProxy) -> str:
    """The header with the proxy's password."""
    token = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
    return f"Proxy-Authorization: Basic {token}\r\n"


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HERE, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(proxy: BrowserProxy, line: str, headers: str = "", body: bytes = b"", *, login: bool = True) -> str:
    """The whole answer to a request on its own connection."""
    async with connected(proxy.port) as (reader, writer), asyncio.timeout(20):
        head = f"{line}\r\n{proof(proxy) if login else ''}{headers}\r\n"
        writer.write(head.encode("latin-1") + body)
        return (await reader.read(-1)).decode("latin-1")


def get(url: str) -> str:
    return f"GET {url} HTTP/1.1"


def status(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


@contextlib.asynccontextmanager
async def tunnel(proxy: BrowserProxy, place: str) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with connected(proxy.port) as (reader, writer), asyncio.timeout(20):
        writer.write(f"CONNECT {place} HTTP/1.1\r\n{proof(proxy)}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head == b"HTTP/1.1 200 Connection established\r\n\r\n"
        yield reader, writer
