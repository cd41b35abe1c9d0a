"""A program on Linux: started by the keeper, and controlled through the socket of its overseer (`keeper.py`)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from aster_sidecar.services import keeper
from aster_sidecar.services.keeper_client import KEEPER, OVERSEERS, is_living
from aster_sidecar.services.process_tree import KILL_S, READ_BYTES, TERM_S

ANSWER_S = 10.0
"""How long the keeper may take to start a program."""
LATE_S = 1.0
"""How late an overseer may report that all has ended. After that, the daemon kills the processes itself."""


class KeptProgram:
    """A program that descends from the keeper and is controlled by an overseer."""

    def __init__(self, control: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._control = control
        self.pid = 0
        self.overseer = 0
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout = asyncio.StreamReader(READ_BYTES)
        self.stderr = asyncio.StreamReader(READ_BYTES)
        self.started: asyncio.Future[None] = self._loop.create_future()
        self.exited: asyncio.Future[None] = self._loop.create_future()
        self._returncode: int | None = None
        self._gone: asyncio.Future[tuple[int, list[int]] | None] = self._loop.create_future()
        """How many other processes were ended, and the pids of those left; None when the overseer was killed."""
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._transports: list[asyncio.BaseTransport] = []
        self._handle: int | None = None
        control.setblocking(False)
        self._loop.add_reader(control, self._read_messages)

    @property
    def returncode(self) -> int | None:
        """See `launch.Program`."""
        return self._returncode

    def _read_messages(self) -> None:
        while True:
            try:
                said = self._control.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                said = b""
            if not said:
                self._lost()
                return
            self._take(json.loads(said))

    def _take(self, told: dict[str, Any]) -> None:
        if "failed" in told and not self.started.done():
            self.started.set_exception(OSError(told["failed"], os.strerror(told["failed"])))
        elif "pid" in told and not self.started.done():
            self.pid, self.overseer = told["pid"], told["overseer"]
            OVERSEERS.add(self.overseer)
            self._watch()
            self.started.set_result(None)
        elif "exit" in told:
            self._ended(told["exit"])
        elif "gone" in told and not self._gone.done():
            self._gone.set_result((told["gone"], told["left"]))

    def _watch(self) -> None:
        """Wake the overseer when the program exits, because the program may have stopped it."""
        with contextlib.suppress(OSError):
            self._handle = os.pidfd_open(self.pid)
            self._loop.add_reader(self._handle, self._has_exited)

    def _has_exited(self) -> None:
        self._unwatch()
        self._wake()

    def _unwatch(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self._loop.remove_reader(handle)
            os.close(handle)

    def _wake(self) -> None:
        for pid in (KEEPER.pid, self.overseer):
            keeper.wake(pid or 0)

    def _ended(self, code: int) -> None:
        if not self.exited.done():
            self._returncode = code
            self.exited.set_result(None)

    def _lost(self) -> None:
        """Close the connection to the overseer. One that has not reported the program's exit was killed."""
        if self._control.fileno() < 0:
            return
        self._loop.remove_reader(self._control)
        self._control.close()
        self._unwatch()
        OVERSEERS.discard(self.overseer)
        if not self.started.done():
            self.started.set_exception(OSError(errno.ESRCH, "the process that starts programs was ended"))
        self._ended(-signal.SIGKILL)
        if not self._gone.done():
            self._gone.set_result(None)
        if not self._over.done():
            self._over.set_result(None)

    async def connect(self, stdin: IO[bytes] | None, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        """Connect our ends of the pipes to asyncio."""
        for reader, pipe in ((self.stdout, stdout), (self.stderr, stderr)):
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await self._loop.connect_read_pipe(lambda protocol=protocol: protocol, pipe)
            self._transports.append(transport)
        if stdin is not None:
            # A reader's protocol, though nothing is read, because it has the flow control that a writer needs.
            protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
            writing, _ = await self._loop.connect_write_pipe(lambda: protocol, stdin)
            self._transports.append(writing)
            self.stdin = asyncio.StreamWriter(writing, protocol, None, self._loop)

    async def end(self, term_s: float = TERM_S, kill_s: float = KILL_S) -> tuple[int, list[int]]:
        """End the program and its descendants; see `launch.Program`."""
        if not self._gone.done():
            self._wake()
            with contextlib.suppress(OSError):
                self._control.send(json.dumps({"end": [term_s, kill_s]}).encode())
            await asyncio.wait({self._gone}, timeout=term_s + kill_s + LATE_S)
        told = self._gone.result() if self._gone.done() else None
        if told is None:
            # Not a thread of the shared pool: those may all be busy, and this must not wait.
            with ThreadPoolExecutor(1) as thread:
                told = await self._loop.run_in_executor(thread, self._by_force, kill_s)
        if not told[1]:  # otherwise the overseer keeps running, with what can't be ended
            await asyncio.wait({self.exited, self._over}, timeout=LATE_S, return_when=asyncio.ALL_COMPLETED)
        return told

    def _by_force(self, kill_s: float) -> tuple[int, list[int]]:
        """Kill the program's processes when the overseer was killed or does not answer. Blocks."""
        met: set[int] = set()
        until = time.monotonic() + kill_s
        if self.overseer in OVERSEERS:
            while (found := keeper.descendants([self.overseer])) and time.monotonic() < until:
                met |= found.keys()
                for pid in found:
                    keeper.kill(pid, signal.SIGKILL)
                time.sleep(0.005)
            keeper.kill(self.overseer, signal.SIGKILL)
        KEEPER.settle(self.overseer, kill_s)
        return len(met - {self.pid}), [pid for pid in met if is_living(pid)]

    def close(self) -> None:
        """Close its pipes and the connection to its overseer."""
        for transport in self._transports:
            transport.close()
        self._lost()


class _Pipes:
    """The program's ends of stdin, stdout and stderr, and ours."""

    def __init__(self, stdin: bool, theirs: contextlib.ExitStack, ours: contextlib.ExitStack) -> None:
        self.given: list[int] = []
        self.ours: list[IO[bytes]] = []
        self.stdin: IO[bytes] | None = None
        if stdin:
            reader, writer = os.pipe()
            self.given.append(reader)
            self.stdin = ours.enter_context(os.fdopen(writer, "wb", 0))
        else:
            self.given.append(os.open(os.devnull, os.O_RDONLY))
        theirs.callback(os.close, self.given[0])
        for _ in range(2):
            reader, writer = os.pipe()
            self.given.append(writer)
            theirs.callback(os.close, writer)
            self.ours.append(ours.enter_context(os.fdopen(reader, "rb", 0)))


def _instructions(argv: Sequence[str], env: Mapping[str, str], grace_s: float) -> int:
    """A file in memory with the program and its environment, which may not fit a message. The caller closes it."""
    descriptor = os.memfd_create("program")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(json.dumps({"argv": list(argv), "env": dict(env), "grace_s": grace_s}).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


async def start_kept(
    argv: Sequence[str], cwd: str | None, env: Mapping[str, str], stdin: bool, grace_s: float
) -> KeptProgram:
    """Start a program through the keeper; the arguments are those of `launch.start`. Raises: OSError."""
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        mine, overseers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.enter_context(overseers)
        program = KeptProgram(mine)
        ours.callback(program.close)
        pipes = _Pipes(stdin, theirs, ours)
        folder = os.open(cwd or ".", os.O_PATH | os.O_DIRECTORY)
        theirs.callback(os.close, folder)
        told = _instructions(argv, env, grace_s)
        theirs.callback(os.close, told)
        KEEPER.ask(b"start", [overseers.fileno(), *pipes.given, folder, told])
        theirs.close()
        await asyncio.wait({program.started}, timeout=ANSWER_S)
        if not program.started.done():
            raise TimeoutError(errno.ETIMEDOUT, "the process that starts programs does not answer")
        program.started.result()
        await program.connect(pipes.stdin, *pipes.ours)
        ours.pop_all()  # the program closes them now
        return program
