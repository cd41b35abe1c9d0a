"""How the browser is started: its programs, its command and its settings file."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools.browser.launch import PROFILE, Choices, has_display, prepare, release, why_unsandboxed
from aster_sidecar.tools.browser.programs import (
    PACKAGE,
    VERSION,
    NotInstalled,
    ServerProgram,
    find_browser,
    find_server,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its programs are scripts of a shell")

PROXY = ("http://127.0.0.1:4000", "browser", "secret")


def program(place: Path, script: str = "exit 0") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
    return place


# -- programs ----------------------------------------------------------------------------------------------------------


def test_the_browser_that_a_person_names_is_taken_or_nothing(tmp_path: Path) -> None:
    named, other = program(tmp_path / "named"), program(tmp_path / "bin" / "chromium")
    assert find_browser({"ASTER_BROWSER": str(named)}, str(other.parent)) == str(named)
    for wrong in ("named", str(tmp_path), str(tmp_path / "missing")):
        with pytest.raises(NotInstalled, match="ASTER_BROWSER is set to"):
            find_browser({"ASTER_BROWSER": wrong}, str(other.parent))


def test_a_browser_is_found_on_the_path_or_in_its_usual_place(tmp_path: Path) -> None:
    edge = program(tmp_path / "bin" / "microsoft-edge")
    assert find_browser({}, str(edge.parent), "linux") == str(edge)
    snap, chrome = program(tmp_path / "snap" / "bin" / "chromium"), program(tmp_path / "bin" / "google-chrome")
    assert find_browser({}, f"{snap.parent}:{chrome.parent}", "linux") == str(chrome)
    app = program(tmp_path / "Applications" / "Google Chrome.app" / "Contents" / "MacOS" / "Google Chrome")
    assert find_browser({"HOME": str(tmp_path)}, str(edge.parent), "darwin") == str(app)
    with pytest.raises(NotInstalled, match="no browser was found") as error:
        find_browser({}, str(tmp_path), "linux")
    assert "ASTER_BROWSER" in error.value.hint


def server(environment: dict[str, str], path: Path, directory: Path) -> ServerProgram:
    return asyncio.run(find_server(environment, {"PATH": str(path)}, directory))


def test_an_installed_server_is_preferred_to_npx(tmp_path: Path) -> None:
    node, npx = program(tmp_path / "node", "echo v20.1.0"), program(tmp_path / "npx")
    own = tmp_path / "browser"
    assert server({}, tmp_path, own) == ServerProgram(
        (str(npx), "--yes", "--prefix", str(own), f"{PACKAGE}@{VERSION}"), True
    )
    script = program(own / "node_modules" / PACKAGE / "cli.js")
    assert server({}, tmp_path, own) == ServerProgram((str(node), str(script)), False)
    other = program(tmp_path / "other" / "node_modules" / PACKAGE / "cli.js")
    for value in (other, tmp_path / "other"):
        assert server({"ASTER_BROWSER_MCP": str(value)}, tmp_path, own).command == (str(node), str(other))
    for wrong in ("cli.js", str(tmp_path), str(node)):
        with pytest.raises(NotInstalled, match="ASTER_BROWSER_MCP is set to"):
            server({"ASTER_BROWSER_MCP": wrong}, tmp_path, own)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo v18.20.1", "Node 18 is too old"),
        ("echo hello", "does not say which version"),
        ("exit 1", "does not say which version"),
        (None, "Node is not installed"),
        ("echo v22.0.0", "npx, which downloads"),
    ],
)
def test_what_is_missing_is_named(script: str | None, expected: str, tmp_path: Path) -> None:
    if script is not None:
        program(tmp_path / "node", script)
    with pytest.raises(NotInstalled, match=expected) as error:
        server({}, tmp_path, tmp_path / "browser")
    assert error.value.hint


# -- the command and the settings --------------------------------------------------------------------------------------


def launched(tmp_path: Path, **choices: Any) -> tuple[Any, dict[str, Any]]:
    launch = prepare(
        Choices(tmp_path / "out", **choices),
        browser="/usr/bin/chromium",
        server=ServerProgram(("npx", "package"), True),
        proxy=PROXY,
        directory=tmp_path / "data" / "browser",
        environment={"DISPLAY": ":0", "XAUTHORITY": "/run/x", "PLAYWRIGHT_MCP_CAPS": "devtools", "SECRET": "1"},
        platform="linux",
    )
    return launch, json.loads(Path(launch.command[-1]).read_text("utf-8"))


def test_the_settings_keep_the_browser_to_the_proxy_and_its_directories(tmp_path: Path) -> None:
    launch, settings = launched(tmp_path)
    data = tmp_path / "data" / "browser"
    assert launch.command == ("npx", "package", "--config", str(data / "settings.json"))
    assert launch.cwd == tmp_path / "out"
    assert launch.cwd.is_dir()
    assert launch.env == {"XAUTHORITY": "/run/x", "PLAYWRIGHT_MCP_CAPS": "", "NPM_CONFIG_IGNORE_SCRIPTS": "true"}
    assert settings["browser"]["userDataDir"] == str(data / PROFILE)
    options = settings["browser"]["launchOptions"]
    assert options["proxy"] == {
        "server": PROXY[0],
        "username": PROXY[1],
        "password": PROXY[2],
        "bypass": "<-loopback>",
    }
    assert options["headless"] is launch.headless is False
    assert options["chromiumSandbox"] is (launch.unsandboxed is None) is (why_unsandboxed("linux") is None)
    assert settings["allowUnrestrictedFileAccess"] is False
    assert settings["webmcp"] is False
    assert "idle" not in settings["timeouts"]


def test_only_this_user_can_read_the_settings_and_the_profile(tmp_path: Path) -> None:
    place = tmp_path / "data" / "browser" / "settings.json"
    place.parent.mkdir(parents=True)
    place.write_text("old")
    place.chmod(0o644)
    launched(tmp_path)
    assert place.stat().st_mode & 0o777 == 0o600
    assert (place.parent / PROFILE).stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in place.parent.iterdir()) == [PROFILE, "settings.json"]


def test_an_isolated_browser_without_windows(tmp_path: Path) -> None:
    launch, settings = launched(tmp_path, isolated=True, headless=True)
    assert launch.headless
    assert settings["browser"]["isolated"] is True
    assert "userDataDir" not in settings["browser"]
    assert not (tmp_path / "data" / "browser" / PROFILE).exists()
    assert settings["timeouts"]["idle"] > 0


def test_whether_there_is_a_display() -> None:
    assert has_display({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    assert not has_display({"DISPLAY": ""}, "linux")
    assert has_display({}, "darwin")


def test_the_lock_of_a_browser_that_was_killed_is_removed(tmp_path: Path) -> None:
    lock = tmp_path / "SingletonLock"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for target in (f"host-{gone.pid}", f"host-{os.getpid()}", "host", "host-9999999999999"):
        lock.symlink_to(target)
        release(tmp_path)
        assert not lock.is_symlink()
    release(tmp_path)


def test_the_lock_of_a_browser_that_runs_stays(tmp_path: Path) -> None:
    lock = tmp_path / "SingletonLock"
    script = program(tmp_path / "chromium", "echo; read line")
    running = subprocess.Popen([script, ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert running.stdout is not None
        running.stdout.readline()  # the system gives a process its name a moment after Popen returned
        lock.symlink_to(f"my-host-{running.pid}")
        release(tmp_path)
        assert lock.is_symlink()
    finally:
        running.communicate()
