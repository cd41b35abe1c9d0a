"""What a person types to choose what "always" covers, and for how long."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.always import (
    Choice,
    Limits,
    NotUnderstood,
    choices_of,
    fields_of,
    read_choice,
    read_limits,
)
from aster_sidecar.cli.lasting import Lasting

CHOICES = [Choice("exact", "write_file on /work/a.txt only"), Choice("folder", "write_file anywhere in /work")]
WEEK = Lasting(7, "day")
TOMORROW = datetime.now().date() + timedelta(days=1)


@pytest.mark.parametrize(
    ("typed", "number", "limits"),
    [
        ("", 1, Limits()),
        ("  ", 1, Limits()),
        ("2", 2, Limits()),
        ("s", 1, Limits(here=True)),
        ("2 s", 2, Limits(here=True)),
        ("2 7d", 2, Limits(lasting=WEEK)),
        ("7D", 1, Limits(lasting=WEEK)),
        ("2 S 7d", 2, Limits(here=True, lasting=WEEK)),
        ("2 7d s", 2, Limits(here=True, lasting=WEEK)),
        (f"1 {TOMORROW}", 1, Limits(lasting=Lasting(day=TOMORROW))),
    ],
)
def test_a_choice_and_its_limits_are_typed_at_once(typed: str, number: int, limits: Limits) -> None:
    assert read_choice(typed, CHOICES) == (CHOICES[number - 1], limits)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("0", "There is no 0: choose 1 to 2."),
        ("3 s", "There is no 3: choose 1 to 2."),
        ("9" * 5000, f"There is no {'9' * 20}: choose 1 to 2."),
        ("2 x", "x is no time: type s, 12h, 7d, 2w, or a date such as 2026-12-31."),
        ("1 2", "2 is no time: type s, 12h, 7d, 2w, or a date such as 2026-12-31."),
        ("two", "two is no time: type s, 12h, 7d, 2w, or a date such as 2026-12-31."),
        ("\x1b[2J", "‹U+001B›[2J is no time: type s, 12h, 7d, 2w, or a date such as 2026-12-31."),
        ("2 2001-01-01", "A rule can’t end in the past: 2001-01-01."),
        ("2 400d", "A rule can end within 365 days, or not at all: 400d."),
        ("2 7d 8d", texts.ALWAYS_TAKES),
        ("2 s s", "s is no time: type s, 12h, 7d, 2w, or a date such as 2026-12-31."),
    ],
)
def test_what_chooses_nothing_is_explained(typed: str, told: str) -> None:
    with pytest.raises(NotUnderstood) as problem:
        read_choice(typed, CHOICES)
    assert str(problem.value) == told


def test_without_a_choice_only_the_first_can_be_typed() -> None:
    assert read_choice("1 s", CHOICES[:1]) == (CHOICES[0], Limits(here=True))
    with pytest.raises(NotUnderstood, match="There is no 2: only 1 can be chosen"):
        read_choice("2", CHOICES[:1])


def test_a_number_is_no_limit() -> None:
    with pytest.raises(NotUnderstood, match="2 is no time"):
        read_limits("2")


def test_the_choices_of_a_question() -> None:
    scopes = [{"scope_id": "exact", "words": "one\nline"}, {"scope_id": "folder", "words": "all"}]
    assert choices_of({"remember": "all", "scopes": scopes}) == [
        Choice("exact", "one‹U+000A›line"),
        Choice("folder", "all"),
    ]
    assert choices_of({"remember": None, "scopes": scopes[1:]}) == [Choice("folder", "all")]
    for scopes_or_none in ({}, {"scopes": []}, {"scopes": None}):
        assert choices_of({"remember": "all", **scopes_or_none}) == [Choice(None, "all")]
        assert choices_of({"remember": None, **scopes_or_none}) == []


def test_the_fields_that_are_sent() -> None:
    assert fields_of(Choice(None, None), Limits()) == {}
    assert fields_of(CHOICES[1], Limits(here=True)) == {"scope_id": "folder", "this_session": True}
    assert fields_of(CHOICES[0], Limits(lasting=WEEK)) == {"scope_id": "exact", "expires_in_s": 7 * 86_400}
    with pytest.raises(NotUnderstood, match="A rule can’t end in the past: until the end of 2001-01-01"):
        fields_of(CHOICES[0], Limits(lasting=Lasting(day=date(2001, 1, 1))))


@pytest.mark.parametrize(
    ("decision", "choice", "limits", "asked"),
    [
        ("allow_always", CHOICES[1], Limits(), "Always allow: write_file anywhere in /work?"),
        (
            "deny_always",
            CHOICES[1],
            Limits(here=True),
            "Always deny in this conversation: write_file anywhere in /work?",
        ),
        ("allow_always", CHOICES[1], Limits(lasting=WEEK), "Always allow for 7 days: write_file anywhere in /work?"),
        (
            "allow_always",
            CHOICES[1],
            Limits(here=True, lasting=Lasting(1, "hour")),
            "Always allow in this conversation, for 1 hour: write_file anywhere in /work?",
        ),
        (
            "deny_always",
            Choice(None, None),
            Limits(lasting=Lasting(day=date(2026, 12, 31))),
            "Always deny until the end of 2026-12-31: exactly this call, in every conversation?",
        ),
        ("deny_always", Choice(None, None), Limits(here=True), "Always deny in this conversation: exactly this call?"),
    ],
)
def test_the_confirmation_names_what_is_covered_and_for_how_long(
    decision: str, choice: Choice, limits: Limits, asked: str
) -> None:
    assert texts.always_sure(decision, choice.words, limits.lasting, here=limits.here) == asked
