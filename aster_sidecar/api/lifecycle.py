"""The daemon's lifecycle: whether it accepts requests, and the shutdown call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aster_sidecar.contract import wire
from aster_sidecar.errors import Stopping


class Lifecycle:
    """`ready`: the store is open; `stopping`: a stop has begun."""

    def __init__(self, ask_stop: Callable[[], None], warm_up: Callable[[], None]) -> None:
        """`ask_stop` requests an orderly stop; `warm_up` is called with every request and runs once."""
        self._ask_stop = ask_stop
        self._warm_up = warm_up
        self.ready = False
        self.stopping = False
        self.ending = asyncio.Event()
        """Set when streams end: WebSockets are closed then."""
        self.sockets: set[asyncio.Task[Any]] = set()
        """The tasks that serve WebSockets."""

    def enter(self) -> None:
        """Called at the start of every request except /health. Raises: Stopping."""
        if self.stopping:
            raise Stopping("the daemon is stopping")
        self._warm_up()

    def shutdown(self) -> wire.ShuttingDown:
        """Stop the daemon. Pending approvals and queued turns are kept for its next start."""
        self._ask_stop()
        return wire.ShuttingDown()
