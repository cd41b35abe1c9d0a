"""The MCP servers of the user's configuration: which there are, what they offer, and which are missing.

Servers are started in the background, independently of one another. Only a turn waits for them, for at most `REACH_S`
(`Servers.reach`), and a call of one of their tools. What a server says about its tools does not lower their risk.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from aster_sidecar.contract import wire
from aster_sidecar.errors import McpNotFound
from aster_sidecar.services.process_tree import to_the_end
from aster_sidecar.services.program_mark import ProgramMark
from aster_sidecar.tools.base import Tool, ToolError
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.mcp import server as one_server
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.naming import tool_names
from aster_sidecar.tools.mcp.server import Home, Missing, Server
from aster_sidecar.tools.mcp.tools import Knowledge

log = logging.getLogger(__name__)

TRY_S = 50.0
"""How long a server that is only tried may take: less than the 60 s that our client waits for an answer."""

AGAIN_S = 0.2
"""How often a server that is started again after a delay is looked at."""


def every(_: str) -> bool:
    return True


class Servers:
    """The user's MCP servers. `begin` starts them, a call restarts one that has ended, and `close` ends them."""

    def __init__(
        self,
        specs: Iterable[ServerSpec],
        *,
        reserved: Collection[str] = (),
        mark: ProgramMark | None = None,
        home: Home | None = None,
    ) -> None:
        """`reserved` are names that other tools have, besides the built-in ones. `home`: see there."""
        self.mark = mark or ProgramMark()
        self._home = home or Home()
        self._home.names, self._home.mark = self._tool_names, self.mark.needed
        self.changed = self._home.changed
        """Publishes that tools have come or gone."""
        self.told = self._home.told
        """Publishes the name of a server whose state has changed."""
        self._servers = {spec.name: Server(spec, self._home) for spec in specs}
        for server in self._servers.values():
            if server.fault is not None:
                log.warning("%s (%s)", server.fault.message, server.fault.hint)
        self._reserved = frozenset(reserved)
        self._closing: dict[str, asyncio.Task[None]] = {}
        self._trying = asyncio.Lock()
        self._trial: asyncio.Task[wire.McpTryAnswer] | None = None
        self._begun = False

    # -- which there are -----------------------------------------------------------------------------------------------

    @property
    def programs(self) -> int:
        """How many servers are programs on this machine."""
        return sum(server.spec.command is not None and server.fault is None for server in self._servers.values())

    def names(self) -> list[str]:
        return list(self._servers)

    def list(self) -> list[wire.McpServerInfo]:
        """All servers, in the order of the configuration."""
        return [server.info() for server in self._servers.values()]

    def wants(self, name: str, agent_id: str) -> bool:
        """Whether the settings give a server's tools to an agent."""
        server = self._servers.get(name)
        return server is not None and (server.spec.agents is None or agent_id in server.spec.agents)

    def get(self, name: str) -> Server:
        """Raises: McpNotFound."""
        server = self._servers.get(name)
        if server is None:
            raise McpNotFound(f"MCP server not found: {name[:100]!r}")
        return server

    def put(self, spec: ServerSpec, knowledge: Knowledge | None = None) -> None:
        """Add a server, or change one. If it has to start again, the earlier one ends first."""
        before = self._servers.get(spec.name)
        if before is not None and before.spec.is_same_program(spec):
            before.adjust(spec)
            return
        after = self._end(before) if before is not None else self._closing.get(spec.name)
        self._servers[spec.name] = Server(spec, self._home, after, knowledge)
        if before is not None:
            self.changed.publish()  # its tools are gone until the new one has listed them
        if self._begun:
            self._servers[spec.name].begin()
        self.told.publish(spec.name)

    def remove(self, name: str) -> None:
        """End a server. Raises: McpNotFound."""
        before = self.get(name)
        del self._servers[name]
        self._end(before)
        self.changed.publish()
        self.told.publish(name)

    def _end(self, server: Server) -> asyncio.Task[None]:
        """End a server in the background, after an earlier one of its name."""
        name, earlier = server.spec.name, self._closing.get(server.spec.name)

        async def end() -> None:
            await asyncio.gather(server.close(), *([earlier] if earlier is not None else []), return_exceptions=True)

        task = self._closing[name] = asyncio.get_running_loop().create_task(end(), name=f"end of mcp {name}")
        task.add_done_callback(lambda done: self._closing.pop(name) if self._closing.get(name) is done else None)
        return task

    def wait_for(self, buried: asyncio.Future[Any]) -> None:
        """Start no program before `buried`: the end of the processes of an earlier daemon."""
        self._home.buried = buried

    # -- starting and waiting ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start all servers in the background; returns at once.

        Servers that are ready are left alone; servers that failed are started after their delay.
        """
        self._begun = True
        for server in self._servers.values():
            server.begin()

    async def reach(self, names: Sequence[str] | None = None, wanted: Callable[[str], bool] = every) -> list[Missing]:
        """Wait at most `REACH_S` for the servers of these tools (None: all); returns those that have not answered.

        Only servers that `wanted` accepts by their name count. A server that failed, or did not answer within an
        earlier wait, is not waited for until it has answered.
        """
        self._begun = True
        mine = [server for server in self._of(names) if server.spec.enabled and wanted(server.spec.name)]
        for server in mine:
            server.begin()
        waited = {task: server for server in mine if (task := server.awaited)}
        if waited:
            with suppress(ImportError):  # each server reports it
                await asyncio.to_thread(importlib.import_module, "mcp")  # not part of the servers' time
            _, late = await asyncio.wait(waited, timeout=one_server.REACH_S)
            for task in late:
                waited[task].patient = False
        return [missing for server in mine if not server.known and (missing := server.missing)]

    async def await_tools(self, names: Sequence[str], within_s: float) -> None:
        """Wait at most `within_s` for the servers of these tools, which go on with calls, until they have answered.

        Unlike `reach`, it also waits for one that is slow, or is started again after a failure.
        """
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            mine = [server for server in self._of(names) if not server.known and server.can_come]
            if not mine:
                return
            for server in mine:
                server.begin()
            starting = {task for server in mine if (task := server.start_under_way) is not None}
            await asyncio.wait(starting, timeout=left_s) if starting else await asyncio.sleep(min(AGAIN_S, left_s))

    # -- what they offer -----------------------------------------------------------------------------------------------

    def tools(self) -> list[Tool[Any]]:
        """The tools of the servers that have answered, in the order of the configuration."""
        return [tool for server in self._servers.values() for tool in server.tools]

    def missing(self) -> list[Missing]:
        """The servers that are missing and those whose tools are not all offered.

        Not those that were just started, or that the person turned off.
        """
        servers = [server for server in self._servers.values() if server.spec.enabled and not server.fresh]
        return [missing for server in servers if (missing := server.missing)]

    def why_absent(self, tool: str) -> Missing | None:
        """The missing server that a tool of this name would belong to; None when there is none."""
        found = [server for server in self._of([tool]) if not server.known or not server.spec.enabled]
        return max(found, key=lambda server: len(server.spec.name)).missing if found else None

    async def tried(self, spec: ServerSpec) -> wire.McpTryAnswer:
        """Connect to a server without references, list its tools, and end it. A new try ends an earlier one.

        A person who gave up waiting can so try other settings at once.
        """
        if self._trial is not None:
            self._trial.cancel()
        trial = self._trial = asyncio.get_running_loop().create_task(self._try(spec), name=f"try of {spec.name}")
        try:
            return await trial
        except asyncio.CancelledError:
            if (caller := asyncio.current_task()) is not None and caller.cancelling():
                raise
            return wire.McpTryAnswer(ok=False, error=f"{spec.name}: another try has ended this one")

    async def _try(self, spec: ServerSpec) -> wire.McpTryAnswer:
        async with self._trying:
            home = Home(self._home.names, self._home.mark, folder=self._home.folder)
            server = Server(spec, home)
            try:
                session = await server.connection.session(TRY_S)
                return wire.McpTryAnswer(
                    ok=True,
                    protocol=session.protocol,
                    implementation=session.implementation,
                    tools=server.tool_list(),
                    problems=server.problems,
                )
            except ToolError as error:
                return wire.McpTryAnswer(ok=False, error=str(error))
            finally:
                await to_the_end(server.close())

    def _tool_names(self, server: str, tools: Sequence[str]) -> list[str]:
        reserved = self._reserved | {tool.name for tool in builtin_tools()}
        return tool_names(server, tools, list(self._servers), reserved)

    def _of(self, names: Sequence[str] | None) -> list[Server]:
        """The servers that tools of these names may belong to."""
        servers = list(self._servers.values())
        if names is None:
            return servers
        return [one for one in servers if any(name.startswith(f"{one.spec.name}_") for name in names)]

    async def close(self) -> None:
        """End every session and every process, within two seconds. Calls in progress fail, and so do later ones."""
        ends = [server.close() for server in self._servers.values()]
        await to_the_end(asyncio.gather(*ends, *self._closing.values()))
