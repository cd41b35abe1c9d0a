"""The database of kept contents: what goes in comes out, what is old goes, and a damaged one is replaced."""

from __future__ import annotations

import logging
import os
import random
import stat
import threading
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from aster_sidecar import clock
from aster_sidecar.errors import StoreError
from aster_sidecar.store import kept_files
from aster_sidecar.store.kept_files import DAY_S, IndexRow, KeptFiles


def opened(folder: Path) -> KeptFiles:
    files = KeptFiles(folder)
    files.open()
    return files


@pytest.fixture
def files(tmp_path: Path) -> KeptFiles:
    return opened(tmp_path)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def row(path: bytes, sha256: str | None, size: int = 1) -> IndexRow:
    return IndexRow(path, "file", size, 2, 3, 4, 0o644, sha256, None)


class Time:
    """A clock that a test sets."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        self.wall = timedelta()
        now = clock.now()
        patch.setattr(clock, "real_s", lambda: self.seconds)
        patch.setattr(clock, "now", lambda: now + self.wall)
        patch.setattr(clock, "boot", lambda: "this boot")

    def pass_days(self, days: float) -> None:
        self.seconds += days * DAY_S
        self.wall += timedelta(days=days)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


# -- contents ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"a", b"text " * 10_000, noise(100_000), bytes(1 << 20)])
def test_what_is_kept_comes_back(files: KeptFiles, content: bytes) -> None:
    sha256 = files.keep(content)
    assert files.has(sha256)
    assert files.read(sha256) == content


def test_the_same_content_is_stored_once(files: KeptFiles, tmp_path: Path) -> None:
    contents = [noise(1 << 20), b"b", noise(1 << 20)]
    assert files.keep_all(contents) == [files.keep(content) for content in contents]
    files.close()
    assert (tmp_path / "ledger.db").stat().st_size < 1.2 * (1 << 20)


def test_text_is_compressed(files: KeptFiles, tmp_path: Path) -> None:
    files.keep(b"the same line again\n" * 100_000)
    files.close()
    assert (tmp_path / "ledger.db").stat().st_size < 200_000


def test_the_database_is_for_its_user_only(files: KeptFiles, tmp_path: Path) -> None:
    files.keep(b"a")
    found = list(tmp_path.glob("ledger.db*"))
    assert len(found) == 3
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}


def test_contents_outlive_a_restart(files: KeptFiles, tmp_path: Path) -> None:
    sha256 = files.keep(b"a")
    files.close()
    assert opened(tmp_path).read(sha256) == b"a"


def test_what_was_never_kept_can_not_be_read(files: KeptFiles) -> None:
    assert not files.has("ab" * 32)
    with pytest.raises(StoreError, match="not kept any more"):
        files.read("ab" * 32)


def test_threads_take_turns(files: KeptFiles) -> None:
    contents = [noise(5000, seed) for seed in range(200)]
    failed: list[Exception] = []

    def work(part: int) -> None:
        try:
            for sha256, content in zip(files.keep_all(contents[part::4]), contents[part::4], strict=True):
                assert files.read(sha256) == content
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


# -- the index ---------------------------------------------------------------------------------------------------------


def test_the_index_of_a_folder_comes_back(files: KeptFiles, tmp_path: Path) -> None:
    rows = [row(b"a", files.keep(b"a")), row(b"\xff/b", None, size=1 << 40)]
    files.record(b"/folder", rows)
    files.record(b"/other", [row(b"a", None)])
    files.close()
    files = opened(tmp_path)
    assert sorted(files.index(b"/folder")) == sorted(rows)
    files.record(b"/folder", [row(b"c", None)], [b"a"])
    assert sorted(one.path for one in files.index(b"/folder")) == [b"c", b"\xff/b"]
    assert [one.path for one in files.index(b"/other")] == [b"a"]
    assert files.index(b"/unknown") == []


# -- trimming ----------------------------------------------------------------------------------------------------------


def test_the_oldest_go_and_their_space_comes_back(time: Time, files: KeptFiles, tmp_path: Path) -> None:
    hashes: list[str] = []
    for seed in range(20):
        hashes.append(files.keep(noise(1 << 20, seed)))
        time.pass_days(0.1)
    files.use(hashes[:1])
    files.trim(most_bytes=5 << 20)
    left = [hashes.index(sha256) for sha256 in hashes if files.has(sha256)]
    assert left == [0, 17, 18, 19]
    assert (tmp_path / "ledger.db").stat().st_size < 6 << 20
    assert (tmp_path / "ledger.db-wal").stat().st_size == 0
    assert files.trimmed > 0


def test_what_was_not_used_for_long_goes(time: Time, files: KeptFiles) -> None:
    old = files.keep(b"old")
    time.pass_days(20)
    new = files.keep(b"new")
    time.pass_days(11)
    files.trim()
    assert (files.has(old), files.has(new)) == (False, True)


def test_the_contents_of_a_folder_in_use_stay(time: Time, files: KeptFiles) -> None:
    indexed, other = files.keep(noise(1 << 20, 1)), files.keep(noise(1 << 20, 2))
    time.pass_days(40)
    files.record(b"/folder", [row(b"a", indexed)])
    files.trim(most_bytes=(1 << 20) + 4096)
    assert (files.has(indexed), files.has(other)) == (True, False)
    files.trim(most_bytes=1000)  # nothing else can be deleted
    assert not files.has(indexed)
    assert files.index(b"/folder") == []  # the file is read again


def test_a_folder_that_is_not_used_protects_nothing(time: Time, files: KeptFiles) -> None:
    first, second = files.keep(noise(1 << 20, 1)), ""
    files.record(b"/folder", [row(b"a", first)])
    time.pass_days(2)
    second = files.keep(noise(1 << 20, 2))
    files.trim(most_bytes=(1 << 20) + 4096)
    assert (files.has(first), files.has(second)) == (False, True)
    time.pass_days(29)
    files.trim()
    assert files.index(b"/folder") == []


@pytest.mark.parametrize("days", [-4000, 4000])
def test_a_wall_clock_that_was_set_deletes_nothing(
    time: Time, files: KeptFiles, tmp_path: Path, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = files.keep(b"a")
    time.wall += timedelta(days=days)
    files.trim()
    assert files.has(sha256)
    files.close()
    time.seconds = 5.0  # the machine was started again, with another clock
    monkeypatch.setattr(clock, "boot", lambda: "another boot")
    time.wall = timedelta(days=2 * days)
    files = opened(tmp_path)
    files.trim()
    assert files.has(sha256)
    time.pass_days(31)
    files.trim()
    assert not files.has(sha256)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["not a database", "another schema", "another program", "no clock"])
def test_a_file_that_can_not_be_used_is_moved_aside(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ledger.db"
    files = opened(tmp_path)
    files.keep(b"a")
    files.close()
    if damage == "not a database":
        path.write_bytes(b"x" * 5000)
    else:
        if damage == "another program":
            path.unlink()
        connection = apsw.Connection(str(path))
        statements = {"another schema": "PRAGMA user_version=99", "no clock": "DELETE FROM clock"}
        connection.execute(statements.get(damage, "CREATE TABLE theirs (a)"))
        connection.close()
    before = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        files = opened(tmp_path)
    assert files.notice is not None
    assert "can't be undone" in files.notice
    assert "ledger.db.damaged" in caplog.text
    assert path.with_name("ledger.db.damaged").read_bytes() == before
    assert files.read(files.keep(b"b")) == b"b"


def test_damage_that_shows_later_begins_a_new_database(files: KeptFiles, tmp_path: Path) -> None:
    sha256 = files.keep(noise(1 << 20))
    files.close()
    path = tmp_path / "ledger.db"
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = noise(200, page)
    path.write_bytes(data)
    files = KeptFiles(tmp_path)
    with pytest.raises(StoreError, match="not kept any more"):
        files.read(sha256)
    assert files.notice is not None
    assert files.read(files.keep(b"b")) == b"b"


def test_a_damaged_content_is_not_handed_out_and_can_be_kept_again(files: KeptFiles) -> None:
    content = noise(5000)
    sha256 = files.keep(content)
    files.record(b"/folder", [row(b"a", sha256)])
    connection = apsw.Connection(str(files.path))
    connection.execute("UPDATE blobs SET data=zeroblob(5000)")
    connection.close()
    with pytest.raises(StoreError, match="not kept any more"):
        files.read(sha256)
    assert files.index(b"/folder") == []
    files.keep(content)
    assert files.read(sha256) == content


def test_a_folder_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be used: No such file or directory"):
        KeptFiles(tmp_path / "gone").open()


def test_a_full_disk_is_said_in_words(files: KeptFiles) -> None:
    files.keep(b"a")
    connection = files._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchall()[0][0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="the disk is full"):
        files.keep_all([noise(100_000, 1), noise(100_000, 2)])
    connection.execute("PRAGMA max_page_count=100000")
    assert files.read(files.keep(b"b")) == b"b"


def test_a_lock_of_another_program_is_said_in_words(files: KeptFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.close()
    monkeypatch.setattr(kept_files, "LOCK_WAIT_MS", 20)
    files.open()
    connection = apsw.Connection(str(files.path))
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another program"):
        files.keep(b"a")
    connection.close()
    files.keep(b"a")
