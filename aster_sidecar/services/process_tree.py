"""The processes of tools, MCP servers and services: their environment, how to recognize them, and how to end them all.

Each of them has `ASTER_TOOL_CALL` in its environment. Systems without a keeper recognize them by this variable, their
group and their session. With a keeper (`keeper.py`), the variable is only for people, and for the next daemon after one
that was killed together with its keeper.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from aster_sidecar.frozen import FROZEN
from aster_sidecar.services.keeper import KILL_S, TERM_S, descendants
from aster_sidecar.telemetry.redaction import holds_secret

MARKER = "ASTER_TOOL_CALL"
READ_BYTES = 64 * 1024

T = TypeVar("T")


# -- the environment ---------------------------------------------------------------------------------------------------

# An allowlist, because a denylist would need the name of every secret.
_PASSED_NAMES = (
    "PATH HOME USER LOGNAME SHELL LANG LANGUAGE TERM COLORTERM NO_COLOR TZ TMPDIR TMP TEMP HOSTNAME DISPLAY"
    " WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_CACHE_HOME XDG_DATA_HOME XDG_DATA_DIRS XDG_STATE_HOME"
    " XDG_RUNTIME_DIR JAVA_HOME GOPATH GOROOT GOBIN GOFLAGS CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN NVM_DIR NVM_BIN"
    " VOLTA_HOME PNPM_HOME PYENV_ROOT RBENV_ROOT VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV ANDROID_HOME"
    " ANDROID_SDK_ROOT DOTNET_ROOT HOMEBREW_PREFIX NIX_PATH NIX_PROFILES PKG_CONFIG_PATH HTTP_PROXY HTTPS_PROXY"
    " ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS"
    " GIT_SSL_CAINFO NIX_SSL_CERT_FILE PIP_CERT"
    # Windows
    " SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT USERPROFILE USERNAME USERDOMAIN HOMEDRIVE HOMEPATH APPDATA"
    " LOCALAPPDATA PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 COMMONPROGRAMFILES COMPUTERNAME OS"
    " NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE PROCESSOR_IDENTIFIER PSMODULEPATH"
)
_PASSED = frozenset(_PASSED_NAMES.split())
# For programs that don't check for a terminal: the editor or pager that they start exits at once.
_DOES_NOTHING = "cmd.exe /c rem" if os.name == "nt" else "true"
_SET = {
    # git's variables have precedence over core.editor, sequence.editor and core.pager. For the editor ":", git starts
    # no program and uses the text unchanged (Source: git, editor.c), on Windows too. So a merge, a rebase or an
    # amended commit keeps its message, and a commit without a message is git's own error.
    "GIT_EDITOR": ":",
    "GIT_SEQUENCE_EDITOR": ":",
    # For all others, an editor that leaves the file unchanged: a failing one would also fail what has a default text.
    # Programs whose configuration has precedence over EDITOR have a variable with precedence over both.
    **dict.fromkeys(("EDITOR", "VISUAL", "HGEDITOR", "SVN_EDITOR", "JJ_EDITOR", "GH_EDITOR"), _DOES_NOTHING),
    **dict.fromkeys(("PAGER", "GIT_PAGER", "MANPAGER", "SYSTEMD_PAGER", "GH_PAGER", "BAT_PAGER", "PSQL_PAGER"), "cat"),
    "AWS_PAGER": "",
    # Passwords and user names. An empty GIT_ASKPASS has precedence over core.askPass and starts nothing (Source: git,
    # prompt.c); git then reports that it can't ask. ssh starts its own askpass with a display and no terminal.
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "never",
    "SUDO_ASKPASS": "/usr/bin/false",
    # Variables that turn questions off. None of these answers yes for the user: the question becomes an error, or has
    # its default answer. The variables of gcloud, conda and the like do answer yes, so they are not here.
    "DEBIAN_FRONTEND": "noninteractive",
    "GH_PROMPT_DISABLED": "1",
    "PIP_NO_INPUT": "1",
    "POETRY_NO_INTERACTION": "1",
    "TF_INPUT": "0",
}
"""Variables of every command, MCP server and service. They turn off editors, pagers and questions.

These programs have no terminal (each has its own session), and their stdin is empty or carries a protocol, so a
question that reads from either fails at once. The variables are for programs that would start another program, which
waits or opens a window."""


async def _nothing() -> None:
    pass


@dataclass(slots=True)
class Chosen:
    """What the user's settings add to the environment of programs; the daemon's wiring sets it."""

    names: Callable[[], Sequence[str]] = tuple
    """Names and patterns of the variables that are passed on (`pass_environment`)."""
    path: Callable[[], str | None] = lambda: None
    """The PATH; None: the daemon's own (`command_path`)."""
    path_known: Callable[[], Awaitable[None]] = _nothing
    """Waits, for a limited time, until the result of `path` is final."""


CHOSEN = Chosen()


async def path_known() -> None:
    """Wait until the PATH of programs is known; call it before looking for a program."""
    await CHOSEN.path_known()


def clean_environment(environ: Mapping[str, str], *, frozen: bool | None = None) -> dict[str, str]:
    """The environment of a command: known ordinary variables, and those that the user passes on.

    It has no variable that holds a secret or controls the loader, no proxy address with a password, and no relative
    PATH entry. `frozen` (default: whether this is a packaged build) adds the library path, which is then the user's own
    (`frozen.restore`).
    """
    exact, by_pattern = let_through(environ, CHOSEN.names())
    env = {name: value for name, value in environ.items() if name.upper() in _PASSED or name.startswith("LC_")}
    env = {name: value for name, value in env.items() if not re.search(r"//[^/\s]*@", value)}
    entries = (CHOSEN.path() or env.get("PATH", os.defpath)).split(os.pathsep)
    env["PATH"] = os.pathsep.join(entry for entry in entries if os.path.isabs(entry))
    if FROZEN if frozen is None else frozen:
        names = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
        env |= {name: environ[name] for name in names if environ.get(name)}
    return {**by_pattern, **env, **_SET, **exact}


def let_through(environ: Mapping[str, str], names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The variables that are passed on by name, and those by pattern only.

    A pattern does not match variables that hold a secret, and those by pattern don't replace variables that are set
    anyway. PATH is never passed on this way; `command_path` sets it.
    """
    given = {name: value for name, value in environ.items() if name.upper() not in ("PATH", "ASTER_SIDECAR_TOKEN")}
    fold = str.upper if os.name == "nt" else str
    named = {fold(name) for name in names}
    exact = {name: value for name, value in given.items() if fold(name) in named}
    patterns = [fold(name) for name in names if "*" in name]
    by_pattern = {
        name: value
        for name, value in given.items()
        if name not in exact
        and any(fnmatchcase(fold(name), pattern) for pattern in patterns)
        and not holds_secret(name, value)
    }
    return exact, by_pattern


# -- starting and waiting ----------------------------------------------------------------------------------------------


async def to_the_end(work: Awaitable[T], *, cancelled: Callable[[], object] = lambda: None, wait_s: float = 8.0) -> T:
    """Await `work`, also when this task is cancelled: then call `cancelled`, wait for the end, and re-raise.

    It waits at most `wait_s` seconds, in case a disk or a process never answers.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        cancelled()
        until = time.monotonic() + wait_s
        while not task.done() and (left := until - time.monotonic()) > 0:
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task}, timeout=left)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise


async def finished(work: Awaitable[T]) -> tuple[T, bool]:
    """Await the short `work` to its end. The second value: whether this task was cancelled meanwhile.

    For starting a process: asyncio leaks the pipes when that is interrupted.
    """
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return task.result(), cancelled


# -- processes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Process:
    """A running process. `started` differs for a later process with the same pid; comparable on one machine only."""

    pid: int
    parent: int
    group: int
    session: int
    started: float


@dataclass(slots=True)
class Brand:
    """How the processes of one call are recognized without a keeper: by the value of the variable, and their shell."""

    marker: str
    shell: Process | None = None


def processes() -> dict[int, Process]:
    """All running processes by pid, without zombies."""
    if sys.platform == "linux":
        found = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    else:
        import psutil

        found = (process(pid) for pid in psutil.pids())
    return {one.pid: one for one in found if one is not None}


def process(pid: int) -> Process | None:
    """The process, or None when it is gone or a zombie."""
    return _process_of_linux(pid) if sys.platform == "linux" else _process_elsewhere(pid)


def _process_of_linux(pid: int) -> Process | None:
    line = _proc(pid, "stat")
    # The name before these fields is in brackets, and may contain any character. Source: man 5 proc, /proc/pid/stat.
    fields = line[line.rfind(b")") + 2 :].split()
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return None
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[3]), float(fields[19]))


def _process_elsewhere(pid: int) -> Process | None:
    import psutil

    try:
        found = psutil.Process(pid)
        if found.status() == psutil.STATUS_ZOMBIE:
            return None
        group = session = 0
        if os.name == "posix":
            with suppress(PermissionError):  # another user's process, on some systems
                group, session = os.getpgid(pid), os.getsid(pid)
        return Process(pid, found.ppid(), group, session, found.create_time())
    except (psutil.Error, OSError):
        return None


def _proc(pid: int, name: str) -> bytes:
    """The content of a file in /proc/PID; empty when the process is gone or hidden."""
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""


def _marker(pid: int) -> str:
    """The value of ASTER_TOOL_CALL in the environment of a process; "" without one."""
    if sys.platform == "linux":
        start = f"{MARKER}=".encode()
        entries = _proc(pid, "environ").split(b"\0")
        return next(
            (entry[len(start) :].decode("utf-8", "replace") for entry in entries if entry.startswith(start)), ""
        )
    import psutil

    try:
        return psutil.Process(pid).environ().get(MARKER, "")
    except (psutil.Error, OSError):
        return ""


def _with_descendants(seeds: set[int], table: Mapping[int, Process]) -> set[int]:
    children: dict[int, list[int]] = {}
    for one in table.values():
        children.setdefault(one.parent, []).append(one.pid)
    found: set[int] = set()
    waiting = list(seeds)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found


_VI = re.compile(r"(?:[rg]|rg)?(?:vi|vim|view|vimdiff|ex)(?:\..*)?")


def editors_without_keys(pid: int) -> dict[int, str]:
    """The pids and names of editors, among a program and its descendants, that wait for keys. Linux only.

    vi does not exit at the end of its input when that is not a terminal: it then reads from stderr (Source: vim,
    os_unix.c, "continue reading stderr"), and the writing end of a pipe never yields anything.
    """
    if sys.platform != "linux":
        return {}
    found: dict[int, str] = {}
    for one in (pid, *descendants([pid])):
        name = _proc(one, "comm").decode("utf-8", "replace").strip()
        if not _VI.fullmatch(name):
            continue
        with suppress(OSError, IndexError):
            places = {os.readlink(f"/proc/{one}/fd/{number}") for number in (0, 2)}
            writes = int(_proc(one, "fdinfo/0").split(b"flags:")[1].split()[0], 8) & os.O_ACCMODE == os.O_WRONLY
            if len(places) == 1 and writes and places.pop().startswith("pipe:"):
                found[one] = name
    return found


def live_tool_pids() -> set[int]:
    """The pids of all running processes of this daemon's tools, MCP servers and services, and their descendants.

    It reads the environment of every process that started after the daemon, which takes some milliseconds.
    """
    table = processes()
    own = table.get(os.getpid())
    if own is None:
        return set()
    later = [one.pid for one in table.values() if one.started >= own.started and one.pid != own.pid]
    start = f"{own.pid}:"
    return _with_descendants({pid for pid in later if _marker(pid).startswith(start)}, table) - {own.pid}


def remaining(brand: Brand) -> list[Process]:
    """The running processes of a call: its shell, those in its session or group or with its mark, and descendants."""
    shell = brand.shell
    if shell is None:
        return []
    table = processes()

    def belongs(one: Process) -> bool:
        if one.started < shell.started or one.pid == os.getpid():
            return False
        if shell.pid in (one.pid, one.session, one.group):
            return True
        return _marker(one.pid) == brand.marker

    seeds = {one.pid for one in table.values() if belongs(one)}
    if os.name == "nt":
        seeds.add(shell.pid)  # there, processes keep the pid of an exited parent
    found = _with_descendants(seeds, table)
    living = (table[pid] for pid in found if pid in table and table[pid].started >= shell.started)
    # Oldest first: a shell that gets the signal after its last command was ended would take that for an ordinary exit.
    return sorted(living, key=lambda one: (one.pid != shell.pid, one.started))


def end(brand: Brand, term_s: float = TERM_S, kill_s: float = KILL_S) -> tuple[int, list[int]]:
    """End every process of a call: TERM, and KILL after `term_s` seconds. Blocks for at most `kill_s` seconds more.

    Returns how many processes there were besides the shell, and the pids of those that could not be ended.
    """
    met: set[int] = set()

    def all_gone(number: int, within_s: float) -> bool:
        until, pause_s = time.monotonic() + within_s, 0.002
        told: set[int] = set()
        # When none is found, look once more: a process that forks and exits during the look hides its child.
        while found := remaining(brand) or remaining(brand):
            for one in found:
                now = process(one.pid)
                if one.pid not in told and now and now.started == one.started:
                    with suppress(OSError):
                        os.kill(one.pid, number)
                        if os.name == "posix":
                            os.kill(one.pid, signal.SIGCONT)  # a stopped process would not receive the signal
                    told.add(one.pid)
            met.update(one.pid for one in found)
            if time.monotonic() > until:
                return False
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.05)
        return True

    gone = all_gone(signal.SIGTERM, term_s) or all_gone(getattr(signal, "SIGKILL", signal.SIGTERM), kill_s)
    shell = brand.shell.pid if brand.shell else 0
    if os.name == "posix":
        for pid in met - {shell}:
            with suppress(OSError):  # the daemon reaps orphans where it is init or a subreaper
                os.waitpid(pid, os.WNOHANG)
    return len(met - {shell}), [] if gone else [one.pid for one in remaining(brand)]


def kill_left() -> None:
    """Kill all processes of tools that still run, before the daemon exits."""
    for pid in live_tool_pids():
        with suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def end_orphans(ours: Callable[[str], bool]) -> int:
    """End the processes that a daemon left when it was killed: the pid in their mark is not that of a running daemon.

    `ours`: whether a call, by its id, was of this data directory. Returns how many processes there were. Blocks.
    """
    ended = 0
    for one in processes().values():
        owner, _, call = _marker(one.pid).partition(":")
        if not owner.isdigit() or not ours(call):
            continue
        master = process(int(owner))
        if master is None or master.started > one.started:
            others, _ = end(Brand(_marker(one.pid), one))
            ended += 1 + others
    return ended
