"""Which programs the agent's browser needs on this machine: a browser of the Chromium family, Node and its server."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aster_sidecar.services.process_tree import finished

PACKAGE = "@playwright/mcp"
VERSION = "0.0.83"
"""The version of the package that npx downloads: the one whose tools `risks.py` describes."""
NODE_MAJOR = 20
ASK_S = 10.0

BROWSER_VARIABLE = "ASTER_BROWSER"
"""The path of the browser to use, in the daemon's environment."""
SERVER_VARIABLE = "ASTER_BROWSER_MCP"
"""An installed `@playwright/mcp`: its cli.js, or a directory with a `node_modules` that has it."""

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
    "brave-browser",
    "brave",
)
_MACOS = ("Google Chrome", "Chromium", "Microsoft Edge", "Brave Browser")
_WINDOWS = (
    r"Google\Chrome\Application\chrome.exe",
    r"Chromium\Application\chrome.exe",
    r"Microsoft\Edge\Application\msedge.exe",
    r"BraveSoftware\Brave-Browser\Application\brave.exe",
)


class NotInstalled(Exception):
    """A program is missing. `str(error)` says which one, `hint` what a person can do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


# -- the browser -------------------------------------------------------------------------------------------------------


def find_browser(environment: Mapping[str, str], path: str, platform: str = sys.platform) -> str:
    """The absolute path of the browser: the one in `ASTER_BROWSER`, on the PATH, or in its usual place.

    Raises: NotInstalled.
    """
    if chosen := environment.get(BROWSER_VARIABLE):
        if os.path.isabs(chosen) and is_program(chosen):
            return chosen
        raise NotInstalled(
            f"{BROWSER_VARIABLE} is set to {chosen[:200]}, which is not the absolute path of a program",
            f"set {BROWSER_VARIABLE} to the path of Chromium, Chrome, Edge or Brave, or unset it",
        )
    places = [place for name in _NAMES if (place := shutil.which(name, path=path))]
    places.sort(key=lambda place: "/snap/" in place)  # last: a snap can't use a profile in a hidden directory
    if platform == "darwin":
        roots = ("/Applications", os.path.join(environment.get("HOME", ""), "Applications"))
        # First the usual places: on macOS a program of this name on the PATH is mostly a script.
        places = [f"{root}/{name}.app/Contents/MacOS/{name}" for name in _MACOS for root in roots] + places
    elif platform == "win32":
        names = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        roots = tuple(environment[name] for name in names if environment.get(name))
        places += [rf"{root}\{program}" for program in _WINDOWS for root in roots]
    for place in places:
        if is_program(place):
            return os.path.abspath(place)
    raise NotInstalled(
        "no browser was found: neither Chromium, Chrome, Edge nor Brave",
        f"install one of them, or set {BROWSER_VARIABLE} to its path",
    )


def is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


# -- Node and the server -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """How `@playwright/mcp` is started: the command, without the server's own arguments.

    `downloads`: npx downloads the package at the first start.
    """

    command: tuple[str, ...]
    downloads: bool


async def find_server(
    environment: Mapping[str, str], command_environment: Mapping[str, str], directory: Path
) -> ServerProgram:
    """An installed server, or npx with the pinned version of the package. Raises: NotInstalled.

    `environment` is the daemon's; `command_environment` is that of programs, with their PATH. `directory` belongs to
    the daemon, and may have an installed package: npx must not take its settings or a package from another directory.
    """
    path = command_environment.get("PATH", os.defpath)
    node = shutil.which("node", path=path)
    hint = f"install Node {NODE_MAJOR} or newer (https://nodejs.org)"
    if node is None:
        raise NotInstalled("Node is not installed, or not on the PATH of commands", hint)
    version = await _node_version(node, command_environment)
    if version is None:
        raise NotInstalled(f"{node} does not say which version of Node it is", hint)
    if version < NODE_MAJOR:
        raise NotInstalled(f"Node {version} is too old for the browser", hint)
    if script := _installed(environment, directory):
        return ServerProgram((node, str(script)), False)
    npx = shutil.which("npx", path=path)
    if npx is None:
        raise NotInstalled(
            f"npx, which downloads {PACKAGE}, is not on the PATH of commands",
            f"install npm, or set {SERVER_VARIABLE} to the path of an installed {PACKAGE}",
        )
    return ServerProgram((npx, "--yes", "--prefix", str(directory), f"{PACKAGE}@{VERSION}"), True)


def _installed(environment: Mapping[str, str], directory: Path) -> Path | None:
    """The server's script. Raises: NotInstalled when the variable names none."""
    within = Path("node_modules", *PACKAGE.split("/"), "cli.js")
    chosen = environment.get(SERVER_VARIABLE)
    if not chosen:
        return directory / within if (directory / within).is_file() else None
    for script in (Path(chosen), Path(chosen, within)):
        if script.is_absolute() and script.suffix == ".js" and script.is_file():
            return script
    raise NotInstalled(
        f"{SERVER_VARIABLE} is set to {chosen[:200]}, which is not an installed {PACKAGE}",
        f"set {SERVER_VARIABLE} to the absolute path of its cli.js, or of a directory with its node_modules",
    )


async def _node_version(node: str, environment: Mapping[str, str]) -> int | None:
    """The first number of Node's version; None when it does not say."""
    try:
        process, cancelled = await finished(
            asyncio.create_subprocess_exec(
                node,
                "--version",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        )
    except OSError:
        return None
    try:
        if cancelled:
            raise asyncio.CancelledError
        async with asyncio.timeout(ASK_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = re.fullmatch(rb"v(\d{1,4})\.\d+\.\d+\S*\s*", output)
    return int(found[1]) if found else None
