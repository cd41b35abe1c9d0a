"""What clients see of a turn that ran or waited when the daemon was killed or restarted."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.flows.chaos.checks import state_from_events
from tests.flows.chaos.world import WAIT_S
from tests.support.daemon import Daemon
from tests.support.provider import Call, Fault, ProviderDouble, Reply, Say


def test_a_client_hears_that_a_turn_waits_since_the_kill(real: Daemon, provider: ProviderDouble) -> None:
    """The daemon is killed after the question was asked and before the turn's pause was recorded."""
    target = real.call("POST", "/api/permissions/check", {"tool": "run_command", "arguments": {"command": "sleep 9"}})[
        "target"
    ]
    real.call("POST", "/api/permissions/rules", {"decision": "allow", "tool": "run_command", "value": target})
    calls = [Call("run_command", {"command": line}) for line in ("echo ran >> marks", "sleep 9")]
    provider.script(Reply(calls), Reply([Say("ok")]))
    with real.watch() as watcher:
        session_id = real.chat("go")["session_id"]
        seen = watcher.until("tool_start").copy()
    real.restart()
    with real.watch(after=seen[-1]["seq"]) as watcher:
        watcher.until("tool_end")
        last = real.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
        seen += watcher.until("session_changed", session_id=last)
    assert real.status()["state"] == "waiting_approval"
    assert state_from_events(seen, session_id) == "waiting_approval"


def test_cancel_names_only_the_turns_that_it_ended(real: Daemon, provider: ProviderDouble) -> None:
    """The cancel comes right after a restart, while the daemon ends the turn that ran as interrupted."""
    provider.script(Reply([Say("One two three.")], gate=threading.Event(), gate_at=1))
    with real.watch() as watcher:
        turn_id = real.chat("count")["turn_id"]
        cursor = watcher.until("text_chunk")[-1]["seq"]
    real.restart()
    cancelled = real.call("POST", "/api/cancel", {"agent_id": "default"})["cancelled"]
    with real.watch(after=cursor) as watcher:
        done = watcher.until("done", turn_id=turn_id)[-1]
    assert done["data"]["stop_reason"] == ("cancelled" if turn_id in cancelled else "interrupted")


def test_a_session_that_failed_says_why_also_after_a_restart(real: Daemon, provider: ProviderDouble) -> None:
    """The turn that was sent last was cancelled in the queue. The turn that ended last failed."""
    gate = threading.Event()
    reply = Reply([Say("one two three four five")], gate=gate)
    provider.script(Fault(kind="error_event", code="server_error", reply=reply, after=3))
    with real.watch() as watcher:
        real.chat("one")
        watcher.until("text_chunk")
        second = real.chat("two")["turn_id"]
        real.call("POST", "/api/cancel", {"agent_id": "default", "turn_id": second})
        gate.set()
        watcher.until("status_change", state="failed")
    status = real.status()
    assert (status["state"], status["last_error"] is None) == ("failed", False)
    real.restart()
    again = real.status()
    assert (again["state"], again["last_error"]) == (status["state"], status["last_error"])


INTERRUPT = {"agent_id": "default", "if_busy": "interrupt"}


def test_an_interrupting_message_stays_before_the_queue_over_a_kill(real: Daemon, provider: ProviderDouble) -> None:
    """The daemon is killed while it ends the tool of the interrupted turn."""
    real.config(permission_mode="auto_approve")
    provider.script(Reply([Call("run_command", {"command": "trap '' TERM; echo on; while :; do sleep 0.1; done"})]))
    with real.watch() as watcher, ThreadPoolExecutor(1) as pool:
        first = real.chat("one")["turn_id"]
        watcher.until("tool_progress")
        second = real.chat("two")["turn_id"]
        sending = pool.submit(real.raw, "POST", "/api/chat", {**INTERRUPT, "message": "three"})
        message = watcher.until("message_added", turn_id=second)[-1]
        while message["data"]["message"]["text"] != "three":
            message = watcher.until("message_added")[-1]
        third = message["turn_id"]
        status = real.status()  # the tool is killed after 2 s: on a slow machine, the next turn may run already
        assert [status["turn_id"], *status["queue"]] in ([first, third, second], [third, second], [second], [None])
        real.kill()
        with contextlib.suppress(httpx.HTTPError):
            sending.result(WAIT_S)
    real.start()
    with real.watch(after=message["seq"]) as watcher:
        events = watcher.until("done", 3)
    assert [event["turn_id"] for event in events if event["type"] == "done"][1:] == [third, second]
