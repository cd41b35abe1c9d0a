"""The benchmark runs and gives a figure for each of its measurements. This test does not judge the figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent.parent


@pytest.mark.timeout(400)
def test_it_runs_and_says_what_it_found(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", "--quick", "--json", str(out), "cold", "first"]
    told = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True, timeout=390)
    figures = {figure["name"]: figure for figure in json.loads(out.read_text())["figures"]}
    assert set(figures) == {
        "cold start to /health",
        "request to provider",
        "request to first token",
        "first turn slower than the next by",
    }
    assert figures["cold start to /health"]["daemon"] > 0
    assert figures["request to first token"]["daemon"] > figures["request to provider"]["daemon"]
    assert figures["request to first token"]["floor"] > figures["request to provider"]["floor"]
    assert all(name in told.stdout for name in figures)
