"""How many questions ten sessions of coding agents need, with the policy of before and of now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.policy.sessions.replay import Replayed, before, now, replayed, sessions, table

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="cmd.exe runs commands there, and every command asks"),
    pytest.mark.xdist_group("sessions"),
]

FEWER = 0.35
"""The share of the questions of before that nobody is asked any more, at least."""
STILL_ALLOWED = {("go_service", "run_command: cat config/prod.env")}
"""Dangerous calls that run unasked although they should not: the name of the file does not begin with `.env`."""


@pytest.fixture(scope="module")
def then(tmp_path_factory: pytest.TempPathFactory) -> list[Replayed]:
    base: Path = tmp_path_factory.mktemp("then")
    return [replayed(one, base / one.name, before) for one in sessions()]


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> list[Replayed]:
    base: Path = tmp_path_factory.mktemp("today")
    return [replayed(one, base / one.name, now) for one in sessions()]


def test_the_sessions_are_long_and_dangerous_enough() -> None:
    found = sessions()
    assert len(found) == 10
    for session in found:
        assert 40 <= len(session.calls) <= 120, session.name
        assert 2 <= sum(call.dangerous for call in session.calls) <= 6, session.name
        assert all(bool(call.why) == call.dangerous for call in session.calls), session.name


def test_far_fewer_questions_are_asked(then: list[Replayed], today: list[Replayed]) -> None:
    print(f"\n{table(then, today)}")
    old, new = (sum(len(one.asked) for one in found) for found in (then, today))
    assert new <= old * (1 - FEWER)
    assert all(len(two.asked) <= len(one.asked) for one, two in zip(then, today, strict=True))


def test_no_dangerous_call_runs_unasked(then: list[Replayed], today: list[Replayed]) -> None:
    """In the mode `smart_approve`, with all rules that the answers have made until then."""
    assert [call for one in then for call in one.allowed if call.tool == "run_command"] == []
    assert {(one.session.name, str(call)) for one in today for call in one.allowed} == STILL_ALLOWED
