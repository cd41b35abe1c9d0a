"""Wire models of hosts: programs that lend tools to agents, and answer the calls of these tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.base import VALID, AnyJson, Model, Name, Object, Request, Risk, Time

MOST_HOST_TOOLS = 64

HostName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]

ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]

Words = Annotated[str, StringConstraints(min_length=1, max_length=8000), VALID]


class HostTool(Request):
    """A tool that a host lends.

    `wait`: what becomes of a call while the host is away: `fail` ends it, at the latest after `timeout_s`; `durable`
    lets it wait, over restarts, without a limit.
    """

    name: ToolName
    description: Words
    parameters: Object = Field(
        default_factory=lambda: {"type": "object"}, description="the JSON Schema of the arguments, an object"
    )
    risk: Risk = "medium"
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    wait: Literal["fail", "durable"] = "fail"
    idempotent: bool = Field(default=False, description="a call may be run again if it is not known how it ended")
    agents: Annotated[list[Name], Field(max_length=256)] | None = Field(
        default=None, description="ids of the agents that have the tool; null: all"
    )


class HostRegister(Request):
    """Lend tools to agents. `instance` is new for each process or window of the host."""

    name: HostName
    instance: Name
    tools: Annotated[list[HostTool], Field(max_length=MOST_HOST_TOOLS)]
    replace: bool = Field(default=False, description="take over from another instance that is still there")


class HostCallInfo(Model):
    """A call of a host's tool that has not ended."""

    call_id: str
    tool: str
    arguments: dict[str, Any]
    agent_id: str
    session_id: str
    turn_id: str
    deadline: Time | None
    accepted: bool


class HostRegistered(Model):
    """`lease` proves with each call that the registration is the newest one of the host."""

    host_id: str
    lease: str
    heartbeat_s: float = Field(description="send a heartbeat at least this often, unless it registered over /ws")
    calls: list[HostCallInfo] = Field(description="that wait for the host, or that this instance has accepted")


class HostInfo(Model):
    """A host. `online`: one of its instances is there."""

    host_id: str
    name: str
    online: bool
    registered_at: Time
    tools: list[HostTool]


class HostLease(Request):
    """A heartbeat, or the end of a registration."""

    lease: Name


class HostAccept(Request):
    """Take a call. Only one instance can."""

    call_id: Name
    lease: Name


class HostResult(Request):
    """The result of a call (any JSON value) or an `error`, in words for the model. A call that was not accepted is."""

    call_id: Name
    lease: Name
    result: AnyJson = None
    error: Annotated[str, StringConstraints(min_length=1, max_length=100_000), VALID] | None = None
    attachments: Annotated[list[Name], Field(max_length=20)] = Field(
        default_factory=list[str], description="ids of uploaded files that belong to the result"
    )


class HostProgress(Request):
    """The progress of a call: a message, a share from 0 to 1, or both."""

    call_id: Name
    lease: Name
    message: Annotated[str, StringConstraints(max_length=2000), VALID] | None = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None


class HostAlive(Model):
    """`online`: whether the registration holds."""

    host_id: str
    online: bool


class HostCallDone(Model):
    """A call of a host has ended, or its progress was published."""

    call_id: str
    state: Literal["accepted", "done", "failed"]


class SocketHostAccept(HostAccept):
    """Payload of `host_accept`."""

    host_id: Name


class SocketHostResult(HostResult):
    """Payload of `host_result`."""

    host_id: Name


class SocketHostProgress(HostProgress):
    """Payload of `host_progress`."""

    host_id: Name


class SocketHostLeave(HostLease):
    """Payload of `host_leave`."""

    host_id: Name
