"""The model's history of a session, for the engine: pydantic-ai messages stored as rows, repaired when interrupted.

The tables `messages` (what people see) and `model_messages` (what the model sees) are separate: a compaction shortens
only the second.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

from aster_sidecar.conversation.file_references import content_of, with_images
from aster_sidecar.conversation.run_request import UNKNOWN, Prompt, denial
from aster_sidecar.conversation.stored_messages import LOST, note, read_row, stored
from aster_sidecar.conversation.strict_history import call_ids, same, with_unique_ids
from aster_sidecar.errors import StoreCorrupt
from aster_sidecar.models.streams.shapes import readable
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import attachments as attachment_rows
from aster_sidecar.store.rows import calls as call_rows
from aster_sidecar.store.rows import model_messages as rows
from aster_sidecar.store.rows.attachments import AttachmentRow
from aster_sidecar.store.rows.turns import select_message_id, select_state
from aster_sidecar.store.sql import Write
from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.repair import without_nul

log = logging.getLogger(__name__)

KEPT_SESSIONS = 8
"""Parsed histories in memory, so that a long session is not parsed again for each turn."""

NOT_RUN = "This tool was not run: the turn was ended before it could start."


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of `calls`: its state, outcome and result, the note of a person who denied the call, and its files."""

    state: str
    outcome: str | None
    result: Any
    note: str | None = None
    files: Sequence[AttachmentRow] = ()


class ModelHistory:
    """The model's history of each session."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: OrderedDict[str, list[ModelMessage]] = OrderedDict()
        self._ids: dict[str, tuple[int, set[str]]] = {}
        """(number of messages, the call ids in them) of each session in memory."""
        journal.lost.subscribe(self._forget_all)

    def of(self, session_id: str) -> list[ModelMessage]:
        """The session's messages, oldest first. The caller must not change the list. Raises: StoreError.

        A damaged row is repaired, or replaced by a note, and a warning is logged.
        """
        kept = self._kept.get(session_id)
        if kept is None:
            kept = self._kept[session_id] = self._read(session_id)
        self._kept.move_to_end(session_id)
        while len(self._kept) > KEPT_SESSIONS:
            self._ids.pop(self._kept.popitem(last=False)[0], None)
        return kept

    def _read(self, session_id: str) -> list[ModelMessage]:
        found = self._rows(session_id)
        try:
            messages = ModelMessagesTypeAdapter.validate_json(
                "[" + ",".join(without_nul(row.message) for row in found) + "]"
            )
        except Exception:
            messages = read_each(session_id, found)
        else:
            if len(messages) != len(found):
                messages = read_each(session_id, found)
        messages = [with_readable_calls(message) for message in messages]
        if found:
            messages = [*messages, *self._closing_messages(found[-1].turn_id, messages)]
        calls = [part for message in messages for part in message.parts if isinstance(part, ToolCallPart)]
        return messages if len(call_ids(messages)) == len(calls) else with_unique_ids(messages)

    def call_ids(self, session_id: str) -> set[str]:
        """The ids of all calls in the session. The caller must not change the set. Raises: StoreError."""
        messages = self.of(session_id)
        known, ids = self._ids.get(session_id) or (0, set[str]())
        if known > len(messages):
            known, ids = 0, set[str]()
        ids |= call_ids(messages[known:])
        self._ids[session_id] = len(messages), ids
        return ids

    def _rows(self, session_id: str) -> list[rows.ModelMessageRow]:
        try:
            return self._journal.rows(rows.select_messages(session_id))
        except StoreCorrupt:  # perhaps only invalid UTF-8: the text around it can still be read
            return self._journal.rows(rows.select_damaged(session_id))

    def _closing_messages(self, turn_id: str, messages: Sequence[ModelMessage]) -> list[ModelMessage]:
        """Results for unanswered calls of the last turn if it has ended: the row with the results was lost."""
        calls = unanswered(messages)
        if not calls:
            return []
        if self._journal.first(select_state(turn_id)) not in (None, "ended"):
            return []
        message_id = self._journal.first(select_message_id(turn_id)) or ""
        log.warning("tool calls without a result in the model's history", extra={"turn_id": turn_id})
        return closing_messages(messages, recorded_calls(self._journal, turn_id, message_id), "", [])

    def append(self, session_id: str, turn_id: str, messages: Sequence[ModelMessage]) -> None:
        """Append messages; they are stored once the caller's transaction commits.

        Values that can't be stored are replaced in the messages themselves: see `stored_messages.stored`.
        Raises: StoreError.
        """
        if not messages:
            return
        self._journal.check(turn_id)
        before = self.of(session_id)
        self._journal.put(
            turn_id=turn_id, writes=[rows.insert_message(session_id, turn_id, stored(message)) for message in messages]
        )
        self._kept[session_id] = [*before, *messages]

    def replace(self, session_id: str, turn_id: str, messages: Sequence[ModelMessage]) -> None:
        """Replace all messages; stored once the caller's transaction commits. Raises: StoreError.

        The replaced rows stay, and count again when the turn is rewound.
        """
        self._journal.check(turn_id)
        writes: list[Write] = [rows.update_superseded(session_id, turn_id)]
        writes += [rows.insert_message(session_id, turn_id, stored(message)) for message in messages]
        self._journal.put(turn_id=turn_id, writes=writes)
        self._kept[session_id] = list(messages)
        self._ids.pop(session_id, None)

    def edit_calls(self, session_id: str, turn_id: str, edited: Mapping[str, dict[str, Any]]) -> None:
        """Replace the arguments of unanswered calls; stored once the caller's transaction commits.

        `edited` maps the model's call ids to the new arguments. Raises: StoreError.
        """
        kept = self.of(session_id)
        calls = {call.tool_call_id for call in unanswered(kept)} & edited.keys()
        position = next((place for place in reversed(range(len(kept))) if isinstance(kept[place], ModelResponse)), -1)
        message = kept[position] if calls else None
        if not isinstance(message, ModelResponse):
            return
        parts = [
            replace(part, args=edited[part.tool_call_id])
            if isinstance(part, ToolCallPart) and part.tool_call_id in calls
            else part
            for part in message.parts
        ]
        if parts == list(message.parts):
            return
        self._journal.check(turn_id)
        changed = replace(message, parts=parts)
        self._journal.put(
            turn_id=turn_id,
            writes=[rows.update_message(session_id, len(kept) - 1 - position, stored(changed))],
        )
        self._kept[session_id] = [*kept[:position], changed, *kept[position + 1 :]]

    def _forget_all(self) -> None:
        self._kept.clear()
        self._ids.clear()

    def forget(self, session_id: str) -> None:
        """Drop a session's messages from memory, because its rows changed."""
        self._kept.pop(session_id, None)
        self._ids.pop(session_id, None)


def with_readable_calls(message: ModelMessage) -> ModelMessage:
    """The message with valid JSON as the arguments of calls: an earlier version stored them as the model wrote them."""
    if not isinstance(message, ModelResponse):
        return message
    parts = [
        replace(part, args=args)
        if isinstance(part, ToolCallPart)
        and isinstance(part.args, str)
        and (args := readable(part.args)) is not part.args
        else part
        for part in message.parts
    ]
    return message if same(parts, message.parts) else replace(message, parts=parts)


def read_each(session_id: str, damaged: Sequence[rows.ModelMessageRow]) -> list[ModelMessage]:
    """The messages of rows that can't be parsed together, parsed one by one."""
    messages: list[ModelMessage] = []
    repaired = lost = 0
    for row in damaged:
        message, intact = read_row(row.message)
        if message is None:
            message = note(LOST, "response" if messages and isinstance(messages[-1], ModelRequest) else "request")
            lost += 1
        elif not intact:
            repaired += 1
        messages.append(message)
    log.warning(
        "the model's history was damaged: %d messages repaired, %d left out",
        repaired,
        lost,
        extra={"session_id": session_id},
    )
    return messages


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


def as_rows(question: str, answer: str) -> list[str]:
    """The rows of a question and its answer, of which only the texts are known."""
    messages: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart(content=question)])]
    messages += [ModelResponse(parts=[TextPart(content=answer)])] if answer else []
    return [stored(message) for message in messages]


def closing_messages(
    messages: Sequence[ModelMessage], recorded: Mapping[str, Recorded], partial: str, undelivered: Sequence[Prompt]
) -> list[ModelMessage]:
    """The messages to append so that the next turn can continue.

    Unanswered tool calls get their recorded result, or a note that it is unknown or that they did not run; `partial`,
    the text of an interrupted answer, is kept; `undelivered` user messages (steered too late) are added. `recorded`
    is keyed by the model's call ids.
    """
    added: list[ModelMessage] = []
    parts: list[Any] = [
        ToolReturnPart(
            tool_name=call.tool_name,
            content=final_result(recorded.get(call.tool_call_id)),
            tool_call_id=call.tool_call_id,
        )
        for call in unanswered(messages)
    ]
    parts += [UserPromptPart(content=content_of(prompt)) for prompt in undelivered] if not partial else []
    if parts:
        added.append(ModelRequest(parts=parts))
    if partial:
        added.append(ModelResponse(parts=[TextPart(content=partial)], state="interrupted"))
        if undelivered:
            added.append(ModelRequest(parts=[UserPromptPart(content=content_of(prompt)) for prompt in undelivered]))
    return added


def final_result(recorded: Recorded | None) -> Any:
    """The result that the model gets for a call that will not run any more."""
    if recorded is None or recorded.state in ("waiting", "approved"):
        return NOT_RUN
    if recorded.state == "denied":
        return denial(recorded.note)
    if recorded.state == "started":
        return UNKNOWN
    # As with a call that fails now: the result is then a text, which names the files.
    return with_images(recorded.result, recorded.files if recorded.outcome == "done" else ())


def recorded_calls(journal: Journal, turn_id: str, message_id: str) -> dict[str, Recorded]:
    """The calls that belong to the last response of a turn with this answer, by the model's call id.

    Raises: StoreError.
    """
    return {
        row.model_call_id: Recorded(
            row.state,
            row.outcome,
            result_of(row.result),
            row.note,
            journal.rows(attachment_rows.select_of_call(message_id, row.call_id)),
        )
        for row in journal.rows(call_rows.select_recorded(turn_id))
    }


def edited_calls(journal: Journal, turn_id: str) -> dict[str, dict[str, Any]]:
    """Arguments that a person edited, of calls in the turn's last response, by model call id. Raises: StoreError."""
    return {row.model_call_id: json.loads(row.edited) for row in journal.rows(call_rows.select_edited(turn_id))}


def result_of(text: str | None) -> Any:
    """A recorded result; the text itself where it is not JSON."""
    try:
        return parse_json(text) if text else None
    except ValueError:
        return text
