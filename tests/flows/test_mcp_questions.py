"""Questions of MCP servers to a person: durable ones of the newest protocol, and live ones of the one before it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import provider_environment
from tests.flows.test_kill import check_store
from tests.flows.test_questions import told
from tests.support.daemon import WAIT_S, Daemon, Json
from tests.support.provider import Call, ProviderDouble, Reply, Say

SERVER = Path(__file__).parent.parent / "support" / "mcp_asking.py"
Start = Callable[..., Daemon]
BOTH = pytest.mark.parametrize("form", ["new", "old"])
ADA = {"name": "Ada", "seats": 3, "table": "garden"}
SURE = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}


@pytest.fixture
def start(launch: Callable[..., Daemon], provider: ProviderDouble) -> Start:
    """Starts a daemon with the server `desk`. `settings` are lines of its table."""

    def begin(form: str, *settings: str, arguments: list[str] | None = None, **environment: str) -> Daemon:
        variables = {**provider_environment(provider), "ASTER_PERMISSION_MODE": "auto_approve", **environment}
        daemon = launch(environment=variables, arguments=arguments or [])
        table = ["[mcp.desk]", f'command = "{sys.executable}"', f'args = ["{SERVER}", "{form}"]', *settings]
        (daemon.data_dir / "config.toml").write_text("\n".join(table) + "\n")
        daemon.restart()
        daemon.tool("desk_book")
        return daemon

    return begin


def book(daemon: Daemon, tool: str = "desk_book") -> Call:
    return Call(tool, {"day": "Monday", "log": str(daemon.work_dir / "log")})


def booked(daemon: Daemon) -> list[str]:
    """What the tools of the server wrote down when they came to their end."""
    path = daemon.work_dir / "log"
    return path.read_text().splitlines() if path.exists() else []


def asked(daemon: Daemon, count: int = 1, message: str = "go", **fields: Json) -> list[Json]:
    """Send a message, and wait until this many questions are open."""
    daemon.chat(message, **fields)
    return opened(daemon, count)


def opened(daemon: Daemon, count: int = 1, but: str = "") -> list[Json]:
    deadline = time.monotonic() + WAIT_S
    while True:
        found = [one for one in daemon.call("GET", "/api/questions") if one["question_id"] != but]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"{len(found)} questions are open\n{daemon.log[-3000:]}"
        time.sleep(0.05)


def settle(daemon: Daemon, question_id: str, answers: Json = None, **fields: Json) -> list[Json]:
    """Answer the question, and wait for the turn's end."""
    with daemon.watch() as watcher:
        daemon.answer(question_id, answers, **fields)
        return watcher.until("done")


def outcomes(events: list[Json]) -> list[str]:
    return [event["data"]["outcome"] for event in events if event["type"] == "question_answered"]


def ends(events: list[Json]) -> list[str]:
    return [event["data"]["outcome"] for event in events if event["type"] == "tool_end"]


def cancel(daemon: Daemon) -> None:
    daemon.call("POST", "/api/cancel", {"agent_id": "default"})


@BOTH
def test_answers_reach_the_server(start: Start, provider: ProviderDouble, form: str) -> None:
    daemon = start(form)
    provider.script(Reply([book(daemon)]), Reply([Say("Booked.")]))
    [question] = asked(daemon)
    assert (question["name"], question["server"], question["reason"]) == ("desk_book", "desk", "A table for Monday:")
    assert [(one["id"], one["kind"], one["required"]) for one in question["fields"]] == [
        ("name", "text", True),
        ("seats", "number", False),
        ("table", "choice", False),
    ]
    assert question["fields"][1]["whole"] is True
    status = daemon.status()
    state = {"new": "waiting_approval", "old": "running"}[form]
    assert (status["state"], status["waiting_for"], status["pending_questions"]) == (state, ["question"], 1)
    [entry] = daemon.call("GET", "/api/inbox")
    assert entry["question"] == question
    wrong = daemon.refused("POST", "/api/answer", {"question_id": question["question_id"], "answers": {"name": "A"}})
    assert wrong.code == "answers_invalid"
    events = settle(daemon, question["question_id"], {"name": "Ada", "seats": 3.0, "table": "garden"})
    assert (outcomes(events), ends(events)) == (["answered"], ["done"])
    assert booked(daemon) == [f"Monday: {json.dumps(ADA)}"]
    assert "garden" in told(provider)
    [part] = [part for part in daemon.history()[1]["parts"] if part["type"] == "tool"]
    assert (part["state"], part["question"]["server"], part["question"]["outcome"]) == ("done", "desk", "answered")
    [decision] = daemon.call("GET", "/api/audit")["decisions"]
    assert (decision["tool"], decision["outcome"]) == ("desk_book", "done")
    check_store(daemon)


@BOTH
def test_defaults_count_and_a_refusal_is_told(start: Start, provider: ProviderDouble, form: str) -> None:
    daemon = start(form)
    provider.script(Reply([book(daemon)]), Reply([Say("Booked.")]), Reply([book(daemon)]), Reply([Say("As you like.")]))
    [question] = asked(daemon)
    settle(daemon, question["question_id"], {"name": "Ada"})
    [question] = asked(daemon)
    events = settle(daemon, question["question_id"], decline=True)
    assert (outcomes(events), ends(events)) == (["declined"], ["done"])
    first = {"name": "Ada", "seats": 2, "table": "window"}
    assert booked(daemon) == [f"Monday: {json.dumps(first)}", "Monday: decline"]


@BOTH
def test_a_question_that_expires_is_a_cancel_for_the_server(start: Start, provider: ProviderDouble, form: str) -> None:
    daemon = start(form)
    daemon.config(approval_timeout_s=0.3)
    provider.script(Reply([book(daemon)]), Reply([Say("Nobody came.")]))
    events = daemon.ask("go")
    assert (outcomes(events), ends(events)) == (["expired"], ["done"])
    assert booked(daemon) == ["Monday: cancel"]


@BOTH
def test_a_cancelled_turn_takes_question_and_call_with_it(start: Start, provider: ProviderDouble, form: str) -> None:
    daemon = start(form)
    provider.script(Reply([book(daemon)]), Reply([book(daemon)]), Reply([Say("Booked.")]))
    [question] = asked(daemon)
    with daemon.watch() as watcher:
        cancel(daemon)
        events = watcher.until("done")
    assert (outcomes(events), ends(events)) == (["cancelled"], ["cancelled"])
    late = daemon.refused("POST", "/api/answer", {"question_id": question["question_id"], "answers": {"name": "Ada"}})
    assert late.code == "question_resolved"
    assert daemon.call("GET", "/api/inbox") == []
    [question] = asked(daemon)  # and the server still works
    settle(daemon, question["question_id"], ADA)
    assert booked(daemon) == [f"Monday: {json.dumps(ADA)}"]


@BOTH
def test_two_rounds(start: Start, provider: ProviderDouble, form: str) -> None:
    daemon = start(form)
    provider.script(Reply([book(daemon, "desk_book_twice")]), Reply([Say("Booked.")]))
    [first] = asked(daemon)
    with daemon.watch() as watcher:
        daemon.answer(first["question_id"], ADA)
        [second] = opened(daemon, but=first["question_id"])
        assert second["reason"] == "Really, Ada?"
        assert daemon.status()["pending_questions"] == 1
        daemon.answer(second["question_id"], {"sure": True})
        events = watcher.until("done")
    assert (outcomes(events), ends(events)) == (["answered"] * 2, ["done"])
    assert booked(daemon) == [f'Monday: {json.dumps(ADA)}, {{"sure": true}}']


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_questions_at_once_in_each_order_with_kills(
    start: Start, provider: ProviderDouble, order: tuple[int, int]
) -> None:
    daemon = start("new")
    provider.script(Reply([book(daemon, "desk_book_both")]), Reply([Say("Booked.")]))
    questions = asked(daemon, 2)
    assert [one["reason"] for one in questions] == ["A table for Monday:", "Also when it rains?"]
    for place in order:
        daemon.restart()
        daemon.tool("desk_book")
        with daemon.watch() as watcher:
            daemon.answer(questions[place]["question_id"], [ADA, {"sure": False}][place])
            if place == order[-1]:
                watcher.until("done")
    [line] = booked(daemon)
    assert line.startswith(f'Monday: {json.dumps(ADA)}, {{"sure": false}}, ')
    assert daemon.work_dir.as_uri() in line  # the roots, asked for in the same round
    check_store(daemon)


@pytest.mark.parametrize("stage", ["asked", "answered"])
def test_a_durable_question_outlives_kill_9_and_the_server_is_waited_for(
    start: Start, provider: ProviderDouble, stage: str, tmp_path: Path
) -> None:
    daemon = start("new")
    flag = tmp_path / "flag"
    flag.touch()
    script = f"until [ -e {shlex.quote(str(flag))} ]; do sleep 0.05; done; exec {sys.executable} {SERVER} new"
    table = f'[mcp.desk]\ncommand = "sh"\nargs = ["-c", {json.dumps(script)}]\n'
    (daemon.data_dir / "config.toml").write_text(table)
    daemon.restart()
    daemon.tool("desk_book")
    provider.script(Reply([book(daemon)]), Reply([Say("Booked.")]))
    [question] = asked(daemon)
    deadline = time.monotonic() + WAIT_S
    while daemon.status()["state"] != "waiting_approval":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    flag.unlink()
    daemon.kill()
    daemon.start()
    if stage == "answered":
        daemon.answer(question["question_id"], ADA)
        daemon.restart()
    with daemon.watch(after=0) as watcher:
        if stage == "asked":
            assert daemon.call("GET", "/api/questions") == [question]
            daemon.answer(question["question_id"], ADA)
        time.sleep(3)  # longer than a turn waits for a server, as a rule
        assert daemon.status()["state"] == "running"
        flag.touch()
        events = watcher.until("done")
    assert [event["type"] for event in events].count("question_asked") == 1
    assert (outcomes(events), ends(events)) == (["answered"], ["done"])
    assert booked(daemon) == [f"Monday: {json.dumps(ADA)}"]
    check_store(daemon)


def test_a_live_question_ends_with_the_daemon(start: Start, provider: ProviderDouble) -> None:
    daemon = start("old")
    provider.script(Reply([book(daemon)]))
    [question] = asked(daemon)
    daemon.restart()
    with daemon.watch(after=0) as watcher:
        events = watcher.until("done")
    assert (outcomes(events), ends(events)) == (["cancelled"], ["unknown"])
    assert events[-1]["data"]["stop_reason"] == "interrupted"
    late = daemon.refused("POST", "/api/answer", {"question_id": question["question_id"], "answers": ADA})
    assert late.code == "question_resolved"
    assert (daemon.call("GET", "/api/questions"), booked(daemon)) == ([], [])
    check_store(daemon)


def test_a_live_question_ends_when_the_daemon_is_stopped(start: Start, provider: ProviderDouble) -> None:
    daemon = start("old")
    provider.script(Reply([book(daemon)]))
    asked(daemon)
    assert daemon.stop() == 0
    daemon.start()
    with daemon.watch(after=0) as watcher:
        events = watcher.until("done")
    assert (outcomes(events), ends(events)) == (["cancelled"], ["cancelled"])
    check_store(daemon)


@BOTH
def test_a_server_that_is_killed_while_it_waits(start: Start, provider: ProviderDouble, form: str) -> None:
    daemon = start(form)
    provider.script(Reply([Call("desk_pid", {})]), Reply([book(daemon)]), Reply([Say("Well.")]))
    [question] = asked(daemon)
    pid = int(provider.requests[1].tool_results[-1][1].split('"')[-2])
    with daemon.watch() as watcher:
        os.kill(pid, signal.SIGKILL)
        if form == "new":
            daemon.answer(question["question_id"], ADA)
        events = watcher.until("done")
    if form == "new":
        assert (outcomes(events), booked(daemon)) == (["answered"], [f"Monday: {json.dumps(ADA)}"])
    else:
        assert (outcomes(events), ends(events), booked(daemon)) == (["cancelled"], ["failed"], [])
        assert "ended during the call" in told(provider)
    assert daemon.call("GET", "/api/questions") == []


def test_time_limits_stand_still_while_a_person_is_asked(start: Start, provider: ProviderDouble) -> None:
    daemon = start("old", "timeout_s = 2", arguments=["--max-turn-s", "4"])
    agents = daemon.data_dir / "agents"
    agents.mkdir(exist_ok=True)
    (agents / "quick.yaml").write_text("name: Quick\ntool_timeout: 2\n")
    daemon.restart()
    daemon.tool("desk_book")
    provider.script(Reply([book(daemon)]), Reply([Say("Booked.")]))
    daemon.chat("go", agent_id="quick")
    [question] = opened(daemon)
    time.sleep(5)
    events = settle(daemon, question["question_id"], ADA)
    assert (ends(events), events[-1]["data"]["stop_reason"]) == (["done"], "complete")
    assert booked(daemon) == [f"Monday: {json.dumps(ADA)}"]


def test_time_limits_go_on_after_the_answer(start: Start, provider: ProviderDouble) -> None:
    daemon = start("old", "timeout_s = 1")
    provider.script(Reply([Call("desk_idle", {"flag": "/no/such/file"})]), Reply([Say("Late.")]))
    events = daemon.ask("go")
    assert ends(events) == ["failed"]
    assert "did not answer within 1 s" in told(provider)


def test_two_conversations_at_once_are_not_mixed_up(start: Start, provider: ProviderDouble) -> None:
    daemon = start("old")
    flag = daemon.work_dir / "flag"
    other = daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    provider.script(Reply([Call("desk_idle", {"flag": str(flag)})]))
    with daemon.watch() as watcher:
        daemon.chat("wait", session_id=other)
        watcher.until("tool_start")
        provider.script(Reply([book(daemon)]), Reply([Say("Nobody was asked.")]))
        events = [one for one in daemon.ask("go") if one["session_id"] != other]
        assert (outcomes(events), ends(events), booked(daemon)) == ([], ["done"], ["Monday: cancel"])
        assert "several conversations use it" in daemon.log
        provider.script(Reply([Say("It came.")]))
        flag.touch()
        watcher.until("done", count=2)


def test_a_call_that_was_given_up_keeps_other_conversations_free_of_its_questions(
    start: Start, provider: ProviderDouble
) -> None:
    daemon = start("old")
    other = daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    provider.script(Reply([Call("desk_idle", {"flag": "/no/such/file"})]))
    with daemon.watch() as watcher:
        daemon.chat("wait", session_id=other)
        watcher.until("tool_start")
        cancel(daemon)
        watcher.until("done")
    provider.script(Reply([book(daemon)]), Reply([Say("Nobody was asked.")]))
    assert outcomes(daemon.ask("go")) == []
    provider.script(Reply([book(daemon)]), Reply([Say("Booked.")]))
    [question] = asked(daemon, session_id=other)  # the conversation itself can be asked
    settle(daemon, question["question_id"], ADA)
    assert booked(daemon) == ["Monday: cancel", f"Monday: {json.dumps(ADA)}"]


@BOTH
@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object", "properties": {"password": {"type": "string"}}}, "must not ask for a secret"),
        ({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}, "not supported in a form"),
        ({"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(11)}}, "at most 10 fields"),
    ],
)
def test_what_can_not_be_asked_is_refused(
    start: Start, provider: ProviderDouble, form: str, schema: Json, why: str
) -> None:
    daemon = start(form)
    provider.script(
        Reply([Call("desk_ask_form", {"schema": schema})]),
        Reply([Call("desk_ask_form", {"schema": SURE})]),
        Reply([Say("Sure.")]),
    )
    [question] = asked(daemon)
    assert [one["id"] for one in question["fields"]] == ["sure"]
    assert why in provider.requests[1].tool_results[-1][1]
    events = settle(daemon, question["question_id"], {"sure": True})
    assert ends(events) == ["done"]


@BOTH
def test_an_address_is_shown_as_it_is(start: Start, provider: ProviderDouble, form: str) -> None:
    daemon = start(form)
    url = "https://login.example.com/a?b=c\u202ed"
    provider.script(
        Reply([Call("desk_visit", {"url": url})]),
        Reply([Call("desk_visit", {"url": "https://me:pass@example.com/"})]),
        Reply([Say("Done.")]),
    )
    [question] = asked(daemon)
    assert (question["fields"], question["server"]) == ([], "desk")
    assert (question["url"], question["reason"]) == ("https://login.example.com/a?b=c%E2%80%AEd", "Please sign in.")
    wrong = {"question_id": question["question_id"], "answers": {"a": "b"}}
    assert daemon.refused("POST", "/api/answer", wrong).code == "answers_invalid"
    events = settle(daemon, question["question_id"], {})
    results = [result[1] for result in provider.requests[-1].tool_results]
    assert json.loads(json.loads(results[0])["text"]) == {"action": "accept"}
    assert "must not have a user name" in results[1]
    assert (outcomes(events), daemon.call("GET", "/api/questions")) == (["answered"], [])


@pytest.mark.parametrize("agrees", [True, False])
def test_an_address_that_an_older_server_names_in_an_error(
    start: Start, provider: ProviderDouble, agrees: bool
) -> None:
    daemon = start("old")
    provider.script(Reply([Call("desk_sign_in", {"log": str(daemon.work_dir / "log")})]), Reply([Say("Well.")]))
    [question] = asked(daemon)
    assert (question["url"], question["reason"]) == ("https://login.example.com/", "Please sign in.")
    daemon.restart()  # nothing is held meanwhile
    given = {"answers": {}} if agrees else {"decline": True}
    events = settle(daemon, question["question_id"], **given)
    assert ends(events) == ["done" if agrees else "failed"]
    assert ("signed in" if agrees else "the person did not agree") in told(provider)
    assert booked(daemon) == ["called"] * (2 if agrees else 1)


@BOTH
def test_nobody_watching_can_mean_no(start: Start, provider: ProviderDouble, form: str) -> None:
    daemon = start(form, arguments=["--on-unattended", "deny"])
    provider.script(Reply([book(daemon)]), Reply([Say("Nobody is here.")]))
    daemon.chat("go")
    provider.wait_for_requests(2, timeout_s=20)
    assert booked(daemon) == ["Monday: decline"]
    assert daemon.call("GET", "/api/questions") == []


def test_a_deny_rule_made_meanwhile_holds(start: Start, provider: ProviderDouble) -> None:
    daemon = start("new")
    provider.script(Reply([book(daemon)]), Reply([Say("I may not.")]))
    [question] = asked(daemon)
    daemon.call("POST", "/api/permissions/rules", {"decision": "deny", "tool": "desk_book", "kind": "any"})
    events = settle(daemon, question["question_id"], ADA)
    assert (ends(events), booked(daemon)) == (["denied"], [])


def test_a_denied_call_asks_nothing(start: Start, provider: ProviderDouble) -> None:
    daemon = start("old")
    daemon.call("POST", "/api/permissions/rules", {"decision": "deny", "tool": "desk_book", "kind": "any"})
    provider.script(Reply([book(daemon)]), Reply([Say("I may not.")]))
    events = daemon.ask("go")
    assert (outcomes(events), ends(events)) == ([], ["denied"])


def test_a_call_does_not_go_on_with_another_program(start: Start, provider: ProviderDouble) -> None:
    daemon = start("new")
    provider.script(Reply([book(daemon)]), Reply([Say("It changed.")]))
    [question] = asked(daemon)
    config = daemon.data_dir / "config.toml"
    config.write_text(config.read_text().replace('"new"', '"new", "other"'))
    daemon.restart()
    events = settle(daemon, question["question_id"], ADA)
    assert (ends(events), booked(daemon)) == (["failed"], [])
    assert "changed after the call was allowed" in told(provider)


def test_what_a_person_types_answers_a_live_question(start: Start, provider: ProviderDouble) -> None:
    daemon = start("old")
    schema = {"type": "object", "properties": {"pet": {"type": "string", "enum": ["cat", "dog"]}}}
    provider.script(Reply([Call("desk_ask_form", {"schema": schema})]), Reply([Say("A cat.")]))
    asked(daemon)
    with daemon.watch() as watcher:
        assert daemon.chat("CAT")["status"] == "answered"
        events = watcher.until("done")
    assert outcomes(events) == ["answered"]
    assert json.loads(json.loads(told(provider))["text"]) == {"action": "accept", "content": {"pet": "cat"}}
    assert [message["text"] for message in daemon.history()] == ["go", "A cat.", "CAT"]


@pytest.mark.parametrize(("tool", "outcome"), [("desk_give_up", "done"), ("desk_leave", "done")])
def test_a_question_that_the_server_takes_back(start: Start, provider: ProviderDouble, tool: str, outcome: str) -> None:
    daemon = start("old")
    arguments = {"log": str(daemon.work_dir / "log")} if tool == "desk_give_up" else {}
    provider.script(Reply([Call(tool, arguments)]), Reply([Say("Well.")]))
    events = daemon.ask("go")
    assert (outcomes(events), ends(events)) == (["cancelled"], [outcome])
    kinds = [event["type"] for event in events if event["type"] in ("question_answered", "tool_end")]
    assert kinds == ["question_answered", "tool_end"]
    assert daemon.call("GET", "/api/questions") == []


def test_a_server_can_not_ask_for_ever(start: Start, provider: ProviderDouble) -> None:
    daemon = start("old", arguments=["--on-unattended", "deny"])
    provider.script(Reply([Call("desk_flood", {})]), Reply([Say("Enough.")]))
    daemon.chat("go")
    provider.wait_for_requests(2, timeout_s=20)
    assert told(provider).count("decline") == 20
    assert told(provider).count("may ask at most 20 times") == 5


def test_a_server_can_not_ask_in_rounds_for_ever(start: Start, provider: ProviderDouble) -> None:
    daemon = start("new", arguments=["--on-unattended", "deny"])
    provider.script(
        Reply([Call("desk_nag", {})]),
        Reply([Call("desk_forever", {})]),
        Reply([Call("desk_again", {})]),
        Reply([Say("Enough.")]),
    )
    daemon.chat("go")
    provider.wait_for_requests(4, timeout_s=20)
    results = [result[1] for result in provider.requests[-1].tool_results]
    assert "asked 20 times in one call" in results[0]
    assert "did not come to a result after 10 requests" in results[1]
    assert "after 3" in results[2]


def test_a_prompt_that_asks_fails_clearly(start: Start) -> None:
    daemon = start("new")
    body = {"prompt": "asked_prompt", "arguments": {}}
    refused = daemon.refused("POST", "/api/mcp/desk/prompt", body)
    assert refused.code == "mcp_failed"
    assert "asks something, which is possible only in a call" in refused.body["error"]
