"""`/openapi.json`, made from the routes, what each answers, and the events; made when somebody asks for it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from aster_sidecar import __version__
from aster_sidecar.contract import wire
from aster_sidecar.http.websocket import PAYLOADS

REFUSALS = {
    "400": "malformed",
    "401": "no or wrong token",
    "403": "refused by the gate or by policy",
    "404": "no such thing",
    "405": "no such method",
    "409": "conflict",
    "410": "too late",
    "413": "body too large",
    "415": "not application/json",
    "421": "wrong Host",
    "422": "wrong shape",
    "429": "a limit was reached",
    "500": "a bug",
    "502": "the provider could not be asked, or refused",
    "503": "stopping, or the store cannot be used",
}
TEMPLATE = "#/components/schemas/{model}"


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document. Every answer is in the envelope but /health's; events are components and the SSE answer.

    A WebSocket is no OpenAPI operation; its message, its payloads and `Subscribed` are components as well.
    """
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    document = get_openapi(
        title="Aster Sidecar",
        version=__version__,
        summary="The local agent daemon that a desktop app ships inside itself.",
        description="docs/protocol.md has the semantics.",
        routes=app.routes,
    )
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((shape, "serialization") for shape in (*wire.EVENTS.values(), wire.Failure, wire.Subscribed)),
        *((shape, "validation") for shape in (wire.SocketMessage, *PAYLOADS.values())),
    ]
    _, definitions = models_json_schema(wanted, ref_template=TEMPLATE)
    schemas.update(definitions["$defs"])
    for name, shape in wire.EVENTS.items():
        schemas[f"{name}_event"] = envelope(name, shape.__name__)
    schemas["Event"] = {
        "oneOf": [{"$ref": TEMPLATE.format(model=f"{name}_event")} for name in wire.EVENTS],
        "discriminator": {
            "propertyName": "type",
            "mapping": {name: TEMPLATE.format(model=f"{name}_event") for name in wire.EVENTS},
        },
    }
    for route in routes:
        for method in sorted(route.methods or ()):
            operation: dict[str, Any] = document["paths"][route.path_format][method.lower()]
            operation["responses"] = {"200": success(route, schemas), **refusals()}
            operation["operationId"] = route.name if method != "PUT" else f"{route.name}_put"
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)  # FastAPI's own refusals, which never come: ours are in the envelope
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{}, {"token": []}]
    return document


def envelope(name: str, shape: str) -> dict[str, Any]:
    """What an event travels in."""
    unjournaled = name in wire.UNJOURNALED
    text = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    return {
        "title": name,
        "type": "object",
        "required": ["type", "agent_id", "session_id", "turn_id", "seq", "time", "data"],
        "properties": {
            "type": {"const": name, "type": "string"},
            "agent_id": text,
            "session_id": text,
            "turn_id": text,
            "seq": {"type": "null"} if unjournaled else {"type": "integer"},
            "time": {"type": "string", "format": "date-time"},
            "data": {"$ref": TEMPLATE.format(model=shape)},
        },
    }


def success(route: APIRoute, schemas: dict[str, Any]) -> dict[str, Any]:
    """The 200 answer of a route."""
    shape = getattr(route.endpoint, "answers", None)
    if route.path == "/api/events":
        schema: dict[str, Any] = {"$ref": TEMPLATE.format(model="Event")}
        return {
            "description": "each SSE frame's data is one Event",
            "content": {"text/event-stream": {"schema": schema}},
        }
    if route.path == "/api/diagnostics/{name}":
        return {
            "description": "the bundle",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    if shape is None:
        return {"description": "OK", "content": {"application/json": {"schema": {"type": "object"}}}}
    schema = TypeAdapter(shape).json_schema(ref_template=TEMPLATE, mode="serialization")
    schemas.update(schema.pop("$defs", {}))
    if isinstance(shape, type) and issubclass(shape, wire.Model):
        schemas[shape.__name__] = schema
        schema = {"$ref": TEMPLATE.format(model=shape.__name__)}
    if shape is not wire.Health:
        data = {"id": {"type": "string"}, "success": {"const": True, "type": "boolean"}, "data": schema}
        if getattr(route.endpoint, "may_lack", False):
            data["warnings"] = {"type": "array", "items": {"$ref": TEMPLATE.format(model="Warning")}}
        schema = {"type": "object", "required": ["id", "success", "data"], "properties": data}
    return {"description": "OK", "content": {"application/json": {"schema": schema}}}


def refusals() -> dict[str, Any]:
    """What every route may refuse with."""
    content = {"application/json": {"schema": {"$ref": TEMPLATE.format(model="Failure")}}}
    return {status: {"description": words, "content": content} for status, words in REFUSALS.items()}
