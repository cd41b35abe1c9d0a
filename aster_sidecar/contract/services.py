"""Services, and diagnostics bundles."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aster_sidecar.contract.base import Model, Request, ServiceState, Time


class DiagnosticsRequest(Request):
    """Make a bundle. Messages are in it only when asked for."""

    include_messages: bool = False


class DiagnosticsInfo(Model):
    """A bundle, on this machine."""

    name: str
    path: str
    bytes: int
    created_at: Time


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
