"""A tool as its MCP server describes it, and the pydantic model that checks its arguments against that description."""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.mcp.naming import digest
from aster_sidecar.tools.schemas import for_models


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool as the server describes it."""

    name: str
    description: str
    schema: dict[str, Any]
    destructive: bool = False
    """Whether the server says that the tool may destroy something."""

    @property
    def digest(self) -> str:
        """A hash that changes with any part of the definition."""
        return digest([self.name, self.description, self.schema, *(["destructive"] if self.destructive else [])])

    @property
    def text(self) -> str:
        """The definition without its name, as JSON with sorted keys."""
        told: dict[str, Any] = {"description": self.description, "schema": self.schema}
        return json.dumps(told | ({"hints": ["destructive"]} if self.destructive else {}), sort_keys=True)


class Arguments(BaseModel):
    """The arguments of one tool: any object that fits the server's schema."""

    model_config = ConfigDict(extra="allow")

    schema_for_models: ClassVar[dict[str, Any]] = {}
    why_invalid: ClassVar[Callable[[Any], str | None]]

    @model_validator(mode="before")
    @classmethod
    def _fits_the_schema(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and (wrong := cls.why_invalid(dict(cast("Mapping[str, Any]", value)))):
            raise PydanticCustomError("server_schema", "{wrong}", {"wrong": wrong})
        return cast("Any", value)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return copy.deepcopy(cls.schema_for_models)


def arguments_model(definition: Definition) -> type[Arguments]:
    """The model of a tool's arguments. Raises: ToolError when the server's schema is not valid; RecursionError."""
    check = schema_check(_with_optional_defaults(definition.schema))
    made = type("Arguments", (Arguments,), {"__module__": __name__, "__doc__": None})
    made.schema_for_models = for_models(definition.schema)
    made.why_invalid = staticmethod(check)  # type: ignore[assignment]
    return made


def _with_optional_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, without requiring arguments that have a default: generators of schemas often say both."""
    required, properties = schema.get("required"), schema.get("properties")
    if not isinstance(required, list) or not isinstance(properties, dict):
        return schema
    inner = cast("dict[str, Any]", properties)

    def has_default(name: Any) -> bool:
        found: Any = inner.get(name) if isinstance(name, str) else None
        return isinstance(found, dict) and "default" in found

    return {**schema, "required": [name for name in cast("list[Any]", required) if not has_default(name)]}


def schema_check(schema: dict[str, Any]) -> Callable[[Any], str | None]:
    """A function that returns why a value does not fit `schema`, or None when it does.

    It fetches nothing from outside the schema. It ignores regular expressions, and leaves them to the server: a slow
    one would block the daemon. Raises: ToolError when the schema is not valid.
    """
    validators: Any = importlib.import_module("jsonschema.validators")
    exceptions: Any = importlib.import_module("jsonschema.exceptions")
    jsonschema: Any = importlib.import_module("jsonschema")
    referencing: Any = importlib.import_module("referencing")

    def ignored(*_: Any) -> tuple[()]:
        return ()

    kind: Any = validators.validator_for(schema, default=validators.Draft202012Validator)
    original: Any = kind.VALIDATORS.get("additionalProperties")

    def additional_properties(validator: Any, value: Any, instance: Any, inner: Any) -> Iterable[Any]:
        return () if "patternProperties" in inner else original(validator, value, instance, inner)

    own: dict[str, Any] = dict.fromkeys(("pattern", "patternProperties", "unevaluatedProperties"), ignored)
    extended: Any = validators.extend(kind, {**own, "additionalProperties": additional_properties})
    try:
        kind.check_schema(schema, format_checker=jsonschema.FormatChecker(()))
    except exceptions.SchemaError as error:
        raise ToolError(f"its schema is not valid: {str(error.message)[:200]}") from error
    except RecursionError as error:
        raise ToolError("its schema is nested too deep") from error
    validator: Any = extended(schema, registry=referencing.Registry())

    def check(value: Any) -> str | None:
        try:
            error: Any = exceptions.best_match(validator.iter_errors(value))
        except Exception:  # a reference with no target, or a circular one: only the server can check
            return None
        if error is None:
            return None
        place = ".".join(str(part) for part in error.absolute_path)
        return (f"{place}: " if place else "") + str(error.message)[:300]

    return check
