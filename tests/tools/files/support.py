"""Calls of the file tools, to repeat a test with each of them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aster_sidecar.policy.permissions import Assessment, Mode, Rule, ToolCall, decide

READERS: list[tuple[str, dict[str, Any]]] = [
    ("read_file", {}),
    ("list_dir", {}),
    ("search_files", {"pattern": "x"}),
]
WRITERS: list[tuple[str, dict[str, Any]]] = [
    ("write_file", {"content": "x"}),
    ("edit_file", {"old": "a", "new": "b"}),
    ("delete_file", {}),
]


def decided(assessment: Assessment, rule: Rule | None, name: str, mode: Mode = "smart_approve") -> str:
    """The verdict about a call of the tool `name` when at most this rule exists."""
    rules = [rule] if rule is not None else []
    now = datetime.now(UTC)
    return decide(mode, rules, ToolCall(name, "a", "s", now), assessment).verdict


def leftovers(folder: Path) -> list[str]:
    """Temporary files of the tools in the folder."""
    return [name for name in os.listdir(folder) if name.startswith(".aster-")]
