"""The command version."""

from __future__ import annotations

import json

import pytest

from tests.cli.support import answer


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(answer(capsys, "version", "--json"))
    assert told["version"] in answer(capsys, "version")
    assert told["protocol"] == 1
