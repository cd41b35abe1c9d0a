"""Questions of MCP servers as forms: what can be asked, what is refused, and that nothing breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_sidecar.asking.forms import wrong_with
from aster_sidecar.tools.base import QuestionEnd

pytest.importorskip("mcp")

from mcp.types import ElicitRequestFormParams, ElicitRequestURLParams

from aster_sidecar.contract.questions import QuestionField
from aster_sidecar.tools.mcp.elicitation import Unaskable, form_of, result_of


def fields(message: str = "?", required: list[str] | None = None, **properties: Any) -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": properties, "required": required or []}
    form = form_of(ElicitRequestFormParams(message=message, requested_schema=schema), "desk")
    return [field.model_dump(exclude_defaults=True) for field in form.fields]


def refusal(message: str = "?", **properties: Any) -> str:
    with pytest.raises(Unaskable) as refused:
        fields(message, **properties)
    return str(refused.value)


def address(url: str) -> str | None:
    return form_of(ElicitRequestURLParams(message="?", url=url), "desk").url


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"type": "string"}, {"kind": "text"}),
        ({"type": "string", "minLength": 2, "maxLength": 9.0}, {"kind": "text", "min_length": 2, "max_length": 9}),
        ({"type": "string", "maxLength": 10**30}, {"kind": "text"}),
        (
            {"type": "string", "format": "email", "default": "a@b"},
            {"kind": "text", "format": "email", "default": "a@b"},
        ),
        ({"type": "string", "default": "", "pattern": "^a"}, {"kind": "text"}),
        (
            {"type": "integer", "minimum": 1, "maximum": 3},
            {"kind": "number", "whole": True, "minimum": 1, "maximum": 3},
        ),
        ({"type": "number", "default": 0.5}, {"kind": "number", "default": 0.5}),
        ({"type": "boolean", "default": False}, {"kind": "boolean", "default": False}),
        (
            {"type": "string", "enum": ["x", "y"], "default": "y"},
            {"kind": "choice", "options": ["x", "y"], "default": "y"},
        ),
        (
            {"enum": ["x", "y"], "enumNames": ["Ex", "Why"]},
            {"kind": "choice", "options": ["x", "y"], "labels": ["Ex", "Why"]},
        ),
        (
            {"type": "string", "oneOf": [{"const": "x", "title": "Ex"}, {"const": "y"}]},
            {"kind": "choice", "options": ["x", "y"], "labels": ["Ex", "y"]},
        ),
        (
            {"type": "array", "items": {"anyOf": [{"const": "x", "title": "Ex"}]}, "minItems": 1, "default": ["x"]},
            {"kind": "multi", "options": ["x"], "labels": ["Ex"], "min_length": 1, "default": ["x"]},
        ),
        (
            {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "maxItems": 1},
            {"kind": "multi", "options": ["x", "y"], "max_length": 1},
        ),
    ],
)
def test_each_kind_of_field(told: dict[str, Any], field: dict[str, Any]) -> None:
    assert fields(a=told) == [{"id": "a", "text": "a", "required": False, **field}]
    assert fields(required=["a", "unknown"], a=told) == [{"id": "a", "text": "a", **field}]


def test_titles_and_descriptions_are_shown_and_visible() -> None:
    told = {"type": "string", "title": "Your\u202ename", "description": "As\nit is written"}
    assert fields(a=told)[0]["text"] == "Your\u2039U+202E\u203aname: As\u2039U+000A\u203ait is written"
    form = form_of(
        ElicitRequestFormParams(message="x\u202e" * 5000, requested_schema={"type": "object", "properties": {}}), "d"
    )
    assert (len(form.reason) <= 2001, "\u202e" in form.reason, form.server) == (True, False, "d")
    assert len(fields(a={"type": "string", "description": "x" * 10_000})[0]["text"]) < 1100


def test_two_options_never_look_the_same() -> None:
    told = {"oneOf": [{"const": "keep", "title": "Yes"}, {"const": "delete", "title": "Yes"}]}
    assert fields(a=told)[0]["labels"] == ["Yes (keep)", "Yes (delete)"]
    assert fields(a={"enum": ["a\u200b", "a"]})[0]["labels"] == ["a\u2039U+200B\u203a", "a"]


@pytest.mark.parametrize(
    "told",
    [
        None,
        "string",
        {},
        {"type": "object", "properties": {}},
        {"type": ["string", "null"]},
        {"type": "null"},
        {"$ref": "#/$defs/A"},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": "string", "allOf": []},
        {"type": "string", "format": "hostname"},
        {"type": "string", "format": ["email"]},
        {"type": "string", "title": 5},
        {"type": "string", "default": 5},
        {"type": "string", "minLength": -1},
        {"type": "string", "minLength": True},
        {"type": "string", "minLength": 5, "maxLength": 4},
        {"type": "string", "minLength": 10**9},
        {"type": "string", "default": "long", "maxLength": 2},
        {"type": "integer", "minimum": "1"},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "number", "minimum": 10**400},
        {"type": "number", "maximum": float("nan")},
        {"type": "integer", "default": 1.5},
        {"type": "integer", "enum": [1, 2]},
        {"type": "boolean", "default": "yes"},
        {"type": "string", "enum": []},
        {"type": "string", "enum": ["a", "a"]},
        {"type": "string", "enum": ["", "a"]},
        {"type": "string", "enum": [1]},
        {"type": "string", "enum": "ab"},
        {"type": "string", "enum": ["a"], "enumNames": []},
        {"type": "string", "enum": ["a"], "default": "b"},
        {"type": "string", "enum": [str(n) for n in range(51)]},
        {"type": "string", "enum": ["x" * 1001]},
        {"type": "string", "oneOf": {"const": "a"}},
        {"type": "string", "oneOf": ["a"]},
        {"type": "string", "oneOf": [{"title": "A"}]},
        {"type": "string", "oneOf": [{"const": 1}]},
        {"type": "array"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "array", "items": {"enum": ["a"]}, "default": ["b"]},
        {"type": "array", "items": {"enum": ["a"]}, "minItems": 2, "maxItems": 1},
    ],
)
def test_a_field_outside_of_the_subset_is_refused(told: Any) -> None:
    assert refusal(a=told).startswith("a: ")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {}, "required": "a"},
        {"type": "object", "properties": {}, "required": [1]},
        {"type": "object", "properties": {"": {"type": "string"}}},
        {"type": "object", "properties": {"a\u202e": {"type": "string"}}},
        {"type": "object", "properties": {"x" * 201: {"type": "string"}}},
        {"type": "object", "properties": {f"f{n}": {"type": "boolean"} for n in range(11)}},
        {
            "type": "object",
            "properties": {
                f"f{n}": {"type": "string", "enum": [f"{m}" + "x" * 900 for m in range(50)]} for n in range(10)
            },
        },
    ],
)
def test_a_form_outside_of_the_subset_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(Unaskable):
        form_of(ElicitRequestFormParams(message="?", requested_schema=schema), "desk")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("password", {"type": "string"}),
        ("PassWord2", {"type": "string"}),
        ("pass-word", {"type": "string"}),
        ("db_pwd", {"type": "string"}),
        ("api_key", {"type": "string"}),
        ("apiKey", {"type": "string"}),
        ("apikeys", {"type": "string"}),
        ("accesstoken", {"type": "string"}),
        ("githubPat", {"type": "string"}),
        ("pin", {"type": "integer"}),
        ("a", {"type": "string", "title": "Your API key"}),
        ("a", {"type": "string", "description": "the secret that you got by mail"}),
        ("a", {"type": "string", "title": "pass\u200bword"}),
        ("a", {"type": "string", "title": "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44"}),
        ("a", {"type": "string", "title": "Ваш пароль"}),
        ("a", {"type": "string", "format": "password"}),
        ("a", {"type": "string", "writeOnly": True}),
        ("a", {"type": "boolean", "writeOnly": True}),
    ],
)
def test_a_secret_is_never_asked_for(name: str, told: dict[str, Any]) -> None:
    assert "must not ask for a secret" in refusal("?", **{name: told})


def test_a_message_that_asks_for_a_secret_is_refused() -> None:
    assert "must not ask for a secret" in refusal("Please enter your password:", a={"type": "string"})
    assert "must not ask for a secret" in refusal("Paste the API-key", a={"type": "string"})
    assert fields("Reset your password?", a={"type": "boolean"})  # no secret can be typed there


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("author", {"type": "string", "title": "Author", "description": "The authors of the keynote"}),
        ("monkey", {"type": "string", "description": "a private keyboard"}),
        ("private", {"type": "boolean"}),
        ("token", {"type": "string", "enum": ["BTC", "ETH"]}),
        ("patience", {"type": "string", "title": "Pat"}),
        ("shipping", {"type": "string"}),
    ],
)
def test_what_is_no_secret_is_asked(name: str, told: dict[str, Any]) -> None:
    assert fields("?", None, **{name: told})[0]["id"] == name


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/a?b=%41#c", "https://example.com/a?b=%41#c"),
        ("https://EXAMPLE.com:8443/A", "https://example.com:8443/A"),
        ("http://localhost:3000/cb", "http://localhost:3000/cb"),
        ("http://127.8.0.1/", "http://127.8.0.1/"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("https://ex\u0430mple.com/", "https://xn--exmple-4nf.com/"),
        ("https://example.com/\u202egnp.\u00fc", "https://example.com/%E2%80%AEgnp.%C3%BC"),
    ],
)
def test_an_address_is_shown_exactly(url: str, shown: str) -> None:
    assert address(url) == shown
    assert form_of(ElicitRequestURLParams(message="?", url=url), "desk").fields == ()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "http://example.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "https://",
        "https:///path",
        "https://me@example.com/",
        "https://me:pass@example.com/",
        "https://example.com\\@evil.com/",
        "https://exam ple.com/",
        "https://example.com/\n",
        "https://example.com/a\tb",
        "https://example.com:port/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://" + "a" * 70 + "\u00fc.com/",
        "https://example.com/" + "a" * 4000,
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,hi",
        "ftp://example.com/",
        "//example.com/",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(Unaskable):
        address(url)


def test_ends_of_questions_in_the_words_of_the_protocol() -> None:
    def told(outcome: Any, answers: dict[str, Any] | None = None, *, url: bool = False) -> dict[str, Any]:
        result = result_of(QuestionEnd("", outcome, answers or {}, "a note"), url=url)
        return result.model_dump(by_alias=True, exclude_none=True, mode="json")

    accepted = told("answered", {"n": 3.0, "m": 2.5, "b": True, "t": "3.0", "l": ["a"]})
    assert json.dumps(accepted["content"]) == '{"n": 3, "m": 2.5, "b": true, "t": "3.0", "l": ["a"]}'
    assert told("answered", url=True) == {"action": "accept"}
    assert told("answered")["content"] == {}
    assert [told(one)["action"] for one in ("declined", "expired", "cancelled")] == ["decline", "cancel", "cancel"]


texts = st.text(max_size=12) | st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "\u202e"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)
KEYWORDS = ("type", "title", "description", "default", "enum", "enumNames", "oneOf", "anyOf", "items", "format")
LIMITS = ("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "writeOnly", "$ref")
properties = st.fixed_dictionaries({}, optional=dict.fromkeys((*KEYWORDS, *LIMITS), values))
shaped = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", "number", "integer", "boolean"])},
        optional={**dict.fromkeys(LIMITS, st.integers() | scalars), "default": scalars, "title": texts},
    ),
    st.fixed_dictionaries({"enum": st.lists(texts, max_size=5)}, optional={"enumNames": st.lists(texts, max_size=5)}),
)
schemas = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(texts, properties | shaped | values, max_size=4)},
    optional={"required": st.lists(texts, max_size=3) | values, "title": values, "description": values},
) | st.dictionaries(texts, values, max_size=4)


@given(schema=schemas, message=st.text(max_size=20))
def test_whatever_a_server_asks_is_a_form_or_refused(schema: dict[str, Any], message: str) -> None:
    try:
        form = form_of(ElicitRequestFormParams(message=message, requested_schema=schema), "desk")
    except Unaskable:
        return
    assert wrong_with(form.fields) is None
    kept = json.loads(json.dumps([field.model_dump(exclude_defaults=True) for field in form.fields]))
    assert [QuestionField.model_validate(one) for one in kept] == list(form.fields)
    assert all(field.text for field in form.fields)


@given(
    url=st.text(max_size=30)
    | st.text(max_size=20).map("https://{}".format)
    | st.text(max_size=9).map("https://a.b/{}".format)
)
def test_whatever_address_a_server_names_is_safe_or_refused(url: str) -> None:
    try:
        shown = address(url)
    except Unaskable:
        return
    assert shown is not None
    assert shown.isascii()
    assert shown.isprintable()
    assert " " not in shown
    assert shown.startswith(("https://", "http://localhost", "http://127.", "http://[::1]"))
    assert address(shown) == shown
