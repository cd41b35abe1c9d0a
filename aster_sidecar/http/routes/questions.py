"""Routes of questions to a person, and of the inbox of all that waits for one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aster_sidecar.api.policy import who
from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, SessionId, answers, ok

router = APIRouter(tags=["questions"])

AgentId = Annotated[str | None, Query(max_length=200)]


@router.get("/api/questions")
@answers(list[wire.QuestionInfo])
async def questions(request: Request, here: Here, agent_id: AgentId = None, session_id: SessionId = None) -> Response:
    """The open questions, oldest first."""
    return ok(request, await here.questions.questions(agent_id, session_id))


@router.post("/api/answer")
@answers(wire.Answered)
async def answer(request: Request, body: wire.AnswerRequest, here: Here) -> Response:
    """Answer or decline a question. The first answer counts."""
    return ok(request, await here.questions.answer(body, who(request.headers)))


@router.get("/api/inbox")
@answers(list[wire.InboxEntry])
async def inbox(request: Request, here: Here, agent_id: AgentId = None, session_id: SessionId = None) -> Response:
    """All that waits for a person, oldest first."""
    return ok(request, await here.questions.inbox(agent_id, session_id))
