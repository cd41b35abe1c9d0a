"""Wire models of services and diagnostics bundles."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aster_sidecar.contract.base import Model, Request, ServiceState, Time


class DiagnosticsRequest(Request):
    """Create a diagnostics bundle, without messages by default."""

    include_messages: bool = False


class DiagnosticsInfo(Model):
    """A diagnostics bundle; `path` is on this machine."""

    name: str
    path: str
    bytes: int
    created_at: Time


class ServiceExit(Model):
    """How a service's process ended: exit `code`, `signal`, or `error` if it could not be started or stopped."""

    time: Time
    code: int | None = None
    signal: str | None = None
    error: str | None = None


class ServiceInfo(Model):
    """A configured service and its current state. `desired_running`: whether it was last asked to run or to stop."""

    name: str
    description: str
    state: ServiceState
    desired_running: bool
    autostart: bool
    pid: int | None = None
    last_start: Time | None = None
    last_exit: ServiceExit | None = None
    restart_attempt: int = Field(description="automatic restarts since it was last healthy")
    next_restart: Time | None = None


class ServiceLogEntry(Model):
    seq: int
    time: Time
    stream: Literal["stdout", "stderr"]
    text: str


class ServiceLogs(Model):
    """Oldest first. `dropped` counts lines that were written too fast to be kept."""

    entries: list[ServiceLogEntry]
    dropped: int
    path: str | None = Field(description="the log file")
