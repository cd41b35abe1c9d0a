"""Time limits: the wall clock is changed, the machine sleeps or restarts, the daemon restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aster_sidecar import clock
from aster_sidecar.clock import Deadline
from aster_sidecar.contract import wire
from aster_sidecar.errors import ApprovalExpired
from aster_sidecar.policy.approvals import Approvals, Pending
from aster_sidecar.policy.permissions import Assessment
from aster_sidecar.policy.rules import Rules
from aster_sidecar.store.journal import Journal

HOUR_S = 3600.0


class Hands:
    """The machine's clocks, set by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.real_s, self.boot = datetime(2026, 5, 1, tzinfo=UTC), 1000.0, "this run"
        monkeypatch.setattr(clock, "now", lambda: self.wall)
        monkeypatch.setattr(clock, "real_s", lambda: self.real_s)
        monkeypatch.setattr(clock, "boot", lambda: self.boot)

    def pass_s(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.real_s += seconds

    def set_s(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


@pytest.mark.parametrize("jump_s", [-HOUR_S, 0, HOUR_S])
def test_a_deadline_holds_though_the_clock_is_set(hands: Hands, jump_s: float) -> None:
    deadline = Deadline.after(60)
    hands.set_s(jump_s)
    hands.pass_s(59)
    assert not deadline.over
    assert deadline.moment == hands.wall + timedelta(seconds=1)
    hands.pass_s(1)
    assert deadline.over


def test_a_small_correction_does_not_change_what_was_told(hands: Hands) -> None:
    deadline = Deadline.after(60)
    hands.set_s(0.2)
    assert clock.stamp(deadline.moment) == deadline.at == "2026-05-01T00:01:00.000Z"


@pytest.mark.parametrize("jump_s", [-HOUR_S, 0, HOUR_S])
def test_a_restart_of_the_daemon_leaves_what_was_left(hands: Hands, jump_s: float) -> None:
    begun, deadline = clock.stamp(), Deadline.after(60)
    hands.pass_s(20)
    hands.set_s(jump_s)
    again = Deadline.restored(begun, deadline.at, "this run", deadline.due_s)
    assert again.left_s == 40


@pytest.mark.parametrize(("jump_s", "left_s"), [(0, 40), (HOUR_S, 0), (-HOUR_S, 60)])
@pytest.mark.parametrize("boot", ["another run", None])
def test_after_a_restart_of_the_machine_at_most_the_whole_is_left(
    hands: Hands, jump_s: float, left_s: float, boot: str | None
) -> None:
    begun, deadline = clock.stamp(), Deadline.after(60)
    hands.pass_s(20)
    hands.set_s(jump_s)
    hands.real_s = 3.0
    again = Deadline.restored(begun, deadline.at, boot, deadline.due_s)
    assert again.left_s == pytest.approx(left_s)


def test_the_real_clock_runs() -> None:
    first = clock.real_s()
    assert clock.real_s() >= first


def refuse(
    tool: str, arguments: dict[str, object], agent_id: str, session_id: str
) -> tuple[Assessment, wire.CheckAnswer]:
    raise AssertionError("nothing is edited here")


def question(call_id: str) -> Pending:
    names = ("default", "ses_1", "turn_1", "msg_1", "write_file")
    return Pending(call_id, *names, {}, "high", "why", "what", "target", {}, None, clock.stamp(), None)


async def asked(journal: Journal, approvals: Approvals, timeout_s: float) -> None:
    journal.put(
        writes=[
            (
                "INSERT OR IGNORE INTO sessions (session_id, agent_id, title, created_at, updated_at)"
                " VALUES ('ses_1','default','t','2026','2026')",
                (),
            ),
            (
                "INSERT INTO calls"
                " (call_id, turn_id, session_id, agent_id, model_call_id, name, arguments, risk, state) VALUES"
                " ('call_1','turn_1','ses_1','default','c','write_file','{}','high','waiting')",
                (),
            ),
        ]
    )
    approvals.request(question("call_1"), timeout_s=timeout_s)
    await journal.commit()


def within(tmp_path: Path, check: Callable[[Journal, Rules, Approvals], object]) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "store")
        journal.open()
        rules = Rules(journal)
        rules.open()
        approvals = Approvals(journal, rules, refuse)
        approvals.open()
        result = check(journal, rules, approvals)
        if asyncio.iscoroutine(result):
            await result
        approvals.close()
        await journal.close()

    asyncio.run(main())


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_a_question_expires_in_its_time_though_the_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    async def check(journal: Journal, rules: Rules, approvals: Approvals) -> None:
        settled = asyncio.Event()
        approvals.settled.subscribe(lambda turn_id: settled.set())
        began_s = clock.real_s()
        await asked(journal, approvals, 0.5)
        now = clock.now
        monkeypatch.setattr(clock, "now", lambda: now() + timedelta(seconds=jump_s))
        told = approvals.list()[0].expires_at
        assert told is not None
        assert abs((clock.parse(told) - clock.now()).total_seconds()) < 1
        await asyncio.wait_for(settled.wait(), 20)
        assert clock.real_s() - began_s >= 0.5
        assert journal.all("SELECT state FROM approvals") == [("expired",)]

    within(tmp_path, check)


def test_a_question_that_ran_out_while_the_machine_slept_is_not_answered(tmp_path: Path, hands: Hands) -> None:
    async def check(journal: Journal, rules: Rules, approvals: Approvals) -> None:
        await asked(journal, approvals, 60)
        hands.pass_s(8 * HOUR_S)  # the event loop's timer does not notice it
        with pytest.raises(ApprovalExpired):
            await approvals.answer(wire.ApproveRequest(agent_id="default", call_id="call_1", decision="allow"), "user")
        assert journal.all("SELECT state FROM approvals") == [("expired",)]
        assert journal.all("SELECT state FROM calls") == [("denied",)]

    within(tmp_path, check)


def test_a_question_goes_on_waiting_in_the_next_life(tmp_path: Path, hands: Hands) -> None:
    within(tmp_path, lambda journal, rules, approvals: asked(journal, approvals, 60))
    hands.pass_s(20)
    hands.set_s(HOUR_S)

    async def check(journal: Journal, rules: Rules, approvals: Approvals) -> None:
        assert [entry.call_id for entry in approvals.list()] == ["call_1"]
        told = approvals.list()[0].expires_at
        assert told == clock.stamp(hands.wall + timedelta(seconds=40))
        hands.pass_s(41)
        with pytest.raises(ApprovalExpired):
            await approvals.answer(wire.ApproveRequest(agent_id="default", call_id="call_1", decision="allow"), "user")

    within(tmp_path, check)


@pytest.mark.parametrize("jump_s", [-HOUR_S, 0, HOUR_S])
@pytest.mark.parametrize("restart", [False, True])
def test_a_rule_holds_for_its_time_though_the_clock_is_set(
    tmp_path: Path, hands: Hands, jump_s: float, restart: bool
) -> None:
    wanted = wire.RuleCreate(decision="deny", tool="run_command", kind="any", value="", expires_in_s=60)

    def look(rules: Rules) -> None:
        hands.set_s(jump_s)
        hands.pass_s(59)
        assert [rule.expires_at for rule in rules.active()] == [hands.wall + timedelta(seconds=1)]
        assert rules.list()[0].expires_at == clock.stamp(hands.wall + timedelta(seconds=1))
        hands.pass_s(1)
        assert rules.active() == rules.list() == []

    async def first(journal: Journal, rules: Rules, approvals: Approvals) -> None:
        await rules.add(wanted)
        if not restart:
            look(rules)

    within(tmp_path, first)
    if restart:
        within(tmp_path, lambda journal, rules, approvals: look(rules))
        within(tmp_path, lambda journal, rules, approvals: None)

        def gone(journal: Journal, rules: Rules, approvals: Approvals) -> None:
            assert journal.all("SELECT * FROM rules") == []

        within(tmp_path, gone)
