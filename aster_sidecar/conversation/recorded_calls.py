"""The tool calls of a turn as they are recorded: a recorded call never runs again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_ai import ToolFailed

from aster_sidecar import clock
from aster_sidecar.conversation.file_references import with_images
from aster_sidecar.conversation.run_request import UNKNOWN
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.policy.permissions import Risk
from aster_sidecar.store.rows import calls as rows
from aster_sidecar.store.rows.attachments import AttachmentRow
from aster_sidecar.store.sql import Write


@dataclass(frozen=True, slots=True)
class Call:
    """A row of `calls`."""

    call_id: str
    model_call_id: str
    name: str
    arguments: dict[str, Any]
    state: str
    outcome: str | None
    result: Any


def load_calls(log: TurnLog) -> dict[str, Call]:
    """The turn's calls that are not closed, by the model's call id. Raises: StoreError."""
    return {
        row.model_call_id: Call(
            call_id=row.call_id,
            model_call_id=row.model_call_id,
            name=row.name,
            arguments=json.loads(row.arguments),
            state=row.state,
            outcome=row.outcome,
            result=json.loads(row.result or "null"),
        )
        for row in log.journal.rows(rows.select_calls(log.turn_id))
    }


def call_row(log: TurnLog, call: Call, risk: Risk, state: str) -> Write:
    """The row of a call that is now in this state."""
    return rows.insert_or_update(
        rows.NewCallRow(
            call_id=call.call_id,
            turn_id=log.turn_id,
            session_id=log.session_id,
            agent_id=log.agent_id,
            model_call_id=call.model_call_id,
            name=call.name,
            arguments=json.dumps(call.arguments),
            risk=risk,
            state=state,
            started_at=clock.stamp() if state == "started" else None,
        )
    )


def end_rows(call_id: str, outcome: str, result: Any) -> list[Write]:
    """The updates that record the outcome of a call and the result for the model."""
    return rows.update_ended(call_id, outcome, json.dumps(result), clock.stamp())


def recorded_result(call: Call, files: Sequence[AttachmentRow]) -> Any:
    """The recorded result of a call that ran before. Raises: ToolFailed if it failed or its end is unknown."""
    if call.state == "started":
        raise ToolFailed(UNKNOWN)
    if call.outcome != "done":
        raise ToolFailed(str(call.result))
    return with_images(call.result, files)
