"""The tools there are, by name, what a call to one would do, and what policy says of it. Knows nothing of models."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from aster_sidecar import clock, wire
from aster_sidecar.errors import ArgumentsInvalid, ToolNotFound
from aster_sidecar.permissions import Assessment, Decision, Mode, Rule, decide
from aster_sidecar.tools import Surroundings, Tool, ToolError

SHOWN_CHARS = 256 * 1024
"""What of a call a person can be shown."""


class Toolkit:
    """The tools there are, by name, and what policy says of a call to one."""

    def __init__(
        self,
        tools: Sequence[Tool[Any]],
        surroundings: Callable[[], Surroundings],
        mode: Callable[[str], Mode],
        rules: Callable[[], Sequence[Rule]],
        private: Collection[str] = (),
    ) -> None:
        """`mode` is asked with an agent's id; `private` names tools that only agents have which name them."""
        self._tools = {tool.name: tool for tool in tools}
        self._private = frozenset(private)
        self._schemas: dict[str, dict[str, Any]] = {}
        self.surroundings = surroundings
        self._mode = mode
        self._rules = rules

    def extend(self, tools: Sequence[Tool[Any]]) -> None:
        """Add tools that were found later, such as those of MCP servers; one of the same name takes its place."""
        for tool in tools:
            self._tools[tool.name] = tool
            self._schemas.pop(tool.name, None)

    def names(self) -> list[str]:
        """What every agent has that does not choose."""
        return [name for name in self._tools if name not in self._private]

    def all_names(self) -> list[str]:
        return list(self._tools)

    def has(self, name: str) -> bool:
        return name in self._tools

    def of(self, chosen: Sequence[str] | None) -> list[str]:
        """The tools of an agent that chose these (None: it did not); those that are not there now are left out."""
        return self.names() if chosen is None else [name for name in chosen if name in self._tools]

    def get(self, name: str) -> Tool[Any]:
        """Raises: ToolNotFound."""
        tool = self._tools.get(name)
        if tool is None:
            raise ToolNotFound(f"tool not found: {name!r}")
        return tool

    def list(self) -> list[wire.ToolInfo]:
        """All tools as clients see them."""
        return [
            wire.ToolInfo.model_validate(
                {
                    "name": tool.name,
                    "description": tool.description,
                    "risk": tool.risk,
                    "schema": self.schema(tool.name),
                }
            )
            for tool in self._tools.values()
        ]

    def schema(self, name: str) -> dict[str, Any]:
        """The JSON schema of a tool's arguments. Raises: ToolNotFound."""
        schema = self._schemas.get(name)
        if schema is None:
            schema = self._schemas[name] = self.get(name).arguments.model_json_schema()
        return schema

    def assess(self, name: str, arguments: Mapping[str, Any]) -> tuple[BaseModel, Assessment]:
        """Check arguments and work out what the call would do. Raises: ToolNotFound, ArgumentsInvalid, ToolError."""
        tool = self.get(name)
        try:
            parsed = tool.arguments.model_validate(arguments)
        except ValidationError as error:
            raise ArgumentsInvalid(f"arguments of {name}: {explain(error)}") from error
        return parsed, _showable(tool.assess(parsed, self.surroundings()))

    def decide(self, name: str, assessment: Assessment, agent_id: str, session_id: str) -> Decision:
        """What policy says of the call now."""
        return decide(
            self._mode(agent_id),
            self._rules(),
            tool=name,
            assessment=assessment,
            agent_id=agent_id,
            session_id=session_id,
            now=clock.now(),
        )

    def assess_edited(
        self, name: str, arguments: dict[str, Any], agent_id: str, session_id: str
    ) -> tuple[Assessment, str | None]:
        """For `approvals`: what edited arguments would do, and why policy denies them (None: it doesn't)."""
        try:
            _, assessment = self.assess(name, arguments)
        except ToolError as error:
            raise ArgumentsInvalid(str(error)) from error
        if assessment.unshown is not None:
            raise ArgumentsInvalid(f"arguments of {name}: {assessment.unshown}")
        decision = self.decide(name, assessment, agent_id, session_id)
        return assessment, decision.reason if decision.verdict == "deny" else None


def _showable(assessment: Assessment) -> Assessment:
    """The assessment, with as much of the display as a person can be shown; what is longer can't be asked for."""
    rest = len(assessment.display) - SHOWN_CHARS
    if rest <= 0:
        return assessment
    return replace(
        assessment,
        display=f"{assessment.display[:SHOWN_CHARS]}\n[{rest} more characters]",
        unshown=f"it is {rest} characters longer than the {SHOWN_CHARS} that a person can be shown: do it in parts",
    )


def explain(error: ValidationError) -> str:
    """A validation error in one line that names each field."""
    return "; ".join(
        f"{'.'.join(str(place) for place in detail['loc']) or 'value'}: {detail['msg']}" for detail in error.errors()
    )


def jsonable(value: Any) -> Any:
    """The value as JSON would bring it back, so that what is compared later is what was stored.

    What JSON can't hold becomes its text; half surrogate pairs are replaced.
    """
    return json.loads(json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "replace"))
