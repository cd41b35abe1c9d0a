"""HTTP client of the command line: finds the daemon that uses a data directory, and calls it.

It connects to this machine only, never through a proxy, starts no daemon and imports nothing slow.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aster_sidecar.daemon.state_file import read_state
from aster_sidecar.text.json_text import parse_json

FIND_S = 2.0
CALL_S = 30.0
"""Read timeout of a call; a cancel waits 8 s for tools."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANSWER_BYTES = 64 << 20
UNREACHABLE = "unreachable"
"""Not a code of the protocol: no answer, or not the answer of a daemon."""


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that answers. `token`: whether it requires one; `started_at`: seconds since 1970."""

    url: str
    pid: int
    instance_id: str
    token: bool
    framework: str
    started_at: float
    version: str = ""


class ClientError(Exception):
    """An error answer of the daemon. `status` is 0 and `code` "unreachable" when there was no answer."""

    def __init__(self, status: int, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint


def find(data_dir: Path) -> Running | None:
    """The daemon that uses this data directory and answers; None if there is none. Never raises."""
    content = read_state(data_dir)
    if content is None:
        return None
    try:
        running = Running(
            url=str(content["url"]),
            pid=int(content["pid"]),
            instance_id=str(content["instance_id"]),
            token=bool(content["token"]),
            framework=str(content["framework"]),
            started_at=float(content["written_at"]),
            version=str(content.get("version", "")),
        )
        health = Client(running.url).health(FIND_S)
    except (ValueError, TypeError, KeyError, ClientError):
        return None
    # The file stays when a daemon is killed, and another program may use its port now.
    return running if health.get("instance_id") == running.instance_id else None


class Client:
    """Calls to one daemon. `name` identifies the client in `resolved_by` and the log. Raises: ValueError (bad URL)."""

    def __init__(self, url: str, token: str | None = None, name: str = "aster-sidecar") -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK or not parts.port:
            raise ValueError(f"not the address of a daemon on this machine: {url[:100]!r}")
        self.url = url.rstrip("/")
        self.token = token
        self._host = parts.hostname
        self._port = parts.port
        self._name = name

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Make one call; returns the answer's `data`. Parameters that are None are omitted. Raises: ClientError."""
        status, answer = self._json(self.open(method, path, body, **params))
        if answer.get("success") is True:
            return answer.get("data")
        hint = answer.get("hint")
        raise ClientError(
            status,
            str(answer.get("code") or UNREACHABLE),
            str(answer.get("error") or f"{self.url} answered {status}, but not as a daemon does"),
            str(hint) if hint else None,
        )

    def health(self, timeout_s: float = CALL_S) -> dict[str, Any]:
        """The answer of /health, requested without the token. Raises: ClientError."""
        return self._json(self.open("GET", "/health", timeout_s=timeout_s, with_token=False))[1]

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = CALL_S,
        with_token: bool = True,
        **params: Any,
    ) -> http.client.HTTPResponse:
        """Send a request; returns the answer with its body unread. `timeout_s` applies to each read.

        Raises: ClientError when there is no answer.
        """
        query = urllib.parse.urlencode(
            {name: query_value(value) for name, value in params.items() if value is not None}
        )
        sent = {"Accept": "application/json", "X-Aster-Client": self._name, **(headers or {})}
        if self.token and with_token:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        try:
            connection.request(method, path + (f"?{query}" if query else ""), data, {**sent, "Connection": "close"})
            answer = connection.getresponse()
            if connection.sock is not None:
                connection.sock.close()  # the answer holds its own reference until it is closed
            return answer
        except (OSError, ValueError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error

    def _json(self, answer: http.client.HTTPResponse) -> tuple[int, dict[str, Any]]:
        with contextlib.closing(answer):
            try:
                body = parse_json(answer.read(ANSWER_BYTES))
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise self._unreachable(error) from error
        return answer.status, cast("dict[str, Any]", body) if isinstance(body, dict) else {}

    def _unreachable(self, error: Exception) -> ClientError:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ClientError(
            0, UNREACHABLE, f"the daemon at {self.url} does not answer: {why}", "start it: aster-sidecar"
        )


def query_value(value: Any) -> str:
    """A value as it is written in a query string."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def path_part(text: str) -> str:
    """An id, percent-encoded as one segment of a path."""
    return urllib.parse.quote(text, safe="")
