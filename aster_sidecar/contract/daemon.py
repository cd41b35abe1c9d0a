"""Wire models of /health and the shutdown."""

from __future__ import annotations

from typing import Literal

from aster_sidecar.contract.base import Framework, Model
from aster_sidecar.contract.settings import SandboxState


class Health(Model):
    """Whether the daemon runs. `sandbox`: that of commands."""

    status: Literal["ok", "degraded", "stopping"]
    version: str
    protocol: int
    framework: Framework
    port: int
    pid: int
    instance_id: str
    agents: int
    ready: bool
    sandbox: SandboxState | None = None


class ShuttingDown(Model):
    stopping: Literal[True] = True
