"""Tools of an MCP server of the user's configuration, in the real daemon: listed, asked for, run, gone with it."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import provider_environment
from tests.flows.test_cli import ask, examined
from tests.flows.test_life import wait_gone
from tests.support.daemon import WAIT_S, Daemon, Json, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say

SERVER = Path(__file__).parent.parent / "support" / "mcp_server.py"


GOOD = f'[mcp.good]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\n'
SLOW = '[mcp.slow]\ncommand = "sh"\nargs = ["-c", "exec sleep 600"]\n'
"""A server that never answers."""
LATE = "the MCP server slow has not answered yet"


def later(flag: Path) -> str:
    """A server that answers once a file is there."""
    script = f"until [ -e {shlex.quote(str(flag))} ]; do sleep 0.05; done; exec {sys.executable} {SERVER}"
    return f'[mcp.slow]\ncommand = "sh"\nargs = ["-c", {json.dumps(script)}]\n'


def configured(daemon: Daemon, text: str) -> Daemon:
    """Another life with this configuration."""
    (daemon.data_dir / "config.toml").write_text(text)
    return daemon.restart()


def told(daemon: Daemon) -> list[str]:
    """What the snapshot says of MCP servers."""
    warnings = daemon.call("GET", "/api/snapshot")["warnings"]
    return [warning["message"] for warning in warnings if warning["code"] == "mcp_unavailable"]


def until_told(daemon: Daemon, words: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not any(words in message for message in told(daemon)):
        assert time.monotonic() < deadline, f"{words!r} was never said: {told(daemon)}"
        time.sleep(0.05)


def offered(request: Any) -> set[str]:
    """The names of the tools in a request to the model."""
    return {tool["name"] for tool in request.body.get("tools", [])}


def notices(events: list[Json]) -> list[str]:
    return [one["data"]["message"] for one in events if one["data"].get("code") == "mcp_unavailable"]


def words_of(process: psutil.Process) -> list[str]:
    """The command line; none of a process that has just ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_an_mcp_servers_tool_is_asked_for_and_runs(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = launch(environment=provider_environment(provider))
    config = daemon.data_dir / "config.toml"
    config.write_text(f'[mcp.notes]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\ntools = ["echo"]\n')
    daemon.restart()
    assert daemon.tool("notes_echo")["risk"] == "high"
    provider.script(Reply([Call("notes_echo", {"text": "over there"})]), Reply([Say("It answered.")]))
    with daemon.watch() as watcher:
        daemon.chat("ask the server")
        required = watcher.until("approval_required")[-1]["data"]
        assert "over there" in required["display"]
        daemon.approve(required["call_id"])
        events = watcher.until("done")
    assert text_of(events) == "It answered."
    assert "over there" in str(provider.requests[-1].new_tool_results)
    assert daemon.process is not None
    servers = psutil.Process(daemon.process.pid).children(recursive=True)
    assert servers
    assert daemon.stop() == 0
    assert [process for process in servers if not wait_gone(process.pid, 30)] == []


def server_of(daemon: Daemon) -> psutil.Process:
    assert daemon.process is not None
    found = psutil.Process(daemon.process.pid).children(recursive=True)
    return next(one for one in found if str(SERVER) in words_of(one))


def with_server(launch: Callable[..., Daemon]) -> Daemon:
    daemon = launch()
    (daemon.data_dir / "config.toml").write_text(f'[mcp.notes]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\n')
    daemon.restart()
    daemon.tool("notes_echo")
    return daemon


def test_a_server_that_does_not_see_the_end_of_its_stdin_goes_with_a_killed_daemon(
    launch: Callable[..., Daemon],
) -> None:
    daemon = with_server(launch)
    server = server_of(daemon)
    server.suspend()
    daemon.kill()
    assert wait_gone(server.pid, 40)


def test_a_server_that_outlives_its_keepers_too_goes_at_the_next_start(launch: Callable[..., Daemon]) -> None:
    daemon = with_server(launch)
    server = server_of(daemon)
    keepers = [one for one in server.parents() if any(word.endswith("keeper.py") for word in words_of(one))]
    assert len(keepers) == 2
    for one in (server, *keepers):
        one.suspend()
    daemon.kill()
    for one in keepers:
        one.kill()
    assert server.is_running()
    daemon.start()
    assert wait_gone(server.pid, 40)


def test_a_server_that_cannot_start_leaves_the_rest_working(launch: Callable[..., Daemon]) -> None:
    daemon = configured(launch(), '[mcp.broken]\ncommand = "/does/not/exist"\n')
    until_told(daemon, "is not available")
    events = daemon.ask("hello")
    assert events[-1]["data"]["stop_reason"] == "complete"
    [notice] = notices(events)
    assert "the MCP server broken is not available: " in notice
    assert "/does/not/exist" in notice
    [warning] = told(daemon)
    assert "the MCP server broken is not available: " in warning
    assert "the MCP server broken is not available: " in daemon.log


# -- nobody waits ------------------------------------------------------------------------------------------------------


def test_a_server_that_hangs_holds_up_nothing_and_hides_no_other(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = configured(launch(environment=provider_environment(provider)), SLOW + GOOD)
    assert daemon.tool("good_echo")["risk"] == "high"
    events = daemon.ask("hello")
    assert notices(events) == [f"{LATE}; the turn goes on without its tools"]
    assert "good_echo" in offered(provider.requests[-1])
    answer = daemon.history()[-1]
    assert [part["code"] for part in answer["parts"] if part["type"] == "notice"] == ["mcp_unavailable"]
    assert notices(daemon.ask("and again")) == [], "it is said once a session"
    assert told(daemon) == [f"{LATE}."]
    _, answered = daemon.raw("GET", "/api/tools")
    assert [warning["message"] for warning in answered["warnings"]] == [f"{LATE}."]
    assert "good_echo" in {tool["name"] for tool in answered["data"]}
    for path, body in (
        ("check", {"agent_id": "default", "tool": "slow_echo", "arguments": {}}),
        ("rules", {"decision": "deny", "tool": "slow_echo"}),
    ):
        refused = daemon.refused("POST", f"/api/permissions/{path}", body)
        assert (refused.status, refused.code) == (404, "tool_not_found")
        assert LATE in refused.body["error"]
        assert "as soon as" in refused.body["hint"]
    found = examined(ask(daemon, "doctor", "--no-model", "--json"))
    assert "good: ready (" in found["mcp servers"]["detail"]
    assert found["mcp server slow"]["detail"] == "it has not answered within 3 s"
    assert told(daemon) == [f"{LATE}."], "it has failed meanwhile, so perhaps somebody waited for that"


def test_an_agent_without_its_tools_does_not_hear_of_a_server(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    (daemon.data_dir / "agents").mkdir()
    (daemon.data_dir / "agents" / "reader.yaml").write_text("tools: [read_file]\n")
    configured(daemon, SLOW)
    assert notices(daemon.ask("hello", agent_id="reader")) == []
    assert notices(daemon.ask("hello")) == [f"{LATE}; the turn goes on without its tools"]


def test_nothing_is_started_before_somebody_comes(launch: Callable[..., Daemon]) -> None:
    daemon = configured(launch(), SLOW)
    assert daemon.process is not None
    assert not psutil.Process(daemon.process.pid).children(recursive=True)
    daemon.call("GET", "/api/status", agent_id="default")
    deadline = time.monotonic() + WAIT_S
    while "sleep" not in " ".join(
        word for one in psutil.Process(daemon.process.pid).children(recursive=True) for word in words_of(one)
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_tools_that_come_in_a_turn_are_offered_from_the_next_request_on(
    launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path
) -> None:
    flag, gate = tmp_path / "flag", threading.Event()
    daemon = configured(launch(environment=provider_environment(provider)), later(flag))
    provider.script(Reply([Call("list_dir", {"path": "."})], gate=gate), "Good.")
    with daemon.watch() as watcher:
        daemon.chat("hello")
        watcher.until("error", code="mcp_unavailable")
        flag.touch()
        daemon.tool("slow_echo")
        gate.set()
        watcher.until("done")
    assert told(daemon) == []
    assert notices(daemon.ask("once more")) == []
    assert ["slow_echo" in offered(request) for request in provider.requests] == [False, True, True]
    assert "additional_tools" not in json.dumps([request.body for request in provider.requests])


FAILS_AT_FIRST = """
import os, pathlib, sys
lives = pathlib.Path(sys.argv[1])
number = len(lives.read_text()) + 1 if lives.exists() else 1
lives.write_text("x" * number)
if number <= 2:
    sys.exit("no network")
os.execv(sys.executable, [sys.executable, sys.argv[2]])
"""


def test_a_server_that_failed_is_asked_again_by_later_turns(
    launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path
) -> None:
    script = tmp_path / "fails_at_first.py"
    script.write_text(FAILS_AT_FIRST)
    arguments = json.dumps([str(script), str(tmp_path / "lives"), str(SERVER)])
    daemon = launch(environment=provider_environment(provider))
    configured(daemon, f'[mcp.slow]\ncommand = "{sys.executable}"\nargs = {arguments}\n')
    until_told(daemon, "is not available")
    [notice] = notices(daemon.ask("hello"))
    assert "the MCP server slow is not available: " in notice
    assert "no network" in notice
    deadline = time.monotonic() + WAIT_S
    while "slow_echo" not in offered(provider.requests[-1]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        assert notices(daemon.ask("again")) == []
    assert told(daemon) == []


# -- every call ends ---------------------------------------------------------------------------------------------------


def asked_and_killed(launch: Callable[..., Daemon], provider: ProviderDouble) -> tuple[Daemon, str]:
    """A daemon that was killed while a call of an MCP server's tool waits for a person."""
    daemon = launch(environment=provider_environment(provider))
    (daemon.data_dir / "agents").mkdir()
    agent = daemon.data_dir / "agents" / "helper.yaml"
    agent.write_text("tools: [slow_echo, list_dir]\n")
    configured(daemon, GOOD.replace("good", "slow"))
    daemon.tool("slow_echo")
    provider.script(Reply([Call("slow_echo", {"text": "x"})]), Reply([Say("Then not.")]))
    with daemon.watch() as watcher:
        daemon.chat("ask the server", agent_id="helper")
        call_id = watcher.until("approval_required")[-1]["data"]["call_id"]
        watcher.until("status_change", state="waiting_approval")
    daemon.kill()
    return daemon, call_id


def approved(daemon: Daemon, call_id: str, provider: ProviderDouble) -> Json:
    """The end of the call once it is allowed; the turn has gone on, and is whole."""
    with daemon.watch(after=0) as watcher:
        daemon.approve(call_id, agent_id="helper")
        events = watcher.until("done")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert (end["call_id"], end["outcome"]) == (call_id, "failed")
    assert events[-1]["data"]["stop_reason"] == "complete"
    assert text_of(events) == "Then not."
    answer = daemon.history("helper")[-1]
    assert [part["state"] for part in answer["parts"] if part["type"] == "tool"] == ["failed"]
    assert [part["arguments"] for part in answer["parts"] if part["type"] == "tool"] == [{"text": "x"}]
    assert "slow_echo" not in offered(provider.requests[-1])
    [(_, result)] = provider.requests[-1].new_tool_results
    assert json.loads(result)["error"] == end["error"]
    return end


def test_a_call_ends_that_is_allowed_when_its_server_is_out_of_the_configuration(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon, call_id = asked_and_killed(launch, provider)
    (daemon.data_dir / "agents" / "helper.yaml").write_text("tools: [list_dir]\n")
    (daemon.data_dir / "config.toml").write_text("")
    daemon.start()
    assert approved(daemon, call_id, provider)["error"] == "not run: there is no tool slow_echo any more"


def test_a_call_ends_that_is_allowed_while_its_server_hangs(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon, call_id = asked_and_killed(launch, provider)
    (daemon.data_dir / "config.toml").write_text(SLOW)
    daemon.start()
    refused = daemon.refused(
        "POST",
        "/api/approve",
        {"agent_id": "helper", "call_id": call_id, "decision": "allow", "arguments": {"text": "other"}},
    )
    assert (refused.status, refused.code) == (404, "tool_not_found")
    assert LATE in refused.body["error"]
    [still] = daemon.call("GET", "/api/approvals")
    assert (still["call_id"], still["arguments"]) == (call_id, {"text": "x"})
    assert approved(daemon, call_id, provider)["error"] == f"not run: {LATE}"


def test_a_call_ends_that_is_allowed_when_its_agent_lost_the_tool(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon, call_id = asked_and_killed(launch, provider)
    (daemon.data_dir / "agents" / "helper.yaml").write_text("tools: [list_dir]\n")
    daemon.start()
    daemon.tool("slow_echo")
    assert approved(daemon, call_id, provider)["error"] == "not run: the agent does not have this tool any more"


@pytest.mark.parametrize("server", [SERVER, Path("/does/not/exist.py")])
def test_a_call_that_waits_survives_a_restart_with_its_server(
    launch: Callable[..., Daemon], provider: ProviderDouble, server: Path
) -> None:
    daemon, call_id = asked_and_killed(launch, provider)
    (daemon.data_dir / "config.toml").write_text(GOOD.replace("good", "slow").replace(str(SERVER), str(server)))
    daemon.start()
    if server is not SERVER:
        until_told(daemon, "slow is not available")
        assert "slow is not available" in approved(daemon, call_id, provider)["error"]
        return
    daemon.tool("slow_echo")
    with daemon.watch() as watcher:
        daemon.approve(call_id, agent_id="helper", arguments={"text": "edited"})
        end = watcher.until("tool_end")[-1]["data"]
    assert (end["outcome"], end["result"]) == ("done", {"text": "edited"})


def test_a_call_ends_that_is_allowed_when_its_arguments_no_longer_fit(
    launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path
) -> None:
    daemon, call_id = asked_and_killed(launch, provider)
    changed = tmp_path / "changed.py"
    changed.write_text(
        SERVER.read_text().replace("def echo(text: str) -> str", "def echo(words: str, text: int) -> str")
    )
    (daemon.data_dir / "config.toml").write_text(GOOD.replace("good", "slow").replace(str(SERVER), str(changed)))
    daemon.start()
    daemon.tool("slow_echo")
    with daemon.watch(after=0) as watcher:
        daemon.approve(call_id, agent_id="helper")
        events = watcher.until("done")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert (end["call_id"], end["outcome"]) == (call_id, "failed")
    assert "words" in end["error"]
    assert [part["state"] for part in daemon.history("helper")[-1]["parts"] if part["type"] == "tool"] == ["failed"]


def test_a_call_ends_that_is_allowed_when_it_makes_no_sense_any_more(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = launch(environment=provider_environment(provider))
    folder = daemon.work_dir / "folder"
    folder.mkdir()
    provider.script(Reply([Call("write_file", {"path": "folder/note.txt", "content": "x"})]), "Then not.")
    with daemon.watch() as watcher:
        daemon.chat("write it")
        call_id = watcher.until("approval_required")[-1]["data"]["call_id"]
        watcher.until("status_change", state="waiting_approval")
        folder.rmdir()
        folder.symlink_to(folder)  # a path round in circles leads nowhere
        daemon.approve(call_id)
        events = watcher.until("done")
    ends = [event["data"] for event in events if event["type"] == "tool_end"]
    assert [(end["call_id"], end["outcome"]) for end in ends] == [(call_id, "failed")]
    assert [part["state"] for part in daemon.history()[-1]["parts"] if part["type"] == "tool"] == ["failed"]
