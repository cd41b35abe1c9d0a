"""A minimal HTTP/1.1 client for the daemon on this machine, for `one_shot`, which can't wait for a library's import.

It sends JSON and reads answers with a length, and streams in chunks, which is what the daemon sends. Anything else
raises Lost, and the caller uses the complete client instead (`connection`).
"""

from __future__ import annotations

import json
import socket

from aster_sidecar.text.json_text import parse_object

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

CALL_S = 30.0
SILENCE_S = 35.0
"""After this time without a byte, two heartbeats of 15 s are missing and the connection is lost."""
CLIENT_NAME = "aster-sidecar chat"
"""The name of the client in `resolved_by` and in the log."""
ANSWER_BYTES = 1 << 20
PIECE_BYTES = 64 << 20
LINE_BYTES = 8192
HEADERS = 100


class Lost(Exception):
    """The daemon did not answer as this client expects, or not at all."""


class Loopback:
    """One connection, kept open between calls. Every method raises Lost when it can't go on."""

    def __init__(self, url: str, token: str | None) -> None:
        """`url` as in `sidecar.json`. Connects at once."""
        self._host = url.removeprefix("http://")
        self._token = token
        address, _, port = self._host.partition(":")
        if not url.startswith("http://") or address != "127.0.0.1" or not port.isdecimal():
            raise Lost
        self._socket = socket.socket()
        try:
            self._socket.settimeout(CALL_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.connect((address.encode(), int(port)))  # as text it would be looked up, with more imports
        except OSError as error:
            self._socket.close()
            raise Lost from error
        self._answer = self._socket.makefile("rb")

    def close(self) -> None:
        """Close the connection; an event stream ends."""
        self._answer.close()
        self._socket.close()

    def call(self, method: str, path: str, body: Any = None, *, with_token: bool = True) -> tuple[int, dict[str, Any]]:
        """One call; returns the status and the answer, a JSON object."""
        try:
            status, headers = self._request(method, path, body, with_token=with_token)
            length = int(headers["content-length"])
            if not 0 <= length <= ANSWER_BYTES or headers.get("connection") == "close":
                raise Lost
            content = self._answer.read(length)
            if len(content) < length:
                raise Lost
            return status, parse_object(content)
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise Lost from error

    def stream(self, path: str) -> Iterator[bytes]:
        """The body of an event stream, in pieces as they arrive. It ends when the daemon ends the stream."""
        try:
            status, headers = self._request("GET", path, None)
            if status != 200 or headers.get("transfer-encoding") != "chunked":
                raise Lost
            self._socket.settimeout(SILENCE_S)
        except (OSError, ValueError, IndexError) as error:
            raise Lost from error
        while piece := self._piece():
            yield piece

    def _piece(self) -> bytes:
        try:
            size = int(self._answer.readline(LINE_BYTES), 16)
            if not 0 <= size <= PIECE_BYTES:
                raise Lost
            piece = self._answer.read(size + 2)
        except (OSError, ValueError) as error:
            raise Lost from error
        if len(piece) < size + 2:
            raise Lost
        return piece[:size]

    def _request(self, method: str, path: str, body: Any, *, with_token: bool = True) -> tuple[int, dict[str, str]]:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"X-Aster-Client: {CLIENT_NAME}"]
        if self._token and with_token:
            lines.append(f"Authorization: Bearer {self._token}")
        content = b""
        if body is not None:
            content = json.dumps(body).encode()
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        self._socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        version, _, rest = self._answer.readline(LINE_BYTES).decode().partition(" ")
        if not version.startswith("HTTP/1.1"):
            raise Lost
        headers: dict[str, str] = {}
        while line := self._answer.readline(LINE_BYTES).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
            if len(headers) > HEADERS:
                raise Lost
        return int(rest.split()[0]), headers
