"""Parses JSON from outside: files, other programs, the model, a damaged row. Imports nothing slow."""

from __future__ import annotations

import json

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from typing import Any


def parse_json(text: str | bytes | bytearray, *, strict: bool = True) -> Any:
    """The value of a JSON text; with `strict=False`, strings may contain control characters.

    Raises: ValueError, also for a text that is nested too deeply.
    """
    try:
        return json.loads(text, strict=strict)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def parse_object(text: str | bytes | bytearray) -> dict[str, Any]:
    """The value of a JSON text that must be an object. Raises: ValueError."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError("the JSON is not an object")
    return value  # pyright: ignore[reportUnknownVariableType]
