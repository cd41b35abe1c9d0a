"""Rows of `sends`: messages with a `client_message_id`, so that sending one again has no second effect."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.rows.rewinds import REWOUND
from aster_sidecar.store.sql import Query, Write, columns


class SendRow(NamedTuple):
    """`body_hash` is of the message; `answer` is what the client got, as JSON."""

    agent_id: str
    client_message_id: str
    session_id: str
    body_hash: str
    answer: str


def select_send(agent_id: str, client_message_id: str) -> Query[SendRow]:
    """The row of a message, unless a rewind took it out of its conversation."""
    turn_id = "coalesce(CASE WHEN json_valid(answer) THEN answer ->> 'turn_id' END, '')"
    where = f"agent_id=? AND client_message_id=? AND {turn_id} NOT IN ({REWOUND})"
    sql = f"SELECT {columns(SendRow)} FROM sends WHERE {where}"
    return Query(sql, (agent_id, client_message_id), SendRow)


def insert_send(row: SendRow) -> Write:
    """Insert a row. That of a message with the same id, which a rewind took out, is replaced."""
    return (f"INSERT OR REPLACE INTO sends ({columns(SendRow)}) VALUES (?,?,?,?,?)", row)
