"""Repairs numbers from outside: counts and amounts of money that a provider sends."""

from __future__ import annotations

import math
from typing import Any, cast

MOST = (1 << 53) - 1
"""The largest integer that every JSON reader represents exactly."""


def count(value: object) -> int:
    """A provider's count as an integer from 0 to MOST: rounded; 0 for anything that is not such a number."""
    try:
        number = value if isinstance(value, int) else round(float(cast("Any", value)))
    except (TypeError, ValueError, OverflowError, ArithmeticError):
        return 0
    return int(number) if 0 <= number <= MOST else 0


def price(value: object) -> float | None:
    """An amount of money; None for anything that is not a finite number of at least 0."""
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = float(cast("Any", value))
    except (TypeError, ValueError, OverflowError, ArithmeticError):
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None
