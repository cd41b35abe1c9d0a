"""Turns as people use them: queue, steer, reject, interrupt, cancel, send twice, and the limits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import provider_environment
from tests.flows.test_life import wait_gone
from tests.support.daemon import Daemon, Json, Refused, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say


def gated(text: str, gate: threading.Event, at: int = 1) -> Reply:
    """A reply that stops before its `at`-th word until the gate opens."""
    return Reply([Say(deltas=[f"{word} " for word in text.split()])], gate=gate, gate_at=at)


def done_of(events: list[Json], turn_id: str) -> Json:
    [done] = [event for event in events if event["type"] == "done" and event["turn_id"] == turn_id]
    assert [event for event in events if event["turn_id"] == turn_id][-1] is done, "done must be its turn's last event"
    return done


def test_a_turn_tells_its_story_in_order(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([Say("Hello there.")], input_tokens=12, output_tokens=3))
    with real.watch() as watcher:
        started = real.chat("hi", context={"page": "settings"})
        events = watcher.until("status_change", state="idle")
    assert started["status"] == "started"
    kinds = [event["type"] for event in events if event["type"] != "text_chunk"]
    assert kinds == ["session_changed", "message_added", "status_change", "message_added", "done", "status_change"]
    assert events[1]["seq"] == started["seq"]
    assert events[1]["data"]["message"]["context"] == {"page": "settings"}
    assert text_of(events) == "Hello there."
    done = done_of(events, started["turn_id"])
    assert done["data"]["usage"] == {"input_tokens": 12, "output_tokens": 3, "requests": 1}
    assert events[-1]["turn_id"] is None
    assert '{"page": "settings"}' in provider.requests[0].system_text
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs))


def test_messages_to_a_busy_session_wait_in_order(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.on("one", gated("first answer", gate))
    with real.watch() as watcher:
        first = real.chat("one")
        watcher.until("text_chunk")
        queued = [real.chat(text) for text in ("two", "three")]
        status = real.status()
        assert (status["state"], status["turn_id"]) == ("running", first["turn_id"])
        assert status["queue"] == [entry["turn_id"] for entry in queued]
        gate.set()
        watcher.until("done", 3)
    ended = [event["turn_id"] for event in watcher.of("done")]
    assert ended == [first["turn_id"], *(entry["turn_id"] for entry in queued)]
    assert [message["text"] for message in real.history() if message["role"] == "user"] == ["one", "two", "three"]


def test_sessions_and_agents_run_side_by_side(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.on("slow", gated("slow answer", gate))
    other = real.call("POST", "/api/sessions", {"agent_id": "default", "title": "Other"})["session_id"]
    with real.watch() as watcher:
        slow = real.chat("slow")
        watcher.until("text_chunk")
        quick = real.chat("quick", session_id=other)
        watcher.until("done", turn_id=quick["turn_id"])
        assert real.status()["state"] == "running"
        gate.set()
        watcher.until("done", turn_id=slow["turn_id"])


def test_reject_refuses_while_busy(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.on("one", gated("first answer", gate))
    with real.watch() as watcher:
        real.chat("one")
        watcher.until("text_chunk")
        refusal = real.refused("POST", "/api/chat", {"agent_id": "default", "message": "two", "if_busy": "reject"})
        gate.set()
        watcher.until("done")
    assert (refusal.status, refusal.code) == (409, "agent_busy")
    assert [message["text"] for message in real.history() if message["role"] == "user"] == ["one"]


def test_steering_reaches_the_model_with_its_next_request(real: Daemon, provider: ProviderDouble) -> None:
    real.config(permission_mode="auto_approve")
    (real.work_dir / "a.txt").write_text("alpha")
    gate = threading.Event()
    reply = Reply([Say(deltas=["looking ", "now "]), Call("read_file", {"path": "a.txt"})], gate=gate, gate_at=1)
    provider.script(reply, Reply([Say("Changed course.")]))
    with real.watch() as watcher:
        turn_id = real.chat("look")["turn_id"]
        watcher.until("text_chunk")
        steered = real.chat("rather do that", if_busy="steer")
        assert (steered["status"], steered["turn_id"]) == ("steered", turn_id)
        gate.set()
        events = watcher.until("done")
    assert len([event for event in events if event["type"] == "done"]) == 1
    assert provider.requests[-1].last_user_text == "rather do that"
    assert text_of(events).endswith("Changed course.")


def test_steering_that_comes_too_late_for_a_tool_gets_an_answer_in_the_same_turn(
    real: Daemon, provider: ProviderDouble
) -> None:
    gate = threading.Event()
    provider.script(gated("the only words", gate), Reply([Say("And that.")]))
    with real.watch() as watcher:
        turn_id = real.chat("talk")["turn_id"]
        watcher.until("text_chunk")
        real.chat("one more thing", if_busy="steer")
        gate.set()
        events = watcher.until("done")
    assert [event["turn_id"] for event in events if event["type"] == "done"] == [turn_id]
    assert text_of(events) == "the only words \n\nAnd that."
    assert real.history()[-1]["text"] == "the only words \n\nAnd that." or real.history()[-2]["role"] == "assistant"


def test_interrupt_ends_the_turn_and_goes_before_the_queue(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.on("one", gated("first answer never ends", gate))
    with real.watch() as watcher:
        first = real.chat("one")
        watcher.until("text_chunk")
        queued = real.chat("two")
        urgent = real.chat("three", if_busy="interrupt")
        watcher.until("done", 3)
    gate.set()
    ended = [(event["turn_id"], event["data"]["stop_reason"]) for event in watcher.of("done")]
    assert ended == [(first["turn_id"], "cancelled"), (urgent["turn_id"], "complete"), (queued["turn_id"], "complete")]


def test_cancel_mid_text_keeps_the_text_and_the_agent_stays_usable(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.script(gated("some words that stop here", gate, at=2), Reply([Say("Still here.")]))
    with real.watch() as watcher:
        started = real.chat("talk")
        while text_of(watcher.events).count(" ") < 2:
            watcher.next()
        assert real.call("POST", "/api/cancel", {"agent_id": "default"}) == {"cancelled": [started["turn_id"]]}
        events = watcher.until("done")
        assert real.call("POST", "/api/cancel", {"agent_id": "default"}) == {"cancelled": []}
    provider.wait_for_aborted(1, timeout_s=30)  # before the gate opens: after that the answer might still complete
    gate.set()
    assert done_of(events, started["turn_id"])["data"]["stop_reason"] == "cancelled"
    answer = real.history()[-1]
    assert (answer["status"], answer["text"]) == ("cancelled", "some words ")
    assert text_of(real.ask("are you there?")) == "Still here."
    assert "some words" in str(provider.requests[-1].body)


def test_cancel_of_a_queued_turn_never_runs_it(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.on("one", gated("first answer", gate))
    with real.watch() as watcher:
        first = real.chat("one")
        watcher.until("text_chunk")
        second = real.chat("two")
        cancelled = real.call("POST", "/api/cancel", {"agent_id": "default", "turn_id": second["turn_id"]})
        assert cancelled == {"cancelled": [second["turn_id"]]}
        gate.set()
        watcher.until("done", turn_id=first["turn_id"])
        events = watcher.until("status_change", state="idle")
    assert done_of(events, second["turn_id"])["data"]["stop_reason"] == "cancelled"
    assert len(provider.requests) == 1


def test_cancel_ends_a_running_tool_and_its_children(real: Daemon, provider: ProviderDouble) -> None:
    real.config(permission_mode="auto_approve")
    real.config(sandbox="off")  # it reads pids
    provider.script(Reply([Call("run_command", {"command": "sleep 60 & echo $$ $!; sleep 60"})]))
    with real.watch() as watcher:
        real.chat("sleep")
        progress = watcher.until("tool_progress")[-1]
        pids = [int(number) for number in progress["data"]["delta"].split()]
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        events = watcher.until("done")
    assert [event["data"]["outcome"] for event in events if event["type"] == "tool_end"] == ["cancelled"]
    assert len(pids) == 2
    assert all(wait_gone(pid, 20) for pid in pids)


def test_cancel_while_an_approval_waits_closes_it(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([Call("run_command", {"command": "env echo hi"})]), Reply([Say("Fine.")]))
    with real.watch() as watcher:
        real.chat("run")
        call_id = watcher.until("approval_required")[-1]["data"]["call_id"]
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        events = watcher.until("done")
    assert events[-1]["data"]["stop_reason"] == "cancelled"
    assert [event["data"]["decision"] for event in events if event["type"] == "approval_resolved"] == ["cancelled"]
    assert real.call("GET", "/api/approvals") == []
    refusal = real.refused("POST", "/api/approve", {"agent_id": "default", "call_id": call_id, "decision": "allow"})
    assert refusal.code == "approval_resolved"
    assert text_of(real.ask("next")) == "Fine."


def test_the_same_send_twice_is_one_turn(real: Daemon, provider: ProviderDouble) -> None:
    with ThreadPoolExecutor(20) as pool, real.watch() as watcher:
        sends = list(pool.map(lambda _: real.chat("once only", client_message_id="m-1"), range(20)))
        watcher.until("done")
    assert len({(entry["turn_id"], entry["message_id"], entry["seq"]) for entry in sends}) == 1
    real.restart()
    assert real.chat("once only", client_message_id="m-1") == sends[0]
    assert len(real.history()) == 2
    refusal = real.refused(
        "POST", "/api/chat", {"agent_id": "default", "message": "another", "client_message_id": "m-1"}
    )
    assert (refusal.status, refusal.code) == (409, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("setting", "word"),
    [({"max_requests": 2}, "request"), ({"max_tool_calls": 1}, "tool"), ({"max_tokens": 40}, "token")],
)
def test_limits_end_a_turn_and_say_which(
    real: Daemon, provider: ProviderDouble, setting: dict[str, int], word: str
) -> None:
    real.config(permission_mode="auto_approve", **setting)
    (real.work_dir / "a.txt").write_text("alpha")
    provider.otherwise = Reply([Call("read_file", {"path": "a.txt"})], input_tokens=20, output_tokens=5)
    events = real.ask("loop for ever")
    assert events[-1]["data"]["stop_reason"] == "limit"
    [error] = [event["data"] for event in events if event["type"] == "error"]
    assert (error["code"], error["severity"]) == ("limit_reached", "warning")
    assert word in error["message"].lower()
    assert error["hint"]
    provider.otherwise = Reply([Say("Going on.")])
    real.config(max_tokens=None, max_requests=None, max_tool_calls=None)
    assert text_of(real.ask("go on")) == "Going on."


def test_a_turn_that_runs_too_long_is_ended(real: Daemon, provider: ProviderDouble) -> None:
    real.config(max_turn_s=0.5)
    provider.script(gated("words without end", threading.Event()))
    events = real.ask("talk")
    assert events[-1]["data"]["stop_reason"] == "limit"
    assert "0.5 s" in next(event for event in events if event["type"] == "error")["data"]["message"]


def test_a_key_alone_never_picks_a_model(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = launch(environment={**provider_environment(provider), "ASTER_MODEL": ""})
    events = daemon.ask("hello")
    [error] = [event["data"] for event in events if event["type"] == "error"]
    assert error["code"] == "model_not_set"
    assert "ASTER_MODEL" in error["hint"]
    assert events[-1]["data"]["stop_reason"] == "failed"
    assert provider.requests == []
    daemon.config(model="openai:double")
    answer = text_of(daemon.ask("are you there?"))
    assert answer == "You said: hello\n\nare you there?", "unanswered messages are sent as one, with the next"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"agent_id": "nobody", "message": "hi"}, 404, "agent_not_found"),
        ({"agent_id": "default", "message": "hi", "session_id": "nowhere"}, 404, "session_not_found"),
        ({"agent_id": "default", "message": ""}, 422, "invalid_shape"),
        ({"agent_id": "default", "message": "  \n "}, 422, "invalid_shape"),
        ({"agent_id": "default", "message": 5}, 422, "invalid_shape"),
        ({"agent_id": "default"}, 422, "invalid_shape"),
        ({"agent_id": "default", "message": "hi", "sesion_id": "x"}, 422, "invalid_shape"),
        ({"agent_id": "default", "message": "hi", "if_busy": "wait"}, 422, "invalid_shape"),
    ],
)
def test_bad_chat_requests_get_a_clear_refusal(daemon: Daemon, body: Json, status: int, code: str) -> None:
    refusal: Refused = daemon.refused("POST", "/api/chat", body)
    assert (refusal.status, refusal.code) == (status, code)
    assert refusal.body["error"]
    assert daemon.history() == []


def test_the_context_meter_shows_what_the_provider_counted(real: Daemon, provider: ProviderDouble) -> None:
    assert real.status()["context"] is None
    provider.script(Reply([Say("Fine.")], input_tokens=3000, output_tokens=7))
    done = real.ask("hello")[-1]["data"]
    assert done["context"]["used_tokens"] == 3007
    assert real.status()["context"]["used_tokens"] == 3007
    real.restart()
    assert real.status()["context"]["used_tokens"] == 3007
    [session] = real.call("GET", "/api/snapshot")["sessions"]
    assert session["context"]["used_tokens"] == 3007
    real.call("DELETE", "/api/history", agent_id="default")
    assert real.status()["context"] is None
