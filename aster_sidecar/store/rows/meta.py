"""Single values: `meta` has the journal's own, and those that other components remember."""

from __future__ import annotations

from aster_sidecar.store.sql import Query, Write

SEQ_RESERVED, TRIMMED_TO = "seq_reserved", "trimmed_to"
"""The last seq of the block that is reserved, and the newest seq that was trimmed."""


def set_value(key: str, value: object) -> Write:
    sql = "INSERT INTO meta (key, value) VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value=excluded.value"
    return (sql, (key, str(value)))


def select_value(key: str) -> Query[str]:
    return Query("SELECT value FROM meta WHERE key=?", (key,), str)


def remember(key: str, value: str) -> Write:
    """Store a value under a key, for `Journal.recall`."""
    return set_value(fact(key), value)


def forget(key: str) -> Write:
    """Delete what is stored under a key."""
    return ("DELETE FROM meta WHERE key=?", (fact(key),))


def select_remembered(prefix: str) -> Query[str]:
    """The keys that `remember` stored and that begin like this, in alphabetical order, without the prefix."""
    first = fact(prefix)
    after = first[:-1] + chr(ord(first[-1]) + 1)
    return Query(
        "SELECT substr(key, ?) FROM meta WHERE key>=? AND key<? ORDER BY key", (len(first) + 1, first, after), str
    )


def fact(key: str) -> str:
    """The key in `meta` of a value that a component remembers."""
    return f"fact:{key}"
