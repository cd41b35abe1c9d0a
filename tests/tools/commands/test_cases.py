"""What is decided about each command line of the tables: it only reads and runs unasked, or a person is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools.commands.all_lines import CASES
from tests.tools.commands.cases import Case, build, place, why_not
from tests.tools.commands.ordinary_lines import ORDINARY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="cmd.exe runs lines there, and every line asks")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("shared").resolve()
    build(base)
    return base


@pytest.fixture
def base(shared: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    case: Case = request.node.callspec.params["case"]
    found = shared
    if not case.plain:
        found = tmp_path.resolve()
        build(found)
    monkeypatch.setenv("HOME", str(found / "home"))
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case.line)[1:-1])
def test_a_line_is_judged(case: Case, base: Path) -> None:
    reason = why_not(case, base, place(base, case))
    if case.decision == "reads":
        assert reason is None
    else:
        assert reason is not None
        assert case.why in reason


def test_there_are_enough_cases() -> None:
    lines = [(case.line, case.config, str(case.there), str(case.denies), str(case.env)) for case in CASES]
    assert len(set(lines)) == len(lines)
    assert len(ORDINARY) >= 80
    assert sum(case.decision == "asks" for case in CASES) >= 270
