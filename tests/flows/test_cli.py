"""The commands as separate processes, with a real daemon."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROTOCOLS, provider_environment
from tests.support.daemon import Daemon, Json
from tests.support.forkserver import ForkServer
from tests.support.held import HeldPort
from tests.support.provider import Fault, ProviderDouble, Reply, Say

pytestmark = pytest.mark.timeout(180)  # a test runs up to 14 commands, each in a process
ROOT = Path(__file__).parent.parent.parent
TOKEN = "a-token-of-the-command-line"
KEY = "sk-canary-openai-5f0c"


@dataclass
class Told:
    """A command's exit code and output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        return json.loads(self.out)


def say(*words: str, home: Path, data_dir: Path | None = None, **variables: str) -> Told:
    """Run one command in a clean environment."""
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(ROOT), **variables}
    where = ["--data-dir", str(data_dir)] if data_dir is not None else []
    arguments = [words[0], *where, *words[1:]]
    if ForkServer.possible() and not any(name.startswith(("PYTHON", "LC_", "LANG")) for name in variables):
        ended = ForkServer.shared().run(arguments, home, environment, 120)
    else:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-m", "aster_sidecar", *arguments],
            cwd=home,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
    assert "Traceback" not in ended.stderr, ended.stderr
    return Told(ended.returncode, ended.stdout, ended.stderr)


def ask(daemon: Daemon, *words: str, **variables: str) -> Told:
    """Run one command for this daemon."""
    return say(*words, home=daemon.home, data_dir=daemon.data_dir, **variables)


def examined(told: Told) -> dict[str, Json]:
    """The doctor's checks, by name."""
    return {check["name"]: check for check in told.json["checks"]}


# -- with a running daemon ---------------------------------------------------------------------------------------------


def test_a_conversation_is_listed_shown_renamed_found_archived_and_deleted(daemon: Daemon) -> None:
    daemon.ask("hello there")
    [session] = ask(daemon, "sessions", "--json").json
    session_id = session["session_id"]
    shown = ask(daemon, "sessions", "show", session_id)
    assert "hello there" in shown.out
    assert [message["role"] for message in ask(daemon, "sessions", "show", session_id, "--json").json["history"]] == [
        "user",
        "assistant",
    ]
    assert ask(daemon, "sessions", "rename", session_id, "A", "\x1b[31mtitle", "--json").json["title"] == (
        "A \x1b[31mtitle"
    )
    listed = ask(daemon, "sessions", "list").out
    assert "\x1b" not in listed
    assert "A ‹U+001B›[31mtitle" in listed
    [row] = ask(daemon, "sessions", "search", "hello", "--json").json
    assert row["session_id"] == session_id
    assert row["hit"]["text"].startswith("You said: “hello there”")
    assert "You said: “hello there”" in ask(daemon, "sessions", "search", "hello").out
    assert "found" not in ask(daemon, "sessions", "search", "title").out
    assert ask(daemon, "sessions", "pin", session_id, "--json").json["pinned"] is True
    assert ask(daemon, "sessions", "unpin", session_id, "--json").json["pinned"] is False
    assert ask(daemon, "sessions", "search", "nowhere to be found", "--json").json == []
    assert ask(daemon, "sessions", "archive", session_id, "--json").json["archived"] is True
    assert ask(daemon, "sessions", "--json").json == []
    assert len(ask(daemon, "sessions", "list", "--archived", "--json").json) == 1
    assert ask(daemon, "sessions", "restore", session_id, "--json").json["archived"] is False
    assert ask(daemon, "sessions", "delete", session_id, "--json").json["deleted"] == 2
    gone = ask(daemon, "sessions", "show", session_id)
    assert (gone.code, gone.out) == (1, "")
    assert f"/api/sessions/{session_id}/restore brings it back" in gone.err
    assert ask(daemon, "sessions", "--json").json == []
    [row] = ask(daemon, "sessions", "list", "--deleted", "--json").json
    assert (row["session_id"], row["messages"]) == (session_id, 2)
    assert ask(daemon, "sessions", "restore", session_id, "--json").json["title"] == "A \x1b[31mtitle"
    assert [row["session_id"] for row in ask(daemon, "sessions", "--json").json] == [session_id]
    told = ask(daemon, "sessions", "delete", session_id)
    assert f"aster-sidecar sessions restore {session_id}" in told.err
    assert (
        ask(daemon, "sessions", "delete", session_id, "--purge").out
        == f"deleted {session_id} (2 messages) permanently\n"
    )
    assert ask(daemon, "sessions", "restore", session_id).code == 1
    gone = ask(daemon, "sessions", "show", session_id)
    assert "GET /api/sessions lists them" in gone.err


def test_what_a_conversation_works_with_is_set_and_shown(daemon: Daemon) -> None:
    garden = daemon.home / "my garden"
    garden.mkdir()
    (daemon.data_dir / "agents").mkdir(exist_ok=True)
    (daemon.data_dir / "agents" / "poet.yaml").write_text("instructions: Rhyme.\n")
    one, two = (daemon.call("POST", "/api/sessions", {"title": title})["session_id"] for title in ("Garden", "Other"))
    assert "folder" not in ask(daemon, "sessions").out
    told = ask(daemon, "sessions", "set", one, "--work-dir", "my garden", "--effort", "high", "--agent", "poet")
    rows = [line.split(maxsplit=1) for line in told.out.splitlines()]
    assert ["agent", "poet"] in rows
    assert ["work_dir", f"{garden.resolve()}  session"] in rows
    shown = ask(daemon, "sessions", "show", one).out.splitlines()
    assert f"work_dir: {garden.resolve()}" in shown
    assert "effort: high" in shown
    assert not any(line.startswith("model:") for line in shown)
    listed = {line.split()[0]: line for line in ask(daemon, "sessions").out.splitlines()}
    assert listed["id"].endswith("folder")
    assert listed[one].endswith(str(garden.resolve()))
    assert not listed[two].endswith(str(daemon.work_dir.resolve()))
    words = ["--work-dir", "-", "--effort", "-", "--permission-mode", "always_ask", "--model", "demo"]
    now = ask(daemon, "sessions", "set", one, *words, "--json").json["settings"]
    assert {name: setting["source"] for name, setting in now.items() if name != "mcp_off"} == {
        "work_dir": "default",
        "model": "session",
        "effort": "default",
        "permission_mode": "session",
    }
    refused = [["--work-dir", "/no/such"], ["--model", "gpt"], ["--agent", "nobody"]]
    for flags, words in zip(refused, ("not a directory", "not provider:name", "agent not found"), strict=True):
        told = ask(daemon, "sessions", "set", one, *flags)
        assert (told.code, words in told.err) == (1, True)
    assert ask(daemon, "sessions", "set", one).code == 2
    assert daemon.call("GET", f"/api/sessions/{one}")["settings"] == now


def test_more_sessions_than_a_page_holds_are_listed(daemon: Daemon) -> None:
    for number in range(105):
        daemon.call("POST", "/api/sessions", {"title": f"number {number}"})
    rows = ask(daemon, "sessions", "list", "--limit", "103", "--json").json
    assert len({row["session_id"] for row in rows}) == 103


def test_a_changed_setting_holds_at_once_and_is_kept(daemon: Daemon) -> None:
    changed = ask(daemon, "config", "set", "permission_mode", "always_ask")
    assert changed.out == "permission_mode = always_ask (api)\n"
    assert "in effect now" in changed.err
    assert daemon.call("GET", "/api/config")["values"]["permission_mode"]["value"] == "always_ask"
    assert 'permission_mode = "always_ask"' in (daemon.data_dir / "config.toml").read_text("utf-8")
    assert ask(daemon, "config", "get", "permission_mode").out == "always_ask\n"
    assert ask(daemon, "config", "set", "max_turn_s", "12.5", "--json").json["value"] == 12.5
    values = ask(daemon, "config", "--json").json["values"]
    assert (values["port"]["value"], values["max_turn_s"]["source"]) == (daemon.port, "api")
    assert ask(daemon, "config", "unset", "permission_mode").out == "permission_mode = smart_approve (default)\n"
    assert daemon.call("GET", "/api/config")["values"]["permission_mode"]["value"] == "smart_approve"
    refused = ask(daemon, "config", "set", "max_requests", "many")
    assert (refused.code, refused.out) == (5, "")
    assert "a whole number from 1 to 10000" in refused.err


def test_agents_are_the_running_daemon_s(daemon: Daemon) -> None:
    [agent] = ask(daemon, "agents", "--json").json
    assert (agent["id"], agent["model"], agent["state"]) == ("default", "demo:instant", "idle")
    nobody = HeldPort()
    proxy = f"http://127.0.0.1:{nobody.port}"  # nothing listens at this proxy
    assert ask(daemon, "agents", HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy).code == 0


def test_agents_from_files_are_the_same_with_and_without_a_daemon(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    agents = daemon.data_dir / "agents"
    agents.mkdir()
    (agents / "writer.yaml").write_text("name: Writer\ninstructions: Write.\ntools: [read_file]\n")
    (agents / "broken.yaml").write_text("name: Broken\ncolour: \x1b[31mred\n")
    beside = ask(daemon, "agents", "--json").json
    assert "broken.yaml" in ask(daemon, "agents").err
    daemon.stop()
    without = ask(daemon, "agents", "--json").json
    for key in ("id", "name", "source", "path"):
        assert [agent[key] for agent in without] == [agent[key] for agent in beside]
    assert {agent["id"]: agent["state"] for agent in without} == {"default": None, "writer": None, "broken": "failed"}
    said = ask(daemon, "agents")
    assert "broken.yaml" in said.err
    assert "\x1b" not in said.err
    found = examined(ask(daemon, "doctor", "--no-model", "--json", "--port", "0"))["agents"]
    assert found["status"] == "warning"
    assert "broken.yaml" in found["detail"]


def test_a_daemon_that_needs_a_token_is_named_and_asked_only_with_it(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token=TOKEN)
    for words in (["agents"], ["config"], ["sessions"]):
        told = ask(daemon, *words)
        assert (told.code, told.out) == (1, "")
        assert daemon.process is not None
        assert f"pid {daemon.process.pid}, for web, {daemon.url}, since 2" in told.err
        assert "set ASTER_SIDECAR_TOKEN" in told.err
        assert "--data-dir" in told.err
    assert ask(daemon, "agents", "--json", ASTER_SIDECAR_TOKEN=TOKEN).json[0]["id"] == "default"
    wrong = ask(daemon, "agents", ASTER_SIDECAR_TOKEN="another-token-altogether")
    assert wrong.code == 1
    assert TOKEN not in wrong.out + wrong.err
    assert examined(ask(daemon, "doctor", "--no-model", "--json"))["daemon"]["status"] == "warning"
    good = ask(daemon, "doctor", "--no-model", "--json", ASTER_SIDECAR_TOKEN=TOKEN)
    assert examined(good)["daemon"]["status"] == "ok"
    assert TOKEN not in good.out


def test_a_killed_daemon_is_not_taken_for_a_running_one(daemon: Daemon) -> None:
    daemon.kill()
    assert (daemon.data_dir / "sidecar.json").exists()
    told = ask(daemon, "sessions")
    assert told.code == 1
    assert f"start one: aster-sidecar --data-dir {daemon.data_dir}" in told.err
    checks = examined(ask(daemon, "doctor", "--no-model", "--json"))
    assert checks["daemon"]["status"] == "ok"
    assert checks["store"]["status"] == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
def test_a_daemon_that_hangs_is_found(daemon: Daemon) -> None:
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        told = ask(daemon, "doctor", "--no-model", "--json", "--port", "0")
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert told.code == 1
    found = examined(told)["daemon"]
    assert found["status"] == "failed"
    assert f"kill -CONT {daemon.process.pid}" in found["remedy"]
    assert "--replace" in found["remedy"]


def test_the_only_daemon_that_runs_is_found_wherever_its_data_are(
    launch: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = launch("a")
    daemon.ask("hello there")
    variables: Any = {"XDG_STATE_HOME": str(daemon.state_dir)}
    told = say("sessions", "--json", home=tmp_path, **variables)
    assert [one["title"] for one in told.json] == ["hello there"]
    assert f"using the daemon that is running for {daemon.data_dir}" in told.err
    checks = examined(say("doctor", "--no-model", "--json", home=tmp_path, **variables))
    assert checks["daemon"]["detail"].startswith("running: ")
    assert (checks["port"]["status"], str(daemon.port) in checks["port"]["detail"]) == ("ok", True)
    chosen = say("sessions", "--json", home=tmp_path, data_dir=tmp_path / "other", **variables)
    assert (chosen.code, f"no daemon is running for {tmp_path / 'other'}" in chosen.err) == (1, True)

    other = launch("b", environment=variables)
    told = say("sessions", "--json", home=tmp_path, **variables)
    assert told.code == 1
    assert f"2 daemons are running, none of them for {tmp_path / '.local/share/aster'}" in told.err
    assert str(daemon.data_dir) in told.err
    assert str(other.data_dir) in told.err
    assert other.stop() == 0
    assert say("sessions", "--json", home=tmp_path, **variables).code == 0


# -- doctor ------------------------------------------------------------------------------------------------------------


def test_a_healthy_machine_has_no_failure_and_nothing_changes(tmp_path: Path) -> None:
    told = say("doctor", "--json", "--port", "0", home=tmp_path)
    checks = examined(told)
    assert (told.code, told.json["healthy"], told.json["counts"]["failed"]) == (0, True, 0)
    assert {"python", "libraries", "config", "data", "logs", "configuration", "disk", "store", "daemon"} <= set(checks)
    assert {"port", "keys", "model", "local models", "sandbox", "proxy", "clock"} <= set(checks)
    assert all(check["remedy"] for check in checks.values() if check["status"] in ("warning", "failed"))
    assert checks["model"]["status"] == "skipped"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="asks bash")
@pytest.mark.parametrize(
    ("lines", "variables", "status", "detail"),
    [
        ("export PATH=/first:$PATH\n", {}, "ok", ": /first:"),
        ("exit 3\n", {}, "warning", "ended before it could be asked"),
        ("exit 3\n", {"ASTER_COMMAND_PATH": "inherit"}, "ok", "the daemon's own PATH"),
        ("", {"ASTER_COMMAND_PATH": "/usr/bin:/missing"}, "warning", "no such directory: /missing"),
    ],
)
def test_the_doctor_asks_the_login_shell(
    tmp_path: Path, lines: str, variables: dict[str, str], status: str, detail: str
) -> None:
    (tmp_path / ".bash_profile").write_text(lines)
    variables = {"SHELL": str(shutil.which("bash")), **variables}
    told = say("doctor", "--no-model", "--json", "--port", "0", home=tmp_path, data_dir=None, **variables)
    check = examined(told)["command path"]
    assert (check["status"], detail in check["detail"]) == (status, True)
    assert bool(check["remedy"]) == (status == "warning")


def test_beside_a_running_daemon_store_port_and_daemon_are_well(daemon: Daemon) -> None:
    daemon.ask("hello")
    checks = examined(ask(daemon, "doctor", "--no-model", "--json", "--port", str(daemon.port)))
    assert [checks[name]["status"] for name in ("daemon", "store", "port")] == ["ok", "ok", "ok"]
    assert "running daemon's" in checks["port"]["detail"]
    assert daemon.ask("still there?")[-1]["data"]["stop_reason"] == "complete"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_model_is_asked_for_real(tmp_path: Path, provider: ProviderDouble, protocol: str) -> None:
    provider.script(Reply([Say("ok")]))
    variables = provider_environment(provider, PROTOCOLS[protocol])
    told = say("doctor", "--json", "--port", "0", home=tmp_path, data_dir=None, **variables)
    found = examined(told)["model"]
    assert (told.code, found["status"]) == (0, "ok")
    assert PROTOCOLS[protocol] in found["detail"]
    assert len(provider.requests) == 1
    assert KEY not in told.out


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refused_key_fails_with_its_remedy(tmp_path: Path, provider: ProviderDouble, protocol: str) -> None:
    provider.script(Fault(401))
    variables = provider_environment(provider, PROTOCOLS[protocol])
    told = say("doctor", "--json", "--port", "0", home=tmp_path, data_dir=None, **variables)
    found = examined(told)["model"]
    assert (told.code, found["status"]) == (1, "failed")
    assert "[key_refused]" in found["detail"]
    assert "check " in found["remedy"]
    assert "_API_KEY" in found["remedy"]
    assert KEY not in told.out


def test_a_server_that_speaks_chat_completions_only_is_asked_so(tmp_path: Path, provider: ProviderDouble) -> None:
    provider.disable("/v1/responses")
    provider.script(Reply([Say("ok")]))
    told = say("doctor", "--json", "--port", "0", home=tmp_path, data_dir=None, **provider_environment(provider))
    assert examined(told)["model"]["status"] == "ok"


def test_the_folder_of_a_conversation_can_be_checked(tmp_path: Path) -> None:
    garden = tmp_path / "garden"
    (garden / ".aster" / "agents").mkdir(parents=True)
    (garden / ".aster" / "config.toml").write_text('model = "demo:slow"\nport = 1\n')
    (garden / ".aster" / "agents" / "poet.yaml").write_text("instructions: Rhyme.\n")
    words = ["doctor", "--json", "--no-model", "--port", "0", "--work-dir"]
    data = tmp_path / "data"
    found = examined(say(*words, "garden", home=tmp_path, data_dir=data))
    assert found["work dir"]["status"] == "warning"
    assert found["work dir"]["remedy"] == f"aster-sidecar trust {garden.resolve()}"
    assert found["agents"]["detail"] == "default"
    assert say("trust", "garden", home=tmp_path, data_dir=data).code == 0
    found = examined(say(*words, "garden", home=tmp_path, data_dir=data))
    assert found["work dir"]["status"] == "ok"
    assert found["agents"]["detail"] == "default, poet"
    assert "unknown key 'port', ignored" in found["configuration"]["detail"]
    told = say(*words, "nowhere", home=tmp_path, data_dir=data)
    found = examined(told)
    assert (told.code, found["work dir"]["status"], found["configuration"]["status"]) == (1, "failed", "ok")
    assert "work dir" not in examined(say(*words[:-1], home=tmp_path, data_dir=data))


def test_the_model_to_check_can_be_named(tmp_path: Path) -> None:
    told = say("doctor", "--model", "openai:gpt-5.2", "--port", "0", home=tmp_path)
    assert told.code == 1
    assert "OPENAI_API_KEY is not set [key_missing]" in told.out
    assert "→ add the key in the settings, set OPENAI_API_KEY for the daemon" in told.out


def test_a_damaged_store_is_found(daemon: Daemon) -> None:
    for number in range(30):
        daemon.ask(f"message {number} " + "x" * 3000)
    daemon.stop()
    store = daemon.data_dir / "aster.db"
    with contextlib.closing(sqlite3.connect(store)) as whole:  # a stop that takes too long leaves pages in the log
        whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(store, "r+b") as file:
        for page in range(4, store.stat().st_size // 4096, 3):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)
    before = store.read_bytes()
    told = ask(daemon, "doctor", "--no-model", "--json", "--port", "0")
    found = examined(told)["store"]
    assert (told.code, found["status"]) == (1, "failed")
    assert "damaged" in found["detail"]
    assert "aside" in found["remedy"]
    assert store.read_bytes() == before


def test_what_is_no_store_at_all_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "aster.db").write_bytes(b"no database " * 1000)
    told = say("doctor", "--no-model", "--json", "--port", "0", home=tmp_path, data_dir=tmp_path / "data")
    assert told.code == 1
    assert examined(told)["store"]["status"] == "failed"


def test_a_port_that_a_program_holds_is_found_with_its_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = say("doctor", "--no-model", "--json", "--port", str(port), home=tmp_path)
    found = examined(told)["port"]
    assert (told.code, found["status"]) == (1, "failed")
    assert f"port {port}" in found["detail"]
    if sys.platform == "linux":
        assert f"pid {os.getpid()}" in found["detail"]
    assert "--port 0" in found["remedy"]


def test_a_port_that_another_daemon_holds_is_found(daemon: Daemon, tmp_path: Path) -> None:
    told = say("doctor", "--no-model", "--json", "--port", str(daemon.port), home=tmp_path)
    assert daemon.process is not None
    assert f"another daemon, pid {daemon.process.pid}, for web" in examined(told)["port"]["detail"]
    assert told.code == 1


def test_a_wrong_configuration_is_found_and_the_rest_is_checked_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "config.toml").write_text("max_requests = 0\n")
    told = say("doctor", "--json", "--port", "0", home=tmp_path, data_dir=tmp_path / "data")
    checks = examined(told)
    assert (told.code, checks["configuration"]["status"], checks["model"]["status"]) == (1, "failed", "skipped")
    assert "1 to 10000" in checks["configuration"]["remedy"]
    assert checks["clock"]["status"] == "ok"
    assert say("config", home=tmp_path, data_dir=tmp_path / "data").code == 5


# -- in a shell --------------------------------------------------------------------------------------------------------

COMPLETED = [
    (["aster-sidecar", "do"], ["doctor"]),
    (["aster-sidecar", "co"], ["config", "completion"]),
    (["aster-desktop", "--framework", ""], ["tauri", "electron", "wails", "web"]),
    (["aster-sidecar", "--framework", "=", "el"], ["electron"]),
    (["aster-sidecar", "--log-level", "="], ["debug", "info", "warning", "error"]),
    (["aster-sidecar", "--port", "80", "do"], []),
    (["aster-sidecar", "sessions", "re"], ["rename", "restore"]),
    (["aster-sidecar", "sessions", "--data-dir", "list", "arch"], ["archive"]),
    (["aster-sidecar", "sessions", "delete", "--y"], ["--yes"]),
    (["aster-sidecar", "sessions", "set", "ses_1", "--perm"], ["--permission-mode"]),
    (["aster-sidecar", "sessions", "set", "--work-dir", "a"], ["a directory"]),
    (["aster-sidecar", "chat", "--effort", "m"], ["minimal", "medium"]),
    (["aster-sidecar", "doctor", "--work-dir", "a"], ["a directory"]),
    (["aster-sidecar", "config", "set", "max_t"], ["max_tool_calls", "max_tokens", "max_turn_s"]),
    (["aster-sidecar", "doctor", "--framework", "w"], ["wails", "web"]),
    (["aster-sidecar", "completion", "f"], ["fish"]),
    (["aster-sidecar", "trust", "a d"], ["a directory"]),
    (["aster-sidecar", "mcp", "re"], ["restart", "remove"]),
    (["aster-sidecar", "mcp", "add", "notes", "--risk", "m"], ["medium"]),
    (["aster-sidecar", "mcp", "try", "--cwd", "a"], ["a directory"]),
    (["aster-sidecar", "paths", "--data-dir", "a"], ["a directory"]),
]


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of `completion bash`, in a file."""
    script = tmp_path_factory.mktemp("completion") / "completion.bash"
    script.write_text(say("completion", "bash", home=script.parent).out)
    return script


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(("words", "offered"), COMPLETED, ids=lambda value: " ".join(value))
def test_bash_completes(words: list[str], offered: list[str], bash_script: Path, tmp_path: Path) -> None:
    (tmp_path / "a directory").mkdir()
    (tmp_path / "a file").write_text("")
    # What bash does: it calls the function that is registered for the command, with the words of the line.
    run = (
        'set -u; source "$0"; registered=$(complete -p "$1"); [[ $registered =~ -F\\ ([^ ]+) ]];'
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "${BASH_REMATCH[1]}"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ended = subprocess.run(
        ["bash", "--norc", "-c", run, str(bash_script), *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line for line in ended.stdout.splitlines() if line] == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_its_completion(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    script = tmp_path / "completion"
    script.write_text(say("completion", shell, home=tmp_path).out)
    subprocess.run([program, "-n", str(script)], check=True, timeout=20)


def on_terminal(daemon: Daemon, *words: str, types: bytes = b"", **variables: str) -> str:
    """What a command shows on a terminal, with `types` as the person's input."""
    ours, theirs = os.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    command = [sys.executable, "-m", "aster_sidecar", *words, "--data-dir", str(daemon.data_dir)]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env={**environment, **variables})
    os.write(ours, types)
    os.close(theirs)
    shown = bytearray()
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # Linux reports the closed other end as an error
        pass
    finally:
        os.close(ours)
        process.wait(60)
    return shown.decode("utf-8", "replace")


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_colours_are_for_a_terminal_that_wants_them(daemon: Daemon) -> None:
    assert "\x1b[32mok" in on_terminal(daemon, "doctor", "--no-model", "--port", "0")
    plain = on_terminal(daemon, "doctor", "--no-model", "--port", "0", NO_COLOR="1")
    assert "ok       python" in plain
    assert "\x1b[3" not in plain
    assert "\x1b" not in on_terminal(daemon, "doctor", "--no-model", "--port", "0", TERM="dumb")


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_what_others_wrote_moves_no_terminal(daemon: Daemon) -> None:
    daemon.ask("hello \x1b]0;owned\x07[bold]you[/bold]")
    [session] = ask(daemon, "sessions", "--json").json
    for words in (["list"], ["show", session["session_id"]]):
        shown = on_terminal(daemon, "sessions", *words, COLUMNS="200")
        assert "\x1b]" not in shown
        assert "‹U+001B›]0;owned‹U+0007›[bold]you[/bold]" in shown
        assert session["session_id"] in on_terminal(daemon, "sessions", *words, COLUMNS="60")


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_deleting_on_a_terminal_asks_first(daemon: Daemon) -> None:
    session_id = daemon.call("POST", "/api/sessions", {"title": "precious"})["session_id"]
    assert "nothing was deleted" in on_terminal(daemon, "sessions", "delete", session_id, types=b"n\n")
    assert len(ask(daemon, "sessions", "--json").json) == 1
    assert "deleted ses_" in on_terminal(daemon, "sessions", "delete", session_id, types=b"y\n")
    assert ask(daemon, "sessions", "--json").json == []
    asked = on_terminal(daemon, "sessions", "delete", "--purge", session_id, types=b"n\n")
    assert "delete 'precious' and its 0 messages permanently?" in asked
    assert len(ask(daemon, "sessions", "list", "--deleted", "--json").json) == 1


def test_a_reader_who_leaves_early_is_no_crash(daemon: Daemon) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "aster_sidecar", "config", "--json", "--data-dir", str(daemon.data_dir)]
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, timeout=30)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (1, b"")


# -- chat, where stdin and stdout are no terminal ----------------------------------------------------------------------


def chat(daemon: Daemon, *words: str, said: str = "", **variables: str) -> Told:
    """Run `chat` with one message, with pipes for stdin and stdout."""
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    environment |= {"HOME": str(daemon.home), "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-W", "error", "-m", "aster_sidecar", "chat", "--data-dir", str(daemon.data_dir), *words]
    ended = subprocess.run(
        command, cwd=daemon.home, env=environment, capture_output=True, encoding="utf-8", input=said, timeout=120
    )
    return Told(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes the streams")
@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        (r"printf 'caf\351 \000 hi' | chat", 0, "You said: “caf\ufffd \ufffd hi”", ""),
        (r"""chat "$(printf 'caf\351 hi')" </dev/null""", 0, "You said: “caf\ufffd hi”", ""),
        ("chat hello <&-", 0, "You said: “hello”", ""),
        ("chat hello </dev/null >&-", 0, "", ""),
        ("chat hello </dev/null 2>&-", 0, "You said: “hello”", ""),
        ("chat <&-", 2, "", "aster-sidecar: no message: pass one as an argument or on stdin"),
        ("chat hello </dev/null >/dev/full", 1, "", "aster-sidecar: the output could not be written: No space left"),
        ("chat --json hello </dev/null >/dev/full", 1, "", "aster-sidecar: the output could not be written: No space"),
        ("agents >/dev/full", 1, "", "aster-sidecar: the output could not be written: No space left on device"),
        ("agents >&-", 0, "", ""),
        ("chat --session . hello </dev/null", 1, "", "aster-sidecar: No conversation has a title that begins with '.'"),
        (
            r"""chat --session "$(printf '\351')" hello </dev/null""",
            1,
            "",
            "aster-sidecar: No conversation has a title that begins with '\ufffd'",
        ),
    ],
)
def test_streams_that_are_closed_full_or_no_utf_8(daemon: Daemon, line: str, code: int, out: str, err: str) -> None:
    if "/dev/full" in line and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    program = '"$PYTHON" -m aster_sidecar "$@"'
    script = f"""chat() {{ set -- chat --data-dir "$DATA" "$@"; {program}; }}
        agents() {{ set -- agents --data-dir "$DATA" "$@"; {program}; }}
        {line}"""
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environment |= {"HOME": str(daemon.home), "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict"}
    environment |= {"PYTHON": sys.executable, "DATA": str(daemon.data_dir)}
    ended = subprocess.run(["sh", "-c", script], cwd=daemon.home, env=environment, capture_output=True, timeout=60)
    told, complaints = ended.stdout.decode(), ended.stderr.decode()
    assert ended.returncode == code, complaints
    assert out in told
    assert complaints.startswith(err)
    assert complaints.count("\n") == bool(err)


def test_a_question_prints_the_answer_and_nothing_else(daemon: Daemon) -> None:
    told = chat(daemon, "hello")
    assert (told.code, told.err) == (0, "")
    assert told.out == daemon.history()[-1]["text"] + "\n"


def test_files_go_with_a_message(daemon: Daemon, tmp_path: Path) -> None:
    note, other = tmp_path / "a note.txt", tmp_path / "other.txt"
    note.write_text("a note", encoding="utf-8")
    other.write_text("another", encoding="utf-8")
    told = chat(daemon, "--attach", str(note), "--attach", str(other), "look")
    assert (told.code, told.out) == (0, daemon.history()[-1]["text"] + "\n")
    assert told.err.splitlines() == [
        "For your next message: [file a note.txt, 6 B]",
        "For your next message: [file other.txt, 7 B]",
    ]
    assert [part.get("name") for part in daemon.history()[0]["parts"]] == [None, "a note.txt", "other.txt"]
    assert chat(daemon, "--attach", str(note)).code == 0
    assert [part["name"] for part in daemon.history()[2]["parts"]] == ["a note.txt"]
    missing = chat(daemon, "--attach", str(tmp_path / "missing"), "look")
    assert (missing.code, missing.out) == (2, "")
    assert "can’t be attached: No such file or directory" in missing.err


def test_what_is_piped_in_comes_behind_the_message(daemon: Daemon) -> None:
    assert chat(daemon, "look", "at", said="line one\nline two\n").code == 0
    assert daemon.history()[0]["text"] == "look at\n\nline one\nline two"


def test_where_nobody_can_be_asked_a_question_goes_on_waiting(daemon: Daemon) -> None:
    told = chat(daemon, "write hello.txt")
    assert told.code == 7
    assert "This is waiting for you: write " in told.err
    [waiting] = daemon.call("GET", "/api/approvals")
    behind = chat(daemon, "hello")  # the question belongs to another turn, so this one must not answer it
    assert behind.code == 7
    assert [entry["call_id"] for entry in daemon.call("GET", "/api/approvals")] == [waiting["call_id"]]
    with daemon.watch() as watcher:
        daemon.call("POST", "/api/approve", {"agent_id": "default", "call_id": waiting["call_id"], "decision": "allow"})
        watcher.until("done", 2)
    assert (daemon.work_dir / "hello.txt").exists()


def test_a_turn_that_fails_exits_with_1(daemon: Daemon) -> None:
    told = chat(daemon, "fail")
    assert told.code == 1
    assert "error: the demo model failed because you asked it to" in told.err


def test_a_turn_that_ends_on_a_limit_warns_and_exits_with_1(daemon: Daemon) -> None:
    daemon.config(max_requests=1)
    told = chat(daemon, "list")
    assert told.code == 1
    assert "warning: the turn made 1 request" in told.err
    assert "send another message to go on" in told.err


def test_every_event_is_a_line_of_json(daemon: Daemon) -> None:
    told = chat(daemon, "--json", "hello")
    kinds = [json.loads(line)["type"] for line in told.out.splitlines()]
    assert {"message_added", "text_chunk"} < set(kinds)
    assert kinds[-1] == "done"


def test_a_chat_without_the_token_is_told_who_holds_the_directory(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token=TOKEN)
    assert daemon.process is not None
    refused = chat(daemon, "hello")
    assert refused.code == 1
    assert f"pid {daemon.process.pid}, for web, {daemon.url}, since 20" in refused.err
    assert "--data-dir" in refused.err
    assert chat(daemon, "hello", ASTER_SIDECAR_TOKEN="x" * 20).code == 1
    right = chat(daemon, "hello", ASTER_SIDECAR_TOKEN=TOKEN)
    assert (right.code, right.err) == (0, "")
    assert TOKEN not in refused.err + refused.out + right.out


def settings(daemon: Daemon, session_id: str) -> dict[str, tuple[str, str]]:
    """The session's settings as (value, source)."""
    found = daemon.call("GET", f"/api/sessions/{session_id}")["settings"]
    return {name: (one["value"], one["source"]) for name, one in found.items() if name != "mcp_off"}


def test_the_flags_of_one_message(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(*(Reply([Say("Yes.")]) for _ in range(4)))
    (real.home / "garden").mkdir()
    garden = str((real.home / "garden").resolve())
    told = chat(real, "--model", "openai:gpt-5.2-mini", "--effort", "low", "one")
    assert (told.code, told.out, told.err) == (0, "Yes.\n", "")
    [session] = real.call("GET", "/api/sessions")["sessions"]
    one = session["session_id"]
    before = settings(real, one)
    assert {source for _, source in before.values()} <= {"config", "default"}, "the message had them, for itself only"
    told = chat(real, "--work-dir", "garden", "--permission-mode", "always_ask", "two")
    assert told.out == "Yes.\n"
    assert f"Folder: {garden} (chosen for this conversation)" in told.err
    assert "Permission mode: always_ask (chosen for this conversation)" in told.err
    chosen = {**before, "work_dir": (garden, "session"), "permission_mode": ("always_ask", "session")}
    assert settings(real, one) == chosen
    told = chat(real, "--work-dir", "garden", "three")
    assert (told.out, told.err) == ("Yes.\n", ""), "it has this folder already"
    sent = [(request.body["model"], request.body.get("reasoning", {}).get("effort")) for request in provider.requests]
    assert sent == [("gpt-5.2-mini", "low"), (sent[1][0], None), (sent[1][0], None)]
    told = chat(real, "--new", "--model", "openai:gpt-5.2-mini", "--effort", "high", "--work-dir", "garden", "four")
    assert (told.out, told.err) == ("Yes.\n", "")
    two = next(row["session_id"] for row in real.call("GET", "/api/sessions")["sessions"] if row["session_id"] != one)
    assert settings(real, two) == {
        "work_dir": (garden, "session"),
        "model": ("openai:gpt-5.2-mini", "session"),
        "effort": ("high", "session"),
        "permission_mode": before["permission_mode"],
    }


def test_flags_that_are_refused_send_nothing(daemon: Daemon) -> None:
    (daemon.home / "garden").mkdir()
    for words in (["--work-dir", "nowhere"], ["--model", "gpt"], ["--new", "--model", "gpt"]):
        told = chat(daemon, *words, "hello")
        assert (told.code, told.out) == (1, "")
    assert chat(daemon, "--effort", "extreme", "hello").code == 2
    assert daemon.call("GET", "/api/sessions")["sessions"] == []
    with daemon.watch() as watcher:
        daemon.chat("write hello.txt")
        watcher.until("approval_required")
    told = chat(daemon, "--work-dir", "garden", "hello")
    assert (told.code, "running or waiting" in told.err) == (1, True)
    assert len(daemon.history()) == 2


def test_flags_before_the_first_message_start_a_conversation_with_them(daemon: Daemon) -> None:
    (daemon.home / "garden").mkdir()
    told = chat(daemon, "--work-dir", "garden", "hello")
    [session] = daemon.call("GET", "/api/sessions")["sessions"]
    assert f"A new one was started: {session['session_id']}" in told.err
    assert (session["settings"]["work_dir"]["source"], session["messages"]) == ("session", 2)


def test_the_flags_of_a_daemon_that_chat_starts_win_over_what_a_conversation_chose(daemon: Daemon) -> None:
    for name in ("garden", "shed"):
        (daemon.home / name).mkdir()
    one, two = (
        daemon.call("POST", "/api/sessions", {"title": title, "work_dir": folder})["session_id"]
        for title, folder in (("Garden", str(daemon.home / "garden")), ("Plain", None))
    )
    daemon.stop()
    for title, said in (("Garden", True), ("Plain", False)):
        told = chat(daemon, "--session", title, "--work-dir", "shed", "hello")
        assert (told.code, "Folder: " in told.err) == (0, said)
    daemon.start()
    assert settings(daemon, one)["work_dir"] == (str((daemon.home / "shed").resolve()), "session")
    assert settings(daemon, two)["work_dir"][1] != "session", "the daemon worked there, and nothing is kept"


def test_a_message_for_a_conversation_by_its_title(daemon: Daemon) -> None:
    session = daemon.call("POST", "/api/sessions", {"agent_id": "default", "title": "The invoice"})
    assert chat(daemon, "--session", "the inv", "hello").code == 0
    assert daemon.history(session_id=session["session_id"])[0]["text"] == "hello"


def test_flags_of_chat_that_contradict_each_other_are_refused(daemon: Daemon) -> None:
    (daemon.data_dir / "agents").mkdir(exist_ok=True)
    (daemon.data_dir / "agents" / "poet.yaml").write_text("instructions: Rhyme.\n")
    session = daemon.call("POST", "/api/sessions", {"agent_id": "poet", "title": "The invoice"})
    other = chat(daemon, "--session", "the inv", "--agent", "default", "hello")
    assert (other.code, other.out) == (1, "")
    assert "The conversation 'The invoice' is with the agent 'poet'." in other.err
    assert f"sessions set {session['session_id']} --agent" in other.err
    both = chat(daemon, "--session", "the inv", "--new", "hello")
    assert (both.code, "--new" in both.err, "--session" in both.err) == (2, True, True)
    assert daemon.call("GET", f"/api/sessions/{session['session_id']}")["messages"] == 0
    for flags in ([], ["--agent", "poet"]):
        assert chat(daemon, "--session", "the inv", *flags, "hello").code == 0
    assert daemon.call("GET", f"/api/sessions/{session['session_id']}")["messages"] == 4


def test_of_conversations_with_one_title_the_agent_s_is_chosen(daemon: Daemon) -> None:
    (daemon.data_dir / "agents").mkdir(exist_ok=True)
    (daemon.data_dir / "agents" / "poet.yaml").write_text("instructions: Rhyme.\n")
    one, other = (
        daemon.call("POST", "/api/sessions", {"agent_id": agent_id, "title": "The invoice"})["session_id"]
        for agent_id in ("poet", "default")
    )
    assert chat(daemon, "--session", "the inv", "--agent", "poet", "hello").code == 0
    counts = [daemon.call("GET", f"/api/sessions/{session_id}")["messages"] for session_id in (one, other)]
    assert counts == [2, 0], "the other one is newer"
