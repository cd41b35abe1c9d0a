"""Makes text, numbers and paths from outside valid for every encoder, database column and client."""

from __future__ import annotations

import argparse
import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

MOST = (1 << 53) - 1
"""The largest integer that every JSON reader represents exactly."""
DEEPEST = 100
"""Levels of nesting that `plain` keeps; a value further down becomes None."""
INT_BITS = 1024
"""The largest size of an integer that `plain` keeps; a larger one becomes None."""

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def whole(text: str) -> str:
    """The text with split surrogate pairs joined, and U+FFFD for lone surrogates and NUL; the same object if unchanged.

    Servers that split their JSON between the two escapes of a pair send such surrogates, and no encoder accepts one.
    Encoders accept NUL, but providers refuse a request that contains it.
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def without_nul(json_text: str) -> str:
    """A JSON text with U+FFFD for every NUL in its strings; the same object if unchanged."""
    return _NUL.sub(r"\1\\ufffd", json_text) if "\\u0000" in json_text else json_text


def cut(text: str, most: int, mark: str = "…") -> str:
    """The text shortened to at most `most` characters, for people; ends with `mark` if something was left out.

    Grapheme clusters (emoji of several characters, flags, syllables, accented letters) are not split, unless one alone
    is longer than the limit.
    """
    if len(text) <= most:
        return text
    from wcwidth import grapheme_boundary_before

    at = max(0, most - len(mark))
    return text[: grapheme_boundary_before(text, at + 1) or at] + mark


def jsonable(value: Any) -> Any:
    """The value after a round trip through JSON, so that it compares equal to what is read from the store later.

    An object that JSON can't represent becomes its text. Lone surrogates and NUL are replaced.
    """
    text = without_nul(json.dumps(value, default=str, ensure_ascii=False))
    return json.loads(text.encode("utf-8", "replace"))


def typed_path(text: str) -> Path:
    """A path from a command line. Raises: ArgumentTypeError if it is empty, as an unset shell variable makes it."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def misnamed(path: object) -> str | None:
    """An escaped form, for messages, of a path that JSON and SQLite can't store; None for a path that they can.

    File systems allow names that are not UTF-8. Python represents such bytes as lone surrogates.
    """
    text = str(path)
    if "\0" not in text:
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return None
    return (
        text.encode("utf-8", "surrogateescape" if _is_bytes(text) else "backslashreplace")
        .decode("utf-8", "backslashreplace")
        .replace("\0", "\\0")
    )


def _is_bytes(text: str) -> bool:
    """Whether every lone surrogate in the text represents a byte."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def as_text(value: object) -> str:
    """A value as text: a string unchanged, None as the empty string, anything else as JSON."""
    if isinstance(value, str):
        return whole(value)
    return "" if value is None else json.dumps(plain(value), ensure_ascii=False)


def plain(value: object, depth: int = 0) -> Any:
    """The value as types that JSON has, with valid texts: NaN and infinity become None, other objects their text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return whole(str(value))
    if isinstance(value, int):
        return value if value.bit_length() <= INT_BITS else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= DEEPEST:
        return None
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        return {as_text(key): plain(inner, depth + 1) for key, inner in named.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner, depth + 1) for inner in cast("list[object]", value)]
    if isinstance(value, bytes | bytearray):
        return base64.urlsafe_b64encode(value).decode()
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name, None), depth + 1) for entry in fields(value)}
    try:
        return whole(str(value))
    except Exception:
        return type(value).__name__


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
