"""Services, and diagnostics bundles."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok
from aster_sidecar.services.log import KEPT_LINES

router = APIRouter(tags=["services"])
LOG_PAGE = 100
"""Lines of a service's log where a request names no limit."""


@router.get("/api/services")
@answers(list[wire.ServiceInfo])
async def services(request: Request, here: Here) -> Response:
    """The services of the user's configuration, and how each stands."""
    return ok(request, here.services.list())


@router.post("/api/services/{name}/start")
@answers(wire.ServiceInfo)
async def start_service(request: Request, name: str, here: Here) -> Response:
    """Have a service run. Answers at once; what comes of it is on the event stream. Idempotent."""
    return ok(request, here.services.start(name))


@router.post("/api/services/{name}/stop")
@answers(wire.ServiceInfo)
async def stop_service(request: Request, name: str, here: Here) -> Response:
    """Have a service stopped, with all that it started. Idempotent."""
    return ok(request, here.services.stop(name))


@router.post("/api/services/{name}/restart")
@answers(wire.ServiceInfo)
async def restart_service(request: Request, name: str, here: Here) -> Response:
    """Stop a service, and start it when nothing of it is left."""
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
    """What a service has written last, oldest first."""
    return ok(request, here.services.logs(name, after, limit))


@router.get("/api/diagnostics")
@answers(list[wire.DiagnosticsInfo])
async def list_diagnostics(request: Request, here: Here) -> Response:
    """The bundles that are kept, newest first."""
    return ok(request, here.diagnostics.list())


@router.post("/api/diagnostics")
@answers(wire.DiagnosticsInfo)
async def make_diagnostics(request: Request, body: wire.DiagnosticsRequest, here: Here) -> Response:
    """Make a bundle to send to somebody who helps, without secrets and, unless asked for, without messages."""
    return ok(request, await here.diagnostics.make(body.include_messages))


@router.get("/api/diagnostics/{name}")
async def get_diagnostics(request: Request, name: str, here: Here) -> Response:
    """A bundle itself: a zip."""
    return FileResponse(here.diagnostics.find(name), media_type="application/zip", filename=name)
