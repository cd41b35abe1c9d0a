"""A function's parameters as a model of arguments, and what its docstring says about them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from aster_sidecar.tools.tool_context import ToolContext


def arguments_of(
    function: Callable[..., Any], called: str, where: str, documented: Mapping[str, str]
) -> tuple[type[BaseModel], str | None, dict[str, str]]:
    """The model of a function's arguments, the name of its context parameter, and parameter → field.

    Fields are named differently, so that a parameter may be called `schema` or `_id`. Raises: TypeError.
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:
        raise TypeError(f"{where}: its types can't be read: {error}; define them at the top of the module") from error
    context_name: str | None = None
    fields: dict[str, str] = {}
    shapes: dict[str, Any] = {}
    for position, parameter in enumerate(inspect.signature(function).parameters.values()):
        hint = hints.get(parameter.name)
        if position == 0 and (hint is ToolContext or (hint is None and parameter.name == "ctx")):
            context_name = parameter.name
            continue
        if hint is ToolContext:
            raise TypeError(f"{where}: the ToolContext must be the first parameter, not {parameter.name!r}")
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where}: {parameter} can't be an argument of a tool: models pass arguments by name")
        if hint is None:
            raise TypeError(f"{where}: the parameter {parameter.name!r} needs a type")
        place = fields[parameter.name] = f"argument_{position}"
        shapes[place] = (hint, shape(parameter, hint, documented.get(parameter.name)))
    config = ConfigDict(extra="forbid", serialize_by_alias=True, arbitrary_types_allowed=False, title=called)
    try:
        made = create_model(called, __config__=config, **shapes)
        made.model_json_schema()
    except PydanticUserError as error:
        first = str(error).splitlines()[0]
        raise TypeError(f"{where}: a parameter has a type that JSON can't describe: {first}") from error
    return made, context_name, fields


def shape(parameter: inspect.Parameter, hint: Any, description: str | None) -> FieldInfo:
    """The field of one parameter."""
    extra: dict[str, Any] = {"alias": parameter.name}
    own = any(isinstance(part, FieldInfo) and part.description for part in getattr(hint, "__metadata__", ()))
    if description and not own:
        extra["description"] = description
    if parameter.default is not parameter.empty:
        extra["default"] = parameter.default
    return cast("FieldInfo", Field(**extra))


def described(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What a docstring (Google, NumPy or Sphinx style) says of the function, and of each parameter."""
    doc = inspect.getdoc(function) or ""
    if "\n" not in doc:
        return doc.strip(), {}
    import griffe

    quiet: Any = {"google": {"warnings": False}, "numpy": {"warnings": False}, "sphinx": {"warnings": False}}
    texts: list[str] = []
    returns: list[str] = []
    parameters: dict[str, str] = {}
    for section in griffe.Docstring(doc).parse(
        "auto", method="max_sections", per_style_options=quiet, default="google"
    ):
        value: Any = section.value
        if section.kind is griffe.DocstringSectionKind.text:
            texts.append(str(value))
        elif section.kind is griffe.DocstringSectionKind.admonition:
            texts.append(f"{section.title or value.kind}:\n{value.contents}")
        elif isinstance(section, griffe.DocstringSectionParameters):
            parameters |= {str(one.name).lstrip("*"): str(one.description).strip() for one in value}
        elif section.kind is griffe.DocstringSectionKind.returns:
            returns += [f"Returns: {told}" for one in value if (told := str(one.description).strip())]
    return "\n\n".join([*texts, *returns]).strip(), parameters
