"""Pending approvals, for `turns` and the API: stored, answered once, and bound to the exact call.

No task runs while an approval is pending; its row is enough. `turns` resumes a turn after its last answer.
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

CHECK_S = 30.0
"""Longest time between checks for expired approvals: the event loop's clock stops while the machine sleeps."""
EARLY_S = 0.01
"""Added to the timer's delay, because a timer may fire this much early."""

Assess = Callable[[str, dict[str, Any], str, str], tuple[Assessment, wire.CheckAnswer]]
"""(tool, arguments, agent_id, session_id) → the assessment of the call, and the policy's decision as clients see it.

Raises: ArgumentsInvalid, ToolNotFound.
"""
RISKS: tuple[Risk, ...] = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Pending:
    """One pending approval. Times are stamps, but expiry follows `deadline`. `n` counts the requests in order."""

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
    """The answer for a call. `arguments`, possibly edited, are those that may run, bound to `binding`."""

    allowed: bool
    note: str | None
    arguments: dict[str, Any]
    binding: dict[str, Any]


class Approvals:
    """All pending approvals of all agents."""

    def __init__(self, journal: Journal, rules: Rules, assess: Assess) -> None:
        self._journal = journal
        self._rules = rules
        self._assess = assess
        self._pending: dict[str, Pending] = {}
        self._resolving: dict[str, tuple[Pending, asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._asked_n = 0
        self.settled: Publisher[str] = Publisher()
        """Publishes the id of a turn after one of its approvals was answered or expired."""
        journal.lost.subscribe(self.open)

    def open(self) -> None:
        """Read pending approvals from the journal; also called after a failed transaction. Raises: StoreError."""
        found: dict[str, Pending] = {}
        for row in self._journal.all(
            "SELECT call_id, agent_id, session_id, turn_id, message_id, name, arguments, risk, reason, display,"
            " target, binding, remember, requested_at, expires_at, boot, due_s, summary, preview FROM approvals"
            f" WHERE state='pending' AND session_id NOT IN ({TRASHED}) ORDER BY approval_id"
        ):
            with self._journal.taking_apart(f"the approval of call {str(row[0])[:100]}"):
                remember = Scope(**json.loads(row[12])) if row[12] else None
                deadline = clock.Deadline.restored(*row[13:17]) if row[14] else None
                preview = wire.Preview.model_validate_json(row[18]) if row[18] else None
                fields: list[Any] = [
                    *row[:6],
                    json.loads(row[6]),
                    *row[7:11],
                    json.loads(row[11]),
                    remember,
                    *row[13:15],
                ]
                pending = Pending(*fields, deadline=deadline, summary=row[17] or f"Use {row[5]}", preview=preview)
            self._asked_n += 1
            found[row[0]] = replace(pending, n=self._asked_n)
        self._pending = found
        self._set_timer()

    def close(self) -> None:
        """Stop the timer; approvals stay pending in the journal."""
        if self._timer is not None:
            self._timer.cancel()

    # -- asking ----------------------------------------------------------------------------------------------------

    def request(self, pending: Pending, *, timeout_s: float) -> None:
        """Add a pending approval; stored once the caller's transaction commits. `timeout_s` 0: it never expires."""
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
        self._set_timer()

    # -- reading ---------------------------------------------------------------------------------------------------

    def list(self, agent_id: str | None = None, session_id: str | None = None) -> list[wire.ApprovalInfo]:
        """Pending approvals, oldest first."""
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
        """The number of a turn's approvals that are pending, or answered but not recorded yet."""
        under_way = (pending for pending, _ in self._resolving.values())
        return sum(p.turn_id == turn_id for p in (*self._pending.values(), *under_way))

    async def wait_recorded(self, turn_id: str) -> None:
        """Wait until all answers given to a turn's approvals are recorded or have failed to be."""
        while under_way := [settled for pending, settled in self._resolving.values() if pending.turn_id == turn_id]:
            await asyncio.wait(under_way)

    def answer_of(self, call_id: str) -> Answer | None:
        """The newest answer for a call; None if there is none yet."""
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
        """Answer one approval in the name of `by`. The first answer counts.

        Raises: ApprovalNotFound, ApprovalResolved, ApprovalExpired; ToolNotFound, ArgumentsInvalid, PolicyDenied,
        EditUnconfirmed, StoreError (then it stays pending).
        """
        in_flight = self._resolving.get(request.call_id)
        if in_flight is not None:
            await asyncio.wait([in_flight[1]])
        pending = self._pending.get(request.call_id)
        if pending is None or pending.agent_id != request.agent_id:
            raise self._not_pending(request)
        if pending.deadline is not None and pending.deadline.over:
            await self._expire()  # the machine slept, and the timer has not fired yet
            raise self._not_pending(request)
        arguments, binding = pending.arguments, pending.binding
        remember, target = pending.remember, pending.target
        edited = request.arguments if request.arguments not in (None, pending.arguments) else None
        allows = request.decision in ("allow", "allow_always")
        if edited is not None and allows:
            assessment = self._assess_edited(pending, edited, request.confirm)
            arguments, binding = edited, dict(assessment.binding)
            remember, target = assessment.remember, assessment.target
        if request.decision == "deny_always" and remember is None:
            # A call that can't be allowed permanently can still be denied permanently: exactly this target.
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

    def _assess_edited(self, pending: Pending, arguments: dict[str, Any], confirm: str | None) -> Assessment:
        """What edited arguments would do. Raises: ToolNotFound, ArgumentsInvalid, PolicyDenied, EditUnconfirmed."""
        place = (pending.agent_id, pending.session_id)
        assessment, decided = self._assess(pending.name, arguments, *place)
        if decided.decision == "deny":
            raise PolicyDenied(decided.reason)
        if assessment.unshown is not None:
            raise ArgumentsInvalid(f"arguments of {pending.name}: {assessment.unshown}")
        try:
            before = self._assess(pending.name, pending.arguments, *place)[0]
        except InvalidShape:
            before = None
        not_seen = not_shown(pending, before, assessment)
        if decided.decision == "ask" and decided.confirm != confirm and not_seen:
            error = EditUnconfirmed(f"You have not been shown this yet: {sentences(not_seen).rstrip('.')}")
            error.details = decided.model_dump(mode="json")
            raise error
        return assessment

    async def _settle(self, pending: Pending, event: wire.ApprovalResolvedEvent, writes: list[Write]) -> None:
        """Remove a pending approval and record its end: from here on nobody else can answer it."""
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
        # Shielded: the answer counts even if the caller disconnects.
        await asyncio.shield(self._finish_answer(pending, settled, self._journal.commit()))

    async def _finish_answer(
        self, pending: Pending, settled: asyncio.Future[None], committed: asyncio.Future[None]
    ) -> None:
        try:
            await committed
        except Exception:
            self._journal.mend(pending.turn_id)  # the approval is pending again
            raise
        finally:
            del self._resolving[pending.call_id]
            settled.set_result(None)
        self.settled.publish(pending.turn_id)

    def _not_pending(self, request: wire.ApproveRequest) -> Exception:
        """The error that says why an approval can't be answered."""
        row = self._journal.one(
            "SELECT state, decision, resolved_by, resolved_at FROM approvals WHERE call_id=? AND agent_id=?"
            " ORDER BY approval_id DESC LIMIT 1",
            (request.call_id, request.agent_id),
        )
        if not row:
            return ApprovalNotFound(
                f"no approval is pending for call {request.call_id!r} of agent {request.agent_id!r}"
            )
        state, decision, by, moment = row
        if state == "expired":
            return ApprovalExpired(f"the request expired at {moment}")
        if state == "cancelled":
            return ApprovalResolved(f"the turn was ended at {moment} before it was answered")
        return ApprovalResolved(f"already answered: {decision} by {by} at {moment}")

    def cancel(self, turn_id: str, by: str) -> None:
        """Cancel a turn's pending approvals; stored once the caller's transaction commits."""
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

    def _set_timer(self, at_least_s: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        left_s = min((p.deadline.left_s for p in self._pending.values() if p.deadline), default=None)
        if left_s is not None:
            delay_s = max(at_least_s, min(left_s + EARLY_S, CHECK_S))
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
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
            self._set_timer(at_least_s=1.0)  # no tight loop while the store fails


def not_shown(pending: Pending, before: Assessment | None, now: Assessment) -> list[str]:
    """Effects and concerns of edited arguments that the person has not been shown, in words.

    `before`: a current assessment of the original arguments; `now`: the assessment of the edited ones.
    """
    known = (*before.concerns, *before.effects) if before is not None else ()
    found = [words for words in (*now.concerns, *now.effects) if words not in known]
    riskier = RISKS.index(now.risk) > RISKS.index(pending.risk)
    if not found and (riskier or (now.remember is None and pending.remember is not None)):
        found.append(now.reason)
    if before is not None and jsonable(before.binding) != pending.binding:
        found.append("something changed after the question was asked")
    return found


def call_state(call_id: str, state: str) -> Write:
    """The update of a call's state."""
    return ("UPDATE calls SET state=? WHERE call_id=?", (state, call_id))
