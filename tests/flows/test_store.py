"""Problems of the store: full, locked, damaged, or from a newer version; and the answers that clients get then."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from aster_sidecar.cli.doctor.files import store as doctor_store
from aster_sidecar.store.schema import scripts
from tests.conftest import provider_environment
from tests.flows.test_attachments import download, files, send, upload, wait_for_files
from tests.support.daemon import Daemon, text_of
from tests.support.provider import ProviderDouble, Reply, Say

REPO = Path(__file__).parent.parent.parent


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        assert os.environ.get("CI") != "true", "CI must be able to mount a tmpfs"
        pytest.skip("this container may not mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(ballast: Path) -> None:
    """Make the file longer until its disk is full."""
    with open(ballast, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def test_a_full_disk_is_said_and_nothing_is_acknowledged_that_was_not_recorded(
    small_disk: Path, tmp_path: Path, provider: ProviderDouble
) -> None:
    daemon = Daemon(small_disk, environment=provider_environment(provider))
    daemon.start()
    try:
        daemon.ask("before")
        ballast = small_disk / "ballast"
        fill(ballast)
        os.truncate(ballast, ballast.stat().st_size - 400_000)
        sent: list[str] = []
        refusals: list[str] = []
        while len(refusals) < 5:
            assert len(sent) < 500, "the disk never got full"
            body = {"agent_id": "default", "message": f"{len(sent)} " + "y" * 40_000}
            status, answer = daemon.raw("POST", "/api/chat", body)
            if status == 200:
                sent.append(answer["data"]["message_id"])
            else:
                assert (status, answer["code"]) == (503, "store_unavailable")
                refusals.append(answer["error"])
        assert sent
        assert "disk is full" in refusals[-1]
        fill(ballast)  # small texts still fitted: a failed turn's own texts are recorded
        for _ in range(500):  # the log may still have reserved space; a message that fits there is recorded and counts
            status, answer = daemon.raw("POST", "/api/chat", {"agent_id": "default", "message": "full"})
            if status == 200:
                sent.append(answer["data"]["message_id"])
                continue
            assert (status, answer["code"]) == (503, "store_unavailable")
            if daemon.raw("GET", "/health")[1]["status"] == "degraded":
                break
        else:
            raise AssertionError("/health never reported degraded")
        ballast.unlink()
        with daemon.watch() as watcher:
            while daemon.status()["state"] not in ("idle", "failed"):
                watcher.until("status_change", within_s=30)
        events = daemon.ask("after")
        assert text_of(events).endswith("after"), "with the unanswered messages before it"
        assert daemon.raw("GET", "/health")[1]["status"] == "ok"
        kept = {message["message_id"] for message in daemon.history(limit=500)}
        assert set(sent) <= kept
        users = [message for message in daemon.history(limit=500) if message["role"] == "user"]
        assert len(users) == len(sent) + 2
        ids = {turn["turn_id"] for turn in users}
        with daemon.watch(after=0) as watcher:
            watcher.until("done", turn_id=events[0]["turn_id"])
        done = [event["turn_id"] for event in watcher.of("done")]
        assert sorted(done) == sorted(ids), "every recorded turn has exactly one end"
    finally:
        daemon.stop()
    with contextlib.closing(sqlite3.connect(small_disk / "data" / "aster.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_start_and_a_way_back_on_a_full_disk_are_refused_in_words(small_disk: Path, tmp_path: Path) -> None:
    daemon = Daemon(small_disk)
    daemon.start()
    daemon.ask("before")
    daemon.stop()
    store = small_disk / "data" / "aster.db"
    backup = tmp_path / "backup.db"
    shutil.copyfile(store, backup)
    ballast = small_disk / "ballast"
    fill(ballast)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPO)}
    program = [sys.executable, "-m", "aster_sidecar"]
    serve = [*program, "--port", "0", "--data-dir", str(store.parent)]
    told = subprocess.run(serve, env=environment, capture_output=True, text=True)
    assert told.returncode == 6, told.stderr
    assert f"the store {store} cannot be opened: the disk is full" in told.stderr
    with open(small_disk / "stderr.log", "ab") as log:
        assert subprocess.run(serve, env=environment, stderr=log).returncode == 6, (
            "the exit code is right even where the error can't be written"
        )
    back = [*program, "store", "restore", str(backup), "--data-dir", str(store.parent)]
    told = subprocess.run(back, env=environment, capture_output=True, text=True)
    assert (told.returncode, "there is no room for a copy" in told.stderr) == (1, True), told.stderr
    ballast.unlink()
    daemon.start()
    assert daemon.history()[0]["text"] == "before"
    daemon.stop()


def test_a_locked_store_is_said(daemon: Daemon) -> None:
    daemon.ask("before")
    other = sqlite3.connect(daemon.data_dir / "aster.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    refusal = daemon.refused("POST", "/api/chat", {"agent_id": "default", "message": "during"})
    other.execute("ROLLBACK")
    other.close()
    assert (refusal.status, refusal.code) == (503, "store_unavailable")
    assert "locked" in refusal.body["error"]
    assert daemon.ask("after")[-1]["data"]["stop_reason"] == "complete"
    assert [message["text"] for message in daemon.history() if message["role"] == "user"] == ["before", "after"]


def refuses_to_start(daemon: Daemon) -> str:
    with pytest.raises(AssertionError, match="did not start: exit 6"):
        daemon.start()
    return daemon.log


def test_a_damaged_store_is_refused_and_left_alone(daemon: Daemon) -> None:
    daemon.ask("before")
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    for extra in daemon.data_dir.glob("aster.db-*"):
        extra.unlink()
    damaged = b"not a database, " * 1000
    store.write_bytes(damaged)
    assert "damaged" in refuses_to_start(daemon)
    assert store.read_bytes() == damaged


def test_a_newer_store_is_refused_and_left_alone(daemon: Daemon) -> None:
    daemon.ask("before")
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store:
        store.execute("PRAGMA user_version=99")
    assert "newer version" in refuses_to_start(daemon)
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store:
        assert store.execute("SELECT count(*) FROM messages").fetchone() == (2,)


def test_one_data_directory_has_one_daemon(daemon: Daemon, launch: Callable[..., Daemon]) -> None:
    second = Daemon(daemon.home)
    with pytest.raises(AssertionError, match="exit 3") as refusal:
        second.start()
    assert f"127.0.0.1:{daemon.port}" in str(refusal.value)
    assert daemon.ask("still here")[-1]["type"] == "done"


def test_a_taken_port_is_said(daemon: Daemon, launch: Callable[..., Daemon]) -> None:
    with pytest.raises(AssertionError, match="exit 4"):
        launch("b", port=daemon.port)


def test_the_store_is_for_its_owner_only(daemon: Daemon) -> None:
    daemon.ask("private")
    for path in daemon.data_dir.glob("aster.*"):
        assert path.stat().st_mode & 0o077 == 0, path.name
    assert daemon.data_dir.stat().st_mode & 0o077 == 0


def test_a_stop_ends_a_running_turn_as_interrupted_and_keeps_its_text(real: Daemon, provider: ProviderDouble) -> None:
    import threading

    provider.script(Reply([Say("words that stop", chunk=6)], gate=threading.Event(), gate_at=1))
    with real.watch() as watcher:
        real.chat("talk")
        cursor = watcher.until("text_chunk")[-1]["seq"]
        assert real.stop(within_s=30) == 0
        assert watcher.ended(20)
    real.start()
    with real.watch(after=cursor) as watcher:
        assert watcher.until("done")[-1]["data"]["stop_reason"] == "interrupted"
    answer = real.history()[-1]
    assert (answer["status"], answer["text"]) == ("interrupted", "words ")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("name", ["aster.db", "aster.db-mark", "aster.lock"])
def test_a_file_that_this_user_may_not_write_is_named(daemon: Daemon, name: str) -> None:
    daemon.ask("hello")
    daemon.stop()
    shut = daemon.data_dir / name
    shut.chmod(0o400)
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    environment = {"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(REPO)}
    program = [*plain, sys.executable, "-m", "aster_sidecar"]
    flags = ["--data-dir", str(daemon.data_dir)]
    told = subprocess.run([*program, *flags, "--port", "0"], env=environment, capture_output=True, text=True)
    assert told.returncode == 6
    assert str(shut) in told.stderr
    told = subprocess.run([*program, "doctor", "--no-model", *flags], env=environment, capture_output=True, text=True)
    assert told.returncode == 1
    assert f"{shut} can't be written by this user" in told.stdout
    assert f"chmod u+rw {shut}," in told.stdout
    shut.chmod(0o600)
    daemon.start()
    assert len(daemon.history()) == 2


def test_a_first_message_that_could_not_be_recorded_leaves_nothing_behind(
    real: Daemon, provider: ProviderDouble
) -> None:
    other = sqlite3.connect(real.data_dir / "aster.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    assert real.refused("POST", "/api/chat", {"agent_id": "default", "message": "lost"}).status == 503
    other.execute("ROLLBACK")
    other.close()
    assert text_of(real.ask("kept")) == "You said: kept"
    assert [message["text"] for message in real.history()] == ["kept", "You said: kept"]
    assert "lost" not in str(provider.requests[-1].body)


def test_a_cleared_conversation_is_not_sent_to_the_model_again(real: Daemon, provider: ProviderDouble) -> None:
    real.ask("secret one")
    with ThreadPoolExecutor(8) as pool:
        cleared = pool.submit(real.raw, "DELETE", "/api/history", None, agent_id="default")
        chats = [
            pool.submit(real.raw, "POST", "/api/chat", {"agent_id": "default", "message": f"m{n}"}) for n in range(6)
        ]
    status = cleared.result()[0]
    assert all(chat.result()[0] in (200, 409) for chat in chats)
    events = real.ask("last")
    assert events[-1]["data"]["stop_reason"] == "complete"
    if status == 200:
        last = next(request for request in provider.requests if request.last_user_text == "last")
        assert "secret one" not in str(last.body)


# -- updates -----------------------------------------------------------------------------------------------------------


def age(daemon: Daemon, schema: int) -> Path:
    """Put the store back to an earlier schema with its conversations, as an earlier version would have left it."""
    store = daemon.data_dir / "aster.db"
    now = daemon.data_dir / "aster.db.now"
    store.rename(now)
    (daemon.data_dir / "aster.db-mark").unlink()
    with contextlib.closing(apsw.Connection(str(store))) as old:
        old.create_scalar_function("fold", lambda *texts: str(texts[0]).lower(), 1)
        old.execute("PRAGMA journal_mode=WAL")
        for number, script in enumerate(scripts()[:schema], 1):
            old.execute(script.read_text("utf-8"))
            old.execute(f"PRAGMA user_version={number}")
        old.execute("ATTACH ? AS now", (str(now),))
        for (table,) in old.execute("SELECT name FROM main.sqlite_schema WHERE type='table'").fetchall():
            if not str(table).startswith("sqlite_"):
                names = ", ".join(str(row[1]) for row in old.execute(f"PRAGMA main.table_info({table})").fetchall())
                old.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")
    now.unlink()
    return store


def schema_of(store: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as rows:
        return rows.execute("PRAGMA user_version").fetchone()[0]


def messages_in(store: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as rows:
        return [row[0] for row in rows.execute("SELECT text FROM messages ORDER BY n")]


def copies_of(store: Path) -> list[str]:
    return sorted(path.name for path in store.parent.glob("aster.db.*"))


def test_a_store_is_copied_before_each_update_and_the_newest_two_are_kept(daemon: Daemon) -> None:
    daemon.ask("before the update")
    told = [message["text"] for message in daemon.history()]
    for schema in (1, 2, 3):
        daemon.stop()
        store = age(daemon, schema)
        daemon.start()
        assert [message["text"] for message in daemon.history()] == told
        copy = store.with_name(f"aster.db.before-{schema + 1:04}")
        assert (schema_of(copy), messages_in(copy)) == (schema, told)
        assert copy.stat().st_mode & 0o077 == 0
    assert copies_of(store) == ["aster.db.before-0003", "aster.db.before-0004"]
    found = doctor_store(store, None)
    assert found.status == "ok"
    assert "aster.db.before-0004" in found.detail
    assert not list(store.parent.glob("*.part*"))
    daemon.stop()
    daemon.start()
    assert copies_of(store) == ["aster.db.before-0003", "aster.db.before-0004"], "without an update, nothing is copied"


def test_a_store_with_nothing_in_it_is_not_copied(daemon: Daemon) -> None:
    daemon.stop()
    store = age(daemon, 3)
    daemon.start()
    daemon.ask("hello")
    assert copies_of(store) == []


def test_an_update_that_fails_half_way_leaves_the_store_as_it_was(daemon: Daemon) -> None:
    daemon.ask("before the update")
    told = [message["text"] for message in daemon.history()]
    daemon.stop()
    store = age(daemon, 3)
    with contextlib.closing(sqlite3.connect(store)) as rows:  # update 5, after update 4, adds this too
        rows.execute("ALTER TABLE rules ADD COLUMN due_s REAL")
    copy = store.with_name("aster.db.before-0004")
    made: list[int] = []
    for _ in range(2):
        said = refuses_to_start(daemon)
        assert f"the store {store} could not be updated" in said
        assert f"a copy of it is {copy}" in said
        assert (schema_of(store), messages_in(store)) == (3, told)
        assert (schema_of(copy), messages_in(copy)) == (3, told)
        made.append(copy.stat().st_ino)
        tables = {row[0] for row in sqlite3.connect(store).execute("SELECT name FROM sqlite_schema")}
        assert "folded_texts" not in tables, "update 4 has been undone"
    assert made[0] == made[1], "one store is not copied again at each try"
    with contextlib.closing(sqlite3.connect(store)) as rows:
        rows.execute("ALTER TABLE rules DROP COLUMN due_s")
    daemon.start()
    assert [message["text"] for message in daemon.history()] == told


def test_an_update_without_room_for_a_copy_changes_nothing(small_disk: Path) -> None:
    daemon = Daemon(small_disk)
    daemon.start()
    daemon.ask("before the update")
    daemon.stop()
    store = age(daemon, 3)
    said = refuses_to_start(daemon)
    assert "free" in said
    assert f"the store {store} is not updated" in said
    assert schema_of(store) == 3
    assert copies_of(store) == []


def test_a_person_can_go_back_to_the_version_before(daemon: Daemon) -> None:
    daemon.ask("before the update")
    daemon.stop()
    store = age(daemon, 3)
    daemon.start()
    daemon.ask("after it")
    daemon.stop()
    with contextlib.closing(sqlite3.connect(store)) as newer:
        newer.execute("PRAGMA user_version=99")
    said = refuses_to_start(daemon)
    assert "newer version" in said
    way = "aster-sidecar store restore aster.db.before-0004"
    assert way in said
    environment = {"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(REPO)}
    words = [*way.split()[1:], "--data-dir", str(daemon.data_dir)]
    subprocess.run([sys.executable, "-m", "aster_sidecar", *words], env=environment, check=True)
    daemon.start()
    assert [message["text"] for message in daemon.history() if message["role"] == "user"] == ["before the update"]


def test_an_upload_to_a_full_disk_is_refused_in_words_and_leaves_nothing(small_disk: Path) -> None:
    daemon = Daemon(small_disk)
    daemon.start()
    try:
        kept = upload(daemon, b"kept")
        refused = send(daemon, os.urandom(4 << 20))
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert "No space left on device" in refused.json()["error"]
        assert "free some space" in refused.json()["hint"]
        wait_for_files(daemon, [kept["sha256"]])
        assert download(daemon, kept["attachment_id"]).content == b"kept"
        after = upload(daemon, b"after")
        assert {path.name for path in files(daemon)} == {kept["sha256"], after["sha256"]}
    finally:
        daemon.stop()
