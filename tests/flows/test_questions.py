"""Questions to a person: checked, answered once, and kept over restarts."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import provider_environment
from tests.flows.test_kill import check_store
from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, ProviderDouble, Reply, Say

COLOUR = {"id": "colour", "text": "Which colour?", "kind": "choice", "options": ["red", "blue"]}
NAME = {"id": "name", "text": "What is its name?"}


def asking(*fields: Json, reason: str = "I need to know.") -> Call:
    return Call("ask_user", {"questions": list(fields), "reason": reason})


def wait_for_question(daemon: Daemon, message: str = "go") -> Json:
    """Send a message whose answer asks something. Returns the open question."""
    with daemon.watch() as watcher:
        daemon.chat(message)
        question_id = watcher.until("question_asked")[-1]["data"]["question_id"]
        watcher.until("status_change", state="waiting_approval")
    [asked] = [one for one in daemon.call("GET", "/api/questions") if one["question_id"] == question_id]
    return asked


def settle(daemon: Daemon, question_id: str, answers: Json = None, **fields: Json) -> list[Json]:
    """Answer the question, and wait for the turn's end."""
    with daemon.watch() as watcher:
        daemon.answer(question_id, answers, **fields)
        return watcher.until("done")


def told(provider: ProviderDouble) -> str:
    """The last result of a tool that the model got."""
    return provider.requests[-1].tool_results[-1][1]


def test_answers_reach_the_model_and_the_history(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([Say("One moment."), asking(COLOUR, NAME)]), Reply([Say("A blue one, then.")]))
    asked = wait_for_question(real)
    assert (asked["name"], asked["reason"], asked["expires_at"]) == ("ask_user", "I need to know.", None)
    assert [(one["id"], one["kind"], one["other"]) for one in asked["fields"]] == [
        ("colour", "choice", True),
        ("name", "text", False),
    ]
    status = real.status()
    assert (status["state"], status["waiting_for"]) == ("waiting_approval", ["question"])
    assert (status["pending_questions"], status["pending_approvals"]) == (1, 0)
    [session] = real.call("GET", "/api/sessions")["sessions"]
    assert session["pending_questions"] == 1
    events = settle(real, asked["question_id"], {"colour": "blue", "name": "Ada"}, note="quickly")
    answered = next(event["data"] for event in events if event["type"] == "question_answered")
    assert (answered["outcome"], answered["answers"]) == ("answered", {"colour": "blue", "name": "Ada"})
    end = next(event["data"] for event in events if event["type"] == "tool_end")
    assert end["result"] == {"answers": {"colour": "blue", "name": "Ada"}, "note": "quickly"}
    assert "blue" in told(provider)
    part = real.history()[1]["parts"][1]
    assert (part["state"], part["question"]["outcome"]) == ("done", "answered")
    assert part["question"]["answers"] == {"colour": "blue", "name": "Ada"}
    assert real.status()["pending_questions"] == 0
    [decision] = real.call("GET", "/api/audit")["decisions"]
    assert (decision["tool"], decision["decision"], decision["outcome"]) == ("ask_user", "allow", "done")


@pytest.mark.parametrize("mode", ["auto_approve", "smart_approve", "always_ask"])
def test_a_question_needs_no_permission(real: Daemon, provider: ProviderDouble, mode: str) -> None:
    real.config(permission_mode=mode)
    provider.script(Reply([asking(NAME)]), Reply([Say("Thanks.")]))
    asked = wait_for_question(real)
    assert real.call("GET", "/api/approvals") == []
    settle(real, asked["question_id"], {"name": "Ada"})


def test_a_deny_rule_holds_for_questions(real: Daemon, provider: ProviderDouble) -> None:
    real.call("POST", "/api/permissions/rules", {"decision": "deny", "tool": "ask_user", "kind": "any"})
    provider.script(Reply([asking(NAME)]), Reply([Say("I can't ask.")]))
    real.ask("go")
    assert "denied" in told(provider)
    assert real.call("GET", "/api/questions") == []


def test_sixty_clients_answer_one_question_at_once(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([asking(NAME)]), Reply([Say("Thanks.")]))
    asked = wait_for_question(real)
    start = threading.Barrier(60)

    def answer(number: int) -> tuple[int, Json]:
        start.wait()
        given = {"answers": {"name": f"n{number}"}} if number % 2 else {"decline": True}
        return real.raw("POST", "/api/answer", {"question_id": asked["question_id"], **given})

    with real.watch() as watcher:
        with ThreadPoolExecutor(60) as pool:
            answers = list(pool.map(answer, range(60)))
        events = watcher.until("done")
    [winner] = [entry["data"] for status, entry in answers if status == 200]
    assert [entry["code"] for status, entry in answers if status == 409] == ["question_resolved"] * 59
    ended = [event["data"] for event in events if event["type"] == "question_answered"]
    assert [(one["outcome"], one.get("answers")) for one in ended] == [(winner["outcome"], winner["answers"])]


@pytest.mark.parametrize(
    ("field", "answer", "why"),
    [
        (NAME, "", "empty"),
        (NAME, 3, "has to be a text"),
        (NAME, None, "needed"),
        ({**NAME, "kind": "number"}, "three", "has to be a number"),
        ({**NAME, "kind": "number"}, True, "has to be a number"),
        ({**NAME, "kind": "number"}, 10**400, "finite"),
        ({**NAME, "kind": "boolean"}, "yes", "true or false"),
        ({**COLOUR, "id": "name", "kind": "multi"}, ["red", "green"], "green"),
        ({**COLOUR, "id": "name", "kind": "multi"}, ["red", "red"], "twice"),
        ({**COLOUR, "id": "name", "kind": "multi"}, "red", "list"),
        ({**NAME, "kind": "folder"}, "somewhere", "absolute"),
        ({**NAME, "kind": "folder"}, "/no/such/folder", "not a folder"),
        ({**NAME, "kind": "file"}, "/", "not a file"),
    ],
)
def test_answers_that_do_not_fit_are_refused_and_the_question_stays(
    real: Daemon, provider: ProviderDouble, field: Json, answer: Json, why: str
) -> None:
    provider.script(Reply([asking(field)]), Reply([Say("Thanks.")]))
    asked = wait_for_question(real)
    body = {"question_id": asked["question_id"], "answers": {"name": answer}}
    refused = real.refused("POST", "/api/answer", body)
    assert (refused.status, refused.code) == (422, "answers_invalid")
    assert why in refused.body["error"]
    assert list(refused.body["details"]) == ["name"]
    assert [one["question_id"] for one in real.call("GET", "/api/questions")] == [asked["question_id"]]
    real.call("POST", "/api/cancel", {"agent_id": "default"})


def test_bad_answers_name_every_field_and_neither_nor_both_are_taken(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([asking(COLOUR, NAME)]), Reply([Say("Thanks.")]))
    asked = wait_for_question(real)
    question = {"question_id": asked["question_id"]}
    refused = real.refused("POST", "/api/answer", {**question, "answers": {"colour": "", "size": 3}})
    assert {part.split(":")[0] for part in refused.body["error"].split("; ")} == {"colour", "name", "size"}
    assert real.refused("POST", "/api/answer", question).code == "invalid_shape"
    assert real.refused("POST", "/api/answer", {**question, "answers": {}, "decline": True}).code == "invalid_shape"
    unknown = {"question_id": "ask_nothing", "decline": True}
    assert real.refused("POST", "/api/answer", unknown).code == "question_not_found"
    settle(real, asked["question_id"], {"colour": "green", "name": "Ada"})  # another answer than the options


def test_defaults_are_taken_and_what_is_not_required_may_be_left(real: Daemon, provider: ProviderDouble) -> None:
    fields = [{**COLOUR, "default": "red"}, {**NAME, "required": False}, {**NAME, "id": "n", "kind": "number"}]
    provider.script(Reply([asking(*fields)]), Reply([Say("Thanks.")]))
    asked = wait_for_question(real)
    assert real.answer(asked["question_id"], {"n": 2.5})["answers"] == {"colour": "red", "n": 2.5}


def test_a_form_that_makes_no_sense_goes_back_to_the_model(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(
        Reply([asking(NAME, NAME)]),
        Reply([asking({**COLOUR, "options": []}, NAME)]),
        Reply([asking({**NAME, "kind": "number", "default": "many"})]),
        Reply([Say("I give up.")]),
    )
    real.ask("go")
    results = [result[1] for request in provider.requests for result in request.tool_results]
    assert "two fields have the id 'name'" in results[0]
    assert any("needs options" in result for result in results)
    assert "the default has to be a number" in results[-1]


def test_a_declined_question_says_so_and_why(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([asking(NAME)]), Reply([Say("As you like.")]))
    asked = wait_for_question(real)
    events = settle(real, asked["question_id"], decline=True, note="not your business")
    assert next(event["data"]["outcome"] for event in events if event["type"] == "tool_end") == "denied"
    assert "declined to answer" in told(provider)
    assert "not your business" in told(provider)


def test_a_question_expires_when_a_timeout_is_set(real: Daemon, provider: ProviderDouble) -> None:
    real.config(approval_timeout_s=0.3)
    provider.script(Reply([asking(NAME)]), Reply([Say("Never mind.")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = watcher.until("question_asked")[-1]["data"]
        assert asked["expires_at"]
        assert watcher.until("question_answered")[-1]["data"]["outcome"] == "expired"
        watcher.until("done")
    assert "Nobody answered the question in time" in told(provider)
    late = {"question_id": asked["question_id"], "answers": {"name": "Ada"}}
    assert real.refused("POST", "/api/answer", late).code == "question_expired"


def test_nobody_watching_can_mean_no(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    real = launch(arguments=["--on-unattended", "deny"], environment=provider_environment(provider))
    provider.script(Reply([asking(NAME)]), Reply([Say("Nobody is here.")]))
    real.chat("go")
    provider.wait_for_requests(2, timeout_s=20)
    assert "no event stream is open" in told(provider)


def test_a_cancelled_turn_takes_its_question_with_it(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([asking(NAME)]))
    asked = wait_for_question(real)
    with real.watch() as watcher:
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        assert watcher.until("question_answered")[-1]["data"]["outcome"] == "cancelled"
        watcher.until("done")
    late = {"question_id": asked["question_id"], "answers": {"name": "Ada"}}
    refused = real.refused("POST", "/api/answer", late)
    assert (refused.status, refused.code) == (409, "question_resolved")
    assert real.call("GET", "/api/inbox") == []


@pytest.mark.parametrize("stage", ["asked", "answered"])
def test_a_question_outlives_kill_9_and_is_asked_once(
    launch: Callable[..., Daemon], provider: ProviderDouble, stage: str
) -> None:
    daemon = launch(environment=provider_environment(provider))
    provider.script(Reply([asking(COLOUR)]), Reply([Say("Red it is.")]))
    asked = wait_for_question(daemon)
    if stage == "answered":
        daemon.answer(asked["question_id"], {"colour": "red"})
    daemon.restart()
    with daemon.watch(after=0) as watcher:
        if stage == "asked":
            assert daemon.call("GET", "/api/questions") == [asked]
            assert daemon.call("GET", "/api/snapshot")["questions"] == [asked]
            daemon.answer(asked["question_id"], {"colour": "red"})
        events = watcher.until("done")
    assert [event["type"] for event in events].count("question_asked") == 1
    assert [event["type"] for event in events].count("question_answered") == 1
    assert daemon.history()[1]["parts"][0]["question"]["answers"] == {"colour": "red"}
    check_store(daemon)


def test_what_a_person_types_answers_a_lone_question(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([asking(COLOUR)]), Reply([Say("Blue, then.")]))
    asked = wait_for_question(real)
    with real.watch() as watcher:
        sent = real.chat("BLUE", client_message_id="once")
        assert real.chat("BLUE", client_message_id="once") == sent
        assert (sent["status"], sent["turn_id"]) == ("answered", asked["turn_id"])
        events = watcher.until("done")
    answered = next(event["data"] for event in events if event["type"] == "question_answered")
    assert answered["answers"] == {"colour": "blue"}
    assert [message["text"] for message in real.history()] == ["go", "Blue, then.", "BLUE"]
    assert real.status()["queue"] == []


@pytest.mark.parametrize(
    ("fields", "message", "more"),
    [
        ((NAME, COLOUR), "Ada", {}),  # which field would it be?
        (({**NAME, "kind": "number"},), "many", {}),
        (({**NAME, "kind": "boolean"},), "yes", {}),
        ((NAME,), "Ada", {"effort": "low"}),
    ],
)
def test_what_can_not_be_the_answer_waits_in_the_queue(
    real: Daemon, provider: ProviderDouble, fields: tuple[Json, ...], message: str, more: Json
) -> None:
    provider.script(Reply([asking(*fields)]), Reply([Say("Thanks.")]), Reply([Say("Next.")]))
    asked = wait_for_question(real)
    assert real.chat(message, **more)["status"] == "queued"
    assert real.call("GET", "/api/questions") == [asked]
    real.call("POST", "/api/cancel", {"agent_id": "default"})


ORDERS = list(itertools.permutations(("colour", "name", "write")))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_two_questions_and_a_write_in_every_order_with_kills(
    launch: Callable[..., Daemon], provider: ProviderDouble, order: tuple[str, ...]
) -> None:
    daemon = launch(environment=provider_environment(provider))
    write = Call("run_command", {"command": "env echo ran >> marks"})
    provider.script(Reply([asking(COLOUR), write, asking(NAME)]), Reply([Say("All done.")]))
    with daemon.watch() as watcher:
        daemon.chat("go")
        watcher.until("question_asked", count=2)
        watcher.until("status_change", state="waiting_approval")
    assert daemon.status()["waiting_for"] == ["approval", "question"]
    inbox = daemon.call("GET", "/api/inbox")
    assert sorted(entry["kind"] for entry in inbox) == ["approval", "question", "question"]
    for which in order:
        daemon.restart()
        if which == "write":
            [pending] = daemon.call("GET", "/api/approvals")
            daemon.approve(pending["call_id"])
        else:
            asked = {one["fields"][0]["id"]: one for one in daemon.call("GET", "/api/questions")}
            daemon.answer(asked[which]["question_id"], {which: f"the {which}"})
    with daemon.watch(after=0) as watcher:
        events = watcher.until("done")
    assert events[-1]["data"]["stop_reason"] == "complete"
    assert (daemon.work_dir / "marks").read_text() == "ran\n"
    results = [result[1] for result in provider.requests[-1].tool_results]
    assert ["the colour" in results[0], "exit_code" in results[1], "the name" in results[2]] == [True] * 3
    assert len(provider.requests) == 2
    check_store(daemon)


def test_notifications_tell_of_a_question_until_it_is_answered(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([asking(NAME)]), Reply([Say("Thanks.")]))
    asked = wait_for_question(real)
    [note] = real.call("GET", "/api/notifications", unread="true")["notifications"]
    assert (note["kind"], note["call_id"]) == ("question_asked", asked["call_id"])
    assert "asks you something" in note["title"]
    assert "name" not in note["body"]
    with real.watch() as watcher:
        real.answer(asked["question_id"], {"name": "Ada"})
        watcher.until("notifications_read")
    assert real.call("GET", "/api/notifications", unread="true")["notifications"][1:] == []


def test_the_demo_model_asks_too(daemon: Daemon) -> None:
    asked = wait_for_question(daemon, 'call ask_user {"questions": [{"id": "a", "text": "A?"}], "reason": "why"}')
    events = settle(daemon, asked["question_id"], {"a": "b"})
    assert events[-1]["data"]["stop_reason"] == "complete"


def test_a_session_with_an_open_question_is_not_deleted(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([asking(NAME)]), Reply([Say("Thanks.")]))
    asked = wait_for_question(real)
    refused = real.refused("DELETE", f"/api/sessions/{asked['session_id']}")
    assert refused.code == "agent_busy"
