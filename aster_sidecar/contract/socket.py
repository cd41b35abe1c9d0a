"""What is said over the WebSocket."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.base import REQUEST_ID, Model, Name, Object, Request, SocketType


class SocketMessage(Request):
    """What a client sends over `/ws`. `agent_id` may stand here or in `payload`; the answer has the same `id`."""

    id: Annotated[str, StringConstraints(pattern=f"^{REQUEST_ID.pattern}$")]
    type: SocketType
    agent_id: Name | None = None
    payload: Object = Field(default_factory=dict[str, Any])


class SessionQuery(Request):
    """`get_status`, `clear_history`. Without `session_id`: the agent's default session."""

    agent_id: Name
    session_id: Name | None = None


class HistoryQuery(SessionQuery):
    """`get_history`: a page as `GET /api/history` gives it."""

    before: Name | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class NoPayload(Request):
    """`get_config` asks for nothing more."""


class SubscribeRequest(Request):
    """`subscribe`: events after the cursor, as `GET /api/events` sends them; without one: from now on."""

    after: int | Annotated[str, StringConstraints(max_length=200)] | None = None
    agent_id: Name | None = None
    session_id: Name | None = None
    types: Annotated[list[Name], Field(max_length=100)] | None = None


class SocketRequest(Request):
    """`request`: any call of REST. `body` left out: none; `client`: what `X-Aster-Client` says over HTTP."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, StringConstraints(pattern=r"^/[!-\"$->@-~]*$", max_length=2000)] = Field(
        description="percent-encoded, without a query"
    )
    query: dict[str, str | int | float | bool | None] = Field(default_factory=dict[str, Any])
    body: Any = None
    client: Annotated[str, StringConstraints(max_length=200)] | None = None


class Subscribed(Model):
    """Events after this seq follow, `connected` first. An earlier subscription of the socket has ended."""

    after: int
