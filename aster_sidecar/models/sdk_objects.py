"""Builds an SDK's objects from JSON without pydantic schemas, which take megabytes for a whole response.

Values are not checked, as in the SDKs' own `construct`: a required field that is missing becomes None.
"""

from __future__ import annotations

from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

SCALARS = frozenset((str, int, float, bool, NoneType))
ANYTHING = frozenset((object, Any))


class Unclear(ValueError):
    """A type that allows several objects for one value, or needs a conversion. The SDK has to build it."""


def shaped(kind: Any, value: Any) -> Any:
    """JSON `value` as an object of type `kind`. Raises: Unclear."""
    kinds = kinds_of(kind)
    if isinstance(value, dict):
        return shaped_object(kinds, cast("dict[str, Any]", value))
    if isinstance(value, list):
        items, item_kind = cast("list[Any]", value), kind_of_items(kinds, list)
        return items if item_kind is None else [shaped(item_kind, item) for item in items]
    if float in kinds and int not in kinds and type(value) is int:
        try:
            return float(value)
        except OverflowError as error:
            raise Unclear(kinds) from error
    return value


def shaped_object(kinds: tuple[Any, ...], fields: dict[str, Any]) -> Any:
    """A JSON object as an instance of the model among `kinds` that has its `type`, or as a dict. Raises: Unclear."""
    models = [one for one in kinds if is_model(one)]
    if not models:
        item_kind = kind_of_items(kinds, dict)
        return fields if item_kind is None else {key: shaped(item_kind, item) for key, item in fields.items()}
    fitting = models if len(models) == 1 else [one for one in models if fields.get("type") in types_of(one)]
    if len(fitting) != 1:
        raise Unclear(kinds)
    return construct(fitting[0], fields)


def kind_of_items(kinds: tuple[Any, ...], container: type) -> Any:
    """The type of the values in the only dict or list among `kinds`; None when it allows any value.

    Raises: Unclear.
    """
    found = [get_args(one)[-1] for one in kinds if get_origin(one) is container]
    if len(found) == 1:
        return found[0]
    if not found and ANYTHING.intersection(kinds):
        return None
    raise Unclear(kinds)


def construct(model: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    """An instance of an SDK's model from a JSON object. Raises: Unclear."""
    values, given = dict(fields), set[str]()
    for name, field in model.model_fields.items():
        key = field.alias if field.alias in fields else name
        value = values.pop(key, None)
        if key in fields:
            given.add(name)
        if value is not None:
            value = shaped(field.annotation, value)
        elif not field.is_required():
            value = field.get_default(call_default_factory=True)
        values[name] = value
    make = cast("Any", BaseModel.model_construct).__func__  # the SDKs' own builds a schema to look for extra fields
    return make(model, given, **values)


@cache
def kinds_of(kind: Any) -> tuple[Any, ...]:
    """The members of a type, with unions and `Annotated` taken apart. Raises: Unclear for a type that converts."""
    origin = get_origin(kind)
    if origin is Annotated:
        return kinds_of(get_args(kind)[0])
    if origin in (Union, UnionType):
        return tuple(dict.fromkeys(one for part in get_args(kind) for one in kinds_of(part)))
    if kind in SCALARS or kind in ANYTHING or origin in (Literal, list, dict) or is_model(kind):
        return (kind,)
    raise Unclear(kind)


@cache
def types_of(model: type[BaseModel]) -> frozenset[str]:
    """The values that a model's field `type` allows; empty when it has no such field."""
    field = model.model_fields.get("type")
    return frozenset(
        get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()
    )


@cache
def types_in(union: Any) -> dict[str, Any]:
    """Value of the field `type` → the member of an SDK's union of models that has it."""
    members = get_args(get_args(union)[0]) if get_origin(union) is Annotated else get_args(union)
    return {value: member for member in members for value in get_args(member.model_fields["type"].annotation)}


def is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
