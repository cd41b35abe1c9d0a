"""Checks of the machine and of the Python installation that a daemon would run on."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from aster_sidecar import __version__
from aster_sidecar.cli.console import local_time
from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.config.places import STORE_NAME
from aster_sidecar.daemon.state_file import STATE_NAME
from aster_sidecar.sandbox.sandbox import Sandbox
from aster_sidecar.services import launch
from aster_sidecar.services.login_path import NoAnswer, ask, login_shell

NEEDED = (
    "anthropic",
    "apsw",
    "fastapi",
    "httpx",
    "markdownify",
    "openai",
    "psutil",
    "pydantic",
    "pydantic_ai",
    "socksio",
    "sse_starlette",
    "starlette",
    "tomlkit",
    "uvicorn",
)
"""Libraries that serving imports."""
EARLIEST = 1_762_000_000
"""November 2025, before the first version: a clock that shows an earlier time is wrong."""
AHEAD_S = 300.0
"""Files of the daemon may be this many seconds newer than the clock."""


def python() -> Check:
    """The versions and the system."""
    system = f"{platform.system()} {platform.machine()}"
    return Check("python", "ok", f"Python {platform.python_version()} on {system}, aster-sidecar {__version__}")


def libraries(needed: Iterable[str] = NEEDED) -> Check:
    """Whether the libraries that serving imports are installed; imports none of them."""
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        return Check(
            "libraries", "failed", f"missing: {', '.join(missing)}", "pip install --force-reinstall aster-sidecar"
        )
    return Check("libraries", "ok", "all installed")


def clock(data_dir: Path) -> Check:
    """Whether the clock is later than the first version and than the daemon's files."""
    now = time.time()
    if now < EARLIEST:
        remedy = "set the clock: the certificates of providers look invalid"
        return Check("clock", "failed", f"shows {local_time(now)}", remedy)
    written = [path.stat().st_mtime for path in (data_dir / STORE_NAME, data_dir / STATE_NAME) if path.exists()]
    if written and max(written) > now + AHEAD_S:
        detail = f"shows {local_time(now)}, but the store was written at {local_time(max(written))}"
        return Check("clock", "warning", detail, "set the clock: new messages would look older than earlier ones")
    return Check("clock", "ok", local_time(now))


def sandbox(setting: str) -> Check:
    """Whether commands can run in a sandbox here: `full`, `partial` or `none`, found out by running one.

    `setting`: the value of `sandbox`. It is a warning if commands run as the user.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="aster-doctor-") as files:
            state = asyncio.run(Sandbox(Path(files)).state())
    finally:
        launch.end_all()
    if setting != "off" and state.level == "full":
        return Check("sandbox", "ok", f"{state.level}: {state.why}; sandbox = {setting}")
    if setting == "required":
        remedy = state.remedy or "set sandbox to auto or off"
        return Check("sandbox", "failed", f"{state.level}: {state.why}; no command runs (sandbox = required)", remedy)
    root = sys.platform != "win32" and os.geteuid() == 0
    who = "root, who may do anything" if root else "this user"
    remedy = "read what a question shows before you allow it; keep permission_mode at smart_approve or always_ask"
    first = state.remedy if state.level != "full" else "set sandbox to auto"
    how = "run without one" if setting == "off" or state.level == "none" else "run in it"
    told = f"{state.level}: {state.why}; commands {how}, as {who} (sandbox = {setting})"
    return Check("sandbox", "warning", told, f"{first}; {remedy}" if first is not None else remedy)


def command_path(setting: str, environ: Mapping[str, str]) -> Check:
    """Where commands are looked for: whether the login shell answers in time, or whether the directories exist.

    `setting`: the value of `command_path`.
    """
    name = "command path"
    if setting == "inherit":
        return Check(name, "ok", "the daemon's own PATH")
    if setting not in ("auto", "login"):
        missing = [entry for entry in setting.split(os.pathsep) if not os.path.isdir(entry)]
        if missing:
            return Check(name, "warning", f"no such directory: {', '.join(missing)}", "fix command_path")
        return Check(name, "ok", setting)
    shell = login_shell(environ)
    if shell is None:
        return Check(name, "ok", "the daemon's own PATH: this user has no login shell that could be asked")
    began, found = time.monotonic(), list[str]()
    try:
        asyncio.run(ask(shell, environ, found.append))
    except NoAnswer as error:
        remedy = f"fix the start-up files of {shell}, or set command_path to inherit or to directories"
        return Check(name, "warning", f"{shell} {error}: a daemon that an app starts uses its own PATH", remedy)
    finally:
        launch.end_all()
    return Check(name, "ok", f"{shell} answered in {time.monotonic() - began:.1f} s: {found[0]}")
