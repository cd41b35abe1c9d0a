"""kill -9 at every point of an upload, a send with a file and a deletion: the old state or the new one is found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def killed_at_every_point(operation: str, home: Path) -> int:
    """Tell the story of an operation once for each point, and kill it there; returns how many points there were."""
    command = [sys.executable, "-m", "tests.support.kill_points", operation, str(home)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return len(re.findall(r"killed at \d+", ended.stdout))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the stories run in forked processes")
@pytest.mark.parametrize(("operation", "least"), [("upload", 7), ("send", 9), ("delete", 7)])
def test_a_kill_leaves_no_file_without_a_message_and_no_message_without_its_file(
    operation: str, least: int, tmp_path: Path
) -> None:
    assert killed_at_every_point(operation, tmp_path) >= least
