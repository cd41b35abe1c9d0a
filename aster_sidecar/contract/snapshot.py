"""Everything that a companion's first paint needs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aster_sidecar.contract.base import Framework, Model, Time
from aster_sidecar.contract.companion import FlagInfo, Notifications, Onboarding
from aster_sidecar.contract.conversations import SessionInfo
from aster_sidecar.contract.policy import ApprovalInfo, RuleInfo
from aster_sidecar.contract.services import ServiceInfo
from aster_sidecar.contract.settings import AgentInfo, ConfigView


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
