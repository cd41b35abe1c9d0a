"""The arguments of an MCP tool are checked against its server's schema."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from pydantic import ValidationError

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.mcp.definitions import Definition, arguments_model, schema_check

pytest.importorskip("mcp")


def test_the_digest_changes_with_each_part() -> None:
    plain = Definition("t", "does", {"type": "object"})
    others = (
        Definition("u", "does", {"type": "object"}),
        Definition("t", "does more", {"type": "object"}),
        Definition("t", "does", {"type": "object", "required": ["a"]}),
    )
    assert len({plain.digest, *(other.digest for other in others)}) == 4
    assert plain.digest == Definition("t", "does", {"type": "object"}).digest


def test_arguments_are_checked_against_the_schema_of_the_server() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "depth": {"type": "integer", "minimum": 1},
            "word": {"pattern": "^(a+)+$"},
            "o": {"$ref": "#/$defs/o"},
        },
        "required": ["depth"],
        "additionalProperties": False,
        "$defs": {"o": {"type": "object", "required": ["k"]}},
    }
    model = arguments_model(Definition("t", "", schema))
    word = {"description": "pattern ^(a+)+$"}
    assert model.model_json_schema() == schema | {"properties": schema["properties"] | {"word": word}}
    began = time.monotonic()
    given = {"depth": 2, "word": "a" * 60 + "!", "o": {"k": None}}
    assert model.model_validate(given).model_dump(mode="json", exclude_unset=True) == given
    assert time.monotonic() - began < 20, "a server's regular expression blocked the daemon"
    for wrong, said in (
        ({}, "'depth' is a required property"),
        ({"depth": 0}, "depth: 0 is less than the minimum of 1"),
        ({"depth": 1, "x": 1}, "'x' was unexpected"),
        ({"depth": 1, "o": {}}, "o: 'k' is a required property"),
    ):
        with pytest.raises(ValidationError, match=said):
            model.model_validate(wrong)


def test_nothing_is_fetched_for_a_schema() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/s.json"
        model = arguments_model(Definition("t", "", {"type": "object", "properties": {"a": {"$ref": url}}}))
        model.model_validate({"a": 1})
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(ToolError, match="schema is not valid"):
        arguments_model(Definition("t", "", {"type": "objekt"}))


def test_a_reference_that_leads_nowhere_is_left_to_the_server() -> None:
    check = schema_check({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}})
    assert check({"a": 1}) is None
    assert check([]) == "[] is not of type 'object'"


def test_an_argument_with_a_default_may_be_left_out_even_if_it_is_required() -> None:
    properties = {"scale": {"type": "string", "default": "css"}, "url": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": ["scale", "url"]}
    model = arguments_model(Definition("shot", "", schema))
    assert model.model_validate({"url": "x"}).model_extra == {"url": "x"}
    with pytest.raises(ValidationError, match="'url' is a required property"):
        model.model_validate({"scale": "css"})
