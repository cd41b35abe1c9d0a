"""Routes of the agent's browser."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok

router = APIRouter(tags=["mcp"])


@router.get("/api/browser")
@answers(wire.BrowserInfo)
async def browser(request: Request, here: Here) -> Response:
    """The agent's browser: its settings and its state."""
    return ok(request, here.agent_browser.info())


@router.post("/api/browser")
@answers(wire.BrowserInfo)
async def set_browser(request: Request, body: wire.BrowserPatch, here: Here) -> Response:
    """Turn the agent's browser on or off, or change its settings. null resets one."""
    return ok(request, await here.agent_browser.change(body))
