"""Asks the kernel who is connected: the user and socket of a loopback TCP client, the credentials of a Unix client.

`gate → peer_credentials`. TCP clients can be found on Linux only.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from typing import NamedTuple

from aster_sidecar.services.process_facts import started_at

# Source: linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h; man 7 sock_diag.
_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR = 2
_NLM_F_REQUEST = 1
_NETLINK_SOCK_DIAG = 4
_NO_COOKIE = 0xFFFFFFFF
_TCP_LISTEN = 10
_HEADER = struct.Struct("=IHHII")  # length, type, flags, seq, port id
_QUERY = struct.Struct("=BBBxI")  # family, protocol, extensions, states
_ENDS = struct.Struct("!HH16s16s")  # source port, destination port, source, destination
_REST = struct.Struct("=III")  # interface, cookie
_FOUND = struct.Struct("=BBxx48xIIIII")  # family, state, timers, ends, expires, queues, uid, inode
_UCRED = struct.Struct("=iII")  # man 7 unix: pid, uid, gid
# Source: sys/un.h and sys/ucred.h of macOS.
_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2
_XUCRED = struct.Struct("=II")  # version, uid; then the groups
_XUCRED_BYTES = 76
_QUERY_BYTES = _HEADER.size + _QUERY.size + _ENDS.size + _REST.size


class Peer(NamedTuple):
    """The uid that created a socket, and the socket's inode (`socket:[inode]` in /proc/PID/fd)."""

    uid: int
    inode: int


class Credentials(NamedTuple):
    """The process that connected to a Unix socket. `pid`: 0 if unknown; `started`: None if the process has ended."""

    uid: int
    pid: int
    started: float | None = None


def credentials(connected: socket.socket) -> Credentials | None:
    """The process that connected to a Unix socket; None where the kernel does not tell."""
    try:
        if sys.platform == "linux":
            pid, uid, _ = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            return Credentials(uid, pid, started_at(pid))
        if sys.platform == "darwin":
            version, uid = _XUCRED.unpack_from(connected.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))
            pid = connected.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
            return Credentials(uid, pid, started_at(pid)) if version == 0 else None
    except (OSError, struct.error):
        return None
    return None


class Peers:
    """Finds the client's socket of a TCP connection. One per gate.

    Every query opens a netlink socket of its own. That takes a few microseconds; no child process inherits the socket,
    and no late answer to an earlier query can be read from it.
    """

    def __init__(self) -> None:
        # ENOENT means "no such socket" or "no inet_diag in this kernel"; after one answer it can only be the former.
        self._kernel_answers = False

    def find(self, client: tuple[str, int], server: tuple[str, int]) -> Peer | None:
        """The socket at `client` that is connected to `server`, both (address, port); None if no process holds one.

        A socket that its process has closed is not found. The kernel reports uid 0 and inode 0 for it, so a client that
        disconnects early would pass for root.
        """
        if sys.platform != "linux":
            return None
        try:
            peer = ask_kernel(client, server)
        except OSError:  # no netlink (gVisor, seccomp), or no file descriptors left; then /proc fails too
            peer = None
        else:
            if peer is not None:
                self._kernel_answers = True
            elif self._kernel_answers:
                return None
        if peer is None:
            try:
                peer = read_proc(client, server)
            except OSError:
                return None
        return peer if peer is not None and peer.inode else None


def ask_kernel(client: tuple[str, int], server: tuple[str, int]) -> Peer | None:
    """Query the kernel over netlink for exactly one socket. Never blocks: the answer is there when `sendto` returns.

    Raises: OSError where netlink or this kind of query is not available.
    Source: man 7 sock_diag.
    """
    if sys.platform != "linux":
        return None
    family, source = _pack(client[0])
    _, destination = _pack(server[0])
    question = b"".join(
        (
            _HEADER.pack(_QUERY_BYTES, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0),
            _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF),
            _ENDS.pack(client[1], server[1], source, destination),
            _REST.pack(0, _NO_COOKIE, _NO_COOKIE),
        )
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as netlink:
        netlink.sendto(question, (0, 0))
        answer, sender = netlink.recvfrom(4096, socket.MSG_DONTWAIT)
    if sender[0] != 0:
        raise OSError(errno.EPROTO, "a netlink message that the kernel did not send")
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind == _NLMSG_ERROR:
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        if -code == errno.ENOENT:
            return None
        raise OSError(-code, os.strerror(-code))
    _, state, _, _, _, uid, inode = _FOUND.unpack_from(answer, _HEADER.size)
    # If there is no connection, the kernel returns the socket that *listens* on the client's port, another program's.
    return None if state == _TCP_LISTEN else Peer(uid, inode)


def read_proc(client: tuple[str, int], server: tuple[str, int]) -> Peer | None:
    """The same from /proc/net/tcp and tcp6. Slower, because it reads every connection, but works without netlink.

    Raises: OSError where /proc cannot be read.
    Source: Documentation/networking/proc_net_tcp.rst.
    """
    family, source = _pack(client[0])
    _, destination = _pack(server[0])
    # A program can connect to 127.0.0.1 with an IPv6 socket; tcp6 then lists it as ::ffff:127.0.0.1.
    mapped = b"\0" * 10 + b"\xff" * 2
    tables = [("/proc/net/tcp6", source, destination)]
    if family == socket.AF_INET:
        source, destination = source[:4], destination[:4]
        tables = [("/proc/net/tcp", source, destination), ("/proc/net/tcp6", mapped + source, mapped + destination)]
    for path, near, far in tables:
        needle = f" {_hex(near)}:{client[1]:04X} {_hex(far)}:{server[1]:04X} ".encode()
        try:
            with open(path, "rb") as table:
                for line in table:
                    if needle in line:
                        fields = line.split()
                        return Peer(int(fields[7]), int(fields[9]))
        except FileNotFoundError:  # there is no tcp6 where IPv6 is disabled
            continue
    return None


def _pack(address: str) -> tuple[int, bytes]:
    """The address family, and the address as 16 bytes; IPv4 in the first four, as inet_diag expects."""
    if address.startswith("::ffff:") and "." in address:
        address = address[7:]
    if ":" in address:
        return socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address)
    return socket.AF_INET, socket.inet_pton(socket.AF_INET, address) + b"\0" * 12


def _hex(packed: bytes) -> str:
    """An address as /proc prints it: 32-bit words in the machine's byte order."""
    return "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", packed))
