"""Tells clients when agents come, go or break: files are looked at while a stream is open."""

from __future__ import annotations

import asyncio

from aster_sidecar.agents.registry import Agents
from aster_sidecar.api.agents import problems_of
from aster_sidecar.contract import wire
from aster_sidecar.store.journal import Journal

LOOK_S = 2.0
"""Seconds between two looks at the agents' files while somebody watches."""


class AgentWatcher:
    """Looks at the agents' files every `LOOK_S` while a stream is open; without one, they are read when asked for."""

    def __init__(self, journal: Journal, agents: Agents) -> None:
        self._journal = journal
        self._agents = agents
        self._looking: asyncio.TimerHandle | None = None
        self._closed = False

    def begin(self) -> None:
        """From now on, tell clients of changes."""
        self._agents.changed.subscribe(self._tell)
        self._journal.watched.subscribe(self._look)

    def close(self) -> None:
        """Look and tell no more."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()

    def _tell(self) -> None:
        """Tell clients which agents there are now."""
        if self._closed:
            return
        event = wire.AgentsChangedEvent(agents=self._agents.ids(), problems=problems_of(self._agents))
        self._journal.put("agents_changed", event)

        def again(told: asyncio.Future[None]) -> None:
            if not told.cancelled() and told.exception() is not None:  # the store is away: it may come back
                asyncio.get_running_loop().call_later(LOOK_S, self._tell)

        self._journal.commit().add_done_callback(again)

    def _look(self) -> None:
        if self._looking is None and not self._closed:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look_again)

    def _look_again(self) -> None:
        self._looking = None
        if self._journal.watchers and not self._closed:
            self._agents.refresh()
            self._look()
