"""`[mcp.NAME]` and `[services.NAME]`: the user's tables of `config.toml`, read into one pydantic model each."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from aster_sidecar.config.table_errors import invalid_table, unknown_key
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.text.safe_text import visible


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("nul", "must not contain NUL")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be empty")
    return value


def _absolute(value: str) -> str:
    path = os.path.expanduser(value)
    if not os.path.isabs(path):
        raise PydanticCustomError("relative", "is not an absolute path")
    return path


def _no_equals_sign(name: str) -> str:
    if "=" in name:
        raise PydanticCustomError("variable", "has a name with an equals sign")
    return name


AnyText = Annotated[str, AfterValidator(_without_nul)]
"""A string without NUL; it may be empty."""
Text = Annotated[AnyText, AfterValidator(_not_blank)]
"""A string without NUL that is not blank."""
Directory = Annotated[Text, AfterValidator(_absolute)]
"""An absolute path; `~` is expanded."""
VariableName = Annotated[Text, AfterValidator(_no_equals_sign)]
Variables = dict[VariableName, AnyText]
"""Environment variables."""
Seconds = Annotated[float, Field(strict=True, gt=0, le=3600, allow_inf_nan=False)]


class NamedTable(BaseModel):
    """A table of `config.toml` that the user has named. Its keys are the fields of the model, apart from `name`.

    A field's description says which values are allowed; a field with `repr=False` holds secrets, and its value is never
    shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)

    name: str


M = TypeVar("M", bound=NamedTable)
NAMES = "1 to 32 of a-z, 0-9, _ and -"


def read_tables(kind: str, tables: Mapping[str, Any], model: type[M]) -> list[M]:
    """The tables `[KIND.NAME]`, in their order. Raises: ConfigInvalid with the table, the key, the value and a hint."""
    return [_read(kind, name, table, model) for name, table in tables.items()]


def check_name(kind: str, name: str) -> None:
    """Raises: ConfigInvalid if a table can't have this name."""
    if not re.fullmatch(r"[a-z0-9_-]{1,32}", name):
        raise ConfigInvalid(f"{_shown(kind, name)}: the name is not allowed", hint=f"allowed: {NAMES}")


def _shown(kind: str, name: str) -> str:
    return f"[{kind}.{visible(name, newlines=False)[:64]}]"


def _read(kind: str, name: str, table: Any, model: type[M]) -> M:
    check_name(kind, name)
    where = _shown(kind, name)
    if not isinstance(table, Mapping):
        raise ConfigInvalid(
            f"{kind}.{name} = {str(table)[:100]!r}: not a table", hint=f"write {where} and its keys below"
        )
    values = cast("Mapping[str, Any]", table)
    if "name" in values:
        raise unknown_key(where, "name", model)
    try:
        return model.model_validate({**values, "name": name})
    except ValidationError as error:
        # Not "from error": its traceback would show names of variables and headers.
        raise invalid_table(where, values, model, error) from None
