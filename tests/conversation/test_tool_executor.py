"""How a call ends that is cancelled before it runs: its state and the reason are recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic_ai import RunContext
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RunUsage

from aster_sidecar.asking.questions import Questions
from aster_sidecar.conversation.attachments import Attachments
from aster_sidecar.conversation.run_request import Usage
from aster_sidecar.conversation.tool_executor import ToolExecutor
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.hosts.dispatch import Dispatch
from aster_sidecar.hosts.registry import Hosts
from aster_sidecar.ledger.ledger import Ledger
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.policy.rules import Rules
from aster_sidecar.store.journal import Journal
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.registry import Toolkit
from tests.tools.support import make_surroundings


def test_a_call_that_is_cancelled_while_its_start_is_recorded_did_not_run(tmp_path: Path) -> None:
    place = make_surroundings(tmp_path)

    async def main() -> str:
        journal = Journal(tmp_path / "store")
        journal.open()
        journal.put(
            writes=[
                (
                    "INSERT INTO sessions (session_id, agent_id, title, created_at, updated_at) VALUES (?,?,'',?,?)",
                    ("session_1", "default", "2026", "2026"),
                ),
                (
                    "INSERT INTO turns (turn_id, session_id, agent_id, state, user_message_id, message_id, created_at,"
                    " usage, urgent) VALUES ('turn_1','session_1','default','running','m','message_1','2026','{}',0)",
                    (),
                ),
            ]
        )
        rules = Rules(journal)
        toolkit = Toolkit(builtin_tools(), lambda _: place, lambda *_: "auto_approve", rules.active)
        log = TurnLog(journal, "default", "session_1", "turn_1", "message_1")
        toolbox = ToolExecutor(
            toolkit,
            toolkit.names(),
            Waits(
                Approvals(journal, rules, toolkit.check),
                Questions(journal),
                Dispatch(journal, Hosts(journal, lambda name: None)),
            ),
            Attachments(journal, tmp_path),
            Ledger(journal, tmp_path, lambda _: place, lambda: (1 << 30, 30.0)).recorder,
            log,
            approval_timeout_s=lambda: 0.0,
            unattended_denies=lambda: False,
            context={},
            usage=Usage(),
            most_calls=None,
        )
        ctx = RunContext[None](deps=None, model=TestModel(), usage=RunUsage(), tool_call_id="call_1")
        tools = await toolbox.get_tools(ctx)
        arguments = {"path": "a.txt", "content": "x"}
        running = asyncio.create_task(toolbox.call_tool("write_file", arguments, ctx, tools["write_file"]))
        await asyncio.sleep(0)
        assert log.transcript.tools, "its start is reported, but not recorded yet"
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await journal.commit()
        [part] = log.transcript.tools.values()
        [row] = journal.all("SELECT state, outcome FROM calls")
        await journal.close()
        return f"{part.state} {part.error}; {row}"

    assert asyncio.run(main()) == "cancelled cancelled before it ran; ('ended', 'cancelled')"
    assert not (place.work_dir / "a.txt").exists()
