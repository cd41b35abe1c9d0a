"""Checks of the MCP servers: as the running daemon knows them or, without a daemon, what a start would lack."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.config.toml_file import read_file
from aster_sidecar.daemon.client import Client, ClientError, Running, path_part
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.mcp.config import BrokenSpec, ServerSpec, listed_servers
from aster_sidecar.tools.mcp.references import resolved
from aster_sidecar.tools.mcp.transports import program_path

NAME = "mcp servers"
START_S = 3.0
"""How long a server that is being started may take before the doctor reports it."""
BRIEF = 0.2


def mcp_servers(config_path: Path, running: Running | None) -> Iterator[Check]:
    """All servers in one check, and then a check for each server that is not as it should be."""
    if running is not None:
        yield from of_daemon(Client(running.url, os.environ.get("ASTER_SIDECAR_TOKEN")))
    else:
        yield from of_file(config_path)


# -- with a daemon -----------------------------------------------------------------------------------------------------


def of_daemon(client: Client) -> Iterator[Check]:
    """The servers of the running daemon. It starts those that it needs for the next turn anyway.

    The agent's browser has a check of its own.
    """
    try:
        servers = [one for one in settled(client) if not one["managed"]]
        if not servers:
            yield Check(NAME, "skipped", "none")
            return
        yield Check(NAME, "ok", ", ".join(f"{one['name']}: {words_of(one)}" for one in servers))
        for one in servers:
            yield from troubles(client, one)
    except ClientError as error:
        yield Check(NAME, "skipped", error.message)


def settled(client: Client) -> list[dict[str, Any]]:
    """The servers, as soon as none is being started, and at the latest after `START_S`. Raises: ClientError."""
    deadline = time.monotonic() + START_S
    while True:
        servers: list[dict[str, Any]] = client.call("GET", "/api/mcp")
        if time.monotonic() > deadline or not any(one["state"] in ("idle", "starting") for one in servers):
            return servers
        time.sleep(BRIEF)


def words_of(server: dict[str, Any]) -> str:
    """The state of a server."""
    if server["state"] != "ready":
        return "turned off" if server["state"] == "disabled" else server["state"]
    return f"ready ({server['tools']} {'tool' if server['tools'] == 1 else 'tools'})"


def troubles(client: Client, server: dict[str, Any]) -> Iterator[Check]:
    """What keeps tools of a server from being used without a question. Raises: ClientError."""
    name = server["name"]
    check, logs = f"mcp server {name}", f"aster-sidecar mcp logs {name} shows its output"
    if server["state"] in ("idle", "starting"):
        yield Check(check, "warning", f"it has not answered within {START_S:g} s", logs)
    elif server["error"]:
        yield Check(check, "warning", f"{words_of(server)}: {server['error']}", server["hint"] or logs)
    yield from tool_troubles(client, server, check)


def tool_troubles(client: Client, server: dict[str, Any], check: str) -> Iterator[Check]:
    """Tools of a server that are not offered, or whose next call asks. `check`: the name of the checks.

    Raises: ClientError.
    """
    name = server["name"]
    if server["problems"]:
        detail = f"some of its tools are not offered: {'; '.join(server['problems'])}"
        yield Check(check, "warning", detail, f"aster-sidecar mcp show {name} lists its tools")
    if server["changed_tools"]:
        tools = client.call("GET", f"/api/mcp/{path_part(name)}")["tool_list"]
        changed = ", ".join(tool["tool"] for tool in tools if tool["changed"])
        detail = f"definitions of tools have changed since they were accepted: {changed}"
        yield Check(check, "warning", detail, "the next call of each asks and shows the difference")


# -- without a daemon --------------------------------------------------------------------------------------------------


def of_file(config_path: Path) -> Iterator[Check]:
    """The servers of config.toml: which there are, and what each would lack. None is started."""
    try:
        tables: Any = read_file(config_path).get("mcp", {})
        specs = listed_servers(tables) if isinstance(tables, dict) else None  # pyright: ignore[reportUnknownArgumentType]
    except ConfigInvalid:
        specs = None
    if specs is None:
        yield Check(NAME, "skipped", "config.toml can't be read")
        return
    if specs == []:
        yield Check(NAME, "skipped", "none")
        return
    names = ", ".join(spec.name if spec.enabled else f"{spec.name} (turned off)" for spec in specs)
    yield Check(NAME, "skipped", f"{names}: no daemon is running that could have started them")
    for spec in specs:
        if isinstance(spec, BrokenSpec):
            remedy = f"{spec.fault.hint}; change [mcp.{spec.name}] in {config_path}"
            yield Check(f"mcp server {spec.name}", "warning", spec.fault.message, remedy)
        elif spec.enabled and (lacks := lacking(spec, os.environ)):
            remedy = f"install or set what is missing, or change [mcp.{spec.name}] in {config_path}"
            yield Check(f"mcp server {spec.name}", "warning", lacks, remedy)


def lacking(spec: ServerSpec, environ: Mapping[str, str]) -> str:
    """What a server lacks that this environment would have to have: its program, and variables."""
    found: list[str] = []
    if spec.command is not None:
        try:
            path = program_path(spec, environ.get("PATH", os.defpath))
            if not os.access(os.path.join(spec.cwd or os.getcwd(), path), os.X_OK):
                found.append(f"{path} is not a program that this user may run")
        except ToolError as error:
            found.append(str(error))
    try:
        resolved(spec, environ, lambda _: "1")  # whether a secret is saved is not asked: a keychain may ask the person
    except ToolError as error:
        found.append(str(error).removeprefix(f"{spec.name}: "))
    return "; ".join(found)
