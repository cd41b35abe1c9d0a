"""Clients are distinguished by their ancestors: the daemon's own descendants from every other process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aster_sidecar.http.peer_ancestry import Ancestry
from aster_sidecar.services.keeper import stat

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ancestors are read from /proc")

HOLDER = "import os, socket, sys; s = socket.socket(); print(os.fstat(s.fileno()).st_ino, flush=True); sys.stdin.read()"
ALONE = """
import subprocess, sys
from aster_sidecar.http.peer_ancestry import Ancestry
keeper = None
ancestry = Ancestry(lambda: keeper)
said = [ancestry.alone()]
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
said.append(ancestry.alone())
keeper = child.pid
said.append(ancestry.alone())
child.communicate(b"\\n")
keeper = None
said.append(ancestry.alone())
print(said)
"""


@pytest.fixture
def ancestry() -> Generator[Ancestry]:
    made = Ancestry(lambda: None)
    yield made
    made.close()


@contextmanager
def holder() -> Generator[tuple[int, int]]:
    """The pid of a child that holds a socket, and the socket's inode."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
        child.communicate()


def started(pid: int) -> int:
    return int(stat(pid)[19])


def test_a_child_and_the_socket_it_holds_are_ours(ancestry: Ancestry) -> None:
    with holder() as (pid, inode):
        assert ancestry.of_process(pid, started(pid)) == "ours"
        assert asyncio.run(ancestry.of_socket(inode)) == "ours"
    assert ancestry.of_process(pid, 1) == "unknown"  # the process has ended
    assert asyncio.run(ancestry.of_socket(inode)) == "unknown"


def test_ancestors_and_the_daemon_itself_are_others(ancestry: Ancestry) -> None:
    here, parent = os.getpid(), os.getppid()
    assert ancestry.of_process(here, started(here)) == "other"
    assert ancestry.of_process(parent, started(parent)) == "other"


def test_a_process_that_took_over_a_pid_is_unknown(ancestry: Ancestry) -> None:
    with holder() as (pid, _):
        for claimed in (started(pid) - 1, started(pid) + 1):
            assert ancestry.of_process(pid, claimed) == "unknown"
        assert ancestry.of_process(pid, None) == "unknown"


def test_a_daemon_is_alone_until_it_starts_a_process_that_is_not_its_keeper() -> None:
    told = subprocess.run(
        [sys.executable, "-c", ALONE],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert told.stdout.strip() == "[True, False, True, True]"
