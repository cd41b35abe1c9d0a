"""A mark by which a test finds the processes that it started."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture
def token() -> str:
    """A number of seconds for `sleep` that occurs in the command line of no other process."""
    return f"{uuid.uuid4().int % 10**9 + 10**9}"
