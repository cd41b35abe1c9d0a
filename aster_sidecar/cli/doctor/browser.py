"""The check of the agent's browser: as the running daemon knows it or, without a daemon, what a start would lack."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

from aster_sidecar.api.agent_browser import TABLE, name_taken
from aster_sidecar.cli.config_preview import own_environment
from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.cli.doctor.servers import START_S, settled, tool_troubles, words_of
from aster_sidecar.companion.feature_flags import Flags
from aster_sidecar.config.places import Places
from aster_sidecar.config.toml_file import read_file
from aster_sidecar.daemon.client import Client, ClientError, Running
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.services.process_tree import clean_environment
from aster_sidecar.tools.browser.programs import PACKAGE, VERSION, NotInstalled, find_browser, find_server
from aster_sidecar.tools.browser.service import NAME, browser_settings

CHECK = "browser"
LOGS = f"aster-sidecar mcp logs {NAME} shows its output"


def browser(where: Places, running: Running | None) -> Iterator[Check]:
    """Whether the agent's browser is ready, or its programs are here. It is skipped while the browser is off."""
    if running is not None:
        yield from of_daemon(Client(running.url, os.environ.get("ASTER_SIDECAR_TOKEN")))
    else:
        yield of_file(where)


# -- with a daemon -----------------------------------------------------------------------------------------------------


def of_daemon(client: Client) -> Iterator[Check]:
    """The browser of the running daemon, which knows its own environment."""
    try:
        info = client.call("GET", "/api/browser")
        if not info["enabled"]:
            yield Check(CHECK, "skipped", "off")
            return
        if info["problem"]:
            yield Check(CHECK, "warning", info["problem"], info["hint"])
            return
        for server in settled(client):
            if server["managed"]:
                yield state_of(server, info["program"], info["unsandboxed"])
                yield from tool_troubles(client, server, CHECK)
    except ClientError as error:
        yield Check(CHECK, "skipped", error.message)


def state_of(server: dict[str, Any], program: str, unsandboxed: str | None) -> Check:
    """The state of the MCP server that drives the browser."""
    state = server["state"]
    if state in ("idle", "starting"):
        remedy = f"its first start may download {PACKAGE}; {LOGS}"
        return Check(CHECK, "warning", f"it has not answered within {START_S:g} s", remedy)
    if state in ("backoff", "crashed"):
        remedy = f"fix that, and run aster-sidecar mcp restart {NAME}; {LOGS}"
        return Check(CHECK, "warning", f"{state}: {server['error']}", remedy)
    sandbox = f"; its own sandbox is off: {unsandboxed}" if unsandboxed else ""
    return Check(CHECK, "ok", f"{words_of(server)}, with {program}{sandbox}")


# -- without a daemon --------------------------------------------------------------------------------------------------


def of_file(where: Places) -> Check:
    """The browser of config.toml, with the programs of this environment. The browser is not started."""
    try:
        tables = read_file(where.config_path)
    except ConfigInvalid:
        return Check(CHECK, "skipped", "config.toml can't be read")
    try:
        browser_settings(tables.get(TABLE, {}))
        if Flags(where.config_path).value("browser") is not True:
            return Check(CHECK, "skipped", "off")
    except ConfigInvalid as error:  # no daemon would start
        return Check(CHECK, "failed", error.message, error.hint or f"fix {where.config_path}")
    servers: Any = tables.get("mcp", {})
    if isinstance(servers, dict) and NAME in servers:
        taken = name_taken()
        return Check(CHECK, "warning", taken.message, taken.hint)
    environment, commands = own_environment(), clean_environment(os.environ)
    missing: list[NotInstalled] = []
    program, driver = "", ""
    try:
        program = find_browser(environment, commands["PATH"])
    except NotInstalled as error:
        missing.append(error)
    try:
        server = asyncio.run(find_server(environment, commands, where.data_dir.resolve() / "browser"))
        driver = f"{PACKAGE}@{VERSION}, which npx downloads" if server.downloads else server.command[-1]
    except NotInstalled as error:
        missing.append(error)
    if missing:
        lacks, hints = "; ".join(str(error) for error in missing), "; ".join(error.hint for error in missing)
        return Check(CHECK, "warning", lacks, hints)
    return Check(CHECK, "ok", f"on: {program}, driven by {driver}")
