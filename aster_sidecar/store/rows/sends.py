"""Rows of `sends`: messages with a `client_message_id`, so that sending one again has no second effect."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write, columns, insert


class SendRow(NamedTuple):
    """`body_hash` is of the message; `answer` is what the client got, as JSON."""

    agent_id: str
    client_message_id: str
    session_id: str
    body_hash: str
    answer: str


def select_send(agent_id: str, client_message_id: str) -> Query[SendRow]:
    sql = f"SELECT {columns(SendRow)} FROM sends WHERE agent_id=? AND client_message_id=?"
    return Query(sql, (agent_id, client_message_id), SendRow)


def insert_send(row: SendRow) -> Write:
    return insert("sends", row)
