"""API calls about questions to a person, and the inbox of all that waits for one."""

from __future__ import annotations

from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.contract import wire
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.store.journal import Journal


class QuestionCalls:
    """Calls about open questions."""

    def __init__(self, journal: Journal, agents: AgentCalls, sessions: Sessions, waits: Waits) -> None:
        self._journal = journal
        self._agents = agents
        self._sessions = sessions
        self._waits = waits

    async def questions(self, agent_id: str | None, session_id: str | None) -> list[wire.QuestionInfo]:
        """The open questions, oldest first. Raises: AgentNotFound, SessionNotFound, StoreError."""
        await self._ready(agent_id, session_id)
        return self._waits.questions.list(agent_id, session_id)

    async def answer(self, body: wire.AnswerRequest, who: str) -> wire.Answered:
        """Answer or decline a question on behalf of the client `who`. Raises: what `Questions.answer` raises."""
        return await self._waits.questions.answer(body, who)

    async def inbox(self, agent_id: str | None, session_id: str | None) -> list[wire.InboxEntry]:
        """All that waits for a person, oldest first. Raises: AgentNotFound, SessionNotFound, StoreError."""
        await self._ready(agent_id, session_id)
        found = [
            *(
                (one.requested_at, wire.InboxEntry(kind="approval", approval=one))
                for one in self._waits.approvals.list(agent_id, session_id)
            ),
            *(
                (one.asked_at, wire.InboxEntry(kind="question", question=one))
                for one in self._waits.questions.list(agent_id, session_id)
            ),
        ]
        return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]

    async def _ready(self, agent_id: str | None, session_id: str | None) -> None:
        if agent_id is not None:
            self._agents.find(agent_id)
        if session_id is not None:
            self._sessions.require(session_id, agent_id)
        await self._journal.commit()
