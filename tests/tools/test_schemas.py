"""Schemas of tools as models get them: no schema makes a provider refuse a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from aster_sidecar.tools.schemas import for_models, of_object

jsonschema = pytest.importorskip("jsonschema")

TEXT = {"type": "string"}
TREE = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize("given", [None, True, {}, {"type": ["object", "null"]}, {"type": "object"}])
def test_a_schema_that_says_nothing_is_one_of_an_object(given: Any) -> None:
    schema = of_object(given)
    assert schema is not None
    assert for_models(schema) == of()


@pytest.mark.parametrize("given", [False, 7, "object", [], {"type": "string"}, {"type": ["array", "null"]}])
def test_what_is_no_object_is_none(given: Any) -> None:
    assert of_object(given) is None


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param({"$schema": "http://json-schema.org/draft-07/schema#", **of()}, of(), id="draft"),
        pytest.param(of(a={"type": "array"}), of(a={"type": "array", "items": {}}), id="array"),
        pytest.param(
            of(a={"type": ["array", "null"], "items": True}),
            of(a={"type": ["array", "null"], "items": {}}),
            id="arrays",
        ),
        pytest.param(of(a={"type": "array", "items": [TEXT]}), of(a={"type": "array", "items": TEXT}), id="one"),
        pytest.param(
            of(a={"type": "array", "items": [TEXT, {"type": "null"}], "additionalItems": False}),
            of(a={"type": "array", "items": {"anyOf": [TEXT, {"type": "null"}]}}),
            id="tuple",
        ),
        pytest.param(
            of(a=of(b={"type": "array"})), of(a=of(b={"type": "array", "items": {}})), id="deep"
        ),
        pytest.param(
            {"type": "object", "anyOf": [of(a=TEXT) | {"required": ["a"]}, of(b=TEXT)]}, of(a=TEXT, b=TEXT), id="any"
        ),
        pytest.param(
            {"type": "object", "oneOf": [of(a=TEXT) | {"required": ["a"]}, of(a={"const": 1}) | {"required": ["a"]}]},
            of(a={"anyOf": [TEXT, {"const": 1}]}) | {"required": ["a"]},
            id="one_of",
        ),
        pytest.param(
            {"type": "object", "allOf": [of(a=TEXT) | {"required": ["a"]}, {"$ref": "#/definitions/b"}],
             "definitions": {"b": of(b=TEXT) | {"required": ["b"]}}},
            of(a=TEXT, b=TEXT) | {"required": ["a", "b"]},
            id="all",
        ),
        pytest.param(
            {"type": "object", "$ref": "#/$defs/r", "$defs": {"r": of(a=TEXT)}}, of(a=TEXT), id="root_reference"
        ),
        pytest.param(
            of(a=TEXT, b={"$ref": "#/properties/a"}),
            of(a=TEXT, b={"$ref": "#/$defs/part"}) | {"$defs": {"part": TEXT}},
            id="pointer",
        ),
        pytest.param(
            of(t={"$ref": "#/definitions/Tree"}) | {"definitions": {"Tree": TREE}},
            of(t={"$ref": "#/$defs/Tree"})
            | {"$defs": {"Tree": of(kids={"type": "array", "items": {}})}},
            id="leads_nowhere",
        ),
        pytest.param(of(t={"$ref": "#/$defs/Tree"}) | {"$defs": {"Tree": TREE}},
                     of(t={"$ref": "#/$defs/Tree"}) | {"$defs": {"Tree": TREE}}, id="recursive"),
        pytest.param(
            of(a={"$ref": "#/properties/a"}), of(a={"$ref": "#/$defs/part"}) | {"$defs": {"part": {}}}, id="circle"
        ),
        pytest.param(of(a={"$ref": "https://example.com/a.json"}), of(a={}), id="elsewhere"),
        pytest.param(of(a=True, b=False), of(a={}), id="booleans"),
        pytest.param(
            of(a={"type": "integer", "minimum": 0, "exclusiveMinimum": True}),
            of(a={"type": "integer", "exclusiveMinimum": 0}),
            id="draft_4",
        ),
        pytest.param(of(a={"enum": [], "description": "d"}), of(a={"description": "d"}), id="empty_enum"),
        pytest.param(
            of(a=TEXT | {"minLength": 1, "maxLength": 2000, "pattern": "abc", "description": "A name."}),
            of(a=TEXT | {"minLength": 1, "description": "A name. (maxLength 2000, pattern abc)"}),
            id="lengths",
        ),
        pytest.param(
            of(a={"type": "array", "items": TEXT | {"minLength": 3}, "minItems": 3000}),
            of(a={"type": "array", "items": TEXT | {"description": "minLength 3"}, "description": "minItems 3000"}),
            id="items",
        ),
        pytest.param(
            of(a={"type": "integer", "minimum": -1, "maximum": 10**30}),
            of(a={"type": "integer", "minimum": -1, "description": f"maximum {10**30}"}),
            id="large_number",
        ),
        pytest.param(of(pattern=TEXT, maxLength=TEXT), of(pattern=TEXT, maxLength=TEXT), id="names"),
    ],
)  # fmt: skip
def test_what_a_provider_would_refuse_is_made_plain(given: dict[str, Any], shown: dict[str, Any]) -> None:
    made = for_models(given)
    assert made == shown
    jsonschema.Draft202012Validator.check_schema(made)


def test_a_root_that_refers_to_itself_ends() -> None:
    made = for_models({**of(a={"$ref": "#"}), "anyOf": [{"$ref": "#"}]})
    assert set(made) == {"type", "properties", "$defs"}
    assert set(references(made)) == {"#/$defs/part"}
    jsonschema.Draft202012Validator.check_schema(made)


def test_a_plain_schema_is_shown_as_it_is() -> None:
    schema = of(path={"type": "string", "description": "Where."}, many={"type": "array", "items": TEXT}) | {
        "required": ["path"],
        "additionalProperties": False,
        "description": "All of it.",
    }
    assert for_models(schema) == schema


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            if key == "$ref":
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from references(inner)
