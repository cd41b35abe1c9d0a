"""The statements of store/rows: each fits the schema, and each query returns what its class of rows has."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import apsw
import apsw.ext
import pytest

from aster_sidecar.store import rows
from aster_sidecar.store.schema import connect, migrate
from aster_sidecar.store.sql import Query

MODULES = [importlib.import_module(f"{rows.__name__}.{module.name}") for module in pkgutil.iter_modules(rows.__path__)]
STATEMENTS: dict[str, Callable[..., Any]] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_") and name not in ("fact", "decoded")
}


def sample(kind: Any) -> Any:
    """A value of this type."""
    if isinstance(kind, type) and issubclass(kind, tuple) and kind is not tuple:
        kinds = typing.get_type_hints(kind)
        return kind(*[sample(kinds[name]) for name in kind.__annotations__])
    choices = typing.get_args(kind)
    if typing.get_origin(kind) is Literal:
        return choices[0]
    if typing.get_origin(kind) in (Collection, Sequence):
        return [sample(choices[0])]
    if choices:
        return sample(choices[0])
    samples: dict[Any, Any] = {str: "some", int: 1, float: 1.0, bool: True, object: 1}
    return samples[kind]


@pytest.fixture
def store(tmp_path: Path) -> apsw.Connection:
    """An empty store of the newest schema."""
    connection = connect(tmp_path / "store")
    migrate(connection, tmp_path / "store")
    return connection


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_fits_the_schema(name: str, store: apsw.Connection) -> None:
    function = STATEMENTS[name]
    kinds = typing.get_type_hints(function)
    made = function(**{parameter: sample(kinds[parameter]) for parameter in inspect.signature(function).parameters})
    if not isinstance(made, Query):
        store.execute("PRAGMA foreign_keys=OFF")
        for sql, parameters in made if isinstance(made, list) else [made]:
            store.execute(sql, tuple(parameters))
        return
    query: Query[Any] = made
    store.execute(query.sql, tuple(query.parameters))
    columns = [name for name, _ in apsw.ext.query_info(store, query.sql).description]
    if query.make in (int, str, bool):
        assert len(columns) == 1
        return
    taken = list(inspect.signature(query.make).parameters)
    assert len(columns) == len(taken)
    # A computed column is named by its expression.
    assert [pair for pair in zip(columns, taken, strict=True) if pair[0].isidentifier() and pair[0] != pair[1]] == []


def test_every_statement_is_looked_at() -> None:
    assert len(STATEMENTS) > 70
