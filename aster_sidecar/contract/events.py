"""The events of the stream."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from aster_sidecar.contract.base import Framework, Model, Risk, State, StopReason, Time
from aster_sidecar.contract.companion import FlagInfo, Notification, NotificationsRead, Onboarding
from aster_sidecar.contract.conversations import Message, SessionInfo, Usage
from aster_sidecar.contract.policy import Preview, RuleInfo
from aster_sidecar.contract.services import ServiceInfo
from aster_sidecar.contract.settings import AgentProblem, ConfigValue, SecretInfo


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
    problems: list[AgentProblem] = Field(default=[])


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
