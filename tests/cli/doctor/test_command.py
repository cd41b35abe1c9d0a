"""How the doctor prints its checks, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aster_sidecar.cli.run_command import run
from tests.cli.support import answer


def test_every_check_is_a_line_with_its_remedy_below(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTER_SANDBOX", "off")
    lines = answer(capsys, "doctor", "--no-model", "--port", "0").splitlines()
    assert lines[0].startswith("ok       python            Python ")
    place = next(number for number, line in enumerate(lines) if line.startswith("warning  sandbox"))
    assert lines[place + 1].startswith(" " * 27 + "→ ")
    assert "read what a question shows" in lines[place + 1]
    assert " ok, " in lines[-1]
    assert not home.exists()


def test_a_configuration_that_can_not_be_read_fails_and_the_other_checks_run(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text("model = \n")
    assert run(["doctor", "--no-model", "--json", "--port", "0", "--data-dir", str(tmp_path)]) == 1
    told = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in told["checks"]}
    assert (told["healthy"], told["counts"]["failed"]) == (False, 1)
    assert checks["configuration"]["status"] == "failed"
    assert (checks["model"]["status"], checks["model"]["detail"]) == ("skipped", "the configuration is wrong")
    assert "proxy" in checks
    assert all(check["remedy"] for check in told["checks"] if check["status"] in ("warning", "failed"))
