"""The schema of a tool's arguments, in a form that every provider accepts.

Providers refuse a request, with all its tools, because of one schema: without `type` or `items`, with `anyOf` at its
root, with a reference that has no target, with a number that JSON doesn't have, and, if they make a grammar of it as
llama.cpp does, with a pattern or a length that the grammar can't have (2000 characters, for example). So models get a
simpler schema, and read patterns and great lengths in its descriptions. It accepts all that the tool's own schema
accepts, and more: arguments are still checked against that one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, cast

LEVELS = 100
"""Nesting depth beyond which the simpler schema allows any value."""
REFERENCES = 16
"""How many references are followed, one after the other, at the root."""

_DEFINITION = re.compile(r"#/(?:\$defs|definitions)/([^/]+)")
_DROPPED_WORDS = (
    "$schema $id id $anchor $dynamicAnchor $dynamicRef $recursiveAnchor $recursiveRef $vocabulary $comment"
    " $defs definitions additionalItems unevaluatedItems unevaluatedProperties dependencies dependentSchemas"
    " not if then else contains minContains maxContains"  # a simpler schema in these would accept less
)
_ROOT_WORDS = "allOf anyOf oneOf enum const dependentRequired default nullable"
_DROPPED, _ROOT_DROPPED = frozenset(_DROPPED_WORDS.split()), frozenset(_ROOT_WORDS.split())
_ONE = ("additionalProperties", "propertyNames")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_LENGTHS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_MOST: dict[str, int] = {**dict.fromkeys(_LENGTHS, 100), **dict.fromkeys(_NUMBERS, 2**53)}
"""Limits up to these can be in every grammar, however deep they are nested."""

Schema = dict[str, Any]


def for_models(schema: Mapping[str, Any]) -> Schema:
    """The schema for models: of an object, and valid in draft 2020-12 when `schema` is valid."""
    return _Plain(dict(schema)).whole()


def of_object(schema: object) -> Schema | None:
    """The schema of an object that a server probably meant; None when it can't be one."""
    if schema is None or schema is True:
        return {"type": "object"}
    if not isinstance(schema, dict):
        return None
    given = cast("Schema", schema)
    kind = given.get("type")
    if kind is None or kind == "object" or (isinstance(kind, list) and "object" in kind):
        return {**given, "type": "object"}
    return None


class _Plain:
    """Converts one schema; `_defs` are the targets of its references, by name."""

    def __init__(self, root: Schema) -> None:
        self._root: Schema = _finite(root, 0)
        self._names: dict[str, str] = {}
        self._defs: dict[str, Schema] = {}

    def whole(self) -> Schema:
        merged = self._merged(self._root, 0)
        made = self._node({key: value for key, value in merged.items() if key not in _ROOT_DROPPED}, 0)
        made = {"type": "object", **made, "properties": made.get("properties", {})}
        return {**made, "$defs": self._defs} if self._defs else made

    # -- the root --------------------------------------------------------------------------------------------------

    def _merged(self, schema: Schema, level: int) -> Schema:
        """One object schema from a schema with references and alternatives."""
        whole = self._followed(schema)
        properties: Schema = dict(_mapping(whole.get("properties")))
        required = _texts(whole.get("required"))
        for key in ("allOf", "anyOf", "oneOf"):
            if level > REFERENCES:
                break
            branches = [self._merged(cast("Schema", one), level + 1) for one in _list(whole.get(key)) if _is_dict(one)]
            for branch in branches:
                for name, inner in _mapping(branch.get("properties")).items():
                    known = properties.setdefault(name, inner)
                    if known != inner:
                        properties[name] = {"anyOf": [known, inner]}
            needed = [_texts(branch.get("required")) for branch in branches]
            for name in dict.fromkeys(name for names in needed for name in names):
                if name not in required and (key == "allOf" or all(name in names for names in needed)):
                    required.append(name)
        whole = {**whole, "properties": properties}
        return {**whole, "required": required} if required else whole

    def _followed(self, schema: Schema) -> Schema:
        for _ in range(REFERENCES):
            target = self._target(schema.get("$ref"))
            if target is None:
                break
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        return {key: value for key, value in schema.items() if key != "$ref"}

    # -- below it --------------------------------------------------------------------------------------------------

    def _node(self, schema: object, level: int) -> Schema:
        if not isinstance(schema, dict) or level > LEVELS:
            return {}
        given = cast("Schema", schema)
        made: Schema = {key: value for key, value in given.items() if key not in _DROPPED and key != "$ref"}
        if "$ref" in given and (name := self._defined(given["$ref"], level)) is not None:
            made["$ref"] = f"#/$defs/{name}"
        for key in _ONE:
            if key in made and not isinstance(made[key], bool):
                made[key] = self._node(made[key], level + 1)
        for key in (*_MANY, "enum", "required"):
            if key in made and not _list(made[key]):
                del made[key]
        for key in _MANY:
            if key in made:
                made[key] = [self._node(one, level + 1) for one in made[key]]
        if "oneOf" in made:  # two simpler schemas may accept what only one of the two did
            made.setdefault("anyOf", made.pop("oneOf"))
        if "patternProperties" in made:
            inner = _mapping(made["patternProperties"])
            made["patternProperties"] = {name: self._node(one, level + 1) for name, one in inner.items()}
        self._list_items(made, level)
        if "properties" in made:
            named = _mapping(made["properties"])
            made["properties"] = {name: self._node(one, level + 1) for name, one in named.items() if one is not False}
        _bounds(made)
        _described(made)
        return made

    def _list_items(self, made: Schema, level: int) -> None:
        """Give every array an `items` that is one schema."""
        items = made.get("items")
        if isinstance(items, list):
            kinds = [self._node(one, level + 1) for one in cast("list[Any]", items)]
            distinct = [one for place, one in enumerate(kinds) if one not in kinds[:place]]
            made["items"] = {"anyOf": distinct} if len(distinct) > 1 and {} not in distinct else {}
            if len(distinct) == 1:
                made["items"] = distinct[0]
        elif "items" in made:
            made["items"] = self._node(items, level + 1)
        elif made.get("type") == "array" or "array" in _list(made.get("type")):
            made["items"] = {}

    # -- references ------------------------------------------------------------------------------------------------

    def _target(self, pointer: object) -> Schema | None:
        """The target of a reference within the schema; None without one."""
        if not isinstance(pointer, str) or (pointer != "#" and not pointer.startswith("#/")):
            return None
        found: Any = self._root
        for token in pointer.split("/")[1:]:
            token = token.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = cast("Schema", found).get(token)
            elif isinstance(found, list) and token.isdecimal() and int(token) < len(cast("list[Any]", found)):
                found = cast("list[Any]", found)[int(token)]
            else:
                return None
        return cast("Schema", found) if isinstance(found, dict) else None

    def _defined(self, pointer: object, level: int) -> str | None:
        """The name in `$defs` of the target of a reference; None without a target."""
        target = self._target(pointer)
        if target is None or not isinstance(pointer, str):
            return None
        if pointer not in self._names:
            found = _DEFINITION.fullmatch(pointer)
            name = re.sub(r"[^A-Za-z0-9_.-]", "_", found[1])[:48] if found else "part"
            while name in self._names.values():
                name += "_"
            self._names[pointer] = name  # before its content is converted, because it may refer to itself
            # Follow a reference to a reference, so that no definition consists of a circle of references.
            self._defs[name] = self._node(
                self._merged(target, 0) if pointer == "#" else self._followed(target), level + 1
            )
        return self._names[pointer]


def _bounds(made: Schema) -> None:
    """Convert `exclusiveMinimum: true`, the form of draft 4."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(exclusive), bool) and made.pop(exclusive) and bound in made:
            made[exclusive] = made.pop(bound)


def _finite(value: Any, level: int) -> Any:
    """The value without numbers that JSON doesn't have: 1e999 is read as infinite."""
    if level > LEVELS:
        return None
    if isinstance(value, dict):
        inner = cast("Schema", value)
        return {key: _finite(one, level + 1) for key, one in inner.items() if not _is_infinite(one)}
    if isinstance(value, list):
        return [_finite(one, level + 1) for one in cast("list[Any]", value) if not _is_infinite(one)]
    return value


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _described(made: Schema) -> None:
    """Move the limits that grammars can't have into the description."""
    told: list[str] = []
    for word in (*_MOST, "pattern"):
        limit = made.get(word)
        if word in made and not (isinstance(limit, int | float) and abs(limit) <= _MOST.get(word, 0)):
            told.append(f"{word} {made.pop(word)}")
    if told:
        said = made.get("description")
        limits = ", ".join(told)
        made["description"] = f"{said} ({limits})" if isinstance(said, str) and said.strip() else limits


def _mapping(value: object) -> Schema:
    return cast("Schema", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)
