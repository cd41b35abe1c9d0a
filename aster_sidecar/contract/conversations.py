"""Wire models of messages, turns, sessions and their history."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.attachments import AttachmentInfo, AttachmentRef, FilePart, ImagePart
from aster_sidecar.contract.base import (
    VALID,
    Effort,
    ErrorInfo,
    Folder,
    IfBusy,
    McpNames,
    MessageStatus,
    Model,
    ModelName,
    Name,
    Object,
    PermissionMode,
    QuestionOutcome,
    Request,
    Risk,
    SettingSource,
    State,
    Time,
    WaitKind,
)
from aster_sidecar.contract.changes import ForkedFrom, RewindInfo
from aster_sidecar.contract.policy import Preview
from aster_sidecar.contract.questions import QuestionField

MOST_ATTACHMENTS = 20
"""Most files with one message."""


class ChatRequest(Request):
    """Send a message to an agent. Without `session_id`: to the agent's default session."""

    agent_id: Name
    message: Annotated[str, StringConstraints(max_length=1_000_000), VALID] = Field(
        default="", description="may be empty if there are attachments"
    )
    attachments: list[AttachmentRef] = Field(
        default_factory=list[AttachmentRef], max_length=MOST_ATTACHMENTS, description="files for the model"
    )
    session_id: Name | None = None
    context: Object | None = Field(
        default=None, description="a small object that the agent's instructions and tools can read during this turn"
    )
    client_message_id: Name | None = Field(
        default=None, description="idempotency key: the same id with the same body returns the same turn again"
    )
    if_busy: IfBusy = "queue"
    model: ModelName | None = Field(default=None, description="for this turn only; such a message never steers")
    effort: Effort | None = Field(default=None, description="for this turn only; such a message never steers")


class ChatStarted(Model):
    """`seq` is the seq of the `message_added` event: follow the event stream from there."""

    status: Literal["started", "queued", "steered", "answered"] = Field(
        description="`answered`: the message is the answer to the question for which the turn waits"
    )
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


class Context(Model):
    """How much of the model's context window a conversation fills."""

    used_tokens: int = Field(description="of the last request and its answer, as the provider counted or estimated")
    window_tokens: int | None = Field(default=None, description="null: neither the provider nor a refusal has said it")


class SessionSetting(Model):
    """A value that a session's turns use, and where it comes from.

    `turn`: chosen with the message of the running turn. `config`: the flags, the environment, a trusted project or the
    user's file.
    """

    value: str = Field(description="empty: nobody chose one")
    source: SettingSource


class SessionSettings(Model):
    """What a session's turns work with."""

    work_dir: SessionSetting = Field(description="where tools work: an absolute path")
    model: SessionSetting = Field(description="empty: one must be chosen first")
    effort: SessionSetting = Field(description="how much the model thinks; `default`: as usual for this agent's model")
    permission_mode: SessionSetting
    mcp_off: list[str] = Field(description="names of the MCP servers whose tools the session does without")


class Status(Model):
    id: str = Field(description="the agent's id")
    state: State
    session_id: str | None = Field(description="null: the agent has no conversation yet")
    turn_id: str | None
    queue: list[str] = Field(description="ids of the turns queued after this one, in order")
    waiting_for: list[WaitKind] = Field(description="what the turn waits for")
    pending_approvals: int
    pending_questions: int
    model: str
    usage: Usage
    context: Context | None = Field(description="null: no model was asked yet")
    last_error: ErrorInfo | None
    settings: SessionSettings = Field(description="of the session; without one, of a new session of the agent")


class TextPart(Model):
    type: Literal["text"] = "text"
    text: str


class ThinkingPart(Model):
    type: Literal["thinking"] = "thinking"
    text: str


class AskedQuestion(Model):
    """A question that a call asked, and the answers to it, once they are given."""

    question_id: str
    reason: str
    fields: list[QuestionField]
    server: str | None = None
    url: str | None = None
    outcome: QuestionOutcome | None = Field(default=None, description="null: it waits for an answer")
    answers: dict[str, Any] | None = None
    note: str | None = None


class ToolPart(Model):
    """One tool call and its current state. `unknown`: the daemon was killed before it could record the result."""

    type: Literal["tool"] = "tool"
    call_id: str
    name: str
    arguments: dict[str, Any]
    risk: Risk
    state: Literal["pending", "running", "done", "failed", "denied", "cancelled", "unknown"]
    decided_by: str | None = None
    reason: str | None = None
    display: str | None = None
    preview: Preview | None = Field(default=None, description="the lines that would change, if a person was asked")
    question: AskedQuestion | None = Field(default=None, description="the question that the call asked a person")
    result: Any = None
    error: str | None = None
    duration_ms: int | None = None
    truncated: bool = False
    attachments: list[AttachmentInfo] | None = Field(default=None, description="files in the result")


class NoticePart(Model):
    """Something that happened during the turn: an error, a limit, a compaction."""

    type: Literal["notice"] = "notice"
    code: str
    message: str
    hint: str | None = None


Part = Annotated[TextPart | ThinkingPart | ToolPart | NoticePart | ImagePart | FilePart, Field(discriminator="type")]


class Message(Model):
    """One message of a history. The offsets of `text_chunk` events count code points in `text`."""

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
    """Oldest first. `next_before`: the cursor of the previous page; null at the beginning."""

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
    pinned: bool = Field(description="listed before all others")
    messages: int
    state: State
    pending_approvals: int
    pending_questions: int = 0
    deleted_at: Time | None = Field(default=None, description="set while it is in the trash")
    restorable_until: Time | None = Field(default=None, description="when it is deleted permanently")
    context: Context | None = Field(default=None, description="null: no model was asked yet")
    settings: SessionSettings | None = Field(default=None, description="null in events that an older version recorded")
    forked_from: ForkedFrom | None = Field(default=None, description="set for a fork")
    rewind: RewindInfo | None = Field(default=None, description="the last rewind, while it can be undone")
    changed_files: int = Field(default=0, description="paths that the session's turns changed")


class Hit(Model):
    """A message that contains the query, with an excerpt around the first match."""

    message_id: str
    role: Literal["user", "assistant"]
    created_at: Time
    text: str = Field(description="the excerpt, one line; … marks omitted text")
    start: int = Field(description="start of the match in `text`, in code points")
    end: int = Field(description="end of the match in `text`, in code points")


class SessionPage(Model):
    """Pinned sessions first, then newest activity first; in the trash, the last deleted first."""

    sessions: list[SessionInfo]
    next_before: str | None
    hits: dict[str, Hit] = Field(
        default_factory=dict[str, Hit],
        description="with `q`: the newest matching message by session_id; none if only the title matches",
    )


class FoundMessages(Model):
    """Messages of one conversation that contain the query, newest first."""

    hits: list[Hit]
    next_before: str | None = Field(description="the cursor of the next page, with older hits; null at the end")


class SessionCreate(Request):
    """Start a conversation. What is null or absent below `title` is inherited from agent and configuration."""

    agent_id: Name = "default"
    title: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True), VALID] | None = None
    work_dir: Folder | None = Field(default=None, description="the absolute path of an existing directory")
    model: ModelName | None = None
    effort: Effort | None = None
    permission_mode: PermissionMode | None = Field(
        default=None, description="may be looser than the configured mode, but not looser than the agent's"
    )
    mcp_off: McpNames | None = Field(default=None, description="MCP servers whose tools it does without")


class SessionPatch(Request):
    """Change a session. Absent fields stay. null stays too, but for the last five, which are reset then.

    `agent_id` and `work_dir` can change only while no turn of the session is running, waiting or queued.
    """

    title: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), VALID] | None = None
    archived: bool | None = None
    pinned: bool | None = None
    agent_id: Name | None = Field(default=None, description="not for a default session")
    work_dir: Folder | None = Field(default=None, description="null: the configured one")
    model: ModelName | None = Field(default=None, description="null: as agent and configuration say")
    effort: Effort | None = Field(default=None, description="null: as the agent says")
    permission_mode: PermissionMode | None = Field(default=None, description="null: as agent and configuration say")
    mcp_off: McpNames | None = Field(
        default=None, description="MCP servers whose tools it does without, in place of the earlier ones; null: none"
    )


class SessionDeleted(Model):
    session_id: str
    deleted: int = Field(description="the number of its messages")
    restorable_until: Time | None = Field(description="null: it was deleted permanently")
