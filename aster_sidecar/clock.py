"""Time stamps in the format of the contract, deadlines that survive changes of the wall clock, and new ids."""

from __future__ import annotations

import secrets
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

JUMP_S = 1.0
"""A wall clock that deviates by more than this from the expected time was set."""
GAP_MOST_S = 7 * 24 * 3600.0
"""Most seconds that count for a gap that only the wall clock measured: the machine, or (on systems without a boot id)
the daemon, did not run. Otherwise a wall clock that was set years ahead would empty the trash."""


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)


def at(seconds: float) -> datetime:
    """The time `seconds` after 1970-01-01, UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def stamp(moment: datetime | None = None) -> str:
    """`moment` (default: now) as RFC 3339 in UTC with milliseconds. These stamps sort as text."""
    return (moment or now()).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """The time that a stamp names. Raises: ValueError."""
    return datetime.fromisoformat(text)


def real_s() -> float:
    """Seconds on a clock that can't be set and that runs while the machine sleeps. Only differences have a meaning.

    Clients see a time limit as a point in time (`expires_at`). After that time no question may still be open and no
    rule in force, also when the machine slept meanwhile; `time.monotonic` stops during sleep on Linux and macOS.
    Source: clock_gettime(2) for CLOCK_BOOTTIME; Darwin's clock_gettime(3) for CLOCK_MONOTONIC_RAW.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    return time.monotonic()


@cache
def boot() -> str | None:
    """The id of the machine's current boot; `real_s` can't be compared between boots. None where it is not known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip() or None
    except (OSError, ValueError):
        return None


def seconds_since(counted_at: str, counted_s: float, boot_then: str | None) -> float:
    """Seconds since a moment, possibly before a restart of the daemon or machine. Raises: ValueError.

    The moment is given by the wall clock (`stamp`), by `real_s`, and by the boot in which that was read.
    """
    if boot_then is not None and boot_then == boot():
        return max(0.0, real_s() - counted_s)
    return max(0.0, min(GAP_MOST_S, (now() - parse(counted_at)).total_seconds()))


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of a time limit. `at`: the stamp that clients were given first; `due_s`: the same on `real_s`'s clock."""

    at: str
    due_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline `seconds` from now."""
        return cls(stamp(now() + timedelta(seconds=seconds)), real_s() + seconds)

    @classmethod
    def restored(cls, begun_at: str, at: str, boot_then: str | None, due_s: float | None) -> Deadline:
        """A stored deadline. Raises: ValueError for a malformed stamp.

        After a reboot only the wall clock can be compared. It may have been set, so the remaining time is limited to
        the original duration.
        """
        if due_s is None or boot_then is None or boot_then != boot():
            moment = parse(at)
            whole_s = (moment - parse(begun_at)).total_seconds()
            due_s = real_s() + max(0.0, min(whole_s, (moment - now()).total_seconds()))
        return cls(at, due_s)

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.due_s - real_s()

    @property
    def over(self) -> bool:
        return self.left_s <= 0

    @property
    def moment(self) -> datetime:
        """What the wall clock will show at the deadline; differs from `at` if the clock was set meanwhile."""
        told = parse(self.at)
        due = now() + timedelta(seconds=self.left_s)
        return told if abs((due - told).total_seconds()) <= JUMP_S else due


def new_id(kind: str) -> str:
    """A new id such as `turn_5f0c…`: the kind, then 96 random bits."""
    return f"{kind}_{secrets.token_hex(12)}"
