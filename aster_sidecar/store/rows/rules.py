"""Rows of `rules`: calls that a person allowed or denied permanently."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.sql import Query, Write, columns, insert


class RuleRow(NamedTuple):
    """A rule. `expires_at`, `boot` and `due_s` are its deadline (`clock.Deadline`); None without a time limit.

    `conditions` is JSON. `made_by` is the client through which it was made, and `made_for` the call that it answered.
    """

    rule_id: str
    decision: Literal["allow", "deny"]
    tool: str
    kind: Literal["exact", "beneath", "glob", "program", "any"]
    value: str
    agent_id: str | None
    session_id: str | None
    created_at: str
    expires_at: str | None
    boot: str | None
    due_s: float | None
    conditions: str | None
    made_by: str | None
    made_for: str | None


class RuleTarget(NamedTuple):
    """What of a rule depends on the place of the data directory."""

    rule_id: str
    value: str
    conditions: str | None


def select_shown() -> Query[RuleRow]:
    """All rules, oldest first, but those of sessions in the trash."""
    return _select(f"session_id IS NULL OR session_id NOT IN ({TRASHED})")


def select_of_session(session_id: str) -> Query[RuleRow]:
    return _select("session_id=?", session_id)


def _select(condition: str, *parameters: str) -> Query[RuleRow]:
    sql = f"SELECT {columns(RuleRow)} FROM rules WHERE {condition} ORDER BY created_at"
    return Query(sql, parameters, RuleRow)


def select_targets() -> Query[RuleTarget]:
    """The targets of all rules, also of sessions in the trash."""
    return Query("SELECT rule_id, value, conditions FROM rules", (), RuleTarget)


def insert_rule(rule: RuleRow) -> Write:
    return insert("rules", rule)


def update_target(rule_id: str, value: str, conditions: str | None) -> Write:
    return ("UPDATE rules SET value=?, conditions=? WHERE rule_id=?", (value, conditions, rule_id))


def delete_rule(rule_id: str) -> Write:
    return ("DELETE FROM rules WHERE rule_id=?", (rule_id,))
