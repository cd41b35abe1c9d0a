"""Rewinds: the turns from a message on are taken out of a conversation, and can be put back until the next message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.conversation.forgotten_turns import restored
from aster_sidecar.conversation.history import History
from aster_sidecar.conversation.messages import message_of
from aster_sidecar.conversation.run_request import Usage
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import UNTITLED, Sessions, rewind_info, titled
from aster_sidecar.errors import MessageNotFound, NotTurnStart, RewindNotFound
from aster_sidecar.ledger.choosing import Choice
from aster_sidecar.ledger.reverting import Reverts
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import messages as message_rows
from aster_sidecar.store.rows import rewinds as rows
from aster_sidecar.store.rows.model_messages import insert_message
from aster_sidecar.store.rows.sessions import update_context, update_title
from aster_sidecar.store.rows.turns import EndedRow, select_ended, select_rewound
from aster_sidecar.store.sql import Write

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine


class Rewinds:
    """Takes turns out of conversations, and puts them back."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        history: History,
        queues: SessionQueues,
        load_engine: Callable[[], Awaitable[Engine]],
        forget: Callable[[str], None],
        reverts: Reverts,
    ) -> None:
        """`forget` drops the model's history of a session from memory."""
        self._reverts = reverts
        self._load_engine = load_engine
        self._journal = journal
        self._sessions = sessions
        self._history = history
        self._queues = queues
        self._forget = forget
        self._tasks: set[asyncio.Task[wire.Rewound]] = set()

    async def rewind(self, session_id: str, request: wire.RewindRequest) -> wire.Rewound:
        """Take the turn that a message began, and all turns after it, out of the conversation.

        Changes to files are undone together with it, or nothing is done.
        Raises: SessionNotFound, MessageNotFound, NotTurnStart, RevertConflict, AgentBusy, StoreError.
        """
        return await self._whole(self._rewind(session_id, request))

    async def _rewind(self, session_id: str, request: wire.RewindRequest) -> wire.Rewound:
        self._sessions.require(session_id)
        with self._history.change(session_id):
            await self._journal.commit()
            turns = self._journal.rows(select_ended(session_id))
            first = turn_of(self._journal, session_id, request.message_id, turns)
            taken = from_turn(first, turns)
            turn_ids = [turn.turn_id for turn in taken]
            lacking = await restored(self._journal, self._load_engine, session_id, turn_ids)
            row = rows.RewindRow(
                rewind_id=clock.new_id("rewind"),
                session_id=session_id,
                message_id=taken[0].user_message_id,
                messages=self._journal.first(message_rows.count_of_turns(turn_ids)) or 0,
                title=self._sessions.info(session_id).title,
                revert_id=None,
                rewound_at=clock.stamp(),
            )
            left = [turn for turn in turns if turn not in taken]
            title = row.title if left or not self._is_from(row.title, taken[0]) else UNTITLED

            def put(revert_id: str | None) -> None:
                recorded = row._replace(revert_id=revert_id)
                self._put(
                    "history_rewound",
                    recorded,
                    taken,
                    left,
                    title,
                    [
                        rows.insert_rewind(recorded),
                        *(rows.update_rewound(turn_id, row.rewind_id) for turn_id in turn_ids),
                        *(insert_message(session_id, *message) for message in lacking),
                    ],
                    {"messages": -row.messages, "rewind": rewind_info(recorded)},
                )

            choice = Choice(
                turn_ids=tuple(turn_ids), commands=request.commands, force=frozenset(request.force), may_be_empty=True
            )
            files = await self._do(put, choice if request.files == "restore" else None)
        return rewound(row, taken, files)

    async def unrewind(self, session_id: str, request: wire.UnrewindRequest) -> wire.Rewound:
        """Put the turns of the last rewind back, and what it did to files.

        Raises: SessionNotFound, RewindNotFound, RevertConflict, AgentBusy, StoreError.
        """
        return await self._whole(self._unrewind(session_id, request))

    async def _whole(self, work: Coroutine[Any, Any, wire.Rewound]) -> wire.Rewound:
        """Do it to the end, even if the client goes away: no turn may begin between its parts."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _unrewind(self, session_id: str, request: wire.UnrewindRequest) -> wire.Rewound:
        self._sessions.require(session_id)
        with self._history.change(session_id):
            await self._journal.commit()
            row, *earlier = self._journal.rows(rows.select_undoable(session_id)) or [None]
            if row is None:
                raise RewindNotFound("no rewind of this session can be undone")
            back = self._journal.rows(select_rewound(row.rewind_id))
            left = [*self._journal.rows(select_ended(session_id)), *back]
            title = self._sessions.info(session_id).title

            def put(_: str | None) -> None:
                self._put(
                    "history_unrewound",
                    row,
                    back,
                    left,
                    row.title if title == UNTITLED else title,  # a person may have named it meanwhile
                    [rows.update_back(row.rewind_id), rows.delete_rewind(row.rewind_id)],
                    {"messages": row.messages, "rewind": rewind_info(earlier[0] if earlier else None)},
                )

            restores = request.files == "restore" and row.revert_id is not None
            choice = Choice(revert_id=row.revert_id, commands=True, force=frozenset(request.force), may_be_empty=True)
            files = await self._do(put, choice if restores else None)
        return rewound(row, back, files)

    async def _do(self, put: Callable[[str | None], None], choice: Choice | None) -> wire.Reverted | None:
        """Record a change of the conversation together with the undo of changes to files, if there is a choice of them.

        `put` gets the id of the revert. Raises: RevertConflict, StoreError.
        """
        if choice is not None:
            return await self._reverts.revert(choice, begun=put)
        put(None)
        await self._journal.commit()
        return None

    def _put(
        self,
        kind: Literal["history_rewound", "history_unrewound"],
        row: rows.RewindRow,
        turns: Sequence[EndedRow],
        left: Sequence[EndedRow],
        title: str,
        writes: list[Write],
        changes: dict[str, Any],
    ) -> None:
        """Put the events and rows of a change. `turns` are taken out or put back; `left` are those of the session then.

        `changes` are those of the session's info; `messages` is a difference.
        """
        session_id, session = row.session_id, self._sessions.info(row.session_id)
        turn_ids = [turn.turn_id for turn in turns]
        context, failed = state_after(left)
        queue = self._queues.of(session_id, session.agent_id)

        def on_commit() -> None:
            queue.failed = failed
            self._forget(session_id)

        made = wire.HistoryRewoundEvent if kind == "history_rewound" else wire.HistoryUnrewoundEvent
        event = made(from_message_id=row.message_id, turn_ids=turn_ids, messages=row.messages)
        self._journal.put(
            kind, event, agent_id=session.agent_id, session_id=session_id, writes=writes, on_commit=on_commit
        )
        self._queues.publish(queue, None, "failed" if failed else "idle")
        changed = session.model_copy(
            update={
                **changes,
                "messages": session.messages + changes["messages"],
                "title": title,
                "context": context,
                "state": "failed" if failed else "idle",
            }
        )
        more = [update_context(session_id, context and context.used_tokens, context and context.window_tokens)]
        more += [update_title(session_id, title)] if title != session.title else []
        self._journal.put(
            "session_changed",
            wire.SessionChangedEvent(change="updated", session=changed),
            agent_id=session.agent_id,
            session_id=session_id,
            writes=more,
        )

    def _is_from(self, title: str, turn: EndedRow) -> bool:
        """Whether the title was made from the message that began the turn."""
        row = self._journal.first(message_rows.select_message(turn.user_message_id))
        if row is None:
            return False
        names = [part.name for part in message_of(row).parts if isinstance(part, wire.ImagePart | wire.FilePart)]
        return title in {titled(text) for text in (row.text, *names)}


def rewound(row: rows.RewindRow, turns: Sequence[EndedRow], files: wire.Reverted | None) -> wire.Rewound:
    """What clients get of a rewind, or of its undo."""
    return wire.Rewound(
        session_id=row.session_id,
        from_message_id=row.message_id,
        turn_ids=[turn.turn_id for turn in turns],
        messages=row.messages,
        files=files,
    )


def state_after(turns: Sequence[EndedRow]) -> tuple[wire.Context | None, bool]:
    """How full the context window is after these turns, and whether the last of them failed."""
    last_first = sorted(turns, key=lambda turn: -turn.ended_n)
    context = next((used for turn in last_first if (used := Usage.stored(turn.usage).context)), None)
    return context, bool(last_first) and last_first[0].stop_reason == "failed"


def turn_of(journal: Journal, session_id: str, message_id: str, turns: Sequence[EndedRow]) -> EndedRow:
    """The turn among `turns` that a message began. Raises: MessageNotFound, NotTurnStart."""
    found = next((turn for turn in turns if turn.user_message_id == message_id), None)
    if found is not None:
        return found
    row = journal.first(message_rows.select_message(message_id))
    if row is None or row.session_id != session_id or not journal.first(message_rows.is_shown(message_id)):
        raise MessageNotFound(f"this conversation has no message {message_id[:100]!r}")
    raise NotTurnStart(f"the message {message_id[:100]!r} did not begin a turn")


def from_turn(first: EndedRow, turns: Sequence[EndedRow]) -> list[EndedRow]:
    """The turn and those after it, in the order in which they were sent.

    Turns are compared by their ends, because an urgent one overtakes those that wait, and the model has them in this
    order. One that was cancelled while it waited has no answer, and stands where it was sent.
    """
    return [
        turn
        for turn in turns
        if turn is first or (turn.ended_n > first.ended_n if turn.begun and first.begun else turn.n > first.n)
    ]


def upto_turn(last: EndedRow, turns: Sequence[EndedRow]) -> list[EndedRow]:
    """The turn and those before it, in the order in which they were sent."""
    after = from_turn(last, turns)
    return [turn for turn in turns if turn is last or turn not in after]
