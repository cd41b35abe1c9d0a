"""An answer to a question that arrives while the daemon records something else about the turn."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from aster_sidecar.contract import wire
from aster_sidecar.store.rows.meta import remember
from tests.flows.chaos.daemon_parts import inside, lock_store, recorded_types, start, unrecorded_types, until


def test_an_answer_counts_that_comes_while_the_pause_is_recorded(tmp_path: Path) -> None:
    """The denial comes while the turn's pause is being written. The turn must not continue as if it had no answer."""

    async def story() -> None:
        async with inside(tmp_path) as parts:
            turn_id = await start(parts)
            await until(parts._waits.approvals.list)
            [asked] = parts._waits.approvals.list()
            parts.config.change(wire.ConfigPatch(permission_mode="auto_approve"))
            await until(lambda: "status_change" in unrecorded_types(parts, waits=False))
            while parts._journal.one("SELECT state FROM turns") != ("waiting",):
                pass  # the pause is written in a thread, and the event loop must not see that before the answer comes
            asyncio.get_running_loop().call_later(0.3, lock_store(tmp_path).close)
            await parts._waits.approvals.answer(
                wire.ApproveRequest(agent_id="default", call_id=asked.call_id, decision="deny"), "somebody"
            )
            await until(lambda: "done" in recorded_types(parts, turn_id) or parts._waits.approvals.list())
            assert recorded_types(parts, turn_id).count("approval_required") == 1
            assert "tool_start" not in recorded_types(parts, turn_id), "the denied call ran"
            assert not (tmp_path / "work" / "marks").exists(), "the denied command ran"

    asyncio.run(story())


def test_an_edit_that_comes_while_its_turn_is_cancelled_is_in_the_history(tmp_path: Path) -> None:
    """The end of the turn reads the turn's records while the edit is being recorded."""

    async def story() -> None:
        async with inside(tmp_path) as parts:
            turn_id = await start(parts)
            await until(lambda: parts.calls.conversations._status.read("default", None).state == "waiting_approval")
            await parts._journal.commit()
            [asked] = parts._waits.approvals.list()
            edited = {"command": "echo edited >> marks"}
            answer = wire.ApproveRequest(agent_id="default", call_id=asked.call_id, decision="allow", arguments=edited)
            asyncio.get_running_loop().call_later(0.3, lock_store(tmp_path).close)
            parts._journal.put(writes=[remember("one", "write")])
            await until(lambda: parts._journal._under_way is not None)
            cancelling = asyncio.create_task(parts._turns.cancel(wire.CancelRequest(agent_id="default")))
            for _ in range(5):  # the cancel waits for that transaction
                await asyncio.sleep(0)
            assert "done" not in unrecorded_types(parts), "the turn ended before the edit was recorded"
            await asyncio.gather(parts._waits.approvals.answer(answer, "somebody"), cancelling)
            told = [
                json.loads(row[0])
                for row in parts._journal.all(
                    "SELECT data FROM events WHERE turn_id=? AND type='approval_resolved'", (turn_id,)
                )
            ]
            assert [event.get("arguments") for event in told] == [edited]
            [row] = parts._journal.all("SELECT parts FROM messages WHERE turn_id=? AND role='assistant'", (turn_id,))
            [call] = [part for part in json.loads(row[0]) if part["type"] == "tool"]
            assert (call["arguments"], call["state"]) == (edited, "cancelled")
            assert not (tmp_path / "work" / "marks").exists()

    asyncio.run(story())
