"""The sandbox of commands: whether there is one here, and how a command is started in it."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aster_sidecar.sandbox import bubblewrap, environment, probe, run_later, seatbelt, seccomp
from aster_sidecar.sandbox.bubblewrap import Bubblewrap
from aster_sidecar.sandbox.probe import State
from aster_sidecar.sandbox.run_later import Left
from aster_sidecar.sandbox.spec import Network, NoSandbox, Spec
from aster_sidecar.sandbox.survey import Survey, survey

INSTALL = "install it: apt install bubblewrap, dnf install bubblewrap, or pacman -S bubblewrap"
NEEDED = frozenset(("--size", "--remount-ro", "--ro-bind-try", "--unshare-cgroup-try", "--seccomp", "--new-session"))


@dataclass(frozen=True, slots=True)
class Prepared:
    """How to start one command in the sandbox, from any directory."""

    argv: list[str]
    env: dict[str, str]
    found: Survey

    async def left(self) -> Left:
        """What the command has left in its folder that other programs would run later; call it after its end."""
        found = self.found
        return await asyncio.to_thread(run_later.after, found.folder, found.began, found.known, found.more_later)


class Sandbox:
    """The sandbox of this machine. It is tried once for each bubblewrap that is found."""

    def __init__(self, files: Path) -> None:
        """`files` is a directory of the daemon, hidden from commands, for the files that the sandbox needs."""
        self._files = files
        self._lock = asyncio.Lock()
        self._tried: tuple[object, State] | None = None
        self._program: Bubblewrap | None = None

    async def state(self) -> State:
        """Whether commands can run in a sandbox here. The first call tries it, for at most some seconds."""
        async with self._lock:
            path, identity = await asyncio.to_thread(_identity)
            if self._tried is None or self._tried[0] != (path, identity):
                self._tried = (path, identity), await self._try(path)
            return self._tried[1]

    async def prepare(self, spec: Spec, argv: Sequence[str], environ: Mapping[str, str]) -> Prepared:
        """How to start `argv` in a sandbox. `environ` is the environment that it would have without one.

        Start it with `launch.start(prepared.argv, cwd="/", env=prepared.env, …)`. A shell that was ended by a signal
        then has the exit code 128 + its number. Raises: NoSandbox; OSError when the folder is gone.
        """
        state = await self.state()
        if state.level == "none":
            raise NoSandbox(state.why)
        return await self._prepared(spec, argv, environ)

    async def _prepared(self, spec: Spec, argv: Sequence[str], environ: Mapping[str, str]) -> Prepared:
        found = await asyncio.to_thread(survey, spec, {**os.environ, **environ})
        env = environment.inside(environ, str(spec.home), _temporary(found), found.cwd)
        return Prepared(self._arguments(found, spec.network, argv), env, found)

    def _arguments(self, found: Survey, network: Network, argv: Sequence[str]) -> list[str]:
        if self._program is not None:
            return bubblewrap.arguments(found, network, self._program, argv)
        return seatbelt.arguments(found, network, argv)

    async def _try(self, path: str | None) -> State:
        self._program = None
        if sys.platform == "darwin" and path is not None:
            state = await probe.tried(self._prepared, path)
            if state.level == "full":
                why = "sandbox-exec works, but can't end all that a command starts, and its profile is new"
                return State("partial", why)
            return state
        if sys.platform != "linux":
            return State("none", "there is no sandbox for this system yet")
        if not seccomp.machine_known(platform.machine()):
            why = f"there is no filter of system calls for this processor ({platform.machine()})"
            return State("none", why)
        if path is None:
            return State("none", "bubblewrap is not installed", INSTALL)
        try:
            help_text = await probe.output_of([path, "--help"])
            program = await asyncio.to_thread(bubblewrap.set_up, path, help_text, self._files)
        except OSError as error:
            return State("none", f"bubblewrap ({path}) can't be used: {error}", INSTALL)
        if missing := ", ".join(sorted(NEEDED - program.options)):
            return State("none", f"this bubblewrap is too old: it lacks {missing}", "install bubblewrap 0.6 or newer")
        self._program = program
        return await probe.tried(self._prepared, path)


def _identity() -> tuple[str | None, tuple[int, ...]]:
    """The program of the sandbox, and what changes when another one takes its place."""
    path = seatbelt.SANDBOX_EXEC if sys.platform == "darwin" else bubblewrap.find(os.environ.get("PATH", ""))
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        found = path = None
    return path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if found is not None else ()


def _temporary(found: Survey) -> str:
    return found.private_tmp if sys.platform == "darwin" else found.temporary_directory
