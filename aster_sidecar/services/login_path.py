"""The PATH of commands, MCP servers and services: the configured one, the daemon's own, or that of the login shell.

An app that is started from a dock or a menu gets only the system's PATH; the start-up files of the user's shell add
what the user has installed (node, uv, brew). So the login shell is asked for its PATH, once, as VS Code does:

- with `command_path = "auto"`, when the daemon was not started from a terminal (a terminal sets `TERM` to something
  other than "dumb", and its shell has run those files already); with "login", always; never on Windows, without HOME,
  or when SHELL is not the absolute path of a shell that we know how to ask;
- in the background, after the first client was served, or when the first program is started. That program waits at most
  `ASK_S` seconds for the answer, and is then started with the daemon's own PATH;
- in the environment of a command, with `ASTER_RESOLVING_PATH=1` for start-up files that check for it, without a
  terminal, in its own session, and ended with all that it started;
- only the output between two random marks is used.

The shell's entries come first, in their order, so that of two programs with one name the same runs as in the user's
terminal. Entries that only the daemon's PATH has follow. A shell that does not answer is a warning in the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Mapping

from aster_sidecar.services.launch import Program, start
from aster_sidecar.services.process_tree import clean_environment, to_the_end

log = logging.getLogger(__name__)

ASK_S = 8.0
TERM_S, KILL_S = 0.5, 1.0
"""An interactive shell ignores SIGTERM, so the wait for it is short."""
SAID_BYTES = 1024 * 1024
PATH_CHARS = 32_768
SHELLS = frozenset(("ash", "bash", "dash", "fish", "ksh", "mksh", "sh", "zsh"))
"""Shells that accept `-l -i -c`, know printf, and have colons in "$PATH"."""


class NoAnswer(Exception):
    """The login shell gave no PATH; `str(error)` says why."""


def from_terminal(environ: Mapping[str, str]) -> bool:
    return environ.get("TERM", "dumb") not in ("", "dumb")


def login_shell(environ: Mapping[str, str]) -> str | None:
    """The shell to ask; None when there is none that can be asked."""
    shell, home = environ.get("SHELL", ""), environ.get("HOME", "")
    if os.name != "posix" or not os.path.isabs(shell) or not os.path.isabs(home) or not os.path.isdir(home):
        return None
    known = os.path.basename(shell) in SHELLS and os.path.isfile(shell) and os.access(shell, os.X_OK)
    return shell if known else None


def merged(first: str, then: str) -> str:
    """The absolute entries of both paths, each once."""
    entries = [entry for entry in (*first.split(os.pathsep), *then.split(os.pathsep)) if os.path.isabs(entry)]
    return os.pathsep.join(dict.fromkeys(entries))


class CommandPath:
    """The PATH that the setting `command_path` chooses."""

    def __init__(self, setting: Callable[[], str], environ: Mapping[str, str] = os.environ) -> None:
        """`setting` returns the current value of the setting."""
        self._setting = setting
        self._environ = environ
        self._found: str | None = None
        self._asking: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()

    def value(self) -> str | None:
        """The PATH; None for the daemon's own."""
        setting = self._setting()
        if setting == "inherit" or (setting == "auto" and from_terminal(self._environ)):
            return None
        return self._found if setting in ("auto", "login") else setting

    def begin(self) -> None:
        """Ask the login shell in the background, if the setting requires it and it was not asked yet."""
        setting = self._setting()
        if self._asking is not None or setting not in ("auto", "login"):
            return
        if setting == "auto" and from_terminal(self._environ):
            return
        shell = login_shell(self._environ)
        if shell is not None:
            self._asking = asyncio.get_running_loop().create_task(self._ask(shell), name="login shell")

    async def known(self) -> None:
        """Ask the login shell if necessary, and wait for the answer."""
        self.begin()
        if self._asking is not None:
            await self._answered.wait()

    async def close(self) -> None:
        """End a shell that has not answered yet."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self, shell: str) -> None:
        try:
            await ask(shell, self._environ, self._take)
        except NoAnswer as error:
            log.warning(
                "the login shell %s %s: commands get the daemon's own PATH; command_path sets another", shell, error
            )
        except Exception:
            log.exception("the login shell could not be asked for its PATH")
        finally:
            self._answered.set()

    def _take(self, path: str) -> None:
        own = self._environ.get("PATH", os.defpath)
        self._found = merged(path, own)
        more = len(self._found.split(os.pathsep)) - len(merged(own, "").split(os.pathsep))
        log.info("commands get the PATH of the login shell: %d more directories", more)
        self._answered.set()


async def ask(shell: str, environ: Mapping[str, str], take: Callable[[str], None]) -> None:
    """Ask a login shell for its PATH; `take` is called with it before the shell exits. Raises: NoAnswer."""
    mark = secrets.token_hex(16)
    script = f'printf %s {mark} "$PATH" {mark}'
    env = clean_environment(environ) | {"ASTER_RESOLVING_PATH": "1"}
    marker = f"{os.getpid()}:login-{mark[:8]}"
    try:
        program = await start(
            [shell, "-l", "-i", "-c", script], cwd=environ["HOME"], env=env, marker=marker, stdin=False
        )
    except OSError as error:
        raise NoAnswer(f"could not be started ({error.strerror or error})") from error
    try:
        async with asyncio.timeout(ASK_S):
            path = await _answer(program, mark.encode())
        if merged(path, ""):
            take(path)
        else:
            raise NoAnswer("has no PATH")
    except TimeoutError as error:
        raise NoAnswer(f"did not answer within {ASK_S:g} s, because its start-up files did not end") from error
    finally:
        try:
            await to_the_end(program.end(TERM_S, KILL_S))
        finally:
            program.close()


async def _answer(program: Program, mark: bytes) -> str:
    """The output between the marks. Raises: NoAnswer."""
    drained = asyncio.create_task(_drain(program.stderr))
    said = bytearray()
    try:
        while chunk := await program.stdout.read(65536):
            said += chunk
            if said.count(mark) >= 2:
                path = bytes(said).split(mark)[1].decode("utf-8", "surrogateescape")
                if len(path) > PATH_CHARS or "\n" in path or "\0" in path:
                    raise NoAnswer("returned something that is not a PATH")
                return path
            if len(said) > SAID_BYTES:
                raise NoAnswer("wrote too much output")
    finally:
        drained.cancel()
        await asyncio.gather(drained, return_exceptions=True)
    raise NoAnswer("ended before it could be asked, because of its start-up files")


async def _drain(stderr: asyncio.StreamReader) -> None:
    while await stderr.read(65536):
        pass
