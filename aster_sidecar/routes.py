"""The REST and SSE endpoints. Each reads its request, calls one part, and wraps the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from pydantic import BaseModel, TypeAdapter
from starlette.responses import Response

from aster_sidecar import __version__, calls, websocket, wire
from aster_sidecar.app import SOCKET_PATH, Parts, request_id
from aster_sidecar.calls import PAGE, PAGE_MOST
from aster_sidecar.envelope import success
from aster_sidecar.errors import ArgumentsInvalid
from aster_sidecar.tools import ToolError

router = APIRouter()
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


async def parts_of(request: Request) -> Parts:
    """The daemon's parts. The first client that asks for anything starts the warm-up."""
    parts: Parts = request.app.state.parts
    parts.enter()
    return parts


Here = Annotated[Parts, Depends(parts_of)]
AgentId = Annotated[str, Query(min_length=1, max_length=200)]
SessionId = Annotated[str | None, Query(min_length=1, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST)]


def answers(shape: Any) -> Callable[[Endpoint], Endpoint]:
    """Say what an endpoint's `data` is; /openapi.json is made from it."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__["answers"] = shape
        return endpoint

    return mark


def ok(request: Request, data: BaseModel | list[Any]) -> Response:
    """The envelope of a success."""
    return Response(success(request_id(request), data), media_type="application/json")


# -- health ------------------------------------------------------------------------------------------------------------


@router.get("/health")
@answers(wire.Health)
async def health(request: Request) -> Response:
    """Whether the daemon is up. Not in an envelope, and no token is asked."""
    parts: Parts = request.app.state.parts
    failing = parts.journal.failure is not None
    body = wire.Health(
        status="stopping" if parts.stopping else "degraded" if failing else "ok",
        version=__version__,
        protocol=wire.PROTOCOL,
        framework=parts.settings.framework,
        port=parts.port,
        pid=parts.pid,
        instance_id=parts.instance_id,
        agents=len(parts.agents.ids()),
        ready=parts.ready and not parts.stopping,
    )
    return Response(body.model_dump_json(), media_type="application/json")


# -- the seed's endpoints ----------------------------------------------------------------------------------------------


@router.post("/api/chat")
@answers(wire.ChatStarted)
async def chat(request: Request, body: wire.ChatRequest, here: Here) -> Response:
    """Send a message to an agent. It is recorded when this answers; what comes of it is on the event stream."""
    return ok(request, await calls.chat(here, body))


@router.post("/api/cancel")
@answers(wire.Cancelled)
async def cancel(request: Request, body: wire.CancelRequest, here: Here) -> Response:
    """Cancel turns: one, a session's, or all of the agent. Running tools are ended. Idempotent."""
    return ok(request, await calls.cancel(here, body))


@router.post("/api/approve")
@answers(wire.Approved)
async def approve(request: Request, body: wire.ApproveRequest, here: Here) -> Response:
    """Answer a permission request. The first answer counts."""
    return ok(request, await calls.approve(here, body, calls.who(request.headers)))


@router.get("/api/status")
@answers(wire.Status)
async def status(request: Request, here: Here, agent_id: AgentId, session_id: SessionId = None) -> Response:
    """What the agent is doing."""
    return ok(request, await calls.status(here, agent_id, session_id))


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
    return ok(request, await calls.history(here, agent_id, session_id, before, limit))


@router.delete("/api/history")
@answers(wire.HistoryDeleted)
async def clear_history(request: Request, here: Here, agent_id: AgentId, session_id: SessionId = None) -> Response:
    """Delete the conversation's messages. Refused while a turn runs or waits."""
    return ok(request, await calls.clear_history(here, agent_id, session_id))


@router.get("/api/config")
@answers(wire.ConfigView)
async def get_config(request: Request, here: Here) -> Response:
    """The effective configuration, each value with its source, secrets masked."""
    return ok(request, calls.get_config(here))


@router.post("/api/config")
@router.put("/api/config")
@answers(wire.ConfigView)
async def set_config(request: Request, body: wire.ConfigPatch, here: Here) -> Response:
    """Change any of the settable keys; `null` goes back to the value below. Takes effect at once."""
    return ok(request, await calls.set_config(here, body))


@router.get("/api/agents")
@answers(list[wire.AgentInfo])
async def agents(request: Request, here: Here) -> Response:
    """All agents, and the files that should be one but are broken."""
    specs = here.agents.list()
    problems: dict[str, list[wire.AgentProblem]] = {}
    for problem in here.agent_problems():
        problems.setdefault(problem.id, []).append(problem)
    working = [
        wire.AgentInfo(
            id=spec.agent_id,
            name=spec.name,
            description=spec.description,
            model=spec.model or here.models.name(),
            state=here.turns.state_of_agent(spec.agent_id),
            tools=here.toolkit.of(spec.tools),
            sessions=here.sessions.count(spec.agent_id),
            source=spec.source,
            path=spec.path,
            problems=problems.pop(spec.agent_id, []),
        )
        for spec in specs
    ]
    broken = [
        wire.AgentInfo(
            id=agent_id,
            name=agent_id,
            description="",
            model="",
            state="failed",
            tools=[],
            sessions=here.sessions.count(agent_id),
            source=found[0].source,
            path=found[0].path,
            problems=found,
        )
        for agent_id, found in problems.items()
    ]
    return ok(request, [*working, *broken])


@router.get("/api/events")
async def events(
    here: Here,
    agent_id: Annotated[str | None, Query(max_length=200)] = None,
    session_id: SessionId = None,
    types: Annotated[str | None, Query(max_length=2000, description="event types, separated by commas")] = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The event stream (SSE). `Last-Event-ID` or `?after=` resumes; neither: from now on."""
    wanted = types.replace(" ", "").split(",") if types else None
    return here.streams.open(calls.watch(here, last_event_id or after, agent_id, session_id, wanted))


@router.websocket(SOCKET_PATH)
async def socket(connection: WebSocket) -> None:
    """The same over a WebSocket."""
    await websocket.serve(connection, connection.app.state.parts)


@router.websocket("/{path:path}")
async def no_socket(connection: WebSocket, path: str) -> None:
    """Any other WebSocket."""
    await websocket.no_such(connection)


# -- inbox, sessions ---------------------------------------------------------------------------------------------------


@router.get("/api/approvals")
@answers(list[wire.ApprovalInfo])
async def approvals(
    request: Request,
    here: Here,
    agent_id: Annotated[str | None, Query(max_length=200)] = None,
    session_id: SessionId = None,
) -> Response:
    """All decisions that wait for a person, oldest first."""
    if agent_id is not None:
        here.agent(agent_id)
    if session_id is not None:
        here.sessions.require(session_id, agent_id)
    await here.journal.commit()
    return ok(request, here.approvals.list(agent_id, session_id))


@router.get("/api/sessions")
@answers(wire.SessionPage)
async def sessions(
    request: Request,
    here: Here,
    agent_id: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[str | None, Query(max_length=200, description="looks in titles and messages")] = None,
    archived: bool = False,
    before: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = PAGE,
) -> Response:
    """A page of conversations, newest activity first."""
    if agent_id is not None:
        here.agent(agent_id)
    await here.journal.commit()
    return ok(request, here.sessions.list(agent_id, q, archived, before, limit))


@router.post("/api/sessions")
@answers(wire.SessionInfo)
async def create_session(request: Request, body: wire.SessionCreate, here: Here) -> Response:
    """Start a conversation."""
    here.agents.get(body.agent_id)
    return ok(request, await here.sessions.create(body))


@router.get("/api/sessions/{session_id}")
@answers(wire.SessionInfo)
async def get_session(request: Request, session_id: str, here: Here) -> Response:
    """One conversation."""
    await here.journal.commit()
    return ok(request, here.sessions.info(session_id))


@router.patch("/api/sessions/{session_id}")
@answers(wire.SessionInfo)
async def patch_session(request: Request, session_id: str, body: wire.SessionPatch, here: Here) -> Response:
    """Rename, archive, bring back."""
    return ok(request, await here.sessions.patch(session_id, body))


@router.delete("/api/sessions/{session_id}")
@answers(wire.SessionDeleted)
async def delete_session(request: Request, session_id: str, here: Here) -> Response:
    """Delete a conversation and all that is in it. Refused while a turn runs or waits."""
    deleted = await here.sessions.delete(session_id)
    here.forget(session_id)
    here.rules.drop(session_id)
    return ok(request, deleted)


# -- policy ------------------------------------------------------------------------------------------------------------


@router.get("/api/permissions/rules")
@answers(list[wire.RuleInfo])
async def rules(request: Request, here: Here) -> Response:
    """The stored answers that hold now."""
    return ok(request, here.rules.list())


@router.post("/api/permissions/rules")
@answers(wire.RuleInfo)
async def add_rule(request: Request, body: wire.RuleCreate, here: Here) -> Response:
    """Store a rule."""
    if body.tool != "*":
        await here.learn_tools()
        here.toolkit.get(body.tool)
    if body.agent_id is not None:
        here.agent(body.agent_id)
    if body.session_id is not None:
        here.sessions.require(body.session_id, body.agent_id)
    return ok(request, await here.rules.add(body))


@router.delete("/api/permissions/rules/{rule_id}")
@answers(wire.RuleDeleted)
async def delete_rule(request: Request, rule_id: str, here: Here) -> Response:
    """Delete a rule."""
    await here.rules.remove(rule_id)
    return ok(request, wire.RuleDeleted(rule_id=rule_id))


@router.post("/api/permissions/check")
@answers(wire.CheckAnswer)
async def check(request: Request, body: wire.CheckRequest, here: Here) -> Response:
    """What would happen to this call, and why. Nothing runs."""
    here.agents.get(body.agent_id)
    await here.learn_tools()
    session_id = here.sessions.require(body.session_id, body.agent_id) if body.session_id is not None else ""
    try:
        _, assessment = here.toolkit.assess(body.tool, body.arguments)
    except ToolError as error:
        raise ArgumentsInvalid(f"{body.tool}: {error}") from error
    decision = here.toolkit.decide(body.tool, assessment, body.agent_id, session_id)
    return ok(
        request,
        wire.CheckAnswer(
            decision=decision.verdict,
            decided_by=decision.decided_by,
            reason=decision.reason,
            risk=assessment.risk,
            display=assessment.display,
            target=assessment.target,
            remember=assessment.remember.words if assessment.remember else None,
        ),
    )


# -- what there is -----------------------------------------------------------------------------------------------------


@router.get("/api/tools")
@answers(list[wire.ToolInfo])
async def tools(request: Request, here: Here) -> Response:
    """All tools, with the schema of their arguments."""
    await here.learn_tools()
    return ok(request, here.toolkit.list())


@router.get("/api/models")
@answers(list[wire.ModelInfo])
async def models(request: Request, here: Here) -> Response:
    """Models that can be chosen, the chosen one first, with those of the model servers that run on this machine."""
    return ok(request, await asyncio.to_thread(here.models.list))


@router.post("/api/shutdown")
@answers(wire.ShuttingDown)
async def shutdown(request: Request, here: Here) -> Response:
    """Stop the daemon: what waits or is queued stays for its next life."""
    here.ask_stop()
    return ok(request, wire.ShuttingDown())


@router.get("/openapi.json")
async def openapi(request: Request, here: Here) -> Response:
    """This contract, the events included."""
    if here.openapi is None:
        from aster_sidecar.openapi import describe

        here.openapi = TypeAdapter(dict[str, Any]).dump_json(describe(request.app))
    return Response(here.openapi, media_type="application/json")
