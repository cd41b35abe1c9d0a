"""Check a store for damage without changing it."""

# apsw's stubs refer to types that exist only where its C sources are installed.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw

from aster_sidecar.errors import StoreCorrupt
from aster_sidecar.store import files
from aster_sidecar.store.files import log_of, translate
from aster_sidecar.store.schema import reach, scripts


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of `examine`. `schema`: the store's version; `knows`: the newest version that this program knows.

    `whole`: the check finished within its time limit.
    """

    schema: int
    knows: int
    problems: tuple[str, ...]
    whole: bool


JSON_COLUMNS = {
    "messages": ("parts", "context", "usage"),
    "model_messages": ("message",),
    "events": ("data",),
    "turns": ("usage", "error"),
    "calls": ("arguments", "result"),
    "approvals": ("arguments", "binding", "remember", "edited", "scopes"),
    "questions": ("request", "fields", "answers"),
    "rules": ("conditions",),
    "sends": ("answer",),
}
MOST_PROBLEMS = 20


def examine(path: Path, within_s: float = 30.0) -> Examined:
    """Check a store without changing it, also while a daemon uses it. Reads all of it, for at most `within_s` seconds.

    Raises: StoreCorrupt, StoreError (StoreLocked).
    """
    until = time.monotonic() + within_s
    log_bytes = files.size_of(log_of(path))
    problems: list[str] = []
    schema = 0
    whole = True
    try:
        with files.reading(path) as connection:
            schema = int(connection.execute("PRAGMA user_version").fetchall()[0][0])  # pyright: ignore
            connection.set_progress_handler(lambda: time.monotonic() > until, 1000)
            try:
                for problem in itertools.islice(find_problems(connection, log_bytes, path), MOST_PROBLEMS):
                    problems.append(problem)
            except apsw.InterruptError:
                whole = False
    except (apsw.Error, UnicodeDecodeError) as error:
        if not problems or not isinstance(translate(error, path), StoreCorrupt):
            raise translate(error, path) from error
    return Examined(schema, len(scripts()), tuple(problems), whole)


def find_problems(connection: apsw.Connection, log_bytes: int, path: Path) -> Iterator[str]:
    """Problems of a store, the worst first: damaged pages, then missing events or rows, then unreadable values.

    Raises: apsw.InterruptError when the time is over.
    """
    found = False
    for row in connection.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})"):
        if row[0] != "ok":
            found = True
            yield str(row[0])
    if found:
        return
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")}
    if tables and not tables >= files.STORE_TABLES:
        yield "it is a database of another program"
        return
    try:
        files.check_mark(reach(connection), path, log_bytes)
    except StoreCorrupt as error:
        yield error.message
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield f"a row of {row[0]} refers to one of {row[2]} that is not there"
    for _ in connection.execute("SELECT text FROM messages") if "messages" in tables else ():
        pass  # apsw raises UnicodeDecodeError for text that is not UTF-8
    for table, columns in JSON_COLUMNS.items():
        # A store of an earlier version has fewer columns.
        there = {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        if names := [name for name in columns if name in there]:
            unreadable = " OR ".join(f"({name} IS NOT NULL AND NOT json_valid({name}))" for name in names)
            count = connection.execute(f"SELECT count(*) FROM {table} WHERE {unreadable}").fetchall()[0][0]
            if count:
                yield f"{count} rows of {table} cannot be read"
