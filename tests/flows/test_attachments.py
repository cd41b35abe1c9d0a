"""Files that people attach: stored once, safely named, bounded, no pages, and deleted when nothing needs them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.flows.test_damage import command
from tests.flows.test_websocket import opened
from tests.support.daemon import WAIT_S, Daemon, Json

MIB = 1024 * 1024


def send(daemon: Daemon, content: bytes | Iterator[bytes], name: str = "a.txt", **headers: str) -> httpx.Response:
    sent = {"X-Filename": quote(name, safe=""), **({} if daemon.token is None else daemon.headers()), **headers}
    return httpx.post(f"{daemon.url}/api/attachments", content=content, headers=sent, timeout=60, trust_env=False)


def upload(daemon: Daemon, content: bytes, name: str = "a.txt", **headers: str) -> Json:
    answer = send(daemon, content, name, **headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def download(daemon: Daemon, attachment_id: str) -> httpx.Response:
    return httpx.get(f"{daemon.url}/api/attachments/{attachment_id}", headers=daemon.headers(), trust_env=False)


def files(daemon: Daemon) -> list[Path]:
    return sorted(path for path in (daemon.data_dir / "attachments").rglob("*") if path.is_file())


def wait_for_files(daemon: Daemon, names: list[str]) -> None:
    """Wait until these are the only files: a part file is removed shortly after the answer."""
    deadline = time.monotonic() + WAIT_S
    while [path.name for path in files(daemon)] != sorted(names):
        assert time.monotonic() < deadline, files(daemon)
        time.sleep(0.02)


def test_a_file_is_kept_and_comes_back_as_it_was(daemon: Daemon) -> None:
    content = os.urandom(3 * MIB)
    found = upload(daemon, content, "Zürich 🙂.bin", **{"Content-Type": "image/png"})
    assert (found["name"], found["size"], found["media_type"]) == ("Zürich 🙂.bin", 3 * MIB, "application/octet-stream")
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    daemon.kill()
    daemon.start()
    back = download(daemon, found["attachment_id"])
    assert back.content == content
    assert back.headers["x-content-type-options"] == "nosniff"
    assert back.headers["content-security-policy"].startswith("sandbox")
    assert back.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote('Zürich 🙂.bin', safe='')}"
    [stored] = files(daemon)
    if os.name == "posix":
        assert stored.stat().st_mode & 0o777 == 0o600


def test_equal_contents_are_stored_once(daemon: Daemon) -> None:
    one, other = upload(daemon, b"same", "a.txt"), upload(daemon, b"same", "b.txt")
    assert one["attachment_id"] != other["attachment_id"]
    assert len(files(daemon)) == 1


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\a.txt", "a.txt"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("", "file"),
        ("..", "file"),
        ("/", "file"),
        ("\0", "file"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("é" * 200, "é" * 127),
    ],
)
def test_a_name_is_only_a_name(daemon: Daemon, given: str, name: str) -> None:
    found = upload(daemon, b"x", given)
    assert found["name"] == name
    assert download(daemon, found["attachment_id"]).status_code == 200


def test_a_name_that_is_not_utf_8_is_repaired(daemon: Daemon) -> None:
    found = upload(daemon, b"x", **{"X-Filename": "%ff%fe.txt"})
    assert found["name"].endswith(".txt")


def test_limits_hold_for_announced_and_for_unannounced_lengths(daemon: Daemon) -> None:
    most = upload(daemon, b"x" * (25 * MIB))
    assert most["size"] == 25 * MIB

    def pieces() -> Iterator[bytes]:
        for _ in range(26):
            yield b"x" * MIB

    for answer in (send(daemon, b"x" * (25 * MIB + 1)), send(daemon, pieces())):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert "25 MiB" in answer.json()["hint"]
    wait_for_files(daemon, [most["sha256"]])
    empty = send(daemon, b"")
    assert (empty.status_code, empty.json()["code"]) == (422, "invalid_shape")
    other = httpx.post(
        f"{daemon.url}/api/sessions", content=b"x", headers={"Content-Type": "image/png"}, trust_env=False
    )
    assert other.json()["code"] == "wrong_media_type", "only uploads take other types than JSON"


def test_an_unknown_id_is_not_found(daemon: Daemon) -> None:
    answer = download(daemon, "att_0")
    assert (answer.status_code, answer.json()["code"]) == (404, "attachment_not_found")


def test_a_page_of_the_app_may_send_the_name(launch: Callable[..., Daemon]) -> None:
    daemon = launch(framework="tauri")
    preflight = httpx.options(
        f"{daemon.url}/api/attachments",
        headers={
            "Origin": "tauri://localhost",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-filename",
        },
        trust_env=False,
    )
    assert "x-filename" in preflight.headers["access-control-allow-headers"]
    foreign = send(daemon, b"x", Origin="https://evil.example")
    assert foreign.json()["code"] == "origin_refused"
    assert files(daemon) == []


def test_what_a_crash_left_is_removed_and_nothing_else(daemon: Daemon) -> None:
    kept = upload(daemon, b"kept")
    folder = daemon.data_dir / "attachments"
    daemon.kill()
    (folder / ".part-0123").write_bytes(b"half")
    stray = folder / "ab" / ("ab" + "0" * 62)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"without a row")
    daemon.start()
    assert [path.name for path in files(daemon)] == [kept["sha256"]]
    assert download(daemon, kept["attachment_id"]).content == b"kept"


def test_an_unused_attachment_is_deleted_after_a_day(daemon: Daemon) -> None:
    old, new = upload(daemon, b"old"), upload(daemon, b"new")
    daemon.stop()
    with sqlite3.connect(daemon.data_dir / "aster.db") as store:
        store.execute(
            "UPDATE attachments SET expires_at='2020-01-02T00:00:00.000Z', created_at='2020-01-01T00:00:00.000Z',"
            " boot=NULL WHERE attachment_id=?",
            (old["attachment_id"],),
        )
    daemon.start()
    wait_for_files(daemon, [new["sha256"]])
    assert download(daemon, old["attachment_id"]).status_code == 404


def test_a_content_that_was_changed_is_not_sent(daemon: Daemon) -> None:
    found = upload(daemon, b"as it was")
    [path] = files(daemon)
    path.chmod(0o600)
    path.write_bytes(b"otherwise")
    answer = download(daemon, found["attachment_id"])
    assert (answer.status_code, "was changed" in answer.json()["error"]) == (503, True)


def test_a_folder_that_can_not_be_written_is_named(daemon: Daemon) -> None:
    (daemon.data_dir / "attachments").write_text("in the way")
    answer = send(daemon, b"x")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "attachments" in json.dumps(answer.json())


# -- uploads and downloads that do not end as they should --------------------------------------------------------------


def begun(daemon: Daemon, *lines: str, content: bytes = b"") -> socket.socket:
    """A connection with a request that was sent, and perhaps not all of its body."""
    connection = socket.create_connection(("127.0.0.1", daemon.port))
    connection.sendall("\r\n".join((*lines, f"Host: 127.0.0.1:{daemon.port}", "", "")).encode() + content)
    return connection


UPLOAD = ("POST /api/attachments HTTP/1.1", "Content-Length: 1000000")


def wait_for_parts(daemon: Daemon, count: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while len([path for path in files(daemon) if path.name.startswith(".part-")]) != count:
        assert time.monotonic() < deadline, files(daemon)
        time.sleep(0.02)


def test_an_upload_that_is_cut_off_leaves_no_file_and_is_no_error_of_the_daemon(daemon: Daemon) -> None:
    connections = [begun(daemon, *UPLOAD, content=b"x" * 9000) for _ in range(3)]
    connections.append(begun(daemon, UPLOAD[0], "Transfer-Encoding: chunked", content=b"5\r\nhello\r\n"))
    wait_for_parts(daemon, 4)
    for connection in connections:
        connection.close()
    wait_for_files(daemon, [])
    daemon.stop()
    assert "ERROR" not in daemon.log


def test_a_stop_ends_uploads_at_once(daemon: Daemon) -> None:
    connections = [begun(daemon, *UPLOAD, content=b"x" * 9000) for _ in range(3)]
    wait_for_parts(daemon, 3)
    daemon.stop()
    for connection in connections:
        with connection:
            answer = connection.recv(65536)
            assert b" 503 " in answer
            assert b'"stopping"' in answer
    assert files(daemon) == []
    assert "ERROR" not in daemon.log


@pytest.mark.skipif(sys.platform != "linux", reason="the memory is read from /proc")
def test_downloads_that_are_read_slowly_need_little_memory(daemon: Daemon) -> None:
    found = upload(daemon, os.urandom(MIB) * 25)

    def peak_bytes() -> int:
        assert daemon.process is not None
        lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

    before = peak_bytes()
    connections = [begun(daemon, f"GET /api/attachments/{found['attachment_id']} HTTP/1.1") for _ in range(20)]
    for connection in connections:
        assert connection.recv(20).startswith(b"HTTP/1.1 200"), "each has begun"
    assert peak_bytes() - before < 100 * MIB
    for connection in connections:
        connection.close()
    assert len(download(daemon, found["attachment_id"]).content) == 25 * MIB


def test_a_file_is_not_uploaded_over_a_websocket(daemon: Daemon) -> None:
    with opened(daemon) as client:
        answer = client.answer(client.send("request", method="POST", path="/api/attachments", body={"a": 1}))
    assert (answer["status"], answer["code"]) == (422, "invalid_shape")
    assert "HTTP" in answer["hint"]
    assert files(daemon) == []


# -- what else is in the folder, or in a row ---------------------------------------------------------------------------


def replace_by_link(path: Path) -> None:
    elsewhere = path.parent.parent.parent / "elsewhere"
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(elsewhere)


def replace_by_endless_file(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and links")
@pytest.mark.parametrize("replace", [replace_by_link, replace_by_endless_file, replace_by_fifo, replace_by_directory])
def test_only_a_plain_file_is_read(daemon: Daemon, replace: Callable[[Path], None]) -> None:
    found = upload(daemon, b"as it was")
    replace(files(daemon)[0])
    answer = download(daemon, found["attachment_id"])
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    with daemon.watch() as watcher:
        turn = daemon.chat("Read it.", attachments=[{"attachment_id": found["attachment_id"]}])
        assert watcher.until("done", turn_id=turn["turn_id"])[-1]["data"]["stop_reason"] == "complete"


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_folder_that_leads_elsewhere_loses_no_other_file(daemon: Daemon, tmp_path: Path) -> None:
    daemon.stop()
    elsewhere = tmp_path / "elsewhere"
    mine = elsewhere / "ab" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    (elsewhere / ".part-x").mkdir()
    (daemon.data_dir / "attachments").symlink_to(elsewhere)
    daemon.start()
    found = upload(daemon, b"x")
    assert download(daemon, found["attachment_id"]).content == b"x"
    assert mine.read_text() == "mine"


def test_another_store_finds_its_files_when_it_is_restored(daemon: Daemon) -> None:
    found = upload(daemon, b"of the first store")
    daemon.stop()
    assert command(daemon, "store", "new").returncode == 0
    daemon.start()
    assert download(daemon, found["attachment_id"]).status_code == 404
    daemon.stop()
    [aside] = [path for path in daemon.data_dir.glob("aster.db.aside-*") if path.suffix.count("-") == 1]
    assert command(daemon, "store", "restore", str(aside)).returncode == 0
    daemon.start()
    assert download(daemon, found["attachment_id"]).content == b"of the first store"


def change_row(daemon: Daemon, sql: str, attachment_id: str) -> None:
    daemon.stop()
    with sqlite3.connect(daemon.data_dir / "aster.db") as store:
        store.execute(f"UPDATE attachments SET {sql} WHERE attachment_id=?", (attachment_id,))
    daemon.start()


def test_a_damaged_row_keeps_no_other_file_and_removes_none(daemon: Daemon) -> None:
    other = daemon.data_dir / "other"
    other.write_text("not an attachment")
    damaged, old = upload(daemon, b"damaged"), upload(daemon, b"old")
    change_row(daemon, "sha256='../other', created_at='x', boot=NULL", damaged["attachment_id"])
    over = "created_at='2020-01-01T00:00:00.000Z', expires_at='2020-01-02T00:00:00.000Z', boot=NULL"
    change_row(daemon, over, old["attachment_id"])
    wait_for_files(daemon, [])
    assert download(daemon, damaged["attachment_id"]).status_code == 404
    assert other.read_text() == "not an attachment"


@pytest.mark.parametrize("sql", ["name=CAST(x'ff' AS TEXT)", "media_type=CAST(x'ff' AS TEXT)"])
def test_a_damaged_row_is_an_error_in_words(daemon: Daemon, sql: str) -> None:
    found = upload(daemon, b"x")
    change_row(daemon, sql, found["attachment_id"])
    answer = download(daemon, found["attachment_id"])
    assert (answer.status_code, answer.json()["code"]) == (503, "store_corrupt")
    body = {"agent_id": "default", "message": "m", "attachments": [{"attachment_id": found["attachment_id"]}]}
    assert daemon.refused("POST", "/api/chat", body).code == "store_corrupt"
