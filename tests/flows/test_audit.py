"""The record of decisions: a row for each, with who decided, the arguments' hash, and what came of the call."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import provider_environment
from tests.flows.test_approvals import command, settle, wait_for_approval
from tests.flows.test_cli import ask
from tests.flows.test_trash import rows_with
from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, ProviderDouble, Reply, Say


def decisions(daemon: Daemon, **query: object) -> list[Json]:
    """All recorded decisions that match, oldest first."""
    page = daemon.call("GET", "/api/audit", None, limit=500, **query)
    assert page["next"] is None
    return page["decisions"][::-1]


def told(daemon: Daemon) -> list[tuple[str, str, str | None]]:
    """Each decision as: what, by whom, and what came of it."""
    return [(one["decision"], one["decided_by"], one["outcome"]) for one in decisions(daemon)]


def sha256(arguments: Json) -> str:
    """The hash of arguments as docs/protocol.md describes it."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def check_complete(daemon: Daemon) -> None:
    """Each event that says a decision has its row, and each call's rows have the outcome of its end."""
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db", timeout=30)) as store:
        events = [
            (kind, json.loads(data)) for kind, data in store.execute("SELECT type, data FROM events ORDER BY seq")
        ]
    record = decisions(daemon)
    for kind, data in events:
        of_call = [one for one in record if one["call_id"] == data.get("call_id")]
        match kind:
            case "tool_start":
                assert (of_call[-1]["decision"], of_call[-1]["decided_by"]) == ("allow", data["decided_by"])
                assert of_call[-1]["arguments_sha256"] == sha256(data["arguments"])
                assert of_call[-1]["risk"] == data["risk"]
            case "tool_end":
                assert of_call[-1]["outcome"] == data["outcome"]
                assert None not in [one["outcome"] for one in of_call]
            case "approval_resolved":
                by = {"expired": "expired", "cancelled": "cancelled"}.get(data["decision"], "person")
                assert (by, data["resolved_at"][:19]) in [
                    (one["decided_by"], one["decided_at"][:19]) for one in of_call
                ]
            case _:
                pass
    resolved = [data for kind, data in events if kind == "approval_resolved"]
    assert len([one for one in record if one["decided_by"] in ("person", "expired", "cancelled")]) == len(resolved)


# -- each kind of decision ---------------------------------------------------------------------------------------------


def test_what_a_mode_a_rule_and_the_tool_itself_decide(real: Daemon, provider: ProviderDouble) -> None:
    (real.work_dir / "there.txt").write_text("here I am")
    rule = real.call(
        "POST", "/api/permissions/rules", {"decision": "allow", "tool": "write_file", "kind": "any", "value": ""}
    )
    denial = {"decision": "deny", "tool": "delete_file", "kind": "any", "value": ""}
    denied = real.call("POST", "/api/permissions/rules", denial)
    provider.script(
        Reply(
            [
                Call("read_file", {"path": "there.txt"}),
                Call("write_file", {"path": "new.txt", "content": "größer\n"}),
                Call("delete_file", {"path": "there.txt"}),
                Call("fetch_url", {"url": "http://ada@example.com/"}),
                Call("write_file", {"path": str(real.data_dir / "aster.db"), "content": "x"}),
            ]
        ),
        Reply([Say("ok")]),
    )
    turn_id = real.ask("go")[-1]["turn_id"]
    found = {(one["tool"], one["decided_by"]): one for one in decisions(real)}
    assert {key: (one["decision"], one["outcome"]) for key, one in found.items()} == {
        ("read_file", "mode:smart_approve"): ("allow", "done"),
        ("write_file", f"rule:{rule['rule_id']}"): ("allow", "done"),
        ("delete_file", f"rule:{denied['rule_id']}"): ("deny", "denied"),
        ("fetch_url", "tool"): ("deny", "failed"),
        ("write_file", "forbidden"): ("deny", "denied"),
    }
    wrote = found["write_file", f"rule:{rule['rule_id']}"]
    assert wrote["summary"] == "Create new.txt (1 line)"
    assert wrote["words"] == "Your rule allows every call of write_file."
    assert wrote["arguments_sha256"] == sha256({"path": "new.txt", "content": "größer\n"})
    assert (wrote["risk"], wrote["client"], wrote["sandbox"]) == ("medium", None, "none")
    assert (wrote["agent_id"], wrote["turn_id"]) == ("default", turn_id)
    assert found["delete_file", f"rule:{denied['rule_id']}"]["words"] == "Your rule denies every call of delete_file."
    assert found["fetch_url", "tool"]["words"] == "a URL with a user name or password is not fetched"
    check_complete(real)


def test_what_a_person_decides_and_through_which_client(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo one", "env echo two"), Reply([Say("ok")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = [e["data"] for e in watcher.until("approval_required", 2) if e["type"] == "approval_required"]
        assert decisions(real) == [], "a question is no decision"
        watcher.until("status_change", state="waiting_approval")
        real.approve(asked[0]["call_id"], "allow")
        [first] = decisions(real)
        assert (first["decision"], first["decided_by"], first["outcome"]) == ("allow", "person", None)
        real.approve(asked[1]["call_id"], "deny", note="not this one")
        watcher.until("done")
    first, second = decisions(real)
    assert (first["outcome"], first["words"], first["client"]) == ("done", None, "python-httpx")
    assert (second["decision"], second["decided_by"], second["outcome"]) == ("deny", "person", "denied")
    assert (second["words"], second["client"]) == ("not this one", "python-httpx")
    assert (second["summary"], second["risk"]) == (asked[1]["summary"], asked[1]["risk"])
    assert second["arguments_sha256"] == sha256({"command": "env echo two"})
    check_complete(real)


def test_the_arguments_that_ran_are_those_of_the_hash(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("echo original > out"), Reply([Say("Done.")]))
    pending = wait_for_approval(real)
    settle(real, pending["call_id"], "allow", arguments={"command": "echo edited > out"})
    [one] = decisions(real)
    assert one["arguments_sha256"] == sha256({"command": "echo edited > out"})
    assert one["summary"] == "Run `echo edited > out` in the work folder"
    check_complete(real)


def test_a_question_that_expires_is_a_denial(real: Daemon, provider: ProviderDouble) -> None:
    real.config(approval_timeout_s=0.3)
    provider.script(command("echo ran >> marks"), Reply([Say("Too late.")]))
    real.ask("go")
    [one] = decisions(real)
    assert (one["decision"], one["decided_by"], one["outcome"]) == ("deny", "expired", "denied")
    assert (one["words"], one["client"]) == ("nobody answered in time", None)
    check_complete(real)


def test_a_cancelled_turn_leaves_no_decision_open(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo one", "env echo two", "env echo three"), Reply([Say("never")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = [e["data"] for e in watcher.until("approval_required", 3) if e["type"] == "approval_required"]
        watcher.until("status_change", state="waiting_approval")
        real.approve(asked[0]["call_id"])
        real.approve(asked[1]["call_id"], "deny")
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        watcher.until("done")
    assert told(real) == [
        ("allow", "person", "cancelled"),
        ("deny", "person", "denied"),
        ("deny", "cancelled", "cancelled"),
    ]
    check_complete(real)


def test_a_call_about_which_nobody_can_be_asked(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = launch(environment=provider_environment(provider), arguments=["--on-unattended", "deny"])
    long = Call("write_file", {"path": "a.txt", "content": "x" * 300_000})
    provider.script(Reply([Call("run_command", {"command": "env echo hi"}), long]), Reply([Say("Nobody was there.")]))
    turn_id = daemon.chat("go")["turn_id"]
    provider.wait_for_requests(2, timeout_s=20)
    with daemon.watch(after=0) as watcher:
        watcher.until("done", turn_id=turn_id)
    assert sorted(told(daemon)) == [("deny", "unattended", "denied"), ("deny", "unshown", "failed")]
    check_complete(daemon)


def test_a_call_that_is_asked_about_again_has_two_decisions(real: Daemon, provider: ProviderDouble) -> None:
    target = real.work_dir / "notes.txt"
    target.write_text("one\ntwo\n")
    provider.script(Reply([Call("write_file", {"path": "notes.txt", "content": "one\n"})]), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    target.write_text("one\ntwo\nand what the person added\n")
    with real.watch() as watcher:
        real.approve(pending["call_id"])
        watcher.until("approval_required")
        watcher.until("status_change", state="waiting_approval")
    settle(real, pending["call_id"], "deny", note="I changed my mind")
    assert told(real) == [("allow", "person", "asked_again"), ("deny", "person", "denied")]
    check_complete(real)


def test_a_rule_can_deny_what_a_person_has_allowed(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("env echo one", "env echo two"), Reply([Say("ok")]))
    with real.watch() as watcher:
        real.chat("go")
        asked = [e["data"] for e in watcher.until("approval_required", 2) if e["type"] == "approval_required"]
        watcher.until("status_change", state="waiting_approval")
        real.approve(asked[0]["call_id"])
        denial = {"decision": "deny", "tool": "run_command", "value": "env echo one"}
        rule = real.call("POST", "/api/permissions/rules", denial)
        real.approve(asked[1]["call_id"])
        watcher.until("done")
    first, second, third = decisions(real)
    assert (first["call_id"], first["decided_by"], first["outcome"]) == (asked[0]["call_id"], "person", "denied")
    assert (second["call_id"], second["outcome"]) == (asked[1]["call_id"], "done")
    assert (third["call_id"], third["decided_by"], third["decision"]) == (
        asked[0]["call_id"],
        f"rule:{rule['rule_id']}",
        "deny",
    )
    check_complete(real)


# -- kills -------------------------------------------------------------------------------------------------------------


def test_a_question_that_waits_through_a_restart_is_decided_once(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(command("echo ran >> marks"), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    real.restart()
    assert decisions(real) == []
    settle(real, pending["call_id"])
    assert told(real) == [("allow", "person", "done")]
    real.restart()
    assert told(real) == [("allow", "person", "done")]
    check_complete(real)


def test_a_call_that_ran_when_the_daemon_was_killed_is_unknown(real: Daemon, provider: ProviderDouble) -> None:
    real.config(permission_mode="auto_approve")
    provider.script(command("env echo begun; sleep 50"), Reply([Say("I see.")]))
    with real.watch() as watcher:
        real.chat("go")
        seen = watcher.until("tool_progress")[-1]["seq"]
    assert told(real) == [("allow", "mode:auto_approve", None)]
    real.restart()
    with real.watch(after=seen) as watcher:
        watcher.until("done")
    assert told(real) == [("allow", "mode:auto_approve", "unknown")]
    check_complete(real)


# -- deletion ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["purge", "clear"])
def test_a_deleted_conversation_leaves_no_text(real: Daemon, provider: ProviderDouble, how: str) -> None:
    provider.script(command("env echo canary-5f0c"), Reply([Say("ok")]))
    pending = wait_for_approval(real)
    settle(real, pending["call_id"], "deny", note="canary-5f0c as well")
    [before] = decisions(real)
    session_id = pending["session_id"]
    if how == "purge":
        real.call("DELETE", f"/api/sessions/{session_id}")
        assert decisions(real) == [before], "it can still be restored"
        real.call("DELETE", f"/api/sessions/{session_id}", purge=True)
    else:
        real.call("DELETE", "/api/history", agent_id="default", session_id=session_id)
    assert decisions(real, session_id=session_id) == [{**before, "summary": None, "words": None}]
    assert rows_with(real, "canary-5f0c") == []


def test_how_long_decisions_are_kept_is_a_setting(launch: Callable[..., Daemon]) -> None:
    daemon = launch(arguments=["--audit-keep-days", "30"])
    assert daemon.call("GET", "/api/config")["values"]["audit_keep_days"] == {
        "value": 30,
        "source": "flag",
        "settable": True,
    }
    for days in (-1, 3651):
        assert daemon.refused("POST", "/api/config", {"audit_keep_days": days}).code == "invalid_shape"
    assert daemon.config(audit_keep_days=0)["values"]["audit_keep_days"]["value"] == 0


# -- the list ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def listed(real: Daemon, provider: ProviderDouble) -> Daemon:
    """A daemon with seven decisions: reads in one session, and a denied command in another."""
    (real.work_dir / "there.txt").write_text("here I am")
    read = [Call("read_file", {"path": "there.txt", "offset": n}) for n in range(1, 7)]
    provider.script(Reply(read), Reply([Say("ok")]))
    real.ask("read")
    other = real.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    provider.script(command("env echo hi"), Reply([Say("ok")]))
    with real.watch() as watcher:
        real.chat("run", session_id=other)
        call_id = watcher.until("approval_required")[-1]["data"]["call_id"]
        watcher.until("status_change", state="waiting_approval")
        real.approve(call_id, "deny")
        watcher.until("done")
    return real


def test_pages_newest_first_and_oldest_first(listed: Daemon) -> None:
    whole = [one["decision_id"] for one in decisions(listed)]
    assert len(whole) == len(set(whole)) == 7
    for towards, start, expected in (("before", None, whole[::-1]), ("after", "0", whole)):
        found: list[str] = []
        sizes: list[int] = []
        at = start
        while True:
            page = listed.call("GET", "/api/audit", None, limit=3, **{towards: at})
            found += [one["decision_id"] for one in page["decisions"]]
            sizes.append(len(page["decisions"]))
            at = page["next"]
            if at is None:
                break
        assert (found, sizes) == (expected, [3, 3, 1])
    assert listed.call("GET", "/api/audit", None, limit=7)["next"] is None


def test_filters(listed: Daemon) -> None:
    *reads, denied = decisions(listed)
    assert decisions(listed, decision="deny") == [denied] == decisions(listed, tool="run_command")
    assert decisions(listed, decision="allow") == reads == decisions(listed, session_id=reads[0]["session_id"])
    assert decisions(listed, agent_id="default", session_id=denied["session_id"], tool="run_command") == [denied]
    assert decisions(listed, agent_id="other") == decisions(listed, session_id="ses_none") == []
    assert decisions(listed, since=denied["decided_at"]) == [denied]
    assert decisions(listed, until=denied["decided_at"]) == reads
    moment = datetime.fromisoformat(denied["decided_at"])
    elsewhere = moment.astimezone(UTC) + timedelta(hours=5, minutes=30)
    offset = elsewhere.replace(tzinfo=None).isoformat(timespec="milliseconds") + "+05:30"
    assert decisions(listed, since=offset) == [denied]
    assert decisions(listed, since=denied["decided_at"].lower(), until="9999-12-31T23:59:59Z") == [denied]


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"since": "2026-11-20"},
        {"since": "2026-11-20T12:00:00"},
        {"until": "2026-13-20T12:00:00Z"},
        {"until": "0001-01-01T00:00:00+23:59"},
        {"since": "٢٠٢٦-11-20T12:00:00Z"},
        {"before": "x"},
        {"before": "-1"},
        {"after": "9" * 19},
        {"before": "3", "after": "3"},
        {"limit": "0"},
        {"limit": "501"},
        {"decision": "maybe"},
        {"tool": ""},
    ],
)
def test_a_wrong_query_is_refused(daemon: Daemon, query: dict[str, str]) -> None:
    refusal = daemon.refused("GET", "/api/audit", None, **query)
    assert (refusal.status, refusal.code) == (422, "invalid_shape")
    assert next(iter(query)) in json.dumps(refusal.body)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_json_and_lines(listed: Daemon) -> None:
    whole = decisions(listed)
    table = ask(listed, "audit").out.splitlines()
    assert table[0].split() == ["decided", "decision", "by", "tool", "what", "outcome", "why"]
    assert len(table) == 8
    assert "deny" in table[1]
    assert "person (python-httpx)" in table[1]
    assert "Run `env echo hi` in the work folder" in table[1]
    assert ask(listed, "audit", "--json").json == whole[::-1]
    lines = ask(listed, "audit", "--jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == whole
    assert [json.loads(line) for line in ask(listed, "audit", "--jsonl", "--limit", "2").out.splitlines()] == whole[-2:]
    assert ask(listed, "audit", "--json", "--limit", "2").json == whole[:-3:-1]
    one = ask(listed, "audit", "--json", "--tool", "run_command", "--decision", "deny", "--agent", "default").json
    assert one == ask(listed, "audit", "--json", "--session", whole[-1]["session_id"]).json == whole[-1:]


def test_the_command_takes_dates_and_times(listed: Daemon) -> None:
    whole = decisions(listed)
    tomorrow = (datetime.now() + timedelta(days=1)).date().isoformat()
    assert ask(listed, "audit", "--since", tomorrow).err == "no decisions\n"
    assert ask(listed, "audit", "--json", "--until", tomorrow).json == whole[::-1]
    assert ask(listed, "audit", "--json", "--since", whole[-1]["decided_at"]).json == whole[-1:]
    wrong = ask(listed, "audit", "--until", "soon")
    assert (wrong.code, wrong.err) == (
        2,
        "aster-sidecar: --until soon: not a date or time\n  write it as 2026-11-20 or 2026-11-20T12:00\n",
    )


def test_lines_come_from_all_pages(listed: Daemon) -> None:
    """More decisions than one request returns; a hostile text is one line, without characters for the terminal."""
    listed.stop()
    with contextlib.closing(sqlite3.connect(listed.data_dir / "aster.db")) as store, store:
        names: list[str] = [row[1] for row in store.execute("PRAGMA table_info(decisions)") if row[1] != "n"]
        other = {"decision_id": "'dec_' || i", "words": "char(10) || char(27) || '[2J' || char(127) || i"}
        copied = ", ".join(other.get(name, name) for name in names)
        store.execute(
            "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 1203)"
            f" INSERT INTO decisions ({', '.join(names)}) SELECT {copied} FROM decisions, numbers WHERE n=1"
        )
    listed.start()
    out = ask(listed, "audit", "--jsonl").out
    assert "\x1b" not in out
    assert "\x7f" not in out
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 1210
    assert [line["decision_id"] for line in lines[7:]] == [f"dec_{n}" for n in range(1, 1204)]
    assert lines[-1]["words"] == "\n\x1b[2J\x7f1203"
    assert len(ask(listed, "audit", "--json", "--limit", "1205").json) == 1205
    table = ask(listed, "audit", "--limit", "1").out
    assert "\x1b" not in table
    assert len(table.splitlines()) == 2
