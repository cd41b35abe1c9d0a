"""The record of decisions: how long rows are kept, whatever happens to the clocks, and how arguments are hashed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aster_sidecar import clock
from aster_sidecar.policy import decisions
from aster_sidecar.policy.decisions import DAY_S, Decided, Decisions, decision_row, sha256_of
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.decisions import Listed

ALL = Listed(None, None, None, None, None, None, None, 0, 500)


class Clocks:
    """The machine's clocks, set by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.real_s, self.boot = datetime(2026, 5, 1, tzinfo=UTC), 1000.0, "this run"
        monkeypatch.setattr(clock, "now", lambda: self.wall)
        monkeypatch.setattr(clock, "real_s", lambda: self.real_s)
        monkeypatch.setattr(clock, "boot", lambda: self.boot)

    def pass_days(self, days: float) -> None:
        self.wall += timedelta(days=days)
        self.real_s += days * DAY_S


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def run(path: Path, steps: Callable[[Journal, Decisions], Awaitable[None]], keep_days: int = 30) -> None:
    """Open the store at this path, run the steps, and close it."""

    async def main() -> None:
        journal = Journal(path / "store")
        journal.open()
        record = Decisions(journal, lambda: keep_days)
        record.open()
        try:
            await steps(journal, record)
        finally:
            record.close()
            await journal.close()

    asyncio.run(main())


async def decide(journal: Journal, *calls: str) -> None:
    """Record a decision for each of these calls."""
    for call_id in calls:
        decided = Decided("a", "s", "t", call_id, "read_file", "Read a", {}, "low", "allow", "mode:smart_approve", "so")
        journal.put(writes=[decision_row(decided)])
    await journal.commit()


def kept(record: Decisions) -> list[str]:
    return [one.call_id for one in record.page(ALL).decisions]


def test_decisions_are_deleted_when_they_are_older_than_the_setting(tmp_path: Path, clocks: Clocks) -> None:
    async def steps(journal: Journal, record: Decisions) -> None:
        await decide(journal, "old")
        clocks.pass_days(20)
        await record.trim()
        await decide(journal, "new")
        clocks.pass_days(9.9)
        await record.trim()
        assert kept(record) == ["old", "new"]
        clocks.pass_days(0.2)
        await record.trim()
        assert kept(record) == ["new"]
        clocks.pass_days(20)
        await record.trim()
        assert kept(record) == []

    run(tmp_path, steps)


def test_with_0_days_all_decisions_are_kept(tmp_path: Path, clocks: Clocks) -> None:
    async def steps(journal: Journal, record: Decisions) -> None:
        await decide(journal, "old")
        clocks.pass_days(40_000)
        await record.trim()
        assert kept(record) == ["old"]

    run(tmp_path, steps, keep_days=0)


def test_a_wall_clock_that_is_set_deletes_nothing(tmp_path: Path, clocks: Clocks) -> None:
    async def steps(journal: Journal, record: Decisions) -> None:
        await decide(journal, "one")
        for years in (10, -30):
            clocks.wall += timedelta(days=365 * years)
            await record.trim()
            assert kept(record) == ["one"]

    run(tmp_path, steps)


def test_time_across_restarts_of_the_machine_counts_within_bounds(tmp_path: Path, clocks: Clocks) -> None:
    """A machine that was off, or whose clock was set while it was off, makes decisions older by a week at most."""
    run(tmp_path, lambda journal, record: decide(journal, "one"))

    async def look(journal: Journal, record: Decisions) -> None:
        await record.trim()
        found.append(kept(record))

    found: list[list[str]] = []
    for n in range(5):
        clocks.wall += timedelta(days=365)
        clocks.real_s, clocks.boot = 0.0, f"run {n}"
        run(tmp_path, look)
    assert found == [["one"]] * 4 + [[]]


def test_many_old_decisions_are_deleted_in_several_transactions(
    tmp_path: Path, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "BATCH_ROWS", 3)

    async def steps(journal: Journal, record: Decisions) -> None:
        await decide(journal, *map(str, range(8)))
        clocks.pass_days(31)
        await record.trim()
        await decide(journal, "new")
        await record.trim()
        assert kept(record) == ["new"]

    run(tmp_path, steps)


def test_the_check_runs_by_itself(tmp_path: Path, clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "FIRST_CHECK_S", 0.0)

    async def first(journal: Journal, record: Decisions) -> None:
        await decide(journal, "old")

    run(tmp_path, first)
    clocks.pass_days(31)

    async def second(journal: Journal, record: Decisions) -> None:
        async with asyncio.timeout(30):
            while kept(record):  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    run(tmp_path, second)


def test_long_texts_are_cut_and_empty_reasons_are_none(tmp_path: Path) -> None:
    async def steps(journal: Journal, record: Decisions) -> None:
        for words in ("x" * 20_000, ""):
            decided = Decided("a", "s", "t", "c", "x", "y" * 20_000, {}, "low", "deny", "person", words, "page")
            journal.put(writes=[decision_row(decided)])
        await journal.commit()
        first, second = record.page(ALL).decisions
        assert first.words == "x" * 9_999 + "…"
        assert first.summary == "y" * 9_999 + "…"
        assert second.words is None

    run(tmp_path, steps)


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    # echo -n '{"a":[1,{"x":null,"y":"ü"}],"b":true}' | sha256sum
    expected = "6fc734768cd6526c731572f7f58726a7c203b9a97781231f2a64dab2a1e1b357"
    assert sha256_of({"b": True, "a": [1, {"y": "ü", "x": None}]}) == expected
    assert sha256_of({"a": [1, {"x": None, "y": "ü"}], "b": True}) == expected
    assert sha256_of({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert sha256_of({"a": "\ud800"}) == sha256_of({"a": "\ufffd"}), "what no encoder accepts is replaced"
