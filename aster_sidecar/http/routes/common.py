"""Shared by all routes: access to the API calls, common query parameters, and the envelope of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from aster_sidecar.api.calls import PAGE_MOST, Calls
from aster_sidecar.contract import wire
from aster_sidecar.http.envelope import success
from aster_sidecar.http.request_id import request_id

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


async def calls_of(request: Request) -> Calls:
    """The daemon's API calls. The first request also starts the warm-up. Raises: Stopping."""
    calls: Calls = request.app.state.calls
    calls.lifecycle.enter()
    return calls


Here = Annotated[Calls, Depends(calls_of)]
AgentId = Annotated[str, Query(min_length=1, max_length=200)]
SessionId = Annotated[str | None, Query(min_length=1, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST)]


def answers(shape: Any, *, may_lack: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Declare the type of an endpoint's `data`, and whether `warnings` may report missing parts, for /openapi.json."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__.update(answers=shape, may_lack=may_lack)
        return endpoint

    return mark


def ok(request: Request, data: BaseModel | list[Any], warnings: list[wire.Warning] | None = None) -> Response:
    """A success answer in the envelope. `warnings`: what is missing from `data`."""
    return Response(success(request_id(request), data, warnings), media_type="application/json")
