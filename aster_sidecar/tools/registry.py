"""The tools by name, what a call of one would do, and what the policy decides about it. Independent of models."""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import ArgumentsInvalid, RuleInvalid, ToolNotFound
from aster_sidecar.policy.permissions import Assessment, Decision, Mode, Rule, ToolCall, decide, in_force
from aster_sidecar.store.sql import Write
from aster_sidecar.text.values import jsonable
from aster_sidecar.tools import paths
from aster_sidecar.tools.base import RuleTarget, Surroundings, Tool, ToolError
from aster_sidecar.tools.mcp.server import Missing
from aster_sidecar.tools.schemas import for_models

SHOWN_CHARS = 256 * 1024
"""How much of a call is shown to the user."""
_WHOLE_TEXTS = {("run_command", "command"), ("fetch_url", "url")}
"""Arguments with a syntax of their own, of which a pattern would cover more than it seems to."""


class Toolkit:
    """The tools by name, and the policy's decisions about calls."""

    def __init__(
        self,
        tools: Sequence[Tool[Any]],
        surroundings: Callable[[str], Surroundings],
        mode: Callable[[str, str], Mode],
        rules: Callable[[], Sequence[Rule]],
        private: Collection[str] = (),
        why_absent: Callable[[str], Missing | None] = lambda name: None,
        wanted: Callable[[str, str, str], bool] = lambda server, agent_id, session_id: True,
    ) -> None:
        """`surroundings` gets a session's id, "" for none; `mode` gets an agent's and a session's.

        `private` are names of tools that only agents have whose spec lists them. `why_absent` returns the missing MCP
        server that a tool would belong to. `wanted` says whether an MCP server's tools are for an agent in a session.
        """
        self._tools = {tool.name: tool for tool in tools}
        self._private = frozenset(private)
        self._schemas: dict[str, dict[str, Any]] = {}
        self._simpler: dict[str, dict[str, Any]] = {}
        self._surroundings = surroundings
        self._caller: tuple[str, str] | None = None
        self._mode = mode
        self._rules = rules
        self._why_absent = why_absent
        self._wanted = wanted

    def called_by(self, agent_id: str, session_id: str) -> Toolkit:
        """The same tools, with surroundings that have the deny rules for this agent in this session."""
        mine = copy(self)
        mine._caller = (agent_id, session_id)
        return mine

    def surroundings(self) -> Surroundings:
        """Where tools work now: in the folder of the caller's session; without a caller, in the daemon's."""
        if self._caller is None:
            return self._surroundings("")
        return replace(self._surroundings(self._caller[1]), denials=partial(self._denials, *self._caller))

    def _denials(self, agent_id: str, session_id: str, tool: str) -> list[Rule]:
        call = ToolCall(tool, agent_id, session_id, clock.now())
        denying = [rule for rule in self._rules() if rule.decision == "deny" and in_force(rule, call)]
        # A rule for every call with a path in a folder is one for the folder.
        placed = [
            replace(rule, kind="beneath", value=one.value)
            for rule in denying
            if rule.kind == "any"
            for one in rule.conditions
            if one.test == "beneath" and not one.negated
        ]
        return [*placed, *(rule for rule in denying if rule.kind in ("exact", "beneath", "glob"))]

    def offer(self, tools: Sequence[Tool[Any]]) -> None:
        """Have these tools of MCP servers, and no others of them."""
        for name in [name for name, tool in self._tools.items() if tool.server is not None]:
            self._remove(name)
        self._tools.update({tool.name: tool for tool in tools})

    def lend(self, tools: Sequence[Tool[Any]]) -> None:
        """Have these tools of hosts, and no others of them. A tool of the same name that is no host's stays."""
        for name in [name for name, tool in self._tools.items() if tool.host is not None]:
            self._remove(name)
        self._tools.update({tool.name: tool for tool in tools if tool.name not in self._tools})

    def _remove(self, name: str) -> None:
        del self._tools[name]
        self._schemas.pop(name, None)
        self._simpler.pop(name, None)

    def names(self) -> list[str]:
        """The tools of every agent whose spec does not choose."""
        return [name for name in self._tools if name not in self._private]

    def has(self, name: str) -> bool:
        return name in self._tools

    def of(self, chosen: Sequence[str] | None, agent_id: str, session_id: str) -> list[str]:
        """The tools in a session of an agent that chose these (None: it did not choose).

        Without those that don't exist now, those of MCP servers that the agent or the session does without, and those
        that hosts lend to other agents.
        `session_id` "": a new session.
        """
        names = self.names() if chosen is None else [name for name in chosen if name in self._tools]
        servers = {name: server for name in names if (server := self._tools[name].server) is not None}
        without = {server for server in servers.values() if not self.wants(server, agent_id, session_id)}
        return [name for name in names if servers.get(name) not in without and self._is_for(name, agent_id)]

    def _is_for(self, name: str, agent_id: str) -> bool:
        agents = self._tools[name].agents
        return agents is None or agent_id in agents

    def wants(self, server: str, agent_id: str, session_id: str) -> bool:
        """Whether an agent has the tools of an MCP server in a session."""
        return self._wanted(server, agent_id, session_id)

    def accepted(self, name: str, binding: Mapping[str, Any]) -> builtins.list[Write]:
        """Note that a person allowed a call that has this binding. Returns the rows to write."""
        tool = self._tools.get(name)
        return tool.accept(binding) if tool is not None and tool.accept is not None else []

    def get(self, name: str) -> Tool[Any]:
        """The tool of this name. Raises: ToolNotFound."""
        tool = self._tools.get(name)
        if tool is None:
            absent = self._why_absent(name)
            if absent is not None:
                raise ToolNotFound(f"tool not found: {name!r}: {absent.message}", hint=absent.hint)
            raise ToolNotFound(f"tool not found: {name!r}")
        return tool

    def why_absent(self, name: str) -> str | None:
        """Why there is no such tool; None when there is."""
        if name in self._tools:
            return None
        absent = self._why_absent(name)
        return absent.message if absent is not None else f"there is no tool {name} any more"

    def list(self) -> list[wire.ToolInfo]:
        """All tools as clients see them."""
        return [
            wire.ToolInfo.model_validate(
                {
                    "name": tool.name,
                    "description": tool.description,
                    "risk": tool.risk,
                    "sandbox": self.sandbox_state() if tool.confined else None,
                    "host": tool.host,
                    "schema": self.schema(tool.name),
                }
            )
            for tool in self._tools.values()
        ]

    def sandbox_state(self) -> wire.SandboxState | None:
        """The sandbox of commands as clients see it."""
        sandbox = self._surroundings("").sandbox
        if sandbox is None:
            return None
        state = sandbox.state if sandbox.setting != "off" else None
        level, why = (state.level, state.why) if state is not None else (None, None)
        return wire.SandboxState(setting=sandbox.setting, level=level, why=why)

    def schema(self, name: str) -> dict[str, Any]:
        """The JSON schema of a tool's arguments. Raises: ToolNotFound."""
        schema = self._schemas.get(name)
        if schema is None:
            schema = self._schemas[name] = self.get(name).arguments.model_json_schema()
        return schema

    def schema_for_models(self, name: str) -> dict[str, Any]:
        """The same schema in a form that every provider accepts. Raises: ToolNotFound."""
        schema = self._simpler.get(name)
        if schema is None:
            schema = self._simpler[name] = for_models(self.schema(name))
        return schema

    def assess(self, name: str, arguments: Mapping[str, Any]) -> tuple[BaseModel, Assessment]:
        """Check arguments and assess what the call would do. Raises: ToolNotFound, ArgumentsInvalid, ToolError."""
        tool = self.get(name)
        try:
            parsed = tool.arguments.model_validate(arguments)
        except ValidationError as error:
            raise ArgumentsInvalid(f"arguments of {name}: {explain(error)}") from error
        try:
            return parsed, _showable(tool.assess(parsed, self.surroundings()))
        except OSError as error:  # the system can't read something; that is not our bug
            raise ToolError(error.strerror or str(error)) from error

    def decide(
        self, name: str, arguments: Mapping[str, Any], assessment: Assessment, agent_id: str, session_id: str
    ) -> Decision:
        """What the policy decides about the call now."""
        rules = self._rules()
        # As the tool reads them, so that "yes" is true where it takes a truth value.
        with contextlib.suppress(ValidationError, ToolNotFound):
            arguments = self.get(name).arguments.model_validate(arguments).model_dump(exclude_unset=True)
        places = self._places(name, arguments, session_id, rules)
        call = ToolCall(name, agent_id, session_id, clock.now(), arguments, places)
        return decide(self._mode(agent_id, session_id), rules, call, assessment)

    def _places(
        self, name: str, arguments: Mapping[str, Any], session_id: str, rules: Sequence[Rule]
    ) -> dict[str, str]:
        """The canonical paths of the arguments that conditions of rules take for paths."""
        found: dict[str, str] = {}
        for argument in {
            one.argument
            for rule in rules
            if rule.tool in (name, "*")
            for one in rule.conditions
            if one.test == "beneath"
        }:
            value: Any = arguments
            for part in argument.split("."):
                value = cast("Mapping[str, Any]", value).get(part) if isinstance(value, Mapping) else None
            if isinstance(value, str):
                with contextlib.suppress(OSError, ValueError, ToolError):
                    # Some tools act on a link itself.
                    follow = self.get(name).rule_value is not paths.rule_value_of_links
                    place = paths.look(value, self._surroundings(session_id), follow=follow, lookalike="tell")
                    # A tool may take an entry whose name looks the same: then it is not known where that is.
                    if not any(paths.RESEMBLES in concern for concern in place.concerns):
                        found[argument] = str(place.path)
        return found

    def checked(self, asked: wire.RuleCreate) -> wire.RuleCreate:
        """A rule as it is stored, with targets in the form of calls' targets.

        Raises: ToolNotFound; RuleInvalid when no call can match.
        """
        tool = self.get(asked.tool) if asked.tool != "*" else None
        place = self._surroundings(asked.session_id or "")
        try:
            found = [self._condition(one, asked, place) for one in asked.conditions]
            value = self._value(asked, tool, place)
        except ToolError as error:
            raise RuleInvalid(f"no call of {asked.tool} could match the value: {error}") from error
        whole = any(one.argument == "command" and not one.negated for one in found)
        if (asked.tool, asked.decision, asked.kind) == ("run_command", "allow", "any") and found and not whole:
            raise RuleInvalid(
                "a rule can't allow every command under a condition: the condition doesn't say what a command does",
                hint="use kind program, or a condition on command with the test equals or one_of",
            )
        return asked.model_copy(update={"value": value, "conditions": found})

    def _condition(self, one: wire.RuleCondition, asked: wire.RuleCreate, place: Surroundings) -> wire.RuleCondition:
        """Raises: ToolError, RuleInvalid, ToolNotFound."""
        name = one.argument.split(".")[0]
        if asked.tool == "*":
            raise RuleInvalid("a rule for every tool can't have conditions: each tool has other arguments")
        schema = self.schema(asked.tool)
        known = schema.get("properties", {})
        if name not in known and known and not schema.get("additionalProperties"):
            raise RuleInvalid(f"{asked.tool} has no argument {name!r}", hint=f"its arguments are: {', '.join(known)}")
        whole = one.test in ("equals", "one_of") and not one.negated
        if asked.decision == "allow" and (asked.tool, name) in _WHOLE_TEXTS and not whole:
            raise RuleInvalid(
                f"a rule can't allow calls by a part of {name}: the rest could do anything",
                hint="use kind program for commands and glob for origins, or the tests equals and one_of",
            )
        if one.test in ("equals", "one_of") and "." not in one.argument and (kinds := _kinds(known.get(name))):
            for value in one.value if isinstance(one.value, list) else [one.value]:
                if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                    raise RuleInvalid(
                        f"{name} of {asked.tool} is never {json.dumps(value)}: it has another type",
                        hint="write a text with double quotes, a number or true without",
                    )
        if one.test == "beneath" and isinstance(one.value, str):
            return one.model_copy(
                update={"value": paths.rule_value(RuleTarget(asked.decision, "beneath", one.value), place)}
            )
        return one

    def _value(self, asked: wire.RuleCreate, tool: Tool[Any] | None, place: Surroundings) -> str:
        """A rule's target in the form of calls' targets. Raises: ToolError, RuleInvalid."""
        if asked.kind == "any" or not asked.value:
            return asked.value
        target = RuleTarget(asked.decision, asked.kind, asked.value)
        if tool is not None:
            return tool.rule_value(target, place) if tool.rule_value is not None else asked.value
        if asked.kind == "program":
            raise RuleInvalid("a rule of the kind program is for run_command")
        if os.path.isabs(asked.value) or asked.value.startswith("~"):
            return paths.rule_value(target, place)
        if asked.kind == "exact" and (meaning := self._meaning(asked.value, place.work_dir)) is not None:
            return meaning(target, place)
        raise RuleInvalid(
            f"it is not clear which calls of every tool the value means: {asked.value[:200]!r} is not a whole path",
            hint="begin a path with / or ~ (on Windows with the drive); for a command or arguments name the tool",
        )

    def _meaning(self, value: str, work_dir: Path) -> Callable[[RuleTarget, Surroundings], str] | None:
        """The function for the target of a rule for every tool that is not a file: an address or a command."""
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
            name = "fetch_url"
        elif len(value.split()) > 1 and value[0] != "{" and not os.path.lexists(work_dir / value):
            name = "run_command"
        else:
            return None
        tool = self._tools.get(name)
        return tool.rule_value if tool is not None else None

    def check(
        self, name: str, arguments: dict[str, Any], agent_id: str, session_id: str
    ) -> tuple[Assessment, wire.CheckAnswer]:
        """What a call would do, and what the policy decides about it, as clients see it.

        Raises: ToolNotFound, ArgumentsInvalid.
        """
        try:
            _, assessment = self.called_by(agent_id, session_id).assess(name, arguments)
        except ToolError as error:
            raise ArgumentsInvalid(f"{name}: {error}") from error
        return assessment, told(name, assessment, self.decide(name, arguments, assessment, agent_id, session_id))


def _kinds(schema: Any) -> tuple[type, ...]:
    """The types of Python that values of a simple property have; () if the schema does not say."""
    found = cast("dict[str, Any]", schema).get("type") if isinstance(schema, dict) else None
    kinds: dict[Any, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int, float),
        "number": (int, float),
        "boolean": (bool,),
    }
    return kinds.get(found, ()) if isinstance(found, str) else ()


def told(name: str, assessment: Assessment, decision: Decision) -> wire.CheckAnswer:
    """An assessment and the policy's decision, as clients see them."""
    return wire.CheckAnswer(
        decision=decision.verdict,
        decided_by=decision.decided_by,
        reason=decision.reason,
        risk=assessment.risk,
        summary=summary_of(name, assessment),
        display=assessment.display,
        preview=preview_of(assessment),
        target=assessment.target,
        remember=assessment.remember.words if assessment.remember else None,
        scopes=[wire.ScopeInfo(scope_id=scope.scope_id, words=scope.words) for scope in assessment.scopes],
        confirm=fingerprint(name, assessment),
    )


def summary_of(name: str, assessment: Assessment) -> str:
    """What a call would do, in a sentence."""
    return assessment.summary or f"Use {name}"


def preview_of(assessment: Assessment) -> wire.Preview | None:
    """The lines that a call would change, as clients see them."""
    preview = assessment.preview
    return wire.Preview(**asdict(preview)) if preview is not None else None


def fingerprint(name: str, assessment: Assessment) -> str:
    """A hash of all that the user is shown of a call, and to which an approval is bound."""
    seen = [name, assessment.risk, assessment.reason, assessment.display, jsonable(assessment.binding)]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:32]


def _showable(assessment: Assessment) -> Assessment:
    """The assessment with its display cut to `SHOWN_CHARS`; a call with a longer one can't be approved."""
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
