"""The state of a session that clients receive: status_change events and snapshots."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.contract import wire
from aster_sidecar.store.rows.meta import remember
from tests.flows.chaos.checks import state_from_events
from tests.flows.chaos.daemon_parts import inside, recorded_types, start, unrecorded_types, until
from tests.support.daemon import Daemon
from tests.support.provider import Fault, ProviderDouble


def test_clearing_a_session_whose_turn_failed_tells_its_state(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Fault(code="invalid_request"))
    with real.watch() as watcher:
        session_id = real.chat("go")["session_id"]
        watcher.until("status_change", state="failed")
        real.call("DELETE", "/api/history", None, agent_id="default")
        watcher.until("history_cleared")
        last = real.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
        events = watcher.until("session_changed", session_id=last)
    assert state_from_events(events, session_id) == real.status()["state"]


def test_a_message_that_comes_while_a_turn_ends_tells_no_state_that_is_not(tmp_path: Path) -> None:
    """The first turn's done event is being recorded. No event of that turn may follow, and it must not run again."""

    async def story() -> None:
        async with inside(tmp_path, "auto_approve") as parts:
            turn_id = await start(parts, "true")
            await until(lambda: "done" in unrecorded_types(parts))
            second = await start(parts, "true")
            await until(lambda: "done" in recorded_types(parts, second))
            assert recorded_types(parts, turn_id)[-1] == "done"
            rows = parts._journal.all("SELECT data FROM events WHERE type='status_change' ORDER BY seq")
            changes = [json.loads(row[0]) for row in rows]
            assert [change["previous"] for change in changes] == ["idle", *[change["state"] for change in changes[:-1]]]

    asyncio.run(story())


def test_a_snapshot_is_at_least_as_new_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot and the turn both wait for the transaction that ends the turn. The snapshot continues first."""

    async def story() -> None:
        async with inside(tmp_path, "auto_approve") as parts:
            asked: list[asyncio.Task[wire.Snapshot]] = []
            put_ending = parts._turns._ending.put

            async def ask_first(*ending: Any) -> None:
                parts._journal.put(writes=[remember("one", "write")])
                await until(lambda: parts._journal._under_way is not None)
                parts._journal.put(writes=[remember("another", "write")])
                asked.append(asyncio.create_task(parts.calls.snapshot.snapshot()))
                await asyncio.sleep(0)
                await put_ending(*ending)

            monkeypatch.setattr(parts._turns._ending, "put", ask_first)
            turn_id = await start(parts, "true")
            await until(lambda: asked)
            snapshot = await asked[0]
            [row] = parts._journal.all("SELECT seq FROM events WHERE turn_id=? AND type='done'", (turn_id,))
            assert snapshot.last_seq >= row[0]
            assert [session.state for session in snapshot.sessions] == ["idle"]
            assert snapshot.turns == []

    asyncio.run(story())
