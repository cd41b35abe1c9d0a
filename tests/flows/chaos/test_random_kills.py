"""The daemon is killed with SIGKILL at random moments while two clients use it."""

from __future__ import annotations

import os
import secrets
import time

import pytest

from tests.conftest import PROTOCOLS
from tests.flows.chaos.checks import check_calls, check_conversation, check_picture, check_sends, check_store
from tests.flows.chaos.world import open_world, still
from tests.support.daemon import Daemon
from tests.support.provider import ProviderDouble

KILLS = 25
KILLING_S = 45.0
"""No more kills after this many seconds. A slow machine does fewer kills, but at least `KILLS_LEAST`."""
KILLS_LEAST = 5


@pytest.mark.timeout(400)
def test_random_kills(real: Daemon, provider: ProviderDouble, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("ASTER_CHAOS_SEED") or secrets.randbelow(1 << 32))
    print(f"ASTER_CHAOS_SEED={seed}")  # pytest shows the output when the test fails
    (real.work_dir / "there.txt").write_text("here I am")
    began = time.monotonic()
    with open_world(real, provider, seed) as world:
        for window in world.windows:
            window.start()
        kills = 0
        while kills < KILLS_LEAST or (kills < KILLS and time.monotonic() - began < KILLING_S):
            world.kill_at_random()
            kills += 1
        print(f"{kills} kills in {time.monotonic() - began:.0f} s; {dict(world.ticks.count)}")
        for window in world.windows:
            window.stop()
        world.settle()
        print(f"settled after {time.monotonic() - began:.0f} s; {len(world.notes.sends)} messages")
        check_picture(world)
        check_sends(world)
        check_calls(world)
        for model in PROTOCOLS.values():
            real.config(model=model)
            for session_id in world.sessions:
                turn_id = real.chat(f"probe {model}", session_id=session_id)["turn_id"]
                world.witness.wait_for(lambda picture, of=session_id, turn=turn_id: turn in picture.of(of).ended, "end")
                assert world.witness.picture.of(session_id).ended[turn_id]["stop_reason"] == "complete"
                check_conversation(provider.requests[-1])
        assert "Traceback" not in real.log, real.log
        world.witness.wait_for(still, "idle")
        assert real.stop() == 0
        world.up.clear()
        check_store(world)
        print(f"checked after {time.monotonic() - began:.0f} s")
