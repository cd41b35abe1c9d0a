"""Routes of approvals and permission rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aster_sidecar.api.policy import who
from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, SessionId, answers, ok

router = APIRouter(tags=["policy"])


@router.post("/api/approve")
@answers(wire.Approved)
async def approve(request: Request, body: wire.ApproveRequest, here: Here) -> Response:
    """Answer a pending approval. The first answer counts."""
    return ok(request, await here.policy.approve(body, who(request.headers)))


@router.get("/api/approvals")
@answers(list[wire.ApprovalInfo])
async def approvals(
    request: Request,
    here: Here,
    agent_id: Annotated[str | None, Query(max_length=200)] = None,
    session_id: SessionId = None,
) -> Response:
    """The pending approvals, oldest first."""
    return ok(request, await here.policy.approvals(agent_id, session_id))


@router.get("/api/permissions/rules")
@answers(list[wire.RuleInfo])
async def rules(request: Request, here: Here) -> Response:
    """The permission rules in effect."""
    return ok(request, here.policy.rules())


@router.post("/api/permissions/rules")
@answers(wire.RuleInfo)
async def add_rule(request: Request, body: wire.RuleCreate, here: Here) -> Response:
    """Store a permission rule."""
    return ok(request, await here.policy.add_rule(body, who(request.headers)))


@router.delete("/api/permissions/rules/{rule_id}")
@answers(wire.RuleDeleted)
async def delete_rule(request: Request, rule_id: str, here: Here) -> Response:
    """Delete a permission rule."""
    return ok(request, await here.policy.delete_rule(rule_id))


@router.post("/api/permissions/check")
@answers(wire.CheckAnswer)
async def check(request: Request, body: wire.CheckRequest, here: Here) -> Response:
    """What would happen to this tool call, and why, without running it."""
    return ok(request, await here.policy.check(body))
