"""The process of an MCP server: its start, failures, restarts and end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.mcp import server as mcp
from aster_sidecar.tools.mcp import transports
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.connection import HTTP_CLOSE_S
from aster_sidecar.tools.mcp.servers import Servers
from aster_sidecar.tools.mcp.transports import EXIT_S, KILL_S, TERM_S
from tests.tools.mcp.support import (
    SCRIPT,
    STDIO,
    alive,
    answered,
    closed,
    nth,
    offered,
    run,
    running,
    serving,
    troubles,
)
from tests.tools.support import Listener, until

pytest.importorskip("mcp")


def test_the_time_for_closing_is_what_is_promised() -> None:
    assert EXIT_S + TERM_S + 2 * KILL_S < 2
    assert HTTP_CLOSE_S + KILL_S < 2


def test_a_server_that_died_is_started_again(loop: asyncio.Runner, docs: Servers, place: Surroundings) -> None:
    async def body() -> None:
        tools, context = await offered(docs), Listener(place)
        where = tools["docs_where"]
        before = json.loads((await run(where, context)).value["text"])["pid"]
        with pytest.raises(ToolError, match="ended during the call"):
            await run(tools["docs_die"], context)
        after = json.loads((await run(where, context)).value["text"])["pid"]
        assert before != after
        assert not alive(before)

    loop.run(body())


def test_no_second_process_is_started_before_the_first_has_ended(
    loop: asyncio.Runner, place: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        let_go, ends, end = asyncio.Event(), list[Any](), transports.end_program

        async def late(*given: Any) -> None:
            ends.append(given)
            if len(ends) == 1:
                await let_go.wait()
            await end(*given)

        monkeypatch.setattr(transports, "end_program", late)
        async with serving(STDIO) as servers:
            tools, context = await offered(servers), Listener(place)
            supervisor = nth(servers).connection._task
            with pytest.raises(ToolError, match="ended during the call"):
                await run(tools["docs_die"], context)
            with pytest.raises(ToolError, match="its earlier process has not ended yet"):
                await run(tools["docs_echo"], context, text="too early")
            let_go.set()
            await until(lambda: supervisor is not None and supervisor.done())
            await run(tools["docs_echo"], context, text="the next one")
            assert running(servers) == 1

    loop.run(body())


@pytest.mark.skipif(sys.platform != "linux", reason="found by its ancestors")
def test_close_ends_what_a_server_left_behind(loop: asyncio.Runner, place: Surroundings) -> None:
    async def body() -> None:
        async with serving(STDIO) as servers:
            tools, context = await offered(servers), Listener(place)
            spawned = int((await run(tools["docs_spawn"], context)).value["text"])
            assert alive(spawned)
            waiting = asyncio.create_task(run(tools["docs_wait"], context, log=os.devnull))
            await asyncio.sleep(0)
            await closed(servers, lambda: not alive(spawned))
            with pytest.raises(ToolError):
                await waiting
            with pytest.raises(ToolError, match="shut down"):
                await run(tools["docs_echo"], context, text="late")

    loop.run(body())


def test_a_server_that_fails_is_left_out(loop: asyncio.Runner) -> None:
    async def body() -> None:
        with socket.socket() as nobody:  # bound, but not listening: no other program can get the port
            nobody.bind(("127.0.0.1", 0))
            await without(f"http://127.0.0.1:{nobody.getsockname()[1]}/mcp")

    async def without(nowhere: str) -> None:
        code = "import sys; print('no such database: sk-canary-77', file=sys.stderr); sys.exit(3)"
        given = (
            STDIO,
            ServerSpec(name="missing", command="no-such-program-of-anybody"),
            ServerSpec(name="ends", command=sys.executable, args=("-c", code), env={"KEY": "sk-canary-77"}),
            ServerSpec(name="garbage", command=sys.executable, args=("-c", "print('{}\\nhello')")),
            ServerSpec(name="nowhere", url=nowhere),
        )
        async with serving(*given) as servers:
            assert "docs_echo" in await answered(servers)
            told = troubles(servers)
            assert set(told) == {"missing", "ends", "garbage", "nowhere"}
            assert "no-such-program-of-anybody was not found on PATH" in told["missing"]
            assert "no such database: ***" in told["ends"]
            assert running(servers) == 1

    loop.run(body())


SILENT = ServerSpec(name="silent", command=sys.executable, args=("-c", "import sys; sys.stdin.buffer.read()"))


def test_closing_while_it_connects_ends_it(loop: asyncio.Runner) -> None:
    async def body() -> None:
        async with serving(SILENT) as servers:
            servers.begin()
            await until(lambda: running(servers) == 1)
            await closed(servers)
            await until(lambda: not nth(servers).starting)
            assert servers.tools() == []
            servers.begin()
            assert not nth(servers).starting

    loop.run(body())


def test_giving_up_while_it_connects_ends_it(loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "START_S", 0.5)

    async def body() -> None:
        async with serving(SILENT) as servers:
            assert await answered(servers) == {}
            assert "did not answer within 0.5 s" in troubles(servers)["silent"]
            assert running(servers) == 0

    loop.run(body())


def test_a_server_that_lets_one_wait_in_vain_is_not_waited_for_again(
    loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp, "REACH_S", 0.2)

    async def body() -> None:
        async with serving(SILENT) as servers:
            [missing] = await servers.reach()
            assert (missing.server, missing.late) == ("silent", True)
            assert "has not answered yet" in missing.message
            monkeypatch.setattr(mcp, "REACH_S", 3600)
            assert await servers.reach(["silent_a"]) == [missing]
            assert await servers.reach(["read_file", "silently"]) == []
            assert servers.why_absent("silent_a") == missing
            assert servers.why_absent("other_a") is None

    loop.run(body())


def test_each_server_is_waited_for_by_itself(loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "REACH_S", 3600)

    async def body() -> None:
        async with serving(SILENT, STDIO) as servers:
            servers.begin()
            assert await servers.reach(["docs_echo"]) == []
            assert "docs_echo" in {tool.name for tool in servers.tools()}
            assert nth(servers).starting

    loop.run(body())


FAILS_AT_FIRST = """
import pathlib, sys
lives = pathlib.Path(sys.argv[1])
lives.write_text(lives.read_text() + "x")
if len(lives.read_text()) <= int(sys.argv[2]):
    sys.exit("the database is locked")
sys.argv = sys.argv[3:]
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("failures", [1, 2])
def test_a_server_that_failed_is_tried_again(
    loop: asyncio.Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    lives = tmp_path / "lives"
    lives.write_text("")
    spec = ServerSpec(
        name="docs", command=sys.executable, args=("-c", FAILS_AT_FIRST, str(lives), str(failures), SCRIPT)
    )

    async def body() -> None:
        async with serving(spec) as servers:
            tools = await answered(servers)
            if failures == 1:
                assert "docs_echo" in tools, "after the first failure, the server is started again at once"
                return
            assert tools == {}
            assert "the database is locked" in troubles(servers)["docs"]
            servers.begin()
            assert not nth(servers).starting, "the server was started again without a pause"
            monkeypatch.setattr(nth(servers), "_due_s", 0.0)
            monkeypatch.setattr(mcp, "REACH_S", 3600)
            [missing] = await servers.reach()
            assert not missing.late
            assert nth(servers).starting, "the call must not wait for a server that has failed"
            assert "docs_echo" in await answered(servers)
            assert servers.missing() == []

    loop.run(body())


def test_without_the_extra_it_says_what_to_install() -> None:
    script = (
        "import asyncio, sys\n"
        "sys.modules['mcp'] = None\n"
        "from aster_sidecar.tools.mcp.config import ServerSpec\n"
        "from aster_sidecar.tools.mcp.servers import Servers\n"
        "async def main():\n"
        "    servers = Servers([ServerSpec(name='a', command='x')])\n"
        "    [missing] = await servers.reach()\n"
        "    print(missing.message)\n"
        "    await servers.close()\n"
        "asyncio.run(main())\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'aster-sidecar[mcp]'" in told.stdout


def test_a_server_that_crashed_is_left_alone_and_tried_again_much_later(
    loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ServerSpec(name="docs", command=sys.executable, args=("-c", "exit('no network')"))
    monkeypatch.setattr(mcp, "RETRY_MOST_S", 0.0)

    async def body() -> None:
        async with serving(spec) as servers:
            for _ in range(mcp.CRASHES_MOST):
                assert await answered(servers) == {}
            assert nth(servers).state == "crashed"
            await answered(servers)
            assert nth(servers).info().failures == mcp.CRASHES_MOST
            monkeypatch.setattr(mcp, "REST_S", 0.0)
            servers.begin()
            assert nth(servers).state == "starting"

    loop.run(body())
