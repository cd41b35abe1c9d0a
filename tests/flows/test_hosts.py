"""Tools that programs lend: registered, called, answered once, and kept while host or daemon are away."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import provider_environment
from tests.flows.test_kill import check_store
from tests.support.daemon import Daemon, Json
from tests.support.lender import Lender, tool, wait_parked
from tests.support.provider import Call, ProviderDouble, Reply, Say

OPEN = Call("open_tab", {"url": "https://example.com/"})


def told(provider: ProviderDouble) -> str:
    """The last result of a tool that the model got."""
    return provider.requests[-1].tool_results[-1][1]


def offered(provider: ProviderDouble) -> bool:
    """Whether the model was last offered `open_tab`."""
    return "open_tab" in json.dumps(provider.requests[-1].body.get("tools"))


def begin(daemon: Daemon, message: str = "go") -> Json:
    """Send a message whose answer calls a host's tool. Returns the `host_call` event."""
    with daemon.watch() as watcher:
        daemon.chat(message)
        return watcher.until("host_call")[-1]


def outcome(daemon: Daemon) -> tuple[str, Json]:
    """How the only call of the last answer ended, and its result or error."""
    [part] = [part for part in daemon.history()[-1]["parts"] if part["type"] == "tool"]
    return part["state"], part["result"] if part["error"] is None else part["error"]


def test_a_call_is_given_taken_and_answered(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("It is open.")]))
    host = Lender(real)
    assert host.register()["calls"] == []
    [info] = [one for one in real.call("GET", "/api/tools") if one["name"] == "open_tab"]
    assert (info["host"], info["risk"], info["schema"]["required"]) == ("browser", "low", ["url"])
    with real.watch() as watcher:
        real.chat("go")
        event = watcher.until("host_call")[-1]
        assert event["data"]["arguments"] == {"url": "https://example.com/"}
        assert event["data"]["deadline"]
        call_id = event["data"]["call_id"]
        taken = host.post("accept", call_id=call_id)
        assert (taken["tool"], taken["accepted"]) == ("open_tab", True)
        assert host.refused("accept", call_id=call_id) == "host_call_taken"
        host.post("progress", call_id=call_id, message="half", progress=0.5)
        assert watcher.until("tool_progress")[-1]["data"]["message"] == "half"
        assert host.answer(call_id, {"tab": 7})["state"] == "done"
        events = watcher.until("done")
    assert host.refused("results", call_id=call_id, result=8) == "host_call_ended"
    kinds = [event["type"] for event in events if event["type"].startswith("tool_")]
    assert kinds[0] == "tool_start"
    assert kinds.count("tool_end") == 1
    assert outcome(real) == ("done", {"from": "browser", "result": {"tab": 7}})
    assert json.loads(told(provider)) == {"from": "browser", "result": {"tab": 7}}


def test_a_call_that_takes_long_holds_no_task(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("It is open.")]))
    host = Lender(real)
    host.register()
    call_id = begin(real)["data"]["call_id"]
    wait_parked(real)
    assert real.status()["waiting_for"] == ["host"]
    with real.watch() as watcher:
        host.answer(call_id, "at last")
        assert watcher.until("done")[-1]["data"]["stop_reason"] == "complete"
    assert outcome(real) == ("done", {"from": "browser", "result": "at last"})


@pytest.mark.parametrize("wait", ["fail", "durable"])
@pytest.mark.parametrize("stage", ["given", "accepted", "answered"])
@pytest.mark.parametrize("parked", [False, True])
def test_a_call_outlives_kill_9_of_the_daemon(
    launch: Callable[..., Daemon], provider: ProviderDouble, wait: str, stage: str, parked: bool
) -> None:
    daemon = launch(environment=provider_environment(provider))
    provider.script(Reply([OPEN]), Reply([Say("It is open.")]))
    host = Lender(daemon, tools=[tool(wait=wait, timeout_s=60)])
    host.register()
    call_id = begin(daemon)["data"]["call_id"]
    if parked:
        wait_parked(daemon)
    if stage != "given":
        host.post("accept", call_id=call_id)
    if stage == "answered":
        provider.script(Reply([Say("It is open.")]))
        host.answer(call_id, 7)
    daemon.restart()
    with daemon.watch(after=0) as watcher:
        if stage != "answered":
            assert host.refused("results", call_id=call_id, result=7) == "lease_lost"
            [waiting] = host.register()["calls"]
            assert (waiting["call_id"], waiting["accepted"]) == (call_id, stage == "accepted")
            host.answer(call_id, 7)
        else:
            host.register()
        ended_as = watcher.until("done")[-1]["data"]["stop_reason"]
    if parked or stage != "answered":  # else the daemon was killed while the model was asked with the result
        assert ended_as == "complete"
    assert outcome(daemon) == ("done", {"from": "browser", "result": 7})
    assert host.refused("results", call_id=call_id, result=8) == "host_call_ended"
    check_store(daemon)


def test_another_instance_gets_what_nobody_accepted(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("It is open.")]))
    one, two = Lender(real), Lender(real, instance="two")
    one.register()
    call_id = begin(real)["data"]["call_id"]
    body = {"name": "browser", "instance": "two", "tools": two.tools}
    assert real.refused("POST", "/api/hosts", body).code == "host_taken"
    one.post("leave")
    assert [call["call_id"] for call in two.register()["calls"]] == [call_id]
    assert one.refused("results", call_id=call_id) == "lease_lost"
    with real.watch() as watcher:
        two.answer(call_id, "from two")
        watcher.until("done")
    assert outcome(real) == ("done", {"from": "browser", "result": "from two"})


@pytest.mark.parametrize("idempotent", [False, True])
def test_what_another_instance_had_accepted_is_unknown_or_given_again(
    real: Daemon, provider: ProviderDouble, idempotent: bool
) -> None:
    provider.script(Reply([OPEN]), Reply([Say("Who knows.")]))
    tools = [tool(idempotent=idempotent)]
    one, two = Lender(real, tools=tools), Lender(real, instance="two", tools=tools)
    one.register()
    call_id = begin(real)["data"]["call_id"]
    one.post("accept", call_id=call_id)
    with real.watch() as watcher:
        calls = two.register(replace=True)["calls"]
        if idempotent:
            assert [(call["call_id"], call["accepted"]) for call in calls] == [(call_id, False)]
            two.answer(call_id, "again")
        else:
            assert calls == []
            assert two.refused("results", call_id=call_id) in ("lease_lost", "host_call_ended")
        watcher.until("done")
    if idempotent:
        assert outcome(real) == ("done", {"from": "browser", "result": "again"})
    else:
        state, words = outcome(real)
        assert state == "unknown"
        assert "not known" in words


def test_a_host_that_is_away(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("I can't.")]))
    host = Lender(real)
    host.register()
    host.post("leave")
    assert "open_tab" not in {one["name"] for one in real.call("GET", "/api/tools")}
    real.ask("go")
    assert not offered(provider)
    assert "host_away" in real.refused("POST", "/api/permissions/check", {"tool": "open_tab"}).body["error"]


def test_a_durable_call_waits_for_a_host_that_is_away(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = launch(environment=provider_environment(provider))
    provider.script(Reply([OPEN]), Reply([Say("It is open.")]))
    host = Lender(daemon, tools=[tool(wait="durable")])
    host.register()
    daemon.restart()
    assert [one["online"] for one in daemon.call("GET", "/api/hosts")] == [False]
    event = begin(daemon)
    assert "deadline" not in event["data"]
    wait_parked(daemon)
    daemon.restart()
    [waiting] = host.register()["calls"]
    with daemon.watch() as watcher:
        host.answer(waiting["call_id"], "late")
        watcher.until("done")
    assert outcome(daemon) == ("done", {"from": "browser", "result": "late"})


def test_a_call_ends_at_its_deadline(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("Too late.")]))
    host = Lender(real, tools=[tool(timeout_s=0.3)])
    host.register()
    with real.watch() as watcher:
        real.chat("go")
        call_id = watcher.until("host_call")[-1]["data"]["call_id"]
        assert watcher.until("host_cancel")[-1]["data"]["call_id"] == call_id
        watcher.until("done")
    assert "did not answer in time" in told(provider)
    assert host.refused("results", call_id=call_id) == "host_call_ended"


@pytest.mark.parametrize("parked", [False, True])
def test_a_cancelled_turn_cancels_the_call(real: Daemon, provider: ProviderDouble, parked: bool) -> None:
    provider.script(Reply([OPEN]))
    host = Lender(real)
    host.register()
    call_id = begin(real)["data"]["call_id"]
    host.post("accept", call_id=call_id)
    if parked:
        wait_parked(real)
    with real.watch() as watcher:
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        events = watcher.until("done")
    assert [event["data"]["call_id"] for event in events if event["type"] == "host_cancel"] == [call_id]
    assert host.refused("results", call_id=call_id) == "host_call_ended"
    assert outcome(real)[0] == "cancelled"


def test_a_host_answers_only_its_own_calls(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("It is open.")]))
    host, other = Lender(real), Lender(real, name="editor", tools=[tool("edit")])
    host.register()
    other.register()
    call_id = begin(real)["data"]["call_id"]
    for what in ("accept", "results", "progress"):
        assert other.refused(what, call_id=call_id) == "call_not_yours"
        assert host.refused(what, call_id="call_nothing") == "host_call_not_found"
    assert other.refused("accept", call_id=call_id, lease="x") == "lease_lost"
    body = {"call_id": call_id, "lease": host.lease}
    assert real.refused("POST", "/api/hosts/host_none/accept", body).code == "host_not_found"
    host.answer(call_id)
    assert other.refused("results", call_id=call_id) == "call_not_yours"


@pytest.mark.parametrize(
    ("tools", "code"),
    [
        ([tool("read_file")], "tool_taken"),
        ([tool(), tool()], "invalid_shape"),
        ([tool("no spaces")], "invalid_shape"),
        ([tool(parameters={"type": "object", "properties": 3})], "invalid_shape"),
        ([tool(parameters={"type": "string"})], "invalid_shape"),
        ([tool(risk="none")], "invalid_shape"),
        ([tool(f"t{number}") for number in range(65)], "invalid_shape"),
    ],
)
def test_what_makes_no_sense_is_refused(real: Daemon, tools: list[Json], code: str) -> None:
    body = {"name": "browser", "instance": "one", "tools": tools}
    assert real.refused("POST", "/api/hosts", body).code == code
    assert real.call("GET", "/api/hosts") == []


def test_two_hosts_can_not_lend_tools_of_one_name(real: Daemon) -> None:
    Lender(real).register()
    body = {"name": "editor", "instance": "one", "tools": [tool()]}
    assert real.refused("POST", "/api/hosts", body).code == "tool_taken"


def test_arguments_are_checked_against_the_schema(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([Call("open_tab", {"url": 3})]), Reply([Say("I see.")]))
    Lender(real).register()
    real.ask("go")
    assert "url: 3 is not of type 'string'" in told(provider)


def test_a_risky_tool_asks_and_a_changed_definition_asks_again(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("One.")]), Reply([OPEN]), Reply([Say("Two.")]), Reply([OPEN]))
    host = Lender(real, tools=[tool(risk="medium")])
    host.register()
    with real.watch() as watcher:
        real.chat("go")
        asked = watcher.until("approval_required")[-1]["data"]
        assert "Aster can't see what browser does" in asked["reason"]
        real.approve(asked["call_id"], "allow_always")
        host.answer(watcher.until("host_call")[-1]["data"]["call_id"])
        watcher.until("done")
        real.chat("again")  # the rule allows it
        host.answer(watcher.until("host_call")[-1]["data"]["call_id"])
        watcher.until("done")
        host.tools = [tool(risk="medium", description="Open a tab, and send it to everybody.")]
        host.register()
        real.chat("and again")
        asked = watcher.until("approval_required")[-1]["data"]
    assert "has changed since it was last accepted" in asked["reason"]
    assert "+Open a tab, and send it to everybody." in asked["display"]


def test_tools_for_some_agents_only(real: Daemon, provider: ProviderDouble) -> None:
    Lender(real, tools=[tool(agents=["another"])]).register()
    real.ask("go")
    assert not offered(provider)
    Lender(real, tools=[tool(agents=["default"])]).register()
    real.ask("go")
    assert offered(provider)


def test_a_long_result_is_cut_and_kept_as_a_file(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("Much.")]))
    host = Lender(real)
    host.register()
    call_id = begin(real)["data"]["call_id"]
    with real.watch() as watcher:
        host.answer(call_id, "x" * 200_000)
        end = watcher.until("tool_end")[-1]["data"]
        watcher.until("done")
    assert end["truncated"]
    assert [file["name"] for file in end["attachments"]] == ["result.json"]
    assert len(told(provider)) < 70_000


def test_an_error_and_files_of_a_host(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("No.")]), Reply([OPEN]), Reply([Say("Yes.")]))
    host = Lender(real)
    host.register()
    call_id = begin(real)["data"]["call_id"]
    with real.watch() as watcher:
        host.post("results", call_id=call_id, error="no such tab\u202e")
        watcher.until("done")
    state, words = outcome(real)
    assert (state, words) == ("failed", "browser: no such tab‹U+202E›")
    call_id = begin(real)["data"]["call_id"]
    assert host.refused("results", call_id=call_id, attachments=["att_none"]) == "attachment_not_found"
    with real.watch() as watcher:
        upload = subprocess.run(
            ["curl", "-s", f"http://127.0.0.1:{real.port}/api/attachments", "--data-binary", "a,b\n1,2\n"],
            capture_output=True,
            check=True,
        )
        attachment_id = json.loads(upload.stdout)["data"]["attachment_id"]
        host.answer(call_id, "see the file", attachments=[attachment_id])
        end = watcher.until("tool_end")[-1]["data"]
        watcher.until("done")
    assert [file["attachment_id"] for file in end["attachments"]] == [attachment_id]


def test_a_removed_host_ends_its_calls(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("Gone.")]))
    host = Lender(real, tools=[tool(wait="durable")])
    host.register()
    begin(real)
    wait_parked(real)
    with real.watch() as watcher:
        assert real.call("DELETE", f"/api/hosts/{host.host_id}")["online"] is False
        events = watcher.until("done")
    [cancelled] = [event["data"] for event in events if event["type"] == "host_cancel"]
    assert cancelled["host_id"] == host.host_id
    assert "was removed" in told(provider)
    assert real.call("GET", "/api/hosts") == []


def test_a_host_without_heartbeats_is_gone(real: Daemon) -> None:
    host = Lender(real)
    host.register()
    with real.watch() as watcher:
        assert host.post("heartbeat")["online"] is True
        assert watcher.until("host_changed", within_s=40)[-1]["data"]["online"] is False
    assert host.refused("heartbeat") == "lease_lost"


def test_a_tools_own_process_can_not_be_a_host(daemon: Daemon) -> None:
    body = json.dumps({"name": "evil", "instance": "x", "tools": []})
    command = (
        f"curl -s http://127.0.0.1:{daemon.port}/api/hosts -H 'content-type: application/json' -d '{body}' > out; true"
    )
    daemon.config(permission_mode="auto_approve", sandbox="off")
    daemon.ask("call run_command " + json.dumps({"command": command}))
    assert "peer_refused" in (daemon.work_dir / "out").read_text()
    assert daemon.call("GET", "/api/hosts") == []


ORDERS = list(itertools.permutations(("question", "write", "host")))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_question_a_write_and_a_host_call_in_every_order_with_kills(
    launch: Callable[..., Daemon], provider: ProviderDouble, order: tuple[str, ...]
) -> None:
    daemon = launch(environment=provider_environment(provider))
    ask = Call("ask_user", {"questions": [{"id": "a", "text": "A?"}], "reason": "why"})
    write = Call("run_command", {"command": "env echo ran >> marks"})
    provider.script(Reply([ask, write, OPEN]), Reply([Say("All done.")]))
    host = Lender(daemon, tools=[tool(wait="durable")])
    host.register()
    with daemon.watch() as watcher:
        daemon.chat("go")
        call_id = watcher.until("host_call")[-1]["data"]["call_id"]
    wait_parked(daemon)
    assert daemon.status()["waiting_for"] == ["approval", "question", "host"]
    for which in order:
        daemon.restart()
        if which == "write":
            [pending] = daemon.call("GET", "/api/approvals")
            daemon.approve(pending["call_id"])
        elif which == "question":
            [asked] = daemon.call("GET", "/api/questions")
            daemon.answer(asked["question_id"], {"a": "the answer"})
        else:
            assert [call["call_id"] for call in host.register()["calls"]] == [call_id]
            host.answer(call_id, "the tab")
    with daemon.watch(after=0) as watcher:
        events = watcher.until("done")
    assert events[-1]["data"]["stop_reason"] == "complete"
    assert (daemon.work_dir / "marks").read_text() == "ran\n"
    results = [result[1] for result in provider.requests[-1].tool_results]
    assert ["the answer" in results[0], "exit_code" in results[1], "the tab" in results[2]] == [True] * 3
    assert len(provider.requests) == 2
    assert Counter(event["type"] for event in events)["host_call"] == 1
    check_store(daemon)


@pytest.mark.parametrize("parked", [False, True])
def test_a_call_outlives_a_stop_of_the_daemon(
    launch: Callable[..., Daemon], provider: ProviderDouble, parked: bool
) -> None:
    daemon = launch(environment=provider_environment(provider))
    provider.script(Reply([OPEN]), Reply([Say("It is open.")]))
    host = Lender(daemon)
    host.register()
    call_id = begin(daemon)["data"]["call_id"]
    if parked:
        wait_parked(daemon)
    assert daemon.stop() == 0
    daemon.start()
    with daemon.watch(after=0) as watcher:
        assert [call["call_id"] for call in host.register()["calls"]] == [call_id]
        host.answer(call_id, "after the stop")
        assert watcher.until("done")[-1]["data"]["stop_reason"] == "complete"
    assert outcome(daemon) == ("done", {"from": "browser", "result": "after the stop"})


def test_results_that_json_or_providers_can_not_hold(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([OPEN]), Reply([Say("Well.")]))
    host = Lender(real)
    host.register()
    call_id = begin(real)["data"]["call_id"]
    deep: Json = 1
    for _ in range(150):
        deep = [deep]
    assert host.refused("results", call_id=call_id, result=deep) == "invalid_shape"
    with real.watch() as watcher:
        host.answer(call_id, {"text": "a\x00b"})
        watcher.until("done")
    assert "a\ufffdb" in told(provider)


def test_a_broken_definition_in_the_store_does_not_keep_the_daemon_from_starting(real: Daemon) -> None:
    Lender(real, tools=[tool(wait="durable")]).register()
    real.kill()
    with contextlib.closing(sqlite3.connect(real.data_dir / "aster.db")) as store, store:
        store.execute("UPDATE hosts SET tools=replace(tools, '\"string\"', '7')")
    real.start()
    assert [host["online"] for host in real.call("GET", "/api/hosts")] == [False]
    assert Lender(real).register()["calls"] == []


def test_a_crash_between_a_take_over_and_its_consequences(real: Daemon, provider: ProviderDouble) -> None:
    """The store has the new instance, and a call that the old one had accepted."""
    provider.script(Reply([OPEN]), Reply([Say("Who knows.")]))
    tools = [tool(wait="durable")]
    one, two = Lender(real, tools=tools), Lender(real, instance="two", tools=tools)
    one.register()
    call_id = begin(real)["data"]["call_id"]
    one.post("accept", call_id=call_id)
    wait_parked(real)
    real.kill()
    with contextlib.closing(sqlite3.connect(real.data_dir / "aster.db")) as store, store:
        store.execute("UPDATE hosts SET instance='two'")
    real.start()
    with real.watch(after=0) as watcher:
        assert two.register()["calls"] == []
        watcher.until("done")
    assert outcome(real)[0] == "unknown"


@pytest.mark.parametrize("what", ["accept", "progress"])
def test_a_call_is_answered_after_its_host_met_a_store_that_could_not_be_written(
    real: Daemon, provider: ProviderDouble, what: str
) -> None:
    provider.script(Reply([OPEN]), Reply([Say("It is open.")]))
    host = Lender(real, tools=[tool(wait="durable")])
    host.register()
    call_id = begin(real)["data"]["call_id"]
    wait_parked(real)
    with contextlib.closing(sqlite3.connect(real.data_dir / "aster.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert host.refused(what, call_id=call_id) == "store_unavailable"
        other.execute("ROLLBACK")
    with real.watch() as watcher:
        host.answer(call_id, "after all")
        assert watcher.until("done")[-1]["data"]["stop_reason"] == "complete"
    assert outcome(real) == ("done", {"from": "browser", "result": "after all"})
