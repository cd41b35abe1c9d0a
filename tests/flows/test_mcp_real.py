"""MCP servers that others publish: files, git, time, and the protocol's reference server, used, killed and wedged."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import provider_environment
from tests.flows.test_mcp_managed import ask, ends, until, until_state
from tests.support.daemon import Daemon, Json
from tests.support.image_bytes import encoded, picture
from tests.support.provider import Call, ProviderDouble, Reply

PACKAGES = Path(__file__).parents[2] / "shells" / "node_modules" / ".bin"
FILES, EVERYTHING = PACKAGES / "mcp-server-filesystem", PACKAGES / "mcp-server-everything"

DOT = encoded(picture(8, 8), "PNG")

pytest.importorskip("mcp")
pytestmark = pytest.mark.skipif(
    not FILES.exists() and os.environ.get("CI") != "true", reason="it needs the npm packages of shells/"
)


@pytest.fixture
def daemon(launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path) -> Daemon:
    """A daemon with a repository as its folder."""
    daemon = launch(environment=provider_environment(provider))
    git = {"GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.environ["PATH"]}
    for command in (
        ["init", "-q"],
        ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "First", "--allow-empty"],
    ):
        subprocess.run(["git", *command], cwd=daemon.work_dir, env=git, check=True)
    return daemon


def add(daemon: Daemon, name: str, command: Path | str, *args: str, **more: Any) -> Json:
    daemon.call("PUT", f"/api/mcp/{name}", {"command": str(command), "args": list(args), "risk": "low", **more})
    return until_state(daemon, "ready", name)


def test_each_of_them_lists_its_tools_and_answers(daemon: Daemon, provider: ProviderDouble, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "far.txt").write_text("far away")
    notes = daemon.work_dir / "notes.txt"
    notes.write_text("line of notes\n" * 3000)
    assert add(daemon, "files", FILES, str(elsewhere))["tools"] >= 10
    assert add(daemon, "git", sys.executable, "-m", "mcp_server_git")["protocol"] == "2026-07-28"
    assert add(daemon, "time", sys.executable, "-m", "mcp_server_time", "--local-timezone=Europe/Berlin")["tools"] == 2
    every = add(daemon, "every", EVERYTHING)
    until(lambda: daemon.call("GET", "/api/mcp/every")["prompts"], "its prompts were not listed")
    assert any("only be called as a task" in problem for problem in every["problems"])

    def called(name: str, **arguments: Any) -> Json:
        [end] = ends(ask(daemon, provider, name, **arguments))
        assert end["outcome"] == "done", end
        return end

    # The roots are the session's folder and the directory in the arguments: both can be read.
    assert called("files_read_text_file", path=str(elsewhere / "far.txt"))["result"]["text"] == "far away"
    whole = called("files_read_text_file", path=str(notes))["result"]
    assert whole["text"] == notes.read_text()
    sent = json.dumps(provider.requests[-1].body)
    assert sent.count("line of notes") == 3000, "the text must reach the model once"

    (daemon.work_dir / "dot.png").write_bytes(DOT)
    shown = called("files_read_media_file", path=str(daemon.work_dir / "dot.png"))
    [attachment] = shown["attachments"]
    assert attachment["media_type"] == "image/png"
    assert base64.b64encode(DOT).decode() not in json.dumps(shown["result"])

    assert "notes.txt" in called("git_git_status", repo_path=str(daemon.work_dir))["result"]["text"]
    assert "First" in json.dumps(called("git_git_log", repo_path=str(daemon.work_dir))["result"])
    assert "Asia/Tokyo" in json.dumps(called("time_get_current_time", timezone="Asia/Tokyo")["result"])
    assert "5" in json.dumps(called("every_get-sum", a=2, b=3)["result"])
    assert called("every_get-tiny-image")["attachments"]
    assert "temperature" in json.dumps(called("every_get-structured-content", location="New York")["result"])
    assert daemon.work_dir.as_uri() in json.dumps(called("every_get-roots-list")["result"])

    offered = daemon.call("GET", "/api/mcp/every")
    [document] = [one for one in offered["resource_list"] if one["name"] == "features.md"]
    [features] = daemon.call("POST", "/api/mcp/every/read", {"uri": document["uri"]})["attachments"]
    assert (features["name"], features["media_type"]) == ("features.md", "text/plain")
    filled = {"prompt": "args-prompt", "arguments": {"city": "Oslo", "state": "Viken"}}
    assert "Oslo" in daemon.call("POST", "/api/mcp/every/prompt", filled)["text"]
    resource = {"prompt": "resource-prompt", "arguments": {"resourceType": "Text", "resourceId": "1"}}
    answer = daemon.call("POST", "/api/mcp/every/prompt", resource)
    assert answer["attachments"][0]["name"] in answer["text"]


def test_a_wedged_one_fails_its_own_calls_only_and_a_killed_one_is_back(
    daemon: Daemon, provider: ProviderDouble
) -> None:
    pid = add(daemon, "files", FILES, str(daemon.work_dir), timeout_s=2)["pid"]
    add(daemon, "time", sys.executable, "-m", "mcp_server_time")
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in tree:
        process.suspend()
    provider.script(
        Reply([Call("files_list_allowed_directories", {}), Call("time_get_current_time", {"timezone": "UTC"})]), "Done."
    )
    began = time.monotonic()
    found = {end["name"]: end for end in ends(daemon.ask("call both"))}
    assert "did not answer within 2 s" in found["files_list_allowed_directories"]["error"]
    assert found["time_get_current_time"]["outcome"] == "done"
    assert time.monotonic() - began < 60
    for process in tree:
        process.kill()
    until(lambda: daemon.call("GET", "/api/mcp/files")["pid"] not in (pid, None), "it was not started again")
    until_state(daemon, "ready", "files")
    [end] = ends(ask(daemon, provider, "files_list_allowed_directories"))
    assert str(daemon.work_dir) in json.dumps(end["result"])


def test_one_that_is_started_with_other_arguments_asks_again(
    daemon: Daemon, provider: ProviderDouble, tmp_path: Path
) -> None:
    add(daemon, "files", FILES, str(daemon.work_dir))
    [end] = ends(ask(daemon, provider, "files_list_allowed_directories"))
    assert end["outcome"] == "done"
    wider = daemon.call("PATCH", "/api/mcp/files", {"args": [str(daemon.work_dir), str(tmp_path)]})
    assert wider["config"]["args"][-1] == str(tmp_path)
    until_state(daemon, "ready", "files")
    provider.script(Reply([Call("files_list_allowed_directories", {})]), "Done.")
    with daemon.watch() as watcher:
        daemon.chat("call it")
        question = watcher.until("approval_required")[-1]["data"]
        assert "The configuration of the server has changed" in question["display"]
        daemon.approve(question["call_id"])
        [end] = ends(watcher.until("done"))
    assert str(tmp_path) in json.dumps(end["result"])
    assert [end["outcome"] for end in ends(ask(daemon, provider, "files_list_allowed_directories"))] == ["done"]
