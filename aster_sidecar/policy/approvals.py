"""Decisions that wait for a person, durable: asked once, answered once, bound to the exact call.

Nothing runs while one waits: the row is all there is. `turns` goes on when the last one of a turn is answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import (
    ApprovalExpired,
    ApprovalNotFound,
    ApprovalResolved,
    ArgumentsInvalid,
    EditUnconfirmed,
    InvalidShape,
    PolicyDenied,
)
from aster_sidecar.policy.permissions import Assessment, Risk, Scope, sentences
from aster_sidecar.policy.rules import Rules
from aster_sidecar.publisher import Publisher
from aster_sidecar.store.journal import Journal, Write
from aster_sidecar.store.rows import TRASHED
from aster_sidecar.text.repair import jsonable

LOOK_S = 30.0
"""How often it is looked whether a question is over: the loop's own clock stands still while the machine sleeps."""
EARLY_S = 0.01
"""An alarm may ring this much before its time."""

Assess = Callable[[str, dict[str, Any], str, str], tuple[Assessment, wire.CheckAnswer]]
"""(tool, arguments, agent_id, session_id) → what the call would do, and what policy says of it, as clients see it.

Raises: ArgumentsInvalid, ToolNotFound.
"""
RISKS: tuple[Risk, ...] = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Pending:
    """One open question. Times are stamps; `deadline` is what counts. `n` is the order in which they were asked."""

    call_id: str
    agent_id: str
    session_id: str
    turn_id: str
    message_id: str
    name: str
    arguments: dict[str, Any]
    risk: Risk
    reason: str
    display: str
    target: str
    binding: dict[str, Any]
    remember: Scope | None
    requested_at: str
    expires_at: str | None
    deadline: clock.Deadline | None = None
    n: int = 0
    summary: str = ""
    preview: wire.Preview | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered for a call: `arguments` are those that may run, bound to `binding`."""

    allowed: bool
    note: str | None
    arguments: dict[str, Any]
    binding: dict[str, Any]


class Approvals:
    """All open questions of all agents."""

    def __init__(self, journal: Journal, rules: Rules, assess: Assess) -> None:
        self._journal = journal
        self._rules = rules
        self._assess = assess
        self._pending: dict[str, Pending] = {}
        self._resolving: dict[str, tuple[Pending, asyncio.Future[None]]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._asked_n = 0
        self.settled: Publisher[str] = Publisher()
        """Publishes the id of a turn after one of its questions was answered."""
        journal.lost.subscribe(self.open)

    def open(self) -> None:
        """Read what waits from the journal, also again after a transaction failed. Raises: StoreError."""
        self._pending.clear()
        for row in self._journal.all(
            "SELECT call_id, agent_id, session_id, turn_id, message_id, name, arguments, risk, reason, display,"
            " target, binding, remember, requested_at, expires_at, boot, due_s, summary, preview FROM approvals"
            f" WHERE state='pending' AND session_id NOT IN ({TRASHED}) ORDER BY approval_id"
        ):
            with self._journal.taking_apart(f"the question of call {str(row[0])[:100]}"):
                remember = Scope(**json.loads(row[12])) if row[12] else None
                deadline = clock.Deadline.restored(*row[13:17]) if row[14] else None
                preview = wire.Preview.model_validate_json(row[18]) if row[18] else None
                told: list[Any] = [*row[:6], json.loads(row[6]), *row[7:11], json.loads(row[11]), remember, *row[13:15]]
                pending = Pending(*told, deadline=deadline, summary=row[17] or f"Use {row[5]}", preview=preview)
            self._asked_n += 1
            self._pending[row[0]] = replace(pending, n=self._asked_n)
        self._set_alarm()

    def close(self) -> None:
        """Stop the clock; what waits goes on waiting in the journal."""
        if self._alarm is not None:
            self._alarm.cancel()

    # -- asking ----------------------------------------------------------------------------------------------------

    def request(self, pending: Pending, *, timeout_s: float) -> None:
        """Put a question; it stands once the caller's transaction commits. `timeout_s` 0: it waits for ever."""
        if timeout_s > 0:
            deadline = clock.Deadline.after(timeout_s)
            pending = replace(pending, expires_at=deadline.at, deadline=deadline)
        self._asked_n += 1
        pending = replace(pending, n=self._asked_n)
        remember = pending.remember
        self._pending[pending.call_id] = pending
        self._journal.put(
            "approval_required",
            wire.ApprovalRequiredEvent(
                message_id=pending.message_id,
                call_id=pending.call_id,
                name=pending.name,
                arguments=pending.arguments,
                risk=pending.risk,
                reason=pending.reason,
                summary=pending.summary,
                display=pending.display,
                preview=pending.preview,
                remember=remember.words if remember else None,
                expires_at=pending.expires_at,
            ),
            agent_id=pending.agent_id,
            session_id=pending.session_id,
            turn_id=pending.turn_id,
            writes=[
                (
                    "INSERT INTO approvals (call_id, agent_id, session_id, turn_id, message_id, state, name, arguments,"
                    " risk, reason, display, target, binding, remember, requested_at, expires_at, boot, due_s,"
                    " summary, preview) VALUES (?,?,?,?,?,'pending',?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        pending.call_id,
                        pending.agent_id,
                        pending.session_id,
                        pending.turn_id,
                        pending.message_id,
                        pending.name,
                        json.dumps(pending.arguments),
                        pending.risk,
                        pending.reason,
                        pending.display,
                        pending.target,
                        json.dumps(pending.binding),
                        json.dumps(asdict(remember)) if remember else None,
                        pending.requested_at,
                        pending.expires_at,
                        clock.boot(),
                        pending.deadline.due_s if pending.deadline else None,
                        pending.summary,
                        pending.preview.model_dump_json() if pending.preview else None,
                    ),
                )
            ],
        )
        self._set_alarm()

    # -- reading ---------------------------------------------------------------------------------------------------

    def list(self, agent_id: str | None = None, session_id: str | None = None) -> list[wire.ApprovalInfo]:
        """What waits, oldest first."""
        return [
            wire.ApprovalInfo(
                call_id=p.call_id,
                agent_id=p.agent_id,
                session_id=p.session_id,
                turn_id=p.turn_id,
                name=p.name,
                arguments=p.arguments,
                risk=p.risk,
                reason=p.reason,
                summary=p.summary,
                display=p.display,
                preview=p.preview,
                remember=p.remember.words if p.remember else None,
                requested_at=p.requested_at,
                expires_at=clock.stamp(p.deadline.moment) if p.deadline else None,
            )
            for p in self._pending.values()
            if agent_id in (None, p.agent_id) and session_id in (None, p.session_id)
        ]

    def waiting(self, turn_id: str) -> int:
        """How many answers a turn still waits for: also those given, until they are recorded."""
        under_way = (pending for pending, _ in self._resolving.values())
        return sum(p.turn_id == turn_id for p in (*self._pending.values(), *under_way))

    async def landed(self, turn_id: str) -> None:
        """Wait until every answer that was given to a turn's questions is recorded, or could not be."""
        while under_way := [settled for pending, settled in self._resolving.values() if pending.turn_id == turn_id]:
            await asyncio.wait(under_way)

    def answer_of(self, call_id: str) -> Answer | None:
        """The newest answer to a call's question, None while it waits."""
        row = self._journal.one(
            "SELECT state, decision, note, arguments, edited, binding FROM approvals WHERE call_id=?"
            " ORDER BY approval_id DESC LIMIT 1",
            (call_id,),
        )
        if not row or row[0] == "pending":
            return None
        allowed = row[0] == "resolved" and row[1] in ("allow", "allow_always")
        return Answer(allowed, row[2], json.loads(row[4] or row[3]), json.loads(row[5]))

    # -- answering -------------------------------------------------------------------------------------------------

    async def answer(self, request: wire.ApproveRequest, by: str) -> wire.Approved:
        """Answer one question for `by`. The first answer counts.

        Raises: ApprovalNotFound, ApprovalResolved, ApprovalExpired; ToolNotFound, ArgumentsInvalid, PolicyDenied,
        EditUnconfirmed, StoreError (then it still waits).
        """
        in_flight = self._resolving.get(request.call_id)
        if in_flight is not None:
            await asyncio.wait([in_flight[1]])
        pending = self._pending.get(request.call_id)
        if pending is None or pending.agent_id != request.agent_id:
            raise self._gone(request)
        if pending.deadline is not None and pending.deadline.over:
            await self._expire()  # the machine slept, and the alarm has not rung yet
            raise self._gone(request)
        arguments, binding = pending.arguments, pending.binding
        remember, target = pending.remember, pending.target
        edited = request.arguments if request.arguments not in (None, pending.arguments) else None
        allows = request.decision in ("allow", "allow_always")
        if edited is not None and allows:
            assessment = self._edited(pending, edited, request.confirm)
            arguments, binding = edited, dict(assessment.binding)
            remember, target = assessment.remember, assessment.target
        if request.decision == "deny_always" and remember is None:
            # What is too open to allow for good can still be denied for good, exactly as it stands.
            remember = Scope("exact", target, f"exactly this {pending.name}")
        self._journal.check(pending.turn_id)
        rule = None
        if request.decision in ("allow_always", "deny_always") and remember is not None:
            rule = self._rules.remember(request.decision, pending.name, remember, pending.agent_id)
        moment = clock.stamp()
        write: Write = (
            "UPDATE approvals SET state='resolved', decision=?, note=?, edited=?, binding=?, resolved_at=?,"
            " resolved_by=? WHERE call_id=? AND state='pending'",
            (
                request.decision,
                request.note,
                json.dumps(edited) if edited is not None and allows else None,
                json.dumps(binding),
                moment,
                by,
                pending.call_id,
            ),
        )
        await self._settle(
            pending,
            wire.ApprovalResolvedEvent(
                call_id=pending.call_id,
                decision=request.decision,
                resolved_by=by,
                resolved_at=moment,
                note=request.note,
                arguments=arguments if edited is not None and allows else None,
                rule=rule,
            ),
            [write, call_state(pending.call_id, "approved" if allows else "denied")],
        )
        return wire.Approved(call_id=pending.call_id, decision=request.decision, resolved_at=moment, rule=rule)

    def _edited(self, pending: Pending, arguments: dict[str, Any], confirm: str | None) -> Assessment:
        """What edited arguments would do. Raises: ToolNotFound, ArgumentsInvalid, PolicyDenied, EditUnconfirmed."""
        place = (pending.agent_id, pending.session_id)
        assessment, told = self._assess(pending.name, arguments, *place)
        if told.decision == "deny":
            raise PolicyDenied(told.reason)
        if assessment.unshown is not None:
            raise ArgumentsInvalid(f"arguments of {pending.name}: {assessment.unshown}")
        try:
            before = self._assess(pending.name, pending.arguments, *place)[0]
        except InvalidShape:
            before = None
        unseen = not_shown(pending, before, assessment)
        if told.decision == "ask" and told.confirm != confirm and unseen:
            error = EditUnconfirmed(f"You have not been shown this yet: {sentences(unseen).rstrip('.')}")
            error.details = told.model_dump(mode="json")
            raise error
        return assessment

    async def _settle(self, pending: Pending, event: wire.ApprovalResolvedEvent, writes: list[Write]) -> None:
        """Take a question off the list, for good: from here on nobody else can answer it."""
        self._journal.put(
            "approval_resolved",
            event,
            agent_id=pending.agent_id,
            session_id=pending.session_id,
            turn_id=pending.turn_id,
            writes=writes,
        )
        del self._pending[pending.call_id]
        settled = asyncio.get_running_loop().create_future()
        self._resolving[pending.call_id] = (pending, settled)
        # Shielded: the caller may hang up, the answer was given all the same.
        await asyncio.shield(self._land(pending, settled, self._journal.commit()))

    async def _land(self, pending: Pending, settled: asyncio.Future[None], committed: asyncio.Future[None]) -> None:
        try:
            await committed
        except Exception:
            self._journal.mend(pending.turn_id)  # the question waits again
            raise
        finally:
            del self._resolving[pending.call_id]
            settled.set_result(None)
        self.settled.publish(pending.turn_id)

    def _gone(self, request: wire.ApproveRequest) -> Exception:
        row = self._journal.one(
            "SELECT state, decision, resolved_by, resolved_at FROM approvals WHERE call_id=? AND agent_id=?"
            " ORDER BY approval_id DESC LIMIT 1",
            (request.call_id, request.agent_id),
        )
        if not row:
            return ApprovalNotFound(f"no approval waits for call {request.call_id!r} of agent {request.agent_id!r}")
        state, decision, by, moment = row
        if state == "expired":
            return ApprovalExpired(f"the request expired at {moment}")
        if state == "cancelled":
            return ApprovalResolved(f"the turn was ended at {moment} before it was answered")
        return ApprovalResolved(f"already answered: {decision} by {by} at {moment}")

    def cancel(self, turn_id: str, by: str) -> None:
        """Put an end to a turn's open questions; stands once the caller's transaction commits."""
        moment = clock.stamp()
        for pending in [p for p in self._pending.values() if p.turn_id == turn_id]:
            del self._pending[pending.call_id]
            self._journal.put(
                "approval_resolved",
                wire.ApprovalResolvedEvent(
                    call_id=pending.call_id, decision="cancelled", resolved_by=by, resolved_at=moment
                ),
                agent_id=pending.agent_id,
                session_id=pending.session_id,
                turn_id=turn_id,
                writes=[
                    (
                        "UPDATE approvals SET state='cancelled', resolved_at=?, resolved_by=?"
                        " WHERE call_id=? AND state='pending'",
                        (moment, by, pending.call_id),
                    )
                ],
            )

    # -- expiry ----------------------------------------------------------------------------------------------------

    def _set_alarm(self, at_least_s: float = 0.0) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        left_s = min((p.deadline.left_s for p in self._pending.values() if p.deadline), default=None)
        if left_s is not None:
            delay_s = max(at_least_s, min(left_s + EARLY_S, LOOK_S))
            self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        task = asyncio.get_running_loop().create_task(self._expire())
        task.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    async def _expire(self) -> None:
        now = clock.stamp()
        try:
            for pending in [p for p in self._pending.values() if p.deadline and p.deadline.over]:
                if pending.call_id not in self._pending:
                    continue
                write: Write = (
                    "UPDATE approvals SET state='expired', note=?, resolved_at=?, resolved_by='timeout'"
                    " WHERE call_id=? AND state='pending'",
                    ("nobody answered in time", now, pending.call_id),
                )
                event = wire.ApprovalResolvedEvent(
                    call_id=pending.call_id, decision="expired", resolved_by="timeout", resolved_at=now
                )
                await self._settle(pending, event, [write, call_state(pending.call_id, "denied")])
        finally:
            self._set_alarm(at_least_s=1.0)  # when the store refuses, not in a tight loop


def not_shown(pending: Pending, before: Assessment | None, now: Assessment) -> list[str]:
    """What a person would have to think about anew, in words, when a call gets other arguments.

    `before` is what it would do without them by now, `now` what it would do with them.
    """
    known = (*before.concerns, *before.effects) if before is not None else ()
    told = [words for words in (*now.concerns, *now.effects) if words not in known]
    riskier = RISKS.index(now.risk) > RISKS.index(pending.risk)
    if not told and (riskier or (now.remember is None and pending.remember is not None)):
        told.append(now.reason)
    if before is not None and jsonable(before.binding) != pending.binding:
        told.append("something changed after the question was asked")
    return told


def call_state(call_id: str, state: str) -> Write:
    """The row that says how far a call is."""
    return ("UPDATE calls SET state=? WHERE call_id=?", (state, call_id))
