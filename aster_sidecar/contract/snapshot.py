"""Wire models of the snapshot: everything a companion needs for its first paint."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aster_sidecar.contract.base import Framework, Model, Time
from aster_sidecar.contract.companion import FlagInfo, Notifications, Onboarding
from aster_sidecar.contract.conversations import SessionInfo
from aster_sidecar.contract.hosts import HostInfo
from aster_sidecar.contract.mcp import BrowserInfo, McpServerInfo
from aster_sidecar.contract.policy import ApprovalInfo, RuleInfo
from aster_sidecar.contract.questions import QuestionInfo
from aster_sidecar.contract.services import ServiceInfo
from aster_sidecar.contract.settings import AgentInfo, ConfigView


class DaemonInfo(Model):
    """The daemon's process, addresses and directories."""

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
    """A problem that a person should know about; `hint` says what to do."""

    code: str
    message: str
    hint: str | None = None


class Metrics(Model):
    """Metrics of this daemon. `store_bytes`: size of its store; `streams`: number of open event streams."""

    uptime_s: int
    sessions: int
    turns: int
    streams: int
    store_bytes: int


class Snapshot(Model):
    """Everything a companion needs for its first paint. Follow the event stream after `last_seq` to keep it current."""

    last_seq: int
    daemon: DaemonInfo
    agents: list[AgentInfo]
    sessions: list[SessionInfo] = Field(description="the newest that are not archived; 16 by default")
    sessions_before: str | None = Field(description="the cursor of the next page of sessions")
    approvals: list[ApprovalInfo] = Field(description="all pending approvals, oldest first")
    questions: list[QuestionInfo] = Field(description="all questions that wait for a person, oldest first")
    turns: list[ActiveTurn]
    notifications: Notifications
    flags: list[FlagInfo]
    onboarding: Onboarding
    services: list[ServiceInfo]
    mcp: list[McpServerInfo]
    hosts: list[HostInfo]
    browser: BrowserInfo
    config: ConfigView
    rules: list[RuleInfo]
    warnings: list[Warning]
    metrics: Metrics
