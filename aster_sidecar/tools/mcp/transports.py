"""How messages reach an MCP server: over the stdin and stdout of a program that we start, or over HTTP.

Each session gets a new transport. A program carries the marks of a tool's process (`services/process_tree.py`), so that
it can't answer an approval and does not outlive the daemon.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aster_sidecar.models import network
from aster_sidecar.services.launch import Program, start
from aster_sidecar.services.log import LINE_BYTES, ServiceLog
from aster_sidecar.services.process_tree import clean_environment, path_known, to_the_end
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.messages import MESSAGE_BYTES, TOO_LARGE, messages_in, repair
from aster_sidecar.tools.mcp.naming import shown_name

if TYPE_CHECKING:
    import httpx2
    from mcp.client._transport import TransportStreams

EXIT_S = 0.4
"""How long a program may take to exit after its stdin is closed. The MCP specification requires this chance."""
TERM_S = 0.6
KILL_S = 0.4
DRAIN_S = 0.2
"""How long output of a program is read after it has exited."""
STDERR_BYTES = 4096


class Transport(Protocol):
    """One way to a server, for one session."""

    program: Program | None
    """The running program; None over HTTP."""
    status: str
    """What the server last answered over HTTP that was an error."""

    def open(self, over: asyncio.Event) -> AbstractAsyncContextManager[TransportStreams]:
        """The streams of messages. `over` is set when the server is gone. Raises: ToolError."""
        ...

    def last_words(self) -> str:
        """The last that the program wrote to its stderr; "" over HTTP."""
        ...


def transport_of(spec: ServerSpec, mark: str, folder: Path | None, log: ServiceLog | None) -> Transport:
    """A new transport for a server.

    `mark` begins the id of its processes. `folder` is where a program runs that sets no `cwd`. `log` gets its output.
    """
    return Http(spec) if spec.url is not None else Stdio(spec, mark, folder, log)


# -- over HTTP ---------------------------------------------------------------------------------------------------------


class Http:
    """Streamable HTTP."""

    program: Program | None = None

    def __init__(self, spec: ServerSpec) -> None:
        self._spec = spec
        self.status = "an error"

    def last_words(self) -> str:
        return ""

    @asynccontextmanager
    async def open(self, over: asyncio.Event) -> AsyncGenerator[TransportStreams]:
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        url = self._spec.url or ""
        way = network.way(url, os.environ)
        verify = await asyncio.to_thread(way.verify)
        async with (
            httpx2.AsyncClient(
                headers={"Accept-Encoding": "identity", **self._spec.headers},
                event_hooks={"response": [repair, self._note_status]},
                timeout=httpx2.Timeout(30, read=max(300, self._spec.timeout_s)),
                trust_env=False,
                proxy=way.proxy,
                verify=verify,
            ) as http,
            streamable_http_client(url, http_client=http) as streams,
        ):
            yield streams

    async def _note_status(self, response: httpx2.Response) -> None:
        if response.is_error:
            self.status = f"HTTP {response.status_code} {response.reason_phrase}".strip()


# -- over the stdin and stdout of a program ----------------------------------------------------------------------------


class Stdio:
    """A program, started for the session and ended with it. A message is a line of JSON."""

    status = "an error"

    def __init__(self, spec: ServerSpec, mark: str, folder: Path | None, log: ServiceLog | None) -> None:
        self._spec = spec
        self._mark = mark
        self._folder = folder
        self._log = log
        self.program: Program | None = None
        self._stderr = bytearray()

    def last_words(self) -> str:
        return bytes(self._stderr).decode("utf-8", "replace").strip()

    @asynccontextmanager
    async def open(self, over: asyncio.Event) -> AsyncGenerator[TransportStreams]:
        import anyio
        from mcp.shared.message import SessionMessage

        program = self.program = await self._start()
        loop = asyncio.get_running_loop()
        # The session is over when the program has exited, even if one of its children holds its stdout open.
        program.exited.add_done_callback(lambda _: loop.call_later(DRAIN_S, over.set))
        to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
        tasks: list[asyncio.Task[None]] = []
        try:
            if program.stdin is not None:
                tasks.append(asyncio.create_task(self._read(program.stdout, to_session.send, over)))
                tasks.append(asyncio.create_task(self._write(from_session.receive, program.stdin, over)))
                tasks.append(asyncio.create_task(self._keep_stderr(program.stderr)))
                tasks[0].add_done_callback(lambda _: to_session.close())
            yield incoming, outgoing
        finally:
            over.set()
            try:
                await to_the_end(end_program(program))
            finally:
                self.program = None
                for task in tasks:
                    task.cancel()
                program.close()
                for stream in (to_session, incoming, outgoing, from_session):
                    stream.close()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self) -> Program:
        """Start the program. Raises: ToolError."""
        spec = self._spec
        await path_known()
        env = clean_environment(os.environ) | dict(spec.env)
        path = program_path(spec, env["PATH"])
        marker = f"{os.getpid()}:{self._mark}mcp-{spec.name}-{secrets.token_hex(4)}"
        try:
            cwd = spec.cwd or (str(self._folder) if self._folder is not None else None)
            return await start([path, *spec.args], cwd=cwd, env=env, marker=marker, grace_s=EXIT_S)
        except OSError as error:
            raise ToolError(f"{shown_name(path)} could not be started: {error.strerror or error}") from error

    async def _read(self, stdout: asyncio.StreamReader, send: Callable[..., Any], over: asyncio.Event) -> None:
        """Pass every message of the program on to the session, until the end of its output."""
        import anyio
        from mcp.shared.message import SessionMessage

        pending: list[bytes] = []
        size = 0
        try:
            while chunk := await stdout.read(64 * 1024):
                *lines, rest = chunk.split(b"\n")
                for line in lines:
                    whole = b"".join((*pending, line))
                    pending, size = [], 0
                    messages = messages_in(whole)
                    for message in messages:
                        await send(SessionMessage(message))
                    if not messages and self._log is not None and whole.strip():
                        self._log.add("stdout", [whole[:LINE_BYTES]])
                pending.append(rest)
                size += len(rest)
                if size > MESSAGE_BYTES:
                    self._stderr += f"\n{TOO_LARGE}".encode()
                    return
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            return
        finally:
            over.set()

    async def _write(self, receive: Callable[..., Any], stdin: asyncio.StreamWriter, over: asyncio.Event) -> None:
        """Pass every message of the session on to the program."""
        import anyio

        try:
            while True:
                message = await receive()
                stdin.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                await stdin.drain()
        except (anyio.EndOfStream, anyio.ClosedResourceError, OSError):
            return
        finally:
            over.set()

    async def _keep_stderr(self, stderr: asyncio.StreamReader) -> None:
        """Keep the last that the program writes to its stderr, for errors, and pass all of it to the log."""

        def keep(chunk: bytes) -> None:
            self._stderr += chunk
            del self._stderr[:-STDERR_BYTES]

        if self._log is not None:
            await self._log.pump(stderr, "stderr", keep)
            return
        while chunk := await stderr.read(64 * 1024):
            keep(chunk)


def program_path(spec: ServerSpec, path: str) -> str:
    """The file to start, looked for in the PATH `path`. Raises: ToolError."""
    if spec.cwd is not None and not os.path.isdir(spec.cwd):
        raise ToolError(f"{shown_name(spec.cwd)} is not a directory")
    command = os.path.expanduser(spec.command or "")
    found = command if os.path.dirname(command) else shutil.which(command, path=path)
    if found is None:
        raise ToolError(f"{shown_name(command)} was not found on PATH; command_path in config.toml sets it")
    return found


async def end_program(program: Program) -> None:
    """End a program and its descendants: its stdin is closed, then TERM, then KILL."""
    if program.stdin is not None:
        program.stdin.close()
    await asyncio.wait({program.exited}, timeout=EXIT_S)
    await program.end(TERM_S, KILL_S)
