"""Routes of the event stream over SSE, and of the WebSocket."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, WebSocket
from starlette.responses import Response

from aster_sidecar.contract.wire import SOCKET_PATH
from aster_sidecar.http import sse, websocket
from aster_sidecar.http.routes.common import Here, SessionId

router = APIRouter(tags=["events"])


@router.get("/api/events")
async def events(
    here: Here,
    agent_id: Annotated[str | None, Query(max_length=200)] = None,
    session_id: SessionId = None,
    types: Annotated[str | None, Query(max_length=2000, description="event types, separated by commas")] = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The event stream over SSE. `Last-Event-ID` or `?after=` resumes it; without either, it starts now."""
    wanted = types.replace(" ", "").split(",") if types else None
    watch = here.events.watch(last_event_id or after, agent_id, session_id, wanted)
    return sse.respond(here.events.follow(watch))


@router.websocket(SOCKET_PATH)
async def socket(connection: WebSocket) -> None:
    """API calls and the event stream over a WebSocket."""
    await websocket.serve(connection, connection.app.state.calls)


@router.websocket("/{path:path}")
async def no_socket(connection: WebSocket, path: str) -> None:
    """Refuse a WebSocket on any other path."""
    await websocket.no_such(connection)
