"""What has changed between an approved call and the same call now, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aster_sidecar.text.safe_text import visible

BOUND = {
    "paths": "what a path resolves to",
    "content": "what stands there",
    "moved": "what is moved",
    "change": "the lines that would change",
    "command": "the command",
    "cwd": "the directory to run in",
    "folder": "the directory to run in",
    "shell": "the shell",
    "path": "the search path for programs",
    "binaries": "the program",
    "scripts": "the content of",
}
"""The keys of an approval's binding, in words."""


def changes(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The parts of an approval's binding that have changed, in words."""
    changed: list[str] = []
    for key in sorted(approved.keys() | now.keys()):
        was, is_now = approved.get(key), now.get(key)
        if was == is_now:
            continue
        words = BOUND.get(key, key.replace("_", " "))
        if isinstance(was, dict) and isinstance(is_now, dict):
            both: list[dict[str, Any]] = [was, is_now]
            names = sorted(name for name in both[0].keys() | both[1].keys() if both[0].get(name) != both[1].get(name))
            words += f" {', '.join(visible(name, newlines=False) for name in names)}"
        changed.append(words)
    return changed or ["the call"]
