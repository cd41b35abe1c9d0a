"""Which process is the daemon of a data directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aster_sidecar.cli.chat import daemon_process
from aster_sidecar.cli.chat.connection import Unreachable
from aster_sidecar.cli.chat.daemon_process import connect, find, wait_for
from aster_sidecar.daemon import lock_holder
from aster_sidecar.services.process_facts import started_at

STATE = {
    "url": "http://127.0.0.1:9527",
    "pid": os.getpid(),
    "instance_id": "instance_1",
    "framework": "electron",
    "version": "1.0",
    "token": True,
}


def written(data_dir: Path, **changes: object) -> Path:
    state = {**STATE, "started_at": started_at(os.getpid()), **changes}
    (data_dir / "sidecar.json").write_text(json.dumps(state), "utf-8")
    return data_dir


def test_a_process_that_started_when_the_file_says_is_the_daemon(tmp_path: Path) -> None:
    found = find(written(tmp_path))
    assert found is not None
    assert (found.url, found.instance_id, found.needs_token) == ("http://127.0.0.1:9527", "instance_1", True)
    assert found.words == f"pid {os.getpid()}, electron, http://127.0.0.1:9527"


@pytest.mark.parametrize("changes", [{"started_at": 1.0}, {"started_at": None}, {"pid": "x"}, {"pid": 2**22 + 1}])
def test_another_process_with_its_pid_is_not(tmp_path: Path, changes: dict[str, object]) -> None:
    assert find(written(tmp_path, **changes)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "[" * 100_000])
def test_a_file_that_can_not_be_read_is_no_daemon(tmp_path: Path, text: str) -> None:
    assert find(tmp_path) is None
    (tmp_path / "sidecar.json").write_text(text)
    assert find(tmp_path) is None


def test_a_token_is_for_a_daemon_that_needs_one(tmp_path: Path) -> None:
    found = find(written(tmp_path, token=False))
    assert found is not None
    assert "Authorization" not in connect(found, tmp_path, "secret")._headers()
    found = find(written(tmp_path))
    assert found is not None
    connection = connect(found, tmp_path, "secret")
    assert connection._headers() == {"Authorization": "Bearer secret"}
    assert connection._relocate() == ("http://127.0.0.1:9527", "instance_1", "secret")
    (tmp_path / "sidecar.json").unlink()
    with pytest.raises(Unreachable, match="no daemon is running for"):
        connection._relocate()


def begun(data_dir: Path) -> subprocess.Popen[bytes]:
    """A process that holds the lock of a data directory, as a daemon does during its start."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = lock_holder.Holder(process.pid, started_at(process.pid) or 0.0, "2026-01-01T00:00:00Z")
    (data_dir / lock_holder.LOCK_NAME).write_text(lock_holder.written(holder), "utf-8")
    return process


def test_a_daemon_that_starts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = begun(tmp_path)
    pauses = iter([lambda: None, lambda: written(tmp_path)])
    monkeypatch.setattr(daemon_process.time, "sleep", lambda _: next(pauses)())
    try:
        found = wait_for(tmp_path)
        assert found is not None
        assert found.instance_id == "instance_1"
    finally:
        process.communicate(b"\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_no_daemon_is_waited_for_that_does_not_start(tmp_path: Path) -> None:
    assert wait_for(tmp_path) is None
    process = begun(tmp_path)
    process.send_signal(signal.SIGSTOP)
    try:
        assert wait_for(tmp_path) is None
    finally:
        process.kill()
        process.communicate()
    assert wait_for(tmp_path, 0.01) is None, "and it is gone now"
