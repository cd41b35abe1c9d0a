"""Text and numbers from outside, brought into a form that every encoder, column and client takes."""

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
"""The largest count that every JSON reader keeps exactly."""
DEEPEST = 100
INT_BITS = 1024


_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def whole(text: str) -> str:
    """The text with split surrogate pairs joined, and U+FFFD for lone halves and NUL; the same object if it has none.

    Servers that cut their JSON between the two escapes of a pair send such halves, and no encoder takes one. NUL is
    taken by encoders, but providers refuse a request that holds one.
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
    """A JSON text with U+FFFD for each NUL in its strings; the same object if there is none."""
    return _NUL.sub(r"\1\\ufffd", json_text) if "\\u0000" in json_text else json_text


def cut(text: str, most: int, mark: str = "…") -> str:
    """The text for people in at most `most` characters, with `mark` where something is left out.

    No family, flag, syllable or accented letter is cut in two: what people see as one character stays whole, unless
    it alone is longer.
    """
    if len(text) <= most:
        return text
    from wcwidth import grapheme_boundary_before

    at = max(0, most - len(mark))
    return text[: grapheme_boundary_before(text, at + 1) or at] + mark


def jsonable(value: Any) -> Any:
    """The value as JSON would bring it back, so that what is compared later is what was stored.

    What JSON can't hold becomes its text; half surrogate pairs and NUL are replaced.
    """
    text = without_nul(json.dumps(value, default=str, ensure_ascii=False))
    return json.loads(text.encode("utf-8", "replace"))


def typed_path(text: str) -> Path:
    """A path that was typed on a command line. Raises: ArgumentTypeError for none, as an unset variable gives."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def misnamed(path: object) -> str | None:
    """A path as it may be shown, when its name is none that JSON, the store and SQLite take; None when it is one.

    Systems allow names that are not UTF-8; Python has half surrogates for such bytes.
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
    """Whether all half surrogates in it stand for bytes."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def as_text(value: object) -> str:
    """Any value as text: a string as it is, nothing as nothing, the rest as JSON."""
    if isinstance(value, str):
        return whole(value)
    return "" if value is None else json.dumps(plain(value), ensure_ascii=False)


def plain(value: object, depth: int = 0) -> Any:
    """The value made of what JSON has, its texts whole: NaN and infinity are None, other objects their text."""
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
    """A number of things, whatever was said: rounded, 0 for what is no number of things that anybody counted."""
    try:
        number = float(cast("Any", value)) if not isinstance(value, bool | int) else int(value)
        if isinstance(number, float):
            number = round(number) if math.isfinite(number) else 0
    except (TypeError, ValueError, OverflowError, ArithmeticError):
        return 0
    return number if 0 <= number <= MOST else 0


def price(value: object) -> float | None:
    """An amount of money, None for what is none: not a number, not finite, below 0."""
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = float(cast("Any", value))
    except (TypeError, ValueError, OverflowError, ArithmeticError):
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None
