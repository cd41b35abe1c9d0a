"""Every message of the contract has a golden file, and the code reads and writes exactly what is in it.

A file has the name of its model; `Model.variant.json` shows another case of the same message. A request is the body as
clients send it. An answer is the complete body with its envelope. An event is the envelope that streams and replays
carry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request

from aster_sidecar.api.event_stream import Transient
from aster_sidecar.contract import wire
from aster_sidecar.errors import AsterError
from aster_sidecar.http.app import refusal
from aster_sidecar.http.routes.all import ROUTES as ALL
from aster_sidecar.http.routes.common import ok
from aster_sidecar.store.events import Event, encode

Json: TypeAlias = Any
GOLDEN = Path(__file__).parent.parent / "golden"
ENVELOPE = ("type", "agent_id", "session_id", "turn_id", "seq", "time", "data")


def subclasses(model: type[Any]) -> set[type[Any]]:
    """All subclasses of a model, at any depth."""
    return {found for child in model.__subclasses__() for found in {child, *subclasses(child)}}


REQUESTS = {model.__name__: model for model in subclasses(wire.Request)}
EVENTS = {model.__name__: (kind, model) for kind, model in wire.EVENTS.items()}


def answer_shapes() -> dict[str, list[Any]]:
    """What the endpoints answer: the types of `data`, by the name of their model."""
    shapes: dict[str, list[Any]] = {"Subscribed": [wire.Subscribed]}
    for route in ALL:
        shape: Any = getattr(getattr(route, "endpoint", None), "answers", None)
        if shape is not None:
            model = get_args(shape)[0] if get_args(shape) else shape
            known = shapes.setdefault(model.__name__, [])
            if shape not in known:
                known.append(shape)
    return shapes


ANSWERS = answer_shapes()
MESSAGES = {*REQUESTS, *EVENTS, *ANSWERS, "Failure"}
FILES = sorted(path.stem for path in GOLDEN.glob("*.json"))


def model_of(name: str) -> str:
    """The name of the model that a golden file shows."""
    return name.partition(".")[0]


def golden(name: str) -> Json:
    """The content of a golden file."""
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def files_of(*models: str) -> list[str]:
    """The golden files of these models."""
    return [name for name in FILES if model_of(name) in models]


def canonical(value: Json) -> str:
    """JSON text that is equal if and only if the values are equal.

    1, 1.0 and true differ; the order of keys doesn't count.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def asked(request_id: str) -> Request:
    """A request as the gate passes it on."""
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "state": {"request_id": request_id}})


def shape_of(name: str) -> Any:
    """The type of the data in a golden answer: a list of models, or one model."""
    is_list = name not in ("Health",) and isinstance(golden(name)["data"], list)
    return next(shape for shape in ANSWERS[model_of(name)] if bool(get_args(shape)) is is_list)


def parse(name: str) -> list[BaseModel]:
    """The models that a golden file is parsed to. Raises: ValidationError."""
    body, model = golden(name), model_of(name)
    if model in REQUESTS:
        return [REQUESTS[model].model_validate(body)]
    if model in EVENTS:
        return [EVENTS[model][1].model_validate(body["data"])]
    if model in ("Health", "Failure"):
        return [getattr(wire, model).model_validate(body)]
    parsed: Any = TypeAdapter(shape_of(name)).validate_python(body["data"])
    return list(parsed) if get_args(shape_of(name)) else [parsed]


def within(model: BaseModel) -> Iterator[BaseModel]:
    """The model and every model inside it."""
    yield model
    for field in type(model).model_fields:
        yield from within_value(getattr(model, field))


def within_value(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield from within(value)
    elif isinstance(value, dict | list):
        members: Any = value.values() if isinstance(value, dict) else value  # pyright: ignore[reportUnknownVariableType]
        for member in members:
            yield from within_value(member)


# -- which files there are ---------------------------------------------------------------------------------------------


def test_every_message_has_a_golden_file_and_every_golden_file_a_message() -> None:
    assert {model_of(name) for name in FILES} == MESSAGES


def test_every_shape_that_an_endpoint_answers_is_shown() -> None:
    shown = [shape_of(name) for name in files_of(*ANSWERS) if name != "Health"] + [wire.Health]
    assert [shape for shapes in ANSWERS.values() for shape in shapes if shape not in shown] == []


def test_every_model_of_the_contract_is_part_of_some_message() -> None:
    used = {type(found) for name in FILES for model in parse(name) for found in within(model)}
    assert {model.__name__ for model in subclasses(wire.Model) - used} == {"Request"}


def test_every_event_model_is_listed_under_its_type() -> None:
    unlisted = {model.__name__ for model in subclasses(wire.Model) if model.__name__.endswith("Event")} - EVENTS.keys()
    assert unlisted == set()
    for name, (kind, _) in EVENTS.items():
        assert name.removesuffix("Event").lower() == kind.replace("_", "")


@pytest.mark.parametrize("model", sorted({*REQUESTS, *EVENTS}))
def test_every_field_of_a_message_is_shown_by_a_golden_file(model: str) -> None:
    shown = {field for name in files_of(model) for field in (golden(name)["data"] if model in EVENTS else golden(name))}
    fields = (REQUESTS[model] if model in REQUESTS else EVENTS[model][1]).model_fields
    assert set(fields) - shown == set()


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", files_of(*REQUESTS))
def test_a_request_is_read_as_it_was_sent(name: str) -> None:
    body = golden(name)
    parsed = REQUESTS[model_of(name)].model_validate_json(json.dumps(body))
    assert canonical(json.loads(parsed.model_dump_json(exclude_unset=True, by_alias=True))) == canonical(body)


@pytest.mark.parametrize("name", files_of(*REQUESTS))
def test_a_request_with_an_unknown_field_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="no_such_field"):
        REQUESTS[model_of(name)].model_validate({**golden(name), "no_such_field": 1})


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in files_of(*ANSWERS) if name != "Health"])
def test_an_answer_is_written_as_its_golden_file_has_it(name: str) -> None:
    body = golden(name)
    data: Any = TypeAdapter(shape_of(name)).validate_json(json.dumps(body["data"]))
    lacks = TypeAdapter(list[wire.Warning]).validate_python(body.get("warnings", []))
    answer = ok(asked(body["id"]), data, lacks)
    assert answer.status_code == 200
    assert canonical(json.loads(bytes(answer.body))) == canonical(body)


def test_health_is_written_without_an_envelope() -> None:
    body = golden("Health")
    assert canonical(json.loads(wire.Health.model_validate(body).model_dump_json())) == canonical(body)


@pytest.mark.parametrize("name", files_of("Failure"))
def test_a_refusal_is_written_as_its_golden_file_has_it(name: str) -> None:
    body = golden(name)
    parsed = wire.Failure.model_validate(body)
    error = AsterError(parsed.error, hint=parsed.hint)
    error.code = parsed.code
    answer = refusal(asked(parsed.id), error, parsed.details)
    assert canonical(json.loads(bytes(answer.body))) == canonical(body)


# -- events ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", files_of(*EVENTS))
def test_an_event_is_recorded_and_streamed_as_its_golden_file_has_it(name: str) -> None:
    body = golden(name)
    kind, model = EVENTS[model_of(name)]
    assert tuple(body) == ENVELOPE
    assert body["type"] == kind
    data = model.model_validate(body["data"]).model_dump_json(exclude_none=True, by_alias=True)
    place = (body["agent_id"], body["session_id"], body["turn_id"])
    assert canonical(json.loads(encode(kind, *place, body["seq"], body["time"], data))) == canonical(body)


@pytest.mark.parametrize("name", [name for name in files_of(*EVENTS) if golden(name)["seq"] is not None])
def test_a_journaled_event_is_one_frame_whose_id_is_its_seq(name: str) -> None:
    body = golden(name)
    data = json.dumps(body["data"])
    event = Event(body["seq"], body["type"], body["agent_id"], body["session_id"], body["turn_id"], body["time"], data)
    identity, kind, payload, *rest = event.frame.decode().split("\n")
    assert (identity, kind, rest) == (f"id: {body['seq']}", f"event: {body['type']}", ["", ""])
    assert canonical(json.loads(payload.removeprefix("data: "))) == canonical(body)


@pytest.mark.parametrize("kind", sorted(wire.UNJOURNALED))
def test_an_event_of_one_stream_only_has_no_id(kind: str) -> None:
    [name] = files_of(wire.EVENTS[kind].__name__)
    body = golden(name)
    assert body["seq"] is None
    frame = Transient(kind, wire.EVENTS[kind].model_validate(body["data"])).frame.decode()
    first, payload, *rest = frame.split("\n")
    assert (first, rest) == (f"event: {kind}", ["", ""])
    streamed = json.loads(payload.removeprefix("data: "))
    assert canonical({**streamed, "time": body["time"]}) == canonical(body)


def test_every_event_but_those_of_one_stream_is_shown_with_a_seq() -> None:
    without = {golden(name)["type"] for name in files_of(*EVENTS) if golden(name)["seq"] is None}
    assert without == wire.UNJOURNALED
