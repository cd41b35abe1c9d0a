"""From the command line and the launcher's first line to the settings of a daemon, without serving."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.serve import code_of, settings_of, take_first_line, unusable
from aster_sidecar.cli.serve_args import parser
from aster_sidecar.daemon.launcher_watch import BadFirstLine
from aster_sidecar.embedding.sidecar import Sidecar
from aster_sidecar.errors import ConfigInvalid


@pytest.fixture
def first_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], None]]:
    """Write a launcher's first line to stdin, which stays open."""
    read, write = os.pipe()
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)

        def say(line: object) -> None:
            os.write(write, json.dumps(line).encode() + b"\n")

        yield say
    with suppress(OSError):
        os.close(write)


def test_the_first_line_has_settings_token_and_environment(first_line: Callable[[object], None]) -> None:
    given, environment = parser().parse_args(["--supervised", "--port", "1"]), {"A": "a"}
    first_line({"token": "x" * 20, "port": 0, "data_dir": "/data", "model": "demo", "environment": {"B": "b"}})
    assert take_first_line(given, environment) == "x" * 20
    assert (given.port, given.data_dir, given.model, given.uds) == (0, Path("/data"), "demo", None)
    assert environment == {"A": "a", "B": "b"}


@pytest.mark.parametrize("line", [{"token": "x" * 20, "port": "80"}, {"token": "x" * 20, "colour": "red"}, []])
def test_a_wrong_first_line_is_refused(line: object, first_line: Callable[[object], None]) -> None:
    first_line(line)
    with pytest.raises(BadFirstLine):
        take_first_line(parser().parse_args(["--supervised"]), {})


def test_settings_come_from_the_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = parser().parse_args(
        ["--framework", "tauri", "--data-dir", "data", "--allow-origin", "http://x", "--any-port"]
    )
    settings = settings_of(given, {"HOME": str(tmp_path)}, "token")
    assert (settings.framework, settings.port, settings.any_port) == ("tauri", 9528, True)
    assert (settings.places.data_dir, settings.allow_origins) == (tmp_path / "data", ("http://x",))
    assert unusable(given, settings) is None


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_does_not_exist_is_refused(port: int, tmp_path: Path) -> None:
    given = parser().parse_args(["--port", str(port)])
    refused = unusable(given, settings_of(given, {"HOME": str(tmp_path)}, None))
    assert refused == (exit_codes.EXIT_USAGE, f"--port {port}: must be from 0 to 65535", None)


def test_an_app_can_not_load_another_app() -> None:
    given = parser().parse_args(["--app", "my_app:sidecar"])
    with pytest.raises(ConfigInvalid, match="is an app already"):
        code_of(given, Sidecar())
    assert code_of(parser().parse_args([]), None).agents == ()
    given = parser().parse_args([])
    code_of(given, Sidecar(port=9000))
    assert given.port == 9000
