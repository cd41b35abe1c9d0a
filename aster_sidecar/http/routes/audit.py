"""Route of the record of decisions."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aster_sidecar.api.calls import PAGE
from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, Limit, SessionId, answers, ok

router = APIRouter(tags=["audit"])
Moment = Annotated[str | None, Query(max_length=64, description="RFC 3339")]
Cursor = Annotated[str | None, Query(max_length=200)]


@router.get("/api/audit")
@answers(wire.DecisionPage)
async def audit(
    request: Request,
    here: Here,
    session_id: SessionId = None,
    agent_id: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    tool: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    decision: Literal["allow", "deny"] | None = None,
    since: Moment = None,
    until: Moment = None,
    before: Cursor = None,
    after: Cursor = None,
    limit: Limit = PAGE,
) -> Response:
    """A page of decisions about tool calls, newest first; with `after` oldest first."""
    page = here.audit.list(
        agent_id=agent_id,
        session_id=session_id,
        tool=tool,
        decision=decision,
        since=since,
        until=until,
        before=before,
        after=after,
        limit=limit,
    )
    return ok(request, page)
