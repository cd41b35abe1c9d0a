"""SQL statements as values: writes for a transaction, and queries that know the type of their rows.

The modules of `store/rows` make them, one module for each table; `Journal.put` and `Journal.rows` run them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from aster_sidecar.text.values import as_text

T = TypeVar("T")

Write = tuple[str, Sequence[Any]]
"""A statement that changes rows, and its parameters."""
Row = tuple[Any, ...]
"""A row as SQLite returns it: columns in the order of the SELECT."""


class Query(Generic[T]):
    """A SELECT. `make` is called with the columns of each row, in the order of the SELECT."""

    __slots__ = ("make", "parameters", "sql")

    def __init__(self, sql: str, parameters: Sequence[Any], make: Callable[..., T]) -> None:
        self.sql = sql
        self.parameters = parameters
        self.make = make


def columns(row: type[NamedTuple], table: str = "") -> str:
    """The columns of a row's class, which has a field for each, as a list for a SELECT or INSERT.

    `table` is the table's alias in the statement, if it has one.
    """
    return ", ".join(f"{table}.{name}" if table else name for name in row._fields)


def insert(table: str, row: NamedTuple) -> Write:
    """Insert a row. Its class has a field for each column."""
    marks = ",".join("?" * len(row))
    return (f"INSERT INTO {table} ({columns(type(row))}) VALUES ({marks})", row)


def storable(parameters: Sequence[Any]) -> tuple[Any, ...]:
    """The parameters of a write as SQLite accepts them: text without lone surrogates, integers within 64 bits."""
    return tuple(
        value
        if value is None or isinstance(value, float | bytes) or (isinstance(value, int) and value.bit_length() < 64)
        else as_text(value)
        for value in parameters
    )
