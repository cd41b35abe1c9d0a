"""MCP servers as real processes: they are started, asked for their tools, called and closed."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from aster_sidecar.tools.base import Outcome, Tool
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.server import Server
from aster_sidecar.tools.mcp.servers import Servers
from aster_sidecar.tools.mcp.transports import EXIT_S, KILL_S, TERM_S
from tests.tools.support import Listener, left, until

SCRIPT = str(Path(__file__).parents[2] / "support" / "mcp_server.py")
STDIO = ServerSpec(name="docs", command=sys.executable, args=(SCRIPT,))
MANGLED_WORDS = {
    "half": b"a\\ud83db \\ud83d\\ude00 c\\\\ud83d",
    "bytes": b"a\xffb \xed\xa0\xbd",
    "nul": b"a\\u0000b",
    "raw_nul": b"a\0b",
    "plain": b"fine",
}
"""The text of each tool, as the server writes it into JSON."""
TEXTS = {
    "half": "a\ufffdb \U0001f600 c\\ud83d",
    "bytes": "a\ufffdb \ufffd\ufffd\ufffd",
    "nul": "a\ufffdb",
    "raw_nul": "a\ufffdb",
    "plain": "fine",
}
"""The text of each tool, as the model must receive it."""


def running(servers: Servers) -> int:
    """How many of the servers have a process."""
    return sum(server.connection.program is not None for server in servers._servers.values())


def nth(servers: Servers, n: int = 0) -> Server:
    """One of the servers."""
    return list(servers._servers.values())[n]


async def closed(servers: Servers, gone: Callable[[], bool] = lambda: True) -> None:
    """Close the servers. All of them have ended then, or soon after if the machine is so slow that `close` gave up."""
    began = time.monotonic()
    await servers.close()
    took_s = time.monotonic() - began
    assert took_s < 20, f"closing took {took_s:.0f} s"
    if took_s >= EXIT_S + TERM_S + KILL_S:
        await until(lambda: running(servers) == 0 and gone())
    assert running(servers) == 0
    assert gone(), "a process of a server still runs"


@asynccontextmanager
async def serving(*given: ServerSpec) -> AsyncGenerator[Servers]:
    """The servers for a block. At its end they are closed, and their processes have ended."""
    servers, before = Servers(given), left()
    try:
        yield servers
    finally:
        await closed(servers, lambda: [one for one in left() if one not in before] == [])


async def answered(servers: Servers) -> dict[str, Tool[Any]]:
    """The tools of the servers, once each server has answered or failed."""
    servers.begin()
    await until(lambda: not any(server.starting for server in servers._servers.values()), 60)
    return {tool.name: tool for tool in servers.tools()}


async def offered(servers: Servers) -> dict[str, Tool[Any]]:
    """The tools of the servers, all of which must have answered."""
    tools = await answered(servers)
    assert servers.missing() == []
    return tools


def troubles(servers: Servers) -> dict[str, str]:
    """The error of each server that failed, or some of whose tools are not offered."""
    return {missing.server: missing.message for missing in servers.missing()}


async def run(tool: Tool[Any], context: Listener, **arguments: Any) -> Outcome:
    parsed = tool.arguments.model_validate(arguments)
    return await tool.run(parsed, tool.assess(parsed, context.surroundings), context)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
