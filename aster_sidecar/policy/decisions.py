"""The record of decisions about tool calls: what was allowed or denied, by whom, and what came of it.

A row is written in the transaction of the event that says so (`tool_start`, `tool_end`, `approval_resolved`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.policy.permissions import Risk
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import decisions as rows
from aster_sidecar.store.rows import meta
from aster_sidecar.store.sql import Write
from aster_sidecar.text.repair import cut
from aster_sidecar.text.values import json_value

log = logging.getLogger(__name__)

PERSON = "person"
"""`decided_by` of an answer to an approval request."""
TEXT_CHARS = 10_000
"""Longest text of a row, and longest note of an answer."""

DAY_S = 24 * 3600.0
FIRST_CHECK_S = 60.0
CHECK_S = 6 * 3600.0
"""Seconds between two checks for rows that are too old; each also records how many seconds count so far."""
BATCH_ROWS = 10_000
"""How many rows one transaction deletes at most."""


class Decisions:
    """All recorded decisions: lists them, and deletes those that are older than `keep_days` days (0: none).

    The age of a row follows a clock that adds up `clock.seconds_since`, so that a system clock which was set years
    ahead does not delete the record.
    """

    def __init__(self, journal: Journal, keep_days: Callable[[], int]) -> None:
        self._journal = journal
        self._keep_days = keep_days
        self._alarm: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Record how many seconds count so far, and start the timer. Raises: StoreError."""
        self._count()
        self._watch(FIRST_CHECK_S)

    def close(self) -> None:
        """Stop the timer."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._work is not None:
            self._work.cancel()

    def page(self, wanted: rows.Listed) -> wire.DecisionPage:
        """A page of decisions. Raises: StoreError."""
        found = self._journal.rows(rows.select_listed(wanted._replace(limit=wanted.limit + 1)))
        more = str(found[wanted.limit - 1].n) if len(found) > wanted.limit else None
        return wire.DecisionPage(decisions=[self._info(row) for row in found[: wanted.limit]], next=more)

    def _info(self, row: rows.DecisionRow) -> wire.DecisionInfo:
        with self._journal.parsing(f"decision {row.decision_id[:100]}"):
            return wire.DecisionInfo.model_validate(row._asdict())

    # -- deleting ------------------------------------------------------------------------------------------------------

    def _watch(self, after_s: float) -> None:
        self._alarm = asyncio.get_running_loop().call_later(after_s, self._check)

    def _check(self) -> None:
        self._watch(CHECK_S)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self.trim())

    async def trim(self) -> None:
        """Delete rows that are too old. Never raises: the next check tries again."""
        try:
            counted_s, keep_days = self._count(), self._keep_days()
            oldest_s = counted_s - keep_days * DAY_S
            while keep_days and self._journal.first(rows.select_has_older(oldest_s)):
                await self._journal.record(writes=[rows.delete_older(oldest_s, BATCH_ROWS)])
        except Exception as error:
            log.warning("old decisions could not be deleted", exc_info=error)
        finally:
            self._work = None

    def _count(self) -> float:
        """Put how many seconds count so far into the next transaction, and return it. Raises: StoreError."""
        kept = self._journal.first(meta.select_value(rows.CLOCK))
        counted_s = 0.0
        if kept is not None:
            with self._journal.parsing("the clock of the decisions"):
                counted_s, at, real_s, boot = json.loads(kept)
                counted_s += clock.seconds_since(at, real_s, boot)
        now = [counted_s, clock.stamp(), clock.real_s(), clock.boot()]
        self._journal.put(writes=[meta.set_value(rows.CLOCK, json.dumps(now))], durable=False)
        return counted_s


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
