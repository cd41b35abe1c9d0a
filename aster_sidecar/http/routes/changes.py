"""Routes of changes to files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok

router = APIRouter(tags=["changes"])


@router.get("/api/sessions/{session_id}/changes")
@answers(wire.SessionChanges)
async def list_changes(
    request: Request,
    session_id: str,
    here: Here,
    turn_id: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> Response:
    """What the turns of a session changed in files; with diffs if one turn is asked for."""
    return ok(request, await here.changes.list(session_id, turn_id))


@router.post("/api/changes/revert")
@answers(wire.Reverted)
async def revert_changes(request: Request, body: wire.RevertRequest, here: Here) -> Response:
    """Undo changes to files: all that were chosen, or none if one can't be undone safely."""
    return ok(request, await here.changes.revert(body))
