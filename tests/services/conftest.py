"""Processes that other tests have left running do not count."""

from __future__ import annotations

import pytest

from tests.tools.support import note_others


@pytest.fixture(autouse=True)
def others() -> None:
    note_others()
