"""Settings, agents, tools, models and keys."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok

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
    """Change any of the settable keys; `null` goes back to the value below. Takes effect at once."""
    return ok(request, await here.settings.change(body))


@router.get("/api/agents")
@answers(list[wire.AgentInfo])
async def agents(request: Request, here: Here) -> Response:
    """All agents, and the files that should be one but are broken."""
    return ok(request, here.agents.list())


@router.get("/api/tools")
@answers(list[wire.ToolInfo], may_lack=True)
async def tools(request: Request, here: Here) -> Response:
    """The tools that are there now, with the schema of their arguments."""
    found, lacking = here.tools.list()
    return ok(request, found, lacking)


@router.get("/api/models")
@answers(list[wire.ModelInfo])
async def models(request: Request, here: Here) -> Response:
    """Models that can be chosen, the chosen one first, with those of the model servers that run on this machine."""
    return ok(request, await here.models.list())


@router.post("/api/models/check")
@answers(wire.ModelCheck)
async def check_model(request: Request, body: wire.ModelCheckRequest, here: Here) -> Response:
    """Ask a model for one word, by a real request."""
    return ok(request, await here.models.check(body.model))


@router.get("/api/secrets")
@answers(list[wire.SecretInfo])
async def secrets(request: Request, here: Here) -> Response:
    """Where each provider's key comes from. No key is shown, ever."""
    return ok(request, here.models.secrets())


@router.put("/api/secrets/{provider}")
@answers(wire.SecretInfo)
async def put_secret(request: Request, provider: str, body: wire.SecretPut, here: Here) -> Response:
    """Keep a provider's key: in the system's keychain, else in a file that is called unprotected."""
    return ok(request, await here.models.put_secret(provider, body))


@router.delete("/api/secrets/{provider}")
@answers(wire.SecretInfo)
async def delete_secret(request: Request, provider: str, here: Here) -> Response:
    """Forget a kept key. One in the daemon's environment stays."""
    return ok(request, await here.models.delete_secret(provider))
