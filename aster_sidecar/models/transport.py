"""The HTTP client between the providers' SDKs and the network.

Each answer passes through its dialect's reader (streams/dialects.py) before the SDK sees it. Refusals and failures
become one typed error (provider_errors/classify.py). Requests are counted here, and stalled streams end here.
`ASTER_MODEL_EDGE=off` disables all this: answers reach the SDKs as they come.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from aster_sidecar.errors import ModelError
from aster_sidecar.models.request_context import CURRENT, FIRST_HERE_S, FIRST_S, MARK, Exchange
from aster_sidecar.models.streams.dialects import READERS, ResponsesReader
from aster_sidecar.models.streams.events import Malformed, NoStream, ProviderError, parse_or_none
from aster_sidecar.models.streams.reader import Reader

STALL_S = 120.0
"""Longest wait for progress: text, thinking or arguments. Comments and empty events are not progress."""
LOOK_S = 5.0
"""Longest time between two checks for progress."""
TAIL_S = 1.0
"""Longest wait for usage behind a finish reason, and for the end of the stream."""
HELD_BYTES = 1 << 20
"""How much unread data is held before reading from the connection pauses."""
REFUSAL_BYTES = 1 << 18
"""How much of a refusal is read."""
REFUSAL_S = 5.0
"""Longest wait for the body of a refusal: some servers keep the connection open afterwards."""


class EdgeClient(httpx2.AsyncClient):
    """The HTTP client of the SDKs. `known`: dialect → the types of events and items that its SDK knows."""

    def __init__(self, known: Callable[[type[Reader]], Collection[str]] = lambda _: (), **given: Any) -> None:
        super().__init__(**given)
        self._known = known
        self._tails: set[asyncio.Task[None]] = set()

    async def send(self, request: httpx2.Request, *, stream: bool = False, **given: Any) -> httpx2.Response:
        """Send an SDK's request. Raises: ModelError, LimitReached, httpx2.HTTPError."""
        dialect = dialect_of(request)
        exchange = CURRENT.get(None) or Exchange()
        if dialect is not None:
            request = completed(request, exchange)
            exchange.leave()
            exchange.ending = None
        response = await super().send(request, stream=stream or dialect is not None, **given)
        if dialect is None:
            return response
        if not response.is_success:
            raise await refused(response, exchange)
        if not stream:
            await response.aread()
            return response
        reader = dialect(self._known(dialect))
        if isinstance(reader, ResponsesReader):
            reader.resumes = request.method == "GET"
        reading = Reading(response, reader, exchange, self._tails)
        kept = [(name, value) for name, value in response.headers.multi_items() if name not in ENCODING]
        return httpx2.Response(
            response.status_code, headers=kept, stream=reading, request=request, extensions=response.extensions
        )

    async def aclose(self) -> None:
        for tail in list(self._tails):
            tail.cancel()
        await super().aclose()


ENCODING = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that no longer apply to a body that was decoded."""


def dialect_of(request: httpx2.Request) -> type[Reader] | None:
    """The dialect of a request that asks a model; None for any other request."""
    path = request.url.path.rstrip("/")
    if request.method == "GET" and "/responses/" in path:  # polls a response that runs in the background
        return ResponsesReader
    if request.method != "POST":
        return None
    return next((reader for reader in READERS if path.endswith(reader.path)), None)


def completed(request: httpx2.Request, exchange: Exchange) -> httpx2.Request:
    """The request with stored messages and files instead of marks. Raises: ValueError if a mark cannot be replaced."""
    body = request.content
    if exchange.complete is None and MARK.encode() in body:
        raise ValueError("a mark in a request that belongs to no exchange")
    if exchange.complete is None and exchange.fill is None:
        return request
    body = exchange.complete(body) if exchange.complete is not None else body
    filled = exchange.fill(body) if exchange.fill is not None else None
    content = body if filled is None else filled
    headers = request.headers.copy()
    headers["content-length"] = str(len(body) if filled is None else filled.length)
    return httpx2.Request(request.method, request.url, headers=headers, content=content, extensions=request.extensions)


async def refused(response: httpx2.Response, exchange: Exchange) -> ModelError:
    """The error for a refusal."""
    body = bytearray()
    with contextlib.suppress(httpx2.HTTPError, TimeoutError):  # the status is sufficient
        async with asyncio.timeout(REFUSAL_S):
            async for data in response.aiter_bytes():
                body += data
                if len(body) > REFUSAL_BYTES or (body.endswith(b"}") and parse_or_none(bytes(body)) is not None):
                    break
    await response.aclose()
    value = parse_or_none(bytes(body)) if body else None
    return explained(value if value is not None else body.decode("utf-8", "replace"), response, exchange)


def explained(body: object, response: httpx2.Response, exchange: Exchange) -> ModelError:
    from aster_sidecar.models.provider_errors.classify import understand

    status = None if response.is_success else response.status_code
    headers: Mapping[str, str] = response.headers
    return understand(status, body, headers, name=exchange.name, key_variable=exchange.key, base_variable=exchange.base)


def decoded(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The decompressed bytes of a body. An uncompressed body comes straight from the connection."""
    stream = response.stream
    if response.headers.get("content-encoding") or not isinstance(stream, httpx2.AsyncByteStream):
        return response.aiter_bytes()
    return aiter(stream)


@dataclass(slots=True)
class Arrived:
    """Data from the provider that is not read yet."""

    pieces: list[bytes] = field(default_factory=list[bytes])
    size: int = 0
    over: bool = False
    failure: BaseException | None = None


class Reading(httpx2.AsyncByteStream):
    """The body of an answer after its dialect's reader.

    A separate task receives the data, so that everything that has arrived is processed together.
    """

    def __init__(
        self, response: httpx2.Response, reader: Reader, exchange: Exchange, tails: set[asyncio.Task[None]]
    ) -> None:
        self._response = response
        self._reader = reader
        self._exchange = exchange
        self._tails = tails
        self._arrived = Arrived()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since_s = 0.0
        self._seen = 0
        self._late = False
        self._ended = False
        self._settled = False
        """Whether the data was already tested for being a complete answer that is not a stream."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._pump is not None:
            return  # SDKs read past the end so that the connection can be reused: `aclose` does that
        loop = asyncio.get_running_loop()
        self._since_s = loop.time()
        self._pump = loop.create_task(self._receive(), name="provider's stream")
        self._watch()
        reader, arrived = self._reader, self._arrived
        try:
            while not reader.whole:
                if reader.failed is not None:
                    self._translated(reader.end)
                if not arrived.pieces and not arrived.over and not self._late:
                    self._wake.clear()
                    await self._wake.wait()
                if arrived.pieces:
                    out = self._read()
                    if self._late or (reader.finished and self._exchange.ending is None):
                        self._watch()
                elif arrived.over:
                    out = self._end()
                    reader.whole = True
                else:
                    out = self._give_up()
                self._exchange.ending = reader.ending
                if out:
                    yield out
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _receive(self) -> None:
        arrived = self._arrived
        try:
            async for data in decoded(self._response):
                arrived.pieces.append(data)
                arrived.size += len(data)
                self._wake.set()
                if arrived.size > HELD_BYTES:
                    self._room.clear()
                    await self._room.wait()
        except Exception as failure:
            arrived.failure = failure
        finally:
            arrived.over = True
            self._wake.set()

    def _read(self) -> bytes:
        """Process the data that has arrived. Raises: ModelError."""
        arrived = self._arrived
        if not arrived.pieces:
            return b""
        data = b"".join(arrived.pieces)
        arrived.pieces.clear()
        arrived.size = 0
        self._room.set()
        out = self._translated(lambda: self._reader.feed(data))
        if self._reader.progress != self._seen or self._reader.is_no_stream:
            self._seen, self._since_s = self._reader.progress, asyncio.get_running_loop().time()
        if self._reader.is_no_stream:
            self._settled = False
            self._watch()
        return out

    def _end(self) -> bytes:
        """Finish after the end of the provider's stream. Raises: ModelError, or the exception that broke it."""
        failure = self._arrived.failure
        if failure is not None and not self._reader.finished:
            raise failure
        status = self._response.status_code
        content_type = self._response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not self._reader.has_events and (status != 200 or content_type != "text/event-stream"):
            return self._translated(lambda: self._reader.end() or self._nothing())
        return self._translated(self._reader.end)

    def _nothing(self) -> bytes:
        """Raises: NoStream when no event arrived."""
        if not self._reader.has_events:
            raise NoStream(b"")
        return b""

    def _translated(self, read: Callable[[], bytes]) -> bytes:
        """Call a reader and translate its exceptions. Raises: ModelError."""
        try:
            return read()
        except ProviderError as error:
            raise explained(error.body, self._response, self._exchange) from error
        except NoStream as error:
            from aster_sidecar.models.provider_errors.classify import not_a_stream

            raise not_a_stream(
                self._response.headers.get("content-type", ""),
                self._response.status_code,
                error.first,
                name=self._exchange.name,
                base_variable=self._exchange.base,
            ) from error
        except Malformed as error:
            raise ModelError(
                "malformed_stream",
                f"{self._exchange.name}: the answer could not be understood: {error}",
                hint="send again; the text so far is kept",
                retryable=True,
            ) from error

    # -- timeouts ----------------------------------------------------------------------------------------------------

    def _timeout_s(self) -> float:
        """Longest wait since the last progress."""
        exchange, reader = self._exchange, self._reader
        if reader.finished or (reader.is_no_stream and not self._settled):
            return TAIL_S
        if exchange.wait_s is not None:
            return exchange.wait_s
        if reader.progress:
            return STALL_S
        return FIRST_HERE_S if exchange.here else FIRST_S

    def _watch(self) -> None:
        """Check for progress, now and whenever the timeout may have passed."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._late = False
        if self._reader.finished and not self._ended:
            self._ended, self._since_s = True, loop.time()
        left_s = self._since_s + self._timeout_s() - loop.time()
        if left_s <= 0 and not self._arrived.pieces:
            self._late = True
            self._wake.set()
            return
        self._timer = loop.call_later(max(min(left_s, LOOK_S), 0.1), self._watch)

    def _give_up(self) -> bytes:
        """Finish an answer that makes no more progress. Raises: ModelError when it is incomplete."""
        if self._reader.finished:
            self._reader.close()
            return self._reader.end()
        if self._reader.is_no_stream and not self._settled:
            self._settled = True
            out = self._translated(self._reader.settle)
            if not self._reader.whole:
                self._watch()
            return out
        waited_s = self._timeout_s()
        began = self._reader.progress > 0
        raise ModelError(
            "provider_timeout",
            f"{self._exchange.name}: "
            + (f"the answer stalled for {waited_s:g} s" if began else f"no answer within {waited_s:g} s"),
            hint="send again; ASTER_MODEL_TIMEOUT_S sets how long the daemon waits",
            retryable=True,
        )

    # -- the end -----------------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Release the connection. The rest of a complete answer is read first, so that the connection can be reused."""
        pump = self._pump
        if self._timer is not None:
            self._timer.cancel()
        self._room.set()
        if pump is None or pump.done() or not self._reader.whole:
            if pump is not None and not pump.done():
                pump.cancel()
                await asyncio.wait([pump])
            await self._response.aclose()
            return
        tail = asyncio.get_running_loop().create_task(self._let_end(pump), name="end of a provider's stream")
        self._tails.add(tail)
        tail.add_done_callback(self._tails.discard)

    async def _let_end(self, pump: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait([pump], timeout=TAIL_S)
        finally:
            pump.cancel()
            with contextlib.suppress(Exception):
                await self._response.aclose()
