"""Composition root: builds every component of a daemon and passes each its dependencies."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.registry import Agents
from aster_sidecar.agents.registry import Places as AgentPlaces
from aster_sidecar.agents.spec import AgentSpec, Known
from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.api.browser_login import PRINTED_S, BrowserCalls, Handoffs, link
from aster_sidecar.api.calls import Calls
from aster_sidecar.api.companion import CompanionCalls
from aster_sidecar.api.conversations import ConversationCalls
from aster_sidecar.api.diagnostics_bundle import DiagnosticsCalls
from aster_sidecar.api.event_stream import EventCalls, Streams
from aster_sidecar.api.health import HealthCalls
from aster_sidecar.api.identity import Identity
from aster_sidecar.api.lifecycle import Lifecycle
from aster_sidecar.api.models import ModelCalls
from aster_sidecar.api.policy import PolicyCalls
from aster_sidecar.api.services import ServiceCalls
from aster_sidecar.api.settings import SettingsCalls
from aster_sidecar.api.snapshot import SnapshotCalls
from aster_sidecar.api.tools import ToolCalls
from aster_sidecar.api.warnings import Warnings
from aster_sidecar.companion.feature_flags import Flags
from aster_sidecar.companion.notifications import Attention
from aster_sidecar.companion.onboarding import Onboarding
from aster_sidecar.config.places import STORE_NAME, Places
from aster_sidecar.config.settings import Config, Settings
from aster_sidecar.config.toml_file import read_file
from aster_sidecar.config.trusted_projects import FILE as TRUSTED
from aster_sidecar.config.trusted_projects import FOLDER, project_of, trusted_project
from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.conversation.history import History
from aster_sidecar.conversation.run_request import Limits
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.conversation.turn_status import TurnStatus
from aster_sidecar.conversation.turns import Options, Turns
from aster_sidecar.daemon.agent_watcher import AgentWatcher
from aster_sidecar.daemon.warm_up import WarmUp
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.http.app import build_app
from aster_sidecar.http.guard import Gate, Guard
from aster_sidecar.http.peer_ancestry import Ancestry, Marked
from aster_sidecar.http.static_ui import Pages
from aster_sidecar.models.api_keys import FILE as KEYS_FILE
from aster_sidecar.models.api_keys import Keys, WithKeys
from aster_sidecar.models.build import Models
from aster_sidecar.models.catalog import misnamed
from aster_sidecar.models.library_patches import without
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.policy.rules import Rules
from aster_sidecar.services import launch
from aster_sidecar.services.config import service_specs
from aster_sidecar.services.login_path import CommandPath
from aster_sidecar.services.process_tree import CHOSEN, end_orphans
from aster_sidecar.services.program_mark import ProgramMark
from aster_sidecar.services.supervisor import Services
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.calls import select_started
from aster_sidecar.store.rows.meta import remember
from aster_sidecar.telemetry import log_file
from aster_sidecar.telemetry.choose import make_spans
from aster_sidecar.telemetry.redaction import Redactor, secrets_in, secrets_of
from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.mcp.config import server_specs
from aster_sidecar.tools.mcp.servers import Servers
from aster_sidecar.tools.registry import Toolkit

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine

log = logging.getLogger(__name__)

KEEP_EVENTS = 500_000
"""Events kept for replay; older events of ended turns are trimmed at start. Histories are stored separately."""


@dataclass(eq=False, slots=True)
class Daemon:
    """A wired daemon. `app` answers requests between `open` and `close`."""

    calls: Calls
    app: Guard
    config: Config
    models: Models
    services: Services
    _journal: Journal
    _rules: Rules
    _approvals: Approvals
    _sessions: Sessions
    _queues: SessionQueues
    _turns: Turns
    _onboarding: Onboarding
    _notifications: Attention
    _servers: Servers
    _mark: ProgramMark
    _engine: EngineLoader
    _warm_up: WarmUp
    _agent_watcher: AgentWatcher
    _command_path: CommandPath
    _handoffs: Handoffs
    _pages: Pages
    _kin: Ancestry | Marked
    _ending_orphans: asyncio.Task[int] | None = None

    @property
    def identity(self) -> Identity:
        return self.calls.identity

    async def open(self) -> None:
        """Open the store and restore the state of all components from it. Raises: StoreError."""
        self._journal.open()
        self._sessions.open()
        await self._record_data_dir()
        self._rules.open()
        self._approvals.open()
        self._sessions.open_trash()
        await self._journal.trim(KEEP_EVENTS)
        left = set(self._journal.rows(select_started()))
        self._mark.open(self._journal, bool(self.services.list() or self._servers.programs))
        mark = self._mark.text
        if left or mark:
            # A daemon that was killed could not end its tools: they are still running.
            ending = asyncio.to_thread(end_orphans, lambda call: call in left or (mark != "" and call.startswith(mark)))
            self._ending_orphans = asyncio.get_running_loop().create_task(ending)
        self._turns.open()
        self._onboarding.open()
        self._notifications.open()
        self._agent_watcher.begin()
        self.calls.lifecycle.ready = True

    def begin_services(self) -> None:
        """Start the services with autostart, once the processes left by a killed daemon have ended."""
        self.services.begin(self._ending_orphans)

    async def _record_data_dir(self) -> None:
        """Record the data directory's path; if it was moved since the last start, adjust the rules that name it."""
        here = str(self.identity.settings.places.data_dir.resolve())
        before = self._journal.recall("data_dir")
        if before != here:
            self._journal.put(writes=[remember("data_dir", here)])
        if before not in (None, here):
            log.info("the data directory was moved")
            self._rules.relocate(before, here)
            await self._journal.commit()

    async def close(self) -> None:
        """End turns, then streams, then close the store."""
        lifecycle = self.calls.lifecycle
        lifecycle.stopping = True
        self._engine.stop_looking()
        self._agent_watcher.close()
        self._approvals.close()
        self._sessions.close()
        services = asyncio.get_running_loop().create_task(self.services.close())
        await self._turns.close()
        await asyncio.gather(self._servers.close(), self._engine.close(), services, self._command_path.close())
        await asyncio.to_thread(launch.end_all)
        lifecycle.ending.set()
        await self._journal.end_streams(0.5)
        if lifecycle.sockets:
            await asyncio.wait(lifecycle.sockets, timeout=0.5)
        self._warm_up.cancel()
        await self.models.close()
        self._kin.close()
        await self._journal.close()

    # -- the page ------------------------------------------------------------------------------------------------------

    @property
    def has_page(self) -> bool:
        return self._pages.built

    def page_link(self, *, printed: bool = False) -> str:
        """The page's URL; if a token is set, a one-time sign-in link. `printed`: the link is valid for longer."""
        identity = self.identity
        if identity.settings.token is None:
            return f"{identity.url}/"
        return link(identity, self._handoffs.mint(lives_s=PRINTED_S) if printed else self._handoffs.mint())


def build(settings: Settings, code: AppCode, port: int, ask_stop: Callable[[], None]) -> Daemon:
    """Build a daemon without opening anything. `port`: the bound port. Raises: ConfigInvalid."""
    config = Config(settings)
    places = settings.places
    identity = Identity(settings, port)
    journal = Journal(places.data_dir / STORE_NAME)
    config_file = read_file(places.config_path)
    redactor = Redactor([settings.token or "", *secrets_of(settings.environment), *secrets_in(config_file.get("mcp"))])
    mark = ProgramMark()
    loop = asyncio.get_running_loop()

    # -- models and keys

    def learn(key: str) -> None:
        redactor.learn([key])
        log_file.learn([key])

    def keep(key: str, value: str) -> None:
        loop.call_soon_threadsafe(lambda: journal.put(writes=[remember(key, value)]))

    keys = Keys(journal, places.data_dir, settings.environment, learn)
    environment = WithKeys(settings.environment, keys)
    models = Models(environment, lambda: config.value("model"), journal.recall, keep)
    keys.changed.subscribe(models.forget)

    # -- programs

    command_path = CommandPath(lambda: config.value("command_path"))
    CHOSEN.names, CHOSEN.path = lambda: config.value("pass_environment"), command_path.value
    CHOSEN.path_known = command_path.known
    logs_dir = places.logs_dir if settings.log_file else None
    services = Services(service_specs(config_file.get("services", {})), journal, redactor, logs_dir, mark)

    # -- agents and tools

    tools = [*builtin_tools(), *code.tools]
    names = [tool.name for tool in tools]
    mcp_specs = server_specs(config_file.get("mcp", {}))
    servers = Servers(mcp_specs, reserved=names, mark=mark)
    known = known_names(names, servers, [spec.name for spec in mcp_specs])
    for spec in code.agents:
        check_own(spec, known)
    agents = Agents(code, AgentPlaces(places.config_dir / "agents", lambda: trusted(places, config)), known)
    rules = Rules(journal)
    toolkit = Toolkit(
        tools,
        surroundings_of(settings, config),
        lambda agent_id: agents.mode(agent_id, config.value("permission_mode")),
        rules.active,
        {tool.name for tool in code.tools} - code.shared,
        servers.why_absent,
    )
    servers.changed.subscribe(lambda: toolkit.extend(servers.tools()))

    # -- conversations

    approvals = Approvals(journal, rules, toolkit.check)
    queues = SessionQueues(journal)
    sessions = Sessions(journal, queues, approvals)
    history = History(journal, sessions, queues)

    def make_engine() -> Engine:
        with without("httpx._main"):  # httpx's command line, with the libraries that it imports
            from aster_sidecar.conversation.engine import Engine

        return Engine(journal, models, toolkit, approvals, servers, make_spans(settings.environment))

    def options() -> Options:
        return Options(
            Limits(config.value("max_requests"), config.value("max_tool_calls"), config.value("max_tokens")),
            config.value("max_turn_s"),
            config.value("approval_timeout_s"),
            config.value("on_unattended"),
        )

    engine = EngineLoader(make_engine, keys.load, servers.begin)
    turns = Turns(journal, sessions, history, queues, approvals, agents, engine.load, options)
    status = TurnStatus(journal, agents, sessions, queues, approvals)
    warm_up = WarmUp(keys, engine, models, command_path)

    # -- the companion

    streams = Streams(journal, settings.framework, identity.instance_id)
    flags = Flags(places.config_path)
    notifications = Attention(journal, streams.focused, agents.name_of)
    onboarding = Onboarding(journal, settings, config, models, lambda: keys.why_no_keychain)

    # -- the API

    handoffs = Handoffs()
    # With other frameworks a browser gets the page only while a sign-in link or a signed-in browser exists.
    pages = Pages(lambda: settings.framework == "web" or handoffs.open())
    lifecycle = Lifecycle(ask_stop, warm_up.begin)
    agent_calls = AgentCalls(agents, sessions, queues, toolkit, models)
    warnings = Warnings(journal, config, models, keys, agent_calls, servers)
    policy_calls = PolicyCalls(journal, agent_calls, sessions, engine, approvals, rules, toolkit)
    companion_calls = CompanionCalls(journal, sessions, streams, notifications, flags, onboarding)
    service_calls = ServiceCalls(services)
    settings_calls = SettingsCalls(journal, identity, config)
    model_calls = ModelCalls(models, keys, environment, onboarding)
    calls = Calls(
        identity,
        lifecycle,
        HealthCalls(journal, identity, lifecycle, agent_calls),
        ConversationCalls(
            journal,
            agent_calls,
            sessions,
            history,
            queues,
            turns,
            status,
            engine,
            approvals,
            rules,
            notifications,
            models,
        ),
        EventCalls(journal, agent_calls, sessions, streams),
        policy_calls,
        agent_calls,
        ToolCalls(engine, toolkit, warnings),
        model_calls,
        service_calls,
        settings_calls,
        companion_calls,
        SnapshotCalls(
            journal,
            identity,
            config,
            models,
            sessions,
            approvals,
            notifications,
            streams,
            agent_calls,
            companion_calls,
            policy_calls,
            service_calls,
            settings_calls,
            warnings,
        ),
        BrowserCalls(identity, handoffs, lambda: pages.built, sessions, onboarding, flags),
        DiagnosticsCalls(
            journal,
            identity,
            redactor,
            approvals,
            streams,
            agent_calls,
            companion_calls,
            model_calls,
            service_calls,
            settings_calls,
            warnings,
        ),
    )
    kin = Ancestry(launch.keeper_pid) if sys.platform == "linux" else Marked(launch.has_started_directly)
    gate = Gate(
        framework=settings.framework,
        token=settings.token,
        port=lambda: port,
        allow_origins=settings.allow_origins,
        kin=kin,
        is_page=lambda path: pages.get(path) is not None,
        find_signed_in=handoffs.find,
    )
    return Daemon(
        calls,
        build_app(calls, gate, pages),
        config,
        models,
        services,
        journal,
        rules,
        approvals,
        sessions,
        queues,
        turns,
        onboarding,
        notifications,
        servers,
        mark,
        engine,
        warm_up,
        AgentWatcher(journal, agents),
        command_path,
        handoffs,
        pages,
        kin,
    )


def trusted(places: Places, config: Config) -> Path | None:
    """The trusted project of the work directory; None if there is none. Raises: ConfigInvalid."""
    return trusted_project(places.config_dir, config.work_dir)


def surroundings_of(settings: Settings, config: Config) -> Callable[[], Surroundings]:
    """The current work directory of tools, and the paths that they may not touch.

    These are the daemon's directories, or, if tools work inside one (`workspace`), its files there; and the project's
    `.aster` folder: otherwise instructions from a web page could be made permanent.
    """
    places = settings.places
    own = tuple({Path(os.path.realpath(place)) for place in (places.data_dir, places.config_dir, places.logs_dir)})
    own_files = tuple(
        Path(os.path.realpath(place))  # `resolve` raises on a loop of symbolic links
        for place in (
            *(places.data_dir / f"{STORE_NAME}{more}" for more in ("", "-wal", "-shm")),
            *(places.data_dir / name for name in ("aster.lock", "sidecar.json", KEYS_FILE)),
            *(places.config_path, places.config_dir / "agents", places.config_dir / TRUSTED, places.logs_dir),
            *([settings.uds] if settings.uds is not None else []),
        )
    )

    def surroundings() -> Surroundings:
        work_dir = config.work_dir
        inside = any(work_dir.is_relative_to(place) for place in own)
        project_folder = (project_of(work_dir) or work_dir) / FOLDER
        return Surroundings(work_dir, (*(own_files if inside else own), project_folder))

    return surroundings


def known_names(tools: Sequence[str], servers: Servers, server_names: Sequence[str]) -> Known:
    """What an agent's definition may name: tools, including those MCP servers may offer later, and models."""
    offered_later = tuple(f"{name}_" for name in server_names)

    def there() -> list[str]:
        return [*tools, *(tool.name for tool in servers.tools())]

    return Known(
        has_tool=lambda name: name in there() or name.startswith(offered_later),
        tool_names=lambda: [*there(), *(f"{prefix}…" for prefix in offered_later)],
        wrong_model=misnamed,
    )


def check_own(spec: AgentSpec, known: Known) -> None:
    """Check that an agent defined in the app's code names existing tools and a valid model. Raises: ConfigInvalid."""
    for name in spec.tools or ():
        if not known.has_tool(name):
            raise ConfigInvalid(
                f"agent {spec.agent_id!r}: there is no tool {name!r}",
                hint=f"there are: {', '.join(known.tool_names())}; or pass the function itself",
            )
    if spec.model is not None and (wrong := known.wrong_model(spec.model)):
        raise ConfigInvalid(f"agent {spec.agent_id!r}: model: {wrong}")
