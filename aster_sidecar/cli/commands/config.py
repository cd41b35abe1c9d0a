"""The commands `config` and `paths`."""

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
            print("no daemon runs: one that is started here would have these", file=sys.stderr)
    return 0


def config_view(given: argparse.Namespace, client: Client | None) -> dict[str, Any]:
    """A `ConfigView`: of the running daemon, or as one would have it."""
    if client is not None:
        return client.call("GET", "/api/config")
    return config_of(places_of(given)).view({}).model_dump()


def checked(key: str, text: str) -> Any:
    """A setting's value from its text. Raises: ConfigInvalid."""
    if key == "work_dir":
        text = str(absolute(Path(text)))
    return validated({key: text}, "command line")[key]


def change_config(given: argparse.Namespace, client: Client | None, value: Any) -> int:
    """Set a key, or with None take it back, for now (if a daemon runs) and for the next start."""
    key, path = given.key, places_of(given).config_path
    if client is not None:
        now = client.call("POST", "/api/config", {key: value})["values"][key]
        when = "holds now, and is kept in"
    else:
        config_of(places_of(given))  # a file that is wrong already is said now, not at the next start
        write_file(path, {key: value})
        now = config_of(places_of(given)).sourced(key).model_dump()
        when = "is kept in"
    if given.json:
        print_json({"key": key, **now})
        return 0
    print(f"{key} = {cell(now['value'])} ({now['source']})")
    if value is None:
        print(f"{key} is no longer in {cell(path)}", file=sys.stderr)
    elif now["source"] in ("api", "file"):
        print(f"{when} {cell(path)}", file=sys.stderr)
    else:
        print(f"kept in {cell(path)}, but the {now['source']} wins over it", file=sys.stderr)
    return 0


def run_paths(given: argparse.Namespace) -> int:
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
        print_table(("what", "there", "path"), [(name, path.exists(), path) for name, path in shown.items()])
    return 0
