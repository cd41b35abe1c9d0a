"""Time as the contract writes it, time limits that hold though the wall clock is set, and ids."""

from __future__ import annotations

import secrets
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

JUMP_S = 1.0
"""A wall clock that differs by more than this from what it should say was set."""


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)


def at(seconds: float) -> datetime:
    """The moment so many seconds after 1970, UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def stamp(moment: datetime | None = None) -> str:
    """`moment` (default: now) as RFC 3339 UTC with milliseconds. Such stamps sort as text."""
    return (moment or now()).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """The moment a stamp names. Raises: ValueError."""
    return datetime.fromisoformat(text)


def real_s() -> float:
    """Seconds on a clock that nobody sets and that runs while the machine sleeps. Only differences mean something.

    A time limit is told to people as a moment (`expires_at`). Whoever opens the lid after that moment must not find the
    question still open or the rule still in force, so sleep counts; `time.monotonic` leaves it out on Linux and macOS.
    Source: clock_gettime(2) for CLOCK_BOOTTIME; Darwin's clock_gettime(3) for CLOCK_MONOTONIC_RAW.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    return time.monotonic()


@cache
def boot() -> str | None:
    """Which run of the machine this is: `real_s` of one run means nothing in another. None where nobody tells."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip() or None
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Deadline:
    """When something is over. `at` is the moment as it was first told; `due_s` is on the clock of `real_s`."""

    at: str
    due_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline so many seconds from now."""
        return cls(stamp(now() + timedelta(seconds=seconds)), real_s() + seconds)

    @classmethod
    def restored(cls, begun_at: str, at: str, boot_then: str | None, due_s: float | None) -> Deadline:
        """A stored deadline. Raises: ValueError when a stamp is none.

        After a restart of the machine only the wall clock is left. It may have been set, so what is left is at most
        the whole.
        """
        if due_s is None or boot_then is None or boot_then != boot():
            moment = parse(at)
            whole_s = (moment - parse(begun_at)).total_seconds()
            due_s = real_s() + max(0.0, min(whole_s, (moment - now()).total_seconds()))
        return cls(at, due_s)

    @property
    def left_s(self) -> float:
        """Seconds until then; negative behind it."""
        return self.due_s - real_s()

    @property
    def over(self) -> bool:
        return self.left_s <= 0

    @property
    def moment(self) -> datetime:
        """What the wall clock will say then, also when it was set meanwhile."""
        told = parse(self.at)
        due = now() + timedelta(seconds=self.left_s)
        return told if abs((due - told).total_seconds()) <= JUMP_S else due


def new_id(kind: str) -> str:
    """A fresh id such as `turn_5f0c…`: 96 random bits behind what it names."""
    return f"{kind}_{secrets.token_hex(12)}"
