"""A tool of an MCP server as one of the daemon's tools: how a call is judged, shown, remembered and run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from aster_sidecar.policy.permissions import Assessment, Risk, Scope
from aster_sidecar.store.sql import Write
from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.definitions import Arguments, Definition
from aster_sidecar.tools.mcp.grants import AcceptedDefinitions
from aster_sidecar.tools.mcp.naming import canonical, shown_name
from aster_sidecar.tools.mcp.results import outcome

if TYPE_CHECKING:
    from mcp.types import CallToolResult

REASON = "Aster can't see what this MCP server does."
DESTROYS = "It says that this tool may destroy something."
CHANGED = "The definition of this tool has changed since it was last accepted."
DIFFERENCE = "The difference, with - before what was removed and + before what was added:"


class Call(Protocol):
    """Calls a tool of a server. `digest` is that of the definition that was approved. Raises: ToolError."""

    def __call__(
        self, tool: str, arguments: dict[str, Any], digest: str, ctx: CallContext
    ) -> Awaitable[CallToolResult]: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """What a call of a server that this package knows would do.

    `scope`: the calls that "always" covers, in place of exactly this one; its value is the target of the call.
    """

    risk: Risk
    summary: str = ""
    reason: str = ""
    scope: Scope | None = None


class Attended(Protocol):
    """A call of such a server that is being made."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The arguments for the server."""
        ...

    async def told(self, result: Any) -> tuple[Any, str]:
        """A result, or the text of an error, as the model gets it, and a note on it; "": none."""
        ...


class Knowledge(Protocol):
    """What is known of a server whose tools are known. Others are judged by their settings alone."""

    def name_of(self, tool: str) -> str:
        """The name of a tool without the server's."""
        ...

    def risk(self, tool: str) -> Risk:
        """The risk of an ordinary call. Raises: ToolError."""
        ...

    def judge(self, tool: str, values: Mapping[str, Any]) -> Judged:
        """What a call would do. Raises: ToolError."""
        ...

    def rule_value(self, asked: RuleTarget, surroundings: Surroundings) -> str:
        """A rule's target that is an address, in the form of calls' targets. Raises: ToolError."""
        ...

    def around(self, values: Mapping[str, Any], folder: Path) -> AbstractAsyncContextManager[Attended]:
        """Surrounds each call; `folder` is that of the session. Raises: ToolError."""
        ...


def risk_of(spec: ServerSpec, definition: Definition, knowledge: Knowledge | None = None) -> Risk:
    """The risk of a tool: as the person set it, and high if the server itself says that the tool may destroy things.

    Of a server whose tools are known, their known risk.
    """
    if knowledge is not None:
        return knowledge.risk(definition.name)
    return "high" if definition.destructive else spec.risk


def server_tool(
    name: str,
    spec: ServerSpec,
    definition: Definition,
    arguments: type[Arguments],
    call: Call,
    accepted: AcceptedDefinitions | None = None,
    knowledge: Knowledge | None = None,
) -> Tool[Any]:
    """The tool `definition` of the server `spec`, under the `name` that models use."""
    risk = risk_of(spec, definition, knowledge)
    source = spec.digest()

    def assess(given: Arguments, _: Surroundings) -> Assessment:
        values = given.model_extra or {}
        try:
            text = canonical(values)
            pretty = json.dumps(values, ensure_ascii=False, indent=2, sort_keys=True)
        except (ValueError, RecursionError) as error:
            raise ToolError("the arguments hold what JSON can't") from error
        title = f"{shown_name(definition.name)} from the MCP server {spec.name}"
        target = f"{spec.name}:{definition.name}:{text}"  # never begins like a path
        change = accepted.change(spec, definition) if accepted is not None else None
        shown = f"{title}\n{visible(pretty)}"
        reason = REASON if risk == spec.risk else f"{REASON} {DESTROYS}"
        if change:
            shown += f"\n\n{DIFFERENCE}\n{change}"
            reason = f"{CHANGED} {REASON}"
        exactly = Scope("exact", target, f"exactly this call of {title}: {visible(text, newlines=False)}")
        judged = knowledge.judge(definition.name, values) if knowledge is not None else Judged(risk)
        exactly = judged.scope or exactly
        return Assessment(
            risk=judged.risk,
            target=exactly.value,
            summary=judged.summary or f"Use {title}",
            display=shown,
            reason=f"{reason} {judged.reason}" if change else judged.reason or reason,
            changed=bool(change),
            remember=exactly,
            scopes=(
                replace(exactly, scope_id="exact"),
                Scope("any", "", f"every call of {title}, with any arguments", "tool"),
            ),
            binding={
                "server": source,
                "tool": definition.name,
                "definition": definition.digest,
                "arguments": text,
            },
        )

    def rule_value(asked: RuleTarget, surroundings: Surroundings) -> str:
        if knowledge is not None and "://" in asked.value.partition("{")[0]:
            return knowledge.rule_value(asked, surroundings)
        prefix = f"{spec.name}:{definition.name}:"
        try:
            values = parse_json(asked.value.removeprefix(prefix))
            if asked.kind == "exact" and isinstance(values, dict):
                return prefix + canonical(cast("dict[str, Any]", values))
        except (ValueError, RecursionError):
            pass
        raise ToolError(
            "a rule for a tool of an MCP server is exact (its value is the arguments, as a JSON object) or any"
        )

    async def run(given: Arguments, assessment: Assessment, ctx: CallContext) -> Outcome:
        values = given.model_extra or {}
        if assessment.binding["arguments"] != canonical(values):
            raise ToolError("these are not the arguments that were allowed")
        digest = assessment.binding["definition"]
        if knowledge is None:
            result = await call(definition.name, values, digest, ctx)
            return await asyncio.to_thread(outcome, result)  # a result may have 16 MiB
        async with knowledge.around(values, ctx.surroundings.work_dir) as attended:
            try:
                result = await call(definition.name, dict(attended.values), digest, ctx)
                found = await asyncio.to_thread(outcome, result)
            except ToolError as error:
                words, note = await attended.told(str(error))
                raise ToolError(f"{words}; {note}" if note else words, error.files) from error
            value, note = await attended.told(found.value)
        return replace(found, value={**value, "note": note} if note else value)

    description = definition.description or f"{shown_name(definition.name)} from the MCP server {spec.name}."

    def accept(binding: Mapping[str, Any]) -> list[Write]:
        shown = (binding.get("server"), binding.get("definition")) == (source, definition.digest)
        return accepted.accept(spec, definition) if accepted is not None and shown else []

    return Tool(
        name,
        description,
        arguments,
        risk,
        assess,
        run,
        rule_value,
        server=spec.name,
        definition=definition.digest,
        accept=accept,
    )
