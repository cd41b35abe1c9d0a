"""Rewind, undo of a rewind, and fork: what people see, what the model gets, and what a restart keeps."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

from tests.conftest import PROTOCOLS, provider_environment
from tests.support.daemon import Daemon, Json, text_of
from tests.support.image_bytes import encoded, picture
from tests.support.provider import Call, Fault, ProviderDouble, RecordedRequest, Reply, Say


def session_of(daemon: Daemon) -> str:
    return daemon.status()["session_id"]


def session(daemon: Daemon, session_id: str) -> Json:
    return daemon.call("GET", f"/api/sessions/{session_id}")


def texts(daemon: Daemon, session_id: str) -> list[str]:
    return [message["text"] for message in daemon.history(session_id=session_id, limit=200)]


def beginning(daemon: Daemon, session_id: str, text: str) -> str:
    """The id of the message of a person with this text."""
    found = daemon.history(session_id=session_id, limit=200)
    return next(one["message_id"] for one in found if (one["role"], one["text"]) == ("user", text))


def rewind(daemon: Daemon, session_id: str, text: str) -> Json:
    message_id = beginning(daemon, session_id, text)
    return daemon.call("POST", f"/api/sessions/{session_id}/rewind", {"message_id": message_id})


def unrewind(daemon: Daemon, session_id: str) -> Json:
    return daemon.call("POST", f"/api/sessions/{session_id}/unrewind", {})


def fork(daemon: Daemon, session_id: str, text: str | None = None) -> Json:
    body = {"message_id": beginning(daemon, session_id, text)} if text is not None else {}
    return daemon.call("POST", f"/api/sessions/{session_id}/fork", body)


def sent(request: RecordedRequest) -> list[str]:
    """The texts of a conversation as the model got it."""
    found: list[str] = []
    for message in request.messages:
        content = message.get("content")
        parts: list[Json] = content if isinstance(content, list) else [{"text": content}]
        found += [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return [text for text in found if text in ALL]


ALL = {name for letter in "abcdefgh" for name in (letter, f"You said: {letter}")}


def answered(*letters: str) -> list[str]:
    return [text for letter in letters for text in (letter, f"You said: {letter}")]


class Held:
    """The provider's next answer waits until it is released."""

    def __init__(self, provider: ProviderDouble, letter: str) -> None:
        self._provider = provider
        self._gate = threading.Event()
        self._asked = len(provider.requests)
        provider.script(Reply([Say(f"You said: {letter}")], gate=self._gate))

    def arrived(self) -> None:
        [*_, request] = self._provider.wait_for_requests(self._asked + 1)
        assert request.at_gate.wait(30)

    def release(self) -> None:
        self._gate.set()


def three(daemon: Daemon) -> str:
    for letter in "abc":
        daemon.ask(letter)
    return session_of(daemon)


# -- rewind ------------------------------------------------------------------------------------------------------------


def test_a_rewind_takes_a_message_and_all_after_it_out_of_everything(real: Daemon, provider: ProviderDouble) -> None:
    one = three(real)
    seen = real.history(session_id=one)
    done = rewind(real, one, "b")
    assert (done["session_id"], done["messages"], len(done["turn_ids"])) == (one, 4, 2)
    assert done["from_message_id"] == seen[2]["message_id"]
    assert done["files"] is None
    assert texts(real, one) == answered("a")
    info = session(real, one)
    assert info["messages"] == 2
    assert info["rewind"]["message_id"] == seen[2]["message_id"]
    assert (info["rewind"]["messages"], info["rewind"]["files"]) == (4, False)
    assert real.call("GET", f"/api/sessions/{one}/find", q="said")["hits"][0]["message_id"] == seen[1]["message_id"]
    assert len(real.call("GET", f"/api/sessions/{one}/find", q="said")["hits"]) == 1
    assert real.call("GET", "/api/sessions", q="You said: c")["sessions"] == []
    real.ask("d")
    assert sent(provider.requests[-1]) == [*answered("a"), "d"]
    assert texts(real, one) == answered("a", "d")
    real.kill()
    real.start()
    real.ask("e")
    assert sent(provider.requests[-1]) == [*answered("a", "d"), "e"]


def test_a_rewind_is_undone_until_the_next_message(real: Daemon, provider: ProviderDouble) -> None:
    one = three(real)
    before, title = real.history(session_id=one), session(real, one)["title"]
    rewind(real, one, "c")
    real.kill()
    real.start()
    rewind(real, one, "a")
    assert (texts(real, one), session(real, one)["messages"]) == ([], 0)
    assert session(real, one)["title"] == "New conversation", "the title was made from a message that is not there"
    back = unrewind(real, one)
    assert (back["messages"], texts(real, one)) == (4, answered("a", "b"))
    assert session(real, one)["title"] == title
    assert session(real, one)["rewind"]["messages"] == 2, "the earlier rewind can be undone too"
    unrewind(real, one)
    assert real.history(session_id=one) == before
    assert session(real, one)["rewind"] is None
    refused = real.refused("POST", f"/api/sessions/{one}/unrewind", {})
    assert (refused.status, refused.code) == (404, "rewind_not_found")
    rewind(real, one, "b")
    real.ask("d")
    refused = real.refused("POST", f"/api/sessions/{one}/unrewind", {})
    assert (refused.status, refused.code) == (404, "rewind_not_found")
    real.ask("e")
    assert sent(provider.requests[-1]) == [*answered("a", "d"), "e"]


def test_a_title_that_a_person_gave_stays(daemon: Daemon) -> None:
    daemon.ask("a")
    one = session_of(daemon)
    daemon.call("PATCH", f"/api/sessions/{one}", {"title": "Mine"})
    rewind(daemon, one, "a")
    assert session(daemon, one)["title"] == "Mine"
    unrewind(daemon, one)
    rewind(daemon, one, "a")
    daemon.ask("b")
    assert session(daemon, one)["title"] == "Mine"


def test_only_a_message_that_began_a_turn_is_rewound(real: Daemon, provider: ProviderDouble) -> None:
    one = three(real)
    path = f"/api/sessions/{one}/rewind"
    answer = real.history(session_id=one)[1]["message_id"]
    for route in (path, f"/api/sessions/{one}/fork"):
        refused = real.refused("POST", route, {"message_id": answer})
        assert (refused.status, refused.code) == (422, "not_a_turn_start")
        refused = real.refused("POST", route, {"message_id": "msg_nobody"})
        assert (refused.status, refused.code) == (404, "message_not_found")
        refused = real.refused("POST", route.replace(one, "ses_nobody"), {"message_id": answer})
        assert (refused.status, refused.code) == (404, "session_not_found")
    gone = beginning(real, one, "c")
    rewind(real, one, "c")
    refused = real.refused("POST", path, {"message_id": gone})
    assert (refused.status, refused.code) == (404, "message_not_found"), "it is not in the conversation any more"
    other = real.call("POST", "/api/sessions", {})["session_id"]
    refused = real.refused("POST", f"/api/sessions/{other}/rewind", {"message_id": beginning(real, one, "a")})
    assert (refused.status, refused.code) == (404, "message_not_found")


def test_nothing_is_rewound_while_a_turn_runs(real: Daemon, provider: ProviderDouble) -> None:
    one = three(real)
    held = Held(provider, "d")
    with real.watch() as watcher:
        running = real.chat("d")
        for action, body in (("rewind", {"message_id": beginning(real, one, "a")}), ("unrewind", {})):
            refused = real.refused("POST", f"/api/sessions/{one}/{action}", body)
            assert (refused.status, refused.code) == (409, "agent_busy")
        refused = real.refused("POST", f"/api/sessions/{one}/fork", {"message_id": running["message_id"]})
        assert (refused.status, refused.code) == (409, "agent_busy")
        copy = fork(real, one, "b")["session_id"]
        assert texts(real, copy) == answered("a", "b"), "a fork at an earlier turn is possible meanwhile"
        held.release()
        watcher.until("done")
    assert texts(real, one) == answered("a", "b", "c", "d")


def test_a_steered_message_goes_with_its_turn(real: Daemon, provider: ProviderDouble) -> None:
    real.ask("a")
    one = session_of(real)
    held = Held(provider, "b")
    with real.watch() as watcher:
        real.chat("b")
        held.arrived()
        steered = real.chat("c", if_busy="steer")
        held.release()
        watcher.until("done")
    refused = real.refused("POST", f"/api/sessions/{one}/rewind", {"message_id": steered["message_id"]})
    assert (refused.status, refused.code) == (422, "not_a_turn_start")
    rewind(real, one, "b")
    assert texts(real, one) == answered("a")


def test_a_failure_that_was_rewound_is_not_shown_any_more(real: Daemon, provider: ProviderDouble) -> None:
    real.ask("a")
    one = session_of(real)
    provider.script(Fault(401, body={"error": {"message": "no"}}))
    real.ask("b")
    assert session(real, one)["state"] == real.status()["state"] == "failed"
    assert real.call("GET", "/api/notifications", unread=True)["unread"] >= 1
    with real.watch() as watcher:
        rewind(real, one, "b")
        events = watcher.until("session_changed")
        watcher.until("notifications_read")
    assert [event["data"]["state"] for event in events if event["type"] == "status_change"] == ["idle"]
    assert events[-1]["data"]["session"]["state"] == "idle"
    assert (session(real, one)["state"], real.status()["last_error"]) == ("idle", None)
    kinds = {one["kind"] for one in real.call("GET", "/api/notifications", unread=True)["notifications"]}
    assert "error" not in kinds
    real.kill()
    real.start()
    assert session(real, one)["state"] == "idle"
    unrewind(real, one)
    assert session(real, one)["state"] == real.status()["state"] == "failed"


def test_a_message_with_the_same_id_can_be_sent_again_after_a_rewind(real: Daemon) -> None:
    real.ask("a")
    one = session_of(real)
    first = real.chat("b", client_message_id="b-1")
    assert real.chat("b", client_message_id="b-1")["turn_id"] == first["turn_id"]
    with real.watch(after=first["seq"]) as watcher:
        watcher.until("done")
    rewind(real, one, "b")
    with real.watch() as watcher:
        again = real.chat("b", client_message_id="b-1")
        assert again["turn_id"] != first["turn_id"]
        watcher.until("done")
    assert real.chat("b", client_message_id="b-1")["turn_id"] == again["turn_id"]
    assert texts(real, one) == answered("a", "b")


def test_a_turn_that_overtook_another_one_is_told_by_turn(real: Daemon, provider: ProviderDouble) -> None:
    real.ask("a")
    one = session_of(real)
    held = Held(provider, "b")
    with real.watch() as watcher:
        real.chat("b")
        held.arrived()
        real.chat("c")
        real.chat("d")
        held.release()
        watcher.until("done", 3)
    assert texts(real, one) == ["a", "You said: a", "b", "You said: b", "c", "d", "You said: c", "You said: d"]
    done = rewind(real, one, "d")
    assert (done["messages"], len(done["turn_ids"])) == (2, 1)
    assert texts(real, one) == answered("a", "b", "c")
    real.ask("e")
    assert sent(provider.requests[-1]) == [*answered("a", "b", "c"), "e"]


def test_a_message_cancelled_in_the_queue_goes_with_what_was_before_it(real: Daemon, provider: ProviderDouble) -> None:
    real.ask("a")
    one = session_of(real)
    held = Held(provider, "b")
    with real.watch() as watcher:
        real.chat("b")
        held.arrived()
        waiting = real.chat("c")
        real.call("POST", "/api/cancel", {"agent_id": "default", "turn_id": waiting["turn_id"]})
        held.release()
        watcher.until("done", 2)
    assert texts(real, one) == ["a", "You said: a", "b", "You said: b", "c"]
    assert texts(real, fork(real, one, "b")["session_id"]) == answered("a", "b")
    rewind(real, one, "b")
    assert texts(real, one) == answered("a")


def test_the_stream_ends_with_the_same_picture_from_any_cursor(real: Daemon) -> None:
    first = real.chat("a")
    with real.watch(after=first["seq"] - 1) as watcher:
        watcher.until("done")
    one = session_of(real)
    real.ask("b")
    rewind(real, one, "a")
    unrewind(real, one)
    rewind(real, one, "b")
    real.ask("c")
    with real.watch(after=0) as watcher:
        events = watcher.until("done", 3)
    for start in range(len(events)):
        shown: dict[str, list[str]] = {}
        reread = start > 0  # who joins later reads the history first
        for event in events[start:]:
            data = event["data"]
            if event["type"] == "message_added":
                shown.setdefault(data["message"]["turn_id"], []).append(data["message"]["message_id"])
            elif event["type"] == "history_rewound":
                for turn_id in data["turn_ids"]:
                    shown.pop(turn_id, None)
            elif event["type"] == "history_unrewound":
                reread = True
        found = {message["message_id"] for message in real.history(session_id=one)}
        ids = {message_id for ids in shown.values() for message_id in ids}
        assert ids <= found
        if not reread:
            assert ids == found


# -- compaction --------------------------------------------------------------------------------------------------------


def compacted(launch: Callable[..., Daemon], provider: ProviderDouble) -> Daemon:
    """A daemon in whose session the turn `f` compacts what was before it."""
    daemon = launch(environment=provider_environment(provider, PROTOCOLS["chat"]))
    for letter in "abcde":
        daemon.ask(letter)
    message = "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens."
    provider.script(Fault(400, body={"error": {"message": message, "code": 400}}), Reply([Say("a short summary")]))
    events = daemon.ask("f")
    assert [event["type"] for event in events].count("history_compacted") == 1
    assert "a" not in sent(provider.requests[-1])
    return daemon


def test_a_cut_before_a_compaction_restores_what_it_summarised(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = compacted(launch, provider)
    one = session_of(daemon)
    copy = fork(daemon, one, "d")["session_id"]
    rewind(daemon, one, "f")
    daemon.ask("g", session_id=copy)
    assert sent(provider.requests[-1]) == [*answered("a", "b", "c", "d"), "g"]
    daemon.ask("g")
    assert sent(provider.requests[-1]) == [*answered("a", "b", "c", "d", "e"), "g"]
    daemon.kill()
    daemon.start()
    daemon.ask("h")
    assert sent(provider.requests[-1]) == [*answered("a", "b", "c", "d", "e", "g"), "h"]


def test_what_an_earlier_version_deleted_is_taken_from_the_history(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    """An earlier version deleted the messages that a compaction replaced."""
    daemon = compacted(launch, provider)
    one = session_of(daemon)
    daemon.ask("g")
    daemon.stop()
    with closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store, store:
        assert store.execute("DELETE FROM model_messages WHERE superseded_by IS NOT NULL").rowcount > 0
    daemon.start()
    copies = [fork(daemon, one, letter)["session_id"] for letter in "dg"]
    daemon.ask("h", session_id=copies[0])
    assert sent(provider.requests[-1]) == [*answered("a", "b", "c", "d"), "h"]
    daemon.ask("h", session_id=copies[1])
    assert "a short summary" in json.dumps(provider.requests[-1].messages)
    assert "a" not in sent(provider.requests[-1])
    rewind(daemon, one, "f")
    daemon.ask("h", session_id=fork(daemon, one)["session_id"])
    assert sent(provider.requests[-1]) == [*answered("a", "b", "c", "d", "e"), "h"]
    unrewind(daemon, one)
    daemon.ask("h")
    assert "a short summary" in json.dumps(provider.requests[-1].messages)
    assert "a" not in sent(provider.requests[-1]), "it is there once"


def test_a_cut_after_a_compaction_keeps_the_summary(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = compacted(launch, provider)
    one = session_of(daemon)
    summarised = json.dumps(provider.requests[-1].messages)
    assert "a short summary" in summarised
    daemon.ask("g")
    rewind(daemon, one, "g")
    copy = fork(daemon, one)["session_id"]
    for session_id in (one, copy):
        daemon.ask("h", session_id=session_id)
        assert "a short summary" in json.dumps(provider.requests[-1].messages)
        assert "a" not in sent(provider.requests[-1])
    rewind(daemon, copy, "f")
    daemon.ask("g", session_id=copy)
    assert sent(provider.requests[-1]) == [*answered("a", "b", "c", "d", "e"), "g"], "a fork has what was summarised"


def test_an_undone_rewind_brings_the_compaction_back(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = compacted(launch, provider)
    one = session_of(daemon)
    daemon.ask("g")
    rewind(daemon, one, "c")
    unrewind(daemon, one)
    daemon.ask("h")
    assert "a short summary" in json.dumps(provider.requests[-1].messages)
    assert "a" not in sent(provider.requests[-1])


# -- fork --------------------------------------------------------------------------------------------------------------


def test_a_fork_goes_its_own_way(real: Daemon, provider: ProviderDouble) -> None:
    one = three(real)
    real.call("PATCH", f"/api/sessions/{one}", {"effort": "low", "title": "Trunk"})
    with real.watch() as watcher:
        copy = fork(real, one, "b")
        [event] = [event for event in watcher.until("session_changed") if event["type"] == "session_changed"]
    assert event["data"]["change"] == "created"
    assert event["data"]["session"]["session_id"] == copy["session_id"]
    assert event["data"]["session"]["forked_from"] == copy["forked_from"]
    assert copy["forked_from"] == {"session_id": one, "message_id": beginning(real, one, "b")}
    assert (copy["title"], copy["messages"], copy["is_default"], copy["state"]) == ("Trunk", 4, False, "idle")
    assert copy["settings"]["effort"] == {"value": "low", "source": "session"}
    assert copy["context"] is not None
    two = copy["session_id"]
    originals, copies = real.history(session_id=one)[:4], real.history(session_id=two)
    assert not {message["message_id"] for message in originals} & {message["message_id"] for message in copies}
    kept = ("role", "text", "parts", "created_at", "status", "usage")
    assert [[one[name] for name in kept] for one in originals] == [[one[name] for name in kept] for one in copies]
    real.ask("d", session_id=two)
    assert sent(provider.requests[-1]) == [*answered("a", "b"), "d"]
    real.ask("e", session_id=one)
    assert sent(provider.requests[-1]) == [*answered("a", "b", "c"), "e"]
    rewind(real, two, "b")
    assert texts(real, two) == answered("a")
    real.call("DELETE", f"/api/sessions/{one}", purge=True)
    real.kill()
    real.start()
    assert texts(real, two) == answered("a")
    assert session(real, two)["forked_from"]["session_id"] == one
    real.ask("f", session_id=two)
    assert sent(provider.requests[-1]) == [*answered("a"), "f"]


def test_a_fork_has_no_rewound_turns_and_finds_its_texts(real: Daemon) -> None:
    real.ask("a")
    one = session_of(real)
    real.ask("Grüße, ÄPFEL")
    real.ask("c")
    rewind(real, one, "c")
    copy = fork(real, one)["session_id"]
    assert texts(real, copy) == ["a", "You said: a", "Grüße, ÄPFEL", "You said: Grüße, ÄPFEL"]
    assert session(real, copy)["rewind"] is None
    assert len(real.call("GET", f"/api/sessions/{copy}/find", q="apfel")["hits"]) == 2
    empty = real.call("POST", "/api/sessions", {"title": "Empty"})["session_id"]
    assert fork(real, empty)["messages"] == 0


def test_files_and_calls_are_in_a_fork_too(real: Daemon, provider: ProviderDouble) -> None:
    (real.work_dir / "a.png").write_bytes(encoded(picture(40, 30), "PNG"))
    (real.work_dir / "note.txt").write_text("hello")
    real.ask("a", attachments=[{"path": "a.png"}])
    one = session_of(real)
    provider.script(Reply([Call("read_file", {"path": "note.txt"})]), Reply([Say("read")]))
    real.ask("b")
    copy = fork(real, one)["session_id"]
    real.call("DELETE", f"/api/sessions/{one}", purge=True)
    first, _, _, answer = real.history(session_id=copy)
    assert [part["type"] for part in first["parts"]] == ["text", "image"]
    [call] = [part for part in answer["parts"] if part["type"] == "tool"]
    assert (call["name"], call["state"]) == ("read_file", "done")
    real.ask("c", session_id=copy)
    body = json.dumps(provider.requests[-1].body)
    assert "image/png;base64" in body
    assert "hello" in body


def test_a_damaged_row_does_not_stop_a_fork_or_a_rewind(real: Daemon) -> None:
    one = three(real)
    real.stop()
    with closing(sqlite3.connect(real.data_dir / "aster.db")) as store, store:
        store.execute("UPDATE turns SET usage='no json' WHERE n=2")
        store.execute("UPDATE sends SET answer='no json'")
        store.execute("UPDATE messages SET parts='no json' WHERE n=1")
    real.start()
    assert len(texts(real, fork(real, one)["session_id"])) == 6
    rewind(real, one, "a")
    assert texts(real, one) == []
    unrewind(real, one)
    assert len(texts(real, one)) == 6
    assert text_of(real.ask("d")) == "You said: d"
