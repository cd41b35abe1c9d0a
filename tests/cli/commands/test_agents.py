"""The command agents without a daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import answer


def test_agents_without_a_daemon_are_the_built_in_ones(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [agent["id"] for agent in json.loads(answer(capsys, "agents", "--json"))] == ["default"]
