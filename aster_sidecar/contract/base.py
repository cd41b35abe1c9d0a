"""Shared by all wire models: the protocol version, enumerations, base classes, and error shapes."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from aster_sidecar.text.repair import valid_text
from aster_sidecar.text.values import json_value

PROTOCOL = 1
"""The protocol version. It is raised only for changes that break existing clients."""

HEARTBEAT_S = 15.0

SOCKET_PATH = "/ws"
"""The path of the WebSocket."""

VALID = AfterValidator(valid_text)
"""Repairs text from a client, so that it can be encoded and stored."""

Framework = Literal["tauri", "electron", "wails", "web"]

Risk = Literal["low", "medium", "high"]

PermissionMode = Literal["auto_approve", "smart_approve", "always_ask"]

ApprovalDecision = Literal["allow", "deny", "allow_always", "deny_always"]

State = Literal["idle", "running", "waiting_approval", "queued", "failed"]

McpState = Literal["disabled", "idle", "starting", "ready", "backoff", "crashed"]

ServiceState = Literal["stopped", "starting", "running", "backoff", "stopping", "crashed"]

StopReason = Literal["complete", "cancelled", "denied", "limit", "failed", "interrupted"]

AgentSource = Literal["builtin", "code", "user", "project"]

Effort = Literal["none", "minimal", "low", "medium", "high"]

SettingSource = Literal["turn", "session", "agent", "config", "default"]

IfBusy = Literal["queue", "steer", "reject", "interrupt"]

NotificationKind = Literal["approval_required", "question_asked", "turn_done", "error", "service_crashed"]

QuestionKind = Literal["choice", "multi", "text", "number", "boolean", "file", "folder"]

QuestionOutcome = Literal["answered", "declined", "expired", "cancelled"]

WaitKind = Literal["approval", "question", "host"]

OnboardingStepId = Literal[
    "welcome", "environment", "state_root", "engine", "provider", "permissions", "handoff", "done"
]

SocketType = Literal[
    "chat",
    "cancel",
    "approve",
    "answer",
    "host_register",
    "host_accept",
    "host_result",
    "host_progress",
    "host_leave",
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

ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]

McpName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")]

McpNames = Annotated[list[McpName], Field(max_length=256)]

Folder = Annotated[str, StringConstraints(min_length=1, max_length=4096)]

Time = Annotated[str, Field(description="RFC 3339, UTC, milliseconds", examples=["2026-11-20T12:00:00.000Z"])]


class Model(BaseModel):
    """Base of all wire models. Validators are built at first use, for a fast cold start."""

    model_config = ConfigDict(defer_build=True, protected_namespaces=())


class Request(Model):
    """Base of request bodies. Built at import: otherwise FastAPI builds them, with a warning, at the first request."""

    model_config = ConfigDict(defer_build=False, extra="forbid", strict=True, protected_namespaces=())


DEEPEST = 100


def not_too_deep(value: Any) -> Any:
    """The value, if it is not nested deeper than `DEEPEST`. Raises: ValueError."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)  # pyright: ignore
        ]
        if not level:
            return value
    raise ValueError(f"it is nested deeper than {DEEPEST}")


def storable(value: dict[str, Any]) -> dict[str, Any]:
    """The object, if it can be stored and sent as JSON. Raises: ValueError."""
    not_too_deep(value)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a surrogate pair") from error
    return value


def repaired(value: Any) -> Any:
    """The JSON value with repaired texts. Raises: ValueError."""
    return json_value(not_too_deep(value))


Object = Annotated[dict[str, Any], AfterValidator(storable)]

AnyJson = Annotated[Any, AfterValidator(repaired)]
"""Any JSON value, with repaired texts."""

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_request_id(given: Any) -> bool:
    """Whether a client's own request id is valid, so that the answer uses it."""
    return isinstance(given, str) and REQUEST_ID.fullmatch(given) is not None


class Failure(Model):
    """Every error answer. `code` is stable; `error` and `hint` are texts for people."""

    id: str
    success: Literal[False] = False
    error: str
    code: str
    hint: str | None = None
    details: Any = None


class ErrorInfo(Model):
    code: str
    message: str
    hint: str | None = None
    time: Time
