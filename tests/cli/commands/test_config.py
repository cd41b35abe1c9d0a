"""The commands config and paths without a daemon."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.run_command import run
from aster_sidecar.config.places import places
from tests.cli.support import answer


def test_paths_says_what_is_there_and_makes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    before = sorted(home.rglob("*"))
    told = json.loads(answer(capsys, "paths", "--json"))
    where = places({"HOME": str(home), "USERPROFILE": str(home)})
    assert told["config"] == {"path": str(where.config_path), "exists": False}
    assert told["store"]["path"] == str(where.data_dir / "aster.db")
    assert told["work_dir"] == {"path": str(Path.cwd()), "exists": True}
    assert sorted(home.rglob("*")) == before


def test_paths_from_the_home_directory_makes_no_workspace(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.chdir(home)
    told = json.loads(answer(capsys, "paths", "--json"))
    assert told["work_dir"]["path"].endswith("workspace")
    assert not told["work_dir"]["exists"]
    assert list(home.iterdir()) == []


def test_config_set_get_and_unset_without_a_daemon(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "max_tokens = 5000 (file)" in answer(capsys, "config", "set", "max_tokens", "5000")
    path = places({"HOME": str(home), "USERPROFILE": str(home)}).config_path
    assert tomllib.loads(path.read_text("utf-8")) == {"max_tokens": 5000}
    assert answer(capsys, "config", "get", "max_tokens") == "5000\n"
    shown = json.loads(answer(capsys, "config", "--json"))
    assert shown["values"]["max_tokens"] == {"value": 5000, "source": "file", "settable": True}
    assert shown["running"] is False
    assert "max_tokens = 2000000 (default)" in answer(capsys, "config", "unset", "max_tokens")
    assert tomllib.loads(path.read_text("utf-8")) == {}


def test_config_takes_a_relative_work_dir(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("inner").mkdir()
    answer(capsys, "config", "set", "work_dir", "inner")
    assert answer(capsys, "config", "get", "work_dir").strip() == str(Path("inner").resolve())


def test_config_says_when_a_variable_wins(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTER_MODEL", "demo")
    assert run(["config", "set", "model", "openai:x"]) == 0
    told = capsys.readouterr()
    assert told.out == "model = demo (environment)\n"
    assert "the environment takes precedence" in told.err


def test_config_refuses_what_is_not_allowed_and_keeps_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "permission_mode", "never"]) == exit_codes.EXIT_CONFIG
    assert "allowed: auto_approve, smart_approve, always_ask" in capsys.readouterr().err
    assert not places({"HOME": str(home), "USERPROFILE": str(home)}).config_path.exists()
    with pytest.raises(SystemExit) as stopped:
        run(["config", "set", "colour", "red"])
    assert stopped.value.code == exit_codes.EXIT_USAGE
    assert run(["config", "get", "colour"]) == exit_codes.EXIT_FAILED
