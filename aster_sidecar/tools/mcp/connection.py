"""The session with one MCP server: opened when it is first needed, opened again after it was lost, and closed.

A task owns the session and, through its transport, the processes of a server that is a program. The server can ask a
person something in a call (elicitation): see `input_rounds` and `live_questions`. It can't ask a model: sampling is
refused.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from pydantic import ValidationError

from aster_sidecar import __version__
from aster_sidecar.asking.time_limit import TimeLimit
from aster_sidecar.frozen import how_to_get
from aster_sidecar.services.launch import Program
from aster_sidecar.services.log import ServiceLog
from aster_sidecar.services.process_tree import to_the_end
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.base import CallContext, Paused, ToolError
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.input_rounds import InputRounds, progress_of
from aster_sidecar.tools.mcp.lists import Lists, Session, opened
from aster_sidecar.tools.mcp.live_questions import LiveQuestions
from aster_sidecar.tools.mcp.messages import Answers, Reading, Writing
from aster_sidecar.tools.mcp.results import Progress
from aster_sidecar.tools.mcp.roots import Roots
from aster_sidecar.tools.mcp.tool_request import ToolRequest, changed
from aster_sidecar.tools.mcp.transports import DRAIN_S, EXIT_S, KILL_S, TERM_S, Transport, transport_of

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams
    from mcp.types import (
        CallToolResult,
        GetPromptResult,
        InputRequiredResult,
        InputResponses,
        ListRootsResult,
        ReadResourceResult,
    )

CONNECT_S = 30.0
"""How long a call waits for the server to start again."""
HTTP_CLOSE_S = 1.0
ENDED = "it ended during the call; what it did until then is not known"
T = TypeVar("T")
EXTRA = f"MCP servers need an extra: {how_to_get('mcp')}"


class ConnectionFailed(ToolError):
    """A session can't be opened. `again`: another attempt right away may succeed."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


class Events(Protocol):
    """What a connection reports about its session."""

    def opened(self, session: Session) -> None:
        """The server has listed its tools."""
        ...

    def listed(self, session: Session) -> None:
        """It has listed its tools, resources or prompts again."""
        ...

    def ended(self, why: str) -> None:
        """The session ended without being asked to."""
        ...

    @property
    def refusal(self) -> str | None:
        """Why no session may be opened now; None when one may."""
        ...


class Connection:
    """One server's session: there is never a second one, nor a second process, while the first has not ended.

    `mark` gives the beginning of the ids of its processes. See `Home` for `resolve` and `folder`.
    """

    def __init__(
        self,
        spec: ServerSpec,
        *,
        mark: Callable[[], str],
        resolve: Callable[[ServerSpec], Awaitable[ServerSpec]],
        folder: Callable[[], Path | None],
        log: ServiceLog | None,
        events: Events | None = None,
    ) -> None:
        self._spec = spec
        self._resolved = spec
        self._mark = mark
        self._resolve = resolve
        self._folder = folder
        self._log = log
        self._events = events
        self._roots = Roots(spec, folder)
        self._questions = LiveQuestions(spec.name)
        self._transport: Transport | None = None
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self._opening = asyncio.Lock()
        self.closed = False

    def adjust(self, spec: ServerSpec) -> None:
        """Use settings that need no new session."""
        self._spec = spec

    @property
    def program(self) -> Program | None:
        """The running program; None when there is none, and over HTTP."""
        return self._transport.program if self._transport is not None else None

    @property
    def session_now(self) -> Session | None:
        """The open session."""
        session = self._session
        return session if session is not None and not session.over.is_set() else None

    async def call(self, tool: str, arguments: dict[str, Any], digest: str, ctx: CallContext) -> CallToolResult:
        """Call a tool of the server, at most once, or let a call go on that was paused.

        `digest` is that of the definition that was approved. Raises: ToolError, Paused.
        """
        approved = (self._spec.digest(), digest)
        come = progress_of(ctx, approved)
        session = await self.session(CONNECT_S)
        now = session.definitions.get(tool)
        if now is None or now.digest != digest or come.approved != approved:
            raise changed(self._spec.name, tool)
        progress = Progress(ctx)
        request = ToolRequest(self._spec.name, session, tool, arguments, digest, progress)
        rounds = InputRounds(self._spec.name, self._roots_now, ctx, come)
        try:
            return await self._answer(session, ctx.surroundings.work_dir, lambda: rounds.result(request.send), ctx)
        finally:
            progress.over = True

    async def read(self, uri: str, folder: Path) -> ReadResourceResult:
        """Read a resource of the server; `folder` is that of the session. Raises: ToolError."""
        session = await self.session(CONNECT_S)

        async def send(responses: InputResponses | None, state: str | None) -> ReadResourceResult | InputRequiredResult:
            return await session.client.session.read_resource(
                uri, input_responses=responses, request_state=state, allow_input_required=True
            )

        rounds = InputRounds(self._spec.name, self._roots_now)
        return await self._answer(session, folder, lambda: rounds.result(send))

    async def prompt(self, prompt: str, arguments: dict[str, str], folder: Path) -> GetPromptResult:
        """Get a prompt of the server; `folder` is that of the session. Raises: ToolError."""
        session = await self.session(CONNECT_S)

        async def send(responses: InputResponses | None, state: str | None) -> GetPromptResult | InputRequiredResult:
            return await session.client.session.get_prompt(
                prompt, arguments, input_responses=responses, request_state=state, allow_input_required=True
            )

        rounds = InputRounds(self._spec.name, self._roots_now)
        return await self._answer(session, folder, lambda: rounds.result(send))

    @property
    def _roots_now(self) -> Callable[[], Awaitable[ListRootsResult]] | None:
        """Answers a question for roots; None: they are not offered."""
        return (lambda: self._roots.asked(None)) if self._roots.offered else None

    async def _answer(
        self, session: Session, folder: Path, request: Callable[[], Awaitable[T]], ctx: CallContext | None = None
    ) -> T:
        """What the server answers to a request; `ctx` is that of a call.

        Raises: ToolError, also when it does not answer in time, and Paused.
        """
        from mcp import MCPError

        name = self._spec.name
        try:
            async with (
                TimeLimit(self._spec.timeout_s) as limit,
                _ended_with(session.over, limit),
                self._roots.of_call(session, folder),
            ):
                with self._questions.during(ctx, limit):
                    return await request()
        except (Paused, ToolError):
            raise
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

    async def session(self, within_s: float) -> Session:
        """The open session; it is opened when there is none. Raises: ToolError, also when `within_s` is over."""
        timeout = asyncio.timeout(within_s)
        try:
            async with timeout, self._opening:
                if self.closed:
                    raise ConnectionFailed(f"{self._spec.name} is being shut down", again=False)
                if (session := self.session_now) is not None:
                    return session
                if self._events is not None and (refusal := self._events.refusal) is not None:
                    raise ConnectionFailed(refusal, again=False)
                await self._end()
                try:
                    await asyncio.to_thread(importlib.import_module, "mcp")  # large: other turns go on meanwhile
                    # It logs each message of a server that it can't use, with a traceback.
                    logging.getLogger("client").setLevel(logging.ERROR)
                except ImportError as error:
                    raise ConnectionFailed(EXTRA, again=False) from error
                self._session = session = await self._opened()
        except TimeoutError as error:
            why = self.why(error, f"did not answer within {within_s:g} s")
            raise ConnectionFailed(why, again=False) from error
        if self._events is not None:
            self._events.opened(session)
        return session

    async def _opened(self) -> Session:
        """A new session. Raises: ToolError."""
        self._resolved = await self._resolve(self._spec)
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
        transport = self._transport = transport_of(self._resolved, self._mark(), self._folder(), self._log)
        info = Implementation(name="aster-sidecar", version=__version__)
        failure: BaseException | None = None
        session: Session | None = None
        try:
            # Without a callback for sampling, the session declares that it has none.
            answers = Answers()
            lists = Lists()
            self._roots.begin()
            self._questions.begin()
            async with Client(
                _repaired(transport, over, answers),
                cache=None,
                client_info=info,
                message_handler=lists.noticed,
                elicitation_callback=self._questions.asked,
                list_roots_callback=self._roots.asked if self._roots.offered else None,
            ) as client:
                session = await opened(client, answers, over)
                if not ready.done():
                    ready.set_result(session)
                    await lists.follow(session, answers, self._listed)
        except Exception as error:
            failure = error
        finally:
            over.set()
            if not ready.done():
                why = self.why(failure) if failure else f"{self._spec.name} was ended"
                ready.set_exception(ConnectionFailed(why, again=failure is not None))
            elif session is self._session and not self._ending and self._events is not None:
                self._events.ended(self.why(failure, "it ended" if failure is None else None))

    def _listed(self, session: Session) -> None:
        if session is self._session and self._events is not None:
            self._events.listed(session)

    async def end(self) -> None:
        """End the session and its processes; the next use opens another one."""
        async with self._opening:
            await self._end()

    async def _end(self) -> None:
        """End the session and its processes. Raises: ConnectionFailed when they have not ended after a few seconds."""
        task, session = self._task, self._session
        if task is None:
            return
        self._ending = True
        try:
            if session is None:
                task.cancel()
            else:
                session.over.set()
                await asyncio.wait({task}, timeout=HTTP_CLOSE_S if self._spec.url else EXIT_S + TERM_S + KILL_S)
                task.cancel()
            await asyncio.wait({task}, timeout=EXIT_S + TERM_S + KILL_S if session is None else KILL_S)
        finally:
            self._ending = False
        self._session = None
        if not task.done():
            raise ConnectionFailed(f"{self._spec.name}: its earlier process has not ended yet", again=False)
        self._task = None

    async def close(self) -> None:
        """End the session and its processes; none is opened after this."""
        self.closed = True
        with suppress(ConnectionFailed):  # the daemon's keeper ends what is left
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
        values = (*self._resolved.env.values(), *self._resolved.headers.values())
        for secret in sorted(values, key=len, reverse=True):
            message = message.replace(secret, "***") if len(secret) >= 4 else message
        return f"{self._spec.name}: {visible(message[:2000])}"


@asynccontextmanager
async def _repaired(transport: Transport, over: asyncio.Event, answers: Answers) -> AsyncGenerator[TransportStreams]:
    """The transport's streams, with messages repaired by `answers`."""
    async with transport.open(over) as (incoming, outgoing):
        yield Reading(incoming, answers), Writing(outgoing, answers)


@asynccontextmanager
async def _ended_with(over: asyncio.Event, limit: TimeLimit) -> AsyncGenerator[None]:
    """Let `limit` expire soon after the session is over: the library may never answer a call of a lost session."""
    within = True

    def ended(watching: asyncio.Task[Any]) -> None:
        if within and not watching.cancelled():
            limit.end_within(DRAIN_S)

    watching = asyncio.get_running_loop().create_task(over.wait())
    watching.add_done_callback(ended)
    try:
        yield
    finally:
        within = False
        watching.cancel()
