"""The daemon's log over real turns: what it contains, and, checked with canaries, what it never contains."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.conftest import PROTOCOLS, provider_environment
from tests.flows.test_life import Supervised
from tests.support.daemon import Daemon
from tests.support.held import HeldPort
from tests.support.provider import Call, Fault, ProviderDouble, Reply, Say
from tests.support.provider_wire import FaultKind

SERVER = Path(__file__).parent.parent / "support" / "mcp_server.py"
CANARY = "canary"
"""A part of every secret and of every text in these tests, and of nothing else."""


def lines(daemon: Daemon) -> list[dict[str, Any]]:
    """All lines of the files in the log directory."""
    found: list[dict[str, Any]] = []
    for path in sorted((daemon.data_dir / "logs").iterdir()):
        found += [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return found


def everything_written(daemon: Daemon) -> str:
    """Stop the daemon. Returns what is in its log directory, on stderr, and on stdout after the first line."""
    assert daemon.process is not None
    assert daemon.process.stdout is not None
    daemon.process.terminate()
    stdout = daemon.process.stdout.read().decode()
    daemon.stop()
    kept = "".join(path.read_text("utf-8") for path in (daemon.data_dir / "logs").iterdir())
    return kept + daemon.log + stdout


def test_a_turn_and_its_tool_leave_lines_that_name_them(real: Daemon, provider: ProviderDouble) -> None:
    (real.work_dir / "a.txt").write_text("x")
    provider.script(Reply([Call("read_file", {"path": "a.txt"})]), Reply([Say("ok")], input_tokens=7, output_tokens=3))
    started = real.chat("read it")
    with real.watch(after=0) as watcher:
        watcher.until("done")
    real.raw("GET", "/api/nowhere?secret=yes")
    assert real.stop() == 0
    told = lines(real)
    by_message = {line["message"]: line for line in told}
    assert {line["level"] for line in told} <= {"info", "warning"}
    assert by_message["listening"]["port"] == real.port
    assert by_message["turn started"]["turn_id"] == started["turn_id"]
    ended = by_message["turn ended"]
    assert (ended["turn_id"], ended["stop_reason"], ended["requests"]) == (started["turn_id"], "complete", 2)
    assert (by_message["tool ended"]["tool"], by_message["tool ended"]["outcome"]) == ("read_file", "done")
    request = by_message["request"]
    assert (request["method"], request["path"], request["status"]) == ("GET", "/api/nowhere", 404)
    assert request["request_id"].startswith("req_")
    assert told[-1]["message"] == "stopped"
    assert real.log == "", "without a problem, stderr stays empty"
    if os.name == "posix":
        assert (real.data_dir / "logs" / "aster.log").stat().st_mode & 0o777 == 0o600


def test_what_fails_is_a_warning_with_its_code_and_a_retry_is_counted(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Fault(529), Fault(401))
    real.ask("hello")
    real.stop()
    told = [(line["level"], line["message"], line.get("code")) for line in lines(real)]
    assert ("info", "model request failed", "provider_unavailable") in told
    assert ("warning", "turn ended", "key_refused") in told
    assert "key_refused" in real.log


def test_at_debug_every_request_has_its_line(launch: Callable[..., Daemon]) -> None:
    daemon = launch(arguments=["--log-level", "debug"])
    with daemon.watch():
        daemon.call("GET", "/api/agents")
    daemon.ask("hello")
    daemon.stop()
    told = [(line["method"], line["path"], line["status"]) for line in lines(daemon) if line["message"] == "request"]
    assert ("GET", "/api/agents", 200) in told
    assert ("POST", "/api/chat", 200) in told
    assert ("GET", "/api/events", 200) in told


def test_without_a_log_file_there_is_none(launch: Callable[..., Daemon]) -> None:
    daemon = launch(arguments=["--no-log-file", "--log-level", "info"])
    daemon.ask("hello")
    daemon.stop()
    assert not (daemon.data_dir / "logs").exists()
    assert "turn ended" in daemon.log


def test_a_log_directory_that_cannot_be_takes_nothing_down(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.data_dir.mkdir()
    (daemon.data_dir / "logs").write_text("not a directory")
    daemon.start()
    try:
        assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
        assert daemon.log.count("can't be written") == 1
    finally:
        assert daemon.stop() == 0


def test_a_second_daemon_does_not_touch_the_first_one_s_log(launch: Callable[..., Daemon], tmp_path: Path) -> None:
    first = launch()
    before = (first.data_dir / "logs" / "aster.log").read_text()
    second = Daemon(first.home)
    with pytest.raises(AssertionError, match="exit 3"):
        second.start()
    assert (first.data_dir / "logs" / "aster.log").read_text() == before


# -- canaries ----------------------------------------------------------------------------------------------------------


def provoke(daemon: Daemon, provider: ProviderDouble) -> None:
    """Put canaries into everything that a daemon receives: messages, answers, arguments, results, errors, requests."""
    (daemon.work_dir / "canary.txt").write_text("canary in a file")
    daemon.config(permission_mode="auto_approve")
    provider.script(
        Reply(
            [
                Say("canary in an answer"),
                Call("read_file", {"path": "canary.txt"}),
                Call("run_command", {"command": "echo canary; echo canary >&2; exit 3"}),
                Call("write_file", {"path": "/proc/canary", "content": "canary"}),
                Call("no_such_canary", {"canary": "canary"}),
                Call("read_file", {"canary": "canary"}),
                Call("notes_echo", {"text": "canary"}),
            ]
        ),
        Reply([Say("canary")]),
    )
    daemon.ask("canary in a message", context={"canary": "canary"})
    echoes = f"canary: you sent 'canary in a message' with the key {daemon.environment['OPENAI_API_KEY']}"
    faults = [Fault(kind=kind, message=echoes) for kind in get_args(FaultKind) if kind != "status"]
    faults += [Fault(status, message=echoes) for status in (400, 401, 403, 404, 413, 422)]
    for fault in (*faults, Fault(400, body=echoes), Fault(500, body=echoes)):
        provider.otherwise = fault
        daemon.ask("canary in a message")
    provider.otherwise = Reply([Say("canary")])
    for method, path in (
        ("GET", "/api/status?agent_id=canary"),
        ("GET", "/api/sessions?q=canary"),
        ("POST", "/api/chat?canary=canary"),
        ("PATCH", "/api/sessions/none?canary"),
    ):
        daemon.raw(method, path, {"canary": "canary"} if method != "GET" else None)
    daemon.raw("POST", "/api/permissions/check", {"tool": "read_file", "arguments": {"path": "canary"}})
    daemon.raw("POST", "/api/config", {"model": "canary:canary"})
    daemon.ask("canary for a model that there is not")
    token = daemon.token
    daemon.token = "canary-of-somebody-who-guesses"
    daemon.raw("GET", "/api/agents")
    daemon.token = token
    with socket.create_connection(("127.0.0.1", daemon.port)) as raw:
        raw.sendall(b"GET /canary?canary HTTP/1.1\r\nHost: canary\r\ncanary\r\n\r\n")
        raw.recv(1000)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("level", "protocol"), [(None, "anthropic"), ("debug", "responses")])
def test_nothing_that_is_said_and_no_secret_is_ever_written(
    launch: Callable[..., Daemon], provider: ProviderDouble, level: str | None, protocol: str
) -> None:
    environment = provider_environment(provider, PROTOCOLS[protocol])
    environment |= {"SOME_TOKEN": "canary-token-in-the-environment", "ASTER_MODEL_TIMEOUT_S": "0.5"}
    daemon = launch(
        environment=environment,
        token="canary-token-of-the-launcher",
        arguments=["--log-level", level] if level else [],
    )
    nobody = HeldPort()
    (daemon.data_dir / "config.toml").write_text(
        f'[mcp.notes]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\nenv = {{ X = "canary-in-env" }}\n'
        f'[mcp.gone]\nurl = "http://127.0.0.1:{nobody.port}/"\n'
        'headers = { Authorization = "Bearer canary-in-a-header" }\n'
        f'[mcp.loud]\ncommand = "{sys.executable}"\n'
        """args = ["-c", "import os, sys; sys.exit(os.environ['Y'])"]\nenv = { Y = "canary-in-env-of-loud" }\n"""
    )
    daemon.restart()
    provoke(daemon, provider)
    written = everything_written(daemon)
    found = [line[:300] for line in written.splitlines() if CANARY in line.lower()]
    assert found == []
    assert "turn ended" in written
    assert "MCP server gone is not available" in written


def test_what_the_launcher_says_on_stdin_is_not_written_either(tmp_path: Path) -> None:
    first = {"token": "canary-token-of-the-launcher", "environment": {"OPENAI_API_KEY": "canary-key-on-stdin"}}
    one = Supervised(tmp_path / "a", "--log-level", "debug", first=first)
    try:
        one.client.token = first["token"]  # type: ignore[assignment]
        one.client.config(model="openai:canary")
        assert one.process.stdin is not None
        one.process.stdin.close()
        assert one.process.wait(30) == 0
        log = (tmp_path / "a" / "data" / "logs" / "aster.log").read_text()
        assert '"message": "stopped"' in log
        assert CANARY not in log + (tmp_path / "a" / "stderr.txt").read_text()
    finally:
        one.close()
