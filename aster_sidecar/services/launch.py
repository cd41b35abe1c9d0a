"""Starts the programs of tools, MCP servers and services, and ends them with all that they started.

On Linux they descend from the keeper (`kept_program.py`), which no program can escape. Elsewhere they are children of
the daemon (`direct_program.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from aster_sidecar.services import direct_program, process_tree
from aster_sidecar.services.keeper_client import KEEPER
from aster_sidecar.services.kept_program import start_kept
from aster_sidecar.services.process_tree import KILL_S, MARKER, TERM_S, finished, to_the_end


class Program(Protocol):
    """A running program. `exited` is done when it has exited, even if another process holds its output open."""

    pid: int
    stdin: asyncio.StreamWriter | None
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    exited: asyncio.Future[None]

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the number of the signal that ended it; None while it runs."""
        ...

    async def end(self, term_s: float = TERM_S, kill_s: float = KILL_S) -> tuple[int, list[int]]:
        """End it and its descendants: TERM, KILL after `term_s` seconds, and at most `kill_s` seconds more.

        Returns how many processes there were besides it, and the pids of those that could not be ended.
        """
        ...

    def close(self) -> None:
        """Close its pipes."""
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

    `marker` is the value of `ASTER_TOOL_CALL` in its environment. When the daemon is killed, the program has `grace_s`
    seconds to exit before it is ended. When this task is cancelled, the program is ended first. Raises: OSError.
    """
    env = {**env, MARKER: marker}
    if sys.platform == "linux":
        return await _unless_cancelled(start_kept(argv, cwd, env, stdin, grace_s))
    return await _unless_cancelled(direct_program.start_direct(argv, cwd, env, marker, stdin, grace_s))


async def start_shell(command: str, *, cwd: str, env: Mapping[str, str], marker: str) -> Program:
    """Start a command line in the system's shell, with an empty stdin. Raises: OSError."""
    if os.name != "nt":
        return await start(["/bin/sh", "-c", command], cwd=cwd, env=env, marker=marker, stdin=False)
    return await _unless_cancelled(
        direct_program.start_direct(command, cwd, {**env, MARKER: marker}, marker, False, 0.0)
    )


async def _unless_cancelled(starting: Coroutine[Any, Any, Program]) -> Program:
    program, cancelled = await finished(starting)
    if cancelled:
        await to_the_end(program.end())
        program.close()
        raise asyncio.CancelledError
    return program


def keeper_pid() -> int | None:
    """The pid of the keeper, from which every program descends on Linux; None when it does not run."""
    return KEEPER.pid


def has_started_directly() -> bool:
    """Whether any program was started as a child of the daemon. Until then no client can be a descendant of one."""
    return direct_program.was_started


def begin() -> None:
    """Start the keeper on Linux, so that the first program does not have to wait for it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # starting the first program reports it
            KEEPER.begin()


def end_all() -> None:
    """Kill all programs that still run, before the daemon exits. Blocks for at most two seconds."""
    if sys.platform == "linux":
        KEEPER.close()
    else:
        process_tree.kill_left()
