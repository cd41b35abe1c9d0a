"""The contents of one transaction of the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from aster_sidecar.store.events import Event, Run
from aster_sidecar.store.sql import Write


@dataclass(slots=True)
class Batch:
    """The contents of one transaction."""

    events: list[Event] = field(default_factory=list[Event])
    unrecorded: list[Event] = field(default_factory=list[Event])
    """Events sent to the open streams only; not written to the file."""
    writes: list[Write] = field(default_factory=list[Write])
    runs: list[Run] = field(default_factory=list[Run])
    durable: bool = False
    reserves: bool = False
    turns: set[str] = field(default_factory=set[str])
    """The turns that parts of this batch belong to."""
    on_commit: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    waiters: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])
