"""File names that look the same but are different: they differ in invisible characters, spaces or accents."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from aster_sidecar.text.folding import UNSEEN
from aster_sidecar.text.safe_text import shown

RESEMBLES = "The new name looks the same as "
DIFFERENCE = "The names differ only in invisible characters, the kind of a space, or how accents are stored"
SCAN_ENTRIES = 50_000
"""A directory with more entries is not searched for similar names."""


def likeness(name: str) -> str:
    """The same text for names that look the same: no invisible characters, plain spaces, normal form C."""
    if name.isascii():
        return name
    seen = (char for char in UNSEEN.sub("", name) if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", "".join(" " if unicodedata.category(char) == "Zs" else char for char in seen))


def similar(path: Path) -> list[Path]:
    """The entries beside the canonical `path` whose names look the same as its own.

    [] also when the directory can't be read or has more than `SCAN_ENTRIES` entries.
    """
    wanted = likeness(path.name)
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, SCAN_ENTRIES + 1)]
    except OSError:
        return []
    if len(names) > SCAN_ENTRIES:
        return []
    return sorted(path.with_name(name) for name in names if name != path.name and likeness(name) == wanted)


def resemblance(instead_of: str, path: Path) -> str:
    """The sentence that `path` was used instead of the path that was asked for."""
    return f"{shown(instead_of)} was not found, {spelled(path)} is used instead. {DIFFERENCE}"


def spelled(path: Path) -> str:
    """A path on one line, different for names that look the same: characters outside normal form C are escaped too."""
    text = shown(path)
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(char if char.isascii() or char in "‹›" else f"‹U+{ord(char):04X}›" for char in text)


def spelled_all(near: Sequence[Path]) -> str:
    """The first ten paths, as `spelled` shows them."""
    return " and ".join(spelled(path) for path in near[:10])
