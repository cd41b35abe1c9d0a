"""The sockets that clients connect to (loopback TCP, and Unix with `--uds`), and uvicorn's protocols for them."""

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
"""The longest path of a Unix socket, without the final NUL. Source: unix(7); sys/un.h on macOS."""
PING_S = 20.0
"""Time between two pings of a WebSocket, and how long the pong may take."""
ABORT_S = 10.0
"""How long a closed WebSocket's client has to read the remaining data before the connection is aborted."""


class PortTaken(Exception):
    """The port or the socket's path cannot be used. `hint`: what a person can do."""

    def __init__(self, message: str, hint: str = "pass --port 0 for a free one") -> None:
        super().__init__(message)
        self.hint = hint


def bind(port: int, or_free: bool = False) -> socket.socket:
    """A listening socket on the loopback interface; port 0 chooses a free port. Raises: PortTaken.

    `or_free`: choose a free port if this one is in use. Do not test first whether the port is free: another program may
    take it in between.
    """
    try:
        return _bind(port)
    except PortTaken:
        if not or_free:
            raise
        return _bind(0)


def _bind(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only if the protocol is named. Without it an event waits 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            bound.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # on Windows it would let another program take the port
        bound.bind((HOST, port))
        # Listen now: with SO_REUSEADDR Linux lets two sockets bind to the port, and refuses only the second listen.
        bound.listen(BACKLOG)
        bound.set_inheritable(False)
    except OSError as error:
        bound.close()
        raise PortTaken(f"port {port} on {HOST} cannot be used: {error.strerror}") from error
    return bound


# -- the Unix socket ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def unix_socket(path: Path | None) -> Generator[socket.socket | None, None, None]:
    """A listening Unix socket at `path`, removed at the end; None if `path` is None. Raises: PortTaken.

    The socket has mode 0600, its directory 0700. A stale socket at `path` is replaced; a socket that a program listens
    on and any other kind of file are not.
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
            f"--uds {path}: the path has {len(os.fsencode(path))} bytes, the system allows at most {PATH_MOST_BYTES}",
            "give a shorter path, for example in $XDG_RUNTIME_DIR",
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open_directory(path.parent) as descriptor:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise PortTaken(
                f"--uds {path}: other users can access {path.parent}",
                f"run chmod 700 {path.parent}, or name a directory that does not exist yet",
            )
        # The lock keeps a daemon that starts at the same time from removing this socket between bind and listen.
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
    """A file descriptor of a directory. Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    """Remove a stale socket. Raises: PortTaken for a socket in use and for other files; OSError."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise PortTaken(
            f"--uds {path}: something other than a socket exists there", "give another path, or move that file"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(os.fspath(path))
    if code == errno.ECONNREFUSED:
        os.unlink(path)
    elif code != errno.ENOENT:
        # A program listens, or its backlog is full.
        raise PortTaken(f"--uds {path}: another program listens there", "give another path, or connect to that program")


# -- a connection ------------------------------------------------------------------------------------------------------


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 with h11, which also notes the credentials of a client on the Unix socket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connected: Any = transport.get_extra_info("socket")
        if connected is not None and connected.family == getattr(socket, "AF_UNIX", None):
            self.app_state = {**self.app_state, "peer": credentials(connected)}


def socket_protocol(**given: Any) -> asyncio.Protocol:
    """uvicorn's protocol for WebSockets, imported at the first handshake because many daemons never get one."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class SocketProtocol(WebSocketsSansIOProtocol):
        """uvicorn's protocol, which does not wait forever for a client that has stopped reading."""

        def on_task_complete(self, task: asyncio.Task[None]) -> None:
            super().on_task_complete(task)
            self.loop.call_later(ABORT_S, self.transport.abort)

        def keepalive_timeout(self) -> None:
            super().keepalive_timeout()
            self.loop.call_later(ABORT_S, self.transport.abort)

    return SocketProtocol(**given)


PROTOCOLS: dict[str, Any] = {
    "http": Protocol,  # h11, because httptools hides the authority of an absolute-form target from the gate
    "ws": socket_protocol,
    "ws_max_size": MESSAGE_LIMIT_BYTES,
    "ws_ping_interval": PING_S,
    "ws_ping_timeout": PING_S,
    "ws_per_message_deflate": False,  # the data never leaves the machine
}
"""uvicorn's options for the protocols."""
