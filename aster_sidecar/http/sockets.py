"""Where clients come in: the loopback socket, the Unix socket of `--uds`, and what a connection is served with."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from aster_sidecar.http.peer_credentials import credentials
from aster_sidecar.http.request_body import MESSAGE_LIMIT_BYTES

HOST = "127.0.0.1"
BACKLOG = 512
PATH_MOST_BYTES = 107 if sys.platform == "linux" else 103
"""The longest path of a Unix socket, without its closing NUL. Source: unix(7); sys/un.h on macOS."""
PING_S = 20.0
"""Time between two pings of a WebSocket, and how long its answer may take."""
ABORT_S = 10.0
"""How long a WebSocket that is over may take to read what was still on its way to it."""


class PortTaken(Exception):
    """The place to listen at cannot be used. `hint`: what to do."""

    def __init__(self, message: str, hint: str = "pass --port 0 for a free one") -> None:
        super().__init__(message)
        self.hint = hint


def bind(port: int, or_any: bool = False) -> socket.socket:
    """A listening socket on the loopback interface; port 0 takes a free one. Raises: PortTaken.

    `or_any`: take a free one when that port can't be had. Whoever asks first and binds later may lose it in between.
    """
    try:
        return _bind(port)
    except PortTaken:
        if not or_any:
            raise
        return _bind(0)


def _bind(port: int) -> socket.socket:
    # With the protocol named: only then does asyncio set TCP_NODELAY, and without it an event waits 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # on Windows it would let others take it over
        bound.bind((HOST, port))
        # Here and not only by the server: Linux lets two bind that both may reuse, and refuses the second one's listen.
        bound.listen(BACKLOG)
        bound.set_inheritable(False)
    except OSError as error:
        bound.close()
        raise PortTaken(f"port {port} on {HOST} cannot be used: {error.strerror}") from error
    return bound


# -- the Unix socket ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def unix_socket(path: Path | None) -> Generator[socket.socket | None, None, None]:
    """A listening Unix socket at `path`, 0600 in a directory of 0700, until this ends; None where none is wanted.

    A socket that nobody listens on any more is replaced; one that somebody does, or what is no socket, never.
    Raises: PortTaken.
    """
    if path is None:
        yield None
        return
    try:
        listening = _listen(path)
    except OSError as error:
        raise PortTaken(f"--uds {path} cannot be used: {error.strerror}", "give another path") from error
    made = os.lstat(path)
    try:
        yield listening
    finally:
        listening.close()
        with contextlib.suppress(OSError):
            now = os.lstat(path)
            if (now.st_dev, now.st_ino) == (made.st_dev, made.st_ino):
                os.unlink(path)


def _listen(path: Path) -> socket.socket:
    """Raises: PortTaken, OSError."""
    if len(os.fsencode(path)) > PATH_MOST_BYTES:
        raise PortTaken(
            f"--uds {path}: the path has {len(os.fsencode(path))} bytes, a socket's at most {PATH_MOST_BYTES}",
            "give a shorter one, for example in $XDG_RUNTIME_DIR",
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open_directory(path.parent) as descriptor:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise PortTaken(
                f"--uds {path}: others can get into {path.parent}",
                f"chmod 700 {path.parent}, or name a directory that is not there yet",
            )
        # Whoever looks, removes and binds does so alone: two that start at once must not take each other for dead.
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _clear(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o177)
            try:
                listening.bind(os.fspath(path))
            finally:
                os.umask(before)
            listening.listen(BACKLOG)
            listening.set_inheritable(False)
        except OSError:
            listening.close()
            raise
        return listening


@contextlib.contextmanager
def open_directory(path: Path) -> Generator[int, None, None]:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    """Take a dead socket out of the way. Raises: PortTaken, OSError."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise PortTaken(f"--uds {path}: there is something else of that name", "give another path, or move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        code = asking.connect_ex(os.fspath(path))
    if code == errno.ECONNREFUSED:
        os.unlink(path)
    elif code != errno.ENOENT:
        # It listens, or has so many waiting that it can't say so.
        raise PortTaken(f"--uds {path}: another program listens there", "give another path, or talk to that one")


# -- a connection ------------------------------------------------------------------------------------------------------


class Protocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, which notes who is at the other end of a Unix socket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connected: Any = transport.get_extra_info("socket")
        if connected is not None and connected.family == getattr(socket, "AF_UNIX", None):
            self.app_state = {**self.app_state, "peer": credentials(connected)}


def socket_protocol(**given: Any) -> asyncio.Protocol:
    """What uvicorn serves a WebSocket with. Imported at the first handshake: most daemons never see one."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class SocketProtocol(WebSocketsSansIOProtocol):
        """uvicorn's, which doesn't wait for ever for a client that reads nothing any more."""

        def on_task_complete(self, task: asyncio.Task[None]) -> None:
            super().on_task_complete(task)
            self.loop.call_later(ABORT_S, self.transport.abort)

        def keepalive_timeout(self) -> None:
            super().keepalive_timeout()
            self.loop.call_later(ABORT_S, self.transport.abort)

    return SocketProtocol(**given)


PROTOCOLS: dict[str, Any] = {
    "http": Protocol,  # h11: httptools hides the authority of an absolute-form target from the gate
    "ws": socket_protocol,
    "ws_max_size": MESSAGE_LIMIT_BYTES,
    "ws_ping_interval": PING_S,
    "ws_ping_timeout": PING_S,
    "ws_per_message_deflate": False,  # it never leaves the machine
}
"""What uvicorn is told of protocols."""
