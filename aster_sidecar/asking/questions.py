"""Open questions to a person: stored, and answered once. `turns` resumes a turn after its last answer.

No task runs while a question is open; its row is enough. Only a `live` question belongs to a call that runs meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aster_sidecar import clock
from aster_sidecar.asking.forms import Form, checked
from aster_sidecar.contract import wire
from aster_sidecar.errors import InvalidShape, QuestionExpired, QuestionNotFound, QuestionResolved, StoreError
from aster_sidecar.publisher import Publisher
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.pending import PendingSet
from aster_sidecar.store.rows import questions as rows
from aster_sidecar.store.rows.calls import update_state
from aster_sidecar.store.sql import Write


@dataclass(frozen=True, slots=True)
class Question:
    """An open question. `asked_at` is a stamp; expiry follows `deadline`. `live`: a running call waits for it.

    `request`: what the tool needs to go on, as JSON; None: the answers are the result of the call.
    """

    question_id: str
    call_id: str
    agent_id: str
    session_id: str
    turn_id: str
    message_id: str
    name: str
    form: Form
    asked_at: str
    live: bool = False
    request: str | None = None
    deadline: clock.Deadline | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a question ended. `answers` are those of an answered one."""

    outcome: wire.QuestionOutcome
    answers: dict[str, Any]
    note: str | None
    request: str | None = None


class Questions:
    """All open questions of all agents."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: PendingSet[Question] = PendingSet(journal, self._expire)
        self.settled = self._open.settled
        """Publishes the id of a turn after one of its questions has ended."""
        self.ending: Publisher[str, wire.QuestionAnsweredEvent] = Publisher()
        """Publishes how a question of a turn ends, before that is recorded."""
        self._live: dict[str, tuple[str, asyncio.Future[Ending]]] = {}
        """Who waits for the end of a live question: its turn, and what gets the end."""
        self.settled.subscribe(self._tell_live)
        journal.lost.subscribe(self._read)

    def open(self) -> None:
        """Read open questions from the journal, and end those of calls that ran when the daemon stopped.

        Raises: StoreError.
        """
        self._read()
        self._cancel(self._open.take(lambda question: question.live), "interrupted")

    def _read(self) -> None:
        found: dict[str, Question] = {}
        for row in self._journal.rows(rows.select_pending()):
            with self._journal.parsing(f"the question of call {row.call_id[:100]}"):
                found[row.question_id] = question_of(row)
        self._open.restore(found)

    def close(self) -> None:
        """Stop the timer; questions stay open in the journal."""
        self._open.close()

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self, question: Question, arguments: dict[str, Any], *, timeout_s: float) -> wire.QuestionAskedEvent:
        """Ask; recorded once the caller's transaction commits. `timeout_s` 0: it never expires."""
        if timeout_s > 0:
            question = replace(question, deadline=clock.Deadline.after(timeout_s))
        deadline, form = question.deadline, question.form
        event = wire.QuestionAskedEvent(
            message_id=question.message_id,
            question_id=question.question_id,
            call_id=question.call_id,
            name=question.name,
            arguments=arguments,
            reason=form.reason,
            fields=list(form.fields),
            server=form.server,
            url=form.url,
            expires_at=deadline.at if deadline else None,
        )
        row = rows.QuestionRow(
            question_id=question.question_id,
            call_id=question.call_id,
            agent_id=question.agent_id,
            session_id=question.session_id,
            turn_id=question.turn_id,
            message_id=question.message_id,
            state="pending",
            live=int(question.live),
            request=question.request,
            name=question.name,
            reason=form.reason,
            fields=json.dumps([field.model_dump(exclude_defaults=True) for field in form.fields]),
            server=form.server,
            url=form.url,
            asked_at=question.asked_at,
            expires_at=deadline.at if deadline else None,
            boot=clock.boot(),
            due_s=deadline.due_s if deadline else None,
        )
        self._open.add(question.question_id, question)
        self._journal.put(
            "question_asked",
            event,
            agent_id=question.agent_id,
            session_id=question.session_id,
            turn_id=question.turn_id,
            writes=[rows.insert_question(row)],
        )
        return event

    # -- reading ---------------------------------------------------------------------------------------------------

    def list(self, agent_id: str | None = None, session_id: str | None = None) -> list[wire.QuestionInfo]:
        """Open questions, oldest first."""
        return [
            wire.QuestionInfo(
                question_id=q.question_id,
                call_id=q.call_id,
                agent_id=q.agent_id,
                session_id=q.session_id,
                turn_id=q.turn_id,
                name=q.name,
                reason=q.form.reason,
                fields=list(q.form.fields),
                server=q.form.server,
                url=q.form.url,
                asked_at=q.asked_at,
                expires_at=clock.stamp(q.deadline.moment) if q.deadline else None,
            )
            for q in self._open.all(agent_id, session_id)
        ]

    def of_turn(self, turn_id: str) -> list[Question]:
        """The open questions of a turn, oldest first."""
        return [question for question in self._open.all() if question.turn_id == turn_id]

    def waiting(self, turn_id: str) -> int:
        """How many questions of a turn are open, or ended but not recorded yet."""
        return self._open.count(turn_id)

    async def wait_recorded(self, turn_id: str) -> None:
        """Wait until all answers given to a turn's questions are recorded or have failed to be."""
        await self._open.wait_recorded(turn_id)

    def ending_of(self, call_id: str) -> Ending | None:
        """How the newest question of a call ended; None if there is none, or it is open."""
        row = self._journal.first(rows.select_of_call(call_id))
        return self._ending(row) if row is not None and row.state != "pending" else None

    def endings_of(self, call_id: str) -> list[Ending]:
        """How the questions of a call ended, oldest first."""
        rows_of_call = self._journal.rows(rows.select_all_of_call(call_id))
        return [self._ending(row) for row in rows_of_call if row.state != "pending"]

    def _ending(self, row: rows.EndingRow) -> Ending:
        with self._journal.parsing(f"the answers to the question {row.question_id[:100]}"):
            answers: Any = json.loads(row.answers) if row.answers else {}
            outcome: Any = row.state
            return Ending(outcome, answers, row.note, row.request)

    # -- live questions --------------------------------------------------------------------------------------------

    async def wait(self, question: Question) -> Ending:
        """Wait for the end of a live question, which was just put. It ends as cancelled when this is cancelled.

        Raises: StoreError when it can't be recorded, or its end can't be read.
        """
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._live[question.question_id] = (question.turn_id, ended)
        try:
            await self._journal.commit()
            self._tell_live(question.turn_id)  # it may have ended meanwhile
            return await ended
        finally:
            del self._live[question.question_id]
            self._withdraw(lambda one: one.question_id == question.question_id)

    def end_live(self, call_id: str) -> None:
        """Cancel the live questions of a call, because it has ended."""
        self._withdraw(lambda one: one.live and one.call_id == call_id)

    def _withdraw(self, wanted: Callable[[Question], bool]) -> None:
        with contextlib.suppress(StoreError):  # the turn's next event fails, too
            self._cancel(self._open.take(wanted), "withdrawn")

    def _tell_live(self, turn_id: str) -> None:
        """Give the recorded ends of a turn's live questions to those who wait for them."""
        for question_id, (of_turn, ended) in self._live.items():
            if of_turn != turn_id or ended.done() or not self._open.over(question_id):
                continue
            try:
                row = self._journal.first(rows.select_ending(question_id))
                # Without a row, the question was lost with its transaction.
                ended.set_result(self._ending(row) if row is not None else Ending("cancelled", {}, None))
            except Exception as error:
                ended.set_exception(error)

    # -- answering -------------------------------------------------------------------------------------------------

    async def answer(self, request: wire.AnswerRequest, by: str) -> wire.Answered:
        """Answer or decline a question in the name of `by`. The first answer counts.

        Raises: QuestionNotFound, QuestionResolved, QuestionExpired; InvalidShape, AnswersInvalid, StoreError (then it
        stays open).
        """
        if request.decline == (request.answers is not None):
            raise InvalidShape("give either answers or decline: true")
        question = await self._open.to_answer(request.question_id)
        if question is None:
            raise self._not_open(request.question_id)
        answers = None
        if request.answers is not None:
            answers = await checked(question.form.fields, request.answers)
            question = await self._open.to_answer(request.question_id)  # the check took time
            if question is None:
                raise self._not_open(request.question_id)
        self._journal.check(question.turn_id)
        moment = clock.stamp()
        outcome: wire.QuestionOutcome = "declined" if answers is None else "answered"
        await self._end(question, outcome, answers, request.note, moment, by)
        return wire.Answered(question_id=question.question_id, outcome=outcome, answers=answers, resolved_at=moment)

    async def take_typed(self, question: Question, answers: dict[str, Any], by: str) -> None:
        """Answer with what a person typed in the chat: `answers` fit the form, and the question is open.

        It is recorded in the transaction of what the caller has put just before. Raises: StoreError (it stays open).
        """
        await self._end(question, "answered", answers, None, clock.stamp(), by)

    async def _end(
        self,
        question: Question,
        outcome: wire.QuestionOutcome,
        answers: dict[str, Any] | None,
        note: str | None,
        moment: str,
        by: str,
    ) -> None:
        event, writes = ended(question, outcome, answers, note, moment, by)
        if not question.live:
            # The call runs, or goes on, and reads the answer.
            writes.append(update_state(question.call_id, "approved" if question.request is None else "resumed"))
        self.ending.publish(question.turn_id, event)
        await self._open.end(question.question_id, writes, "question_answered", event)

    def _not_open(self, question_id: str) -> Exception:
        """The error that says why a question can't be answered."""
        end = self._journal.first(rows.select_ending(question_id))
        if end is None:
            return QuestionNotFound(f"no question {question_id[:200]!r} is open")
        if end.state == "expired":
            return QuestionExpired(f"the question expired at {end.resolved_at}")
        if end.state == "cancelled":
            return QuestionResolved(f"the turn was ended at {end.resolved_at} before it was answered")
        return QuestionResolved(f"already {end.state} by {end.resolved_by} at {end.resolved_at}")

    async def _expire(self, question: Question) -> None:
        await self._end(question, "expired", None, None, clock.stamp(), "timeout")

    def cancel(self, turn_id: str, by: str) -> None:
        """Cancel a turn's open questions; recorded once the caller's transaction commits."""
        self._cancel(self._open.take(lambda question: question.turn_id == turn_id), by)

    def _cancel(self, questions: Sequence[Question], by: str) -> None:
        for question in questions:
            event, writes = ended(question, "cancelled", None, None, clock.stamp(), by)
            self._journal.put(
                "question_answered",
                event,
                agent_id=question.agent_id,
                session_id=question.session_id,
                turn_id=question.turn_id,
                writes=writes,
            )
            self.ending.publish(question.turn_id, event)
            waiting = self._live.get(question.question_id)
            if waiting is not None and not waiting[1].done():
                waiting[1].set_result(Ending("cancelled", {}, None))


def ended(
    question: Question,
    outcome: wire.QuestionOutcome,
    answers: dict[str, Any] | None,
    note: str | None,
    moment: str,
    by: str,
) -> tuple[wire.QuestionAnsweredEvent, list[Write]]:
    """The event and the rows of a question's end."""
    event = wire.QuestionAnsweredEvent(
        question_id=question.question_id,
        call_id=question.call_id,
        outcome=outcome,
        answers=answers,
        resolved_by=by,
        resolved_at=moment,
        note=note,
    )
    recorded = json.dumps(answers) if answers is not None else None
    return event, [rows.update_ended(question.question_id, outcome, recorded, note, moment, by)]


def question_of(row: rows.QuestionRow) -> Question:
    """An open question from its row. Raises: ValueError, TypeError for a damaged row."""
    deadline = None
    if row.expires_at:
        deadline = clock.Deadline.restored(row.asked_at, row.expires_at, row.boot, row.due_s)
    fields = tuple(wire.QuestionField.model_validate(one) for one in json.loads(row.fields))
    return Question(
        question_id=row.question_id,
        call_id=row.call_id,
        agent_id=row.agent_id,
        session_id=row.session_id,
        turn_id=row.turn_id,
        message_id=row.message_id,
        name=row.name,
        form=Form(fields, row.reason, row.server, row.url),
        asked_at=row.asked_at,
        live=bool(row.live),
        request=row.request,
        deadline=deadline,
    )
