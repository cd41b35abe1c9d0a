"""The identity of a running daemon: its process, address, start time and settings."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from aster_sidecar import clock
from aster_sidecar.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Identity:
    """`port`: the bound port; `started_at`: RFC 3339; `began_s`: the same moment on the clock `clock.real_s`."""

    settings: Settings
    port: int
    instance_id: str = field(default_factory=lambda: clock.new_id("instance"))
    pid: int = field(default_factory=os.getpid)
    started_at: str = field(default_factory=clock.stamp)
    began_s: float = field(default_factory=clock.real_s)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
