"""The daemon's current warnings, for the snapshot, the tools call and diagnostics bundles."""

from __future__ import annotations

from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.config.settings import Config
from aster_sidecar.contract import wire
from aster_sidecar.models.api_keys import Keys
from aster_sidecar.models.build import Models
from aster_sidecar.store.journal import Journal
from aster_sidecar.tools.mcp.servers import Servers


class Warnings:
    """Collects the current warnings."""

    def __init__(
        self, journal: Journal, config: Config, models: Models, keys: Keys, agents: AgentCalls, servers: Servers
    ) -> None:
        self._journal = journal
        self._config = config
        self._models = models
        self._keys = keys
        self._agents = agents
        self._servers = servers

    def list(self) -> list[wire.Warning]:
        """All current warnings."""
        found: list[wire.Warning] = []
        failure = self._journal.failure
        if failure is not None:
            found.append(wire.Warning(code=failure.code, message=failure.message, hint=failure.hint))
        if not self._models.name():
            found.append(
                wire.Warning(code="model_not_set", message="No model is chosen.", hint="choose one in the settings")
            )
        found += [
            wire.Warning(code="config_invalid", message=problem, hint="fix the file; until then the key is ignored")
            for problem in self._config.problems
        ]
        found += [
            wire.Warning(code="agent_broken", message=f"{agent.id}: {problem.reason}", hint="fix the agent's file")
            for agent in self._agents.list()
            for problem in agent.problems
        ]
        unprotected = [info.variable for info in self._keys.list() if info.source == "file"]
        if unprotected:
            found.append(
                wire.Warning(
                    code="key_unprotected",
                    message=f"{', '.join(unprotected)}: kept unprotected in a file.",
                    hint="unlock or install the system's keychain and give the key again",
                )
            )
        return [*found, *self.missing_tools()]

    def missing_tools(self) -> list[wire.Warning]:
        """Warnings about MCP servers that are unavailable or have tools that can't be offered."""
        return [
            wire.Warning(code="mcp_unavailable", message=f"{missing.message}.", hint=missing.hint)
            for missing in self._servers.missing()
        ]
