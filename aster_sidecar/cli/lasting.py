"""How long a permission rule applies, as a person types it: `12h`, `7d`, `2w`, or a date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

LONGEST = timedelta(days=365)
"""The daemon accepts no rule with a later end; one without an end is possible."""
UNITS: dict[str, Literal["hour", "day", "week"]] = {"h": "hour", "d": "day", "w": "week"}
_LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


class WrongTime(Exception):
    """A text says no time at which a rule can end.

    `why`: unclear (it is not a time), past (it is over already), or far (later than `LONGEST`).
    """

    def __init__(self, why: Literal["unclear", "past", "far"]) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Lasting:
    """`count` times `unit`, or until the end of `day` in this machine's time zone."""

    count: int = 0
    unit: Literal["hour", "day", "week"] = "day"
    day: date | None = None

    def seconds(self, now: datetime) -> float:
        """Seconds from `now`, which is aware, to the end. Raises: WrongTime."""
        if self.day is None:
            left = self.count * _LENGTHS[self.unit]
        elif self.day > now.date() + LONGEST:
            raise WrongTime("far")  # the next day may be beyond the calendar
        elif self.day < now.date() - timedelta(days=1):
            raise WrongTime("past")
        else:
            left = datetime.combine(self.day + timedelta(days=1), time.min).astimezone() - now
        if left > LONGEST:
            raise WrongTime("far")
        if left <= timedelta(0):
            raise WrongTime("past")
        return left.total_seconds()


def read_lasting(text: str, now: datetime) -> Lasting:
    """What a text means, if it ends after `now`, which is aware. Raises: WrongTime."""
    text = text.strip().lower()
    if (found := re.fullmatch(r"([1-9][0-9]{0,5})([hdw])", text)) is not None:
        lasting = Lasting(int(found[1]), UNITS[found[2]])
    elif re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            lasting = Lasting(day=date.fromisoformat(text))
        except ValueError as error:
            raise WrongTime("unclear") from error
    else:
        raise WrongTime("unclear")
    lasting.seconds(now)
    return lasting
