"""The tools of the user's MCP servers: which servers have answered, what they offer, and which are missing.

Servers are asked for their tools in the background, independently of one another. Only a turn waits for them, for at
most `REACH_S` (`Servers.reach`), and a call of one of their tools. What a server says about its tools does not lower
their risk.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aster_sidecar.publisher import Publisher
from aster_sidecar.services.process_tree import to_the_end
from aster_sidecar.services.program_mark import ProgramMark
from aster_sidecar.tools.base import Tool, ToolError
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.connection import TOOLS_MOST, Connection, ConnectionFailed
from aster_sidecar.tools.mcp.definitions import Arguments, Definition, arguments_model
from aster_sidecar.tools.mcp.naming import shown_name, tool_names
from aster_sidecar.tools.mcp.tools import server_tool

log = logging.getLogger(__name__)

REACH_S = 2.0
"""How long a turn waits at most for servers that have not answered yet."""
START_S = 120.0
"""How long a server may take to start in the background: some programs are downloaded first."""
RETRY_S, RETRY_MOST_S = 1.0, 60.0
"""Delay after a failure before the server is started again; it doubles with each failure, up to the second value."""
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


class Servers:
    """The user's MCP servers. `begin` starts them, a call restarts one that has ended, and `close` ends them."""

    def __init__(
        self, specs: Iterable[ServerSpec], *, reserved: Collection[str] = (), mark: ProgramMark | None = None
    ) -> None:
        """`reserved` are names that other tools have, besides the built-in ones."""
        self.mark = mark or ProgramMark()
        self.changed: Publisher[[]] = Publisher()
        """Publishes that `tools` has more tools."""
        self._servers = [_Server(spec, self._tool_names, self.changed, self.mark) for spec in specs]
        self._reserved = frozenset(reserved)

    @property
    def programs(self) -> int:
        """How many servers are programs on this machine."""
        return sum(server.spec.command is not None for server in self._servers)

    def begin(self, names: Sequence[str] | None = None) -> None:
        """Ask the servers of these tools (None: all) for their tools, in the background; returns at once.

        Servers that have answered are not asked again; servers that failed are asked after their delay.
        """
        for server in self._of(names):
            server.begin()

    async def reach(self, names: Sequence[str] | None = None) -> list[Missing]:
        """Wait at most `REACH_S` for the servers of these tools (None: all); returns those that have not answered.

        A server that failed, or did not answer within an earlier wait, is not waited for until it has answered.
        """
        self.begin(names)
        waited = {task: server for server in self._of(names) if (task := server.awaited)}
        if waited:
            with suppress(ImportError):  # each server reports it
                await asyncio.to_thread(importlib.import_module, "mcp")  # not part of the servers' time
            _, late = await asyncio.wait(waited, timeout=REACH_S)
            for task in late:
                waited[task].patient = False
        return [missing for server in self._of(names) if not server.known and (missing := server.missing)]

    def tools(self) -> list[Tool[Any]]:
        """The tools of the servers that have answered, in the order of the configuration."""
        return [tool for server in self._servers for tool in server.tools]

    def missing(self) -> list[Missing]:
        """The servers that are missing and those whose tools are not all offered, except servers just started."""
        return [missing for server in self._servers if not server.fresh and (missing := server.missing)]

    def why_absent(self, tool: str) -> Missing | None:
        """The missing server that a tool of this name would belong to; None when there is none."""
        found = [server for server in self._of([tool]) if not server.known]
        return max(found, key=lambda server: len(server.spec.name)).missing if found else None

    def _tool_names(self, server: str, tools: Sequence[str]) -> list[str]:
        reserved = self._reserved | {tool.name for tool in builtin_tools()}
        return tool_names(server, tools, [other.spec.name for other in self._servers], reserved)

    def _of(self, names: Sequence[str] | None) -> list[_Server]:
        """The servers that tools of these names may belong to."""
        if names is None:
            return self._servers
        return [one for one in self._servers if any(name.startswith(f"{one.spec.name}_") for name in names)]

    async def close(self) -> None:
        """End every session and every process, within two seconds. Calls in progress fail, and so do later ones."""
        await to_the_end(asyncio.gather(*(server.close() for server in self._servers)))


class _Server:
    """One server: what it offers, and when it is asked for that."""

    def __init__(
        self,
        spec: ServerSpec,
        names: Callable[[str, Sequence[str]], list[str]],
        changed: Publisher[[]],
        mark: ProgramMark,
    ) -> None:
        """`names` are the names for a server's tools; `changed` is published when `tools` has more."""
        self.spec = spec
        self.connection = Connection(spec, lambda: mark.text)
        self.tools: list[Tool[Any]] = []
        self.known = False
        """Whether it has listed its tools."""
        self.patient = True
        """Whether a turn waits for it."""
        self._names = names
        self._changed = changed
        self._trouble = ""
        self._failures = 0
        self._begun_s = self._due_s = 0.0
        self._learning: asyncio.Task[None] | None = None

    @property
    def starting(self) -> bool:
        return self._learning is not None and not self._learning.done()

    @property
    def awaited(self) -> asyncio.Task[None] | None:
        """The task that a turn waits for; None when it does not wait."""
        return self._learning if self.patient and self.starting else None

    @property
    def fresh(self) -> bool:
        """Whether it was started so recently that it is not late yet."""
        begun = self._learning is not None
        return not self.known and not self._failures and (not begun or time.monotonic() - self._begun_s < REACH_S)

    @property
    def missing(self) -> Missing | None:
        """Why all or some of its tools are not offered; None when all are."""
        name, late = self.spec.name, not self.known and not self._failures
        trouble = self._trouble.removeprefix(f"{name}: ")
        if self.known:
            if not self._trouble:
                return None
            words = f"some tools of the MCP server {name} are not offered: {trouble}"
            return Missing(name, late, words, f"fix the server, or list the tools that you need in [mcp.{name}]")
        if late:
            words = f"the MCP server {name} has not answered yet"
            return Missing(
                name, late, words, "its tools are offered as soon as it answers; the log reports when it fails"
            )
        words = f"the MCP server {name} is not available: {trouble}"
        return Missing(name, late, words, f"check [mcp.{name}] in config.toml; later messages try the server again")

    def begin(self) -> None:
        """Ask for its tools in the background, unless they are known or the delay after a failure is not over."""
        if self.known or self.connection.closed or self.starting or time.monotonic() < self._due_s:
            return
        self._begun_s = time.monotonic()
        self._learning = asyncio.get_running_loop().create_task(self._learn(), name=f"tools of {self.spec.name}")

    async def _learn(self) -> None:
        try:
            try:
                session = await self.connection.session(START_S)
            except ConnectionFailed as error:
                if self._failures or not error.again:
                    raise
                session = await self.connection.session(START_S)  # many programs fail only at their first start
            self._offer(session.definitions, session.unusable)
        except Exception as error:  # whatever a server does must not harm the others
            self._trouble = str(error) if isinstance(error, ToolError) else self.connection.why(error)
            self._failures += 1
            self._due_s = time.monotonic() + min(RETRY_MOST_S, RETRY_S * 2 ** (self._failures - 1))
            self.patient = False
            log.warning("%s", self.missing and self.missing.message)

    def _offer(self, definitions: Mapping[str, Definition], unusable: Mapping[str, str]) -> None:
        """Offer the listed tools that `spec.tools` names. `missing` then names the others with their reasons."""
        name, wanted = self.spec.name, self.spec.tools
        absent = {tool: unusable.get(tool, "the server has no such tool") for tool in wanted or ()}
        left_out = [
            f"{shown_name(tool) or 'one'}: {why}"
            for tool, why in (unusable if wanted is None else absent).items()
            if tool not in definitions
        ]
        offered: list[tuple[Definition, type[Arguments]]] = []
        known = [one for one in definitions.values() if wanted is None or one.name in wanted]
        if len(known) > TOOLS_MOST:
            left_out.append(f"all after the first {TOOLS_MOST}; list those that you need in `tools`")
        for definition in known[:TOOLS_MOST]:
            try:
                if len(json.dumps(definition.schema)) > SCHEMA_BYTES:
                    raise ToolError("its schema is too large")
                offered.append((definition, arguments_model(definition)))
            except RecursionError:
                left_out.append(f"{shown_name(definition.name)}: its schema is nested too deep")
            except ToolError as error:
                left_out.append(f"{shown_name(definition.name)}: {error}")
        names = self._names(name, [definition.name for definition, _ in offered])
        self.tools = [
            server_tool(named, self.spec, *offer, self.connection.call)
            for named, offer in zip(names, offered, strict=True)
        ]
        more = [f"{len(left_out) - NAMED_MOST} more"] if len(left_out) > NAMED_MOST else []
        self._trouble = "; ".join([*left_out[:NAMED_MOST], *more])
        self.known = self.patient = True
        if self.missing is not None:
            log.warning("%s", self.missing.message)
        self._changed.publish()

    async def close(self) -> None:
        """End the session and its processes."""
        self.connection.closed = True
        if self._learning is not None:
            self._learning.cancel()
        await self.connection.close()
