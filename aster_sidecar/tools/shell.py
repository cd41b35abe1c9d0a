"""The tool that runs a command, and all that keeps its processes in hand: how they are started, known, and ended.

Every process of a command is known by what it inherits: `ASTER_TOOL_CALL` in its environment and, on Linux, a resource
limit that it can neither hide nor lift. So one that left its session, its parent and its environment is still found:
at the end of the call, when all are ended, and at the gate, which answers no tool (`live_tool_pids`, `owns_socket`).
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from aster_sidecar.permissions import Assessment, Scope
from aster_sidecar.tools import CallContext, Outcome, Surroundings, Tool, ToolError, paths
from aster_sidecar.tools.display import shown, sized, visible
from aster_sidecar.tools.paths import Text

MARKER = "ASTER_TOOL_CALL"

HEAD_BYTES = 16 * 1024  # of each stream's result
TAIL_BYTES = 48 * 1024
STREAMED_BYTES = 256 * 1024  # shown while it runs, both streams together
DELTA_CHARS = 4096
DELTA_S = 0.05
READ_BYTES = 64 * 1024
# A flood is read this much slower once nothing of it is shown any more: some 13 MB/s, a few percent of a core.
FLOOD_PAUSE_S = 0.005
TERM_S = 2.0
KILL_S = 2.0
DRAIN_S = 1.0

Stream = Literal["stdout", "stderr"]
T = TypeVar("T")


class RunCommand(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    command: Text = Field(min_length=1, max_length=100_000, description="What /bin/sh -c runs (cmd.exe on Windows).")
    cwd: Text | None = Field(
        default=None, min_length=1, description="Directory to run in; the work directory by default."
    )
    timeout_s: float = Field(default=120, gt=0, le=3600, description="Seconds until it is ended, with all it started.")


# --- what may be remembered ----------------------------------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Programs that run what a file, the network or their arguments say: the same command can do anything the next time.
_RUNNERS = _words(
    "sh bash zsh fish dash ash ksh mksh csh tcsh busybox toybox pwsh powershell cmd command builtin eval exec source ."
    " env sudo doas su runuser setpriv pkexec xargs parallel nohup timeout nice ionice chrt taskset watch time"
    " stdbuf setsid script unshare nsenter chroot flock strace ltrace gdb lldb find fd awk gawk mawk nawk sed ed ex vi"
    " vim nvim emacs less more man tar zip rsync trap alias unalias set unset export declare typeset cd pushd popd"
    " umask jobs fg bg ssh scp sftp mosh docker podman nerdctl kubectl helm terraform ansible ansible-playbook vagrant"
    " crontab at batch systemd-run systemctl launchctl open xdg-open start cscript wscript mshta rundll32 osascript"
    " node nodejs deno bun ruby irb perl php lua luajit tclsh wish expect julia java jshell scala kotlin groovy dotnet"
    " mono swift ghc runghc elixir erl iex r rscript sqlite3 psql mysql make gmake bmake nmake cmake ninja meson bazel"
    " buck scons just task rake bundle gem go cargo rustup gradle gradlew mvn mvnw ant sbt npm npx yarn pnpm pnpx bunx"
    " corepack uv uvx pip pipx poetry pdm hatch rye conda mamba tox nox pytest py.test jest vitest mocha composer mix"
    " nix nix-shell nix-build brew apt apt-get dnf yum pacman snap flatpak pypy pythonw nodemon tsx ts-node"
)
# One binary for many commands: the name it is called by counts, not its own.
_MULTICALL = frozenset(("busybox", "toybox", "coreutils"))
_RESERVED = _words("if then elif else fi for while until do done case esac in function select { } ! [[ coproc")
_BUILTINS = _words("echo printf true false test [ pwd : type read")
# Words of plain characters or in quotes that expand nothing, and the operators between commands. `$ ` * ? [ ~ < > ( )
# & # \` and whatever else is not listed make a line one that is not understood.
_TOKEN = r"""(?P<space>[ ]+)|(?P<between>&&|\|\||;|\|)|(?P<word>(?:[\w@%+=:,./-]+|'[^'\n]*'|"[^"$`\\\n!]*")+)"""


def programs(command: str) -> list[str] | None:
    """The program of each segment of a plain command list, e.g. ["git", "wc"]; None for all that is not that plain.

    Plain is: words without expansion, quoting without escapes, joined by `&&`, `||`, `;` and `|`. Assignments,
    substitution, globs, redirection, grouping, background, comments and several lines are not.
    """
    if visible(command, newlines=False) != command:
        return None
    found: list[str] = []
    expected, place = True, 0
    tokens = re.compile(_TOKEN)
    while place < len(command):
        token = tokens.match(command, place)
        if token is None:
            return None
        place = token.end()
        if token["between"]:
            if expected:
                return None
            expected = True
        elif token["word"] and expected:
            word = re.sub("['\"]", "", token["word"])
            if "=" in word or word in _RESERVED or not word:
                return None
            found.append(word)
            expected = False
    return found if found and not (expected and not command.rstrip().endswith(";")) else None


def why_not_remembered(command: str, cwd: Path, work_dir: Path, path: str) -> str | None:
    """Why "always" can't cover this command, in words; None when it can. `path` is the PATH that it runs with."""
    names = programs(command) if os.name != "nt" else None  # cmd.exe reads words by other rules
    if names is None:
        return "it is more than plain words, so what it does may change"
    for name in names:
        binary = _binary(name, cwd, path)
        if _runs_others(name) or (binary and binary.name not in _MULTICALL and _runs_others(binary.name)):
            return f"what {shown(os.path.basename(name))} does depends on files and arguments that may change"
        if name in _BUILTINS:
            continue
        if binary is None:
            return f"{shown(name)} is not a program that can be found now"
        if binary.is_relative_to(work_dir):
            return f"{shown(name)} lies in the work directory, where it may be changed"
    return None


def _runs_others(name: str) -> bool:
    bare = os.path.basename(name).casefold()
    plain = re.sub(r"[-.\d]+$", "", bare)  # lua5.4, perl5.36.0
    return name == "." or bare in _RUNNERS or plain in _RUNNERS or bare.startswith("python")


def _binary(name: str, cwd: Path, path: str) -> Path | None:
    found = shutil.which(name, path=path) if not os.path.dirname(name) else os.path.join(cwd, name)
    return Path(os.path.realpath(found)) if found and os.path.isfile(found) else None


def _identity(name: str, cwd: Path, path: str) -> str | None:
    """The file that `name` stands for, and what tells it from a later one of the same name."""
    binary = _binary(name, cwd, path)
    try:
        found = binary.stat() if binary else None
    except OSError:
        return None
    return f"{binary} {found.st_ino} {found.st_mtime_ns} {found.st_size}" if found else None


def _assess(arguments: RunCommand, surroundings: Surroundings) -> Assessment:
    work_dir = surroundings.work_dir
    place = paths.look(arguments.cwd or str(work_dir), surroundings)
    cwd = place.path
    if not cwd.is_dir():
        raise ToolError(f"{shown(cwd)} is not a directory")
    env = clean_environment(os.environ)
    unsure = why_not_remembered(arguments.command, cwd, work_dir, env["PATH"])
    first = (programs(arguments.command) or arguments.command.split() or [""])[:1]
    names = programs(arguments.command) or first
    reason = "a command can do all that you can"
    if not place.inside:
        reason += f"; it runs in {shown(cwd)}, outside the work directory"
    if unsure:
        reason += f"; it can't be remembered: {unsure}"
    # Never begins like a path, so that no rule for a directory covers it.
    target = f"in {shown(cwd)}:\n{arguments.command}"
    words = f"exactly this command in {shown(cwd)}: {visible(arguments.command, newlines=False)}"
    return Assessment(
        risk="high",
        target=target,
        display=f"in {shown(cwd)}:\n{visible(arguments.command)}",
        reason=reason,
        remember=None if unsure else Scope("exact", target, words),
        binding={
            "command": arguments.command,
            "cwd": str(cwd),
            "shell": os.path.realpath(_shell()),
            "binaries": {name: _identity(name, cwd, env["PATH"]) for name in names},
            "path": env["PATH"],
        },
        forbidden=place.forbidden,
    )


def _shell() -> str:
    return os.environ.get("COMSPEC", "cmd.exe") if os.name == "nt" else "/bin/sh"


# --- the environment -----------------------------------------------------------------------------------------------

# A list of what is passed, because a list of what is not would have to know the name of every secret.
_PASSED = _words(
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
# Nobody is there to page through output or to type a password.
_SET = {"PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0"}


def clean_environment(environ: Mapping[str, str], *, frozen: bool | None = None) -> dict[str, str]:
    """What a command's environment is made of: ordinary variables only, none that holds a secret or steers a loader.

    A proxy's address that carries a password is left out too, and so are PATH entries that depend on the directory.
    `frozen` (default: whether this is a packaged build) gives back the library path of before the package set its own.
    """
    env = {name: value for name, value in environ.items() if name.upper() in _PASSED or name.startswith("LC_")}
    env = {name: value for name, value in env.items() if not re.search(r"//[^/\s]*@", value)}
    entries = env.get("PATH", os.defpath).split(os.pathsep)
    env["PATH"] = os.pathsep.join(entry for entry in entries if os.path.isabs(entry))
    if getattr(sys, "frozen", False) if frozen is None else frozen:
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
            if original := environ.get(f"{name}_ORIG"):
                env[name] = original
    return env | _SET


def worker(function: Callable[[], None]) -> tuple[list[str], dict[str, str]]:
    """The argv and environment of a process that runs nothing but `function`, which must stand alone and be killable.

    It is handed over as source, so that the process imports what the function does and no more. A packaged build has
    no interpreter to hand it to: there, `--tool-worker MODULE:NAME` has to run it (__main__).
    """
    import inspect

    # PATH and the like, and what this interpreter itself was started with to find its libraries.
    names = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP")
    env = {name: os.environ[name] for name in names if name in os.environ}
    if getattr(sys, "frozen", False):
        return [sys.executable, "--tool-worker", f"{function.__module__}:{function.__name__}"], env
    code = (
        "from __future__ import annotations\n"
        f"import sys\nsys.path[:] = {[entry for entry in sys.path if entry]!r}\n"
        f"{inspect.getsource(function)}\n{function.__name__}()\n"
    )
    return [sys.executable, "-I", "-S", "-B", "-c", code], env


async def to_the_end(work: Awaitable[T], *, cancelled: Callable[[], object] = lambda: None, wait_s: float = 8.0) -> T:
    """Await `work`, which goes on when this task is cancelled: `cancelled` is called, and the end awaited, then raised.

    `wait_s` bounds that wait, for a disk or a process that never answers.
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
    """Await the short `work` to its end whatever happens; the second value says that this task was cancelled meanwhile.

    For starting a process: asyncio loses hold of the pipes when that is interrupted.
    """
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return task.result(), cancelled


def run_worker(spec: str) -> None:
    """What a packaged build does for `--tool-worker MODULE:NAME` (see `worker`). Raises: ValueError for others."""
    from importlib import import_module

    module, _, name = spec.partition(":")
    if not module.startswith("aster_sidecar.tools."):
        raise ValueError(f"not a worker of the tools: {spec}")
    getattr(import_module(module), name)()


# --- processes -----------------------------------------------------------------------------------------------------

# A limit without any effect since Linux 2.4.25, which makes it a mark: inherited by every child, shown in /proc to
# anyone, and a hard limit is not lifted without CAP_SYS_RESOURCE. Source: man 2 getrlimit; asm-generic/resource.h.
_RLIMIT_LOCKS = 10
# The mark is the daemon's pid (at most 2^22, man 5 proc) above so many random bits.
_RANDOM_BITS = 38
# The gate before the command: it is started only once its shell carries the mark, and not at all if the daemon dies.
_GATED = 'read -r _ && exec /bin/sh -c "$1" </dev/null'


@dataclass(frozen=True, slots=True)
class Process:
    """A living process. `started` tells it from a later one with its pid; only comparable on the same machine."""

    pid: int
    parent: int
    group: int
    session: int
    started: float


@dataclass(slots=True)
class Brand:
    """What the processes of one call are known by: the marker's value, the limit, and their shell."""

    marker: str
    limit: int | None = None
    shell: Process | None = None

    def put_on(self, pid: int) -> None:
        """Mark the shell `pid`, which must not have run anything yet."""
        self.shell = process(pid)
        if sys.platform == "linux":
            import resource

            with suppress(OSError, ValueError):
                highest = resource.prlimit(pid, _RLIMIT_LOCKS)[1]
                mark = os.getpid() << _RANDOM_BITS | int.from_bytes(os.urandom(5), "big") >> 40 - _RANDOM_BITS
                mark = mark if highest < 0 else mark % max(highest, 1)
                resource.prlimit(pid, _RLIMIT_LOCKS, (mark, mark))
                self.limit = mark


def processes() -> dict[int, Process]:
    """Every living process by pid; zombies are not."""
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
    # The name before it is in brackets and may hold anything. Source: man 5 proc, /proc/pid/stat.
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
            with suppress(PermissionError):  # of a process of somebody else, on some systems
                group, session = os.getpgid(pid), os.getsid(pid)
        return Process(pid, found.ppid(), group, session, found.create_time())
    except (psutil.Error, OSError):
        return None


def _proc(pid: int, name: str) -> bytes:
    """A file of /proc/PID, empty when it is gone or hidden."""
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""


def _limit(pid: int) -> int | None:
    """The hard limit that serves as the mark; None when it is unlimited, as everywhere else."""
    for line in _proc(pid, "limits").splitlines():
        if line.startswith(b"Max file locks"):
            hard = line.split()[4]
            return int(hard) if hard.isdigit() else None
    return None


def _marker(pid: int) -> str:
    """The value of ASTER_TOOL_CALL in its environment, empty without one."""
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


def live_tool_pids(*, surely_ours: bool = False) -> set[int]:
    """Every living process that a tool of this daemon started, or that descends from one.

    One whose mark was changed counts as well (a limit can be lowered), and so may another daemon's: right for a gate.
    With `surely_ours` only those that carry this daemon's own mark.

    Reads /proc (elsewhere: asks psutil) for what started after the daemon; some milliseconds.
    """
    table = processes()
    own = table.get(os.getpid())
    if own is None:
        return set()
    start = f"{own.pid}:"
    limited = sys.platform == "linux" and _limit(own.pid) is None

    def marked(pid: int) -> bool:
        limit = _limit(pid) if limited else None
        if limit is not None and (not surely_ours or limit >> _RANDOM_BITS == os.getpid()):
            return True
        return _marker(pid).startswith(start)

    later = [one.pid for one in table.values() if one.started >= own.started and one.pid != own.pid]
    return _with_descendants({pid for pid in later if marked(pid)}, table) - {own.pid}


def is_tool_process(pid: int) -> bool:
    """Whether a tool of this daemon is behind what `pid` opened: it is one, or it is gone and may have been one."""
    if pid in live_tool_pids():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def owns_socket(pid: int, inode: int) -> bool:
    """Whether `pid` holds the socket with this inode (Linux; False elsewhere, and when the process is gone).

    A process of the same user that hides its descriptors (it is not dumpable) is taken for the owner of a socket that
    no other process is seen to hold: a tool must not get past the gate by hiding.
    """
    if sys.platform != "linux":
        return False
    try:
        return _holds(pid, inode)
    except PermissionError:
        if f"\nUid:\t{os.geteuid()}\t".encode() not in _proc(pid, "status"):
            return False  # of another user (sudo), whom the gate refuses for that
    except OSError:
        return False
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != pid:
            with suppress(OSError):
                if _holds(int(name), inode):
                    return False
    return True


def _holds(pid: int, inode: int) -> bool:
    socket = f"socket:[{inode}]"
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):
            if os.readlink(f"{folder}/{name}") == socket:
                return True
    return False


def remaining(brand: Brand) -> list[Process]:
    """The living processes of a call: its shell, what shares its session or group or carries the mark, and children."""
    shell = brand.shell
    if shell is None:
        return []
    table = processes()

    def belongs(one: Process) -> bool:
        if one.started < shell.started or one.pid == os.getpid():
            return False
        if shell.pid in (one.pid, one.session, one.group):
            return True
        return (brand.limit is not None and _limit(one.pid) == brand.limit) or _marker(one.pid) == brand.marker

    seeds = {one.pid for one in table.values() if belongs(one)}
    if os.name == "nt":
        seeds.add(shell.pid)  # there, children keep the number of a parent that is gone
    found = _with_descendants(seeds, table)
    living = (table[pid] for pid in found if pid in table and table[pid].started >= shell.started)
    # Oldest first: a shell that is told after its last command would take the command's end for an ordinary one.
    return sorted(living, key=lambda one: (one.pid != shell.pid, one.started))


def end(brand: Brand, term_s: float = TERM_S, kill_s: float = KILL_S) -> tuple[int, list[int]]:
    """End every process of a call: TERM, `term_s` seconds, KILL. Blocks until they are gone, or `kill_s` more are over.

    Returns how many there were besides the shell, and the pids of those that could not be ended.
    """
    met: set[int] = set()

    def all_gone(number: int, within_s: float) -> bool:
        until, pause_s = time.monotonic() + within_s, 0.002
        told: set[int] = set()
        while found := remaining(brand):
            for one in found:
                now = process(one.pid)
                if one.pid not in told and now and now.started == one.started:
                    with suppress(OSError):
                        os.kill(one.pid, number)
                        if os.name == "posix":
                            os.kill(one.pid, signal.SIGCONT)  # one that is stopped would not hear it
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
            with suppress(OSError):  # orphans are ours to bury where the daemon is init or a subreaper
                os.waitpid(pid, os.WNOHANG)
    return len(met - {shell}), [] if gone else [one.pid for one in remaining(brand)]


def kill_left() -> None:
    """Kill what is left of our tools, at once: the daemon is about to go, and nobody could end them after it."""
    for pid in live_tool_pids(surely_ours=True):
        with suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def end_orphans(ours: Callable[[str], bool]) -> int:
    """End what calls (those that are `ours`, by id) of a daemon that is gone have left behind: their marker names a
    process that is no more.

    Returns how many processes there were. Blocks.
    """
    ended = 0
    for one in processes().values():
        owner, _, call = _marker(one.pid).partition(":")
        if not owner.isdigit() or not ours(call):
            continue
        master = process(int(owner))
        if master is None or master.started > one.started:
            others, _ = end(Brand(_marker(one.pid), _limit(one.pid), one))
            ended += 1 + others
    return ended


# --- running -------------------------------------------------------------------------------------------------------


class _Shell(asyncio.subprocess.SubprocessStreamProtocol):
    """The shell's process. `exited` is done when it has ended, whoever still holds its output open."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(limit=READ_BYTES, loop=loop)
        self.exited: asyncio.Future[None] = loop.create_future()

    def process_exited(self) -> None:
        super().process_exited()
        if not self.exited.done():
            self.exited.set_result(None)


@dataclass(slots=True)
class _Teller:
    """What is shown while the command runs, bounded for both streams together."""

    ctx: CallContext
    left: int = STREAMED_BYTES
    total: int = 0
    counted_at: float = 0.0

    async def tell(self, stream: Stream, delta: str) -> None:
        self.left -= len(delta.encode())
        await self.ctx.progress(stream=stream, delta=delta)

    async def count(self) -> None:
        now = time.monotonic()
        if now - self.counted_at >= 1:
            self.counted_at = now
            await self.ctx.progress(f"{sized(self.total)} of output so far; no more of it is shown while it runs")


@dataclass(slots=True)
class _Output:
    """One stream: its beginning and end are kept, all between is counted."""

    stream: Stream
    head: bytearray = field(default_factory=bytearray)
    tail: deque[bytes] = field(default_factory=deque[bytes])
    total: int = 0
    _tail_bytes: int = 0

    async def pump(self, reader: asyncio.StreamReader, teller: _Teller) -> None:
        """Read until every writer has closed, show it in pieces of DELTA_S or DELTA_CHARS, and keep what is bounded."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        pending, told_at, chunk = "", -DELTA_S, b"-"
        while chunk:
            due_s = told_at + DELTA_S - time.monotonic()
            if pending and (due_s <= 0 or len(pending) >= DELTA_CHARS):
                await teller.tell(self.stream, pending)
                pending, told_at = "", time.monotonic()
            try:
                async with asyncio.timeout(max(due_s, 0) if pending else None):
                    chunk = await reader.read(READ_BYTES)
            except TimeoutError:
                continue
            self.keep(chunk)
            teller.total += len(chunk)
            if teller.left > 0:
                pending += decoder.decode(chunk, final=not chunk)
            elif chunk:
                await teller.count()
                if len(chunk) >= READ_BYTES // 2:
                    await asyncio.sleep(FLOOD_PAUSE_S)
        if pending:
            await teller.tell(self.stream, pending)

    def keep(self, chunk: bytes) -> None:
        self.total += len(chunk)
        room = HEAD_BYTES - len(self.head)
        self.head += chunk[:room]
        if rest := chunk[room:]:
            self.tail.append(rest)
            self._tail_bytes += len(rest)
            while self._tail_bytes - len(self.tail[0]) >= TAIL_BYTES:
                self._tail_bytes -= len(self.tail.popleft())

    def text(self) -> tuple[str, bool]:
        """What was kept, with a line where something is left out, and whether it is."""
        tail = b"".join(self.tail)[-TAIL_BYTES:]
        left_out = self.total - len(self.head) - len(tail)
        if not left_out:
            return (bytes(self.head) + tail).decode("utf-8", "replace"), False
        # A character cut in two at the edges is dropped, not shown as damage that the program did not do.
        first = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self.head))
        last = re.sub(rb"\A[\x80-\xbf]{1,3}", b"", tail).decode("utf-8", "replace")
        return f"{first}\n[... {left_out} bytes are left out here ...]\n{last}", True


async def _run(arguments: RunCommand, assessment: Assessment, ctx: CallContext) -> Outcome:
    began = time.monotonic()
    cwd = Path(assessment.binding["cwd"])
    brand = Brand(f"{os.getpid()}:{ctx.call_id}")
    env = clean_environment(os.environ) | {MARKER: brand.marker, "PWD": str(cwd)}
    try:
        with _working(cwd) as place:
            (transport, shell), cancelled = await finished(_start(arguments.command, place, env))
    except OSError as error:
        raise ToolError(f"the command could not be started: {error.strerror or error}") from error
    teller, outputs = _Teller(ctx), (_Output("stdout"), _Output("stderr"))
    readers = [reader for reader in (shell.stdout, shell.stderr) if reader is not None]
    pumps = [asyncio.create_task(out.pump(reader, teller)) for out, reader in zip(outputs, readers, strict=True)]
    try:
        brand.put_on(transport.get_pid())
        if cancelled:
            raise asyncio.CancelledError
        if shell.stdin is not None:
            shell.stdin.write(b"\n")
            shell.stdin.close()
        timed_out = not await _exits(shell, pumps, arguments.timeout_s)
        others, survivors = await to_the_end(_ended(brand, shell))
        done, _ = await asyncio.wait(pumps, timeout=DRAIN_S)
        for pump in done:
            pump.result()
    except BaseException:
        await to_the_end(_ended(brand, shell))
        raise
    finally:
        for pump in pumps:
            pump.cancel()
        transport.close()
        await asyncio.gather(*pumps, return_exceptions=True)
    code = transport.get_returncode()
    (stdout, cut_stdout), (stderr, cut_stderr) = (output.text() for output in outputs)
    value = {
        "exit_code": code if code is not None and code >= 0 else None,
        "signal": signal.Signals(-code).name if code is not None and code < 0 else None,
        "stdout": stdout,
        "stderr": stderr,
        "timed_out": timed_out,
        "duration_ms": round((time.monotonic() - began) * 1000),
        "note": _note(arguments.timeout_s if timed_out else None, others, survivors),
    }
    return Outcome(value, truncated=cut_stdout or cut_stderr)


def _note(timeout_s: float | None, others: int, survivors: Iterable[int]) -> str:
    processes = "1 background process was" if others == 1 else f"{others} background processes were"
    parts = [f"stopped after {timeout_s:g} s"] if timeout_s is not None else []
    parts += [f"{processes} ended"] if others else []
    if numbers := ", ".join(map(str, survivors)):
        parts.append(f"could not be ended: {numbers}")
    return "; ".join(parts)


@contextmanager
def _working(cwd: Path) -> Generator[str, None, None]:
    """The directory to start in, by the handle that was reached without following links, where /proc names handles."""
    with paths.opened_folder(cwd) as folder:
        handle = f"/proc/self/fd/{folder}"
        yield handle if isinstance(folder, int) and os.path.isdir(handle) else str(cwd)


async def _start(command: str, cwd: str, env: dict[str, str]) -> tuple[asyncio.SubprocessTransport, _Shell]:
    """Start the shell; on Linux it waits for a line on stdin before it becomes the command. Raises: OSError."""
    loop = asyncio.get_running_loop()
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    if os.name == "nt":
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        return await loop.subprocess_shell(
            _Shell, command, stdin=null, stdout=pipe, stderr=pipe, cwd=cwd, env=env, creationflags=flags
        )
    gated = sys.platform == "linux"
    argv = ["/bin/sh", "-c", _GATED, "sh", command] if gated else ["/bin/sh", "-c", command]
    return await loop.subprocess_exec(
        _Shell,
        *argv,
        stdin=pipe if gated else null,
        stdout=pipe,
        stderr=pipe,
        cwd=cwd,
        env=env,
        start_new_session=True,
    )


async def _exits(shell: _Shell, pumps: Iterable[asyncio.Task[None]], within_s: float) -> bool:
    """Wait for the shell's end; False when the time is over. Raises: what showing its output raised."""
    until = time.monotonic() + within_s
    waiting: set[asyncio.Future[None]] = {shell.exited, *pumps}
    while not shell.exited.done():
        left = until - time.monotonic()
        if left <= 0:
            return False
        done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for future in done:
            future.result()
    return True


async def _ended(brand: Brand, shell: _Shell) -> tuple[int, list[int]]:
    # A thread of its own: the shared ones may all be busy with what is slow, and this must not wait.
    with ThreadPoolExecutor(1) as thread:
        result = await asyncio.get_running_loop().run_in_executor(thread, end, brand)
    await asyncio.wait({shell.exited}, timeout=DRAIN_S)
    return result


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "run_command",
        "Run a shell command and wait for its end; nobody can type into it. Returns exit code, stdout and stderr, the "
        "middle of long output left out. Processes that it leaves in the background are ended with it.",
        RunCommand,
        "high",
        _assess,
        _run,
    ),
)
