"""The session with one MCP server: opened when it is first needed, opened again after it was lost, and closed.

A task owns the session and, through its transport, the processes of a server that is a program. The server can't ask
the user for anything: elicitation, sampling and roots are refused.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from aster_sidecar import __version__
from aster_sidecar.frozen import how_to_get
from aster_sidecar.services.launch import Program
from aster_sidecar.services.process_tree import to_the_end
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.base import CallContext, ToolError
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.definitions import Definition
from aster_sidecar.tools.mcp.messages import Answers, Reading, Writing
from aster_sidecar.tools.mcp.naming import shown_name
from aster_sidecar.tools.mcp.results import Progress
from aster_sidecar.tools.mcp.transports import DRAIN_S, EXIT_S, KILL_S, TERM_S, Transport, transport_of

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client._transport import TransportStreams
    from mcp.types import CallToolResult

CONNECT_S = 30.0
"""How long a call waits for the server to start again."""
HTTP_CLOSE_S = 1.0
TOOLS_MOST = 256
"""Tools of one server that are read, and pages of its list."""
DESCRIPTION_CHARS = 4096

ENDED = "it ended during the call; what it did until then is not known"
EXTRA = f"MCP servers need an extra: {how_to_get('mcp')}"


class ConnectionFailed(ToolError):
    """A session can't be opened. `again`: another attempt right away may succeed."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


@dataclass(slots=True)
class Session:
    """An open session."""

    client: Client
    definitions: dict[str, Definition]
    unusable: dict[str, str]
    """Why others of the server's tools are not in `definitions`, by their names."""
    over: asyncio.Event
    """Set when the session has ended, or has to."""


class Connection:
    """One server's session. `mark` gives the beginning of the ids of its processes."""

    def __init__(self, spec: ServerSpec, mark: Callable[[], str]) -> None:
        self._spec = spec
        self._mark = mark
        self._transport: Transport | None = None
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self.closed = False

    @property
    def program(self) -> Program | None:
        """The running program; None when there is none, and over HTTP."""
        return self._transport.program if self._transport is not None else None

    async def call(self, tool: str, arguments: dict[str, Any], digest: str, ctx: CallContext) -> CallToolResult:
        """Call a tool of the server, at most once. `digest` is that of the definition that was approved.

        Raises: ToolError.
        """
        session, name = await self.session(CONNECT_S), self._spec.name
        now = session.definitions.get(tool)
        if now is None or now.digest != digest:
            raise ToolError(f"{shown_name(tool)} of {name} changed after the call was allowed; it was not called")
        from mcp import MCPError

        progress = Progress(ctx)
        try:
            async with asyncio.timeout(self._spec.timeout_s) as timeout, _ended_with(session.over, timeout):
                return await session.client.call_tool(tool, arguments, progress_callback=progress.tell)
        except TimeoutError as error:
            if session.over.is_set():
                raise ToolError(self.why(None, ENDED)) from error
            after = f"{self._spec.timeout_s:g} s"
            raise ToolError(f"{name} did not answer within {after}; what it did until then is not known") from error
        except MCPError as error:
            from mcp.types import CONNECTION_CLOSED

            if error.code == CONNECTION_CLOSED or error.message == "Session terminated":
                session.over.set()
                plain = error.message in ("Connection closed", "Session terminated")
                raise ToolError(self.why(None, ENDED if plain else f"{ENDED} ({error.message})")) from error
            raise ToolError(self._cleaned(error.message)) from error
        except Exception as error:
            raise ToolError(self.why(error)) from error
        finally:
            progress.over = True

    async def session(self, within_s: float) -> Session:
        """The open session; it is opened when there is none. Raises: ToolError, also when `within_s` is over."""
        timeout = asyncio.timeout(within_s)
        try:
            async with timeout, self._opening:
                if self.closed:
                    raise ConnectionFailed(f"{self._spec.name} is being shut down", again=False)
                if self._session is not None and not self._session.over.is_set():
                    return self._session
                await self._end()
                try:
                    await asyncio.to_thread(importlib.import_module, "mcp")  # large: other turns go on meanwhile
                except ImportError as error:
                    raise ConnectionFailed(EXTRA, again=False) from error
                self._session = await self._opened()
                return self._session
        except TimeoutError as error:
            why = self.why(error, f"did not answer within {within_s:g} s")
            raise ConnectionFailed(why, again=False) from error

    async def _opened(self) -> Session:
        """A new session. Raises: ToolError."""
        ready: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        ready.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._task = asyncio.create_task(self._own_session(ready), name=f"mcp {self._spec.name}")
        try:
            return await asyncio.shield(ready)
        except BaseException:
            await to_the_end(self._end())
            raise

    async def _own_session(self, ready: asyncio.Future[Session]) -> None:
        """Hold the session open until it is over. One task has to enter and leave it."""
        from mcp import Client
        from mcp.types import Implementation

        over = asyncio.Event()
        transport = self._transport = transport_of(self._spec, self._mark())
        info = Implementation(name="aster-sidecar", version=__version__)
        failure: BaseException | None = None
        try:
            # Without callbacks for elicitation, sampling and roots, the session declares that it has none of them.
            answers = Answers()
            async with Client(_repaired(transport, over, answers), cache=None, client_info=info) as client:
                session = Session(client, await _definitions(client), answers.left_out, over)
                if not ready.done():
                    ready.set_result(session)
                    await over.wait()
        except Exception as error:
            failure = error
        finally:
            over.set()
            if not ready.done():
                why = self.why(failure) if failure else f"{self._spec.name} was ended"
                ready.set_exception(ConnectionFailed(why, again=failure is not None))

    async def _end(self) -> None:
        """End the session and its processes."""
        task, session = self._task, self._session
        if task is None:
            return
        if session is None:
            task.cancel()
        else:
            session.over.set()
            await asyncio.wait({task}, timeout=HTTP_CLOSE_S if self._spec.url else EXIT_S + TERM_S + KILL_S)
            task.cancel()
        await asyncio.wait({task}, timeout=EXIT_S + TERM_S + KILL_S if session is None else KILL_S)
        self._task = self._session = None

    async def close(self) -> None:
        """End the session and its processes; none is opened after this."""
        self.closed = True
        await self._end()

    def why(self, error: BaseException | None, words: str | None = None) -> str:
        """A failure as a sentence, with the end of the program's stderr and without configured secrets."""
        while isinstance(error, BaseExceptionGroup):
            error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
        message = words or (str(error) or type(error).__name__)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            message = f"its answer can't be read: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        if self._transport is not None and (last := self._transport.last_words()):
            message += f"; the end of its stderr: {last[-600:]}"
        return self._cleaned(message)

    def _cleaned(self, message: str) -> str:
        """A message of the server or the MCP library, without configured secrets and details for programmers."""
        status = self._transport.status if self._transport is not None else "an error"
        message = message.replace("Server returned an error response", f"it answered with {status}")
        message = re.sub(
            r"^Failed to parse [^:]*: (?:.*validation error.*\n)?\s*", "its answer can't be read: ", message
        )
        message = re.sub(r" \[type=\w+, input_value=(?s:.*)", "", message)
        for secret in sorted((*self._spec.env.values(), *self._spec.headers.values()), key=len, reverse=True):
            message = message.replace(secret, "***") if len(secret) >= 4 else message
        return f"{self._spec.name}: {visible(message[:2000])}"


@asynccontextmanager
async def _repaired(transport: Transport, over: asyncio.Event, answers: Answers) -> AsyncGenerator[TransportStreams]:
    """The transport's streams, with messages repaired by `answers`."""
    async with transport.open(over) as (incoming, outgoing):
        yield Reading(incoming, answers), Writing(outgoing, answers)


@asynccontextmanager
async def _ended_with(over: asyncio.Event, timeout: asyncio.Timeout) -> AsyncGenerator[None]:
    """Let `timeout` expire soon after the session is over: the library may never answer a call of a lost session."""
    loop = asyncio.get_running_loop()

    def ended(watching: asyncio.Task[Any]) -> None:
        if not watching.cancelled() and not timeout.expired():
            timeout.reschedule(loop.time() + DRAIN_S)

    watching = loop.create_task(over.wait())
    watching.add_done_callback(ended)
    try:
        yield
    finally:
        watching.remove_done_callback(ended)
        watching.cancel()


async def _definitions(client: Client) -> dict[str, Definition]:
    """The tools that the server lists, by their names."""
    found: dict[str, Definition] = {}
    cursor: str | None = None
    for _ in range(TOOLS_MOST):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            description = (tool.description or tool.title or "")[:DESCRIPTION_CHARS]
            found.setdefault(tool.name, Definition(tool.name, description, tool.input_schema))
        cursor = page.next_cursor
        if not cursor or len(found) > TOOLS_MOST:
            break
    return found
