"""Sends `agents_changed` events: polls the agents' files while a stream is open."""

from __future__ import annotations

import asyncio

from aster_sidecar.agents.folders import FolderAgents
from aster_sidecar.api.agents import problems_of
from aster_sidecar.contract import wire
from aster_sidecar.store.journal import Journal

LOOK_S = 2.0
"""Seconds between two checks of the agents' files while a stream is open."""


class AgentWatcher:
    """Checks the agents' files every `LOOK_S` while a stream is open; without one, they are read on request only."""

    def __init__(self, journal: Journal, agents: FolderAgents) -> None:
        self._journal = journal
        self._agents = agents
        self._looking: asyncio.TimerHandle | None = None
        self._closed = False

    def begin(self) -> None:
        """Start to watch the files and send events."""
        self._agents.changed.subscribe(self._record)
        self._journal.watched.subscribe(self._look)

    def close(self) -> None:
        """Stop watching and sending events."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()

    def _record(self) -> None:
        """Record an `agents_changed` event with the current agents of the daemon's folder."""
        if self._closed:
            return
        agents = self._agents.default
        event = wire.AgentsChangedEvent(agents=agents.ids(), problems=problems_of(agents))
        self._journal.put("agents_changed", event)

        def again(commit: asyncio.Future[None]) -> None:
            if not commit.cancelled() and commit.exception() is not None:  # the store may work again later
                asyncio.get_running_loop().call_later(LOOK_S, self._record)

        self._journal.commit().add_done_callback(again)

    def _look(self) -> None:
        if self._looking is None and not self._closed:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look_again)

    def _look_again(self) -> None:
        self._looking = None
        if self._journal.watchers and not self._closed:
            self._agents.refresh()
            self._look()
