"""Wire models of the messages over the WebSocket."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.base import REQUEST_ID, Model, Name, Object, Request, SocketType


class SocketMessage(Request):
    """A message from a client over `/ws`. `agent_id` may be here or in `payload`; the answer has the same `id`."""

    id: Annotated[str, StringConstraints(pattern=f"^{REQUEST_ID.pattern}$")]
    type: SocketType
    agent_id: Name | None = None
    payload: Object = Field(default_factory=dict[str, Any])


class SessionQuery(Request):
    """Payload of `get_status` and `clear_history`. Without `session_id`: the agent's default session."""

    agent_id: Name
    session_id: Name | None = None


class HistoryQuery(SessionQuery):
    """Payload of `get_history`, which returns a page as `GET /api/history` does."""

    before: Name | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class NoPayload(Request):
    """The empty payload of `get_config`."""


class SubscribeRequest(Request):
    """Payload of `subscribe`: send the events after the cursor, as `GET /api/events` does; without one: from now on."""

    after: int | Annotated[str, StringConstraints(max_length=200)] | None = None
    agent_id: Name | None = None
    session_id: Name | None = None
    types: Annotated[list[Name], Field(max_length=100)] | None = None


class SocketRequest(Request):
    """Payload of `request`: any REST call. Without `body`: an empty body; `client`: the value of `X-Aster-Client`."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, StringConstraints(pattern=r"^/[!-\"$->@-~]*$", max_length=2000)] = Field(
        description="percent-encoded, without a query"
    )
    query: dict[str, str | int | float | bool | None] = Field(default_factory=dict[str, Any])
    body: Any = None
    client: Annotated[str, StringConstraints(max_length=200)] | None = None


class Subscribed(Model):
    """The events after this seq follow, `connected` first. The socket's earlier subscription, if any, has ended."""

    after: int
