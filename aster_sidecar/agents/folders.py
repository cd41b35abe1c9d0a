"""The agents of each folder in which sessions work: a trusted project may add some of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aster_sidecar.agents.registry import Agents
from aster_sidecar.publisher import Publisher

FOLDERS_MOST = 100
"""The most folders whose agents are kept in memory; those of others are read again when they are needed."""


class FolderAgents:
    """The registries of agents by folder. `default` is that of the daemon's own folder.

    `make` reads the agents of a folder, None: of the daemon's own.
    """

    def __init__(self, make: Callable[[Path | None], Agents]) -> None:
        self._make = make
        self._by_folder: dict[Path, Agents] = {}
        self.changed: Publisher[[]] = Publisher()
        """Publishes when reloading the files changed an agent or a problem in any folder."""
        self.default = self._made(None)

    def _made(self, folder: Path | None) -> Agents:
        agents = self._make(folder)
        agents.changed.subscribe(self._publish)
        return agents

    def _publish(self) -> None:
        self.changed.publish()

    def of(self, folder: Path | None) -> Agents:
        """The agents of sessions that work in a folder. None: in the daemon's own."""
        if folder is None:
            return self.default
        found = self._by_folder.pop(folder, None) or self._made(folder)
        self._by_folder[folder] = found  # the one used last comes last
        if len(self._by_folder) > FOLDERS_MOST:
            self._by_folder.pop(next(iter(self._by_folder)))
        return found

    def name_of(self, agent_id: str) -> str:
        """An agent's name for people; its id if no folder in memory has it, or it has no name."""
        for agents in (self.default, *self._by_folder.values()):
            spec = agents.known(agent_id)
            if spec is not None:
                return spec.name or agent_id
        return agent_id

    def refresh(self) -> None:
        """Read files that changed since the last time; publish `changed` if an agent or a problem changed."""
        for agents in (self.default, *self._by_folder.values()):
            agents.refresh()
