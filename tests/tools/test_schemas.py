"""Schemas of tools as models get them: no schema makes a provider refuse a request."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

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
            of(a={"type": "array", "items": TEXT | {"maxLength": 101}, "minItems": 3000, "maxItems": 100}),
            of(a={"type": "array", "items": TEXT | {"description": "maxLength 101"}, "maxItems": 100,
                  "description": "minItems 3000"}),
            id="items",
        ),
        pytest.param(
            of(a=TEXT | {"not": {"pattern": "abc"}, "if": {"minLength": 101}, "then": {"const": "b"}, "else": False}),
            of(a=TEXT),
            id="not",
        ),
        pytest.param(
            of(a={"oneOf": [TEXT | {"pattern": "^a"}, TEXT | {"pattern": "^b"}]}),
            of(a={"anyOf": [TEXT | {"description": "pattern ^a"}, TEXT | {"description": "pattern ^b"}]}),
            id="one_of_below",
        ),
        pytest.param(
            of(a={"type": "integer", "minimum": -1, "maximum": 10**30}),
            of(a={"type": "integer", "minimum": -1, "description": f"maximum {10**30}"}),
            id="large_number",
        ),
        pytest.param(
            of(a={"type": "number", "default": math.inf, "enum": [1, math.nan], "maximum": math.inf}),
            of(a={"type": "number", "enum": [1]}),
            id="infinite",
        ),
        pytest.param(of(a={"enum": [math.inf]}), of(a={}), id="only_infinite"),
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


WORDS = {
    "type": st.sampled_from(["string", "integer", "array", "object"]),
    "minLength": st.sampled_from([1, 2, 101]),
    "maxLength": st.sampled_from([1, 2, 101]),
    "maxItems": st.sampled_from([1, 101]),
    "minimum": st.sampled_from([0, 1, 10**30]),
    "pattern": st.sampled_from(["^a", "b$"]),
    "enum": st.just(["a", "ab", 1]),
    "required": st.just(["k"]),
    "minContains": st.just(0),
    "maxContains": st.just(1),
    "uniqueItems": st.booleans(),
}
SCHEMAS = st.recursive(
    st.fixed_dictionaries({}, optional=WORDS),
    lambda inner: st.fixed_dictionaries(
        {},
        optional=WORDS
        | dict.fromkeys(
            ["items", "contains", "not", "if", "then", "else", "additionalProperties", "propertyNames"], inner
        )
        | dict.fromkeys(["anyOf", "allOf", "oneOf", "prefixItems"], st.lists(inner, min_size=1, max_size=2))
        | dict.fromkeys(["properties", "patternProperties", "dependentSchemas"], st.fixed_dictionaries({"k": inner})),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from(["", "a", "ab", "b", "a" * 101, 0, 1, 10**30, None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["k", "ka", "a"]), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(SCHEMAS, VALUES)
def test_the_simpler_schema_accepts_all_that_the_given_one_does(inner: dict[str, Any], value: Any) -> None:
    schema = of(a=inner)
    assume(jsonschema.Draft202012Validator(schema).is_valid({"a": value}))
    assert jsonschema.Draft202012Validator(for_models(schema)).is_valid({"a": value})


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
