"""The minimal HTTP client: what it reads, and that it raises Lost for everything else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from aster_sidecar.cli.chat.loopback import Loopback, Lost

JSON = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 11\r\n\r\n{"a": "\xc3\xa9"}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def server() -> Iterator[Callable[[bytes], tuple[str, list[bytes]]]]:
    """Serves these bytes to one client, then closes; returns its URL and what the client sends."""
    open_sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(answer: bytes) -> tuple[str, list[bytes]]:
        listening = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listening)
        received: list[bytes] = []

        def run() -> None:
            client, _ = listening.accept()
            with client:
                received.append(client.recv(65536))
                client.sendall(answer)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}", received

    yield serve
    for thread in threads:
        thread.join(10)
    for one in open_sockets:
        one.close()


def test_a_call_sends_json_and_returns_json(server: Callable[[bytes], tuple[str, list[bytes]]]) -> None:
    url, received = server(JSON)
    client = Loopback(url, "a-token")
    assert client.call("POST", "/api/chat", {"message": "é"}) == (200, {"a": "é"})
    client.close()
    head, _, body = received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Authorization: Bearer a-token" in head
    assert f"Content-Length: {len(body)}".encode() in head


def test_the_token_is_not_sent_where_it_is_not_needed(server: Callable[[bytes], tuple[str, list[bytes]]]) -> None:
    url, received = server(JSON)
    client = Loopback(url, "a-token")
    client.call("GET", "/health", with_token=False)
    client.close()
    assert b"a-token" not in received[0]


def test_a_stream_is_read_in_its_pieces(server: Callable[[bytes], tuple[str, list[bytes]]]) -> None:
    url, _ = server(CHUNKED + b"4\r\nda\r\n\r\n2\r\nta\r\n0\r\n\r\n")
    client = Loopback(url, None)
    assert list(client.stream("/api/events")) == [b"da\r\n", b"ta"]
    client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: none\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{a}",
        b"HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(10_000)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2" + b" " * 10_000 + b"\r\n\r\n{}",
    ],
)
def test_an_unusual_answer_is_lost(server: Callable[[bytes], tuple[str, list[bytes]]], answer: bytes) -> None:
    url, _ = server(answer)
    client = Loopback(url, None)
    with pytest.raises(Lost):
        client.call("GET", "/health")
    client.close()


@pytest.mark.parametrize(
    "rest", [b"", b"5\r\nab", b"zz\r\nab\r\n", b"-4\r\nab\r\n", b"7fffffffffff\r\nab\r\n", b"2\r\na"]
)
def test_a_stream_that_breaks_off_is_lost(server: Callable[[bytes], tuple[str, list[bytes]]], rest: bytes) -> None:
    url, _ = server(CHUNKED + rest)
    client = Loopback(url, None)
    with pytest.raises(Lost):
        list(client.stream("/api/events"))
    client.close()


@pytest.mark.parametrize("url", ["http://localhost:9", "https://127.0.0.1:9", "http://127.0.0.1:9", "http://127.0.0.1"])
def test_other_addresses_and_closed_ports_are_lost(url: str) -> None:
    with pytest.raises(Lost):
        Loopback(url, None)
