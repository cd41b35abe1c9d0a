"""An app's own agents and tools in the real daemon: README's snippet, files that appear and disappear, kill -9."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import provider_environment
from tests.support.daemon import Daemon, Json, Watcher, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say

ROOT = Path(__file__).parent.parent.parent
APP = '''\
import asyncio, pathlib, time
from aster_sidecar import Agent, Sidecar, ToolContext, tool

@tool(risk="medium")
async def water(ctx: ToolContext, plant: str, litres: float = 0.5) -> str:
    """Water a plant."""
    ctx.progress("turning the tap", 0.5)
    with open("watered.txt", "a") as log:
        log.write(plant + "\\n")
    return f"{plant} has had {litres:g} l"

@tool(risk="low")
async def wait_async(ctx: ToolContext) -> None:
    ctx.progress("waiting")
    try:
        await asyncio.sleep(60)
    finally:
        pathlib.Path("cleaned.txt").touch()

@tool(risk="low")
def wait_looking(ctx: ToolContext) -> None:
    ctx.progress("waiting")
    while not ctx.cancelled:
        time.sleep(0.01)
    pathlib.Path("cleaned.txt").touch()

@tool(risk="low")
def wait_for_ever(ctx: ToolContext) -> None:
    ctx.progress("waiting")
    time.sleep(3600)

@tool(risk="low")
def lose(ctx: ToolContext) -> str:
    raise LookupError("no such plant")

@tool(risk="low")
def tell(ctx: ToolContext) -> dict:
    return {"context": dict(ctx.context), "agent": ctx.agent_id}

tools = [water, wait_async, wait_looking, wait_for_ever, lose, tell, "read_file"]
gardener = Agent("gardener", "You look after plants.", tools=tools, model="demo:instant")
careful = Agent("careful", "You ask.", tools=[lose], permission_mode="always_ask", tool_timeout=0.3)
hurried = Agent("hurried", "You hurry.", tools=["wait_async"], tool_timeout=0.3)
sidecar = Sidecar(agents=[gardener, careful, hurried], tools=[tell], max_requests=7, on_unattended="deny")

def made():
    return sidecar

nothing = 3
'''


@pytest.fixture
def serve(launch: Callable[..., Daemon], tmp_path: Path) -> Callable[..., Daemon]:
    """Start a daemon with APP (or another text) by --app."""

    def start(app: str = APP, name: str = "app:sidecar", **fields: object) -> Daemon:
        work = tmp_path / "a" / "work"
        work.mkdir(parents=True)
        (work / "app.py").write_text(app)
        return launch(arguments=["--app", name, *fields.pop("more", [])], **fields)  # type: ignore[misc]  # pyright: ignore

    return start


def agent_of(daemon: Daemon, agent_id: str) -> Json:
    return {agent["id"]: agent for agent in daemon.call("GET", "/api/agents")}[agent_id]


def put(folder: Path, name: str, text: str) -> Path:
    """Write a file atomically, as careful editors do."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{name}").write_text(text, "utf-8")
    return (folder / f".{name}").replace(folder / name)


# -- README ------------------------------------------------------------------------------------------------------------


def snippet() -> str:
    """The Python in README's section "Your own agent, your own tool"."""
    part = (ROOT / "README.md").read_text("utf-8").split("\n## Your own agent, your own tool\n")[1].split("\n## ")[0]
    [found] = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    return found


def test_the_readme_s_snippet_has_at_most_fifteen_lines() -> None:
    assert len(snippet().splitlines()) <= 15


@pytest.mark.parametrize("way", ["its own program", "--app"])
def test_the_readme_s_snippet_runs(
    way: str, launch: Callable[..., Daemon], tmp_path: Path, provider: ProviderDouble
) -> None:
    work = tmp_path / "a" / "work"
    put(work, "garden.py", snippet())
    program = ("garden.py",) if way != "--app" else ("-m", "aster_sidecar")
    daemon = launch(
        program=program,
        arguments=["--app", "garden:sidecar"] if way == "--app" else [],
        environment=provider_environment(provider),
    )
    gardener = agent_of(daemon, "gardener")
    assert (gardener["tools"], gardener["source"]) == (["water", "read_file"], "code")
    assert "water" not in agent_of(daemon, "default")["tools"]
    provider.script(Reply([Call("water", {"plant": "the fern", "litres": 2})]), Reply([Say("It is watered.")]))
    with daemon.watch() as watcher:
        daemon.chat("water the fern", "gardener")
        asked = watcher.until("approval_required")[-1]["data"]
        assert (asked["name"], asked["risk"]) == ("water", "medium")
        assert "the fern" in asked["display"]
        assert watcher.of("tool_start") == []
        daemon.approve(asked["call_id"], agent_id="gardener")
        events = watcher.until("done")
    told = [event["data"] for event in watcher.of("tool_progress")]
    assert [(one["message"], one["progress"]) for one in told] == [
        ("0.5 l", 0.25),
        ("1 l", 0.5),
        ("1.5 l", 0.75),
        ("2 l", 1.0),
    ]
    [end] = watcher.of("tool_end")
    assert end["data"]["result"] == "the fern has had 2 l"
    assert text_of(events) == "It is watered."
    sent = provider.requests[0].body
    assert "You look after the plants in the office." in json.dumps(sent)
    [water] = [one for one in sent["tools"] if one["name"] == "water"]
    assert water["description"] == "Water a plant in the office."
    assert water["parameters"]["required"] == ["plant"]
    assert set(water["parameters"]["properties"]) == {"plant", "litres"}
    assert "the fern has had 2 l" in str(provider.requests[1].new_tool_results)


def test_the_demo_model_calls_an_own_tool_when_it_is_told_to(launch: Callable[..., Daemon], tmp_path: Path) -> None:
    put(tmp_path / "a" / "work", "garden.py", snippet())
    daemon = launch(program=("garden.py",))
    with daemon.watch() as watcher:
        daemon.chat('call water {"plant": "the fern"}', "gardener")
        asked = watcher.until("approval_required")[-1]["data"]
        daemon.approve(asked["call_id"], "deny", "gardener")
        watcher.until("done")
    assert watcher.of("tool_end")[0]["data"]["outcome"] == "denied"


def test_garbage_is_collected_again_once_the_daemon_answers(serve: Callable[..., Daemon]) -> None:
    """It is not during the start, where nearly everything that is created stays."""
    app = (
        "import gc\nfrom aster_sidecar import Agent, Sidecar, tool\nat_start = gc.isenabled()\n"
        "@tool(risk='low')\ndef collects() -> list[bool]:\n    return [at_start, gc.isenabled()]\n"
        "sidecar = Sidecar(agents=[Agent('one', 'x', tools=[collects], model='demo:instant')])\n"
    )
    daemon = serve(app, cold=True)
    events = daemon.ask("call collects {}", agent_id="one")
    assert next(event["data"]["result"] for event in events if event["type"] == "tool_end") == [False, True]


def test_a_supervised_program_of_its_own_says_that_it_is_ready(tmp_path: Path) -> None:
    put(tmp_path, "garden.py", snippet())
    process = subprocess.Popen(
        [sys.executable, "garden.py", "--port", "0", "--supervised", "--data-dir", str(tmp_path / "data")],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"token": "0123456789abcdef0123"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["event"] == "ready"
        process.stdin.close()
        assert process.wait(30) == 0


# -- --app -------------------------------------------------------------------------------------------------------------


def test_what_the_code_says_counts_as_flags_and_the_command_line_comes_first(serve: Callable[..., Daemon]) -> None:
    daemon = serve(
        name="app:made",
        more=["--on-unattended", "wait"],
        environment={"ASTER_MAX_REQUESTS": "9", "ASTER_MAX_TURN_S": "50"},
    )
    values = daemon.call("GET", "/api/config")["values"]
    assert (values["max_requests"]["value"], values["max_requests"]["source"]) == (7, "flag")
    assert values["on_unattended"]["value"] == "wait"
    assert (values["max_turn_s"]["value"], values["max_turn_s"]["source"]) == (50.0, "environment")
    assert "tell" in agent_of(daemon, "default")["tools"]
    assert agent_of(daemon, "careful")["tools"] == ["lose"]


BROKEN = {
    "form": (APP, "app", "is not module:object"),
    "no module": (APP, "nowhere:sidecar", "there is no module 'nowhere'"),
    "no object": (APP, "app:gone", "module 'app' has no attribute 'gone'"),
    "no sidecar": (APP, "app:nothing", "int is not a Sidecar"),
    "missing import": ("import nowhere_at_all", "app:sidecar", "app.py:1: ModuleNotFoundError"),
    "syntax": ("x = (\n", "app:sidecar", "app.py:1: '(' was never closed"),
    "an error": ("\n\nraise ValueError('so')", "app:sidecar", "app.py:3: ValueError: so"),
    "a bad tool": (
        "from aster_sidecar import tool\n@tool\ndef f(x): ...\n",
        "app:sidecar",
        "the parameter 'x' needs a type",
    ),
    "runs at once": (
        "from aster_sidecar import Sidecar\nsidecar = Sidecar()\nsidecar.run(['--app', 'app:sidecar'])\n",
        "app:sidecar",
        "only under if __name__ == '__main__'",
    ),
    "built-in name": (
        "from aster_sidecar import *\n@tool\ndef read_file() -> None: ...\nsidecar = Sidecar(tools=[read_file])",
        "app:sidecar",
        "a tool called 'read_file' is built in",
    ),
    "unknown tool": (
        "from aster_sidecar import *\nsidecar = Sidecar([Agent('a', tools=['rm_rf'])])",
        "app:sidecar",
        "agent 'a': there is no tool 'rm_rf'",
    ),
    "unknown provider": (
        "from aster_sidecar import *\nsidecar = Sidecar([Agent('a', model='evil:x')])",
        "app:sidecar",
        "'evil:x' is not provider:name",
    ),
    "port": ("from aster_sidecar import *\nsidecar = Sidecar(port='9')", "app:sidecar", "Sidecar: port = '9'"),
    "framework": ("from aster_sidecar import *\nsidecar = Sidecar(framework='qt')", "app:sidecar", "one of tauri"),
    "bad setting": (
        "from aster_sidecar import Sidecar\nsidecar = Sidecar(max_requests=0)",
        "app:sidecar",
        "max_requests",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_code_that_is_wrong_ends_with_exit_code_5_and_says_where(case: str, tmp_path: Path) -> None:
    text, name, words = BROKEN[case]
    put(tmp_path, "app.py", text)
    told = subprocess.run(
        [sys.executable, "-m", "aster_sidecar", "--port", "0", "--data-dir", str(tmp_path / "data"), "--app", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )
    assert (told.returncode, words in told.stderr) == (5, True), told.stderr
    assert "Traceback" not in told.stderr


# -- an app's tools ----------------------------------------------------------------------------------------------------


def test_an_approval_of_an_own_tool_outlives_kill_9_and_the_tool_runs_once(serve: Callable[..., Daemon]) -> None:
    daemon = serve(more=["--on-unattended", "wait"])
    with daemon.watch() as watcher:
        daemon.chat('call water {"plant": "the fern"}', "gardener")
        asked = watcher.until("approval_required")[-1]["data"]
    daemon.restart()
    assert not (daemon.work_dir / "watered.txt").exists()
    with daemon.watch(after=0) as watcher:
        daemon.approve(asked["call_id"], agent_id="gardener")
        watcher.until("done")
    assert (daemon.work_dir / "watered.txt").read_text() == "the fern\n"
    assert [event["data"]["outcome"] for event in watcher.of("tool_end")] == ["done"]
    assert [event["data"]["progress"] for event in watcher.of("tool_progress")] == [0.5]
    daemon.restart()
    assert (daemon.work_dir / "watered.txt").read_text() == "the fern\n"


def test_always_covers_the_same_arguments_only(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    with daemon.watch() as watcher:
        daemon.chat('call water {"plant": "the fern"}', "gardener")
        asked = watcher.until("approval_required")[-1]["data"]
        assert asked["remember"] == "water with exactly these arguments"
        rule = daemon.approve(asked["call_id"], "allow_always", "gardener")["rule"]
        assert rule["kind"] == "exact"
        watcher.until("done")
        daemon.chat('call water {"litres": 0.5, "plant": "the fern"}', "gardener")
        watcher.until("done", count=1)
        assert watcher.of("tool_start")[-1]["data"]["decided_by"] == f"rule:{rule['rule_id']}"
        daemon.chat('call water {"plant": "the ivy"}', "gardener")
        watcher.until("approval_required")
    daemon.call("POST", "/api/cancel", {"agent_id": "gardener"})


def test_edited_arguments_are_checked_against_the_function_s_types(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    with daemon.watch() as watcher:
        daemon.chat('call water {"plant": "the fern"}', "gardener")
        asked = watcher.until("approval_required")[-1]["data"]
        body = {"agent_id": "gardener", "call_id": asked["call_id"], "decision": "allow"}
        refused = daemon.refused("POST", "/api/approve", {**body, "arguments": {"plant": "x", "litres": "much"}})
        assert (refused.code, "litres" in refused.body["error"]) == ("arguments_invalid", True)
        daemon.call("POST", "/api/approve", {**body, "arguments": {"plant": "the ivy", "litres": 3}})
        watcher.until("done")
    assert watcher.of("tool_end")[0]["data"]["result"] == "the ivy has had 3 l"


def test_a_failing_tool_is_a_failed_call_and_the_turn_goes_on(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    events = daemon.ask("call lose", agent_id="gardener")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert (end["outcome"], end["error"]) == ("failed", "LookupError: no such plant")
    assert events[-1]["data"]["stop_reason"] == "complete"
    assert "LookupError" in daemon.log
    assert " lose\n" in daemon.log  # the place where it was raised, without the error's text


def test_a_tool_reads_what_the_app_said_with_the_message(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    events = daemon.ask("call tell", context={"tab": "garden"})
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert end["result"] == {"context": {"tab": "garden"}, "agent": "default"}


@pytest.mark.parametrize("name", ["wait_async", "wait_looking", "wait_for_ever"])
def test_cancelling_a_turn_ends_its_own_tool_or_leaves_it_behind(name: str, serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    with daemon.watch() as watcher:
        daemon.chat(f"call {name}", "gardener")
        watcher.until("tool_progress")
        assert len(daemon.call("POST", "/api/cancel", {"agent_id": "gardener"})["cancelled"]) == 1
        watcher.until("done", stop_reason="cancelled")
    assert watcher.of("tool_end")[0]["data"]["outcome"] == "cancelled"
    cleaned = daemon.work_dir / "cleaned.txt"
    left = f"tool {name} keeps running although its call was cancelled" in daemon.log
    if name == "wait_for_ever":
        assert (left, cleaned.exists()) == (True, False)
    else:
        until = time.monotonic() + 30
        while not cleaned.exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert cleaned.exists()
    assert daemon.ask("call tell", agent_id="gardener")[-1]["data"]["stop_reason"] == "complete"
    assert daemon.stop() == 0


def test_an_agent_s_tool_timeout_and_permission_mode_hold(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    events = daemon.ask("call wait_async", agent_id="hurried")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert (end["outcome"], end["error"]) == ("failed", "stopped after 0.3 s, the agent's tool_timeout")
    assert events[-1]["data"]["stop_reason"] == "complete"
    asked = daemon.call("POST", "/api/permissions/check", {"tool": "lose", "agent_id": "careful"})
    unasked = daemon.call("POST", "/api/permissions/check", {"tool": "lose", "agent_id": "gardener"})
    assert (asked["decision"], asked["decided_by"]) == ("ask", "mode:always_ask")
    assert unasked["decision"] == "allow"


# -- files -------------------------------------------------------------------------------------------------------------


def changed(watcher: Watcher) -> Json:
    watcher.events.clear()
    return watcher.until("agents_changed")[-1]["data"]


def test_files_come_change_break_and_go_while_the_daemon_runs(daemon: Daemon) -> None:
    folder = daemon.data_dir / "agents"
    with daemon.watch() as watcher:
        path = put(folder, "cook.yaml", "description: one\ntools: [read_file]\n")
        assert changed(watcher) == {"agents": ["default", "cook"], "problems": []}
        cook = agent_of(daemon, "cook")
        assert (cook["description"], cook["tools"], cook["source"], cook["path"]) == (
            "one",
            ["read_file"],
            "user",
            str(path),
        )
        assert daemon.ask("hello", agent_id="cook")[-1]["data"]["stop_reason"] == "complete"
        put(folder, "cook.yaml", "description: two\n")
        assert changed(watcher)["agents"] == ["default", "cook"]
        put(folder, "cook.yaml", "description: three\ntool: [x]\n")
        told = changed(watcher)
        assert told["agents"] == ["default"]
        [problem] = told["problems"]
        assert (problem["id"], problem["path"], problem["line"]) == ("cook", str(path), 2)
        broken = agent_of(daemon, "cook")
        assert (broken["state"], broken["sessions"], broken["problems"]) == ("failed", 1, [problem])
        refused = daemon.refused("POST", "/api/chat", {"agent_id": "cook", "message": "hello"})
        assert (refused.code, f"{path}:2: unknown field 'tool'" in refused.body["error"]) == ("agent_not_found", True)
        assert f"{path}:2: unknown field 'tool'" in daemon.log
        path.unlink()
        assert changed(watcher) == {"agents": ["default"], "problems": []}
    refused = daemon.refused("POST", "/api/chat", {"agent_id": "cook", "message": "hello"})
    assert f"its file {path} was removed" in refused.body["error"]
    assert daemon.history("cook")[0]["text"] == "hello"
    assert daemon.status("cook")["state"] == "idle"
    assert daemon.call("POST", "/api/cancel", {"agent_id": "cook"}) == {"cancelled": []}
    daemon.restart()
    assert daemon.history("cook")[0]["text"] == "hello"
    assert daemon.call("GET", "/api/sessions", agent_id="cook")["sessions"][0]["agent_id"] == "cook"
    assert daemon.refused("POST", "/api/chat", {"agent_id": "cook", "message": "hello"}).code == "agent_not_found"
    assert daemon.call("DELETE", "/api/history", agent_id="cook") == {"deleted": 2}
    assert daemon.refused("GET", "/api/history", agent_id="nobody").code == "agent_not_found"


def test_a_chat_sees_a_new_file_without_anybody_watching(daemon: Daemon) -> None:
    put(daemon.data_dir / "agents", "cook.yaml", "name: The cook\n")
    daemon.chat("hello", "cook")
    put(daemon.data_dir / "agents", "bad.yaml", "- x\n")
    with daemon.watch(after=0) as watcher:
        watcher.until("agents_changed", count=1)
        assert agent_of(daemon, "bad")["problems"][0]["line"] == 1
        told = watcher.until("agents_changed", agents=["default", "cook"])[-1]["data"]
    assert [problem["id"] for problem in told["problems"]] == ["bad"]
    assert daemon.raw("GET", "/health")[1]["agents"] == 2


def test_an_agent_of_a_file_gets_its_model_settings_tools_and_instructions(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = launch(environment={**provider_environment(provider), "ASTER_MODEL": "demo"})
    put(
        daemon.data_dir / "agents",
        "poet.yaml",
        "instructions: [Write poems., Rhyme.]\nmodel: openai-chat:poet-1\n"
        "model_settings: {temperature: 0.25, max_tokens: 77}\ntools: [read_file]\n",
    )
    provider.script(Reply([Say("Roses.")]))
    assert text_of(daemon.ask("a poem", agent_id="poet")) == "Roses."
    sent = provider.requests[0].body
    assert (sent["model"], sent["temperature"]) == ("poet-1", 0.25)
    assert 77 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    assert [one["function"]["name"] for one in sent["tools"]] == ["read_file"]
    assert "Write poems.\n\nRhyme." in json.dumps(sent["messages"]).replace("\\n", "\n")
    assert daemon.status("poet")["model"] == "openai-chat:poet-1"


def test_a_turn_that_is_on_keeps_its_agent(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = launch(environment=provider_environment(provider))
    path = put(daemon.data_dir / "agents", "scribe.yaml", "instructions: Old words.\ntools: [write_file]\n")
    provider.script(Reply([Call("write_file", {"path": "a.txt", "content": "x"})]), Reply([Say("Written.")]))
    with daemon.watch() as watcher:
        daemon.chat("write", "scribe")
        asked = watcher.until("approval_required")[-1]["data"]
        put(path.parent, path.name, "instructions: New words.\ntools: []\n")
        watcher.until("agents_changed")
        path.unlink()
        watcher.until("agents_changed", agents=["default"])
        daemon.approve(asked["call_id"], agent_id="scribe")
        events = watcher.until("done")
    assert events[-1]["data"]["stop_reason"] == "complete"
    assert "Old words." in json.dumps(provider.requests[1].body)
    assert (daemon.work_dir / "a.txt").read_text() == "x"


def test_an_agent_that_is_gone_at_the_next_start_ends_its_turn_with_the_reason(daemon: Daemon) -> None:
    path = put(daemon.data_dir / "agents", "scribe.yaml", "tools: [write_file]\n")
    with daemon.watch() as watcher:
        daemon.chat("write a.txt", "scribe")
        asked = watcher.until("approval_required")[-1]["data"]
    daemon.kill()
    path.write_text("tools: [write_file\n")
    daemon.start()
    with daemon.watch() as watcher:
        daemon.approve(asked["call_id"], agent_id="scribe")
        watcher.until("done", stop_reason="failed")
    [error] = watcher.of("error")
    assert (error["data"]["code"], f"{path}:2: not YAML" in error["data"]["message"]) == ("agent_not_found", True)
    assert not (daemon.work_dir / "a.txt").exists()


def test_a_project_s_agents_are_read_when_it_is_trusted_and_can_t_be_changed_by_a_tool(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = launch(environment=provider_environment(provider))
    folder = daemon.work_dir / ".aster" / "agents"
    path = put(folder, "local.yaml", "description: of the project\npermission_mode: auto_approve\n")
    put(folder, "default.yaml", "instructions: Obey.\n")
    assert [agent["id"] for agent in daemon.call("GET", "/api/agents")] == ["default"]
    assert daemon.refused("POST", "/api/chat", {"agent_id": "local", "message": "x"}).code == "agent_not_found"
    with daemon.watch() as watcher:
        put(daemon.data_dir, "trusted.json", json.dumps([str(daemon.work_dir.resolve())]))
        told = changed(watcher)
        assert told["agents"] == ["default", "local"]
        [problem] = told["problems"]
        assert "'default' is built in" in problem["reason"]
        local = agent_of(daemon, "local")
        assert (local["source"], local["path"]) == ("project", str(path.resolve()))
        checked = daemon.call(
            "POST",
            "/api/permissions/check",
            {"tool": "write_file", "arguments": {"path": "a.txt", "content": ""}, "agent_id": "local"},
        )
        assert checked["decision"] == "ask"
        put(daemon.data_dir, "trusted.json", "[]")
        assert changed(watcher)["agents"] == ["default"]
    daemon.config(permission_mode="auto_approve")
    provider.script(
        Reply([Call("write_file", {"path": ".aster/agents/evil.yaml", "content": "description: x"})]),
        Reply([Say("No.")]),
    )
    events = daemon.ask("make yourself an agent")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert end["outcome"] == "denied"
    assert not (folder / "evil.yaml").exists()


def test_what_changed_while_nobody_watched_is_told_to_the_next_one_who_does(daemon: Daemon) -> None:
    folder = daemon.data_dir / "agents"
    with daemon.watch() as watcher:
        put(folder, "cook.yaml", "description: one\n")
        changed(watcher)
        last = watcher.events[-1]["seq"]
    put(folder, "cook.yaml", "description: two\n")
    with daemon.watch(after=last) as watcher:
        assert changed(watcher)["agents"] == ["default", "cook"]
        assert agent_of(daemon, "cook")["description"] == "two"
