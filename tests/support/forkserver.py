"""Daemons and commands, forked from a process that has imported everything: for tests that are not about the start.

Importing costs half a second of CPU time, and with a provider's engine a second; hundreds of tests start a daemon. A
forked daemon is a separate process with its own environment, directory, arguments, output and pid, and `kill -9` ends
it as usual. Two things differ: its imports are done, and `/proc/PID/cmdline` and `environ` are the fork server's.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parent.parent.parent
MESSAGE_BYTES = 1 << 20
LEFT_OUT = ("aster_sidecar.__main__", "aster_sidecar.telemetry.otel", "aster_sidecar.store.migrations")
"""Not imported in advance: what starts the daemon, and what only traces need."""


class ForkedProcess:
    """The part of `subprocess.Popen` that tests use, for a process that the fork server started."""

    def __init__(self, server: ForkServer, pid: int, stdout: IO[bytes] | None) -> None:
        self.pid = pid
        self.stdout: IO[bytes] | None = stdout
        self.stdin: IO[bytes] | None = None
        self.returncode: int | None = None
        self._server = server
        self._descriptor = os.pidfd_open(pid)
        self._reaping = threading.Lock()

    def poll(self) -> int | None:
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; minus the signal's number if a signal ended it. Raises: subprocess.TimeoutExpired."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"forked daemon {self.pid}", timeout or 0.0)
        return code

    def _wait(self, timeout: float | None) -> int | None:
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        if self.returncode is None and poller.poll(None if timeout is None else timeout * 1000):
            with self._reaping:  # if several threads wait, only one asks
                if self.returncode is None:
                    self.returncode = self._server.reap(self.pid)
        return self.returncode

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process that forks; one for each process that runs tests.

    It ends with that process, and kills all forked ones.
    """

    _shared: ForkServer | None = None
    _sharing = threading.Lock()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-W", "error", "-m", "tests.support.forkserver", str(theirs.fileno())]
        with theirs:
            # It leaves this process as its parent, since tests look at the children of their process.
            subprocess.run(
                command,
                check=True,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=plain_environment(),
            )

    @classmethod
    def shared(cls) -> ForkServer:
        with cls._sharing:
            if cls._shared is None:
                cls._shared = cls()
            return cls._shared

    @staticmethod
    def possible() -> bool:
        return sys.platform == "linux"

    def start(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], stderr: IO[bytes]
    ) -> ForkedProcess:
        """Fork a daemon with these arguments; its stdout is a pipe."""
        reader, writer = os.pipe()
        try:
            pid = self._fork(arguments, cwd, environment, writer, stderr.fileno())
        finally:
            os.close(writer)
        return ForkedProcess(self, pid, os.fdopen(reader, "rb"))

    def run(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Fork a command and wait for its end. Returns its exit code and output. Raises: subprocess.TimeoutExpired."""
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            pid = self._fork(arguments, cwd, environment, stdout.fileno(), stderr.fileno())
            code = ForkedProcess(self, pid, None).wait(timeout)
            said: list[str] = []
            for output in (stdout, stderr):
                output.seek(0)
                said.append(output.read().decode("utf-8"))
        return subprocess.CompletedProcess(list(arguments), code, *said)

    def _fork(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], stdout: int, stderr: int
    ) -> int:
        request = {"arguments": list(arguments), "cwd": str(cwd), "environment": dict(environment)}
        return int(self._ask(request, [stdout, stderr])["pid"])

    def reap(self, pid: int) -> int:
        return int(self._ask({"reap": pid})["code"])

    def _ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> Any:
        with self._lock:
            socket.send_fds(self._control, [json.dumps(request).encode()], list(descriptors))
            answer = self._control.recv(MESSAGE_BYTES)
        if not answer:
            raise AssertionError("the fork server has ended")
        return json.loads(answer)


def plain_environment() -> dict[str, str]:
    """The environment of the fork server itself: without variables that a test's daemon must not have."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT)}


# -- the fork server's own process -------------------------------------------------------------------------------------


def import_everything() -> None:
    """Import all modules of the daemon, and those that it imports at their first use."""
    import aster_sidecar

    for module in pkgutil.walk_packages(aster_sidecar.__path__, "aster_sidecar."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)
    from aster_sidecar.models.build import Models

    # As the daemon does at the first use: what it leaves out while it imports an SDK is left out here too.
    keys = {"OPENAI_API_KEY": "none", "ANTHROPIC_API_KEY": "none"}
    for name in ("openai:none", "openai-chat:none", "anthropic:none"):
        Models(keys, lambda: "", lambda _: None, lambda key, value: None).build(name)


class Server:
    """Forks on request, for one test process over `control`, or for every process that connects to a `listener`.

    Over `control` a request names what to start and is answered with the pid; `reap` waits for the end of a process. A
    client of the listener takes the place of a daemon (forked.py): it passes its own stdin, stdout and stderr, receives
    the exit code, and the daemon is killed when it leaves.
    """

    def __init__(self) -> None:
        self._children: dict[int, socket.socket | None] = {}
        self._poll = select.poll()
        self._descriptors: dict[int, Callable[[], bool]] = {}

    def watch(self, descriptor: int, ready: Callable[[], bool]) -> None:
        """Call `ready` each time there is something to read, until it returns False."""
        self._descriptors[descriptor] = ready
        self._poll.register(descriptor, select.POLLIN)

    def run(self) -> None:
        """Serve until there is nothing more to watch."""
        while self._descriptors:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._descriptors and not self._descriptors[descriptor]():
                    self._forget(descriptor)
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _forget(self, descriptor: int) -> None:
        del self._descriptors[descriptor]
        self._poll.unregister(descriptor)

    def control(self, control: socket.socket) -> bool:
        """Handle one request of the test process; False when that process has ended."""
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 2)
        if not message:
            return False
        request = json.loads(message)
        if "reap" in request:
            answer = {"code": self._reap(request["reap"])}
        else:
            answer = {"pid": self._fork(request, dict(enumerate(descriptors, start=1)))}
        control.send(json.dumps(answer).encode())
        return True

    def accept(self, listener: socket.socket) -> bool:
        """A process that takes the place of a daemon has connected."""
        client, _ = listener.accept()
        message, descriptors, _, _ = socket.recv_fds(client, MESSAGE_BYTES, 3)
        if message:
            pid = self._fork(json.loads(message), dict(enumerate(descriptors)))
            self._children[pid] = client
            ended = os.pidfd_open(pid)
            self.watch(client.fileno(), lambda: self._left(pid, client))
            self.watch(ended, lambda: self._ended(pid, client, ended))
        return True

    def _left(self, pid: int, client: socket.socket) -> bool:
        if pid in self._children:
            os.kill(pid, signal.SIGKILL)
        return False

    def _ended(self, pid: int, client: socket.socket, ended: int) -> bool:
        code = self._reap(pid)
        if client.fileno() in self._descriptors:
            self._forget(client.fileno())
        with contextlib.suppress(OSError):
            client.send(json.dumps({"code": code}).encode())
        client.close()
        os.close(ended)
        return False

    def _fork(self, request: Any, descriptors: Mapping[int, int]) -> int:
        pid = os.fork()
        if pid == 0:
            become(request, descriptors)
        self._children[pid] = None
        for descriptor in descriptors.values():
            os.close(descriptor)
        return pid

    def _reap(self, pid: int) -> int:
        _, status = os.waitpid(pid, 0)
        self._children.pop(pid, None)
        return os.waitstatus_to_exitcode(status)


def become(request: Any, descriptors: Mapping[int, int]) -> NoReturn:
    """Become the requested program, in the forked process.

    `descriptors`: the descriptors for stdin, stdout and stderr.
    """
    code = 70
    try:
        for target, descriptor in descriptors.items():
            os.dup2(descriptor, target)
        os.closerange(3, 65_536)  # the fork server's own
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[0] = request["cwd"]
        sys.argv[1:] = request["arguments"]
        from aster_sidecar.cli.main import main

        try:
            code = main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        # As the interpreter ends, but without the destruction of every module.
        threading._shutdown()  # type: ignore[attr-defined] # waits for threads
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def listen(path: str) -> None:
    """Serve every process that connects to this Unix socket, until our own stdin ends."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    server = Server()
    server.watch(listener.fileno(), lambda: server.accept(listener))
    server.watch(0, lambda: bool(os.read(0, 100)) or os._exit(0))  # the daemons and their clients end with us
    print("ready", flush=True)
    server.run()


def main(where: str) -> None:
    """Serve over the open socket with this number, without a parent among the tests, or at this path."""
    if where.isdecimal() and os.fork() != 0:
        os._exit(0)
    import_everything()
    gc.collect()
    gc.freeze()
    if not where.isdecimal():
        listen(where)
        return
    with socket.socket(fileno=int(where)) as control:
        server = Server()
        server.watch(control.fileno(), lambda: server.control(control))
        server.run()


if __name__ == "__main__":
    main(sys.argv[1])
