"""The flags of a daemon, and the settings on its first line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.serve_args import absolute, first_line_problem, misnamed_places, parser
from aster_sidecar.config.places import places

ROOT = Path(__file__).parent.parent.parent


def test_the_parser_of_a_daemon_imports_no_command() -> None:
    script = (
        "import sys; import aster_sidecar.cli.serve_args, aster_sidecar.daemon.server;"
        "aster_sidecar.cli.serve_args.parser();"
        "cli = 'aster_sidecar.cli.';"
        "others = tuple(cli + name for name in ('chat', 'commands', 'completion', 'console', 'doctor'));"
        "print(sorted(name for name in sys.modules if name.startswith(others) or name == 'rich'))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.strip() == "[]"


def test_paragraphs_of_the_help_are_wrapped_and_lists_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = parser().format_help().splitlines()
    assert "The local agent daemon that a desktop app ships inside" in lines
    assert any(line.startswith("  doctor ") and len(line) > 60 for line in lines)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, None),
        ({"port": 0, "framework": "tauri", "data_dir": "/x", "any_port": True, "allow_origin": ["http://x"]}, None),
        ({"port": "80"}, "port must be a whole number"),
        ({"port": True}, "port must be a whole number"),
        ({"framework": "qt"}, "framework must be one of tauri"),
        ({"data_dir": 5}, "data_dir must be a path"),
        ({"config_dir": ""}, "config_dir must be a path"),
        ({"uds": None}, "uds must be a path"),
        ({"any_port": 1}, "any_port must be true or false"),
        ({"allow_origin": "http://x"}, "allow_origin must be a list"),
        ({"allow_origin": ["http://x", 1]}, "allow_origin must be a list"),
    ],
)
def test_settings_on_the_first_line_are_checked(settings: dict[str, Any], problem: str | None) -> None:
    found = first_line_problem(settings)
    assert (found is None) == (problem is None)
    assert found is None or problem is None or found.startswith(problem)


def test_a_path_is_meant_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert absolute(Path("a")) == tmp_path / "a"
    assert absolute(Path("~/b")) == tmp_path / "home" / "b"
    assert absolute(None) is None


def test_a_directory_whose_name_is_not_utf_8_is_refused_by_flag_and_by_environment() -> None:
    bad = "/tmp/caf\udce9"
    given = parser().parse_args(["--data-dir", bad])
    refused = misnamed_places(given, places({}, data_dir=Path(bad), config_dir=None))
    assert refused is not None
    assert (refused[0], refused[1].startswith("--data-dir /tmp/caf")) == (exit_codes.EXIT_USAGE, True)
    refused = misnamed_places(parser().parse_args([]), places({"HOME": bad, "USERPROFILE": bad}))
    assert refused is not None
    assert refused[0] == exit_codes.EXIT_CONFIG
    assert misnamed_places(parser().parse_args([]), places({"HOME": "/tmp/café", "USERPROFILE": "/tmp/café"})) is None
