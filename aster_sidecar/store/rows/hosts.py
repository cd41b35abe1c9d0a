"""Rows of `hosts`: the programs that lend tools, as they last registered."""

from __future__ import annotations

from typing import NamedTuple

from aster_sidecar.store.sql import Query, Write, columns


class HostRow(NamedTuple):
    """A host. `instance`: the process or window that registered last. `tools` is JSON."""

    name: str
    host_id: str
    instance: str
    tools: str
    registered_at: str


def select_hosts() -> Query[HostRow]:
    """All hosts, by name."""
    return Query(f"SELECT {columns(HostRow)} FROM hosts ORDER BY name", (), HostRow)


def upsert_host(row: HostRow) -> Write:
    """Record a host, in place of an earlier registration under its name."""
    return (f"INSERT OR REPLACE INTO hosts ({columns(HostRow)}) VALUES (?,?,?,?,?)", row)


def delete_host(name: str) -> Write:
    return ("DELETE FROM hosts WHERE name=?", (name,))
