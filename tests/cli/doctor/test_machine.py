"""Checks of the machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from aster_sidecar.cli.doctor import machine
from aster_sidecar.sandbox import bubblewrap


def test_libraries_that_are_missing_are_named() -> None:
    assert machine.libraries().status == "ok"
    found = machine.libraries(["json", "no_such_library"])
    assert (found.status, found.detail) == ("failed", "missing: no_such_library")


def test_the_sandbox_check_says_what_holds_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine.sandbox("off")
    assert (found.status, found.detail.partition(":")[0] in ("full", "partial", "none")) == ("warning", True)
    if found.detail.startswith("full"):
        assert str(found.remedy).startswith("set sandbox to auto")
        assert machine.sandbox("auto").status == machine.sandbox("required").status == "ok"
    monkeypatch.setattr(bubblewrap, "find", lambda _: None)
    if sys.platform == "linux":
        for setting, status in {"off": "warning", "auto": "warning", "required": "failed"}.items():
            found = machine.sandbox(setting)
            assert found.status == status
            assert found.detail.startswith("none: bubblewrap is not installed")
            assert str(found.remedy).startswith("install it: apt install bubblewrap")


def test_a_clock_that_is_behind_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.clock(tmp_path).status == "ok"
    (tmp_path / "sidecar.json").write_text("{}")
    assert machine.clock(tmp_path).status == "ok"
    written = (tmp_path / "sidecar.json").stat().st_mtime
    os.utime(tmp_path / "sidecar.json", (written + 3600, written + 3600))
    found = machine.clock(tmp_path)
    assert (found.status, "but the store was written at" in found.detail) == ("warning", True)
    monkeypatch.setattr(machine, "EARLIEST", written + 3600)
    assert machine.clock(tmp_path).status == "failed"


def test_directories_of_the_command_path_have_to_exist(tmp_path: Path) -> None:
    assert machine.command_path("inherit", {}).detail == "the daemon's own PATH"
    assert machine.command_path(str(tmp_path), {}).status == "ok"
    found = machine.command_path(os.pathsep.join((str(tmp_path), str(tmp_path / "none"))), {})
    assert (found.status, found.detail) == ("warning", f"no such directory: {tmp_path / 'none'}")


@pytest.mark.skipif(sys.platform == "win32" or shutil.which("sh") is None, reason="needs a POSIX shell")
def test_a_login_shell_that_ends_is_a_warning(tmp_path: Path) -> None:
    shell = tmp_path / "bash"
    shell.write_text("#!/bin/sh\nexit 3\n")
    shell.chmod(0o755)
    found = machine.command_path("login", {"SHELL": str(shell), "HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    assert (found.status, str(shell) in found.detail, str(shell) in str(found.remedy)) == ("warning", True, True)
