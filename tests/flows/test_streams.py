"""The event stream: one cursor, no gaps, no invented text; slow and disconnecting readers harm no other client."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.support.daemon import Daemon, Json, Watcher, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say, Think


def story(provider: ProviderDouble) -> None:
    """A turn with thinking, text in many pieces, two tools and more text, not only ASCII."""
    provider.script(
        Reply(
            [Think("hm, 想"), Say("Grüße 😀 und so weiter. " * 5, chunk=7), Call("list_dir", {"path": "."})],
            flush_each=True,
        ),
        Reply([Say("dazwischen", chunk=2), Call("read_file", {"path": "a.txt"})], flush_each=True),
        Reply([Say("Ende 🎉 der Geschichte.", chunk=3)], flush_each=True),
    )


def whole(daemon: Daemon) -> tuple[list[Json], str]:
    """The parts and the text of the answer in the history."""
    answer = daemon.history()[-1]
    return answer["parts"], answer["text"]


def thinking_of(events: list[Json]) -> str:
    text: list[str] = []
    for event in events:
        if event["type"] == "thinking_chunk":
            offset = event["data"]["offset"]
            text[offset : offset + len(event["data"]["delta"])] = event["data"]["delta"]
    return "".join(text)


def unique(events: list[Json]) -> list[Json]:
    """The events that a client keeps if it drops seqs that it has seen."""
    kept: dict[int, Json] = {}
    for event in events:
        kept.setdefault(event["seq"], event)
    return list(kept.values())


@pytest.mark.timeout(180)
def test_twenty_windows_see_the_same_and_one_that_leaves_after_every_event_misses_nothing(
    real: Daemon, provider: ProviderDouble
) -> None:
    (real.work_dir / "a.txt").write_text("alpha")
    story(provider)
    stop = threading.Event()

    def restless() -> list[Json]:
        """Reads one event, disconnects, and comes back with its cursor."""
        seen: list[Json] = []
        cursor = 0
        while not stop.is_set():
            with real.watch(after=cursor) as watcher:
                event = watcher.next(within_s=60)
            seen.append(event)
            cursor = event["seq"]
            if event["type"] == "done":
                return seen
        return seen

    with ThreadPoolExecutor(21) as pool:
        watchers = [Watcher(real, None, {}) for _ in range(20)]
        leaver = pool.submit(restless)
        try:
            real.chat("tell a story")
            histories = list(pool.map(lambda watcher: watcher.until("done", within_s=60), watchers))
            left = leaver.result(100)
        finally:
            stop.set()
        for watcher in watchers:
            watcher.close()
    parts, text = whole(real)
    for events in histories:
        assert text_of(events) == text
        assert thinking_of(events) == "hm, 想"
        seqs = [event["seq"] for event in events]
        assert seqs == sorted(set(seqs))
    assert text_of(left) == text
    assert thinking_of(left) == "hm, 想"
    others = {event["seq"] for event in histories[0] if not event["type"].endswith("_chunk")}
    assert {event["seq"] for event in left if not event["type"].endswith("_chunk")} == others
    assert [part["type"] for part in parts] == ["thinking", "text", "tool", "text", "tool", "text"]


@pytest.mark.timeout(180)
def test_resuming_after_any_event_of_a_finished_turn_gives_the_same_text(
    real: Daemon, provider: ProviderDouble
) -> None:
    """The deltas have become one row: every old cursor, also one between them, still gives the complete text."""
    (real.work_dir / "a.txt").write_text("alpha")
    story(provider)
    with real.watch() as watcher:
        real.chat("tell a story")
        live = watcher.until("done").copy()
        watcher.until("status_change", state="idle")
    _, text = whole(real)
    for restarted in (False, True):
        if restarted:
            real.restart()
        for position, event in enumerate(live[:-1]):
            with real.watch(after=event["seq"]) as watcher:
                rest = watcher.until("done")
            assert all(later["seq"] > event["seq"] for later in rest)
            assert text_of([*live[: position + 1], *rest]) == text
            assert thinking_of([*live[: position + 1], *rest]) == "hm, 想"
    with contextlib.closing(sqlite3.connect(real.data_dir / "aster.db", timeout=30)) as store:
        chunks = store.execute("SELECT count(*) FROM events WHERE type='text_chunk'").fetchone()[0]
    assert chunks == 3, "one row for each unbroken text"


def test_last_event_id_resumes_and_wins_over_after(daemon: Daemon) -> None:
    events = daemon.ask("hello")
    import httpx

    headers = {"Last-Event-ID": str(events[-2]["seq"])}
    url = daemon.url + "/api/events?after=0"
    with httpx.stream("GET", url, headers=headers, trust_env=False, timeout=45) as response:
        ids = [
            line.removeprefix("id: ")
            for line in _lines(response.iter_lines(), "status_change")
            if line.startswith("id: ")
        ]
    assert ids == [str(events[-2]["seq"]), str(events[-1]["seq"]), str(events[-1]["seq"] + 1)]


def _lines(lines: object, last: str) -> list[str]:
    seen: list[str] = []
    for line in lines:  # type: ignore[attr-defined]
        seen.append(line)
        if line == f"event: {last}":
            return seen
    return seen


def test_frames_carry_what_the_contract_says(daemon: Daemon) -> None:
    with daemon.watch() as watcher:
        daemon.chat("think and answer")
        watcher.until("done")
    first, *frames = watcher.frames
    assert (first["retry"], first["event"]) == ("1000", "connected")
    assert first["id"] == str(watcher.connected["data"]["last_seq"]), "a client that is cut off now resumes here"
    for frame in frames:
        data = json.loads(frame["data"])
        assert list(data) == ["type", "agent_id", "session_id", "turn_id", "seq", "time", "data"]
        assert frame["event"] == data["type"]
        assert frame["id"] == str(data["seq"])


def test_cursors_that_cannot_be_served_get_resync(daemon: Daemon) -> None:
    daemon.ask("hello")
    last = daemon.call("GET", "/api/sessions") and None
    for cursor, reason in (
        ("999999999", "future"),
        ("-1", "malformed"),
        ("abc", "malformed"),
        ("1.5", "malformed"),
        ("9" * 40, "malformed"),
    ):
        with daemon.watch(after=cursor) as watcher:  # type: ignore[arg-type]
            resync = watcher.next()
        assert (resync["type"], resync["data"]["reason"], resync["seq"]) == ("resync", reason, None)
        assert resync["data"]["last_seq"] == watcher.connected["data"]["last_seq"]
    assert last is None
    with daemon.watch(after=0) as watcher:
        assert watcher.next()["type"] == "session_changed"


def test_filters_show_only_what_was_asked_for(daemon: Daemon) -> None:
    other = daemon.call("POST", "/api/sessions", {"agent_id": "default", "title": "Other"})["session_id"]
    with daemon.watch(session_id=other) as mine, daemon.watch(types="done,error") as ends, daemon.watch() as everything:
        daemon.chat("in the default session")
        everything.until("done")
        daemon.chat("in the other", session_id=other)
        mine.until("done")
        ends.until("done", 2)
    assert {event["session_id"] for event in mine.events} == {other}
    assert [event["type"] for event in ends.events] == ["done", "done"]
    with daemon.watch(after=0, session_id=other) as again:
        again.until("done")
    assert {event["session_id"] for event in again.events} == {other}
    assert daemon.refused("GET", "/api/events", None, types="done,nonsense").code == "invalid_shape"
    assert daemon.refused("GET", "/api/events", None, session_id="nowhere").code == "session_not_found"
    assert daemon.refused("GET", "/api/events", None, agent_id="nobody").code == "agent_not_found"


def test_a_turn_goes_on_with_every_window_closed(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.script(Reply([Say("words that nobody watches", chunk=4)], gate=gate, gate_at=2))
    with real.watch() as watcher:
        turn_id = real.chat("talk")["turn_id"]
        cursor = watcher.until("text_chunk")[-1]["seq"]
    gate.set()
    with real.watch(after=cursor) as watcher:
        watcher.until("done", turn_id=turn_id)
    assert real.history()[-1]["text"] == "words that nobody watches"


@pytest.mark.timeout(180)
def test_a_client_that_never_reads_harms_nobody(real: Daemon, provider: ProviderDouble) -> None:
    """It opens a stream and stops reading during a flood. Other clients get everything, and memory does not grow."""
    port = real.port
    lazy = socket.create_connection(("127.0.0.1", port))
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    lazy.recv(1)
    assert real.process is not None
    real.ask("warm up")
    before = psutil.Process(real.process.pid).memory_info().rss
    text = "a flood of words " * 60_000
    provider.script(Reply([Say(text, chunk=200)], flush_each=True))
    with real.watch() as watcher:
        real.chat("flood")
        events = watcher.until("done", within_s=60)
    grown = psutil.Process(real.process.pid).memory_info().rss - before
    lazy.close()
    assert text_of(events) == text
    assert grown < 60_000_000, f"{grown} bytes more"


def test_streams_end_when_the_daemon_stops(daemon: Daemon) -> None:
    with daemon.watch() as watcher:
        assert daemon.stop(within_s=30) == 0
        assert watcher.ended(20)


def test_history_in_the_middle_of_an_answer_fits_the_stream(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.script(Reply([Say("half of it and the rest", chunk=4)], gate=gate, gate_at=3))
    with real.watch() as watcher:
        real.chat("talk")
        while len(text_of(watcher.events)) < 12:
            watcher.next()
        answer = real.history()[-1]
        assert (answer["status"], answer["text"]) == ("streaming", "half of it a")
        gate.set()
        watcher.until("done")
        rest = "".join(event["data"]["delta"] for event in watcher.of("text_chunk") if event["data"]["offset"] >= 12)
    assert answer["text"] + rest == "half of it and the rest"


def test_history_pages_and_clears(real: Daemon) -> None:
    for number in range(7):
        real.ask(f"message {number}")
    page = real.call("GET", "/api/history", None, agent_id="default", limit=4)
    assert [message["text"] for message in page["messages"] if message["role"] == "user"] == ["message 5", "message 6"]
    seen = list(page["messages"])
    while page["next_before"]:
        page = real.call("GET", "/api/history", None, agent_id="default", limit=4, before=page["next_before"])
        seen = [*page["messages"], *seen]
    assert [message["text"] for message in seen if message["role"] == "user"] == [f"message {n}" for n in range(7)]
    assert real.refused("GET", "/api/history", None, agent_id="default", before="nothing").code == "invalid_shape"
    assert real.refused("GET", "/api/history", None, agent_id="default", limit=501).code == "invalid_shape"
    with real.watch() as watcher:
        assert real.call("DELETE", "/api/history", None, agent_id="default") == {"deleted": 14}
        assert watcher.until("history_cleared")[-1]["data"] == {"deleted": 14}
    assert real.history() == []
    events = real.ask("afresh")
    assert text_of(events) == "You said: afresh"
    with contextlib.closing(sqlite3.connect(real.data_dir / "aster.db", timeout=30)) as store:
        assert "message 3" not in str(store.execute("SELECT data FROM events").fetchall())
        assert "message 3" not in str(store.execute("SELECT message FROM model_messages").fetchall())
