"""Composition root: builds every component of a daemon and passes each its dependencies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.folders import FolderAgents
from aster_sidecar.agents.registry import Agents
from aster_sidecar.agents.registry import Places as AgentPlaces
from aster_sidecar.agents.spec import Known
from aster_sidecar.api.agent_browser import AgentBrowserCalls
from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.api.attachments import AttachmentCalls
from aster_sidecar.api.audit import AuditCalls
from aster_sidecar.api.browser_login import BrowserCalls, Handoffs
from aster_sidecar.api.calls import Calls
from aster_sidecar.api.changes import ChangeCalls
from aster_sidecar.api.companion import CompanionCalls
from aster_sidecar.api.conversations import ConversationCalls
from aster_sidecar.api.diagnostics_bundle import DiagnosticsCalls
from aster_sidecar.api.event_stream import EventCalls, Streams
from aster_sidecar.api.folders import FolderCalls
from aster_sidecar.api.health import HealthCalls
from aster_sidecar.api.hosts import HostCalls
from aster_sidecar.api.identity import Identity
from aster_sidecar.api.lifecycle import Lifecycle
from aster_sidecar.api.mcp import McpCalls
from aster_sidecar.api.mcp_contents import McpContentCalls
from aster_sidecar.api.models import ModelCalls
from aster_sidecar.api.policy import PolicyCalls
from aster_sidecar.api.questions import QuestionCalls
from aster_sidecar.api.services import ServiceCalls
from aster_sidecar.api.settings import SettingsCalls
from aster_sidecar.api.snapshot import SnapshotCalls
from aster_sidecar.api.tools import ToolCalls
from aster_sidecar.api.trust import TrustCalls
from aster_sidecar.api.warnings import Warnings
from aster_sidecar.asking.questions import Questions
from aster_sidecar.companion.feature_flags import Flags
from aster_sidecar.companion.notifications import Notifications
from aster_sidecar.companion.onboarding import Onboarding
from aster_sidecar.companion.timed_reading import TimedReading
from aster_sidecar.config.kept_secrets import KeptSecrets, SecretStorage
from aster_sidecar.config.places import STORE_NAME
from aster_sidecar.config.settings import Config, Settings
from aster_sidecar.config.toml_file import read_file
from aster_sidecar.config.trusted_projects import trusted_project
from aster_sidecar.conversation.attachments import Attachments
from aster_sidecar.conversation.effective_settings import EffectiveSettings
from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.conversation.forks import Forks
from aster_sidecar.conversation.history import History
from aster_sidecar.conversation.message_files import MessageFiles
from aster_sidecar.conversation.rewinds import Rewinds
from aster_sidecar.conversation.run_request import Limits
from aster_sidecar.conversation.session_choices import SessionChoices
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.conversation.turn_status import TurnStatus
from aster_sidecar.conversation.turns import Options, Turns
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.daemon.agent_watcher import AgentWatcher
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.daemon.known_names import check_own, known_names
from aster_sidecar.daemon.tool_surroundings import SANDBOX_FILES, surroundings_of
from aster_sidecar.daemon.warm_up import WarmUp
from aster_sidecar.hosts.dispatch import Dispatch
from aster_sidecar.hosts.registry import Hosts
from aster_sidecar.hosts.tools import host_tools, why_away
from aster_sidecar.http.app import build_app
from aster_sidecar.http.guard import Gate, Guard
from aster_sidecar.http.peer_ancestry import Ancestry, Marked
from aster_sidecar.http.static_ui import Pages
from aster_sidecar.ledger.ledger import Ledger
from aster_sidecar.models.api_keys import Keys, WithKeys
from aster_sidecar.models.build import Models
from aster_sidecar.models.library_patches import without
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.policy.decisions import Decisions
from aster_sidecar.policy.rules import Rules
from aster_sidecar.sandbox.commands import CommandSandbox
from aster_sidecar.services import launch
from aster_sidecar.services.config import service_specs
from aster_sidecar.services.log import ServiceLog
from aster_sidecar.services.login_path import CommandPath
from aster_sidecar.services.process_tree import CHOSEN
from aster_sidecar.services.program_mark import ProgramMark
from aster_sidecar.services.supervisor import Services
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.meta import remember
from aster_sidecar.telemetry import log_file
from aster_sidecar.telemetry.choose import make_spans
from aster_sidecar.telemetry.redaction import Redactor, secrets_in, secrets_of
from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.browser.service import BrowserService
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.mcp import references
from aster_sidecar.tools.mcp.config import ServerSpec, listed_servers
from aster_sidecar.tools.mcp.grants import AcceptedDefinitions
from aster_sidecar.tools.mcp.server import Home
from aster_sidecar.tools.mcp.servers import Servers
from aster_sidecar.tools.registry import Toolkit

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine


def build(settings: Settings, code: AppCode, port: int, ask_stop: Callable[[], None]) -> Daemon:
    """Build a daemon without opening anything. `port`: the bound port. Raises: ConfigInvalid."""
    base = build_base(settings, port)
    models = build_models(base)
    programs = build_programs(base)
    tools = build_tools(base, code, models)
    conversations = build_conversations(base, models, programs, tools)
    companion = build_companion(base, models, tools)
    api = build_api(base, models, programs, tools, conversations, companion, ask_stop)
    http = build_http(base, api, port)
    return Daemon(
        calls=api.calls,
        app=http.app,
        config=base.config,
        models=models.models,
        services=programs.services,
        _journal=base.journal,
        _rules=tools.rules,
        _waits=conversations.waits,
        _decisions=tools.decisions,
        _sessions=conversations.sessions,
        _attachments=conversations.attachments,
        _ledger=conversations.ledger,
        _choices=tools.choices,
        _queues=conversations.queues,
        _turns=conversations.turns,
        _onboarding=companion.onboarding,
        _notifications=companion.notifications,
        _servers=tools.servers,
        _hosts=tools.hosts,
        _browser=tools.browser,
        _accepted=tools.accepted,
        _mark=base.mark,
        _engine=conversations.engine,
        _warm_up=conversations.warm_up,
        _agent_watcher=AgentWatcher(base.journal, tools.agents),
        _command_path=programs.command_path,
        _sandbox=tools.sandbox,
        _handoffs=api.handoffs,
        _pages=api.pages,
        _kin=http.kin,
    )


@dataclass(frozen=True, slots=True)
class Base:
    """What every other part may need."""

    settings: Settings
    config: Config
    config_file: Mapping[str, Any]
    identity: Identity
    journal: Journal
    redactor: Redactor
    mark: ProgramMark


def build_base(settings: Settings, port: int) -> Base:
    """Raises: ConfigInvalid."""
    places = settings.places
    config = Config(settings)
    identity = Identity(settings, port)
    journal = Journal(places.data_dir / STORE_NAME)
    config_file = read_file(places.config_path)
    redactor = Redactor([settings.token or "", *secrets_of(settings.environment), *secrets_in(config_file.get("mcp"))])
    return Base(settings, config, config_file, identity, journal, redactor, ProgramMark())


@dataclass(frozen=True, slots=True)
class ModelParts:
    """The keys of providers, other saved secrets, and the models."""

    keys: Keys
    secrets: KeptSecrets
    environment: WithKeys
    models: Models


def build_models(base: Base) -> ModelParts:
    settings, config, journal = base.settings, base.config, base.journal
    loop = asyncio.get_running_loop()

    def learn(key: str) -> None:
        base.redactor.learn([key])
        log_file.learn([key])

    def keep(key: str, value: str) -> None:
        loop.call_soon_threadsafe(lambda: journal.put(writes=[remember(key, value)]))

    storage = SecretStorage(journal, settings.places.data_dir)
    keys = Keys(journal, storage, settings.environment, learn)
    secrets = KeptSecrets(journal, storage, learn)
    environment = WithKeys(settings.environment, keys)
    models = Models(environment, lambda: config.value("model"), journal.recall, keep, lambda: config.value("vision"))
    keys.changed.subscribe(models.forget)
    return ModelParts(keys, secrets, environment, models)


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of the user, and how they are found."""

    command_path: CommandPath
    services: Services


def build_programs(base: Base) -> Programs:
    """Raises: ConfigInvalid."""
    settings, config = base.settings, base.config
    command_path = CommandPath(lambda: config.value("command_path"))
    CHOSEN.names, CHOSEN.path = lambda: config.value("pass_environment"), command_path.value
    CHOSEN.path_known = command_path.known
    logs_dir = settings.places.logs_dir if settings.log_file else None
    specs = service_specs(base.config_file.get("services", {}))
    return Programs(command_path, Services(specs, base.journal, base.redactor, logs_dir, base.mark))


@dataclass(frozen=True, slots=True)
class ToolParts:
    """What a model can call, who calls it, and the rules for that."""

    servers: Servers
    browser: BrowserService
    accepted: AcceptedDefinitions
    known: Known
    agents: FolderAgents
    choices: SessionChoices
    settings: EffectiveSettings
    rules: Rules
    decisions: Decisions
    toolkit: Toolkit
    hosts: Hosts
    host_calls: Dispatch
    surroundings: Callable[[str], Surroundings]
    """Where the tools of a session work, by its id."""
    sandbox: CommandSandbox


def build_tools(base: Base, code: AppCode, parts: ModelParts) -> ToolParts:
    """Raises: ConfigInvalid."""
    config, places = base.config, base.settings.places
    tools = [*builtin_tools(), *code.tools]
    names = [tool.name for tool in tools]
    mcp_specs = listed_servers(base.config_file.get("mcp", {}))
    accepted = AcceptedDefinitions(base.journal)
    logs_dir = base.settings.places.logs_dir if base.settings.log_file else None

    def log_of(name: str) -> ServiceLog:
        return ServiceLog(base.redactor, logs_dir and logs_dir / f"mcp-{name}.log")

    directory = places.data_dir.resolve() / "browser"
    browser = BrowserService(directory, base.settings.environment, lambda: config.work_dir, lambda: base.identity.port)

    async def resolve(spec: ServerSpec) -> ServerSpec:
        if servers.get(spec.name).knowledge is browser:
            return await browser.prepared(spec)
        await parts.secrets.load()  # here, because a keychain may ask the person: only servers wait for that
        return references.resolved(spec, base.settings.environment, parts.secrets.value)

    home = Home(accepted=accepted, resolve=resolve, folder=lambda: config.work_dir, log_of=log_of)
    servers = Servers(mcp_specs, reserved=names, mark=base.mark, home=home)
    known = known_names(names, servers)
    for spec in code.agents:
        check_own(spec, known)

    def agents_of(folder: Path | None) -> Agents:
        project = partial(project_of, folder)
        return Agents(code, AgentPlaces(places.config_dir / "agents", project), known)

    def project_of(folder: Path | None) -> Path | None:
        return trusted_project(places.config_dir, folder or config.work_dir)

    agents = FolderAgents(agents_of)
    choices = SessionChoices(base.journal)
    settings = EffectiveSettings(config, agents, parts.models, choices)
    rules = Rules(base.journal)
    decisions = Decisions(base.journal, lambda: config.value("audit_keep_days"))
    sandbox = CommandSandbox(lambda: config.value("sandbox"), places.data_dir / SANDBOX_FILES)
    surroundings_in = surroundings_of(base.settings, sandbox)

    def surroundings(session_id: str) -> Surroundings:
        return surroundings_in(settings.work_dir(session_id))

    def wanted(server: str, agent_id: str, session_id: str) -> bool:
        return servers.wants(server, agent_id) and server not in choices.of(session_id).mcp_off

    toolkit = Toolkit(
        tools,
        surroundings,
        settings.mode,
        rules.active,
        {tool.name for tool in code.tools} - code.shared,
        lambda name: servers.why_absent(name) or why_away(hosts, name),
        wanted,
    )

    def taken(name: str) -> str | None:
        """Why a host can't lend a tool of this name."""
        if name in names or name.startswith(tuple(f"{server}_" for server in servers.names())):
            return "a tool of this name exists, or an MCP server may offer one"
        return None

    hosts = Hosts(base.journal, taken)
    host_calls = Dispatch(base.journal, hosts)

    def offer() -> None:
        toolkit.offer(servers.tools())
        toolkit.lend(host_tools(hosts, host_calls, accepted))

    servers.changed.subscribe(offer)
    hosts.changed.subscribe(offer)
    return ToolParts(
        servers,
        browser,
        accepted,
        known,
        agents,
        choices,
        settings,
        rules,
        decisions,
        toolkit,
        hosts,
        host_calls,
        surroundings,
        sandbox,
    )


@dataclass(frozen=True, slots=True)
class Conversations:
    """Sessions, and the turns in them."""

    waits: Waits
    attachments: Attachments
    ledger: Ledger
    queues: SessionQueues
    sessions: Sessions
    history: History
    engine: EngineLoader
    turns: Turns
    rewinds: Rewinds
    forks: Forks
    status: TurnStatus
    warm_up: WarmUp


def build_conversations(base: Base, parts: ModelParts, programs: Programs, tools: ToolParts) -> Conversations:
    journal, models, choices, settings = base.journal, parts.models, tools.choices, tools.settings
    approvals = Approvals(journal, tools.rules, tools.toolkit.check, tools.toolkit.accepted)
    waits = Waits(approvals, Questions(journal), tools.host_calls)
    attachments = Attachments(journal, base.settings.places.data_dir)
    ledger = build_ledger(base, tools)
    queues = SessionQueues(journal)
    sessions = Sessions(journal, queues, waits, choices, settings.of, attachments.check_soon)
    history = History(journal, sessions, queues, attachments.check_soon)

    def make_engine() -> Engine:
        with without("httpx._main"):  # httpx's command line, with the libraries that it imports
            from aster_sidecar.conversation.engine import Engine

        spans = make_spans(base.settings.environment)
        return Engine(journal, models, tools.toolkit, waits, tools.servers, attachments, ledger.recorder, spans)

    def options(session_id: str) -> Options:
        value = partial(settings.value, session_id=session_id)
        return Options(
            Limits(value("max_requests"), value("max_tool_calls"), value("max_tokens")),
            value("max_turn_s"),
            value("approval_timeout_s"),
            value("on_unattended"),
        )

    engine = EngineLoader(make_engine, parts.keys.load, tools.servers.begin)
    files = MessageFiles(attachments, tools.surroundings)
    turns = Turns(journal, sessions, history, queues, waits, tools.agents, engine.load, options, settings, files)
    rewinds = Rewinds(journal, sessions, history, queues, engine.load, engine.forget, ledger.reverts)
    forks = Forks(journal, sessions, queues, engine.load)
    status = TurnStatus(journal, tools.agents, sessions, queues, waits, choices, settings)
    warm_up = WarmUp(parts.keys, engine, models, programs.command_path, tools.sandbox)
    return Conversations(
        waits, attachments, ledger, queues, sessions, history, engine, turns, rewinds, forks, status, warm_up
    )


def build_ledger(base: Base, tools: ToolParts) -> Ledger:
    config = base.config

    def keep() -> tuple[int, float]:
        return config.value("changes_keep_mb") << 20, float(config.value("changes_keep_days"))

    return Ledger(base.journal, base.settings.places.data_dir, tools.surroundings, keep)


@dataclass(frozen=True, slots=True)
class CompanionParts:
    """What the companion shows besides conversations."""

    streams: Streams
    flags: Flags
    notifications: Notifications
    onboarding: Onboarding


def build_companion(base: Base, parts: ModelParts, tools: ToolParts) -> CompanionParts:
    settings, journal = base.settings, base.journal
    streams = Streams(journal, settings.framework, base.identity.instance_id)
    flags = Flags(settings.places.config_path)
    notifications = Notifications(journal, streams.focused, tools.agents.name_of)
    onboarding = Onboarding(journal, settings, base.config, parts.models, lambda: parts.keys.why_no_keychain)
    return CompanionParts(streams, flags, notifications, onboarding)


@dataclass(frozen=True, slots=True)
class Api:
    """All API calls, and what the page needs to be opened."""

    calls: Calls
    handoffs: Handoffs
    pages: Pages


def build_api(
    base: Base,
    parts: ModelParts,
    programs: Programs,
    tools: ToolParts,
    conversations: Conversations,
    companion: CompanionParts,
    ask_stop: Callable[[], None],
) -> Api:
    config, identity, journal, models = base.config, base.identity, base.journal, parts.models
    sessions, queues, waits = conversations.sessions, conversations.queues, conversations.waits
    engine, streams = conversations.engine, companion.streams
    notifications, onboarding = companion.notifications, companion.onboarding
    handoffs = Handoffs()
    # With other frameworks a browser gets the page only while a sign-in link or a signed-in browser exists.
    pages = Pages(lambda: base.settings.framework == "web" or handoffs.open())
    lifecycle = Lifecycle(ask_stop, conversations.warm_up.begin)
    agent_calls = AgentCalls(tools.agents, sessions, queues, tools.choices, tools.toolkit, models, tools.servers)
    warnings = Warnings(journal, config, models, parts.keys, agent_calls, tools.servers)
    policy_calls = PolicyCalls(
        journal, agent_calls, sessions, tools.choices, engine, waits.approvals, tools.rules, tools.toolkit
    )
    companion_calls = CompanionCalls(journal, sessions, streams, notifications, companion.flags, onboarding)
    service_calls = ServiceCalls(programs.services)
    settings_calls = SettingsCalls(journal, identity, config)
    agent_browser_calls = AgentBrowserCalls(
        base.settings.places.config_path, companion.flags, companion_calls, tools.servers, tools.browser
    )
    mcp_calls = McpCalls(journal, identity, config, tools.servers, parts.secrets, engine, base.redactor.learn)
    reading = TimedReading()
    model_calls = ModelCalls(models, parts.keys, parts.environment, onboarding)
    calls = Calls(
        identity,
        lifecycle,
        HealthCalls(journal, identity, lifecycle, agent_calls, tools.toolkit),
        ConversationCalls(
            journal,
            agent_calls,
            sessions,
            conversations.history,
            queues,
            conversations.turns,
            conversations.status,
            engine,
            waits,
            tools.rules,
            notifications,
            conversations.rewinds,
            conversations.forks,
        ),
        AttachmentCalls(conversations.attachments),
        ChangeCalls(sessions, conversations.ledger),
        EventCalls(journal, agent_calls, sessions, streams),
        policy_calls,
        QuestionCalls(journal, agent_calls, sessions, waits),
        AuditCalls(tools.decisions),
        agent_calls,
        ToolCalls(engine, tools.toolkit, warnings),
        model_calls,
        service_calls,
        mcp_calls,
        McpContentCalls(tools.servers, conversations.attachments, sessions, tools.settings),
        HostCalls(tools.hosts, tools.host_calls, conversations.attachments),
        agent_browser_calls,
        settings_calls,
        FolderCalls(journal, identity, config, reading),
        TrustCalls(journal, identity, config, tools.agents, tools.known, reading),
        companion_calls,
        SnapshotCalls(
            journal,
            identity,
            config,
            models,
            sessions,
            waits,
            notifications,
            streams,
            agent_calls,
            companion_calls,
            policy_calls,
            service_calls,
            mcp_calls,
            tools.hosts,
            agent_browser_calls,
            settings_calls,
            warnings,
        ),
        BrowserCalls(identity, handoffs, lambda: pages.built, sessions, onboarding, companion.flags),
        DiagnosticsCalls(
            journal,
            identity,
            base.redactor,
            waits,
            streams,
            agent_calls,
            companion_calls,
            model_calls,
            service_calls,
            settings_calls,
            warnings,
        ),
    )
    return Api(calls, handoffs, pages)


@dataclass(frozen=True, slots=True)
class Http:
    """The guarded app, and who is known to be a process that the daemon started."""

    app: Guard
    kin: Ancestry | Marked


def build_http(base: Base, api: Api, port: int) -> Http:
    settings = base.settings
    kin = Ancestry(launch.keeper_pid) if sys.platform == "linux" else Marked(launch.has_started_directly)
    gate = Gate(
        framework=settings.framework,
        token=settings.token,
        port=lambda: port,
        allow_origins=settings.allow_origins,
        kin=kin,
        is_page=lambda path: api.pages.get(path) is not None,
        find_signed_in=api.handoffs.find,
    )
    return Http(build_app(api.calls, gate, api.pages), kin)
