"""Pending approvals, for `turns` and the API: stored, answered once, and bound to the exact call.

No task runs while an approval is pending; its row is enough. `turns` resumes a turn after its last answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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
from aster_sidecar.policy.decisions import PERSON, Decided, decision_row
from aster_sidecar.policy.permissions import Assessment, Risk, Scope, sentences
from aster_sidecar.policy.programs import NETWORK
from aster_sidecar.policy.rules import Rules
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.pending import PendingSet
from aster_sidecar.store.rows import approvals as rows
from aster_sidecar.store.rows.calls import update_state
from aster_sidecar.store.sql import Write
from aster_sidecar.text.values import jsonable

Assess = Callable[[str, dict[str, Any], str, str], tuple[Assessment, wire.CheckAnswer]]
"""(tool, arguments, agent_id, session_id) → the assessment of the call, and the policy's decision as clients see it.

Raises: ArgumentsInvalid, ToolNotFound.
"""
Accepted = Callable[[str, dict[str, Any]], Sequence[Write]]
"""(tool, binding) → the rows that note what the person has seen by allowing the call."""


def nothing_to_note(tool: str, binding: dict[str, Any]) -> Sequence[Write]:
    return ()


RISKS: tuple[Risk, ...] = ("low", "medium", "high")
ALWAYS = ("allow_always", "deny_always")


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
    scopes: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer for a call. `arguments`, possibly edited, are those that may run, bound to `binding`."""

    allowed: bool
    note: str | None
    arguments: dict[str, Any]
    binding: dict[str, Any]


class Approvals:
    """All pending approvals of all agents."""

    def __init__(self, journal: Journal, rules: Rules, assess: Assess, accepted: Accepted = nothing_to_note) -> None:
        self._journal = journal
        self._rules = rules
        self._assess = assess
        self._accepted = accepted
        self._pending: PendingSet[Pending] = PendingSet(journal, self._expire)
        self._asked_n = 0
        self.settled = self._pending.settled
        """Publishes the id of a turn after one of its approvals was answered or expired."""
        journal.lost.subscribe(self.open)

    def open(self) -> None:
        """Read pending approvals from the journal; also called after a failed transaction. Raises: StoreError."""
        found: dict[str, Pending] = {}
        for row in self._journal.rows(rows.select_pending()):
            with self._journal.parsing(f"the approval of call {row.call_id[:100]}"):
                pending = pending_of(row)
            self._asked_n += 1
            found[row.call_id] = replace(pending, n=self._asked_n)
        self._pending.restore(found)

    def close(self) -> None:
        """Stop the timer; approvals stay pending in the journal."""
        self._pending.close()

    # -- asking ----------------------------------------------------------------------------------------------------

    def request(self, pending: Pending, *, timeout_s: float) -> None:
        """Add a pending approval; stored once the caller's transaction commits. `timeout_s` 0: it never expires."""
        if timeout_s > 0:
            deadline = clock.Deadline.after(timeout_s)
            pending = replace(pending, expires_at=deadline.at, deadline=deadline)
        self._asked_n += 1
        pending = replace(pending, n=self._asked_n)
        remember = pending.remember
        self._pending.add(pending.call_id, pending)
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
                scopes=scopes_shown(pending.scopes),
                expires_at=pending.expires_at,
            ),
            agent_id=pending.agent_id,
            session_id=pending.session_id,
            turn_id=pending.turn_id,
            writes=[
                rows.insert_approval(
                    rows.ApprovalRow(
                        call_id=pending.call_id,
                        agent_id=pending.agent_id,
                        session_id=pending.session_id,
                        turn_id=pending.turn_id,
                        message_id=pending.message_id,
                        state="pending",
                        name=pending.name,
                        arguments=json.dumps(pending.arguments),
                        risk=pending.risk,
                        reason=pending.reason,
                        display=pending.display,
                        target=pending.target,
                        binding=json.dumps(pending.binding),
                        remember=json.dumps(asdict(remember)) if remember else None,
                        requested_at=pending.requested_at,
                        expires_at=pending.expires_at,
                        boot=clock.boot(),
                        due_s=pending.deadline.due_s if pending.deadline else None,
                        summary=pending.summary,
                        preview=pending.preview.model_dump_json() if pending.preview else None,
                        scopes=json.dumps(list(map(asdict, pending.scopes))) if pending.scopes else None,
                    )
                )
            ],
        )

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
                scopes=scopes_shown(p.scopes),
                requested_at=p.requested_at,
                expires_at=clock.stamp(p.deadline.moment) if p.deadline else None,
            )
            for p in self._pending.all(agent_id, session_id)
        ]

    def waiting(self, turn_id: str) -> int:
        """The number of a turn's approvals that are pending, or answered but not recorded yet."""
        return self._pending.count(turn_id)

    async def wait_recorded(self, turn_id: str) -> None:
        """Wait until all answers given to a turn's approvals are recorded or have failed to be."""
        await self._pending.wait_recorded(turn_id)

    def answer_of(self, call_id: str) -> Answer | None:
        """The newest answer for a call; None if there is none yet."""
        row = self._journal.first(rows.select_answer(call_id))
        if row is None or row.state == "pending":
            return None
        allowed = row.state == "resolved" and row.decision in ("allow", "allow_always")
        return Answer(allowed, row.note, json.loads(row.edited or row.arguments), json.loads(row.binding))

    # -- answering -------------------------------------------------------------------------------------------------

    async def answer(self, request: wire.ApproveRequest, by: str) -> wire.Approved:
        """Answer one approval in the name of `by`. The first answer counts.

        Raises: ApprovalNotFound, ApprovalResolved, ApprovalExpired; InvalidShape, ToolNotFound, ArgumentsInvalid,
        PolicyDenied, EditUnconfirmed, StoreError (then it stays pending).
        """
        if request.decision not in ALWAYS and (request.scope_id or request.this_session or request.expires_in_s):
            raise InvalidShape(
                f"scope_id, this_session and expires_in_s have no meaning with the decision {request.decision}",
                hint="they say what allow_always and deny_always cover",
            )
        pending = await self._pending.to_answer(request.call_id)
        if pending is None or pending.agent_id != request.agent_id:
            raise self._not_pending(request)
        arguments, binding = pending.arguments, pending.binding
        remember, scopes, target = pending.remember, pending.scopes, pending.target
        risk, summary = pending.risk, pending.summary
        edited = request.arguments if request.arguments not in (None, pending.arguments) else None
        allows = request.decision in ("allow", "allow_always")
        if edited is not None and allows:
            assessment = self._assess_edited(pending, edited, request.confirm)
            arguments, binding = edited, dict(assessment.binding)
            remember, scopes, target = assessment.remember, assessment.scopes, assessment.target
            risk, summary = assessment.risk, assessment.summary or summary
        if request.scope_id is not None:
            remember = chosen(scopes, request.scope_id)
        if request.decision == "deny_always" and remember is None:
            # A call that can't be allowed permanently can still be denied permanently: exactly this target.
            remember = Scope("exact", target, f"exactly this {pending.name}")
        self._journal.check(pending.turn_id)
        rule = None
        if request.decision == "deny_always" and remember is not None and remember.kind == "program":
            remember = replace(remember, value=remember.value.replace(NETWORK, ""))  # with and without network
        if request.decision in ALWAYS and remember is not None:
            rule = self._rules.remember(
                request.decision,
                pending.name,
                remember,
                pending.agent_id,
                session_id=pending.session_id if request.this_session else None,
                expires_in_s=request.expires_in_s,
                made_by=by,
                made_for=pending.call_id,
            )
        moment = clock.stamp()
        write = rows.update_answered(
            pending.call_id,
            decision=request.decision,
            note=request.note,
            edited=json.dumps(edited) if edited is not None and allows else None,
            binding=json.dumps(binding),
            resolved_at=moment,
            by=by,
        )
        await self._pending.end(
            pending.call_id,
            [
                write,
                *(self._accepted(pending.name, dict(binding)) if allows else ()),
                update_state(pending.call_id, "approved" if allows else "denied"),
                decision_row(
                    replace(
                        decided(pending, PERSON, request.note),
                        decision="allow" if allows else "deny",
                        arguments=arguments,
                        risk=risk,
                        summary=summary,
                        client=by,
                    )
                ),
            ],
            "approval_resolved",
            wire.ApprovalResolvedEvent(
                call_id=pending.call_id,
                decision=request.decision,
                resolved_by=by,
                resolved_at=moment,
                note=request.note,
                arguments=arguments if edited is not None and allows else None,
                rule=rule,
            ),
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

    def _not_pending(self, request: wire.ApproveRequest) -> Exception:
        """The error that says why an approval can't be answered."""
        end = self._journal.first(rows.select_end(request.call_id, request.agent_id))
        if end is None:
            return ApprovalNotFound(
                f"no approval is pending for call {request.call_id!r} of agent {request.agent_id!r}"
            )
        if end.state == "expired":
            return ApprovalExpired(f"the request expired at {end.resolved_at}")
        if end.state == "cancelled":
            return ApprovalResolved(f"the turn was ended at {end.resolved_at} before it was answered")
        return ApprovalResolved(f"already answered: {end.decision} by {end.resolved_by} at {end.resolved_at}")

    def cancel(self, turn_id: str, by: str) -> None:
        """Cancel a turn's pending approvals; stored once the caller's transaction commits."""
        moment = clock.stamp()
        for pending in self._pending.take(lambda one: one.turn_id == turn_id):
            self._journal.put(
                "approval_resolved",
                wire.ApprovalResolvedEvent(
                    call_id=pending.call_id, decision="cancelled", resolved_by=by, resolved_at=moment
                ),
                agent_id=pending.agent_id,
                session_id=pending.session_id,
                turn_id=turn_id,
                writes=[
                    rows.update_cancelled(pending.call_id, moment, by),
                    decision_row(decided(pending, "cancelled", f"the turn ended before it was answered: {by}")),
                ],
            )

    async def _expire(self, pending: Pending) -> None:
        now, words = clock.stamp(), "nobody answered in time"
        event = wire.ApprovalResolvedEvent(
            call_id=pending.call_id, decision="expired", resolved_by="timeout", resolved_at=now
        )
        writes = [
            rows.update_expired(pending.call_id, now, words),
            update_state(pending.call_id, "denied"),
            decision_row(decided(pending, "expired", words)),
        ]
        await self._pending.end(pending.call_id, writes, "approval_resolved", event)


def chosen(scopes: Sequence[Scope], scope_id: str) -> Scope:
    """The scope with this id. Raises: InvalidShape."""
    for scope in scopes:
        if scope.scope_id == scope_id:
            return scope
    offered = ", ".join(scope.scope_id for scope in scopes) or "none"
    raise InvalidShape(f"scope_id = {scope_id!r} is not offered for this call", hint=f"its scopes are: {offered}")


def scopes_shown(scopes: Sequence[Scope]) -> list[wire.ScopeInfo]:
    """The scopes as clients see them."""
    return [wire.ScopeInfo(scope_id=scope.scope_id, words=scope.words) for scope in scopes]


def decided(pending: Pending, decided_by: str, words: str | None) -> Decided:
    """The decision to deny the call of a pending approval."""
    return Decided(
        agent_id=pending.agent_id,
        session_id=pending.session_id,
        turn_id=pending.turn_id,
        call_id=pending.call_id,
        tool=pending.name,
        summary=pending.summary,
        arguments=pending.arguments,
        risk=pending.risk,
        decision="deny",
        decided_by=decided_by,
        words=words,
    )


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


def pending_of(row: rows.ApprovalRow) -> Pending:
    """A pending approval from its row. Raises: ValueError, TypeError, KeyError for a damaged row."""
    deadline = None
    if row.expires_at:
        deadline = clock.Deadline.restored(row.requested_at, row.expires_at, row.boot, row.due_s)
    return Pending(
        call_id=row.call_id,
        agent_id=row.agent_id,
        session_id=row.session_id,
        turn_id=row.turn_id,
        message_id=row.message_id,
        name=row.name,
        arguments=json.loads(row.arguments),
        risk=row.risk,
        reason=row.reason,
        display=row.display,
        target=row.target,
        binding=json.loads(row.binding),
        remember=Scope(**json.loads(row.remember)) if row.remember else None,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        deadline=deadline,
        summary=row.summary or f"Use {row.name}",
        preview=wire.Preview.model_validate_json(row.preview) if row.preview else None,
        scopes=tuple(Scope(**one) for one in json.loads(row.scopes)) if row.scopes else (),
    )
