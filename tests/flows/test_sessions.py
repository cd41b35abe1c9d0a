"""Conversations as a client lists them: found in any alphabet, in the order of last use even if the clock changes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

import pytest

from tests.conftest import provider_environment
from tests.support.daemon import Daemon
from tests.support.provider import Call, ProviderDouble, Reply, Say


def create(daemon: Daemon, title: str) -> str:
    return daemon.call("POST", "/api/sessions", {"agent_id": "default", "title": title})["session_id"]


def titles(daemon: Daemon, **parameters: object) -> list[str]:
    return [entry["title"] for entry in daemon.call("GET", "/api/sessions", **parameters)["sessions"]]


SAID = {
    "russian": "Привет, мир",
    "german": "Straße nach ÜBERLINGEN",
    "composed": "CAFÉ",
    "apart": "cafe\u0301",
    "turkish": "İstanbul",
    "greek": "ΟΔΥΣΣΕΥΣ",
    "wide": "ＺＩＮＮＩＡ",
    "ligature": "oﬃce",
    "percent": "100% of a_b",
}


def test_conversations_are_found_in_any_alphabet(daemon: Daemon) -> None:
    for title, text in SAID.items():
        daemon.ask(text, session_id=create(daemon, title))
    for query, expected in (
        ("привет", {"russian"}),
        ("ПРИВЕТ", {"russian"}),
        ("überlingen", {"german"}),
        ("u\u0308berlingen", {"german"}),
        ("STRASSE", {"german"}),
        ("straße", {"german"}),
        ("café", {"composed", "apart"}),
        ("CAFE\u0301", {"composed", "apart"}),
        ("istanbul", {"turkish"}),
        ("οδυσσευς", {"greek"}),
        ("zinnia", {"wide"}),
        ("OFFICE", {"ligature"}),
        ("0%", {"percent"}),
        ("A_B", {"percent"}),
        ("aXb", set[str]()),
    ):
        assert set(titles(daemon, q=query)) == expected, query
    daemon.restart()
    assert titles(daemon, q="мир") == ["russian"]


def test_the_conversation_just_used_is_first_though_another_was_used_by_a_clock_ahead(daemon: Daemon) -> None:
    ids = {title: create(daemon, title) for title in ("ahead", "used", "other")}
    for session_id in ids.values():
        daemon.ask("hello", session_id=session_id)
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store, store:
        stamp = "2099-01-01T00:00:00.000Z"
        store.execute("UPDATE sessions SET updated_at=? WHERE session_id=?", (stamp, ids["ahead"]))
        store.execute("UPDATE messages SET created_at=? WHERE session_id=? AND role='user'", (stamp, ids["used"]))
    daemon.start()
    daemon.ask("again", session_id=ids["used"])
    assert titles(daemon) == ["used", "other", "ahead"]
    page = daemon.call("GET", "/api/sessions", limit=1)
    assert titles(daemon, before=page["next_before"]) == ["other", "ahead"]
    assert daemon.call("GET", "/api/snapshot")["sessions"][0]["title"] == "used"
    said = [message["text"] for message in daemon.history(session_id=ids["used"]) if message["role"] == "user"]
    assert said == ["hello", "again"]
    refusal = daemon.refused("GET", "/api/sessions", before="2026-01-01T00:00:00.000Z~ses_1")
    assert (refusal.status, refusal.code) == (422, "invalid_shape")


@pytest.mark.parametrize("boot", ["this", "another"])
def test_a_question_expires_in_its_time_though_it_was_asked_by_a_clock_ahead(
    launch: Callable[..., Daemon], provider: ProviderDouble, boot: str
) -> None:
    daemon = launch(environment=provider_environment(provider))
    daemon.config(approval_timeout_s=3)
    provider.script(Reply([Call("run_command", {"command": "echo ran >> marks"})]), Reply([Say("Too late.")]))
    with daemon.watch() as watcher:
        daemon.chat("go")
        required = watcher.until("approval_required")[-1]
        while daemon.status()["state"] != "waiting_approval":
            watcher.until("status_change")
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store, store:
        store.execute(
            "UPDATE approvals SET requested_at='2099-01-01T00:00:00.000Z', expires_at='2099-01-01T00:00:03.000Z'"
        )
        if boot == "another":
            store.execute("UPDATE approvals SET boot='another'")
    daemon.start()
    with daemon.watch(after=required["seq"]) as watcher:
        events = watcher.until("done")
    assert [event["data"]["decision"] for event in events if event["type"] == "approval_resolved"] == ["expired"]
    assert not (daemon.work_dir / "marks").exists()


def test_a_conversation_says_where_something_was_said_and_stays_pinned(daemon: Daemon) -> None:
    one, other = create(daemon, "one"), create(daemon, "other")
    for text in ("the tomatoes", "something else", "more TOMATOES"):
        daemon.ask(text, session_id=one)
    page = daemon.call("GET", "/api/sessions", q="tomatoes")
    said = {message["message_id"]: message for message in daemon.history(session_id=one)}
    hit = page["hits"][one]
    assert said[hit["message_id"]]["role"] == hit["role"] == "assistant"
    assert hit["text"][hit["start"] : hit["end"]] == "TOMATOES"
    hits = daemon.call("GET", f"/api/sessions/{one}/find", q="tomatoes", limit=3)
    assert [entry["role"] for entry in hits["hits"]] == ["assistant", "user", "assistant"]
    rest = daemon.call("GET", f"/api/sessions/{one}/find", q="tomatoes", before=hits["next_before"])
    assert [said[entry["message_id"]]["text"] for entry in rest["hits"]] == ["the tomatoes"]
    assert daemon.call("GET", f"/api/sessions/{other}/find", q="tomatoes") == {"hits": [], "next_before": None}
    for query in ({"q": ""}, {}, {"q": "x" * 201}, {"q": "x", "before": "msg_none"}):
        refusal = daemon.refused("GET", f"/api/sessions/{one}/find", **query)
        assert (refusal.status, refusal.code) == (422, "invalid_shape"), query
    assert daemon.refused("GET", "/api/sessions/ses_none/find", q="x").code == "session_not_found"

    with daemon.watch() as watcher:
        assert daemon.call("PATCH", f"/api/sessions/{one}", {"pinned": True})["pinned"] is True
        event = watcher.until("session_changed")[-1]
        assert event["data"]["session"]["pinned"] is True
    daemon.ask("used last", session_id=other)
    daemon.restart()
    assert titles(daemon) == ["one", "other"]
    assert daemon.call("GET", "/api/snapshot")["sessions"][0]["session_id"] == one
