"""Processes that detach from a tool's call: the daemon refuses their requests, and none is left when the call is over.

Each way detaches a process that sends requests with curl in a loop: it sets the permission mode, answers questions, and
records each status. It does so while its call runs, after the call when no tool runs any more, and after the daemon has
ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import Daemon

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the keeper is Linux only")
PYTHON = sys.executable
ROOT = Path(__file__).parent.parent.parent
WAIT_S = 30.0
KNOCK = """#!/bin/sh
# Arguments: the folder, the port, a word that names this test.
cd "$1" || exit 1
while :; do
  curl -s -m 5 -o /dev/null -w '%{http_code}\\n' -H 'Content-Type: application/json' \\
    -d '{"permission_mode": "auto_approve"}' http://127.0.0.1:$2/api/config >> knocked
  curl -s -m 5 -o /dev/null -w '%{http_code}\\n' -H 'Content-Type: application/json' \\
    -d '{"agent_id": "default", "call_id": "none", "decision": "allow"}' http://127.0.0.1:$2/api/approve >> knocked
done
"""
DAEMONIZE = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
%s
os.execve('/bin/sh', ['sh', *sys.argv[1:]], {'PATH': os.environ['PATH']})
"""
SPEAKS = """
import os, socket, sys, time
folder, port = sys.argv[1:3]
body = '{"permission_mode": "auto_approve"}'
head = ['POST /api/config HTTP/1.1', 'Host: 127.0.0.1:' + port, 'Content-Type: application/json']
request = '\\r\\n'.join([*head, 'Content-Length: %d' % len(body), '', body]).encode()
def note(said):
    if said.startswith(b'HTTP/'):
        with open(folder + '/knocked', 'ab') as file:
            file.write(said[9:12] + b'\\n')
"""
HOPPER = f"""{SPEAKS}
# Each request is sent by a process that lives for that request; its socket goes on to the next one.
connected = socket.create_connection(('127.0.0.1', int(port)))
while True:
    connected.sendall(request)
    if os.fork():
        os._exit(0)
    os.setsid()
    connected.settimeout(10)
    said = connected.recv(65536)
    note(said)
    if not said:
        connected = socket.create_connection(('127.0.0.1', int(port)))
"""
IN_FLIGHT = f"""{SPEAKS}
# While the daemon looks, the socket is in no process's table: it is on its way through another socket.
one, other = socket.socketpair()
while True:
    connected = socket.create_connection(('127.0.0.1', int(port)))
    connected.sendall(request[:-1])
    time.sleep(0.05)
    socket.send_fds(one, [b'x'], [connected.fileno()])
    last = socket.socket(fileno=os.dup(connected.fileno()))
    connected.close()
    last.sendall(request[-1:])
    last.close()
    time.sleep(0.3)
    _, back, _, _ = socket.recv_fds(other, 1, 1)
    with socket.socket(fileno=back[0]) as answered:
        answered.settimeout(10)
        note(answered.recv(65536))
"""

SH = "sh knock.sh $PWD {port} {word}"
WAYS = {
    "a session of its own, without environment and limits": f"prlimit --locks=1 env -i setsid -f {SH}",
    "in the background": f"nohup {SH} >/dev/null 2>&1 &",
    "forked twice": f"{PYTHON} twice.py knock.sh $PWD {{port}} {{word}}",
    "its descriptors hidden": f"{PYTHON} hidden.py knock.sh $PWD {{port}} {{word}}",
    "hidden itself": f"{PYTHON} hides.py $PWD {{port}} {{word}}",
    "as a subreaper's orphan": f"{PYTHON} reaper.py knock.sh $PWD {{port}} {{word}}",
    "its overseer killed": f"setsid -f {SH}; kill -9 $PPID; sleep 1",
    "its keeper killed": f"setsid -f {SH}; kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 1",
    "keeper and overseer killed": f"setsid -f {SH}; kill -9 $(cut -d' ' -f4 /proc/$PPID/stat) $PPID; sleep 1",
    "keeper and overseer stopped": f"setsid -f {SH}; kill -STOP $(cut -d' ' -f4 /proc/$PPID/stat) $PPID; sleep 1",
    "keeper stopped over and over, overseer killed": (
        "k=$(cut -d' ' -f4 /proc/$PPID/stat); (setsid sh -c 'while :; do kill -STOP '$k' 2>/dev/null; done' {word} &);"
        f" setsid -f {SH}; sleep 0.5; kill -9 $PPID; sleep 1"
    ),
    "from process to process": f"setsid -f {PYTHON} hopper.py $PWD {{port}} {{word}}",
    "a socket on its way": f"setsid -f {PYTHON} in_flight.py $PWD {{port}} {{word}}",
    "a pid namespace of its own": f"setsid -f unshare --user --map-root-user --pid --fork {SH}",
    "another user": f"setsid -f setpriv --reuid=65534 --clear-groups {SH}",
    "a terminal of its own": f"setsid -f script -qec '{SH}' /dev/null",
    "deaf to TERM": f"trap '' TERM HUP INT; setsid -f {SH}",
}


def word() -> str:
    return f"knock{uuid.uuid4().hex}"


def alive(word: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if word in " ".join(one.cmdline()) and one.status() != psutil.STATUS_ZOMBIE and one.pid != os.getpid():
                found.append(one)
    return found


def until(what: Callable[[], bool], said: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


class House:
    """A daemon without a token, and a directory with the scripts that detach."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.word = word()
        self.place = place = Path(tempfile.mkdtemp(prefix="detached"))  # another user can get there too
        place.chmod(0o777)
        (place / "knocked").touch()
        (place / "knocked").chmod(0o666)
        (place / "knock.sh").write_text(KNOCK)
        (place / "twice.py").write_text(DAEMONIZE % "pass")
        (place / "hidden.py").write_text(DAEMONIZE % "[os.close(n) for n in (0, 1, 2)]")
        (place / "reaper.py").write_text(DAEMONIZE % "libc.prctl(36, 1, 0, 0, 0)\nif os.fork(): os.wait(); os._exit(0)")
        (place / "hopper.py").write_text(HOPPER)
        (place / "hides.py").write_text(f"import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n{HOPPER}")
        (place / "in_flight.py").write_text(IN_FLIGHT)
        daemon.config(permission_mode="auto_approve", sandbox="off")  # in it, nothing reaches the daemon

    def knocked(self) -> list[str]:
        return (self.place / "knocked").read_text().split()

    def command(self, way: str, then: str) -> str:
        return f"cd {self.place}; {WAYS[way].format(port=self.daemon.port, word=self.word)}\n{then}"

    def run(self, command: str) -> str:
        """Start a turn that runs the command. Returns the turn's id."""
        arguments = {"command": command}
        return self.daemon.chat(f"call run_command {json.dumps(arguments)}")["turn_id"]

    def nothing_is_left(self) -> None:
        until(lambda: alive(self.word) == [], f"left: {alive(self.word)}")

    def nobody_was_answered(self) -> None:
        assert set(self.knocked()) <= {"403", "000", ""}


@pytest.fixture
def house(launch: Callable[..., Daemon]) -> Iterator[House]:
    house = House(launch())
    yield house
    for one in alive(house.word):
        with contextlib.suppress(psutil.Error):
            one.kill()
    shutil.rmtree(house.place)


def possible(way: str) -> bool:
    program = WAYS[way].removeprefix("setsid -f ").split()[0]
    if program == "unshare":
        return subprocess.run([*WAYS[way].split()[2:7], "true"], capture_output=True).returncode == 0
    if program == "setpriv":
        return os.geteuid() == 0
    return program not in ("script",) or shutil.which(program) is not None


@pytest.mark.parametrize("way", WAYS)
def test_what_detaches_is_refused_and_ends_with_its_call(house: House, way: str) -> None:
    if not possible(way):
        pytest.skip(f"{way}: not possible on this machine")
    daemon = house.daemon
    enough = "n=0; while [ $(wc -l < knocked) -lt 4 ] && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.1; done"
    with daemon.watch() as watcher:
        daemon.config(permission_mode="auto_approve")
        turn_id = house.run(house.command(way, enough))
        watcher.until("done", turn_id=turn_id)
    assert daemon.status()["state"] == "idle"
    daemon.config(permission_mode="always_ask")
    house.nothing_is_left()
    before = len(house.knocked())
    house.nobody_was_answered()
    if "killed" not in way:  # in those cases the call and its process end at once
        assert "403" in house.knocked()
    time.sleep(0.3)
    assert len(house.knocked()) == before
    assert daemon.call("GET", "/api/config")["values"]["permission_mode"]["value"] == "always_ask"


@pytest.mark.parametrize("ending", ["cancel", "stop", "kill -9", "the launcher's end"])
@pytest.mark.parametrize("way", ["a session of its own, without environment and limits", "deaf to TERM"])
def test_what_detaches_ends_however_its_call_ends(
    house: House, way: str, ending: str, launch: Callable[..., Daemon]
) -> None:
    daemon = house.daemon
    with daemon.watch() as watcher:
        turn_id = house.run(house.command(way, "sleep 1000"))
        until(lambda: "403" in house.knocked(), "it never knocked")
        assert alive(house.word)
        if ending == "cancel":
            daemon.call("POST", "/api/cancel", {"agent_id": "default"})
            watcher.until("done", turn_id=turn_id)
    if ending == "stop":
        daemon.stop()
    elif ending == "kill -9":
        daemon.kill()
    elif ending == "the launcher's end":
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.wait(WAIT_S)
    house.nothing_is_left()
    house.nobody_was_answered()


def test_a_question_is_not_answered_by_what_an_earlier_call_left(house: House) -> None:
    """The complete attack: the call is over, no tool runs, and a question is pending."""
    daemon = house.daemon
    port = daemon.port
    approve = (
        "import http.client, json, time\n"
        f"client = lambda: http.client.HTTPConnection('127.0.0.1', {port}, timeout=5)\n"
        "while True:\n"
        "    try:\n"
        "        one = client(); one.request('GET', '/api/approvals'); found = one.getresponse()\n"
        "        open('knocked', 'a').write(f'{found.status}\\n')\n"
        "        for call in json.load(found).get('data', []):\n"
        "            body = json.dumps({'agent_id': 'default', 'call_id': call['call_id'], 'decision': 'allow'})\n"
        "            one = client(); one.request('POST', '/api/approve', body, {'Content-Type': 'application/json'})\n"
        "    except (OSError, http.client.HTTPException): pass\n"
    )
    (house.place / "approve.py").write_text(approve)
    command = f"cd {house.place}; prlimit --locks=1 env -i setsid -f {PYTHON} approve.py {house.word}; sleep 0.5"
    with daemon.watch() as watcher:
        turn_id = house.run(command)
        watcher.until("done", turn_id=turn_id)
        daemon.config(permission_mode="always_ask")
        house.run("touch should-not-be")
        watcher.until("approval_required")
        time.sleep(1)
        assert [one["type"] for one in watcher.of("approval_resolved")] == []
    assert not (daemon.work_dir / "should-not-be").exists()
    house.nothing_is_left()
    house.nobody_was_answered()


def test_the_persons_own_programs_are_answered_while_a_tool_runs(house: House, tmp_path: Path) -> None:
    daemon = house.daemon
    house.run("echo up; sleep 1000")
    until(lambda: daemon.status()["state"] == "running", "it never ran")
    url = f"{daemon.url}/api/status?agent_id=default"
    hidden = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n" if os.geteuid() == 0 else ""
    fetch = f"import urllib.request, sys\n{hidden}print(urllib.request.urlopen(sys.argv[1]).status)"
    for argv in (
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url],
        ["setsid", "-w", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url],
        [
            "sh",
            "-c",
            f"(curl -s -o /dev/null -w '%{{http_code}}' '{url}' > {tmp_path}/code &) ; sleep 1; cat {tmp_path}/code",
        ],
        [PYTHON, "-c", fetch, url],
    ):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_S)
        assert done.stdout.strip() == "200", argv
    daemon.call("POST", "/api/cancel", {"agent_id": "default"})


def test_the_browser_that_is_opened_descends_from_nobody_here(tmp_path: Path) -> None:
    """Otherwise the daemon would take the person's page for a tool."""
    browser = tmp_path / "browser.py"
    browser.write_text(
        "import psutil, sys, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(sys.argv[1] + ' ' + "
        "' '.join(str(one.pid) for one in psutil.Process().parents()))\n"
    )
    source = (
        "import os, sys; from aster_sidecar.cli.announce import show_page; "
        "show_page(sys.argv[1]); print(os.getpid()); input()"
    )
    environment = {**os.environ, "BROWSER": f"{PYTHON} {browser} %s", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [PYTHON, "-c", source, "http://127.0.0.1:1/"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as daemon:
        assert daemon.stdin is not None
        until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text() != "", "no browser was opened")
        address, *ancestors = (tmp_path / "seen").read_text().split()
        daemon.stdin.write("\n")
    assert address == "http://127.0.0.1:1/"
    assert str(daemon.pid) not in ancestors


def test_a_strangers_directory_brings_no_modules(tmp_path: Path) -> None:
    """The person's current directory is such a directory when the daemon starts another copy of itself."""
    for name in ("webbrowser.py", "argparse.py", "aster_sidecar.py"):
        (tmp_path / name).write_text("open('was-run', 'w').close()\n")
    source = (
        "import subprocess; from aster_sidecar.frozen import own_command; subprocess.run([*own_command(), 'version'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [PYTHON, "-P", "-c", source], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=WAIT_S
    )
    assert "aster-sidecar" in told.stdout, told.stderr
    assert not (tmp_path / "was-run").exists()


def test_what_another_program_would_run_waits_for_a_person_in_every_mode(house: House) -> None:
    """The other program does not descend from the daemon, which can't recognise it: a person must decide."""
    daemon = house.daemon
    with daemon.watch() as watcher:
        house.run("tmux new -d 'curl localhost'")
        asked = watcher.until("approval_required")[-1]["data"]
        assert asked.get("remember") is None
        assert "programs that Aster can't stop or control" in asked["reason"]
        daemon.approve(asked["call_id"], "deny")
        watcher.until("done")


def test_with_a_token_a_descendant_that_has_none_is_refused_before_anything_is_looked_up(
    launch: Callable[..., Daemon],
) -> None:
    daemon = launch("b", token="a-token-of-this-test")
    daemon.config(permission_mode="auto_approve", sandbox="off")
    command = f"curl -s -o code -w '%{{http_code}}' {daemon.url}/api/agents"
    daemon.ask(f"call run_command {json.dumps({'command': command + ' > said'})}")
    assert (daemon.work_dir / "said").read_text() == "401"
