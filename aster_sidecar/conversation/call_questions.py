"""What calls ask a person: a call that is a question itself, one that waits without a task, and one that runs on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

from aster_sidecar import clock
from aster_sidecar.asking.forms import Form
from aster_sidecar.asking.questions import Ending, Question, Questions
from aster_sidecar.asking.time_limit import TimeLimit
from aster_sidecar.conversation.call_events import CallEvents
from aster_sidecar.conversation.recorded_calls import Call, call_row
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.ledger.recorder import Recorded
from aster_sidecar.policy.permissions import Assessment, Decision
from aster_sidecar.tools.base import Paused, QuestionEnd, Tool

UNATTENDED = Decision("deny", "unattended", "no event stream is open, and on_unattended is deny")
UNATTENDED_WORDS = f"denied: {UNATTENDED.reason}"


class CallQuestions:
    """The questions of the calls of one turn. `turn_limit` stands still while a running call waits for an answer."""

    def __init__(
        self,
        questions: Questions,
        log: TurnLog,
        events: CallEvents,
        timeout_s: Callable[[], float],
        unattended_denies: Callable[[], bool],
        turn_limit: TimeLimit,
    ) -> None:
        self._questions = questions
        self._log = log
        self._events = events
        self._timeout_s = timeout_s
        self._unattended_denies = unattended_denies
        self.turn_limit = turn_limit

    @property
    def unattended(self) -> bool:
        """Whether nobody is to be asked, because nobody is there and the settings say no then."""
        return self._unattended_denies() and not self._log.journal.watchers

    async def ask(
        self, call: Call, parsed: BaseModel, tool: Tool[Any], assessment: Assessment, decision: Decision
    ) -> None:
        """Ask the question that a call is. Raises: StoreError."""
        assert tool.asks is not None
        self._log.flush()
        self._log.journal.put(
            writes=[
                call_row(self._log, call, assessment.risk, "waiting"),
                self._events.decision(call, call.arguments, assessment, decision),
            ]
        )
        self._put(call, tool.asks(parsed))
        await self._log.commit()

    async def park(self, call: Call, assessment: Assessment, paused: Paused, recorded: Recorded) -> None:
        """Let a call wait without a task, for the answers to what it asks. Raises: StoreError."""
        self._log.flush()
        self._log.journal.put(writes=[call_row(self._log, call, assessment.risk, "parked"), *recorded.writes])
        if recorded.event is not None:
            self._log.put("files_changed", recorded.event)
        for one in paused.asks:
            self._put(call, one.form, request=one.request)
        await self._log.commit()

    def ending_of(self, call: Call) -> Ending | None:
        """How the newest question of a call ended; None if there is none, or it is open. Raises: StoreError."""
        return self._questions.ending_of(call.call_id)

    def endings_of(self, call: Call) -> list[QuestionEnd]:
        """How the questions ended for which a call waited, oldest first. Raises: StoreError."""
        return [
            QuestionEnd(ending.request, ending.outcome, ending.answers, ending.note)
            for ending in self._questions.endings_of(call.call_id)
            if ending.request is not None
        ]

    def of_running(self, call: Call, limit: TimeLimit) -> Asking:
        """What a running call asks with; its time `limit` stands still while it waits for an answer."""
        return Asking(self, call, limit)

    async def answered(self, call: Call, form: Form) -> QuestionEnd:
        """Ask what a running call asks, and wait for the end of the question. Raises: StoreError."""
        self._log.flush()
        ending = await self._questions.wait(self._put(call, form, live=True))
        return QuestionEnd("", ending.outcome, ending.answers, ending.note)

    def end_of(self, call: Call) -> None:
        """A running call has ended: so do its questions."""
        self._questions.end_live(call.call_id)

    def _put(self, call: Call, form: Form, *, request: str | None = None, live: bool = False) -> Question:
        """Ask a person; recorded with the next commit."""
        question = Question(
            question_id=clock.new_id("ask"),
            call_id=call.call_id,
            agent_id=self._log.agent_id,
            session_id=self._log.session_id,
            turn_id=self._log.turn_id,
            message_id=self._log.message_id,
            name=call.name,
            form=form,
            asked_at=clock.stamp(),
            live=live,
            request=request,
        )
        event = self._questions.ask(question, call.arguments, timeout_s=self._timeout_s())
        self._log.transcript.apply(0, "question_asked", event.model_dump())
        return question


class Asking:
    """Asks a person for a running call, while it waits."""

    def __init__(self, questions: CallQuestions, call: Call, limit: TimeLimit) -> None:
        self._questions = questions
        self._call = call
        self._limit = limit
        self._open = False

    @contextmanager
    def open(self) -> Generator[None]:
        """The call runs within this block; what is still asked at its end is cancelled."""
        self._open = True
        try:
            yield
        finally:
            self._open = False
            self._questions.end_of(self._call)

    @property
    def unattended(self) -> bool:
        return self._questions.unattended

    @contextmanager
    def held(self) -> Generator[None]:
        """Let the time limits of the call and of its turn stand still."""
        with self._limit.held(), self._questions.turn_limit.held():
            yield

    async def ask(self, form: Form) -> QuestionEnd:
        """See `tools.base.CallContext.ask`."""
        if not self._open:
            return QuestionEnd("", "cancelled", {}, None)
        if self.unattended:
            return QuestionEnd("", "declined", {}, UNATTENDED.reason)
        with self.held():
            return await self._questions.answered(self._call, form)


def answers_of(ending: Ending) -> dict[str, Any]:
    """The result of a call that was a question."""
    result: dict[str, Any] = {"answers": ending.answers}
    if ending.note:
        result["note"] = ending.note
    return result
