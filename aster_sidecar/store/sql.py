"""SQL statements as values: writes for a transaction, and queries that know the type of their rows.

The modules of `store/rows` make them, one module for each table; `Journal.put` and `Journal.rows` run them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aster_sidecar.text.values import as_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")

Write = tuple[str, Sequence[Any]]
"""A statement that changes rows, and its parameters."""
Row = tuple[Any, ...]
"""A row as SQLite returns it: columns in the order of the SELECT."""


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A SELECT. `make` is called with the columns of each row, in the order of the SELECT."""

    sql: str
    parameters: Sequence[Any]
    make: Callable[..., T]


@functools.cache
def columns(row: type[DataclassInstance], table: str = "") -> str:
    """The columns of a row's class, which has a field for each, as a list for a SELECT or INSERT.

    `table` is the table's alias in the statement, if it has one.
    """
    return ", ".join(f"{table}.{field.name}" if table else field.name for field in fields(row))


def insert(table: str, row: DataclassInstance) -> Write:
    """Insert a row. Its class has a field for each column."""
    names = [field.name for field in fields(row)]
    marks = ",".join("?" * len(names))
    sql = f"INSERT INTO {table} ({columns(type(row))}) VALUES ({marks})"
    return (sql, tuple(getattr(row, name) for name in names))


def storable(parameters: Sequence[Any]) -> tuple[Any, ...]:
    """The parameters of a write as SQLite accepts them: text without lone surrogates, integers within 64 bits."""
    return tuple(
        value
        if value is None or isinstance(value, float | bytes) or (isinstance(value, int) and value.bit_length() < 64)
        else as_text(value)
        for value in parameters
    )
