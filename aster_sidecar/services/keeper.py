"""The program that every tool, MCP server and service of a daemon descends from. Linux; the standard library alone.

`launch.py` starts one keeper for a daemon and asks it for each program over a socket. The keeper forks an overseer
for it, and the overseer the program. Both are "child subreapers" (man 2 prctl): whoever of their descendants loses its
parent becomes their child, whatever it does to its session, its group, its environment or its limits. So:

- an overseer ends *all* that its program started, and knows when nothing is left: `waitpid` says that it has no child;
- what a killed overseer leaves goes to the keeper, which kills it;
- what a killed keeper leaves goes to the daemon, which is a subreaper itself (`launch.py`);
- when the daemon is gone, by an order or by kill -9, its socket's end and a signal say so, and all is ended.

Messages are datagrams of JSON. From the daemon to the keeper: `start` with the descriptors of the overseer's socket,
the program's stdin, stdout and stderr, its directory and a file with its argv and environment; `settled` with one
descriptor, which gets a "." when the keeper has killed what was left behind. To an overseer: {"end": [term_s, kill_s]}.
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
"""Of a `start`: the overseer's socket, stdin, stdout, stderr, the directory, the file that says what to run."""
HEARD = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)
"""A child ended; the daemon or the keeper is gone; end at once, without a TERM before."""
DEAF = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGALRM)
TERM_S, KILL_S = 2.0, 2.0
LEFT_MOST = 100
"""Of the pids that could not be ended, so many are named."""


def prctl(option: int, value: int) -> None:
    """Raises: OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# -- who descends from whom --------------------------------------------------------------------------------------------


def stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on; none when the process is gone. Source: man 5 proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            line = file.read()
    except OSError:
        return []
    # The name before them is in brackets and may hold anything.
    return line[line.rfind(b")") + 2 :].split()


def children(pid: int) -> list[int]:
    """The children of a process, zombies among them. One that is born or dies meanwhile may be missed."""
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
        except OSError:  # that thread has ended, and its children are another's
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
    """All that descend from these, living and not zombies, with the clock tick at which each was started."""
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
    """Send a signal, also to one that is stopped."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)
    wake(pid)


def wake(pid: int) -> None:
    """Let one that was stopped go on."""
    if pid > 0:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)


# -- signals -----------------------------------------------------------------------------------------------------------


class Signals:
    """The signals that came, and a descriptor that is readable when there are some."""

    def __init__(self) -> None:
        self.came: set[int] = set()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in HEARD:
            signal.signal(number, lambda number, _: self.came.add(number))
        for number in DEAF:  # with a handler, since what is ignored would be ignored by the programs as well
            signal.signal(number, lambda _number, _frame: None)

    def fileno(self) -> int:
        return self._reader.fileno()

    def take(self) -> set[int]:
        """The signals since the last look."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
        came, self.came = self.came, set()
        return came

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()


# -- the keeper --------------------------------------------------------------------------------------------------------


class Keeper:
    """Forks overseers, kills what they left behind, and ends them all when the daemon is gone."""

    def __init__(self, asked: socket.socket, daemon: int) -> None:
        self._asked = asked
        self._daemon = daemon
        self._signals = Signals()
        self._overseers: set[int] = set()
        self._waiting: list[int] = []
        """Descriptors to close when nothing is left behind."""

    def run(self) -> None:
        """Serve until the daemon is gone and nothing of it is left."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_DUMPABLE, 0)  # a program must not write into the memory of who oversees it
        prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
        poller = select.poll()
        poller.register(self._asked, select.POLLIN)
        poller.register(self._signals, select.POLLIN)
        pause_ms, came = None, set[int]()
        # The signal also comes when only the thread that started us has ended, and not when the daemon was faster.
        while os.getppid() == self._daemon and signal.SIGUSR2 not in came and self._serve():
            pause_ms = 20 if self._clear() else None
            poller.poll(pause_ms)
            came = self._signals.take()
        self._leave(signal.SIGUSR2 if signal.SIGUSR2 in came else signal.SIGUSR1)

    def _serve(self) -> bool:
        """Do what the daemon asks; False when it has closed its end."""
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
                overseer = Overseer(received)  # its socket is closed by its exit and not before: who waits relies on it
                code = overseer.run()
            finally:
                os._exit(code)
        self._overseers.add(pid)
        close(received)

    def _clear(self) -> bool:
        """Bury who ended, kill what an overseer left behind; whether there was anything of it."""
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
        """End the overseers in their own time, and whatever is left by force."""
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
    for descriptor in descriptors:
        os.close(descriptor)


def receive(asked: socket.socket) -> tuple[bytes, list[int]]:
    """A message and its descriptors, which no program inherits. Raises: OSError, BlockingIOError when there is none."""
    # Not socket.recv_fds: it does nothing with its flags.
    room = socket.CMSG_LEN(DESCRIPTORS * array("i").itemsize)
    said, more, _, _ = asked.recvmsg(16, room, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
    received = array("i")
    for level, kind, content in more:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            received.frombytes(content[: len(content) - len(content) % received.itemsize])
    return said, received.tolist()


def send(to: socket.socket, said: bytes, descriptors: Sequence[int]) -> None:
    """The other direction; never waits. Raises: OSError."""
    more = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))]
    to.sendmsg([said], more, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def tell(to: socket.socket, **said: Any) -> None:
    """Send a message, if anybody is there to hear it."""
    with contextlib.suppress(OSError):
        to.send(json.dumps(said).encode())


# -- an overseer -------------------------------------------------------------------------------------------------------


class Overseer:
    """Starts one program, says how it ends, and ends all that descends from it."""

    def __init__(self, received: list[int]) -> None:
        self._keeper = os.getppid()
        self._control = socket.socket(fileno=received[0])
        self._streams, self._folder = received[1:4], received[4]
        with open(received[5], "rb") as file:
            told = json.load(file)
        self._argv: list[str] = told["argv"]
        self._environ: dict[str, str] = told["env"]
        self._grace_s: float = told["grace_s"]
        """Between the daemon's end and the first TERM: the program sees the end of its stdin then."""
        self._signals = Signals()
        self._program = 0
        self._running = False
        self._met: dict[int, int] = {}

    def run(self) -> int:
        """Returns the exit code: nobody reads it."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
        if os.getppid() != self._keeper:
            return 0
        failure = self._start()
        close([*self._streams, self._folder])
        if failure:
            self._alone()
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
            os.write(writer, b"22")  # EINVAL: a NUL in an argument, say
        finally:
            os._exit(127)

    def _alone(self) -> bool:
        """Bury who ended, and say how the program did; whether nothing of it lives."""
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
        """Wait until it is to be ended: the seconds for TERM and for KILL. None when nothing is left to end."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._signals, select.POLLIN)
        while True:
            if self._alone():
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
                    return self._without_us()
            came = self._signals.take()
            if signal.SIGUSR2 in came:
                return 0.0, KILL_S
            if os.getppid() != self._keeper or signal.SIGUSR1 in came:
                return self._without_us()

    def _without_us(self) -> tuple[float, float]:
        """The daemon is gone: its program may end by itself for a moment."""
        until = time.monotonic() + self._grace_s
        poller = select.poll()
        poller.register(self._signals, select.POLLIN)
        while (left_s := until - time.monotonic()) > 0 and not self._alone():
            poller.poll(left_s * 1000)
            if signal.SIGUSR2 in self._signals.take():
                break
        return TERM_S, KILL_S

    def _end(self, term_s: float, kill_s: float) -> None:
        """End all that is left: TERM, then KILL, until nothing is. It says what lives on after that time."""
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
        while not self._alone():
            found = descendants([os.getpid()])
            # The program first, then by age: a shell that is told after its last command would take the command's end
            # for an ordinary one.
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
