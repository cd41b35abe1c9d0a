"""API calls about tools."""

from __future__ import annotations

from aster_sidecar.api.warnings import Warnings
from aster_sidecar.contract import wire
from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.tools.registry import Toolkit


class ToolCalls:
    """Calls about tools."""

    def __init__(self, engine: EngineLoader, toolkit: Toolkit, warnings: Warnings) -> None:
        self._engine = engine
        self._toolkit = toolkit
        self._warnings = warnings

    async def list(self) -> tuple[list[wire.ToolInfo], list[wire.Warning]]:
        """The available tools with the schemas of their arguments, and warnings about unavailable MCP servers."""
        self._engine.look_for_tools()
        if (sandbox := self._toolkit.surroundings().sandbox) is not None:
            await sandbox.known()
        return self._toolkit.list(), self._warnings.missing_tools()
