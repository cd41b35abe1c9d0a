"""The PATH of commands, MCP servers and services: chosen, the daemon's own, or that of the person's login shell.

An app that is started from a dock or a menu gets the system's PATH only; what the person installed (node, uv, brew) is
put on it by the start-up files of their shell. So the login shell is asked for it, once, as VS Code does:

- with `command_path = "auto"` when no terminal started the daemon, which has set `TERM` to something but "dumb" (a
  terminal's shell has run those files already); with "login" in any case; never on Windows, and never without HOME or
  with a SHELL that is not the absolute path of a shell we know how to ask;
- in the background, when the first client's needs are met or when the first program is to be started, which waits for
  the answer: at most `ASK_S` seconds, then it is started with the daemon's own PATH;
- in the clean environment of a command, with `ASTER_RESOLVING_PATH=1` for start-up files that want to know, without a
  terminal, in a session of its own, and ended with all that it started;
- only what stands between two random marks of its output is taken.

The shell's entries come first, in their order: that decides which of two programs with one name a person gets in their
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
"""An interactive shell does not hear SIGTERM, so it is not waited for long."""
SAID_BYTES = 1024 * 1024
PATH_CHARS = 32_768
SHELLS = frozenset(("ash", "bash", "dash", "fish", "ksh", "mksh", "sh", "zsh"))
"""Those that take `-l -i -c`, know printf, and have "$PATH" with colons."""


class NoAnswer(Exception):
    """The login shell gave no PATH; `str(error)` says why."""


def from_terminal(environ: Mapping[str, str]) -> bool:
    return environ.get("TERM", "dumb") not in ("", "dumb")


def login_shell(environ: Mapping[str, str]) -> str | None:
    """The shell to ask; None where there is none that can be."""
    shell, home = environ.get("SHELL", ""), environ.get("HOME", "")
    if os.name != "posix" or not os.path.isabs(shell) or not os.path.isabs(home) or not os.path.isdir(home):
        return None
    known = os.path.basename(shell) in SHELLS and os.path.isfile(shell) and os.access(shell, os.X_OK)
    return shell if known else None


def merged(first: str, then: str) -> str:
    """Both paths, each absolute entry once."""
    entries = [entry for entry in (*first.split(os.pathsep), *then.split(os.pathsep)) if os.path.isabs(entry)]
    return os.pathsep.join(dict.fromkeys(entries))


class CommandPath:
    """The PATH as the setting `command_path` has it."""

    def __init__(self, setting: Callable[[], str], environ: Mapping[str, str] = os.environ) -> None:
        self._setting = setting
        self._environ = environ
        self._found: str | None = None
        self._asking: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()

    def value(self) -> str | None:
        """The PATH; None: the daemon's own."""
        setting = self._setting()
        if setting == "inherit" or (setting == "auto" and from_terminal(self._environ)):
            return None
        return self._found if setting in ("auto", "login") else setting

    def begin(self) -> None:
        """Ask the login shell, if it is to be asked and was not yet."""
        setting = self._setting()
        if self._asking is not None or setting not in ("auto", "login"):
            return
        if setting == "auto" and from_terminal(self._environ):
            return
        shell = login_shell(self._environ)
        if shell is not None:
            self._asking = asyncio.get_running_loop().create_task(self._ask(shell), name="login shell")

    async def known(self) -> None:
        """Ask if need be, and wait for the answer."""
        self.begin()
        if self._asking is not None:
            await self._answered.wait()

    async def close(self) -> None:
        """End the shell that is still asked."""
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
    """Ask a login shell for its PATH; `take` gets it before the shell has ended. Raises: NoAnswer."""
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
    """What stands between the marks. Raises: NoAnswer."""
    drained = asyncio.create_task(_drain(program.stderr))
    said = bytearray()
    try:
        while chunk := await program.stdout.read(65536):
            said += chunk
            if said.count(mark) >= 2:
                path = bytes(said).split(mark)[1].decode("utf-8", "surrogateescape")
                if len(path) > PATH_CHARS or "\n" in path or "\0" in path:
                    raise NoAnswer("gave something that is no PATH")
                return path
            if len(said) > SAID_BYTES:
                raise NoAnswer("said something else, without an end")
    finally:
        drained.cancel()
        await asyncio.gather(drained, return_exceptions=True)
    raise NoAnswer("ended before it could be asked, because of its start-up files")


async def _drain(stderr: asyncio.StreamReader) -> None:
    while await stderr.read(65536):
        pass
