"""MCP servers as real processes: which tools they have, what a call shows and returns, and that no process is left."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from aster_sidecar.http.peer_ancestry import Ancestry
from aster_sidecar.services.keeper_client import KEEPER
from aster_sidecar.services.process_facts import started_at
from aster_sidecar.tools.base import Outcome, Surroundings, Tool, ToolError
from aster_sidecar.tools.mcp import servers as mcp
from aster_sidecar.tools.mcp import transports
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.connection import HTTP_CLOSE_S
from aster_sidecar.tools.mcp.results import RESULT_BYTES
from aster_sidecar.tools.mcp.servers import Servers
from aster_sidecar.tools.mcp.transports import EXIT_S, KILL_S, TERM_S
from tests.tools.support import Listener, Told, left, make_surroundings, until

pytest.importorskip("mcp")

SCRIPT = str(Path(__file__).parents[2] / "support" / "mcp_server.py")
STDIO = ServerSpec(name="docs", command=sys.executable, args=(SCRIPT,))


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for all tests here; at its end no process is left."""
    with asyncio.Runner() as runner:
        yield runner
        runner.run(until(lambda: left() == []))


@pytest.fixture(scope="module")
def docs(loop: asyncio.Runner) -> Iterator[Servers]:
    """A server that the tests share, because its start takes a second."""
    servers = Servers([STDIO])
    yield servers
    loop.run(closed(servers))
    assert running(servers) == 0


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    return make_surroundings(tmp_path)


def running(servers: Servers) -> int:
    """How many of the servers have processes."""
    return sum(server.connection.program is not None for server in servers._servers)


async def closed(servers: Servers, gone: Callable[[], bool] = lambda: True) -> None:
    """Close the servers.

    All have ended then; if the machine was so busy that `close` stopped waiting, they end soon after.
    """
    began = time.monotonic()
    await servers.close()
    took_s = time.monotonic() - began
    assert took_s < 20
    if took_s >= EXIT_S + TERM_S + KILL_S:
        await until(lambda: running(servers) == 0 and gone())
    assert running(servers) == 0
    assert gone()


def test_the_time_for_closing_is_what_is_promised() -> None:
    assert EXIT_S + TERM_S + 2 * KILL_S < 2
    assert HTTP_CLOSE_S + KILL_S < 2


@asynccontextmanager
async def serving(*given: ServerSpec) -> AsyncGenerator[Servers]:
    servers, before = Servers(given), left()
    try:
        yield servers
    finally:
        await closed(servers, lambda: [one for one in left() if one not in before] == [])


async def answered(servers: Servers) -> dict[str, Tool[Any]]:
    """Their tools, once each server has answered or failed."""
    servers.begin()
    await until(lambda: not any(server.starting for server in servers._servers), 60)
    return {tool.name: tool for tool in servers.tools()}


async def offered(servers: Servers) -> dict[str, Tool[Any]]:
    tools = await answered(servers)
    assert servers.missing() == []
    return tools


def troubles(servers: Servers) -> dict[str, str]:
    return {missing.server: missing.message for missing in servers.missing()}


async def run(tool: Tool[Any], context: Listener, **arguments: Any) -> Outcome:
    parsed = tool.arguments.model_validate(arguments)
    return await tool.run(parsed, tool.assess(parsed, context.surroundings), context)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- a server over stdio -------------------------------------------------------------------------------------------


def test_what_is_offered_and_how_a_call_is_judged(loop: asyncio.Runner, place: Surroundings) -> None:
    async def body() -> None:
        narrow = STDIO.model_copy(update={"tools": ("echo", "missing"), "name": "narrow", "risk": "medium"})
        async with serving(STDIO, narrow) as servers:
            tools = await answered(servers)
            said = "some tools of the MCP server narrow are not offered: missing: the server has no such tool"
            assert troubles(servers) == {"narrow": said}
            assert [name for name in tools if name.startswith("narrow")] == ["narrow_echo"]
            echo = tools["docs_echo"]
            assert echo.description == "Say it back."
            assert (echo.risk, tools["narrow_echo"].risk) == ("high", "medium")
            assert echo.arguments.model_json_schema()["required"] == ["text"]
            with pytest.raises(ValidationError, match="text: 3 is not of type 'string'"):
                echo.arguments.model_validate({"text": 3})
            found = echo.assess(echo.arguments.model_validate({"text": "a\u202eb\n\x1b"}), place)
            assert found.display == 'echo from the MCP server docs\n{\n  "text": "a‹U+202E›b\\n\\u001b"\n}'
            assert found.target == 'docs:echo:{"text":"a\u202eb\\n\\u001b"}'
            assert found.remember is not None
            assert (found.remember.kind, found.remember.value) == ("exact", found.target)
            assert "can't see what this MCP server does" in found.reason
            json.dumps(found.binding)
            with pytest.raises(ToolError, match="JSON"):
                echo.assess(echo.arguments.model_construct(text="\ud800"), place)

    loop.run(body())


def test_results(loop: asyncio.Runner, docs: Servers, place: Surroundings) -> None:
    async def body() -> None:
        tools, context = await offered(docs), Listener(place)
        assert (await run(tools["docs_echo"], context, text="hello")).value == {"text": "hello"}
        assert (await run(tools["docs_add"], context, a=1, b=2)).value == {"structured": {"sum": 3}}
        mixed = await run(tools["docs_mixed"], context)
        assert mixed.value == {
            "text": "see below",
            "other": ["image (image/png, 1.0 KiB)", "resource (file:///notes.txt, text/plain, 12 bytes)"],
        }
        large = await run(tools["docs_large"], context, size=100_000)
        assert large.truncated
        assert RESULT_BYTES - 4096 < len(json.dumps(large.value, ensure_ascii=False).encode()) <= RESULT_BYTES
        with pytest.raises(ToolError, match="fail"):
            await run(tools["docs_fail"], context)
        # Two calls at the same time in one session.
        both = await asyncio.gather(*(run(tools["docs_echo"], context, text=text) for text in "ab"))
        assert [one.value["text"] for one in both] == ["a", "b"]

    loop.run(body())


def test_progress_is_told(loop: asyncio.Runner, docs: Servers, place: Surroundings) -> None:
    async def body() -> None:
        tools, context = await offered(docs), Listener(place)
        await run(tools["docs_steps"], context)
        assert {one.message for one in context.told} <= {f"step {step}" for step in range(1, 5)}
        assert Told("step 1", None, None) in context.told

    loop.run(body())


def test_its_environment_has_no_secret_and_carries_the_mark(
    loop: asyncio.Runner, place: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("ASTER_SIDECAR_TOKEN", "canary")

    async def body() -> None:
        async with serving(STDIO.model_copy(update={"env": {"TOKEN": "mine"}, "cwd": str(place.work_dir)})) as servers:
            tools = await offered(servers)
            found = json.loads((await run(tools["docs_where"], Listener(place))).value["text"])
            assert "canary" not in json.dumps(found)
            assert found["env"]["TOKEN"] == "mine"
            assert found["env"]["ASTER_TOOL_CALL"].startswith(f"{os.getpid()}:mcp-docs-")
            assert found["cwd"] == str(place.work_dir)
            gate = Ancestry(lambda: KEEPER.pid)
            assert not gate.alone()
            assert gate.of_process(found["pid"], started_at(found["pid"])) == "ours", "it would be treated as a client"
            assert running(servers) == 1

    loop.run(body())


def test_cancelling_reaches_the_server(
    loop: asyncio.Runner, docs: Servers, place: Surroundings, tmp_path: Path
) -> None:
    async def body() -> None:
        tools, context, log = await offered(docs), Listener(place), tmp_path / "log"
        task = asyncio.create_task(run(tools["docs_wait"], context, log=str(log)))
        await until(lambda: log.exists() and log.read_text() == "began")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: log.read_text() == "cancelled")
        assert (await run(tools["docs_echo"], context, text="still here")).value == {"text": "still here"}

    loop.run(body())


def test_a_call_that_takes_too_long_is_given_up(
    loop: asyncio.Runner, place: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeout, timers = asyncio.timeout, list[asyncio.Timeout]()

    def from_then_on(delay: float | None) -> asyncio.Timeout:
        timers.append(timeout(None if delay == 1 else delay))
        return timers[-1]

    async def body() -> None:
        async with serving(STDIO.model_copy(update={"timeout_s": 1})) as servers:
            tools, log = await offered(servers), tmp_path / "log"
            with monkeypatch.context() as patched:
                # The timeout of 1 s starts when the server has begun the call, which takes longer on a busy machine.
                patched.setattr(asyncio, "timeout", from_then_on)
                call = asyncio.create_task(run(tools["docs_wait"], Listener(place), log=str(log)))
                await until(lambda: log.exists() and log.read_text() == "began")
                [waiting] = [timer for timer in timers if timer.when() is None]
                waiting.reschedule(asyncio.get_running_loop().time() + 1)
                with pytest.raises(ToolError, match="did not answer within 1 s"):
                    await call
            await until(lambda: log.read_text() == "cancelled")

    loop.run(body())


def test_a_server_can_not_ask_the_person(loop: asyncio.Runner, docs: Servers, place: Surroundings) -> None:
    async def body() -> None:
        tools = await offered(docs)
        with pytest.raises(ToolError) as caught:
            await run(tools["docs_ask"], Listener(place))
        assert "the person said" not in str(caught.value)

    loop.run(body())


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


def test_an_end_that_comes_late_does_not_hide_the_next_server(
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
            supervisor = servers._servers[0].connection._task
            with pytest.raises(ToolError, match="ended during the call"):
                await run(tools["docs_die"], context)
            await run(tools["docs_echo"], context, text="the next one")
            let_go.set()
            await until(lambda: supervisor is not None and supervisor.done())
            assert running(servers) == 1, "the late end of the first one must not end the second"

    loop.run(body())


def test_a_tool_that_changed_since_it_was_allowed_is_not_called(
    loop: asyncio.Runner, docs: Servers, place: Surroundings
) -> None:
    async def body() -> None:
        echo = (await offered(docs))["docs_echo"]
        parsed = echo.arguments.model_validate({"text": "x"})
        assessment = echo.assess(parsed, place)
        stale = replace(assessment, binding={**assessment.binding, "definition": "another"})
        with pytest.raises(ToolError, match="changed after the call was allowed"):
            await echo.run(parsed, stale, Listener(place))
        with pytest.raises(ToolError, match="not the arguments"):
            await echo.run(echo.arguments.model_validate({"text": "y"}), assessment, Listener(place))

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
        with socket.socket() as nobody:  # bound and not listening: no other program can get the port
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
            await until(lambda: not servers._servers[0].starting)
            assert servers.tools() == []
            servers.begin()
            assert not servers._servers[0].starting

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
            assert servers._servers[0].starting

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
                assert "docs_echo" in tools, "it failed once, and was restarted at once"
                return
            assert tools == {}
            assert "the database is locked" in troubles(servers)["docs"]
            servers.begin()
            assert not servers._servers[0].starting, "it was tried again without a delay"
            monkeypatch.setattr(servers._servers[0], "_due_s", 0.0)
            monkeypatch.setattr(mcp, "REACH_S", 3600)
            [missing] = await servers.reach()
            assert not missing.late
            assert servers._servers[0].starting, "reach() must not wait for a server that has failed"
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


# A server of an older protocol, as most are: without discovery, with a tool marked as harmless, and with questions.
OLDER = """
import json, sys
def send(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
def tool(name, **more): return {"name": name, "inputSchema": {"type": "object"}, **more}
for line in sys.stdin:
    asked = json.loads(line)
    method, number = asked.get("method"), asked.get("id")
    if method == "initialize":
        told = asked["params"]["capabilities"]
        send(id=number, result={"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                                "serverInfo": {"name": "older", "version": "1"}})
    elif method == "tools/list" and not asked.get("params", {}).get("cursor"):
        harmless = {"readOnlyHint": True, "destructiveHint": False}
        send(id=number, result={"tools": [tool("asks", annotations=harmless)], "nextCursor": "2"})
    elif method == "tools/list":
        broken = tool("broken", inputSchema={"type": "object", "properties": {"a": {"type": "x"}}})
        send(id=number, result={"tools": [tool("odd name/\u202e"), broken]})
    elif method == "tools/call":
        token = asked["params"]["_meta"]["progressToken"]
        send(method="notifications/progress", params={"progressToken": token, "progress": 1, "message": "a\u202eb"})
        answers = {}
        for kind in ("elicitation/create", "sampling/createMessage", "roots/list"):
            schema = {"type": "object", "properties": {}}
            messages = {"messages": [], "maxTokens": 1}
            params = {"elicitation/create": {"message": "?", "requestedSchema": schema}}.get(kind, messages)
            send(id=kind, method=kind, params=params if kind != "roots/list" else {})
            answers[kind] = "error" in json.loads(sys.stdin.readline())
        send(id=number, result={"content": [{"type": "text", "text": json.dumps([told, answers])}]})
    elif number is not None:
        send(id=number, error={"code": -32601, "message": "Method not found"})
"""


def test_an_older_server_is_spoken_to_and_not_believed(loop: asyncio.Runner, place: Surroundings) -> None:
    async def body() -> None:
        async with serving(ServerSpec(name="old", command=sys.executable, args=("-c", OLDER))) as servers:
            tools, context = await answered(servers), Listener(place)
            assert "broken: its schema is not valid" in troubles(servers)["old"]
            asks, odd = tools.values()
            assert odd.name.startswith("old_odd_name___")
            assert odd.assess(odd.arguments(), place).display.startswith("odd name/‹U+202E› from the MCP server old\n")
            assert asks.assess(asks.arguments(), place).risk == "high"
            told, answers = json.loads((await run(asks, context)).value["text"])
            assert told == {}
            assert answers == {"elicitation/create": True, "sampling/createMessage": True, "roots/list": True}
            assert context.told == [Told("a‹U+202E›b", None, None)]

    loop.run(body())


MANGLED_WORDS = {
    "half": b"a\\ud83db \\ud83d\\ude00 c\\\\ud83d",
    "bytes": b"a\xffb \xed\xa0\xbd",
    "nul": b"a\\u0000b",
    "raw_nul": b"a\0b",
    "plain": b"fine",
}
"""The texts of the tools in JSON, by the tool's name."""

# A server whose texts are broken in the way that its tool's name says.
MANGLED = r"""
import json, sys
out = sys.stdout.buffer
def send(text):
    out.write((text if isinstance(text, bytes) else text.encode()) + b"\n")
    out.flush()
def answer(number, result): send('{"jsonrpc":"2.0","id":%s,"result":%s}' % (json.dumps(number), result))
WORDS = {name: bytes.fromhex(words) for name, words in json.loads(sys.argv[1]).items()}
def tool(name):
    return b'{"name":"%s","description":"%s","inputSchema":{"type":"object","properties":{"%s":{"enum":["%s"]}}}}' % (
        name.encode(), WORDS[name], WORDS[name], WORDS[name])
BROKEN = {
    "no_json": '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"a" "b"}]}}',
    "id_last": '{"jsonrpc":"2.0","result":{"content":[{"type":"text","text":"}]},"id":ID}',
    "no_object": '{"jsonrpc":"2.0","id":ID,"result":"done"}',
    "no_answer": '{"jsonrpc":"2.0","id":ID}',
    "cut": '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"te',
    "no_result": '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":7}]}}',
    "deep": '{"jsonrpc":"2.0","id":ID,"result":' + '{"a":' * 5000 + '1' + '}' * 5000 + '}',
}
for line in sys.stdin:
    asked = json.loads(line)
    method, number = asked.get("method"), asked.get("id")
    if method == "initialize":
        answer(number, json.dumps({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                                   "serverInfo": {"name": "m", "version": "1"}}))
    elif method == "tools/list":
        more = [b'{"name":"%s","inputSchema":{"type":"object"}}' % name.encode() for name in (*BROKEN, "log")]
        send(b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[%s]}}' % (
            number, b",".join([*(tool(name) for name in WORDS), *more])))
    elif method == "tools/call":
        name = asked["params"]["name"]
        if name in BROKEN:
            send(BROKEN[name].replace("ID", str(number)))
            continue
        if name == "log":
            send("[DEBUG] about to send {\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{" % number)
            send("{")
            send("{\"id\": %d, \"method\": \"x\", \"params\": 7}" % number)
            name = "plain"
        send(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"%s"}]}}' % (number, WORDS[name]))
    elif number is not None:
        send('{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}' % json.dumps(number))
"""
TEXTS = {
    "half": "a\ufffdb \U0001f600 c\\ud83d",
    "bytes": "a\ufffdb \ufffd\ufffd\ufffd",
    "nul": "a\ufffdb",
    "raw_nul": "a\ufffdb",
    "plain": "fine",
}


@pytest.fixture(scope="module")
def mangling(loop: asyncio.Runner) -> Iterator[Servers]:
    words = json.dumps({name: words.hex() for name, words in MANGLED_WORDS.items()})
    servers = Servers([ServerSpec(name="m", command=sys.executable, args=("-c", MANGLED, words), timeout_s=3600)])
    yield servers
    loop.run(closed(servers))


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_text_is_replaced_and_the_rest_of_the_server_works(
    loop: asyncio.Runner, mangling: Servers, place: Surroundings, name: str
) -> None:
    async def body() -> None:
        tools = await offered(mangling)
        tool = tools[f"m_{name}"]
        assert tool.description == TEXTS[name]
        assert tool.arguments.model_json_schema()["properties"] == {TEXTS[name]: {"enum": [TEXTS[name]]}}
        assert (await run(tool, Listener(place))).value == {"text": TEXTS[name]}

    loop.run(body())


@pytest.mark.parametrize("name", ["no_json", "id_last", "no_object", "no_answer", "cut", "no_result", "deep"])
def test_an_answer_that_can_not_be_read_ends_its_call_in_words(
    loop: asyncio.Runner, mangling: Servers, place: Surroundings, name: str
) -> None:
    async def body() -> None:
        tools, context = await offered(mangling), Listener(place)
        with pytest.raises(ToolError) as caught:
            async with asyncio.timeout(60):
                await run(tools[f"m_{name}"], context)
        if name != "no_result":
            assert "its answer can't be read" in str(caught.value)
        assert (await run(tools["m_plain"], context)).value == {"text": "fine"}

    loop.run(body())


def test_a_log_between_its_messages_ends_no_call(loop: asyncio.Runner, mangling: Servers, place: Surroundings) -> None:
    async def body() -> None:
        tools = await offered(mangling)
        assert (await run(tools["m_log"], Listener(place))).value == {"text": "fine"}

    loop.run(body())


# A server whose lists and answers are partly valid: each tool's name says what is wrong with it.
ODD = r"""
import json, os, sys
out = sys.stdout.buffer
def send(value):
    out.write((value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n")
    out.flush()
LISTED = [
    {"name": "empty", "inputSchema": {}},
    {"name": "none", "inputSchema": None},
    {"name": "missing", "description": 7, "annotations": "x"},
    {"name": "any_of", "inputSchema": {"anyOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}]}},
    {"name": "expression", "inputSchema": {"properties": {"a": {"type": "string", "pattern": r"^(?<b>\p{L})$"}}}},
    {"name": "evil", "inputSchema": {"type": "object"}, "outputSchema": {
        "type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}},
    {"name": "text", "inputSchema": {"type": "string"}},
    {"name": 5, "inputSchema": {"type": "object"}},
    None,
]
GOOD = {"content": [{"type": "text", "text": "fine"}]}
KINDS = [{"type": "hologram", "data": 1}, "plain", {"type": "text", "text": "fine"}]
ANSWERS = {
    "batch": lambda i: [{"jsonrpc": "2.0", "method": "notifications/message"},
                        {"jsonrpc": "2.0", "id": i, "result": GOOD}],
    "float": lambda i: {"jsonrpc": "2.0", "id": float(i), "result": GOOD},
    "mark": lambda i: b"\xef\xbb\xbf" + json.dumps({"jsonrpc": "2.0", "id": i, "result": GOOD}).encode(),
    "no_version": lambda i: {"id": i, "result": GOOD},
    "no_content": lambda i: {"jsonrpc": "2.0", "id": i, "result": {}},
    "kinds": lambda i: {"jsonrpc": "2.0", "id": i, "result": {"content": KINDS}},
    "evil": lambda i: {"jsonrpc": "2.0", "id": i,
                       "result": {"content": [], "structuredContent": {"a": "a" * 64 + "!"}}},
    "no_words": lambda i: {"jsonrpc": "2.0", "id": i, "error": {"code": -5}},
    "no_code": lambda i: {"jsonrpc": "2.0", "id": i, "error": {"message": "the disk is full"}},
    "no_error": lambda i: {"jsonrpc": "2.0", "id": i, "error": "the disk is full"},
    "no_id": lambda i: {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "not understood"}},
    "no_list": lambda i: {"jsonrpc": "2.0", "id": i, "result": {"content": "fine"}},
}
LISTED += [{"name": name, "inputSchema": {"type": "object"}} for name in ANSWERS if name != "evil"]
for line in sys.stdin:
    asked = json.loads(line)
    method, number = asked.get("method"), asked.get("id")
    if method == "initialize":
        send({"jsonrpc": "2.0", "id": number, "result": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "o", "version": "1"}}})
    elif method == "tools/list":
        send({"jsonrpc": "2.0", "id": number, "result": {"tools": LISTED}})
    elif method == "tools/call":
        send({"level": "error", "error": "a line of a log", "method": "GET"})
        send({"error": "a line of a log"})
        answer = ANSWERS.get(asked["params"]["name"])
        send(answer(number) if answer else {"jsonrpc": "2.0", "id": number, "result": GOOD})
    elif number is not None:
        send({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "Method not found"}})
"""


@pytest.fixture(scope="module")
def odd(loop: asyncio.Runner) -> Iterator[Servers]:
    servers = Servers([ServerSpec(name="o", command=sys.executable, args=("-c", ODD), timeout_s=3600)])
    yield servers
    loop.run(closed(servers))


def test_a_tool_with_an_odd_schema_costs_no_other_tool(loop: asyncio.Runner, odd: Servers, place: Surroundings) -> None:
    async def body() -> None:
        tools = await answered(odd)
        assert troubles(odd)["o"] == (
            "some tools of the MCP server o are not offered:"
            " text: its schema is not one of an object; one: a tool must have a name"
        )
        empty = {"type": "object", "properties": {}}
        assert [tools[f"o_{name}"].arguments.model_json_schema() for name in ("empty", "none", "missing")] == [
            empty
        ] * 3
        any_of = tools["o_any_of"].arguments
        assert any_of.model_json_schema() == {
            "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
        }  # fmt: skip
        with pytest.raises(ValidationError):
            any_of.model_validate({"b": 1})
        tools["o_expression"].arguments.model_validate({"a": "x"})
        assert (await run(tools["o_any_of"], Listener(place), a=1)).value == {"text": "fine"}

    loop.run(body())


def test_a_tool_that_is_named_and_can_not_be_read_says_why(loop: asyncio.Runner) -> None:
    async def body() -> None:
        spec = ServerSpec(name="o", command=sys.executable, args=("-c", ODD), tools=("text", "empty", "nowhere"))
        async with serving(spec) as servers:
            assert list(await answered(servers)) == ["o_empty"]
            said = "text: its schema is not one of an object; nowhere: the server has no such tool"
            assert said in troubles(servers)["o"]

    loop.run(body())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, "fine") for name in ("batch", "float", "mark", "no_version")),
        ("no_content", ""),
        ("kinds", "[content of an unknown kind: hologram]\nplain\nfine"),
    ],
)
def test_an_answer_in_an_odd_form_is_understood(
    loop: asyncio.Runner, odd: Servers, place: Surroundings, name: str, text: str
) -> None:
    async def body() -> None:
        tools = await answered(odd)
        assert (await run(tools[f"o_{name}"], Listener(place))).value == {"text": text}

    loop.run(body())


def test_the_schema_of_results_is_not_checked(loop: asyncio.Runner, odd: Servers, place: Surroundings) -> None:
    """A regular expression in it could stop the daemon."""

    async def body() -> None:
        tools = await answered(odd)
        assert (await run(tools["o_evil"], Listener(place))).value == {"structured": {"a": "a" * 64 + "!"}}

    loop.run(body())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_words", 'o: it failed, and reports only: {"code":-5}'),
        ("no_code", "o: the disk is full"),
        ("no_error", "o: the disk is full"),
        ("no_id", "o: not understood"),
        ("no_list", "o: its answer can't be read: content: Input should be a valid list"),
    ],
)
def test_an_error_in_an_odd_form_keeps_its_words(
    loop: asyncio.Runner, odd: Servers, place: Surroundings, name: str, said: str
) -> None:
    async def body() -> None:
        tools = await answered(odd)
        with pytest.raises(ToolError) as caught:
            await run(tools[f"o_{name}"], Listener(place))
        assert str(caught.value) == said

    loop.run(body())


class Mangling(BaseHTTPRequestHandler):
    """A mangling server over HTTP: lists as one JSON body, and answers to calls as events in small pieces."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, number = asked.get("method"), asked.get("id")
        results = {
            "initialize": b'{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"m","version":"1"}}',
            "tools/list": b'{"tools":[%s]}'
            % b",".join(
                b'{"name":"%s","description":"%s","inputSchema":{"type":"object"}}' % (name.encode(), words)
                for name, words in MANGLED_WORDS.items()
            ),
            "tools/call": b'{"content":[{"type":"text","text":"%s"}]}'
            % MANGLED_WORDS.get(asked.get("params", {}).get("name"), b""),
        }
        if number is None:
            self._answer(202, "application/json", b"")
        elif method not in results:
            unknown = b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"Method not found"}}' % number
            self._answer(200, "application/json", unknown)
        else:
            body = b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (number, results[method])
            if method == "tools/call":
                self._answer(200, "text/event-stream", b"event: message\r\ndata: " + body + b"\r\n\r\n")
            else:
                self._answer(200, "application/json", body)

    def do_GET(self) -> None:
        self._answer(405, "text/plain", b"")

    do_DELETE = do_GET

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), 7):
            self.wfile.write(body[start : start + 7])
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None: ...


def test_what_is_no_text_is_replaced_over_http_too(loop: asyncio.Runner, place: Surroundings) -> None:
    async def body(url: str) -> None:
        async with serving(ServerSpec(name="m", url=url, timeout_s=600)) as servers:
            tools, context = await offered(servers), Listener(place)
            assert {name: tool.description for name, tool in tools.items()} == {f"m_{n}": t for n, t in TEXTS.items()}
            for name, text in TEXTS.items():
                assert (await run(tools[f"m_{name}"], context)).value == {"text": text}

    with ThreadingHTTPServer(("127.0.0.1", 0), Mangling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            loop.run(body(f"http://127.0.0.1:{server.server_address[1]}/mcp"))
        finally:
            server.shutdown()


class Odd(BaseHTTPRequestHandler):
    """A server over HTTP whose answer to a call depends on the tool's name."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, number, name = asked.get("method"), asked.get("id"), asked.get("params", {}).get("name")
        told = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "h", "version": "1"}}
        names = ("batch", "no_words", "mark", "cut", "refused", "gone", "event", "flood", "flood_of_events")
        text = {"content": [{"type": "text", "text": "fine"}]}
        results = {"initialize": told, "tools/list": {"tools": [{"name": one} for one in names]}, "tools/call": text}
        if method not in results:
            error = {"code": -32601, "message": "Method not found"}
            self._json({"jsonrpc": "2.0", "id": number, "error": error}, 202 if number is None else 200)
            return
        good = {"jsonrpc": "2.0", "id": number, "result": results[method]}
        if name == "batch":
            self._json([good])
        elif name == "no_words":
            self._json({"jsonrpc": "2.0", "id": number, "error": {"code": -5}})
        elif name == "mark":
            self._body(200, "application/json", b"\xef\xbb\xbf" + json.dumps(good).encode())
        elif name == "cut":
            self._body(200, "application/json", json.dumps(good).encode()[:-9])
        elif name == "refused":
            self._json({"error": "unauthorized"}, 401)
        elif name == "gone":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif name == "event":
            self._body(
                200, "text/event-stream", b"data: " + json.dumps({**good, "id": float(number)}).encode() + b"\n\n"
            )
        elif name in ("flood", "flood_of_events"):
            self._flood("application/json" if name == "flood" else "text/event-stream")
        else:
            self._json(good)

    def do_GET(self) -> None:
        self._body(405, "text/plain", b"")

    do_DELETE = do_GET

    def _json(self, value: Any, status: int = 200) -> None:
        self._body(status, "application/json", json.dumps(value).encode())

    def _body(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _flood(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(OSError):  # the reader closes the connection
            while True:
                self.wfile.write(b"data: " + b"x" * 65536)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("batch", None),
        ("mark", None),
        ("event", None),
        ("no_words", 'h: it failed, and reports only: {"code":-5}'),
        ("cut", "h: its answer can't be read: Invalid JSON"),
        ("refused", "h: it answered with HTTP 401 Unauthorized"),
        ("gone", "h: it ended during the call"),
        ("flood", "h: its answer can't be read: a message was larger than 16.0 MiB"),
        ("flood_of_events", "a message was larger than 16.0 MiB"),
    ],
)
def test_odd_answers_over_http(loop: asyncio.Runner, place: Surroundings, name: str, said: str | None) -> None:
    async def body(url: str) -> None:
        async with serving(ServerSpec(name="h", url=url, timeout_s=600)) as servers:
            tools, context = await answered(servers), Listener(place)
            if said is None:
                assert (await run(tools[f"h_{name}"], context)).value == {"text": "fine"}
                return
            with pytest.raises(ToolError) as caught:
                async with asyncio.timeout(60):
                    await run(tools[f"h_{name}"], context)
            assert said in str(caught.value)
            assert "pydantic" not in str(caught.value)

    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            loop.run(body(f"http://127.0.0.1:{server.server_address[1]}/mcp"))
        finally:
            server.shutdown()


# --- a server over http --------------------------------------------------------------------------------------------


@pytest.fixture
def http() -> Generator[str]:
    """The address of a server over streamable HTTP. The server gets an open socket, so early clients wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, SCRIPT, "http", str(descriptor)], stderr=subprocess.DEVNULL, pass_fds=[descriptor]
        )
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def test_over_http(
    loop: asyncio.Runner, place: Surroundings, http: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # loopback never goes through a proxy

    async def body() -> None:
        async with serving(ServerSpec(name="web", url=http, timeout_s=40)) as servers:
            tools, context, log = await offered(servers), Listener(place), tmp_path / "log"
            assert (await run(tools["web_echo"], context, text="hello")).value == {"text": "hello"}
            await run(tools["web_steps"], context)
            assert any(one.message == "step 1" for one in context.told)
            task = asyncio.create_task(run(tools["web_wait"], context, log=str(log)))
            await until(lambda: log.exists() and log.read_text() == "began")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: log.read_text() == "cancelled")
            with pytest.raises(ToolError):
                await run(tools["web_ask"], context)
            with pytest.raises(ToolError):
                await run(tools["web_die"], context)
            assert running(servers) == 0

    loop.run(body())
