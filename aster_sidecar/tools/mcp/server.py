"""One MCP server: its state, when it is started, what it offers, and why some of that is missing.

A server is started when it is first needed. It is started again when its program ends; after repeated failures only
once a delay is over, and after `CRASHES_MOST` crashes only when a person asks for it, or much later.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.publisher import Publisher
from aster_sidecar.services.log import ServiceLog
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.base import Tool, ToolError
from aster_sidecar.tools.mcp.config import BrokenSpec, ServerSpec
from aster_sidecar.tools.mcp.connection import Connection, ConnectionFailed
from aster_sidecar.tools.mcp.definitions import Arguments, Definition, arguments_model
from aster_sidecar.tools.mcp.grants import AcceptedDefinitions
from aster_sidecar.tools.mcp.lists import TOOLS_MOST, Session
from aster_sidecar.tools.mcp.naming import shown_name
from aster_sidecar.tools.mcp.tools import Knowledge, risk_of, server_tool

log = logging.getLogger(__name__)

REACH_S = 2.0
"""How long a turn waits at most for servers that have not answered yet."""
START_S = 120.0
"""How long a server may take to start in the background: some programs are downloaded first."""
RETRY_S, RETRY_MOST_S = 1.0, 60.0
"""Delay after a failure before the server is started again; it doubles with each failure, up to the second value."""
HEALTHY_S = 60.0
"""After being ready this long, earlier failures no longer count."""
CRASHES_MOST, CRASH_WINDOW_S = 5, 120.0
"""A program that failed so often within this time is left alone."""
REST_S = 600.0
"""After this time it is started again when it is needed: what it lacked may be there by now."""
SCHEMA_BYTES = 128 * 1024
NAMED_MOST = 8
"""Tools that are named, with the reason, when a server's tools can't be offered."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A server of which all or some tools are not offered. `late`: it has not answered yet, and still may."""

    server: str
    late: bool
    message: str
    hint: str


def _place(spec: ServerSpec) -> str:
    """The program, or the address without what may be a secret in it: a password and the query."""
    if spec.url is None:
        return spec.command or ""
    if "${" in spec.url:
        return spec.url.partition("?")[0]
    parts = urlsplit(spec.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def mending(name: str, fault: ConfigInvalid) -> str:
    """What to do about a mistake in a server's table in `config.toml`."""
    there = f"correct [mcp.{name}] in config.toml and start the daemon again"
    return f"{fault.hint}; {there}, or replace the server: aster-sidecar mcp add {name} --replace"


async def as_it_is(spec: ServerSpec) -> ServerSpec:
    return spec


@dataclass(slots=True)
class Home:
    """What servers get from the daemon.

    `names` gives the names for a server's tools. `resolve` replaces the references in a server's settings, and raises
    ToolError. `folder` is where programs run that set no `cwd`; None: where the daemon runs. `log_of` makes the log of
    a server. `changed` is published when tools come or go, `told` with the name of a server whose state has changed.
    """

    names: Callable[[str, Sequence[str]], list[str]] = lambda _, tools: list(tools)
    mark: Callable[[], str] = str
    accepted: AcceptedDefinitions | None = None
    resolve: Callable[[ServerSpec], Awaitable[ServerSpec]] = as_it_is
    folder: Callable[[], Path | None] = lambda: None
    log_of: Callable[[str], ServiceLog] | None = None
    changed: Publisher[[]] = field(default_factory=Publisher)
    told: Publisher[str] = field(default_factory=Publisher)
    buried: asyncio.Future[Any] | None = None
    """The end of the processes of an earlier daemon, before which none is started."""


class Server:
    """One server. `begin` starts it; `close` ends it for good."""

    def __init__(
        self,
        spec: ServerSpec,
        home: Home,
        after: asyncio.Future[Any] | None = None,
        knowledge: Knowledge | None = None,
    ) -> None:
        """`after`: the end of an earlier server of this name, before which it is not started."""
        self.spec = spec
        self.fault = spec.fault if isinstance(spec, BrokenSpec) else None
        """The mistake in its table in `config.toml`, with which it is not started."""
        self.knowledge = knowledge
        self.log = home.log_of(spec.name) if home.log_of is not None else None
        self.tools: list[Tool[Any]] = []
        self.problems: list[str] = []
        """Why tools are not offered: for each the name and the reason."""
        self.patient = True
        """Whether a turn waits for it."""
        self.connection = Connection(
            spec, mark=home.mark, resolve=home.resolve, folder=home.folder, log=self.log, events=self
        )
        self._home = home
        self._after = after
        self._listed: Mapping[str, Definition] = {}
        self._unusable: Mapping[str, str] = {}
        self._known = False
        self._trouble = ""
        self._failures = 0
        self._crashes: deque[float] = deque()
        self._crashed = False
        self._begun_s = self._due_s = 0.0
        self._next_try: str | None = None
        self._ready_since: str | None = None
        self._learning: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def known(self) -> bool:
        """Whether it has listed its tools since it was last started by a person."""
        return self._known

    @property
    def starting(self) -> bool:
        return self._learning is not None and not self._learning.done()

    @property
    def awaited(self) -> asyncio.Task[None] | None:
        """The task that a turn waits for; None when it does not wait."""
        return self._learning if self.patient and self.starting else None

    @property
    def start_under_way(self) -> asyncio.Task[None] | None:
        return self._learning if self.starting else None

    @property
    def can_come(self) -> bool:
        """Whether it may answer yet without a person doing something about it."""
        return self.spec.enabled and self.fault is None and not (self._crashed or self.connection.closed)

    @property
    def fresh(self) -> bool:
        """Whether it was started so recently that it is not late yet."""
        begun = self._learning is not None
        return (
            self.fault is None
            and not self._known
            and not self._failures
            and (not begun or time.monotonic() - self._begun_s < REACH_S)
        )

    @property
    def state(self) -> wire.McpState:
        if not self.spec.enabled:
            return "disabled"
        if self._crashed or self.fault is not None:
            return "crashed"
        if self.connection.session_now is not None:
            return "ready"
        if self.starting:
            return "starting"
        return "backoff" if self._trouble and self._failures else "idle"

    @property
    def missing(self) -> Missing | None:
        """Why all or some of its tools are not offered; None when all are."""
        name, late = self.spec.name, not self._known and not self._failures
        trouble = self._trouble.removeprefix(f"{name}: ")
        if not self.spec.enabled:
            return Missing(
                name,
                False,
                f"the MCP server {name} is turned off",
                f"turn it on in the settings, or: aster-sidecar mcp enable {name}",
            )
        if self.fault is not None:
            return Missing(
                name, False, f"the MCP server {name} is not available: {self.fault.message}", mending(name, self.fault)
            )
        if self._crashed:
            words = f"the MCP server {name} failed {len(self._crashes)} times and is left alone for now: {trouble}"
            hint = f"fix it, then restart it in the settings, or: aster-sidecar mcp restart {name}"
            return Missing(name, False, words, hint)
        if self._known:
            if not self.problems:
                return None
            more = [f"{len(self.problems) - NAMED_MOST} more"] if len(self.problems) > NAMED_MOST else []
            named = "; ".join([*self.problems[:NAMED_MOST], *more])
            words = f"some tools of the MCP server {name} are not offered: {named}"
            return Missing(name, late, words, f"fix the server, or list the tools that you need in [mcp.{name}]")
        if late:
            words = f"the MCP server {name} has not answered yet"
            return Missing(
                name, late, words, "its tools are offered as soon as it answers; the log reports when it fails"
            )
        words = f"the MCP server {name} is not available: {trouble}"
        if self.knowledge is not None:
            return Missing(name, late, words, "aster-sidecar doctor says what is missing")
        return Missing(name, late, words, f"check [mcp.{name}] in config.toml; later messages try the server again")

    def info(self) -> wire.McpServerInfo:
        """The state of the server, for clients."""
        session = self.connection.session_now
        error = self._trouble if self.state in ("crashed", "backoff", "starting") else ""
        hint = self.missing.hint if error and self.missing is not None else None
        if self.fault is not None:  # also while it is turned off: it can't be turned on
            error, hint = self.fault.message, mending(self.spec.name, self.fault)
        return wire.McpServerInfo(
            name=self.spec.name,
            enabled=self.spec.enabled,
            state=self.state,
            transport="http" if self.spec.url is not None else "stdio",
            where=visible(_place(self.spec), newlines=False)[:300],
            pid=self.connection.program.pid if self.connection.program is not None else None,
            ready_since=self._ready_since if session is not None else None,
            error=error or None,
            hint=hint,
            problems=self.problems[: 4 * NAMED_MOST],
            failures=self._failures,
            next_try=self._next_try if self.state == "backoff" else None,
            protocol=session.protocol if session is not None else None,
            implementation=session.implementation if session is not None else None,
            tools=len(self.tools),
            changed_tools=sum(self._change(one) not in ("", None) for one in self._offered()),
            resources=len(session.resources) if session is not None else 0,
            prompts=len(session.prompts) if session is not None else 0,
            agents=list(self.spec.agents) if self.spec.agents is not None else None,
            managed=self.knowledge is not None,
        )

    def tool_list(self) -> list[wire.McpTool]:
        """All tools that it listed, also those that are not offered, for clients."""
        names = self._names(self._listed)
        problems = dict(problem.split(": ", 1) for problem in self.problems if ": " in problem)
        offered = {tool.definition for tool in self.tools}
        listed = [
            wire.McpTool(
                name=name,
                tool=definition.name,
                description=definition.description,
                risk=self._risk(definition),
                enabled=self._wants(definition.name),
                problem=None if definition.digest in offered else problems.get(shown_name(definition.name)),
                changed=self._change(definition) not in ("", None),
            )
            for name, definition in zip(names, self._listed.values(), strict=True)
        ]
        unusable = [
            wire.McpTool(name="", tool=tool, description="", risk="high", enabled=self._wants(tool), problem=why)
            for tool, why in self._unusable.items()
        ]
        return [*listed, *unusable]

    def _names(self, tools: Iterable[str]) -> list[str]:
        """The names for models of these tools."""
        own = [self.knowledge.name_of(tool) if self.knowledge is not None else tool for tool in tools]
        return self._home.names(self.spec.name, own)

    def _risk(self, definition: Definition) -> wire.Risk:
        return risk_of(self.spec, definition, self.knowledge if self._wants(definition.name) else None)

    def _change(self, definition: Definition) -> str | None:
        return self._home.accepted.change(self.spec, definition) if self._home.accepted is not None else None

    def _wants(self, tool: str) -> bool:
        """Whether the settings enable a tool."""
        named = self.spec.tools is None or tool in self.spec.tools
        return named and tool not in self.spec.disabled_tools

    def _tell(self) -> None:
        self._home.told.publish(self.spec.name)

    # -- requests ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start it in the background, unless it is ready, disabled or crashed, or the delay after a failure runs.

        One with a mistake in its table is never started.
        """
        if self._crashed and time.monotonic() - self._crashes[-1] >= REST_S:
            self._crashed = False
            self._crashes.clear()
        idle = not (self.starting or self.connection.closed or self._crashed)
        usable = self.spec.enabled and self.fault is None
        if idle and usable and self.connection.session_now is None and time.monotonic() >= self._due_s:
            self._begin()

    def restart(self) -> None:
        """End it and start it now. Earlier failures no longer count. One with a mistake in its table is not started."""
        self._trouble = ""
        self._failures, self._crashed, self._due_s, self._next_try = 0, False, 0.0, None
        self._crashes.clear()
        self.patient = True
        if self.spec.enabled and self.fault is None and not self.connection.closed:
            self._begin(again=True)

    def adjust(self, spec: ServerSpec) -> None:
        """Use settings with which the program or connection stays the same."""
        self.spec = spec
        self.connection.adjust(spec)
        if (session := self.connection.session_now) is not None:
            self._offer(session)
        else:
            self._tell()

    def _begin(self, *, again: bool = False) -> None:
        if self._learning is not None:
            self._learning.cancel()
        self._begun_s = time.monotonic()
        learning = self._learn(self._learning, again=again)
        self._learning = asyncio.get_running_loop().create_task(learning, name=f"tools of {self.spec.name}")
        self._learning.add_done_callback(self._learned)
        self._tell()

    def _learned(self, _: asyncio.Task[None]) -> None:
        """A start has ended. After a failure the state changes only now, because it is `starting` until then."""
        if not self.connection.closed:
            self._tell()

    async def _learn(self, before: asyncio.Task[None] | None, *, again: bool) -> None:
        try:
            for earlier in (self._after, self._home.buried):
                if earlier is not None:
                    await asyncio.wait({earlier})
            self._after = None
            if again:
                if before is not None:
                    await asyncio.wait({before})
                await self.connection.end()
            try:
                await self.connection.session(START_S)
            except ConnectionFailed as error:
                if self._failures or not error.again:
                    raise
                await self.connection.session(START_S)  # many programs fail only at their first start
        except Exception as error:  # whatever a server does must not harm the others
            self._failed(str(error) if isinstance(error, ToolError) else self.connection.why(error))

    def _failed(self, trouble: str) -> None:
        """Note a failure, and when it may be started again."""
        self._trouble = trouble
        now = time.monotonic()
        self._failures += 1
        self.patient = False
        if self.spec.command is not None:
            self._crashes.append(now)
            while now - self._crashes[0] > CRASH_WINDOW_S:
                self._crashes.popleft()
            self._crashed = len(self._crashes) >= CRASHES_MOST
        delay_s = min(RETRY_MOST_S, RETRY_S * 2 ** min(self._failures - 1, 10))
        self._due_s = now + delay_s
        self._next_try = clock.stamp(clock.now() + timedelta(seconds=delay_s)) if not self._crashed else None
        log.warning("%s", trouble if self.missing is None else self.missing.message)
        self._tell()

    # -- what the connection reports -----------------------------------------------------------------------------------

    def opened(self, session: Session) -> None:
        """The session is open, and has listed the tools."""
        self._known = self.patient = True
        self._trouble = ""
        self._ready_since = clock.stamp()
        self._offer(session)
        self._later(HEALTHY_S, self._is_healthy)
        if self.missing is not None:
            log.warning("%s", self.missing.message)

    def listed(self, session: Session) -> None:
        """It listed its tools, resources or prompts again."""
        self._offer(session)

    def ended(self, why: str) -> None:
        """The session ended without being asked to."""
        if self.spec.command is None:
            self._tell()  # an address is connected to again when it is needed
            return
        self._failed(why)
        if not self._crashed:
            self._later(self._due_s - time.monotonic(), self.begin)

    @property
    def refusal(self) -> str | None:
        stays_off = self._crashed or self.fault is not None
        return self.missing.message if stays_off and self.missing is not None else None

    def _is_healthy(self) -> None:
        if self.connection.session_now is not None:
            self._failures = 0
            self._crashes.clear()
            self._tell()

    def _later(self, delay_s: float, call: Callable[[], None]) -> None:
        now = asyncio.get_running_loop().time()
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > now]
        self._timers.append(asyncio.get_running_loop().call_later(max(delay_s, 0.0), call))

    # -- what it offers ------------------------------------------------------------------------------------------------

    def _offered(self) -> list[Definition]:
        names = {tool.definition for tool in self.tools}
        return [one for one in self._listed.values() if one.digest in names]

    def _offer(self, session: Session) -> None:
        """Offer the listed tools that the settings enable. `problems` then names the others with their reasons."""
        self._listed, self._unusable = dict(session.definitions), dict(session.unusable)
        definitions, unusable = self._listed, self._unusable
        absent = {tool: unusable.get(tool, "the server has no such tool") for tool in self.spec.tools or ()}
        problems = [
            f"{shown_name(tool) or 'one'}: {why}"
            for tool, why in (unusable if self.spec.tools is None else absent).items()
            if tool not in definitions and tool not in self.spec.disabled_tools
        ]
        offered: list[tuple[Definition, type[Arguments]]] = []
        known = [one for one in definitions.values() if self._wants(one.name)]
        if len(known) > TOOLS_MOST:
            problems.append(f"all after the first {TOOLS_MOST}; list those that you need in `tools`")
        for definition in known[:TOOLS_MOST]:
            try:
                if len(json.dumps(definition.schema)) > SCHEMA_BYTES:
                    raise ToolError("its schema is too large")
                offered.append((definition, arguments_model(definition)))
            except RecursionError:
                problems.append(f"{shown_name(definition.name)}: its schema is nested too deep")
            except ToolError as error:
                problems.append(f"{shown_name(definition.name)}: {error}")
            except Exception as error:  # whatever one tool has must not harm the others
                log.warning("the schema of %s can't be used", shown_name(definition.name), exc_info=error)
                problems.append(f"{shown_name(definition.name)}: its schema is not valid")
        for definition, _ in offered:
            if self._home.accepted is not None:
                self._home.accepted.saw(self.spec, definition)
        # The names of all tools, so that a name does not depend on which others are enabled.
        names = dict(zip(definitions, self._names(definitions), strict=True))
        self.tools = [
            server_tool(
                names[offer[0].name], self.spec, *offer, self.connection.call, self._home.accepted, self.knowledge
            )
            for offer in offered
        ]
        self.problems = problems
        self._home.changed.publish()
        self._tell()

    async def close(self) -> None:
        """End the session and its processes, and start no other."""
        self.connection.closed = True
        for timer in self._timers:
            timer.cancel()
        if self._learning is not None:
            self._learning.cancel()
        await self.connection.close()
        if self.log is not None:
            await self.log.settled(0.5)
            self.log.close()
