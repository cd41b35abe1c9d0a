"""How long a rule applies, as a person types it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from aster_sidecar.cli.lasting import Lasting, WrongTime, read_lasting

NOW = datetime(2026, 11, 30, 18, 0).astimezone()
HOUR = 3600.0


@pytest.mark.parametrize(
    ("text", "hours"),
    [("12h", 12), ("1d", 24), (" 7D ", 7 * 24), ("2w", 14 * 24), ("365d", 365 * 24)],
)
def test_a_number_of_hours_days_or_weeks(text: str, hours: int) -> None:
    assert read_lasting(text, NOW).seconds(NOW) == hours * HOUR


@pytest.mark.parametrize(("day", "seconds"), [("2026-11-30", 6 * HOUR), ("2026-12-01", 30 * HOUR)])
def test_a_date_is_the_end_of_that_day(day: str, seconds: float) -> None:
    assert read_lasting(day, NOW).seconds(NOW) == seconds


def test_a_date_can_pass_before_it_is_used() -> None:
    today = read_lasting("2026-11-30", NOW)
    assert today.seconds(NOW + timedelta(hours=5)) == HOUR
    with pytest.raises(WrongTime) as wrong:
        today.seconds(NOW + timedelta(hours=6))
    assert wrong.value.why == "past"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "unclear"),
        ("7", "unclear"),
        ("0d", "unclear"),
        ("-1d", "unclear"),
        ("1.5h", "unclear"),
        ("7 d", "unclear"),
        ("7m", "unclear"),
        ("٧d", "unclear"),
        ("9" * 5000 + "d", "unclear"),
        ("20261231", "unclear"),
        ("2026-W50-1", "unclear"),
        ("2026-02-30", "unclear"),
        ("2026-12-31T12:00", "unclear"),
        ("0000-01-01", "unclear"),
        ("0001-01-01", "past"),
        ("2026-11-29", "past"),
        ("366d", "far"),
        ("999999w", "far"),
        ("2027-11-30", "far"),
        ("2027-12-01", "far"),
        ("9999-12-31", "far"),
    ],
)
def test_what_is_no_time_at_which_a_rule_can_end(text: str, why: str) -> None:
    with pytest.raises(WrongTime) as wrong:
        read_lasting(text, NOW)
    assert wrong.value.why == why


def test_it_keeps_the_unit_for_its_words() -> None:
    assert read_lasting("48h", NOW) == Lasting(48, "hour")
