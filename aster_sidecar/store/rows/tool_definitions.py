"""Rows of `tool_definitions`: the definitions of MCP servers' tools that were last accepted."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write, columns


class DefinitionRow(NamedTuple):
    """A definition: `tool` is the server's own name, `source` a hash of where the server is, `definition` JSON."""

    server: str
    tool: str
    source: str
    definition: str
    accepted_at: str


def select_definitions() -> Query[DefinitionRow]:
    """All accepted definitions."""
    return Query(f"SELECT {columns(DefinitionRow)} FROM tool_definitions", (), DefinitionRow)


def upsert_definition(row: DefinitionRow) -> Write:
    """Accept a definition, in place of an earlier one."""
    return (f"INSERT OR REPLACE INTO tool_definitions ({columns(DefinitionRow)}) VALUES (?,?,?,?,?)", row)
