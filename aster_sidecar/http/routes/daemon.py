"""Routes of the daemon itself: health, shutdown, and its OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from aster_sidecar.api.calls import Calls
from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok

router = APIRouter(tags=["daemon"])


@router.get("/health")
@answers(wire.Health)
async def health(request: Request) -> Response:
    """Whether the daemon is up. The answer has no envelope, and no token is required."""
    calls: Calls = request.app.state.calls
    return Response(calls.health.health().model_dump_json(), media_type="application/json")


@router.post("/api/shutdown")
@answers(wire.ShuttingDown)
async def shutdown(request: Request, here: Here) -> Response:
    """Stop the daemon. Pending approvals and queued turns are kept for its next start."""
    return ok(request, here.lifecycle.shutdown())


@router.get("/openapi.json")
async def openapi(request: Request, here: Here) -> Response:
    """This OpenAPI document, including the events."""
    if getattr(request.app.state, "openapi", None) is None:
        from aster_sidecar.http.openapi import describe

        request.app.state.openapi = TypeAdapter(dict[str, Any]).dump_json(describe(request.app.routes))
    return Response(request.app.state.openapi, media_type="application/json")
