"""The command, the environment and the settings file with which the agent's browser is started.

The browser is started by `@playwright/mcp`. Its settings see to it that

- every connection goes through our proxy (`proxy.py`): also those to this machine (`<-loopback>`), no UDP (QUIC,
  WebRTC), and no name is resolved by the browser itself;
- files are read and written in the output directory only. It is also the working directory, which the server takes for
  its workspace as long as we name no roots to it;
- it has no `file:` addresses, and no tools that a page offers itself (WebMCP).
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aster_sidecar.services.process_facts import name_of
from aster_sidecar.tools.browser.programs import ServerProgram

ARGUMENTS = (
    "--disable-quic",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    # The proxy resolves all names. Without this, a feature that forgets the proxy would reach this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
ACTION_S, NAVIGATION_S, IDLE_S = 10, 45, 1800
"""How long an action and a navigation may take, and after which time without a call a browser without windows ends."""

PROFILE, SETTINGS = "profile", "settings.json"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person chooses. `headless`: without windows; None: where there is no display.

    `isolated`: the profile is kept in memory and forgotten. Otherwise cookies and logins are kept in the data
    directory. `output_dir`: absolute; downloads and screenshots are saved there, and files for uploads are read there
    (`exchange.py`).
    """

    output_dir: Path
    isolated: bool = False
    headless: bool | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """How the server is started. `env` is added to the environment of commands.

    `unsandboxed`: why the browser's own sandbox is off; None when it is on.
    """

    command: tuple[str, ...]
    env: dict[str, str]
    cwd: Path
    headless: bool
    unsandboxed: str | None


def prepare(
    choices: Choices,
    *,
    browser: str,
    server: ServerProgram,
    proxy: tuple[str, str, str],
    directory: Path,
    environment: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
) -> Launch:
    """Write the settings file for one start, and say how to start.

    `proxy`: its URL, user name and password. `directory`: the browser's own in the data directory; it must be absolute,
    and no tool may write in it. `environment` is the daemon's. Raises: OSError.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    choices.output_dir.mkdir(parents=True, exist_ok=True)
    headless = choices.headless if choices.headless is not None else not has_display(environment, platform)
    unsandboxed = why_unsandboxed(platform)
    if not choices.isolated:
        (directory / PROFILE).mkdir(mode=0o700, exist_ok=True)
        release(directory / PROFILE)
    settings = directory / SETTINGS
    text = json.dumps(
        settings_of(choices, browser, proxy, directory / PROFILE, headless=headless, sandbox=unsandboxed is None),
        indent=1,
    )
    _write_private(settings, text)
    # The server's own variables would override the settings.
    env = {name: "" for name in environment if name.upper().startswith("PLAYWRIGHT_")}
    if environment.get("XAUTHORITY"):
        env["XAUTHORITY"] = environment["XAUTHORITY"]
    if server.downloads:
        env["NPM_CONFIG_IGNORE_SCRIPTS"] = "true"
    return Launch((*server.command, "--config", str(settings)), env, choices.output_dir, headless, unsandboxed)


def settings_of(
    choices: Choices, browser: str, proxy: tuple[str, str, str], profile: Path, *, headless: bool, sandbox: bool
) -> dict[str, Any]:
    """The settings of `@playwright/mcp`. Source: its config.d.ts."""
    url, user, password = proxy
    kept = {"isolated": True} if choices.isolated else {"isolated": False, "userDataDir": str(profile)}
    timeouts = {"action": ACTION_S * 1000, "navigation": NAVIGATION_S * 1000}
    return {
        "browser": {
            "browserName": "chromium",
            **kept,
            "launchOptions": {
                "executablePath": browser,
                "headless": headless,
                "chromiumSandbox": sandbox,
                "proxy": {"server": url, "username": user, "password": password, "bypass": "<-loopback>"},
                "args": list(ARGUMENTS),
            },
        },
        "outputDir": str(choices.output_dir),
        "allowUnrestrictedFileAccess": False,
        "imageResponses": "allow",
        "filePaths": "absolute",
        "codegen": "none",
        "webmcp": False,
        "saveSession": False,
        "snapshot": {"mode": "none"},  # else each action writes one into a file; `browser_snapshot` returns it
        "timeouts": timeouts | ({"idle": IDLE_S * 1000} if headless else {}),
    }


def has_display(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a window can be shown."""
    if platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def why_unsandboxed(platform: str = sys.platform) -> str | None:
    """Why the browser's own sandbox has to be off; None when it can be on."""
    if platform == "linux" and os.geteuid() == 0:
        return "the daemon runs as root, and Chromium's sandbox does not work as root"
    return None


def release(profile: Path) -> None:
    """Remove the lock of a browser that was killed. Its pid may be that of another program by now.

    The lock of a browser that still runs stays.
    """
    lock = profile / "SingletonLock"  # a link to HOST-PID; on Windows the lock ends with the browser
    with suppress(OSError):
        pid = os.readlink(lock).rpartition("-")[2]
        name = name_of(int(pid)) if pid.isascii() and pid.isdigit() else ""
        if not re.search("chrom|edge|brave", name, re.IGNORECASE):
            lock.unlink()


def _write_private(path: Path, text: str) -> None:
    """Replace a file; only this user can read it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(fresh, path)
