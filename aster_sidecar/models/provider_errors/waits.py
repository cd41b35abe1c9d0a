"""How long a provider asks clients to wait: in its headers, in fields of its answer, in its sentences."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 86_400.0
"""A longer wait is not plausible."""

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNIT = r"(?:ms|millis\w*|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
_PART = rf"\d{{1,12}}(?:\.\d{{1,12}})? ?{_UNIT}"
_DURATION = re.compile(rf"(?:{_PART}[ ,]?){{1,4}}", re.IGNORECASE)
_PIECE = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,12}})?) ?({_UNIT})", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?")
_SENTENCE = re.compile(
    rf"\b(?:try(?:ing)? again|retry(?:ing)?|wait|available|resets?)\b[^\d]{{0,40}}?((?:{_PART}[ ,]?){{1,4}})",
    re.IGNORECASE,
)


def wait_s(
    headers: Mapping[str, str], fields: Iterable[tuple[str, object]] = (), texts: Iterable[str] = ()
) -> float | None:
    """Seconds to wait, above 0 and at most a day; None when there is no plausible wait.

    `headers` have lower-case names. `fields` are pairs of a field's name and its value.
    """
    found = [
        scaled(_plain_number(headers.get("retry-after-ms")), 0.001),
        _moment_or_seconds(headers.get("retry-after", "")),
        *(_field_s(name, value) for name, value in fields),
        *(duration_s(match[1]) for text in texts if (match := _SENTENCE.search(text))),
        _reset_s(headers),
    ]
    return next((seconds for seconds in map(sensible, found) if seconds is not None), None)


def sensible(seconds: float | None) -> float | None:
    """The seconds if they are plausible: finite, above 0, at most a day."""
    return seconds if seconds is not None and 0 < seconds <= LONGEST_S else None


def scaled(number: float | None, by: float) -> float | None:
    """The number times `by`; None for None."""
    return None if number is None else number * by


def duration_s(text: str) -> float | None:
    """The seconds of a duration such as `6m0s`, `120ms` or `20 seconds`; None for any other text."""
    if not _DURATION.fullmatch(text.strip()):
        return None
    pieces = _PIECE.findall(text)
    return sum(float(number) * UNITS_S[_unit(unit.lower())] for number, unit in pieces) if pieces else None


def _unit(word: str) -> str:
    return "ms" if word.startswith(("ms", "milli")) else word[0]


def _plain_number(text: str | None) -> float | None:
    text = (text or "").strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _moment_or_seconds(text: str) -> float | None:
    """Seconds from a number, a duration or a time: an HTTP date, an ISO date, or (milli)seconds since 1970."""
    text = text.strip()[:100]
    number = _plain_number(text)
    if number is not None:
        if 1e12 <= number < 1e14:
            return number / 1000 - time.time()
        return number - time.time() if 1e9 <= number < 1e11 else number
    duration = duration_s(text)
    if duration is not None or not text:
        return duration
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.timestamp() - time.time()
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _field_s(name: str, value: object) -> float | None:
    if isinstance(value, bool):
        return None
    text = repr(value) if isinstance(value, float | int) and 0 < value < 1e15 else value
    if not isinstance(text, str):
        return None
    if name.lower().endswith(("_ms", "ms")):
        return scaled(_plain_number(text), 0.001)
    return _moment_or_seconds(text)


def _reset_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limits that are used up are reset; the shortest reset when none is reported as used up."""
    resets: list[float] = []
    used_up: list[float] = []
    for name, value in headers.items():
        if "ratelimit" not in name.replace("-", "") or "reset" not in name:
            continue
        seconds = sensible(_moment_or_seconds(value))
        if seconds is None:
            continue
        resets.append(seconds)
        if (headers.get(name.replace("reset", "remaining")) or "").strip() == "0":
            used_up.append(seconds)
    return max(used_up) if used_up else min(resets, default=None)
