"""What the frozen daemon does differently, as far as tests without one can show (tests/package runs a real one)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aster_sidecar import frozen

HOME = "/opt/app/_internal"


def test_a_child_gets_the_environment_of_before_the_loader() -> None:
    path = os.pathsep.join((HOME, "/usr/lib"))
    environ = {"LD_LIBRARY_PATH": path, "LD_LIBRARY_PATH_ORIG": "/usr/lib", "_PYI_ARCHIVE_FILE": "x", "_MEIPASS2": "y"}
    frozen.restore(environ, HOME)
    assert environ == {"LD_LIBRARY_PATH": "/usr/lib"}


def test_a_variable_that_only_the_loader_set_goes() -> None:
    environ = {"LD_LIBRARY_PATH": HOME, "PATH": "/bin"}
    frozen.restore(environ, HOME)
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("home", ["", HOME])
def test_a_path_that_the_loader_did_not_set_stays(home: str) -> None:
    environ = {"LD_LIBRARY_PATH": "/usr/lib", "LD_LIBRARY_PATH_ORIG": "/mine"}
    frozen.restore(environ, home)
    assert environ == {"LD_LIBRARY_PATH": "/usr/lib", "LD_LIBRARY_PATH_ORIG": "/mine"}


def test_a_frozen_daemon_starts_itself_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "FROZEN", True)
    assert frozen.own_command() == [sys.executable]
    assert frozen.how_to_get("otel") == "make package EXTRAS=otel"


def test_modules_are_not_looked_for_where_a_person_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert frozen.own_command() == [sys.executable, "-P", "-m", "aster_sidecar"]
    assert frozen.how_to_get("otel") == "pip install 'aster-sidecar[otel]'"
    monkeypatch.chdir(Path(frozen.__file__).parent.parent)  # only there can an uninstalled checkout be found
    assert frozen.own_command() == [sys.executable, "-m", "aster_sidecar"]


@pytest.mark.parametrize("module", ["", "os", "os_worker", "aster_sidecar.tools.shell", "aster_sidecar.errors"])
def test_only_a_worker_of_the_tools_is_run(module: str) -> None:
    with pytest.raises(ValueError, match="not a worker"):
        frozen.run_worker(module)
