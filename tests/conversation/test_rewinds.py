"""What may happen to a session while it is rewound."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.contract import wire
from aster_sidecar.errors import SessionNotFound
from aster_sidecar.ledger import reverting
from tests.flows.test_failing_commits import inside, say, settle


@pytest.mark.anyio
async def test_a_session_that_is_deleted_while_its_rewind_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked, go_on, planned = threading.Event(), threading.Event(), reverting._planned

    def slowly(*arguments: Any) -> reverting.Plan:
        plan = planned(*arguments)
        checked.set()
        assert go_on.wait(60)
        return plan

    monkeypatch.setattr(reverting, "_planned", slowly)
    async with inside(tmp_path) as daemon:
        daemon.config.change(wire.ConfigPatch(permission_mode="auto_approve"))
        started = await say(daemon, 'call write_file {"path": "a.txt", "content": "a"}')
        await settle(daemon)
        assert (tmp_path / "work" / "a.txt").read_text() == "a"
        request = wire.RewindRequest(message_id=started.message_id, files="restore")
        rewind = asyncio.create_task(daemon.calls.conversations.rewind(started.session_id, request))
        await asyncio.to_thread(checked.wait, 60)
        await daemon.calls.conversations.delete_session(started.session_id, purge=False)
        go_on.set()
        with pytest.raises(SessionNotFound):
            await rewind
        await say(daemon, "what was put aside is recorded now")
        await settle(daemon)
    async with inside(tmp_path) as daemon:
        await settle(daemon)
    assert (tmp_path / "work" / "a.txt").read_text() == "a"
