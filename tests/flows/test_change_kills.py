"""kill -9 at every point of a tool's change and of undoing it: the next start records, finishes and can undo it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(
    sys.platform != "linux", reason="the points are those of Linux; the stories run in forked processes"
)
@pytest.mark.timeout(620)  # twenty daemons and more, one after the other, while other tests use the machine
@pytest.mark.parametrize(
    ("operation", "least"),
    [
        ("write", 18),
        ("create", 18),
        ("in_place", 18),
        ("delete", 18),
        ("move", 18),
        ("overwrite", 18),
        ("revert", 26),
        ("redo", 26),
        ("rewind", 26),
        ("unrewind", 26),
    ],
)
def test_a_kill_loses_no_change_and_leaves_no_revert_half_done(operation: str, least: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.change_kill_points", operation, str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(re.findall(r"killed at \d+", ended.stdout)) >= least, ended.stdout
    assert [name for _, _, names in os.walk(tmp_path) for name in names if name.startswith(".aster-")] == []
