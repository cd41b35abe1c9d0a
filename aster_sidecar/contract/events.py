"""Wire models of the event stream: the `data` of each event type."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from aster_sidecar.contract.attachments import AttachmentInfo
from aster_sidecar.contract.base import Framework, Model, QuestionOutcome, Risk, State, StopReason, Time
from aster_sidecar.contract.companion import FlagInfo, Notification, NotificationsRead, Onboarding
from aster_sidecar.contract.conversations import Context, Message, SessionInfo, Usage
from aster_sidecar.contract.hosts import HostInfo
from aster_sidecar.contract.mcp import McpServerInfo
from aster_sidecar.contract.policy import Preview, RuleInfo, ScopeInfo
from aster_sidecar.contract.questions import QuestionField
from aster_sidecar.contract.services import ServiceInfo
from aster_sidecar.contract.settings import AgentProblem, ConfigValue, SecretInfo


class ConnectedEvent(Model):
    """Always the first event of a stream. It has no seq; its SSE id is the cursor from which the stream continues."""

    client_id: str
    framework: Framework
    instance_id: str
    protocol: int
    last_seq: int
    heartbeat_s: float


class TextChunkEvent(Model):
    """A piece of the text. `offset` counts code points in the message's text: applying a chunk twice is harmless."""

    message_id: str
    offset: int
    delta: str


class ThinkingChunkEvent(Model):
    """A piece of the message's thinking; `offset` counts code points in the thinking."""

    message_id: str
    offset: int
    delta: str


class ToolStartEvent(Model):
    """A tool call starts to run. `decided_by` is rule:<id>, mode:<mode> or person."""

    message_id: str
    call_id: str
    name: str
    arguments: dict[str, Any]
    risk: Risk
    decided_by: str
    display: str


class ToolProgressEvent(Model):
    """The progress of a tool call, or a piece of its output."""

    call_id: str
    progress: float | None = None
    message: str | None = None
    stream: Literal["stdout", "stderr"] | None = None
    delta: str | None = None


class ToolEndEvent(Model):
    """A tool call has ended, with either `result` or `error`. A denied call ends without `tool_start`."""

    message_id: str
    call_id: str
    name: str
    result: Any = None
    error: str | None = None
    outcome: Literal["done", "failed", "denied", "cancelled", "unknown"]
    duration_ms: int
    truncated: bool = False
    attachments: list[AttachmentInfo] | None = Field(default=None, description="files in the result")
    arguments: dict[str, Any] | None = Field(
        default=None, description="only if neither tool_start nor approval_required was sent for the call"
    )
    risk: Risk | None = Field(default=None, description="as `arguments`")
    display: str | None = Field(default=None, description="as `arguments`")


class ApprovalRequiredEvent(Model):
    """A tool call waits for a person's approval.

    `summary` says in a sentence what will happen, `display` is exactly what will run. `remember` is what "always"
    covers without a `scope_id`, `scopes` what may be chosen, the narrowest first.
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
    scopes: list[ScopeInfo] | None = None
    expires_at: Time | None = None


class ApprovalResolvedEvent(Model):
    """An approval was answered, expired, or was cancelled with its turn. `resolved_by`: the client that answered."""

    call_id: str
    decision: Literal["allow", "deny", "allow_always", "deny_always", "expired", "cancelled"]
    resolved_by: str
    resolved_at: Time
    note: str | None = None
    arguments: dict[str, Any] | None = None
    rule: RuleInfo | None = None


class QuestionAskedEvent(Model):
    """A call asks a person something: the turn waits for the answer.

    `server`: the MCP server that asks. `url`: instead of a form, a page that it asks the person to visit.
    """

    message_id: str
    question_id: str
    call_id: str
    name: str
    arguments: dict[str, Any]
    reason: str
    fields: list[QuestionField]
    server: str | None = None
    url: str | None = None
    expires_at: Time | None = None


class QuestionAnsweredEvent(Model):
    """A question was answered or declined, expired, or was cancelled with its turn. `resolved_by`: the client."""

    question_id: str
    call_id: str
    outcome: QuestionOutcome
    answers: dict[str, Any] | None = None
    resolved_by: str
    resolved_at: Time
    note: str | None = None


class HostCallEvent(Model):
    """A host's tool is called. The event may be old: the host takes the call with POST /api/hosts/{host_id}/accept."""

    host_id: str
    call_id: str
    tool: str
    arguments: dict[str, Any]
    deadline: Time | None = None


class HostCancelEvent(Model):
    """A call of a host's tool needs no answer any more: its turn was ended, or its time is over."""

    host_id: str
    call_id: str


class HostChangedEvent(HostInfo):
    """A host came or went, or lends other tools. `removed`: it was deleted."""

    removed: bool = False


class ErrorEvent(Model):
    """What went wrong and what a person can do. `retry_after_s` is the provider's value."""

    code: str
    message: str
    hint: str | None = None
    retryable: bool = False
    severity: Literal["error", "warning"] = "error"
    retry_after_s: float | None = None


class DoneEvent(Model):
    """The turn has ended: exactly one per turn, always its last event."""

    message_id: str
    stop_reason: StopReason
    usage: Usage
    context: Context | None = Field(default=None, description="left out if no model was asked")


class StatusChangeEvent(Model):
    state: State
    previous: State


class MessageAddedEvent(Model):
    message: Message


class HistoryClearedEvent(Model):
    deleted: int


class HistoryRewoundEvent(Model):
    """Turns were taken out of the conversation: from this message of a person on, all messages of these turns."""

    from_message_id: str
    turn_ids: list[str]
    messages: int


class HistoryUnrewoundEvent(Model):
    """A rewind was undone: the messages of these turns are in the conversation again. Read the history again."""

    from_message_id: str
    turn_ids: list[str]
    messages: int


class FilesChangedEvent(Model):
    """Files were changed by a tool, during a command, or by a revert."""

    call_id: str | None = None
    revert_id: str | None = None
    paths: list[str] = Field(description="at most 20 of them")
    files: int = Field(description="how many")
    changed_files: int = Field(description="paths that the session's turns changed, all together")


class SessionChangedEvent(Model):
    """On `deleted`, `session` is absent, and `restorable_until` if permanently; `created` also when restored."""

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
    problems: list[AgentProblem] = Field(default=[])


class ServiceChangedEvent(ServiceInfo):
    """A service's state changed, or its crash count was reset."""


class McpChangedEvent(McpServerInfo):
    """The state or the settings of an MCP server changed, or what it offers. `removed`: it was deleted."""

    removed: bool = False


class NotificationAddedEvent(Notification):
    """A new notification. `unread` includes it."""

    unread: int


class NotificationsReadEvent(NotificationsRead):
    """These notifications were marked as read, or their approvals or questions were answered."""


class FlagsChangedEvent(Model):
    """The flags that changed."""

    changed: list[FlagInfo]


class SecretsChangedEvent(SecretInfo):
    """A provider's key was saved or deleted. The event does not contain the key."""


class OnboardingChangedEvent(Onboarding):
    """A step was completed, skipped or reset, or an attempt failed."""


class ModelRetryEvent(Model):
    """A request to the provider failed temporarily and will be retried in `delay_s`."""

    code: str
    message: str
    attempt: int
    max_attempts: int
    delay_s: float


class HistoryCompactedEvent(Model):
    """The conversation as the model sees it was summarised; the history for people keeps every message."""

    messages_before: int
    messages_after: int
    tokens_before: int
    context_window: int
    reason: Literal["near_window", "over_window"]


class HeartbeatEvent(Model):
    """Sent every `heartbeat_s`; it has no seq."""

    last_seq: int


class ResyncEvent(Model):
    """The cursor can't be served: read /api/history and /api/inbox, then continue from `last_seq`."""

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
    "question_asked": QuestionAskedEvent,
    "question_answered": QuestionAnsweredEvent,
    "host_call": HostCallEvent,
    "host_cancel": HostCancelEvent,
    "error": ErrorEvent,
    "done": DoneEvent,
    "status_change": StatusChangeEvent,
    "message_added": MessageAddedEvent,
    "history_cleared": HistoryClearedEvent,
    "history_rewound": HistoryRewoundEvent,
    "history_unrewound": HistoryUnrewoundEvent,
    "files_changed": FilesChangedEvent,
    "session_changed": SessionChangedEvent,
    "config_changed": ConfigChangedEvent,
    "rules_changed": RulesChangedEvent,
    "agents_changed": AgentsChangedEvent,
    "service_changed": ServiceChangedEvent,
    "mcp_changed": McpChangedEvent,
    "host_changed": HostChangedEvent,
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
"""Events of one stream only: they have no seq and are not replayed."""
