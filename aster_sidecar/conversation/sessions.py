"""Conversations, for the API and `turns`: create, rename, pin, search, archive, delete, restore, read the history."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Callable
from typing import Any

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.transcript import Transcript
from aster_sidecar.conversation.trash import Trash
from aster_sidecar.errors import AgentBusy, InvalidShape, SessionNotFound
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.store import search
from aster_sidecar.store.journal import Journal, Row, Write
from aster_sidecar.store.rows import TRASHED
from aster_sidecar.text.folding import fold, folds_itself
from aster_sidecar.text.repair import cut

log = logging.getLogger(__name__)

UNTITLED = "New conversation"
TITLE_CHARS = 60

COLUMNS = (
    "s.session_id, s.agent_id, s.title, s.created_at, s.updated_at, s.archived, s.is_default,"
    " (SELECT count(*) FROM messages m WHERE m.session_id=s.session_id), s.used_n,"
    " (SELECT deleted_at FROM trash t WHERE t.session_id=s.session_id), s.pinned"
)
USED_NOW = "(SELECT coalesce(max(used_n), 0) + 1 FROM sessions)"
"""The next value of the count that sessions are ordered by: unlike a clock it never goes back."""
PINNED_FIRST = "s.pinned * 1000000000000000 + s.used_n"
"""The order of the list as one number, so that an index can hold it."""


class Sessions:
    """All conversations of all agents."""

    def __init__(self, journal: Journal, queues: SessionQueues, approvals: Approvals) -> None:
        self._journal = journal
        self._queues = queues
        self._approvals = approvals
        self._defaults: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._trash = Trash(journal, self.purge_due)
        self._moving_lock = asyncio.Lock()
        """Held while a session is deleted or restored, so that a failure does not undo another change."""
        self.clearing: set[str] = set()
        """Sessions with a history that is being deleted: no turn may begin in them."""
        journal.lost.subscribe(self._reload)

    def open(self) -> None:
        """Read the list of sessions; also called after a failed transaction. Raises: StoreError."""
        rows = self._journal.all(
            f"SELECT session_id, agent_id, is_default FROM sessions WHERE session_id NOT IN ({TRASHED})"
        )
        self._known = {session_id: agent_id for session_id, agent_id, _ in rows}
        self._defaults = {agent_id: session_id for session_id, agent_id, is_default in rows if is_default}

    def _reload(self) -> None:
        self.open()
        self._trash.read()

    def require(self, session_id: str, agent_id: str | None = None) -> str:
        """The session's id, if it exists and belongs to the agent. Raises: SessionNotFound."""
        owner = self._known.get(session_id)
        if owner is None:
            raise self._not_found(session_id)
        if agent_id is not None and owner != agent_id:
            raise SessionNotFound(f"session {session_id[:100]!r} belongs to agent {owner!r}, not {agent_id[:100]!r}")
        return session_id

    def _not_found(self, session_id: str) -> SessionNotFound:
        """The error for a session that does not exist or is in the trash."""
        error = SessionNotFound(f"session not found: {session_id[:100]!r}")
        if session_id in self._trash:
            until = self._trash.until(session_id)
            error.message = f"session {session_id[:100]!r} was deleted"
            error.hint = f"until {until} POST /api/sessions/{session_id}/restore brings it back"
            error.details = {"restorable_until": until}
        return error

    def default(self, agent_id: str, text: str) -> str:
        """The agent's default session; without one it is created in the next transaction, with a title from `text`."""
        found = self._defaults.get(agent_id)
        if found is None:
            found = self._put_new(agent_id, titled(text), is_default=True)
            self._defaults[agent_id] = found
        return found

    def resolve(self, agent_id: str, session_id: str | None, text: str) -> str:
        """The session for a message: the given one or the agent's default one. Raises: SessionNotFound."""
        return self.require(session_id, agent_id) if session_id is not None else self.default(agent_id, text)

    def find_default(self, agent_id: str, session_id: str | None) -> str | None:
        """The session to read: the given one or the agent's default one; None if there is no default one yet.

        Raises: SessionNotFound.
        """
        return self.require(session_id, agent_id) if session_id is not None else self._defaults.get(agent_id)

    def count(self, agent_id: str) -> int:
        return sum(owner == agent_id for owner in self._known.values())

    async def create(self, request: wire.SessionCreate) -> wire.SessionInfo:
        """Start a conversation. Raises: StoreError."""
        session_id = self._put_new(request.agent_id, request.title or UNTITLED, is_default=False)
        await self._journal.commit()
        return self.info(session_id)

    def _put_new(self, agent_id: str, title: str, *, is_default: bool) -> str:
        session_id, now = clock.new_id("ses"), clock.stamp()
        self._known[session_id] = agent_id
        session = wire.SessionInfo(
            session_id=session_id,
            agent_id=agent_id,
            title=title,
            created_at=now,
            updated_at=now,
            archived=False,
            is_default=is_default,
            pinned=False,
            messages=0,
            state="idle",
            pending_approvals=0,
        )
        self._journal.put(
            "session_changed",
            wire.SessionChangedEvent(change="created", session=session),
            agent_id=agent_id,
            session_id=session_id,
            writes=[
                (
                    "INSERT INTO sessions (session_id, agent_id, title, created_at, updated_at, is_default, used_n)"
                    f" VALUES (?,?,?,?,?,?,{USED_NOW})",
                    (session_id, agent_id, title, now, now, int(is_default)),
                )
            ],
        )
        return session_id

    def info(self, session_id: str) -> wire.SessionInfo:
        """Raises: SessionNotFound."""
        row = self._row(session_id)
        if not row or row[9] is not None:
            raise self._not_found(session_id)
        return self._info(row)

    def _row(self, session_id: str) -> Row:
        return self._journal.one(f"SELECT {COLUMNS} FROM sessions s WHERE s.session_id=?", (session_id,))

    def _info(self, row: Row) -> wire.SessionInfo:
        return wire.SessionInfo(
            session_id=row[0],
            agent_id=row[1],
            title=row[2],
            created_at=row[3],
            updated_at=row[4],
            archived=bool(row[5]),
            is_default=bool(row[6]),
            pinned=bool(row[10]),
            messages=row[7],
            state=self._queues.state_of(row[0]),
            pending_approvals=len(self._approvals.list(session_id=row[0])),
            deleted_at=row[9],
            restorable_until=self._trash.until(row[0]) if row[9] is not None and row[0] in self._trash else None,
        )

    def list(
        self,
        agent_id: str | None,
        query: str | None,
        archived: bool,
        before: str | None,
        limit: int,
        deleted: bool = False,
    ) -> wire.SessionPage:
        """A page of sessions: pinned ones first, then the most recently used.

        `query` searches titles and message texts; its results are sorted by last use only. `deleted`: sessions in the
        trash, archived or not, the last deleted first. `before` is `next_before` of the previous page.
        Raises: InvalidShape, StoreError.
        """
        if deleted:
            order, source = "t.n", "sessions s JOIN trash t USING (session_id)"
            conditions, parameters = [*("s.session_id<>?" for _ in self._trash.due)], list[Any](self._trash.due)
        else:
            order, source = "s.used_n" if query or archived else PINNED_FIRST, "sessions s"
            conditions, parameters = [f"s.session_id NOT IN ({TRASHED})", "s.archived=?"], list[Any]([int(archived)])
        if agent_id is not None:
            conditions.append("s.agent_id=?")
            parameters.append(agent_id)
        if before is not None:
            if not CURSOR.fullmatch(before):
                raise InvalidShape(
                    f"before: {before[:100]!r} is not a cursor", hint="pass next_before of the page you have"
                )
            conditions.append(f"{order} < ?")
            parameters.append(int(before))
        if query:
            conditions.append(search.FOUND)
            parameters += [search.pattern_of(query)] * 2
        rows = self._journal.all(
            f"SELECT {COLUMNS}, {order} FROM {source} WHERE {' AND '.join(conditions) or 'true'}"
            f" ORDER BY {order} DESC LIMIT ?",
            [*parameters, limit + 1],
        )
        more = str(rows[limit - 1][11]) if len(rows) > limit else None
        page = [self._info(row) for row in rows[:limit]]
        hits = search.newest(self._journal, [session.session_id for session in page], query) if query else {}
        return wire.SessionPage(sessions=page, next_before=more, hits=hits)

    async def patch(self, session_id: str, patch: wire.SessionPatch) -> wire.SessionInfo:
        """Rename, archive, unarchive, pin, unpin. Raises: SessionNotFound, StoreError."""
        self.require(session_id)
        session = self.info(session_id)
        changed = session.model_copy(update=patch.model_dump(exclude_none=True))
        await self._journal.record(
            "session_changed",
            wire.SessionChangedEvent(change="updated", session=changed),
            agent_id=session.agent_id,
            session_id=session_id,
            writes=[
                (
                    "UPDATE sessions SET title=?, archived=?, pinned=? WHERE session_id=?",
                    (changed.title, int(changed.archived), int(changed.pinned), session_id),
                )
            ],
        )
        return self.info(session_id)

    async def delete(self, session_id: str, *, purge: bool = False) -> wire.SessionDeleted:
        """Move a conversation to the trash; `purge`: delete it permanently, even if it is in the trash already.

        Raises: SessionNotFound, AgentBusy, StoreError.
        """
        async with self._moving_lock:
            if purge and session_id in self._trash:
                return await self._purge(session_id)
            agent_id = self._known[self.require(session_id)]
            self._refuse_while_busy(session_id)
            messages = self.info(session_id).messages
            if purge:
                return await self._purge(session_id)
            was_default = self._defaults.get(agent_id) == session_id
            self._hide(session_id)
            row = self._trash.put(session_id, was_default)
            until = self._trash.until(session_id)
            await self._record_deletion(
                session_id,
                agent_id,
                until,
                [
                    row,
                    ("UPDATE sessions SET is_default=0 WHERE session_id=?", (session_id,)),
                    ("UPDATE notifications SET read=1 WHERE session_id=?", (session_id,)),
                    # A turn that could not be ended is ended after a restore, even if it waited for approval.
                    ("UPDATE turns SET state='running' WHERE session_id=? AND state='waiting'", (session_id,)),
                ],
            )
            self._trash.watch()
            return wire.SessionDeleted(session_id=session_id, deleted=messages, restorable_until=until)

    async def _purge(self, session_id: str) -> wire.SessionDeleted:
        """Delete a conversation permanently. Rows of other tables that refer to it are deleted by cascade."""
        row = self._row(session_id)
        self._hide(session_id)
        writes: list[Write] = [
            (f"DELETE FROM {table} WHERE session_id=?", (session_id,)) for table in ("approvals", "rules", "sessions")
        ]
        await self._record_deletion(session_id, row[1], None, writes)
        return wire.SessionDeleted(session_id=session_id, deleted=row[7], restorable_until=None)

    def _hide(self, session_id: str) -> None:
        """Refuse requests for a session from now on; after a failed transaction `_reload` allows them again."""
        agent_id = self._known.pop(session_id, None)
        if agent_id is not None and self._defaults.get(agent_id) == session_id:
            self._defaults.pop(agent_id)

    async def _record_deletion(self, session_id: str, agent_id: str, until: str | None, writes: list[Write]) -> None:
        """Record that a session was deleted, and delete all its earlier events.

        Events of a turn that has not ended stay: they hold the only copy of its answer.
        """
        event = wire.SessionChangedEvent(change="deleted", restorable_until=until)
        seq = self._journal.put("session_changed", event, agent_id=agent_id, session_id=session_id)
        earlier = (
            "DELETE FROM events WHERE session_id=? AND seq<? AND coalesce(turn_id, '') NOT IN"
            " (SELECT turn_id FROM turns WHERE session_id=? AND state<>'ended')",
            (session_id, seq, session_id),
        )

        def deleted() -> None:
            self._journal.forget(lambda event: event.session_id == session_id and event.seq < seq)
            if until is None:
                self._trash.forget(session_id)

        self._journal.put(writes=[*writes, earlier], on_commit=deleted)
        await self._journal.commit()

    async def restore(self, session_id: str, on_restored: Callable[[str], None]) -> wire.SessionInfo:
        """Restore a deleted conversation; does nothing to one that is not deleted.

        `on_restored` is called after the commit, before any turn can begin in it. Raises: SessionNotFound, StoreError.
        """
        async with self._moving_lock:
            if session_id not in self._known:
                await self._restore(session_id)
                on_restored(session_id)
            return self.info(session_id)

    async def _restore(self, session_id: str) -> None:
        if session_id not in self._trash:
            raise self._not_found(session_id)
        session = self._info(self._row(session_id))
        agent_id = session.agent_id
        was_default = self._journal.one("SELECT was_default FROM trash WHERE session_id=?", (session_id,))[0]
        is_default = bool(was_default) and agent_id not in self._defaults  # there may be a new default session
        if is_default:
            self._defaults[agent_id] = session_id
        restored = {"is_default": is_default, "deleted_at": None, "restorable_until": None}

        def on_commit() -> None:
            self._trash.forget(session_id)
            self._known[session_id] = agent_id

        await self._journal.record(
            "session_changed",
            wire.SessionChangedEvent(change="created", session=session.model_copy(update=restored), restored=True),
            agent_id=agent_id,
            session_id=session_id,
            writes=[
                ("DELETE FROM trash WHERE session_id=?", (session_id,)),
                ("UPDATE sessions SET is_default=? WHERE session_id=?", (int(is_default), session_id)),
            ],
            on_commit=on_commit,
        )

    async def purge_due(self) -> None:
        """Permanently delete sessions that have been in the trash for KEPT_S. Raises: StoreError."""
        async with self._moving_lock:
            for session_id in self._trash.due:
                await self._purge(session_id)

    def open_trash(self) -> None:
        """Read the trash, and start the timer that deletes expired sessions. Raises: StoreError."""
        self._trash.open()
        self._trash.watch()

    def close(self) -> None:
        """Stop the timer of the trash."""
        self._trash.close()

    def _refuse_while_busy(self, session_id: str) -> None:
        if self._queues.state_of(session_id) not in ("idle", "failed"):
            raise AgentBusy("a turn of this session is running or waiting", hint="POST /api/cancel first")

    # -- history ---------------------------------------------------------------------------------------------------

    def history(self, session_id: str, before: str | None, limit: int) -> wire.HistoryPage:
        """A page of messages, oldest first; `before` is a message id. Raises: InvalidShape, StoreError."""
        bound = self._row_number(session_id, before)
        rows = self._journal.all(
            f"SELECT {MESSAGE} FROM messages WHERE session_id=? AND n<? ORDER BY n DESC LIMIT ?",
            (session_id, bound, limit + 1),
        )
        page = [self._message(row) for row in reversed(rows[:limit])]
        return wire.HistoryPage(messages=page, next_before=page[0].message_id if len(rows) > limit else None)

    def find(self, session_id: str, query: str, before: str | None, limit: int) -> wire.FoundMessages:
        """The messages of a conversation that contain `query`, newest first; `before` is a message id.

        Raises: SessionNotFound, InvalidShape, StoreError.
        """
        self.require(session_id)
        bound = self._row_number(session_id, before)
        hits, more = search.find(self._journal, session_id, query, bound, limit)
        return wire.FoundMessages(hits=hits, next_before=hits[-1].message_id if more else None)

    def _row_number(self, session_id: str, before: str | None) -> int:
        """The row number of the message `before`; without it, a number above all others. Raises: InvalidShape."""
        if before is None:
            return 1 << 62
        row = self._journal.one("SELECT n FROM messages WHERE message_id=? AND session_id=?", (before, session_id))
        if not row:
            raise InvalidShape(
                f"before: no message {before[:100]!r} in this session",
                hint="pass next_before of the page you have, or leave it out",
            )
        return int(row[0])

    def _message(self, row: Row) -> wire.Message:
        with self._journal.taking_apart(f"message {str(row[0])[:100]}"):
            message = message_of(row)
        if message.role == "assistant" and message.status in ("streaming", "waiting_approval"):
            transcript = transcript_of(self._journal, message.session_id, message.turn_id, message.message_id, row[10])
            message.text, message.parts = transcript.text, transcript.parts()
        return message

    async def clear(self, session_id: str, forget: Callable[[str], None]) -> wire.HistoryDeleted:
        """Delete a conversation's messages, for people and for the model. Raises: AgentBusy, StoreError."""
        self._refuse_while_busy(session_id)
        self.clearing.add(session_id)
        try:
            return await self._clear(session_id, forget)
        finally:
            self.clearing.discard(session_id)

    async def _clear(self, session_id: str, forget: Callable[[str], None]) -> wire.HistoryDeleted:
        deleted = int(self._journal.one("SELECT count(*) FROM messages WHERE session_id=?", (session_id,))[0])
        upto = self._journal.last_seq
        self._journal.forget(lambda event: event.session_id == session_id)
        writes: list[Write] = [("DELETE FROM events WHERE session_id=? AND seq<=?", (session_id, upto))]
        writes += [
            (f"DELETE FROM {table} WHERE session_id=?", (session_id,))
            for table in ("messages", "model_messages", "turns", "approvals", "calls", "sends")
        ]
        self._journal.put(
            "history_cleared",
            wire.HistoryClearedEvent(deleted=deleted),
            agent_id=self._known.get(session_id),
            session_id=session_id,
            writes=writes,
        )
        self._queues.publish_cleared(session_id)
        await self._journal.commit()
        forget(session_id)
        return wire.HistoryDeleted(deleted=deleted)

    def touch(self, session_id: str, text: str) -> list[Write]:
        """The updates of a session's row for a new message: last use, unarchived, and a title from the first message.

        Publishes `session_changed` if title or archived change.
        """
        now = clock.stamp()
        row = self._journal.one("SELECT title, archived FROM sessions WHERE session_id=?", (session_id,))
        if row and row[0] != UNTITLED and not row[1]:
            return [(f"UPDATE sessions SET updated_at=?, used_n={USED_NOW} WHERE session_id=?", (now, session_id))]
        title = row[0] if row and row[0] != UNTITLED else titled(text)
        if row:
            changed = self.info(session_id).model_copy(update={"title": title, "archived": False, "updated_at": now})
            self._journal.put(
                "session_changed",
                wire.SessionChangedEvent(change="updated", session=changed),
                agent_id=changed.agent_id,
                session_id=session_id,
            )
        return [
            (
                f"UPDATE sessions SET updated_at=?, used_n={USED_NOW}, archived=0, title=? WHERE session_id=?",
                (now, title, session_id),
            )
        ]


CURSOR = re.compile(r"[0-9]{1,18}")


def titled(text: str) -> str:
    """A title made from a first message."""
    return cut(" ".join(text.split()), TITLE_CHARS) or UNTITLED


MESSAGE = "message_id, turn_id, session_id, role, text, parts, context, usage, created_at, status, first_seq"


def message_of(row: Row) -> wire.Message:
    """The message of a row with the columns `MESSAGE`; parts that can't be read are left out."""
    names = ("message_id", "turn_id", "session_id", "role", "text")
    fields: dict[str, Any] = {
        **dict(zip(names, row, strict=False)),
        "parts": [],
        "created_at": row[8],
        "status": row[9],
    }
    parts: list[Any] = parsed(row[5], list) or []
    context, usage = parsed(row[6], dict), parsed(row[7], dict)
    try:
        return wire.Message.model_validate({**fields, "parts": parts, "context": context, "usage": usage})
    except ValueError:
        log.warning("a message of the history is damaged; its readable parts are kept", extra={"session_id": row[2]})
    message = wire.Message.model_validate(fields)
    for part in parts:
        with contextlib.suppress(ValueError):
            message.parts += wire.Message.model_validate({**fields, "parts": [part]}).parts
    message.parts = message.parts or [wire.TextPart(text=message.text)]
    message.context = context
    return message


def parsed(text: str | None, kind: type) -> Any:
    """The value of a JSON column; None if it is empty, can't be read, or is not of type `kind`."""
    try:
        value: Any = json.loads(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, kind) else None


def insert_message(message: wire.Message, first_seq: int) -> Write:
    """Insert or update the row of a message, and its folded text for the search."""
    if folds_itself(message.text):
        folded = ("DELETE FROM folded_texts WHERE n=(SELECT n FROM messages WHERE message_id=?)", (message.message_id,))
    else:
        folded = (
            "INSERT INTO folded_texts (n, text) SELECT n, ? FROM messages WHERE message_id=?"
            " ON CONFLICT (n) DO UPDATE SET text=excluded.text",
            (fold(message.text), message.message_id),
        )
    return (
        f"INSERT INTO messages ({MESSAGE}) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (message_id) DO UPDATE"
        " SET text=excluded.text, parts=excluded.parts, usage=excluded.usage, status=excluded.status; " + folded[0],
        (
            message.message_id,
            message.turn_id,
            message.session_id,
            message.role,
            message.text,
            json.dumps([part.model_dump() for part in message.parts]),
            json.dumps(message.context) if message.context is not None else None,
            message.usage.model_dump_json() if message.usage is not None else None,
            message.created_at,
            message.status,
            first_seq,
            *folded[1],
        ),
    )


def transcript_of(journal: Journal, session_id: str, turn_id: str, message_id: str, first_seq: int) -> Transcript:
    """The answer of a turn that has not ended, built from its recorded events. Raises: StoreError."""
    transcript = Transcript(message_id)
    for seq, kind, data in journal.all(
        "SELECT seq, type, data FROM events WHERE session_id=? AND turn_id=? AND seq>=? ORDER BY seq",
        (session_id, turn_id, first_seq),
    ):
        try:
            transcript.apply(seq, kind, json.loads(data))
        except (ValueError, KeyError, TypeError) as error:  # a damaged event is left out
            log.warning("event %d can't be read", seq, exc_info=error, extra={"session_id": session_id})
    return transcript
