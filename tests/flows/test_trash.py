"""Deleted conversations: hidden from every client, unchanged after a restore, and deleted permanently in the end."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from aster_sidecar.clock import GAP_MOST_S
from aster_sidecar.conversation.trash import KEPT_S
from tests.conftest import provider_environment
from tests.flows.test_companion import bundle
from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, Fault, ProviderDouble, Reply, Say

DAY_S = 24 * 3600.0


def create(daemon: Daemon, title: str) -> str:
    return daemon.call("POST", "/api/sessions", {"agent_id": "default", "title": title})["session_id"]


def delete(daemon: Daemon, session_id: str, **parameters: object) -> Json:
    return daemon.call("DELETE", f"/api/sessions/{session_id}", **parameters)


def restore(daemon: Daemon, session_id: str) -> Json:
    return daemon.call("POST", f"/api/sessions/{session_id}/restore")


def titles(daemon: Daemon, **parameters: object) -> list[str]:
    return [entry["title"] for entry in daemon.call("GET", "/api/sessions", **parameters)["sessions"]]


def trash(daemon: Daemon) -> list[str]:
    return titles(daemon, deleted=True)


def left_s(stamp: str) -> float:
    return (datetime.fromisoformat(stamp) - datetime.now(UTC)).total_seconds()


def change_store(daemon: Daemon, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store, store:
        for statement in statements:
            store.execute(statement)


def rows_with(daemon: Daemon, *words: str) -> list[str]:
    """The rows of all tables that contain any of these words, except events about the deletion."""
    found: list[str] = []
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store:
        tables = [row[0] for row in store.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        for table in tables:
            for row in store.execute(f"SELECT * FROM {table}"):
                if any(word in str(value) for value in row for word in words):
                    found.append(f"{table}: {row}")
    return [row for row in found if '"change":"deleted"' not in row]


def test_a_deleted_conversation_is_gone_for_everybody_but_the_trash(daemon: Daemon) -> None:
    daemon.ask("about zinnias")
    session_id = daemon.status()["session_id"]
    other = create(daemon, "other")
    before = daemon.call("GET", "/api/snapshot")["metrics"]
    gone = delete(daemon, session_id)
    assert (gone["session_id"], gone["deleted"]) == (session_id, 2)
    assert KEPT_S - 60 < left_s(gone["restorable_until"]) <= KEPT_S

    assert titles(daemon) == ["other"]
    assert titles(daemon, archived=True) == titles(daemon, q="zinnias") == titles(daemon, archived=True, q="z") == []
    snapshot = daemon.call("GET", "/api/snapshot")
    assert [session["session_id"] for session in snapshot["sessions"]] == [other]
    assert snapshot["agents"][0]["sessions"] == 1
    assert (snapshot["metrics"]["sessions"], snapshot["metrics"]["turns"]) == (before["sessions"] - 1, 0)
    assert snapshot["notifications"] == {"notifications": [], "unread": 0}
    assert daemon.call("GET", "/api/notifications")["notifications"] == []
    here = {"agent_id": "default", "session_id": session_id}
    rule = {"decision": "deny", "tool": "run_command", "kind": "any", "session_id": session_id}
    for method, path, body, parameters in (
        ("GET", f"/api/sessions/{session_id}", None, {}),
        ("PATCH", f"/api/sessions/{session_id}", {"title": "x"}, {}),
        ("DELETE", f"/api/sessions/{session_id}", None, {}),
        ("GET", "/api/history", None, here),
        ("DELETE", "/api/history", None, here),
        ("GET", "/api/status", None, here),
        ("GET", "/api/events", None, here),
        ("GET", "/api/approvals", None, {"session_id": session_id}),
        ("POST", "/api/cancel", here, {}),
        ("POST", "/api/chat", {**here, "message": "hello?"}, {}),
        ("POST", "/api/permissions/rules", rule, {}),
    ):
        refused = daemon.refused(method, path, body, **parameters)
        assert (refused.status, refused.code) == (404, "session_not_found"), (method, path)
        assert refused.body["details"] == {"restorable_until": gone["restorable_until"]}
        assert f"/api/sessions/{session_id}/restore" in refused.body["hint"]
    assert daemon.status()["session_id"] not in (session_id, other)
    [entry] = daemon.call("GET", "/api/sessions", deleted=True)["sessions"]
    assert (entry["session_id"], entry["messages"], entry["is_default"]) == (session_id, 2, False)
    assert (entry["restorable_until"], left_s(entry["deleted_at"]) < 1) == (gone["restorable_until"], True)
    assert all(session["deleted_at"] is session["restorable_until"] is None for session in snapshot["sessions"])


@pytest.mark.parametrize("restart", [False, True])
def test_a_restored_conversation_is_as_it_was(real: Daemon, provider: ProviderDouble, restart: bool) -> None:
    provider.script(Reply([Say("Noted: 4711.")]), Reply([Say("It was 4711.")]))
    real.ask("remember 4711")
    session_id = real.status()["session_id"]
    rule = {"decision": "deny", "tool": "run_command", "kind": "any", "value": "", "session_id": session_id}
    real.call("POST", "/api/permissions/rules", rule)
    real.call("PATCH", f"/api/sessions/{session_id}", {"title": "The number", "archived": True})
    history, rules = real.history(session_id=session_id), real.call("GET", "/api/permissions/rules")
    before = real.call("GET", f"/api/sessions/{session_id}")

    delete(real, session_id)
    assert real.call("GET", "/api/permissions/rules") == []
    if restart:
        real.restart()
        assert real.call("GET", "/api/permissions/rules") == []
    assert trash(real) == ["The number"]
    assert restore(real, session_id) == before
    assert restore(real, session_id) == before, "restoring twice changes nothing"
    assert trash(real) == titles(real) == []
    assert titles(real, archived=True) == titles(real, archived=True, q="4711") == ["The number"]
    assert real.history(session_id=session_id) == history
    assert real.call("GET", "/api/permissions/rules") == rules
    real.ask("which number?", session_id=session_id)
    assert "Noted: 4711." in json.dumps(provider.requests[-1].body), "the model remembers it"
    if restart:
        real.restart()
        assert real.call("GET", "/api/permissions/rules") == rules
        assert len(real.history(session_id=session_id)) == 4


def test_a_restored_default_conversation_is_the_default_unless_there_is_another(daemon: Daemon) -> None:
    first = daemon.ask("hello")[-1]["session_id"]
    delete(daemon, first)
    assert daemon.status()["session_id"] is None
    assert restore(daemon, first)["is_default"] is True
    assert daemon.status()["session_id"] == first
    delete(daemon, first)
    second = daemon.ask("hello again")[-1]["session_id"]
    assert second != first
    assert restore(daemon, first)["is_default"] is False
    daemon.restart()
    assert daemon.status()["session_id"] == second


def test_every_client_sees_it_go_and_come_back_also_one_that_was_away(daemon: Daemon) -> None:
    with daemon.watch() as watcher:
        daemon.ask("hello")
        session_id = daemon.status()["session_id"]
        daemon.call(
            "POST", "/api/permissions/rules", {"decision": "deny", "tool": "*", "kind": "any", "session_id": session_id}
        )
        seen = daemon.call("GET", "/api/snapshot")["last_seq"]
        until = delete(daemon, session_id)["restorable_until"]
        watcher.until("rules_changed", change="removed")
        restore(daemon, session_id)
        watcher.until("rules_changed", change="added")
        told = [event for event in watcher.events if event["seq"] > seen]
    assert [(event["type"], event["data"].get("change")) for event in told] == [
        ("session_changed", "deleted"),
        ("rules_changed", "removed"),
        ("notifications_read", None),
        ("session_changed", "created"),
        ("rules_changed", "added"),
    ]
    assert told[0]["data"] == {"change": "deleted", "restorable_until": until}
    back = told[3]["data"]
    assert (back["restored"], back["session"]["session_id"], back["session"]["messages"]) == (True, session_id, 2)
    assert "deleted_at" not in back["session"]
    with daemon.watch(after=seen) as later:
        later.until("rules_changed", change="added")
        assert later.events == told


def test_the_trash_lists_the_one_deleted_last_first_in_pages(daemon: Daemon) -> None:
    ids = [create(daemon, f"s{number}") for number in range(5)]
    daemon.call("PATCH", f"/api/sessions/{ids[1]}", {"archived": True})
    for number in (3, 1, 4):
        delete(daemon, ids[number])
    assert trash(daemon) == ["s4", "s1", "s3"]
    page = daemon.call("GET", "/api/sessions", deleted=True, limit=2)
    assert [entry["title"] for entry in page["sessions"]] == ["s4", "s1"]
    assert titles(daemon, deleted=True, before=page["next_before"]) == ["s3"]
    assert titles(daemon, deleted=True, q="s1") == ["s1"]
    assert titles(daemon) == ["s2", "s0"]


@pytest.mark.parametrize("first", ["trash", "at once"])
def test_what_is_deleted_for_good_leaves_no_text(daemon: Daemon, first: str) -> None:
    daemon.config(permission_mode="auto_approve")
    kept = create(daemon, "kept")
    daemon.ask("keep this", session_id=kept)
    session_id = create(daemon, "Zinniengarten")
    daemon.ask("run `echo zinnia-output`", session_id=session_id, client_message_id="cm_zinnia")
    daemon.ask("ünïcode zinnia", session_id=session_id)
    daemon.call(
        "POST", "/api/permissions/rules", {"decision": "deny", "tool": "*", "kind": "any", "session_id": session_id}
    )
    assert rows_with(daemon, session_id, "zinnia", "Zinnien")
    with daemon.watch() as watcher:
        if first == "trash":
            assert delete(daemon, session_id)["restorable_until"] is not None
        gone = delete(daemon, session_id, purge=True)
        watcher.until("session_changed", change="deleted", restorable_until=None)
    assert gone == {"session_id": session_id, "deleted": 4, "restorable_until": None}
    for method, path in (
        ("POST", f"/api/sessions/{session_id}/restore"),
        ("DELETE", f"/api/sessions/{session_id}"),
        ("DELETE", f"/api/sessions/{session_id}?purge=true"),
        ("GET", f"/api/sessions/{session_id}"),
    ):
        refused = daemon.refused(method, path)
        assert (refused.status, refused.code) == (404, "session_not_found")
        assert "details" not in refused.body
    assert trash(daemon) == []
    daemon.stop()
    left = [row for row in rows_with(daemon, session_id, "zinnia", "Zinnien") if '"change":"removed"' not in row]
    [decision] = left  # the record of decisions stays, without texts
    assert decision.startswith("decisions: ")
    assert "zinnia" not in decision
    daemon.start()
    assert len(daemon.history(session_id=kept)) == 2


def test_a_conversation_is_restored_though_the_daemon_was_killed_meanwhile(daemon: Daemon) -> None:
    daemon.ask("hello")
    session_id = daemon.status()["session_id"]
    until = delete(daemon, session_id)["restorable_until"]
    daemon.restart()
    assert titles(daemon) == []
    [entry] = daemon.call("GET", "/api/sessions", deleted=True)["sessions"]
    assert abs(left_s(entry["restorable_until"]) - left_s(until)) < 2
    restore(daemon, session_id)
    daemon.restart()
    assert titles(daemon) == ["hello"]
    assert len(daemon.history(session_id=session_id)) == 2
    assert trash(daemon) == []


@pytest.mark.parametrize("boot", ["this", "another"])
@pytest.mark.parametrize(("wall_days", "lost_s"), [(-400, 0.0), (3, 3 * DAY_S), (400, GAP_MOST_S)])
def test_a_clock_that_was_set_neither_empties_the_trash_nor_keeps_it(
    daemon: Daemon, boot: str, wall_days: int, lost_s: float
) -> None:
    session_id = create(daemon, "one")
    delete(daemon, session_id)
    daemon.stop()
    counted = (datetime.now(UTC) - timedelta(days=wall_days)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    change_store(daemon, f"UPDATE trash SET counted_at='{counted}'")
    if boot == "another":
        change_store(daemon, "UPDATE trash SET boot='another', counted_s=7")
    daemon.start()
    [entry] = daemon.call("GET", "/api/sessions", deleted=True)["sessions"]
    expected = KEPT_S - (lost_s if boot == "another" else 0.0)
    assert expected - 600 < left_s(entry["restorable_until"]) <= expected
    restore(daemon, session_id)
    assert titles(daemon) == ["one"]


def test_what_has_been_in_the_trash_for_its_time_is_deleted_for_good_at_the_start(daemon: Daemon) -> None:
    old, young = create(daemon, "old"), create(daemon, "young")
    daemon.ask("of the old one", session_id=old)
    for session_id in (old, young):
        delete(daemon, session_id)
    daemon.stop()
    change_store(daemon, f"UPDATE trash SET left_s=left_s-{KEPT_S} WHERE session_id='{old}'")
    daemon.start()
    assert trash(daemon) == ["young"]
    assert daemon.refused("POST", f"/api/sessions/{old}/restore").code == "session_not_found"
    with daemon.watch(after=0) as watcher:
        watcher.until("session_changed", change="deleted", session_id=young)
        watcher.until("session_changed", change="deleted", session_id=old)
    assert "restorable_until" not in watcher.events[-1]["data"]
    daemon.stop()
    assert rows_with(daemon, old, "of the old one") == []


def test_it_is_deleted_for_good_while_the_daemon_runs_too(daemon: Daemon) -> None:
    session_id = create(daemon, "soon")
    delete(daemon, session_id)
    daemon.stop()
    change_store(daemon, f"UPDATE trash SET left_s=left_s-{KEPT_S}+2.5")
    daemon.start()
    assert trash(daemon) == ["soon"]
    with daemon.watch() as watcher:
        told = watcher.until("session_changed", change="deleted")[-1]
    assert (told["session_id"], told["data"]) == (session_id, {"change": "deleted"})
    assert trash(daemon) == []
    daemon.stop()
    assert rows_with(daemon, session_id) == []


def test_a_question_that_was_cancelled_to_delete_its_conversation_is_told_as_cancelled_when_that_is_back(
    daemon: Daemon,
) -> None:
    with daemon.watch() as watcher:
        session_id = daemon.chat("run")["session_id"]
        call_id = watcher.until("approval_required")[-1]["data"]["call_id"]
        assert daemon.refused("DELETE", f"/api/sessions/{session_id}").code == "agent_busy"
        assert daemon.refused("DELETE", f"/api/sessions/{session_id}", purge=True).code == "agent_busy"
        assert len(daemon.call("GET", "/api/approvals")) == 1
        daemon.call("POST", "/api/cancel", {"agent_id": "default", "session_id": session_id})
    delete(daemon, session_id)
    assert daemon.call("GET", "/api/approvals") == []
    daemon.restart()
    assert restore(daemon, session_id)["pending_approvals"] == 0
    [_, answer] = daemon.history(session_id=session_id)
    assert answer["status"] == "cancelled"
    [call] = [part for part in answer["parts"] if part["type"] == "tool"]
    assert (call["call_id"], call["state"]) == (call_id, "cancelled")
    refused = daemon.refused("POST", "/api/approve", {"agent_id": "default", "call_id": call_id, "decision": "allow"})
    assert refused.code == "approval_resolved"
    assert daemon.ask("go on", session_id=session_id)[-1]["type"] == "done"


def test_a_conversation_whose_last_turn_failed_comes_back_as_failed(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Fault(status=400), Reply([Say("Better.")]))
    real.ask("fail")
    session_id = real.status()["session_id"]
    assert real.status()["state"] == "failed"
    delete(real, session_id)
    real.restart()
    with real.watch(after=0) as watcher:
        restore(real, session_id)
        watcher.until("status_change", session_id=session_id, state="failed")
    assert [event["type"] for event in watcher.events if event["session_id"] == session_id] == [
        "session_changed",
        "session_changed",
        "status_change",
    ], "there are no events while it is in the trash"
    assert real.status(session_id=session_id)["state"] == "failed"
    assert real.ask("again", session_id=session_id)[-1]["data"]["stop_reason"] == "complete"


def test_a_message_sent_again_into_a_deleted_conversation_is_refused_and_neither_lost_nor_doubled(
    daemon: Daemon,
) -> None:
    session_id = create(daemon, "one")
    named = {"session_id": session_id, "client_message_id": "cm_1"}
    started = daemon.chat("hello", **named)
    default = daemon.chat("to the default one", client_message_id="cm_2")
    while daemon.status(session_id=session_id)["state"] != "idle" or daemon.status()["state"] != "idle":
        pass
    for gone in (session_id, default["session_id"]):
        delete(daemon, gone)
    for message, fields in (("hello", named), ("to the default one", {"client_message_id": "cm_2"})):
        refused = daemon.refused("POST", "/api/chat", {"agent_id": "default", "message": message, **fields})
        assert (refused.status, refused.code) == (404, "session_not_found")
        assert "restorable_until" in refused.body["details"]
    assert titles(daemon) == []
    restore(daemon, session_id)
    assert daemon.chat("hello", **named) == started
    assert [message["text"] for message in daemon.history(session_id=session_id)][:1] == ["hello"]
    assert len(daemon.history(session_id=session_id)) == 2
    delete(daemon, session_id, purge=True)
    assert daemon.refused("POST", "/api/chat", {"agent_id": "default", "message": "hello", **named}).status == 404


def test_a_turn_whose_ending_could_not_be_recorded_ends_when_its_conversation_is_back(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = launch(environment=provider_environment(provider))
    provider.script(Reply([Say("Half of an "), Call("run_command", {"command": "env echo x"})]))
    with daemon.watch() as watcher:
        session_id = daemon.chat("go")["session_id"]
        watcher.until("approval_required")
    daemon.stop()
    # As if neither the question's end nor the turn's could have been recorded before the deletion.
    change_store(
        daemon,
        "INSERT INTO trash (session_id, deleted_at, was_default, left_s, counted_at, counted_s, boot) VALUES"
        f" ('{session_id}', '2026-01-01T00:00:00.000Z', 1, {KEPT_S}, '2026-01-01T00:00:00.000Z', 0, NULL)",
        "UPDATE sessions SET is_default=0",
        "UPDATE turns SET state='running'",
    )
    daemon.start()
    assert daemon.call("GET", "/api/approvals") == []
    assert daemon.call("GET", "/api/snapshot")["turns"] == []
    with daemon.watch() as watcher:
        restore(daemon, session_id)
        watcher.until("done", session_id=session_id)
    [_, answer] = daemon.history(session_id=session_id)
    assert (answer["status"], answer["text"]) == ("interrupted", "Half of an ")
    assert daemon.call("GET", "/api/approvals") == []
    delete(daemon, session_id)


def test_a_deletion_that_could_not_be_recorded_leaves_all_as_it_was(daemon: Daemon) -> None:
    daemon.ask("hello")
    session_id = daemon.status()["session_id"]

    def while_locked(method: str, path: str, **parameters: object) -> str:
        with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            code = daemon.refused(method, path, **parameters).code
            other.execute("ROLLBACK")
        return code

    for purge in (None, True):
        assert while_locked("DELETE", f"/api/sessions/{session_id}", purge=purge) == "store_unavailable"
        assert (titles(daemon), trash(daemon)) == (["hello"], [])
        assert daemon.status()["session_id"] == session_id
    with daemon.watch() as watcher:
        daemon.chat("run")
        watcher.until("approval_required")
        refused = daemon.refused("DELETE", f"/api/sessions/{session_id}", purge=True)
        assert refused.code == "agent_busy", "it is not in the trash"
        daemon.call("POST", "/api/cancel", {"agent_id": "default"})
    delete(daemon, session_id)
    assert while_locked("POST", f"/api/sessions/{session_id}/restore") == "store_unavailable"
    assert (titles(daemon), trash(daemon)) == ([], ["hello"])
    assert restore(daemon, session_id)["is_default"] is True
    with daemon.watch(after=0) as watcher:
        told = watcher.until("session_changed", change="created")
    assert [event["data"]["change"] for event in told if event["type"] == "session_changed"] == ["deleted", "created"]
    assert len(daemon.history(session_id=session_id)) == 4


def test_a_bundle_for_those_who_help_holds_nothing_of_the_trash(daemon: Daemon) -> None:
    daemon.ask("canary one")
    session_id = daemon.status()["session_id"]
    delete(daemon, session_id)
    daemon.ask("canary two")
    name = daemon.call("POST", "/api/diagnostics", {"include_messages": True})["name"]
    told = bundle(daemon, name)["messages.json"]
    assert "canary two" in told
    assert "canary one" not in told


def test_restoring_what_never_was_is_refused(daemon: Daemon) -> None:
    for session_id in ("ses_none", "x" * 300):
        refused = daemon.refused("POST", f"/api/sessions/{session_id}/restore")
        assert (refused.status, refused.code, refused.body["hint"]) == (
            404,
            "session_not_found",
            "GET /api/sessions lists them",
        )
    assert daemon.refused("GET", "/api/sessions", deleted="perhaps").code == "invalid_shape"
    assert daemon.refused("GET", "/api/sessions", deleted=True, before="x").code == "invalid_shape"
