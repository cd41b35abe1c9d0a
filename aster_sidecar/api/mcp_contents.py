"""API calls that take something from an MCP server into a message: a resource, or a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from aster_sidecar.contract import wire
from aster_sidecar.conversation.attachments import Attachments, info
from aster_sidecar.conversation.effective_settings import EffectiveSettings
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import McpFailed
from aster_sidecar.tools.base import File, ToolError
from aster_sidecar.tools.mcp.connection import Connection
from aster_sidecar.tools.mcp.contents import PromptText, prompt_text, resource_files
from aster_sidecar.tools.mcp.servers import Servers

T = TypeVar("T")


class McpContentCalls:
    """Calls of clients in which a person writes a message. Each file becomes an attachment, as if it was uploaded."""

    def __init__(
        self, servers: Servers, attachments: Attachments, sessions: Sessions, settings: EffectiveSettings
    ) -> None:
        self._servers = servers
        self._attachments = attachments
        self._sessions = sessions
        self._settings = settings

    async def read(self, name: str, request: wire.McpRead) -> wire.McpContent:
        """Read a resource. Raises: McpNotFound, SessionNotFound, McpFailed, InvalidShape, BodyTooLarge, StoreError."""

        async def reading(connection: Connection, folder: Path) -> list[File]:
            return await asyncio.to_thread(resource_files, await connection.read(request.uri, folder))

        files = await self._ask(name, request.session_id, reading)
        return wire.McpContent(text="", attachments=await self._kept(files))

    async def fill(self, name: str, request: wire.McpFill) -> wire.McpContent:
        """Get a prompt. Raises: McpNotFound, SessionNotFound, McpFailed, InvalidShape, BodyTooLarge, StoreError."""

        async def filling(connection: Connection, folder: Path) -> PromptText:
            result = await connection.prompt(request.prompt, dict(request.arguments), folder)
            return await asyncio.to_thread(prompt_text, result)

        filled = await self._ask(name, request.session_id, filling)
        return wire.McpContent(text=filled.text, attachments=await self._kept(filled.files))

    async def _ask(self, name: str, session_id: str | None, request: Callable[[Connection, Path], Awaitable[T]]) -> T:
        """What a server answers; it is started first if it does not run.

        Raises: McpNotFound, SessionNotFound, McpFailed.
        """
        server = self._servers.get(name)
        folder = self._settings.work_dir(self._sessions.require(session_id) if session_id is not None else "")
        if not server.spec.enabled:
            raise McpFailed(f"the MCP server {name} is turned off", hint=f"turn it on: PATCH /api/mcp/{name}")
        try:
            return await request(server.connection, folder)
        except ToolError as error:
            words = str(error)
            named = words if words.startswith((f"{name}: ", f"{name} ")) else f"{name}: {words}"
            raise McpFailed(f"the MCP server {named}") from error

    async def _kept(self, files: Iterable[File]) -> list[wire.AttachmentInfo]:
        """The files as attachments. Raises: InvalidShape, BodyTooLarge, StoreError."""
        kept: list[wire.AttachmentInfo] = []
        for file in files:
            kept.append(info(await self._attachments.keep(file.name, file.data)))
        return kept
