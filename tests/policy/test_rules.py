"""What holds for any set of rules and any call: no deny is lost, and an allow covers what it names and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.policy.permissions import (
    STRICTNESS,
    Assessment,
    Decision,
    Mode,
    Rule,
    Scope,
    ToolCall,
    decide,
    reaches,
)

at_any_pace = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
TOOLS = ("write_file", "run_command")
PLACES = ("/", "/w", "/w/", "/w/a", "/w/a/b", "/w-evil", "/W", "/w\\a", "C:\\w", "C:\\w\\a", "in /w:\nls", "ls", "")
MODES = st.sampled_from(STRICTNESS)
WHO = st.sampled_from((None, "a", "b"))
EXPIRY = st.sampled_from((None, NOW - timedelta(days=1), NOW, NOW + timedelta(seconds=1), NOW + timedelta(days=9)))


def _rules(decision: st.SearchStrategy[Any], expiry: st.SearchStrategy[Any] = EXPIRY) -> st.SearchStrategy[list[Rule]]:
    one = st.builds(
        Rule,
        rule_id=st.uuids().map(str),
        decision=decision,
        tool=st.sampled_from((*TOOLS, "*")),
        kind=st.sampled_from(("exact", "beneath", "any")),
        value=st.sampled_from(PLACES),
        agent_id=WHO,
        session_id=WHO,
        expires_at=expiry,
    )
    return st.lists(one, max_size=6)


ANY = _rules(st.sampled_from(("allow", "deny")))
ALLOW = _rules(st.just("allow"))
DENY = _rules(st.just("deny"))
CALLS = st.builds(
    Assessment,
    risk=st.sampled_from(("low", "medium", "high")),
    target=st.sampled_from(PLACES),
    display=st.just("x"),
    reason=st.just("because"),
    remember=st.sampled_from((None, Scope("beneath", "/w", "anywhere in /w"))),
    forbidden=st.sampled_from((None, None, None, "it is ours")),
    always_asked=st.booleans(),
    also=st.lists(st.sampled_from(PLACES), max_size=2).map(tuple),
    names=st.lists(st.sampled_from(PLACES), max_size=2).map(tuple),
)


def _decided(mode: Mode, rules: Sequence[Rule], call: Assessment, tool: str = TOOLS[0]) -> Decision:
    return decide(mode, rules, ToolCall(tool, "a", "b", NOW), call)


def _concerns_call(rule: Rule) -> bool:
    """Whether the rule counts for calls of the first tool by agent a in session b."""
    current = rule.expires_at is None or rule.expires_at > NOW
    return rule.tool in (TOOLS[0], "*") and rule.agent_id in (None, "a") and rule.session_id in (None, "b") and current


@at_any_pace
@given(MODES, ANY, ALLOW, CALLS)
def test_allow_rules_never_lift_a_denial(mode: Mode, rules: list[Rule], more: list[Rule], call: Assessment) -> None:
    if _decided(mode, rules, call).verdict == "deny":
        for mixed in ([*rules, *more], [*more, *rules]):
            assert _decided(mode, mixed, call).verdict == "deny"


@at_any_pace
@given(MODES, ANY, CALLS)
def test_a_deny_rule_that_reaches_any_target_denies(mode: Mode, rules: list[Rule], call: Assessment) -> None:
    """Also one of several targets, and another name of the call."""
    targets = (call.target, *call.also, *call.names)
    denies = any(
        rule.decision == "deny" and _concerns_call(rule) and any(reaches(rule, one) for one in targets)
        for rule in rules
    )
    assert (_decided(mode, rules, call).verdict == "deny") == (denies or call.forbidden is not None)


@at_any_pace
@given(MODES, ANY, ALLOW, CALLS)
def test_an_allow_rule_allows_only_what_it_covers(
    mode: Mode, rules: list[Rule], more: list[Rule], call: Assessment
) -> None:
    """If adding allow rules changes a decision, one of them covers every target, and the call can be allowed."""
    before, after = _decided(mode, rules, call), _decided(mode, [*rules, *more], call)
    if before.verdict == after.verdict:
        return
    assert (before.verdict, after.verdict) == ("ask", "allow")
    assert mode != "always_ask"
    assert not call.always_asked
    covering = [
        rule
        for rule in more
        if _concerns_call(rule)
        and all(reaches(rule, target) for target in (call.target, *call.also))
        and (rule.kind != "beneath" or call.remember is not None)
    ]
    assert after.decided_by in {f"rule:{rule.rule_id}" for rule in covering}


@at_any_pace
@given(MODES, ANY, DENY, CALLS)
def test_deny_rules_only_deny(mode: Mode, rules: list[Rule], more: list[Rule], call: Assessment) -> None:
    before, after = _decided(mode, rules, call), _decided(mode, [*more, *rules], call)
    assert after.verdict in (before.verdict, "deny")


@at_any_pace
@given(MODES, ANY, CALLS, st.randoms(use_true_random=False))
def test_the_order_of_rules_makes_no_difference(mode: Mode, rules: list[Rule], call: Assessment, random: Any) -> None:
    mixed = list(rules)
    random.shuffle(mixed)
    assert _decided(mode, mixed, call).verdict == _decided(mode, rules, call).verdict
    assert _decided(mode, [*rules, *rules], call).verdict == _decided(mode, rules, call).verdict


@at_any_pace
@given(MODES, ANY, _rules(st.sampled_from(("allow", "deny")), st.just(NOW)), CALLS)
def test_rules_that_have_expired_count_for_nothing(
    mode: Mode, rules: list[Rule], expired: list[Rule], call: Assessment
) -> None:
    assert _decided(mode, [*expired, *rules], call) == _decided(mode, rules, call)
    earlier = [replace(rule, expires_at=NOW - timedelta(microseconds=1)) for rule in expired]
    assert _decided(mode, [*earlier, *rules], call) == _decided(mode, rules, call)


@at_any_pace
@given(MODES, ANY, CALLS)
def test_rules_for_others_count_for_nothing(mode: Mode, rules: list[Rule], call: Assessment) -> None:
    kept = [rule for rule in rules if _concerns_call(rule)]
    assert _decided(mode, rules, call) == _decided(mode, kept, call)


@at_any_pace
@given(ANY, CALLS)
def test_a_stricter_mode_never_allows_more(rules: list[Rule], call: Assessment) -> None:
    allowed = [_decided(mode, rules, call).verdict == "allow" for mode in STRICTNESS]
    assert allowed == sorted(allowed, reverse=True)


@at_any_pace
@given(MODES, ANY, CALLS)
def test_a_riskier_call_is_not_allowed_more_easily(mode: Mode, rules: list[Rule], call: Assessment) -> None:
    allowed = [_decided(mode, rules, replace(call, risk=risk)).verdict == "allow" for risk in ("low", "medium", "high")]
    assert allowed == sorted(allowed, reverse=True)


@at_any_pace
@given(st.sampled_from(PLACES), st.text("ab/\\.", max_size=4))
def test_a_rule_for_a_folder_reaches_only_what_is_in_it(value: str, more: str) -> None:
    base = value.rstrip("/\\")
    rule = Rule("r", "deny", "*", "beneath", value)
    assert reaches(rule, base)
    assert reaches(rule, f"{base}/{more}")
    assert not reaches(rule, f"{base}-{more}")
    assert not reaches(rule, f"x{base}/{more}")
