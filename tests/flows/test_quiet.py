"""What a daemon prints on its terminal: its own lines, and none of a library."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.daemon import WAIT_S, Daemon

if sys.platform == "win32":
    pytest.skip("no pseudo-terminals", allow_module_level=True)

import pty


def test_no_library_advertises_on_the_terminal(tmp_path: Path) -> None:
    # PYTEST_VERSION, CI and similar variables suppress a library's banner, so the daemon gets a clean environment.
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {
        "ASTER_MODEL": "demo:instant",
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        "TERM": "xterm-256color",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "aster_sidecar",
            "--framework",
            "web",
            "--port",
            "0",
            "--data-dir",
            str(tmp_path / "data"),
        ],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = bytearray()
    listening, ended = threading.Event(), threading.Event()

    def read() -> None:
        try:
            while data := os.read(ours, 4096):
                written.extend(data)
                if b"listens on http://" in written and b"\n" in written.partition(b"listens on ")[2]:
                    listening.set()
        except OSError:  # the other end is closed
            pass
        ended.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert listening.wait(WAIT_S), written
        daemon = Daemon(tmp_path, url=written.decode().split("listens on ")[1].split()[0])
        daemon.call("GET", "/api/tools")
        said_at_start = len(written)
        assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
    finally:
        process.terminate()
        process.wait(WAIT_S)
    assert ended.wait(WAIT_S)
    os.close(ours)
    assert "pydantic" not in written.decode("utf-8", "replace").lower()
    said = written[said_at_start:].decode("utf-8", "replace").splitlines()
    assert said == []
