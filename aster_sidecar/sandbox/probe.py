"""Tries the sandbox with a command that attempts what a sandbox has to prevent, and says what came of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aster_sidecar.sandbox.bubblewrap import CANNOT_START
from aster_sidecar.sandbox.spec import NoSandbox, Spec
from aster_sidecar.services.launch import Program, start
from aster_sidecar.services.process_tree import clean_environment, to_the_end

if TYPE_CHECKING:
    from aster_sidecar.sandbox.sandbox import Prepared

TRY_S = 4.0
TERM_S, KILL_S = 0.0, 0.5
SAID_BYTES = 64 * 1024
CANARY = "a secret that no command may read"
NAMESPACES = ("net", "pid", "ipc", "uts", "user", "mnt")

Level = Literal["full", "partial", "none"]


@dataclass(frozen=True, slots=True)
class State:
    """Whether commands can run in a sandbox, and how much it holds. Only `full` may loosen anything."""

    level: Level
    why: str
    """For people: what works, or what does not, and why."""
    remedy: str | None = None
    """What a person can do about it; None when there is nothing."""


Prepare = Callable[[Spec, Sequence[str], Mapping[str, str]], "Awaitable[Prepared]"]

# No attempt outside the scratch directory leaves anything but a new access time. Each that succeeds prints a word. Then
# follow facts that are judged outside, and the word that all has run.
SCRIPT = r"""
(: > "$OUTSIDE") 2>/dev/null
for place in / /etc "$HOME"; do if [ -e "$place" ] && touch -a -c "$place" 2>/dev/null; then echo outside; fi; done
if grep -qs canary "$FOLDER/hidden/secret" || grep -qs canary "$FOLDER/secret"; then echo secret; fi
if grep -qs canary "$PROTECTED/secret"; then echo secret; fi
if (echo x >> .git/config) 2>/dev/null || (: > .git/hooks/pre-commit) 2>/dev/null; then echo later; fi
if mv .git .gone 2>/dev/null; then echo later; fi
if grep -qsi ":$PORT_HEX " /proc/net/tcp; then echo network; fi
if command -v bash >/dev/null && bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT" 2>/dev/null; then echo network; fi
if command -v nc >/dev/null && nc -z -w 1 127.0.0.1 "$PORT" 2>/dev/null; then echo network; fi
echo source > .envrc
for name in net pid ipc uts user mnt; do echo "ns $name $(readlink /proc/self/ns/$name 2>/dev/null)"; done
sed -n 's/^\(NoNewPrivs\|Seccomp\|CapEff\|CapBnd\):[[:space:]]*/status \1 /p' /proc/self/status 2>/dev/null
echo one two | sed s/two/three/ > "$TMPDIR/made" && cp "$TMPDIR/made" made && mv made kept && echo works
"""
WORDS = {
    "outside": "a command can write outside its folder",
    "secret": "a command can read what is hidden",
    "later": "a command can write what other programs run later",
    "found": "what a command leaves for other programs is not found",
    "network": "a command reaches the network and the ports of this machine",
    "processes": "a command shares processes or other namespaces with the system",
    "privileges": "a command keeps privileges or system calls that it should not have",
    "works": "an ordinary command fails in it",
}


async def tried(prepare: Prepare, path: str) -> State:
    """Run a command in the sandbox of the program `path`. Takes at most about `TRY_S` seconds."""
    scratch = await asyncio.to_thread(_new_directory)
    connected: list[object] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        writer.close()

    try:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        async with server, asyncio.timeout(TRY_S):
            port: int = server.sockets[0].getsockname()[1]
            return await _judged(prepare, scratch, port, connected, path)
    except TimeoutError:
        return State("none", f"a command in the sandbox did not end within {TRY_S:g} s")
    except (OSError, NoSandbox) as error:
        return State("none", f"the sandbox could not be tried: {error}")
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, True)


def _new_directory() -> Path:
    return Path(os.path.realpath(tempfile.mkdtemp(prefix="aster-sandbox-")))


async def _judged(prepare: Prepare, scratch: Path, port: int, connected: list[object], path: str) -> State:
    folder, private_tmp, protected = scratch / "folder", scratch / "tmp", scratch / "protected"
    await asyncio.to_thread(_lay_out, folder, private_tmp, protected)
    spec = Spec(
        folder=folder,
        cwd=folder,
        private_tmp=private_tmp,
        protected=(protected,),
        home=await asyncio.to_thread(Path.home),
        hidden=(folder / "hidden", folder / "secret"),
    )
    env = {
        **clean_environment(os.environ),
        "OUTSIDE": str(scratch / "outside"),
        "FOLDER": str(folder),
        "PROTECTED": str(protected),
        "PORT": str(port),
        "PORT_HEX": f"{port:04X}",
    }
    prepared = await prepare(spec, ["/bin/sh", "-c", SCRIPT], env)
    code, said, complaint = await _run(prepared.argv, prepared.env)
    lines = said.splitlines()
    if code != 0 and not lines:
        return await asyncio.to_thread(_does_not_start, path, code, complaint.strip())
    left = await prepared.left()
    weak = {word for word in lines if word in WORDS and word != "works"}
    if connected:
        weak.add("network")
    if "works" not in lines or not await asyncio.to_thread((folder / "kept").exists):
        weak.add("works")
    if await asyncio.to_thread((scratch / "outside").exists):
        weak.add("outside")
    if not any(place.endswith("/.envrc") for place, _ in left.found):
        weak.add("found")
    if sys.platform == "linux":
        weak |= await asyncio.to_thread(_of_linux, lines)
    if weak:
        return State("partial", "; ".join(WORDS[word] for word in WORDS if word in weak))
    return State("full", f"commands can run in {os.path.basename(path)} ({path}), and it holds")


def _lay_out(folder: Path, private_tmp: Path, protected: Path) -> None:
    for place in (private_tmp, protected, folder / "hidden", folder / ".git" / "hooks"):
        place.mkdir(parents=True)
    for place in (protected / "secret", folder / "hidden" / "secret", folder / "secret", folder / ".git" / "config"):
        place.write_text(f"canary: {CANARY}\n", "ascii")


def _of_linux(lines: Sequence[str]) -> set[str]:
    """What is weak by the namespaces and the status of a process inside."""
    weak: set[str] = set()
    told = {tuple(fields[:2]): fields[2] for line in lines if len(fields := line.split()) == 3}
    for name in NAMESPACES:
        if told.get(("ns", name), "") in ("", os.readlink(f"/proc/self/ns/{name}")):
            weak.add("network" if name == "net" else "processes")
    wanted = {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0" * 16, "CapBnd": "0" * 16}
    if any(told.get(("status", name)) != value for name, value in wanted.items()):
        weak.add("privileges")
    return weak


def _does_not_start(path: str, code: int, complaint: str) -> State:
    """Why bubblewrap does not start, by the kernel's switches and what it wrote."""
    last = complaint.splitlines()[-1] if complaint else "it wrote nothing"
    if sys.platform != "linux":
        return State("none", f"sandbox-exec does not work: {last}")
    if code == CANNOT_START:
        return State("none", f"bubblewrap ({path}) does not mount what it is told to: {last}")
    container = _container()
    if _switch("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        what = "user namespaces are switched off (kernel.unprivileged_userns_clone)"
        return State("none", what, "switch them on: sysctl -w kernel.unprivileged_userns_clone=1")
    if _switch("/proc/sys/user/max_user_namespaces") == "0":
        what = "user namespaces are switched off (user.max_user_namespaces)"
        return State("none", what, "switch them on: sysctl -w user.max_user_namespaces=10000")
    if container:
        what = f"{container} does not allow a sandbox inside it: {last}"
        return State("none", what, "start it with --security-opt seccomp=unconfined, or run the daemon outside of it")
    if _switch("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        what = f"AppArmor does not allow bubblewrap to make user namespaces: {last}"
        return State("none", what, "install AppArmor's profile bwrap-userns-restrict (package apparmor-profiles)")
    return State("none", f"bubblewrap ({path}) does not start: {last}")


def _switch(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _container() -> str:
    """The container that this process is in, in words; "" when there is none, as far as one can see."""
    if os.path.exists("/.dockerenv"):
        return "the Docker container"
    return "the container" if os.path.exists("/run/.containerenv") else ""


async def output_of(argv: Sequence[str]) -> str:
    """The output of a program that ends by itself. Raises: OSError, also for TimeoutError."""
    async with asyncio.timeout(TRY_S):
        _, said, complaint = await _run(argv, clean_environment(os.environ))
    return said or complaint


async def _run(argv: Sequence[str], env: Mapping[str, str]) -> tuple[int, str, str]:
    """The exit code, the output and the errors. Raises: OSError."""
    program = await start(argv, cwd="/", env=env, marker=f"{os.getpid()}:sandbox", stdin=False)
    try:
        said, complaint, _ = await asyncio.gather(_read(program.stdout), _read(program.stderr), program.exited)
        return program.returncode or 0, said, complaint
    finally:
        await _end(program)


async def _read(stream: asyncio.StreamReader) -> str:
    said = bytearray()
    while len(said) < SAID_BYTES and (chunk := await stream.read(SAID_BYTES)):
        said += chunk
    return said.decode("utf-8", "replace")


async def _end(program: Program) -> None:
    try:
        await to_the_end(program.end(TERM_S, KILL_S))
    finally:
        program.close()
