"""The envelope of every response over HTTP and WebSocket: `id`, `success`, then `data` or the error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from aster_sidecar.contract import wire
from aster_sidecar.errors import AsterError, InvalidShape

NAMED = 5
"""The most problems that an error's message names; `details` has all of them."""


def success(request_id: str, data: BaseModel | list[Any], warnings: list[wire.Warning] | None = None) -> bytes:
    """The envelope of a success, as JSON. `warnings`: why `data` is incomplete; left out if it is complete."""
    more = b',"warnings":' + encoded(warnings) if warnings else b""
    return b'{"id":"%s","success":true,"data":%s%s}' % (request_id.encode(), encoded(data), more)


def encoded(data: BaseModel | Sequence[BaseModel]) -> bytes:
    """A model, or a list of them, as JSON."""
    if isinstance(data, BaseModel):
        return data.model_dump_json(by_alias=True).encode()
    return b"[%s]" % b",".join(item.model_dump_json(by_alias=True).encode() for item in data)


def failure(request_id: str, error: AsterError, details: Any = None) -> bytes:
    """The envelope of an error, as JSON. `details` replaces the error's own."""
    details = error.details if details is None else details
    body = wire.Failure(id=request_id, error=error.message, code=error.code, hint=error.hint, details=details)
    return body.model_dump_json(exclude={"details"} if details is None else None).encode()


def bug() -> AsterError:
    """The error that clients get for an unexpected exception."""
    return AsterError(
        "the request failed inside the daemon", hint="this is a bug: please report it with the daemon's log"
    )


def shape_error(problems: Iterable[Mapping[str, Any]], within: int = 0) -> tuple[InvalidShape, list[dict[str, str]]]:
    """pydantic's problems with a message, as our error and its `details`.

    `within`: the number of leading names in a location that only say where the message came from (`body`, `query`).
    """
    named = [
        {
            "field": ".".join(str(place) for place in problem["loc"][within:]) or str((*problem["loc"], "message")[0]),
            "problem": problem["msg"],
        }
        for problem in problems
    ]
    return InvalidShape("; ".join(f"{entry['field']}: {entry['problem']}" for entry in named[:NAMED])), named
