"""Checks values in a provider's events against shapes, and converts values that do not fit.

A shape is the name of a kind (`text`, `count`, …), a dict (an object with these fields; other fields are left alone) or
a list with one shape (of its items).
"""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any, TypeAlias, cast

from pydantic_core import from_json

from aster_sidecar.text.json_text import parse_json

Shape: TypeAlias = "str | dict[str, Shape] | list[Shape]"


class _Gone:
    """Stands for a value that cannot be converted to its shape. Its field is left out."""


GONE = _Gone()
MOST = 2**53
"""Largest count: the largest exact integer in JSON."""
LAST_PLACE = 9_999
"""Largest index: SDKs fill lists up to the index that they are given."""
LATEST_S = 4_102_444_800
"""The year 2100: a later time is in milliseconds or microseconds."""


def fit(value: Any, shape: Shape) -> Any:
    """The same object if it fits the shape, else a converted value, else `GONE`."""
    if isinstance(shape, str):
        return KINDS[shape](value)
    if value is None:
        return None
    if isinstance(shape, list):
        return fit_items(value, shape[0])
    if not isinstance(value, dict):
        return GONE
    return fit_fields(cast("dict[str, Any]", value), shape)


def fit_fields(fields: dict[str, Any], shape: dict[str, Shape]) -> dict[str, Any]:
    repaired = fields
    for name, kind in shape.items():
        if name in fields:
            value = fields[name]
            right = fit(value, kind)
            if right is not value:
                repaired = dict(fields) if repaired is fields else repaired
                if right is GONE:
                    repaired.pop(name)
                else:
                    repaired[name] = right
    return repaired


def fit_items(value: Any, shape: Shape) -> Any:
    if not isinstance(value, list):
        return [right] if isinstance(value, dict) and value and (right := fit(value, shape)) is not GONE else GONE
    items = cast("list[Any]", value)
    right = [fit(item, shape) for item in items]
    if all(one is other and other is not None for one, other in zip(right, items, strict=True)):
        return items
    return [item for item in right if item is not GONE and item is not None]


def text(value: Any) -> Any:
    """A string; numbers and booleans become their JSON text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value) if number_fits(value) else GONE
    return GONE


def count(value: Any) -> Any:
    """A non-negative integer."""
    if value is None or (type(value) is int and 0 <= value <= MOST):
        return value
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return GONE
    if isinstance(value, bool) or not isinstance(value, int | float) or not number_fits(value):
        return GONE
    return round(value) if 0 <= value <= MOST else GONE


def position(value: Any) -> Any:
    """An index in a list: a count of at most `LAST_PLACE`, never None."""
    place = GONE if value is None else count(value)
    return place if type(place) is not int or place <= LAST_PLACE else GONE


def moment(value: Any) -> Any:
    """A time in integer seconds since 1970."""
    if value is None or (type(value) is int and 0 <= value <= LATEST_S):
        return value
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return GONE
    if isinstance(value, bool) or not isinstance(value, int | float) or not number_fits(value) or value < 0:
        return GONE
    while value > LATEST_S:
        value /= 1000
    return int(value)


def arguments(value: Any) -> Any:
    """A tool call's arguments, or a piece of them: JSON text. An empty list stands for no arguments."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | list) and not value:
        return "{}"
    try:
        return json.dumps(value)
    except (ValueError, RecursionError):
        return GONE


def counts(value: Any) -> Any:
    """Usage: an object of numbers, also nested. Numbers of tokens are counts; others only have to be finite."""
    if value is None:
        return None
    if not isinstance(value, dict):
        return GONE
    fields = cast("dict[str, Any]", value)
    repaired: dict[str, Any] = {}
    for name, one in fields.items():
        right = one
        if isinstance(one, dict):
            right = GONE if name.endswith(("tokens", "count")) else counts(one)
        elif one is not None and ("token" in name or "count" in name):
            right = count(one)
        elif isinstance(one, list) or (isinstance(one, float) and not math.isfinite(one)):
            right = GONE
        if right is not GONE:
            repaired[name] = right
    return fields if all(repaired.get(name, GONE) is one for name, one in fields.items()) else repaired


def logprobs(value: Any) -> Any:
    """Log probabilities of tokens. SDKs parse every field, so one invalid entry removes all of them."""
    if value is None or (isinstance(value, list) and all(is_logprob(one) for one in cast("list[Any]", value))):
        return cast("Any", value)
    return GONE


def is_logprob(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    entry = cast("dict[str, Any]", value)
    worth, octets, others = entry.get("logprob"), entry.get("bytes"), entry.get("top_logprobs")
    return (
        isinstance(entry.get("token"), str)
        and type(worth) in (int, float)
        and number_fits(cast("float", worth))
        and (
            octets is None or (isinstance(octets, list) and all(type(one) is int for one in cast("list[Any]", octets)))
        )
        and logprobs(others) is others
    )


def anything(value: Any) -> Any:
    return value


def fields(value: Any) -> Any:
    return cast("Any", value) if value is None or isinstance(value, dict) else GONE


KINDS = {
    "text": text,
    "count": count,
    "position": position,
    "moment": moment,
    "arguments": arguments,
    "counts": counts,
    "logprobs": logprobs,
    "fields": fields,
    "anything": anything,
}


def number_fits(value: float) -> bool:
    """Whether a number is finite and not too large for JSON."""
    return -MOST <= value <= MOST if isinstance(value, int) else math.isfinite(value)


def sound(value: Any) -> Any:
    """The value with all texts as `joined` returns them."""
    if isinstance(value, str):
        return joined(value)
    if isinstance(value, list):
        return [sound(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {joined(name): sound(item) for name, item in cast("dict[str, Any]", value).items()}
    return value


def joined(text: str) -> str:
    """The text with surrogate pairs combined into characters, and U+FFFD for unpaired surrogates and NUL."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def readable(arguments: str) -> str:
    """A tool call's arguments (JSON text) without unpaired surrogates and NUL, which JSON parsers refuse."""
    if "\\u" not in arguments and "\0" not in arguments:
        return arguments
    try:
        if not holds_nul(from_json(arguments)):
            return arguments
    except ValueError:
        pass
    with contextlib.suppress(ValueError, RecursionError):
        return json.dumps(sound(parse_json(arguments, strict=False)), ensure_ascii=False)
    return arguments.replace("\0", "\ufffd")


def holds_nul(value: Any) -> bool:
    """Whether any text in a JSON value contains NUL."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, list):
        return any(holds_nul(item) for item in cast("list[Any]", value))
    if isinstance(value, dict):
        return any("\0" in name or holds_nul(item) for name, item in cast("dict[str, Any]", value).items())
    return False


def split_half(text: str) -> tuple[str, str]:
    """The text without a high surrogate at its end, and that surrogate or "": its other half may follow."""
    return (text[:-1], text[-1]) if text and "\ud800" <= text[-1] <= "\udbff" else (text, "")
