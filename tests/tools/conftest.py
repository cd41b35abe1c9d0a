"""Fixtures: a work directory, and a record of the processes that earlier tests have left."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.tools.base import Surroundings
from tests.tools.support import make_surroundings, note_others


@pytest.fixture(autouse=True)
def others() -> None:
    """Processes of earlier tests do not count as processes that this test has left."""
    note_others()


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    return make_surroundings(tmp_path)
