"""Wire models of /health and the shutdown."""

from __future__ import annotations

from typing import Literal

from aster_sidecar.contract.base import Framework, Model


class Health(Model):
    status: Literal["ok", "degraded", "stopping"]
    version: str
    protocol: int
    framework: Framework
    port: int
    pid: int
    instance_id: str
    agents: int
    ready: bool


class ShuttingDown(Model):
    stopping: Literal[True] = True
