"""A raw-socket HTTP client: sends exactly the given bytes, because real clients would normalise attacks."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, Self

TIMEOUT_S = 30.0


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]  # names in lower case, in the order they came
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One TCP connection, kept alive between requests."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._stream = self.socket.makefile("rb")

    @classmethod
    def over(cls, connected: socket.socket) -> Self:
        """A connection over a socket that is already connected, e.g. a Unix socket."""
        connection = cls.__new__(cls)
        connected.settimeout(TIMEOUT_S)
        connection.socket = connected
        connection._stream = connected.makefile("rb")
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send the data. A server may answer and close before it has read everything; its answer counts."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def read(self, *, head: bool = False) -> Answer:
        return read_answer(self._stream, head=head)

    def ended(self) -> bool:
        """Wait for the server to close the connection; False if it sends something instead."""
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True


def exchange(port: int, data: bytes) -> Answer:
    """Send `data` on a new connection and read one answer."""
    with Connection(port) as connection:
        connection.send(data)
        return connection.read(head=data.startswith(b"HEAD "))


def read_answer(stream: BinaryIO, *, head: bool = False) -> Answer:
    """Read one answer, framed by its status, by chunks, by its length, or by the end of the connection.

    `head`: the request was a HEAD, so no body follows. 100 Continue is skipped; 101 ends HTTP and is returned. Raises:
    ConnectionError when the server closes before an answer is complete.
    """
    status_line = _line(stream)
    version, status, *_ = status_line.split(" ", 2)
    if not version.startswith("HTTP/1."):
        raise ConnectionError(f"not an HTTP answer: {status_line!r}")
    headers: list[tuple[str, str]] = []
    while line := _line(stream):
        name, _, value = line.partition(":")
        headers.append((name.lower(), value.strip(" \t")))
    if status == "100":
        return read_answer(stream, head=head)
    named = dict(headers)
    if head or status in ("101", "204", "304"):
        body = b""
    elif named.get("transfer-encoding") == "chunked":
        body = _chunks(stream)
    elif "content-length" in named:
        body = _exactly(stream, int(named["content-length"]))
    else:
        body = stream.read()
    return Answer(int(status), headers, body)


def _line(stream: BinaryIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError(f"the connection ended after {line!r}")
    return line[:-2].decode("latin-1")


def _exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise ConnectionError(f"the connection ended after {len(data)} of {length} bytes")
    return data


def _chunks(stream: BinaryIO) -> bytes:
    body = b""
    while size := int(_line(stream).partition(";")[0], 16):
        body += _exactly(stream, size)
        _line(stream)
    while _line(stream):  # trailers
        pass
    return body
