"""Cancelling a turn while it waits, goes on, or is being recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aster_sidecar.contract import wire
from aster_sidecar.store.rows.meta import remember
from tests.flows.chaos.daemon_parts import inside, lock_store, recorded_types, start, unrecorded_types, until
from tests.support.daemon import Daemon
from tests.support.provider import Call, ProviderDouble, Reply


def test_nothing_of_a_cancelled_turn_comes_after_its_done(real: Daemon, provider: ProviderDouble) -> None:
    """A turn that waits for an approval and a queued turn are cancelled together."""
    provider.script(Reply([Call("run_command", {"command": "env echo hi"})]))
    with real.watch() as watcher:
        turn_id = real.chat("go")["turn_id"]
        watcher.until("status_change", state="waiting_approval")
        real.chat("and then")
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        watcher.until("done", 2)
        events = watcher.until("status_change", state="idle")
        real.call("POST", "/api/sessions", {"agent_id": "default"})
        events = watcher.until("session_changed")
    assert [event["type"] for event in events if event["turn_id"] == turn_id][-1] == "done"
    assert [event["data"]["state"] for event in watcher.of("status_change")] == ["running", "waiting_approval", "idle"]


@pytest.mark.parametrize(("kind", "mode"), [("tool_start", "auto_approve"), ("approval_required", "smart_approve")])
def test_a_call_has_an_end_when_it_is_cancelled_while_its_beginning_is_recorded(
    tmp_path: Path, kind: str, mode: str
) -> None:
    async def story(home: Path) -> bool:
        """Whether the cancel came in time. On a slow disk, the beginning may be recorded before the store is locked."""
        async with inside(home, mode) as parts:
            turn_id = await start(parts)
            other = lock_store(home)
            await until(lambda: kind in unrecorded_types(parts) or kind in recorded_types(parts, turn_id))
            if kind not in unrecorded_types(parts):
                other.close()
                return False
            asyncio.get_running_loop().call_later(0.3, other.close)
            cancelled = await parts._turns.cancel(wire.CancelRequest(agent_id="default"))
            assert cancelled.cancelled == [turn_id]
            assert recorded_types(parts, turn_id)[-1] == "done"
            assert recorded_types(parts, turn_id).count("tool_end") == recorded_types(parts, turn_id).count(kind) == 1
            [row] = parts._journal.all("SELECT state, outcome FROM calls WHERE turn_id=?", (turn_id,))
            assert row in (("ended", "cancelled"), ("ended", "unknown"))
            return True

    homes = [tmp_path / str(number) for number in range(20)]
    for home in homes:
        home.mkdir()
    assert any(asyncio.run(story(home)) for home in homes), "no cancel came while the beginning was being recorded"


def test_a_turn_ends_that_is_cancelled_just_when_it_goes_on(tmp_path: Path) -> None:
    """The last answer and the cancel come in one step of the event loop: the task is cancelled before it starts."""

    async def story() -> None:
        async with inside(tmp_path) as parts:
            turn_id = await start(parts)
            await until(lambda: parts.calls.conversations._status.read("default", None).state == "waiting_approval")
            await parts._journal.commit()
            [asked] = parts._waits.approvals.list()
            answer = wire.ApproveRequest(agent_id="default", call_id=asked.call_id, decision="allow")
            parts._journal.put(writes=[remember("one", "write")])
            await until(lambda: parts._journal._under_way is not None)
            parts._journal.put(writes=[remember("another", "write")])
            recorded = parts._journal.commit()
            answering = asyncio.create_task(parts._waits.approvals.answer(answer, "somebody"))
            await recorded
            cancelled = await parts._turns.cancel(wire.CancelRequest(agent_id="default"))
            await answering
            assert cancelled.cancelled == [turn_id]
            assert parts.calls.conversations._status.read("default", None).state == "idle"
            assert recorded_types(parts, turn_id)[-1] == "done"

    asyncio.run(story())
