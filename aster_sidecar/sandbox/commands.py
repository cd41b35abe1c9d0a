"""In which sandbox a command runs, as the setting `sandbox` says and as it is possible here."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from aster_sidecar.sandbox.sandbox import Prepared, Sandbox, State
from aster_sidecar.sandbox.spec import Network, NoSandbox, Spec
from aster_sidecar.text.safe_text import shown

Setting = Literal["off", "auto", "required"]
SAID_CHARS = 16 * 1024
"""How much of the end of a command's output is searched for what the sandbox refused."""

NO_NETWORK = "there is no network in the sandbox"
_NO_QUOTES = str.maketrans("“”", "''")
"""So that an agent's words can't pretend to end before they do."""
_NO_NETWORK = re.compile(
    r"could not resolve (?:host|proxy)|temporary failure in name resolution|name or service not known"
    r"|network is unreachable|ENETUNREACH|ENOTFOUND|EAI_AGAIN|failed to lookup address|getaddrinfo|no route to host"
    r"|no address associated with hostname|could not resolve hostname|nodename nor servname",
    re.IGNORECASE,
)
_READ_ONLY = re.compile(r"read-only file ?system|EROFS", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"operation not permitted|permission denied|\bEPERM\b|\bEACCES\b", re.IGNORECASE)


class Confinement(NamedTuple):
    """What confines a command: the level of its sandbox, or "none", and sentences about it for people.

    `network`: what it can reach in the sandbox.
    """

    level: Literal["full", "partial", "none"]
    words: tuple[str, ...] = ()
    asked_out: bool = False
    """Whether the model asked to run it without the sandbox that there is: a person has to be asked."""
    network: Network = "none"


class CommandSandbox:
    """The sandbox of all commands of a daemon. `files` is a directory of the daemon, for what it needs."""

    def __init__(self, setting: Callable[[], Setting], files: Path) -> None:
        self._setting = setting
        self._sandbox = Sandbox(files / "files")
        self._temporary = files / "tmp"
        self.state: State | None = None
        """Whether commands can run in a sandbox here; None when it was not tried yet."""

    @property
    def setting(self) -> Setting:
        return self._setting()

    async def known(self) -> None:
        """Find out whether there is a sandbox here, if one is wanted. Tries it once, for at most some seconds."""
        if self.setting != "off":
            self.state = await self._sandbox.state()

    def confinement(self, outside: bool, network: Network, why: str | None) -> Confinement:
        """What would confine a command. `outside`: the model asked for no sandbox, because of `why`.

        `network`: what it asked to reach, because of `why`.

        Raises: NoSandbox when a sandbox is required and the command would not be in one.
        """
        setting, state = self.setting, self.state
        if setting == "off":
            return Confinement("none")
        level = state.level if state is not None else "none"
        lacking = state.why if state is not None else "it was not tried yet"
        if setting == "required" and (outside or level != "full"):
            told = "commands may not run outside of it" if outside else lacking
            raise NoSandbox(f"commands run only in a sandbox (sandbox = required): {told}")
        if level == "none":
            return Confinement("none", (f"There is no sandbox here: {lacking}.",))
        if (outside or network == "all") and (not why or not why.strip()):
            needs = "has to run outside the sandbox" if outside else "needs the network"
            raise NoSandbox(f'say in "why" why the command {needs}')
        given = f"The agent says why: “{shown(why or '').translate(_NO_QUOTES)}”."
        if outside:
            return Confinement("none", (f"It would run outside the sandbox. {given}",), True)
        words = ["It runs in a sandbox: it can change only the work folder, and it has no network."]
        if network == "all":
            words = [
                "It runs in a sandbox: it can change only the work folder. It can use the network, so it can send what"
                f" it can read. {given}"
            ]
        words += [f"The sandbox does not hold in all points: {lacking}."] if level == "partial" else []
        return Confinement(level, tuple(words), network=network)

    async def prepare(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        folder: Path,
        cwd: Path,
        session_id: str,
        protected: tuple[Path, ...],
        denied: Iterable[str],
        network: Network,
    ) -> Prepared:
        """How to start `argv` in the sandbox. `denied`: places that rules deny.

        Raises: NoSandbox when this folder can't be in one; OSError.
        """
        spec = await asyncio.to_thread(self._spec, folder, cwd, session_id, protected, denied)
        return await self._sandbox.prepare(replace(spec, network=network), argv, env)

    def _spec(
        self, folder: Path, cwd: Path, session_id: str, protected: tuple[Path, ...], denied: Iterable[str]
    ) -> Spec:
        temporary = self._temporary / re.sub(r"[^\w-]", "_", session_id)[:100]
        temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Spec(
            folder=folder,
            cwd=cwd,
            private_tmp=temporary,
            protected=protected,
            home=Path(os.path.expanduser("~")),
            hidden=tuple(Path(value) for value in denied if os.path.isabs(value)),
        )

    def clear(self) -> None:
        """Delete the temporary files of all sessions; call it when no command runs."""
        with suppress(OSError):
            shutil.rmtree(self._temporary)


def refused(code: int | None, output: str, network: Network) -> str | None:
    """What the sandbox has probably refused a command, going by its output, in a sentence; None when it has not."""
    said = output[-SAID_CHARS:]
    if code in (0, None):
        return None
    if network == "none" and _NO_NETWORK.search(said):
        return NO_NETWORK
    if _READ_ONLY.search(said):
        return "in the sandbox, only the work folder can be written, and not the files in it that other programs run"
    if _NOT_ALLOWED.search(said):
        return "the sandbox may not allow what it tried"
    return None
