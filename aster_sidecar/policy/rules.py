"""Stored rules, for `permissions.decide`: calls that a person allowed or denied, optionally with limits."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import RuleInvalid, RuleNotFound
from aster_sidecar.policy.conditions import Condition
from aster_sidecar.policy.permissions import Rule, Scope, describe
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import rules as rows
from aster_sidecar.store.sql import Query, Write
from aster_sidecar.text.values import jsonable


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule, and where it comes from. `made_by` is a client, and `made_for` the call that it answered."""

    rule: Rule
    created_at: str
    made_by: str | None = None
    made_for: str | None = None


class Rules:
    """All rules: in memory for decisions, and stored in the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rules: dict[str, Kept] = {}
        self._ends: dict[str, clock.Deadline] = {}
        """Deadlines of rules with a time limit. Their `expires_at` is by the wall clock at their creation."""
        self._uncommitted: dict[str, Kept] = {}
        """Allow rules that are not recorded yet and do not apply yet."""

        journal.lost.subscribe(self._read_again)

    def open(self) -> None:
        """Read the rules from the journal and delete expired ones. Raises: StoreError."""
        self._rules, self._ends, expired = self._read(rows.select_shown())
        for rule_id in expired:
            self._journal.put(writes=[rows.delete_rule(rule_id)])

    def _read_again(self) -> None:
        """Reload after a failed transaction; if the journal can't be read, the rules stay. Raises: StoreError."""
        self._rules, self._ends, _ = self._read(rows.select_shown())
        self._uncommitted.clear()

    def _read(self, query: Query[rows.RuleRow]) -> tuple[dict[str, Kept], dict[str, clock.Deadline], list[str]]:
        """Rules of the journal, their deadlines, and the ids of expired rules."""
        rules: dict[str, Kept] = {}
        deadlines: dict[str, clock.Deadline] = {}
        expired: list[str] = []
        for row in self._journal.rows(query):
            with self._journal.parsing(f"rule {row.rule_id[:100]}"):
                ends = (
                    clock.Deadline.restored(row.created_at, row.expires_at, row.boot, row.due_s)
                    if row.expires_at
                    else None
                )
                conditions = conditions_of(row.conditions)
            if ends is not None and ends.over:
                expired.append(row.rule_id)
                continue
            rule = Rule(
                row.rule_id,
                row.decision,
                row.tool,
                row.kind,
                row.value,
                row.agent_id,
                row.session_id,
                clock.parse(ends.at) if ends else None,
                conditions,
            )
            rules[row.rule_id] = Kept(rule, row.created_at, row.made_by, row.made_for)
            if ends is not None:
                deadlines[row.rule_id] = ends
        return rules, deadlines, expired

    def relocate(self, old: str, new: str) -> None:
        """Change rules for paths in the directory `old` to its new path `new`. Call it before `open`.

        Otherwise a deny rule for the old path would not apply any more. Raises: StoreError.
        """
        writes: list[Write] = []
        for row in self._journal.rows(rows.select_targets()):
            with self._journal.parsing(f"rule {row.rule_id[:100]}"):
                before = conditions_of(row.conditions)
            value = relocated(row.value, old, new)
            after = tuple(
                replace(one, value=relocated(one.value, old, new)) if one.test == "beneath" else one for one in before
            )
            if (value, after) != (row.value, before):
                writes.append(rows.update_target(row.rule_id, value, conditions_text(after)))
        self._journal.put(writes=writes)

    def active(self) -> list[Rule]:
        """The rules that apply now, with `expires_at` by the current wall clock."""
        active: list[Rule] = []
        for rule in [kept.rule for kept in self._rules.values()]:
            ends = self._ends.get(rule.rule_id)
            if ends is None:
                active.append(rule)
            elif not ends.over:
                active.append(replace(rule, expires_at=ends.moment))
        return active

    def list(self) -> list[wire.RuleInfo]:
        """The rules that apply now, oldest first."""
        return [info(replace(self._rules[rule.rule_id], rule=rule)) for rule in self.active()]

    def find(self, rule_id: str) -> wire.RuleInfo | None:
        """One of these rules; None if there is none with this id."""
        return next((rule for rule in self.list() if rule.rule_id == rule_id), None)

    def remember(
        self,
        decision: str,
        tool: str,
        scope: Scope,
        agent_id: str,
        *,
        session_id: str | None = None,
        expires_in_s: float | None = None,
        made_by: str | None = None,
        made_for: str | None = None,
    ) -> wire.RuleInfo:
        """Add a rule for an "always" answer, or return an equal one. An allow rule applies after the commit."""
        verdict = "allow" if decision == "allow_always" else "deny"
        ends = clock.Deadline.after(expires_in_s) if expires_in_s else None
        expires_at = clock.parse(ends.at) if ends else None
        rule = Rule(clock.new_id("rule"), verdict, tool, scope.kind, scope.value, agent_id, session_id, expires_at)
        for kept in (*self._rules.values(), *self._uncommitted.values()):
            if replace(kept.rule, rule_id=rule.rule_id) == rule and ends is None:
                return info(kept)
        return self._put(Kept(rule, clock.stamp(), made_by, made_for), ends)

    async def add(self, request: wire.RuleCreate, made_by: str | None = None) -> wire.RuleInfo:
        """Store a rule that a client sent. Raises: RuleInvalid, StoreError."""
        if request.kind == "any" and request.value:
            raise RuleInvalid("value must be empty with kind any", hint='kind "any" covers every call of the tool')
        if request.kind != "any" and not request.value:
            raise RuleInvalid(
                f"value is missing: kind {request.kind} needs a target",
                hint="POST /api/permissions/check shows the target of a call",
            )
        if request.tool == "*" and request.decision == "allow":
            raise RuleInvalid(
                "a rule that allows every tool is refused",
                hint="to run every call without asking, set permission_mode to auto_approve",
            )
        ends = clock.Deadline.after(request.expires_in_s) if request.expires_in_s else None
        rule = Rule(
            clock.new_id("rule"),
            request.decision,
            request.tool,
            request.kind,
            request.value,
            request.agent_id,
            request.session_id,
            clock.parse(ends.at) if ends else None,
            tuple(map(condition_of, request.conditions)),
        )
        added = self._put(Kept(rule, clock.stamp(), made_by), ends)
        await self._journal.commit()
        return added

    def _put(self, kept: Kept, ends: clock.Deadline | None = None) -> wire.RuleInfo:
        rule = kept.rule

        def apply() -> None:
            self._uncommitted.pop(rule.rule_id, None)
            self._rules[rule.rule_id] = kept
            if ends is not None:
                self._ends[rule.rule_id] = ends

        if rule.decision == "deny":
            apply()  # a deny rule applies at once, an allow rule once it is recorded
        else:
            self._uncommitted[rule.rule_id] = kept
        added = info(kept)
        self._journal.put(
            "rules_changed",
            wire.RulesChangedEvent(change="added", rule=added),
            agent_id=rule.agent_id,
            session_id=rule.session_id,
            writes=[
                rows.insert_rule(
                    rows.RuleRow(
                        rule_id=rule.rule_id,
                        decision=rule.decision,
                        tool=rule.tool,
                        kind=rule.kind,
                        value=rule.value,
                        agent_id=rule.agent_id,
                        session_id=rule.session_id,
                        created_at=kept.created_at,
                        expires_at=ends.at if ends else None,
                        boot=clock.boot(),
                        due_s=ends.due_s if ends else None,
                        conditions=conditions_text(rule.conditions),
                        made_by=kept.made_by,
                        made_for=kept.made_for,
                    )
                )
            ],
            on_commit=apply,
        )
        return added

    def _forget(self, rule_id: str) -> None:
        self._rules.pop(rule_id, None)
        self._ends.pop(rule_id, None)

    def drop(self, session_id: str) -> None:
        """Drop the rules of a deleted session from memory, and publish it."""
        self._publish(session_id, "removed")
        for rule_id in [kept.rule.rule_id for kept in self._rules.values() if kept.rule.session_id == session_id]:
            self._forget(rule_id)

    def bring_back(self, session_id: str) -> None:
        """Read the rules of a restored session again, and publish them. Raises: StoreError."""
        rules, deadlines, _ = self._read(rows.select_of_session(session_id))
        self._rules |= rules
        self._ends |= deadlines
        self._publish(session_id, "added")

    def _publish(self, session_id: str, change: Literal["added", "removed"]) -> None:
        for kept in self._rules.values():
            if kept.rule.session_id == session_id:
                self._journal.put(
                    "rules_changed",
                    wire.RulesChangedEvent(change=change, rule=info(kept)),
                    agent_id=kept.rule.agent_id,
                    session_id=session_id,
                )

    async def remove(self, rule_id: str) -> None:
        """Delete a rule. Raises: RuleNotFound, StoreError."""
        found = self._rules.get(rule_id)
        if found is None:
            raise RuleNotFound(f"rule not found: {rule_id!r}")
        rule = found.rule
        if rule.decision == "allow":
            self._forget(rule_id)
        await self._journal.record(
            "rules_changed",
            wire.RulesChangedEvent(change="removed", rule=info(found)),
            agent_id=rule.agent_id,
            session_id=rule.session_id,
            writes=[rows.delete_rule(rule_id)],
            on_commit=lambda: self._forget(rule_id),
        )


def relocated(target: str, old: str, new: str) -> str:
    """A rule's value (a path, or a command and its directory) with the directory `old` replaced by `new`."""
    for head in ("", "in ", "with network, in "):
        rest = target.removeprefix(head + old)
        if rest != target and rest[:1] in ("", "/", "\\", ":"):
            return head + new + rest
    return target


def _limits(rule: Rule) -> str:
    """The agent and session of a rule as a suffix for its description; "" if it applies to all."""
    agent = f"agent {rule.agent_id}" if rule.agent_id else ""
    session = f"session {rule.session_id}" if rule.session_id else ""
    limits = ", ".join(filter(None, (agent, session)))
    return f" ({limits})" if limits else ""


def info(kept: Kept) -> wire.RuleInfo:
    """The rule as clients see it."""
    rule = kept.rule
    return wire.RuleInfo(
        rule_id=rule.rule_id,
        decision=rule.decision,
        tool=rule.tool,
        kind=rule.kind,
        value=rule.value,
        conditions=[wire.RuleCondition.model_validate(jsonable(asdict(one))) for one in rule.conditions],
        agent_id=rule.agent_id,
        session_id=rule.session_id,
        created_at=kept.created_at,
        expires_at=clock.stamp(rule.expires_at) if rule.expires_at else None,
        made_by=kept.made_by,
        made_for=kept.made_for,
        words=describe(rule) + _limits(rule),
    )


def condition_of(sent: wire.RuleCondition) -> Condition:
    """A condition that a client sent. Raises: RuleInvalid when its value does not fit its test."""
    value: Any = sent.value
    fits = {
        "equals": not isinstance(value, list),
        "one_of": isinstance(value, list),
        "beneath": isinstance(value, str),
        "glob": isinstance(value, str),
    }
    if not fits[sent.test]:
        raise RuleInvalid(
            f"condition on {sent.argument!r}: this value does not fit the test {sent.test}",
            hint="equals needs one value, one_of a list, beneath a directory and glob a pattern",
        )
    return Condition(sent.argument, sent.test, _frozen(value), sent.negated)


def conditions_of(text: str | None) -> tuple[Condition, ...]:
    """Conditions as they are stored. Raises: ValueError, TypeError, KeyError for a damaged text."""
    if text is None:
        return ()
    found: list[dict[str, Any]] = json.loads(text)
    return tuple(Condition(**{**one, "value": _frozen(one["value"])}) for one in found)


def _frozen(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def conditions_text(conditions: tuple[Condition, ...]) -> str | None:
    """Conditions as JSON; None without any."""
    return json.dumps([asdict(one) for one in conditions]) if conditions else None
