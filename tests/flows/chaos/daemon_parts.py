"""The parts of a daemon in this process, for moments that no client can choose."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import apsw

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.config.places import places
from aster_sidecar.config.settings import Settings
from aster_sidecar.contract import wire
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.daemon.wiring import build
from tests.flows.chaos.world import WAIT_S


@contextlib.asynccontextmanager
async def inside(home: Path, mode: str = "smart_approve") -> AsyncGenerator[Daemon]:
    """A daemon in this process, with a permission mode, and without its HTTP server."""
    (home / "work").mkdir()
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "ASTER_MODEL": "demo:instant",
        "ASTER_WORK_DIR": str(home / "work"),
        "ASTER_PERMISSION_MODE": mode,
    }
    settings = Settings("web", 0, places(environment, data_dir=home / "data"), environment=environment)
    parts = build(settings, AppCode(), 0, lambda: None)
    await parts.open()
    await parts._engine.load()
    try:
        yield parts
    finally:
        await parts.close()


async def until(holds: Callable[[], object], within_s: float = WAIT_S) -> None:
    """Let the event loop run until `holds` returns something true."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def start(parts: Daemon, command: str = "echo ran >> marks") -> str:
    """Send a message whose turn runs the command, and return the turn's id."""
    request = wire.ChatRequest(agent_id="default", message=f"run `{command}`")
    return (await parts._turns.chat(request)).turn_id


def recorded_types(parts: Daemon, turn_id: str) -> list[str]:
    """The types of the turn's recorded events, without those of chunks."""
    rows = parts._journal.all("SELECT type FROM events WHERE turn_id=? ORDER BY seq", (turn_id,))
    return [row[0] for row in rows if not row[0].endswith("_chunk")]


def unrecorded_types(parts: Daemon, *, waits: bool = True) -> list[str]:
    """The types of the events that are not recorded yet.

    They are those of the transaction that is being written, and with `waits` those of the next one.
    """
    batches = (parts._journal._under_way, parts._journal._batch if waits else None)
    return [event.type for batch in batches if batch is not None for event in batch.events]


def lock_store(home: Path) -> apsw.Connection:
    """Lock the database against writing: from now on, recording waits until the returned connection is closed."""
    other = apsw.Connection(str(home / "data" / "aster.db"))  # with the daemon's own library: its locks are per process
    other.set_busy_timeout(30_000)
    other.execute("BEGIN IMMEDIATE")
    return other
