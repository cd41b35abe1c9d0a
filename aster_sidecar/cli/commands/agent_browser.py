"""The command `browser`: shows the agent's browser of the running daemon, turns it on or off, or changes it."""

from __future__ import annotations

import argparse
from typing import Any

from aster_sidecar.cli.commands.running import Failed, needed
from aster_sidecar.cli.console import cell, print_json, print_line

PATH = "/api/browser"


def run_browser(given: argparse.Namespace) -> int:
    """Run one verb; returns the exit code. Raises: Failed, ClientError."""
    client = needed(given)
    match given.verb or "status":
        case "enable":
            before = client.call("GET", PATH)
            if before["problem"]:
                raise Failed(before["problem"], before["hint"])
            info = client.call("POST", PATH, {"enabled": True, **changes(given, before["allow"])})
        case "disable":
            info = client.call("POST", PATH, {"enabled": False})
        case _:
            info = client.call("GET", PATH)
    print_json(info) if given.json else print_info(info)
    return 0


def changes(given: argparse.Namespace, allowed: list[str]) -> dict[str, Any]:
    """The settings that options change."""
    found: dict[str, Any] = {}
    if given.allow or given.disallow:
        kept = [host for host in allowed if host not in given.disallow]
        found["allow"] = list(dict.fromkeys([*kept, *given.allow])) or None
    if given.windows is not None:
        found["headless"] = not given.windows
    if given.isolated is not None:
        found["isolated"] = given.isolated
    return found


def print_info(info: dict[str, Any]) -> None:
    """Print the browser's settings and state."""
    server = info["server"]
    rows = {
        "browser": f"on: {server['state']}" if server else "on" if info["enabled"] else "off",
        "program": info["program"] or "none",
        "may open": ", ".join(["public addresses", *info["allow"]]),
        "windows": {None: "if there is a display", True: "no", False: "yes"}[info["headless"]],
        "logins": "forgotten when it ends" if info["isolated"] else "kept in the data directory",
        "downloads": info["downloads"],
    }
    for name, value in rows.items():
        print_line(f"{name:<10} {cell(value)}")
    problem, hint = info["problem"], info["hint"]
    if not problem and server and server["error"]:
        problem, hint = server["error"], server["hint"]
    for words in (problem, hint, info["unsandboxed"] and f"its own sandbox is off: {info['unsandboxed']}"):
        if words:
            print_line(cell(words))
    for sentence in info["refused"]:
        print_line(f"refused: {cell(sentence)}")
