"""The life of a chat turn: start, queue, steer, pause for a person, resume, cancel, finish. It needs no open stream.

Turns of one session run in order, turns of different sessions concurrently. Every change is recorded in the journal
before clients receive it, so that `open` can restore all turns after a crash.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from aster_sidecar import clock
from aster_sidecar.agents.folders import FolderAgents
from aster_sidecar.asking.forms import from_text
from aster_sidecar.asking.questions import Question
from aster_sidecar.asking.time_limit import TimeLimit
from aster_sidecar.contract import wire
from aster_sidecar.conversation.effective_settings import EffectiveSettings
from aster_sidecar.conversation.history import History
from aster_sidecar.conversation.message_files import MessageFiles, parts, uses
from aster_sidecar.conversation.messages import insert_message
from aster_sidecar.conversation.run_request import NOTHING, Limits, Prompt, RunRequest, TurnChoice, Usage
from aster_sidecar.conversation.sends import SendKey, Sends
from aster_sidecar.conversation.session_choices import effort_of
from aster_sidecar.conversation.session_queue import SessionQueue, SessionQueues, Turn
from aster_sidecar.conversation.sessions import Sessions, require_model
from aster_sidecar.conversation.turn_ending import TurnEnding, unexpected, where
from aster_sidecar.conversation.turn_status import check_known
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.errors import (
    AgentBusy,
    AsterError,
    InvalidShape,
    LimitReached,
    ModelError,
    Stopping,
    StoreCorrupt,
    StoreError,
)
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import calls as call_rows
from aster_sidecar.store.rows import messages as message_rows
from aster_sidecar.store.rows import turns as rows
from aster_sidecar.store.rows.rewinds import update_final
from aster_sidecar.store.sql import Write
from aster_sidecar.text.json_text import parse_json

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine

log = logging.getLogger(__name__)

CANCEL_WAIT_S = 8.0
"""Longest time that /api/cancel waits for tools to end."""
STOP_WAIT_S = 3.0
"""Longest time that a shutdown waits for turns to end; the daemon has 5 s for the whole shutdown."""
STORE_RETRY_S = 1.0
"""Pause before another attempt to record the end of a turn."""
ENDING_TRIES = 3
"""Attempts to end a turn when the failure is in the daemon, not in the store."""
DAMAGED_TRIES = 3
"""Attempts to end a turn when the store is damaged: the damage may be in another turn's part of the transaction."""


@dataclass(frozen=True, slots=True)
class Options:
    """The settings that a turn reads when it starts, resumes, or asks a person."""

    limits: Limits
    max_turn_s: float | None
    approval_timeout_s: float
    on_unattended: Literal["wait", "deny"]


class Turns:
    """All turns of all sessions.

    `load_engine` returns the engine, which is built when the first turn needs it. `options` gets a session's id.
    """

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        history: History,
        queues: SessionQueues,
        waits: Waits,
        agents: FolderAgents,
        load_engine: Callable[[], Awaitable[Engine]],
        options: Callable[[str], Options],
        settings: EffectiveSettings,
        files: MessageFiles,
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._history = history
        self._queues = queues
        self._waits = waits
        self._agents = agents
        self._load_engine = load_engine
        self._options = options
        self._settings = settings
        self._files = files
        self._turns: dict[str, Turn] = {}
        self._sends = Sends(journal, sessions)
        self._ending = TurnEnding(journal, waits, load_engine)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        waits.on_settled(self._resume_if_answered)
        waits.questions.ending.subscribe(self._show_answer)

    # -- start and stop --------------------------------------------------------------------------------------------

    def open(self, session_id: str | None = None) -> None:
        """Restore all turns after a start: end interrupted ones, resume answered ones, keep waiting and queued ones.

        `session_id`: only the turns of a session that was restored from the trash. Raises: StoreError.
        """
        for row in self._journal.rows(rows.select_open(session_id)):
            turn = self._turn(
                row.turn_id,
                row.session_id,
                row.agent_id,
                row.user_message_id,
                row.message_id,
                self._files.prompt(row.text, row.user_message_id),
                context_of(row.context),
                TurnChoice(row.model, effort_of(row.effort)),
            )
            turn.usage, turn.ran_s, turn.first_seq = Usage.stored(row.usage), row.ran_s, row.first_seq
            turn.urgent = bool(row.urgent)
            queue = self._queues.of(turn.session_id, turn.agent_id)
            if row.state == "queued":
                queue.queued.append(turn)
                continue
            turn.begun = True
            queue.active = turn
            try:
                self._restore(turn, row.state)
            except StoreError:
                raise
            except Exception as error:  # one damaged turn must not stop the daemon from starting
                log.error("a turn cannot be restored", exc_info=error, extra=where(turn))
                self._fail(turn, unexpected(error, logged=True))
        for last in self._journal.rows(rows.select_last(session_id)):
            if last.stop_reason == "failed":
                self._queues.of(last.session_id, last.agent_id).failed = True
        for queue in [queue for queue in self._queues.all() if session_id in (None, queue.session_id)]:
            queue.published = self._queues.last_published(queue.session_id)
            self._queues.publish(queue, queue.active.turn_id if queue.active is not None else None)
            self._advance(queue)

    def _restore(self, turn: Turn, state: str) -> None:
        """Restore a turn that had begun from its rows."""
        self._ending.reload(turn)
        prompts = self._journal.rows(message_rows.select_pending(turn.turn_id))
        turn.steered = [(row.message_id, self._files.prompt(row.text, row.message_id)) for row in prompts]
        self._continue(turn, state)

    def _fail(self, turn: Turn, failure: ModelError) -> None:
        """End a turn that cannot continue as failed."""
        turn.state, turn.closing = "running", True
        self._start(turn, self._finish(turn, "failed", failure, "error"))

    def _continue(self, turn: Turn, state: str) -> None:
        """Let a restored turn wait, resume it, or end it as interrupted, depending on its waits and calls."""
        calls = [call.state for call in self._journal.rows(call_rows.select_calls(turn.turn_id))]
        if self._waits.waiting(turn.turn_id):
            turn.state = "waiting"
            self._ending.put_calls(turn, "interrupted", only_started=True)
        elif {"approved", "parked", "resumed"}.intersection(calls) or (state == "waiting" and calls):
            turn.resumes = True
            turn.state = "running"
            self._ending.put_calls(turn, "interrupted", only_started=True)
            self._start(turn, self._drive(turn))
        else:
            turn.state = "running"
            turn.closing = True
            interrupted = ModelError(
                "interrupted",
                "the daemon stopped while this was being answered",
                hint="the text so far is kept; send another message to continue",
                retryable=True,
            )
            self._start(turn, self._finish(turn, "interrupted", interrupted, "warning"))

    async def close(self) -> None:
        """Stop accepting messages and end running turns as interrupted. Waiting and queued turns are kept."""
        self._stopping = True
        for turn in list(self._turns.values()):
            if turn.task is not None and not turn.closing and turn.state == "running":
                turn.end_as = "interrupted"
                turn.task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_WAIT_S)

    def _turn(
        self,
        turn_id: str,
        session_id: str,
        agent_id: str,
        user_message_id: str,
        message_id: str,
        prompt: Prompt,
        context: Mapping[str, Any],
        choice: TurnChoice,
    ) -> Turn:
        turn_log = TurnLog(self._journal, agent_id, session_id, turn_id, message_id)
        turn = Turn(turn_id, session_id, agent_id, user_message_id, message_id, prompt, context, choice, turn_log)
        self._turns[turn_id] = turn
        return turn

    def _start(self, turn: Turn, work: Any) -> None:
        turn.task = asyncio.get_running_loop().create_task(work, name=turn.turn_id)
        self._tasks.add(turn.task)
        turn.task.add_done_callback(self._tasks.discard)
        turn.task.add_done_callback(report)
        turn.task.add_done_callback(lambda task: self._on_task_done(turn, task))

    def _on_task_done(self, turn: Turn, task: asyncio.Task[None]) -> None:
        """End the turn if its task was cancelled before its first step, or failed without ending it."""
        if turn.task is not task or turn.turn_id not in self._turns or self._stopping:
            return
        if task.cancelled():
            turn.closing = True
            self._start(turn, self._finish(turn, turn.end_as, None, "error"))
        elif (error := task.exception()) is not None:
            cause = error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
            self._fail(turn, unexpected(cause, logged=True))

    # -- incoming messages -----------------------------------------------------------------------------------------

    async def chat(self, request: wire.ChatRequest) -> wire.ChatStarted:
        """Accept a message: start, queue or steer a turn. The message is recorded when this returns.

        Raises: AgentNotFound, SessionNotFound, AgentBusy, IdempotencyMismatch, AttachmentNotFound, BodyTooLarge,
        InvalidShape, Stopping, StoreError.
        """
        session_id = request.session_id or self._sessions.find_default(request.agent_id, None)
        self._settings.agent(request.agent_id, session_id)  # an unknown session is refused below
        if not request.message.strip() and not request.attachments:
            raise InvalidShape("message: it is empty")
        require_model(request.model)
        if self._stopping:
            raise Stopping("the daemon is stopping")
        return await self._sends.once(request, lambda key: self._store_files(request, session_id or "", key))

    async def _store_files(self, request: wire.ChatRequest, session_id: str, key: SendKey | None) -> wire.ChatStarted:
        """Accept a message once its files are stored."""
        if not request.attachments:
            return await self._accept(request, [], key)
        if request.session_id is not None:
            self._sessions.require(request.session_id, request.agent_id)
        return await self._accept(request, await self._files.store(request.attachments, session_id), key)

    async def _accept(self, request: wire.ChatRequest, file_ids: list[str], key: SendKey | None) -> wire.ChatStarted:
        if self._stopping:
            raise Stopping("the daemon is stopping")
        files = self._files.of_ids(file_ids)
        title = request.message if request.message.strip() or not files else files[0].name
        session_id = self._sessions.resolve(request.agent_id, request.session_id, title)
        prompt = Prompt(request.message, files)
        if session_id in self._history.changing:
            raise AgentBusy("the history of this session is being changed", hint="send again in a moment")
        queue = self._queues.of(session_id, request.agent_id)
        active = queue.active
        busy = active is not None or bool(queue.queued)
        if busy and request.if_busy == "reject":
            raise AgentBusy(f"agent {request.agent_id!r} is {queue.state} in this session")
        choice = TurnChoice(request.model, request.effort)
        if active is not None and choice == NOTHING and (asked := self._typed_answer(active, request)) is not None:
            return await self._answer(active, request, title, key, *asked)
        if active is not None and request.if_busy == "steer" and not active.closing and choice == NOTHING:
            return await self._steer(active, request, prompt, title, key)
        turn = self._turn(
            clock.new_id("turn"),
            session_id,
            request.agent_id,
            clock.new_id("msg"),
            clock.new_id("msg"),
            prompt,
            request.context or {},
            choice,
        )
        turn.urgent = request.if_busy == "interrupt"
        seq = self._put_message(
            turn,
            request.context,
            prompt,
            title,
            turn.user_message_id,
            "complete",
            [
                rows.insert_queued(
                    turn.turn_id,
                    session_id,
                    turn.agent_id,
                    user_message_id=turn.user_message_id,
                    message_id=turn.message_id,
                    created_at=clock.stamp(),
                    usage=json.dumps(asdict(turn.usage)),
                    urgent=turn.urgent,
                    model=choice.model,
                    effort=choice.effort,
                )
            ],
        )
        answer = wire.ChatStarted(
            status="queued" if busy else "started",
            turn_id=turn.turn_id,
            message_id=turn.user_message_id,
            session_id=session_id,
            seq=seq,
        )
        self._journal.put(writes=[update_final(session_id), *([key.row(answer)] if key is not None else [])])
        queue.join(turn)
        self._advance(queue)
        # Shielded: the message counts even if the client disconnects.
        await asyncio.shield(self._record(turn, queue, self._journal.commit()))
        if turn.urgent and active is not None:
            await self._end(active, "cancelled")
        return answer

    async def _record(self, turn: Turn, queue: SessionQueue, committed: asyncio.Future[None]) -> None:
        """Wait for the commit of a new turn; without it, remove the turn. Raises: StoreError."""
        try:
            await committed
        except StoreError:
            self._turns.pop(turn.turn_id, None)
            if turn in queue.queued:
                queue.queued.remove(turn)
            if queue.active is turn:
                turn.closing = True
                if turn.task is not None:
                    turn.task.cancel()
                queue.active = None
            asyncio.get_running_loop().call_later(STORE_RETRY_S, self._advance, queue)
            raise

    def _put_message(
        self,
        turn: Turn,
        context: dict[str, Any] | None,
        prompt: Prompt,
        title: str,
        message_id: str,
        status: Literal["complete", "pending"],
        writes: list[Write],
    ) -> int:
        message = wire.Message(
            message_id=message_id,
            turn_id=turn.turn_id,
            session_id=turn.session_id,
            role="user",
            text=prompt.text,
            parts=parts(prompt.text, prompt.files),
            created_at=clock.stamp(),
            status=status,
            context=context,
        )
        return self._journal.put(
            "message_added",
            wire.MessageAddedEvent(message=message),
            agent_id=turn.agent_id,
            session_id=turn.session_id,
            turn_id=turn.turn_id,
            writes=[
                insert_message(message, 0),
                *uses(message_id, prompt.files),
                *self._sessions.touch(turn.session_id, title),
                *writes,
            ],
        )

    def _typed_answer(self, turn: Turn, request: wire.ChatRequest) -> tuple[Question, dict[str, Any]] | None:
        """The question to which the message is the answer: the only thing that the turn waits for. None: it is none."""
        asked = self._waits.questions.of_turn(turn.turn_id)
        plain = request.if_busy in ("queue", "steer") and not request.attachments
        if turn.closing or not plain or len(asked) != 1 or self._waits.waiting(turn.turn_id) != 1:
            return None
        answers = from_text(asked[0].form.fields, request.message)
        return (asked[0], answers) if answers is not None else None

    async def _answer(
        self,
        turn: Turn,
        request: wire.ChatRequest,
        title: str,
        key: SendKey | None,
        question: Question,
        answers: dict[str, Any],
    ) -> wire.ChatStarted:
        """Record a message as the answer to the question for which the turn waits."""
        message_id = clock.new_id("msg")
        prompt = Prompt(request.message)
        seq = self._put_message(turn, request.context, prompt, title, message_id, "complete", [])
        answer = wire.ChatStarted(
            status="answered", turn_id=turn.turn_id, message_id=message_id, session_id=turn.session_id, seq=seq
        )
        self._journal.put(writes=[key.row(answer)] if key is not None else [])
        await self._waits.questions.take_typed(question, answers, "chat")
        return answer

    async def _steer(
        self, turn: Turn, request: wire.ChatRequest, prompt: Prompt, title: str, key: SendKey | None
    ) -> wire.ChatStarted:
        """Add a message to the active turn; the model receives it with its next request."""
        message_id = clock.new_id("msg")
        seq = self._put_message(turn, request.context, prompt, title, message_id, "pending", [])
        answer = wire.ChatStarted(
            status="steered", turn_id=turn.turn_id, message_id=message_id, session_id=turn.session_id, seq=seq
        )
        self._journal.put(writes=[key.row(answer)] if key is not None else [])
        turn.steered.append((message_id, prompt))
        try:
            await asyncio.shield(self._journal.commit())
        except StoreError:
            turn.steered = [entry for entry in turn.steered if entry[0] != message_id]
            if turn.state == "waiting":
                self._journal.accept_again(turn.turn_id)  # only the message was lost, and its sender gets the error
            raise
        return answer

    def _took_steered(self, turn: Turn, count: int) -> None:
        """Mark the oldest `count` steered messages as complete: they are in the model's history now."""
        taken, turn.steered = turn.steered[:count], turn.steered[count:]
        self._journal.put(
            turn_id=turn.turn_id,
            writes=[message_rows.update_status(message_id, "complete") for message_id, _ in taken],
            durable=False,
        )

    # -- running a turn --------------------------------------------------------------------------------------------

    def _advance(self, queue: SessionQueue) -> None:
        """Begin the next queued turn if none is active, and publish the session's state if it changed."""
        if queue.active is None and queue.queued and not self._stopping:
            turn = queue.active = queue.queued.popleft()
            turn.state = "running"
            self._journal.accept_again(turn.turn_id)  # its message is recorded; other lost events are put again
            try:
                self._queues.publish(queue, turn.turn_id)
                self._begin(turn)
            except Exception as error:
                self._fail(turn, unexpected(error))
            else:
                self._start(turn, self._drive(turn))
        elif queue.active is None:
            self._queues.publish(queue, None)

    def _begin(self, turn: Turn) -> None:
        message = wire.Message(
            message_id=turn.message_id,
            turn_id=turn.turn_id,
            session_id=turn.session_id,
            role="assistant",
            text="",
            parts=[],
            created_at=clock.stamp(),
            status="streaming",
        )
        turn.begun = True
        log.info("turn started", extra=where(turn))
        turn.first_seq = self._journal.put(
            "message_added",
            wire.MessageAddedEvent(message=message),
            agent_id=turn.agent_id,
            session_id=turn.session_id,
            turn_id=turn.turn_id,
        )
        self._journal.put(
            writes=[
                insert_message(message, turn.first_seq),
                rows.update_running(turn.turn_id),
            ]
        )

    async def _drive(self, turn: Turn) -> None:
        """Run the turn until it ends or pauses: the body of its task. Every failure ends the turn with an error."""
        began = time.monotonic()
        ended: wire.StopReason | Literal["paused"] = "failed"
        failure: AsterError | None = None
        most_s: float | None = None
        limit = TimeLimit(None)
        try:
            options = self._options(turn.session_id)
            most_s = options.max_turn_s
            limit = TimeLimit(None if most_s is None else max(0.01, most_s - turn.ran_s))
            async with limit:
                self._settings.usable_work_dir(turn.session_id)
                turn.spec = turn.spec or self._settings.agent(turn.agent_id, turn.session_id)
                turn.model = turn.model or self._settings.for_run(turn.spec, turn.session_id, turn.choice)
                name, model_settings = turn.model
                engine = await self._load_engine()
                outcome = await engine.run(
                    RunRequest(
                        spec=turn.spec,
                        model=name,
                        model_settings=model_settings,
                        log=turn.log,
                        limits=options.limits,
                        usage=turn.usage,
                        prompt=None if turn.resumes else turn.prompt,
                        context=turn.context,
                        steered=lambda: [prompt for _, prompt in turn.steered],
                        took_steered=lambda count: self._took_steered(turn, count),
                        approval_timeout_s=lambda: self._options(turn.session_id).approval_timeout_s,
                        unattended_denies=lambda: self._options(turn.session_id).on_unattended == "deny",
                        time_limit=limit,
                    )
                )
                ended = "complete" if outcome == "finished" else outcome
        except asyncio.CancelledError:
            # A shutdown between the request and the pause must not cancel what waits.
            shutdown = self._stopping and turn.end_as == "interrupted"
            ended = "paused" if shutdown and self._waits.waiting(turn.turn_id) else turn.end_as
        except LimitReached as error:
            ended, failure = "limit", error
        except TimeoutError as error:
            if limit.expired():
                ended, failure = "limit", LimitReached(f"the turn ran for its {most_s:g} s")
            else:
                failure = unexpected(error)
        except AsterError as error:
            failure = error
            if error.code == "internal_error":
                log.error("a turn failed inside the daemon", exc_info=error, extra=where(turn))
        except Exception as error:
            failure = unexpected(error)
        turn.ran_s += time.monotonic() - began - limit.held_s
        if turn.turn_id not in self._turns:
            return  # its message could not be recorded, so the turn does not exist
        if ended == "paused":
            await self._pause(turn)
        else:
            turn.closing = True
            severity = "warning" if ended == "limit" else "error"
            await self._finish(turn, ended, failure, severity)

    async def _pause(self, turn: Turn) -> None:
        """Pause the turn: no task runs until the last of what it waits for has ended."""
        queue = self._queues.of(turn.session_id)
        turn.state = "waiting"
        damages = 0
        while True:
            try:
                self._journal.accept_again(turn.turn_id)
                self._queues.publish(queue, turn.turn_id)
                self._journal.put(writes=[self._row(turn, "waiting"), self._status_row(turn, "waiting_approval")])
                await self._journal.commit()
                break
            except asyncio.CancelledError:
                turn.closing = True
                await self._finish(turn, turn.end_as, None, "error")
                return
            except StoreError as error:
                if self._stopping:
                    return
                damages += isinstance(error, StoreCorrupt)
                if damages == DAMAGED_TRIES:
                    turn.closing = True
                    await self._finish(turn, "failed", error, "error")
                    return
                await asyncio.sleep(STORE_RETRY_S * (1 + random.random()))
        turn.task = None
        self._resume_if_answered(turn.turn_id)

    def _show_answer(self, turn_id: str, event: wire.QuestionAnsweredEvent) -> None:
        """Let the turn's transcript have the end of a question, which the turn's own log does not see."""
        if (turn := self._turns.get(turn_id)) is not None:
            turn.log.transcript.apply(0, "question_answered", event.model_dump())

    def _resume_if_answered(self, turn_id: str) -> None:
        """Resume a waiting turn if nothing is left that it waits for."""
        turn = self._turns.get(turn_id)
        if turn is None or turn.state != "waiting" or turn.task is not None or turn.closing or self._stopping:
            return
        if self._waits.waiting(turn_id):
            return
        turn.state, turn.resumes = "running", True
        try:
            self._journal.put(writes=[self._row(turn, "running"), self._status_row(turn, "streaming")])
            self._queues.publish(self._queues.of(turn.session_id), turn_id)
        except StoreError:
            log.warning("turn %s: its state could not be recorded", turn_id)
        except Exception as error:
            log.error("turn %s: its state could not be recorded", turn_id, exc_info=error)
        self._start(turn, self._drive(turn))

    async def _finish(
        self, turn: Turn, reason: wire.StopReason, failure: AsterError | None, severity: Literal["error", "warning"]
    ) -> None:
        """End the turn: record its answer, the model's history and the ends of its calls; `done` is its last event."""
        queue = self._queues.of(turn.session_id, turn.agent_id)
        if turn in queue.queued:
            queue.queued.remove(turn)
        lost, failures, damages = False, 0, 0
        while True:
            try:
                if lost:
                    self._ending.reload(turn)
                    lost = False
                self._journal.accept_again(turn.turn_id)
                await self._ending.put(turn, reason, failure, severity)
                if queue.active in (turn, None):
                    self._queues.publish(
                        queue, None, "queued" if queue.queued else "failed" if reason == "failed" else "idle"
                    )
                await self._journal.commit()
                break
            except StoreError as error:
                # Nothing was recorded. Retry until the store is available: each turn must get its `done` event.
                log.error("turn %s cannot be ended: %s", turn.turn_id, error.message)
                lost = True
                if self._stopping:
                    return
                damages += isinstance(error, StoreCorrupt)
                if damages == DAMAGED_TRIES:  # waiting does not repair a damaged file
                    reason = "failed"
                    self._ending.publish_unrecorded(turn, error)
                    break
                await asyncio.sleep(STORE_RETRY_S * (1 + random.random()))
            except Exception as error:
                failures += 1
                log.error("turn %s cannot be ended", turn.turn_id, exc_info=error)
                if failures == ENDING_TRIES:
                    reason = "failed"
                    self._ending.publish_unrecorded(turn, unexpected(error))
                    break
        queue.failed = reason == "failed"
        turn.ended_as = reason
        fields = {
            **where(turn),
            "stop_reason": reason,
            "code": failure.code if failure is not None else None,
            "duration_ms": round(turn.ran_s * 1000),
            "requests": turn.usage.requests,
            "input_tokens": turn.usage.input_tokens,
            "output_tokens": turn.usage.output_tokens,
        }
        log.log(logging.WARNING if queue.failed else logging.INFO, "turn ended", extra=fields)
        if queue.active is turn:
            queue.active = None
        self._turns.pop(turn.turn_id, None)
        self._advance(queue)

    def _row(self, turn: Turn, state: str) -> Write:
        return rows.update_state(turn.turn_id, state, json.dumps(asdict(turn.usage)), turn.ran_s)

    def _status_row(self, turn: Turn, status: wire.MessageStatus) -> Write:
        return message_rows.update_status(turn.message_id, status)

    # -- cancelling ------------------------------------------------------------------------------------------------

    async def cancel(self, request: wire.CancelRequest) -> wire.Cancelled:
        """Cancel turns and their tools; returns the turns that it ended. Idempotent; the agent stays usable.

        Raises: AgentNotFound, SessionNotFound.
        """
        check_known(self._agents, self._sessions, request.agent_id)
        if request.session_id is not None:
            self._sessions.require(request.session_id, request.agent_id)
        targets = [
            turn
            for turn in self._turns.values()
            if turn.agent_id == request.agent_id
            and request.session_id in (None, turn.session_id)
            and request.turn_id in (None, turn.turn_id)
        ]
        # Queued turns first, so that none of them begins when the active one ends.
        targets.sort(key=lambda turn: turn.state != "queued")
        ending_by_itself = [turn for turn in targets if turn.closing and turn.end_as != "cancelled"]
        await asyncio.gather(*(self._end(turn, "cancelled") for turn in targets))
        return wire.Cancelled(
            cancelled=[
                turn.turn_id
                for turn in targets
                if turn not in ending_by_itself and turn.ended_as in (None, "cancelled")
            ]
        )

    async def _end(self, turn: Turn, reason: wire.StopReason) -> None:
        if not turn.closing:
            turn.end_as = reason
            queue = self._queues.of(turn.session_id)
            if turn in queue.queued:
                queue.queued.remove(turn)
            if turn.task is not None and not turn.task.done():
                turn.task.cancel()
            else:
                turn.closing = True
                self._start(turn, self._finish(turn, reason, None, "error"))
        until = time.monotonic() + CANCEL_WAIT_S
        while turn.task is not None and turn.turn_id in self._turns and (left_s := until - time.monotonic()) > 0:
            await asyncio.wait([turn.task], timeout=left_s)


def context_of(text: str | None) -> dict[str, Any]:
    """The context of a message from its row; empty if it can't be read."""
    try:
        context: object = parse_json(text or "{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", context) if isinstance(context, dict) else {}


def report(task: asyncio.Task[None]) -> None:
    """Log the exception that ended a turn's task."""
    if not task.cancelled() and task.exception() is not None:
        log.error("a turn's task failed", exc_info=task.exception())
