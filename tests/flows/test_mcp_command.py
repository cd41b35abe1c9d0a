"""The command `mcp`, and the doctor's checks of MCP servers, with a real daemon."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import provider_environment
from tests.flows.test_cli import ROOT, Told, ask, examined, on_terminal, say
from tests.flows.test_mcp_managed import SCRIPT, running, saved, tool, until, until_state
from tests.support.daemon import WAIT_S, Daemon, Json
from tests.support.provider import ProviderDouble

pytest.importorskip("mcp")
pytestmark = pytest.mark.timeout(180)  # a test runs up to 14 commands, each in a process

CANARY = "sk-canary-of-the-command-7f21"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the server keeps what it lists."""
    place = tmp_path / "living"
    place.mkdir()
    return place


def mcp(daemon: Daemon, *words: str, code: int = 0, stdin: str | None = None) -> Told:
    """Run `mcp`, which exits with `code`; with `stdin`, the command reads this text."""
    if stdin is None:
        told = ask(daemon, "mcp", *words)
    else:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-m", "aster_sidecar", "mcp", "--data-dir", str(daemon.data_dir), *words],
            cwd=daemon.home,
            env={"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(ROOT)},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        told = Told(ended.returncode, ended.stdout, ended.stderr)
    assert told.code == code, told
    return told


def program(home: Path) -> list[str]:
    return ["--", sys.executable, str(SCRIPT), str(home)]


def changed_definition(daemon: Daemon, home: Path) -> None:
    """The server gets the tool `add`, whose definition then changes."""
    for words in ("Adds a note.", "Adds a note, and more."):
        (home / "tools.json").write_text(json.dumps([tool("add", words)]))
        mcp(daemon, "restart", "living")
        until_state(daemon, "ready")


# -- add, show, change, remove -----------------------------------------------------------------------------------------


def test_a_server_is_added_shown_changed_and_removed(daemon: Daemon, home: Path) -> None:
    assert mcp(daemon).err.startswith("no MCP servers; ")
    assert mcp(daemon, "list", "--json").json == []
    told = mcp(daemon, "add", "living", "--env", "A=b=c", "--risk", "low", "--timeout-s", "90", *program(home))
    lines = told.out.splitlines()
    assert lines[0] == "it answers, living 7, protocol 2025-06-18, 5 tools"
    assert [line.split() for line in lines[1:3]] == [["tool", "on", "risk", "what"], ["echo", "yes", "low"]]
    assert lines[-1] == "added living"
    assert saved(daemon)["living"] == {
        "command": sys.executable,
        "args": [str(SCRIPT), str(home)],
        "env": {"A": "b=c"},
        "risk": "low",
        "timeout_s": 90.0,
    }
    until_state(daemon, "ready")
    head, row = (line.split() for line in mcp(daemon).out.splitlines())
    assert (head, row) == (["name", "state", "tools", "where", "problem"], ["living", "ready", "5", sys.executable])
    assert mcp(daemon, "list", "--json").json == daemon.call("GET", "/api/mcp")

    refused = mcp(daemon, "add", "living", *program(home), code=1)
    assert refused.err.startswith("aster-sidecar: there is an MCP server living already\n  ")
    assert mcp(daemon, "change", "living", "--disable-tool", "living_die", "--disable-tool", "hang", "--agent", "a").out
    assert saved(daemon)["living"]["disabled_tools"] == ["die", "hang"]
    assert saved(daemon)["living"]["agents"] == ["a"]
    shown = mcp(daemon, "show", "living").out
    assert "living: ready, living 7, protocol 2025-06-18, pid " in shown
    rows = [line.split() for line in shown.splitlines()]
    for row in (["env", "A", "(not", "shown)"], ["disabled_tools", "die", "hang"], ["agents", "a"]):
        assert row in rows
    for row in (["die", "no", "low"], ["echo", "yes", "low"], ["greet", "who,", "[how]"], ["notes://one", "one"]):
        assert row in rows
    assert mcp(daemon, "show", "living", "--json").json == daemon.call("GET", "/api/mcp/living")
    mcp(daemon, "change", "living", "--enable-tool", "die", "--agent", "-", "--risk", "-", "--unset-env", "A")
    found = daemon.call("GET", "/api/mcp/living")["config"]
    assert (found["disabled_tools"], found["agents"], found["risk"], found["env"]) == (["hang"], None, "high", {})
    until_state(daemon, "ready")  # it was started again for its variable
    unknown = mcp(daemon, "change", "living", "--disable-tool", "fly", code=1)
    assert unknown.err == ("aster-sidecar: living has no tool 'fly'\n  it has echo, where, reload, die, hang\n")
    mcp(daemon, "add", "living", "--replace", "--no-try", *program(home))
    assert saved(daemon)["living"] == {"command": sys.executable, "args": [str(SCRIPT), str(home)]}

    assert mcp(daemon, "remove", "living", "--json").json == {"name": "living"}
    assert "living" not in saved(daemon)
    assert "MCP server not found: 'living'" in mcp(daemon, "show", "living", code=1).err


def test_tools_of_a_list_are_added_to_it_and_taken_out(daemon: Daemon, home: Path) -> None:
    mcp(daemon, "add", "living", *program(home))
    daemon.call("PATCH", "/api/mcp/living", {"tools": ["echo"]})
    mcp(daemon, "change", "living", "--enable-tool", "where", "--disable-tool", "echo")
    assert saved(daemon)["living"]["tools"] == ["echo", "where"]
    assert saved(daemon)["living"]["disabled_tools"] == ["echo"]
    mcp(daemon, "change", "living", "--enable-tool", "echo")
    assert "disabled_tools" not in saved(daemon)["living"]


def test_what_does_not_answer_is_not_saved(daemon: Daemon) -> None:
    before = (daemon.data_dir / "config.toml").read_bytes()
    wrong = ["--", sys.executable, "-c", "exit('no such database')"]
    told = mcp(daemon, "add", "notes", *wrong, code=1)
    assert "no such database" in told.err
    assert told.err.endswith("nothing was saved; --no-try saves it all the same\n")
    assert told.out == ""
    told = mcp(daemon, "try", *wrong, code=1)
    assert "no such database" in told.err
    assert not mcp(daemon, "try", "--json", *wrong, code=1).json["ok"]
    assert (daemon.data_dir / "config.toml").read_bytes() == before
    assert mcp(daemon, "add", "notes", "--no-try", *wrong).out == "added notes\n"
    assert saved(daemon)["notes"]["command"] == sys.executable
    until_state(daemon, "backoff", "notes")
    assert "no such database" in mcp(daemon).out


def test_a_server_is_tried_and_nothing_is_saved(daemon: Daemon, home: Path) -> None:
    before = (daemon.data_dir / "config.toml").read_bytes()
    told = mcp(daemon, "try", *program(home))
    assert told.out.startswith("it answers, living 7, protocol 2025-06-18, 5 tools\n")
    assert mcp(daemon, "try", "x", "--json", *program(home)).json["tools"][0]["name"] == "x_echo"
    assert running(home) == []
    assert (daemon.data_dir / "config.toml").read_bytes() == before


def test_a_program_and_directories_are_those_of_the_shell(daemon: Daemon, home: Path) -> None:
    (daemon.home / "bin").mkdir()
    (daemon.home / "bin" / "server").write_text(f"#!/bin/sh\nexec {sys.executable} {SCRIPT} {home}\n")
    (daemon.home / "bin" / "server").chmod(0o755)
    mcp(daemon, "add", "living", "--cwd", "bin", "--root", "bin", "--", "bin/server")
    there = str(daemon.home.resolve() / "bin")
    assert saved(daemon)["living"] == {"command": f"{there}/server", "args": [], "cwd": there, "roots": [there]}


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_are_lines_of_stdin_and_are_not_in_the_configuration(daemon: Daemon, home: Path) -> None:
    words = ["add", "living", "--secret-env", "SECRET_A", "--secret-env", "SECRET_B", *program(home)]
    told = mcp(daemon, *words, stdin=f"{CANARY}\r\nsecond\n")
    assert CANARY not in told.out + told.err
    assert CANARY not in (daemon.data_dir / "config.toml").read_text()
    until_state(daemon, "ready")
    found = psutil.Process(running(home)[0]).environ()
    assert (found["SECRET_A"], found["SECRET_B"]) == (CANARY, "second")
    mcp(daemon, "change", "living", "--secret-env", "SECRET_B", stdin="third\n")
    until(lambda: (pids := running(home)) and psutil.Process(pids[0]).environ().get("SECRET_B") == "third", "not used")
    shown = mcp(daemon, "show", "living").out
    assert "${secret:mcp.living.SECRET_A}" in shown
    assert CANARY not in shown
    for stdin, why in (("one\n", "there is no value for SECRET_B"), ("one\n\n", "the value for SECRET_B is empty")):
        told = mcp(daemon, *words[:1], "other", *words[2:], stdin=stdin, code=2)
        assert told.err.startswith(f"aster-sidecar: {why}\n  ")
    assert "other" not in saved(daemon)


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_a_terminal_asks_for_secrets_without_echo(daemon: Daemon, home: Path) -> None:
    ours, theirs = os.openpty()
    words = ["add", "living", "--secret-env", "SECRET_A", "--data-dir", str(daemon.data_dir), *program(home)]
    process = subprocess.Popen(
        [sys.executable, "-m", "aster_sidecar", "mcp", *words],
        env={"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(ROOT), "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, typed = b"", False
    with contextlib.suppress(OSError):  # Linux reports the closed other end as an error
        while piece := os.read(ours, 65536):
            shown += piece
            if b"SECRET_A: " in shown and not typed:
                typed = os.write(ours, f"{CANARY}\n".encode()) > 0
    os.close(ours)
    assert process.wait(WAIT_S) == 0
    assert b"added living" in shown
    assert CANARY.encode() not in shown
    until_state(daemon, "ready")
    assert psutil.Process(running(home)[0]).environ()["SECRET_A"] == CANARY


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_removing_on_a_terminal_asks_first(daemon: Daemon, home: Path) -> None:
    mcp(daemon, "add", "living", "--no-try", *program(home))
    asked = on_terminal(daemon, "mcp", "remove", "living", types=b"n\n")
    assert "remove living with its settings and secrets? [y/N]" in asked
    assert "nothing was removed" in asked
    assert "living" in saved(daemon)
    assert "removed living" in on_terminal(daemon, "mcp", "remove", "living", types=b"y\n")
    assert "living" not in saved(daemon)


# -- life --------------------------------------------------------------------------------------------------------------


def test_a_server_is_turned_off_and_on_and_restarted(daemon: Daemon, home: Path) -> None:
    mcp(daemon, "add", "living", *program(home))
    until_state(daemon, "ready")
    [pid] = running(home)
    assert mcp(daemon, "disable", "living").out == "disabled living: disabled\n"
    until(lambda: not running(home), "it still runs")
    told = mcp(daemon, "restart", "living", code=1)
    assert told.err == "aster-sidecar: living is turned off\n  aster-sidecar mcp enable living starts it\n"
    assert mcp(daemon, "enable", "living").out.startswith("enabled living: ")
    until_state(daemon, "ready")
    assert "enabled" not in saved(daemon)["living"]
    [second] = running(home)
    assert mcp(daemon, "restart", "living").out == "restarting living\n"
    until(lambda: [one for one in running(home) if one not in (pid, second)], "it was not started again")


def test_the_log_is_shown_and_followed(daemon: Daemon, home: Path) -> None:
    mcp(daemon, "add", "living", *program(home))
    until(lambda: daemon.call("GET", "/api/mcp/living/logs")["entries"], "it wrote nothing")
    assert mcp(daemon, "logs", "living").out.endswith("Z hello from the log\n")
    [entry] = mcp(daemon, "logs", "living", "--json").json["entries"]
    assert entry["text"] == "hello from the log"
    command = [sys.executable, "-m", "aster_sidecar", "mcp", "logs", "living", "--follow", "--json"]
    with subprocess.Popen(
        [*command, "--data-dir", str(daemon.data_dir)],
        env={"PATH": os.environ["PATH"], "HOME": str(daemon.home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline()) == entry
        mcp(daemon, "change", "living", "--env", "OTHER=1")  # it is started again, with a new log
        assert json.loads(following.stdout.readline())["text"] == "hello from the log"
        following.kill()
    assert "the newest 400 lines are kept" in mcp(daemon, "logs", "living", "--limit", "401", code=2).err


# -- import ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def others(tmp_path: Path, home: Path) -> Path:
    """A file of Cursor in the person's home: a server, one that needs a value, and one that can't be added."""
    path = tmp_path / "person" / ".cursor" / "mcp.json"
    path.parent.mkdir(parents=True)
    server = {"command": sys.executable, "args": [str(SCRIPT), str(home)]}
    servers: Json = {
        "Living Notes": {**server, "env": {"API_TOKEN": CANARY}},
        "second": {**server, "env": {"API_TOKEN": "${input:token}"}},
        "bad": {"args": []},
    }
    path.write_text(json.dumps({"mcpServers": servers}))
    return path


def test_servers_of_other_apps_are_listed_and_added(
    launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path, others: Path
) -> None:
    daemon = launch(environment=provider_environment(provider) | {"HOME": str(tmp_path / "person")})
    told = mcp(daemon, "import")
    assert told.out.splitlines()[0] == f"Cursor  {others}"
    rows = {line.split()[0]: line for line in told.out.splitlines()[2:]}
    [notes] = [name for name in rows if "notes" in name]
    assert rows[notes].split()[1] == "yes"
    assert "saved in the keychain: env API_TOKEN" in rows[notes]
    assert rows["bad"].split()[1] == "no"
    assert CANARY not in told.out + told.err
    [source] = mcp(daemon, "import", "--json").json
    assert source["path"] == str(others)

    assert mcp(daemon, "import", str(others), notes).out.startswith(f"added {notes}: ")
    assert CANARY not in (daemon.data_dir / "config.toml").read_text()
    assert f"there is an MCP server {notes} already" in mcp(daemon, "import", notes, code=1).err
    assert mcp(daemon, "import", notes, "--replace").code == 0
    assert "bad can't be added: " in mcp(daemon, "import", "bad", code=1).err
    assert "no MCP server fly was found" in mcp(daemon, "import", "fly", code=1).err
    assert "can't be read" in mcp(daemon, "import", "./none.json", code=1).err

    needs = next(one for one in source["servers"] if one["name"] == "second")["needs"]
    told = mcp(daemon, "import", "--all", stdin=f"{CANARY}\n" * len(needs))
    assert [line.split(":")[0] for line in told.out.splitlines()] == ["added second"]
    assert f"left out {notes} of {others}: there is an MCP server of this name already" in told.err
    assert f"left out bad of {others}: " in told.err
    assert CANARY not in (daemon.data_dir / "config.toml").read_text()
    assert mcp(daemon, "import", "--all").err.endswith("nothing to add\n")


# -- what the doctor says ----------------------------------------------------------------------------------------------


def test_the_doctor_names_each_server_that_is_not_as_it_should_be(daemon: Daemon, home: Path) -> None:
    def checks() -> dict[str, Json]:
        told = ask(daemon, "doctor", "--no-model", "--json")
        return {name: one for name, one in examined(told).items() if name.startswith("mcp ")}

    assert checks()["mcp servers"]["status"] == "skipped"
    mcp(daemon, "add", "living", *program(home))
    until_state(daemon, "ready")
    assert checks() == {
        "mcp servers": {"name": "mcp servers", "status": "ok", "detail": "living: ready (5 tools)", "remedy": None}
    }
    mcp(daemon, "add", "broken", "--no-try", "--", sys.executable, "-c", "exit('no such database')")
    until_state(daemon, "backoff", "broken")
    changed_definition(daemon, home)
    found = checks()
    assert found["mcp servers"]["detail"].startswith("living: ready (6 tools), broken: ")
    assert "no such database" in found["mcp server broken"]["detail"]
    assert found["mcp server living"]["detail"].endswith("since they were accepted: add")
    assert all(one["remedy"] for name, one in found.items() if name != "mcp servers")
    assert "1 tool has a changed definition; the next call asks" in mcp(daemon).out
    assert "its definition has changed; the next call asks" in mcp(daemon, "show", "living").out
    mcp(daemon, "disable", "living")
    mcp(daemon, "disable", "broken")
    assert checks().keys() == {"mcp servers"}


def test_the_doctor_says_why_the_browser_is_not_ready(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    def checks() -> dict[str, Json]:
        found = examined(ask(daemon, "doctor", "--no-model", "--json"))
        return {name: one for name, one in found.items() if name == "browser" or name.startswith("mcp ")}

    daemon = launch(environment=provider_environment(provider) | {"ASTER_BROWSER": "/no/such/browser"})
    assert (checks()["browser"]["status"], checks()["browser"]["detail"]) == ("skipped", "off")
    daemon.call("POST", "/api/flags", {"browser": True})
    until_state(daemon, "backoff", "browser")
    found = checks()
    assert found["browser"]["status"] == "warning"
    assert found["browser"]["detail"].startswith("ASTER_BROWSER is set to /no/such/browser")
    assert found["browser"]["remedy"].startswith("set ASTER_BROWSER to the path of")
    assert found["mcp servers"]["detail"] == "none"
    assert found.keys() == {"browser", "mcp servers"}


def test_the_doctor_and_the_list_name_a_mistake_in_the_table_of_a_server(
    launch: Callable[..., Daemon], tmp_path: Path
) -> None:
    (tmp_path / "a" / "data").mkdir(parents=True)
    (tmp_path / "a" / "data" / "config.toml").write_text(
        "[mcp.typo]\ncommand = 'x'\ncomand = 'y'\n[mcp.off]\nenabled = false\n"
    )
    daemon = launch()
    found = examined(ask(daemon, "doctor", "--no-model", "--json"))
    assert found["configuration"]["status"] == "ok"
    assert found["mcp servers"]["detail"] == "typo: crashed, off: turned off"
    typo, off = found["mcp server typo"], found["mcp server off"]
    assert (typo["status"], typo["detail"]) == ("warning", "crashed: [mcp.typo] comand: unknown key")
    assert (off["status"], off["detail"]) == ("warning", "turned off: [mcp.off]: neither command nor url is given")
    assert typo["remedy"].endswith("or replace the server: aster-sidecar mcp add typo --replace")
    assert "comand: unknown key" in mcp(daemon).out
    assert "comand: unknown key" in mcp(daemon, "show", "typo").out
    mcp(daemon, "add", "typo", "--replace", "--no-try", "--url", "http://127.0.0.1:9/mcp")
    mcp(daemon, "remove", "off")
    assert saved(daemon) == {"typo": {"url": "http://127.0.0.1:9/mcp"}}


def test_without_a_daemon_nothing_works_and_it_says_how_to_start_one(tmp_path: Path) -> None:
    for words in (["list"], ["show", "a"], ["add", "a", "--", "b"], ["enable", "a"], ["import"], ["logs", "a"]):
        told = say("mcp", *words, home=tmp_path, data_dir=tmp_path / "data")
        assert told.code == 1
        assert told.err.endswith(f"start one: aster-sidecar --data-dir {tmp_path / 'data'}\n")
    assert say("mcp", "add", "A", "--", "b", home=tmp_path).code == 2
