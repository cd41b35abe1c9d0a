"""Routes of services and diagnostics bundles."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok
from aster_sidecar.services.log import KEPT_LINES

router = APIRouter(tags=["services"])
LOG_PAGE = 100
"""Default number of lines of a service's log."""


@router.get("/api/services")
@answers(list[wire.ServiceInfo])
async def services(request: Request, here: Here) -> Response:
    """The configured services and their current state."""
    return ok(request, here.services.list())


@router.post("/api/services/{name}/start")
@answers(wire.ServiceInfo)
async def start_service(request: Request, name: str, here: Here) -> Response:
    """Start a service. Answers immediately; the result is reported on the event stream. Idempotent."""
    return ok(request, here.services.start(name))


@router.post("/api/services/{name}/stop")
@answers(wire.ServiceInfo)
async def stop_service(request: Request, name: str, here: Here) -> Response:
    """Stop a service and its child processes. Idempotent."""
    return ok(request, here.services.stop(name))


@router.post("/api/services/{name}/restart")
@answers(wire.ServiceInfo)
async def restart_service(request: Request, name: str, here: Here) -> Response:
    """Stop a service, and start it after all its processes have ended."""
    return ok(request, here.services.restart(name))


@router.get("/api/services/{name}/logs")
@answers(wire.ServiceLogs)
async def service_logs(
    request: Request,
    name: str,
    here: Here,
    after: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=KEPT_LINES)] = LOG_PAGE,
) -> Response:
    """The newest lines of a service's output, oldest first."""
    return ok(request, here.services.logs(name, after, limit))


@router.get("/api/diagnostics")
@answers(list[wire.DiagnosticsInfo])
async def list_diagnostics(request: Request, here: Here) -> Response:
    """The existing diagnostics bundles, newest first."""
    return ok(request, here.diagnostics.list())


@router.post("/api/diagnostics")
@answers(wire.DiagnosticsInfo)
async def make_diagnostics(request: Request, body: wire.DiagnosticsRequest, here: Here) -> Response:
    """Create a diagnostics bundle for support, without secrets and by default without messages."""
    return ok(request, await here.diagnostics.make(body.include_messages))


@router.get("/api/diagnostics/{name}")
async def get_diagnostics(request: Request, name: str, here: Here) -> Response:
    """Download a diagnostics bundle as a zip."""
    return FileResponse(here.diagnostics.find(name), media_type="application/zip", filename=name)
