"""The process at the other end of the connection: its user, and whether a tool started it."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from starlette.types import Scope

from aster_sidecar.http import peer_credentials
from aster_sidecar.http import sockets as listening
from tests.http.guard.support import (
    BEARER,
    HANDSHAKE,
    PARSERS,
    TOKEN,
    Daemon,
    Serve,
    allows,
    build,
    call,
    is_refusal,
    serving,
)
from tests.support.raw import Answer, Connection

Whose: TypeAlias = Literal["ours", "other", "unknown"]


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the peer is looked up on Linux only")


def can_be_another() -> bool:
    """Whether this process can run another as uid 65534. The root user of a user namespace may have no such uid."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    try:
        maps = [Path(f"/proc/self/{name}_map").read_text() for name in ("uid", "gid")]
    except OSError:
        return True
    ranges = [[line.split() for line in text.splitlines()] for text in maps]
    return all(any(int(first) <= 65534 < int(first) + int(count) for first, _, count in lines) for lines in ranges)


needs_root = pytest.mark.skipif(not can_be_another(), reason="needs root, to run a client as another user")


CHILD = """
import encodings.idna, os, socket, sys  # all imports here: another user may not be able to read the interpreter's files
request = sys.stdin.buffer.read()
os.setgid(65534)
os.setuid(int(sys.argv[2]))
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30) as connection:
    connection.sendall(request)
    print(connection.recv(65536).split()[1].decode())
"""


def status_as(uid: int, daemon: Daemon, line: str, *headers: str) -> int:
    """The status of the response to a process that runs as `uid`."""
    child = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CHILD, str(daemon.port), str(uid)],
        input=daemon.bytes_of(line, *headers),
        capture_output=True,
        check=True,
        timeout=50,
    )
    return int(child.stdout)


@needs_root
def test_without_a_token_another_user_is_refused(open_daemon: Daemon) -> None:
    for line, *more in (("GET /health",), ("GET /api/echo",), ("GET /ws", *HANDSHAKE)):
        with open_daemon.unreached():
            assert status_as(65534, open_daemon, line, *more) == 403
        assert open_daemon.ask(line, *more).status in (200, 101)
    assert status_as(0, open_daemon, "GET /api/echo") == 200


@needs_root
def test_forwarded_headers_disguise_nobody(open_daemon: Daemon) -> None:
    with Connection(open_daemon.port) as ours:
        mine = f"127.0.0.1:{ours.socket.getsockname()[1]}"
        disguise = (f"X-Forwarded-For: {mine}", f'Forwarded: for="{mine}";host=127.0.0.1', "X-Real-IP: 127.0.0.1")
        with open_daemon.unreached():
            assert status_as(65534, open_daemon, "GET /api/echo", *disguise) == 403


@needs_root
def test_the_uid_is_not_asked_for_where_a_token_or_a_person_says_so(serve: Serve) -> None:
    assert status_as(65534, serve(), "GET /api/echo", BEARER) == 200
    assert status_as(65534, serve(token=None, check_peer=False), "GET /api/echo") == 200


def test_forwarded_headers_are_ignored(daemon: Daemon) -> None:
    forwarded = ("X-Forwarded-Host: evil.com", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https")
    assert daemon.ask("GET /api/echo", BEARER, *forwarded, "Forwarded: host=evil.com").status == 200
    daemon.refuses(421, "host_refused", "GET /health", "X-Forwarded-Host: 127.0.0.1:PORT", host="evil.com")


@needs_linux
@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_hung_up_is_nobody(parser: str, reset: bool) -> None:
    """The kernel reports root as the owner of an orphaned socket, and uvicorn has no address of one that was reset."""
    daemon = build(token=None, parser=parser)
    for line in ("POST /api/echo", "GET /health"):
        gone = socket.create_connection(("127.0.0.1", daemon.port))
        gone.sendall(daemon.bytes_of(line))
        if reset:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.close()
    daemon.start()
    try:
        assert daemon.ask("GET /api/echo?after").status == 200  # connections are taken in order
        assert daemon.reached == ["GET /api/echo"]
    finally:
        daemon.stop()
        daemon.join()


class Family:
    """Takes the place of the gate's `kin`: the test sets whose each socket and process is."""

    def __init__(self) -> None:
        self.is_alone = False
        self.asked: list[int] = []
        self.sockets: dict[int, Whose] = {}
        self.processes: dict[int, Whose] = {}

    def alone(self) -> bool:
        return self.is_alone

    async def of_socket(self, inode: int) -> Whose:
        self.asked.append(inode)
        return self.sockets.get(inode, "other")

    def of_process(self, pid: int, started: float | None) -> Whose:
        return self.processes.get(pid, "other")


@needs_linux
@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_descendants_socket_is_refused(token: str | None) -> None:
    family = Family()
    family.is_alone = True
    bearer = [BEARER] if token else []
    with serving(token=token, kin=family) as daemon, ExitStack() as stack:
        tool, other, hijack = (stack.enter_context(Connection(daemon.port)) for _ in range(3))
        request = daemon.bytes_of("POST /api/echo", *bearer)
        sockets = [os.fstat(each.socket.fileno()).st_ino for each in (tool, hijack)]
        family.sockets = dict.fromkeys(sockets, "ours")
        tool.send(request)
        assert tool.read().status == 200
        assert not family.asked  # no socket is looked up while no process descends from the daemon
        family.is_alone = False
        with daemon.unreached():
            tool.send(request)  # on the connection whose first request was served
            is_refusal(tool.read(), 403, "peer_refused")
            hijack.send(daemon.bytes_of("GET /ws", *HANDSHAKE, *bearer))
            is_refusal(hijack.read(), 403, "peer_refused")
        assert family.asked == sockets
        other.send(request)
        assert other.read().status == 200


@needs_linux
def test_a_client_that_is_not_found_needs_a_token() -> None:
    family = Family()
    for token, status in ((None, 403), (TOKEN, 200)):
        with serving(token=token, kin=family) as daemon, Connection(daemon.port) as hiding:
            family.sockets = {os.fstat(hiding.socket.fileno()).st_ino: "unknown"}
            hiding.send(daemon.bytes_of("POST /api/echo", *([BEARER] if token else [])))
            answer = hiding.read()
            assert answer.status == status
            if status == 403:
                is_refusal(answer, 403, "peer_refused")
                assert "ASTER_SIDECAR_TOKEN" in answer.json()["hint"]


def test_over_a_unix_socket_the_token_counts_and_host_and_origin_do_not(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(path)
    bound.listen()
    with serving(bound=bound, framework="tauri", parser=listening.Protocol) as daemon:

        def ask(line: str, *headers: str) -> Answer:
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(path)
            with Connection.over(connected) as connection:
                connection.send("\r\n".join([f"{line} HTTP/1.1", *headers, "", ""]).encode())
                return connection.read()

        foreign = ("Host: aster", "Origin: http://evil.com", "Sec-Fetch-Site: cross-site")
        assert ask("GET /health", *foreign).status == 200
        answer = ask("POST /api/echo", *foreign, BEARER)
        assert answer.status == 200
        allows(answer, None)
        allows(ask("GET /health", "Host: aster", "Origin: tauri://localhost"), None)
        assert ask("GET /ws", *foreign, *HANDSHAKE, BEARER).status == 101
        with daemon.unreached():
            is_refusal(ask("GET /api/echo", *foreign), 401, "token_refused")
            is_refusal(ask("GET /ws", *foreign, *HANDSHAKE), 401, "token_refused")
            is_refusal(ask("POST /api/echo", *foreign, BEARER, "Content-Length: 1"), 415, "wrong_media_type")


UNIX: Scope = {
    "type": "http",
    "method": "GET",
    "path": "/api/echo",
    "raw_path": b"/api/echo",
    "query_string": b"",
    "headers": [],
    "client": None,
    "server": ("/run/s", None),
}


def test_on_a_unix_socket_only_the_own_user_gets_in_and_only_when_the_kernel_says_so() -> None:
    own, family = os.geteuid(), Family()
    family.processes = {4711: "ours", 4712: "unknown"}
    for peer_is, refused in [
        (None, "peer_refused"),
        (peer_credentials.Credentials(own + 1, 1), "peer_refused"),
        (peer_credentials.Credentials(own, 4711), "peer_refused"),
        (peer_credentials.Credentials(own, 4712), "peer_refused"),
        (peer_credentials.Credentials(own, 4713), None),
    ]:
        said = call({**UNIX, "state": {"peer": peer_is}}, kin=family)
        assert (json.loads(said[1]["body"])["code"] if refused else said[0]["status"]) == (refused or 200)
    family.is_alone = True
    assert call({**UNIX, "state": {"peer": peer_credentials.Credentials(own, 4711)}}, kin=family)[0]["status"] == 200
