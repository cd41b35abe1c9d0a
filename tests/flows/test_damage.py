"""A store with rotten pages: no message goes missing without a word, no turn hangs, and the file is named."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aster_sidecar.journal import examine
from tests.daemon import Daemon, Json

Counts = dict[str, int]
"""How many messages each conversation has."""
FILLS = {"noise": lambda size: os.urandom(size), "zeros": lambda size: bytes(size), "text": lambda size: b"x" * size}
PAGE = 4096


@pytest.fixture
def filled(daemon: Daemon) -> tuple[Daemon, Counts]:
    """A running daemon with six conversations whose messages lie among each other."""
    return daemon, fill(daemon, rounds=6)


@pytest.fixture
def begun(daemon: Daemon) -> tuple[Daemon, Counts]:
    """The same with so few messages that all of them are in the write-ahead log only."""
    return daemon, fill(daemon, rounds=1)


def fill(daemon: Daemon, rounds: int) -> Counts:
    ids = [daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"] for _ in range(6)]
    for number in range(rounds):
        for session_id in ids:
            daemon.ask(f"{number} " + "слово " * 300, session_id=session_id)
    return dict.fromkeys(ids, 2 * rounds)


def overwrite(path: Path, at: int, what: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(what)


def pages_of(store: Path, name: str) -> list[int]:
    """The numbers (from 0) of a table's pages that hold rows."""
    import apsw

    with contextlib.closing(apsw.Connection(str(store))) as connection:
        rows = connection.execute("SELECT pageno FROM dbstat WHERE name=? AND pagetype='leaf' ORDER BY path", (name,))
        return [int(str(row[0])) - 1 for row in rows]


def corrupt(daemon: Daemon, status: int, answer: Json) -> bool:
    """Whether a request was refused as it should be when it meets damage."""
    if status == 200:
        return False
    assert (status, answer["code"]) == (503, "store_corrupt"), answer
    assert str(daemon.data_dir / "aster.db") in answer["error"]
    assert "backup" in answer["hint"]
    return True


def check(daemon: Daemon, counts: Counts) -> str:
    """Start over a damaged store and use it. What is told is whole, or is said to be damaged."""
    store = daemon.data_dir / "aster.db"
    try:
        daemon.start()
    except AssertionError as refusal:
        assert "exit 6" in refusal.args[0]  # noqa: PT017
        assert str(store) in daemon.log
        assert "damaged" in daemon.log
        return "refused"
    refusals = 0
    status, answer = daemon.raw("GET", "/api/sessions")
    if corrupt(daemon, status, answer):
        refusals += 1
    else:
        assert {entry["session_id"]: entry["messages"] for entry in answer["data"]["sessions"]} == counts
    healthy: list[str] = []
    for session_id, count in counts.items():
        status, answer = daemon.raw("GET", "/api/history", None, agent_id="default", session_id=session_id, limit=100)
        if corrupt(daemon, status, answer):
            refusals += 1
        else:
            assert len(answer["data"]["messages"]) == count
            healthy.append(session_id)
    refusals += corrupt(daemon, *daemon.raw("GET", "/api/sessions", None, q="слово"))
    for session_id in healthy[:1]:
        status, answer = daemon.raw(
            "POST", "/api/chat", {"agent_id": "default", "session_id": session_id, "message": "still here?"}
        )
        if not corrupt(daemon, status, answer):
            with daemon.watch(after=answer["data"]["seq"] - 1) as watcher:
                ended = watcher.until("done", turn_id=answer["data"]["turn_id"], within_s=30)
            if ended[-1]["data"]["stop_reason"] != "complete":
                errors = [event["data"] for event in ended if event["type"] == "error"]
                assert [error["code"] for error in errors] == ["store_corrupt"]
                assert daemon.status(session_id=session_id)["state"] != "running"
    daemon.stop()
    return f"{refusals} refused"


@pytest.mark.parametrize("fill", FILLS)
def test_rotten_pages_in_the_middle_lose_nothing_without_a_word(
    filled: tuple[Daemon, Counts], fill: str, tmp_path: Path
) -> None:
    daemon, counts = filled
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    whole = tmp_path / "whole.db"
    shutil.copyfile(store, whole)
    assert examine(whole).problems == ()
    size = whole.stat().st_size
    for at in (size // 2, size // 3 // PAGE * PAGE, pages_of(whole, "messages")[0] * PAGE):
        shutil.copyfile(whole, store)
        overwrite(store, at, FILLS[fill](8192))
        assert found_by_doctor(store)
        check(daemon, counts)


def found_by_doctor(store: Path) -> bool:
    from aster_sidecar.doctor import store as look

    found = look(store, None)
    assert str(store) in found.detail
    assert found.remedy is not None
    return found.status == "failed"


def test_healthy_conversations_go_on_while_another_is_rotten(filled: tuple[Daemon, Counts]) -> None:
    daemon, counts = filled
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    with contextlib.closing(sqlite3.connect(store)) as rows, rows:
        ids = list(counts)
        rows.execute("UPDATE messages SET parts='[{' WHERE session_id=? AND role='user'", (ids[0],))
        rows.execute("UPDATE messages SET text=CAST(x'd0ff' AS TEXT) WHERE session_id=? AND role='user'", (ids[1],))
    assert found_by_doctor(store)
    daemon.start()
    status, answer = daemon.raw("GET", "/api/history", None, agent_id="default", session_id=ids[1])
    assert corrupt(daemon, status, answer)
    assert len(daemon.history(session_id=ids[2])) == counts[ids[2]]
    assert daemon.ask("still here?", session_id=ids[2])[-1]["data"]["stop_reason"] == "complete"


def test_a_turn_whose_end_cannot_be_recorded_ends_all_the_same(daemon: Daemon) -> None:
    daemon.ask("before")
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    (page,) = pages_of(store, "calls_by_turn")  # read when a turn ends
    overwrite(store, page * PAGE, b"x" * PAGE)
    daemon.start()
    started = daemon.chat("go")
    with daemon.watch(after=started["seq"] - 1) as watcher:
        events = watcher.until("done", within_s=30)
    assert events[-1]["data"]["stop_reason"] == "failed"
    errors = [event["data"] for event in events if event["type"] == "error"]
    assert [error["code"] for error in errors] == ["store_corrupt"]
    assert str(store) in errors[0]["message"]
    assert daemon.raw("POST", "/api/cancel", {"agent_id": "default"})[0] == 200
    assert daemon.status()["state"] in ("failed", "idle")
    assert daemon.stop() == 0


def test_a_destroyed_header_is_refused(begun: tuple[Daemon, Counts]) -> None:
    daemon, counts = begun
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    overwrite(store, 0, os.urandom(16))
    before = store.read_bytes()
    assert found_by_doctor(store)
    assert check(daemon, counts) == "refused"
    assert store.read_bytes() == before


@pytest.mark.parametrize("at", ["header", "begin", "middle"])
def test_a_damaged_write_ahead_log_is_missed(begun: tuple[Daemon, Counts], at: str) -> None:
    daemon, counts = begun
    daemon.kill()
    store, log = daemon.data_dir / "aster.db", daemon.data_dir / "aster.db-wal"
    size = log.stat().st_size
    if at == "header":
        overwrite(log, 0, os.urandom(16))
    else:
        overwrite(log, size // 2 if at == "middle" else 4096, os.urandom(8192))
    damaged = log.read_bytes()
    assert found_by_doctor(store)
    for _ in range(2):
        assert check(daemon, counts) == "refused"
        assert log.read_bytes() == damaged, "what is left of it is left alone"
    (daemon.data_dir / "aster.db-mark").unlink()  # the way out that the error names
    daemon.start()
    assert daemon.ask("on we go")[-1]["data"]["stop_reason"] == "complete"


def test_a_whole_log_of_a_killed_daemon_is_taken_up(begun: tuple[Daemon, Counts]) -> None:
    daemon, counts = begun
    mark = daemon.data_dir / "aster.db-mark"
    daemon.kill()
    assert mark.stat().st_mode & 0o077 == 0
    assert check(daemon, counts) == "0 refused"
    assert not mark.exists(), "after a stop nothing is left to be missed"


def test_a_store_that_was_moved_aside_is_begun_anew(
    begun: tuple[Daemon, Counts], launch: Callable[..., Daemon]
) -> None:
    daemon, _ = begun
    daemon.kill()
    store = daemon.data_dir / "aster.db"
    store.rename(daemon.data_dir / "aside.db")
    (daemon.data_dir / "aster.db-wal").rename(daemon.data_dir / "aside.db-wal")
    daemon.start()
    assert daemon.ask("anew")[-1]["data"]["stop_reason"] == "complete"
    daemon.kill()
    daemon.start()
    assert len(daemon.history()) == 2


def test_an_examination_that_is_cut_short_says_so(begun: tuple[Daemon, Counts]) -> None:
    daemon, _ = begun
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    assert examine(store).whole
    found = examine(store, within_s=0)
    assert (found.whole, found.problems) == (False, ())
