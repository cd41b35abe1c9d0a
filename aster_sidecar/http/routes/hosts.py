"""Routes of hosts: programs that lend tools to agents."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok

router = APIRouter(tags=["hosts"])


@router.get("/api/hosts")
@answers(list[wire.HostInfo])
async def hosts(request: Request, here: Here) -> Response:
    """The hosts, with the tools that they lend."""
    return ok(request, here.hosts.list())


@router.post("/api/hosts")
@answers(wire.HostRegistered)
async def register_host(request: Request, body: wire.HostRegister, here: Here) -> Response:
    """Register a host with its tools."""
    return ok(request, await here.hosts.register(body))


@router.delete("/api/hosts/{host_id}")
@answers(wire.HostAlive)
async def remove_host(request: Request, host_id: str, here: Here) -> Response:
    """Forget a host, and end the calls of its tools."""
    return ok(request, await here.hosts.remove(host_id))


@router.post("/api/hosts/{host_id}/heartbeat")
@answers(wire.HostAlive)
async def host_heartbeat(request: Request, host_id: str, body: wire.HostLease, here: Here) -> Response:
    """The host is still there."""
    return ok(request, here.hosts.heartbeat(host_id, body))


@router.post("/api/hosts/{host_id}/leave")
@answers(wire.HostAlive)
async def host_leave(request: Request, host_id: str, body: wire.HostLease, here: Here) -> Response:
    """End the registration. The host stays known, and its durable calls wait."""
    return ok(request, await here.hosts.leave(host_id, body))


@router.post("/api/hosts/{host_id}/accept")
@answers(wire.HostCallInfo)
async def host_accept(request: Request, host_id: str, body: wire.HostAccept, here: Here) -> Response:
    """Take a call. Only one instance can."""
    return ok(request, await here.hosts.accept(host_id, body))


@router.post("/api/hosts/{host_id}/results")
@answers(wire.HostCallDone)
async def host_result(request: Request, host_id: str, body: wire.HostResult, here: Here) -> Response:
    """End a call with its result. The first one counts."""
    return ok(request, await here.hosts.finish(host_id, body))


@router.post("/api/hosts/{host_id}/progress")
@answers(wire.HostCallDone)
async def host_progress(request: Request, host_id: str, body: wire.HostProgress, here: Here) -> Response:
    """Publish the progress of a call."""
    return ok(request, await here.hosts.progress(host_id, body))
