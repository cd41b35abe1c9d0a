"""The roots of an MCP server: the directories that it is told to work in.

They are the folder of the session that calls the server, unless the settings name others. Sessions with different
folders share one process, so the roots follow the calls.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aster_sidecar.tools.mcp.config import ServerSpec

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import ListRootsResult

ASK_S = 1.0
"""How long a call waits for the server to ask for changed roots."""
SETTLE_S = 0.05
"""How long a call waits after that: the server does not report when it uses them."""


class WithClient(Protocol):
    """A session."""

    client: Client


class Roots:
    """The roots of one server. `folder` is that of new sessions; None: there is none."""

    def __init__(self, spec: ServerSpec, folder: Callable[[], Path | None]) -> None:
        self._fixed = spec.roots
        # Some servers let roots replace the directories in their arguments.
        self._named = tuple(Path(arg) for arg in spec.args if os.path.isabs(arg) and os.path.isdir(arg))
        self._folder = folder
        self._calls: list[Path] = []
        """The folders of calls in progress."""
        self._last: Path | None = None
        self._told: frozenset[Path] | None = None
        self._asked = asyncio.Event()

    @property
    def offered(self) -> bool:
        """Whether the server may ask for roots."""
        return self._fixed != ()

    def begin(self) -> None:
        """A new session begins: the server has not asked yet."""
        self._told = None

    def now(self) -> list[Path]:
        """The roots now, the newest call's first."""
        if self._fixed is not None:
            return [Path(root) for root in self._fixed]
        last = self._last or self._folder()
        folders = self._calls[::-1] or ([last] if last is not None else [])
        return list(dict.fromkeys((*folders, *self._named)))

    async def asked(self, context: Any) -> ListRootsResult:
        """Answer the server's question."""
        from mcp.types import ListRootsResult, Root

        roots = self.now()
        self._told = frozenset(roots)
        self._asked.set()
        # A type checker does not know that pydantic makes a URL from text.
        return ListRootsResult(roots=[Root(uri=root.as_uri(), name=root.name or None) for root in roots])  # type: ignore[arg-type]

    @asynccontextmanager
    async def of_call(self, session: WithClient, folder: Path) -> AsyncGenerator[None]:
        """Include the folder of a call in the roots while the call runs."""
        self._calls.append(folder)
        self._last = folder
        try:
            if self._told is not None and self._told != frozenset(self.now()):
                await self._tell(session)
            yield
        finally:
            self._calls.remove(folder)

    async def _tell(self, session: WithClient) -> None:
        """Tell the server that the roots changed, and wait until it has asked for them."""
        from mcp.types import RootsListChangedNotification

        self._asked.clear()
        await session.client.session.send_notification(RootsListChangedNotification())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._asked.wait(), ASK_S)
            await asyncio.sleep(SETTLE_S)
