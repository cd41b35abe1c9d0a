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

FEWER = {True: 0.7, False: 0.5}
"""The share of the earlier questions that nobody is asked any more, at least: in a sandbox that holds, and without."""


@pytest.fixture(scope="module")
def then(tmp_path_factory: pytest.TempPathFactory) -> list[Replayed]:
    base: Path = tmp_path_factory.mktemp("then")
    return [replayed(one, base / one.name, before) for one in sessions()]


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, list[Replayed]]:
    """With a sandbox, and without."""
    base: Path = tmp_path_factory.mktemp("today")
    return {
        sandbox: [replayed(one, base / str(sandbox) / one.name, now, sandbox=sandbox) for one in sessions()]
        for sandbox in (True, False)
    }


def test_the_sessions_are_long_and_dangerous_enough() -> None:
    found = sessions()
    assert len(found) == 10
    for session in found:
        assert 40 <= len(session.calls) <= 120, session.name
        assert 2 <= sum(call.dangerous for call in session.calls) <= 6, session.name
        assert all(bool(call.why) == call.dangerous for call in session.calls), session.name


@pytest.mark.parametrize("sandbox", [True, False])
def test_far_fewer_questions_are_asked(then: list[Replayed], today: dict[bool, list[Replayed]], sandbox: bool) -> None:
    print(f"\n{table(then, today[sandbox])}")
    old, new = (sum(len(one.asked) for one in found) for found in (then, today[sandbox]))
    assert new <= old * (1 - FEWER[sandbox])
    assert all(len(two.asked) <= len(one.asked) for one, two in zip(then, today[sandbox], strict=True))


def test_no_dangerous_call_runs_unasked(then: list[Replayed], today: dict[bool, list[Replayed]]) -> None:
    """In the mode `smart_approve`, with all rules that the answers have made until then."""
    assert [call for one in then for call in one.allowed if call.tool == "run_command"] == []
    for found in today.values():
        assert [(one.session.name, str(call)) for one in found for call in one.allowed] == []
