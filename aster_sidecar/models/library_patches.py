"""What libraries bring along for nobody here: left out while they are imported, or let go of afterwards.

It changes what is in memory, nothing else. Where a library has become another, it does as it always did.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
from collections.abc import Collection, Generator
from contextlib import contextmanager
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

log = logging.getLogger(__name__)

SCALARS = frozenset((str, int, float, bool, NoneType))
ANYTHING = frozenset((object, Any))


@contextmanager
def without(*names: str) -> Generator[None]:
    """Import as if these modules were not there: only for what its importer can do without."""
    modules = cast("dict[str, Any]", sys.modules)
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            if modules.get(name, ...) is None:
                del modules[name]


@contextmanager
def unbuilt(model: type[BaseModel]) -> Generator[None]:
    """Leave a generic model's schema for its first use: pydantic builds it as soon as a parameter is named.

    For a model that nobody can be using yet, in one thread at a time.
    """

    def later(cls: type[BaseModel], **_: Any) -> None: ...

    model.model_rebuild = classmethod(later)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        del model.model_rebuild


def keep_prices(whose: Collection[str]) -> None:
    """Let pydantic-ai know prices and windows of these providers (names or URLs), not of all there are, which is 5 MB.

    Prices that an app's own code keeps up to date stay as they are.
    """
    try:
        from genai_prices import data_snapshot

        before = getattr(data_snapshot, "_custom_snapshot", None)
        if before is not None and before.from_auto_update:
            return
        found = {provider.id: provider for provider in all_prices()} if whose else {}
        kept = [p for p in found.values() if p.id in whose or any(re.match(p.api_pattern, url) for url in whose)]
        for provider in kept:  # the list grows: a provider may take another's models for its own
            others = (found[other] for other in provider.fallback_model_providers or () if other in found)
            kept += [other for other in others if other not in kept]
        data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot(providers=kept, from_auto_update=False))
    except Exception as error:  # whatever became of that library: all prices, then
        log.debug("prices are kept whole: %s", error)


def all_prices() -> list[Any]:
    """All that pydantic-ai's library of prices knows, read without leaving the module that it is in loaded."""
    spec = importlib.util.find_spec("genai_prices.data")
    if spec is None or spec.loader is None:
        raise ImportError("no genai_prices.data")
    data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(data)
    return data.providers


class Unclear(ValueError):
    """A value that may be several things."""


def shaped(kind: Any, value: Any) -> Any:
    """`value` as an SDK's type says, neither checked nor through a schema, which is megabytes for a whole response.

    As the SDKs themselves construct what they don't check: what is missing is None. Raises: Unclear.
    """
    kinds = kinds_of(kind)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        models = [one for one in kinds if is_model(one)]
        fitting = [one for one in models if fields.get("type") in types_of(one)] if len(models) > 1 else models
        if len(fitting) == 1:
            return construct(fitting[0], fields)
        of_items = [get_args(one) for one in kinds if get_origin(one) is dict]
        if not models and len(of_items) == 1:
            return {key: shaped(of_items[0][1], item) for key, item in fields.items()}
        if not models and not of_items and ANYTHING.intersection(kinds):
            return fields
        raise Unclear(kind)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        of_items = [get_args(one) for one in kinds if get_origin(one) is list]
        if len(of_items) == 1:
            return [shaped(of_items[0][0], item) for item in items]
        if not of_items and ANYTHING.intersection(kinds):
            return items
        raise Unclear(kind)
    if float in kinds and int not in kinds and type(value) is int:
        return float(value)
    return value


def construct(model: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    """An SDK's model from what came over the wire. Raises: Unclear."""
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
    """What a type may be, one by one. Raises: Unclear where it is something that must be converted."""
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
    """What the `type` of a model may say; nothing when it has none."""
    field = model.model_fields.get("type")
    return frozenset(
        get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()
    )


def is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
