"""`--uds`: a Unix socket only for its owner: a dead one is replaced, one in use never, and other users are refused."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import unix_connect

from aster_sidecar.http import sockets
from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets there")
TOKEN = "a-token-for-this-test"
END_S = 50.0
"""How long a daemon that must not start may take to exit."""


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path for a socket, in a directory that does not exist yet."""
    return tmp_path_factory.mktemp("u") / "own" / "s"


def ask(path: Path, target: str, method: str = "GET", body: Json = None, **headers: str) -> httpx.Response:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), verify=False, timeout=20) as client:
        return client.request(method, f"http://aster{target}", json=body, headers=headers)


def start(daemon_home: Path, path: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a daemon that must not start. Returns its exit code and output."""
    command = [sys.executable, "-m", "aster_sidecar", "--port", "0", "--data-dir", str(daemon_home), "--model", "demo"]
    return subprocess.run(
        [*command, "--uds", str(path), *arguments], capture_output=True, text=True, timeout=END_S, cwd=daemon_home
    )


def test_it_listens_on_both_and_only_its_owner_can_reach_it(launch: Callable[..., Daemon], place: Path) -> None:
    daemon = launch(arguments=["--uds", str(place)])
    found = place.lstat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert ask(place, "/health").json()["instance_id"] == daemon.raw("GET", "/health")[1]["instance_id"]
    told = json.loads((daemon.data_dir / "sidecar.json").read_text("utf-8"))
    assert (told["uds"], told["port"]) == (str(place), daemon.port)
    assert daemon.call("GET", "/api/config")["values"]["uds"] == {
        "value": str(place),
        "source": "flag",
        "settable": False,
    }
    assert daemon.stop() == 0
    assert not place.exists()
    assert place.parent.exists()


def test_a_whole_turn_goes_over_it(launch: Callable[..., Daemon], place: Path) -> None:
    daemon = launch(arguments=["--uds", str(place)])
    with (
        httpx.Client(transport=httpx.HTTPTransport(uds=str(place)), verify=False, timeout=20) as client,
        client.stream("GET", "http://aster/api/events") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        body = {"agent_id": "default", "message": "hello"}
        started = ask(place, "/api/chat", "POST", body).json()["data"]
        kinds = [line.removeprefix("event: ") for line in iter_until(lines, "event: done")]
    assert "text_chunk" in kinds
    assert daemon.history()[-1]["turn_id"] == started["turn_id"]


def iter_until(lines: Any, last: str) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line.startswith("event: "):
            found.append(line)
        if line == last:
            return found
    raise AssertionError(found)


def test_the_websocket_goes_over_it(launch: Callable[..., Daemon], place: Path) -> None:
    launch(arguments=["--uds", str(place)], token=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with unix_connect(str(place), "ws://engine/ws", additional_headers=headers) as host:
        host.send('{"id": "1", "type": "get_status", "agent_id": "default"}')
        assert json.loads(host.recv(20))["data"]["state"] == "idle"
        host.send('{"id": "2", "type": "request", "payload": {"method": "GET", "path": "/api/agents"}}')
        answer = json.loads(host.recv(20))
        assert (answer["status"], answer["data"][0]["id"]) == (200, "default")


def test_the_token_counts_there_as_well(launch: Callable[..., Daemon], place: Path) -> None:
    launch(arguments=["--uds", str(place)], token=TOKEN)
    assert ask(place, "/health").status_code == 200
    assert ask(place, "/api/agents").json()["code"] == "token_refused"
    assert ask(place, "/api/agents", authorization=f"Bearer {TOKEN}").status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED")
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_refused_even_with_the_token_and_an_open_door(
    launch: Callable[..., Daemon], place: Path
) -> None:
    launch(arguments=["--uds", str(place)], token=TOKEN)
    place.chmod(0o777)
    for folder in place.parents:
        if Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)
    said = (
        "import os, socket, sys\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
        f"s.sendall(b'GET /api/agents HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {TOKEN}\\r\\n"
        "Connection: close\\r\\n\\r\\n')\nprint(s.makefile().read())"
    )
    answer = subprocess.run([sys.executable, "-c", said, str(place)], capture_output=True, text=True, timeout=20)
    assert "403" in answer.stdout, answer
    assert "peer_refused" in answer.stdout
    assert "uid 65534" in answer.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED")
def test_a_tools_own_process_is_refused(launch: Callable[..., Daemon], place: Path) -> None:
    daemon = launch(arguments=["--uds", str(place)])
    daemon.config(permission_mode="auto_approve", sandbox="off")  # in it, nothing reaches the daemon
    script = daemon.work_dir / "call.py"
    script.write_text(
        "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
        "s.sendall(b'GET /api/approvals HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')\n"
        "print(s.makefile().read())\n"
    )
    events = daemon.ask(f"run `{sys.executable} call.py {place}`")
    ended = next(event["data"] for event in events if event["type"] == "tool_end")
    assert "peer_refused" in ended["result"]["stdout"], ended
    assert '"success":true' not in ended["result"]["stdout"]
    assert ask(place, "/api/approvals").status_code == 200


def test_a_dead_socket_is_replaced_and_a_live_one_never(
    launch: Callable[..., Daemon], place: Path, tmp_path: Path
) -> None:
    daemon = launch(arguments=["--uds", str(place)])
    before = place.lstat().st_ino
    second = start(tmp_path, place)
    assert second.returncode == 4, second
    assert "another program listens there" in second.stderr
    assert place.lstat().st_ino == before
    assert ask(place, "/health").status_code == 200
    daemon.kill()
    assert place.exists()
    with socket.socket(socket.AF_UNIX) as asking, pytest.raises(ConnectionRefusedError):
        asking.connect(str(place))
    daemon.start()
    assert ask(place, "/health").status_code == 200


def test_one_whose_listener_is_busy_is_not_taken_for_dead(place: Path, tmp_path: Path) -> None:
    place.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(place))
        busy.listen(0)
        waiting: list[socket.socket] = []
        while True:  # until the queue is full
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            waiting.append(one)
            if one.connect_ex(str(place)) != 0:
                break
        assert start(tmp_path, place).returncode == 4
        assert place.exists()
        for one in waiting:
            one.close()


def test_two_that_start_at_once_get_one_socket(launch: Callable[..., Daemon], place: Path, tmp_path: Path) -> None:
    place.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    command = [sys.executable, "-m", "aster_sidecar", "--port", "0", "--model", "demo", "--uds", str(place)]
    started = [
        subprocess.Popen(
            [*command, "--data-dir", str(tmp_path / str(number))], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for number in range(4)
    ]
    try:
        # The losers exit; the winner prints where it listens.
        said = [one.stdout.readline() for one in started if one.stdout is not None]
        assert sorted(b"listens on" in line for line in said) == [False, False, False, True]
        losers = [one for one, line in zip(started, said, strict=True) if not line]
        assert [one.wait(END_S) for one in losers] == [4, 4, 4]
        assert ask(place, "/health").status_code == 200
    finally:
        for one in started:
            if one.poll() is None:
                one.send_signal(signal.SIGTERM)
                assert one.wait(30) == 0
            for stream in (one.stdout, one.stderr):
                if stream is not None:
                    stream.close()
    assert not place.exists()


def test_what_is_no_socket_is_left_alone(place: Path, tmp_path: Path) -> None:
    place.parent.mkdir(mode=0o700)
    place.write_text("precious")
    refused = start(tmp_path, place)
    assert refused.returncode == 4
    assert "something other than a socket exists there" in refused.stderr
    assert place.read_text() == "precious"
    place.unlink()
    place.symlink_to(tmp_path / "elsewhere")
    assert start(tmp_path, place).returncode == 4
    assert place.is_symlink()


def test_a_directory_that_others_can_enter_is_refused(place: Path, tmp_path: Path) -> None:
    place.parent.mkdir(mode=0o700)
    place.parent.chmod(0o750)
    refused = start(tmp_path, place)
    assert refused.returncode == 4
    assert f"chmod 700 {place.parent}" in refused.stderr
    assert not place.exists()


def test_a_path_too_long_is_said(place: Path, tmp_path: Path) -> None:
    refused = start(tmp_path, place.parent / ("x" * 120))
    assert refused.returncode == 4
    assert str(sockets.PATH_MOST_BYTES) in refused.stderr
    assert not place.parent.exists()


def test_a_socket_that_was_replaced_by_another_is_not_removed(launch: Callable[..., Daemon], place: Path) -> None:
    daemon = launch(arguments=["--uds", str(place)])
    place.unlink()
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(str(place))
        assert daemon.stop() == 0
        assert place.exists()


def test_the_launcher_can_name_it_on_the_first_line(tmp_path: Path, place: Path) -> None:
    command = [sys.executable, "-m", "aster_sidecar", "--supervised", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--model", "demo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"token": TOKEN, "uds": str(place)}) + "\n")
        process.stdin.flush()
        ready = json.loads(process.stdout.readline())
        assert ready["uds"] == str(place)
        assert ask(place, "/api/agents", authorization=f"Bearer {TOKEN}").status_code == 200
        process.stdin.close()
        assert process.wait(30) == 0
    assert not place.exists()
