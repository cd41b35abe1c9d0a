"""The embedding API: a daemon with an app's agents and tools, run by the app's program or with `--app module:object`.

    from aster_sidecar import Agent, Sidecar, tool

Settings in code count as flags: the command line takes precedence over them, and they over every other source.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import ValidationError

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.spec import AGENT_ID, ALLOWED_SETTINGS, INSTRUCTIONS, AgentSpec, ModelSettings
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.policy.permissions import STRICTNESS, Mode
from aster_sidecar.tools.base import Tool, ToolError
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.python_tools import OwnTool, own_tool, tool
from aster_sidecar.tools.tool_context import ToolContext

__all__ = ["Agent", "Sidecar", "ToolContext", "ToolError", "tool"]

ToolLike = str | OwnTool[..., Any] | Callable[..., Any]
"""A tool of an agent: the name of an existing tool, the result of `tool`, or a function (its risk is then high)."""


class Agent:
    """An agent of the app.

    `id`: the agent's id for clients (a to z, 0 to 9, _ and -); "default" replaces the built-in agent. `tools`:
    functions and names of existing tools; None for all tools that every agent has. `permission_mode`: can only make
    the configured mode stricter. `retries`: how often the model may correct a call with invalid arguments.
    `tool_timeout`: the longest time of a call, in seconds. Invalid values are reported when the daemon starts.
    """

    def __init__(
        self,
        id: str,
        instructions: str = INSTRUCTIONS,
        tools: Sequence[ToolLike] | None = None,
        *,
        model: str | None = None,
        name: str | None = None,
        description: str = "",
        model_settings: Mapping[str, Any] | None = None,
        permission_mode: Mode | None = None,
        retries: int = 2,
        tool_timeout: float | None = None,
    ) -> None:
        self.id = id
        self.instructions = instructions
        self.tools = tools
        self.model = model
        self.name = name
        self.description = description
        self.model_settings: Mapping[str, Any] = model_settings or {}
        self.permission_mode: Mode | None = permission_mode
        self.retries = retries
        self.tool_timeout = tool_timeout

    def spec(self) -> AgentSpec:
        """The agent as the daemon needs it. Raises: ConfigInvalid."""
        if not isinstance(self.id, str) or AGENT_ID.fullmatch(self.id) is None:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise wrong(f"agent {self.id!r}", "an id is 1 to 64 of a to z, 0 to 9, _ and -")
        where = f"agent {self.id!r}"
        texts = {"instructions": self.instructions, "description": self.description}
        texts |= {"model": self.model or "", "name": self.name or ""}
        for key, text in texts.items():
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise wrong(f"{where}: {key}", "it must be text")
        if self.permission_mode not in (None, *STRICTNESS):
            raise wrong(f"{where}: permission_mode", f"it must be one of {', '.join(STRICTNESS)}")
        if isinstance(self.tools, str):
            raise wrong(f"{where}: tools", "it must be a list")
        try:
            settings = ModelSettings.model_validate(dict(self.model_settings)).model_dump(exclude_none=True)
        except ValidationError as error:
            key = str(error.errors()[0]["loc"][0])
            raise wrong(
                f"{where}: model_settings: {key}: {error.errors()[0]['msg']}",
                ALLOWED_SETTINGS.get(key, f"allowed: {', '.join(ALLOWED_SETTINGS)}"),
            ) from error
        if not isinstance(self.retries, int) or not 0 <= self.retries <= 10:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise wrong(f"{where}: retries", "it must be a whole number from 0 to 10")
        if self.tool_timeout is not None and not 0 < self.tool_timeout <= 86_400:
            raise wrong(f"{where}: tool_timeout", "it must be seconds above 0, at most 86400")
        return AgentSpec(
            self.id,
            self.name or self.id,
            self.description,
            self.instructions,
            self.model,
            tuple(name_of(one) for one in self.tools) if self.tools is not None else None,
            settings,
            self.permission_mode,
            self.retries,
            self.tool_timeout,
            "code",
        )


class Sidecar:
    """A daemon with the app's own agents and tools. `run` is the command `aster-sidecar` with them.

    `tools`: tools for every agent; an agent's own tools are for that agent only. The other arguments set the flags of
    the same names; None leaves a flag unset.
    """

    def __init__(
        self,
        agents: Sequence[Agent] = (),
        tools: Sequence[OwnTool[..., Any] | Callable[..., Any]] = (),
        *,
        framework: Literal["tauri", "electron", "wails", "web"] | None = None,
        port: int | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        config_dir: str | os.PathLike[str] | None = None,
        uds: str | os.PathLike[str] | None = None,
        allow_origin: Sequence[str] = (),
        model: str | None = None,
        vision: bool | None = None,
        work_dir: str | os.PathLike[str] | None = None,
        permission_mode: Mode | None = None,
        approval_timeout_s: float | None = None,
        on_unattended: Literal["wait", "deny"] | None = None,
        max_requests: int | None = None,
        max_tool_calls: int | None = None,
        max_tokens: int | None = None,
        max_turn_s: float | None = None,
        changes_keep_days: int | None = None,
        changes_keep_mb: int | None = None,
        audit_keep_days: int | None = None,
        sandbox: Literal["off", "auto", "required"] | None = None,
        pass_environment: Sequence[str] | None = None,
        command_path: str | None = None,
    ) -> None:
        self.agents = agents
        self.tools = tools
        self.flags: dict[str, Any] = {
            "framework": framework,
            "port": port,
            "data_dir": Path(data_dir) if data_dir is not None else None,
            "config_dir": Path(config_dir) if config_dir is not None else None,
            "uds": Path(uds) if uds is not None else None,
            "allow_origin": list(allow_origin) or None,
            "model": model,
            "vision": vision,
            "work_dir": os.fspath(work_dir) if work_dir is not None else None,
            "permission_mode": permission_mode,
            "approval_timeout_s": approval_timeout_s,
            "on_unattended": on_unattended,
            "max_requests": max_requests,
            "max_tool_calls": max_tool_calls,
            "max_tokens": max_tokens,
            "max_turn_s": max_turn_s,
            "changes_keep_days": changes_keep_days,
            "changes_keep_mb": changes_keep_mb,
            "audit_keep_days": audit_keep_days,
            "sandbox": sandbox,
            "pass_environment": list(pass_environment) if pass_environment is not None else None,
            "command_path": command_path,
        }
        """Values of flags by name; None where the code sets none."""

    def run(self, arguments: Sequence[str] | None = None) -> NoReturn:
        """Run the daemon until it is stopped, then exit the process with the exit codes of the command.

        `arguments`: the command line (default: the arguments of this program).
        """
        from aster_sidecar.cli.main import main

        raise SystemExit(main(arguments, self))

    def code(self) -> AppCode:
        """The agents and tools as the daemon needs them. Raises: ConfigInvalid."""
        tools: dict[str, OwnTool[..., Any]] = {}
        builtin = {one.name for one in builtin_tools()}

        def add(one: ToolLike, where: str) -> str:
            if isinstance(one, str):
                return one
            made = as_own(one, where)
            if made.name in builtin:
                raise wrong(f"{where}: a tool called {made.name!r} is built in", "give your tool another name: name=…")
            known = tools.setdefault(made.name, made)
            if known is not made and known.function is not made.function:
                raise wrong(f"{where}: two tools are called {made.name!r}", "give one of them another name: name=…")
            return made.name

        if any(isinstance(one, str) for one in self.tools):
            raise wrong(
                "Sidecar: tools: a name is not a tool", "pass functions; every agent has the built-in tools anyway"
            )
        shared = frozenset(add(one, "Sidecar") for one in self.tools)
        specs: dict[str, AgentSpec] = {}
        for agent in self.agents:
            if not isinstance(agent, Agent):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise wrong(f"Sidecar: agents: {agent!r} is not an Agent", "pass a list of Agent(…)")
            spec = agent.spec()
            if spec.agent_id in specs:
                raise wrong(f"two agents are called {spec.agent_id!r}", "give one of them another id")
            names = [add(one, f"agent {agent.id!r}") for one in agent.tools or ()]
            if len(set(names)) < len(names):
                raise wrong(f"agent {agent.id!r}: tools", "a tool is listed twice")
            specs[spec.agent_id] = spec
        made: tuple[Tool[Any], ...] = tuple(one.as_tool() for one in tools.values())
        return AppCode(tuple(specs.values()), made, shared)


def as_own(one: OwnTool[..., Any] | Callable[..., Any], where: str) -> OwnTool[..., Any]:
    """The tool that `tool` makes of a function. Raises: ConfigInvalid."""
    if isinstance(one, OwnTool):
        return one  # pyright: ignore[reportUnknownVariableType]
    try:
        return own_tool(one)
    except (TypeError, ValueError) as error:
        raise wrong(f"{where}: tools: {error}", "pass functions or names of existing tools") from error


def name_of(one: ToolLike) -> str:
    return one if isinstance(one, str) else one.name if isinstance(one, OwnTool) else getattr(one, "__name__", "?")


def wrong(what: str, hint: str) -> ConfigInvalid:
    return ConfigInvalid(what, hint=hint)
