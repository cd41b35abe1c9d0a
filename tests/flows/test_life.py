"""A supervised daemon: the ready line, the state file, every way its launcher can die, and that no process is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from aster_sidecar.services.process_facts import started_at
from tests.support.daemon import Daemon

REPO = Path(__file__).parent.parent.parent
TOKEN = "a-token-that-is-long-enough"
WAIT_S = 45.0
"""The longest wait: only a hang takes that long."""
STOP_S = 30.0
"""The longest a stop may take here. The promise is 5 s; `make bench` measures it on an idle machine."""


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(REPO), "ASTER_MODEL": "demo:instant", **more}


def command(data_dir: Path, *more: str, framework: str = "tauri") -> list[str]:
    base = [sys.executable, "-W", "error", "-m", "aster_sidecar", "--framework", framework, "--port", "0"]
    return [*base, "--data-dir", str(data_dir), *more]


class Supervised:
    """A daemon started as a shell starts it: a token on stdin, a ready line on stdout."""

    def __init__(self, home: Path, *more: str, first: dict[str, Any] | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "work").mkdir(exist_ok=True)
        with open(home / "stderr.txt", "ab") as stderr:
            self.process = subprocess.Popen(
                command(home / "data", "--supervised", *more),
                cwd=home / "work",
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"token": TOKEN, **(first or {})}).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, (home / "stderr.txt").read_text()
        self.ready = json.loads(line)
        self.client = Daemon(home, token=TOKEN)
        self.client.url, self.client.port = self.ready["url"], self.ready["port"]
        self.client.process = self.process

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(*more: str, name: str = "a", first: dict[str, Any] | None = None) -> Supervised:
        started.append(Supervised(tmp_path / name, *more, first=first))
        return started[-1]

    yield start
    for one in started:
        one.close()


def wait_gone(pid: int, within_s: float) -> bool:
    """Whether the process ends within the time. A zombie counts as ended."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            process.wait(0.05)
        except psutil.NoSuchProcess:
            return True
        except psutil.TimeoutExpired:
            if time.monotonic() > deadline:
                return False


def run_a_tool_that_stays(client: Daemon) -> int:
    """Start a command that would run for a minute. Returns the pid of its child in another session."""
    client.config(permission_mode="auto_approve", sandbox="off")  # it reads pids
    with client.watch() as watcher:
        client.chat("run `setsid sleep 61 & echo $!; sleep 60`")
        return int(watcher.until("tool_progress")[-1]["data"]["delta"].split()[0])


def test_the_ready_line_comes_when_requests_are_answered(supervise: Callable[..., Supervised]) -> None:
    one = supervise()
    assert set(one.ready) == {"event", "url", "port", "pid", "instance_id", "protocol", "version"}
    assert (one.ready["event"], one.ready["pid"]) == ("ready", one.process.pid)
    status, health = one.client.raw("GET", "/health")
    assert (status, health["instance_id"]) == (200, one.ready["instance_id"])
    assert one.client.ask("hello")[-1]["type"] == "done"
    one.client.token = None
    assert one.client.raw("GET", "/api/agents")[0] == 401


def test_the_state_file_says_where_and_goes_with_the_daemon(supervise: Callable[..., Supervised]) -> None:
    one = supervise()
    place = one.client.data_dir / "sidecar.json"
    told = json.loads(place.read_text())
    assert place.stat().st_mode & 0o777 == 0o600
    assert (told["pid"], told["url"], told["instance_id"]) == (
        one.process.pid,
        one.ready["url"],
        one.ready["instance_id"],
    )
    assert TOKEN not in place.read_text()
    assert one.process.stdin is not None
    one.process.stdin.close()
    assert one.process.wait(STOP_S) == 0
    assert not place.exists()


def test_settings_on_the_first_line_count_as_flags(supervise: Callable[..., Supervised]) -> None:
    one = supervise(first={"permission_mode": "always_ask", "environment": {"OPENAI_API_KEY": "sk-from-stdin"}})
    values = one.client.call("GET", "/api/config")["values"]
    assert values["permission_mode"] == {"value": "always_ask", "source": "flag", "settable": True}
    assert values["OPENAI_API_KEY"]["value"] != "sk-from-stdin"


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"not json\n", b"[]\n", b'{"token": "short"}\n', b'{"token": 5}\n', b'{"colour": "blue"}\n']
)
def test_a_bad_first_line_is_a_usage_error(tmp_path: Path, line: bytes) -> None:
    told = subprocess.run(
        command(tmp_path / "data", "--supervised"), input=line, capture_output=True, env=environment(), timeout=WAIT_S
    )
    assert told.returncode == 2
    assert b"--supervised" in told.stderr
    assert told.stdout == b""


def test_stdin_eof_is_the_end_with_everything_open(supervise: Callable[..., Supervised]) -> None:
    """A stream, a running tool with a child in another session, a pending approval: all end, and the code is 0."""
    one = supervise()
    child = run_a_tool_that_stays(one.client)
    other = one.client.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    one.client.config(permission_mode="smart_approve")
    with one.client.watch() as watcher:
        one.client.chat("write a.txt", session_id=other)
        watcher.until("approval_required")
        tree = [process.pid for process in psutil.Process(one.process.pid).children(recursive=True)]
        assert one.process.stdin is not None
        one.process.stdin.close()
        assert one.process.wait(STOP_S) == 0
        assert watcher.ended(STOP_S)
        assert all(wait_gone(pid, STOP_S) for pid in [*tree, child])
    one.client.token = None
    later = Daemon(one.client.home).start()
    try:
        assert [entry["session_id"] for entry in later.call("GET", "/api/approvals")] == [other]
        with later.watch(after=0) as watcher:
            watcher.until("done", stop_reason="interrupted")
        assert later.history()[-1]["status"] == "interrupted"
    finally:
        later.stop()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it_in_order_with_code_0(supervise: Callable[..., Supervised], sign: signal.Signals) -> None:
    one = supervise()
    child = run_a_tool_that_stays(one.client)
    one.process.send_signal(sign)
    assert one.process.wait(STOP_S) == 0
    assert wait_gone(child, STOP_S)


LAUNCHER = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
print(child.pid, child.stdout.readline().decode().split("listens on ")[1].split()[0], flush=True)
time.sleep(60)
"""


def launched(tmp_path: Path, *more: str, framework: str = "tauri") -> tuple[subprocess.Popen[bytes], int, str]:
    """A launcher that starts the daemon as the seed's shells do and then sleeps: (launcher, daemon's pid, url)."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, *command(tmp_path / "data", *more, framework=framework)],
        env=environment(),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    assert launcher.stdout is not None
    pid, url = launcher.stdout.readline().decode().split()
    launcher.stdout.close()
    return launcher, int(pid), url


@pytest.mark.parametrize("framework", ["tauri", "electron", "wails"])
def test_a_shell_killed_with_9_leaves_no_orphan(tmp_path: Path, framework: str) -> None:
    launcher, pid, _ = launched(tmp_path, framework=framework)
    launcher.kill()
    launcher.wait()
    assert wait_gone(pid, STOP_S)


@pytest.mark.parametrize("more", [["--detach"], []])
def test_detached_or_web_it_stays(tmp_path: Path, more: list[str]) -> None:
    launcher, pid, url = launched(tmp_path, *more, framework="tauri" if more else "web")
    launcher.kill()
    launcher.wait()
    client = Daemon(tmp_path)
    client.url = url
    assert client.ask("are you there?")[-1]["type"] == "done"
    assert not wait_gone(pid, 0.5)
    client.call("POST", "/api/shutdown")
    assert wait_gone(pid, WAIT_S)


def test_started_by_hand_in_the_background_it_stays(tmp_path: Path) -> None:
    """What a person does: a shell starts the daemon with & and exits."""
    line = " ".join(command(tmp_path / "data"))
    out = tmp_path / "out"
    subprocess.run(["sh", "-c", f"{line} > {out} 2>&1 & true"], env=environment(), check=True, stdin=subprocess.DEVNULL)
    state = tmp_path / "data" / "sidecar.json"
    deadline = time.monotonic() + WAIT_S
    while not state.exists():
        assert time.monotonic() < deadline, out.read_text()
        time.sleep(0.01)
    told = json.loads(state.read_text())
    client = Daemon(tmp_path)
    client.url = told["url"]
    assert client.ask("hello")[-1]["type"] == "done"
    client.call("POST", "/api/shutdown")
    assert wait_gone(told["pid"], WAIT_S)


# An app's own module. The daemon imports it after it has looked up its launcher.
SLOW_APP = """
import os, pathlib, time
from aster_sidecar import Sidecar
pathlib.Path("pid").write_text(str(os.getpid()))
while not pathlib.Path("go").exists():
    time.sleep(0.01)
sidecar = Sidecar()
"""


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_launcher_may_be_gone_before_the_daemon_is_up(tmp_path: Path, by_hand: bool) -> None:
    """If an app is killed while its daemon starts, the daemon ends too. If a person's shell exits, the daemon stays."""
    (tmp_path / "slow.py").write_text(SLOW_APP)
    words = command(tmp_path / "data", "--app", "slow:sidecar")
    through = ["sh", "-c", f"{' '.join(words)} & wait"] if by_hand else [sys.executable, "-c", LAUNCHER, *words]
    launcher = subprocess.Popen(
        through,
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT_S
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pid = int((tmp_path / "pid").read_text())
    launcher.kill()
    launcher.wait()
    (tmp_path / "go").touch()
    if not by_hand:
        assert wait_gone(pid, WAIT_S)
        return
    state = tmp_path / "data" / "sidecar.json"
    while not state.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    client = Daemon(tmp_path)
    client.url = json.loads(state.read_text())["url"]
    assert client.ask("hello")[-1]["type"] == "done"
    client.call("POST", "/api/shutdown")
    assert wait_gone(pid, WAIT_S)


def test_the_parent_pid_that_was_given_is_watched(tmp_path: Path, launch: Callable[..., Daemon]) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    daemon = launch(arguments=["--parent-pid", str(other.pid)])
    assert daemon.ask("hello")[-1]["type"] == "done"
    assert daemon.process is not None
    other.kill()
    other.wait()
    assert daemon.process.wait(STOP_S) == 0


def test_a_parent_pid_that_is_gone_ends_it(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    told = subprocess.run(
        command(tmp_path / "data", "--parent-pid", str(gone.pid)),
        capture_output=True,
        env=environment(),
        timeout=WAIT_S,
    )
    assert told.returncode == 0


# Forks until a child has the given pid; that child stays. Linux gives out pids in ascending order.
TAKES_A_NUMBER = """
import os, signal, sys
wanted, last = int(sys.argv[1]), 0
while not wanted <= last < wanted + 10_000:
    child = os.fork()
    if child == 0:
        if os.getpid() == wanted:
            signal.pause()
        os._exit(0)
    if child == wanted:
        print("taken", flush=True)
        sys.stdin.read()
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    last = child
"""
AHEAD = 300
"""How far ahead the pid is: neither the starting daemon nor another program must reach it first."""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are not numbered in turn")
def test_a_parent_pid_that_a_younger_process_got_is_not_the_launcher(tmp_path: Path) -> None:
    """The launcher dies while the daemon starts, and its pid goes to another process."""
    assert any(number_goes_to_another(tmp_path / str(attempt)) for attempt in range(20)), "another program got the pid"


def number_goes_to_another(data_dir: Path) -> bool:
    """One attempt; False when the pid went to a process that is not ours."""
    number = subprocess.Popen(["true"])
    number.wait()
    wanted = number.pid + AHEAD
    if wanted >= int(Path("/proc/sys/kernel/pid_max").read_text()):
        wanted = AHEAD * 2  # the pids start again from the beginning
    with (
        subprocess.Popen(
            command(data_dir, "--supervised", "--parent-pid", str(wanted)),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as daemon,
        subprocess.Popen(
            [sys.executable, "-c", TAKES_A_NUMBER, str(wanted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as taker,
    ):
        try:
            assert daemon.stdin is not None
            assert taker.stdout is not None
            if taker.stdout.readline() != b"taken\n" or (started_at(wanted) or 0) <= (started_at(daemon.pid) or 0):
                return False
            daemon.stdin.write(b"{}\n")
            daemon.stdin.flush()
            assert daemon.wait(WAIT_S) == 0
            assert not wait_gone(wanted, 0)
            return True
        finally:
            daemon.kill()


def test_a_held_lock_names_the_holder(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    one = supervise()
    told = subprocess.run(
        command(one.client.data_dir, "--detach"), capture_output=True, env=environment(), timeout=WAIT_S
    )
    assert told.returncode == 3
    assert str(one.process.pid).encode() in told.stderr
    assert one.ready["url"].encode() in told.stderr


def test_a_data_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    told = subprocess.run(command(blocked / "data", "--detach"), capture_output=True, env=environment(), timeout=WAIT_S)
    assert told.returncode == 6
    assert str(blocked).encode() in told.stderr


def test_an_idle_daemon_sleeps(daemon: Daemon) -> None:
    """Not a timing: counts the system's record of how often the daemon went to sleep voluntarily."""
    daemon.ask("warm up")
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status")

    def switches() -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))
        return int(line.split()[1])

    rates: list[float] = []
    with daemon.watch():
        while len(rates) < 8 and not (rates and rates[-1] <= 2):  # work from before may still have to end
            before, began = switches(), time.monotonic()
            time.sleep(3)
            rates.append((switches() - before) / (time.monotonic() - began))
    assert rates[-1] <= 2, f"wake-ups per second: {rates}"


def test_one_that_stops_leaves_the_tools_of_another_alone(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    """Two apps on one machine: when one daemon ends, the tools of the other one keep running."""
    early = supervise()
    late = Daemon(tmp_path / "another").start()
    try:
        children = run_a_tool_that_stays(early.client), run_a_tool_that_stays(late)
    finally:
        late.stop()
    assert wait_gone(children[1], WAIT_S)
    assert psutil.pid_exists(children[0])
    assert early.client.status()["state"] == "running"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_of_the_same_user_cannot_read_the_token_out_of_memory(tmp_path: Path) -> None:
    """Neither environment nor memory of a daemon with a token is readable for a process without more rights."""
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

    def reads(pid: int) -> bytes:
        return subprocess.run([*plain, "cat", f"/proc/{pid}/environ"], capture_output=True, check=False).stdout

    with subprocess.Popen([*plain, "sleep", "60"], env={**environment(), "SEEN": "yes"}) as other:
        try:
            until = time.monotonic() + WAIT_S
            while b"SEEN=yes" not in reads(other.pid):  # setpriv has more rights than the reader, sleep does not
                assert time.monotonic() < until, "this reader could not read any process's environment"
        finally:
            other.kill()
    with subprocess.Popen(
        [*plain, *command(tmp_path / "data")],
        env=environment(ASTER_SIDECAR_TOKEN=TOKEN),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as daemon:
        try:
            assert daemon.stdout is not None
            assert daemon.stdout.readline()
            assert reads(daemon.pid) == b""
        finally:
            daemon.terminate()


# -- a daemon that hangs -----------------------------------------------------------------------------------------------

SUPERVISOR = """
import json, subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(b"{}\\n")
child.stdin.flush()
print(child.stdout.readline().decode(), end="", flush=True)
time.sleep(600)
"""


def test_a_launcher_that_is_gone_when_it_is_to_be_told_is_no_error(tmp_path: Path) -> None:
    started = subprocess.Popen(
        command(tmp_path / "data", "--supervised"),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stdin is not None
    assert started.stdout is not None
    started.stdout.close()
    started.stdin.write(b"{}\n")
    started.stdin.flush()  # it stays open: a child of the launcher may have inherited it
    assert started.wait(WAIT_S) == 0
    assert started.stderr is not None
    assert b"Broken pipe" not in started.stderr.read()
    started.stdin.close()
    started.stderr.close()


@pytest.mark.parametrize("kind", ["file", "loop"])
def test_a_data_directory_that_is_none_is_said(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "data"
    place.touch() if kind == "file" else place.symlink_to(place)
    told = begin(place)
    assert told.returncode == 6
    assert f"{place}: Not a directory".encode() in told.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no file that is open")
def test_a_lock_file_that_somebody_deleted_lets_no_second_daemon_in(
    supervise: Callable[..., Supervised], tmp_path: Path
) -> None:
    one = supervise()
    (one.client.data_dir / "aster.lock").unlink()
    for _ in range(2):
        told = begin(one.client.data_dir)
        assert told.returncode == 3, told.stderr
        assert f"pid {one.process.pid}, {one.ready['url']}".encode() in told.stderr
    store = [sys.executable, "-m", "aster_sidecar", "store", "new", "--data-dir", str(one.client.data_dir)]
    told = subprocess.run(store, capture_output=True, env=environment(), timeout=WAIT_S)
    assert (told.returncode, b"is used by another daemon" in told.stderr) == (1, True), told.stderr
    assert one.client.ask("hello")[-1]["data"]["stop_reason"] == "complete"
    os.kill(one.process.pid, signal.SIGSTOP)
    later = Daemon(one.client.home, arguments=["--replace"]).start()
    try:
        assert later.history()[0]["text"] == "hello"
    finally:
        later.stop()


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Daemon, int]]:
    """A launcher and its daemon with a conversation, stopped by SIGSTOP: (launcher, client, daemon's pid)."""
    (tmp_path / "a" / "work").mkdir(parents=True)
    launcher = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, *command(tmp_path / "a" / "data", "--supervised")],
        env=environment(),
        cwd=tmp_path / "a" / "work",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert launcher.stdout is not None
    ready = json.loads(launcher.stdout.readline())
    client = Daemon(tmp_path / "a")
    client.url, client.port = ready["url"], ready["port"]
    client.ask("before")
    os.kill(ready["pid"], signal.SIGSTOP)
    yield launcher, client, ready["pid"]
    with contextlib.suppress(ProcessLookupError):
        os.kill(ready["pid"], signal.SIGKILL)
    launcher.kill()
    launcher.wait()
    launcher.stdout.close()
    assert wait_gone(ready["pid"], WAIT_S)


def begin(data_dir: Path, *more: str, said: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a start that is refused."""
    return subprocess.run(command(data_dir, *more), env=environment(), input=said, capture_output=True, timeout=WAIT_S)


def test_a_daemon_that_is_stopped_is_named_with_what_can_be_done(
    hung: tuple[subprocess.Popen[bytes], Daemon, int],
) -> None:
    _, client, pid = hung
    for more, said in (((), b""), (("--supervised",), b"{}\n")):
        told = begin(client.data_dir, *more, said=said)
        assert told.returncode == 3
        words = told.stderr.decode()
        assert f"pid {pid}, {client.url}, since 20" in words
        assert "is stopped" in words
        assert f"kill -CONT {pid}" in words
        assert "--replace" in words
    assert not wait_gone(pid, 0), "its launcher still runs and may continue it"
    checked = subprocess.run(
        [sys.executable, "-m", "aster_sidecar", "doctor", "--no-model", "--data-dir", str(client.data_dir)],
        env=environment(),
        capture_output=True,
        timeout=WAIT_S,
    )
    assert f"kill -KILL {pid}" in checked.stdout.decode()
    listed = subprocess.run(
        [sys.executable, "-m", "aster_sidecar", "sessions", "list", "--data-dir", str(client.data_dir)],
        env=environment(),
        capture_output=True,
        timeout=WAIT_S,
    )
    assert listed.returncode == 1
    assert f"pid {pid}, {client.url}, since 20" in listed.stderr.decode()
    assert f"kill -CONT {pid}" in listed.stderr.decode()
    os.kill(pid, signal.SIGCONT)
    assert client.ask("after")[-1]["data"]["stop_reason"] == "complete"


def test_a_stopped_daemon_is_replaced_when_a_person_says_so(
    hung: tuple[subprocess.Popen[bytes], Daemon, int],
) -> None:
    _, client, pid = hung
    later = Daemon(client.home, arguments=["--replace"]).start()
    try:
        assert wait_gone(pid, 0)
        assert later.history()[0]["text"] == "before"
        second = begin(client.data_dir, "--replace")
        assert second.returncode == 3, "a daemon that answers stays"
        assert later.ask("after")[-1]["data"]["stop_reason"] == "complete"
    finally:
        later.stop()


def test_a_stopped_daemon_whose_launcher_was_killed_makes_room_for_the_next(
    hung: tuple[subprocess.Popen[bytes], Daemon, int], supervise: Callable[..., Supervised]
) -> None:
    launcher, client, pid = hung
    launcher.kill()
    launcher.wait()
    assert not wait_gone(pid, 0.2), "it is stopped, so it can't notice that its launcher has ended"
    assert begin(client.data_dir).returncode == 3, "a start by hand ends no other daemon"
    later = supervise()
    assert later.client.data_dir == client.data_dir
    assert wait_gone(pid, 0)
    assert later.client.history()[0]["text"] == "before"


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
@pytest.mark.parametrize("named", ["another start", "nobody", "nonsense"])
def test_a_stranger_who_has_the_number_now_is_never_ended(tmp_path: Path, named: str) -> None:
    import fcntl

    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    born = started_at(stranger.pid)
    assert born is not None
    told = {"pid": stranger.pid, "started_at": born - 1, "since": "2026-01-01T00:00:00.000Z", "url": None}
    told |= {"launcher_pid": 1, "launcher_started_at": 1.0}
    text = {"another start": json.dumps(told), "nobody": "", "nonsense": f"pid {stranger.pid}, http://x"}[named]
    (tmp_path / "data").mkdir()
    with open(tmp_path / "data" / "aster.lock", "w+") as held:
        held.write(text)
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            for more, said in ((("--replace",), b""), (("--supervised",), b"{}\n")):
                refused = begin(tmp_path / "data", *more, said=said)
                assert refused.returncode == 3, refused.stderr
                assert b"used by another daemon" in refused.stderr
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()
