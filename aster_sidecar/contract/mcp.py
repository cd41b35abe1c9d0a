"""Wire models of MCP servers: their settings, their state, and what they offer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.attachments import AttachmentInfo
from aster_sidecar.contract.base import VALID, McpName, McpState, Model, Name, Request, Risk, Time

Line = Annotated[str, StringConstraints(max_length=32 * 1024)]


class SecretText(Request):
    """A value that is saved in the system's keychain; the configuration gets a reference to it."""

    secret: Annotated[str, StringConstraints(min_length=1, max_length=16 * 1024)]


Values = dict[Line, Line | SecretText | None]
"""Names and values of variables or headers. None: remove it."""


class McpPatch(Request):
    """Settings of an MCP server to change; None removes a key. Values may have `${env:NAME}` and `${secret:NAME}`.

    `env` and `headers` are merged by name.
    """

    enabled: bool | None = None
    command: Line | None = None
    args: list[Line] | None = Field(default=None, max_length=256)
    env: Values | None = None
    cwd: Line | None = None
    url: Line | None = None
    headers: Values | None = None
    roots: list[Line] | None = Field(default=None, max_length=64)
    tools: list[Line] | None = Field(default=None, max_length=1024)
    disabled_tools: list[Line] | None = Field(default=None, max_length=1024)
    agents: list[Line] | None = Field(default=None, max_length=256)
    risk: Risk | None = None
    timeout_s: float | None = None


class McpSpec(McpPatch):
    """All settings of an MCP server: a `command`, or a `url`. Keys that are left out have their defaults."""


class McpTry(McpSpec):
    """Connect to a server with these settings, list what it offers, and end it; nothing is saved."""

    name: McpName = "new"


class McpSourcesRequest(Request):
    """Look for MCP servers in files of other apps; with `path`, in this file."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None


class McpImport(Request):
    """Add servers from a file of another app; `names` are names of `McpCandidate`."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    names: list[McpName] = Field(min_length=1, max_length=256)
    values: dict[McpName, dict[Line, SecretText]] = Field(
        default={}, description="what the servers need, by their names and the `name` of a need"
    )


class McpConfig(Model):
    """The settings of an MCP server as `config.toml` has them.

    Values of `env` and `headers` are shown only if they consist of references; others are None.
    """

    enabled: bool
    command: str | None
    args: list[str]
    env: dict[str, str | None]
    cwd: str | None
    url: str | None
    headers: dict[str, str | None]
    roots: list[str] | None
    tools: list[str] | None
    disabled_tools: list[str]
    agents: list[str] | None
    risk: Risk
    timeout_s: float


class McpTool(Model):
    """A tool of an MCP server.

    `name` is the name for models, and `tool` the server's own. `problem`: why it is not offered although it is enabled.
    `changed`: its definition is not the one that was last accepted, so the next call asks.
    """

    name: str
    tool: str
    description: str
    risk: Risk
    enabled: bool
    problem: str | None = None
    changed: bool = False


class McpResource(Model):
    """A resource that an MCP server lists. `size` is in bytes."""

    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None


class McpPromptArgument(Model):
    name: str
    description: str | None = None
    required: bool = False


class McpPrompt(Model):
    """A prompt that an MCP server offers."""

    name: str
    title: str | None = None
    description: str | None = None
    arguments: list[McpPromptArgument]


class McpServerInfo(Model):
    """An MCP server and its state.

    `error` says why it is not available, and `hint` what to do. `problems`: tools that can't be offered, and why.
    `next_try`: it is not started before this time. `implementation` is what the server calls itself.
    """

    name: str
    enabled: bool
    state: McpState
    transport: Literal["stdio", "http"]
    where: str = Field(description="the program, or the address")
    pid: int | None = None
    ready_since: Time | None = None
    error: str | None = None
    hint: str | None = None
    problems: list[str] = Field(default=[])
    failures: int = Field(default=0, description="failures since it was last healthy")
    next_try: Time | None = None
    protocol: str | None = Field(default=None, description="the version of the protocol")
    implementation: str | None = None
    tools: int = Field(default=0, description="tools that are offered")
    changed_tools: int = Field(default=0, description="tools with a changed definition; their next call asks")
    resources: int = 0
    prompts: int = 0
    agents: list[str] | None = Field(default=None, description="the agents that get its tools; None: all")
    managed: bool = Field(description="it is a service with settings of its own: the agent's browser")


class McpServerDetails(McpServerInfo):
    """An MCP server with its settings, and all that it offers."""

    config: McpConfig
    tool_list: list[McpTool]
    resource_list: list[McpResource]
    prompt_list: list[McpPrompt]


class McpTryAnswer(Model):
    """What a server answered. `error`: why it could not be reached."""

    ok: bool
    error: str | None = None
    hint: str | None = None
    protocol: str | None = None
    implementation: str | None = None
    tools: list[McpTool] = Field(default=[])
    problems: list[str] = Field(default=[])


class McpRead(Request):
    """Read a resource of a server, for a message. `session_id`: the server works in this session's folder."""

    uri: Annotated[str, StringConstraints(min_length=1, max_length=4096), VALID]
    session_id: Name | None = None


class McpContent(Model):
    """What a server gave for a message. The files are attachments that the message can name.

    In `text`, a mark such as `[name: address]` refers to each file. A resource has no text.
    """

    text: str
    attachments: list[AttachmentInfo]


class McpFill(Request):
    """Get a prompt of a server with its arguments filled in. `session_id`: as in `McpRead`."""

    prompt: Annotated[str, StringConstraints(min_length=1, max_length=4096), VALID]
    arguments: dict[Line, Annotated[str, StringConstraints(max_length=100_000), VALID]] = Field(
        default={}, max_length=64
    )
    session_id: Name | None = None


class McpNeed(Model):
    """A value that the person has to give. It is for `name` in the setting `key`."""

    key: str
    name: str
    description: str


class McpCandidate(Model):
    """A server in a file of another app. `problems` are what a person should know before adding it."""

    name: str = Field(description="its name here")
    title: str = Field(description="its name there")
    where: str = Field(description="the program and its arguments, or the address")
    importable: bool
    secrets: list[str] = Field(description="settings whose values will be saved in the keychain")
    needs: list[McpNeed]
    problems: list[str]
    exists: bool = Field(description="whether a server of this name is configured already")


class McpSource(Model):
    """A file of another app with MCP servers. `problems`: what is wrong with the file."""

    app: str
    path: str
    servers: list[McpCandidate]
    problems: list[str]


class McpRemoved(Model):
    """The server was deleted."""

    name: str


class McpImported(Model):
    """What was added."""

    servers: list[McpServerInfo]


class BrowserPatch(Request):
    """Settings of the agent's browser to change; None resets one."""

    enabled: bool | None = None
    allow: list[Line] | None = Field(default=None, max_length=100)
    headless: bool | None = None
    isolated: bool | None = None


class BrowserInfo(Model):
    """The agent's browser: its settings and its state.

    `server` is the MCP server that drives it; None while it is off. `problem` and `hint`: what is missing on this
    machine. `unsandboxed`: why the browser's own sandbox is off; None while it is on, or the browser was not started.
    """

    enabled: bool
    allow: list[str] = Field(description="hosts of this machine and its networks that it may open")
    headless: bool | None = Field(description="without windows; None: where there is no display")
    isolated: bool = Field(description="cookies and logins are forgotten at each end")
    program: str | None = Field(description="the browser's program; None: none was found")
    problem: str | None = None
    hint: str | None = None
    downloads: str = Field(description="the directory for downloads of sessions that chose no folder")
    unsandboxed: str | None = None
    refused: list[str] = Field(description="the newest addresses that it could not open, in sentences")
    server: McpServerInfo | None = None
