"""kill -9 at every point of a rewind, its undo, an edit and a fork: the old state or the new one is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.flows.test_attachment_kills import killed_at_every_point


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the stories run in forked processes")
@pytest.mark.parametrize(("operation", "least"), [("rewind", 2), ("unrewind", 2), ("edit", 6), ("fork", 2)])
def test_a_kill_leaves_the_conversation_before_or_after(operation: str, least: int, tmp_path: Path) -> None:
    assert killed_at_every_point(operation, tmp_path) >= least
