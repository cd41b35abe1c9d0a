"""A deny rule applies to every file tool that the model calls."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.support.daemon import Daemon, Json


def used(daemon: Daemon, name: str, **arguments: Any) -> Json:
    """The data of the call's `tool_end`."""
    events = daemon.ask(f"call {name} {json.dumps(arguments)}", agent_id="default")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    return end


def test_a_denied_directory_stays_closed_to_every_file_tool(daemon: Daemon) -> None:
    daemon.config(permission_mode="auto_approve")
    private = daemon.work_dir / "private"
    private.mkdir()
    (private / "a.txt").write_text("canary")
    (daemon.work_dir / "b.txt").write_text("canary")
    os.link(private / "a.txt", daemon.work_dir / "twin.txt")
    assert len(used(daemon, "search_files", pattern="canary")["result"]["hits"]) == 3
    rule = daemon.call(
        "POST",
        "/api/permissions/rules",
        {"decision": "deny", "tool": "*", "kind": "beneath", "value": str(private), "agent_id": "default"},
    )
    found = used(daemon, "search_files", pattern="canary")["result"]
    assert [hit["path"] for hit in found["hits"]] == ["b.txt"]
    assert found["notes"] == ["private, twin.txt are left out: a rule denies it"]
    listed = used(daemon, "list_dir", depth=3)["result"]
    assert [entry["name"] for entry in listed["entries"]] == ["b.txt", "twin.txt"]
    assert listed["notes"] == ["private is left out: a rule denies it"]
    for name, more in (("read_file", {}), ("write_file", {"content": "x"}), ("delete_file", {})):
        end = used(daemon, name, path="twin.txt", **more)
        assert end["outcome"] == "denied"
        assert "hard link" in end["error"]
        assert end["error"].endswith(f"Your rule denies every tool for {private} and everything in it.")
    check = {"tool": "read_file", "arguments": {"path": "twin.txt"}, "agent_id": "default"}
    assert daemon.call("POST", "/api/permissions/check", check)["decision"] == "deny"
    assert (daemon.work_dir / "twin.txt").read_text() == "canary"
    daemon.call("DELETE", f"/api/permissions/rules/{rule['rule_id']}")
    assert used(daemon, "read_file", path="twin.txt")["result"]["text"] == "canary"


def test_a_rule_for_another_session_closes_nothing(daemon: Daemon) -> None:
    daemon.config(permission_mode="auto_approve")
    private = daemon.work_dir / "private"
    private.mkdir()
    (private / "a.txt").write_text("canary")
    other = daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    body = {"decision": "deny", "tool": "*", "kind": "beneath", "value": str(private), "agent_id": "default"}
    daemon.call("POST", "/api/permissions/rules", {**body, "session_id": other})
    assert len(used(daemon, "search_files", pattern="canary")["result"]["hits"]) == 1
    with daemon.watch() as watcher:
        daemon.chat('call search_files {"pattern": "canary"}', session_id=other)
        end = watcher.until("tool_end")[-1]["data"]
    assert end["result"]["hits"] == []
    assert end["result"]["notes"] == ["private is left out: a rule denies it"]
