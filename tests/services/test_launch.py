"""Programs as tools, MCP servers and services start them, on every system."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from aster_sidecar.services import launch
from tests.tools.support import left

pytestmark = pytest.mark.skipif(os.name != "posix", reason="runs /bin/sh")
ENV = {"PATH": os.defpath}


def test_a_program_gets_its_input_directory_and_mark(tmp_path: Path) -> None:
    folder = str(tmp_path.resolve())

    async def body() -> None:
        argv = ["/bin/sh", "-c", "cat; pwd; echo $ASTER_TOOL_CALL; exit 3"]
        program = await launch.start(argv, cwd=folder, env=ENV, marker="the mark")
        assert program.stdin is not None
        program.stdin.write(b"in\n")
        program.stdin.close()
        assert await program.stdout.read() == f"in\n{folder}\nthe mark\n".encode()
        await program.exited
        assert program.returncode == 3
        assert await program.end() == (0, [])
        program.close()
        assert left() == []

    asyncio.run(body())


def test_a_command_line_has_an_empty_input(tmp_path: Path) -> None:
    async def body() -> None:
        program = await launch.start_shell("cat; kill -9 $$", cwd=str(tmp_path), env=ENV, marker="m")
        assert program.stdin is None
        assert await program.stdout.read() == b""
        await program.exited
        assert program.returncode == -9
        program.close()

    asyncio.run(body())


@pytest.mark.parametrize(("argv", "folder"), [(["/no/such/program"], "."), (["/bin/sh"], "/no/such/folder")])
def test_what_cannot_be_started_is_an_os_error(argv: list[str], folder: str) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(launch.start(argv, cwd=folder, env=ENV, marker="m"))


def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    async def body() -> None:
        starting = asyncio.create_task(launch.start(["/bin/sleep", "1000"], cwd=None, env=ENV, marker="m"))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert left() == []

    asyncio.run(body())
