"""The connection of a chat to its daemon: requests, the event stream, and reconnecting.

Nothing is sent to a server until its `instance_id` is the one that `sidecar.json` or the ready line names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.loopback import CALL_S, CLIENT_NAME, SILENCE_S
from aster_sidecar.cli.chat.sse import Frames
from aster_sidecar.text.json_text import parse_object

if TYPE_CHECKING:
    import httpx

BACKOFF_S = (0.1, 0.3, 1.0, 2.0)

Json = dict[str, Any]


class Unreachable(Exception):
    """No daemon answers, or the server that answers is not the daemon of this data directory."""


class Refused(Exception):
    """The daemon refused a request: `code`, `hint` and `details` as in docs/protocol.md."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer.get("error") or texts.refused(status)))
        self.status = status
        self.code = str(answer.get("code") or "")
        self.hint: str | None = answer.get("hint")
        self.details: Any = answer.get("details")


class Connection:
    """Requests to one daemon and its event stream, also across restarts of the daemon.

    `relocate` returns URL, instance id and token of the daemon as it is now, or raises Unreachable; it may block.
    """

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
        """Check that the server is the daemon that is meant; /health needs no token. Raises: Unreachable."""
        import httpx

        try:
            answer = await self._http.get(self.url + "/health")
            health = parse_object(answer.content)
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(texts.no_daemon_at(self.url, str(error))) from error
        if health.get("instance_id") != self.instance_id:
            raise Unreachable(texts.other_server(self.url))
        self._checked = True
        return health

    async def call(self, method: str, path: str, body: Json | None = None, **query: Any) -> Any:
        """Send one request; returns the `data` of its answer. Raises: Refused, Unreachable.

        Query parameters that are None are left out.
        """
        params = {name: value for name, value in query.items() if value is not None}
        return await self._data(method, path, json=body, params=params, headers=self._headers())

    async def upload(self, name: str, content: bytes) -> Json:
        """Upload a file for a message; returns its AttachmentInfo. Raises: Refused, Unreachable."""
        headers = {"X-Filename": quote(name.encode(errors="replace"), safe=""), **self._headers()}
        return await self._data("POST", "/api/attachments", content=content, headers=headers)

    async def _data(self, method: str, path: str, **request: Any) -> Any:
        import httpx

        if not self._checked:
            await self.check()
        try:
            answer = await self._http.request(method, self.url + path, **request)
            envelope = parse_object(answer.content)
        except (httpx.HTTPError, ValueError) as error:
            self._checked = False
            raise Unreachable(texts.no_answer(self.url, str(error) or type(error).__name__)) from error
        if not envelope.get("success"):
            raise Refused(answer.status_code, envelope)
        return envelope["data"]

    async def move(self) -> None:
        """Find out where the daemon is now. Raises: Unreachable."""
        self.url, self.instance_id, self._token = await asyncio.to_thread(self._relocate)
        self._checked = False
        await self.check()

    async def events(
        self, lost: Callable[[str], None], back: Callable[[], None], after: int | None = None
    ) -> AsyncIterator[Json]:
        """All events from now on, across lost connections and restarts; `connected` comes once a connection.

        `after`: all events after this seq instead.
        `lost` is called with the reason when the connection breaks, `back` when it works again. Raises: Refused.
        """
        import httpx

        cursor = str(after) if after is not None else None
        failures = 0
        while True:
            reason = texts.STREAM_ENDED
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
                        raise Refused(answer.status_code, parse_object(answer.content))
                    if failures:
                        back()
                    failures = 0
                    frames = Frames()
                    async for piece in answer.aiter_text():
                        for frame_id, data in frames.feed(piece):
                            cursor = frame_id or cursor
                            yield parse_object(data)
            except (httpx.HTTPError, httpx.StreamError, Unreachable, ValueError) as error:
                reason = str(error) or type(error).__name__
            except Refused as refusal:
                if refusal.status != 503:
                    raise
                reason = str(refusal)
            self._checked = False
            if not failures:
                lost(reason)
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1
