"""Routes of folders, and of trust in the projects in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok

router = APIRouter(tags=["projects"])

FolderPath = Annotated[str, Query(min_length=1, max_length=4096)]
FolderPathOrNone = Annotated[str | None, Query(min_length=1, max_length=4096)]


@router.get("/api/folders")
@answers(wire.FolderList)
async def folders(request: Request, here: Here, path: FolderPathOrNone = None, hidden: bool = False) -> Response:
    """The directories in a directory, for a picker; by default in the daemon's work folder."""
    return ok(request, await here.folders.list(path, hidden=hidden))


@router.get("/api/trust")
@answers(wire.TrustView)
async def get_trust(request: Request, here: Here, path: FolderPathOrNone = None) -> Response:
    """The project that contains a path, whether it is trusted, and what trusting it lets in."""
    return ok(request, await here.trust.view(path))


@router.post("/api/trust")
@answers(wire.TrustView)
async def trust(request: Request, body: wire.TrustRequest, here: Here) -> Response:
    """Trust the project that contains a path, if its files are those that the person saw. Idempotent."""
    return ok(request, await here.trust.trust(body))


@router.delete("/api/trust")
@answers(wire.TrustView)
async def untrust(request: Request, here: Here, path: FolderPath) -> Response:
    """Stop trusting a directory. Idempotent."""
    return ok(request, await here.trust.untrust(path))
