"""The command `agents`: lists the agents and the problems of their files."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from aster_sidecar.cli.commands.running import daemon, places_of
from aster_sidecar.cli.console import print_error, print_json, print_table


def run_agents(given: argparse.Namespace) -> int:
    """List the running daemon's agents or, without one, those that it would have; returns the exit code."""
    client = daemon(given)
    if client is not None:
        agents: list[dict[str, Any]] = client.call("GET", "/api/agents")
    else:
        agents = agents_here(given)
    if given.json:
        print_json(agents)
        return 0
    rows = [(a["id"], a["name"], a["source"], a["state"] or "", a["model"], a["description"]) for a in agents]
    print_table(("id", "name", "source", "state", "model", "description"), rows)
    for agent in agents:
        for problem in agent["problems"]:
            line = f":{problem['line']}" if problem["line"] else ""
            print_error(f"agent {agent['id']}: {problem['path']}{line}: {problem['reason']}")
    if client is None:
        print("no daemon is running; one that is started here would have these agents", file=sys.stderr)
    return 0


def agents_here(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The agents that a daemon started here would have, as GET /api/agents returns them.

    `state` is None, or "failed" for a file that can't be used. Raises: ConfigInvalid.
    """
    from aster_sidecar.cli.config_preview import agents_of, config_of

    found = agents_of(places_of(given), config_of(places_of(given)))
    specs = found.list()
    problems: dict[str, list[dict[str, Any]]] = {}
    for problem in found.problems:
        entry = {"path": problem.path, "line": problem.line, "reason": problem.reason}
        problems.setdefault(problem.agent_id, []).append(entry)
    rows = [
        {
            "id": spec.agent_id,
            "name": spec.name,
            "description": spec.description,
            "model": spec.model or "",
            "state": None,
            "source": spec.source,
            "path": spec.path,
            "problems": problems.pop(spec.agent_id, []),
        }
        for spec in specs
    ]
    broken = {problem.agent_id: problem for problem in found.problems if problem.agent_id in problems}
    for agent_id, problem in broken.items():
        row = {"name": agent_id, "description": "", "model": "", "state": "failed", "source": problem.source}
        rows.append({"id": agent_id, **row, "path": problem.path, "problems": problems[agent_id]})
    return rows
