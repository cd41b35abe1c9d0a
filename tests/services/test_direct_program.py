"""Programs where there is no keeper (macOS, Windows), as far as Linux can run them: a child, its group and its mark."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aster_sidecar.services import direct_program, launch
from aster_sidecar.services.launch import Program
from tests.flows.test_detached import alive, until, word
from tests.tools.support import left

pytestmark = pytest.mark.skipif(os.name != "posix", reason="runs /bin/sh")
ROOT = Path(__file__).parent.parent.parent
PATH = {"PATH": os.defpath}


async def start(command: str, marker: str, *, stdin: bool = False) -> Program:
    env = {**PATH, "ASTER_TOOL_CALL": marker}
    return await direct_program.start_direct(["/bin/sh", "-c", command], None, env, marker, stdin, 0.0)


def test_it_reads_writes_and_ends() -> None:
    async def body() -> None:
        program = await start("cat; echo err >&2; exit 3", f"{os.getpid()}:a", stdin=True)
        assert program.stdin is not None
        program.stdin.write(b"in")
        program.stdin.close()
        assert await program.stdout.read() == b"in"
        assert await program.stderr.read() == b"err\n"
        await program.exited
        assert program.returncode == 3
        assert await program.end() == (0, [])
        program.close()
        assert left() == []

    asyncio.run(body())


def test_what_it_started_ends_with_it() -> None:
    async def body() -> None:
        mark = word()
        inner = f"setsid sh -c 'sleep 1000; : {mark}' & sh -c 'sleep 1000; : {mark}' & echo up; sleep 1000"
        program = await start(inner, f"{os.getpid()}:{mark}")
        assert await program.stdout.readline() == b"up\n"
        others, survivors = await program.end(5, 5)
        assert others >= 2
        assert survivors == []
        assert program.returncode == -15
        program.close()
        assert alive(mark) == []
        assert left() == []

    asyncio.run(body())


def test_it_ends_when_the_daemon_is_killed() -> None:
    mark = word()
    source = (
        "import asyncio, os; from aster_sidecar.services import direct_program\n"
        "async def body():\n"
        f"    argv = ['/bin/sh', '-c', 'sleep 1000; : {mark}']\n"
        f"    await direct_program.start_direct(argv, None, {PATH!r}, 'x', False, 0.1)\n"
        "    print('up', flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(body())\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=env, timeout=60)
    assert (done.stdout, done.returncode) == ("up\n", -9)
    until(lambda: alive(mark) == [], f"left: {alive(mark)}")


def test_nobody_is_looked_for_before_the_first_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from aster_sidecar.http.peer_ancestry import Marked

    async def body() -> None:
        monkeypatch.setattr(direct_program, "was_started", False)
        family = Marked(launch.has_started_directly)
        assert family.alone()
        program = await start("sleep 1000", f"{os.getpid()}:b")
        assert not family.alone()
        assert family.of_process(program.pid, None) == "ours"
        assert family.of_process(os.getppid(), None) == "other"
        assert family.of_process(2**22 + 1, None) == "unknown"
        await program.end()
        program.close()

    asyncio.run(body())
