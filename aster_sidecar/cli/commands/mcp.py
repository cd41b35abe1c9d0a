"""The command `mcp`: lists, adds, tries, changes, imports and removes MCP servers of the running daemon."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from aster_sidecar.cli.commands import mcp_views as views
from aster_sidecar.cli.commands.mcp_import import run_import
from aster_sidecar.cli.commands.mcp_settings import (
    BadSettings,
    check_name,
    settings,
    tool_changes,
    whole_spec,
    with_secrets,
)
from aster_sidecar.cli.commands.running import Failed, needed
from aster_sidecar.cli.console import cell, on_terminal, print_error, print_json, print_line
from aster_sidecar.cli.exit_codes import EXIT_FAILED, EXIT_USAGE
from aster_sidecar.daemon.client import Client, path_part

SERVERS = "/api/mcp"
TRY_S = 90.0
"""Read timeout of a try: it takes at most 50 s, after the end of an earlier one."""
FOLLOW_S = 0.5
LINES_MOST = 400
"""How many lines of a log the daemon keeps."""


def run_mcp(given: argparse.Namespace) -> int:
    """Run one verb; returns the exit code. Raises: Failed, ClientError."""
    try:
        return run_verb(given)
    except BadSettings as error:
        print_error(error.message, error.hint)
        return EXIT_USAGE


def run_verb(given: argparse.Namespace) -> int:
    """Run one verb; returns the exit code. Raises: BadSettings, Failed, ClientError."""
    if hasattr(given, "name"):
        check_name(given.name)
    match given.verb or "list":
        case "show":
            server = needed(given).call("GET", path_of(given.name))
            print_json(server) if given.json else views.print_server(server)
        case "add":
            return add(given)
        case "try":
            return try_out(given)
        case "change":
            change(given)
        case "enable" | "disable" as verb:
            enabled = None if verb == "enable" else False
            report(given, f"{verb}d", needed(given).call("PATCH", path_of(given.name), {"enabled": enabled}))
        case "restart":
            server = needed(given).call("POST", f"{path_of(given.name)}/restart")
            if not server["enabled"]:
                raise Failed(f"{given.name} is turned off", f"aster-sidecar mcp enable {given.name} starts it")
            print_json(server) if given.json else print_line(f"restarting {cell(server['name'])}")
        case "remove":
            remove(given)
        case "logs":
            show_logs(given)
        case "import":
            run_import(given)
        case _:
            show_servers(given, needed(given).call("GET", SERVERS))
    return 0


def path_of(name: str) -> str:
    """The path of a server in the API."""
    return f"{SERVERS}/{path_part(name)}"


def show_servers(given: argparse.Namespace, servers: list[dict[str, Any]]) -> None:
    """Print servers, in the order of config.toml."""
    if given.json:
        print_json(servers)
    elif servers:
        views.print_servers(servers)
    else:
        print("no MCP servers; aster-sidecar mcp add --help says how to add one", file=sys.stderr)


def report(given: argparse.Namespace, done: str, server: dict[str, Any]) -> None:
    """Print what was done to a server, and its state."""
    if given.json:
        print_json(server)
    else:
        print_line(f"{done} {cell(server['name'])}: {cell(server['state'])}")


# -- add and try -------------------------------------------------------------------------------------------------------


def add(given: argparse.Namespace) -> int:
    """Try a server, and save it if it answers; returns the exit code. Raises: BadSettings, Failed, ClientError."""
    path, spec = path_of(given.name), whole_spec(given)
    client = needed(given)
    if not given.replace and any(one["name"] == given.name for one in client.call("GET", SERVERS)):
        hint = f"aster-sidecar mcp change {given.name} changes settings of it; --replace replaces all of them"
        raise Failed(f"there is an MCP server {given.name} already", hint)
    spec = with_secrets(spec, given)
    tried: dict[str, Any] | None = None
    if not given.no_try:
        tried = tried_out(client, given.name, spec)
        if not tried["ok"]:
            hint = "nothing was saved; --no-try saves it all the same"
            print_error(tried["error"], f"{tried['hint']}\n  {hint}" if tried["hint"] else hint)
            return EXIT_FAILED
    server = client.call("PUT", path, spec)
    if given.json:
        print_json(server)
        return 0
    if tried is not None:
        views.print_tried(tried)
    print_line(f"added {cell(server['name'])}")
    return 0


def try_out(given: argparse.Namespace) -> int:
    """Try a server, and print what it answers; returns the exit code. Raises: BadSettings, Failed, ClientError."""
    spec, client = whole_spec(given), needed(given)
    answer = tried_out(client, given.name, with_secrets(spec, given))
    if given.json:
        print_json(answer)
    elif answer["ok"]:
        views.print_tried(answer)
    else:
        print_error(answer["error"], answer["hint"])
    return 0 if answer["ok"] else EXIT_FAILED


def tried_out(client: Client, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """What a server with these settings answers, an `McpTryAnswer`. Raises: ClientError."""
    return client.call("POST", f"{SERVERS}/try", {"name": name, **spec}, timeout_s=TRY_S)


# -- change and remove -------------------------------------------------------------------------------------------------


def change(given: argparse.Namespace) -> None:
    """Change settings of a server. Raises: BadSettings, Failed, ClientError."""
    path, patch = path_of(given.name), settings(given, changing=True)
    for key, names in (("env", given.unset_env), ("headers", given.unset_header)):
        if names:
            patch[key] = {**patch.get(key, {}), **dict.fromkeys(names)}
    tools = bool(given.enable_tool or given.disable_tool)
    if not (patch or tools or given.secret_env or given.secret_header):
        raise BadSettings("nothing to change", "pass --disable-tool, --risk, --agent or another setting")
    client = needed(given)
    if tools:
        server = client.call("GET", path)
        known = {name: one["tool"] for one in server["tool_list"] for name in (one["name"], one["tool"]) if name}
        known |= {name: name for name in (*server["config"]["disabled_tools"], *(server["config"]["tools"] or ()))}

        def own_name(typed: str) -> str:
            if typed in known or not server["tool_list"]:
                return known.get(typed, typed)
            listed = ", ".join(one["tool"] for one in server["tool_list"])
            raise Failed(f"{given.name} has no tool {typed[:100]!r}", f"it has {listed}")

        patch |= tool_changes(server["config"], own_name, given.enable_tool, given.disable_tool)
    report(given, "changed", client.call("PATCH", path, with_secrets(patch, given)))


def remove(given: argparse.Namespace) -> None:
    """Remove a server, on a terminal after a question. Raises: Failed, ClientError."""
    path, client = path_of(given.name), needed(given)
    if not given.yes and on_terminal() and sys.stdin.isatty():
        client.call("GET", path)  # a wrong name is reported before the question
        answer = input(f"remove {given.name} with its settings and secrets? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise Failed("nothing was removed")
    gone = client.call("DELETE", path)
    print_json(gone) if given.json else print_line(f"removed {cell(gone['name'])}")


# -- logs --------------------------------------------------------------------------------------------------------------


def show_logs(given: argparse.Namespace) -> None:
    """Print the newest lines that a server wrote; with --follow also those that follow, until Ctrl-C.

    Raises: BadSettings, ClientError.
    """
    if not 1 <= given.limit <= LINES_MOST:
        raise BadSettings(f"--limit {given.limit}: not possible", f"the newest {LINES_MOST} lines are kept")
    path, client = f"{path_of(given.name)}/logs", needed(given)
    page = client.call("GET", path, limit=given.limit)
    if given.json and not given.follow:
        print_json(page)
        return
    last = ("", 0)
    while True:
        for entry in page["entries"]:
            # A server whose program changes has a new log, which counts from the beginning: so the time comes first.
            if (place := (entry["time"], entry["seq"])) > last:
                last = place
                print_json(entry, indent=None) if given.json else views.print_log_line(entry)
        if not given.follow:
            return
        sys.stdout.flush()
        time.sleep(FOLLOW_S)
        page = client.call("GET", path, limit=LINES_MOST)
