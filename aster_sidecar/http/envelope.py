"""What every answer travels in, over HTTP and over the WebSocket: `id`, `success`, then `data` or the error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from aster_sidecar.contract import wire
from aster_sidecar.errors import AsterError, InvalidShape

NAMED = 5
"""Problems of one message that its error names; `details` has all."""


def success(request_id: str, data: BaseModel | list[Any], warnings: list[wire.Warning] | None = None) -> bytes:
    """The envelope of a success, as JSON. `warnings`, what `data` lacks, is there only when it lacks something."""
    more = b',"warnings":' + encoded(warnings) if warnings else b""
    return b'{"id":"%s","success":true,"data":%s%s}' % (request_id.encode(), encoded(data), more)


def encoded(data: BaseModel | Sequence[BaseModel]) -> bytes:
    """A model, or a list of them, as JSON."""
    if isinstance(data, BaseModel):
        return data.model_dump_json(by_alias=True).encode()
    return b"[%s]" % b",".join(item.model_dump_json(by_alias=True).encode() for item in data)


def failure(request_id: str, error: AsterError, details: Any = None) -> bytes:
    """The envelope of a refusal, as JSON."""
    details = error.details if details is None else details
    body = wire.Failure(id=request_id, error=error.message, code=error.code, hint=error.hint, details=details)
    return body.model_dump_json(exclude={"details"} if details is None else None).encode()


def bug() -> AsterError:
    """What a client is told of an error that nobody foresaw."""
    return AsterError(
        "the request failed inside the daemon", hint="this is a bug: please report it with the daemon's log"
    )


def misshapen(problems: Iterable[Mapping[str, Any]], within: int = 0) -> tuple[InvalidShape, list[dict[str, str]]]:
    """What pydantic found wrong with a message, as our error and its `details`.

    `within`: how many leading names of a place say only where the message came from (`body`, `query`).
    """
    named = [
        {
            "field": ".".join(str(place) for place in problem["loc"][within:]) or str((*problem["loc"], "message")[0]),
            "problem": problem["msg"],
        }
        for problem in problems
    ]
    return InvalidShape("; ".join(f"{entry['field']}: {entry['problem']}" for entry in named[:NAMED])), named
