"""Settings as a person meets them: the first run's file, a project's own, the API, and a data directory that moves."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.config.toml_file import template
from aster_sidecar.config.trusted_projects import trust
from tests.conftest import provider_environment
from tests.support.daemon import Daemon
from tests.support.provider import Call, ProviderDouble, Reply, Say


def source(daemon: Daemon, key: str) -> tuple[Any, str]:
    value = daemon.call("GET", "/api/config")["values"][key]
    return value["value"], value["source"]


# -- the first run -----------------------------------------------------------------------------------------------------


def test_the_first_run_writes_the_commented_file_and_no_later_one_touches_it(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    path = daemon.data_dir / "config.toml"
    assert path.read_text("utf-8") == template()
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    view = daemon.call("GET", "/api/config")
    assert (view["config_path"], view["logs_dir"]) == (str(path), str(daemon.data_dir / "logs"))
    assert (view["project"], view["problems"]) == (None, [])
    daemon.config(max_requests=7)
    changed = path.read_text("utf-8")
    assert tomllib.loads(changed) == {"max_requests": 7}
    assert changed.replace("max_requests = 7\n", "", 1) == template()
    daemon.restart()
    assert path.read_text("utf-8") == changed
    assert source(daemon, "max_requests") == (7, "file")
    daemon.config(max_requests=None)
    assert path.read_text("utf-8") == template()
    assert source(daemon, "max_requests") == (50, "default")


def test_a_configuration_directory_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    """Not by mode bits, which root ignores: the path is below a file, so no directory can be made there."""
    (tmp_path / "file").write_text("")
    daemon = Daemon(tmp_path, arguments=["--config-dir", str(tmp_path / "file" / "config")]).start()
    try:
        assert daemon.ask("hello")[-1]["type"] == "done"
        assert "config.toml could not be written" in daemon.log
        assert daemon.refused("POST", "/api/config", {"max_requests": 3}).code == "config_invalid"
        assert source(daemon, "max_requests") == (50, "default")
    finally:
        daemon.stop()


def test_an_unknown_key_in_the_file_is_a_problem_that_everybody_can_see(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    (daemon.data_dir / "config.toml").write_text("max_request = 3\n")
    daemon.restart()
    assert "max_request" in daemon.call("GET", "/api/config")["problems"][0]
    assert "unknown key max_request" in daemon.log


def test_a_directory_on_the_command_line_is_one_from_where_it_is_typed(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    (daemon.work_dir / "below").mkdir()
    daemon.arguments = ["--work-dir", "below", "--config-dir", "settings"]
    daemon.restart()
    assert source(daemon, "work_dir") == (str(daemon.work_dir.resolve() / "below"), "flag")
    assert (daemon.work_dir / "settings" / "config.toml").exists()


# -- a project ---------------------------------------------------------------------------------------------------------


def make_project(directory: Path, text: str) -> Path:
    (directory / ".aster").mkdir(parents=True, exist_ok=True)
    (directory / ".aster" / "config.toml").write_text(text)
    return directory


def test_a_project_s_settings_hold_once_it_is_trusted(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    make_project(daemon.work_dir, 'max_requests = 7\npermission_mode = "auto_approve"\n')
    daemon.restart()
    view = daemon.call("GET", "/api/config")
    assert view["project"] is None
    assert "not trusted" in view["problems"][0]
    assert source(daemon, "max_requests") == (50, "default")
    trust(daemon.data_dir, daemon.work_dir, {})
    daemon.restart()
    view = daemon.call("GET", "/api/config")
    assert view["project"] == str(daemon.work_dir.resolve())
    assert source(daemon, "max_requests") == (7, "project")
    assert source(daemon, "permission_mode") == ("smart_approve", "default")
    assert "'permission_mode' can't be set by a project" in view["problems"][0]
    assert "'permission_mode' can't be set by a project" in daemon.log


def test_a_work_directory_set_through_the_api_brings_its_project(launch: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = launch()
    project = make_project(tmp_path / "project", "max_tokens = 1000\n")
    trust(daemon.data_dir, project, {})
    with daemon.watch() as watcher:
        view = daemon.config(work_dir=str(project))
        assert view["project"] == str(project)
        assert view["values"]["max_tokens"] == {"value": 1000, "source": "project", "settable": True}
        told = watcher.until("config_changed")[-1]["data"]["changed"]
    assert {key: value["source"] for key, value in told.items()} == {"work_dir": "api", "max_tokens": "project"}
    assert daemon.config(work_dir=None)["values"]["max_tokens"]["source"] == "default"


def test_a_projects_limit_holds_for_turns(real: Daemon, provider: ProviderDouble) -> None:
    provider.otherwise = Reply([Call("list_dir", {"path": "."})])
    make_project(real.work_dir, "max_requests = 2\n")
    trust(real.data_dir, real.work_dir, {})
    real.restart()
    assert real.ask("look")[-1]["data"]["stop_reason"] == "limit"
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    ("tool", "arguments", "decision"),
    [
        ("write_file", {"path": ".aster/config.toml", "content": "max_tokens = 1"}, "deny"),
        ("write_file", {"path": "sub/.ASTER/agents/x.yaml", "content": "x"}, "ask"),
        ("edit_file", {"path": ".aster/config.toml", "old": "1", "new": "2"}, "deny"),
        ("delete_file", {"path": ".aster/config.toml"}, "deny"),
        ("move_file", {"source": "a.txt", "destination": ".aster/agents.yaml"}, "deny"),
        ("move_file", {"source": ".aster/config.toml", "destination": "b.txt"}, "deny"),
    ],
)
def test_no_rule_lets_a_tool_change_a_projects_own_settings(
    daemon: Daemon, tool: str, arguments: dict[str, str], decision: str
) -> None:
    """The settings of the project that it works in are denied.

    Other projects' are of high risk, and no rule is offered.
    """
    make_project(daemon.work_dir, "max_tokens = 1\n")
    (daemon.work_dir / "a.txt").write_text("x")
    rule = {"decision": "allow", "tool": tool, "kind": "beneath", "value": str(daemon.work_dir.resolve())}
    daemon.call("POST", "/api/permissions/rules", rule)
    told = daemon.call("POST", "/api/permissions/check", {"tool": tool, "arguments": arguments})
    assert (told["risk"], told["decision"]) == ("high", decision)
    assert told["remember"] is None


# -- moving ------------------------------------------------------------------------------------------------------------


def test_the_whole_data_directory_can_be_moved(
    launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path
) -> None:
    """Sessions, history, approvals, rules and settings still work, also where tools work inside the directory."""
    home = tmp_path / "home"
    home.mkdir()
    old, new = tmp_path / "old", tmp_path / "elsewhere" / "new"
    daemon = Start(tmp_path, old, home, provider)
    provider.otherwise = Reply([Call("write_file", {"path": "hello.txt", "content": "hi"})])
    try:
        daemon.start()
        workspace = old.resolve() / "workspace"
        assert source(daemon, "work_dir") == (str(workspace), "default")
        deny = {"decision": "deny", "tool": "write_file", "kind": "beneath", "value": str(workspace / "secret")}
        daemon.call("POST", "/api/permissions/rules", deny)
        command = {"decision": "deny", "tool": "run_command", "value": f"in {workspace}:\nls"}
        daemon.call("POST", "/api/permissions/rules", command)
        outside = {"decision": "deny", "tool": "write_file", "kind": "beneath", "value": f"{old.resolve()}er"}
        daemon.call("POST", "/api/permissions/rules", outside)
        daemon.config(work_dir=str(workspace), max_requests=9)
        with daemon.watch() as watcher:
            daemon.chat("write")
            asked = watcher.until("approval_required")[-1]["data"]
            watcher.until("status_change", state="waiting_approval")
        before = daemon.history()
        assert daemon.stop() == 0

        new.parent.mkdir()
        old.rename(new)
        daemon.data_dir_given = new
        daemon.start()
        assert source(daemon, "work_dir") == (str(new.resolve() / "workspace"), "file")
        assert source(daemon, "max_requests") == (9, "file")
        assert daemon.history() == before
        assert [entry["call_id"] for entry in daemon.call("GET", "/api/approvals")] == [asked["call_id"]]
        assert [rule["value"] for rule in daemon.call("GET", "/api/permissions/rules")] == [
            str(new.resolve() / "workspace" / "secret"),
            f"in {new.resolve() / 'workspace'}:\nls",
            f"{old.resolve()}er",
        ]
        check = {"tool": "write_file", "arguments": {"path": "secret/a.txt", "content": ""}}
        assert daemon.call("POST", "/api/permissions/check", check)["decision"] == "deny"

        # The approval showed the old place, so the person is asked again before the call runs in the new one.
        provider.otherwise = Reply([Say("done")])
        with daemon.watch() as watcher:
            daemon.approve(asked["call_id"])
            again = watcher.until("approval_required")[-1]["data"]
            assert again["reason"].startswith("asked again")
            assert str(new.resolve()) in again["display"]
            daemon.approve(again["call_id"])
            assert watcher.until("done")[-1]["data"]["stop_reason"] == "complete"
        assert (new / "workspace" / "hello.txt").read_text() == "hi"
        assert not old.exists()
        assert str(old) not in (new / "config.toml").read_text()
    finally:
        if daemon.process is not None:
            daemon.stop()


def test_the_daemon_s_own_files_are_closed_to_tools_that_work_beside_them(
    provider: ProviderDouble, tmp_path: Path
) -> None:
    """Trusted projects, settings and log: also where the work directory is in the data directory."""
    (tmp_path / "home").mkdir()
    daemon = Start(tmp_path, tmp_path / "data", tmp_path / "home", provider).start()
    try:
        assert daemon.call("GET", "/api/config")["values"]["work_dir"]["value"].endswith("workspace")
        for name in ("trusted.json", "config.toml", "logs/aster.log", "aster.db"):
            check = {"tool": "write_file", "arguments": {"path": f"../{name}", "content": "[]"}}
            told = daemon.call("POST", "/api/permissions/check", check)
            assert (told["decision"], told["decided_by"]) == ("deny", "forbidden"), name
    finally:
        daemon.stop()


class Start(Daemon):
    """A daemon started in the home directory, whose tools therefore work inside its data directory."""

    def __init__(self, home: Path, data_dir: Path, started_in: Path, provider: ProviderDouble) -> None:
        super().__init__(home, environment={**provider_environment(provider), "HOME": str(started_in)})
        self.data_dir_given = data_dir
        self._started_in = started_in

    @property
    def data_dir(self) -> Path:
        return self.data_dir_given

    @property
    def work_dir(self) -> Path:
        return self._started_in


# -- what the daemon prints at start -----------------------------------------------------------------------------------


def first_lines(tmp_path: Path, **environment: str) -> list[str]:
    """What the daemon prints when it has started."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "aster_sidecar", "--port", "0", "--data-dir", str(tmp_path / "data"), "--model", "demo"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(Path(__file__).parent.parent.parent), **environment},
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "talk:" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        return lines
    finally:
        process.terminate()
        rest = process.communicate(timeout=40)[0]
        assert rest == ""


def test_stdout_says_where_it_listens_whether_a_token_is_set_and_how_to_try_it(tmp_path: Path) -> None:
    lines = first_lines(tmp_path)
    assert "listens on http://127.0.0.1:" in lines[0]
    assert "no token" in lines[0]
    assert len(lines) <= 6
    assert "Authorization" not in "".join(lines)
    tried = lines[-1].split("talk:")[1].strip()
    assert tried.startswith("curl http://127.0.0.1:")


def test_with_a_token_the_lines_to_try_send_it_without_showing_it(tmp_path: Path) -> None:
    lines = first_lines(tmp_path, ASTER_SIDECAR_TOKEN="canary-token-3b1f9d6c")
    told = "".join(lines)
    assert "canary" not in told
    assert "token is set" in lines[0]
    assert told.count('-H "Authorization: Bearer $ASTER_SIDECAR_TOKEN"') == 2
