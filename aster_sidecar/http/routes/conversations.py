"""Routes of messages, turns, sessions and their history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aster_sidecar.api.calls import PAGE
from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import AgentId, Here, Limit, SessionId, answers, ok

router = APIRouter(tags=["conversations"])


@router.post("/api/chat")
@answers(wire.ChatStarted)
async def chat(request: Request, body: wire.ChatRequest, here: Here) -> Response:
    """Send a message to an agent. It is recorded when this answers; the agent's answer is on the event stream."""
    return ok(request, await here.conversations.chat(body))


@router.post("/api/cancel")
@answers(wire.Cancelled)
async def cancel(request: Request, body: wire.CancelRequest, here: Here) -> Response:
    """Cancel one turn, a session's turns, or all turns of the agent. Running tools are ended. Idempotent."""
    return ok(request, await here.conversations.cancel(body))


@router.get("/api/status")
@answers(wire.Status)
async def status(request: Request, here: Here, agent_id: AgentId, session_id: SessionId = None) -> Response:
    """The agent's current state."""
    return ok(request, await here.conversations.status(agent_id, session_id))


@router.get("/api/history")
@answers(wire.HistoryPage)
async def history(
    request: Request,
    here: Here,
    agent_id: AgentId,
    session_id: SessionId = None,
    before: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = PAGE,
) -> Response:
    """A page of the conversation, oldest first."""
    return ok(request, await here.conversations.history(agent_id, session_id, before, limit))


@router.delete("/api/history")
@answers(wire.HistoryDeleted)
async def clear_history(request: Request, here: Here, agent_id: AgentId, session_id: SessionId = None) -> Response:
    """Delete the conversation's messages. Refused while a turn has not ended."""
    return ok(request, await here.conversations.clear_history(agent_id, session_id))


@router.get("/api/sessions")
@answers(wire.SessionPage)
async def sessions(
    request: Request,
    here: Here,
    agent_id: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[str | None, Query(max_length=200, description="search in titles and messages")] = None,
    archived: bool = False,
    deleted: Annotated[bool, Query(description="list the trash, the last deleted first")] = False,
    before: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = PAGE,
) -> Response:
    """A page of sessions, pinned ones first, then newest activity first."""
    return ok(request, await here.conversations.list_sessions(agent_id, q, archived, before, limit, deleted))


@router.post("/api/sessions")
@answers(wire.SessionInfo)
async def create_session(request: Request, body: wire.SessionCreate, here: Here) -> Response:
    """Create a session."""
    return ok(request, await here.conversations.create_session(body))


@router.get("/api/sessions/{session_id}")
@answers(wire.SessionInfo)
async def get_session(request: Request, session_id: str, here: Here) -> Response:
    """One session."""
    return ok(request, await here.conversations.get_session(session_id))


@router.get("/api/sessions/{session_id}/find")
@answers(wire.FoundMessages)
async def find_in_session(
    request: Request,
    session_id: str,
    here: Here,
    q: Annotated[str, Query(min_length=1, max_length=200, description="the text to search for")],
    before: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = PAGE,
) -> Response:
    """The messages of one session that contain `q`, newest first."""
    return ok(request, await here.conversations.find_in_session(session_id, q, before, limit))


@router.patch("/api/sessions/{session_id}")
@answers(wire.SessionInfo)
async def patch_session(request: Request, session_id: str, body: wire.SessionPatch, here: Here) -> Response:
    """Rename, archive, unarchive, pin or unpin a session."""
    return ok(request, await here.conversations.patch_session(session_id, body))


@router.delete("/api/sessions/{session_id}")
@answers(wire.SessionDeleted)
async def delete_session(request: Request, session_id: str, here: Here, purge: bool = False) -> Response:
    """Move a session to the trash; with `purge`, delete it permanently. Refused while a turn has not ended."""
    return ok(request, await here.conversations.delete_session(session_id, purge))


@router.post("/api/sessions/{session_id}/restore")
@answers(wire.SessionInfo)
async def restore_session(request: Request, session_id: str, here: Here) -> Response:
    """Restore a session from the trash, unchanged. Idempotent."""
    return ok(request, await here.conversations.restore_session(session_id))


@router.post("/api/sessions/{session_id}/fork")
@answers(wire.SessionInfo)
async def fork(request: Request, session_id: str, body: wire.ForkRequest, here: Here) -> Response:
    """Copy the conversation, up to and with the turn that a message began, into a new session."""
    return ok(request, await here.conversations.fork(session_id, body))


@router.post("/api/sessions/{session_id}/rewind")
@answers(wire.Rewound)
async def rewind(request: Request, session_id: str, body: wire.RewindRequest, here: Here) -> Response:
    """Take a message that began a turn, and everything after it, out of the conversation."""
    return ok(request, await here.conversations.rewind(session_id, body))


@router.post("/api/sessions/{session_id}/unrewind")
@answers(wire.Rewound)
async def unrewind(request: Request, session_id: str, body: wire.UnrewindRequest, here: Here) -> Response:
    """Undo the last rewind. Possible until the next message is sent."""
    return ok(request, await here.conversations.unrewind(session_id, body))
