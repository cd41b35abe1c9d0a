"""What holds for any set of rules and any call: no deny is lost, and an allow covers what it names and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.policy import programs
from aster_sidecar.policy.conditions import Condition, holds
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
from aster_sidecar.policy.programs import Run

at_any_pace = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
TOOLS = ("write_file", "run_command")
PLACES = ("/", "/w", "/w/", "/w/a", "/w/a/b", "/w-evil", "/W", "/w\\a", "C:\\w", "C:\\w\\a", "in /w:\nls", "ls", "")
PATTERNS = ("/**", "/w/*", "/w/**/b", "*", "**", "l?", "/[!w]*", "in /w:\n*", "")
PROGRAMS = (
    *("git push", "npm test", "in /w:\nnpm test", "in /w:\ngit push\nnpm test", "in /w/a:\nnpm test"),
    *("in /:\nnpm test", "git\nnpm test", "npm", ""),
)
NEEDS = ("in /w:\nnpm test", "in /w:\ngit push", "in /w/a:\nnpm test", "in /w:\nnpm")
WORDS = st.lists(st.sampled_from(("git", "push", "npm", "test", "/bin/git", "-C")), max_size=4).map(tuple)
RUNS = st.builds(Run, st.sampled_from((None, "/w", "/w/a", "/x")), WORDS)
ARGUMENTS = st.dictionaries(
    st.sampled_from(("x", "y")), st.one_of(st.none(), st.booleans(), st.integers(0, 1), st.sampled_from(("/w/a", "b")))
)
CONDITIONS = st.one_of(
    st.builds(Condition, st.sampled_from("xyz"), st.just("equals"), st.sampled_from((True, 1, "b")), st.booleans()),
    st.builds(Condition, st.sampled_from("xyz"), st.just("one_of"), st.just(("b", 0)), st.booleans()),
    st.builds(Condition, st.sampled_from("xyz"), st.just("beneath"), st.just("/w"), st.booleans()),
    st.builds(Condition, st.sampled_from("xyz"), st.just("glob"), st.sampled_from(("*", "/**")), st.booleans()),
)
MODES = st.sampled_from(STRICTNESS)
WHO = st.sampled_from((None, "a", "b"))
EXPIRY = st.sampled_from((None, NOW - timedelta(days=1), NOW, NOW + timedelta(seconds=1), NOW + timedelta(days=9)))


def _rules(decision: st.SearchStrategy[Any], expiry: st.SearchStrategy[Any] = EXPIRY) -> st.SearchStrategy[list[Rule]]:
    kinds = {"exact": PLACES, "beneath": PLACES, "any": PLACES, "glob": PATTERNS, "program": PROGRAMS}
    targets = st.sampled_from(tuple(kinds)).flatmap(lambda kind: st.tuples(st.just(kind), st.sampled_from(kinds[kind])))
    one = st.builds(
        lambda target, **fields: Rule(kind=target[0], value=target[1], **fields),
        targets,
        rule_id=st.uuids().map(str),
        decision=decision,
        tool=st.sampled_from((*TOOLS, "*")),
        agent_id=WHO,
        session_id=WHO,
        expires_at=expiry,
        conditions=st.one_of(st.just(()), st.lists(CONDITIONS, max_size=2).map(tuple)),
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
    guarded=st.booleans(),
    needs=st.lists(st.sampled_from(NEEDS), max_size=3).map(tuple),
    runs=st.lists(RUNS, max_size=3).map(tuple),
    opaque=st.booleans(),
)
GIVEN = st.tuples(ARGUMENTS, st.dictionaries(st.sampled_from(("x", "y")), st.sampled_from(("/w", "/w/a", "/x"))))
_HARDNESS = ("allow", "ask", "deny")


def _decided(mode: Mode, rules: Sequence[Rule], call: Assessment, given: Any = ({}, {})) -> Decision:
    return decide(mode, rules, ToolCall(TOOLS[0], "a", "b", NOW, *given), call)


def _concerns_call(rule: Rule, given: Any = ({}, {})) -> bool:
    """Whether the rule counts for calls of the first tool by agent a in session b with these arguments."""
    current = rule.expires_at is None or rule.expires_at > NOW
    if not (rule.tool in (TOOLS[0], "*") and rule.agent_id in (None, "a") and rule.session_id in (None, "b")):
        return False
    found = [holds(condition, *given) for condition in rule.conditions]
    return current and (False not in found if rule.decision == "deny" else all(one is True for one in found))


def _denies(rule: Rule, call: Assessment, given: Any) -> bool:
    targets = (call.target, *call.also, *call.names)
    return (
        rule.decision == "deny"
        and _concerns_call(rule, given)
        and (
            any(reaches(rule, one) for one in targets)
            or (rule.kind == "program" and any(programs.denies(rule.value, run) for run in call.runs))
        )
    )


def _watches(rules: Sequence[Rule], call: Assessment, given: Any) -> bool:
    """Whether a rule denies a program that a call may run unseen."""
    return call.opaque and any(
        rule.decision == "deny" and rule.kind == "program" and _concerns_call(rule, given) for rule in rules
    )


@at_any_pace
@given(MODES, ANY, ALLOW, CALLS, GIVEN)
def test_allow_rules_never_lift_a_denial(
    mode: Mode, rules: list[Rule], more: list[Rule], call: Assessment, given: Any
) -> None:
    if _decided(mode, rules, call, given).verdict == "deny":
        for mixed in ([*rules, *more], [*more, *rules]):
            assert _decided(mode, mixed, call, given).verdict == "deny"


@at_any_pace
@given(MODES, ANY, CALLS, GIVEN)
def test_a_deny_rule_that_reaches_any_target_denies(
    mode: Mode, rules: list[Rule], call: Assessment, given: Any
) -> None:
    """Also one of several targets, another name of the call, and one of the programs that it runs."""
    denies = any(_denies(rule, call, given) for rule in rules)
    assert (_decided(mode, rules, call, given).verdict == "deny") == (denies or call.forbidden is not None)


@at_any_pace
@given(MODES, ANY, ALLOW, CALLS, GIVEN)
def test_a_call_that_may_run_a_denied_program_is_never_allowed(
    mode: Mode, rules: list[Rule], more: list[Rule], call: Assessment, given: Any
) -> None:
    if _watches(rules, call, given):
        assert _decided(mode, [*rules, *more], call, given).verdict != "allow"


@at_any_pace
@given(MODES, ANY, ALLOW, CALLS, GIVEN)
def test_an_allow_rule_allows_only_what_it_covers(
    mode: Mode, rules: list[Rule], more: list[Rule], call: Assessment, given: Any
) -> None:
    """If adding allow rules changes a decision, they cover every target, or every program, and it can be allowed."""
    before, after = _decided(mode, rules, call, given), _decided(mode, [*rules, *more], call, given)
    if before.verdict == after.verdict:
        return
    assert (before.verdict, after.verdict) == ("ask", "allow")
    assert mode != "always_ask"
    assert not call.always_asked
    assert not _watches(rules, call, given)
    allowing = [rule for rule in (*rules, *more) if rule.decision == "allow" and _concerns_call(rule, given)]
    covering = [
        rule
        for rule in allowing
        if all(reaches(rule, target) for target in (call.target, *call.also))
        and (rule.kind not in ("beneath", "glob") or call.remember is not None)
    ]
    together = [rule for rule in allowing if rule.kind == "program"]
    covered = [need for need in call.needs if any(programs.allows(rule.value, need) for rule in together)]
    assert covering or (call.needs and covered == list(call.needs))
    assert after.decided_by in {f"rule:{rule.rule_id}" for rule in (*covering, *together)}


@at_any_pace
@given(MODES, ANY, CALLS, GIVEN)
def test_rules_for_programs_allow_only_all_that_a_call_needs(
    mode: Mode, rules: list[Rule], call: Assessment, given: Any
) -> None:
    """A call that needs one more program, which no rule names, is decided as if it had no rules for programs."""
    more = replace(call, needs=(*call.needs, "in /w:\nanother"))
    plain = [rule for rule in rules if rule.kind != "program" or rule.decision == "deny"]
    assert _decided(mode, rules, more, given) == _decided(mode, plain, more, given)


@at_any_pace
@given(MODES, ANY, DENY, CALLS, GIVEN)
def test_deny_rules_only_deny(mode: Mode, rules: list[Rule], more: list[Rule], call: Assessment, given: Any) -> None:
    before, after = _decided(mode, rules, call, given), _decided(mode, [*more, *rules], call, given)
    asks = _watches(more, call, given) and after.verdict == "ask"
    assert after.verdict in (before.verdict, "deny") or asks
    assert _HARDNESS.index(after.verdict) >= _HARDNESS.index(before.verdict)


@at_any_pace
@given(MODES, ANY, CALLS, GIVEN)
def test_an_opaque_call_is_not_allowed_more_easily(mode: Mode, rules: list[Rule], call: Assessment, given: Any) -> None:
    clear, opaque = (_decided(mode, rules, replace(call, opaque=one), given).verdict for one in (False, True))
    assert _HARDNESS.index(opaque) >= _HARDNESS.index(clear)


@at_any_pace
@given(MODES, ANY, CALLS, GIVEN)
def test_a_rule_with_conditions_covers_no_more_than_one_without(
    mode: Mode, rules: list[Rule], call: Assessment, given: Any
) -> None:
    """Without their conditions, allow rules allow at least as much, and deny rules deny at least as much."""
    before = _decided(mode, rules, call, given).verdict
    for decision, easier in (("allow", True), ("deny", False)):
        plain = [replace(rule, conditions=()) if rule.decision == decision else rule for rule in rules]
        after = _decided(mode, plain, call, given).verdict
        difference = _HARDNESS.index(after) - _HARDNESS.index(before)
        assert difference <= 0 if easier else difference >= 0


@at_any_pace
@given(MODES, ANY, CALLS, GIVEN, st.randoms(use_true_random=False))
def test_the_order_of_rules_makes_no_difference(
    mode: Mode, rules: list[Rule], call: Assessment, given: Any, random: Any
) -> None:
    mixed = list(rules)
    random.shuffle(mixed)
    assert _decided(mode, mixed, call, given).verdict == _decided(mode, rules, call, given).verdict
    assert _decided(mode, [*rules, *rules], call, given).verdict == _decided(mode, rules, call, given).verdict


@at_any_pace
@given(MODES, ANY, _rules(st.sampled_from(("allow", "deny")), st.just(NOW)), CALLS, GIVEN)
def test_rules_that_have_expired_count_for_nothing(
    mode: Mode, rules: list[Rule], expired: list[Rule], call: Assessment, given: Any
) -> None:
    assert _decided(mode, [*expired, *rules], call, given) == _decided(mode, rules, call, given)
    earlier = [replace(rule, expires_at=NOW - timedelta(microseconds=1)) for rule in expired]
    assert _decided(mode, [*earlier, *rules], call, given) == _decided(mode, rules, call, given)


@at_any_pace
@given(MODES, ANY, CALLS, GIVEN)
def test_rules_for_others_count_for_nothing(mode: Mode, rules: list[Rule], call: Assessment, given: Any) -> None:
    kept = [rule for rule in rules if _concerns_call(rule, given)]
    assert _decided(mode, rules, call, given) == _decided(mode, kept, call, given)


@at_any_pace
@given(ANY, CALLS, GIVEN)
def test_a_stricter_mode_never_allows_more(rules: list[Rule], call: Assessment, given: Any) -> None:
    allowed = [_decided(mode, rules, call, given).verdict == "allow" for mode in STRICTNESS]
    assert allowed == sorted(allowed, reverse=True)


@at_any_pace
@given(MODES, ANY, CALLS, GIVEN)
def test_a_riskier_call_is_not_allowed_more_easily(mode: Mode, rules: list[Rule], call: Assessment, given: Any) -> None:
    risks = ("low", "medium", "high")
    allowed = [_decided(mode, rules, replace(call, risk=risk), given).verdict == "allow" for risk in risks]
    assert allowed == sorted(allowed, reverse=True)


@at_any_pace
@given(st.sampled_from(PROGRAMS), RUNS, st.lists(st.sampled_from(("-C", "x", "push", "test")), max_size=3))
def test_further_arguments_lose_no_denial(value: str, run: Run, more: list[str]) -> None:
    """Also options before the subcommand, a program with its path, and a folder that is not known."""
    if programs.denies(value, run) and run.words:
        program, *rest = run.words
        for words in ((program, *more, *rest), (program, *rest, *more), (f"/usr/bin/{program}", *rest)):
            assert programs.denies(value, run._replace(words=words))
        assert programs.denies(value, run._replace(folder=None))
        folder, names = programs.programs_of(value)
        assert folder is None or run.folder is None or (run.folder + "/").startswith(folder.rstrip("/") + "/")
        assert any(set(name.split()[1:]) <= set(rest) for name in names)


@at_any_pace
@given(st.sampled_from(PROGRAMS), st.sampled_from(NEEDS))
def test_a_rule_for_programs_is_for_one_folder(value: str, need: str) -> None:
    """A folder above or below it, and a program that begins with the same words, are not covered."""
    names = programs.programs_of(value).names
    placed = programs.value_of("/w", names)
    if all(names):
        assert programs.programs_of(placed) == ("/w", names)
    assert programs.allows(placed, need) == (need.startswith("in /w:\n") and need.split("\n")[1] in names)
    assert not programs.allows("\n".join(names), need)


@at_any_pace
@given(st.sampled_from(PLACES), st.text("ab/\\.", max_size=4))
def test_a_rule_for_a_folder_reaches_only_what_is_in_it(value: str, more: str) -> None:
    base = value.rstrip("/\\")
    rule = Rule("r", "deny", "*", "beneath", value)
    assert reaches(rule, base)
    assert reaches(rule, f"{base}/{more}")
    assert not reaches(rule, f"{base}-{more}")
    assert not reaches(rule, f"x{base}/{more}")
