"""Routes of MCP servers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok
from aster_sidecar.http.routes.services import LOG_PAGE
from aster_sidecar.services.log import KEPT_LINES

router = APIRouter(tags=["mcp"])
Name = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,32}$")]


@router.get("/api/mcp")
@answers(list[wire.McpServerInfo])
async def servers(request: Request, here: Here) -> Response:
    """The MCP servers and their current state."""
    return ok(request, here.mcp.list())


@router.post("/api/mcp/try")
@answers(wire.McpTryAnswer)
async def try_server(request: Request, body: wire.McpTry, here: Here) -> Response:
    """Connect to a server with these settings, list its tools, and end it. Nothing is saved."""
    return ok(request, await here.mcp.try_out(body))


@router.post("/api/mcp/sources")
@answers(list[wire.McpSource])
async def sources(request: Request, body: wire.McpSourcesRequest, here: Here) -> Response:
    """The MCP servers in the files of other apps on this machine; with `path`, those in this file."""
    return ok(request, await here.mcp.sources(body.path))


@router.post("/api/mcp/import")
@answers(wire.McpImported)
async def import_servers(request: Request, body: wire.McpImport, here: Here) -> Response:
    """Add servers from a file of another app."""
    return ok(request, await here.mcp.add_from(body))


@router.get("/api/mcp/{name}")
@answers(wire.McpServerDetails)
async def server(request: Request, name: Name, here: Here) -> Response:
    """A server with its settings, and all that it offers."""
    return ok(request, here.mcp.get(name))


@router.put("/api/mcp/{name}")
@answers(wire.McpServerDetails)
async def put_server(request: Request, name: Name, body: wire.McpSpec, here: Here) -> Response:
    """Add a server, or replace all settings of one."""
    return ok(request, await here.mcp.put(name, body))


@router.patch("/api/mcp/{name}")
@answers(wire.McpServerDetails)
async def patch_server(request: Request, name: Name, body: wire.McpPatch, here: Here) -> Response:
    """Change settings of a server. null removes a key."""
    return ok(request, await here.mcp.patch(name, body))


@router.delete("/api/mcp/{name}")
@answers(wire.McpRemoved)
async def delete_server(request: Request, name: Name, here: Here) -> Response:
    """Delete a server with its settings and secrets, and end it."""
    return ok(request, await here.mcp.delete(name))


@router.post("/api/mcp/{name}/restart")
@answers(wire.McpServerInfo)
async def restart_server(request: Request, name: Name, here: Here) -> Response:
    """End a server and start it again. Answers immediately; the result is reported on the event stream."""
    return ok(request, here.mcp.restart(name))


@router.post("/api/mcp/{name}/read")
@answers(wire.McpContent)
async def read_resource(request: Request, name: Name, body: wire.McpRead, here: Here) -> Response:
    """Read a resource of a server. Its content becomes attachments for a message."""
    return ok(request, await here.mcp_contents.read(name, body))


@router.post("/api/mcp/{name}/prompt")
@answers(wire.McpContent)
async def fill_prompt(request: Request, name: Name, body: wire.McpFill, here: Here) -> Response:
    """Get a prompt of a server with its arguments filled in: text and attachments for a message."""
    return ok(request, await here.mcp_contents.fill(name, body))


@router.get("/api/mcp/{name}/logs")
@answers(wire.ServiceLogs)
async def server_logs(
    request: Request,
    name: Name,
    here: Here,
    after: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=KEPT_LINES)] = LOG_PAGE,
) -> Response:
    """The newest lines of a server's output, oldest first."""
    return ok(request, here.mcp.logs(name, after, limit))
