"""The envelope has the same members in the same order everywhere, and names what is wrong with a message."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, ValidationError

from aster_sidecar.contract import wire
from aster_sidecar.errors import BadRequest, NotFound
from aster_sidecar.http.envelope import NAMED, bug, encoded, failure, shape_error, success


class Point(BaseModel):
    x: int
    y: int


def test_a_success_has_the_request_s_id_and_the_data() -> None:
    assert success("req_1", Point(x=1, y=2)) == b'{"id":"req_1","success":true,"data":{"x":1,"y":2}}'
    assert json.loads(success("req_1", []))["data"] == []


def test_warnings_are_there_only_when_there_are_any() -> None:
    warning = wire.Warning(code="mcp_unavailable", message="docs is not available", hint=None)
    assert list(json.loads(success("a", Point(x=1, y=2), [warning]))) == ["id", "success", "data", "warnings"]
    assert "warnings" not in json.loads(success("a", Point(x=1, y=2), []))


def test_a_list_of_models_is_encoded_as_one_array() -> None:
    assert encoded([Point(x=1, y=2), Point(x=3, y=4)]) == b'[{"x":1,"y":2},{"x":3,"y":4}]'


def test_an_error_has_details_only_where_it_has_any() -> None:
    told = json.loads(failure("req_1", NotFound("no such thing")))
    assert told == {
        "id": "req_1",
        "success": False,
        "error": "no such thing",
        "code": "not_found",
        "hint": NotFound.hint,
    }
    assert json.loads(failure("req_1", BadRequest("x"), [{"field": "a"}]))["details"] == [{"field": "a"}]
    own = BadRequest("x")
    own.details = {"seen": 1}
    assert json.loads(failure("req_1", own))["details"] == {"seen": 1}


def test_a_bug_tells_nothing_of_its_cause() -> None:
    assert (bug().code, bug().status) == ("internal_error", 500)


def problems(value: object) -> list[dict[str, object]]:
    with pytest.raises(ValidationError) as raised:
        Point.model_validate(value)
    return [dict(problem) for problem in raised.value.errors()]


def test_each_problem_of_a_message_is_named_with_its_field() -> None:
    error, details = shape_error(problems({"x": "one"}))
    assert [entry["field"] for entry in details] == ["x", "y"]
    assert error.code == "invalid_shape"
    assert error.message == "; ".join(f"{entry['field']}: {entry['problem']}" for entry in details)


def test_where_a_message_came_from_is_no_part_of_a_field() -> None:
    found = [
        {"loc": ("body", "items", 3, "x"), "msg": "bad"},
        {"loc": ("body",), "msg": "bad"},
        {"loc": (), "msg": "bad"},
    ]
    _, details = shape_error(found, within=1)
    assert [entry["field"] for entry in details] == ["items.3.x", "body", "message"]


def test_a_message_with_many_problems_names_the_first() -> None:
    found = [{"loc": (f"f{n}",), "msg": "bad"} for n in range(NAMED + 3)]
    error, details = shape_error(found)
    assert error.message.count("bad") == NAMED
    assert len(details) == NAMED + 3
