"""Builds `/openapi.json` from the routes, their answers and the events, at the first request for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.routing import BaseRoute

from aster_sidecar import __version__
from aster_sidecar.contract import wire
from aster_sidecar.http.websocket import PAYLOADS

REFUSALS = {
    "400": "malformed",
    "401": "token missing or wrong",
    "403": "refused by the gate or by policy",
    "404": "not found",
    "405": "method not allowed",
    "409": "conflict",
    "410": "expired",
    "413": "body too large",
    "415": "not application/json",
    "421": "wrong Host",
    "422": "invalid request fields",
    "429": "a limit was reached",
    "500": "a bug in the daemon",
    "502": "the provider is unreachable or refused the request",
    "503": "the daemon is stopping, or the store cannot be used",
}
TAGS = [
    {"name": "daemon", "description": "Health, shutdown, and this document."},
    {"name": "conversations", "description": "Messages, turns, sessions and their history."},
    {"name": "attachments", "description": "Files that people attach to messages."},
    {"name": "changes", "description": "What tools changed in files, and undoing it."},
    {"name": "policy", "description": "Approvals, permission rules, and dry-run checks of tool calls."},
    {"name": "questions", "description": "Questions to a person, and the inbox of all that waits for one."},
    {"name": "audit", "description": "The record of decisions about tool calls."},
    {"name": "settings", "description": "Settings, agents, tools, models and provider keys."},
    {"name": "projects", "description": "Folders, and trust in the projects in them."},
    {"name": "events", "description": "The event stream."},
    {"name": "companion", "description": "The snapshot, notifications, focus, feature flags and onboarding."},
    {"name": "services", "description": "Services and diagnostics bundles."},
    {"name": "mcp", "description": "MCP servers: their settings, their state, and what they offer."},
    {"name": "hosts", "description": "Hosts: programs that lend tools to agents, and answer their calls."},
    {"name": "page", "description": "The web page and browser sign-in."},
]
"""The groups of operations. Each has a tag and a module in http/routes/."""
TEMPLATE = "#/components/schemas/{model}"


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The OpenAPI document of these routes. All answers except /health's are in the envelope; events are components.

    OpenAPI can't describe a WebSocket: its message, its payloads and `Subscribed` are included as components.
    """
    document = get_openapi(
        title="Aster Sidecar",
        version=__version__,
        summary="The local agent daemon that a desktop app ships inside itself.",
        description="docs/protocol.md has the semantics.",
        routes=routes,
        tags=TAGS,
        servers=[
            {
                "url": "http://127.0.0.1:{port}",
                "description": "the daemon, on this machine only",
                "variables": {"port": {"default": "8080", "description": "see docs/protocol.md, section 1"}},
            }
        ],
        license_info={"name": "MIT", "identifier": "MIT"},
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
        if not isinstance(route, APIRoute):
            continue
        for method in sorted(route.methods or ()):
            operation: dict[str, Any] = document["paths"][route.path_format][method.lower()]
            operation["responses"] = {"200": success(route, schemas), **refusals()}
            operation["operationId"] = route.name if method != "PUT" else f"{route.name}_put"
    require_discriminators(schemas)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)  # FastAPI's error shapes, which are not used: errors are in the envelope
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{}, {"token": []}]
    return document


def require_discriminators(schemas: dict[str, Any]) -> None:
    """Make the discriminator property of each union required in all its members, because it is always sent."""
    for union in found(schemas):
        name = union["discriminator"]["propertyName"]
        for member in union["oneOf"]:
            shape = schemas[member["$ref"].rpartition("/")[2]]
            if name not in shape.setdefault("required", []):
                shape["required"].insert(0, name)


def found(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema with a discriminator within `value`."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if isinstance(members.get("discriminator"), dict):
            yield members
        for member in members.values():
            yield from found(member)
    elif isinstance(value, list):
        for member in cast("list[Any]", value):
            yield from found(member)


def envelope(name: str, shape: str) -> dict[str, Any]:
    """The schema of an event's envelope."""
    unjournaled = name in wire.UNJOURNALED
    text = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    return {
        "title": f"{name} envelope",
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
    """The description of a route's 200 answer."""
    shape = getattr(route.endpoint, "answers", None)
    if route.path == "/api/events":
        schema: dict[str, Any] = {"$ref": TEMPLATE.format(model="Event")}
        return {
            "description": "the data of each SSE frame is one Event",
            "content": {"text/event-stream": {"schema": schema}},
        }
    if route.path == "/api/attachments/{attachment_id}":
        return {
            "description": "the file",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
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
    """The error answers that every route may give."""
    content = {"application/json": {"schema": {"$ref": TEMPLATE.format(model="Failure")}}}
    return {status: {"description": words, "content": content} for status, words in REFUSALS.items()}
