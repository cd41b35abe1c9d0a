"""API calls about agents."""

from __future__ import annotations

from aster_sidecar.agents.registry import Agents
from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.contract import wire
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import AgentNotFound
from aster_sidecar.models.build import Models
from aster_sidecar.tools.registry import Toolkit


class AgentCalls:
    """Calls about agents, and agent lookup for the other groups of calls."""

    def __init__(
        self, agents: Agents, sessions: Sessions, queues: SessionQueues, toolkit: Toolkit, models: Models
    ) -> None:
        self._agents = agents
        self._sessions = sessions
        self._queues = queues
        self._toolkit = toolkit
        self._models = models

    def require(self, agent_id: str) -> AgentSpec:
        """The agent. Raises: AgentNotFound."""
        return self._agents.get(agent_id)

    def find(self, agent_id: str) -> AgentSpec | None:
        """The agent; None if its file is missing or broken but it has conversations. Raises: AgentNotFound."""
        try:
            return self._agents.get(agent_id)
        except AgentNotFound:
            if self._sessions.count(agent_id) == 0:
                raise
            return None

    @property
    def count(self) -> int:
        """The number of working agents."""
        return len(self._agents.ids())

    def list(self) -> list[wire.AgentInfo]:
        """All agents, including those with a broken file."""
        specs = self._agents.list()  # reads the files, so it must come before `problems_of`
        problems: dict[str, list[wire.AgentProblem]] = {}
        for problem in problems_of(self._agents):
            problems.setdefault(problem.id, []).append(problem)
        working = [
            wire.AgentInfo(
                id=spec.agent_id,
                name=spec.name,
                description=spec.description,
                model=spec.model or self._models.name(),
                state=self._queues.state_of_agent(spec.agent_id),
                tools=self._toolkit.of(spec.tools),
                sessions=self._sessions.count(spec.agent_id),
                source=spec.source,
                path=spec.path,
                problems=problems.pop(spec.agent_id, []),
            )
            for spec in specs
        ]
        broken = [
            wire.AgentInfo(
                id=agent_id,
                name=agent_id,
                description="",
                model="",
                state="failed",
                tools=[],
                sessions=self._sessions.count(agent_id),
                source=found[0].source,
                path=found[0].path,
                problems=found,
            )
            for agent_id, found in problems.items()
        ]
        return [*working, *broken]


def problems_of(agents: Agents) -> list[wire.AgentProblem]:
    """The problems of the agents' files as wire models."""
    return [
        wire.AgentProblem(id=p.agent_id, source=p.source, path=p.path, line=p.line, reason=p.reason)
        for p in agents.problems
    ]
