"""The stored answers: which calls a person allowed or denied for good, for a while, for one agent or session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import RuleInvalid, RuleNotFound
from aster_sidecar.policy.permissions import Rule, Scope, describe
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import TRASHED


class Rules:
    """All rules, in memory for decisions, in the journal for good."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rules: dict[str, tuple[Rule, str]] = {}
        self._ends: dict[str, clock.Deadline] = {}
        """When rules with a time limit end. Their `expires_at` is what the wall clock said that it would say then."""
        self._coming: dict[str, tuple[Rule, str]] = {}
        """Rules that are being recorded and do not hold yet."""

        journal.lost.subscribe(self.open)

    def open(self) -> None:
        """Read them from the journal; those whose time is over are deleted. Raises: StoreError."""
        self._rules.clear()
        self._ends.clear()
        self._coming.clear()
        self._read(f"session_id IS NULL OR session_id NOT IN ({TRASHED})")

    def _read(self, condition: str, *parameters: str) -> None:
        for row in self._journal.all(
            "SELECT rule_id, decision, tool, kind, value, agent_id, session_id, created_at, expires_at, boot, due_s"
            f" FROM rules WHERE {condition} ORDER BY created_at",
            parameters,
        ):
            with self._journal.taking_apart(f"rule {str(row[0])[:100]}"):
                ends = clock.Deadline.restored(*row[7:11]) if row[8] else None
            if ends is not None and ends.over:
                self._journal.put(writes=[("DELETE FROM rules WHERE rule_id=?", (row[0],))])
                continue
            fields: list[Any] = [*row[:7], clock.parse(ends.at) if ends else None]
            self._rules[row[0]] = (Rule(*fields), row[7])
            if ends is not None:
                self._ends[row[0]] = ends

    def relocate(self, old: str, new: str) -> None:
        """Make rules for places in the directory `old` ones for `new`, where it is now; before `open`.

        A deny rule that was left behind would not deny any more. Raises: StoreError.
        """
        rows = self._journal.all("SELECT rule_id, value FROM rules WHERE kind<>'any'")
        moved = [(relocated(value, old, new), rule_id, value) for rule_id, value in rows]
        self._journal.put(
            writes=[
                ("UPDATE rules SET value=? WHERE rule_id=?", (now, rule_id))
                for now, rule_id, value in moved
                if now != value
            ]
        )

    def active(self) -> list[Rule]:
        """The rules that hold now; their `expires_at` is on the wall clock as it is now."""
        holding: list[Rule] = []
        for rule, _ in self._rules.values():
            ends = self._ends.get(rule.rule_id)
            if ends is None:
                holding.append(rule)
            elif not ends.over:
                holding.append(replace(rule, expires_at=ends.moment))
        return holding

    def list(self) -> list[wire.RuleInfo]:
        """The rules that hold now, oldest first."""
        return [info(rule, self._rules[rule.rule_id][1]) for rule in self.active()]

    def remember(self, decision: str, tool: str, scope: Scope, agent_id: str) -> wire.RuleInfo:
        """Put a rule for what a person answered "always" to; it holds once the caller's transaction commits."""
        verdict = "allow" if decision == "allow_always" else "deny"
        for rule, made in (*self._rules.values(), *self._coming.values()):
            same = (rule.decision, rule.tool, rule.kind, rule.value) == (verdict, tool, scope.kind, scope.value)
            if same and rule.agent_id == agent_id and rule.session_id is None and rule.expires_at is None:
                return info(rule, made)
        return self._put(Rule(clock.new_id("rule"), verdict, tool, scope.kind, scope.value, agent_id))

    async def add(self, request: wire.RuleCreate) -> wire.RuleInfo:
        """Store a rule that a person wrote. Raises: RuleInvalid, StoreError."""
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
        )
        told = self._put(rule, ends)
        await self._journal.commit()
        return told

    def _put(self, rule: Rule, ends: clock.Deadline | None = None) -> wire.RuleInfo:
        made = clock.stamp()

        def hold() -> None:
            self._coming.pop(rule.rule_id, None)
            self._rules[rule.rule_id] = (rule, made)
            if ends is not None:
                self._ends[rule.rule_id] = ends

        if rule.decision == "deny":
            hold()  # what is stricter holds at once, what is looser once it is recorded
        else:
            self._coming[rule.rule_id] = (rule, made)
        told = info(rule, made)
        self._journal.put(
            "rules_changed",
            wire.RulesChangedEvent(change="added", rule=told),
            agent_id=rule.agent_id,
            session_id=rule.session_id,
            writes=[
                (
                    "INSERT INTO rules (rule_id, decision, tool, kind, value, agent_id, session_id, created_at,"
                    " expires_at, boot, due_s) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        rule.rule_id,
                        rule.decision,
                        rule.tool,
                        rule.kind,
                        rule.value,
                        rule.agent_id,
                        rule.session_id,
                        made,
                        ends.at if ends else None,
                        clock.boot(),
                        ends.due_s if ends else None,
                    ),
                )
            ],
            on_commit=hold,
        )
        return told

    def _forget(self, rule_id: str) -> None:
        self._rules.pop(rule_id, None)
        self._ends.pop(rule_id, None)

    def drop(self, session_id: str) -> None:
        """Tell that the rules of a session went with it."""
        self._tell_of(session_id, "removed")
        for rule_id in [rule.rule_id for rule, _ in self._rules.values() if rule.session_id == session_id]:
            self._forget(rule_id)

    def bring_back(self, session_id: str) -> None:
        """Let the rules of a session that was restored hold again, and tell. Raises: StoreError."""
        self._read("session_id=?", session_id)
        self._tell_of(session_id, "added")

    def _tell_of(self, session_id: str, change: Literal["added", "removed"]) -> None:
        for rule, made in self._rules.values():
            if rule.session_id == session_id:
                self._journal.put(
                    "rules_changed",
                    wire.RulesChangedEvent(change=change, rule=info(rule, made)),
                    agent_id=rule.agent_id,
                    session_id=session_id,
                )

    async def remove(self, rule_id: str) -> None:
        """Delete a rule. Raises: RuleNotFound, StoreError."""
        found = self._rules.get(rule_id)
        if found is None:
            raise RuleNotFound(f"rule not found: {rule_id!r}")
        rule, made = found
        if rule.decision == "allow":
            self._forget(rule_id)
        await self._journal.record(
            "rules_changed",
            wire.RulesChangedEvent(change="removed", rule=info(rule, made)),
            agent_id=rule.agent_id,
            session_id=rule.session_id,
            writes=[("DELETE FROM rules WHERE rule_id=?", (rule_id,))],
            on_commit=lambda: self._forget(rule_id),
        )


def relocated(target: str, old: str, new: str) -> str:
    """A call's target after the directory `old` became `new`: a path, or a command and where it runs."""
    for head in ("", "in "):
        rest = target.removeprefix(head + old)
        if rest != target and rest[:1] in ("", "/", "\\", ":"):
            return head + new + rest
    return target


def _whose(rule: Rule) -> str:
    """The agent and the session that a rule is for, to follow what it covers; "" when it is for all."""
    agent = f"agent {rule.agent_id}" if rule.agent_id else ""
    session = f"session {rule.session_id}" if rule.session_id else ""
    limits = ", ".join(filter(None, (agent, session)))
    return f" ({limits})" if limits else ""


def info(rule: Rule, made: str) -> wire.RuleInfo:
    """The rule as clients see it."""
    return wire.RuleInfo(
        rule_id=rule.rule_id,
        decision=rule.decision,
        tool=rule.tool,
        kind=rule.kind,
        value=rule.value,
        agent_id=rule.agent_id,
        session_id=rule.session_id,
        created_at=made,
        expires_at=clock.stamp(rule.expires_at) if rule.expires_at else None,
        words=describe(rule) + _whose(rule),
    )
