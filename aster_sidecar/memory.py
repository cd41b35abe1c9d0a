"""What the model remembers of a session: pydantic-ai messages, kept as rows, repaired after an interruption.

`messages` (what people see) and `model_messages` (what the model sees) are two views: a compaction shortens only the
second.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from aster_sidecar.job import UNKNOWN, denial
from aster_sidecar.journal import Journal, Write

KEPT_SESSIONS = 8
"""Parsed histories kept in memory, so that a long session is not parsed again for each turn."""

NOT_RUN = "This tool was not run: the turn was ended before it could start."


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a tool call: `state` of the calls row, and what the model is to be told when it ended."""

    state: str
    outcome: str | None
    result: Any
    note: str | None = None


class Memory:
    """The model's history of each session."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: OrderedDict[str, list[ModelMessage]] = OrderedDict()

    def of(self, session_id: str) -> list[ModelMessage]:
        """The session's messages, oldest first. The caller must not change the list. Raises: StoreError."""
        kept = self._kept.get(session_id)
        if kept is None:
            rows = self._journal.all("SELECT message FROM model_messages WHERE session_id=? ORDER BY n", (session_id,))
            kept = ModelMessagesTypeAdapter.validate_json("[" + ",".join(row[0] for row in rows) + "]")
            self._kept[session_id] = kept
        self._kept.move_to_end(session_id)
        while len(self._kept) > KEPT_SESSIONS:
            self._kept.popitem(last=False)
        return kept

    def append(self, session_id: str, turn_id: str, messages: Sequence[ModelMessage]) -> None:
        """Put messages behind the others; they stand once the caller's transaction commits."""
        if not messages:
            return
        self._journal.check(turn_id)
        self._kept[session_id] = [*self.of(session_id), *messages]
        self._journal.put(turn_id=turn_id, writes=[insert(session_id, turn_id, message) for message in messages])

    def replace(self, session_id: str, turn_id: str, messages: Sequence[ModelMessage]) -> None:
        """Put other messages in place of all; they stand once the caller's transaction commits."""
        self._journal.check(turn_id)
        self._kept[session_id] = list(messages)
        writes: list[Write] = [("DELETE FROM model_messages WHERE session_id=?", (session_id,))]
        writes += [insert(session_id, turn_id, message) for message in messages]
        self._journal.put(turn_id=turn_id, writes=writes)

    def forget(self, session_id: str) -> None:
        """Drop what is kept in memory: the rows changed, or a transaction failed."""
        self._kept.pop(session_id, None)


def insert(session_id: str, turn_id: str, message: ModelMessage) -> Write:
    """The row of one message."""
    text = ModelMessagesTypeAdapter.dump_json([message])[1:-1].decode()
    return ("INSERT INTO model_messages (session_id, turn_id, message) VALUES (?,?,?)", (session_id, turn_id, text))


def unanswered(messages: Sequence[ModelMessage]) -> list[ToolCallPart]:
    """The tool calls of the last response that no later message answers."""
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        if isinstance(message, ModelResponse):
            answered = {
                part.tool_call_id
                for later in messages[position + 1 :]
                for part in later.parts
                if isinstance(part, ToolReturnPart)
            }
            calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
            return [call for call in calls if call.tool_call_id not in answered]
    return []


def closing(
    messages: Sequence[ModelMessage], recorded: Mapping[str, Recorded], partial: str, undelivered: Sequence[str]
) -> list[ModelMessage]:
    """What must be appended so that the next turn can go on from here.

    Tool calls without an answer get the recorded one, or are said to be unknown or not run; text that was said before
    an interruption is kept; user messages that the model has not seen (steering that came too late) are added.
    `recorded` is keyed by the model's own call ids.
    """
    added: list[ModelMessage] = []
    parts: list[Any] = [
        ToolReturnPart(
            tool_name=call.tool_name, content=told(recorded.get(call.tool_call_id)), tool_call_id=call.tool_call_id
        )
        for call in unanswered(messages)
    ]
    parts += [UserPromptPart(content=text) for text in undelivered] if not partial else []
    if parts:
        added.append(ModelRequest(parts=parts))
    if partial:
        added.append(ModelResponse(parts=[TextPart(content=partial)], state="interrupted"))
        if undelivered:
            added.append(ModelRequest(parts=[UserPromptPart(content=text) for text in undelivered]))
    return added


def told(recorded: Recorded | None) -> Any:
    """What the model is told of a call that it will get no other answer to."""
    if recorded is None or recorded.state in ("waiting", "approved"):
        return NOT_RUN
    if recorded.state == "denied":
        return denial(recorded.note)
    if recorded.state == "started":
        return UNKNOWN
    return recorded.result


def recorded_calls(journal: Journal, turn_id: str) -> dict[str, Recorded]:
    """The turn's calls that belong to its last response, by the model's call id. Raises: StoreError."""
    rows = journal.all(
        "SELECT model_call_id, state, outcome, result, (SELECT note FROM approvals a WHERE a.call_id=c.call_id"
        " ORDER BY approval_id DESC LIMIT 1) FROM calls c WHERE turn_id=? AND state<>'closed'",
        (turn_id,),
    )
    return {row[0]: Recorded(row[1], row[2], json.loads(row[3]) if row[3] else None, row[4]) for row in rows}
