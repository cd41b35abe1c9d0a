"""How `mcp` prints servers, tools, lines of a log, and what was found in files of other apps."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from aster_sidecar.cli.console import cell, print_line, print_table
from aster_sidecar.text.repair import cut

STATES = {"ready": "green", "crashed": "bold red", "backoff": "yellow", "disabled": "dim"}
DESCRIPTION_CHARS = 100


def print_servers(servers: list[dict[str, Any]]) -> None:
    """Print servers with their state, and why they are not available."""
    heads = ("name", "state", "tools", "where", "problem")
    rows = [(one["name"], one["state"], one["tools"], one["where"], "; ".join(problems_of(one))) for one in servers]
    print_table(heads, rows)


def problems_of(server: dict[str, Any]) -> list[str]:
    """Why all or some tools of a server are not available, or ask."""
    found = [server["error"]] if server["error"] else []
    if count := server["changed_tools"]:
        found.append(f"{count} {'tool has' if count == 1 else 'tools have'} a changed definition; the next call asks")
    return [*found, *server["problems"]]


def print_server(server: dict[str, Any]) -> None:
    """Print a server with its settings and everything that it offers."""
    state = cell(server["state"])
    print_line((cell(server["name"]), "bold"), ": ", (state, STATES.get(state, "")), about(server))
    for words in problems_of(server):
        print_line(("problem: ", "yellow"), cell(words))
    if server["hint"]:
        print_line(f"hint:    {cell(server['hint'])}")
    print_table(("setting", "value"), setting_rows(server["config"]))
    if server["tool_list"]:
        print()
        print_tools(server["tool_list"])
    if server["prompt_list"]:
        print()
        rows = [(one["name"], ", ".join(map(argument, one["arguments"]))) for one in server["prompt_list"]]
        print_table(("prompt", "arguments"), rows)
    if server["resource_list"]:
        print()
        print_table(("resource", "name"), [(one["uri"], one["name"]) for one in server["resource_list"]])


def about(server: dict[str, Any]) -> str:
    """What a server calls itself, its protocol and its process, after its state."""
    found = [cell(server["implementation"] or "")]
    found += [f"protocol {cell(server['protocol'])}"] if server["protocol"] else []
    found += [f"pid {server['pid']}"] if server.get("pid") else []
    return "".join(f", {words}" for words in found if words)


def setting_rows(config: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """The settings that have a value."""
    for key, value in config.items():
        if isinstance(value, dict):
            for name, text in value.items():  # type: ignore[reportUnknownVariableType]
                yield f"{key} {name}", "(not shown)" if text is None else text
        elif isinstance(value, list):
            if value or key == "roots":
                yield key, " ".join(map(str, value)) or "none"  # type: ignore[reportUnknownArgumentType]
        elif value is not None:
            yield key, value


def argument(one: dict[str, Any]) -> str:
    """An argument of a prompt."""
    return one["name"] if one["required"] else f"[{one['name']}]"


def print_tools(tools: list[dict[str, Any]]) -> None:
    """Print tools: whether they are offered, their risk, and what is wrong with them."""
    rows: list[tuple[Any, ...]] = []
    for one in tools:
        notes = [one["problem"]] if one["problem"] else []
        notes += ["its definition has changed; the next call asks"] if one["changed"] else []
        description = cut(" ".join(one["description"].split()), DESCRIPTION_CHARS)
        rows.append((one["tool"], one["enabled"], one["risk"], "; ".join([*notes, description])))
    print_table(("tool", "on", "risk", "what"), rows)


def print_tried(answer: dict[str, Any]) -> None:
    """Print what a server answered that was tried."""
    count = len(answer["tools"])
    print_line(f"it answers{about(answer)}, {count} {'tool' if count == 1 else 'tools'}")
    if answer["tools"]:
        print_tools(answer["tools"])
    for words in answer["problems"]:
        print(f"not offered: {cell(words)}", file=sys.stderr)


def print_log_line(entry: dict[str, Any]) -> None:
    """Print a line of a server's output."""
    print_line((f"{cell(entry['time'])} ", "dim"), cell(entry["text"]))


def print_sources(sources: list[dict[str, Any]]) -> None:
    """Print the servers that were found in files of other apps."""
    for number, source in enumerate(sources):
        if number:
            print()
        print_line((cell(source["app"]), "bold"), f"  {cell(source['path'])}")
        for problem in source["problems"]:
            print_line(("problem: ", "yellow"), cell(problem))
        if source["servers"]:
            rows = [(one["name"], can(one), one["where"], "; ".join(notes(one))) for one in source["servers"]]
            print_table(("name", "can be added", "where", "notes"), rows)


def can(candidate: dict[str, Any]) -> str:
    """Whether a server that was found can be added."""
    if not candidate["importable"]:
        return "no"
    return "replaces" if candidate["exists"] else "yes"


def notes(candidate: dict[str, Any]) -> list[str]:
    """What a person should know about a server that was found."""
    found = [*candidate["problems"]]
    found += [f"needs {one['description'] or one['name']}" for one in candidate["needs"]]
    if candidate["secrets"]:
        found.append(f"saved in the keychain: {', '.join(candidate['secrets'])}")
    return found
