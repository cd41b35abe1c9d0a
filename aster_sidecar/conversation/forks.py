"""Forks: a new conversation with a copy of another one, up to one of its turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.conversation.forgotten_turns import restored
from aster_sidecar.conversation.rewinds import state_after, turn_of, upto_turn
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import AgentBusy, StoreError
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import forks as rows
from aster_sidecar.store.rows.model_messages import insert_message
from aster_sidecar.store.rows.sessions import update_context
from aster_sidecar.store.rows.turns import EndedRow, select_ended

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine


class Forks:
    """Copies conversations."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        queues: SessionQueues,
        load_engine: Callable[[], Awaitable[Engine]],
    ) -> None:
        self._load_engine = load_engine
        self._journal = journal
        self._sessions = sessions
        self._queues = queues

    async def fork(self, session_id: str, message_id: str | None) -> wire.SessionInfo:
        """A new session with the turns up to and with the one that the message began; by default, all that ended.

        It has the agent and the settings of the session. Attachments are shared, files are not copied.
        Raises: SessionNotFound, MessageNotFound, NotTurnStart, AgentBusy, StoreError.
        """
        self._sessions.require(session_id)
        await self._journal.commit()
        turns = self._journal.rows(select_ended(session_id))
        ended = turns
        if message_id is not None:
            turns = upto_turn(self._last(session_id, message_id, turns), turns)
        turn_ids = [turn.turn_id for turn in turns]
        message_ids = self._journal.rows(rows.select_message_ids(turn_ids))
        cut = [turn.turn_id for turn in ended if turn not in turns]
        lacking = await restored(self._journal, self._load_engine, session_id, cut)
        # The answer of a turn that was cancelled in the queue has an id, but no row.
        of_messages = dict.fromkeys([*message_ids, *(turn.message_id for turn in turns)])
        ids = [rows.NewId(old, clock.new_id("turn")) for old in turn_ids]
        ids += [rows.NewId(old, clock.new_id("msg")) for old in of_messages]
        began = message_id or (turns[-1].user_message_id if turns else None)
        origin = wire.ForkedFrom(session_id=session_id, message_id=began)
        copies = dict(ids)
        context, failed = state_after(turns)
        copy_id = self._sessions.put_fork(self._sessions.info(session_id), origin, len(message_ids), context)
        self._journal.put(
            writes=[
                *rows.insert_copies(copy_id, ids),
                *(insert_message(copy_id, copies[turn_id], message) for turn_id, message, _ in lacking),
                update_context(copy_id, context and context.used_tokens, context and context.window_tokens),
            ]
        )
        queue = self._queues.of(copy_id, self._sessions.info(session_id).agent_id)
        queue.failed = failed
        try:
            await self._journal.commit()
        except StoreError:
            self._queues.forget(copy_id)
            raise
        return self._sessions.info(copy_id)

    def _last(self, session_id: str, message_id: str, turns: Sequence[EndedRow]) -> EndedRow:
        queue = self._queues.of(session_id)
        if any(turn.user_message_id == message_id for turn in (queue.active, *queue.queued) if turn is not None):
            raise AgentBusy("the turn that this message began has not ended", hint="wait for done, or POST /api/cancel")
        return turn_of(self._journal, session_id, message_id, turns)
