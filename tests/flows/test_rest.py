"""Sessions, config, rules, tools, models, health: the other REST endpoints, over a real socket."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi.routing import APIRoute

from aster_sidecar.http import static_ui
from aster_sidecar.http.guard import REDEEM_PATH
from aster_sidecar.http.routes.all import ROUTES as ALL
from tests.support.daemon import WAIT_S, Daemon, Json


def test_every_route_stands_behind_the_gate(launch: Callable[..., Daemon]) -> None:
    """All routes: 401 without the token, except for public ones such as /health, and 421 with a foreign Host."""
    import httpx

    daemon = launch(token="a-token-of-this-test")
    routes = [
        (method, re.sub(r"\{\w+\}", "x", route.path))
        for route in ALL
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    assert len(routes) >= 26
    public = [("GET", "/health"), ("POST", REDEEM_PATH)]
    if (static_ui.FOLDER / "index.html").exists():
        public.append(("GET", "/"))  # the page is code, and contains no data
    with httpx.Client(base_url=daemon.url, trust_env=False, verify=False, timeout=WAIT_S) as client:
        for method, path in [*routes, ("GET", "/"), ("GET", "/nowhere"), ("POST", "/docs")]:
            body: Json = {} if method in ("POST", "PUT", "PATCH") else None
            answer = client.request(method, path, json=body)
            assert (answer.status_code != 401) == ((method, path) in public), (method, path)
            wrong = client.request(method, path, json=body, headers={"Authorization": "Bearer wrong"})
            assert (wrong.status_code != 401) == ((method, path) in public), (method, path)
            foreign = client.request(method, path, json=body, headers={"Host": f"evil.example:{daemon.port}"})
            assert foreign.status_code == 421, (method, path)
            page = client.request(method, path, json=body, headers={"Origin": "http://evil.example"})
            assert page.status_code == 403, (method, path)
            assert "access-control-allow-origin" not in page.headers
    assert daemon.ask("with the token")[-1]["type"] == "done"
    assert "a-token-of-this-test" not in daemon.log
    assert daemon.call("GET", "/api/config")["values"]["token"]["value"] != "a-token-of-this-test"


def test_a_tool_sees_neither_the_token_nor_ours(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token="a-token-of-this-test")
    daemon.config(permission_mode="auto_approve")
    assert daemon.process is not None
    events = daemon.ask(f"run `env; cat /proc/{daemon.process.pid}/cmdline; echo`")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert "a-token-of-this-test" not in str(end)
    assert "ASTER_SIDECAR_TOKEN" not in str(end)


def test_health_says_who_it_is(daemon: Daemon) -> None:
    status, health = daemon.raw("GET", "/health")
    assert status == 200
    assert daemon.process is not None
    assert health["pid"] == daemon.process.pid
    assert (health["status"], health["ready"], health["port"], health["framework"]) == ("ok", True, daemon.port, "web")
    assert {"version", "protocol", "instance_id", "agents"} <= set(health)


def test_sessions_from_birth_to_deletion(daemon: Daemon) -> None:
    with daemon.watch() as watcher:
        made = daemon.call("POST", "/api/sessions", {"agent_id": "default", "title": "  Plans  "})
        assert (made["title"], made["archived"], made["messages"], made["state"]) == ("Plans", False, 0, "idle")
        session_id = made["session_id"]
        daemon.ask("about the garden", session_id=session_id)
        daemon.ask("something else")
        renamed = daemon.call("PATCH", f"/api/sessions/{session_id}", {"title": "Garden"})
        assert (renamed["title"], renamed["messages"]) == ("Garden", 2)
        watcher.until("session_changed", change="updated")
    page = daemon.call("GET", "/api/sessions")
    assert [session["title"] for session in page["sessions"]] == ["something else", "Garden"]
    found = daemon.call("GET", "/api/sessions", None, q="the GARDEN")["sessions"]
    assert [session["session_id"] for session in found] == [session_id]
    assert daemon.call("GET", "/api/sessions", None, q="100%")["sessions"] == []
    daemon.call("PATCH", f"/api/sessions/{session_id}", {"archived": True})
    assert len(daemon.call("GET", "/api/sessions")["sessions"]) == 1
    assert len(daemon.call("GET", "/api/sessions", None, archived=True)["sessions"]) == 1
    daemon.ask("back", session_id=session_id)
    assert daemon.call("GET", f"/api/sessions/{session_id}")["archived"] is False, "a message unarchives it"
    gone = daemon.call("DELETE", f"/api/sessions/{session_id}")
    assert (gone["session_id"], gone["deleted"]) == (session_id, 4)
    for method, path in (("GET", f"/api/sessions/{session_id}"), ("DELETE", f"/api/sessions/{session_id}")):
        assert daemon.refused(method, path).code == "session_not_found"
    assert daemon.refused("GET", "/api/history", None, agent_id="default", session_id=session_id).status == 404
    with daemon.watch(after=0) as watcher:
        watcher.until("session_changed", change="deleted")
    assert not any("garden" in str(event) for event in watcher.events)


def test_session_pages_go_on_where_they_ended(daemon: Daemon) -> None:
    ids = [daemon.call("POST", "/api/sessions", {"title": f"s{number}"})["session_id"] for number in range(7)]
    seen: list[str] = []
    before = None
    while True:
        page = daemon.call("GET", "/api/sessions", None, limit=3, before=before)
        seen += [session["session_id"] for session in page["sessions"]]
        before = page["next_before"]
        if before is None:
            break
    assert sorted(seen) == sorted(ids)


def test_a_busy_session_is_neither_cleared_nor_deleted(daemon: Daemon) -> None:
    with daemon.watch() as watcher:
        session_id = daemon.chat("run")["session_id"]
        watcher.until("approval_required")
        assert daemon.refused("DELETE", "/api/history", None, agent_id="default").code == "agent_busy"
        assert daemon.refused("DELETE", f"/api/sessions/{session_id}").code == "agent_busy"
        daemon.call("POST", "/api/cancel", {"agent_id": "default"})
        watcher.until("done")
    daemon.call("DELETE", f"/api/sessions/{session_id}")
    assert daemon.history() == []


def test_config_changes_hold_at_once_are_kept_and_told(daemon: Daemon) -> None:
    path = daemon.data_dir / "config.toml"
    path.write_text("# mine\npermission_mode = 'always_ask' # careful\n\n[future]\nthing = 1\n")
    daemon.restart()
    values = daemon.call("GET", "/api/config")["values"]
    assert values["permission_mode"] == {"value": "always_ask", "source": "file", "settable": True}
    assert values["max_requests"]["source"] == "default"
    assert values["model"] == {"value": "demo:instant", "source": "environment", "settable": True}
    with daemon.watch() as watcher:
        answer = daemon.config(permission_mode="auto_approve", max_requests=7)
        [event] = [e for e in watcher.until("config_changed") if e["type"] == "config_changed"]
    assert answer["values"]["permission_mode"] == {"value": "auto_approve", "source": "api", "settable": True}
    assert set(event["data"]["changed"]) == {"permission_mode", "max_requests"}
    text = path.read_text()
    assert "# mine" in text
    assert "# careful" in text
    assert "[future]" in text
    daemon.restart()
    values = daemon.call("GET", "/api/config")["values"]
    assert (values["permission_mode"]["value"], values["max_requests"]["value"]) == ("auto_approve", 7)
    daemon.config(permission_mode=None)
    assert daemon.call("GET", "/api/config")["values"]["permission_mode"]["value"] == "smart_approve"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"permission_mode": "yolo"}, "permission_mode"),
        ({"max_requests": 0}, "max_requests"),
        ({"max_requests": "many"}, "max_requests"),
        ({"max_turn_s": -1}, "max_turn_s"),
        ({"work_dir": "relative"}, "work_dir"),
        ({"work_dir": "/does/not/exist"}, "work_dir"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_bad_setting_names_key_value_and_what_is_allowed(daemon: Daemon, change: Json, words: str) -> None:
    before = daemon.call("GET", "/api/config")
    refusal = daemon.refused("POST", "/api/config", {"model": "demo", **change})
    assert refusal.status == 422
    assert words in refusal.body["error"]
    assert daemon.call("GET", "/api/config") == before, "none of the settings may be changed"


def test_bad_settings_stop_the_start(daemon: Daemon, launch: Callable[..., Daemon]) -> None:
    daemon.stop()
    (daemon.data_dir / "config.toml").write_text("max_requests = 'lots'\n")
    with pytest.raises(AssertionError, match="exit 5") as refusal:
        daemon.start()
    assert "max_requests" in str(refusal.value)
    (daemon.data_dir / "config.toml").write_text("max_requests = \n")
    with pytest.raises(AssertionError, match="exit 5"):
        daemon.start()
    with pytest.raises(AssertionError, match="exit 5"):
        launch("b", arguments=["--permission-mode", "sometimes"])
    with pytest.raises(AssertionError, match="exit 2"):
        launch("c", arguments=["--framework", "swing"])


def test_rules_are_checked_stored_and_scoped(daemon: Daemon) -> None:
    rule = {"decision": "deny", "tool": "fetch_url", "kind": "any"}
    stored = daemon.call("POST", "/api/permissions/rules", rule)
    assert "fetch_url" in stored["words"]
    check = {"tool": "fetch_url", "arguments": {"url": "https://example.org/"}}
    answer = daemon.call("POST", "/api/permissions/check", check)
    assert (answer["decision"], answer["decided_by"]) == ("deny", f"rule:{stored['rule_id']}")
    for bad in (
        {"decision": "allow", "tool": "*", "kind": "any"},
        {"decision": "allow", "tool": "read_file"},
        {"decision": "allow", "tool": "read_file", "kind": "any", "value": "/x"},
    ):
        assert daemon.refused("POST", "/api/permissions/rules", bad).code == "rule_invalid"
    unknown = {"decision": "allow", "tool": "format_disk", "kind": "any"}
    assert daemon.refused("POST", "/api/permissions/rules", unknown).code == "tool_not_found"
    assert daemon.refused("POST", "/api/permissions/check", {"tool": "format_disk"}).code == "tool_not_found"
    bad_arguments = {"tool": "read_file", "arguments": {"pfad": "x"}}
    assert daemon.refused("POST", "/api/permissions/check", bad_arguments).code == "arguments_invalid"


def test_a_rule_is_understood_or_refused(daemon: Daemon) -> None:
    """A rule that no call can match would only seem to protect."""
    place = daemon.work_dir
    (place / "private").mkdir()
    (place / "near").symlink_to("private")

    def add(decision: str, tool: str, kind: str, value: str) -> Json:
        rule = {"decision": decision, "tool": tool, "kind": kind, "value": value}
        return daemon.call("POST", "/api/permissions/rules", rule)

    def checked(tool: str, **arguments: Json) -> str:
        return daemon.call("POST", "/api/permissions/check", {"tool": tool, "arguments": arguments})["decided_by"]

    everywhere = add("deny", "run_command", "exact", "rm -rf /")
    assert checked("run_command", command="rm -rf /") == f"rule:{everywhere['rule_id']}"
    assert checked("run_command", command="rm -rf /tmp/x").startswith("mode:")
    there = add("deny", "run_command", "beneath", "private")
    assert there["value"] == f"{place}/private"
    assert checked("run_command", command="ls", cwd="private") == f"rule:{there['rule_id']}"
    linked = add("deny", "write_file", "beneath", "near/")
    assert linked["value"] == f"{place}/private"
    assert checked("write_file", path="private/x", content="") == f"rule:{linked['rule_id']}"
    site = add("deny", "fetch_url", "exact", "https://Example.org")
    assert checked("fetch_url", url="https://example.org/a") == f"rule:{site['rule_id']}"
    here = add("allow", "run_command", "exact", f"in {place}:\nls")
    assert checked("run_command", command="ls") == f"rule:{here['rule_id']}"
    anything = add("deny", "*", "beneath", "~/private")
    assert anything["value"].endswith("/private")
    assert anything["value"].startswith("/")
    for written in (f"in {place}/:\nwc", "in .:\nwc", f"in {place}/private/..:\nwc"):
        assert add("deny", "run_command", "exact", written)["value"] == f"in {place}:\nwc"
    (place / "other").mkdir()
    (place / "way").symlink_to("other")
    other = add("deny", "run_command", "exact", "in way:\nwc x")
    assert checked("run_command", command="wc x", cwd="other") == f"rule:{other['rule_id']}"
    (place / "א\u200b").mkdir()
    odd = daemon.call(
        "POST", "/api/permissions/check", {"tool": "run_command", "arguments": {"command": "wc", "cwd": "א\u200b"}}
    )
    assert add("deny", "run_command", "exact", odd["target"])["value"] == odd["target"]
    link = add("allow", "delete_file", "exact", "near")
    assert checked("delete_file", path="near") == f"rule:{link['rule_id']}"
    assert checked("delete_file", path="private").startswith("mode:")
    origin = add("deny", "*", "exact", "https://Example.com")
    assert checked("fetch_url", url="https://example.com/a") == f"rule:{origin['rule_id']}"
    words = add("deny", "*", "exact", "rm -r x")
    assert checked("run_command", command="rm -r x") == f"rule:{words['rule_id']}"
    (place / "two words").touch()
    for bad in (
        ("allow", "run_command", "exact", "ls"),
        ("deny", "run_command", "exact", f"in {place}:"),
        ("deny", "run_command", "exact", f"in {place}:\n"),
        ("deny", "run_command", "exact", f"in {place}: ls"),
        ("deny", "run_command", "exact", "in two words:\nls"),
        ("deny", "run_command", "exact", "ls\0"),
        ("deny", "run_command", "beneath", "rm -rf /"),
        ("deny", "*", "exact", "private"),
        ("deny", "*", "exact", ".env"),
        ("deny", "*", "exact", "two words"),
        ("deny", "*", "exact", '{"a": 1}'),
        ("allow", "run_command", "beneath", str(place)),
        ("deny", "*", "beneath", "private"),
        ("deny", "read_file", "exact", "a\0b"),
        ("deny", "fetch_url", "exact", "https://example.org/private"),
        ("deny", "fetch_url", "beneath", "https://example.org/"),
        ("deny", "fetch_url", "exact", "example.org"),
    ):
        rule = dict(zip(("decision", "tool", "kind", "value"), bad, strict=True))
        refusal = daemon.refused("POST", "/api/permissions/rules", rule)
        assert refusal.code == "rule_invalid", bad


def test_tools_and_models_are_listed(daemon: Daemon) -> None:
    tools = {tool["name"]: tool for tool in daemon.call("GET", "/api/tools")}
    assert {name: tool["risk"] for name, tool in tools.items()} == {
        "read_file": "low",
        "list_dir": "low",
        "search_files": "low",
        "write_file": "medium",
        "edit_file": "medium",
        "delete_file": "medium",
        "move_file": "medium",
        "run_command": "high",
        "fetch_url": "high",
        "ask_user": "low",
    }
    assert tools["read_file"]["schema"]["properties"]["path"]["type"] == "string"
    models = daemon.call("GET", "/api/models")
    assert [model["name"] for model in models if model["chosen"]] == ["demo:instant"]
    assert all(model["why_not"] for model in models if not model["ready"])
    [agent] = daemon.call("GET", "/api/agents")
    assert (agent["id"], agent["model"], agent["tools"]) == ("default", "demo:instant", list(tools))


def test_shutdown_stops_it_with_exit_code_0(daemon: Daemon) -> None:
    assert daemon.call("POST", "/api/shutdown") == {"stopping": True}
    assert daemon.process is not None
    assert daemon.process.wait(30) == 0


def test_unknown_paths_and_methods_answer_in_the_envelope(daemon: Daemon) -> None:
    status, answer = daemon.raw("GET", "/api/nothing")
    assert (status, answer["success"], answer["code"]) == (404, False, "not_found")
    status, answer = daemon.raw("PUT", "/api/chat", {})
    assert (status, answer["code"]) == (405, "method_not_allowed")


def test_the_demo_shows_every_kind_of_event(daemon: Daemon) -> None:
    (daemon.work_dir / "notes.md").write_text("# Notes\n")
    kinds: set[str] = set()
    for message in ("hello", "think", "fail", "long", "read notes.md", "list"):
        events = daemon.ask(message)
        kinds |= {event["type"] for event in events}
    with daemon.watch() as watcher:
        daemon.chat("write hello.txt and run")
        for _ in range(2):
            call_id = watcher.until("approval_required")[-1]["data"]["call_id"]
            daemon.approve(call_id)
        events = watcher.until("done")
    kinds |= {event["type"] for event in events}
    assert {
        "text_chunk",
        "tool_start",
        "tool_end",
        "tool_progress",
        "approval_required",
        "error",
        "done",
        "status_change",
        "thinking_chunk",
        "message_added",
        "approval_resolved",
    } <= kinds
    assert (daemon.work_dir / "hello.txt").exists()
    said = daemon.history(limit=500)
    assert "demo model" in said[1]["text"]


def test_reading_an_agent_without_conversations_creates_none(daemon: Daemon) -> None:
    with daemon.watch(after=0) as watcher:
        status = daemon.call("GET", "/api/status", agent_id="default")
        assert (status["state"], status["session_id"], status["turn_id"]) == ("idle", None, None)
        assert daemon.call("GET", "/api/history", agent_id="default") == {"messages": [], "next_before": None}
        assert daemon.call("DELETE", "/api/history", agent_id="default") == {"deleted": 0}
        assert daemon.call("GET", "/api/sessions")["sessions"] == []
        started = daemon.call("POST", "/api/chat", {"agent_id": "default", "message": "hello"})
        kinds = [event["type"] for event in watcher.until("done")]
    assert kinds.index("session_changed") < kinds.index("message_added")
    assert kinds.count("session_changed") == 1
    assert daemon.call("GET", "/api/status", agent_id="default")["session_id"] == started["session_id"]
