"""The history of a conversation: read it page by page, search it, delete it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from aster_sidecar.contract import wire
from aster_sidecar.conversation.messages import message_of, transcript_of
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import AgentBusy, InvalidShape
from aster_sidecar.store import search
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import messages as rows
from aster_sidecar.store.rows.events import delete_of_session
from aster_sidecar.store.rows.sessions import delete_history


class History:
    """The messages of all conversations."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        queues: SessionQueues,
        messages_deleted: Callable[[], None] = lambda: None,
    ) -> None:
        """`messages_deleted` is called when a conversation was cleared."""
        self._messages_deleted = messages_deleted
        self._journal = journal
        self._sessions = sessions
        self._queues = queues
        self.changing: set[str] = set()
        """Sessions with a history that is being deleted, rewound or put back: no turn may begin in them."""

    def page(self, session_id: str, before: str | None, limit: int) -> wire.HistoryPage:
        """A page of messages, oldest first; `before` is a message id. Raises: InvalidShape, StoreError."""
        found = self._journal.rows(rows.select_before(session_id, self._number(session_id, before), limit + 1))
        page = [self._message(row) for row in reversed(found[:limit])]
        return wire.HistoryPage(messages=page, next_before=page[0].message_id if len(found) > limit else None)

    def find(self, session_id: str, query: str, before: str | None, limit: int) -> wire.FoundMessages:
        """The messages of a conversation that contain `query`, newest first; `before` is a message id.

        Raises: SessionNotFound, InvalidShape, StoreError.
        """
        self._sessions.require(session_id)
        bound = self._number(session_id, before)
        hits, more = search.find(self._journal, session_id, query, bound, limit)
        return wire.FoundMessages(hits=hits, next_before=hits[-1].message_id if more else None)

    def _number(self, session_id: str, before: str | None) -> int:
        """The row number of the message `before`; without it, a number above all others. Raises: InvalidShape."""
        if before is None:
            return rows.ALL
        number = self._journal.first(rows.select_number(before, session_id))
        if number is None:
            raise InvalidShape(
                f"before: no message {before[:100]!r} in this session",
                hint="pass next_before of the page you have, or leave it out",
            )
        return number

    def _message(self, row: rows.MessageRow) -> wire.Message:
        with self._journal.parsing(f"message {row.message_id[:100]}"):
            message = message_of(row)
        if message.role == "assistant" and message.status in ("streaming", "waiting_approval"):
            transcript = transcript_of(
                self._journal, message.session_id, message.turn_id, message.message_id, row.first_seq
            )
            message.text, message.parts = transcript.text, transcript.parts()
        return message

    async def clear(self, session_id: str, forget: Callable[[str], None]) -> wire.HistoryDeleted:
        """Delete a conversation's messages, for people and for the model. Raises: AgentBusy, StoreError."""
        with self.change(session_id):
            return await self._clear(session_id, forget)

    @contextlib.contextmanager
    def change(self, session_id: str) -> Generator[None]:
        """Keep turns from beginning in a session for the duration of the block. Raises: AgentBusy."""
        self._sessions.refuse_while_busy(session_id)
        if session_id in self.changing:
            raise AgentBusy("the history of this session is being changed", hint="try again in a moment")
        self.changing.add(session_id)
        try:
            yield
        finally:
            self.changing.discard(session_id)

    async def _clear(self, session_id: str, forget: Callable[[str], None]) -> wire.HistoryDeleted:
        deleted = self._journal.first(rows.count_of(session_id)) or 0
        upto = self._journal.last_seq
        self._journal.forget(lambda event: event.session_id == session_id)
        self._journal.put(
            "history_cleared",
            wire.HistoryClearedEvent(deleted=deleted),
            agent_id=self._sessions.agent_of(session_id),
            session_id=session_id,
            writes=[delete_of_session(session_id, upto), *delete_history(session_id)],
        )
        self._queues.publish_cleared(session_id)
        await self._journal.commit()
        forget(session_id)
        self._messages_deleted()
        return wire.HistoryDeleted(deleted=deleted)
