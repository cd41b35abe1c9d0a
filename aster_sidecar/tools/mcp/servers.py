"""Tools of the person's own MCP servers: how they are configured, started, asked, shown to the person, and ended.

Every server has a supervisor task that owns its session and, for one that is a program, its processes: they carry the
marks of a tool's process (see `services.process_tree`), so that none can answer an approval, and none outlives
`Servers.close`. A server's own word counts for nothing here: its hints don't lower a risk, and what it asks of the
person is refused.

Servers are asked for their tools in the background, each by itself. Nobody waits for one but a turn, for a moment
(`Servers.reach`), and a call of one of its tools.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import importlib
import json
import logging
import math
import os
import re
import secrets
import shutil
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from aster_sidecar import __version__
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.frozen import how_to_get
from aster_sidecar.models import network
from aster_sidecar.policy.permissions import Assessment, Risk, Scope
from aster_sidecar.publisher import Publisher
from aster_sidecar.services.launch import Program, start
from aster_sidecar.services.process_tree import clean_environment, path_known, to_the_end
from aster_sidecar.services.program_mark import ProgramMark
from aster_sidecar.text.safe_text import sized, visible
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.mcp.messages import MESSAGE_BYTES, TOO_LARGE, Answers, Reading, Writing, mend, messages_in
from aster_sidecar.tools.mcp.schemas import for_models

if TYPE_CHECKING:
    import httpx2
    from mcp import Client
    from mcp.client._transport import TransportStreams
    from mcp.types import CallToolResult

log = logging.getLogger(__name__)

RESULT_BYTES = 64 * 1024
REACH_S = 2.0  # longest that a turn waits for servers that have not answered yet
START_S = 120.0  # to start in the background: some programs are downloaded first
CONNECT_S = 30.0  # to start again for a call, whose turn waits
RETRY_S, RETRY_MOST_S = 1.0, 60.0  # pause after a failure, doubled with each, before it is started again
EXIT_S = 0.4  # to end by itself after its stdin is closed; the specification asks for that chance
TERM_S = 0.6
KILL_S = 0.4
HTTP_CLOSE_S = 1.0
DRAIN_S = 0.2
STDERR_BYTES = 4096
PROGRESS_AT_ONCE = 100  # notifications of a call that are all shown; later ones at most every PROGRESS_S
PROGRESS_S = 0.1
TOOLS_MOST = 256  # of one server
SCHEMA_BYTES = 128 * 1024
DESCRIPTION_CHARS = 4096

ENDED = "it ended during the call; what it did until then is not known"
REASON = "Aster can't see what this MCP server does."
EXTRA = f"MCP servers need an extra: {how_to_get('mcp')}"


# --- configuration -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """One `[mcp.NAME]` table: a program that speaks over its stdin and stdout (`command`), or a `url`.

    `tools` narrows what is offered; `risk` is what its tools are at least, which only the person can say.
    """

    name: str
    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    tools: tuple[str, ...] | None = None
    risk: Risk = "high"
    timeout_s: float = 60

    def digest(self) -> str:
        """What tells this server from another one of its name; no secret can be read from it."""
        return _digest([self.command, list(self.args), self.cwd, self.url])


_ALLOWED = {
    "command": "the name or path of a program",
    "args": "a list of strings",
    "env": "a table of strings: names of variables, and their values",
    "cwd": "the absolute path of a directory",
    "url": "an http:// or https:// address",
    "headers": "a table of strings: names of headers, and their values",
    "tools": "a list of names of the server's tools",
    "risk": "low, medium, high",
    "timeout_s": "seconds above 0, at most 3600",
}
_STDIO_KEYS = frozenset(("args", "env", "cwd"))
_SECRET = frozenset(("env", "headers"))


def specs(table: Mapping[str, Any]) -> list[ServerSpec]:
    """The servers of the `mcp` table. Raises: ConfigInvalid, naming table, key, value and what is allowed."""
    return [_spec(name, value) for name, value in table.items()]


def _spec(name: str, table: Any) -> ServerSpec:
    where = f"[mcp.{visible(name, newlines=False)[:64]}]"
    if not re.fullmatch(r"[a-z0-9_-]{1,32}", name):
        raise ConfigInvalid(f"{where}: the name can't be used", hint="allowed: 1 to 32 of a-z, 0-9, _ and -")
    if not isinstance(table, Mapping):
        raise ConfigInvalid(f"mcp.{name} = {str(table)[:100]!r}: not a table", hint=f"write {where} and its keys below")
    values: dict[str, Any] = dict(cast("Mapping[str, Any]", table))
    for key, value in values.items():
        if key not in _ALLOWED:
            raise ConfigInvalid(
                f"{where} {visible(key, newlines=False)[:64]}: unknown key", hint=f"allowed: {', '.join(_ALLOWED)}"
            )
        if not _fits(key, value):
            shown = "the value" if key in _SECRET else f"{key} = {str(value)[:100]!r}"
            raise ConfigInvalid(f"{where} {shown} of {key} can't be used", hint=f"allowed: {_ALLOWED[key]}")
    if ("command" in values) == ("url" in values):
        both = "both command and url are" if "url" in values else "neither command nor url is"
        raise ConfigInvalid(f"{where}: {both} given", hint="allowed: a command (a program) or a url, one of them")
    foreign = (frozenset(("headers",)) if "command" in values else _STDIO_KEYS) & values.keys()
    if foreign:
        kind = "command" if "command" in values else "url"
        raise ConfigInvalid(f"{where} {min(foreign)}: has no meaning with {kind}", hint="remove it")
    for key in ("args", "tools"):
        if key in values:
            values[key] = tuple(values[key])
    if "cwd" in values:
        values["cwd"] = os.path.expanduser(values["cwd"])
    return ServerSpec(name, **values)


def _fits(key: str, value: Any) -> bool:
    if key in ("args", "tools"):
        items = cast("list[Any]", value) if isinstance(value, list) else None
        return items is not None and all(_text(item, empty=key == "args") for item in items)
    if key in _SECRET:
        pairs = cast("Mapping[Any, Any]", value) if isinstance(value, Mapping) else None
        return pairs is not None and all(_pair(key, name, text) for name, text in pairs.items())
    if key == "timeout_s":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and 0 < value <= 3600
    if not _text(value):
        return False
    if key == "risk":
        return value in get_args(Risk)
    if key == "cwd":
        return os.path.isabs(os.path.expanduser(value))
    return _address(value) if key == "url" else True


def _text(value: Any, *, empty: bool = False) -> bool:
    return isinstance(value, str) and "\0" not in value and (empty or bool(value.strip()))


def _pair(key: str, name: Any, value: Any) -> bool:
    if not _text(name) or not _text(value, empty=True):
        return False
    if key == "env":
        return "=" not in name
    return re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is not None and value.isascii() and value.isprintable()


def _address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


# --- what the tools look like --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Definition:
    """A tool as the server describes it. `digest` changes with any of it."""

    name: str
    description: str
    schema: dict[str, Any]

    @property
    def digest(self) -> str:
        return _digest([self.name, self.description, self.schema])


class _Arguments(BaseModel):
    """The arguments of one tool: any object that the server's schema lets pass."""

    model_config = ConfigDict(extra="allow")

    server_schema: ClassVar[dict[str, Any]] = {}
    server_check: ClassVar[Callable[[Any], str | None]]

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and (wrong := cls.server_check(dict(cast("Mapping[str, Any]", value)))):
            raise PydanticCustomError("server_schema", "{wrong}", {"wrong": wrong})
        return cast("Any", value)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return copy.deepcopy(cls.server_schema)


def _model(definition: _Definition) -> type[_Arguments]:
    """The class of a tool's arguments. Raises: ToolError when its schema is none."""
    check = _checker(definition.schema)
    made = type("Arguments", (_Arguments,), {"__module__": __name__, "__doc__": None})
    made.server_schema = for_models(definition.schema)
    made.server_check = staticmethod(check)  # type: ignore[assignment]
    return made


def _checker(schema: dict[str, Any]) -> Callable[[Any], str | None]:
    """What says why a value does not fit `schema`, None when it does. Raises: ToolError when it is no schema.

    Nothing outside of the schema is fetched, and the server's regular expressions are left to the server: one that
    takes for ever would stop the daemon.
    """
    validators: Any = importlib.import_module("jsonschema.validators")
    exceptions: Any = importlib.import_module("jsonschema.exceptions")
    jsonschema: Any = importlib.import_module("jsonschema")
    referencing: Any = importlib.import_module("referencing")

    def passes(*_: Any) -> tuple[()]:
        return ()

    kind: Any = validators.validator_for(schema, default=validators.Draft202012Validator)
    original: Any = kind.VALIDATORS.get("additionalProperties")

    def additional_properties(validator: Any, value: Any, instance: Any, inner: Any) -> Iterable[Any]:
        return () if "patternProperties" in inner else original(validator, value, instance, inner)

    own: dict[str, Any] = dict.fromkeys(("pattern", "patternProperties", "unevaluatedProperties"), passes)
    extended: Any = validators.extend(kind, {**own, "additionalProperties": additional_properties})
    try:
        kind.check_schema(schema, format_checker=jsonschema.FormatChecker(()))
    except exceptions.SchemaError as error:
        raise ToolError(f"its schema is not valid: {str(error.message)[:200]}") from error
    except RecursionError as error:
        raise ToolError("its schema is nested too deep") from error
    validator: Any = extended(schema, registry=referencing.Registry())

    def check(value: Any) -> str | None:
        try:
            error: Any = exceptions.best_match(validator.iter_errors(value))
        except Exception:  # a reference that leads nowhere, or round in circles: the server checks by itself
            return None
        if error is None:
            return None
        place = ".".join(str(part) for part in error.absolute_path)
        return (f"{place}: " if place else "") + str(error.message)[:300]

    return check


def _canonical(value: Any) -> str:
    """One text for one value. Raises: ValueError for what JSON can't hold."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    text.encode()
    return text


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _names(server: str, tools: Sequence[str], servers: Collection[str], reserved: Collection[str]) -> list[str]:
    """A name for each tool of a server, none of them twice, in `reserved`, or like one of another of `servers`.

    They don't depend on which servers are there: a call that waits for a person is found again by its name.
    """
    plain = [re.sub(r"[^A-Za-z0-9_-]", "_", f"{server}_{tool}") for tool in tools]
    count = Counter(plain)
    longer = tuple(f"{other}_" for other in servers if other.startswith(f"{server}_"))
    shorter = tuple(f"{other}_" for other in servers if server.startswith(f"{other}_"))
    names: list[str] = []
    for tool, name in zip(tools, plain, strict=True):
        clear = name == f"{server}_{tool}" and len(name) <= 64 and count[name] == 1 and name not in reserved
        # What begins like another server's tools is left to that server, and so is the form of such names.
        if not clear or name.startswith(longer) or (shorter and re.search(r"_[0-9a-f]{8}$", name)):
            name = f"{name[:55]}_{_digest([server, tool])[:8]}"
        names.append(name)
    return names


# --- servers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Missing:
    """A server whose tools, or some of them, are not offered. `late`: it has not answered yet, and may still."""

    server: str
    late: bool
    message: str
    hint: str


class Servers:
    """The person's MCP servers. `begin` starts them, a call starts one again that died, and `close` ends them."""

    def __init__(
        self, specs: Iterable[ServerSpec], *, reserved: Collection[str] = (), mark: ProgramMark | None = None
    ) -> None:
        """`reserved` are names of tools that are taken, besides the built-in ones."""
        self._servers = [_Server(spec, self) for spec in specs]
        self._reserved = frozenset(reserved)
        self.changed: Publisher[[]] = Publisher()
        """Publishes that `tools` has more."""
        self.mark = mark or ProgramMark()

    @property
    def programs(self) -> int:
        """How many are programs of this machine."""
        return sum(server.spec.command is not None for server in self._servers)

    def begin(self, names: Sequence[str] | None = None) -> None:
        """Ask the servers of these tools (None: all) what they offer, in the background; returns at once.

        Those that answered are not asked again, those that failed when their pause is over.
        """
        for server in self._of(names):
            server.begin()

    async def reach(self, names: Sequence[str] | None = None) -> list[Missing]:
        """Wait at most `REACH_S` for the servers of these tools (None: all); returns those that are not there.

        One that has failed, or has let somebody wait in vain, is not waited for until it has answered.
        """
        self.begin(names)
        waited = {task: server for server in self._of(names) if (task := server.awaited)}
        if waited:
            with suppress(ImportError):  # their own failure says so
                await asyncio.to_thread(importlib.import_module, "mcp")  # our own time, not theirs
            _, late = await asyncio.wait(waited, timeout=REACH_S)
            for task in late:
                waited[task].patient = False
        return [missing for server in self._of(names) if not server.known and (missing := server.missing)]

    def tools(self) -> list[Tool[Any]]:
        """What is offered by the servers that have answered, in the order of the configuration."""
        return [tool for server in self._servers for tool in server.tools]

    def missing(self) -> list[Missing]:
        """What a person should know: which servers are not there, and whose tools could not be offered."""
        return [missing for server in self._servers if not server.fresh and (missing := server.missing)]

    def why_absent(self, tool: str) -> Missing | None:
        """The server that is not there and whose tool this would be, None when there is none."""
        found = [server for server in self._of([tool]) if not server.known]
        return max(found, key=lambda server: len(server.spec.name)).missing if found else None

    def names(self, server: str, tools: Sequence[str]) -> list[str]:
        """What a server's tools are called here."""
        reserved = self._reserved | {tool.name for tool in builtin_tools()}
        return _names(server, tools, [other.spec.name for other in self._servers], reserved)

    def _of(self, names: Sequence[str] | None) -> list[_Server]:
        """The servers that tools of these names can be of."""
        if names is None:
            return self._servers
        return [one for one in self._servers if any(name.startswith(f"{one.spec.name}_") for name in names)]

    async def close(self) -> None:
        """End every session and every process, within two seconds. Calls under way fail; later ones, too."""
        await to_the_end(asyncio.gather(*(server.close() for server in self._servers)))


def _tool(name: str, server: _Server, definition: _Definition, arguments: type[_Arguments]) -> Tool[Any]:
    spec = server.spec

    def assess(given: _Arguments, _: Surroundings) -> Assessment:
        values = given.model_extra or {}
        try:
            canonical = _canonical(values)
            pretty = json.dumps(values, ensure_ascii=False, indent=2, sort_keys=True)
        except (ValueError, RecursionError) as error:
            raise ToolError("the arguments hold what JSON can't") from error
        title = f"{_shown(definition.name)} from the MCP server {spec.name}"
        target = f"{spec.name}:{definition.name}:{canonical}"  # never begins like a path
        return Assessment(
            risk=spec.risk,
            target=target,
            summary=f"Use {title}",
            display=f"{title}\n{visible(pretty)}",
            reason=REASON,
            remember=Scope("exact", target, f"exactly this call of {title}: {visible(canonical, newlines=False)}"),
            binding={
                "server": spec.digest(),
                "tool": definition.name,
                "definition": definition.digest,
                "arguments": canonical,
            },
        )

    def rule_value(asked: RuleTarget, surroundings: Surroundings) -> str:
        prefix = f"{spec.name}:{definition.name}:"
        try:
            values = json.loads(asked.value.removeprefix(prefix))
            if asked.kind == "exact" and isinstance(values, dict):
                return prefix + _canonical(cast("dict[str, Any]", values))
        except (ValueError, RecursionError):
            pass
        raise ToolError("a rule for a tool of an MCP server is exact: its value is the arguments, as a JSON object")

    async def run(given: _Arguments, assessment: Assessment, ctx: CallContext) -> Outcome:
        values = given.model_extra or {}
        if assessment.binding["arguments"] != _canonical(values):
            raise ToolError("these are not the arguments that were allowed")
        result = await server.call(definition.name, values, assessment.binding["definition"], ctx)
        return _outcome(result)

    description = definition.description or f"{_shown(definition.name)} from the MCP server {spec.name}."
    return Tool(name, description, arguments, spec.risk, assess, run, rule_value)


def _shown(text: str) -> str:
    return visible(text[:128], newlines=False)


@dataclass(slots=True)
class _Link:
    """An open session; `over` is set when it has ended, or has to."""

    client: Client
    definitions: dict[str, _Definition]
    left_out: dict[str, str]
    """Why others of its tools are not in `definitions`, by their names."""
    over: asyncio.Event


@asynccontextmanager
async def _until(over: asyncio.Event, alarm: asyncio.Timeout) -> AsyncGenerator[None]:
    """Let a call's time be over soon after its session is: what it waits for may never be told."""
    loop = asyncio.get_running_loop()

    def ended(watching: asyncio.Task[Any]) -> None:
        if not watching.cancelled() and not alarm.expired():
            alarm.reschedule(loop.time() + DRAIN_S)

    watching = loop.create_task(over.wait())
    watching.add_done_callback(ended)
    try:
        yield
    finally:
        watching.remove_done_callback(ended)
        watching.cancel()


class _Failed(ToolError):
    """A server can't be started. `again`: another try at once may help."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


class _Server:
    """One server: the task that owns its session, and what is asked of it."""

    def __init__(self, spec: ServerSpec, home: Servers) -> None:
        self.spec = spec
        self._home = home
        self.program: Program | None = None
        self.tools: list[Tool[Any]] = []
        self.known = False
        """Whether it has said what it offers."""
        self.patient = True
        """Whether a turn waits for it."""
        self._trouble = ""
        self._failures = 0
        self._begun_s = self._due_s = 0.0
        self._learning: asyncio.Task[None] | None = None
        self._link: _Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._closed = False
        self._stderr = bytearray()
        self._status = "an error"
        """What it last answered with that was an error over HTTP."""

    # -- what it offers

    @property
    def starting(self) -> bool:
        return self._learning is not None and not self._learning.done()

    @property
    def awaited(self) -> asyncio.Task[None] | None:
        """What a turn waits for, None when it does not."""
        return self._learning if self.patient and self.starting else None

    @property
    def fresh(self) -> bool:
        """Whether it is too early to say that it is late."""
        begun = self._learning is not None
        return not self.known and not self._failures and (not begun or time.monotonic() - self._begun_s < REACH_S)

    @property
    def missing(self) -> Missing | None:
        """What of it is not there, None when all of it is."""
        name, late = self.spec.name, not self.known and not self._failures
        trouble = self._trouble.removeprefix(f"{name}: ")
        if self.known:
            if not self._trouble:
                return None
            words = f"some tools of the MCP server {name} are not offered: {trouble}"
            return Missing(name, late, words, f"fix the server, or name its tools that you need in [mcp.{name}]")
        if late:
            words = f"the MCP server {name} has not answered yet"
            return Missing(name, late, words, "its tools are offered as soon as it does; the log says when it fails")
        words = f"the MCP server {name} is not available: {trouble}"
        return Missing(name, late, words, f"check [mcp.{name}] in config.toml; it is tried again with later messages")

    def begin(self) -> None:
        """Ask for its tools in the background, unless they are known, or it failed just now."""
        if self.known or self._closed or self.starting or time.monotonic() < self._due_s:
            return
        self._begun_s = time.monotonic()
        self._learning = asyncio.get_running_loop().create_task(self._learn(), name=f"tools of {self.spec.name}")

    async def _learn(self) -> None:
        try:
            try:
                link = await self._linked(START_S)
            except _Failed as error:
                if self._failures or not error.again:
                    raise
                link = await self._linked(START_S)  # many a program fails once, and only once
            self._offer(link.definitions, link.left_out)
        except Exception as error:  # the edge of a server: whatever it does is its own failure
            self._trouble = str(error) if isinstance(error, ToolError) else self._why(error)
            self._failures += 1
            self._due_s = time.monotonic() + min(RETRY_MOST_S, RETRY_S * 2 ** (self._failures - 1))
            self.patient = False
            log.warning("%s", self.missing and self.missing.message)

    def _offer(self, definitions: Mapping[str, _Definition], not_read: Mapping[str, str]) -> None:
        """Make tools of what it lists. What can't be one is left out, and `missing` says why."""
        name, wanted = self.spec.name, self.spec.tools
        absent = {tool: not_read.get(tool, "the server has no such tool") for tool in wanted or ()}
        left_out = [
            f"{_shown(tool) or 'one'}: {why}"
            for tool, why in (not_read if wanted is None else absent).items()
            if tool not in definitions
        ]
        offered: list[tuple[_Definition, type[_Arguments]]] = []
        known = [one for one in definitions.values() if wanted is None or one.name in wanted]
        if len(known) > TOOLS_MOST:
            left_out.append(f"all after the first {TOOLS_MOST}; name those you need in `tools`")
        for definition in known[:TOOLS_MOST]:
            try:
                if len(json.dumps(definition.schema)) > SCHEMA_BYTES:
                    raise ToolError("its schema is too large")
                offered.append((definition, _model(definition)))
            except RecursionError:
                left_out.append(f"{_shown(definition.name)}: its schema is nested too deep")
            except ToolError as error:
                left_out.append(f"{_shown(definition.name)}: {error}")
        names = self._home.names(name, [definition.name for definition, _ in offered])
        self.tools = [_tool(named, self, *offer) for named, offer in zip(names, offered, strict=True)]
        self._trouble = "; ".join([*left_out[:8], *([f"{len(left_out) - 8} more"] if len(left_out) > 8 else [])])
        self.known = self.patient = True
        if self.missing is not None:
            log.warning("%s", self.missing.message)
        self._home.changed.publish()

    # -- calls and the session

    async def call(self, tool: str, arguments: dict[str, Any], digest: str, ctx: CallContext) -> CallToolResult:
        """Call one of its tools, at most once. Raises: ToolError."""
        link, name = await self._linked(CONNECT_S), self.spec.name
        now = link.definitions.get(tool)
        if now is None or now.digest != digest:
            raise ToolError(f"{_shown(tool)} of {name} is not what it was when the call was allowed; nothing was done")
        from mcp import MCPError

        progress = _Progress(ctx)
        try:
            async with asyncio.timeout(self.spec.timeout_s) as alarm, _until(link.over, alarm):
                return await link.client.call_tool(tool, arguments, progress_callback=progress.tell)
        except TimeoutError as error:
            if link.over.is_set():
                raise ToolError(self._why(None, ENDED)) from error
            after = f"{self.spec.timeout_s:g} s"
            raise ToolError(f"{name} did not answer within {after}; what it did until then is not known") from error
        except MCPError as error:
            from mcp.types import CONNECTION_CLOSED

            if error.code == CONNECTION_CLOSED or error.message == "Session terminated":
                link.over.set()
                plain = error.message in ("Connection closed", "Session terminated")
                raise ToolError(self._why(None, ENDED if plain else f"{ENDED} ({error.message})")) from error
            raise ToolError(self._said(error.message)) from error
        except Exception as error:
            raise ToolError(self._why(error)) from error
        finally:
            progress.over = True

    async def _linked(self, within_s: float) -> _Link:
        """The open session, opened when there is none. Raises: ToolError."""
        alarm = asyncio.timeout(within_s)
        try:
            async with alarm, self._connecting:
                if self._closed:
                    raise _Failed(f"{self.spec.name} is being shut down", again=False)
                if self._link is not None and not self._link.over.is_set():
                    return self._link
                await self._ended()
                try:
                    await asyncio.to_thread(importlib.import_module, "mcp")  # large: other turns go on meanwhile
                except ImportError as error:
                    raise _Failed(EXTRA, again=False) from error
                self._link = await self._opened()
                return self._link
        except TimeoutError as error:
            raise _Failed(self._why(error, f"did not answer within {within_s:g} s"), again=False) from error

    async def _opened(self) -> _Link:
        """A new session. Raises: ToolError."""
        ready: asyncio.Future[_Link] = asyncio.get_running_loop().create_future()
        ready.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._task = asyncio.create_task(self._supervise(ready), name=f"mcp {self.spec.name}")
        try:
            return await asyncio.shield(ready)
        except BaseException:
            await to_the_end(self._ended())
            raise

    async def _supervise(self, ready: asyncio.Future[_Link]) -> None:
        """Hold the session open until it is over: it has to be entered and left by one task."""
        from mcp import Client
        from mcp.types import Implementation

        over = asyncio.Event()
        self._stderr.clear()
        info = Implementation(name="aster-sidecar", version=__version__)
        failure: BaseException | None = None
        try:
            # No callback for elicitation, sampling or roots: the session refuses them, and says at start that it does.
            answers = Answers()
            async with Client(self._transport(over, answers), cache=None, client_info=info) as client:
                link = _Link(client, await _definitions(client), answers.left_out, over)
                if not ready.done():
                    ready.set_result(link)
                    await over.wait()
        except Exception as error:
            failure = error
        finally:
            over.set()
            if not ready.done():
                why = self._why(failure) if failure else f"{self.spec.name} was ended"
                ready.set_exception(_Failed(why, again=failure is not None))

    @asynccontextmanager
    async def _transport(self, over: asyncio.Event, answers: Answers) -> AsyncGenerator[TransportStreams]:
        async with self._http() if self.spec.url is not None else self._stdio(over) as (incoming, outgoing):
            yield Reading(incoming, answers), Writing(outgoing, answers)

    async def _ended(self) -> None:
        """End the session and its processes."""
        task, link = self._task, self._link
        if task is None:
            return
        if link is None:
            task.cancel()
        else:
            link.over.set()
            await asyncio.wait({task}, timeout=HTTP_CLOSE_S if self.spec.url else EXIT_S + TERM_S + KILL_S)
            task.cancel()
        await asyncio.wait({task}, timeout=EXIT_S + TERM_S + KILL_S if link is None else KILL_S)
        self._task = self._link = None

    async def close(self) -> None:
        self._closed = True
        if self._learning is not None:
            self._learning.cancel()
        await self._ended()

    def _why(self, error: BaseException | None, words: str | None = None) -> str:
        """A failure in words, with the last that the program wrote, none of the configured secrets in it."""
        while isinstance(error, BaseExceptionGroup):
            error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
        said = words or (str(error) or type(error).__name__)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            said = f"its answer can't be read: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        if (last := bytes(self._stderr).decode("utf-8", "replace").strip()) and self.spec.url is None:
            said += f"; its last words: {last[-600:]}"
        return self._said(said)

    def _said(self, words: str) -> str:
        """What a server, or the library for it, says, without what only a programmer reads and without secrets."""
        words = words.replace("Server returned an error response", f"it answered with {self._status}")
        words = re.sub(r"^Failed to parse [^:]*: (?:.*validation error.*\n)?\s*", "its answer can't be read: ", words)
        words = re.sub(r" \[type=\w+, input_value=(?s:.*)", "", words)
        for secret in sorted((*self.spec.env.values(), *self.spec.headers.values()), key=len, reverse=True):
            words = words.replace(secret, "***") if len(secret) >= 4 else words
        return f"{self.spec.name}: {visible(words[:2000])}"

    # -- over http

    @asynccontextmanager
    async def _http(self) -> AsyncGenerator[TransportStreams]:
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        url = self.spec.url or ""
        way = network.way(url, os.environ)
        verify = await asyncio.to_thread(way.verify)
        async with (
            httpx2.AsyncClient(
                headers={"Accept-Encoding": "identity", **self.spec.headers},
                event_hooks={"response": [mend, self._note_status]},
                timeout=httpx2.Timeout(30, read=max(300, self.spec.timeout_s)),
                trust_env=False,
                proxy=way.proxy,
                verify=verify,
            ) as http,
            streamable_http_client(url, http_client=http) as streams,
        ):
            yield streams

    async def _note_status(self, response: httpx2.Response) -> None:
        if response.is_error:
            self._status = f"HTTP {response.status_code} {response.reason_phrase}".strip()

    # -- over the stdin and stdout of a program

    @asynccontextmanager
    async def _stdio(self, over: asyncio.Event) -> AsyncGenerator[TransportStreams]:
        import anyio
        from mcp.shared.message import SessionMessage

        program = await self._start()
        loop = asyncio.get_running_loop()
        # One that left its output open to a child has ended all the same.
        program.exited.add_done_callback(lambda _: loop.call_later(DRAIN_S, over.set))
        to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
        tasks: list[asyncio.Task[None]] = []
        try:
            if program.stdin is not None:
                tasks.append(asyncio.create_task(self._read(program.stdout, to_session.send, over)))
                tasks.append(asyncio.create_task(self._write(from_session.receive, program.stdin, over)))
                tasks.append(asyncio.create_task(self._listen(program.stderr)))
                tasks[0].add_done_callback(lambda _: to_session.close())
            yield incoming, outgoing
        finally:
            over.set()
            try:
                await to_the_end(_end(program))
            finally:
                if self.program is program:  # else this end took so long that the next one runs already
                    self.program = None
                for task in tasks:
                    task.cancel()
                program.close()
                for stream in (to_session, incoming, outgoing, from_session):
                    stream.close()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self) -> Program:
        """Start the program. Raises: ToolError."""
        spec = self.spec
        await path_known()
        env = clean_environment(os.environ) | dict(spec.env)
        found = _program(spec, env["PATH"])
        marker = f"{os.getpid()}:{self._home.mark.text}mcp-{spec.name}-{secrets.token_hex(4)}"
        try:
            self.program = await start([found, *spec.args], cwd=spec.cwd, env=env, marker=marker, grace_s=EXIT_S)
        except OSError as error:
            raise ToolError(f"{_shown(found)} could not be started: {error.strerror or error}") from error
        return self.program

    async def _read(self, stdout: asyncio.StreamReader, send: Callable[..., Any], over: asyncio.Event) -> None:
        """Hand every line on as a message, until the end."""
        import anyio
        from mcp.shared.message import SessionMessage

        pending: list[bytes] = []
        size = 0
        try:
            while chunk := await stdout.read(64 * 1024):
                *lines, rest = chunk.split(b"\n")
                for line in lines:
                    whole = b"".join((*pending, line))
                    pending, size = [], 0
                    for message in messages_in(whole):
                        await send(SessionMessage(message))
                pending.append(rest)
                size += len(rest)
                if size > MESSAGE_BYTES:
                    self._stderr += f"\n{TOO_LARGE}".encode()
                    return
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            return
        finally:
            over.set()

    async def _write(self, receive: Callable[..., Any], stdin: asyncio.StreamWriter, over: asyncio.Event) -> None:
        import anyio

        try:
            while True:
                message = await receive()
                stdin.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                await stdin.drain()
        except (anyio.EndOfStream, anyio.ClosedResourceError, OSError):
            return
        finally:
            over.set()

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        """Keep the last that the program writes there, for when it fails."""
        while chunk := await stderr.read(64 * 1024):
            self._stderr += chunk
            del self._stderr[:-STDERR_BYTES]


def _program(spec: ServerSpec, path: str) -> str:
    """The file to start. Raises: ToolError."""
    if spec.cwd is not None and not os.path.isdir(spec.cwd):
        raise ToolError(f"{_shown(spec.cwd)} is not a directory")
    command = os.path.expanduser(spec.command or "")
    found = command if os.path.dirname(command) else shutil.which(command, path=path)
    if found is None:
        raise ToolError(f"{_shown(command)} was not found on PATH; command_path in config.toml sets it")
    return found


async def _definitions(client: Client) -> dict[str, _Definition]:
    """All that the server lists."""
    found: dict[str, _Definition] = {}
    cursor: str | None = None
    for _ in range(TOOLS_MOST):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            description = (tool.description or tool.title or "")[:DESCRIPTION_CHARS]
            found.setdefault(tool.name, _Definition(tool.name, description, tool.input_schema))
        cursor = page.next_cursor
        if not cursor or len(found) > TOOLS_MOST:
            break
    return found


async def _end(program: Program) -> None:
    """End a server and all it started: its stdin is closed, then TERM, then KILL."""
    if program.stdin is not None:
        program.stdin.close()
    await asyncio.wait({program.exited}, timeout=EXIT_S)
    await program.end(TERM_S, KILL_S)


# --- progress and results ------------------------------------------------------------------------------------------


class _Progress:
    """A server's notifications on their way to whoever watches, bounded."""

    def __init__(self, ctx: CallContext) -> None:
        self._ctx = ctx
        self._left = PROGRESS_AT_ONCE
        self._told_at = 0.0
        self.over = False

    async def tell(self, progress: float, total: float | None, message: str | None) -> None:
        now = time.monotonic()
        if self.over or (self._left <= 0 and now - self._told_at < PROGRESS_S):
            return
        self._left, self._told_at = self._left - 1, now
        share = progress / total if total and total > 0 else None
        if share is not None:
            share = min(max(share, 0.0), 1.0) if math.isfinite(share) else None
        words = visible(message[:1000], newlines=False) if message else None
        if share is not None or words:
            await self._ctx.progress(words, progress=share)


def _outcome(result: CallToolResult) -> Outcome:
    """A result as the model reads it. Raises: ToolError when the server says that it failed."""
    texts: list[str] = []
    other: list[str] = []
    for block in result.content:
        if block.type == "text":
            texts.append(block.text)
        elif len(other) < 32:
            other.append(_named(block))
    text = "\n".join(texts)
    if result.is_error:
        raise ToolError(_cut(text, 8192)[0] or "the server says that it failed, and not why")
    value: dict[str, Any] = {}
    left, truncated = RESULT_BYTES - 2048, False
    if result.structured_content is not None:
        size = len(json.dumps(result.structured_content, ensure_ascii=False).encode("utf-8", "replace"))
        if size <= left:
            value["structured"] = result.structured_content
            left -= size
        else:
            truncated = True
            value["note"] = f"the structured result is left out: {sized(size)} is too much"
        with suppress(ValueError, RecursionError):
            if "structured" in value and json.loads(text) == result.structured_content:
                text = ""  # the same once more, for clients that know nothing else
    if other:
        value["other"] = other
        left -= len(json.dumps(other).encode())
    if text or not value:
        value["text"], cut = _cut(text, max(left, 0))
        truncated = truncated or cut
    return Outcome(value, truncated)


def _cut(text: str, most: int) -> tuple[str, bool]:
    """The beginning of `text` that fits `most` bytes of JSON, and whether that is less than all."""
    size = len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
    if size <= most:
        return text, False
    kept = text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
    while kept and (size := len(json.dumps(kept, ensure_ascii=False).encode())) > most:
        kept = kept[: min(len(kept) - 1, len(kept) * most // size)]
    return kept, True


def _named(block: Any) -> str:
    """What is no text, by name: an image, a sound, a resource."""
    kind = {"resource_link": "link to a resource"}.get(block.type, str(block.type))
    inner = getattr(block, "resource", block)
    details = [str(detail) for name in ("uri", "mime_type") if (detail := getattr(inner, name, None))]
    data = getattr(inner, "data", None) or getattr(inner, "blob", None)
    if isinstance(data, str):
        details.append(sized(len(data) * 3 // 4))
    elif isinstance(text := getattr(inner, "text", None), str):
        details.append(sized(len(text.encode("utf-8", "replace"))))
    return visible(f"{kind} ({', '.join(details)})"[:300] if details else kind, newlines=False)
