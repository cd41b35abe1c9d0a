"""Puts the events and rows of a tool call: that it starts, that it is refused, and how it ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from aster_sidecar.contract import wire
from aster_sidecar.conversation.attachments import info
from aster_sidecar.conversation.recorded_calls import Call, call_row, end_rows
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.ledger.recorder import Recorded
from aster_sidecar.policy.decisions import PERSON, Decided, decision_row, started_row
from aster_sidecar.policy.permissions import Assessment, Decision
from aster_sidecar.store.rows.attachments import AttachmentRow, UseRow, insert_use
from aster_sidecar.store.sql import Write
from aster_sidecar.tools.base import Outcome
from aster_sidecar.tools.registry import summary_of

log = logging.getLogger(__name__)


Ended = Literal["done", "failed", "denied", "cancelled", "unknown"]
"""How a call that ran ended."""


class CallEvents:
    """The events of the calls of one turn. Its caller commits them."""

    def __init__(self, log: TurnLog) -> None:
        self._log = log

    def decision(self, call: Call, arguments: Mapping[str, Any], assessment: Assessment, decision: Decision) -> Write:
        """The row of a decision that no person made."""
        return decision_row(
            Decided(
                agent_id=self._log.agent_id,
                session_id=self._log.session_id,
                turn_id=self._log.turn_id,
                call_id=call.call_id,
                tool=call.name,
                summary=summary_of(call.name, assessment),
                arguments=dict(arguments),
                risk=assessment.risk,
                decision="allow" if decision.verdict == "allow" else "deny",
                decided_by=decision.decided_by,
                words=decision.reason,
                sandbox=assessment.sandbox,
            )
        )

    def start(self, call: Call, parsed: BaseModel, assessment: Assessment, decision: Decision) -> None:
        """Put the intent to run a call. Raises: StoreError."""
        arguments = parsed.model_dump(mode="json", exclude_unset=True)
        if decision.decided_by == PERSON:
            summary = summary_of(call.name, assessment)
            record = started_row(call.call_id, summary, arguments, assessment.risk, assessment.sandbox)
        else:
            record = self.decision(call, arguments, assessment, decision)
        self._log.put(
            "tool_start",
            wire.ToolStartEvent(
                message_id=self._log.message_id,
                call_id=call.call_id,
                name=call.name,
                arguments=arguments,
                risk=assessment.risk,
                decided_by=decision.decided_by,
                display=assessment.display,
            ),
            writes=[call_row(self._log, call, assessment.risk, "started"), record],
        )

    def refusal(
        self,
        call: Call,
        assessment: Assessment,
        message: str,
        outcome: Literal["denied", "failed"],
        decided: Decision | None = None,
    ) -> None:
        """Put the end of a call that does not run. `decided`: the decision, unless it is recorded already.

        Raises: StoreError.
        """
        asked = call.call_id in self._log.transcript.tools  # then the approval request had these fields
        event = wire.ToolEndEvent(
            message_id=self._log.message_id,
            call_id=call.call_id,
            name=call.name,
            error=message,
            outcome=outcome,
            duration_ms=0,
            arguments=None if asked else call.arguments,
            risk=None if asked else assessment.risk,
            display=None if asked else assessment.display,
        )
        writes = [call_row(self._log, call, assessment.risk, "new")]
        if decided is not None:
            writes.append(self.decision(call, call.arguments, assessment, decided))
        writes += end_rows(call.call_id, outcome, message)
        self._log.put("tool_end", event, writes=writes)

    def end(
        self,
        call: Call,
        status: Ended,
        duration_s: float,
        *,
        recorded: Recorded,
        outcome: Outcome | None = None,
        error: str | None = None,
        files: Sequence[AttachmentRow] = (),
        durable: bool = True,
    ) -> None:
        """Put the end of a call that ran, and what it changed in files (`recorded`). Raises: StoreError.

        `durable`: False if it can be put again after a power failure, because the result is recorded elsewhere.
        """
        duration_ms = round(duration_s * 1000)
        fields = {"turn_id": self._log.turn_id, "call_id": call.call_id, "tool": call.name, "outcome": status}
        log.info("tool ended", extra={**fields, "duration_ms": duration_ms})
        self._log.put(
            "tool_end",
            wire.ToolEndEvent(
                message_id=self._log.message_id,
                call_id=call.call_id,
                name=call.name,
                result=None if error is not None or outcome is None else outcome.value,
                error=error,
                outcome=status,
                duration_ms=duration_ms,
                truncated=outcome.truncated if outcome is not None else False,
                attachments=[info(row) for row in files] or None,
            ),
            writes=[
                *end_rows(call.call_id, status, error if error is not None else outcome and outcome.value),
                *(
                    insert_use(UseRow(self._log.message_id, row.attachment_id, n, call.call_id))
                    for n, row in enumerate(files)
                ),
                *recorded.writes,
            ],
            durable=durable,
        )
        if recorded.event is not None:
            self._log.put("files_changed", recorded.event)
