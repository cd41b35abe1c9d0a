"""A program where there is no keeper (macOS, Windows): a child of the daemon, recognized by group, session and mark."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aster_sidecar.services import process_tree
from aster_sidecar.services.process_tree import KILL_S, READ_BYTES, TERM_S, Brand

LATE_S = 1.0
"""How long to wait for the exit of a program that was ended, and of its watcher."""

was_started = False
"""Whether any program was started this way. Until then no client can be a descendant of one."""
# $1 is the program's group, $2 how many seconds it may take to exit. A line on stdin means that the program was ended;
# end of file without a line means that the daemon is gone.
_WATCHER = 'read -r _ && exit 0; sleep "$2"; kill -s TERM -- "-$1"; sleep 2; kill -s KILL -- "-$1"'


class _Waiter(asyncio.subprocess.SubprocessStreamProtocol):
    """asyncio's protocol, which also reports the exit while another process holds the output open."""

    def __init__(self, exited: asyncio.Future[None]) -> None:
        super().__init__(limit=READ_BYTES, loop=exited.get_loop())
        self._exited = exited

    def process_exited(self) -> None:
        super().process_exited()
        if not self._exited.done():
            self._exited.set_result(None)


class DirectProgram:
    """A program that is a child of the daemon."""

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
        """End the program and its descendants; see `launch.Program`."""
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
        """Close its pipes."""
        self._transport.close()


def _watcher(group: int, grace_s: float) -> subprocess.Popen[bytes] | None:
    """A shell that ends the group when the daemon exits first, even by kill -9. None on Windows."""
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


async def start_direct(
    argv: Sequence[str] | str, cwd: str | None, env: Mapping[str, str], marker: str, stdin: bool, grace_s: float
) -> DirectProgram:
    """Start a program as a child; the arguments are those of `launch.start`. Raises: OSError."""
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
    return DirectProgram(transport, streams, exited, Brand(marker), grace_s)
