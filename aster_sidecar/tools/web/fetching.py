"""Requests a page from the public internet, and can't be directed to this machine or its own network.

A name is resolved once for each request, all its addresses must be public, and the connection goes to one of these
addresses, so that a later answer of the name server changes nothing. Redirects stay on the origin that was allowed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.web.addresses import Address, is_elsewhere
from aster_sidecar.tools.web.content import readable
from aster_sidecar.tools.web.urls import Target, parse

if TYPE_CHECKING:
    import httpx

REDIRECTS = 5
ADDRESSES = 4  # tried in turn
TOTAL_S = 30.0
CONNECT_S = 10.0


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, from the system's resolver. Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def trusted() -> ssl.SSLContext:
    """The system's certificates, and certifi's, which a packaged build contains."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@dataclass(frozen=True, slots=True)
class Page:
    """An answer; `cut`: whether `body` was cut at the limit."""

    target: Target
    status: int
    content_type: str
    charset: str | None
    body: bytes
    cut: bool
    length: str | None = None
    redirect: str | None = None


@dataclass(frozen=True)
class Fetcher:
    """Fetches pages. `resolve` finds a host's addresses; `allow_address` decides which ones may be connected to.

    `tls` makes the context with the trusted certificates, and `total_s` limits a whole fetch with its redirects. The
    defaults are strict; other values are for tests.
    """

    resolve: Callable[[str, int], Awaitable[Sequence[str]]] = resolve
    allow_address: Callable[[Address], bool] = is_elsewhere
    tls: Callable[[], ssl.SSLContext] = trusted
    total_s: float = TOTAL_S

    def refuse_literal(self, target: Target) -> None:
        """Raises: ToolError for an address, or a name, that is known not to be public before it is resolved."""
        local = target.host == "localhost" or target.host.endswith((".localhost", ".local", ".internal"))
        try:
            refused = not self.allow_address(ipaddress.ip_address(target.host))
        except ValueError:
            refused = local and self.allow_address is is_elsewhere
        if refused:
            raise ToolError(
                f"{shown(target.host)} is not on the public internet; for a local server use run_command with curl"
            )

    async def fetch(self, target: Target, max_bytes: int) -> Page:
        """Request `target`, following redirects on its origin. Raises: ToolError."""
        try:
            async with asyncio.timeout(self.total_s):
                return await self._follow(target, max_bytes)
        except TimeoutError as error:
            raise ToolError(f"no complete answer within {self.total_s:g} s") from error

    async def _follow(self, target: Target, max_bytes: int) -> Page:
        for _ in range(REDIRECTS + 1):
            page = await self._request(target, max_bytes)
            if page.redirect is None:
                return page
            following = parse(page.redirect)
            if following.origin != target.origin:
                return page
            target = following
        raise ToolError(f"more than {REDIRECTS} redirects, the last one to {shown(target.url)}")

    async def _addresses(self, target: Target) -> list[Address]:
        try:
            found = [ipaddress.ip_address(one.split("%")[0]) for one in await self.resolve(target.host, target.port)]
        except (OSError, ValueError) as error:
            raise ToolError(f"{shown(target.host)} has no address: {error}") from error
        # A private address among public ones is an attack on this machine or its network.
        if not found or not all(self.allow_address(address) for address in found):
            raise ToolError(f"{shown(target.host)} has addresses outside the public internet: not fetched")
        return found[:ADDRESSES]

    async def _request(self, target: Target, max_bytes: int) -> Page:
        import httpx

        secure = target.scheme == "https"
        context = await asyncio.to_thread(self.tls) if secure else False
        addresses = await self._addresses(target)
        timeout = httpx.Timeout(self.total_s, connect=CONNECT_S)
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=timeout) as client:
            for tried, address in enumerate(addresses, 1):
                request = client.build_request("GET", target.at(address), headers=_headers(target))
                if secure:
                    request.extensions = {**request.extensions, "sni_hostname": target.host}
                try:
                    response = await client.send(request, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    if tried < len(addresses):
                        continue
                    raise ToolError(f"{target.origin}: no connection: {error}") from error
                except httpx.HTTPError as error:
                    raise ToolError(f"{target.origin}: {error or type(error).__name__}") from error
                try:
                    return await _read(target, response, max_bytes)
                except httpx.HTTPError as error:
                    raise ToolError(f"{target.origin}: {error or type(error).__name__}") from error
                finally:
                    await response.aclose()
        raise AssertionError("unreachable: _addresses gives at least one")


def _headers(target: Target) -> dict[str, str]:
    return {
        "Host": target.authority,
        "User-Agent": "aster-sidecar",
        "Accept": "text/html,application/xhtml+xml,text/markdown,text/plain,application/json;q=0.9,*/*;q=0.5",
        "Accept-Encoding": "gzip",
    }


async def _read(target: Target, response: httpx.Response, max_bytes: int) -> Page:
    """The answer to one request, with at most `max_bytes` of its unpacked body."""
    kind, _, parameters = response.headers.get("content-type", "").partition(";")
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    location = response.headers.get("location")
    redirect = urljoin(target.url, location) if location and response.status_code in (301, 302, 303, 307, 308) else None
    body = _Body(response.headers.get("content-encoding", ""), max_bytes)
    kind = kind.strip().lower()
    if redirect is None and readable(kind):
        async for chunk in response.aiter_raw(65536):
            if not body.add(chunk):
                break
    return Page(
        target=target,
        status=response.status_code,
        content_type=kind,
        charset=charset.group(1) if charset else None,
        body=bytes(body.data),
        cut=body.cut,
        length=response.headers.get("content-length"),
        redirect=redirect,
    )


@dataclass(slots=True)
class _Body:
    """A body that is unpacked up to a limit, whatever its compression."""

    encoding: str
    limit: int
    data: bytearray = field(default_factory=bytearray)
    cut: bool = False
    _unpack: Any = None

    def __post_init__(self) -> None:
        if self.encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
            self._unpack = zlib.decompressobj(wbits=47)  # gzip or zlib, recognized by the first bytes
        elif self.encoding.strip().lower() not in ("", "identity"):
            raise ToolError(f"the answer has the content encoding {shown(self.encoding)}, which was not requested")

    def add(self, chunk: bytes) -> bool:
        """Add a chunk; False when the limit is reached."""
        room = self.limit - len(self.data)
        if self._unpack is not None:
            try:
                chunk = self._unpack.decompress(chunk, room + 1)
            except zlib.error as error:
                raise ToolError("the compressed answer is damaged") from error
        self.data += chunk[:room]
        self.cut = len(chunk) > room
        return not self.cut
