"""The client that commands use, with servers that are not daemons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aster_sidecar.daemon.client import Client, ClientError, find


@pytest.mark.parametrize("url", ["http://example.com:80", "https://127.0.0.1:8080", "http://127.0.0.1", "file:///x"])
def test_the_client_talks_to_this_machine_only(url: str) -> None:
    with pytest.raises(ValueError, match="on this machine"):
        Client(url)


def test_what_is_no_daemon_is_not_taken_for_one(stranger: str, tmp_path: Path) -> None:
    told = {"url": stranger, "pid": 1, "instance_id": "instance_1", "token": False, "framework": "web", "started_at": 1}
    (tmp_path / "sidecar.json").write_text(json.dumps(told), "utf-8")
    assert find(tmp_path) is None
    with pytest.raises(ClientError, match="not as a daemon does"):
        Client(stranger).call("GET", "/api/agents")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"url": 5}', '{"url": "http://127.0.0.1:9"}', "[" * 100_000])
def test_a_state_file_that_makes_no_sense_is_no_daemon(text: str, tmp_path: Path) -> None:
    (tmp_path / "sidecar.json").write_text(text, "utf-8")
    assert find(tmp_path) is None


def test_nobody_there_is_an_error_with_a_remedy(nobody: int) -> None:
    with pytest.raises(ClientError) as refused:
        Client(f"http://127.0.0.1:{nobody}").call("GET", "/api/agents")
    assert (refused.value.status, refused.value.code) == (0, "unreachable")
    assert refused.value.hint is not None
