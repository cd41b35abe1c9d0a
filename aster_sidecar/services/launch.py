"""Programs that we start for tools, MCP servers and services: their pipes, their end, and that of all they started.

On Linux they descend from the keeper (`keeper.py`), which no program can leave. Elsewhere they are known by their
group, their session and the mark in their environment (`process_tree.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Protocol

from aster_sidecar.frozen import FROZEN
from aster_sidecar.services import keeper, process_tree
from aster_sidecar.services.process_tree import KILL_S, MARKER, READ_BYTES, TERM_S, Brand, finished, to_the_end

ANSWER_S = 10.0
"""How long the keeper may take to start a program."""
LATE_S = 1.0
"""How much later than it was told to an overseer may say that all has ended, before we end it by force."""


class Program(Protocol):
    """A running program. `exited` is done when it has ended, whoever still holds its output open."""

    pid: int
    stdin: asyncio.StreamWriter | None
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    exited: asyncio.Future[None]

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal's number where one ended it, None while it runs."""
        ...

    async def end(self, term_s: float = TERM_S, kill_s: float = KILL_S) -> tuple[int, list[int]]:
        """End it and all that descends from it: TERM, `term_s` seconds, KILL, at most `kill_s` more.

        Returns how many there were besides it, and the pids of those that could not be ended.
        """
        ...

    def close(self) -> None:
        """Let go of its pipes."""
        ...


async def start(
    argv: Sequence[str],
    *,
    cwd: str | None,
    env: Mapping[str, str],
    marker: str,
    stdin: bool = True,
    grace_s: float = 0.0,
) -> Program:
    """Start a program with pipes; without `stdin` it reads from /dev/null.

    `marker` is put into its environment (`ASTER_TOOL_CALL`). When the daemon is killed, the program has `grace_s`
    seconds to end by itself before it is told to. When this task is cancelled, what was started is ended first.
    Raises: OSError.
    """
    env = {**env, MARKER: marker}
    if sys.platform == "linux":
        return await _unless_cancelled(_kept(argv, cwd, env, stdin, grace_s))
    return await _unless_cancelled(_direct(argv, cwd, env, marker, stdin, grace_s))


async def start_shell(command: str, *, cwd: str, env: Mapping[str, str], marker: str) -> Program:
    """Start a command line as the system's shell reads it, its stdin empty. Raises: OSError."""
    if os.name != "nt":
        return await start(["/bin/sh", "-c", command], cwd=cwd, env=env, marker=marker, stdin=False)
    return await _unless_cancelled(_direct(command, cwd, {**env, MARKER: marker}, marker, False, 0.0))


async def _unless_cancelled(starting: Coroutine[Any, Any, Program]) -> Program:
    program, cancelled = await finished(starting)
    if cancelled:
        await to_the_end(program.end())
        program.close()
        raise asyncio.CancelledError
    return program


def begin() -> None:
    """Start what programs are started by, so that the first of them need not wait for it. On Linux."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # the first program will say it
            KEEPER.begin()


def end_all() -> None:
    """End at once whatever of ours still runs: the daemon is about to go. Blocks, for two seconds at most."""
    if sys.platform == "linux":
        KEEPER.close()
    else:
        process_tree.kill_left()


# -- Linux: kept by the keeper -----------------------------------------------------------------------------------------


class _Keeper:
    """The keeper's process, started when it is first needed, and again when it was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._asking: socket.socket | None = None
        self._owner = 0
        """Whose keeper it is: a fork of the daemon has none."""
        self._was_killed = False
        """Whether a keeper ended that nobody asked to: what it kept is to be ended."""

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and self._owner == os.getpid() else None

    def ask(self, said: bytes, descriptors: Sequence[int]) -> None:
        """Hand a message over, to a new keeper if there is none. Raises: OSError."""
        with self._lock:
            for last in (False, True):
                asking, process = self._there()
                keeper.wake(process.pid)
                try:
                    keeper.send(asking, said, descriptors)
                    return
                except ConnectionError:
                    if last:
                        raise
                    process.kill()
                    process.wait()

    def begin(self) -> None:
        """Start it. Raises: OSError."""
        with self._lock:
            self._there()

    def _there(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        """The keeper, started when there is none. Raises: OSError."""
        if self._asking is not None and self._process is not None and self._lives():
            return self._asking, self._process
        if self._asking is not None:
            self._asking.close()
        # Whoever loses its parent because a keeper was killed becomes our child, and is still known.
        keeper.prctl(keeper.PR_SET_CHILD_SUBREAPER, 1)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as unless, theirs:
            unless.callback(ours.close)
            process = subprocess.Popen(
                [*_command(), str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )
            unless.pop_all()
        self._process, self._asking, self._owner = process, ours, os.getpid()
        return ours, process

    def _lives(self) -> bool:
        """Whether there is a keeper of this process; one that has ended is noted."""
        if self._owner != os.getpid():
            self._process = None
        if self._process is not None and self._process.poll() is not None:
            self._process, self._was_killed = None, True
        return self._process is not None

    def settle(self, overseer: int, within_s: float) -> None:
        """Wait until what a killed overseer, and maybe its keeper, left behind is ended. Blocks."""
        until = time.monotonic() + within_s
        # It closes its socket before its children get another parent: nobody could find them in between.
        while _living(overseer) and time.monotonic() < until:
            time.sleep(0.002)
        settled = False
        while not settled and time.monotonic() < until:
            with self._lock:
                lives = self._lives()
                self._sweep()
            settled = not lives or self._has_settled(until)
            # Asking it may be what shows that it was killed: then another one has answered.
            settled = settled and not self._was_killed
            time.sleep(0.002)
        until = time.monotonic() + LATE_S
        while not settled and time.monotonic() < until:  # what is left behind keeps the keeper from its work
            settled = not self._left_behind()
            time.sleep(0.002)

    def _left_behind(self) -> bool:
        """Kill what the keeper has and no overseer holds; whether there was anything."""
        pid = self.pid
        left = [one for one in keeper.children(pid) if one not in OVERSEERS] if pid is not None else []
        for one in (*left, *keeper.descendants(left)):
            keeper.kill(one, signal.SIGKILL)
        return bool(left)

    def _has_settled(self, until: float) -> bool:
        """Whether the keeper says, before that time, that nothing is left behind. False also when it ends meanwhile."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, contextlib.suppress(OSError):
                self.ask(b"settled", [theirs.fileno()])
            ours.settimeout(max(until - time.monotonic(), 0.1))
            with contextlib.suppress(OSError):
                return ours.recv(1) == b"."
        return False

    def _sweep(self) -> None:
        """Look for what a killed keeper left, twice: a list may miss one while another leaves it."""
        self._was_killed = self._was_killed and (self._strays() or self._strays())

    def _strays(self) -> bool:
        """Kill what came to us from a killed keeper, and bury it; whether there was anything.

        It is told from what own tools started by its session: the keeper has one of its own, and nobody gets into ours.
        An overseer among it ends its program in its own time.
        """
        own, here = self.pid, os.getsid(0)
        found = False
        for pid in keeper.children(os.getpid()):
            fields = keeper.stat(pid)
            if pid == own or len(fields) < 20 or int(fields[3]) == here:
                continue
            found = True
            if fields[0] == b"Z":
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
            elif pid not in OVERSEERS:
                for one in (pid, *keeper.descendants([pid])):
                    keeper.kill(one, signal.SIGKILL)
        return found

    def close(self) -> None:
        """End the keeper and at once what it still keeps: the daemon is about to go. Blocks, two seconds at most."""
        with self._lock:
            process = self._process if self._lives() else None
            if self._asking is not None:
                self._asking.close()
            self._process = self._asking = None
            if process is not None:
                keeper.kill(process.pid, signal.SIGUSR2)
                try:
                    process.wait(1.0)
                except subprocess.TimeoutExpired:
                    for one in keeper.descendants([process.pid]):
                        keeper.kill(one, signal.SIGKILL)
                    process.kill()
                    process.wait()
                    self._was_killed = True
            until = time.monotonic() + 1.0
            while self._was_killed and time.monotonic() < until:
                self._sweep()
                time.sleep(0.005)


KEEPER = _Keeper()
OVERSEERS: set[int] = set()
"""The overseers of running programs."""


def _living(pid: int) -> bool:
    return keeper.stat(pid)[:1] not in ([], [b"Z"], [b"X"])


def _command() -> list[str]:
    """How the keeper is run; a packaged daemon has no Python for it but itself."""
    if FROZEN:
        return [sys.executable, "--tool-keeper"]
    return [sys.executable, "-I", "-S", "-B", str(Path(keeper.__file__))]


class _Kept:
    """A program that an overseer holds."""

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
        """What the overseer says of the end; None when it is gone itself."""
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._transports: list[asyncio.BaseTransport] = []
        self._handle: int | None = None
        control.setblocking(False)
        self._loop.add_reader(control, self._heard)

    @property
    def returncode(self) -> int | None:
        return self._returncode

    def _heard(self) -> None:
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
        """Have the overseer go on when the program ends: that may have stopped it before."""
        with contextlib.suppress(OSError):
            self._handle = os.pidfd_open(self.pid)
            self._loop.add_reader(self._handle, self._seen)

    def _seen(self) -> None:
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
        """The overseer has ended, or is not asked any more and will end; one that didn't say the end was killed."""
        if self._control.fileno() < 0:
            return
        self._loop.remove_reader(self._control)
        self._control.close()
        self._unwatch()
        OVERSEERS.discard(self.overseer)
        if not self.started.done():
            self.started.set_exception(OSError(errno.ESRCH, "what starts programs was ended"))
        self._ended(-signal.SIGKILL)
        if not self._gone.done():
            self._gone.set_result(None)
        if not self._over.done():
            self._over.set_result(None)

    async def connect(self, stdin: IO[bytes] | None, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        """Take our ends of the pipes."""
        for reader, pipe in ((self.stdout, stdout), (self.stderr, stderr)):
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await self._loop.connect_read_pipe(lambda protocol=protocol: protocol, pipe)
            self._transports.append(transport)
        if stdin is not None:
            # The protocol of a reader that nobody reads: it has the flow control that a writer needs.
            protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
            writing, _ = await self._loop.connect_write_pipe(lambda: protocol, stdin)
            self._transports.append(writing)
            self.stdin = asyncio.StreamWriter(writing, protocol, None, self._loop)

    async def end(self, term_s: float = TERM_S, kill_s: float = KILL_S) -> tuple[int, list[int]]:
        if not self._gone.done():
            self._wake()
            with contextlib.suppress(OSError):
                self._control.send(json.dumps({"end": [term_s, kill_s]}).encode())
            await asyncio.wait({self._gone}, timeout=term_s + kill_s + LATE_S)
        told = self._gone.result() if self._gone.done() else None
        if told is None:
            # A thread of its own: the shared ones may all be busy with what is slow, and this must not wait.
            with ThreadPoolExecutor(1) as thread:
                told = await self._loop.run_in_executor(thread, self._by_force, kill_s)
        if not told[1]:  # else the overseer stays with what can't be ended
            await asyncio.wait({self.exited, self._over}, timeout=LATE_S, return_when=asyncio.ALL_COMPLETED)
        return told

    def _by_force(self, kill_s: float) -> tuple[int, list[int]]:
        """End what an overseer held that was killed, or that doesn't answer. Blocks."""
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
        return len(met - {self.pid}), [pid for pid in met if _living(pid)]

    def close(self) -> None:
        for transport in self._transports:
            transport.close()
        self._lost()


class _Pipes:
    """What the program gets for stdin, stdout and stderr, and our ends of it."""

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


def _told(argv: Sequence[str], env: Mapping[str, str], grace_s: float) -> int:
    """A file in memory that says what to run: an argument may be longer than a message. The caller closes it."""
    descriptor = os.memfd_create("program")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(json.dumps({"argv": list(argv), "env": dict(env), "grace_s": grace_s}).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


async def _kept(argv: Sequence[str], cwd: str | None, env: Mapping[str, str], stdin: bool, grace_s: float) -> Program:
    """Raises: OSError."""
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        mine, overseers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.enter_context(overseers)
        program = _Kept(mine)
        ours.callback(program.close)
        pipes = _Pipes(stdin, theirs, ours)
        folder = os.open(cwd or ".", os.O_PATH | os.O_DIRECTORY)
        theirs.callback(os.close, folder)
        told = _told(argv, env, grace_s)
        theirs.callback(os.close, told)
        KEEPER.ask(b"start", [overseers.fileno(), *pipes.given, folder, told])
        theirs.close()
        await asyncio.wait({program.started}, timeout=ANSWER_S)
        if not program.started.done():
            raise TimeoutError(errno.ETIMEDOUT, "what starts programs does not answer")
        program.started.result()
        await program.connect(pipes.stdin, *pipes.ours)
        ours.pop_all()  # they are the program's now
        return program


# -- elsewhere: known by group, session and mark -----------------------------------------------------------------------

was_started = False
"""Whether a program was started this way: until then nobody who knocks can descend from one."""
# $1 is the program's group, $2 the seconds it has to end by itself. A line says that it was ended; the pipe's end
# without one, that the daemon is gone.
_WATCHER = 'read -r _ && exit 0; sleep "$2"; kill -s TERM -- "-$1"; sleep 2; kill -s KILL -- "-$1"'


class _Waiter(asyncio.subprocess.SubprocessStreamProtocol):
    """asyncio's, which also says when the process has ended, whoever still holds its output open."""

    def __init__(self, exited: asyncio.Future[None]) -> None:
        super().__init__(limit=READ_BYTES, loop=exited.get_loop())
        self._exited = exited

    def process_exited(self) -> None:
        super().process_exited()
        if not self._exited.done():
            self._exited.set_result(None)


class _Direct:
    """A child of ours."""

    def __init__(
        self,
        transport: asyncio.SubprocessTransport,
        streams: _Waiter,
        exited: asyncio.Future[None],
        brand: Brand,
        grace_s: float,
    ) -> None:
        self._transport = transport
        self._brand = brand
        self.pid = transport.get_pid()
        self._watcher = _watcher(self.pid, grace_s)
        self.exited = exited
        self.stdin: asyncio.StreamWriter | None = streams.stdin
        self.stdout = streams.stdout or asyncio.StreamReader()
        self.stderr = streams.stderr or asyncio.StreamReader()
        brand.shell = process_tree.process(self.pid)

    @property
    def returncode(self) -> int | None:
        return self._transport.get_returncode()

    async def end(self, term_s: float = TERM_S, kill_s: float = KILL_S) -> tuple[int, list[int]]:
        with ThreadPoolExecutor(1) as thread:
            told = await asyncio.get_running_loop().run_in_executor(thread, self._end, term_s, kill_s)
        await asyncio.wait({self.exited}, timeout=LATE_S)
        return told

    def _end(self, term_s: float, kill_s: float) -> tuple[int, list[int]]:
        told = process_tree.end(self._brand, term_s, kill_s)
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            try:
                watcher.communicate(b"\n", timeout=LATE_S)
            except (subprocess.TimeoutExpired, OSError):
                watcher.kill()
                watcher.wait()
        return told

    def close(self) -> None:
        self._transport.close()


def _watcher(group: int, grace_s: float) -> subprocess.Popen[bytes] | None:
    """A shell that ends the group if the daemon ends first, however that does. None on Windows."""
    if os.name != "posix":
        return None
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            ["/bin/sh", "-c", _WATCHER, "sh", str(group), f"{grace_s:g}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath},
            start_new_session=True,
        )
    return None


async def _direct(
    argv: Sequence[str] | str, cwd: str | None, env: Mapping[str, str], marker: str, stdin: bool, grace_s: float
) -> Program:
    """Raises: OSError."""
    global was_started
    was_started = True
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[None] = loop.create_future()
    pipe = subprocess.PIPE
    given: dict[str, Any] = {
        "stdin": pipe if stdin else subprocess.DEVNULL,
        "stdout": pipe,
        "stderr": pipe,
        "cwd": cwd,
        "env": dict(env),
    }
    if os.name == "nt":
        given["creationflags"] = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    else:
        given["start_new_session"] = True
    if isinstance(argv, str):
        transport, streams = await loop.subprocess_shell(lambda: _Waiter(exited), argv, **given)
    else:
        transport, streams = await loop.subprocess_exec(lambda: _Waiter(exited), *argv, **given)
    return _Direct(transport, streams, exited, Brand(marker), grace_s)
