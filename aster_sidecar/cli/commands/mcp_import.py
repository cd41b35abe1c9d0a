"""The verb `mcp import`: MCP servers in the files of other apps."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from aster_sidecar.cli.commands import mcp_views as views
from aster_sidecar.cli.commands.mcp_settings import NAME, BadSettings, secret
from aster_sidecar.cli.commands.running import Failed, needed
from aster_sidecar.cli.console import cell, print_json, print_line
from aster_sidecar.cli.serve_args import absolute

Source = dict[str, Any]
Candidate = dict[str, Any]


def run_import(given: argparse.Namespace) -> None:
    """List what was found, or add some of it. Raises: BadSettings, Failed, ClientError."""
    path, names = file_and_names(given.words)
    if names and given.all:
        raise BadSettings("--all takes no names", "leave out one of them")
    client = needed(given)
    sources: list[Source] = client.call("POST", "/api/mcp/sources", {"path": path} if path is not None else {})
    if not (names or given.all):
        show(given, sources)
        return
    chosen = all_of(sources, replace=given.replace) if given.all else named(sources, names, replace=given.replace)
    values = {
        one["name"]: {need["name"]: {"secret": secret(asked(one, need))} for need in one["needs"]}
        for _, one in chosen
        if one["needs"]
    }
    added: list[dict[str, Any]] = []
    for source in sources:
        of_file = [one["name"] for at, one in chosen if at is source]
        if of_file:
            body = {
                "path": source["path"],
                "names": of_file,
                "values": {name: values[name] for name in of_file if name in values},
            }
            servers: list[dict[str, Any]] = client.call("POST", "/api/mcp/import", body)["servers"]
            added += servers
            for server in servers:
                if not given.json:
                    print_line(f"added {cell(server['name'])}: {cell(server['state'])}")
    if given.json:
        print_json(added)
    elif not added:
        print("nothing to add", file=sys.stderr)


def file_and_names(words: list[str]) -> tuple[str | None, list[str]]:
    """The absolute path of a file, if the first word is one, and the names. Raises: BadSettings."""
    path: str | None = None
    if words and not NAME.fullmatch(words[0]):
        path, words = str(absolute(Path(words[0]))), words[1:]
    for name in words:
        if not NAME.fullmatch(name):
            raise BadSettings(
                f"NAME: {name[:100]!r} is not the name of a server", "aster-sidecar mcp import lists them"
            )
    return path, words


def show(given: argparse.Namespace, sources: list[Source]) -> None:
    """Print what was found."""
    if given.json:
        print_json(sources)
    elif sources:
        views.print_sources(sources)
        print("aster-sidecar mcp import NAME adds one of them, --all all that are not there yet", file=sys.stderr)
    else:
        print("no other app has MCP servers; aster-sidecar mcp import PATH looks into a file", file=sys.stderr)


def asked(candidate: Candidate, need: dict[str, Any]) -> str:
    """The question for a value that a server needs."""
    return f"{candidate['name']}, {need['description'] or need['name']}"


def named(sources: list[Source], names: list[str], *, replace: bool) -> list[tuple[Source, Candidate]]:
    """The servers with these names, each with the file in which it was found. Raises: Failed."""
    chosen: list[tuple[Source, Candidate]] = []
    for name in dict.fromkeys(names):
        found = [(source, one) for source in sources for one in source["servers"] if one["name"] == name]
        if not found:
            raise Failed(f"no MCP server {name} was found", "aster-sidecar mcp import lists what was found")
        if len(found) > 1:
            files = ", ".join(source["path"] for source, _ in found)
            raise Failed(f"{name} is in more than one file: {files}", "write the path of one of them before the name")
        [(source, one)] = found
        if not one["importable"]:
            raise Failed(f"{name} can't be added: {'; '.join(one['problems'])}", f"it is in {source['path']}")
        if one["exists"] and not replace:
            raise Failed(f"there is an MCP server {name} already", "--replace replaces all its settings")
        chosen.append((source, one))
    return chosen


def all_of(sources: list[Source], *, replace: bool) -> list[tuple[Source, Candidate]]:
    """The servers that can be added, those of a name once, each with its file; others are named on stderr."""
    chosen: list[tuple[Source, Candidate]] = []
    for source in sources:
        for one in source["servers"]:
            if not one["importable"]:
                why = "; ".join(one["problems"])
            elif one["exists"] and not replace:
                why = "there is an MCP server of this name already"
            elif any(other["name"] == one["name"] for _, other in chosen):
                why = "another file has a server of this name"
            else:
                chosen.append((source, one))
                continue
            print(f"left out {cell(one['name'])} of {cell(source['path'])}: {cell(why)}", file=sys.stderr)
    return chosen
