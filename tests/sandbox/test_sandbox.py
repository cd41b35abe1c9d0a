"""Ordinary work in the sandbox, what it leaves, how it ends, and which folders it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from aster_sidecar.sandbox import bubblewrap, probe, seatbelt
from aster_sidecar.sandbox.environment import inside
from aster_sidecar.sandbox.sandbox import Sandbox
from aster_sidecar.sandbox.spec import NoSandbox, Spec
from aster_sidecar.sandbox.survey import survey
from aster_sidecar.services import launch
from aster_sidecar.services.keeper import descendants
from tests.sandbox.support import CANARY, World, made, python, run, tree, write

linux = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

WORK = {
    "git status": "git status --short && git log --oneline 2>/dev/null; git branch --list",
    "git commit": "git add plain.txt && git commit -qm one && git switch -q -c other"
    " && git log -1 --format=%s%d | grep one",
    "python": python("import tempfile, subprocess, sqlite3\nprint(tempfile.mkdtemp())\nsqlite3.connect('x.db').execute("
                     "'create table t (a)')\nsubprocess.run(['true'], check=True)"),
    "processes of python": python("import multiprocessing as m\nprint(m.Pool(2).map(abs, [1, -2]))"),
    "write and delete": "mkdir -p a/b && echo x > a/b/c && mv a/b a/d && chmod 700 a/d && rm -r a && [ ! -e a ]",
    "temporary files": 'f=$(mktemp) && echo x > "$f" && [ -s "$f" ] && echo y > /tmp/y && cat /var/tmp/y && rm /tmp/y',
    "pipes": "seq 100 | sort -rn | head -1 | grep -q 100",
    "background jobs": "(sleep 0.1; echo done > later) & wait; cat later",
    "a server of one's own": python(
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(s.getsockname())\ns.accept()"),
    "a terminal of one's own": python("import pty\nimport os\nm, s = pty.openpty()\nos.write(s, b'x')\nos.read(m, 1)"),
    "shared memory": "echo x > /dev/shm/x && cat /dev/shm/x",
    "links and archives": "ln -s plain.txt l && tar cf t.tar plain.txt l && tar xf t.tar && cat l",
    "what it may see": "ls / /usr/bin >/dev/null && cat /etc/passwd /proc/self/status >/dev/null && ps >/dev/null",
}  # fmt: skip


@pytest.mark.parametrize("name", WORK)
def test_ordinary_work_goes_on(world: World, name: str) -> None:
    result = world.inside(WORK[name])
    assert result.code == 0, f"{result.out}\n{result.err}"
    assert world.harm(result) == []
    assert result.left.found == ()


PROGRAMS = {
    "node": "node -e \"const c = require('child_process'); c.execSync('true');"
    " require('net').createServer().listen(0, '127.0.0.1', () => process.exit(0))\"",
    "npm": """echo '{"scripts": {"t": "node -e 0"}}' > package.json && npm run -s t""",
    "make": "printf 'all:\\n\\techo built > out\\n' > Makefile && make -s && cat out",
    "cc": "echo 'int main(void) { return 0; }' > m.c && cc -o m m.c && ./m",
    "cargo": "cargo new -q --vcs none pack && cd pack && cargo run -q --offline",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_developers_work(world: World, name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    result = world.inside(PROGRAMS[name])
    assert result.code == 0, f"{result.out}\n{result.err}"


def test_output_exit_code_and_environment_are_those_of_the_command(world: World) -> None:
    result = world.inside("echo out; echo err >&2; pwd; exit 7")
    assert (result.code, result.out, result.err) == (7, f"out\n{world.folder}\n", "err\n")
    assert world.inside("kill -TERM $$").code == 128 + signal.SIGTERM
    told = dict(line.split("=", 1) for line in world.inside("env").out.splitlines())
    assert (told["HOME"], told["TMPDIR"], told["PWD"]) == (str(world.home), "/tmp", str(world.folder))


def test_a_command_leaves_nothing_but_its_own_files(world: World) -> None:
    before = tree(world.folder, world.folder)
    assert world.inside(": > made").code == 0
    after = tree(world.folder, world.folder)
    assert after.keys() - before.keys() == {"made"}
    assert before.items() - after.items() <= {(".", before["."])}


def test_a_kill_leaves_nothing(world: World) -> None:
    before = tree(world.folder, world.folder)

    async def body() -> None:
        prepared = await world.prepare(["/bin/sh", "-c", f": {world.token}; echo on; sleep 900 & sleep 900"])
        program = await launch.start(prepared.argv, cwd="/", env=prepared.env, marker="1:kill", stdin=False)
        assert await program.stdout.readline() == b"on\n"
        inside = descendants([program.pid])
        assert len(inside) >= 2
        os.kill(program.pid, signal.SIGKILL)
        await program.exited
        for pid in inside:
            with contextlib.suppress(OSError):
                handle = os.pidfd_open(pid)
                await asyncio.to_thread(_wait_for, handle)
        await program.end(0.0, 1.0)
        program.close()

    asyncio.run(body())
    assert tree(world.folder, world.folder) == before


def _wait_for(handle: int) -> None:
    import select

    try:
        assert select.select([handle], [], [], 20)[0]
    finally:
        os.close(handle)


def test_the_network_is_there_when_it_is_allowed(world: World) -> None:
    command = python("import os, socket\nsocket.create_connection(('127.0.0.1', int(os.environ['PORT'])), 5)")
    assert world.inside(command, "all").code == 0
    assert world.harm(world.inside("true")) == ["it reached tcp"]
    result = world.inside("[ ! -e /etc/resolv.conf ] || cat /etc/resolv.conf /etc/hosts", "all")
    assert result.code == 0, result.err
    for name in ("ABSTRACT", *(f"SOCKET_OF_{name.upper()}" for name in world.paths)):
        where = f"os.environ.get('{name}') or chr(0) + 's-' + os.environ['TOKEN']"
        result = world.inside(python(f"import os, socket\nsocket.socket(socket.AF_UNIX).connect({where})"), "all")
        assert "Address family not supported" in result.err
    assert world.harm(result) == []


@pytest.mark.parametrize("by", ["a link", "a directory"])
def test_what_replaces_a_protected_place_meanwhile_is_not_mounted(world: World, by: str) -> None:
    async def body() -> tuple[int, str, str]:
        prepared = await world.prepare(["/bin/sh", "-c", "cat .vscode/*; echo ran"])
        (world.folder / ".vscode").rename(world.folder / "gone")
        if by == "a link":
            (world.folder / ".vscode").symlink_to(world.home / ".ssh")
        else:
            write(world.folder / ".vscode/id_ed25519", CANARY)
        return await run(prepared.argv, prepared.env, "/")

    code, out, err = asyncio.run(body())
    assert (code != 0, out) == (True, "")
    if by == "a directory":
        assert (code, "was changed while the sandbox was made" in err) == (bubblewrap.CANNOT_START, True)


def test_a_folder_in_tmp_works_as_well(files: Path, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the sandbox of Linux")
    with made(files) as world:
        folder = tmp_path / "folder"
        folder.mkdir()
        write(tmp_path / "beside", CANARY)
        command = f"cat {tmp_path}/beside; echo x > made; echo kept > $TMPDIR/kept; cat /tmp/kept; echo $TMPDIR"

        async def body() -> tuple[int, str, str]:
            spec = dataclasses.replace(world.spec(), folder=folder, cwd=folder)
            prepared = await world.sandbox.prepare(spec, ["/bin/sh", "-c", command], world.env())
            return await run(prepared.argv, prepared.env, "/")

        _, out, _ = asyncio.run(body())
        assert CANARY not in out
        assert (folder / "made").read_text() == "x\n"
        assert (world.private / "kept").read_text() == "kept\n"
        assert [path.name for path in world.private.iterdir()] == ["kept"]


def test_the_home_can_be_the_folder(world: World) -> None:
    async def body(command: str) -> tuple[int, str, str]:
        spec = dataclasses.replace(world.spec(), folder=world.home, cwd=world.home)
        prepared = await world.sandbox.prepare(spec, ["/bin/sh", "-c", command], world.env())
        code, out, err = await run(prepared.argv, prepared.env, "/")
        return code, out + err, " ".join(path for path, _ in (await prepared.left()).found)

    before = world.seen()
    _, said, left = asyncio.run(
        body("cat .ssh/id_ed25519 .netrc; echo x >> .bashrc; echo x > .ssh/authorized_keys; mkdir .config/autostart")
    )
    assert (CANARY in said, left) == (False, "")
    assert world.seen() == before
    code, said, left = asyncio.run(body("mkdir -p .local/bin && echo x > .local/bin/ls && echo x > .zshenv"))
    assert code == 0, said
    assert {str(world.home / ".local/bin"), str(world.home / ".zshenv")} <= set(left.split())


@linux
@pytest.mark.parametrize("place", ["/", "/usr", "/tmp", "home/.ssh", "data/inner", "nowhere"])
def test_folders_that_can_not_be_protected_are_refused(tmp_path: Path, place: str) -> None:
    for name in ("home/.ssh", "data/inner", "tmp"):
        (tmp_path / name).mkdir(parents=True)
    folder = tmp_path / place
    spec = Spec(folder, folder, tmp_path / "tmp", (tmp_path / "data",), tmp_path / "home")
    with pytest.raises(FileNotFoundError if place == "nowhere" else NoSandbox):
        survey(spec, {})


@linux
def test_a_working_directory_that_is_not_visible_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    spec = Spec(tmp_path / "folder", Path("/dev/shm"), tmp_path, (), tmp_path)
    with pytest.raises(NoSandbox, match="not visible"):
        survey(spec, {})


@linux
def test_secrets_are_found_by_variables_and_links(tmp_path: Path) -> None:
    for name in ("folder", "tmp", "conf/gh", "far/gpg", "home"):
        (tmp_path / name).mkdir(parents=True)
    write(tmp_path / "kube.yaml", CANARY)
    write(tmp_path / "home/.some_history", CANARY)
    (tmp_path / "home/.gnupg").symlink_to(tmp_path / "far/gpg")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "conf"), "KUBECONFIG": str(tmp_path / "kube.yaml")}
    environ["HISTFILE"] = "/dev/null"
    found = survey(Spec(tmp_path / "folder", tmp_path / "folder", tmp_path / "tmp", (), tmp_path / "home"), environ)
    assert {str(tmp_path / "conf/gh"), str(tmp_path / "far/gpg")} <= set(found.hidden_folders)
    assert {str(tmp_path / "kube.yaml"), str(tmp_path / "home/.some_history")} <= set(found.hidden_files)
    assert "/dev/null" not in found.hidden_files


def test_the_environment_names_nothing_outside() -> None:
    given = {
        "PATH": "/usr/bin",
        "SSH_AUTH_SOCK": "/run/x",
        "VSCODE_IPC_HOOK_CLI": "/run/y",
        "OTHER_SOCK": "/z",
        "ANYTHING": "unix:/run/docker.sock",
        "DISPLAY": ":0",
        "TMP": "/elsewhere",
        "KEPT": "1",
    }
    env = inside(given, "/home/a", "/tmp", "/w")
    assert env.keys() == {"PATH", "KEPT", "HOME", "TMPDIR", "PWD", "XDG_CACHE_HOME", "npm_config_cache"}


# -- the command line --------------------------------------------------------------------------------------------------


@linux
def test_the_command_line(tmp_path: Path) -> None:
    for name in ("folder/.git/hooks", "folder/.aster", "tmp", "data", "home/.ssh"):
        (tmp_path / name).mkdir(parents=True)
    write(tmp_path / "home/.netrc", CANARY)
    spec = Spec(tmp_path / "folder", tmp_path / "folder", tmp_path / "tmp", (tmp_path / "data",), tmp_path / "home")
    found = dataclasses.replace(
        survey(spec, {}), temporary=("/tmp-of-the-test",), runtime=("/run",), visible_in_runtime=("/run/names",)
    )
    program = bubblewrap.Bubblewrap("/usr/bin/bwrap", frozenset(("--disable-userns",)), "/f", "/empty")
    args = bubblewrap.arguments(found, "none", program, ["/bin/sh", "-c", "a command"])
    line = " ".join(args)
    base = os.path.realpath(tmp_path)
    folder = f"{base}/folder"
    for part in (
        "/f /usr/bin/bwrap --ro-bind / /",
        "--proc /proc --remount-ro /proc",
        f"--bind {base}/tmp /tmp-of-the-test",
        "--ro-bind-try /run/names /run/names",
        f"--tmpfs {base}/data --remount-ro {base}/data",
        f"--tmpfs {base}/home/.ssh --remount-ro {base}/home/.ssh",
        f"--ro-bind /empty {base}/home/.netrc",
        f"--bind {folder} {folder} --bind {folder}/.git {folder}/.git",
        f"--ro-bind {folder}/.aster {folder}/.aster",
        f"--ro-bind {folder}/.git/hooks {folder}/.git/hooks",
        "--unshare-user --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --unshare-net --disable-userns",
        f"--cap-drop ALL --new-session --die-with-parent --seccomp 9 --chdir {folder} --",
    ):
        assert part in line
    assert args[-3:] == ["/bin/sh", "-c", "a command"]
    older = dataclasses.replace(program, options=frozenset())
    with_network = bubblewrap.arguments(found, "all", older, ["true"])
    assert not {"--unshare-net", "--disable-userns"} & set(with_network)


@linux
def test_the_profile_of_macos(tmp_path: Path) -> None:
    for name in ("folder", "tmp", "data", "home/.ssh"):
        (tmp_path / name).mkdir(parents=True)
    spec = Spec(tmp_path / "folder", tmp_path / "folder", tmp_path / "tmp", (tmp_path / "data",), tmp_path / "home")
    found = survey(spec, {})
    base = os.path.realpath(tmp_path)
    profile = seatbelt.profile(found, "none")
    lines = profile.splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    writing = [line for line in lines if line.startswith("(allow file-write*")]
    assert writing == [f'(allow file-write* (subpath "{base}/folder") (subpath "{base}/tmp"))']
    place = lines.index("(deny network*)")
    denied = next(line for line in lines[place:] if line.startswith("(deny file-read* file-write*"))
    assert f'(subpath "{base}/data")' in denied
    assert f'(subpath "{base}/home/.ssh")' in denied
    last = lines[-2]
    assert last.startswith("(deny file-write* (regex")
    assert r"/(.*/)?\.git/(.*/)?hooks(/|$)" in last
    assert r"/(.*/)?\.aster(/|$)" in last
    assert profile.count("(") == profile.count(")")
    assert "(deny network*)" not in seatbelt.profile(found, "all")
    assert seatbelt.arguments(found, "none", ["true"])[-1] == "true"


# -- whether it works here ---------------------------------------------------------------------------------------------


@linux
def test_it_is_tried_once_for_each_bubblewrap(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bubblewrap.find(os.defpath)
    assert path is not None
    tries: list[str] = []
    told = probe.tried

    async def counted(prepare: probe.Prepare, path: str) -> probe.State:
        tries.append(path)
        return await told(prepare, path)

    monkeypatch.setattr(probe, "tried", counted)
    sandbox = Sandbox(tmp_path)

    async def body() -> list[probe.State]:
        return list(await asyncio.gather(*(sandbox.state() for _ in range(5))))

    states = asyncio.run(body())
    assert ({state.level for state in states}, tries) == ({"full"}, [path])


WITHOUT = 'for a; do shift; [ "$a" = {} ] || set -- "$@" "$a"; done; exec /usr/bin/bwrap "$@"'
"""The real one, without an option."""


@linux
@pytest.mark.parametrize(
    ("script", "level", "words"),
    [
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "none", "No permissions to create"),
        ('while [ "$1" != -- ]; do shift; done; shift; exec "$@"', "none", "does not mount what it is told to"),
        (WITHOUT.format("--unshare-net"), "partial", "a command reaches the network"),
        (WITHOUT.format("--unshare-ipc"), "partial", "a command shares processes or other namespaces"),
        ("sleep 1000", "none", "did not end within"),
    ],
)
def test_what_does_not_hold_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, level: str, words: str
) -> None:
    """A bubblewrap that refuses, one that does nothing, two that do not do all, and one that hangs."""
    options = "--size --remount-ro --ro-bind-try --unshare-cgroup-try --seccomp --new-session"
    path = tmp_path / "bwrap"
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --help ]; then for o in {options}; do echo " $o"; done; exit; fi\n{script}\n'
    )
    path.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find", lambda _: str(path))
    monkeypatch.setattr(probe, "TRY_S", 1.0)
    sandbox = Sandbox(tmp_path / "files")
    state = asyncio.run(sandbox.state())
    assert (state.level, words in state.why) == (level, True), state
    if state.level == "none":
        spec = Spec(tmp_path, tmp_path, tmp_path, (), tmp_path)
        with pytest.raises(NoSandbox):
            asyncio.run(sandbox.prepare(spec, ["true"], {}))


@linux
def test_an_old_bubblewrap_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bwrap"
    path.write_text("#!/bin/sh\necho '    --seccomp FD   Load'\n")
    path.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find", lambda _: str(path))
    state = asyncio.run(Sandbox(tmp_path / "files").state())
    assert (state.level, "too old: it lacks --new-session, " in state.why) == ("none", True)
