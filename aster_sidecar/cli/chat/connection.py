"""The connection of `chat` to its daemon: finds the one of a data directory or starts one, calls, follows, reconnects.

Nothing is trusted to be our daemon until its process and its `instance_id` are those that `sidecar.json` names.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from aster_sidecar.config.places import Places
from aster_sidecar.frozen import own_command
from aster_sidecar.services.process_facts import started_at

if TYPE_CHECKING:
    import httpx

STATE_NAME = "sidecar.json"
START_S = 30.0
"""Longest a daemon may take until it says that it is ready."""
CALL_S = 30.0
SILENCE_S = 35.0
"""Two heartbeats of 15 s missed: the connection is lost."""
BACKOFF_S = (0.1, 0.3, 1.0, 2.0)
CLIENT_NAME = "aster-sidecar chat"

Json = dict[str, Any]


class Unreachable(Exception):
    """No daemon answers, or the one that does is not the one of this data directory."""


class NotStarted(Exception):
    """A daemon could not be started; `code` is the exit code it left with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Refused(Exception):
    """The daemon refused a request: `code` as documented, `hint` in words."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer.get("error") or f"HTTP {status}"))
        self.status = status
        self.code = str(answer.get("code") or "")
        self.hint: str | None = answer.get("hint")
        self.details: Any = answer.get("details")


@dataclass(frozen=True, slots=True)
class Found:
    """What `sidecar.json` says about a daemon whose process lives."""

    url: str
    pid: int
    instance_id: str
    framework: str
    version: str
    needs_token: bool
    started_at: float | None

    @property
    def words(self) -> str:
        return f"pid {self.pid}, {self.framework}, {self.url}"


def find(data_dir: Path) -> Found | None:
    """The daemon that holds the data directory; None when its file is missing or damaged, or its process gone."""
    try:
        told: Any = json.loads((data_dir / STATE_NAME).read_text("utf-8"))
        found = Found(
            url=str(told["url"]),
            pid=int(told["pid"]),
            instance_id=str(told["instance_id"]),
            framework=str(told["framework"]),
            version=str(told["version"]),
            needs_token=bool(told["token"]),
            started_at=told["started_at"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    born = started_at(found.pid)
    return found if born is not None and born == found.started_at else None


@dataclass
class Child:
    """A daemon that lives as long as its stdin is held open here."""

    process: subprocess.Popen[bytes]
    url: str
    pid: int
    instance_id: str
    token: str = field(repr=False)

    def stop(self) -> None:
        """Let go of it and wait until it has stopped in order."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


def start(flags: Sequence[str], places: Places, environment: Mapping[str, str], token: str | None = None) -> Child:
    """Start a daemon that ends with us, on a free port. Blocks until it answers. Raises: NotStarted."""
    token = token if token is not None and len(token) >= 16 and token.isascii() else secrets.token_urlsafe(32)
    places.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # before what is in it: parents get no mode
    places.logs_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    log_path = places.logs_dir / "chat.log"
    # Ctrl-C in this terminal is ours alone. On Windows: CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP.
    flags_of_windows = 0x08000200 if sys.platform == "win32" else 0
    with os.fdopen(os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        before = log.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            [*own_command(), "--supervised", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={name: value for name, value in environment.items() if name != "ASTER_SIDECAR_TOKEN"},
            creationflags=flags_of_windows,
            start_new_session=sys.platform != "win32",
        )
    assert process.stdin is not None
    assert process.stdout is not None
    line = b""
    with contextlib.suppress(OSError):
        process.stdin.write(json.dumps({"token": token, "port": 0}).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
    if not line:
        process.stdin.close()
        process.stdout.close()
        code = process.wait(START_S)
        with open(log_path, "rb") as log:
            log.seek(before)
            said = log.read(4000).decode("utf-8", "replace").strip()
        raise NotStarted(said.removeprefix("aster-sidecar: ") or f"the daemon left with exit code {code}", code)
    ready = json.loads(line)
    return Child(process, ready["url"], ready["pid"], ready["instance_id"], token)


class Connection:
    """Calls to one daemon, and its event stream across its lives. `relocate` says where it is now, or raises."""

    def __init__(
        self, url: str, instance_id: str, token: str | None, relocate: Callable[[], tuple[str, str, str | None]]
    ) -> None:
        import httpx

        self.url = url
        self.instance_id = instance_id
        self._token = token
        self._relocate = relocate
        self._http: httpx.AsyncClient = httpx.AsyncClient(
            trust_env=False, timeout=CALL_S, headers={"X-Aster-Client": CLIENT_NAME}
        )
        self._checked = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def check(self) -> Json:
        """Ask /health, which needs no token, whether this is the daemon meant. Raises: Unreachable."""
        import httpx

        try:
            answer = await self._http.get(self.url + "/health")
            health: Json = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(f"no daemon answers on {self.url}: {error}") from error
        if health.get("instance_id") != self.instance_id:
            raise Unreachable(f"what answers on {self.url} is not the daemon of this data directory")
        self._checked = True
        return health

    async def call(self, method: str, path: str, body: Json | None = None, **query: Any) -> Any:
        """One request; returns `data`. Raises: Refused, Unreachable."""
        import httpx

        if not self._checked:
            await self.check()
        try:
            answer = await self._http.request(
                method,
                self.url + path,
                json=body,
                params={name: value for name, value in query.items() if value is not None},
                headers=self._headers(),
            )
            told: Json = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            self._checked = False
            raise Unreachable(f"the daemon on {self.url} does not answer: {error or type(error).__name__}") from error
        if not told.get("success"):
            raise Refused(answer.status_code, told)
        return told["data"]

    async def move(self) -> None:
        """Look where the daemon is now. Raises: Unreachable."""
        self.url, self.instance_id, self._token = await asyncio.to_thread(self._relocate)
        self._checked = False
        await self.check()

    async def events(self, lost: Callable[[str], None], back: Callable[[], None]) -> AsyncIterator[Json]:
        """All events from now on, across lost connections and restarts. `connected` comes once for each connection.

        `lost` is called once when the connection breaks, `back` when it stands again. Raises: Refused.
        """
        import httpx

        cursor: str | None = None
        failures = 0
        while True:
            why = "the stream ended"
            try:
                if not self._checked:
                    await self.move()
                headers = self._headers() | ({"Last-Event-ID": cursor} if cursor is not None else {})
                timeout = httpx.Timeout(CALL_S, read=SILENCE_S)
                async with self._http.stream(
                    "GET", self.url + "/api/events", headers=headers, timeout=timeout
                ) as answer:
                    if answer.status_code != 200:
                        await answer.aread()
                        raise Refused(answer.status_code, answer.json())
                    if failures:
                        back()
                    failures = 0
                    async for identity, data in frames(lines(answer.aiter_text())):
                        if identity:
                            cursor = identity
                        yield json.loads(data)
            except (httpx.HTTPError, httpx.StreamError, Unreachable) as error:
                why = str(error) or type(error).__name__
            except Refused as refusal:
                if refusal.status != 503:
                    raise
                why = str(refusal)
            self._checked = False
            if not failures:
                lost(why)
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1


async def lines(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Lines as a stream of events has them: httpx ends one at U+2028 and its like too, which stand in texts."""
    rest = ""
    async for piece in pieces:
        *ended, rest = (rest + piece).split("\n")
        for line in ended:
            yield line.removesuffix("\r")


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """The SSE frames in these lines, as (id, data); an id of "" where the frame has none."""
    identity, data = "", list[str]()
    async for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield identity, "\n".join(data)
            identity, data = "", []
        elif name == "id":
            identity = value
        elif name == "data":
            data.append(value)
