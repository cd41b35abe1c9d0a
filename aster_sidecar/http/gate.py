"""Which requests are allowed: the gate's settings, and its checks of Host, Origin, token, fetch site and client.

`guard.py` runs the checks. The tables of docs/protocol.md, section 2, state them for people.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from starlette.types import Scope

from aster_sidecar.errors import HostAmbiguous, HostRefused, OriginRefused, PeerRefused, TokenRefused
from aster_sidecar.http.peer_credentials import Credentials, Peers
from aster_sidecar.http.request_head import QUOTED_BYTES, Headers, is_unix_socket, quoted, values

Framework: TypeAlias = Literal["tauri", "electron", "wails", "web"]
Descent: TypeAlias = Literal["ours", "other", "unknown"]
"""Whether a process descends from this daemon (`ours`), does not (`other`), or could not be found (`unknown`)."""

log = logging.getLogger(__name__)

REDEEM_PATH = "/api/handoff/redeem"
"""Redeems the code of a handoff. Needs no token, because the code in the request's body takes its place."""
_WARNED_ORIGINS = 20
"""The most refused origins that the log warns about, each once; any others appear only in the responses."""
_PLAIN_ORIGIN = re.compile(rb"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)

PAGE_ORIGINS: dict[Framework, tuple[str, ...]] = {
    "tauri": ("tauri://localhost", "http://tauri.localhost", "https://tauri.localhost"),
    "electron": ("aster-app://app", "file://"),
    "wails": ("wails://wails", "wails://wails.localhost", "http://wails.localhost"),
    "web": (),
}
"""The origins of an app's pages. Electron 9's file:// preload sends no Origin at all; some versions send `file://`."""


class SignedIn(Protocol):
    """A browser that was signed in by a handoff."""

    @property
    def revoked(self) -> asyncio.Event:
        """Set when the browser is signed out; its open requests then end."""
        ...


class Descents(Protocol):
    """Tells which processes descend from this daemon (`peer_ancestry.py`)."""

    def alone(self) -> bool:
        """Whether the daemon has no descendant that could be a client."""
        ...

    async def of_socket(self, inode: int) -> Descent:
        """The descent of the process that holds the socket with this inode."""
        ...

    def of_process(self, pid: int, started: float | None) -> Descent:
        """The descent of a process; `started` tells it from a later process with the same pid."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate's settings, built by daemon/wiring.py.

    `token`: None if the launcher gave none; then all programs of this user may come in.
    `port`: returns the port that is actually bound; called for every request.
    `allow_origins`: origins to allow, compared exactly; `null` is never allowed.
    `check_peer`: check the uid of clients on Linux when there is no token.
    `kin`: finds out whether a client descends from the daemon, as a tool's process does; None skips that check.
    `is_page`: whether a path is a file of the UI. Those contain no personal data and need no token.
    `find_signed_in`: the browser that a handoff gave these credentials, None if there is none.
    """

    framework: Framework
    token: str | None
    port: Callable[[], int]
    allow_origins: tuple[str, ...] = ()
    check_peer: bool = True
    kin: Descents | None = None
    is_page: Callable[[str], bool] = lambda path: False
    find_signed_in: Callable[[bytes], SignedIn | None] = lambda credentials: None


class Checks:
    """The checks of one gate. They apply to HTTP requests and WebSocket handshakes alike.

    The daemon's own origins (http://127.0.0.1:PORT, localhost, [::1]) are allowed under every framework, not only
    `web`, because a handoff opens the daemon's page in a browser. Only the daemon can serve a page there, so this gives
    access to no other page.
    """

    def __init__(self, gate: Gate) -> None:
        """Raises: ValueError for an empty token."""
        if gate.token == "":
            raise ValueError("an empty token protects nothing; pass None for none")
        self._gate = gate
        self._token = None if gate.token is None else gate.token.encode()
        self._page_origins = frozenset(
            origin.encode()
            for origin in (*PAGE_ORIGINS[gate.framework], *gate.allow_origins)
            if origin.strip().lower() != "null"
        )
        self._checks_uid = gate.check_peer and gate.token is None
        self._peers = Peers()
        self._warned: set[bytes] = set()
        self._port = -1
        self._hosts: frozenset[bytes] = frozenset()
        self._origins: frozenset[bytes] = frozenset()

    def update_port(self) -> None:
        """Ask for the bound port, and compute the allowed hosts and origins again if it changed."""
        port = self._gate.port()
        if port != self._port:
            hosts = [f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost", "[::1]")]
            self._hosts = frozenset(hosts)
            self._origins = self._page_origins.union(b"http://" + host for host in hosts)
            self._port = port

    # -- Host and Origin -----------------------------------------------------------------------------------------------

    def check_host(self, headers: Headers) -> None:
        """Raises: HostAmbiguous, HostRefused."""
        hosts = values(headers, b"host")
        if len(hosts) != 1:
            raise HostAmbiguous("no Host header" if not hosts else f"{len(hosts)} Host headers")
        if hosts[0].lower() not in self._hosts:
            raise HostRefused(f"the Host header names another host: {quoted(hosts[0])}")

    def allowed_origin(self, headers: Headers) -> bytes | None:
        """The request's Origin, if it is one and allowed; otherwise None."""
        origins = values(headers, b"origin")
        return origins[0] if len(origins) == 1 and origins[0] in self._origins else None

    def check_origin(self, headers: Headers, allowed: bytes | None) -> None:
        """Refuse every Origin but the `allowed` one; a request without Origin passes. Raises: OriginRefused."""
        origins = values(headers, b"origin")
        if not origins or allowed is not None:
            return
        if len(origins) > 1:
            raise OriginRefused(f"{len(origins)} Origin headers")
        if _PLAIN_ORIGIN.fullmatch(origins[0]) is None or len(origins[0]) > QUOTED_BYTES:
            raise OriginRefused(f"origin not listed: {quoted(origins[0])}")
        origin = origins[0].decode("ascii")
        if origins[0] not in self._warned and len(self._warned) < _WARNED_ORIGINS:
            self._warned.add(origins[0])
            log.warning(
                "refused a page from %s; to allow its pages, start the daemon with --allow-origin %s", origin, origin
            )
        raise OriginRefused(
            f"origin not listed: {origin!r}", hint=f"start the daemon with --allow-origin {origin} to allow its pages"
        )

    # -- the caller ----------------------------------------------------------------------------------------------------

    async def check_caller(self, scope: Scope, headers: Headers) -> None:
        """Check the token, then the connecting program. An open WebSocket repeats this for each message.

        Raises: TokenRefused, OriginRefused, PeerRefused.
        """
        has_token = self._check_token(scope, headers)
        if is_unix_socket(scope):
            self._check_credentials(scope)
            return
        if not has_token:
            self._check_fetch_site(headers)
        await self._check_peer(scope)

    def _check_token(self, scope: Scope, headers: Headers) -> bool:
        """Whether the request has the token, or credentials of a handoff. Without one only public paths pass."""
        if self._token is None:
            return False
        sent = values(headers, b"authorization")
        if len(sent) == 1:
            scheme, _, credentials = sent[0].partition(b" ")
            if scheme.lower() == b"bearer":
                credentials = credentials.lstrip(b" ")
                # As a subprotocol only credentials of a handoff count: a page must never hold the launcher's token.
                if "sent_by_page" not in scope["state"] and hmac.compare_digest(credentials, self._token):
                    return True
                scope["state"]["signed_in"] = self._gate.find_signed_in(credentials)
                if scope["state"]["signed_in"] is not None:
                    return True
        # `path` and not `raw_path`, because the router compares `path` too.
        if scope["type"] == "http" and self._is_public(scope["method"], scope["path"]):
            return False
        raise TokenRefused("the token is missing" if not sent else "the token is wrong, or not one Bearer token")

    def _is_public(self, method: str, path: str) -> bool:
        if method in ("GET", "HEAD"):
            return path == "/health" or self._gate.is_page(path)
        return method == "POST" and path == REDEEM_PATH

    def _check_fetch_site(self, headers: Headers) -> None:
        """Refuse what a browser sends for a foreign page without an Origin: no-cors fetches, images, links, frames.

        Electron's file:// preload sends the same with mode `cors`. A web page's cors request always has an Origin.
        """
        if b"origin" in headers:
            return
        for site in values(headers, b"sec-fetch-site"):
            if site not in (b"none", b"same-origin"):
                if self._gate.framework == "electron" and values(headers, b"sec-fetch-mode") == [b"cors"]:
                    continue
                raise OriginRefused(
                    f"a browser sent this request for a page of another site: Sec-Fetch-Site {quoted(site)}"
                )

    def _check_credentials(self, scope: Scope) -> None:
        """On the Unix socket: refuse other users and descendants of the daemon. sockets.py noted the credentials."""
        peer: Credentials | None = scope.get("state", {}).get("peer")
        if peer is None:
            raise PeerRefused("the user of the connecting program is unknown")
        if peer.uid != os.geteuid():
            raise PeerRefused(f"the connecting program runs as another user (uid {peer.uid})")
        kin = self._gate.kin
        if kin is not None and not kin.alone():
            _check_descent(kin.of_process(peer.pid, peer.started), strict=True)

    async def _check_peer(self, scope: Scope) -> None:
        """On TCP: refuse other users (only without a token) and descendants of the daemon, such as a tool's process.

        Looked up again for every request, because a tool may inherit or be handed a socket that was allowed before.
        Without a token the client's socket must be found; the token itself is proof enough. A message on an open
        WebSocket skips the check of the uid, which the handshake passed: the message counts even if the client has
        disconnected since, unless a tool could have sent it.
        """
        if sys.platform != "linux":
            return
        kin = self._gate.kin
        if kin is not None and kin.alone():
            kin = None
        checks_uid = self._checks_uid and "over_socket" not in scope["state"]
        if kin is None and not checks_uid:
            return
        client, server = scope.get("client"), scope.get("server")
        peer = self._peers.find((client[0], client[1]), (server[0], server[1])) if client and server else None
        if peer is None:
            raise PeerRefused("the connecting program has disconnected, so its user is unknown")
        if checks_uid and peer.uid != os.geteuid():
            raise PeerRefused(f"the connecting program runs as another user (uid {peer.uid})")
        if kin is not None:
            _check_descent(await kin.of_socket(peer.inode), strict=self._token is None)


def _check_descent(descent: Descent, *, strict: bool) -> None:
    """Raises: PeerRefused for a descendant; if `strict`, also for a process that could not be found."""
    if descent == "ours":
        raise PeerRefused("processes that a tool started may not call the daemon")
    if descent == "unknown" and strict:
        raise PeerRefused(
            "the connecting program could not be identified, which is required while a tool, an MCP server or a "
            "service runs",
            hint="start the daemon with a token (ASTER_SIDECAR_TOKEN): clients that send it need not be identified",
        )
