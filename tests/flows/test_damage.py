"""A store with damaged pages: no message is lost without an error, no turn hangs, and the error names the file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aster_sidecar.store.examine import examine
from tests.support.daemon import Daemon, Json

Counts = dict[str, int]
"""How many messages each conversation has."""
FILLS = {"noise": lambda size: os.urandom(size), "zeros": lambda size: bytes(size), "text": lambda size: b"x" * size}
PAGE = 4096
REPO = Path(__file__).parent.parent.parent


@pytest.fixture
def filled(daemon: Daemon) -> tuple[Daemon, Counts]:
    """A running daemon with six conversations, whose messages are stored in mixed order."""
    return daemon, fill(daemon, rounds=6)


@pytest.fixture
def begun(daemon: Daemon) -> tuple[Daemon, Counts]:
    """The same with so few messages that all of them are still in the write-ahead log."""
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
    """Whether a request was refused as damaged. The refusal names the file and says what to do."""
    if status == 200:
        return False
    assert (status, answer["code"]) == (503, "store_corrupt"), answer
    assert str(daemon.data_dir / "aster.db") in answer["error"]
    assert "backup" in answer["hint"]
    return True


def check(daemon: Daemon, counts: Counts) -> str:
    """Start with a damaged store and use it. Each answer is complete or reports the damage."""
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
    from aster_sidecar.cli.doctor.files import store as look

    found = look(store, None)
    assert str(store) in found.detail
    assert (found.status == "ok") == (not found.remedy)
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
    (page,) = pages_of(store, "calls_by_turn")  # it is read when a turn ends
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
        assert log.read_bytes() == damaged, "the damaged log is not changed"
    (daemon.data_dir / "aster.db-mark").unlink()  # the solution that the error names
    daemon.start()
    assert daemon.ask("on we go")[-1]["data"]["stop_reason"] == "complete"


def test_a_whole_log_of_a_killed_daemon_is_taken_up(begun: tuple[Daemon, Counts]) -> None:
    daemon, counts = begun
    mark = daemon.data_dir / "aster.db-mark"
    daemon.kill()
    assert mark.stat().st_mode & 0o077 == 0
    assert mark.read_text().split()[1] == "open"
    assert check(daemon, counts) == "0 refused"
    assert mark.read_text().split()[1] == "closed"


def test_a_store_that_was_moved_aside_is_begun_anew(
    begun: tuple[Daemon, Counts], launch: Callable[..., Daemon]
) -> None:
    daemon, _ = begun
    daemon.kill()
    store = daemon.data_dir / "aster.db"
    store.rename(daemon.data_dir / "aside.db")
    for end in ("-wal", "-mark"):
        (daemon.data_dir / f"aster.db{end}").rename(daemon.data_dir / f"aside.db{end}")
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


# -- a store that is missing -------------------------------------------------------------------------------------------


def refused(daemon: Daemon, code: int = 6) -> str:
    """Start the daemon, which must refuse. Returns what it logged."""
    before = len(daemon.log)
    with pytest.raises(AssertionError, match=f"exit {code}"):
        daemon.start()
    return daemon.log[before:]


def command(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command for the daemon's data directory."""
    argv = [sys.executable, "-m", "aster_sidecar", *words, "--data-dir", str(daemon.data_dir)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(REPO)}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)


def empty(store: Path) -> None:
    store.write_bytes(b"")


def lead_nowhere(store: Path) -> None:
    store.unlink()
    store.symlink_to(store.parent / "unplugged" / "aster.db")


def lead_in_a_circle(store: Path) -> None:
    store.unlink()
    store.symlink_to(store)


def put_nothing_in(store: Path) -> None:
    store.unlink()
    with contextlib.closing(sqlite3.connect(store)) as rows:
        rows.execute("PRAGMA user_version=0")
        rows.execute("VACUUM")


GONE: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": empty,
    "led nowhere": lead_nowhere,
    "led in a circle": lead_in_a_circle,
    "begun by another": put_nothing_in,
}


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("how", GONE)
def test_a_store_that_is_gone_is_missed_until_somebody_decides(
    begun: tuple[Daemon, Counts], how: str, killed: bool
) -> None:
    daemon, counts = begun
    store = daemon.data_dir / "aster.db"
    daemon.kill() if killed else daemon.stop()
    backup = daemon.home / "backup"
    backup.mkdir()
    for end in ("", "-wal"):
        if (daemon.data_dir / f"aster.db{end}").exists():
            shutil.copy2(daemon.data_dir / f"aster.db{end}", backup)
    if how == "begun by another" and killed:
        (daemon.data_dir / "aster.db-wal").unlink()
    GONE[how](store)
    for _ in range(2):
        said = refused(daemon)
        assert str(store) in said
        assert "aster-sidecar store new" in said
        assert "aster-sidecar store restore" in said
        assert found_by_doctor(store)
    assert command(daemon, "store", "restore", str(backup / "aster.db")).returncode == 0
    assert check(daemon, counts) == "0 refused"
    store.unlink()
    assert "is not there" in refused(daemon)
    told = command(daemon, "store", "new", "--json")
    assert told.returncode == 0, told.stderr
    daemon.start()
    assert daemon.call("GET", "/api/sessions")["sessions"] == []
    assert daemon.ask("anew")[-1]["data"]["stop_reason"] == "complete"


def of_another_program(store: Path) -> None:
    store.unlink()
    with contextlib.closing(sqlite3.connect(store)) as rows, rows:
        rows.execute("CREATE TABLE bookmarks (address TEXT)")
        rows.execute("INSERT INTO bookmarks VALUES ('https://example.org')")
        rows.execute("PRAGMA user_version=3")


def a_directory(store: Path) -> None:
    store.unlink()
    store.mkdir()


def text(store: Path) -> None:
    store.write_text("Dear diary, " * 1000)


OTHERS: dict[str, Callable[[Path], object]] = {"database": of_another_program, "directory": a_directory, "text": text}


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_store_of_ours_is_refused_and_left_alone(
    begun: tuple[Daemon, Counts], what: str, marked: bool
) -> None:
    daemon, _ = begun
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    if not marked:
        (daemon.data_dir / "aster.db-mark").unlink()
    OTHERS[what](store)
    before = store.read_bytes() if store.is_file() else b""
    said = refused(daemon)
    assert f"the store {store} is damaged" in said
    assert "aster-sidecar store new" in said
    assert found_by_doctor(store)
    assert before == (store.read_bytes() if store.is_file() else b"")


def test_a_log_that_was_deleted_after_a_kill_is_missed(filled: tuple[Daemon, Counts]) -> None:
    daemon, counts = filled
    daemon.stop()
    daemon.start()
    daemon.ask("only in the log")
    daemon.kill()
    log = daemon.data_dir / "aster.db-wal"
    log.unlink()
    for _ in range(2):
        said = refused(daemon)
        assert f"write-ahead log {log} is gone" in said
        assert found_by_doctor(daemon.data_dir / "aster.db")
    (daemon.data_dir / "aster.db-mark").unlink()  # the solution that the error names
    assert check(daemon, counts) == "0 refused"


def test_an_earlier_copy_in_the_place_of_a_store_is_taken_and_no_seq_comes_twice(
    begun: tuple[Daemon, Counts], tmp_path: Path
) -> None:
    daemon, counts = begun
    daemon.stop()
    shutil.copy2(daemon.data_dir / "aster.db", tmp_path / "copy.db")
    daemon.start()
    session = next(iter(counts))
    seen = daemon.ask("in the life that is taken back", session_id=session)[-1]["seq"]
    daemon.stop()
    shutil.copy2(tmp_path / "copy.db", daemon.data_dir / "aster.db")
    daemon.start()
    assert len(daemon.history(session_id=session)) == counts[session]
    assert daemon.ask("another", session_id=session)[0]["seq"] > seen


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_is_deleted_while_it_is_open_is_noticed_and_kept(
    begun: tuple[Daemon, Counts], replaced: bool
) -> None:
    daemon, counts = begun
    store = daemon.data_dir / "aster.db"
    store.unlink()
    if replaced:
        store.write_bytes(b"")
    assert daemon.raw("GET", "/health")[1]["status"] == "degraded"
    assert daemon.call("GET", "/api/snapshot")["daemon"]["status"] == "degraded"
    session = next(iter(counts))
    refusal = daemon.refused("POST", "/api/chat", {"agent_id": "default", "message": "lost?", "session_id": session})
    assert (refusal.status, refusal.code) == (503, "store_corrupt")
    assert str(store) in refusal.body["error"]
    assert len(daemon.history(session_id=session)) == counts[session], "what was stored can still be read"
    daemon.stop()
    if replaced:
        store.unlink()
    assert "is not there" in refused(daemon)
    [saved] = json.loads(command(daemon, "store", "--json").stdout)["copies"]
    assert Path(saved["path"]).stat().st_mode & 0o077 == 0
    told = command(daemon, "store", "restore", Path(saved["path"]).name)
    assert told.returncode == 0, told.stderr
    assert check(daemon, counts) == "0 refused"


def test_a_log_that_is_deleted_while_it_is_open_is_noticed(begun: tuple[Daemon, Counts]) -> None:
    daemon, counts = begun
    (daemon.data_dir / "aster.db-wal").unlink()
    assert daemon.raw("GET", "/health")[1]["status"] == "degraded"
    body = {"agent_id": "default", "message": "lost?"}
    deadline = time.monotonic() + 30
    while "is kept in" not in daemon.refused("POST", "/api/chat", body).body["hint"]:
        assert time.monotonic() < deadline
    daemon.kill()
    assert "holds nothing" in refused(daemon), "everything was in the log"
    [saved] = json.loads(command(daemon, "store", "--json").stdout)["copies"]
    assert command(daemon, "store", "restore", saved["path"]).returncode == 0
    assert check(daemon, counts) == "0 refused"


def test_a_store_that_was_cleared_away_while_it_was_open_is_not_brought_back(begun: tuple[Daemon, Counts]) -> None:
    daemon, _ = begun
    for path in daemon.data_dir.glob("aster.db*"):
        path.unlink()
    assert daemon.raw("GET", "/health")[1]["status"] == "degraded"
    assert daemon.refused("POST", "/api/chat", {"agent_id": "default", "message": "x"}).code == "store_corrupt"
    daemon.stop()
    assert list(daemon.data_dir.glob("aster.db*")) == []
    daemon.start()
    assert daemon.call("GET", "/api/sessions")["sessions"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no file that is open")
def test_a_store_that_is_a_link_has_its_log_where_it_leads(begun: tuple[Daemon, Counts]) -> None:
    daemon, counts = begun
    daemon.stop()
    store, elsewhere = daemon.data_dir / "aster.db", daemon.home / "elsewhere"
    elsewhere.mkdir()
    store.rename(elsewhere / "history.db")
    store.symlink_to(elsewhere / "history.db")
    daemon.start()
    daemon.ask("in the log only", session_id=next(iter(counts)))
    assert not found_by_doctor(store)
    daemon.kill()
    assert not found_by_doctor(store)
    daemon.start()
    assert len(daemon.history(session_id=next(iter(counts)))) == counts[next(iter(counts))] + 2
    daemon.ask("in the log only", session_id=next(iter(counts)))
    (elsewhere / "history.db-wal").unlink()
    refusal = daemon.refused("POST", "/api/chat", {"agent_id": "default", "message": "hello"})
    assert (refusal.code, str(elsewhere / "history.db-wal") in refusal.body["error"]) == ("store_corrupt", True)


@pytest.mark.parametrize("name", ["", ".", "/", "nowhere", "x" * 300, "a\nb"])
def test_no_file_to_restore_is_said(begun: tuple[Daemon, Counts], name: str) -> None:
    daemon, counts = begun
    daemon.stop()
    told = command(daemon, "store", "restore", name)
    assert told.returncode in (1, 2)
    assert "Traceback" not in told.stderr
    assert check(daemon, counts) == "0 refused"


def test_a_running_daemon_keeps_its_store_from_being_replaced(begun: tuple[Daemon, Counts]) -> None:
    daemon, counts = begun
    told = command(daemon, "store", "new")
    assert told.returncode == 1
    assert str(daemon.data_dir) in told.stderr
    daemon.stop()
    for wrong in ("nothing", str(REPO / "pyproject.toml")):
        assert command(daemon, "store", "restore", wrong).returncode == 1
    assert check(daemon, counts) == "0 refused"


def test_a_store_whose_content_cannot_be_read_is_named(begun: tuple[Daemon, Counts]) -> None:
    """Like a file that a cloud service has removed, or a disk that fails."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace")
    daemon, counts = begun
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    reads = ["-P", str(store), "-e", "inject=pread64,read:error=EIO", "-e", "trace=pread64,read", "-o", "/dev/null"]
    argv = [strace, "-f", *reads, sys.executable, "-m", "aster_sidecar", "--port", "0", "--data-dir"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(REPO)}
    told = subprocess.run(
        [*argv, str(daemon.data_dir)], env=environment, cwd=daemon.work_dir, capture_output=True, text=True, timeout=60
    )
    if "PTRACE" in told.stderr:
        pytest.skip("processes can't be traced here")
    assert told.returncode == 6, told.stderr
    assert f"the store {store} cannot be read" in told.stderr
    assert "cloud" in told.stderr
    assert check(daemon, counts) == "0 refused"
