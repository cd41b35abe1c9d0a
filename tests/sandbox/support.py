"""A small world around a sandbox: a home with secrets, a daemon's data, sockets that listen, a process to attack."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aster_sidecar.sandbox.run_later import CLOCK_S, Left
from aster_sidecar.sandbox.sandbox import Prepared, Sandbox
from aster_sidecar.sandbox.spec import Network, Spec
from aster_sidecar.services import launch
from aster_sidecar.services.process_tree import clean_environment

ROOT = Path(__file__).parent.parent.parent
CANARY = "canary-7c1e"
ESCAPED = "ESCAPED"
TIMEOUT_S = 40.0
SANDBOXES: dict[str, Sandbox] = {}


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str
    left: Left


def shared(files: Path) -> Sandbox:
    """One sandbox for all tests of a worker, so that it is tried once. Skips the test where there is none."""
    sandbox = SANDBOXES.setdefault("one", Sandbox(files))
    state = asyncio.run(sandbox.state())
    if state.level != "full":
        if os.environ.get("CI") == "true":
            pytest.fail(f"the sandbox has to work here: {state.why}")
        pytest.skip(f"no sandbox: {state.why}")
    return sandbox


async def run(argv: list[str], env: Mapping[str, str], cwd: str) -> tuple[int, str, str]:
    program = await launch.start(argv, cwd=cwd, env=env, marker=f"{os.getpid()}:test", stdin=False)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err, _ = await asyncio.gather(program.stdout.read(), program.stderr.read(), program.exited)
        assert program.returncode is not None
        return program.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    finally:
        await program.end(0.0, 2.0)
        program.close()


@dataclass
class World:
    base: Path
    sandbox: Sandbox
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home, self.folder, self.data = self.base / "home", self.base / "folder", self.base / "data"
        self.outside, self.elsewhere, self.private = self.base / "outside", self.base / "elsewhere", self.base / "own"
        for place in (self.home, self.folder, self.data, self.outside, self.elsewhere, self.private):
            place.mkdir()
        for name in (".ssh/id_ed25519", ".netrc", ".config/gh/hosts.yml", ".bash_history", ".docker/config.json"):
            write(self.home / name, CANARY)
        write(self.elsewhere / "aws/credentials", CANARY)
        write(self.elsewhere / "token.txt", CANARY)
        (self.home / ".aws").symlink_to(self.elsewhere / "aws")
        (self.home / ".git-credentials").symlink_to(self.elsewhere / "token.txt")
        write(self.home / ".bashrc", "# the person's own")
        write(self.home / ".config/git/config", "[user]\n\tname = A\n\temail = a@example.org\n")
        write(self.data / "token", CANARY)
        write(self.outside / "victim", "untouched")
        write(self.folder / "plain.txt", "plain")
        self.repository(self.folder)
        (self.folder / "sub").mkdir()
        self.repository(self.folder / "sub")
        write(self.folder / ".git/modules/m/config", "[core]")
        write(self.folder / ".git/modules/m/hooks/update", "#!/bin/sh")
        write(self.folder / ".git/worktrees/w/config.worktree", "[core]")
        write(self.folder / "tools/hooks/pre-push", "#!/bin/sh")
        with open(self.folder / "sub/.git/config", "a", encoding="utf-8") as settings:
            settings.write("[core]\n\thooksPath = ../tools/hooks\n")
        for name in (".aster/agents/a.yaml", ".vscode/tasks.json", ".bashrc", ".envrc", ".mcp.json"):
            write(self.folder / name, "as it was")
        self.victim = subprocess.Popen(["/bin/sleep", "1000"])
        self.listen()
        time.sleep(2 * CLOCK_S)  # what was just made would count as changed by the command
        self.before = self.seen()

    def repository(self, place: Path) -> None:
        env = {**os.environ, "HOME": str(self.home)}
        subprocess.run(["git", "init", "-q", "-b", "main", str(place)], check=True, env=env, capture_output=True)
        write(place / ".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n")

    def listen(self) -> None:
        run_dir = Path("/run") if os.access("/run", os.W_OK) else Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp"))
        self.paths = {
            "home": self.home / "s",
            "tmp": Path(tempfile.gettempdir()) / f"s-{self.token}",
            "run": run_dir / f"s-{self.token}",
            "folder": self.folder / "s",
            "data": self.data / "s",
        }
        for name, path in self.paths.items():
            with _near(path.parent) as place:
                self.sockets[name] = _bound(socket.AF_UNIX, socket.SOCK_STREAM, f"{place}/{path.name}")
                datagram = _bound(socket.AF_UNIX, socket.SOCK_DGRAM, f"{place}/{path.name}.d")
                self.sockets[f"{name} datagram"] = datagram
        self.sockets["abstract"] = _bound(socket.AF_UNIX, socket.SOCK_STREAM, f"\0s-{self.token}")
        self.sockets["tcp"] = _bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        self.sockets["udp"] = _bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))

    def env(self) -> dict[str, str]:
        places = {"HOME": self.home, "FOLDER": self.folder, "DATA": self.data, "OUTSIDE": self.outside}
        return {
            "RUSTUP_HOME": os.path.expanduser("~/.rustup"),
            **clean_environment(os.environ),
            **{name: str(path) for name, path in places.items()},
            "ELSEWHERE": str(self.elsewhere),
            "TOKEN": self.token,
            "PORT": str(self.sockets["tcp"].getsockname()[1]),
            "UDP": str(self.sockets["udp"].getsockname()[1]),
            "VICTIM": str(self.victim.pid),
            "DAEMON": str(os.getpid()),
            **{f"SOCKET_OF_{name.upper()}": str(path) for name, path in self.paths.items()},
            "SSH_AUTH_SOCK": str(self.paths["run"]),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.paths['run']}",
            "DISPLAY": ":0",
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def spec(self, network: Network = "none") -> Spec:
        return Spec(self.folder, self.folder, self.private, (self.data,), self.home, network)

    async def prepare(self, argv: list[str], network: Network = "none") -> Prepared:
        return await self.sandbox.prepare(self.spec(network), argv, self.env())

    def inside(self, command: str, network: Network = "none") -> Result:
        """Run a shell command in the sandbox, as the daemon does."""

        async def body() -> Result:
            prepared = await self.prepare(["/bin/sh", "-c", command], network)
            code, out, err = await run(prepared.argv, prepared.env, "/")
            return Result(code, out, err, await prepared.left())

        return asyncio.run(body())

    def bare(self, command: str) -> Result:
        """Run it without a sandbox."""

        async def body() -> Result:
            code, out, err = await run(["/bin/sh", "-c", command], self.env(), str(self.folder))
            return Result(code, out, err, Left((), True))

        return asyncio.run(body())

    def seen(self) -> dict[str, str]:
        """What an attack must not change: files, and some settings of the system."""
        seen: dict[str, str] = {}
        for place in (self.home, self.data, self.outside, self.elsewhere):
            seen |= tree(place, self.base)
        for place in (self.folder, self.folder / "sub"):
            for name in ("hooks", "config", "modules", "worktrees"):
                seen |= tree(place / ".git" / name, self.base)
        for name in ("tools/hooks", ".aster", ".vscode", ".bashrc", ".envrc", ".mcp.json"):
            seen |= tree(self.folder / name, self.base)
        for setting in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname"):
            seen[setting] = Path(setting).read_text("utf-8") if os.path.exists(setting) else ""
        return seen

    def harm(self, result: Result) -> list[str]:
        """What an attack has done, seen from outside; what it left for other programs and was found does not count."""
        found = [f"it read {CANARY}"] if CANARY in result.out + result.err else []
        found += [ESCAPED] if ESCAPED in result.out else []
        told = [os.path.relpath(path, self.base) for path, _ in result.left.found]
        now = self.seen()
        changed = [name for name in now.keys() | self.before.keys() if now.get(name) != self.before.get(name)]
        found += [f"{name} changed" for name in sorted(changed) if not any(_related(name, one) for one in told)]
        for name, one in self.sockets.items():
            with contextlib.suppress(BlockingIOError):
                if one.type == socket.SOCK_STREAM:
                    one.accept()[0].close()
                else:
                    one.recv(1)
                found.append(f"it reached {name}")
        if self.victim.poll() is not None:
            found.append("it ended a process of the person")
        for place in (self.folder, self.private):
            for path in place.rglob("*"):
                with contextlib.suppress(OSError):
                    if path.is_file() and not path.is_symlink():
                        found += [f"it copied to {path.name}"] if CANARY in path.read_text("utf-8", "replace") else []
                        found += [f"{path.name} is set-user-ID"] if path.stat().st_mode & 0o4000 else []
        if (self.folder / "late").exists() or any(self.token in line for line in _command_lines()):
            found.append("it outlived the command")
        return found

    def close(self) -> None:
        self.victim.kill()
        self.victim.wait()
        for one in self.sockets.values():
            one.close()
        for path in self.paths.values():
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.d").unlink(missing_ok=True)
        for pid, line in _command_lines_by_pid():
            if self.token in line:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def made(sandbox_files: Path) -> Generator[World]:
    """A world outside of /tmp, where most folders are; the sandbox has its own /tmp."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    base = Path(os.path.realpath(tempfile.mkdtemp(prefix="sandbox-", dir=build)))
    world = None
    try:
        world = World(base, shared(sandbox_files))
        yield world
    finally:
        if world is not None:
            world.close()
        shutil.rmtree(base, ignore_errors=True)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", "utf-8")


def tree(place: Path, base: Path) -> dict[str, str]:
    """Each file, link and directory: its kind, bits, owner and content."""
    found: dict[str, str] = {}
    for path in [place, *sorted(place.rglob("*"))]:
        if not os.path.lexists(path):
            continue
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_text("utf-8") if path.is_file() else ""
        digest = hashlib.sha256(content.encode()).hexdigest()[:12]
        found[os.path.relpath(path, base)] = f"{status.st_mode:o} {status.st_uid} {status.st_nlink} {digest}"
    return found


def _related(one: str, other: str) -> bool:
    """Whether one of the paths is, or is in, the other one."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def python(code: str) -> str:
    """A command that runs this Python code."""
    return f"{shlex.quote(sys.executable)} -S -E -c {shlex.quote(code)}"


@contextlib.contextmanager
def _near(folder: Path) -> Generator[str]:
    """A short path of a directory: a socket's path has at most 107 bytes."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def _bound(family: int, kind: int, address: object) -> socket.socket:
    one = socket.socket(family, kind)
    one.bind(address)  # type: ignore[arg-type]
    if kind == socket.SOCK_STREAM:
        one.listen(8)
    one.setblocking(False)
    return one


def _command_lines() -> list[str]:
    return [line for _, line in _command_lines_by_pid()]


def _command_lines_by_pid() -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                found.append((int(name), Path(f"/proc/{name}/cmdline").read_text("utf-8", "replace")))
    return found


def wait_until_settled() -> None:
    """Give what outlives a command the time to show itself."""
    time.sleep(0.7)
