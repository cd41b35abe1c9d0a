"""Time as the contract writes it, and ids."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


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


def new_id(kind: str) -> str:
    """A fresh id such as `turn_5f0c…`: 96 random bits behind what it names."""
    return f"{kind}_{secrets.token_hex(12)}"
