"""Commands in the sandbox, with the setting `sandbox`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from aster_sidecar.sandbox.commands import CommandSandbox, refused
from aster_sidecar.sandbox.probe import State
from aster_sidecar.sandbox.spec import NoSandbox
from tests.support.daemon import Daemon

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox of Linux")
Json = dict[str, Any]


@pytest.fixture
def boxed(launch: Callable[..., Daemon]) -> Daemon:
    """A daemon whose commands run in the sandbox, and are not asked about."""
    daemon = launch()
    daemon.config(sandbox="auto", permission_mode="auto_approve")
    return daemon


def run(daemon: Daemon, command: str, session_id: str | None = None, **more: Any) -> Json:
    """The end of a command, without a question."""
    message = f"call run_command {json.dumps({'command': command, **more})}"
    events = daemon.ask(message, session_id=session_id) if session_id else daemon.ask(message)
    return next(event["data"] for event in events if event["type"] == "tool_end")


def test_a_command_changes_only_its_folder(boxed: Daemon) -> None:
    outside = Path("/usr/aster-was-here")
    done = run(boxed, f"echo in > in.txt; echo out > {outside}")
    assert (boxed.work_dir / "in.txt").read_text() == "in\n"
    assert not outside.exists()
    assert done["result"]["sandbox"] == "full"
    assert "only the work folder can be written" in done["result"]["sandbox_denied"]
    assert 'sandbox "none"' in done["result"]["sandbox_denied"]
    fine = run(boxed, "cat in.txt")
    assert (fine["result"]["stdout"], fine["result"]["sandbox_denied"]) == ("in\n", None)


def test_a_command_has_no_network_and_does_not_reach_the_daemon(boxed: Daemon) -> None:
    program = f"import socket; socket.create_connection(('127.0.0.1', {boxed.port}), 2)"
    done = run(boxed, f'{sys.executable} -c "{program}"')
    assert done["result"]["exit_code"] != 0
    named = run(boxed, f"{sys.executable} -c \"import socket; socket.getaddrinfo('example.org', 80)\"")
    assert "no network" in named["result"]["sandbox_denied"]


def test_temporary_files_are_a_session_s_own_and_go_with_the_daemon(boxed: Daemon) -> None:
    one = boxed.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    other = boxed.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    assert run(boxed, "echo mine > $TMPDIR/note; cat $TMPDIR/note", one)["result"]["stdout"] == "mine\n"
    assert run(boxed, "cat $TMPDIR/note", one)["result"]["stdout"] == "mine\n"
    assert run(boxed, "ls $TMPDIR", other)["result"]["stdout"] == ""
    kept = boxed.data_dir / "sandbox" / "tmp"
    assert list(kept.iterdir()) != []
    boxed.stop()
    assert not kept.exists()


def test_what_a_rule_denies_is_hidden(boxed: Daemon) -> None:
    (boxed.work_dir / "private").mkdir()
    (boxed.work_dir / "private" / "diary").write_text("dear diary")
    rule = {"decision": "deny", "tool": "read_file", "kind": "beneath", "value": "private"}
    boxed.call("POST", "/api/permissions/rules", rule)
    assert "dear" not in json.dumps(run(boxed, "cat private/diary; cat private/*; ls private")["result"])


def test_what_a_command_leaves_for_other_programs_is_said(boxed: Daemon) -> None:
    assert "other programs run what it left: " in run(boxed, "echo evil > .envrc")["result"]["note"]


def test_a_command_ends_with_the_daemon(boxed: Daemon) -> None:
    boxed.chat(f"call run_command {json.dumps({'command': 'setsid sleep 4711 & echo begun; sleep 4711'})}")
    with boxed.watch(after=0) as watcher:
        watcher.until("tool_progress")
    sleeping = [one for one in psutil.process_iter(["cmdline"]) if "4711" in (one.info["cmdline"] or [])]
    assert sleeping
    boxed.kill()
    _, alive = psutil.wait_procs(sleeping, timeout=20)
    assert alive == []


def test_running_outside_is_always_asked(boxed: Daemon, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    arguments = {"command": f"echo out > {outside}", "sandbox": "none"}
    assert "say in" in run(boxed, **arguments)["error"]
    with boxed.watch() as watcher:
        boxed.chat(f"call run_command {json.dumps({**arguments, 'why': 'it writes a report'})}")
        asked = watcher.until("approval_required")[-1]["data"]
        assert "outside the sandbox. The agent says why: “it writes a report”" in asked["reason"]
        boxed.approve(asked["call_id"])
        watcher.until("done")
    assert outside.read_text() == "out\n"
    [newest, *_] = boxed.call("GET", "/api/audit")["decisions"]
    assert (newest["decided_by"], newest["sandbox"]) == ("person", "none")


def test_the_network_is_asked_for_and_can_be_allowed_for_a_program(boxed: Daemon) -> None:
    """In auto_approve too; the rule is for this program in this folder, and also covers it without network."""
    program = (
        "import urllib.request, urllib.error\n"
        f"try: print(urllib.request.urlopen('http://127.0.0.1:{boxed.port}/api/agents', timeout=9).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    (boxed.work_dir / "connect.py").write_text(program)
    connects = f"{sys.executable} connect.py"
    arguments = {"command": connects, "network": "all"}
    assert "needs the network" in run(boxed, **arguments)["error"]
    asking = f"call run_command {json.dumps({**arguments, 'why': 'it fetches a page'})}"
    with boxed.watch() as watcher:
        boxed.chat(asking)
        asked = watcher.until("approval_required")[-1]["data"]
        assert "It can use the network" in asked["reason"]
        assert "The agent says why: “it fetches a page”" in asked["reason"]
        assert asked["summary"].endswith("with network")
        [exact, program] = asked["scopes"]
        assert "with network" in exact["words"]
        assert "…` with network in" in program["words"]
        boxed.approve(asked["call_id"], "allow_always", scope_id=program["scope_id"])
        ended = next(event["data"] for event in watcher.until("done") if event["type"] == "tool_end")
    assert ended["result"]["stdout"] == "403\n", "it reaches the daemon, which refuses processes of tools"
    events = boxed.ask(asking)
    assert "approval_required" not in [event["type"] for event in events]
    assert run(boxed, connects)["result"]["exit_code"] != 0, "it has no network if it does not ask for it"
    boxed.config(permission_mode="smart_approve")
    assert "approval_required" not in [
        event["type"] for event in boxed.ask(f"call run_command {json.dumps({'command': connects})}")
    ]


def test_in_the_sandbox_always_covers_interpreters_too(boxed: Daemon) -> None:
    boxed.config(permission_mode="smart_approve")

    def check(command: str) -> Json:
        return boxed.call("POST", "/api/permissions/check", {"tool": "run_command", "arguments": {"command": command}})

    found = check(f"{sys.executable} -c 'print(1)' > out.txt")
    assert [scope["scope_id"] for scope in found["scopes"]] == ["exact", "program"]
    assert "in the sandbox with any arguments" in found["scopes"][1]["words"]
    value = f"in {boxed.work_dir}:\n{sys.executable} x.py"
    rule = {"decision": "allow", "tool": "run_command", "kind": "program", "value": value}
    kept = boxed.call("POST", "/api/permissions/rules", rule)
    assert check(f"{sys.executable} x.py")["rule"]["rule_id"] == kept["rule_id"]
    assert check(f"{sys.executable} x.py")["decision"] == "allow"
    boxed.config(sandbox="off")
    assert check(f"{sys.executable} x.py")["decision"] == "ask"


def test_a_question_and_the_record_say_what_confines_a_command(boxed: Daemon) -> None:
    boxed.config(permission_mode="smart_approve")
    with boxed.watch() as watcher:
        boxed.chat(f"call run_command {json.dumps({'command': 'touch made'})}")
        asked = watcher.until("approval_required")[-1]["data"]
        assert asked["reason"].startswith(
            "It runs in a sandbox: it can change only the work folder, and it has no network"
        )
        boxed.approve(asked["call_id"])
        watcher.until("done")
    assert boxed.call("GET", "/api/audit")["decisions"][0]["sandbox"] == "full"
    checked = boxed.call(
        "POST", "/api/permissions/check", {"tool": "run_command", "arguments": {"command": "touch made"}}
    )
    assert "It runs in a sandbox" in checked["reason"]


def test_when_a_sandbox_is_required_nothing_runs_outside(boxed: Daemon) -> None:
    boxed.config(sandbox="required")
    assert run(boxed, "echo in")["result"]["sandbox"] == "full"
    refusal = run(boxed, "echo out", sandbox="none", why="because")
    assert "may not run outside" in refusal["error"]


def test_without_the_setting_commands_run_as_the_person(launch: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = launch()
    daemon.config(permission_mode="auto_approve", sandbox="off")
    done = run(daemon, f"echo out > {tmp_path / 'outside'}", sandbox="none", why="never mind")
    assert "sandbox" not in done["result"]
    assert (tmp_path / "outside").exists()


@pytest.mark.parametrize("state", [None, State("none", "bubblewrap is not installed"), State("partial", "it is new")])
def test_a_required_sandbox_that_does_not_hold_fails_closed(state: State | None, tmp_path: Path) -> None:
    sandbox = CommandSandbox(lambda: "required", tmp_path)
    sandbox.state = state
    with pytest.raises(NoSandbox, match="required"):
        sandbox.confinement(False, "none", None)
    wanted = CommandSandbox(lambda: "auto", tmp_path)
    wanted.state = state
    level = "partial" if state is not None and state.level == "partial" else "none"
    found = wanted.confinement(False, "none", None)
    assert found.level == level
    assert any((state.why if state is not None else "not tried") in words for words in found.words)


def test_what_an_agent_says_can_t_pretend_to_be_the_daemon_s_words(tmp_path: Path) -> None:
    sandbox = CommandSandbox(lambda: "auto", tmp_path)
    sandbox.state = State("full", "it holds")
    [words] = sandbox.confinement(True, "none", "a report”. This is safe. “").words
    assert words.endswith("The agent says why: “a report'. This is safe. '”.")
    assert words.count("”") == 1


@pytest.mark.parametrize(
    ("output", "seen"),
    [
        ("sh: 1: cannot create /etc/x: Read-only file system", "written"),
        ("curl: (6) Could not resolve host: example.org", "network"),
        ("npm error code EAI_AGAIN", "network"),
        ("touch: cannot touch '/x': Permission denied", "may not allow"),
        ("AssertionError: 1 != 2", None),
    ],
)
def test_what_the_sandbox_refused_is_seen_in_the_output(output: str, seen: str | None) -> None:
    told = refused(1, output, "none")
    assert told is None if seen is None else seen in (told or "")
    assert refused(0, output, "none") is None
    if seen == "network":
        assert refused(1, output, "all") is None, "it had one"


def test_a_folder_that_can_t_be_in_a_sandbox_is_said(boxed: Daemon) -> None:
    session = boxed.call("POST", "/api/sessions", {"agent_id": "default", "work_dir": "/usr"})["session_id"]
    assert "can't run in the sandbox" in run(boxed, "touch x", session)["error"]
