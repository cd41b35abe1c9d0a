"""API calls about conversations: messages, turns, sessions and their history."""

from __future__ import annotations

from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.companion.notifications import Notifications
from aster_sidecar.contract import wire
from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.conversation.forks import Forks
from aster_sidecar.conversation.history import History
from aster_sidecar.conversation.rewinds import Rewinds
from aster_sidecar.conversation.session_choices import NONE
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions, choices_from
from aster_sidecar.conversation.turn_status import TurnStatus
from aster_sidecar.conversation.turns import Turns
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.policy.rules import Rules
from aster_sidecar.store.journal import Journal


class ConversationCalls:
    """Calls about conversations. A call never returns older data than its client has been sent already."""

    def __init__(
        self,
        journal: Journal,
        agents: AgentCalls,
        sessions: Sessions,
        history: History,
        queues: SessionQueues,
        turns: Turns,
        status: TurnStatus,
        engine: EngineLoader,
        waits: Waits,
        rules: Rules,
        notifications: Notifications,
        rewinds: Rewinds,
        forks: Forks,
    ) -> None:
        self._journal = journal
        self._agents = agents
        self._sessions = sessions
        self._history = history
        self._queues = queues
        self._turns = turns
        self._status = status
        self._engine = engine
        self._waits = waits
        self._rules = rules
        self._notifications = notifications
        self._rewinds = rewinds
        self._forks = forks

    # -- turns -----------------------------------------------------------------------------------------------------

    async def chat(self, body: wire.ChatRequest) -> wire.ChatStarted:
        """Accept a message for an agent. It is recorded when this returns.

        Raises: AgentNotFound, SessionNotFound, AgentBusy, IdempotencyMismatch, InvalidShape, Stopping, StoreError.
        """
        return await self._turns.chat(body)

    async def cancel(self, body: wire.CancelRequest) -> wire.Cancelled:
        """Cancel one turn, a session's turns, or all turns of the agent. Raises: AgentNotFound, SessionNotFound."""
        return await self._turns.cancel(body)

    async def status(self, agent_id: str, session_id: str | None) -> wire.Status:
        """The agent's current state. Creates no session. Raises: AgentNotFound, SessionNotFound, StoreError."""
        self._agents.find(agent_id)
        answer = self._status.read(agent_id, session_id)
        await self._journal.commit()
        return answer

    # -- history ---------------------------------------------------------------------------------------------------

    async def history(self, agent_id: str, session_id: str | None, before: str | None, limit: int) -> wire.HistoryPage:
        """A page of at most `limit` messages, oldest first; `before`: a message's id. Creates no session.

        Raises: AgentNotFound, SessionNotFound, InvalidShape, StoreError.
        """
        self._agents.find(agent_id)
        session_id = self._sessions.find_default(agent_id, session_id)
        await self._journal.commit()
        if session_id is None:
            return wire.HistoryPage(messages=[], next_before=None)
        return self._history.page(session_id, before, limit)

    async def clear_history(self, agent_id: str, session_id: str | None) -> wire.HistoryDeleted:
        """Delete the conversation's messages.

        Raises: AgentNotFound, SessionNotFound, StoreError; AgentBusy while a turn has not ended.
        """
        self._agents.find(agent_id)
        session_id = self._sessions.find_default(agent_id, session_id)
        await self._journal.commit()
        if session_id is None:
            return wire.HistoryDeleted(deleted=0)
        return await self._history.clear(session_id, self._forget)

    async def rewind(self, session_id: str, body: wire.RewindRequest) -> wire.Rewound:
        """Take a message that began a turn, and everything after it, out of the conversation.

        Raises: SessionNotFound, MessageNotFound, NotTurnStart, RevertConflict, StoreError; AgentBusy while a turn has
        not ended.
        """
        return await self._rewinds.rewind(session_id, body)

    async def unrewind(self, session_id: str, body: wire.UnrewindRequest) -> wire.Rewound:
        """Undo the last rewind. Raises: SessionNotFound, RewindNotFound, RevertConflict, AgentBusy, StoreError."""
        return await self._rewinds.unrewind(session_id, body)

    async def fork(self, session_id: str, body: wire.ForkRequest) -> wire.SessionInfo:
        """Copy a conversation, up to and with a turn, into a new session.

        Raises: SessionNotFound, MessageNotFound, NotTurnStart, AgentBusy, StoreError.
        """
        return await self._forks.fork(session_id, body.message_id)

    # -- sessions --------------------------------------------------------------------------------------------------

    async def list_sessions(
        self, agent_id: str | None, query: str | None, archived: bool, before: str | None, limit: int, deleted: bool
    ) -> wire.SessionPage:
        """A page of sessions, pinned ones first, then newest activity first. `deleted`: list the trash.

        Raises: AgentNotFound, InvalidShape, StoreError.
        """
        if agent_id is not None:
            self._agents.find(agent_id)
        await self._journal.commit()
        return self._sessions.list(agent_id, query, archived, before, limit, deleted)

    async def create_session(self, body: wire.SessionCreate) -> wire.SessionInfo:
        """Create a session. Raises: AgentNotFound, InvalidShape, StoreError."""
        self._agents.require(body.agent_id, choices_from(body, NONE).folder)
        return await self._sessions.create(body)

    async def get_session(self, session_id: str) -> wire.SessionInfo:
        """One session. Raises: SessionNotFound, StoreError."""
        await self._journal.commit()
        return self._sessions.info(session_id)

    async def find_in_session(self, session_id: str, query: str, before: str | None, limit: int) -> wire.FoundMessages:
        """The messages of one session that contain `query`, newest first.

        Raises: SessionNotFound, InvalidShape, StoreError.
        """
        self._sessions.require(session_id)
        await self._journal.commit()
        return self._history.find(session_id, query, before, limit)

    async def patch_session(self, session_id: str, body: wire.SessionPatch) -> wire.SessionInfo:
        """Rename, archive or pin a session, or change its agent or its settings.

        Raises: AgentNotFound, SessionNotFound, AgentBusy, InvalidShape, StoreError.
        """
        if body.agent_id is not None or body.work_dir is not None:
            before = self._sessions.info(session_id)
            chosen = choices_from(body, self._sessions.choices_of(session_id))
            self._agents.require(body.agent_id or before.agent_id, chosen.folder)
        return await self._sessions.patch(session_id, body)

    async def delete_session(self, session_id: str, purge: bool) -> wire.SessionDeleted:
        """Move a session to the trash; with `purge`, delete it permanently.

        Raises: SessionNotFound, StoreError; AgentBusy while a turn has not ended.
        """
        deleted = await self._sessions.delete(session_id, purge=purge)
        self._forget(session_id)
        self._rules.drop(session_id)
        self._notifications.forget(session_id)
        for turn_id in self._waits.turns_of(session_id):  # left by a turn if its end could not be recorded
            self._waits.cancel(turn_id, "cancel")
        return deleted

    async def restore_session(self, session_id: str) -> wire.SessionInfo:
        """Restore a session from the trash, unchanged. Idempotent. Raises: SessionNotFound, StoreError."""

        def back(session_id: str) -> None:
            self._rules.bring_back(session_id)
            self._turns.open(session_id)

        return await self._sessions.restore(session_id, back)

    def _forget(self, session_id: str) -> None:
        """Drop a deleted session's state from memory."""
        self._queues.forget(session_id)
        self._engine.forget(session_id)
