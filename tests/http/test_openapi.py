"""/openapi.json describes what the daemon does: valid, complete, and correct for every golden message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias, cast, get_args

import pytest
from fastapi.routing import APIRoute
from jsonschema_rs import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from aster_sidecar import errors
from aster_sidecar.contract import wire
from aster_sidecar.http.openapi import describe
from aster_sidecar.http.routes.all import ROUTES as ALL
from aster_sidecar.http.websocket import PAYLOADS
from tests.contract.test_wire import ANSWERS, EVENTS, FILES, REQUESTS, files_of, golden, model_of, shape_of

Json: TypeAlias = Any
ROUTES = [route for route in ALL if isinstance(route, APIRoute)]
OPERATIONS = [(method, route) for route in ROUTES for method in sorted(route.methods or ())]
NAMED = [f"{method} {route.path}" for method, route in OPERATIONS]
UNWRAPPED = {"/health", "/openapi.json", "/api/events", "/api/diagnostics/{name}"}


def document() -> Json:
    """The document, as clients get it."""
    return json.loads(json.dumps(describe(ALL)))


DOCUMENT = document()


def operation(method: str, path: str) -> Json:
    return DOCUMENT["paths"][path][method.lower()]


def walk(value: Json, place: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every (place, key, value) in the document."""
    if isinstance(value, dict):
        for key, member in cast(dict[str, Any], value).items():
            yield place, key, member
            yield from walk(member, f"{place}/{key}")
    elif isinstance(value, list):
        for number, member in enumerate(cast(list[Any], value)):
            yield from walk(member, f"{place}/{number}")


def resolve(pointer: str) -> Json:
    """What a `#/…` reference points at. Raises: KeyError."""
    found: Json = DOCUMENT
    for step in pointer.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def problems(schema: Json, value: Json) -> list[str]:
    """The errors of a value, checked against one of the document's schemas."""
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(value)]


def sole_schema(content: Json, media_type: str = "application/json") -> Json:
    """The schema of a body that has only one media type."""
    assert list(content) == [media_type]
    return content[media_type]["schema"]


# -- the document itself -----------------------------------------------------------------------------------------------


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert [error.message for error in Draft202012Validator(OPENAPI_31).iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_component_is_a_valid_schema(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema)


def test_every_reference_resolves() -> None:
    references = {value for _, key, value in walk(DOCUMENT) if key == "$ref"}
    assert references
    for pointer in references:
        assert pointer.startswith("#/components/schemas/")
        assert resolve(pointer)
    for pointer in resolve("#/components/schemas/Event")["discriminator"]["mapping"].values():
        assert resolve(pointer)


def test_every_endpoint_and_no_other_is_described() -> None:
    described = {f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == set(NAMED)


def test_operation_ids_name_one_operation_each() -> None:
    ids = [operation(method, route.path)["operationId"] for method, route in OPERATIONS]
    assert sorted(set(ids)) == sorted(ids)


def test_every_operation_is_in_one_of_the_groups() -> None:
    groups = {tag["name"] for tag in DOCUMENT["tags"]}
    used = [operation(method, route.path)["tags"] for method, route in OPERATIONS]
    assert all(len(tags) == 1 for tags in used)
    assert {tags[0] for tags in used} == groups
    assert all(tag["description"] for tag in DOCUMENT["tags"])


def test_the_document_says_where_the_daemon_is_and_its_licence() -> None:
    assert [server["url"] for server in DOCUMENT["servers"]] == ["http://127.0.0.1:{port}"]
    assert DOCUMENT["info"]["license"] == {"name": "MIT", "identifier": "MIT"}


def test_the_members_of_a_union_are_told_apart_by_a_property_that_each_must_have() -> None:
    unions = [value for _, _, value in walk({"all": DOCUMENT}) if isinstance(value, dict) and "oneOf" in value]
    assert len(unions) >= 2
    for union in unions:
        name = union["discriminator"]["propertyName"]
        members = [resolve(member["$ref"]) for member in union["oneOf"]]
        assert all(name in member["required"] for member in members)
        values = [member["properties"][name]["const"] for member in members]
        assert len(set(values)) == len(values)


def test_titles_name_one_component_each() -> None:
    titles = [schema["title"] for schema in DOCUMENT["components"]["schemas"].values() if "title" in schema]
    assert sorted(set(titles)) == sorted(titles)


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "route"), OPERATIONS, ids=NAMED)
def test_an_operation_describes_its_body_and_parameters(method: str, route: APIRoute) -> None:
    described = operation(method, route.path)
    given = {(entry["in"], entry["name"].lower()) for entry in described.get("parameters", [])}
    expected = {("query", field.alias) for field in route.dependant.query_params}
    expected |= {("header", field.alias.lower()) for field in route.dependant.header_params}
    expected |= {("path", name) for name in re.findall(r"\{(\w+)\}", route.path)}
    assert given == expected
    upload = route.path == "/api/attachments"
    assert ("requestBody" in described) == (route.body_field is not None or upload)
    if upload:
        assert sole_schema(described["requestBody"]["content"], "application/octet-stream")["format"] == "binary"
    if route.body_field is not None:
        assert described["requestBody"]["required"] is True
        reference = sole_schema(described["requestBody"]["content"])["$ref"]
        assert reference.rpartition("/")[2] in REQUESTS
    assert described["summary"]
    assert described["description"]


def test_every_request_is_the_body_of_some_operation_or_a_part_of_one() -> None:
    bodies = {
        sole_schema(operation(method, route.path)["requestBody"]["content"])["$ref"].rpartition("/")[2]
        for method, route in OPERATIONS
        if route.body_field is not None
    }
    over_the_socket = {payload.__name__ for payload in PAYLOADS.values()} | {"SocketMessage"}
    schemas = [DOCUMENT["components"]["schemas"][body] for body in bodies]
    parts = {value.rpartition("/")[2] for schema in schemas for _, key, value in walk(schema) if key == "$ref"}
    assert bodies | over_the_socket | (parts & REQUESTS.keys()) == REQUESTS.keys()
    assert over_the_socket <= DOCUMENT["components"]["schemas"].keys()


@pytest.mark.parametrize("name", files_of(*REQUESTS))
def test_a_golden_request_fits_its_schema_and_an_unknown_field_does_not(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{model_of(name)}"}
    assert problems(schema, golden(name)) == []
    assert problems(schema, {**golden(name), "no_such_field": 1})


# -- responses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "route"), OPERATIONS, ids=NAMED)
def test_an_operation_describes_its_answer_and_its_refusals(method: str, route: APIRoute) -> None:
    responses = operation(method, route.path)["responses"]
    statuses = {str(error.status) for error in refusals(errors.AsterError)}
    assert statuses - responses.keys() == set()
    for status, response in responses.items():
        assert response["description"]
        if status != "200":
            assert sole_schema(response["content"]) == {"$ref": "#/components/schemas/Failure"}
    if route.path == "/api/events":
        assert sole_schema(responses["200"]["content"], "text/event-stream") == {"$ref": "#/components/schemas/Event"}
        return
    if route.path == "/api/attachments/{attachment_id}":
        assert sole_schema(responses["200"]["content"], "application/octet-stream")["format"] == "binary"
        return
    if route.path == "/api/diagnostics/{name}":
        assert sole_schema(responses["200"]["content"], "application/zip")["format"] == "binary"
        return
    schema = sole_schema(responses["200"]["content"])
    if route.path not in UNWRAPPED:
        assert schema["required"] == ["id", "success", "data"]
        assert schema["properties"]["data"].keys() & {"$ref", "items"}


def refusals(base: type[errors.AsterError]) -> Iterator[type[errors.AsterError]]:
    """Every error that a request can be refused with."""
    yield base
    for child in base.__subclasses__():
        if child.__module__.startswith("aster_sidecar") and child is not errors.ModelError:
            yield from refusals(child)


def golden_answers() -> list[tuple[str, str, str]]:
    """(method, path, golden file) for every operation and each golden file of its answer."""
    found: list[tuple[str, str, str]] = []
    for method, route in OPERATIONS:
        shape: Any = getattr(route.endpoint, "answers", None)
        model = get_args(shape)[0] if get_args(shape) else shape
        for name in files_of(model.__name__) if model is not None else ():
            if model is wire.Health or shape_of(name) == shape:
                found.append((method, route.path, name))
    return found


@pytest.mark.parametrize(("method", "path", "name"), golden_answers())
def test_a_golden_answer_fits_the_schema_of_its_operation(method: str, path: str, name: str) -> None:
    schema = sole_schema(operation(method, path)["responses"]["200"]["content"])
    assert problems(schema, golden(name)) == []
    assert problems(schema, {"id": "req_1", "success": False, "error": "no", "code": "not_found"})


def test_every_golden_answer_is_checked() -> None:
    assert {name for _, _, name in golden_answers()} == set(files_of(*ANSWERS)) - {"Subscribed"}  # a WebSocket answer


@pytest.mark.parametrize("name", files_of("Failure"))
def test_a_golden_refusal_fits_its_schema(name: str) -> None:
    assert problems({"$ref": "#/components/schemas/Failure"}, golden(name)) == []


# -- events ------------------------------------------------------------------------------------------------------------


def test_every_event_type_is_a_component_and_part_of_the_stream() -> None:
    event = resolve("#/components/schemas/Event")
    listed = {f"#/components/schemas/{kind}_event" for kind in wire.EVENTS}
    assert {entry["$ref"] for entry in event["oneOf"]} == listed
    assert event["discriminator"]["mapping"] == {kind: f"#/components/schemas/{kind}_event" for kind in wire.EVENTS}
    for kind, model in wire.EVENTS.items():
        envelope = resolve(f"#/components/schemas/{kind}_event")
        assert envelope["properties"]["type"]["const"] == kind
        assert envelope["properties"]["data"] == {"$ref": f"#/components/schemas/{model.__name__}"}


@pytest.mark.parametrize("name", files_of(*EVENTS))
def test_a_golden_event_fits_its_schema_and_no_other(name: str) -> None:
    body = golden(name)
    assert problems({"$ref": "#/components/schemas/Event"}, body) == []
    assert problems({"$ref": "#/components/schemas/Event"}, {**body, "type": "no_such_event"})
    assert problems({"$ref": "#/components/schemas/Event"}, {key: body[key] for key in body if key != "data"})


def test_no_golden_file_is_left_out() -> None:
    assert {model_of(name) for name in FILES} == {*REQUESTS, *EVENTS, *ANSWERS, "Failure"}
