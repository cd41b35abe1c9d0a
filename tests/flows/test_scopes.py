"""What "always" covers: chosen by the person, for this session or a time, for a program in a folder; and denials."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.daemon import Daemon

Json = dict[str, Any]

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="lines of a POSIX shell"),
    pytest.mark.skipif(shutil.which("make") is None, reason="needs make"),
]


@pytest.fixture
def careful(launch: Callable[..., Daemon]) -> Daemon:
    """A daemon that asks before commands that do more than read, in a folder with a Makefile."""
    daemon = launch()
    daemon.config(permission_mode="smart_approve", sandbox="off")
    (daemon.work_dir / "Makefile").write_text("test:\n\t@echo tested\nclean:\n\t@echo cleaned\n")
    return daemon


def asked(daemon: Daemon, command: str, session_id: str | None = None) -> Json:
    """The question about a command."""
    with daemon.watch() as watcher:
        daemon.chat(f"call run_command {json.dumps({'command': command})}", session_id=session_id)
        return watcher.until("approval_required")[-1]["data"]


def answered(daemon: Daemon, question: Json, decision: str = "allow_always", **fields: Any) -> Json:
    """Answer a question and wait for the end of its turn; returns the answer of the daemon."""
    with daemon.watch() as watcher:
        answer = daemon.approve(question["call_id"], decision, **fields)
        watcher.until("done")
    return answer


def end_of(daemon: Daemon, command: str, session_id: str | None = None) -> Json:
    """The end of a call that nobody is asked about."""
    message = f"call run_command {json.dumps({'command': command})}"
    events = daemon.ask(message, session_id=session_id) if session_id else daemon.ask(message)
    return next(event["data"] for event in events if event["type"] == "tool_end")


def check(daemon: Daemon, command: str, session_id: str | None = None) -> Json:
    body: Json = {"tool": "run_command", "arguments": {"command": command}}
    return daemon.call("POST", "/api/permissions/check", body | ({"session_id": session_id} if session_id else {}))


def refusal(daemon: Daemon, path: str, body: Json) -> Json:
    status, answer = daemon.raw("POST", path, body)
    assert status == 422
    return answer


def test_a_program_in_a_folder_runs_unasked_from_then_on(careful: Daemon) -> None:
    question = asked(careful, "make test 2>&1 | tail -5")
    assert [scope["scope_id"] for scope in question["scopes"]] == ["exact", "program"]
    assert "`make test …` in " in question["scopes"][1]["words"]
    assert "remember" not in question
    rule = answered(careful, question, scope_id="program")["rule"]
    assert (rule["kind"], rule["value"]) == ("program", f"in {careful.work_dir}:\nmake test")
    assert rule["made_for"] == question["call_id"]
    careful.kill()
    careful.start()
    done = end_of(careful, "cat Makefile && make -s test")
    assert done["result"]["stdout"].endswith("tested\n")
    found = check(careful, "make test")
    assert (found["decision"], found["rule"]["rule_id"]) == ("allow", rule["rule_id"])
    assert found["rule"]["made_by"]
    for other in ("make clean", "make test; touch x", "make test -f other.mk", "make test SHELL=./x", "$(make test)"):
        assert check(careful, other)["decision"] == "ask", other
    (careful.work_dir / "inner").mkdir()
    assert check(careful, "cd inner && make test")["decision"] == "ask", "the rule is for its folder"


def test_two_programs_of_a_line_are_allowed_together_or_one_by_one(careful: Daemon) -> None:
    question = asked(careful, "make test && make clean")
    answered(careful, question, scope_id="program")
    assert check(careful, "make clean")["decision"] == "allow"
    assert check(careful, "make test && git add Makefile")["decision"] == "ask"
    rule = {"decision": "allow", "tool": "run_command", "kind": "program", "value": f"in {careful.work_dir}:\ntouch"}
    careful.call("POST", "/api/permissions/rules", rule)
    both = check(careful, "touch x && make test")
    assert both["decision"] == "allow"
    assert "touch …" in both["reason"]
    assert "make test …" in both["reason"]


def test_for_this_session_and_for_a_time(careful: Daemon) -> None:
    one, other = (careful.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"] for _ in range(2))
    rule = answered(careful, asked(careful, "make test", one), scope_id="program", this_session=True)["rule"]
    assert rule["session_id"] == one
    assert [check(careful, "make test", session)["decision"] for session in (one, other)] == ["allow", "ask"]
    rule = answered(careful, asked(careful, "make clean", other), scope_id="exact", expires_in_s=2)["rule"]
    assert rule["expires_at"] is not None
    assert check(careful, "make clean", other)["decision"] == "allow"
    time.sleep(2.1)
    assert check(careful, "make clean", other)["decision"] == "ask"


def test_an_answer_with_a_scope_that_is_not_offered_is_refused_and_the_question_stays(careful: Daemon) -> None:
    question = asked(careful, "make test")
    body = {"agent_id": "default", "call_id": question["call_id"]}
    wrong = refusal(careful, "/api/approve", {**body, "decision": "allow_always", "scope_id": "everything"})
    assert (wrong["code"], wrong["hint"]) == ("invalid_shape", "its scopes are: exact, program")
    for more in ({"scope_id": "exact"}, {"this_session": True}, {"expires_in_s": 60}):
        assert refusal(careful, "/api/approve", {**body, "decision": "allow", **more})["code"] == "invalid_shape"
    assert careful.call("GET", "/api/permissions/rules") == []
    answered(careful, question, "allow")


def test_a_denied_program_stays_denied_in_every_mode(careful: Daemon) -> None:
    careful.config(permission_mode="auto_approve")
    rule = {"decision": "deny", "tool": "run_command", "kind": "program", "value": "git push"}
    careful.call("POST", "/api/permissions/rules", rule)
    everything = {"decision": "allow", "tool": "run_command", "kind": "any", "value": ""}
    careful.call("POST", "/api/permissions/rules", everything)
    for line in ("git push", "make test && git -C . push origin main", "/usr/bin/git --no-pager push", "sudo git push"):
        assert check(careful, line)["decision"] == "deny", line
    for line in ("sh deploy.sh", "$GIT push", "for x in 1; do git push; done", "python3 -c 1", "git p"):
        found = check(careful, line)
        assert (found["decision"], found["rule"]["words"]) == ("ask", "`git push …` in every folder"), line
    for line in ("make test", "git status", "cat Makefile"):
        assert check(careful, line)["decision"] == "allow", line
    assert "tested" in end_of(careful, "make test")["result"]["stdout"]


def test_always_deny_can_cover_a_program(careful: Daemon) -> None:
    answered(careful, asked(careful, "make clean"), "deny_always", scope_id="program")
    assert check(careful, "make -s clean")["decision"] == "deny"
    assert check(careful, "make test")["decision"] == "ask"


def test_conditions_and_patterns(careful: Daemon) -> None:
    def add(**rule: Any) -> Json:
        return careful.call("POST", "/api/permissions/rules", rule)

    def written(path: str) -> str:
        body = {"tool": "write_file", "arguments": {"path": path, "content": "x"}}
        return careful.call("POST", "/api/permissions/check", body)["decision"]

    add(decision="allow", tool="write_file", kind="glob", value="docs/**/*.md")
    assert [written(path) for path in ("docs/a.md", "docs/b/c.md", "docs/a.txt", "a.md")] == [
        "allow",
        "allow",
        "ask",
        "ask",
    ]
    except_drafts = {"argument": "path", "test": "beneath", "value": "docs/drafts", "negated": True}
    add(decision="deny", tool="write_file", kind="beneath", value="docs", conditions=[except_drafts])
    assert [written(path) for path in ("docs/a.md", "docs/drafts/a.md", "docs/drafts/../a.md")] == [
        "deny",
        "allow",
        "deny",
    ]
    (careful.work_dir / "docs" / "drafts").mkdir(parents=True)
    (careful.work_dir / "docs" / "drafts" / "up").symlink_to("..")
    assert written("docs/drafts/up/a.md") == "deny"
    wrong = {"decision": "allow", "tool": "run_command", "kind": "any", "value": ""}
    text = {"argument": "command", "test": "glob", "value": "npm *"}
    assert refusal(careful, "/api/permissions/rules", {**wrong, "conditions": [text]})["code"] == "rule_invalid"
    unknown = {"argument": "comand", "test": "equals", "value": "ls"}
    assert "has no argument" in refusal(careful, "/api/permissions/rules", {**wrong, "conditions": [unknown]})["error"]
    misfit = {"argument": "command", "test": "equals", "value": ["ls"]}
    assert "does not fit" in refusal(careful, "/api/permissions/rules", {**wrong, "conditions": [misfit]})["error"]
