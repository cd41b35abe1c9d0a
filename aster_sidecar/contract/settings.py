"""Wire models of settings, agents, tools, models and provider keys."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from aster_sidecar.contract.base import AgentSource, ErrorInfo, Model, PermissionMode, Request, Risk, State
from aster_sidecar.errors import ModelError
from aster_sidecar.text import addresses


class ModelCheckRequest(Request):
    """Test a model with a one-word request; without `model`: the chosen one."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class ModelCheck(Model):
    """The result of testing a model. `error` is null if it answered."""

    ok: bool
    model: str
    duration_ms: int
    error: ErrorInfo | None


class SecretInfo(Model):
    """Where a provider's key comes from. A key in a file or in the environment is not `protected`."""

    provider: str
    variable: str
    set: bool
    source: Literal["environment", "keychain", "file"] | None
    protected: bool


def as_key(text: str) -> str:
    """A key without the blanks and quotes of a paste. Raises: ValueError."""
    if addresses.is_placeholder(text):
        raise ValueError("a placeholder, not a key")
    try:
        value = addresses.key(text, "value")
    except ModelError as error:
        raise ValueError(error.message) from None
    if value is None:
        raise ValueError("nothing but blanks and quotes")
    return value


class SecretPut(Request):
    """A provider's key. With `check` it is saved only if `model`, or the chosen model, answers with it."""

    value: Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(as_key)] = Field(
        repr=False
    )
    check: bool = False
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


def variable_name(name: str) -> str:
    """The name, if it may be in `pass_environment`. Raises: ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_*][A-Za-z0-9_*()]{0,199}", name) or name[0].isdigit() or not name.strip("*"):
        raise ValueError(f"{name[:100]!r} is not the name of a variable")
    if name.upper() == "ASTER_SIDECAR_TOKEN":
        raise ValueError("the daemon's token is for its clients: a command with it could approve its own calls")
    return name


def path_of_commands(value: str) -> str:
    """The value, if it is allowed as `command_path`. Raises: ValueError."""
    if value in ("auto", "login", "inherit"):
        return value
    entries = value.split(os.pathsep)
    if "\0" in value or not all(os.path.isabs(entry) for entry in entries):
        raise ValueError("it is neither auto, login nor inherit, nor absolute directories")
    return value


class ConfigPatch(Request):
    """Any subset of the settable keys. `null` removes the value set here or in `config.toml`."""

    model: Annotated[str, StringConstraints(max_length=200)] | None = None
    vision: bool | None = None
    permission_mode: PermissionMode | None = None
    work_dir: str | None = None
    approval_timeout_s: Annotated[float, Field(ge=0, le=31_536_000)] | None = None
    on_unattended: Literal["wait", "deny"] | None = None
    max_requests: Annotated[int, Field(ge=1, le=10_000)] | None = None
    max_tool_calls: Annotated[int, Field(ge=0, le=100_000)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    max_turn_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    changes_keep_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    changes_keep_mb: Annotated[int, Field(ge=16, le=1_048_576)] | None = None
    audit_keep_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    sandbox: Literal["off", "auto", "required"] | None = None
    pass_environment: Annotated[list[Annotated[str, AfterValidator(variable_name)]], Field(max_length=200)] | None = (
        None
    )
    command_path: Annotated[str, StringConstraints(max_length=32_768), AfterValidator(path_of_commands)] | None = None


class ConfigValue(Model):
    value: Any
    source: Literal["api", "flag", "environment", "project", "file", "default"]
    settable: bool = True


class ConfigView(Model):
    """The whole effective configuration, each value with its source; secrets are masked."""

    values: dict[str, ConfigValue]
    config_path: str
    data_dir: str
    logs_dir: str
    project: str | None = Field(description="the trusted project whose file is read")
    problems: list[str] = Field(description="messages about what is ignored in the settings files")


class AgentProblem(Model):
    """Why an agent's file is not used. `id`: the agent's id; `line`: null if the problem concerns the whole file."""

    id: str
    source: AgentSource
    path: str
    line: int | None = None
    reason: str


class AgentInfo(Model):
    """An agent. If its file is broken, `state` is `failed` and `problems` say why it can't be used."""

    id: str
    name: str
    description: str
    model: str
    state: State
    tools: list[str]
    missing: list[str] = Field(description="tools and MCP servers that it does without now, each with the reason")
    sessions: int
    source: AgentSource = "builtin"
    path: str | None = None
    problems: list[AgentProblem] = Field(default=[])


class SandboxState(Model):
    """The sandbox of commands: the setting, and what there is here. `level` is null if it was not tried."""

    setting: Literal["off", "auto", "required"]
    level: Literal["full", "partial", "none"] | None
    why: str | None = Field(description="what works, or what does not, and why")


class ToolInfo(Model):
    """A tool. `sandbox`: null if the tool is never in one. `host`: the name of the host that lends it."""

    name: str
    description: str
    risk: Risk
    sandbox: SandboxState | None = None
    host: str | None = None
    schema_: dict[str, Any] = Field(serialization_alias="schema", validation_alias="schema")


class ModelInfo(Model):
    """A model that can be chosen. `ready`: whether a turn can use it now; `why_not`: what is missing.

    For a model that runs on this machine also whether it is `loaded`, and its `context_window` in tokens, if known.
    """

    name: str
    provider: str
    ready: bool
    chosen: bool
    why_not: str | None = None
    loaded: bool | None = None
    context_window: int | None = None
