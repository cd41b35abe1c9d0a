"""The process from which every tool, MCP server and service descends. Linux; only the standard library.

`keeper_client.py` starts one keeper for a daemon and asks it for each program over a socket. The keeper forks an
overseer for the program, and the overseer forks the program. Both are "child subreapers" (man 2 prctl): a descendant
that loses its parent becomes their child, whatever it does to its session, group, environment or limits. Therefore:

- an overseer ends *everything* that its program started, and `waitpid` tells it when it has no child left;
- the children of a killed overseer become the keeper's, which kills them;
- the children of a killed keeper become the daemon's, which is a subreaper too (`keeper_client.py`);
- when the daemon exits, even by kill -9, the end of its socket and a signal tell the keeper, which ends everything.

Messages are datagrams of JSON. From the daemon to the keeper: `start`, with the descriptors of the overseer's socket,
the program's stdin, stdout and stderr, its directory, and a file with its argv and environment; `settled`, with one
descriptor, to which the keeper writes "." when it has killed all leftovers. To an overseer: {"end": [term_s, kill_s]}.
From an overseer: {"pid": N, "overseer": N} or {"failed": errno}, then {"exit": status}, then {"gone": others, "left":
[pids]}.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NoReturn

# Source: linux/prctl.h.
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
DESCRIPTORS = 6
"""The number of descriptors of a `start`: overseer's socket, stdin, stdout, stderr, directory, instructions."""
HEARD = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)
"""SIGCHLD: a child has exited. SIGUSR1: the daemon or the keeper is gone. SIGUSR2: kill everything without TERM."""
DEAF = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGALRM)
TERM_S, KILL_S = 2.0, 2.0
LEFT_MOST = 100
"""How many pids that could not be ended are reported."""


def prctl(option: int, value: int) -> None:
    """Raises: OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# -- descendants -------------------------------------------------------------------------------------------------------


def stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on; [] when the process is gone. Source: man 5 proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            line = file.read()
    except OSError:
        return []
    # The name before these fields is in brackets, and may contain any character.
    return line[line.rfind(b")") + 2 :].split()


def children(pid: int) -> list[int]:
    """The children of a process, including zombies. A child that starts or exits meanwhile may be missed."""
    if not _lists_children():
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and parent(int(name)) == pid]
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", "rb", buffering=0) as file:
                while part := file.read(65536):
                    found += map(int, part.split())
        except OSError:  # that thread has ended, and its children have another parent
            pass
    return found


@cache
def _lists_children() -> bool:
    """Whether this kernel has /proc/PID/task/PID/children (CONFIG_PROC_CHILDREN)."""
    return os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")


def parent(pid: int) -> int:
    """The parent's pid; 0 when the process is gone."""
    fields = stat(pid)
    return int(fields[1]) if len(fields) > 1 else 0


def descendants(pids: Iterable[int]) -> dict[int, int]:
    """The running descendants of these processes (no zombies), with the clock tick at which each was started."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    waiting = [child for pid in pids for child in children(pid)]
    while waiting:
        pid = waiting.pop()
        if pid in seen:
            continue
        seen.add(pid)
        fields = stat(pid)
        if len(fields) > 19:
            if fields[0] not in (b"Z", b"X"):
                found[pid] = int(fields[19])
            waiting += children(pid)
    return found


def kill(pid: int, number: int) -> None:
    """Send a signal; a stopped process is continued to receive it."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)
    wake(pid)


def wake(pid: int) -> None:
    """Continue a stopped process."""
    if pid > 0:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)


# -- signals -----------------------------------------------------------------------------------------------------------


class Signals:
    """Collects signals, and has a descriptor that is readable when there are some."""

    def __init__(self) -> None:
        self.came: set[int] = set()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in HEARD:
            signal.signal(number, lambda number, _: self.came.add(number))
        for number in DEAF:  # with a handler, because programs inherit ignored signals
            signal.signal(number, lambda _number, _frame: None)

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._reader.fileno()

    def take(self) -> set[int]:
        """The signals since the last call."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
        came, self.came = self.came, set()
        return came

    def close(self) -> None:
        """Stop collecting signals."""
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()


# -- the keeper --------------------------------------------------------------------------------------------------------


class Keeper:
    """Forks overseers, kills the leftovers of killed ones, and ends everything when the daemon is gone."""

    def __init__(self, asked: socket.socket, daemon: int) -> None:
        self._asked = asked
        self._daemon = daemon
        self._signals = Signals()
        self._overseers: set[int] = set()
        self._waiting: list[int] = []
        """Descriptors to write to and close when no leftovers are there."""

    def run(self) -> None:
        """Serve until the daemon is gone and all its programs are ended."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_DUMPABLE, 0)  # programs must not write into the keeper's memory
        prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
        poller = select.poll()
        poller.register(self._asked, select.POLLIN)
        poller.register(self._signals, select.POLLIN)
        pause_ms, came = None, set[int]()
        # The parent's pid is checked, because the signal also comes when only the thread that started us has ended, and
        # does not come when the daemon exited before we asked for it.
        while os.getppid() == self._daemon and signal.SIGUSR2 not in came and self._serve():
            pause_ms = 20 if self._clear() else None
            poller.poll(pause_ms)
            came = self._signals.take()
        self._leave(signal.SIGUSR2 if signal.SIGUSR2 in came else signal.SIGUSR1)

    def _serve(self) -> bool:
        """Handle the daemon's messages; False when it has closed its socket."""
        while True:
            try:
                said, received = receive(self._asked)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not said:
                return False
            if said == b"settled":
                self._waiting += received
            elif said == b"start" and len(received) == DESCRIPTORS:
                self._start(received)
            else:
                close(received)

    def _start(self, received: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            with socket.socket(fileno=received.pop(0)) as asking:
                tell(asking, failed=error.errno)
            close(received)
            return
        if pid == 0:
            code = 70
            try:
                self._asked.close()
                self._signals.close()
                close(self._waiting)
                overseer = Overseer(received)  # its socket stays open until its exit: clients rely on that
                code = overseer.run()
            finally:
                os._exit(code)
        self._overseers.add(pid)
        close(received)

    def _clear(self) -> bool:
        """Reap exited children and kill the leftovers of killed overseers; whether there were any."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                self._overseers.discard(ended)
        left = [pid for pid in children(os.getpid()) if pid not in self._overseers]
        for pid in (*left, *descendants(left)):
            kill(pid, signal.SIGKILL)
        if not left:
            for descriptor in self._waiting:
                with contextlib.suppress(OSError):
                    os.write(descriptor, b".")
            close(self._waiting)
            self._waiting.clear()
        return bool(left)

    def _leave(self, number: int) -> None:
        """Let the overseers end their programs, and kill what is left after that."""
        for pid in self._overseers:
            kill(pid, number)
        poller = select.poll()
        poller.register(self._signals, select.POLLIN)
        until = time.monotonic() + 3 * (TERM_S + KILL_S)
        while self._overseers or self._clear():
            poller.poll(200)
            self._signals.take()
            self._clear()
            if time.monotonic() > until:
                self._overseers.clear()


def close(descriptors: Iterable[int]) -> None:
    """Close descriptors. Raises: OSError."""
    for descriptor in descriptors:
        os.close(descriptor)


def receive(asked: socket.socket) -> tuple[bytes, list[int]]:
    """A message and its descriptors, not inherited by programs. Raises: OSError; BlockingIOError without a message."""
    # Not socket.recv_fds, which ignores its flags.
    room = socket.CMSG_LEN(DESCRIPTORS * array("i").itemsize)
    said, more, _, _ = asked.recvmsg(16, room, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
    received = array("i")
    for level, kind, content in more:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            received.frombytes(content[: len(content) - len(content) % received.itemsize])
    return said, received.tolist()


def send(to: socket.socket, said: bytes, descriptors: Sequence[int]) -> None:
    """Send a message with descriptors, without blocking. Raises: OSError."""
    more = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))]
    to.sendmsg([said], more, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def tell(to: socket.socket, **said: Any) -> None:
    """Send a message; nothing happens when the other side is gone."""
    with contextlib.suppress(OSError):
        to.send(json.dumps(said).encode())


# -- an overseer -------------------------------------------------------------------------------------------------------


class Overseer:
    """Starts one program, reports its exit, and ends all of its descendants."""

    def __init__(self, received: list[int]) -> None:
        self._keeper = os.getppid()
        self._control = socket.socket(fileno=received[0])
        self._streams, self._folder = received[1:4], received[4]
        with open(received[5], "rb") as file:
            told = json.load(file)
        self._argv: list[str] = told["argv"]
        self._environ: dict[str, str] = told["env"]
        self._grace_s: float = told["grace_s"]
        """Time between the daemon's exit, which closes the program's stdin, and the first TERM."""
        self._signals = Signals()
        self._program = 0
        self._running = False
        self._met: dict[int, int] = {}

    def run(self) -> int:
        """Start the program and watch it to its end. Returns the exit code of the overseer, which is not used."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
        if os.getppid() != self._keeper:
            return 0
        failure = self._start()
        close([*self._streams, self._folder])
        if failure:
            self._reap()
            tell(self._control, failed=failure)
            return 0
        tell(self._control, pid=self._program, overseer=os.getpid())
        order = self._watch()
        if order is not None:
            self._end(*order)
        return 0

    def _start(self) -> int:
        """Fork and run the program; an errno when it can't be run."""
        reader, writer = os.pipe()
        try:
            self._program = os.fork()
        except OSError as error:
            return error.errno or 1
        if self._program == 0:
            self._become(writer)
        os.close(writer)
        with open(reader, "rb") as file:  # closed by the exec
            failure = file.read()
        self._running = True
        return int(failure or 0)

    def _become(self, writer: int) -> NoReturn:
        try:
            os.setsid()
            for number in (*HEARD, *DEAF, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            for place, descriptor in enumerate(self._streams):
                os.dup2(descriptor, place)
            os.fchdir(self._folder)
            os.execve(self._argv[0], self._argv, self._environ)
        except OSError as error:
            os.write(writer, str(error.errno or 1).encode())
        except Exception:
            os.write(writer, b"22")  # EINVAL, for example for a NUL in an argument
        finally:
            os._exit(127)

    def _reap(self) -> bool:
        """Reap exited children and report the program's exit; whether no child is left."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return False
                if pid == self._program and self._running:
                    self._running = False
                    self._status = os.waitstatus_to_exitcode(status)
                    tell(self._control, exit=self._status)
        except ChildProcessError:
            return True

    def _watch(self) -> tuple[float, float] | None:
        """Wait until all must be ended; returns the seconds for TERM and KILL, None when no process is left."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._signals, select.POLLIN)
        while True:
            if self._reap():
                tell(self._control, gone=0, left=[])
                return None
            for descriptor, _ in poller.poll():
                if descriptor == self._control.fileno():
                    try:
                        said = self._control.recv(4096, socket.MSG_DONTWAIT)
                    except OSError:
                        said = b""
                    if said:
                        term_s, kill_s = json.loads(said)["end"]
                        return term_s, kill_s
                    return self._without_daemon()
            came = self._signals.take()
            if signal.SIGUSR2 in came:
                return 0.0, KILL_S
            if os.getppid() != self._keeper or signal.SIGUSR1 in came:
                return self._without_daemon()

    def _without_daemon(self) -> tuple[float, float]:
        """The daemon is gone: give the program `grace_s` to exit. Returns the seconds for TERM and KILL."""
        until = time.monotonic() + self._grace_s
        poller = select.poll()
        poller.register(self._signals, select.POLLIN)
        while (left_s := until - time.monotonic()) > 0 and not self._reap():
            poller.poll(left_s * 1000)
            if signal.SIGUSR2 in self._signals.take():
                break
        return TERM_S, KILL_S

    def _end(self, term_s: float, kill_s: float) -> None:
        """End all that is left by TERM and then KILL; report what still runs then, and keep killing."""
        over = (term_s > 0 and self._all_gone(signal.SIGTERM, term_s)) or self._all_gone(signal.SIGKILL, kill_s)
        self._met.pop(self._program, None)
        left = [] if over else list(descendants([os.getpid()]))[:LEFT_MOST]
        tell(self._control, gone=len(self._met), left=left)
        while not over:
            over = self._all_gone(signal.SIGKILL, 5.0)

    def _all_gone(self, number: int, within_s: float) -> bool:
        poller = select.poll()
        poller.register(self._signals, select.POLLIN)
        until, pause_ms = time.monotonic() + within_s, 1.0
        told: set[tuple[int, int]] = set()
        while not self._reap():
            found = descendants([os.getpid()])
            # The program first, then by age: a shell that gets the signal after its last command was ended would take
            # that for an ordinary exit.
            for pid, started in sorted(found.items(), key=lambda one: (one[0] != self._program, one[1])):
                if (pid, started) not in told:
                    told.add((pid, started))
                    kill(pid, number)
            self._met |= found
            if time.monotonic() > until:
                return False
            poller.poll(pause_ms)
            self._signals.take()
            pause_ms = min(pause_ms * 2, 50)
        return True


def main(arguments: list[str]) -> None:
    """`keeper.py FD PID`: serve the daemon PID over the socket FD."""
    descriptor, daemon = map(int, arguments)
    with socket.socket(fileno=descriptor) as asked:
        asked.set_inheritable(False)
        Keeper(asked, daemon).run()


if __name__ == "__main__":
    main(sys.argv[1:])
