"""The record of decisions about tool calls: what was allowed or denied, by whom, and what came of it.

A row is written in the transaction of the event that says so (`tool_start`, `tool_end`, `approval_resolved`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aster_sidecar import clock
from aster_sidecar.policy.permissions import Risk
from aster_sidecar.store.rows import decisions as rows
from aster_sidecar.store.sql import Write
from aster_sidecar.text.repair import cut
from aster_sidecar.text.values import json_value

PERSON = "person"
"""`decided_by` of an answer to an approval request."""
TEXT_CHARS = 10_000
"""Longest text of a row, and longest note of an answer."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a call. `words`: the reason; `client`: the client through which a person answered."""

    agent_id: str
    session_id: str
    turn_id: str
    call_id: str
    tool: str
    summary: str
    arguments: Mapping[str, Any]
    risk: Risk
    decision: Literal["allow", "deny"]
    decided_by: str
    words: str | None
    client: str | None = None
    sandbox: str = "none"


def decision_row(decided: Decided) -> Write:
    """The row of a decision that was made now."""
    return rows.insert_decision(
        rows.NewDecision(
            decision_id=clock.new_id("dec"),
            decided_at=clock.stamp(),
            agent_id=decided.agent_id,
            session_id=decided.session_id,
            turn_id=decided.turn_id,
            call_id=decided.call_id,
            tool=decided.tool,
            summary=cut(decided.summary, TEXT_CHARS),
            arguments_sha256=sha256_of(decided.arguments),
            risk=decided.risk,
            decision=decided.decision,
            decided_by=decided.decided_by,
            words=cut(decided.words, TEXT_CHARS) if decided.words else None,
            client=decided.client,
            sandbox=decided.sandbox,
        )
    )


def started_row(call_id: str, summary: str, arguments: Mapping[str, Any], risk: Risk, sandbox: str) -> Write:
    """The update for a call that runs after a person allowed it. They may have edited its arguments."""
    return rows.update_started(rows.StartedCall(call_id, cut(summary, TEXT_CHARS), sha256_of(arguments), risk, sandbox))


def sha256_of(arguments: Mapping[str, Any]) -> str:
    """The SHA-256, in hexadecimal, of arguments as canonical JSON: sorted keys, no blanks, UTF-8."""
    canonical = json.dumps(json_value(arguments), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
