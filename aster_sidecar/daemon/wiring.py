"""Composition root: builds every part once and hands it to those who need it; the only error → HTTP mapping."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from aster_sidecar import __version__, clock
from aster_sidecar.agents.registry import Agents
from aster_sidecar.agents.registry import Places as AgentPlaces
from aster_sidecar.agents.spec import AgentSpec, Known
from aster_sidecar.companion.feature_flags import Flags
from aster_sidecar.companion.notifications import Attention
from aster_sidecar.companion.onboarding import Onboarding
from aster_sidecar.config.settings import STORE_NAME, Config, Settings
from aster_sidecar.config.toml_file import read_file
from aster_sidecar.config.trusted_projects import FILE as TRUSTED
from aster_sidecar.config.trusted_projects import FOLDER, project_of, trusted_project
from aster_sidecar.contract import wire
from aster_sidecar.conversation.run_request import Limits
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.conversation.turns import Options, Turns
from aster_sidecar.errors import (
    AgentNotFound,
    AsterError,
    ConfigInvalid,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    Stopping,
)
from aster_sidecar.http.browser_login import Handoffs
from aster_sidecar.http.envelope import bug, failure, misshapen
from aster_sidecar.http.guard import Gate, Guard
from aster_sidecar.http.peer_ancestry import Ancestry, Marked
from aster_sidecar.http.sse import Streams
from aster_sidecar.http.static_ui import Pages, Shown
from aster_sidecar.models.api_keys import FILE as KEYS_FILE
from aster_sidecar.models.api_keys import Keys, WithKeys
from aster_sidecar.models.build import PROVIDERS, Models, misnamed
from aster_sidecar.models.library_patches import without
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.policy.rules import Rules
from aster_sidecar.services import launch
from aster_sidecar.services.config import service_specs
from aster_sidecar.services.login_path import CommandPath
from aster_sidecar.services.process_tree import CHOSEN, end_orphans
from aster_sidecar.services.supervisor import Services
from aster_sidecar.store.journal import Journal, remember
from aster_sidecar.telemetry import log_file
from aster_sidecar.telemetry.redaction import Redactor, secrets_in, secrets_of
from aster_sidecar.telemetry.spans import NoSpans, Spans, make_spans
from aster_sidecar.text.addresses import without_password
from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.mcp.servers import Servers, specs
from aster_sidecar.tools.registry import Toolkit

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine

log = logging.getLogger(__name__)

MASK = "••••••••"
SOCKET_PATH = "/ws"
LOOK_S = 2.0
"""Time between two looks at the agents' files while somebody watches."""
KEEP_EVENTS = 500_000
"""Events kept for replay; older ones of ended turns are trimmed at start. Histories are rows of their own."""


@dataclass(eq=False)
class Parts:
    """All parts of one daemon."""

    settings: Settings
    config: Config
    journal: Journal
    rules: Rules
    approvals: Approvals
    sessions: Sessions
    agents: Agents
    toolkit: Toolkit
    models: Models
    turns: Turns
    streams: Streams
    servers: Servers
    services: Services
    keys: Keys
    flags: Flags
    redactor: Redactor
    command_path: CommandPath
    instance_id: str
    port: int
    pid: int = field(default_factory=os.getpid)
    ask_stop: Callable[[], None] = lambda: None
    ready: bool = False
    stopping: bool = False
    warming: asyncio.Task[Any] | None = None
    burying: asyncio.Task[int] | None = None
    engine: Engine | None = None
    openapi: bytes | None = None
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    looking: asyncio.TimerHandle | None = None
    spans: Spans = field(default_factory=NoSpans)
    handoffs: Handoffs = field(default_factory=Handoffs)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when streams end: WebSockets say goodbye then."""
    sockets: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    def __post_init__(self) -> None:
        # Elsewhere a browser is shown the UI only when it was sent here.
        self.pages = Pages(lambda: self.settings.framework == "web" or self.handoffs.open())
        self.started_at, self.began_s = clock.stamp(), clock.real_s()
        linux = sys.platform == "linux"
        self.kin = Ancestry(lambda: launch.KEEPER.pid) if linux else Marked(lambda: launch.was_started)
        self.attention = Attention(self.journal, self.streams.focused, self.agents.name_of)
        self.onboarding = Onboarding(
            self.journal, self.settings, self.config, self.models, lambda: self.keys.why_no_keychain
        )

    async def open(self) -> None:
        """Read the store and put everything back where it was. Raises: StoreError."""
        self.journal.open()
        self.sessions.open()
        await self._note_where()
        self.rules.open()
        self.approvals.open()
        self.sessions.open_trash()
        await self.journal.trim(KEEP_EVENTS)
        left = {row[0] for row in self.journal.all("SELECT call_id FROM calls WHERE state='started'")}
        mark = self._mark_programs()
        if left or mark:
            # A daemon that was killed could not end its tools. They ran on without anybody who could stop them.
            ending = asyncio.to_thread(end_orphans, lambda call: call in left or (mark != "" and call.startswith(mark)))
            self.burying = asyncio.get_running_loop().create_task(ending)
        self.turns.open()
        self.onboarding.open()
        self.attention.open()
        self.agents.on_change = self.tell_agents
        self.journal.on_watch = self.look_at_agents
        self.ready = True

    def _mark_programs(self) -> str:
        """How ids of MCP servers' and services' processes begin, the same in every life of this data directory.

        Empty where there never were any: then nobody has to look for what is left of them.
        """
        mark = self.journal.recall("mark") or ""
        if not mark and (self.services.list() or self.servers.programs):
            mark = f"{clock.new_id('own')}-"
            self.journal.put(writes=[remember("mark", mark)])
        self.services.mark = self.servers.mark = mark
        return mark

    async def _note_where(self) -> None:
        """Keep where the data directory is; when it was moved since the last life, its rules go with it."""
        here = str(self.settings.places.data_dir.resolve())
        before = self.journal.recall("data_dir")
        if before != here:
            self.journal.put(writes=[remember("data_dir", here)])
        if before not in (None, here):
            log.info("the data directory was moved")
            self.rules.relocate(before, here)
            await self.journal.commit()

    async def close(self) -> None:
        """End turns, then streams, then let go of the store."""
        self.stopping = True
        if self.looking is not None:
            self.looking.cancel()
        self.approvals.close()
        self.sessions.close()
        services = asyncio.get_running_loop().create_task(self.services.close())
        await self.turns.close()
        await asyncio.gather(self.servers.close(), self.spans.close(), services, self.command_path.close())
        await asyncio.to_thread(launch.end_all)
        self.ending.set()
        await self.journal.end_streams(0.5)
        if self.sockets:
            await asyncio.wait(self.sockets, timeout=0.5)
        if self.warming is not None:
            self.warming.cancel()
        await self.models.close()
        self.kin.close()
        await self.journal.close()

    def enter(self) -> None:
        """What every request but /health begins with. Raises: Stopping."""
        if self.stopping:
            raise Stopping("the daemon is stopping")
        self.warm()

    def warm(self) -> None:
        """Import in the background what the first turn will need: a client is there, so a turn may come."""
        if self.warming is None:
            self.warming = asyncio.get_running_loop().create_task(self._warm())
            self.warming.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _warm(self) -> None:
        launch.begin()
        await self.keys.load()
        await self.load_engine()
        if self.models.name():
            await asyncio.to_thread(self.models.build)
        self.command_path.begin()

    async def load_engine(self) -> Engine:
        """The engine; its import takes half a second the first time, in a thread."""
        if self.engine is None:
            async with self.loading:
                if self.engine is None:
                    await self.keys.load()
                    self.engine = await asyncio.to_thread(self._make_engine)
                    self.look_for_tools()
        return self.engine

    def look_for_tools(self) -> None:
        """Ask the MCP servers that have not answered, in the background. Not before the engine: both import a lot."""
        if self.engine is not None and not self.stopping:
            self.servers.begin()

    # -- agents that come and go -----------------------------------------------------------------------------------

    def agent(self, agent_id: str) -> AgentSpec | None:
        """The agent; None when its file is gone or broken but its conversations are there. Raises: AgentNotFound."""
        try:
            return self.agents.get(agent_id)
        except AgentNotFound:
            if self.sessions.count(agent_id) == 0:
                raise
            return None

    def agent_problems(self) -> list[wire.AgentProblem]:
        """What is wrong with agents' files, as clients see it."""
        return [
            wire.AgentProblem(id=p.agent_id, source=p.source, path=p.path, line=p.line, reason=p.reason)
            for p in self.agents.problems
        ]

    def tell_agents(self) -> None:
        """Tell clients which agents there are now."""
        if self.stopping:
            return
        event = wire.AgentsChangedEvent(
            agents=self.agents.ids(),
            problems=self.agent_problems(),
        )
        self.journal.put("agents_changed", event)

        def again(told: asyncio.Future[None]) -> None:
            if not told.cancelled() and told.exception() is not None:  # the store is away: it may come back
                asyncio.get_running_loop().call_later(LOOK_S, self.tell_agents)

        self.journal.commit().add_done_callback(again)

    def look_at_agents(self) -> None:
        """Look for changed files every `LOOK_S` while a stream is open; without one, only when somebody asks."""
        if self.looking is None and not self.stopping:
            self.looking = asyncio.get_running_loop().call_later(LOOK_S, self._look_again)

    def _look_again(self) -> None:
        self.looking = None
        if self.journal.watchers and not self.stopping:
            self.agents.refresh()
            self.look_at_agents()

    @property
    def environment(self) -> Mapping[str, str]:
        """The daemon's environment with the keys that are kept."""
        return WithKeys(self.settings.environment, self.keys)

    def link(self, code: str) -> str:
        """The address that signs a browser in. The code is behind the `#`: it is never sent as part of an address."""
        return f"http://127.0.0.1:{self.port}/#handoff={code}"

    def forget(self, session_id: str) -> None:
        """Drop what is kept in memory of a session whose rows went."""
        self.turns.forget(session_id)
        if self.engine is not None:
            self.engine.forget(session_id)

    def fixed_values(self) -> dict[str, wire.ConfigValue]:
        """Effective values that can't be set through the API, secrets masked."""
        environment = self.settings.environment
        flags = self.settings.flags
        given: dict[str, tuple[Any, bool]] = {
            "framework": (self.settings.framework, flags.get("framework") is not None),
            "port": (self.port, flags.get("port") is not None),
            "allow_origins": (list(self.settings.allow_origins), bool(flags.get("allow_origin"))),
            "uds": (str(self.settings.uds) if self.settings.uds is not None else None, self.settings.uds is not None),
        }
        values = {
            key: wire.ConfigValue(value=value, source="flag" if said else "default", settable=False)
            for key, (value, said) in given.items()
        }
        if self.settings.token:
            source = "flag" if flags.get("supervised") else "environment"
            values["token"] = wire.ConfigValue(value=MASK, source=source, settable=False)
        for provider in PROVIDERS.values():
            for name, secret in ((provider.key, True), (provider.key_too, True), (provider.base, False)):
                if name and environment.get(name):
                    value = MASK if secret else without_password(environment[name])
                    values[name] = wire.ConfigValue(value=value, source="environment", settable=False)
        return values

    def _make_engine(self) -> Engine:
        with without("httpx._main"):  # a command line, and what draws it
            from aster_sidecar.conversation.engine import Engine

        self.spans = make_spans(self.settings.environment)
        return Engine(self.journal, self.models, self.toolkit, self.approvals, self.servers, self.spans)


def build_parts(settings: Settings) -> Parts:
    """Wire everything up; nothing is opened yet. Raises: ConfigInvalid."""
    config = Config(settings)
    journal = Journal(settings.places.data_dir / STORE_NAME)
    rules = Rules(journal)
    places = settings.places
    own = tuple({Path(os.path.realpath(place)) for place in (places.data_dir, places.config_dir, places.logs_dir)})
    own_files = tuple(
        Path(os.path.realpath(place))  # `resolve` raises where links lead to each other
        for place in (
            *(places.data_dir / f"{STORE_NAME}{more}" for more in ("", "-wal", "-shm")),
            *(places.data_dir / name for name in ("aster.lock", "sidecar.json", KEYS_FILE)),
            *(places.config_path, places.config_dir / "agents", places.config_dir / TRUSTED, places.logs_dir),
            *([settings.uds] if settings.uds is not None else []),
        )
    )

    def project() -> Path | None:
        """The trusted project that tools work in. Raises: ConfigInvalid."""
        return trusted_project(places.config_dir, config.work_dir)

    def surroundings() -> Surroundings:
        """Tools may not touch our directories; where they work inside one (`workspace`), not our files in it.

        Nor what the project tells us: what a web page says could make itself instructions for good.
        """
        work_dir = config.work_dir
        inside = any(work_dir.is_relative_to(place) for place in own)
        told = (project_of(work_dir) or work_dir) / FOLDER
        return Surroundings(work_dir, (*(own_files if inside else own), told))

    tools = [*builtin_tools(), *settings.own.tools]
    told = read_file(places.config_path)
    server_specs = specs(told.get("mcp", {}))
    redactor = Redactor([settings.token or "", *secrets_of(settings.environment), *secrets_in(told.get("mcp"))])
    services = Services(
        service_specs(told.get("services", {})), journal, redactor, places.logs_dir if settings.log_file else None
    )
    servers = Servers(server_specs, reserved=[tool.name for tool in tools])
    toolkit = Toolkit(
        tools,
        surroundings,
        lambda agent_id: agents.mode(agent_id, config.value("permission_mode")),
        rules.active,
        {tool.name for tool in settings.own.tools} - settings.own.shared,
        servers.why_absent,
    )
    servers.on_change = lambda: toolkit.extend(servers.tools())
    offered_later = tuple(f"{spec.name}_" for spec in server_specs)
    known = Known(
        has_tool=lambda name: toolkit.has(name) or name.startswith(offered_later),
        tool_names=lambda: [*toolkit.all_names(), *(f"{prefix}…" for prefix in offered_later)],
        wrong_model=misnamed,
    )
    for spec in settings.own.agents:
        check_own(spec, known)
    approvals = Approvals(journal, rules, toolkit.check)
    sessions = Sessions(journal)
    agents = Agents(settings.own, AgentPlaces(places.config_dir / "agents", project), known)
    loop = asyncio.get_running_loop()

    def keep(key: str, value: str) -> None:
        loop.call_soon_threadsafe(lambda: journal.put(writes=[remember(key, value)]))

    def forget_models() -> None:
        models.forget()

    def learn(key: str) -> None:
        redactor.learn([key])
        log_file.learn([key])

    keys = Keys(journal, places.data_dir, settings.environment, learn, forget_models)
    models = Models(WithKeys(settings.environment, keys), lambda: config.value("model"), journal.recall, keep)

    def options() -> Options:
        return Options(
            Limits(config.value("max_requests"), config.value("max_tool_calls"), config.value("max_tokens")),
            config.value("max_turn_s"),
            config.value("approval_timeout_s"),
            config.value("on_unattended"),
        )

    command_path = CommandPath(lambda: config.value("command_path"))
    CHOSEN.names, CHOSEN.path = lambda: config.value("pass_environment"), command_path.value
    CHOSEN.path_known = command_path.known

    instance_id = clock.new_id("instance")
    streams = Streams(journal, settings.framework, instance_id)
    parts: Parts

    async def load_engine() -> Engine:
        return await parts.load_engine()

    turns = Turns(journal, sessions, approvals, agents, load_engine, options)
    parts = Parts(
        settings,
        config,
        journal,
        rules,
        approvals,
        sessions,
        agents,
        toolkit,
        models,
        turns,
        streams,
        servers,
        services,
        keys,
        Flags(places.config_path),
        redactor,
        command_path,
        instance_id,
        settings.port,
    )
    return parts


def check_own(spec: AgentSpec, known: Known) -> None:
    """Whether what an agent of the app's code names is there. Raises: ConfigInvalid."""
    for name in spec.tools or ():
        if not known.has_tool(name):
            raise ConfigInvalid(
                f"agent {spec.agent_id!r}: there is no tool {name!r}",
                hint=f"there are: {', '.join(known.tool_names())}; or pass the function itself",
            )
    if spec.model is not None and (wrong := known.wrong_model(spec.model)):
        raise ConfigInvalid(f"agent {spec.agent_id!r}: model: {wrong}")


def build_app(parts: Parts) -> Guard:
    """The ASGI application: the gate, and behind it the routes."""
    with without("pydantic.v1"):  # FastAPI asks of every type whether it is one of that old library's
        from aster_sidecar.http.routes import router
    app = FastAPI(
        title="Aster Sidecar",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=router.routes,  # `include_router` would make everything a second time, with the first request
    )
    app.state.parts = parts
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        AsterError: on_aster_error,
        RequestValidationError: on_invalid,
        HTTPException: on_http_error,
        Exception: on_unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    gate = Gate(
        framework=parts.settings.framework,
        token=parts.settings.token,
        port=lambda: parts.port,
        allow_origins=parts.settings.allow_origins,
        kin=parts.kin,
        is_page=lambda path: parts.pages.get(path) is not None,
        find_signed_in=parts.handoffs.find,
    )
    return Guard(Shown(app, parts.pages), gate)


# -- errors → HTTP -----------------------------------------------------------------------------------------------------


def request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))


def refusal(request: Request, error: AsterError, details: Any = None) -> Response:
    """An error as every client gets it."""
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return Response(failure(request_id(request), error, details), error.status, headers, "application/json")


async def on_aster_error(request: Request, error: AsterError) -> Response:
    return refusal(request, error)


async def on_invalid(request: Request, error: RequestValidationError) -> Response:
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return refusal(request, MalformedBody("the body is not valid JSON"))
    return refusal(request, *misshapen(problems, within=1))


async def on_http_error(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        answer = refusal(request, MethodNotAllowed(f"{request.method} is not answered here"))
        answer.headers.update(error.headers or {})
        return answer
    if error.status_code == 404:
        path = request.url.path
        hint = "a WebSocket is there: connect with ws://" if path == SOCKET_PATH else None
        return refusal(request, NotFound(f"no such endpoint: {path[:200]}", hint=hint))
    if error.status_code == 400:
        return refusal(request, MalformedBody("the body could not be read"))
    mapped = AsterError(str(error.detail))
    mapped.status = error.status_code
    return refusal(request, mapped)


async def on_unexpected(request: Request, error: Exception) -> Response:
    return refusal(request, bug())
