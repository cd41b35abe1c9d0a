"""Conversations, for the API and `turns`: create, rename, pin, search, archive, delete, restore, read the history."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable

from aster_sidecar import clock
from aster_sidecar.config.settings import folder_in_request
from aster_sidecar.contract import wire
from aster_sidecar.conversation.session_choices import NONE, Choices, SessionChoices
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.trash import Trash
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.errors import AgentBusy, InvalidShape, SessionNotFound
from aster_sidecar.models.catalog import LOCAL, misnamed
from aster_sidecar.policy.permissions import Mode, stricter
from aster_sidecar.policy.rules import relocated
from aster_sidecar.store import search
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import sessions as rows
from aster_sidecar.store.rows import trash as trash_rows
from aster_sidecar.store.rows.changes import count_changed
from aster_sidecar.store.rows.events import delete_ended_of_session
from aster_sidecar.store.rows.notifications import update_read_of_session
from aster_sidecar.store.rows.rewinds import RewindRow, select_undoable
from aster_sidecar.store.rows.turns import update_waiting_running
from aster_sidecar.store.sql import Write
from aster_sidecar.text.repair import cut

log = logging.getLogger(__name__)

UNTITLED = "New conversation"
TITLE_CHARS = 60


class Sessions:
    """All conversations of all agents."""

    def __init__(
        self,
        journal: Journal,
        queues: SessionQueues,
        waits: Waits,
        choices: SessionChoices,
        settings_of: Callable[[str, Choices], wire.SessionSettings | None],
        messages_deleted: Callable[[], None] = lambda: None,
    ) -> None:
        """`settings_of` returns the effective settings of an agent's session with these choices.

        `messages_deleted` is called when a session was deleted permanently.
        """
        self._messages_deleted = messages_deleted
        self._journal = journal
        self._queues = queues
        self._waits = waits
        self._choices = choices
        self._settings_of = settings_of
        self._changing: set[str] = set()
        """Sessions whose agent or folder is being changed: they accept no message."""
        self._defaults: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._trash = Trash(journal, self.purge_due)
        self._moving_lock = asyncio.Lock()
        """Held while a session is changed, deleted or restored, so that no change undoes another."""
        journal.lost.subscribe(self._reload)

    def open(self) -> None:
        """Read the list of sessions; also called after a failed transaction. Raises: StoreError."""
        owners = self._journal.rows(rows.select_owners())
        self._known = {owner.session_id: owner.agent_id for owner in owners}
        self._defaults = {owner.agent_id: owner.session_id for owner in owners if owner.is_default}

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
        """The session for a message: the given one or the agent's default one. Raises: SessionNotFound, AgentBusy."""
        found = self.require(session_id, agent_id) if session_id is not None else self.default(agent_id, text)
        if found in self._changing:
            raise AgentBusy("the agent or the folder of this session is being changed", hint="send again in a moment")
        return found

    def find_default(self, agent_id: str, session_id: str | None) -> str | None:
        """The session to read: the given one or the agent's default one; None if there is no default one yet.

        Raises: SessionNotFound.
        """
        return self.require(session_id, agent_id) if session_id is not None else self._defaults.get(agent_id)

    def agent_of(self, session_id: str) -> str | None:
        """The agent of a session that is not deleted."""
        return self._known.get(session_id)

    def choices_of(self, session_id: str) -> Choices:
        """What a session chose for itself."""
        return self._choices.of(session_id)

    def count(self, agent_id: str) -> int:
        return sum(owner == agent_id for owner in self._known.values())

    async def create(self, request: wire.SessionCreate) -> wire.SessionInfo:
        """Start a conversation. Raises: InvalidShape, StoreError."""
        chosen = choices_from(request, NONE)
        session_id = self._put_new(request.agent_id, request.title or UNTITLED, is_default=False, chosen=chosen)
        await self._journal.commit()
        return self.info(session_id)

    def put_fork(
        self, source: wire.SessionInfo, origin: wire.ForkedFrom, messages: int, context: wire.Context | None
    ) -> str:
        """Put a new session that is a copy of `source` into the next transaction; returns its id.

        The caller copies the messages in the same transaction.
        """
        session_id = self._put_new(
            source.agent_id,
            source.title,
            is_default=False,
            chosen=self._choices.of(source.session_id),
            forked_from=origin,
            messages=messages,
            context=context,
        )
        self._journal.put(writes=[rows.update_forked(session_id, origin.session_id, origin.message_id)])
        return session_id

    def _put_new(
        self,
        agent_id: str,
        title: str,
        *,
        is_default: bool,
        chosen: Choices = NONE,
        forked_from: wire.ForkedFrom | None = None,
        messages: int = 0,
        context: wire.Context | None = None,
    ) -> str:
        session_id, now = clock.new_id("ses"), clock.stamp()
        self._known[session_id] = agent_id
        self._choices.keep(session_id, chosen)  # nobody knows the session before its commit
        session = wire.SessionInfo(
            session_id=session_id,
            agent_id=agent_id,
            title=title,
            created_at=now,
            updated_at=now,
            archived=False,
            is_default=is_default,
            pinned=False,
            messages=messages,
            state="idle",
            pending_approvals=0,
            context=context,
            settings=self._settings_of(agent_id, chosen),
            forked_from=forked_from,
        )
        self._journal.put(
            "session_changed",
            wire.SessionChangedEvent(change="created", session=session),
            agent_id=agent_id,
            session_id=session_id,
            writes=[
                rows.insert_session(session_id, agent_id, title, now, is_default=is_default),
                *([rows.update_choices(chosen.row(session_id))] if chosen != NONE else []),
            ],
        )
        return session_id

    def info(self, session_id: str) -> wire.SessionInfo:
        """Raises: SessionNotFound."""
        row = self._row(session_id)
        if row is None or row.deleted_at is not None:
            raise self._not_found(session_id)
        return self._info(row)

    def _row(self, session_id: str) -> rows.SessionRow | None:
        return self._journal.first(rows.select_session(session_id))

    def _info(self, row: rows.SessionRow) -> wire.SessionInfo:
        in_trash = row.deleted_at is not None and row.session_id in self._trash
        return wire.SessionInfo(
            session_id=row.session_id,
            agent_id=row.agent_id,
            title=row.title,
            created_at=row.created_at,
            updated_at=row.updated_at,
            archived=bool(row.archived),
            is_default=bool(row.is_default),
            pinned=bool(row.pinned),
            messages=row.messages,
            state=self._queues.state_of(row.session_id),
            pending_approvals=len(self._waits.approvals.list(session_id=row.session_id)),
            pending_questions=len(self._waits.questions.list(session_id=row.session_id)),
            deleted_at=row.deleted_at,
            restorable_until=self._trash.until(row.session_id) if in_trash else None,
            context=context_of(row.context_tokens, row.window_tokens),
            settings=self._settings_of(row.agent_id, self._choices.of(row.session_id)),
            forked_from=forked_from(row.forked_from, row.forked_at),
            rewind=rewind_info(self._journal.first(select_undoable(row.session_id))),
            changed_files=self._journal.first(count_changed(row.session_id)) or 0,
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
        if before is not None and not CURSOR.fullmatch(before):
            raise InvalidShape(
                f"before: {before[:100]!r} is not a cursor", hint="pass next_before of the page you have"
            )
        wanted = rows.Listed(
            agent_id=agent_id,
            pattern=search.pattern_of(query) if query else None,
            archived=archived,
            before=int(before) if before is not None else None,
            limit=limit + 1,
        )
        found = self._journal.rows(
            rows.select_trashed(wanted, self._trash.due) if deleted else rows.select_listed(wanted)
        )
        more = str(found[limit - 1].position) if len(found) > limit else None
        page = [self._info(row) for row in found[:limit]]
        hits = search.newest(self._journal, [session.session_id for session in page], query) if query else {}
        return wire.SessionPage(sessions=page, next_before=more, hits=hits)

    async def patch(self, session_id: str, patch: wire.SessionPatch) -> wire.SessionInfo:
        """Rename, archive, pin, or change the agent or what the session chose.

        Raises: SessionNotFound, AgentBusy, InvalidShape, StoreError.
        """
        async with self._moving_lock:  # two changes at once would undo each other
            return await self._patch(session_id, patch)

    async def _patch(self, session_id: str, patch: wire.SessionPatch) -> wire.SessionInfo:
        agent_id, before = self._known[self.require(session_id)], self._choices.of(session_id)
        chosen = choices_from(patch, before)
        new_agent_id = patch.agent_id or agent_id
        moves = new_agent_id != agent_id or chosen.work_dir != before.work_dir
        if new_agent_id != agent_id and self._defaults.get(agent_id) == session_id:
            raise InvalidShape("agent_id: a default session keeps its agent", hint="create another session")
        if moves:
            self.refuse_while_busy(session_id)
            self._changing.add(session_id)
        if is_stricter(chosen.permission_mode, before.permission_mode):
            self._choices.keep(session_id, before._replace(permission_mode=chosen.permission_mode))
        named = patch.model_dump(include={"title", "archived", "pinned"}, exclude_none=True)
        changed = self.info(session_id).model_copy(
            update={**named, "agent_id": new_agent_id, "settings": self._settings_of(new_agent_id, chosen)}
        )

        def on_commit() -> None:
            self._choices.keep(session_id, chosen)
            if new_agent_id != agent_id:
                self._known[session_id] = new_agent_id
                self._queues.of(session_id).agent_id = new_agent_id

        try:
            await self._journal.record(
                "session_changed",
                wire.SessionChangedEvent(change="updated", session=changed),
                agent_id=new_agent_id,
                session_id=session_id,
                writes=[
                    rows.update_session(session_id, changed.title, archived=changed.archived, pinned=changed.pinned),
                    *([rows.update_choices(chosen.row(session_id))] if chosen != before else []),
                    *([rows.update_agent(session_id, new_agent_id)] if new_agent_id != agent_id else []),
                ],
                on_commit=on_commit,
            )
        finally:
            self._changing.discard(session_id)
        return self.info(session_id)

    def relocate(self, old: str, new: str) -> None:
        """Change folders in the directory `old` to its new path `new`. Raises: StoreError."""
        for row in self._journal.rows(rows.select_choices()):
            if row.work_dir is not None and (now := relocated(row.work_dir, old, new)) != row.work_dir:
                chosen = self._choices.of(row.session_id)._replace(work_dir=now)
                self._choices.keep(row.session_id, chosen)
                self._journal.put(writes=[rows.update_choices(chosen.row(row.session_id))])

    async def delete(self, session_id: str, *, purge: bool = False) -> wire.SessionDeleted:
        """Move a conversation to the trash; `purge`: delete it permanently, even if it is in the trash already.

        Raises: SessionNotFound, AgentBusy, StoreError.
        """
        async with self._moving_lock:
            if purge and session_id in self._trash:
                return await self._purge(session_id)
            agent_id = self._known[self.require(session_id)]
            self.refuse_while_busy(session_id)
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
                    rows.update_default(session_id, is_default=False),
                    update_read_of_session(session_id),
                    # A turn that could not be ended is ended after a restore, even if it waited for approval.
                    update_waiting_running(session_id),
                ],
            )
            self._trash.watch()
            return wire.SessionDeleted(session_id=session_id, deleted=messages, restorable_until=until)

    async def _purge(self, session_id: str) -> wire.SessionDeleted:
        """Delete a conversation permanently. Rows of other tables that refer to it are deleted by cascade."""
        row = self._row(session_id)
        if row is None:
            raise self._not_found(session_id)
        self._hide(session_id)
        await self._record_deletion(session_id, row.agent_id, None, rows.delete_session(session_id))
        return wire.SessionDeleted(session_id=session_id, deleted=row.messages, restorable_until=None)

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
        earlier = delete_ended_of_session(session_id, seq)

        def deleted() -> None:
            self._journal.forget(lambda event: event.session_id == session_id and event.seq < seq)
            if until is None:
                self._trash.forget(session_id)
                self._choices.keep(session_id, NONE)
                self._messages_deleted()

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
        row = self._row(session_id)
        if row is None or session_id not in self._trash:
            raise self._not_found(session_id)
        session = self._info(row)
        agent_id = session.agent_id
        was_default = self._journal.first(trash_rows.select_was_default(session_id))
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
                trash_rows.delete_trash(session_id),
                rows.update_default(session_id, is_default=is_default),
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

    def refuse_while_busy(self, session_id: str) -> None:
        """Raises: AgentBusy, while a turn of the session has not ended."""
        if self._queues.state_of(session_id) not in ("idle", "failed"):
            raise AgentBusy("a turn of this session is running or waiting", hint="POST /api/cancel first")

    def touch(self, session_id: str, text: str) -> list[Write]:
        """The updates of a session's row for a new message: last use, unarchived, and a title from the first message.

        Publishes `session_changed` if title or archived change.
        """
        now = clock.stamp()
        row = self._journal.first(rows.select_title(session_id))
        if row is not None and row.title != UNTITLED and not row.archived:
            return [rows.update_used(session_id, now)]
        title = row.title if row is not None and row.title != UNTITLED else titled(text)
        if row is not None:
            changed = self.info(session_id).model_copy(update={"title": title, "archived": False, "updated_at": now})
            self._journal.put(
                "session_changed",
                wire.SessionChangedEvent(change="updated", session=changed),
                agent_id=changed.agent_id,
                session_id=session_id,
            )
        return [rows.update_used_and_title(session_id, now, title)]


CURSOR = re.compile(r"[0-9]{1,18}")


def choices_from(request: wire.SessionCreate | wire.SessionPatch, before: Choices) -> Choices:
    """The choices after a request, with the folder's canonical path; absent fields stay as `before`.

    Raises: InvalidShape for an unusable folder or model.
    """
    chosen = before._replace(**request.model_dump(include=request.model_fields_set & set(Choices._fields)))
    chosen = chosen._replace(mcp_off=tuple(dict.fromkeys(chosen.mcp_off or ())))
    require_model(request.model)
    if request.work_dir is None:
        return chosen
    return chosen._replace(work_dir=folder_in_request(request.work_dir, "work_dir"))


def context_of(used_tokens: int | None, window_tokens: int | None) -> wire.Context | None:
    """How much of the context window a session fills; None: not known."""
    return wire.Context(used_tokens=used_tokens, window_tokens=window_tokens) if used_tokens else None


def forked_from(session_id: str | None, message_id: str | None) -> wire.ForkedFrom | None:
    """What clients see of where a fork comes from."""
    return wire.ForkedFrom(session_id=session_id, message_id=message_id) if session_id is not None else None


def rewind_info(row: RewindRow | None) -> wire.RewindInfo | None:
    """What clients see of a rewind that can be undone."""
    if row is None:
        return None
    return wire.RewindInfo(
        message_id=row.message_id,
        messages=row.messages,
        rewound_at=row.rewound_at,
        files=row.revert_id is not None,
    )


def require_model(name: str | None) -> None:
    """Raises: InvalidShape, if the text can't be a model's name. None: no model is chosen."""
    if name not in (None, LOCAL) and (wrong := misnamed(name)) is not None:
        raise InvalidShape(f"model: {wrong}", hint="GET /api/models lists models that can be chosen")


def is_stricter(mode: Mode | None, before: Mode | None) -> bool:
    """Whether a mode is certainly stricter than the one before. None: the configured one."""
    if mode is None or before is None:
        return mode == "always_ask" or before == "auto_approve"
    return mode != before and stricter(mode, before) == mode


def titled(text: str) -> str:
    """A title made from a first message."""
    return cut(" ".join(text.split()), TITLE_CHARS) or UNTITLED
