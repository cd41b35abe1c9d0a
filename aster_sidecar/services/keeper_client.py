"""The daemon's side of the keeper (`keeper.py`), from which every program descends on Linux."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from aster_sidecar.frozen import FROZEN
from aster_sidecar.services import keeper

LATE_S = 1.0
"""How much longer than its time limit `settle` looks for processes that a killed overseer or keeper left."""


class KeeperClient:
    """The keeper's process: started when it is first needed, and restarted after it was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._asking: socket.socket | None = None
        self._owner = 0
        """The pid of the process that started it: a fork of the daemon has no keeper."""
        self._was_killed = False
        """Whether a keeper was killed, so that its processes have to be ended here."""

    @property
    def pid(self) -> int | None:
        """The keeper's pid; None when it does not run."""
        process = self._process
        return process.pid if process is not None and self._owner == os.getpid() else None

    def ask(self, said: bytes, descriptors: Sequence[int]) -> None:
        """Send a message, to a new keeper if none runs. Raises: OSError."""
        with self._lock:
            for last in (False, True):
                asking, process = self._running()
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
        """Start the keeper if it does not run. Raises: OSError."""
        with self._lock:
            self._running()

    def _running(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        """The socket and the process of the keeper, which is started if none runs. Raises: OSError."""
        if self._asking is not None and self._process is not None and self._lives():
            return self._asking, self._process
        if self._asking is not None:
            self._asking.close()
        # When a keeper is killed, its children become ours, and can still be found.
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
        """Whether this process has a keeper that runs. Notes when it was killed."""
        if self._owner != os.getpid():
            self._process = None
        if self._process is not None and self._process.poll() is not None:
            self._process, self._was_killed = None, True
        return self._process is not None

    def settle(self, overseer: int, within_s: float) -> None:
        """Wait until the processes of a killed overseer, and perhaps of a killed keeper, are ended. Blocks."""
        until = time.monotonic() + within_s
        # An overseer closes its socket before its children get another parent; in between they can't be found.
        while is_living(overseer) and time.monotonic() < until:
            time.sleep(0.002)
        settled = False
        while not settled and time.monotonic() < until:
            with self._lock:
                lives = self._lives()
                self._sweep()
            settled = not lives or self._has_settled(until)
            # If asking showed that it was killed, the answer came from a new keeper.
            settled = settled and not self._was_killed
            time.sleep(0.002)
        until = time.monotonic() + LATE_S
        while not settled and time.monotonic() < until:  # new leftovers can keep the keeper from answering
            settled = not self._left_behind()
            time.sleep(0.002)

    def _left_behind(self) -> bool:
        """Kill the keeper's children that are not overseers, and their descendants; whether there were any."""
        pid = self.pid
        left = [one for one in keeper.children(pid) if one not in OVERSEERS] if pid is not None else []
        for one in (*left, *keeper.descendants(left)):
            keeper.kill(one, signal.SIGKILL)
        return bool(left)

    def _has_settled(self, until: float) -> bool:
        """Whether the keeper answers, before that time, that nothing is left behind. False also when it is killed."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, contextlib.suppress(OSError):
                self.ask(b"settled", [theirs.fileno()])
            ours.settimeout(max(until - time.monotonic(), 0.1))
            with contextlib.suppress(OSError):
                return ours.recv(1) == b"."
        return False

    def _sweep(self) -> None:
        """Look twice for what a killed keeper left: a list of children may miss one that changes meanwhile."""
        self._was_killed = self._was_killed and (self._strays() or self._strays())

    def _strays(self) -> bool:
        """Kill and reap the children that came to us from a killed keeper; whether there were any.

        They differ from our own children by their session: the keeper has another one, and no process can enter ours.
        Overseers among them are left to end their programs.
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
        """Kill the keeper's programs and end it, before the daemon exits. Blocks for at most two seconds."""
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


KEEPER = KeeperClient()
OVERSEERS: set[int] = set()
"""The pids of the overseers of running programs."""


def is_living(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    return keeper.stat(pid)[:1] not in ([], [b"Z"], [b"X"])


def _command() -> list[str]:
    """How the keeper is started; a packaged daemon has no Python interpreter other than itself."""
    if FROZEN:
        return [sys.executable, "--tool-keeper"]
    return [sys.executable, "-I", "-S", "-B", str(Path(keeper.__file__))]
