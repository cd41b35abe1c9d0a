"""Fixtures: an event loop and an MCP server, both for all tests of a module."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from aster_sidecar.tools.mcp.servers import Servers
from tests.tools.mcp.support import STDIO, closed, running
from tests.tools.support import left, until


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """The event loop of the module's tests. At its end, no process is left."""
    with asyncio.Runner() as runner:
        yield runner
        runner.run(until(lambda: left() == []))


@pytest.fixture(scope="module")
def docs(loop: asyncio.Runner) -> Iterator[Servers]:
    """A server that the module's tests share, because its start takes a second."""
    servers = Servers([STDIO])
    yield servers
    loop.run(closed(servers))
    assert running(servers) == 0
