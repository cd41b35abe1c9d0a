"""The command `permissions` with a real daemon."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.test_approvals import command, settle, wait_for_approval
from tests.flows.test_cli import Told, ask
from tests.support.daemon import Daemon, Json
from tests.support.provider import ProviderDouble, Reply, Say

pytestmark = pytest.mark.timeout(180)  # a test runs up to 14 commands, each in a process


def permissions(daemon: Daemon, *words: str, code: int = 0) -> Told:
    """Run `permissions`, which exits with `code`."""
    told = ask(daemon, "permissions", *words)
    assert told.code == code, told.err
    return told


def rules(daemon: Daemon) -> list[Json]:
    return daemon.call("GET", "/api/permissions/rules")


def checked(daemon: Daemon, tool: str, *more: str, **arguments: Json) -> list[str]:
    """What `check` prints about a call, by lines."""
    return permissions(daemon, "check", tool, json.dumps(arguments), *more).out.splitlines()


def test_rules_are_added_listed_checked_and_removed(daemon: Daemon) -> None:
    assert permissions(daemon).err == "no rules\n"
    assert permissions(daemon, "list", "--json").json == []
    session_id = daemon.call("POST", "/api/sessions", {"title": "Garden"})["session_id"]
    limits = ["--agent", "default", "--session", session_id, "--expires", "7d"]
    told = permissions(daemon, "allow", "write_file", "notes", "--kind", "beneath", *limits)
    [rule] = rules(daemon)
    # The command runs in the home directory, which is not the work folder.
    assert (rule["decision"], rule["kind"], rule["value"]) == ("allow", "beneath", str(daemon.home.resolve() / "notes"))
    assert (rule["agent_id"], rule["session_id"], rule["made_by"]) == ("default", session_id, "aster-sidecar")
    left = datetime.fromisoformat(rule["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert told.out == f"added {rule['rule_id']}: allow {rule['words']}, until {rule['expires_at']}\n"
    second = permissions(daemon, "deny", "delete_file", "--json").json
    assert (second["kind"], second["value"], second["expires_at"]) == ("any", "", None)
    assert permissions(daemon, "list", "--json").json == rules(daemon) == [rule, second]
    table = permissions(daemon).out.splitlines()
    assert table[0].split() == ["id", "decision", "covers", "made", "by", "made", "ends"]
    assert table[1].split() == [
        *(rule["rule_id"], "allow", *rule["words"].split(), "aster-sidecar", rule["created_at"], rule["expires_at"])
    ]
    assert table[2].split() == [
        *(second["rule_id"], "deny", "every", "call", "of", "delete_file", "aster-sidecar", second["created_at"])
    ]

    lines = checked(daemon, "write_file", "--session", session_id, path=str(daemon.home / "notes/a.txt"), content="x")
    assert lines[0] == f"decision: allow (rule:{rule['rule_id']})"
    assert lines[1] == f"why:      Your rule allows write_file for {rule['value']} and everything in it."
    assert lines[3:6] == [
        f"rule:     {rule['rule_id']}: allow {rule['words']}",
        f"made:     by aster-sidecar, {rule['created_at']}",
        f"ends:     {rule['expires_at']}",
    ]
    assert permissions(daemon, "remove", rule["rule_id"]).out == f"removed {rule['rule_id']}\n"
    assert permissions(daemon, "remove", second["rule_id"], "--json").json == {"rule_id": second["rule_id"]}
    assert rules(daemon) == []
    gone = permissions(daemon, "remove", rule["rule_id"], code=1)
    assert f"rule not found: '{rule['rule_id']}'" in gone.err


def test_a_check_shows_what_always_could_cover_and_runs_nothing(daemon: Daemon) -> None:
    lines = checked(daemon, "write_file", path="a.txt", content="x")
    assert lines == [
        "decision: ask (mode:smart_approve)",
        "why:      It changes files in the work folder.",
        "call:     Create a.txt (1 line), medium risk",
        f"always:   write_file on {daemon.work_dir}/a.txt only",
        f"          write_file anywhere in {daemon.work_dir}",
    ]
    assert not (daemon.work_dir / "a.txt").exists()
    answer = permissions(daemon, "check", "write_file", '{"path": "a.txt", "content": "x"}', "--json").json
    assert (answer["decision"], answer["rule"]) == ("ask", None)
    assert len(answer["scopes"]) == 2
    wrong = permissions(daemon, "check", "write_file", '{"path": 1}', code=1)
    assert wrong.err.startswith("aster-sidecar: ")
    assert permissions(daemon, "check", "no_tool", "{}", code=1).err.startswith("aster-sidecar: tool not found")


def test_a_check_says_which_answer_made_the_rule(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("touch hi"), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    settle(real, pending["call_id"], "deny_always")
    [rule] = rules(real)
    lines = checked(real, "run_command", command="touch hi")
    assert lines[0] == f"decision: deny (rule:{rule['rule_id']})"
    assert f"made:     by python-httpx, {rule['created_at']}, as the answer to the call {pending['call_id']}" in lines


def test_conditions_are_about_arguments(daemon: Daemon) -> None:
    where = ["--where", "path", "glob", "*.lock", "--where-not", "path", "one_of", '["a.lock", "b.lock"]']
    rule = permissions(daemon, "deny", "write_file", *where, "--where", "content", "equals", "5", "--json").json
    assert rule["conditions"] == [
        {"argument": "path", "test": "glob", "value": "*.lock", "negated": False},
        {"argument": "content", "test": "equals", "value": "5", "negated": False},
        {"argument": "path", "test": "one_of", "value": ["a.lock", "b.lock"], "negated": True},
    ]
    assert checked(daemon, "write_file", path="c.lock", content="5")[0].startswith("decision: deny")
    for path, content in (("a.lock", "5"), ("c.lock", "6"), ("c.txt", "5")):
        assert checked(daemon, "write_file", path=path, content=content)[0].startswith("decision: ask")
    rule = permissions(daemon, "allow", "write_file", "--where", "path", "beneath", "work", "--json").json
    assert rule["conditions"][0]["value"] == str(daemon.home.resolve() / "work")
    told = permissions(daemon, "deny", "write_file", "--where", "path", "is", "a", code=2)
    assert told.err == "aster-sidecar: there is no test 'is'\n  the tests are: equals, one_of, beneath, glob\n"
    assert permissions(daemon, "deny", "write_file", "--where", "nothing", "equals", "a", code=1).err.startswith(
        "aster-sidecar: write_file has no argument 'nothing'"
    )


def test_a_command_is_allowed_in_one_folder_and_denied_in_all(daemon: Daemon) -> None:
    home = daemon.home.resolve()
    allowed = permissions(daemon, "allow", "run_command", "touch hi", "--json").json
    assert (allowed["kind"], allowed["value"]) == ("exact", f"in {home}:\ntouch hi")
    program = permissions(daemon, "allow", "run_command", "--kind", "program", "npm test", "--json").json
    assert (program["kind"], program["value"]) == ("program", f"in {home}:\nnpm test")
    denied = permissions(daemon, "deny", "run_command", "git push", "--kind", "program", "--json").json
    assert denied["value"] == "git push"
    given = {"command": "touch hi", "cwd": str(home)}
    assert checked(daemon, "run_command", **given)[0] == f"decision: allow (rule:{allowed['rule_id']})"
    assert checked(daemon, "run_command", command="touch hi")[0].startswith("decision: ask")
