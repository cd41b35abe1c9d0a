"""What an MCP server lists: its tools, resources and prompts, read at first and again when it reports a change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from aster_sidecar.contract import wire
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.mcp.definitions import Definition
from aster_sidecar.tools.mcp.messages import Answers

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import Implementation

log = logging.getLogger(__name__)

TOOLS_MOST = 256
"""Tools of one server that are read, and pages of its list."""
DESCRIPTION_CHARS = 4096
RESOURCES_MOST, PROMPTS_MOST, PAGES_MOST = 1000, 200, 50
NAME_CHARS = 300
AGAIN_S = 1.0
"""The shortest time between two readings."""
LISTEN_AGAIN_S, LISTEN_AGAIN_MOST_S = 1.0, 60.0

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """An open session, and what the server lists."""

    client: Client
    definitions: dict[str, Definition]
    unusable: dict[str, str]
    """Why others of the server's tools are not in `definitions`, by their names."""
    over: asyncio.Event
    """Set when the session has ended, or has to."""
    protocol: str
    implementation: str | None
    resources: list[wire.McpResource] = field(default_factory=list[wire.McpResource])
    prompts: list[wire.McpPrompt] = field(default_factory=list[wire.McpPrompt])


async def opened(client: Client, answers: Answers, over: asyncio.Event) -> Session:
    """The session of a client that is connected, with the tools that the server lists."""
    definitions = await definitions_of(client)
    return Session(
        client, definitions, dict(answers.left_out), over, str(client.protocol_version), _name_of(client.server_info)
    )


class Lists:
    """Keeps the lists of a session current."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    async def noticed(self, message: Any) -> None:
        """A notification of the server."""
        from mcp import types

        changes = (
            types.ToolListChangedNotification,
            types.ResourceListChangedNotification,
            types.PromptListChangedNotification,
        )
        if isinstance(message, changes):
            self._changed.set()

    async def follow(self, session: Session, answers: Answers, listed: Callable[[Session], None]) -> None:
        """Read the lists when they change, until the session is over; `listed` is called after each time."""
        listening = asyncio.create_task(self._listen(session.client))
        over = asyncio.create_task(session.over.wait())
        try:
            if await _unless(over, _read_others(session)):
                listed(session)
            while not over.done():
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait({over, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if over.done():
                    return
                self._changed.clear()
                if await _unless(over, _read_again(session, answers)):
                    listed(session)
                await asyncio.wait({over}, timeout=AGAIN_S)
        finally:
            for task in (listening, over):
                task.cancel()

    async def _listen(self, client: Client) -> None:
        """Ask a server of protocol 2026-07-28 for notifications; older ones send them unasked."""
        from mcp import MCPError
        from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost

        capabilities = client.server_capabilities
        kinds = (capabilities.tools, capabilities.prompts, capabilities.resources)
        tools, prompts, resources = (bool(kind is not None and kind.list_changed) for kind in kinds)
        if not (tools or prompts or resources):
            return
        delay_s = LISTEN_AGAIN_S
        while True:
            try:
                async with client.listen(
                    tools_list_changed=tools, prompts_list_changed=prompts, resources_list_changed=resources
                ) as events:
                    delay_s = LISTEN_AGAIN_S
                    async for _ in events:
                        self._changed.set()
            except (ListenNotSupportedError, MCPError):
                return
            except (SubscriptionLost, TimeoutError):
                self._changed.set()  # changes may have been missed
            await asyncio.sleep(delay_s)
            delay_s = min(LISTEN_AGAIN_MOST_S, delay_s * 2)


async def _unless(over: asyncio.Task[Any], reading: Awaitable[bool]) -> bool:
    """The result of a reading; False when it failed, or the session ended meanwhile: it may never be answered then."""
    task = asyncio.ensure_future(reading)
    try:
        await asyncio.wait({over, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            with suppress(Exception):  # what a server does must not harm its session
                return task.result()
        return False
    finally:
        task.cancel()


async def _read_again(session: Session, answers: Answers) -> bool:
    answers.left_out.clear()
    session.definitions = await definitions_of(session.client)
    session.unusable = dict(answers.left_out)
    await _read_others(session)
    return True


async def _read_others(session: Session) -> bool:
    """Read resources and prompts. Returns whether the server has any of them."""
    from mcp import MCPError

    client, capabilities = session.client, session.client.server_capabilities
    if capabilities.resources is not None:
        with suppress(MCPError):
            session.resources = await _resources_of(client)
    if capabilities.prompts is not None:
        with suppress(MCPError):
            session.prompts = await _prompts_of(client)
    return capabilities.resources is not None or capabilities.prompts is not None


async def definitions_of(client: Client) -> dict[str, Definition]:
    """The tools that the server lists, by their names."""
    found: dict[str, Definition] = {}
    cursor: str | None = None
    for _ in range(TOOLS_MOST):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            description = (tool.description or tool.title or "")[:DESCRIPTION_CHARS]
            destructive = tool.annotations is not None and tool.annotations.destructive_hint is True
            found.setdefault(tool.name, Definition(tool.name, description, tool.input_schema, destructive))
        cursor = page.next_cursor
        if not cursor or len(found) > TOOLS_MOST:
            break
    return found


async def _resources_of(client: Client) -> list[wire.McpResource]:
    found: list[wire.McpResource] = []
    cursor: str | None = None
    for _ in range(PAGES_MOST):
        page = await client.list_resources(cursor=cursor)
        found += [
            wire.McpResource(
                uri=str(one.uri)[:4096],
                name=_line(one.name) or str(one.uri)[:NAME_CHARS],
                title=_line(one.title),
                description=_line(one.description),
                mime_type=_line(one.mime_type),
                size=one.size,
            )
            for one in page.resources
        ]
        cursor = page.next_cursor
        if not cursor or len(found) >= RESOURCES_MOST:
            break
    return found[:RESOURCES_MOST]


async def _prompts_of(client: Client) -> list[wire.McpPrompt]:
    found: list[wire.McpPrompt] = []
    cursor: str | None = None
    for _ in range(PAGES_MOST):
        page = await client.list_prompts(cursor=cursor)
        found += [
            wire.McpPrompt(
                name=one.name[:NAME_CHARS],
                title=_line(one.title),
                description=_line(one.description),
                arguments=[
                    wire.McpPromptArgument(
                        name=given.name[:NAME_CHARS],
                        description=_line(given.description),
                        required=bool(given.required),
                    )
                    for given in (one.arguments or [])[:32]
                ],
            )
            for one in page.prompts
        ]
        cursor = page.next_cursor
        if not cursor or len(found) >= PROMPTS_MOST:
            break
    return found[:PROMPTS_MOST]


def _line(text: str | None) -> str | None:
    """A text of the server on one line, for people; None if it is empty."""
    return (visible(text[:NAME_CHARS], newlines=False) or None) if text else None


def _name_of(told: Implementation | None) -> str | None:
    """What the server calls itself, with its version."""
    return _line(f"{told.title or told.name} {told.version}") if told is not None else None
