"""The kernel reports which process holds the other end of a loopback connection, and /proc reports the same."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack

import pytest

from aster_sidecar.http import peer_credentials

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the peer is looked up on Linux only")


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="the kernel does not tell it elsewhere")
def test_the_other_end_of_a_unix_socket_is_the_process_that_connected() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        found = peer_credentials.credentials(one)
    assert found is not None
    assert (found.uid, found.pid) == (os.geteuid(), os.getpid())
    assert found.started is not None


def test_nobody_is_at_the_other_end_of_a_closed_socket() -> None:
    closed = socket.socket()
    closed.close()
    assert peer_credentials.credentials(closed) is None


@needs_linux
@pytest.mark.parametrize(
    ("family", "reach"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::ffff:127.0.0.1")],
)
def test_kernel_and_proc_name_the_same_peer(family: int, reach: str) -> None:
    listens = "::1" if reach == "::1" else "127.0.0.1"
    with ExitStack() as stack:
        try:
            server = stack.enter_context(socket.create_server((listens, 0), family=family if ":" in listens else 2))
            client = stack.enter_context(socket.socket(family))
        except OSError:
            pytest.skip("no IPv6 here")
        client.connect((reach, server.getsockname()[1]))
        accepted = stack.enter_context(server.accept()[0])
        ends = (accepted.getpeername()[:2], accepted.getsockname()[:2])  # as uvicorn names them
        expected = peer_credentials.Peer(os.geteuid(), os.fstat(client.fileno()).st_ino)
        assert peer_credentials.ask_kernel(*ends) == expected
        assert peer_credentials.read_proc(*ends) == expected
        assert peer_credentials.Peers().find(*ends) == expected
        assert peer_credentials.ask_kernel((listens, ends[0][1]), (listens, 1)) is None
        assert peer_credentials.read_proc((listens, ends[0][1]), (listens, 1)) is None
        client.shutdown(socket.SHUT_WR)  # a half-closed socket is still held by its process
        assert peer_credentials.Peers().find(*ends) == expected
        client.close()
        assert peer_credentials.Peers().find(*ends) is None


@needs_linux
def test_whoever_listens_on_the_clients_port_is_not_the_client() -> None:
    """Where there is no connection the kernel answers with a listener, which may have another program's uid."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        assert peer_credentials.Peers().find(elsewhere.getsockname(), ("127.0.0.1", 1)) is None
