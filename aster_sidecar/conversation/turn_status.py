"""The state of an agent in a session, as clients read it."""

from __future__ import annotations

from aster_sidecar.agents.folders import FolderAgents
from aster_sidecar.contract import wire
from aster_sidecar.conversation.effective_settings import EffectiveSettings
from aster_sidecar.conversation.run_request import NOTHING, Usage
from aster_sidecar.conversation.session_choices import NONE, SessionChoices
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.turns import select_outcome


class TurnStatus:
    """Reads the state of agents in their sessions. Creates nothing."""

    def __init__(
        self,
        journal: Journal,
        agents: FolderAgents,
        sessions: Sessions,
        queues: SessionQueues,
        waits: Waits,
        choices: SessionChoices,
        settings: EffectiveSettings,
    ) -> None:
        self._journal = journal
        self._agents = agents
        self._sessions = sessions
        self._queues = queues
        self._waits = waits
        self._choices = choices
        self._settings = settings

    def read(self, agent_id: str, session_id: str | None) -> wire.Status:
        """The state of an agent in a session, by default in its default session. Creates nothing.

        Raises: AgentNotFound, SessionNotFound, StoreError.
        """
        check_known(self._agents, self._sessions, agent_id)
        session_id = self._sessions.find_default(agent_id, session_id)
        if session_id is None:
            settings = self._settings.of(agent_id, NONE)
            return wire.Status(
                id=agent_id,
                state="idle",
                session_id=None,
                turn_id=None,
                queue=[],
                waiting_for=[],
                pending_approvals=0,
                pending_questions=0,
                model=settings.model.value,
                usage=wire.Usage(),
                context=None,
                last_error=None,
                settings=settings,
            )
        queue = self._queues.of(session_id, agent_id)
        usage, error = wire.Usage(), None
        choice = queue.active.choice if queue.active is not None else NOTHING
        settings = self._settings.of(agent_id, self._choices.of(session_id), choice)
        if queue.active is not None:
            usage = queue.active.usage.to_wire()
        else:
            row = self._journal.first(select_outcome(session_id))
            if row is not None:
                usage, error = Usage.stored(row.usage).to_wire(), error_of(row.error)
        return wire.Status(
            id=agent_id,
            state=queue.state,
            session_id=session_id,
            turn_id=queue.active.turn_id if queue.active is not None else None,
            queue=[turn.turn_id for turn in queue.queued],
            waiting_for=self._waits.kinds(agent_id, session_id),
            pending_approvals=len(self._waits.approvals.list(agent_id, session_id)),
            pending_questions=len(self._waits.questions.list(agent_id, session_id)),
            model=settings.model.value,
            usage=usage,
            context=(queue.active and queue.active.usage.context) or self._sessions.info(session_id).context,
            last_error=error,
            settings=settings,
        )


def check_known(agents: FolderAgents, sessions: Sessions, agent_id: str) -> None:
    """Raises: AgentNotFound, if the agent neither exists nor has conversations."""
    if sessions.count(agent_id) == 0:
        agents.default.get(agent_id)


def error_of(text: str | None) -> wire.ErrorInfo | None:
    """The error of a failed turn from its row; None if it can't be read."""
    try:
        return wire.ErrorInfo.model_validate_json(text) if text else None
    except ValueError:
        return None
