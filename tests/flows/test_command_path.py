"""A daemon started by a desktop: commands, MCP servers and services find what is only on the login shell's PATH."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.skipif(
    os.name != "posix" or shutil.which("bash") is None or shutil.which("env") is None, reason="asks bash"
)
SYSTEM = "/usr/bin:/bin:/usr/sbin:/sbin"
SERVER = Path(__file__).parent.parent / "support" / "mcp_server.py"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home where only the shell's start-up files put the directory of `mytool` on PATH."""
    tools = tmp_path / "home" / ".local" / "bin"
    tools.mkdir(parents=True)
    (tools / "mytool").write_text("#!/bin/sh\necho found by $0\ncat\n")
    (tools / "myserver").write_text(f"#!/bin/sh\nexec {sys.executable} {SERVER}\n")
    for program in tools.iterdir():
        program.chmod(0o755)
    (tmp_path / "home" / ".bash_profile").write_text("export PATH=$HOME/.local/bin:$PATH\n")
    return tmp_path / "home"


def from_the_desktop(launch: Callable[..., Daemon], home: Path, config: str = "", **more: str) -> Daemon:
    data = home.parent / "a" / "data"
    data.mkdir(parents=True, mode=0o700)
    (data / "config.toml").write_text(f"permission_mode = 'auto_approve'\nsandbox = 'off'\n{config}")
    environment = {"HOME": str(home), "SHELL": str(shutil.which("bash")), "PATH": SYSTEM, **more}
    return launch(framework="tauri", environment=environment)


def ran(daemon: Daemon, command: str) -> Json:
    events = daemon.ask(f'call run_command {{"command": "{command}"}}')
    return next(event["data"] for event in events if event["type"] == "tool_end")["result"]


def test_a_command_an_mcp_server_and_a_service_find_what_the_login_shell_finds(
    launch: Callable[..., Daemon], home: Path
) -> None:
    daemon = from_the_desktop(launch, home, "[services.own]\ncommand = 'mytool'\n[mcp.own]\ncommand = 'myserver'\n")
    with daemon.watch() as events:
        daemon.call("POST", "/api/services/own/start")
        events.until("service_changed", state="running")
    assert ran(daemon, "mytool")["stdout"] == f"found by {home}/.local/bin/mytool\n"
    assert daemon.tool("own_add")["name"] == "own_add"
    # A changed setting applies to the next command.
    daemon.config(command_path="inherit")
    assert ran(daemon, "mytool")["exit_code"] == 127
    daemon.config(command_path=f"{home}/.local/bin:/bin")
    assert ran(daemon, "echo $PATH")["stdout"] == f"{home}/.local/bin:/bin\n"


def test_a_daemon_that_a_terminal_started_keeps_its_path(launch: Callable[..., Daemon], home: Path) -> None:
    (home / ".bash_profile").write_text("touch $HOME/asked\n")
    daemon = from_the_desktop(launch, home, TERM="xterm")
    assert ran(daemon, "mytool")["exit_code"] == 127
    assert not (home / "asked").exists()


def test_start_up_files_that_hang_are_a_warning_and_nothing_of_them_is_left(
    launch: Callable[..., Daemon], home: Path
) -> None:
    (home / ".bash_profile").write_text("echo $$ >$HOME/asked\nsleep 600\n")
    daemon = from_the_desktop(launch, home)
    assert ran(daemon, "mytool; echo went on")["stdout"] == "went on\n"
    assert "did not answer within" in daemon.log
    assert daemon.stop() == 0
    assert not psutil.pid_exists(int((home / "asked").read_text()))


def test_variables_that_are_let_through_reach_commands_and_can_be_changed(
    launch: Callable[..., Daemon], home: Path
) -> None:
    given = {"TERM": "xterm", "MY_ONE": "one", "MY_API_KEY": "a-canary-value", "AWS_PROFILE": "work"}
    daemon = from_the_desktop(launch, home, "pass_environment = ['MY_*']\n", **given)
    show = "echo $MY_ONE-$AWS_PROFILE-$MY_API_KEY"
    assert ran(daemon, show)["stdout"] == "one--\n"
    daemon.config(pass_environment=["AWS_PROFILE", "MY_API_KEY"])
    assert ran(daemon, show)["stdout"] == "-work-a-canary-value\n"
    refusal = daemon.refused("POST", "/api/config", {"pass_environment": ["no name"]})
    assert (refusal.status, refusal.code) == (422, "invalid_shape")
    assert "'no name' is not the name of a variable" in refusal.body["error"]
    assert ran(daemon, show)["stdout"] == "-work-a-canary-value\n"
