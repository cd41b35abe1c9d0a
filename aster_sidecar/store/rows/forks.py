"""Statements that copy the turns of a session into another one, for a fork: the rows get new ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write

IDS = "WITH ids AS (SELECT value ->> 0 AS old, value ->> 1 AS new FROM json_each(?))"


class NewId(NamedTuple):
    """The id of a turn or a message, and that of its copy."""

    old: str
    new: str


def select_message_ids(turn_ids: Sequence[str]) -> Query[str]:
    """The ids of all messages of these turns."""
    sql = "SELECT message_id FROM messages WHERE turn_id IN (SELECT value FROM json_each(?)) ORDER BY n"
    return Query(sql, (json.dumps(turn_ids),), str)


def insert_copies(session_id: str, new_ids: Sequence[NewId]) -> list[Write]:
    """Copy the turns, messages and model messages with these ids into a session."""
    ids = json.dumps(new_ids)
    return [
        (
            f"{IDS} INSERT INTO turns (turn_id, session_id, agent_id, state, stop_reason, user_message_id, message_id,"
            " created_at, usage, ran_s, kept_chars, error, urgent, ended_n, model, effort)"
            " SELECT i.new, ?, t.agent_id, 'ended', t.stop_reason, u.new, a.new, t.created_at, t.usage, t.ran_s,"
            " t.kept_chars, t.error, t.urgent, (SELECT coalesce(max(ended_n), 0) FROM turns)"
            " + row_number() OVER (ORDER BY t.ended_n), t.model, t.effort"
            " FROM turns t JOIN ids i ON i.old=t.turn_id JOIN ids u ON u.old=t.user_message_id"
            " JOIN ids a ON a.old=t.message_id ORDER BY t.n",
            (ids, session_id),
        ),
        (
            f"{IDS} INSERT INTO messages (message_id, session_id, turn_id, role, text, parts, context, usage,"
            " created_at, status, first_seq)"
            " SELECT i.new, ?, t.new, m.role, m.text, m.parts, m.context, m.usage, m.created_at, m.status, 0"
            " FROM messages m JOIN ids i ON i.old=m.message_id JOIN ids t ON t.old=m.turn_id ORDER BY m.n",
            (ids, session_id),
        ),
        (
            f"{IDS} INSERT INTO folded_texts (n, text) SELECT copy.n, f.text FROM folded_texts f"
            " JOIN messages m USING (n) JOIN ids i ON i.old=m.message_id JOIN messages copy ON copy.message_id=i.new",
            (ids,),
        ),
        (
            f"{IDS} INSERT INTO attachment_uses (message_id, attachment_id, position, call_id)"
            " SELECT i.new, a.attachment_id, a.position, a.call_id FROM attachment_uses a"
            " JOIN ids i ON i.old=a.message_id",
            (ids,),
        ),
        # A message that a compaction in a later turn replaced counts in the copy, which lacks that turn.
        (
            f"{IDS} INSERT INTO model_messages (session_id, turn_id, message, superseded_by)"
            " SELECT ?, i.new, m.message, s.new FROM model_messages m JOIN ids i ON i.old=m.turn_id"
            " LEFT JOIN ids s ON s.old=m.superseded_by ORDER BY m.n",
            (ids, session_id),
        ),
    ]
