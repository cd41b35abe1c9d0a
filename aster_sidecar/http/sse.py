"""The event stream over server-sent events (SSE)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from sse_starlette import EventSourceResponse

from aster_sidecar.api.event_stream import Transient
from aster_sidecar.store.events import Event

SEND_TIMEOUT_S = 30.0
"""A client that reads nothing for this long is disconnected; it can resume from its cursor."""


def respond(events: AsyncGenerator[list[Event] | Transient, None]) -> EventSourceResponse:
    """The response that streams these events, until the client disconnects or the daemon stops."""
    return Stream(_frames(events), ping=0, sep="\n", send_timeout=SEND_TIMEOUT_S)


async def _frames(events: AsyncGenerator[list[Event] | Transient, None]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        async for item in events:
            if isinstance(item, Transient):
                yield item.frame
            else:
                yield item[0].frame if len(item) == 1 else b"".join([event.frame for event in item])


class Stream(EventSourceResponse):
    """An EventSourceResponse without the library's exit watcher, which polls twice a second.

    The watcher is not needed: the journal ends all streams at a stop.
    """

    @staticmethod
    async def _listen_for_exit_signal() -> None:
        await asyncio.get_running_loop().create_future()
