"""Messages, turns, sessions and their history."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from aster_sidecar.contract.base import (
    ErrorInfo,
    IfBusy,
    MessageStatus,
    Model,
    Name,
    Object,
    Request,
    Risk,
    State,
    Time,
)
from aster_sidecar.text.repair import whole


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


class Usage(Model):
    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    cost_usd: float | None = None


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
