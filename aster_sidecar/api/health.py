"""The /health call."""

from __future__ import annotations

from aster_sidecar import __version__
from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.api.identity import Identity
from aster_sidecar.api.lifecycle import Lifecycle
from aster_sidecar.contract import wire
from aster_sidecar.store.journal import Journal
from aster_sidecar.tools.registry import Toolkit


class HealthCalls:
    """The call behind /health."""

    def __init__(
        self, journal: Journal, identity: Identity, lifecycle: Lifecycle, agents: AgentCalls, toolkit: Toolkit
    ) -> None:
        self._journal = journal
        self._identity = identity
        self._lifecycle = lifecycle
        self._agents = agents
        self._toolkit = toolkit

    def health(self) -> wire.Health:
        """Whether the daemon is ready, degraded (the store can't be written) or stopping."""
        stopping, failing = self._lifecycle.stopping, self._journal.trouble is not None
        return wire.Health(
            status="stopping" if stopping else "degraded" if failing else "ok",
            version=__version__,
            protocol=wire.PROTOCOL,
            framework=self._identity.settings.framework,
            port=self._identity.port,
            pid=self._identity.pid,
            instance_id=self._identity.instance_id,
            agents=self._agents.count,
            ready=self._lifecycle.ready and not stopping,
            sandbox=self._toolkit.sandbox_state(),
        )
