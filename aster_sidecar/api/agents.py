"""API calls about agents."""

from __future__ import annotations

from pathlib import Path

from aster_sidecar.agents.folders import FolderAgents
from aster_sidecar.agents.registry import Agents
from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.contract import wire
from aster_sidecar.conversation.session_choices import SessionChoices
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import AgentNotFound
from aster_sidecar.models.build import Models
from aster_sidecar.tools.mcp.servers import Servers
from aster_sidecar.tools.registry import Toolkit


class AgentCalls:
    """Calls about agents, and agent lookup for the other groups of calls."""

    def __init__(
        self,
        agents: FolderAgents,
        sessions: Sessions,
        queues: SessionQueues,
        choices: SessionChoices,
        toolkit: Toolkit,
        models: Models,
        servers: Servers,
    ) -> None:
        self._agents = agents
        self._sessions = sessions
        self._queues = queues
        self._choices = choices
        self._toolkit = toolkit
        self._models = models
        self._servers = servers

    def require(self, agent_id: str, folder: Path | None = None) -> AgentSpec:
        """The agent, as a session's folder has it; by default the daemon's folder. Raises: AgentNotFound."""
        return self._agents.of(folder).get(agent_id)

    def find(self, agent_id: str) -> AgentSpec | None:
        """The agent; None if its file is missing or broken but it has conversations. Raises: AgentNotFound."""
        try:
            return self._agents.default.get(agent_id)
        except AgentNotFound:
            if self._sessions.count(agent_id) == 0:
                raise
            return None

    @property
    def count(self) -> int:
        """The number of working agents."""
        return len(self._agents.default.ids())

    def list(self, session_id: str | None = None) -> list[wire.AgentInfo]:
        """All agents that a session can use, including those with a broken file. None: a new session.

        Raises: SessionNotFound.
        """
        folder = self._choices.work_dir(self._sessions.require(session_id)) if session_id is not None else None
        agents = self._agents.of(folder)
        specs = agents.list()  # reads the files, so it must come before `problems_of`
        problems: dict[str, list[wire.AgentProblem]] = {}
        for problem in problems_of(agents):
            problems.setdefault(problem.id, []).append(problem)
        working = [
            wire.AgentInfo(
                id=spec.agent_id,
                name=spec.name,
                description=spec.description,
                model=spec.model or self._models.name(),
                state=self._queues.state_of_agent(spec.agent_id),
                tools=self._toolkit.of(spec.tools, spec.agent_id, session_id or ""),
                missing=self._missing(spec, session_id or ""),
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
                missing=[],
                sessions=self._sessions.count(agent_id),
                source=found[0].source,
                path=found[0].path,
                problems=found,
            )
            for agent_id, found in problems.items()
        ]
        return [*working, *broken]

    def _missing(self, spec: AgentSpec, session_id: str) -> list[str]:
        """What an agent does without now: tools that it names, and MCP servers whose tools it has."""
        if spec.tools is not None:
            return [f"{name}: {why}" for name in spec.tools if (why := self._toolkit.why_absent(name)) is not None]
        missing = self._servers.missing()
        return [one.message for one in missing if self._toolkit.wants(one.server, spec.agent_id, session_id)]


def problems_of(agents: Agents) -> list[wire.AgentProblem]:
    """The problems of the agents' files as wire models."""
    return [
        wire.AgentProblem(id=p.agent_id, source=p.source, path=p.path, line=p.line, reason=p.reason)
        for p in agents.problems
    ]
