"""Whether the daemon takes requests, and how it is asked to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aster_sidecar.contract import wire
from aster_sidecar.errors import Stopping


class Lifecycle:
    """`ready` once the store is open, `stopping` from the first step of a stop on."""

    def __init__(self, ask_stop: Callable[[], None], warm_up: Callable[[], None]) -> None:
        """`ask_stop` asks for an orderly stop; `warm_up` is called with every request and does its work once."""
        self._ask_stop = ask_stop
        self._warm_up = warm_up
        self.ready = False
        self.stopping = False
        self.ending = asyncio.Event()
        """Set when streams end: WebSockets say goodbye then."""
        self.sockets: set[asyncio.Task[Any]] = set()
        """The tasks that serve WebSockets."""

    def enter(self) -> None:
        """What every request but /health begins with. Raises: Stopping."""
        if self.stopping:
            raise Stopping("the daemon is stopping")
        self._warm_up()

    def shutdown(self) -> wire.ShuttingDown:
        """Stop the daemon: what waits or is queued stays for its next life."""
        self._ask_stop()
        return wire.ShuttingDown()
