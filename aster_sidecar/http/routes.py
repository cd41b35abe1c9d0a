"""The REST and SSE endpoints. Each reads its request, calls one part, and wraps the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from pydantic import BaseModel, TypeAdapter
from starlette.responses import FileResponse, Response

from aster_sidecar import __version__, clock
from aster_sidecar.api import calls, diagnostics_bundle
from aster_sidecar.api.calls import PAGE, PAGE_MOST
from aster_sidecar.contract import wire
from aster_sidecar.daemon.wiring import SOCKET_PATH, Parts, request_id
from aster_sidecar.errors import NotFound
from aster_sidecar.http import websocket
from aster_sidecar.http.browser_login import CODE_S
from aster_sidecar.http.envelope import success
from aster_sidecar.http.guard import REDEEM_PATH
from aster_sidecar.services.log import KEPT_LINES

router = APIRouter()
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
LOG_PAGE = 100


async def parts_of(request: Request) -> Parts:
    """The daemon's parts. The first client that asks for anything starts the warm-up."""
    parts: Parts = request.app.state.parts
    parts.enter()
    return parts


Here = Annotated[Parts, Depends(parts_of)]
AgentId = Annotated[str, Query(min_length=1, max_length=200)]
SessionId = Annotated[str | None, Query(min_length=1, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST)]


def answers(shape: Any, *, may_lack: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Say what an endpoint's `data` is, and whether `warnings` may say what it lacks; /openapi.json is made from it."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__.update(answers=shape, may_lack=may_lack)
        return endpoint

    return mark


def ok(request: Request, data: BaseModel | list[Any], warnings: list[wire.Warning] | None = None) -> Response:
    """The envelope of a success. `warnings`: what `data` lacks."""
    return Response(success(request_id(request), data, warnings), media_type="application/json")


# -- health ------------------------------------------------------------------------------------------------------------


@router.get("/health")
@answers(wire.Health)
async def health(request: Request) -> Response:
    """Whether the daemon is up. Not in an envelope, and no token is asked."""
    parts: Parts = request.app.state.parts
    failing = parts.journal.trouble is not None
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
    return ok(request, calls.agents(here))


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
    deleted: Annotated[bool, Query(description="the trash, the one deleted last first")] = False,
    before: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = PAGE,
) -> Response:
    """A page of conversations, the pinned ones first, then newest activity first."""
    if agent_id is not None:
        here.agent(agent_id)
    await here.journal.commit()
    return ok(request, here.sessions.list(agent_id, q, archived, before, limit, deleted))


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


@router.get("/api/sessions/{session_id}/find")
@answers(wire.FoundMessages)
async def find_in_session(
    request: Request,
    session_id: str,
    here: Here,
    q: Annotated[str, Query(min_length=1, max_length=200, description="what is looked for")],
    before: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = PAGE,
) -> Response:
    """The messages of one conversation that hold `q`, newest first."""
    here.sessions.require(session_id)
    await here.journal.commit()
    return ok(request, here.sessions.find(session_id, q, before, limit))


@router.patch("/api/sessions/{session_id}")
@answers(wire.SessionInfo)
async def patch_session(request: Request, session_id: str, body: wire.SessionPatch, here: Here) -> Response:
    """Rename, archive, bring back, pin."""
    return ok(request, await here.sessions.patch(session_id, body))


@router.delete("/api/sessions/{session_id}")
@answers(wire.SessionDeleted)
async def delete_session(request: Request, session_id: str, here: Here, purge: bool = False) -> Response:
    """Move a conversation to the trash, or delete it for good. Refused while a turn runs or waits."""
    return ok(request, await calls.delete_session(here, session_id, purge))


@router.post("/api/sessions/{session_id}/restore")
@answers(wire.SessionInfo)
async def restore_session(request: Request, session_id: str, here: Here) -> Response:
    """Bring a deleted conversation back as it was. Idempotent."""
    return ok(request, await calls.restore_session(here, session_id))


# -- the companion -----------------------------------------------------------------------------------------------------


@router.get("/api/snapshot")
@answers(wire.Snapshot)
async def snapshot(request: Request, here: Here, sessions: Limit = calls.SNAPSHOT_SESSIONS) -> Response:
    """Everything that a companion's first paint needs, in one answer; the stream keeps it true."""
    return ok(request, await calls.snapshot(here, sessions))


@router.get("/api/notifications")
@answers(wire.Notifications)
async def notifications(request: Request, here: Here, unread: bool = False, limit: Limit = PAGE) -> Response:
    """What wants a person's attention, newest first."""
    await here.journal.commit()
    return ok(request, here.attention.list(limit, unread))


@router.post("/api/notifications/read")
@answers(wire.NotificationsRead)
async def read_notifications(request: Request, body: wire.NotificationsReadRequest, here: Here) -> Response:
    """Mark notifications as read. Idempotent."""
    return ok(request, await here.attention.read(body.ids))


@router.post("/api/focus")
@answers(wire.Focused)
async def focus(request: Request, body: wire.FocusRequest, here: Here) -> Response:
    """Say which session a person looks at through an open stream; it is forgotten when that ends."""
    if body.session_id is not None:
        here.sessions.require(body.session_id, None)
    here.streams.focus(body.client_id, body.session_id)
    return ok(request, wire.Focused(client_id=body.client_id, session_id=body.session_id))


@router.get("/api/flags")
@answers(list[wire.FlagInfo])
async def flags(request: Request, here: Here) -> Response:
    """Which parts of the companion there are."""
    return ok(request, here.flags.list())


@router.post("/api/flags")
@answers(list[wire.FlagInfo])
async def set_flags(request: Request, body: wire.FlagsPatch, here: Here) -> Response:
    """Switch parts on or off; `null` goes back to the default."""
    changed = here.flags.change(body)
    if changed:
        await here.journal.record("flags_changed", wire.FlagsChangedEvent(changed=changed))
    return ok(request, here.flags.list())


@router.get("/api/onboarding")
@answers(wire.Onboarding)
async def onboarding(request: Request, here: Here) -> Response:
    """The first run, step by step."""
    return ok(request, here.onboarding.state())


@router.post("/api/onboarding")
@answers(wire.Onboarding)
async def set_onboarding(request: Request, body: wire.OnboardingRequest, here: Here) -> Response:
    """Go through a step, skip it, or take that back."""
    return ok(request, await here.onboarding.say(body))


@router.get("/api/secrets")
@answers(list[wire.SecretInfo])
async def secrets(request: Request, here: Here) -> Response:
    """Where each provider's key comes from. No key is shown, ever."""
    return ok(request, here.keys.list())


@router.put("/api/secrets/{provider}")
@answers(wire.SecretInfo)
async def put_secret(request: Request, provider: str, body: wire.SecretPut, here: Here) -> Response:
    """Keep a provider's key: in the system's keychain, else in a file that is called unprotected."""
    return ok(request, await calls.put_secret(here, provider, body))


@router.delete("/api/secrets/{provider}")
@answers(wire.SecretInfo)
async def delete_secret(request: Request, provider: str, here: Here) -> Response:
    """Forget a kept key. One in the daemon's environment stays."""
    return ok(request, await here.keys.drop(provider))


@router.post("/api/models/check")
@answers(wire.ModelCheck)
async def check_model(request: Request, body: wire.ModelCheckRequest, here: Here) -> Response:
    """Ask a model for one word, by a real request."""
    return ok(request, await calls.check_model(here, body.model))


@router.get("/api/diagnostics")
@answers(list[wire.DiagnosticsInfo])
async def list_diagnostics(request: Request, here: Here) -> Response:
    """The bundles that are kept, newest first."""
    kept = diagnostics_bundle.bundles(here.settings.places.logs_dir)
    return ok(request, [diagnostics_bundle.info(path) for path in kept])


@router.post("/api/diagnostics")
@answers(wire.DiagnosticsInfo)
async def make_diagnostics(request: Request, body: wire.DiagnosticsRequest, here: Here) -> Response:
    """Make a bundle to send to somebody who helps, without secrets and, unless asked for, without messages."""
    return ok(request, await diagnostics_bundle.build(here, body.include_messages))


@router.get("/api/diagnostics/{name}")
async def get_diagnostics(request: Request, name: str, here: Here) -> Response:
    """A bundle itself: a zip."""
    return FileResponse(
        diagnostics_bundle.find(here.settings.places.logs_dir, name), media_type="application/zip", filename=name
    )


# -- the UI, and browsers that are sent to it --------------------------------------------------------------------------


@router.get("/webui/bootstrap")
@answers(wire.Bootstrap)
async def bootstrap(request: Request, here: Here) -> Response:
    """What a UI has to know before anything else."""
    own = {f"http://{name}:{here.port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    in_browser = (
        here.settings.framework == "web"
        or request.scope["state"].get("signed_in") is not None
        or request.headers.get("origin") in own
        or request.headers.get("sec-fetch-site") == "same-origin"
    )
    return ok(
        request,
        wire.Bootstrap(
            runtime_surface="browser" if in_browser else "native",
            framework=here.settings.framework,
            version=__version__,
            protocol=wire.PROTOCOL,
            instance_id=here.instance_id,
            ws_path=SOCKET_PATH,
            token_required=here.settings.token is not None,
            flags=here.flags.values(),
        ),
    )


@router.post("/api/handoff")
@answers(wire.Handoff)
async def handoff(request: Request, body: wire.HandoffCreate, here: Here) -> Response:
    """A link that opens the UI in a browser, once, signed in."""
    if not here.pages.built:
        raise NotFound("this daemon has no web UI", hint="build it from shells/ui, or install a release")
    if body.session_id is not None:
        here.sessions.require(body.session_id, None)
    code = here.handoffs.mint(body.section, body.session_id)
    expires = clock.now() + timedelta(seconds=CODE_S)
    return ok(request, wire.Handoff(url=here.link(code), expires_at=clock.stamp(expires)))


@router.post(REDEEM_PATH)
@answers(wire.HandoffRedeemed)
async def redeem(request: Request, body: wire.HandoffRedeem, here: Here) -> Response:
    """Sign a browser in with the code of its link. The second time it is refused."""
    redeemed = here.handoffs.redeem(body.code)
    await here.onboarding.handed_off()
    return ok(request, redeemed)


@router.get("/api/handoff")
@answers(list[wire.BearerInfo])
async def bearers(request: Request, here: Here) -> Response:
    """The browsers that are signed in."""
    return ok(request, here.handoffs.list())


@router.delete("/api/handoff/{bearer_id}")
@answers(wire.BearerRevoked)
async def revoke(request: Request, bearer_id: str, here: Here) -> Response:
    """Sign a browser out; its streams end."""
    here.handoffs.revoke(bearer_id)
    return ok(request, wire.BearerRevoked(bearer_id=bearer_id))


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
        here.look_for_tools()
    value = here.toolkit.rule_value(body)
    if body.agent_id is not None:
        here.agent(body.agent_id)
    if body.session_id is not None:
        here.sessions.require(body.session_id, body.agent_id)
    return ok(request, await here.rules.add(body.model_copy(update={"value": value})))


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
    here.look_for_tools()
    session_id = here.sessions.require(body.session_id, body.agent_id) if body.session_id is not None else ""
    return ok(request, here.toolkit.check(body.tool, body.arguments, body.agent_id, session_id)[1])


# -- services ----------------------------------------------------------------------------------------------------------


@router.get("/api/services")
@answers(list[wire.ServiceInfo])
async def services(request: Request, here: Here) -> Response:
    """The services of the user's configuration, and how each stands."""
    return ok(request, here.services.list())


@router.post("/api/services/{name}/start")
@answers(wire.ServiceInfo)
async def start_service(request: Request, name: str, here: Here) -> Response:
    """Have a service run. Answers at once; what comes of it is on the event stream. Idempotent."""
    service = here.services.get(name)
    service.start()
    return ok(request, service.info())


@router.post("/api/services/{name}/stop")
@answers(wire.ServiceInfo)
async def stop_service(request: Request, name: str, here: Here) -> Response:
    """Have a service stopped, with all that it started. Idempotent."""
    service = here.services.get(name)
    service.stop()
    return ok(request, service.info())


@router.post("/api/services/{name}/restart")
@answers(wire.ServiceInfo)
async def restart_service(request: Request, name: str, here: Here) -> Response:
    """Stop a service, and start it when nothing of it is left."""
    service = here.services.get(name)
    service.restart()
    return ok(request, service.info())


@router.get("/api/services/{name}/logs")
@answers(wire.ServiceLogs)
async def service_logs(
    request: Request,
    name: str,
    here: Here,
    after: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=KEPT_LINES)] = LOG_PAGE,
) -> Response:
    """What a service has written last, oldest first."""
    return ok(request, here.services.get(name).log.page(after, limit))


# -- what there is -----------------------------------------------------------------------------------------------------


@router.get("/api/tools")
@answers(list[wire.ToolInfo], may_lack=True)
async def tools(request: Request, here: Here) -> Response:
    """The tools that are there now, with the schema of their arguments."""
    here.look_for_tools()
    return ok(request, here.toolkit.list(), calls.missing_tools(here))


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
        from aster_sidecar.http.openapi import describe

        here.openapi = TypeAdapter(dict[str, Any]).dump_json(describe(request.app))
    return Response(here.openapi, media_type="application/json")
