"""What is decided about each path of the table."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aster_sidecar.policy.permissions import ToolCall, decide
from aster_sidecar.tools import paths
from aster_sidecar.tools.base import Surroundings, ToolError
from tests.tools.cases.path_cases import CASES, FILES, LINKS, WINDOWS_NAMES, PathCase
from tests.tools.support import assess

_TOOLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "read": ("read_file", "path", {}),
    "write": ("write_file", "path", {"content": "x"}),
    "edit": ("edit_file", "path", {"old": "x", "new": "y"}),
    "list": ("list_dir", "path", {}),
    "search": ("search_files", "path", {"pattern": "x"}),
    "delete": ("delete_file", "path", {}),
    "move": ("move_file", "source", {"destination": "moved"}),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    base = tmp_path.resolve()
    for name in FILES:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("x\n")
    for name, aim in LINKS.items():
        (base / name).symlink_to(aim)
    monkeypatch.setenv("HOME", str(base / "home"))
    return Surroundings(base / "work", (base / "daemon",))


@pytest.mark.skipif(os.name == "nt", reason="the table has POSIX paths")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.tool} {ascii(case.path)[1:60]}")
def test_a_path_is_judged(case: PathCase, folder: Surroundings) -> None:
    if sys.platform == "darwin" and not case.path.isascii():
        pytest.skip("its file systems take names that look the same for one")
    tool, argument, more = _TOOLS[case.tool]
    path = case.path.replace("BASE", str(folder.work_dir.parent))
    if case.decided == "refused":
        with pytest.raises((ToolError, ValidationError), match=re.escape(case.why)):
            assess(tool, folder, **{argument: path}, **more)
        return
    found = assess(tool, folder, **{argument: path}, **more)
    decision = decide("smart_approve", (), ToolCall(tool, "a", "s", datetime.now(UTC)), found)
    assert decision.verdict == case.decided
    assert case.why in (decision.reason if decision.verdict == "deny" else found.reason)


@pytest.mark.parametrize(("name", "device"), WINDOWS_NAMES.items())
def test_a_name_is_judged_as_on_windows(name: str, device: bool) -> None:
    try:
        paths.refuse_windows_names(name)
    except ToolError:
        assert device
    else:
        assert not device


def test_there_are_enough_paths() -> None:
    assert len(set(CASES)) == len(CASES) >= 100
