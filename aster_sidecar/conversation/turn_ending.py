"""The end of a turn: its answer, the model's history, what it waits for, its calls, and `done` as its last event."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Generator
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.conversation.messages import insert_message, transcript_of
from aster_sidecar.conversation.run_request import UNKNOWN, denial
from aster_sidecar.conversation.session_queue import Turn
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.errors import AsterError, ModelError, StoreError
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import calls as call_rows
from aster_sidecar.store.rows import messages as message_rows
from aster_sidecar.store.rows import turns as rows
from aster_sidecar.store.rows.sessions import update_context
from aster_sidecar.store.sql import Write
from aster_sidecar.text.numbers import price
from aster_sidecar.text.repair import valid_text

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine

log = logging.getLogger(__name__)


class TurnEnding:
    """Puts the events and rows that end a turn. Its caller commits them, and tries again when that fails."""

    def __init__(self, journal: Journal, waits: Waits, load_engine: Callable[[], Awaitable[Engine]]) -> None:
        self._journal = journal
        self._waits = waits
        self._load_engine = load_engine

    def publish_unrecorded(self, turn: Turn, error: AsterError) -> None:
        """Publish the end of a turn that can't be recorded to open streams. The next start ends its recorded part."""
        failed = wire.ErrorEvent(
            code=error.code, message=error.message, hint=error.hint, retryable=False, severity="error"
        )
        done = wire.DoneEvent(message_id=turn.message_id, stop_reason="failed", usage=wire.Usage())
        self._journal.send_unrecorded("error", failed, **where(turn))
        self._journal.send_unrecorded("done", done, **where(turn))
        self._journal.accept_again(turn.turn_id)

    async def put(
        self, turn: Turn, reason: wire.StopReason, failure: AsterError | None, severity: Literal["error", "warning"]
    ) -> None:
        """Put all events and rows of the turn's end. A failing part is logged and left out, except `done`.

        Raises: StoreError.
        """
        with self._isolated(turn, "text"):
            turn.log.flush()
        if turn.begun and reason not in ("complete", "denied"):
            await self._put_memory(turn)
        with self._isolated(turn, "approvals and questions"):
            self._waits.cancel(turn.turn_id, "cancel" if reason == "cancelled" else reason)
        if turn.begun:
            with self._isolated(turn, "calls"):
                self.put_calls(turn, reason)
        if failure is not None:
            with self._isolated(turn, "error"):
                self._put_error(turn, reason, failure, severity)
        info: str | None = None
        if failure is not None and reason == "failed":
            info = wire.ErrorInfo(
                code=failure.code,
                message=valid_text(failure.message),
                hint=valid_text(failure.hint) if failure.hint else None,
                time=clock.stamp(),
            ).model_dump_json()
        done = wire.DoneEvent(message_id=turn.message_id, stop_reason=reason, usage=turn.usage.to_wire())
        done.context = turn.usage.context
        writes: list[Write] = [
            message_rows.update_prompts_complete(turn.turn_id),
            rows.update_ended(turn.turn_id, reason, json.dumps(asdict(turn.usage)), turn.ran_s, info),
        ]
        if done.context is not None:
            writes.append(update_context(turn.session_id, done.context.used_tokens, done.context.window_tokens))
        try:
            answer = [insert_message(self._answer(turn, reason), turn.first_seq)] if turn.begun else []
            turn.log.put("done", done, writes=[*answer, *writes], runs=turn.log.runs())
        except StoreError:
            raise
        except Exception as error:
            log.error("the answer of turn %s cannot be recorded in full", turn.turn_id, exc_info=error)
            writes.append(message_rows.update_text(turn.message_id, status_of(reason), turn.log.transcript.text))
            turn.log.put("done", done, writes=writes)

    async def _put_memory(self, turn: Turn) -> None:
        """Append what the model must know of an interrupted turn to its history. Raises: StoreError."""
        try:
            engine = await self._load_engine()
            await self._journal.commit()  # the reads below need all rows
            await self._waits.wait_recorded(turn.turn_id)  # answers given during the commit
            self.reload(turn)  # arguments that a person edited, of a call that never started
            engine.close(turn.log, turn.prompt, [prompt for _, prompt in turn.steered])
        except StoreError:
            raise
        except Exception as error:
            log.error("the model's history of turn %s is incomplete", turn.turn_id, exc_info=error)
            with self._isolated(turn, "memory"):
                (await self._load_engine()).forget(turn.session_id)

    @contextlib.contextmanager
    def _isolated(self, turn: Turn, what: str) -> Generator[None, None, None]:
        """Log a failure in one part of a turn's end and go on with the others. Raises: StoreError."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            log.error("the %s of turn %s could not be recorded", what, turn.turn_id, exc_info=error)

    def _put_error(
        self, turn: Turn, reason: wire.StopReason, failure: AsterError, severity: Literal["error", "warning"]
    ) -> None:
        retry_after_s = getattr(failure, "retry_after_s", None)
        event = wire.ErrorEvent(
            code=failure.code,
            message=valid_text(failure.message),
            hint=valid_text(failure.hint) if failure.hint else None,
            retryable=bool(getattr(failure, "retryable", reason in ("limit", "interrupted"))),
            retry_after_s=price(retry_after_s),
            severity=severity,
        )
        turn.log.put("error", event)

    def _answer(self, turn: Turn, reason: wire.StopReason) -> wire.Message:
        transcript = turn.log.transcript
        return wire.Message(
            message_id=turn.message_id,
            turn_id=turn.turn_id,
            session_id=turn.session_id,
            role="assistant",
            text=transcript.text,
            parts=transcript.parts(),
            created_at=clock.stamp(),
            status=status_of(reason),
            usage=turn.usage.to_wire(),
        )

    def put_calls(self, turn: Turn, reason: wire.StopReason, *, only_started: bool = False) -> None:
        """End open calls: started ones as unknown, others as cancelled or denied (not with `only_started`)."""
        for call in self._journal.rows(call_rows.select_open(turn.turn_id)):
            part = turn.log.transcript.tools.get(call.call_id)
            if part is not None and part.state not in ("pending", "running"):
                continue
            with self._isolated(turn, "end of a call"):
                self._put_call_ending(turn, reason, call, only_started=only_started)

    def _put_call_ending(
        self, turn: Turn, reason: wire.StopReason, call: call_rows.OpenCallRow, *, only_started: bool
    ) -> None:
        ran, denied = call.state == "started", call.state == "denied"
        if only_started and not ran:
            return
        outcome: Literal["unknown", "cancelled", "denied"] = "unknown" if ran else "cancelled"
        words = UNKNOWN if ran else f"not run: {reason}"
        if call.state in call_rows.PAUSED:
            words = f"ended while it waited: {reason}"
        if denied:
            answer = self._waits.approvals.answer_of(call.call_id)
            outcome, words = "denied", denial(answer.note if answer is not None else None)
        turn.log.put(
            "tool_end",
            wire.ToolEndEvent(
                message_id=turn.message_id,
                call_id=call.call_id,
                name=call.name,
                error=words,
                outcome=outcome,
                duration_ms=0,
            ),
            writes=call_rows.update_ended(call.call_id, outcome, json.dumps(words), clock.stamp()),
        )

    def reload(self, turn: Turn) -> None:
        """Rebuild the transcript from the recorded events. Raises: StoreError."""
        turn.log.transcript = transcript_of(
            self._journal, turn.session_id, turn.turn_id, turn.message_id, turn.first_seq
        )


def where(turn: Turn) -> dict[str, str]:
    """The fields of a log line about a turn."""
    return {"turn_id": turn.turn_id, "session_id": turn.session_id, "agent_id": turn.agent_id}


def status_of(reason: wire.StopReason) -> wire.MessageStatus:
    """The status of an answer after its turn has ended."""
    return "complete" if reason in ("denied", "limit") else reason


def unexpected(error: Exception, *, logged: bool = False) -> ModelError:
    """The `internal_error` for an unexpected exception, which is logged with its traceback unless it was already."""
    if not logged:
        log.error("a turn failed inside the daemon", exc_info=error)
    return ModelError(
        "internal_error",
        f"the turn failed inside the daemon: {type(error).__name__}: {error}",
        hint="this is a bug: please report it with the daemon's log",
    )
