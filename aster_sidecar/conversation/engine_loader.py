"""Imports and builds the engine in a thread when the first turn needs it: its import takes half a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aster_sidecar.garbage import long_lived

if TYPE_CHECKING:
    from aster_sidecar.conversation.engine import Engine


class EngineLoader:
    """Builds the engine once."""

    def __init__(
        self, make: Callable[[], Engine], prepare: Callable[[], Awaitable[None]], begin_servers: Callable[[], None]
    ) -> None:
        """`make` imports and builds the engine in a thread, after `prepare`; `begin_servers` asks MCP servers."""
        self._make = make
        self._prepare = prepare
        self._begin_servers = begin_servers
        self._engine: Engine | None = None
        self._loading = asyncio.Lock()
        self._closed = False

    async def load(self) -> Engine:
        """The engine; built by the first call, which the others wait for."""
        if self._engine is None:
            async with self._loading:
                if self._engine is None:
                    await self._prepare()
                    with long_lived():
                        self._engine = await asyncio.to_thread(self._make)
                    self.look_for_tools()
        return self._engine

    def look_for_tools(self) -> None:
        """Ask the MCP servers that have not answered, in the background. Does nothing before the engine is built."""
        if self._engine is not None and not self._closed:
            self._begin_servers()

    def forget(self, session_id: str) -> None:
        """Drop a session's messages from the engine's memory."""
        if self._engine is not None:
            self._engine.forget(session_id)

    def stop_looking(self) -> None:
        """Stop asking MCP servers for tools."""
        self._closed = True

    async def close(self) -> None:
        """Let the engine send its remaining spans."""
        if self._engine is not None:
            await self._engine.shut_down()
