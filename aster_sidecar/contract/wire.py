"""The contract in code: every request, answer and event as a model. OpenAPI and the client types come from here.

Requests refuse fields they don't know, so that a typo is an error and not a silence. Answers keep `null`s; events
leave absent fields out.
"""

from __future__ import annotations

import json
import os
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from aster_sidecar.errors import ModelError
from aster_sidecar.text import addresses
from aster_sidecar.text.repair import whole

PROTOCOL = 1
"""The version of this contract. It rises only when a client written for the old one would break."""

HEARTBEAT_S = 15.0

SOCKET_PATH = "/ws"
"""Where the WebSocket is."""

Framework = Literal["tauri", "electron", "wails", "web"]
Risk = Literal["low", "medium", "high"]
PermissionMode = Literal["auto_approve", "smart_approve", "always_ask"]
ApprovalDecision = Literal["allow", "deny", "allow_always", "deny_always"]
State = Literal["idle", "running", "waiting_approval", "queued", "failed"]
ServiceState = Literal["stopped", "starting", "running", "backoff", "stopping", "crashed"]
StopReason = Literal["complete", "cancelled", "denied", "limit", "failed", "interrupted"]
AgentSource = Literal["builtin", "code", "user", "project"]
IfBusy = Literal["queue", "steer", "reject", "interrupt"]
NotificationKind = Literal["approval_required", "turn_done", "error", "service_crashed"]
OnboardingStepId = Literal[
    "welcome", "environment", "state_root", "engine", "provider", "permissions", "handoff", "done"
]
SocketType = Literal[
    "chat",
    "cancel",
    "approve",
    "get_status",
    "get_history",
    "clear_history",
    "get_config",
    "set_config",
    "subscribe",
    "request",
]
MessageStatus = Literal["pending", "streaming", "waiting_approval", "complete", "cancelled", "failed", "interrupted"]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Time = Annotated[str, Field(description="RFC 3339, UTC, milliseconds", examples=["2026-11-20T12:00:00.000Z"])]


class Model(BaseModel):
    """Base of all wire models: built when first used, because a cold start counts."""

    model_config = ConfigDict(defer_build=True, protected_namespaces=())


class Request(Model):
    """Base of what clients send. Built at import: FastAPI would build them, with a warning, at the first request."""

    model_config = ConfigDict(defer_build=False, extra="forbid", strict=True, protected_namespaces=())


DEEPEST = 100


def storable(value: dict[str, Any]) -> dict[str, Any]:
    """The object, when it can be stored and sent again. Raises: ValueError."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)  # pyright: ignore
        ]
        if not level:
            break
    else:
        raise ValueError(f"it is nested deeper than {DEEPEST}")
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a surrogate pair") from error
    return value


Object = Annotated[dict[str, Any], AfterValidator(storable)]


REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_request_id(given: Any) -> bool:
    """Whether a client's own id for its request is taken over."""
    return isinstance(given, str) and REQUEST_ID.fullmatch(given) is not None


# -- the envelope ------------------------------------------------------------------------------------------------


class Failure(Model):
    """Every refusal: `code` is stable, `error` and `hint` are for people."""

    id: str
    success: Literal[False] = False
    error: str
    code: str
    hint: str | None = None
    details: Any = None


# -- chat --------------------------------------------------------------------------------------------------------


class ChatRequest(Request):
    """Say something to an agent. Without `session_id`: the agent's default session."""

    agent_id: Name
    message: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000), AfterValidator(whole)]
    session_id: Name | None = None
    context: Object | None = Field(
        default=None, description="a small object that the agent's instructions and tools can read for this turn"
    )
    client_message_id: Name | None = Field(
        default=None, description="the same id with the same body answers the same turn again"
    )
    if_busy: IfBusy = "queue"


class ChatStarted(Model):
    """`seq` is that of the `message_added` event: follow from there."""

    status: Literal["started", "queued", "steered"]
    turn_id: str
    message_id: str
    session_id: str
    seq: int


class CancelRequest(Request):
    """Cancel one turn, a session's turns, or (neither given) every turn of the agent. Idempotent."""

    agent_id: Name
    session_id: Name | None = None
    turn_id: Name | None = None


class Cancelled(Model):
    cancelled: list[str] = Field(description="turn ids")


class ApproveRequest(Request):
    """Answer a pending approval. `note` reaches the model on a denial; `arguments` replace the call's own.

    Where they would do what was not shown, `confirm` says that a person has seen it: it is what the check of these
    arguments, or the refusal `edit_unconfirmed`, gave for it.
    """

    agent_id: Name
    call_id: Name
    decision: ApprovalDecision
    note: Annotated[str, StringConstraints(max_length=10_000), AfterValidator(whole)] | None = None
    arguments: Object | None = None
    confirm: Annotated[str, StringConstraints(max_length=64)] | None = None


class RuleInfo(Model):
    """A stored answer: which calls it covers, in fields and in words."""

    rule_id: str
    decision: Literal["allow", "deny"]
    tool: str
    kind: Literal["exact", "beneath", "any"]
    value: str
    agent_id: str | None = None
    session_id: str | None = None
    created_at: Time
    expires_at: Time | None = None
    words: str


class Approved(Model):
    """`rule` is what "always" stored, null where it stored nothing."""

    call_id: str
    decision: ApprovalDecision
    resolved_at: Time
    rule: RuleInfo | None = None


# -- the companion -----------------------------------------------------------------------------------------------


class Notification(Model):
    """Something that wants a person's attention. Its words name the agent and the tool, and hold nothing they said."""

    notification_id: str
    kind: NotificationKind
    title: str
    body: str
    agent_id: str | None = None
    session_id: str | None = None
    turn_id: str | None = None
    call_id: str | None = None
    created_at: Time
    read: bool


class Notifications(Model):
    """Newest first; at most 200 are kept. `unread` counts all of them."""

    notifications: list[Notification]
    unread: int


class NotificationsReadRequest(Request):
    """Mark these as read; without `ids`: all."""

    ids: Annotated[list[Name], Field(max_length=1000)] | None = None


class NotificationsRead(Model):
    """`ids` are those that were unread."""

    ids: list[str]
    unread: int


class FocusRequest(Request):
    """Which session a person looks at through this client: its turns end without a notification."""

    client_id: Name
    session_id: Name | None = None


class Focused(Model):
    client_id: str
    session_id: str | None


class FlagsPatch(Request):
    """Any subset of the flags; `null` goes back to the default."""

    companion_shell: bool | None = Field(None, description="Show setup, and what happened while you were away.")
    desktop_notifications: bool | None = Field(None, description="Show desktop notifications.")
    offline_drafts: bool | None = Field(None, description="Save messages as drafts while Aster can't be reached.")
    ambient: bool | None = Field(None, description="Show the tray icon, the quick panel and its hotkey.")
    voice_capture: bool | None = Field(None, description="Dictate messages.")
    voice_overlay: bool | None = Field(None, description="Show a window with what is dictated.")
    tts: bool | None = Field(None, description="Read answers aloud.")
    release_channel: Literal["stable", "beta"] | None = Field(None, description="Which updates the app offers.")


class FlagInfo(Model):
    """A part of the companion that can be switched off."""

    name: str
    description: str
    value: bool | str
    default: bool | str
    choices: list[str] | None = None
    source: Literal["file", "default"]


class OnboardingCheck(Model):
    """One thing that was looked at. `remedy` says what to do when it is not ok."""

    id: str
    status: Literal["ok", "warning", "blocked"]
    message: str
    remedy: str | None = None


class OnboardingStep(Model):
    """A step, in order. `failures` counts what went wrong in it so far; `actions` are what may help."""

    id: OnboardingStepId
    state: Literal["done", "current", "todo", "skipped"]
    optional: bool
    checks: list[OnboardingCheck]
    failures: int
    last_error: ErrorInfo | None = None
    actions: list[str]


class Onboarding(Model):
    """`current` is the first step that is not met; null when it is over. Chatting never waits for it."""

    steps: list[OnboardingStep]
    current: OnboardingStepId | None
    done: bool


class OnboardingRequest(Request):
    """`complete`: the person went through it; `skip`: later, or never; `reset`: as if it had not been there."""

    step: OnboardingStepId
    action: Literal["complete", "skip", "reset"]


class ModelCheckRequest(Request):
    """Ask a model (the chosen one, or this) for one word."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class ModelCheck(Model):
    """What came of asking. `error` is null when it answered."""

    ok: bool
    model: str
    duration_ms: int
    error: ErrorInfo | None


class SecretInfo(Model):
    """Where a provider's key comes from. One in a file, or in the environment, is not protected."""

    provider: str
    variable: str
    set: bool
    source: Literal["environment", "keychain", "file"] | None
    protected: bool


def as_key(text: str) -> str:
    """A key without what came along when it was pasted. Raises: ValueError."""
    if addresses.is_placeholder(text):
        raise ValueError("a placeholder, not a key")
    try:
        value = addresses.key(text, "value")
    except ModelError as error:
        raise ValueError(error.message) from None
    if value is None:
        raise ValueError("nothing but blanks and quotes")
    return value


class SecretPut(Request):
    """A provider's key. With `check` it is kept only when a model answers to it: `model`, or the chosen one."""

    value: Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(as_key)] = Field(
        repr=False
    )
    check: bool = False
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class DaemonInfo(Model):
    """The daemon itself. `started_at`: since when it runs."""

    version: str
    protocol: int
    framework: Framework
    port: int
    uds: str | None
    pid: int
    instance_id: str
    started_at: Time
    status: Literal["ok", "degraded", "stopping"]
    model: str
    work_dir: str
    data_dir: str
    logs_dir: str
    token_required: bool


class ActiveTurn(Model):
    turn_id: str
    session_id: str
    agent_id: str
    state: Literal["queued", "running", "waiting"]


class Warning(Model):
    """Something that a person should know, and what to do about it."""

    code: str
    message: str
    hint: str | None = None


class Metrics(Model):
    """Figures of this daemon; `store_bytes` is the size of its file, `streams` how many clients watch."""

    uptime_s: int
    sessions: int
    turns: int
    streams: int
    store_bytes: int


class Snapshot(Model):
    """Everything that a companion's first paint needs. Follow the stream `after` `last_seq` to keep it true."""

    last_seq: int
    daemon: DaemonInfo
    agents: list[AgentInfo]
    sessions: list[SessionInfo] = Field(description="the newest that are not archived, 16 unless asked for more")
    sessions_before: str | None = Field(description="where the next page of sessions begins")
    approvals: list[ApprovalInfo] = Field(description="all that wait, oldest first")
    turns: list[ActiveTurn]
    notifications: Notifications
    flags: list[FlagInfo]
    onboarding: Onboarding
    services: list[ServiceInfo]
    config: ConfigView
    rules: list[RuleInfo]
    warnings: list[Warning]
    metrics: Metrics


class DiagnosticsRequest(Request):
    """Make a bundle. Messages are in it only when asked for."""

    include_messages: bool = False


class DiagnosticsInfo(Model):
    """A bundle, on this machine."""

    name: str
    path: str
    bytes: int
    created_at: Time


# -- handoff to a browser ----------------------------------------------------------------------------------------


class HandoffCreate(Request):
    """What the browser should open: a part of the UI, a session."""

    section: Annotated[str, StringConstraints(pattern="^[a-z][a-z-]{0,49}$")] | None = None
    session_id: Name | None = None


class Handoff(Model):
    """A link for one browser, once. The code is in its fragment, which no browser sends and no log sees."""

    url: str
    expires_at: Time


class HandoffRedeem(Request):
    """The code of a link. Needs no token: it is one."""

    code: Name


class HandoffRedeemed(Model):
    """`bearer` is what the page sends as `Authorization: Bearer` from now on; it ends with the daemon."""

    bearer: str
    bearer_id: str
    section: str | None
    session_id: str | None


class BearerInfo(Model):
    """A browser that is signed in."""

    bearer_id: str
    created_at: Time
    last_used_at: Time


class BearerRevoked(Model):
    bearer_id: str


class Bootstrap(Model):
    """What a UI has to know before anything else. `runtime_surface` is `native` when a host asks for its page."""

    runtime_surface: Literal["native", "browser"]
    framework: Framework
    version: str
    protocol: int
    instance_id: str
    ws_path: str
    token_required: bool
    flags: dict[str, bool | str]


# -- the WebSocket -----------------------------------------------------------------------------------------------


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


# -- status, history ---------------------------------------------------------------------------------------------


class Usage(Model):
    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    cost_usd: float | None = None


class ErrorInfo(Model):
    code: str
    message: str
    hint: str | None = None
    time: Time


class Status(Model):
    id: str = Field(description="the agent's id")
    state: State
    session_id: str | None = Field(description="null: the agent has no conversation yet")
    turn_id: str | None
    queue: list[str] = Field(description="ids of turns that wait for this one, in order")
    pending_approvals: int
    model: str
    usage: Usage
    last_error: ErrorInfo | None


class TextPart(Model):
    type: Literal["text"] = "text"
    text: str


class ThinkingPart(Model):
    type: Literal["thinking"] = "thinking"
    text: str


class ToolPart(Model):
    """One tool call as it stands: `unknown` is a call whose end the daemon did not live to see."""

    type: Literal["tool"] = "tool"
    call_id: str
    name: str
    arguments: dict[str, Any]
    risk: Risk
    state: Literal["pending", "running", "done", "failed", "denied", "cancelled", "unknown"]
    decided_by: str | None = None
    reason: str | None = None
    display: str | None = None
    result: Any = None
    error: str | None = None
    duration_ms: int | None = None
    truncated: bool = False


class NoticePart(Model):
    """Something that happened to the turn: an error, a limit, a compaction."""

    type: Literal["notice"] = "notice"
    code: str
    message: str
    hint: str | None = None


Part = Annotated[TextPart | ThinkingPart | ToolPart | NoticePart, Field(discriminator="type")]


class Message(Model):
    """One message of a history. `text` is the concatenation that `text_chunk` offsets count in."""

    message_id: str
    turn_id: str
    session_id: str
    role: Literal["user", "assistant"]
    text: str
    parts: list[Part]
    created_at: Time
    status: MessageStatus
    context: dict[str, Any] | None = None
    usage: Usage | None = None


class HistoryPage(Model):
    """Oldest first. `next_before` asks for the page before this one; null at the beginning."""

    messages: list[Message]
    next_before: str | None


class HistoryDeleted(Model):
    deleted: int


# -- config ------------------------------------------------------------------------------------------------------


def variable_name(name: str) -> str:
    """Raises: ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_*][A-Za-z0-9_*()]{0,199}", name) or name[0].isdigit() or not name.strip("*"):
        raise ValueError(f"{name[:100]!r} is no name of a variable")
    if name.upper() == "ASTER_SIDECAR_TOKEN":
        raise ValueError("the daemon's token is for its clients: a command that has it could answer its own questions")
    return name


def path_of_commands(value: str) -> str:
    """Raises: ValueError."""
    if value in ("auto", "login", "inherit"):
        return value
    entries = value.split(os.pathsep)
    if "\0" in value or not all(os.path.isabs(entry) for entry in entries):
        raise ValueError("it is neither auto, login nor inherit, nor absolute directories")
    return value


class ConfigPatch(Request):
    """Any subset of the settable keys. `null` forgets what was set here or in the file: flag, environment, default."""

    model: Annotated[str, StringConstraints(max_length=200)] | None = None
    permission_mode: PermissionMode | None = None
    work_dir: str | None = None
    approval_timeout_s: Annotated[float, Field(ge=0, le=31_536_000)] | None = None
    on_unattended: Literal["wait", "deny"] | None = None
    max_requests: Annotated[int, Field(ge=1, le=10_000)] | None = None
    max_tool_calls: Annotated[int, Field(ge=0, le=100_000)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    max_turn_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    pass_environment: Annotated[list[Annotated[str, AfterValidator(variable_name)]], Field(max_length=200)] | None = (
        None
    )
    command_path: Annotated[str, StringConstraints(max_length=32_768), AfterValidator(path_of_commands)] | None = None


class ConfigValue(Model):
    value: Any
    source: Literal["api", "flag", "environment", "project", "file", "default"]
    settable: bool = True


class ConfigView(Model):
    """The whole effective configuration; secrets are masked, each value says where it comes from."""

    values: dict[str, ConfigValue]
    config_path: str
    data_dir: str
    logs_dir: str
    project: str | None = Field(description="the trusted project whose file is read")
    problems: list[str] = Field(description="what of the files does not hold, in words")


# -- agents, tools, models ---------------------------------------------------------------------------------------


class AgentProblem(Model):
    """Why an agent's file is left out, or not used. `id` is what it would be called, `line` null for the whole file."""

    id: str
    source: AgentSource
    path: str
    line: int | None = None
    reason: str


class AgentInfo(Model):
    """An agent; one whose file is broken has `state` failed, and `problems` that say why it can't be talked to."""

    id: str
    name: str
    description: str
    model: str
    state: State
    tools: list[str]
    sessions: int
    source: AgentSource = "builtin"
    path: str | None = None
    problems: list[AgentProblem] = []


class ToolInfo(Model):
    name: str
    description: str
    risk: Risk
    schema_: dict[str, Any] = Field(serialization_alias="schema", validation_alias="schema")


class ModelInfo(Model):
    """A model that could be chosen. `ready` says whether a turn could use it now, `why_not` what is missing.

    Of a model that runs on this machine also whether it is `loaded`, and its `context_window` in tokens, if known.
    """

    name: str
    provider: str
    ready: bool
    chosen: bool
    why_not: str | None = None
    loaded: bool | None = None
    context_window: int | None = None


class Health(Model):
    status: Literal["ok", "degraded", "stopping"]
    version: str
    protocol: int
    framework: Framework
    port: int
    pid: int
    instance_id: str
    agents: int
    ready: bool


# -- sessions ----------------------------------------------------------------------------------------------------


class SessionInfo(Model):
    session_id: str
    agent_id: str
    title: str
    created_at: Time
    updated_at: Time
    archived: bool
    is_default: bool
    pinned: bool = Field(description="at the head of the list")
    messages: int
    state: State
    pending_approvals: int
    deleted_at: Time | None = Field(default=None, description="set while it is in the trash")
    restorable_until: Time | None = Field(default=None, description="then it is deleted for good")


class Hit(Model):
    """A message in which a search found what it looks for, and the words around the first such place."""

    message_id: str
    role: Literal["user", "assistant"]
    created_at: Time
    text: str = Field(description="one line; … stands where something is left out")
    start: int = Field(description="where in `text` the place begins, in code points")
    end: int = Field(description="where it ends")


class SessionPage(Model):
    """The pinned ones first, then newest activity first; of the trash, the one deleted last first."""

    sessions: list[SessionInfo]
    next_before: str | None
    hits: dict[str, Hit] = Field(
        default_factory=dict[str, Hit],
        description="with `q`: the newest message that holds it, by session_id; none where only the title does",
    )


class FoundMessages(Model):
    """Messages of one conversation that hold what was looked for, the newest first."""

    hits: list[Hit]
    next_before: str | None = Field(description="asks for the hits before these; null at the end")


class SessionCreate(Request):
    agent_id: Name = "default"
    title: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True), AfterValidator(whole)] | None = None


class SessionPatch(Request):
    title: (
        Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(whole)]
        | None
    ) = None
    archived: bool | None = None
    pinned: bool | None = None


class SessionDeleted(Model):
    session_id: str
    deleted: int = Field(description="messages that went with it")
    restorable_until: Time | None = Field(description="null: it was deleted for good")


# -- approvals and policy ----------------------------------------------------------------------------------------


class Preview(Model):
    """A file's lines that would change, with those around them: the end of `display`, to be drawn as a diff.

    Each line of `diff` begins with a space, `-` (goes), `+` (comes) or `@ line N`, the old file's line that follows.
    """

    kind: Literal["diff"] = "diff"
    path: str
    diff: str
    added: int = Field(description="lines")
    removed: int = Field(description="lines")


class ApprovalInfo(Model):
    """A decision that waits for a person.

    `summary` says in a sentence what will happen, `display` is exactly what will run.
    """

    call_id: str
    agent_id: str
    session_id: str
    turn_id: str
    name: str
    arguments: dict[str, Any]
    risk: Risk
    reason: str
    summary: str
    display: str
    preview: Preview | None = None
    remember: str | None
    requested_at: Time
    expires_at: Time | None


class RuleCreate(Request):
    """`kind` exact (default), beneath (a directory) or any; `value` is the target: a path, a command, an origin."""

    decision: Literal["allow", "deny"]
    tool: Name
    kind: Literal["exact", "beneath", "any"] = "exact"
    value: Annotated[str, StringConstraints(max_length=100_000)] = ""
    agent_id: Name | None = None
    session_id: Name | None = None
    expires_in_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None


class RuleDeleted(Model):
    rule_id: str


class CheckRequest(Request):
    """What would happen to this call? Nothing runs."""

    tool: Name
    arguments: Object = Field(default_factory=dict[str, Any])
    agent_id: Name = "default"
    session_id: Name | None = None


class CheckAnswer(Model):
    decision: Literal["allow", "deny", "ask"]
    decided_by: str = Field(description="rule:<id>, mode:<mode>, call or forbidden")
    reason: str
    risk: Risk
    summary: str
    display: str
    preview: Preview | None = None
    target: str
    remember: str | None
    confirm: str = Field(
        description="what POST /api/approve takes for these arguments, where they do what was not shown"
    )


# -- services ----------------------------------------------------------------------------------------------------


class ServiceExit(Model):
    """How a service's process ended: by `code`, by `signal`, or (`error`) because it could not be started or ended."""

    time: Time
    code: int | None = None
    signal: str | None = None
    error: str | None = None


class ServiceInfo(Model):
    """A service of the user's configuration as it stands. `desired_running` is what was asked for last."""

    name: str
    description: str
    state: ServiceState
    desired_running: bool
    autostart: bool
    pid: int | None = None
    last_start: Time | None = None
    last_exit: ServiceExit | None = None
    restart_attempt: int = Field(description="restarts by itself since it was healthy")
    next_restart: Time | None = None


class ServiceLogEntry(Model):
    seq: int
    time: Time
    stream: Literal["stdout", "stderr"]
    text: str


class ServiceLogs(Model):
    """Oldest first. `dropped` counts the lines that came too fast to be kept."""

    entries: list[ServiceLogEntry]
    dropped: int
    path: str | None = Field(description="the file that they are written to")


class ShuttingDown(Model):
    stopping: Literal[True] = True


# -- events ------------------------------------------------------------------------------------------------------


class ConnectedEvent(Model):
    """Always first on a stream. It has no seq of its own; its SSE id is the cursor from which the stream goes on."""

    client_id: str
    framework: Framework
    instance_id: str
    protocol: int
    last_seq: int
    heartbeat_s: float


class TextChunkEvent(Model):
    """`offset` counts code points in the message's text, so applying a chunk twice is harmless."""

    message_id: str
    offset: int
    delta: str


class ThinkingChunkEvent(Model):
    """As text_chunk, counted in the message's thinking."""

    message_id: str
    offset: int
    delta: str


class ToolStartEvent(Model):
    """A tool starts now. `decided_by` is rule:<id>, mode:<mode> or person."""

    message_id: str
    call_id: str
    name: str
    arguments: dict[str, Any]
    risk: Risk
    decided_by: str
    display: str


class ToolProgressEvent(Model):
    """How far a tool is, or a piece of its output."""

    call_id: str
    progress: float | None = None
    message: str | None = None
    stream: Literal["stdout", "stderr"] | None = None
    delta: str | None = None


class ToolEndEvent(Model):
    """A call is over: exactly one of `result` and `error`. A denied call ends without having started."""

    message_id: str
    call_id: str
    name: str
    result: Any = None
    error: str | None = None
    outcome: Literal["done", "failed", "denied", "cancelled", "unknown"]
    duration_ms: int
    truncated: bool = False
    arguments: dict[str, Any] | None = Field(default=None, description="only where no tool_start and no question came")
    risk: Risk | None = Field(default=None, description="as `arguments`")
    display: str | None = Field(default=None, description="as `arguments`")


class ApprovalRequiredEvent(Model):
    """A call waits for a person.

    `summary` says in a sentence what will happen, `display` is the exact thing that will run; `remember` is what
    "always" would cover.
    """

    message_id: str
    call_id: str
    name: str
    arguments: dict[str, Any]
    risk: Risk
    reason: str
    summary: str | None = None
    display: str
    preview: Preview | None = None
    remember: str | None = None
    expires_at: Time | None = None


class ApprovalResolvedEvent(Model):
    """Answered, expired, or gone with its turn. `resolved_by` names the client that answered."""

    call_id: str
    decision: Literal["allow", "deny", "allow_always", "deny_always", "expired", "cancelled"]
    resolved_by: str
    resolved_at: Time
    note: str | None = None
    arguments: dict[str, Any] | None = None
    rule: RuleInfo | None = None


class ErrorEvent(Model):
    """What went wrong and what a person can do. `retry_after_s` is the provider's own word."""

    code: str
    message: str
    hint: str | None = None
    retryable: bool = False
    severity: Literal["error", "warning"] = "error"
    retry_after_s: float | None = None


class DoneEvent(Model):
    """Exactly one per turn, always its last event."""

    message_id: str
    stop_reason: StopReason
    usage: Usage


class StatusChangeEvent(Model):
    state: State
    previous: State


class MessageAddedEvent(Model):
    message: Message


class HistoryClearedEvent(Model):
    deleted: int


class SessionChangedEvent(Model):
    """`session` is absent when it was deleted; `restorable_until`, when for good. A restored one is `created` again."""

    change: Literal["created", "updated", "deleted"]
    session: SessionInfo | None = None
    restorable_until: Time | None = None
    restored: bool | None = None


class ConfigChangedEvent(Model):
    changed: dict[str, ConfigValue]


class RulesChangedEvent(Model):
    change: Literal["added", "removed"]
    rule: RuleInfo


class AgentsChangedEvent(Model):
    agents: list[str]
    problems: list[AgentProblem] = []


class ServiceChangedEvent(ServiceInfo):
    """A service's state changed, or its crashes were forgotten."""


class NotificationAddedEvent(Notification):
    """Something wants attention. `unread` counts with it."""

    unread: int


class NotificationsReadEvent(NotificationsRead):
    """These are read, or what they asked was answered."""


class FlagsChangedEvent(Model):
    """Only those that changed."""

    changed: list[FlagInfo]


class SecretsChangedEvent(SecretInfo):
    """A provider's key was given or forgotten. The key is not in it."""


class OnboardingChangedEvent(Onboarding):
    """A step was met, skipped or reset, or something failed in it."""


class ModelRetryEvent(Model):
    """A request to the provider failed for a passing reason and will be tried again in `delay_s`."""

    code: str
    message: str
    attempt: int
    max_attempts: int
    delay_s: float


class HistoryCompactedEvent(Model):
    """The model's own view of the conversation was summarised; the history people see keeps every message."""

    messages_before: int
    messages_after: int
    tokens_before: int
    context_window: int
    reason: Literal["near_window", "over_window"]


class HeartbeatEvent(Model):
    """Every `heartbeat_s`; carries no seq of its own."""

    last_seq: int


class ResyncEvent(Model):
    """The cursor can't be served: read /api/history and /api/approvals, then go on from `last_seq`."""

    reason: Literal["trimmed", "future", "malformed"]
    last_seq: int


EVENTS: dict[str, type[Model]] = {
    "connected": ConnectedEvent,
    "text_chunk": TextChunkEvent,
    "thinking_chunk": ThinkingChunkEvent,
    "tool_start": ToolStartEvent,
    "tool_progress": ToolProgressEvent,
    "tool_end": ToolEndEvent,
    "approval_required": ApprovalRequiredEvent,
    "approval_resolved": ApprovalResolvedEvent,
    "error": ErrorEvent,
    "done": DoneEvent,
    "status_change": StatusChangeEvent,
    "message_added": MessageAddedEvent,
    "history_cleared": HistoryClearedEvent,
    "session_changed": SessionChangedEvent,
    "config_changed": ConfigChangedEvent,
    "rules_changed": RulesChangedEvent,
    "agents_changed": AgentsChangedEvent,
    "service_changed": ServiceChangedEvent,
    "notification_added": NotificationAddedEvent,
    "notifications_read": NotificationsReadEvent,
    "flags_changed": FlagsChangedEvent,
    "secrets_changed": SecretsChangedEvent,
    "onboarding_changed": OnboardingChangedEvent,
    "model_retry": ModelRetryEvent,
    "history_compacted": HistoryCompactedEvent,
    "heartbeat": HeartbeatEvent,
    "resync": ResyncEvent,
}
"""Every event type and the shape of its `data`."""

UNJOURNALED = frozenset({"connected", "heartbeat", "resync"})
"""Events of one stream only: they carry no id."""
