"""One chat turn: start, queue, steer, pause for approval, resume, cancel, finish. The daemon owns it, not a stream.

A session's turns run in order, those of different sessions side by side. Everything that matters is in the journal
before anybody hears of it, so that `open` can put every turn back where a crash found it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from aster_sidecar import clock
from aster_sidecar.agents.registry import Agents
from aster_sidecar.contract import wire
from aster_sidecar.conversation.run_request import UNKNOWN, Job, Limits, Usage, denial
from aster_sidecar.conversation.session_queue import SessionQueue, SessionQueues, Turn
from aster_sidecar.conversation.sessions import Sessions, insert_message, transcript_of
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.errors import (
    AgentBusy,
    AsterError,
    IdempotencyMismatch,
    InvalidShape,
    LimitReached,
    ModelError,
    Stopping,
    StoreCorrupt,
    StoreError,
)
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.store.journal import Journal, Write
from aster_sidecar.store.rows import TRASHED
from aster_sidecar.text.repair import price, whole

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine

log = logging.getLogger(__name__)

CANCEL_WAIT_S = 8.0
"""Longest that an answer to /api/cancel waits for tools to be gone."""
STOP_WAIT_S = 3.0
"""Longest that a stop waits for turns to end; the daemon has 5 s for all of it."""
STORE_RETRY_S = 1.0
"""Pause before an ending that could not be recorded is tried again."""
ENDING_TRIES = 3
"""Times an ending is tried that fails inside the daemon, not in the store."""
DAMAGED_TRIES = 3
"""Times an ending is tried that a damaged store does not take; others' damage may have been in its transaction."""


@dataclass(frozen=True, slots=True)
class Options:
    """The settings a turn reads when it starts or asks."""

    limits: Limits
    max_turn_s: float | None
    approval_timeout_s: float
    on_unattended: Literal["wait", "deny"]


class Turns:
    """All turns of all sessions. `load_engine` brings the engine in when the first turn needs it."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        queues: SessionQueues,
        approvals: Approvals,
        agents: Agents,
        load_engine: Callable[[], Awaitable[Engine]],
        options: Callable[[], Options],
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._queues = queues
        self._approvals = approvals
        self._agents = agents
        self._load_engine = load_engine
        self._options = options
        self._turns: dict[str, Turn] = {}
        self._sends: dict[tuple[str, str], tuple[str, asyncio.Future[wire.ChatStarted]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        approvals.settled.subscribe(self._settled)

    # -- life ------------------------------------------------------------------------------------------------------

    def open(self, session_id: str | None = None) -> None:
        """Put every turn back: interrupted ones end, waiting ones wait, answered ones go on, queued ones follow.

        `session_id`: only those of a session that was restored. Raises: StoreError.
        """
        within, only = f"t.session_id NOT IN ({TRASHED}) AND ? IN ('', t.session_id)", [session_id or ""]
        for row in self._journal.all(
            "SELECT t.turn_id, t.session_id, t.agent_id, t.user_message_id, t.message_id, u.text, u.context, t.state,"
            " t.usage, t.ran_s, coalesce(a.first_seq, 0), t.urgent FROM turns t"
            " JOIN messages u ON u.message_id=t.user_message_id LEFT JOIN messages a ON a.message_id=t.message_id"
            f" WHERE t.state<>'ended' AND {within} ORDER BY t.urgent DESC, t.n",
            only,
        ):
            fields: list[Any] = [*row[:6], context_of(row[6])]
            turn = self._turn(*fields)
            turn.usage, turn.ran_s, turn.first_seq = Usage.stored(row[8]), row[9], row[10]
            turn.urgent = bool(row[11])
            queue = self._queues.of(turn.session_id, turn.agent_id)
            if row[7] == "queued":
                queue.queued.append(turn)
                continue
            turn.begun = True
            queue.active = turn
            try:
                self._take_up(turn, row[7])
            except StoreError:
                raise
            except Exception as error:  # one turn that is broken must not keep the daemon from its start
                log.error("a turn cannot be taken up again", exc_info=error, extra=where(turn))
                self._give_up(turn, unexpected(error, tell=False))
        for owner, agent_id, reason, _ in self._journal.all(
            "SELECT session_id, agent_id, stop_reason, max(ended_n) FROM turns t"
            f" WHERE state='ended' AND {within} GROUP BY session_id",
            only,
        ):
            if reason == "failed":
                self._queues.of(owner, agent_id).failed = True
        for queue in [queue for queue in self._queues.all() if session_id in (None, queue.session_id)]:
            queue.told = self._queues.last_told(queue.session_id)
            self._queues.tell(queue, queue.active.turn_id if queue.active is not None else None)
            self._advance(queue)

    def _take_up(self, turn: Turn, state: str) -> None:
        """Put back a turn that had begun, as it is recorded."""
        self._reload(turn)
        turn.steered = [
            (message_id, text)
            for message_id, text in self._journal.all(
                "SELECT message_id, text FROM messages WHERE turn_id=? AND role='user' AND status='pending' ORDER BY n",
                (turn.turn_id,),
            )
        ]
        self._put_back(turn, state)

    def _give_up(self, turn: Turn, failure: ModelError) -> None:
        """End a turn that cannot go on, whatever it was doing."""
        turn.state, turn.closing = "running", True
        self._start(turn, self._finish(turn, "failed", failure, "error"))

    def _put_back(self, turn: Turn, state: str) -> None:
        calls = [
            row[0]
            for row in self._journal.all("SELECT state FROM calls WHERE turn_id=? AND state<>'closed'", (turn.turn_id,))
        ]
        if self._approvals.waiting(turn.turn_id):
            turn.state = "waiting"
            self._put_call_endings(turn, "interrupted", only_started=True)
        elif "approved" in calls or (state == "waiting" and calls):
            turn.resumes = True
            turn.state = "running"
            self._put_call_endings(turn, "interrupted", only_started=True)
            self._start(turn, self._drive(turn))
        else:
            turn.state = "running"
            turn.closing = True
            stopped = ModelError(
                "interrupted",
                "the daemon stopped while this was being answered",
                hint="what was said so far is kept; send another message to go on",
                retryable=True,
            )
            self._start(turn, self._finish(turn, "interrupted", stopped, "warning"))

    async def close(self) -> None:
        """Take no more work and end what runs as interrupted; what waits or is queued stays for the next life."""
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
        prompt: str,
        context: Mapping[str, Any],
    ) -> Turn:
        voice = TurnLog(self._journal, agent_id, session_id, turn_id, message_id)
        turn = Turn(turn_id, session_id, agent_id, user_message_id, message_id, prompt, context, voice)
        self._turns[turn_id] = turn
        return turn

    def _start(self, turn: Turn, work: Any) -> None:
        turn.task = asyncio.get_running_loop().create_task(work, name=turn.turn_id)
        self._tasks.add(turn.task)
        turn.task.add_done_callback(self._tasks.discard)
        turn.task.add_done_callback(report)
        turn.task.add_done_callback(lambda task: self._see_to(turn, task))

    def _see_to(self, turn: Turn, task: asyncio.Task[None]) -> None:
        """End a turn whose task was cancelled before its first step, or where it could not end itself."""
        if turn.task is not task or turn.turn_id not in self._turns or self._stopping:
            return
        if task.cancelled():
            turn.closing = True
            self._start(turn, self._finish(turn, turn.end_as, None, "error"))
        elif (error := task.exception()) is not None:
            cause = error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
            self._give_up(turn, unexpected(cause, tell=False))

    # -- saying something ------------------------------------------------------------------------------------------

    async def chat(self, request: wire.ChatRequest) -> wire.ChatStarted:
        """Take a message in. It is recorded when this returns.

        Raises: AgentNotFound, SessionNotFound, AgentBusy, IdempotencyMismatch, InvalidShape, Stopping, StoreError.
        """
        self._agents.get(request.agent_id)
        if not request.message.strip():
            raise InvalidShape("message: it is empty")
        if self._stopping:
            raise Stopping("the daemon is stopping")
        if request.client_message_id is None:
            return await self._take_in(request, [])
        key = (request.agent_id, request.client_message_id)
        digest = hashlib.sha256(
            json.dumps([request.session_id, request.message, request.context], sort_keys=True).encode()
        ).hexdigest()
        under_way = self._sends.get(key)
        if under_way is not None:
            check_same(digest, under_way[0])
            return await asyncio.shield(under_way[1])
        row = self._journal.one(
            "SELECT body_hash, answer, session_id FROM sends WHERE agent_id=? AND client_message_id=?", key
        )
        if row:
            check_same(digest, row[0])
            self._sessions.require(row[2])  # it may be in the trash
            return wire.ChatStarted.model_validate_json(row[1])
        future: asyncio.Future[wire.ChatStarted] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._sends[key] = (digest, future)
        try:
            started = await self._take_in(request, [(*key, digest)])
        except BaseException as error:
            future.set_exception(error if isinstance(error, AsterError) else StoreError("the send was broken off"))
            raise
        finally:
            self._sends.pop(key, None)
        future.set_result(started)
        return started

    async def _take_in(self, request: wire.ChatRequest, sends: list[tuple[str, str, str]]) -> wire.ChatStarted:
        session_id = self._sessions.resolve(request.agent_id, request.session_id, request.message)
        if session_id in self._sessions.clearing:
            raise AgentBusy("the history of this session is being deleted", hint="send again in a moment")
        queue = self._queues.of(session_id, request.agent_id)
        active = queue.active
        busy = active is not None or bool(queue.queued)
        if busy and request.if_busy == "reject":
            raise AgentBusy(f"agent {request.agent_id!r} is {queue.state} in this session")
        if active is not None and request.if_busy == "steer" and not active.closing:
            return await self._steer(active, request, sends)
        turn = self._turn(
            clock.new_id("turn"),
            session_id,
            request.agent_id,
            clock.new_id("msg"),
            clock.new_id("msg"),
            request.message,
            request.context or {},
        )
        turn.urgent = request.if_busy == "interrupt"
        seq = self._put_message(
            turn,
            request,
            turn.user_message_id,
            "complete",
            [
                (
                    "INSERT INTO turns (turn_id, session_id, agent_id, state, user_message_id, message_id, created_at,"
                    " usage, urgent) VALUES (?,?,?,'queued',?,?,?,?,?)",
                    (
                        turn.turn_id,
                        session_id,
                        turn.agent_id,
                        turn.user_message_id,
                        turn.message_id,
                        clock.stamp(),
                        json.dumps(asdict(turn.usage)),
                        int(turn.urgent),
                    ),
                ),
            ],
        )
        answer = wire.ChatStarted(
            status="queued" if busy else "started",
            turn_id=turn.turn_id,
            message_id=turn.user_message_id,
            session_id=session_id,
            seq=seq,
        )
        self._put_send(answer, sends)
        queue.join(turn)
        self._advance(queue)
        # Shielded: a client that hangs up does not take its message back.
        await asyncio.shield(self._record(turn, queue, self._journal.commit()))
        if turn.urgent and active is not None:
            await self._end(active, "cancelled")
        return answer

    async def _record(self, turn: Turn, queue: SessionQueue, committed: asyncio.Future[None]) -> None:
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
        request: wire.ChatRequest,
        message_id: str,
        status: Literal["complete", "pending"],
        writes: list[Write],
    ) -> int:
        message = wire.Message(
            message_id=message_id,
            turn_id=turn.turn_id,
            session_id=turn.session_id,
            role="user",
            text=request.message,
            parts=[wire.TextPart(text=request.message)],
            created_at=clock.stamp(),
            status=status,
            context=request.context,
        )
        return self._journal.put(
            "message_added",
            wire.MessageAddedEvent(message=message),
            agent_id=turn.agent_id,
            session_id=turn.session_id,
            turn_id=turn.turn_id,
            writes=[
                insert_message(message, 0),
                *self._sessions.touch(turn.session_id, request.message),
                *writes,
            ],
        )

    def _put_send(self, answer: wire.ChatStarted, sends: list[tuple[str, str, str]]) -> None:
        self._journal.put(
            writes=[
                (
                    "INSERT INTO sends (agent_id, client_message_id, session_id, body_hash, answer) VALUES (?,?,?,?,?)",
                    (agent_id, client_message_id, answer.session_id, digest, answer.model_dump_json()),
                )
                for agent_id, client_message_id, digest in sends
            ]
        )

    async def _steer(
        self, turn: Turn, request: wire.ChatRequest, sends: list[tuple[str, str, str]]
    ) -> wire.ChatStarted:
        """Give a message to the turn that is on: the model reads it with its next request."""
        message_id = clock.new_id("msg")
        seq = self._put_message(turn, request, message_id, "pending", [])
        answer = wire.ChatStarted(
            status="steered", turn_id=turn.turn_id, message_id=message_id, session_id=turn.session_id, seq=seq
        )
        self._put_send(answer, sends)
        turn.steered.append((message_id, request.message))
        try:
            await asyncio.shield(self._journal.commit())
        except StoreError:
            turn.steered = [entry for entry in turn.steered if entry[0] != message_id]
            if turn.state == "waiting":
                self._journal.mend(turn.turn_id)  # the message was all that was lost, and its sender is told
            raise
        return answer

    def _took_steered(self, turn: Turn, count: int) -> None:
        """The oldest `count` messages that came for the turn are in what its model remembers."""
        taken, turn.steered = turn.steered[:count], turn.steered[count:]
        self._journal.put(
            turn_id=turn.turn_id,
            writes=[
                ("UPDATE messages SET status='complete' WHERE message_id=?", (message_id,)) for message_id, _ in taken
            ],
            durable=False,
        )

    # -- a turn's way ----------------------------------------------------------------------------------------------

    def _advance(self, queue: SessionQueue) -> None:
        """Begin the next turn when none is on, and tell the session's state when it changed."""
        if queue.active is None and queue.queued and not self._stopping:
            turn = queue.active = queue.queued.popleft()
            turn.state = "running"
            self._journal.mend(turn.turn_id)  # its message is recorded; what else was lost of it, it says again
            try:
                self._queues.tell(queue, turn.turn_id)
                self._begin(turn)
            except Exception as error:
                self._give_up(turn, unexpected(error))
            else:
                self._start(turn, self._drive(turn))
        elif queue.active is None:
            self._queues.tell(queue, None)

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
                ("UPDATE turns SET state='running' WHERE turn_id=?", (turn.turn_id,)),
            ]
        )

    async def _drive(self, turn: Turn) -> None:
        """Run the turn until it ends or pauses. The edge of a turn's task: every failure becomes its ending."""
        began = time.monotonic()
        ended: wire.StopReason | Literal["paused"] = "failed"
        failure: AsterError | None = None
        most_s: float | None = None
        clock_out = asyncio.timeout(None)
        try:
            options = self._options()
            most_s = options.max_turn_s
            clock_out = asyncio.timeout(None if most_s is None else max(0.01, most_s - turn.ran_s))
            async with clock_out:
                turn.spec = turn.spec or self._agents.get(turn.agent_id)
                engine = await self._load_engine()
                told = await engine.run(
                    Job(
                        spec=turn.spec,
                        log=turn.log,
                        limits=options.limits,
                        usage=turn.usage,
                        prompt=None if turn.resumes else turn.prompt,
                        context=turn.context,
                        steered=lambda: [text for _, text in turn.steered],
                        took_steered=lambda count: self._took_steered(turn, count),
                        approval_timeout_s=lambda: self._options().approval_timeout_s,
                        unattended_denies=lambda: self._options().on_unattended == "deny",
                    )
                )
                ended = "complete" if told == "finished" else told
        except asyncio.CancelledError:
            # A stop that comes between the question and the pause must not take the question back.
            stopped = self._stopping and turn.end_as == "interrupted"
            ended = "paused" if stopped and self._approvals.waiting(turn.turn_id) else turn.end_as
        except LimitReached as error:
            ended, failure = "limit", error
        except TimeoutError as error:
            if clock_out.expired():
                ended, failure = "limit", LimitReached(f"the turn ran for its {most_s:g} s")
            else:
                failure = unexpected(error)
        except AsterError as error:
            failure = error
            if error.code == "internal_error":
                log.error("a turn failed inside the daemon", exc_info=error, extra=where(turn))
        except Exception as error:
            failure = unexpected(error)
        turn.ran_s += time.monotonic() - began
        if turn.turn_id not in self._turns:
            return  # its message could not be recorded, so it never was
        if ended == "paused":
            await self._pause(turn)
        else:
            turn.closing = True
            severity = "warning" if ended == "limit" else "error"
            await self._finish(turn, ended, failure, severity)

    async def _pause(self, turn: Turn) -> None:
        """Let go of the turn: from here on its row is all there is, until the last of its questions is answered."""
        queue = self._queues.of(turn.session_id)
        turn.state = "waiting"
        damages = 0
        while True:
            try:
                self._journal.mend(turn.turn_id)
                self._queues.tell(queue, turn.turn_id)
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
        self._settled(turn.turn_id)

    def _settled(self, turn_id: str) -> None:
        """A question was answered: go on when it was the turn's last one."""
        turn = self._turns.get(turn_id)
        if turn is None or turn.state != "waiting" or turn.task is not None or turn.closing or self._stopping:
            return
        if self._approvals.waiting(turn_id):
            return
        turn.state, turn.resumes = "running", True
        try:
            self._journal.put(writes=[self._row(turn, "running"), self._status_row(turn, "streaming")])
            self._queues.tell(self._queues.of(turn.session_id), turn_id)
        except StoreError:
            log.warning("turn %s: its state could not be put down", turn_id)
        except Exception as error:
            log.error("turn %s: its state could not be put down", turn_id, exc_info=error)
        self._start(turn, self._drive(turn))

    async def _finish(
        self, turn: Turn, reason: wire.StopReason, failure: AsterError | None, severity: Literal["error", "warning"]
    ) -> None:
        """End the turn: what was said is kept, what the model must know is put down, `done` is its last event."""
        queue = self._queues.of(turn.session_id, turn.agent_id)
        if turn in queue.queued:
            queue.queued.remove(turn)
        lost, failures, damages = False, 0, 0
        while True:
            try:
                if lost:
                    self._reload(turn)
                    lost = False
                self._journal.mend(turn.turn_id)
                await self._put_ending(turn, reason, failure, severity)
                if queue.active in (turn, None):
                    self._queues.tell(
                        queue, None, "queued" if queue.queued else "failed" if reason == "failed" else "idle"
                    )
                await self._journal.commit()
                break
            except StoreError as error:
                # Nothing of the ending was recorded. Try again until the store is back: a turn never just vanishes.
                log.error("turn %s cannot be ended: %s", turn.turn_id, error.message)
                lost = True
                if self._stopping:
                    return
                damages += isinstance(error, StoreCorrupt)
                if damages == DAMAGED_TRIES:  # waiting mends no file
                    reason = "failed"
                    self._tell_unrecorded(turn, error)
                    break
                await asyncio.sleep(STORE_RETRY_S * (1 + random.random()))
            except Exception as error:
                failures += 1
                log.error("turn %s cannot be ended", turn.turn_id, exc_info=error)
                if failures == ENDING_TRIES:
                    reason = "failed"
                    self._tell_unrecorded(turn, unexpected(error))
                    break
        queue.failed = reason == "failed"
        turn.ended_as = reason
        told_of_it = {
            **where(turn),
            "stop_reason": reason,
            "code": failure.code if failure is not None else None,
            "duration_ms": round(turn.ran_s * 1000),
            "requests": turn.usage.requests,
            "input_tokens": turn.usage.input_tokens,
            "output_tokens": turn.usage.output_tokens,
        }
        log.log(logging.WARNING if queue.failed else logging.INFO, "turn ended", extra=told_of_it)
        if queue.active is turn:
            queue.active = None
        self._turns.pop(turn.turn_id, None)
        self._advance(queue)

    def _tell_unrecorded(self, turn: Turn, error: AsterError) -> None:
        """End a turn for its watchers: its ending can't be recorded. The next life ends what of it is recorded."""
        failed = wire.ErrorEvent(
            code=error.code, message=error.message, hint=error.hint, retryable=False, severity="error"
        )
        done = wire.DoneEvent(message_id=turn.message_id, stop_reason="failed", usage=wire.Usage())
        self._journal.tell("error", failed, **where(turn))
        self._journal.tell("done", done, **where(turn))
        self._journal.mend(turn.turn_id)

    async def _put_ending(
        self, turn: Turn, reason: wire.StopReason, failure: AsterError | None, severity: Literal["error", "warning"]
    ) -> None:
        """Put all of the ending down. What fails of it is logged and left out, but never `done`. Raises: StoreError."""
        with self._left_out(turn, "text"):
            turn.log.flush()
        if turn.begun and reason not in ("complete", "denied"):
            await self._put_memory(turn)
        with self._left_out(turn, "questions"):
            self._approvals.cancel(turn.turn_id, "cancel" if reason == "cancelled" else reason)
        if turn.begun:
            with self._left_out(turn, "calls"):
                self._put_call_endings(turn, reason)
        if failure is not None:
            with self._left_out(turn, "error"):
                self._put_error(turn, reason, failure, severity)
        info: str | None = None
        if failure is not None and reason == "failed":
            info = wire.ErrorInfo(
                code=failure.code,
                message=whole(failure.message),
                hint=whole(failure.hint) if failure.hint else None,
                time=clock.stamp(),
            ).model_dump_json()
        done = wire.DoneEvent(message_id=turn.message_id, stop_reason=reason, usage=turn.usage.told())
        rows: list[Write] = [
            ("UPDATE messages SET status='complete' WHERE turn_id=? AND role='user'", (turn.turn_id,)),
            (
                "UPDATE turns SET state='ended', stop_reason=?, usage=?, ran_s=?, error=?,"
                " ended_n=(SELECT coalesce(max(ended_n), 0) + 1 FROM turns) WHERE turn_id=?",
                (reason, json.dumps(asdict(turn.usage)), turn.ran_s, info, turn.turn_id),
            ),
        ]
        try:
            answer = [insert_message(self._answer(turn, reason), turn.first_seq)] if turn.begun else []
            turn.log.put("done", done, writes=[*answer, *rows], runs=turn.log.runs())
        except StoreError:
            raise
        except Exception as error:
            log.error("what turn %s said cannot be put down whole", turn.turn_id, exc_info=error)
            text = "UPDATE messages SET status=?, text=? WHERE message_id=?"
            rows.append((text, (status_of(reason), turn.log.transcript.text, turn.message_id)))
            turn.log.put("done", done, writes=rows)

    async def _put_memory(self, turn: Turn) -> None:
        """Put down what the model must know of a turn that did not end by itself. Raises: StoreError."""
        try:
            engine = await self._load_engine()
            await self._journal.commit()  # what is read below must be all there is
            await self._approvals.landed(turn.turn_id)  # also what was answered while that was recorded
            self._reload(turn)  # arguments that a person edited, of a call that never started
            engine.close(turn.log, turn.prompt, [text for _, text in turn.steered])
        except StoreError:
            raise
        except Exception as error:
            log.error("what the model remembers of turn %s is not whole", turn.turn_id, exc_info=error)
            with self._left_out(turn, "memory"):
                (await self._load_engine()).forget(turn.session_id)

    @contextlib.contextmanager
    def _left_out(self, turn: Turn, what: str) -> Generator[None, None, None]:
        """A part of an ending that may fail without the rest. Raises: StoreError."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            log.error("the %s of turn %s could not be put down", what, turn.turn_id, exc_info=error)

    def _put_error(
        self, turn: Turn, reason: wire.StopReason, failure: AsterError, severity: Literal["error", "warning"]
    ) -> None:
        retry_after_s = getattr(failure, "retry_after_s", None)
        event = wire.ErrorEvent(
            code=failure.code,
            message=whole(failure.message),
            hint=whole(failure.hint) if failure.hint else None,
            retryable=bool(getattr(failure, "retryable", reason in ("limit", "interrupted"))),
            retry_after_s=price(retry_after_s),
            severity=severity,
        )
        turn.log.put("error", event)

    def _answer(self, turn: Turn, reason: wire.StopReason) -> wire.Message:
        told = turn.log.transcript
        return wire.Message(
            message_id=turn.message_id,
            turn_id=turn.turn_id,
            session_id=turn.session_id,
            role="assistant",
            text=told.text,
            parts=told.parts(),
            created_at=clock.stamp(),
            status=status_of(reason),
            usage=turn.usage.told(),
        )

    def _put_call_endings(self, turn: Turn, reason: wire.StopReason, *, only_started: bool = False) -> None:
        """End the calls that have no end: those that ran are unknown, those that did not are cancelled."""
        for call_id, name, state in self._journal.all(
            "SELECT call_id, name, state FROM calls WHERE turn_id=? AND state NOT IN ('ended', 'closed')",
            (turn.turn_id,),
        ):
            part = turn.log.transcript.tools.get(call_id)
            if part is not None and part.state not in ("pending", "running"):
                continue
            with self._left_out(turn, "end of a call"):
                self._put_call_ending(turn, reason, (call_id, name, state), only_started=only_started)

    def _put_call_ending(
        self, turn: Turn, reason: wire.StopReason, call: tuple[str, str, str], *, only_started: bool
    ) -> None:
        call_id, name, state = call
        ran, denied = state == "started", state == "denied"
        if only_started and not ran:
            return
        outcome: Literal["unknown", "cancelled", "denied"] = "unknown" if ran else "cancelled"
        words = UNKNOWN if ran else f"not run: {reason}"
        if denied:
            answer = self._approvals.answer_of(call_id)
            outcome, words = "denied", denial(answer.note if answer is not None else None)
        turn.log.put(
            "tool_end",
            wire.ToolEndEvent(
                message_id=turn.message_id,
                call_id=call_id,
                name=name,
                error=words,
                outcome=outcome,
                duration_ms=0,
            ),
            writes=[
                (
                    "UPDATE calls SET state='ended', outcome=?, result=?, ended_at=? WHERE call_id=?",
                    (outcome, json.dumps(words), clock.stamp(), call_id),
                )
            ],
        )

    def _row(self, turn: Turn, state: str) -> Write:
        return (
            "UPDATE turns SET state=?, usage=?, ran_s=? WHERE turn_id=?",
            (state, json.dumps(asdict(turn.usage)), turn.ran_s, turn.turn_id),
        )

    def _status_row(self, turn: Turn, status: wire.MessageStatus) -> Write:
        return ("UPDATE messages SET status=? WHERE message_id=?", (status, turn.message_id))

    def _reload(self, turn: Turn) -> None:
        """Take the transcript from what is recorded. Raises: StoreError."""
        turn.log.transcript = transcript_of(
            self._journal, turn.session_id, turn.turn_id, turn.message_id, turn.first_seq
        )

    # -- ending it from outside ------------------------------------------------------------------------------------

    async def cancel(self, request: wire.CancelRequest) -> wire.Cancelled:
        """End turns and what they run; names those it ended. Idempotent; the agent stays usable.

        Raises: AgentNotFound, SessionNotFound.
        """
        self._know(request.agent_id)
        if request.session_id is not None:
            self._sessions.require(request.session_id, request.agent_id)
        doomed = [
            turn
            for turn in self._turns.values()
            if turn.agent_id == request.agent_id
            and request.session_id in (None, turn.session_id)
            and request.turn_id in (None, turn.turn_id)
        ]
        # Queued ones first, so that none of them begins when the one before it ends.
        doomed.sort(key=lambda turn: turn.state != "queued")
        ending_by_itself = [turn for turn in doomed if turn.closing and turn.end_as != "cancelled"]
        await asyncio.gather(*(self._end(turn, "cancelled") for turn in doomed))
        return wire.Cancelled(
            cancelled=[
                turn.turn_id for turn in doomed if turn not in ending_by_itself and turn.ended_as in (None, "cancelled")
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

    # -- reading ---------------------------------------------------------------------------------------------------

    def _know(self, agent_id: str) -> None:
        """Raises: AgentNotFound, unless the agent is there or has conversations."""
        if self._sessions.count(agent_id) == 0:
            self._agents.get(agent_id)

    def status(self, agent_id: str, session_id: str | None, model: str) -> wire.Status:
        """What an agent is doing in a session, by default in its default one. Creates nothing.

        Raises: AgentNotFound, SessionNotFound, StoreError.
        """
        self._know(agent_id)
        session_id = self._sessions.find_default(agent_id, session_id)
        if session_id is None:
            return wire.Status(
                id=agent_id,
                state="idle",
                session_id=None,
                turn_id=None,
                queue=[],
                pending_approvals=0,
                model=model,
                usage=wire.Usage(),
                last_error=None,
            )
        queue = self._queues.of(session_id, agent_id)
        usage, error = wire.Usage(), None
        if queue.active is not None:
            usage = queue.active.usage.told()
        else:
            row = self._journal.one(
                "SELECT usage, error FROM turns WHERE session_id=? AND state='ended' ORDER BY ended_n DESC LIMIT 1",
                (session_id,),
            )
            if row:
                usage, error = Usage.stored(row[0]).told(), error_of(row[1])
        return wire.Status(
            id=agent_id,
            state=queue.state,
            session_id=session_id,
            turn_id=queue.active.turn_id if queue.active is not None else None,
            queue=[turn.turn_id for turn in queue.queued],
            pending_approvals=len(self._approvals.list(agent_id, session_id)),
            model=model,
            usage=usage,
            last_error=error,
        )


def where(turn: Turn) -> dict[str, str]:
    """What a log line says of the turn it is about."""
    return {"turn_id": turn.turn_id, "session_id": turn.session_id, "agent_id": turn.agent_id}


def check_same(digest: str, other: str) -> None:
    """Raises: IdempotencyMismatch."""
    if digest != other:
        raise IdempotencyMismatch("this client_message_id was used for another message")


def context_of(text: str | None) -> dict[str, Any]:
    """The context that a message was sent with, as its row has it; none where that can't be read."""
    try:
        context: object = json.loads(text or "{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", context) if isinstance(context, dict) else {}


def error_of(text: str | None) -> wire.ErrorInfo | None:
    """Why a turn failed, as its row has it."""
    try:
        return wire.ErrorInfo.model_validate_json(text) if text else None
    except ValueError:
        return None


def status_of(reason: wire.StopReason) -> wire.MessageStatus:
    """What an answer's status is once its turn has ended."""
    return "complete" if reason in ("denied", "limit") else reason


def unexpected(error: Exception, *, tell: bool = True) -> ModelError:
    """A failure nobody foresaw: logged whole (unless it was already: `tell` False), told in one line."""
    if tell:
        log.error("a turn failed inside the daemon", exc_info=error)
    return ModelError(
        "internal_error",
        f"the turn failed inside the daemon: {type(error).__name__}: {error}",
        hint="this is a bug: please report it with the daemon's log",
    )


def report(task: asyncio.Task[None]) -> None:
    """Log what ended a turn's task when it was not its own doing."""
    if not task.cancelled() and task.exception() is not None:
        log.error("a turn's task died", exc_info=task.exception())
