"""Paths from outside: empty ones, and names that JSON and SQLite can't store."""

from __future__ import annotations

import argparse
from pathlib import Path


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
