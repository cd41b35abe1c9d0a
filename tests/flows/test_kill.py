"""kill -9 at every stage of a turn: what a client saw stays true, what a person answered counts, nothing runs twice."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PROTOCOLS, provider_environment
from tests.flows.test_life import wait_gone
from tests.support.daemon import Daemon, Json, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say


def check_store(daemon: Daemon) -> None:
    """The store is intact."""
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db", timeout=30)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []


def counting(path: Path) -> str:
    """A command that writes a line each time it runs."""
    return f"echo ran >> {path.name}"


def runs(daemon: Daemon, name: str = "marks") -> int:
    path = daemon.work_dir / name
    return path.read_text().count("ran") if path.exists() else 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_approval_outlives_kill_9_and_the_tool_runs_once(
    launch: Callable[..., Daemon], provider: ProviderDouble, protocol: str
) -> None:
    daemon = launch(environment=provider_environment(provider, PROTOCOLS[protocol]))
    provider.script(
        Reply([Say("I'll run it."), Call("run_command", {"command": "echo ran >> marks"})]),
        Reply([Say("It ran.")]),
    )
    with daemon.watch() as watcher:
        turn_id = daemon.chat("please run it")["turn_id"]
        required = watcher.until("approval_required")[-1]
    assert runs(daemon) == 0

    daemon.restart()
    [pending] = daemon.call("GET", "/api/approvals")
    assert pending["call_id"] == required["data"]["call_id"]
    assert pending["display"] == required["data"]["display"]
    status = daemon.status()
    assert (status["state"], status["turn_id"], status["pending_approvals"]) == ("waiting_approval", turn_id, 1)

    with daemon.watch(after=required["seq"]) as watcher:
        daemon.approve(pending["call_id"])
        events = watcher.until("done")
        assert (
            daemon.refused(
                "POST", "/api/approve", {"agent_id": "default", "call_id": pending["call_id"], "decision": "allow"}
            ).code
            == "approval_resolved"
        )
    assert [event["type"] for event in events if event["type"].startswith("tool_")] == ["tool_start", "tool_end"]
    assert events[-1]["data"]["stop_reason"] == "complete"
    assert runs(daemon) == 1
    question, answer = daemon.history()
    assert question["text"] == "please run it"
    assert answer["text"] == "I'll run it.\n\nIt ran."
    assert [part["type"] for part in answer["parts"]] == ["text", "tool", "text"]
    assert answer["parts"][1]["state"] == "done"
    assert provider.requests[-1].tool_results[-1][1].count("exit_code")
    check_store(daemon)


def test_killed_mid_text_keeps_what_was_seen_and_the_next_turn_works(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.script(Reply([Say("One two three four five six.", chunk=4)], gate=gate, gate_at=4), Reply([Say("Fine.")]))
    with real.watch() as watcher:
        real.chat("count")
        while len(text_of(watcher.events)) < 12:
            watcher.next()
        seen = watcher.events.copy()
    text = text_of(seen)
    real.restart()
    gate.set()
    with real.watch(after=seen[-1]["seq"]) as watcher:
        ended = watcher.until("done")
    assert ended[-1]["data"]["stop_reason"] == "interrupted"
    assert [event["data"]["code"] for event in ended if event["type"] == "error"] == ["interrupted"]
    whole = text_of([*seen, *ended])
    assert whole.startswith(text)
    answer = real.history()[-1]
    assert (answer["text"], answer["status"]) == (whole, "interrupted")
    events = real.ask("go on")
    assert text_of(events) == "Fine."
    sent = provider.requests[-1]
    assert whole.strip() in str(sent.body)
    check_store(real)


def test_killed_mid_tool_is_unknown_and_not_run_again(real: Daemon, provider: ProviderDouble) -> None:
    real.config(permission_mode="auto_approve", sandbox="off")  # it reads a pid
    provider.script(
        Reply([Call("run_command", {"command": "echo ran >> marks; echo $$ begun; sleep 50"})]), Reply([Say("I see.")])
    )
    with real.watch() as watcher:
        real.chat("run it")
        progress = watcher.until("tool_progress")[-1]["data"]["delta"]
        seen = watcher.events.copy()
    real.restart()
    assert wait_gone(int(progress.split()[0]), 20), "the process that a killed daemon left running is ended"
    with real.watch(after=seen[-1]["seq"]) as watcher:
        events = watcher.until("done")
    assert [event["data"]["outcome"] for event in events if event["type"] == "tool_end"] == ["unknown"]
    assert events[-1]["data"]["stop_reason"] == "interrupted"
    assert runs(real) == 1
    part = next(part for part in real.history()[-1]["parts"] if part["type"] == "tool")
    assert part["state"] == "unknown"
    assert text_of(real.ask("what happened?")) == "I see."
    assert runs(real) == 1
    assert "How this tool ended is not known" in str(provider.requests[-1].tool_results)
    check_store(real)


def test_killed_between_a_tools_end_and_the_models_answer_keeps_the_result(
    real: Daemon, provider: ProviderDouble
) -> None:
    real.config(permission_mode="auto_approve")
    gate = threading.Event()
    provider.script(
        Reply([Call("run_command", {"command": "echo ran >> marks; echo forty-two"})]),
        Reply([Say("never seen")], gate=gate, gate_at=0),
        Reply([Say("It was forty-two.")]),
    )
    with real.watch() as watcher:
        real.chat("run it")
        seen = watcher.until("tool_end").copy()
        provider.wait_for_requests(2, timeout_s=20)
    real.restart()
    gate.set()
    with real.watch(after=seen[-1]["seq"]) as watcher:
        assert watcher.until("done")[-1]["data"]["stop_reason"] == "interrupted"
    assert text_of(real.ask("and?")) == "It was forty-two."
    assert runs(real) == 1
    assert "forty-two" in str(provider.requests[-1].tool_results)
    check_store(real)


def test_an_answer_given_before_the_kill_counts_after_it(real: Daemon, provider: ProviderDouble) -> None:
    """One of two questions is answered, the daemon is killed, then the other is answered: both answers count."""
    provider.script(
        Reply(
            [
                Call("run_command", {"command": "echo ran >> first"}),
                Call("run_command", {"command": "echo ran >> second"}),
                Call("read_file", {"path": "there.txt"}),
            ]
        ),
        Reply([Say("Both done.")]),
    )
    (real.work_dir / "there.txt").write_text("here I am")
    with real.watch() as watcher:
        real.chat("run both")
        required = [event for event in watcher.until("approval_required", 2) if event["type"] == "approval_required"]
        real.approve(required[0]["data"]["call_id"])
        while not watcher.of("tool_end"):  # of the call that needs no permission
            watcher.next()
    assert runs(real, "first") == 0, "it must wait for the other call's answer"
    real.restart()
    assert [entry["call_id"] for entry in real.call("GET", "/api/approvals")] == [required[1]["data"]["call_id"]]
    with real.watch() as watcher:
        real.approve(required[1]["data"]["call_id"], "deny", note="not that one")
        watcher.until("done")
    assert (runs(real, "first"), runs(real, "second")) == (1, 0)
    results = dict(provider.requests[-1].tool_results)
    assert any("not that one" in text for text in results.values())
    assert any("here I am" in text for text in results.values())
    states = {part["display"] or "": part["state"] for part in real.history()[-1]["parts"] if part["type"] == "tool"}
    assert sorted(states.values()) == ["denied", "done", "done"]
    check_store(real)


def test_queued_turns_go_on_after_a_kill(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.on("first", Reply([Say("one two three", chunk=3)], gate=gate, gate_at=1))
    provider.on("second", Reply([Say("Second answer.")]))
    with real.watch() as watcher:
        real.chat("first")
        watcher.until("text_chunk")
        queued = real.chat("second")
        assert queued["status"] == "queued"
        last = watcher.events[-1]["seq"]
    real.restart()
    gate.set()
    with real.watch(after=last) as watcher:
        events = watcher.until("done", turn_id=queued["turn_id"])
    reasons: dict[str, Json] = {
        event["turn_id"]: event["data"]["stop_reason"] for event in events if event["type"] == "done"
    }
    assert list(reasons.values()) == ["interrupted", "complete"]
    assert text_of([event for event in events if event["turn_id"] == queued["turn_id"]]) == "Second answer."
    check_store(real)


def test_seqs_rise_over_lives_and_are_never_used_twice(daemon: Daemon) -> None:
    last = 0
    for life in range(3):
        events = daemon.ask(f"hello {life}")
        seqs = [event["seq"] for event in events]
        assert seqs == sorted(set(seqs))
        assert seqs[0] > last
        last = seqs[-1]
        daemon.restart()
    with daemon.watch(after=0) as watcher:
        watcher.until("done", 3)
        assert [event["seq"] for event in watcher.events] == sorted({event["seq"] for event in watcher.events})
