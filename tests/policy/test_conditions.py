"""Conditions on arguments and patterns of targets: what they cover, and when that is not known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aster_sidecar.policy import conditions
from aster_sidecar.policy.conditions import MOST_CHARS, Condition, beginning, beneath, holds, matches, matches_any
from aster_sidecar.policy.permissions import Assessment, Rule, ToolCall, decide, in_force, reaches

at_any_pace = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def condition(argument: str, test: Any, value: Any, *, negated: bool = False) -> Condition:
    return Condition(argument, test, value, negated)


# -- one condition -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "value", "found", "expected"),
    [
        ("equals", "a", "a", True),
        ("equals", "a", "A", False),
        ("equals", "a", "a\n", False),
        ("equals", "", "", True),
        ("equals", 1, 1, True),
        ("equals", 1, 1.0, True),  # the same number in JSON
        ("equals", 1, True, False),
        ("equals", True, 1, False),
        ("equals", True, True, True),
        ("equals", False, 0, False),
        ("equals", False, "", False),
        ("equals", "1", 1, False),
        ("equals", 1, "1", False),
        ("equals", "true", True, False),
        ("equals", 10**30, 10**30, True),
        ("equals", 10**400, 1e300, False),
        ("equals", 0.5, 10**400, False),
        ("equals", "a", ["a"], False),
        ("equals", "a", {"a": "a"}, False),
        ("equals", "a", None, None),  # as if it were left out
        ("one_of", ("a", 1), "a", True),
        ("one_of", ("a", 1), 1, True),
        ("one_of", ("a", 1), True, False),
        ("one_of", ("a", True), 1, False),
        ("one_of", ("a", 1), "b", False),
        ("one_of", ("a", 1), ["a", 1], False),
        ("one_of", ("a",), None, None),
        ("glob", "*.txt", "a.txt", True),
        ("glob", "*.txt", "d/a.txt", False),
        ("glob", "**/*.txt", "d/a.txt", True),
        ("glob", "*.txt", 1, None),
        ("glob", "*", ["a"], None),
        ("glob", "*", True, None),
        ("glob", "*", "x" * MOST_CHARS, True),
        ("glob", "*", "x" * (MOST_CHARS + 1), None),
    ],
)
def test_a_condition_on_one_argument(test: Any, value: Any, found: Any, expected: bool | None) -> None:
    assert holds(condition("x", test, value), {"x": found}, {}) is expected
    reverse = None if expected is None else not expected
    assert holds(condition("x", test, value, negated=True), {"x": found}, {}) is reverse


@pytest.mark.parametrize(
    ("argument", "arguments", "expected"),
    [
        ("a", {}, None),
        ("a.b", {"a": {"b": "x"}}, True),
        ("a.b.c", {"a": {"b": {"c": "x"}}}, True),
        ("a.b", {"a": {"b": "y"}}, False),
        ("a.b", {"a": {}}, None),
        ("a.b", {"a": "x"}, None),
        ("a.b", {"a": ["x"]}, None),
        ("a.0", {"a": ["x"]}, None),
        ("a.b", {"a.b": "x"}, None),  # a name with a dot can't be tested
        ("a", {"A": "x"}, None),
        ("", {"": "x"}, True),
    ],
)
def test_names_within_objects(argument: str, arguments: dict[str, Any], expected: bool | None) -> None:
    assert holds(condition(argument, "equals", "x"), arguments, {}) is expected
    assert holds(condition(argument, "equals", "x", negated=True), arguments, {}) is (
        None if expected is None else not expected
    )


@pytest.mark.parametrize(
    ("place", "expected"),
    [("/w", True), ("/w/a/b", True), ("/w2", False), ("/", False), ("/W/a", False), ("/x/w/a", False), (None, None)],
)
def test_a_place_is_the_canonical_one(place: str | None, expected: bool | None) -> None:
    """The text of the argument does not count: it may have links and `..`."""
    places = {} if place is None else {"path": place}
    for text in ("/w/a", "/w/../x", "../w", "x"):
        assert holds(condition("path", "beneath", "/w"), {"path": text}, places) is expected


ARGUMENTS = st.dictionaries(
    st.sampled_from(("a", "b")),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
        max_leaves=4,
    ),
    max_size=2,
)
CONDITIONS = st.one_of(
    st.builds(
        Condition,
        st.sampled_from(("a", "b", "a.b", "c")),
        st.just("equals"),
        st.one_of(st.booleans(), st.integers(0, 1), st.text(max_size=2)),
        st.booleans(),
    ),
    st.builds(
        Condition,
        st.sampled_from(("a", "a.a")),
        st.just("one_of"),
        st.lists(st.one_of(st.booleans(), st.integers(0, 1), st.text(max_size=2)), min_size=1, max_size=2).map(tuple),
        st.booleans(),
    ),
    st.builds(Condition, st.just("a"), st.just("beneath"), st.sampled_from(("/", "/w", "/w/a")), st.booleans()),
    st.builds(Condition, st.just("a"), st.just("glob"), st.text("a*?[]/", max_size=4), st.booleans()),
)
PLACED = st.dictionaries(st.just("a"), st.sampled_from(("/w", "/w/a/b", "/x")), max_size=1)


@at_any_pace
@given(st.lists(CONDITIONS, max_size=3), ARGUMENTS, PLACED)
def test_allow_rules_need_all_and_deny_rules_none_that_fails(
    found: list[Condition], arguments: dict[str, Any], places: dict[str, str]
) -> None:
    results = [holds(one, arguments, places) for one in found]
    call = ToolCall("x", "a", "s", NOW, arguments, places)
    allow = Rule("r", "allow", "x", "any", "", conditions=tuple(found))
    deny = Rule("r", "deny", "x", "any", "", conditions=tuple(found))
    assert in_force(allow, call) == all(one is True for one in results)
    assert in_force(deny, call) == (False not in results)
    # A condition and its reverse never both fail to deny, and never both allow.
    for one in found:
        reverse = Condition(one.argument, one.test, one.value, not one.negated)
        both = [Rule("r", "deny", "x", "any", "", conditions=(each,)) for each in (one, reverse)]
        assert any(in_force(rule, call) for rule in both)
        allowing = [Rule("r", "allow", "x", "any", "", conditions=(each,)) for each in (one, reverse)]
        assert not all(in_force(rule, call) for rule in allowing)


# -- patterns ----------------------------------------------------------------------------------------------------------


def _reference(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """The definition: names of the pattern against names of the path, one after the other."""
    if not pattern:
        return not names
    first, *rest = pattern
    if first == "**":
        return any(_reference(rest, names[count:]) for count in range(len(names) + 1))
    return bool(names) and _one(first, names[0]) and _reference(rest, names[1:])


def _one(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    char, rest = pattern[0], pattern[1:]
    if char == "*":
        return any(_one(rest, name[count:]) for count in range(len(name) + 1))
    end = pattern.find("]", 3 if pattern[1:2] == "!" else 2)
    if char == "[" and end > 0:
        listed = pattern[1:end].removeprefix("!")
        negated = pattern[1] == "!"
        return bool(name) and (name[0] in listed) != negated and _one(pattern[end + 1 :], name[1:])
    return bool(name) and char in ("?", name[0]) and _one(rest, name[1:])


PARTS = st.one_of(st.just("**"), st.just("***"), st.just("a**"), st.text("ab*?.[]!\n", max_size=4))
PATTERNS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
TEXTS = st.lists(st.text("ab.A]!\n", max_size=3), min_size=1, max_size=5).map("/".join)


@at_any_pace
@given(PATTERNS, TEXTS)
@example("**", "")
@example("**/**", "a")
@example("/**/a", "/a")
@example("/**/a", "/b/c/a")
@example("a/**", "a")
@example("[!a]", "b")
@example("[]]", "]")
@example("*", "a\nb")
def test_a_pattern_covers_what_its_definition_says(pattern: str, text: str) -> None:
    assert matches(pattern, text) == _reference(pattern.split("/"), text.split("/"))


@at_any_pace
@given(PATTERNS, TEXTS)
def test_what_is_no_path_is_covered_more_widely(pattern: str, text: str) -> None:
    if matches(pattern, text):
        assert matches_any(pattern, text)


@at_any_pace
@given(PATTERNS.map(lambda pattern: "/" + pattern), TEXTS.map(lambda text: "/" + text))
def test_all_that_a_pattern_covers_lies_in_its_beginning(pattern: str, text: str) -> None:
    folder = beginning(pattern)
    assert not set(folder) & set("*?[")
    if matches(pattern, text) and "//" not in text:
        assert beneath(re.sub("//+", "/", folder), text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("/w/*", "/w/a", True),
        ("/w/*", "/w/.a", True),  # a name with a dot is no exception
        ("/w/*", "/w/a/b", False),
        ("/w/*", "/w", False),
        ("/w/*", "/w/", True),  # an empty name; canonical paths have none
        ("/w/**", "/w", True),
        ("/w/**", "/w/a/b/c", True),
        ("/w/**", "/w2", False),
        ("/w/**/*.pem", "/w/x.pem", True),
        ("/w/**/*.pem", "/w/a/b/x.pem", True),
        ("/w/**/*.pem", "/w/a/b/x.PEM", False),
        ("/w/**/*.pem", "/w/a/b/x.pem/y", False),
        ("/w/**.pem", "/w/a/x.pem", False),  # ** is a whole name
        ("**/a/**/b", "a/x/y/a/b", True),
        ("**/a/**/b/**", "a/b", True),
        ("/w/?", "/w/ab", False),
        ("/w/[a/b]", "/w/a", False),  # brackets don't go across names
        ("/w/[ab]", "/w/b", True),
        ("/w/[a-c]x", "/w/bx", True),
        ("/w/[!a]", "/w/a", False),
        ("/w/[[]x]", "/w/[x]", True),
        ("/w/a\n*", "/w/a\nb", True),
        ("/w/*/b", "/w/\n/b", True),
        ("", "", True),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


def test_a_pattern_with_many_wildcards_takes_no_long_time() -> None:
    assert not matches("*a" * 40 + "b", "a" * 3000)
    assert not matches("**/a/" * 200 + "b", "a/" * 2000)
    assert matches("**/" * 300 + "a", "a/" * 3000 + "a")


@pytest.mark.parametrize(
    "command",
    [
        "git push",
        "git push origin feature/x",
        "cd a && git push",
        f"{' ' * 5000}git push",
        f"git push # {'x' * 50_000}",
        "git push\nls",
    ],
)
def test_a_pattern_denies_commands_of_any_length(command: str) -> None:
    rule = Rule("r", "deny", "run_command", "glob", "*git push*")
    found = Assessment("high", f"in /w:\n{command}", command, "because", names=(command, "/w"))
    for mode in ("auto_approve", "smart_approve", "always_ask"):
        assert decide(mode, [rule], ToolCall("run_command", "a", "s", NOW), found).verdict == "deny"


def test_a_pattern_denies_names_that_the_file_system_takes_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [Rule("r", decision, "x", "glob", "/w/caf\u00e9/*.pem") for decision in ("deny", "allow")]
    other = "/W/cafe\u0301/X.PEM"
    monkeypatch.setattr(conditions, "CASELESS", False)
    assert [reaches(rule, other) for rule in rules] == [False, False]
    monkeypatch.setattr(conditions, "CASELESS", True)
    assert [reaches(rule, other) for rule in rules] == [True, False]
    assert reaches(Rule("r", "deny", "x", "glob", "/w/[!A]"), "/w/a")


def test_a_pattern_that_allows_does_not_go_across_names() -> None:
    assert not reaches(Rule("r", "allow", "x", "glob", "https:*"), "https://a/b")
    assert reaches(Rule("r", "deny", "x", "glob", "https:*"), "https://a/b")
    assert not reaches(Rule("r", "deny", "x", "glob", "/w/*"), "/w/a/b")
