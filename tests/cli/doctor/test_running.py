"""Checks of the port, the token and the daemon, where no daemon runs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from aster_sidecar.cli.doctor import running
from aster_sidecar.daemon.client import Running

DAEMON = Running("http://127.0.0.1:9527", 1, "instance_1", True, "electron", 0.0)


def test_no_daemon_is_no_problem(tmp_path: Path) -> None:
    found = running.daemon(tmp_path, None)
    assert (found.status, found.detail) == ("ok", "none is running for this data directory")


def test_a_daemon_that_needs_a_token_is_not_asked_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ASTER_SIDECAR_TOKEN", raising=False)
    found = running.daemon(tmp_path, DAEMON)
    assert (found.status, found.remedy) == ("warning", "set ASTER_SIDECAR_TOKEN to its token")
    assert found.detail.startswith("running: pid 1, for electron, http://127.0.0.1:9527, since ")


def test_whether_there_is_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASTER_SIDECAR_TOKEN", raising=False)
    assert (running.token(None).status, running.token(DAEMON).status) == ("warning", "ok")
    monkeypatch.setenv("ASTER_SIDECAR_TOKEN", "secret")
    assert running.token(None).status == "ok"
    assert "secret" not in str(running.token(None))


def test_ports() -> None:
    assert running.port(None, None, DAEMON).detail == "the running daemon has 9527"
    assert running.port(9527, None, DAEMON).detail == "9527 is the running daemon's"
    assert running.port(70_000, None, None).status == "failed"
    assert running.port(0, None, None).status == "ok"
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        found = running.port(number, None, None)
        assert (found.status, found.remedy) == ("failed", "end that program, or pass --port 0 for a free port")
        assert str(number) in found.detail
