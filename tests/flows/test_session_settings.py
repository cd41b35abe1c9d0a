"""A session's own folder, model, effort, mode and agent: what its turns work with, and what a restart keeps."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import provider_environment
from tests.support.daemon import Daemon, Json, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say

OTHER = "openai:gpt-5.2-mini"


def folder(daemon: Daemon, name: str, *, trusted: bool = False) -> Path:
    """A new folder that is a project."""
    made = daemon.home / name
    (made / ".aster" / "agents").mkdir(parents=True)
    if trusted:
        (daemon.data_dir / "trusted.json").write_text(json.dumps([str(made.resolve())]))
    return made.resolve()


def session(daemon: Daemon, **fields: object) -> Json:
    return daemon.call("POST", "/api/sessions", fields)


def settings(daemon: Daemon, session_id: str) -> dict[str, tuple[str, str]]:
    """The session's settings as (value, source)."""
    found = daemon.call("GET", f"/api/sessions/{session_id}")["settings"]
    return {name: (one["value"], one["source"]) for name, one in found.items() if name != "mcp_off"}


def patch(daemon: Daemon, session_id: str, **fields: object) -> Json:
    return daemon.call("PATCH", f"/api/sessions/{session_id}", fields)


def ended(events: list[Json]) -> list[Json]:
    return [event["data"] for event in events if event["type"] == "tool_end"]


# -- what applies, and where it comes from -----------------------------------------------------------------------------


def test_a_session_inherits_what_it_does_not_choose_and_a_restart_keeps_what_it_chose(real: Daemon) -> None:
    work = folder(real, "garden")
    one = session(real, title="Garden", work_dir=str(work), model=OTHER, effort="high", permission_mode="always_ask")
    chosen = {
        "work_dir": (str(work), "session"),
        "model": (OTHER, "session"),
        "effort": ("high", "session"),
        "permission_mode": ("always_ask", "session"),
    }
    assert settings(real, one["session_id"]) == chosen
    two = session(real, title="Plain")["session_id"]
    inherited = settings(real, two)
    assert inherited["effort"] == ("", "default")
    assert inherited["permission_mode"] == ("smart_approve", "default")
    assert inherited["work_dir"][0] == str(real.work_dir.resolve())
    assert inherited["model"][1] == "config"
    real.config(permission_mode="auto_approve")
    assert settings(real, two)["permission_mode"] == ("auto_approve", "config")
    real.kill()
    real.start()
    assert settings(real, one["session_id"]) == chosen
    back = patch(real, one["session_id"], model=None, effort=None, permission_mode=None, work_dir=None)
    assert back["settings"] == real.call("GET", f"/api/sessions/{two}")["settings"]


def test_a_patch_leaves_absent_fields_and_a_rename_works_without_the_folder(daemon: Daemon) -> None:
    work = folder(daemon, "gone")
    one = session(daemon, work_dir=str(work), effort="low")["session_id"]
    (work / ".aster" / "agents").rmdir()
    (work / ".aster").rmdir()
    work.rmdir()
    assert patch(daemon, one, title="Renamed", pinned=True)["title"] == "Renamed"
    assert settings(daemon, one)["work_dir"] == (str(work), "session")
    assert settings(daemon, one)["effort"] == ("low", "session")


def test_a_change_is_on_the_event_stream(daemon: Daemon) -> None:
    one = session(daemon)["session_id"]
    with daemon.watch() as watcher:
        patch(daemon, one, effort="minimal")
        [event] = [event for event in watcher.until("session_changed") if event["type"] == "session_changed"]
    assert event["data"]["session"]["settings"]["effort"] == {"value": "minimal", "source": "session"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"work_dir": "relative"}, "not an absolute path"),
        ({"work_dir": "/no/such/folder"}, "not a directory"),
        ({"work_dir": "/etc/hostname"}, "not a directory"),
        ({"work_dir": "/" + "x" * 300}, "name too long"),
        ({"work_dir": "/tmp/\0"}, ""),
        ({"work_dir": ""}, "work_dir"),
        ({"model": "gpt"}, "provider:name"),
        ({"model": "nobody:gpt"}, "provider:name"),
        ({"effort": "extreme"}, "effort"),
        ({"permission_mode": "never"}, "permission_mode"),
    ],
)
def test_what_can_not_be_used_is_refused_and_changes_nothing(
    daemon: Daemon, fields: dict[str, str], named: str
) -> None:
    one = session(daemon, effort="low")["session_id"]
    before = settings(daemon, one)
    for method, path in (("PATCH", f"/api/sessions/{one}"), ("POST", "/api/sessions")):
        refused = daemon.refused(method, path, {**fields})
        assert (refused.status, refused.code) == (422, "invalid_shape")
        assert named.lower() in json.dumps(refused.body).lower()
    assert settings(daemon, one) == before
    assert len(daemon.call("GET", "/api/sessions")["sessions"]) == 1


# -- the folder --------------------------------------------------------------------------------------------------------


def test_tools_rules_checks_and_questions_use_the_session_s_folder(real: Daemon, provider: ProviderDouble) -> None:
    work = folder(real, "garden")
    one = session(real, work_dir=str(work))["session_id"]
    asked = {"agent_id": "default", "tool": "write_file", "arguments": {"path": "plan.txt", "content": "peas"}}
    assert real.call("POST", "/api/permissions/check", asked)["target"] == str(real.work_dir.resolve() / "plan.txt")
    checked = real.call("POST", "/api/permissions/check", {**asked, "session_id": one})
    assert checked["target"] == str(work / "plan.txt")
    guarded = {**asked, "arguments": {"path": ".aster/agents/evil.yaml", "content": ""}, "session_id": one}
    assert real.call("POST", "/api/permissions/check", guarded)["decision"] == "deny"
    provider.script(
        Reply([Call("run_command", {"command": "env pwd"})]),
        Reply([Call("write_file", {"path": "plan.txt", "content": "peas"})]),
        Reply([Say("Planned.")]),
    )
    with real.watch() as watcher:
        real.chat("plan", session_id=one)
        first = watcher.until("approval_required")[-1]["data"]
        assert str(work) in first["display"]
        real.approve(first["call_id"])
        second = watcher.until("approval_required")[-1]["data"]
        real.approve(second["call_id"], "allow_always")
        events = watcher.until("done")
    assert ended(events)[0]["result"]["stdout"] == f"{work}\n"
    assert (work / "plan.txt").read_text() == "peas"
    [rule] = real.call("GET", "/api/permissions/rules")
    assert rule["value"].startswith(str(work))
    relative = {"tool": "read_file", "decision": "deny", "kind": "exact", "value": "secret.txt", "session_id": one}
    assert real.call("POST", "/api/permissions/rules", relative)["value"] == str(work / "secret.txt")


def test_a_folder_that_is_gone_or_became_a_link_is_said_at_the_next_turn(
    real: Daemon, provider: ProviderDouble, tmp_path: Path
) -> None:
    work = folder(real, "garden")
    one = session(real, work_dir=str(work))["session_id"]
    moved = work.with_name("moved")
    work.rename(moved)
    for reason in ("does not exist any more", "is a link now"):
        events = real.ask("hello", session_id=one)
        [error] = [event["data"] for event in events if event["type"] == "error"]
        assert (error["code"], events[-1]["data"]["stop_reason"]) == ("folder_unusable", "failed")
        assert reason in error["message"]
        assert str(work) in error["message"]
        if not os.path.lexists(work):
            work.symlink_to(moved)
    work.unlink()
    moved.rename(work)
    provider.script(Reply([Say("Here.")]))
    assert text_of(real.ask("hello", session_id=one)) == "Here."
    assert [message["text"] for message in real.history(session_id=one)][::2] == ["hello"] * 3


def test_a_trusted_project_s_settings_and_agents_count_in_sessions_of_its_folder(
    launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path
) -> None:
    (tmp_path / "a" / "data").mkdir(parents=True)
    (tmp_path / "a" / "data" / "config.toml").write_text('model = "openai:gpt-5.2"\n')
    daemon = launch(environment={**provider_environment(provider), "ASTER_MODEL": ""})
    work = folder(daemon, "garden")
    (work / ".aster" / "config.toml").write_text(f'model = "{OTHER}"\nmax_requests = 1\n')
    (work / ".aster" / "agents" / "gardener.yaml").write_text("instructions: Grow.\npermission_mode: always_ask\n")
    one = session(daemon, work_dir=str(work))["session_id"]
    assert settings(daemon, one)["model"] == ("openai:gpt-5.2", "config")
    new = {"agent_id": "gardener", "work_dir": str(work)}
    assert daemon.refused("POST", "/api/sessions", new).code == "agent_not_found"
    (daemon.data_dir / "trusted.json").write_text(json.dumps([str(work)]))
    assert settings(daemon, one)["model"] == (OTHER, "config")
    ids = [agent["id"] for agent in daemon.call("GET", "/api/agents", session_id=one)]
    assert ids == ["default", "gardener"]
    assert [agent["id"] for agent in daemon.call("GET", "/api/agents")] == ["default"]
    assert daemon.refused("GET", "/api/agents", session_id="ses_0").code == "session_not_found"
    assert daemon.refused("POST", "/api/sessions", {"agent_id": "gardener"}).code == "agent_not_found"
    two = session(daemon, **new)["session_id"]
    assert settings(daemon, two)["permission_mode"] == ("always_ask", "agent")
    provider.script(Reply([Say("Growing.")]), Reply([Call("list_dir", {})]))
    assert text_of(daemon.ask("grow", agent_id="gardener", session_id=two)) == "Growing."
    assert "Grow." in json.dumps(provider.requests[0].body)
    assert provider.requests[0].body["model"] == "gpt-5.2-mini"
    events = daemon.ask("look", session_id=one)
    assert events[-1]["data"]["stop_reason"] == "limit", "the project's max_requests counts in its folder"
    refused = daemon.refused("PATCH", f"/api/sessions/{two}", {"work_dir": str(folder(daemon, "elsewhere"))})
    assert refused.code == "agent_not_found", "the project's agent does not exist there"


def test_a_moved_data_directory_moves_the_folders_in_it(launch: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = launch()
    inside = daemon.data_dir / "workspace" / "one"
    inside.mkdir(parents=True)
    one = session(daemon, work_dir=str(inside))["session_id"]
    daemon.stop()
    moved = daemon.home / "moved"
    daemon.data_dir.rename(moved)
    other = launch("b", arguments=["--data-dir", str(moved)])
    found = other.call("GET", f"/api/sessions/{one}")["settings"]["work_dir"]
    assert found == {"value": str(moved.resolve() / "workspace" / "one"), "source": "session"}


# -- model and effort --------------------------------------------------------------------------------------------------


def test_the_model_and_effort_of_a_session_and_of_one_turn(real: Daemon, provider: ProviderDouble) -> None:
    one = session(real, model=OTHER, effort="high")["session_id"]
    provider.script(*(Reply([Say("Yes.")]) for _ in range(3)))
    real.ask("one", session_id=one)
    with real.watch() as watcher:
        real.chat("two", session_id=one, model="openai:gpt-5.2-nano", effort="minimal")
        watcher.until("done")
    patch(real, one, effort=None, model=None)
    real.ask("three", session_id=one)
    sent = [request.body for request in provider.requests]
    assert [body["model"] for body in sent][:2] == ["gpt-5.2-mini", "gpt-5.2-nano"]
    assert [body.get("reasoning", {}).get("effort") for body in sent] == ["high", "minimal", None]


def test_the_choice_of_a_queued_turn_survives_a_kill(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.script(Reply([Say("This takes long.", chunk=4)], gate=gate, gate_at=1))
    with real.watch() as watcher:
        real.chat("one")
        watcher.until("text_chunk")
        queued = real.chat("two", model=OTHER, effort="low", if_busy="steer")
        assert queued["status"] == "queued", "a message with a model of its own never steers"
        status = real.status()
        assert status["settings"]["model"]["source"] != "turn"
    real.kill()
    gate.set()
    provider.script(Reply([Say("Two.")]))
    real.start()
    with real.watch(after=0) as watcher:
        watcher.until("done", turn_id=queued["turn_id"])
    assert provider.requests[-1].body["model"] == "gpt-5.2-mini"
    assert provider.requests[-1].body["reasoning"]["effort"] == "low"


def test_the_status_names_the_model_of_the_turn_that_runs(real: Daemon, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.script(Reply([Say("Wait for it.", chunk=4)], gate=gate, gate_at=1))
    with real.watch() as watcher:
        started = real.chat("one", model=OTHER)
        watcher.until("text_chunk")
        status = real.status()
        assert (status["model"], status["settings"]["model"]) == (OTHER, {"value": OTHER, "source": "turn"})
        gate.set()
        watcher.until("done", turn_id=started["turn_id"])
    assert real.status()["settings"]["model"]["source"] == "config"


def test_a_message_sent_again_with_another_model_is_another_message(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([Say("Once.")]))
    body = {"agent_id": "default", "message": "x", "client_message_id": "m1", "model": OTHER}
    first = real.call("POST", "/api/chat", body)
    assert real.call("POST", "/api/chat", body) == first
    assert real.refused("POST", "/api/chat", {**body, "effort": "low"}).code == "idempotency_mismatch"
    assert real.refused("POST", "/api/chat", {**body, "model": "gpt"}).code == "invalid_shape"


# -- mode and agent ----------------------------------------------------------------------------------------------------


def test_a_session_may_loosen_the_configured_mode_but_never_its_agent_s(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = launch(environment=provider_environment(provider))
    (daemon.data_dir / "agents").mkdir(exist_ok=True)
    (daemon.data_dir / "agents" / "careful.yaml").write_text("permission_mode: always_ask\n")
    loose = session(daemon, permission_mode="auto_approve")["session_id"]
    careful = session(daemon, agent_id="careful", permission_mode="auto_approve")["session_id"]
    assert settings(daemon, careful)["permission_mode"] == ("always_ask", "agent")
    call = {"tool": "write_file", "arguments": {"path": "a.txt", "content": "x"}}
    found = [
        daemon.call("POST", "/api/permissions/check", {**call, "agent_id": agent_id, "session_id": session_id})
        for agent_id, session_id in (("default", loose), ("careful", careful))
    ]
    assert [one["decision"] for one in found] == ["allow", "ask"]
    provider.script(Reply([Call("write_file", call["arguments"])]), Reply([Say("Done.")]))
    assert ended(daemon.ask("write", session_id=loose))[0]["outcome"] == "done"
    patch(daemon, loose, permission_mode="always_ask")
    checked = daemon.call("POST", "/api/permissions/check", {**call, "agent_id": "default", "session_id": loose})
    assert checked["decision"] == "ask"


def test_another_agent_goes_on_with_the_conversation(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = launch(environment=provider_environment(provider))
    (daemon.data_dir / "agents").mkdir(exist_ok=True)
    (daemon.data_dir / "agents" / "poet.yaml").write_text("instructions: Rhyme.\ntools: []\n")
    one = session(daemon, title="Garden")["session_id"]
    provider.script(Reply([Say("Roses.")]), Reply([Say("Noses.")]))
    daemon.ask("flowers", session_id=one)
    changed = patch(daemon, one, agent_id="poet")
    assert (changed["agent_id"], changed["messages"]) == ("poet", 2)
    assert daemon.refused("POST", "/api/chat", {"agent_id": "default", "message": "x", "session_id": one}).status == 404
    assert text_of(daemon.ask("go on", agent_id="poet", session_id=one)) == "Noses."
    sent = json.dumps(provider.requests[1].body)
    assert "Rhyme." in sent
    assert "Roses." in sent
    assert [message["text"] for message in daemon.history("poet", session_id=one)][1::2] == ["Roses.", "Noses."]
    daemon.kill()
    daemon.start()
    assert daemon.status("poet", session_id=one)["state"] == "idle"
    assert daemon.refused("PATCH", f"/api/sessions/{one}", {"agent_id": "nobody"}).code == "agent_not_found"
    default = daemon.chat("hello")["session_id"]
    with daemon.watch(after=0) as watcher:
        watcher.until("done", session_id=default)
    refused = daemon.refused("PATCH", f"/api/sessions/{default}", {"agent_id": "poet"})
    assert (refused.status, "a default session keeps its agent" in refused.body["error"]) == (422, True)


def test_agent_and_folder_stay_while_a_turn_runs_and_the_rest_can_change(
    real: Daemon, provider: ProviderDouble
) -> None:
    one = session(real)["session_id"]
    work = folder(real, "garden")
    provider.script(Reply([Call("write_file", {"path": "a.txt", "content": "x"})]), Reply([Say("Done.")]))
    with real.watch() as watcher:
        real.chat("write", session_id=one)
        asked = watcher.until("approval_required")[-1]["data"]
        refused = real.refused("PATCH", f"/api/sessions/{one}", {"work_dir": str(work), "title": "Not this"})
        assert refused.code == "agent_busy"
        assert real.call("GET", f"/api/sessions/{one}")["title"] != "Not this"
        patch(real, one, model=OTHER, effort="low", work_dir=None)
        real.approve(asked["call_id"])
        watcher.until("done")
    assert [request.body["model"] for request in provider.requests][1] != "gpt-5.2-mini", "a turn keeps its model"
    assert patch(real, one, work_dir=str(work))["settings"]["work_dir"]["value"] == str(work)


def test_changes_at_the_same_time_do_not_undo_each_other(daemon: Daemon) -> None:
    one = session(daemon)["session_id"]
    changes: list[dict[str, object]] = [
        {"effort": "low"},
        {"model": OTHER},
        {"permission_mode": "always_ask"},
        {"title": "Named"},
        {"pinned": True},
        {"work_dir": str(folder(daemon, "garden"))},
    ]
    threads = [threading.Thread(target=patch, args=(daemon, one), kwargs=change) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = daemon.call("GET", f"/api/sessions/{one}")
    assert (found["title"], found["pinned"]) == ("Named", True)
    chosen = {name: setting["source"] for name, setting in found["settings"].items() if name != "mcp_off"}
    assert chosen == dict.fromkeys(("work_dir", "model", "effort", "permission_mode"), "session")


def test_an_unknown_agent_is_named_before_an_unknown_session(daemon: Daemon) -> None:
    body = {"agent_id": "nobody", "session_id": "ses_0", "message": "x"}
    assert daemon.refused("POST", "/api/chat", body).code == "agent_not_found"
    assert daemon.refused("POST", "/api/chat", {**body, "agent_id": "default"}).code == "session_not_found"
