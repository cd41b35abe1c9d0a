"""The commands `config` and `paths`: settings and their sources, and where files are stored."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from aster_sidecar.cli.commands.running import Failed, daemon, places_of
from aster_sidecar.cli.config_preview import config_of
from aster_sidecar.cli.console import cell, print_error, print_json, print_table
from aster_sidecar.cli.serve_args import absolute
from aster_sidecar.config.places import STORE_NAME
from aster_sidecar.config.settings import validated
from aster_sidecar.config.toml_file import write_file
from aster_sidecar.daemon.client import Client
from aster_sidecar.errors import ConfigInvalid


def run_config(given: argparse.Namespace) -> int:
    """Show or change settings; returns the exit code. Raises: Failed, ClientError, ConfigInvalid."""
    client = daemon(given)
    match given.verb or "show":
        case "set":
            return change_config(given, client, checked(given.key, given.value))
        case "unset":
            return change_config(given, client, None)
        case asked:
            view = config_view(given, client)
            values: dict[str, dict[str, Any]] = view["values"]
    if asked == "get":
        if given.key not in values:
            raise Failed(f"no such setting: {given.key[:100]!r}", f"there are {', '.join(values)}")
        value = values[given.key]
        print_json({"key": given.key, **value}) if given.json else print(cell(value["value"]))
    elif given.json:
        print_json({"running": client is not None, **view})
    else:
        print_table(("key", "value", "source"), [(key, v["value"], v["source"]) for key, v in values.items()])
        for problem in view["problems"]:
            print_error(problem)
        if client is None:
            print("no daemon is running; one that is started here would have these settings", file=sys.stderr)
    return 0


def config_view(given: argparse.Namespace, client: Client | None) -> dict[str, Any]:
    """The `ConfigView` of the running daemon or, without `client`, of one that is started here.

    Raises: ClientError, ConfigInvalid.
    """
    if client is not None:
        return client.call("GET", "/api/config")
    return config_of(places_of(given)).view({}).model_dump()


def checked(key: str, text: str) -> Any:
    """The value of a setting from its text. Raises: ConfigInvalid."""
    if key == "work_dir":
        text = str(absolute(Path(text)))
    return validated({key: text}, "command line")[key]


def change_config(given: argparse.Namespace, client: Client | None, value: Any) -> int:
    """Set a key in config.toml and in the running daemon; None removes it from both.

    Returns the exit code. Raises: ClientError, ConfigInvalid.
    """
    key, path = given.key, places_of(given).config_path
    if client is not None:
        now = client.call("POST", "/api/config", {key: value})["values"][key]
        when = "in effect now, and saved in"
    else:
        config_of(places_of(given))  # raises now if the file is wrong already
        write_file(path, {key: value})
        now = config_of(places_of(given)).sourced(key).model_dump()
        when = "saved in"
    if given.json:
        print_json({"key": key, **now})
        return 0
    print(f"{key} = {cell(now['value'])} ({now['source']})")
    if value is None:
        print(f"{key} is no longer in {cell(path)}", file=sys.stderr)
    elif now["source"] in ("api", "file"):
        print(f"{when} {cell(path)}", file=sys.stderr)
    else:
        print(f"saved in {cell(path)}, but the {now['source']} takes precedence", file=sys.stderr)
    return 0


def run_paths(given: argparse.Namespace) -> int:
    """Show where files are stored and which exist; creates none. Returns the exit code."""
    found = places_of(given)
    shown = {
        "config": found.config_path,
        "data": found.data_dir,
        "store": found.data_dir / STORE_NAME,
        "logs": found.logs_dir,
        "trusted": found.config_dir / "trusted.json",
    }
    try:
        shown["work_dir"] = config_of(places_of(given)).work_dir
    except ConfigInvalid as error:
        print_error(f"the work directory is not known: {error.message}", error.hint)
    if given.json:
        print_json({name: {"path": str(path), "exists": path.exists()} for name, path in shown.items()})
    else:
        print_table(("what", "exists", "path"), [(name, path.exists(), path) for name, path in shown.items()])
    return 0
