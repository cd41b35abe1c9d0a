"""Messages of a conversation: from and to their rows, and the answer of a turn from its recorded events."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import Any

from aster_sidecar.contract import wire
from aster_sidecar.conversation.transcript import Transcript
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.events import select_of_turn
from aster_sidecar.store.rows.messages import MessageRow, insert_or_update
from aster_sidecar.store.sql import Write
from aster_sidecar.text.json_text import parse_json

log = logging.getLogger(__name__)


def message_of(row: MessageRow) -> wire.Message:
    """The message of a row; parts that can't be read are left out."""
    fields: dict[str, Any] = {
        "message_id": row.message_id,
        "turn_id": row.turn_id,
        "session_id": row.session_id,
        "role": row.role,
        "text": row.text,
        "parts": [],
        "created_at": row.created_at,
        "status": row.status,
    }
    parts: list[Any] = parsed(row.parts, list) or []
    context, usage = parsed(row.context, dict), parsed(row.usage, dict)
    try:
        return wire.Message.model_validate({**fields, "parts": parts, "context": context, "usage": usage})
    except ValueError:
        log.warning(
            "a message of the history is damaged; its readable parts are kept", extra={"session_id": row.session_id}
        )
    message = wire.Message.model_validate(fields)
    for part in parts:
        with contextlib.suppress(ValueError):
            message.parts += wire.Message.model_validate({**fields, "parts": [part]}).parts
    message.parts = message.parts or [wire.TextPart(text=message.text)]
    message.context = context
    return message


def parsed(text: str | None, kind: type) -> Any:
    """The value of a JSON column; None if it is empty, can't be read, or is not of type `kind`."""
    try:
        value: Any = parse_json(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, kind) else None


def insert_message(message: wire.Message, first_seq: int) -> Write:
    """Insert or update the row of a message, and its folded text for the search."""
    return insert_or_update(
        MessageRow(
            message_id=message.message_id,
            turn_id=message.turn_id,
            session_id=message.session_id,
            role=message.role,
            text=message.text,
            parts=json.dumps([part.model_dump() for part in message.parts]),
            context=json.dumps(message.context) if message.context is not None else None,
            usage=message.usage.model_dump_json() if message.usage is not None else None,
            created_at=message.created_at,
            status=message.status,
            first_seq=first_seq,
        )
    )


def transcript_of(journal: Journal, session_id: str, turn_id: str, message_id: str, first_seq: int) -> Transcript:
    """The answer of a turn that has not ended, built from its recorded events. Raises: StoreError."""
    transcript = Transcript(message_id)
    for event in journal.rows(select_of_turn(session_id, turn_id, first_seq)):
        try:
            transcript.apply(event.seq, event.type, json.loads(event.data))
        except (ValueError, KeyError, TypeError) as error:  # a damaged event is left out
            log.warning("event %d can't be read", event.seq, exc_info=error, extra={"session_id": session_id})
    return transcript
