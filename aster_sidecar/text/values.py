"""Repairs values from outside, so that JSON and SQLite can store them."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast

from aster_sidecar.text.repair import valid_text, without_nul

DEEPEST = 100
"""Levels of nesting that `json_value` keeps; a value further down becomes None."""
INT_BITS = 1024
"""The largest size of an integer that `json_value` keeps; a larger one becomes None."""


def jsonable(value: Any) -> Any:
    """The value after a round trip through JSON, so that it compares equal to what is read from the store later.

    An object that JSON can't represent becomes its text. Lone surrogates and NUL are replaced.
    """
    text = without_nul(json.dumps(value, default=str, ensure_ascii=False))
    return json.loads(text.encode("utf-8", "replace"))


def as_text(value: object) -> str:
    """A value as text: a string unchanged, None as the empty string, anything else as JSON."""
    if isinstance(value, str):
        return valid_text(value)
    return "" if value is None else json.dumps(json_value(value), ensure_ascii=False)


def json_value(value: object, depth: int = 0) -> Any:
    """The value as types that JSON has, with valid texts: NaN and infinity become None, other objects their text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return valid_text(str(value))
    if isinstance(value, int):
        return value if value.bit_length() <= INT_BITS else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= DEEPEST:
        return None
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        return {as_text(key): json_value(inner, depth + 1) for key, inner in named.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(inner, depth + 1) for inner in cast("list[object]", value)]
    if isinstance(value, bytes | bytearray):
        return base64.urlsafe_b64encode(value).decode()
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: json_value(getattr(value, entry.name, None), depth + 1) for entry in fields(value)}
    try:
        return valid_text(str(value))
    except Exception:
        return type(value).__name__
