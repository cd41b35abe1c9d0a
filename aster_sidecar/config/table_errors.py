"""Pydantic's errors about a table of `config.toml`, as a sentence: which key, what is wrong, what is allowed.

Only the first wrong key of the table is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.text.safe_text import visible

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

SHOWN_CHARS = 100
"""How much of a wrong value is shown."""


def allowed_values(model: type[BaseModel]) -> dict[str, str]:
    """The keys of a table, and the values that each may have, in words."""
    return {key: field.description or "" for key, field in model.model_fields.items() if key != "name"}


def unknown_key(where: str, key: str, model: type[BaseModel]) -> ConfigInvalid:
    """The error for a key that the table `where` does not have."""
    shown = visible(key, newlines=False)[:64]
    return ConfigInvalid(f"{where} {shown}: unknown key", hint=f"allowed: {', '.join(allowed_values(model))}")


def invalid_table(
    where: str, table: Mapping[str, Any], model: type[BaseModel], error: ValidationError
) -> ConfigInvalid:
    """The first of pydantic's errors, in the order of the table's keys. `where` is the table, such as `[mcp.files]`.

    A validator of the whole model raises PydanticCustomError; its context may have the `key` that is wrong, and has the
    `hint`.
    """
    order = {key: place for place, key in enumerate(table)}
    first = min(error.errors(include_url=False), key=lambda one: order.get(_key(one), len(order)))
    key, words = _key(first), _words(first)
    if not key:
        given = first.get("ctx", {})
        place = f"{where} {given['key']}" if "key" in given else where
        return ConfigInvalid(f"{place}: {words}", hint=given["hint"])
    if first["type"] == "extra_forbidden":
        return unknown_key(where, key, model)
    allowed = allowed_values(model)[key]
    if first["type"] == "missing":
        return ConfigInvalid(f"{where}: no {key} is given", hint=f"{key}: {allowed}")
    secret = not model.model_fields[key].repr
    shown = f"the value of {key}" if secret else f"{key} = {str(table[key])[:SHOWN_CHARS]!r}"
    return ConfigInvalid(f"{where} {shown}: {words}", hint=f"allowed: {allowed}")


def _key(error: ErrorDetails) -> str:
    """The table's key that the error is about; "" when it is about the whole table."""
    return str(error["loc"][0]) if error["loc"] else ""


def _words(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Input ")
