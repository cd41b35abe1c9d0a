"""docs/protocol.md matches the code: whatever one has and the other lacks fails here."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

import pytest
from fastapi.routing import APIRoute

from aster_sidecar import errors
from aster_sidecar.cli import exit_codes as codes
from aster_sidecar.cli import serve_args
from aster_sidecar.cli.command_list import COMMANDS
from aster_sidecar.cli.commands import parser as commands
from aster_sidecar.cli.dispatch import RUN
from aster_sidecar.config.settings import DEFAULT_PORTS, DEFAULTS
from aster_sidecar.contract import wire
from aster_sidecar.contract.wire import SOCKET_PATH
from aster_sidecar.conversation import answer_endings
from aster_sidecar.http import gate
from aster_sidecar.http.routes.all import ROUTES as ALL
from aster_sidecar.http.websocket import CALLS, PAYLOADS
from aster_sidecar.models.catalog import PROVIDERS
from aster_sidecar.models.provider_errors.kinds import KINDS

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "docs" / "protocol.md").read_text("utf-8")
SOURCES = {path: path.read_text("utf-8") for path in sorted((ROOT / "aster_sidecar").rglob("*.py"))}
ROUTES = [route for route in ALL if isinstance(route, APIRoute)]
ENDPOINTS = sorted((method, route.path) for route in ROUTES for method in route.methods or ())
SOCKETS = [("WEBSOCKET", SOCKET_PATH)]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


# -- reading the page --------------------------------------------------------------------------------------------------


def said(text: str) -> set[str]:
    """The words that a text marks as code: every `span`, and each word in it. Code blocks don't count."""
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    return {*spans, *(word for span in spans for word in re.findall(r"[\w*-]+", span))}


def missing(text: str, wanted: Iterable[str]) -> list[str]:
    """The words of `wanted` that the text does not mark as code."""
    return sorted(set(wanted) - said(text))


def section(document: str, title: str) -> str:
    """The text under the heading with `title` (a code span or words), up to the next heading; "" if there is none."""
    for part in re.split(r"^(?=#{2,6} )", document, flags=re.MULTILINE):
        heading = part.partition("\n")[0]
        if heading.startswith("#") and (f"`{title}`" in heading or heading.endswith(f" {title}")):
            return part
    return ""


def rows(text: str) -> dict[str, str]:
    """The rows of the tables in a text, by every code span (or plain number) in their first cell."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        cells = line.split("|")
        if line.startswith("|") and len(cells) > 2:
            for key in re.findall(r"`([^`]+)`|^ *(\d+) *$", cells[1]):
                found.setdefault("".join(key), line)
    return found


def numbers(text: str) -> set[str]:
    """The integers in a text, without thousands commas."""
    return set(re.findall(r"\d+", re.sub(r"(?<=\d),(?=\d{3})", "", text)))


# -- reading the code --------------------------------------------------------------------------------------------------


def models(base: type[Any]) -> Iterator[type[wire.Model]]:
    """All subclasses of a wire model."""
    for child in base.__subclasses__():
        yield child
        yield from models(child)


def error_classes(base: type[errors.AsterError] = errors.AsterError) -> Iterator[type[errors.AsterError]]:
    """All error classes of the package."""
    if base.__module__.startswith("aster_sidecar"):
        yield base
    for child in base.__subclasses__():
        yield from error_classes(child)


def turn_codes() -> set[str]:
    """Every code of a ModelError in the package, and every code for a provider's refusal."""
    codes: set[str] = {kind.code for kind in KINDS.values()}
    for source in SOURCES.values():
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if name in ("ModelError", "model_error", "Failure") and isinstance(first, ast.Constant):
                codes.add(str(first.value))
    return codes


def variables() -> set[str]:
    """Every environment variable that the package uses: its own, the providers', and those read by name."""
    names = {f"ASTER_{key.upper()}" for key in DEFAULTS}
    names |= {name for provider in PROVIDERS.values() for name in (provider.key, provider.base) if name}
    for source in SOURCES.values():
        names |= set(re.findall(r"\bASTER_[A-Z][A-Z_]*[A-Z]\b", source))
        names |= set(re.findall(r"(?:environ|environment)\.(?:get|pop)\(\s*\"(\w+)\"", source))
        names |= set(re.findall(r"(?:environ|environment)\[\"(\w+)\"\]", source))
        names |= set(re.findall(r"\bxdg\(\"(\w+)\"", source))
    return names


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Every flag of a parser and of its subparsers."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    own = {option for action in parser._actions for option in action.option_strings}
    return own.union(*(options(child) for action in below for child in action.choices.values()))


def flags() -> set[str]:
    return options(serve_args.parser()) | options(commands.parser())


def exit_codes() -> dict[str, int]:
    return {name: value for name, value in vars(codes).items() if name.startswith("EXIT_")}


def literals(schema: Any) -> set[str]:
    """Every string that a JSON schema allows: the members of our Literals."""
    found: set[str] = set()
    if isinstance(schema, dict):
        members = cast(dict[str, Any], schema)
        allowed = [*members.get("enum", []), members.get("const")]
        found |= {value for value in allowed if isinstance(value, str)}
        found |= {word for value in members.values() for word in literals(value)}
    elif isinstance(schema, list):
        found |= {word for value in cast(list[Any], schema) for word in literals(value)}
    return found


def request_of(route: APIRoute) -> type[wire.Request] | None:
    """The model of an endpoint's body."""
    for hint in get_type_hints(route.endpoint).values():
        if inspect.isclass(hint) and issubclass(hint, wire.Request):
            return hint
    return None


def asked_in_address(route: APIRoute) -> set[str]:
    """An endpoint's query parameters."""
    return {field.alias for field in route.dependant.query_params}


def answer_of(route: APIRoute) -> type[wire.Model] | None:
    """The model of an endpoint's data, or of the items where the data is a list."""
    shape = getattr(route.endpoint, "answers", None)
    return get_args(shape)[0] if get_args(shape) else shape


# -- endpoints ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint_has_a_section(method: str, path: str) -> None:
    assert section(DOCUMENT, f"{method} {path}"), f"no heading names `{method} {path}`"


def unknown_endpoints(document: str, known: Iterable[tuple[str, str]]) -> list[str]:
    """What a text writes as an endpoint, as `METHOD /path` or /api/…, although there is no such endpoint."""
    known = list(known)
    named = {(method, path) for method, path in re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (/[\w/{}.-]*)", document)}
    bare = {
        path.rstrip(".") for path in re.findall(r"(?<![\w.])(?:127\.0\.0\.1:\w+)?(/(?:api|ws)\b[\w/{}.-]*)", document)
    }

    def exists(method: str | None, path: str) -> bool:
        return any(
            method in (None, other) and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path)
            for other, pattern in known
        )

    unknown = {f"{method} {path}" for method, path in named if not exists(method, path)}
    return sorted(unknown | {path for path in bare if not exists(None, path)})


def test_the_page_names_no_endpoint_that_does_not_exist() -> None:
    assert unknown_endpoints(DOCUMENT, [*ENDPOINTS, *SOCKETS]) == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{min(route.methods)} {route.path}")
def test_an_endpoint_s_section_has_its_fields_and_parameters(route: APIRoute) -> None:
    text = section(DOCUMENT, f"{min(route.methods or {''})} {route.path}")
    request, answer = request_of(route), answer_of(route)
    wanted = {*(request.model_fields if request is not None else ()), *asked_in_address(route)}
    wanted |= {answer.__name__} if answer is not None else set[str]()
    assert missing(text, wanted) == []
    headers = {field.alias for field in route.dependant.header_params}
    assert headers - {word.lower() for word in said(text)} == set()


def test_the_websocket_s_section_has_its_messages_and_their_fields() -> None:
    text = section(DOCUMENT, SOCKET_PATH)
    own = (wire.SocketMessage, wire.HistoryQuery, wire.SubscribeRequest, wire.SocketRequest, wire.Subscribed)
    assert set(PAYLOADS) == set(get_args(wire.SocketType)) == {"subscribe", "request", "host_register", *CALLS}
    assert missing(text, {*PAYLOADS, *(name for model in own for name in model.model_fields)}) == []
    assert rows(text).keys() >= PAYLOADS.keys()


SHAPES = sorted(
    model.__name__ for model in models(wire.Model) if not issubclass(model, wire.Request) and model is not wire.Request
)
EVENT_SHAPES = {model.__name__ for model in wire.EVENTS.values()}


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in EVENT_SHAPES])
def test_a_section_that_names_a_shape_has_all_its_fields(name: str) -> None:
    fields = {field.serialization_alias or own for own, field in getattr(wire, name).model_fields.items()}
    naming = [part for part in re.split(r"^(?=#{2,6} )", DOCUMENT, flags=re.MULTILINE) if name in said(part)]
    assert naming, f"no section names `{name}`"
    assert min((missing(part, fields) for part in naming), key=len) == []


# -- events ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", wire.EVENTS)
def test_every_event_has_a_section_with_all_its_fields(kind: str) -> None:
    text = section(DOCUMENT, kind)
    assert text, f"no heading names `{kind}`"
    assert missing(text, wire.EVENTS[kind].model_fields) == []


def test_the_page_has_every_word_that_a_field_may_hold() -> None:
    allowed = {
        word
        for model in models(wire.Model)
        for mode in ("serialization", "validation")
        for word in literals(model.model_json_schema(mode=mode))
    }
    assert {"waiting_approval", "interrupted", "smart_approve", "allow_always", "steer", "unknown"} <= allowed
    assert missing(DOCUMENT, allowed) == []


def test_the_events_of_one_stream_only_are_said_to_be_such() -> None:
    assert missing(section(DOCUMENT, "The event stream"), wire.UNJOURNALED) == []


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", DEFAULTS)
def test_every_settable_key_has_a_row_with_variable_flag_range_and_default(key: str) -> None:
    row = rows(section(DOCUMENT, "Settings")).get(key, "")
    assert missing(row, {key, f"ASTER_{key.upper()}", f"--{key.replace('_', '-')}"}) == []
    allowed = wire.ConfigPatch.model_json_schema()["properties"][key]["anyOf"][0]
    assert missing(row, allowed.get("enum", ())) == []
    bounds = [allowed[name] for name in ("minimum", "exclusiveMinimum", "maximum", "maxLength") if name in allowed]
    default = DEFAULTS[key]
    if isinstance(default, str) and default:
        assert missing(row, {default}) == []
    elif isinstance(default, int | float):
        bounds.append(default)
    assert {str(int(bound)) for bound in bounds} - numbers(row) == set()


@pytest.mark.parametrize("framework", DEFAULT_PORTS)
def test_every_framework_has_a_row_with_its_port_and_origins(framework: wire.Framework) -> None:
    row = rows(section(DOCUMENT, "Connecting"))[framework]
    assert str(DEFAULT_PORTS[framework]) in numbers(row)
    assert missing(row, gate.PAGE_ORIGINS[framework]) == []


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", list(error_classes()), ids=lambda error: error.__name__)
def test_every_refusal_has_a_row_with_its_status(error: type[errors.AsterError]) -> None:
    row = rows(section(DOCUMENT, "Errors")).get(error.code, "")
    assert row, f"no row for `{error.code}`"
    if not issubclass(error, errors.ModelError):
        assert str(error.status) in numbers(row)


def test_every_code_that_ends_a_turn_has_a_row() -> None:
    codes = turn_codes()
    assert {"model_not_set", "rate_limited", "demo_failure", "interrupted", "model_silent"} <= codes
    assert answer_endings.OutputCut in set(error_classes())
    table = rows(section(DOCUMENT, "Errors"))
    assert {code for code in codes if "error event" not in table.get(code, "")} == set()


def test_the_page_has_no_error_code_that_the_code_lacks() -> None:
    known = {error.code for error in error_classes()} | turn_codes()
    assert {key for key in rows(section(DOCUMENT, "Errors")) if re.fullmatch(r"[a-z_]+", key)} - known == set()


# -- running it --------------------------------------------------------------------------------------------------------


def test_every_flag_is_there_and_no_other() -> None:
    assert missing(DOCUMENT, flags()) == []
    named = {word for word in said(DOCUMENT) if re.fullmatch(r"--[a-z][a-z-]*", word)}
    assert named - flags() == set()


def test_every_environment_variable_is_there_and_none_of_ours_is_made_up() -> None:
    known = variables()
    assert {"ASTER_SIDECAR_TOKEN", "OPENAI_API_KEY", "OLLAMA_BASE_URL", "XDG_DATA_HOME", "HOME"} <= known
    assert missing(DOCUMENT, known) == []
    assert {word for word in said(DOCUMENT) if re.fullmatch(r"ASTER_[A-Z_]*[A-Z]", word)} - known == set()


def test_every_exit_code_has_a_row() -> None:
    table = rows(section(DOCUMENT, "Running the daemon"))
    assert {name for name, value in exit_codes().items() if str(value) not in table} == set()


def test_every_command_and_verb_has_its_place() -> None:
    text = section(DOCUMENT, "Running the daemon")
    [tree] = [action for action in commands.parser()._actions if isinstance(action, argparse._SubParsersAction)]
    verbs = {
        word
        for child in tree.choices.values()
        for action in child._actions
        if isinstance(action, argparse._SubParsersAction)
        for word in action.choices
    }
    assert set(tree.choices) == set(COMMANDS) == set(RUN)
    assert missing(text, {*COMMANDS, *verbs}) == []


def test_what_a_launcher_may_say_is_there() -> None:
    assert missing(section(DOCUMENT, "Running the daemon"), {"token", "environment", *serve_args.FIRST_LINE_KEYS}) == []


def test_the_page_says_which_protocol_it_describes() -> None:
    assert f"it is {wire.PROTOCOL}," in DOCUMENT


# -- the checks themselves can fail ------------------------------------------------------------------------------------

DOCTORED = """\
# A page

## 1 Settings

| key | range |
|---|---|
| `model` | 1 to 2,000 |

### `POST /api/chat`, `PUT /api/chat`

Body: `agent_id`, `if_busy: steer`. See `GET /api/nowhere` and http://127.0.0.1:8080/api/never?x=1.

```json
{"message": "`message`"}
```

### `done`

`usage`.
"""


def test_what_a_page_lacks_is_found_missing() -> None:
    assert missing(section(DOCTORED, "PUT /api/chat"), ["agent_id", "steer", "message", "usage"]) == [
        "message",
        "usage",
    ]
    assert missing(section(DOCTORED, "done"), ["usage"]) == []
    assert section(DOCTORED, "chat") == ""
    assert rows(section(DOCTORED, "Settings"))["model"].endswith("2,000 |")
    assert numbers("1 to 2,000") == {"1", "2000"}


def test_what_a_page_makes_up_is_found() -> None:
    known = [("POST", "/api/chat"), ("PUT", "/api/chat"), ("GET", "/api/sessions/{session_id}")]
    assert unknown_endpoints(DOCTORED, known) == ["/api/never", "/api/nowhere", "GET /api/nowhere"]
    assert unknown_endpoints("GET /api/sessions/{session_id} GET /api/sessions/ses_1", known) == []
    assert unknown_endpoints("DELETE /api/chat", known) == ["DELETE /api/chat"]


@pytest.mark.parametrize("kind", ["tool_end", "approval_required"])
def test_taking_a_field_out_of_the_page_is_noticed(kind: str) -> None:
    text = section(DOCUMENT, kind)
    for field in wire.EVENTS[kind].model_fields:
        assert missing(text.replace(f"`{field}`", field), wire.EVENTS[kind].model_fields) == [field]
