"""Resources and prompts of MCP servers that a person takes into a message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import provider_environment
from tests.flows.test_attachments import download
from tests.flows.test_mcp_managed import add, lives, running
from tests.support.daemon import Daemon, Json
from tests.support.provider import ProviderDouble

pytest.importorskip("mcp")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "living"
    place.mkdir()
    return place


@pytest.fixture
def daemon(launch: Callable[..., Daemon], provider: ProviderDouble) -> Daemon:
    return launch(environment=provider_environment(provider))


def read(daemon: Daemon, uri: str, **more: Any) -> list[Json]:
    answer = daemon.call("POST", "/api/mcp/living/read", {"uri": uri, **more})
    assert answer["text"] == ""
    return answer["attachments"]


def content(daemon: Daemon, info: Json) -> bytes:
    return download(daemon, info["attachment_id"]).content


def failed(daemon: Daemon, path: str, body: Json) -> str:
    """The message of a call that the server fails."""
    refusal = daemon.refused("POST", f"/api/mcp/living/{path}", body)
    assert (refusal.status, refusal.code) == (502, "mcp_failed")
    return refusal.body["error"]


def test_a_resource_is_attached_to_a_message(daemon: Daemon, home: Path, provider: ProviderDouble) -> None:
    add(daemon, home)
    [note] = read(daemon, "notes://one")
    assert (note["name"], note["media_type"]) == ("one", "text/plain")
    assert content(daemon, note) == b"The first note."
    provider.script("Read.")
    daemon.ask("what does it say?", attachments=[{"attachment_id": note["attachment_id"]}])
    assert "The first note." in json.dumps(provider.requests[-1].body)
    both = read(daemon, "notes://both")
    assert [(one["name"], content(daemon, one)) for one in both] == [("a.txt", b"A"), ("b.bin", b"\0\1\2")]


def test_a_prompt_is_text_and_attachments_with_its_arguments(daemon: Daemon, home: Path) -> None:
    add(daemon, home)
    body = {"prompt": "greet", "arguments": {"who": "Ada"}}
    answer = daemon.call("POST", "/api/mcp/living/prompt", body)
    assert answer["text"] == "Greet Ada.\n\n[greeting.md: notes://greeting.md]"
    assert [(one["name"], content(daemon, one)) for one in answer["attachments"]] == [("greeting.md", b"# Be kind")]


def test_what_a_server_refuses_is_an_error_that_says_why(daemon: Daemon, home: Path) -> None:
    add(daemon, home)
    for path, body, words in (
        ("read", {"uri": "notes://other"}, "the MCP server living: no resource notes://other"),
        ("read", {"uri": "notes://empty"}, "the MCP server living: the resource is empty"),
        ("prompt", {"prompt": "greet"}, "the MCP server living: no prompt greet for None"),
        ("prompt", {"prompt": "other", "arguments": {"who": "x"}}, "the MCP server living: no prompt other for x"),
    ):
        assert failed(daemon, path, body) == words
    assert daemon.refused("POST", "/api/mcp/other/read", {"uri": "a"}).code == "mcp_not_found"
    body = {"uri": "notes://one", "session_id": "ses_none"}
    assert daemon.refused("POST", "/api/mcp/living/read", body).code == "session_not_found"
    assert daemon.refused("POST", "/api/mcp/living/read", {"uri": ""}).code == "invalid_shape"
    assert read(daemon, "notes://one"), "the server is used after its refusals"


def test_a_server_that_is_off_is_not_started(daemon: Daemon, home: Path) -> None:
    add(daemon, home)
    daemon.call("PATCH", "/api/mcp/living", {"enabled": False})
    assert failed(daemon, "read", {"uri": "notes://one"}) == "the MCP server living is turned off"
    assert running(home) == []


def test_a_server_that_does_not_answer_is_an_error_after_its_time(daemon: Daemon, home: Path) -> None:
    add(daemon, home, timeout_s=1)
    assert "the MCP server living did not answer within 1 s" in failed(daemon, "read", {"uri": "notes://hangs"})


def test_a_server_that_does_not_run_is_started(daemon: Daemon, home: Path) -> None:
    add(daemon, home)
    daemon.restart()
    assert read(daemon, "notes://one")[0]["size"] == len("The first note.")


def test_a_server_with_a_mistake_in_its_table_is_not_started(daemon: Daemon, home: Path) -> None:
    add(daemon, home)
    daemon.kill()
    config = daemon.data_dir / "config.toml"
    config.write_text(config.read_text() + "[mcp.living.roots]\na = 1\n")
    before = set(lives(home))
    daemon.start()
    assert "[mcp.living] roots" in failed(daemon, "read", {"uri": "notes://one"})
    assert set(lives(home)) == before


def test_the_server_works_in_the_folder_of_the_session(daemon: Daemon, home: Path, tmp_path: Path) -> None:
    add(daemon, home)
    folder = tmp_path / "project"
    folder.mkdir()
    session = daemon.call("POST", "/api/sessions", {"agent_id": "default", "work_dir": str(folder)})
    [note] = read(daemon, "notes://roots", session_id=session["session_id"])
    assert json.loads(content(daemon, note)) == [folder.as_uri(), home.as_uri()]
