"""The store's file: connections with our settings, and migrations to the newest schema."""

# apsw's stubs refer to types that exist only where its C sources are installed.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import apsw

from aster_sidecar.store import files
from aster_sidecar.store.files import LOCK_WAIT_MS, translate
from aster_sidecar.text.folding import fold


def connect(path: Path) -> apsw.Connection:
    """A connection with our settings. It does not checkpoint on close, until `Journal.open` has checked the store.

    A file that is not an Aster store is left unchanged. Raises: StoreCorrupt, StoreTooNew, apsw.Error.
    """
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(LOCK_WAIT_MS)
    connection.create_scalar_function("fold", fold_column, 1, deterministic=True)
    connection.execute("PRAGMA cell_size_check=ON")
    files.check_schema(connection, path, len(scripts()))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def fold_column(*values: Any) -> str:
    """`fold` as an SQL function."""
    return fold(values[0])


def reach(connection: apsw.Connection) -> int:
    """The newest seq that a store contains, trimmed events included; 0 if it has no events. Raises: apsw.Error."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name='events'").fetchall():
        return 0
    newest: Any = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchall()[0][0]
    trimmed: Any = connection.execute("SELECT max(CAST(value AS INTEGER)) FROM meta WHERE key='trimmed_to'").fetchall()
    return max(int(newest), int(trimmed[0][0] or 0))


def scripts() -> list[Any]:
    """The migrations in order; their count is the schema's version."""
    return sorted(
        (entry for entry in resources.files("aster_sidecar.store.migrations").iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Copy the store and migrate it to the newest schema, all or nothing. Raises: StoreError, apsw.Error."""
    known = scripts()
    version: Any = connection.execute("PRAGMA user_version").fetchall()[0][0]
    if version == len(known):
        return
    copy = files.copy_before(connection, path, version + 1) if version else None
    try:
        with connection:
            for number, script in enumerate(known[version:], version + 1):
                connection.execute(script.read_text("utf-8"))
                connection.execute(f"PRAGMA user_version={number}")
    except apsw.Error as error:
        refusal = translate(error, path)
        kept = f"; a copy of it is {copy}" if copy is not None else ""
        raise type(refusal)(
            f"the store {path} could not be updated from schema {version} to {len(known)} and is unchanged: {error}",
            hint=f"{refusal.hint}; the version that wrote it still works with it{kept}",
        ) from error
