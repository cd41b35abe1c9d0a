"""Tools of an MCP server of the user's configuration, in the real daemon: listed, asked for, run, gone with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.conftest import provider_environment
from tests.daemon import Daemon, text_of
from tests.flows.test_life import wait_gone
from tests.provider import Call, ProviderDouble, Reply, Say

SERVER = Path(__file__).parent.parent / "tools" / "mcp_server.py"


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
    listed = {tool["name"]: tool for tool in daemon.call("GET", "/api/tools")}
    assert listed["notes_echo"]["risk"] == "high"
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
    daemon.call("GET", "/api/tools")
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
    daemon = launch()
    (daemon.data_dir / "config.toml").write_text('[mcp.broken]\ncommand = "/does/not/exist"\n')
    daemon.restart()
    assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
    assert "broken" in daemon.log
