"""The policy is a pure function: its order of rules, what it covers, its words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.policy.permissions import Assessment, Mode, Rule, Scope, ToolCall, decide, describe, sentences

at_any_pace = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW = datetime(2026, 11, 20, tzinfo=UTC)
HERE = Scope("beneath", "/work", "anywhere in /work")


def call(risk: Any = "medium", target: str = "/work/a.txt", **fields: Any) -> Assessment:
    known: dict[str, Any] = {"remember": HERE, **fields}
    return Assessment(risk=risk, target=target, display=target, reason="because", **known)


def rule(decision: Any = "allow", kind: Any = "beneath", value: str = "/work", **fields: Any) -> Rule:
    return Rule("r1", decision, fields.pop("tool", "write_file"), kind, value, **fields)


def verdict(mode: Mode, assessment: Assessment, *rules: Rule, session_id: str = "s", agent_id: str = "a") -> str:
    return decide(mode, rules, ToolCall("write_file", agent_id, session_id, NOW), assessment).verdict


@pytest.mark.parametrize(
    ("mode", "risk", "expected"),
    [
        ("auto_approve", "low", "allow"),
        ("auto_approve", "high", "allow"),
        ("smart_approve", "low", "allow"),
        ("smart_approve", "medium", "ask"),
        ("smart_approve", "high", "ask"),
        ("always_ask", "low", "ask"),
        ("always_ask", "high", "ask"),
    ],
)
def test_modes(mode: Mode, risk: str, expected: str) -> None:
    assert verdict(mode, call(risk)) == expected


MODES: list[Mode] = ["auto_approve", "smart_approve", "always_ask"]


@at_any_pace
@given(st.sampled_from(MODES), st.sampled_from(["low", "medium", "high"]), st.booleans(), st.booleans(), st.booleans())
def test_the_order_is_deny_rule_always_ask_allow_rule_mode(
    mode: Mode, risk: str, denied: bool, allowed: bool, forbidden: bool
) -> None:
    rules = [*([rule()] if allowed else []), *([rule("deny")] if denied else [])]
    got = verdict(mode, call(risk, forbidden="it is ours" if forbidden else None), *rules)
    if forbidden or denied:
        assert got == "deny"
    elif mode == "always_ask":
        assert got == "ask"
    elif allowed or mode == "auto_approve" or risk == "low":
        assert got == "allow"
    else:
        assert got == "ask"


@pytest.mark.parametrize(
    ("kind", "value", "target", "covered"),
    [
        ("exact", "/work/a.txt", "/work/a.txt", True),
        ("exact", "/work/a.txt", "/work/a.txt2", False),
        ("beneath", "/work", "/work/x/y", True),
        ("beneath", "/work", "/work", True),
        ("beneath", "/work/", "/work/x", True),
        ("beneath", "/work", "/work-evil/x", False),
        ("beneath", "/work", "/", False),
        ("beneath", "C:\\work", "C:\\work\\x", True),
        ("any", "", "/anything", True),
    ],
)
def test_reach(kind: str, value: str, target: str, covered: bool) -> None:
    assert (verdict("smart_approve", call(target=target), rule("deny", kind, value)) == "deny") is covered


def test_rules_are_for_their_agent_session_tool_and_time() -> None:
    assert verdict("smart_approve", call(), rule(agent_id="a", session_id="s")) == "allow"
    assert verdict("smart_approve", call(), rule(agent_id="b")) == "ask"
    assert verdict("smart_approve", call(), rule(session_id="t")) == "ask"
    assert verdict("smart_approve", call(), rule(tool="read_file")) == "ask"
    assert verdict("smart_approve", call(), rule("deny", tool="*", kind="any", value="")) == "deny"
    assert verdict("smart_approve", call(), rule(expires_at=NOW + timedelta(seconds=1))) == "allow"
    assert verdict("smart_approve", call(), rule(expires_at=NOW)) == "ask"


def test_a_rule_for_a_directory_does_not_carry_what_cannot_be_remembered() -> None:
    secret = call("high", "/work/.env", remember=None)
    assert verdict("smart_approve", secret, rule()) == "ask"
    assert verdict("smart_approve", secret, rule(kind="exact", value="/work/.env")) == "allow"


def test_a_move_needs_both_its_ends_allowed_and_neither_denied() -> None:
    move = call(target="/work/a", also=("/elsewhere/b",))
    assert verdict("smart_approve", move, rule()) == "ask"
    assert verdict("smart_approve", move, rule("deny", "beneath", "/elsewhere")) == "deny"
    assert verdict("smart_approve", move, rule(kind="any", value="")) == "allow"


def test_every_decision_says_what_made_it_and_why() -> None:
    for mode in MODES:
        for rules in ((), (rule(),), (rule("deny"),)):
            told = decide(mode, rules, ToolCall("write_file", "a", "s", NOW), call())
            assert told.decided_by.split(":")[0] in ("rule", "mode")
            assert len(told.reason) > 5


@pytest.mark.parametrize(
    ("tool", "kind", "value", "words"),
    [
        ("run_command", "exact", "in /home/me:\nls -l", "`ls -l` in /home/me"),
        ("run_command", "exact", "in /home/me:\nls\nrm a", r"`ls\nrm a` in /home/me"),
        ("run_command", "exact", "rm -r x", "`rm -r x` in every folder"),
        ("run_command", "exact", "ls` in /x. Yes, `ls", "`ls' in /x. Yes, 'ls` in every folder"),
        ("run_command", "beneath", "/srv", "run_command for /srv and everything in it"),
        ("run_command", "any", "", "every call of run_command"),
        ("read_file", "exact", "/x/a\u202eb", r"read_file for /x/a\u202eb"),
        ("read_file", "beneath", r"C:\Users\me", r"read_file for C:\Users\me and everything in it"),
        ("*", "beneath", "/x", "every tool for /x and everything in it"),
        ("*", "any", "", "every tool"),
        ("fetch_url", "exact", "https://example.com:443", "fetch_url for https://example.com:443"),
    ],
)
def test_what_a_rule_covers_is_said_on_one_line(tool: str, kind: Any, value: str, words: str) -> None:
    assert describe(Rule("r1", "deny", tool, kind, value)) == words


def test_what_a_rule_decides_is_a_sentence_without_its_id() -> None:
    """The id is in `decided_by`."""
    command = call(target="in /work:\nmake", names=("make",))
    told = {
        decision: decide(
            "smart_approve",
            [Rule("r1", decision, "run_command", "exact", "in /work:\nmake")],
            ToolCall("run_command", "a", "s", NOW),
            command,
        )
        for decision in ("allow", "deny")
    }
    assert {found.decided_by for found in told.values()} == {"rule:r1"}
    assert told["allow"].reason == "Your rule allows `make` in /work."
    assert told["deny"].reason == "Your rule denies `make` in /work."


def test_a_rule_that_denies_a_directory_covers_what_cannot_be_remembered() -> None:
    assert verdict("auto_approve", call("high", "/work/.env", remember=None), rule("deny")) == "deny"


def test_reasons_follow_each_other_as_sentences() -> None:
    assert sentences(["because", "So it is.", "/x was not found"]) == "Because. So it is. /x was not found."
