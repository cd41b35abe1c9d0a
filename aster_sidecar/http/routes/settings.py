"""Routes of settings, agents, tools, models and provider keys."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, SessionId, answers, ok

router = APIRouter(tags=["settings"])


@router.get("/api/config")
@answers(wire.ConfigView)
async def get_config(request: Request, here: Here) -> Response:
    """The effective configuration, each value with its source, secrets masked."""
    return ok(request, here.settings.view())


@router.post("/api/config")
@router.put("/api/config")
@answers(wire.ConfigView)
async def set_config(request: Request, body: wire.ConfigPatch, here: Here) -> Response:
    """Change settable keys; `null` removes the value set here or in `config.toml`. Takes effect immediately."""
    return ok(request, await here.settings.change(body))


@router.get("/api/agents")
@answers(list[wire.AgentInfo])
async def agents(request: Request, here: Here, session_id: SessionId = None) -> Response:
    """All agents, including those with a broken file; with `session_id`, as the folder of that session has them."""
    return ok(request, here.agents.list(session_id))


@router.get("/api/tools")
@answers(list[wire.ToolInfo], may_lack=True)
async def tools(request: Request, here: Here) -> Response:
    """The available tools, with the schemas of their arguments."""
    found, lacking = await here.tools.list()
    return ok(request, found, lacking)


@router.get("/api/models")
@answers(list[wire.ModelInfo])
async def models(request: Request, here: Here) -> Response:
    """The models that can be chosen, the chosen one first, including those of model servers on this machine."""
    return ok(request, await here.models.list())


@router.post("/api/models/check")
@answers(wire.ModelCheck)
async def check_model(request: Request, body: wire.ModelCheckRequest, here: Here) -> Response:
    """Test a model with a real one-word request."""
    return ok(request, await here.models.check(body.model))


@router.get("/api/secrets")
@answers(list[wire.SecretInfo])
async def secrets(request: Request, here: Here) -> Response:
    """Where each provider's key comes from. Keys themselves are never returned."""
    return ok(request, here.models.secrets())


@router.put("/api/secrets/{provider}")
@answers(wire.SecretInfo)
async def put_secret(request: Request, provider: str, body: wire.SecretPut, here: Here) -> Response:
    """Save a provider's key: in the system's keychain, or else in a file, which is reported as unprotected."""
    return ok(request, await here.models.put_secret(provider, body))


@router.delete("/api/secrets/{provider}")
@answers(wire.SecretInfo)
async def delete_secret(request: Request, provider: str, here: Here) -> Response:
    """Delete a saved key. A key in the daemon's environment stays."""
    return ok(request, await here.models.delete_secret(provider))
