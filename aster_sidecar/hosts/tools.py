"""A tool that a host lends as one of the daemon's tools: how a call is judged, shown, remembered and run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from aster_sidecar.hosts.dispatch import Dispatch
from aster_sidecar.hosts.registry import Host, Hosts, Lent
from aster_sidecar.policy.permissions import Assessment, Scope
from aster_sidecar.store.sql import Write
from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError
from aster_sidecar.tools.mcp.definitions import Arguments
from aster_sidecar.tools.mcp.grants import AcceptedDefinitions
from aster_sidecar.tools.mcp.naming import canonical, digest, shown_name
from aster_sidecar.tools.mcp.server import Missing

CHANGED = "The definition of this tool has changed since it was last accepted."
DIFFERENCE = "The difference, with - before what was removed and + before what was added:"


@dataclass(frozen=True, slots=True)
class Source:
    """The host as the record of accepted definitions knows it."""

    host: str

    @property
    def name(self) -> str:
        return f"host:{self.host}"

    def digest(self) -> str:
        return digest(self.name)


def host_tools(hosts: Hosts, calls: Dispatch, accepted: AcceptedDefinitions) -> list[Tool[Any]]:
    """The tools of all hosts that are there, and the durable ones of the others."""
    return [
        host_tool(host, one, calls, accepted)
        for host in hosts.all()
        for one in host.tools.values()
        if host.online or one.spec.wait == "durable"
    ]


def why_away(hosts: Hosts, tool: str) -> Missing | None:
    """Why a host's tool is not there; None if it is no such tool."""
    host = hosts.host_of_tool(tool)
    if host is None:
        return None
    message = f"host_away: {host.name}, which lends {tool}, is not running at the moment"
    return Missing(server=f"host:{host.name}", late=False, message=message, hint="start the app")


def host_tool(host: Host, lent: Lent, calls: Dispatch, accepted: AcceptedDefinitions) -> Tool[Any]:
    """One tool of a host."""
    spec, definition, source = lent.spec, lent.definition, Source(host.name)
    accepted.saw(source, definition)
    prefix = f"{source.name}:{spec.name}:"
    title = f"{shown_name(spec.name)} of {host.name}"

    def assess(given: Arguments, _: Surroundings) -> Assessment:
        values = given.model_extra or {}
        try:
            text = canonical(values)
            pretty = json.dumps(values, ensure_ascii=False, indent=2, sort_keys=True)
        except (ValueError, RecursionError) as error:
            raise ToolError("the arguments hold what JSON can't") from error
        shown = f"{title}\n{visible(pretty)}"
        reason = f"Aster can't see what {host.name} does with it."
        change = accepted.change(source, definition)
        if change:
            shown += f"\n\n{DIFFERENCE}\n{change}"
            reason = f"{CHANGED} {reason}"
        exactly = Scope("exact", prefix + text, f"exactly this call of {title}: {visible(text, newlines=False)}")
        return Assessment(
            risk=spec.risk,
            target=exactly.value,
            summary=f"Use {title}",
            display=shown,
            reason=reason,
            changed=bool(change),
            remember=exactly,
            scopes=(
                replace(exactly, scope_id="exact"),
                Scope("any", "", f"every call of {title}, with any arguments", "tool"),
            ),
            binding={"host": host.name, "tool": spec.name, "definition": definition.digest, "arguments": text},
        )

    def rule_value(asked: RuleTarget, surroundings: Surroundings) -> str:
        try:
            values = parse_json(asked.value.removeprefix(prefix))
            if asked.kind == "exact" and isinstance(values, dict):
                return prefix + canonical(cast("dict[str, Any]", values))
        except (ValueError, RecursionError):
            pass
        raise ToolError("a rule for a tool of a host is exact (its value is the arguments, as a JSON object) or any")

    async def run(given: Arguments, assessment: Assessment, ctx: CallContext) -> Outcome:
        values = given.model_extra or {}
        if assessment.binding["arguments"] != canonical(values):
            raise ToolError("these are not the arguments that were allowed")
        return await calls.call(host.name, spec, values, ctx)

    def accept(binding: Mapping[str, Any]) -> list[Write]:
        shown = (binding.get("host"), binding.get("definition")) == (host.name, definition.digest)
        return accepted.accept(source, definition) if shown else []

    return Tool(
        spec.name,
        spec.description,
        lent.arguments,
        spec.risk,
        assess,
        run,
        rule_value,
        host=host.name,
        agents=frozenset(spec.agents) if spec.agents is not None else None,
        definition=definition.digest,
        accept=accept,
    )
