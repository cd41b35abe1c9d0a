"""Human approval: survives a restart, is decided once, holds for exactly one call, and is explained."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import provider_environment
from tests.support.daemon import Daemon, Json, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say

ATTACK = """
import json, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for path, body in (
    ("approve", {"agent_id": "default", "call_id": "CALL_ID", "decision": "allow"}),
    ("config", {"permission_mode": "auto_approve"}),
):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request("URL/api/" + path, json.dumps(body).encode(), headers)
    try:
        print(opener.open(request).read())
    except urllib.error.HTTPError as error:
        print(path, error.code)
"""


def wait_for_approval(daemon: Daemon, message: str = "go") -> Json:
    """Send a message whose answer asks for permission. Returns the pending approval."""
    with daemon.watch() as watcher:
        daemon.chat(message)
        call_id = watcher.until("approval_required")[-1]["data"]["call_id"]
        watcher.until("status_change", state="waiting_approval")
    [pending] = [entry for entry in daemon.call("GET", "/api/approvals") if entry["call_id"] == call_id]
    return pending


def settle(daemon: Daemon, call_id: str, decision: str = "allow", **fields: Json) -> list[Json]:
    """Answer the approval, and wait for the turn's end."""
    with daemon.watch() as watcher:
        daemon.approve(call_id, decision, **fields)
        return watcher.until("done")


def command(text: str, *more: str) -> Reply:
    return Reply([Call("run_command", {"command": line}) for line in (text, *more)])


def test_sixty_clients_answer_one_approval_at_once(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("echo ran >> marks"), Reply([Say("Ran.")]))
    pending = wait_for_approval(real)
    start = threading.Barrier(60)
    body = {"agent_id": "default", "call_id": pending["call_id"]}

    def answer(number: int) -> tuple[int, Json]:
        start.wait()
        return real.raw("POST", "/api/approve", {**body, "decision": "allow" if number % 2 else "deny"})

    with real.watch() as watcher:
        with ThreadPoolExecutor(60) as pool:
            answers = list(pool.map(answer, range(60)))
        events = watcher.until("done")
    winners = [entry for status, entry in answers if status == 200]
    assert len(winners) == 1
    assert [entry["code"] for status, entry in answers if status == 409] == ["approval_resolved"] * 59
    decision = winners[0]["data"]["decision"]
    assert [event["data"]["decision"] for event in events if event["type"] == "approval_resolved"] == [decision]
    marks = real.work_dir / "marks"
    assert (marks.read_text() if marks.exists() else "") == ("ran\n" if decision == "allow" else "")
    loser = next(entry for status, entry in answers if status == 409)
    assert decision in loser["error"]


def test_what_is_shown_is_what_runs_with_controls_made_visible(real: Daemon, provider: ProviderDouble) -> None:
    hostile = "echo harmless\u202e; rm -rf ~ #\x1b[2K"
    provider.script(command(hostile), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    assert "\u202e" not in pending["display"]
    assert "\x1b" not in pending["display"]
    assert "rm -rf" in pending["display"]
    assert (pending["name"], pending["risk"]) == ("run_command", "high")
    assert pending["reason"]
    settle(real, pending["call_id"], "deny")


def test_a_denial_and_its_note_reach_the_model(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("echo ran >> marks"), Reply([Say("Understood.")]))
    pending = wait_for_approval(real)
    events = settle(real, pending["call_id"], "deny", note="use the test directory")
    assert text_of(events) == "Understood."
    assert events[-1]["data"]["stop_reason"] == "complete"
    [[_, told]] = provider.requests[-1].new_tool_results
    assert "denied" in told
    assert "use the test directory" in told
    assert not (real.work_dir / "marks").exists()
    assert [event["type"] for event in events if event["type"].startswith("tool_")] == ["tool_end"]


def test_a_turn_that_ends_on_a_denial_without_a_word_says_denied(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo hi"), Reply([Say("")]))
    provider.otherwise = Reply([Say("")])
    pending = wait_for_approval(real)
    events = settle(real, pending["call_id"], "deny")
    assert events[-1]["data"]["stop_reason"] in ("denied", "failed")


def test_edited_arguments_are_what_runs(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("echo original > out"), Reply([Say("Done.")]))
    pending = wait_for_approval(real)
    call_id = pending["call_id"]
    body = {"agent_id": "default", "call_id": call_id, "decision": "allow"}
    refusal = real.refused("POST", "/api/approve", {**body, "arguments": {"command": 5}})
    assert (refusal.status, refusal.code) == (422, "arguments_invalid")
    assert real.refused("POST", "/api/approve", {**body, "arguments": {"cmd": "x"}}).code == "arguments_invalid"
    assert len(real.call("GET", "/api/approvals")) == 1, "a refused answer leaves the approval pending"
    events = settle(real, call_id, "allow", arguments={"command": "echo edited > out"})
    assert (real.work_dir / "out").read_text() == "edited\n"
    [start] = [event["data"] for event in events if event["type"] == "tool_start"]
    assert start["arguments"]["command"] == "echo edited > out"
    assert "edited" in start["display"]
    [part] = [part for part in real.history()[-1]["parts"] if part["type"] == "tool"]
    assert part["arguments"]["command"] == "echo edited > out"


def test_edited_arguments_do_not_get_past_a_deny_rule(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo hi"), Reply([Say("ok")]))
    target = real.call(
        "POST", "/api/permissions/check", {"tool": "run_command", "arguments": {"command": "touch forbidden"}}
    )["target"]
    real.call("POST", "/api/permissions/rules", {"decision": "deny", "tool": "run_command", "value": target})
    pending = wait_for_approval(real)
    body = {"agent_id": "default", "call_id": pending["call_id"], "decision": "allow"}
    refusal = real.refused("POST", "/api/approve", {**body, "arguments": {"command": "touch forbidden"}})
    assert (refusal.status, refusal.code) == (403, "policy_denied")
    settle(real, pending["call_id"])
    assert not (real.work_dir / "forbidden").exists()


def test_several_calls_wait_for_and_are_answered_one_by_one(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("echo one >> marks", "echo two >> marks", "echo three >> marks"), Reply([Say("ok")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = [e["data"] for e in watcher.until("approval_required", 3) if e["type"] == "approval_required"]
        watcher.until("status_change", state="waiting_approval")
        real.approve(asked[0]["call_id"])
        real.approve(asked[1]["call_id"], "deny")
        assert not (real.work_dir / "marks").exists(), "the calls run when all of them are answered"
        assert real.status()["pending_approvals"] == 1
        real.approve(asked[2]["call_id"])
        watcher.until("done")
    assert (real.work_dir / "marks").read_text() == "one\nthree\n"


def test_always_is_remembered_exactly_and_sleeps_in_always_ask(real: Daemon, provider: ProviderDouble) -> None:
    line = "wc --files0-from=none"  # not known to only read
    provider.on("go", command(line), Reply([Say("ok")]), command(line), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    assert pending["remember"]
    with real.watch() as watcher:
        answer = real.approve(pending["call_id"], "allow_always")
        watcher.until("done")
    assert answer["rule"]["decision"] == "allow"
    assert [rule["rule_id"] for rule in real.call("GET", "/api/permissions/rules")] == [answer["rule"]["rule_id"]]
    events = real.ask("go again, go")
    starts = [event["data"] for event in events if event["type"] == "tool_start"]
    assert [start["decided_by"] for start in starts] == [f"rule:{answer['rule']['rule_id']}"]
    check = {"tool": "run_command", "arguments": {"command": line}}
    assert real.call("POST", "/api/permissions/check", check)["decision"] == "allow"
    other = {"tool": "run_command", "arguments": {"command": line + " "}}
    assert real.call("POST", "/api/permissions/check", other)["decision"] == "ask"
    real.config(permission_mode="always_ask")
    explained = real.call("POST", "/api/permissions/check", check)
    assert (explained["decision"], explained["decided_by"]) == ("ask", "mode:always_ask")
    real.config(permission_mode="smart_approve")
    real.restart()
    assert real.call("POST", "/api/permissions/check", check)["decision"] == "allow"
    real.call("DELETE", f"/api/permissions/rules/{answer['rule']['rule_id']}")
    assert real.call("POST", "/api/permissions/check", check)["decision"] == "ask"
    assert real.refused("DELETE", f"/api/permissions/rules/{answer['rule']['rule_id']}").code == "rule_not_found"


def test_what_cannot_be_remembered_is_allowed_once(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("python3 -c 'print(1)'"), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    assert pending["remember"] is None
    with real.watch() as watcher:
        answer = real.approve(pending["call_id"], "allow_always")
        watcher.until("done")
    assert answer["rule"] is None
    assert real.call("GET", "/api/permissions/rules") == []


def test_deny_always_denies_without_asking_again_even_in_auto_approve(real: Daemon, provider: ProviderDouble) -> None:
    provider.otherwise = lambda request: (
        Reply([Say("ok")]) if request.new_tool_results else command("echo ran >> marks")
    )
    pending = wait_for_approval(real)
    settle(real, pending["call_id"], "deny_always")
    real.config(permission_mode="auto_approve")
    events = real.ask("go again")
    assert [event["data"]["outcome"] for event in events if event["type"] == "tool_end"] == ["denied"]
    assert not (real.work_dir / "marks").exists()


def test_an_approval_is_bound_to_what_was_shown(real: Daemon, provider: ProviderDouble) -> None:
    """The program behind the command changes before the answer arrives: the person is asked again."""
    (real.work_dir / "tool").write_text("#!/bin/sh\necho good >> marks\n")
    (real.work_dir / "tool").chmod(0o755)
    provider.script(command("./tool", "echo second >> marks"), Reply([Say("ok")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = [e["data"] for e in watcher.until("approval_required", 2) if e["type"] == "approval_required"]
        watcher.until("status_change", state="waiting_approval")
        real.approve(asked[0]["call_id"])
        (real.work_dir / "tool").unlink()
        (real.work_dir / "tool").write_text("#!/bin/sh\necho evil >> marks\n# changed\n")
        (real.work_dir / "tool").chmod(0o755)
        real.approve(asked[1]["call_id"])
        again = watcher.until("approval_required", 1)[-1]["data"]
        assert again["call_id"] == asked[0]["call_id"]
        assert "asked again" in again["reason"]
        assert "evil" not in ((real.work_dir / "marks").read_text() if (real.work_dir / "marks").exists() else "")
        watcher.until("status_change", state="waiting_approval")
        real.approve(again["call_id"], "deny")
        watcher.until("done")
    assert (real.work_dir / "marks").read_text() == "second\n"


def test_an_approval_expires_when_a_timeout_is_set(real: Daemon, provider: ProviderDouble) -> None:
    real.config(approval_timeout_s=0.3)
    provider.script(command("echo ran >> marks"), Reply([Say("Too late.")]))
    with real.watch() as watcher:
        real.chat("go")
        events = watcher.until("done")
    required = next(event["data"] for event in events if event["type"] == "approval_required")
    assert required["expires_at"]
    assert [e["data"]["decision"] for e in events if e["type"] == "approval_resolved"] == ["expired"]
    refusal = real.refused(
        "POST", "/api/approve", {"agent_id": "default", "call_id": required["call_id"], "decision": "allow"}
    )
    assert (refusal.status, refusal.code) == (410, "approval_expired")
    assert not (real.work_dir / "marks").exists()


def test_nobody_watching_can_mean_no(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = launch(environment=provider_environment(provider), arguments=["--on-unattended", "deny"])
    provider.script(command("echo ran >> marks"), Reply([Say("Nobody was there.")]))
    turn_id = daemon.chat("go")["turn_id"]
    provider.wait_for_requests(2, timeout_s=20)
    with daemon.watch(after=0) as watcher:
        events = watcher.until("done", turn_id=turn_id)
    assert [event["data"]["outcome"] for event in events if event["type"] == "tool_end"] == ["denied"]
    assert not any(event["type"] == "approval_required" for event in events)
    assert not (daemon.work_dir / "marks").exists()


def test_waiting_holds_no_provider_connection(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo hi"), Reply([Say("ok")]))
    wait_for_approval(real)
    [request] = provider.requests
    assert request.finished.wait(30)
    assert request.outcome == "complete"
    with real.watch() as watcher:
        real.chat(
            "meanwhile, in another session",
            session_id=real.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"],
        )
        watcher.until("done")
    assert real.status()["state"] == "waiting_approval"


def test_unknown_and_foreign_calls_are_not_found(real: Daemon, provider: ProviderDouble) -> None:
    body = {"agent_id": "default", "call_id": "call_nothing", "decision": "allow"}
    assert real.refused("POST", "/api/approve", body).code == "approval_not_found"
    assert real.refused("POST", "/api/approve", {**body, "agent_id": "other"}).code == "agent_not_found"
    assert real.refused("POST", "/api/approve", {**body, "decision": "maybe"}).code == "invalid_shape"


def test_a_tools_own_process_cannot_approve(real: Daemon, provider: ProviderDouble) -> None:
    """A command tries to answer another call's approval over HTTP, and to change the permission mode."""
    real.config(sandbox="off")  # in it, the command has no network
    provider.script(
        Reply([Call("run_command", {"command": "echo never > never"})]),
    )
    pending = wait_for_approval(real)
    other = real.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    script = ATTACK.replace("CALL_ID", pending["call_id"]).replace("URL", real.url)
    (real.work_dir / "attack.py").write_text(script)
    provider.script(command("python3 attack.py; (setsid python3 attack.py &) ; sleep 1"), Reply([Say("ok")]))
    with real.watch() as watcher:
        real.chat("attack", session_id=other)
        call_id = watcher.until("approval_required", session_id=other)[-1]["data"]["call_id"]
        watcher.until("status_change", state="waiting_approval", session_id=other)
        real.approve(call_id)
        events = watcher.until("done", session_id=other)
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert "approve 403" in end["result"]["stdout"], end
    assert "config 403" in end["result"]["stdout"], end
    assert "success" not in end["result"]["stdout"]
    assert not (real.work_dir / "never").exists()
    assert real.call("GET", "/api/config")["values"]["permission_mode"]["value"] == "smart_approve"
    assert len(real.call("GET", "/api/approvals")) == 1


def test_denying_all_at_once_asks_nobody_again(real: Daemon, provider: ProviderDouble) -> None:
    """A "deny all" button: of three answers sent at the same time, each counts, and no call is asked about again."""
    with real.watch() as watcher, ThreadPoolExecutor(3) as pool:
        for _ in range(6):
            provider.script(command("env echo one", "env echo two", "env echo three"), Reply([Say("All denied.")]))
            watcher.events.clear()
            real.chat("go")
            asked = [e["data"] for e in watcher.until("approval_required", 3) if e["type"] == "approval_required"]
            list(pool.map(lambda entry: real.approve(entry["call_id"], "deny"), asked))
            events = watcher.until("done")
            assert len([event for event in events if event["type"] == "approval_required"]) == 3
            assert [event["data"]["outcome"] for event in events if event["type"] == "tool_end"] == ["denied"] * 3


def test_a_resumed_turn_leaves_a_history_that_says_everything_once(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo hi"), Reply([Say("Ran.")]), Reply([Say("Next.")]))
    pending = wait_for_approval(real)
    settle(real, pending["call_id"])
    real.ask("and now?")
    request = provider.requests[-1]
    assert len(request.tool_results) == 1
    assert str(request.body).count("'call_id'") == 2, "the call and its result, once each"
    assert "interrupted" not in str(request.body)


def test_a_denied_call_of_a_cancelled_turn_is_told_as_denied(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo one", "env echo two"), Reply([Say("I see.")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = [e["data"] for e in watcher.until("approval_required", 2) if e["type"] == "approval_required"]
        watcher.until("status_change", state="waiting_approval")
        real.approve(asked[0]["call_id"], "deny", note="not this way")
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        events = watcher.until("done")
    assert sorted(e["data"]["outcome"] for e in events if e["type"] == "tool_end") == ["cancelled", "denied"]
    real.ask("and?")
    assert "not this way" in str(provider.requests[-1].tool_results)


def test_what_the_person_wrote_while_it_waited_is_asked_about_again(real: Daemon, provider: ProviderDouble) -> None:
    target = real.work_dir / "notes.txt"
    target.write_text("one\ntwo\n")
    write = Call("write_file", {"path": "notes.txt", "content": "one\n"})
    provider.script(Reply([write]), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    assert pending["display"].split("\n")[1:] == ["@ line 1", " one", "-two"]
    target.write_text("one\ntwo\nand what the person added\n")
    with real.watch() as watcher:
        real.approve(pending["call_id"])
        again = watcher.until("approval_required")[-1]["data"]
        watcher.until("status_change", state="waiting_approval")
    assert again["call_id"] == pending["call_id"]
    assert "asked again, because something changed after it was approved (what stands there)" in again["reason"]
    assert again["display"].split("\n")[1:] == ["@ line 1", " one", "-two", "-and what the person added"]
    assert "person added" in target.read_text()
    settle(real, again["call_id"])
    assert target.read_text() == "one\n"


def test_an_edit_that_raises_the_risk_is_confirmed(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([Call("write_file", {"path": "a.txt", "content": "x"})]), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    outside = real.data_dir.parent / "outside.txt"
    body = {"agent_id": "default", "call_id": pending["call_id"], "decision": "allow"}
    arguments = {"path": str(outside), "content": "x"}
    refusal = real.refused("POST", "/api/approve", {**body, "arguments": arguments})
    assert (refusal.status, refusal.code) == (409, "edit_unconfirmed")
    assert "outside the work folder" in refusal.body["details"]["reason"].lower()
    assert refusal.body["details"]["risk"] == "high"
    assert str(outside) in refusal.body["details"]["display"]
    seen = {"tool": "write_file", "arguments": arguments}
    assert real.call("POST", "/api/permissions/check", seen) == refusal.body["details"]
    # The file has appeared: the call would now do something else than what was shown.
    outside.write_text("somebody's")
    stale = {**body, "arguments": arguments, "confirm": refusal.body["details"]["confirm"]}
    refusal = real.refused("POST", "/api/approve", stale)
    assert refusal.code == "edit_unconfirmed"
    assert len(real.call("GET", "/api/approvals")) == 1
    assert outside.read_text() == "somebody's"
    settle(real, pending["call_id"], "allow", arguments=arguments, confirm=refusal.body["details"]["confirm"])
    assert outside.read_text() == "x"


@pytest.mark.parametrize(
    ("name", "asked", "edited", "seen"),
    [
        ("write_file", {"path": "new", "content": "x"}, {"path": "there", "content": "x"}, "replaces"),
        (
            "move_file",
            {"source": "moved", "destination": "new", "overwrite": True},
            {"source": "moved", "destination": "there", "overwrite": True},
            "replaces",
        ),
        ("run_command", {"command": "env echo"}, {"command": "sh ./there"}, "It runs ./there"),
    ],
)
def test_an_edit_that_does_more_than_it_says_is_confirmed(
    real: Daemon, provider: ProviderDouble, name: str, asked: Json, edited: Json, seen: str
) -> None:
    for file in ("there", "moved"):
        (real.work_dir / file).write_text(f"echo {file}\n")
    provider.script(Reply([Call(name, asked)]), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    body = {"agent_id": "default", "call_id": pending["call_id"], "decision": "allow", "arguments": edited}
    refusal = real.refused("POST", "/api/approve", body)
    assert refusal.code == "edit_unconfirmed"
    assert refusal.body["error"].startswith("You have not been shown this yet: ")
    assert seen in refusal.body["error"]
    assert (real.work_dir / "there").read_text() == "echo there\n"
    settle(real, pending["call_id"], "allow", arguments=edited, confirm=refusal.body["details"]["confirm"])


def test_an_edit_does_not_cover_what_changed_since_it_was_asked(real: Daemon, provider: ProviderDouble) -> None:
    file = real.work_dir / "a.txt"
    file.write_text("old\n")
    provider.script(Reply([Call("write_file", {"path": "a.txt", "content": "new\n"})]), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    file.write_text("what the person wrote\n")
    arguments = {"path": "a.txt", "content": "newer\n"}
    body = {"agent_id": "default", "call_id": pending["call_id"], "decision": "allow", "arguments": arguments}
    refusal = real.refused("POST", "/api/approve", body)
    assert refusal.code == "edit_unconfirmed"
    assert "changed after the question" in refusal.body["error"]
    assert "-what the person wrote" in refusal.body["details"]["display"]
    assert file.read_text() == "what the person wrote\n"
    settle(real, pending["call_id"], "allow", arguments=arguments, confirm=refusal.body["details"]["confirm"])
    assert file.read_text() == "newer\n"


def test_an_edit_from_a_plain_command_to_another_is_confirmed(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("wc --files0-from=none"), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    body = {"agent_id": "default", "call_id": pending["call_id"], "decision": "allow"}
    risky = {**body, "arguments": {"command": "rm -rf ./x"}}
    assert real.refused("POST", "/api/approve", risky).code == "edit_unconfirmed"
    settle(real, pending["call_id"], "allow", arguments={"command": "ls -la"})


def test_the_model_is_told_what_a_person_made_of_its_call(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo original", "env echo untouched"), Reply([Say("ok")]), Reply([Say("again")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = [e["data"] for e in watcher.until("approval_required", 2) if e["type"] == "approval_required"]
        watcher.until("status_change", state="waiting_approval")
    real.approve(asked[0]["call_id"], arguments={"command": "env echo edited"})
    real.kill()
    real.start()
    settle(real, asked[1]["call_id"])
    assert sent_calls(provider) == ["env echo edited", "env echo untouched"]
    with real.watch() as watcher:
        real.chat("and now?")
        watcher.until("done")
    assert sent_calls(provider) == ["env echo edited", "env echo untouched"]
    assert "original" not in str(provider.requests[-1].body)


def test_an_edited_call_of_a_cancelled_turn_is_the_edited_one(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo original", "env echo other"), Reply([Say("ok")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = [e["data"] for e in watcher.until("approval_required", 2) if e["type"] == "approval_required"]
        watcher.until("status_change", state="waiting_approval")
        real.approve(asked[0]["call_id"], arguments={"command": "env echo edited"})
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        watcher.until("done")
        real.chat("and now?")
        watcher.until("done")
    assert sent_calls(provider) == ["env echo edited", "env echo other"]


def sent_calls(provider: ProviderDouble) -> list[str]:
    """The commands of all calls in the newest request."""
    items = provider.requests[-1].body["input"]
    return [json.loads(item["arguments"])["command"] for item in items if item.get("type") == "function_call"]


def test_what_is_too_long_to_be_shown_is_not_asked_for(real: Daemon, provider: ProviderDouble) -> None:
    long = "x" * 300_000
    provider.script(Reply([Call("write_file", {"path": "a.txt", "content": long})]), Reply([Say("In parts, then.")]))
    with real.watch() as watcher:
        real.chat("go")
        events = watcher.until("done")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert end["outcome"] == "failed"
    assert "nobody can be asked" in end["error"]
    assert not (real.work_dir / "a.txt").exists()
    real.config(permission_mode="auto_approve")
    provider.script(Reply([Call("write_file", {"path": "a.txt", "content": long})]), Reply([Say("Done.")]))
    with real.watch() as watcher:
        real.chat("go")
        watcher.until("done")
    assert (real.work_dir / "a.txt").read_text() == long


@pytest.mark.parametrize(
    ("tool", "arguments", "summary"),
    [
        ("write_file", {"path": "new.md", "content": "a\nb\n"}, "Create new.md (2 lines)"),
        ("write_file", {"path": "notes.md", "content": "one\n"}, "Replace notes.md (3 lines → 1)"),
        ("write_file", {"path": "photo.png", "content": "x"}, "Replace photo.png (4 bytes → 1 byte)"),
        (
            "edit_file",
            {"path": "notes.md", "old": "two\n", "new": "2\n2\n"},
            "Edit notes.md (2 lines added, 1 removed)",
        ),
        ("delete_file", {"path": "notes.md"}, "Delete notes.md (a file, 14 bytes)"),
        ("move_file", {"source": "notes.md", "destination": "docs/n.md"}, "Move notes.md to docs/n.md"),
        ("read_file", {"path": "notes.md"}, "Read notes.md"),
        ("run_command", {"command": "npm test"}, "Run `npm test` in the work folder"),
        ("run_command", {"command": "make\n\nmake install"}, "Run `make` and 1 more line in the work folder"),
        (
            "run_command",
            {"command": "ls` in the work directory" + " " * 200 + "; rm -r ~ #`"},
            "Run `ls' in the work directory ; rm -r ~ #'` in the work folder",
        ),
        ("fetch_url", {"url": "https://example.com/a"}, "Fetch https://example.com/a"),
    ],
)
def test_what_would_happen_is_said_in_a_sentence(
    daemon: Daemon, tool: str, arguments: dict[str, str], summary: str
) -> None:
    (daemon.work_dir / "notes.md").write_text("one\ntwo\nthree\n")
    (daemon.work_dir / "photo.png").write_bytes(b"\x89PN\xff")
    told = daemon.call("POST", "/api/permissions/check", {"tool": tool, "arguments": arguments})
    assert told["summary"] == summary
    assert told["reason"].endswith(".")


def test_the_lines_that_change_come_apart_and_outlive_a_restart(daemon: Daemon) -> None:
    (daemon.work_dir / "notes.md").write_text("".join(f"line {number}\n" for number in range(1, 40)))
    asked = wait_for_approval(
        daemon, 'call edit_file {"path": "notes.md", "old": "line 20\\n", "new": "line twenty\\n"}'
    )
    assert asked["preview"] == {
        "kind": "diff",
        "path": str(daemon.work_dir / "notes.md"),
        "diff": "@ line 17\n line 17\n line 18\n line 19\n-line 20\n+line twenty\n line 21\n line 22\n line 23",
        "added": 1,
        "removed": 1,
        "truncated": False,
    }
    assert asked["display"].endswith("\n" + asked["preview"]["diff"])
    daemon.kill()
    daemon.start()
    assert daemon.call("GET", "/api/approvals") == [asked]
    with daemon.watch(after=0) as watcher:
        told = watcher.until("approval_required")[-1]["data"]
    assert (told["summary"], told["preview"]) == (asked["summary"], asked["preview"])
