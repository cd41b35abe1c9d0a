"""A call of an MCP server's tool: its question, its result, its progress, its timeout and its cancellation."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from aster_sidecar.http.peer_ancestry import Ancestry
from aster_sidecar.services.keeper_client import KEEPER
from aster_sidecar.services.process_facts import started_at
from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.mcp.results import RESULT_BYTES
from aster_sidecar.tools.mcp.servers import Servers
from tests.tools.mcp.support import STDIO, answered, offered, run, running, serving, troubles
from tests.tools.support import Listener, Told, until

pytest.importorskip("mcp")


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
            "text": "see below\n[image 1.png]\n[file:///notes.txt, text/plain]\nSECRET NOTES",
        }
        large = await run(tools["docs_large"], context, size=100_000)
        assert large.truncated
        assert RESULT_BYTES - 4096 < len(json.dumps(large.value, ensure_ascii=False).encode()) <= RESULT_BYTES
        with pytest.raises(ToolError, match="fail"):
            await run(tools["docs_fail"], context)
        # Two calls at once, in one session with the server.
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
            whose = gate.of_process(found["pid"], started_at(found["pid"]))
            assert whose == "ours", "the daemon would answer requests of the server"
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
                # The timeout of 1 s starts when the server has begun the call, so that a slow machine does not matter.
                patched.setattr(asyncio, "timeout", from_then_on)
                call = asyncio.create_task(run(tools["docs_wait"], Listener(place), log=str(log)))
                await until(lambda: log.exists() and log.read_text() == "began")
                [waiting] = [timer for timer in timers if timer.when() is None]
                waiting.reschedule(asyncio.get_running_loop().time() + 1)
                with pytest.raises(ToolError, match="did not answer within 1 s"):
                    await call
            await until(lambda: log.read_text() == "cancelled")

    loop.run(body())


def test_a_server_of_the_newest_protocol_can_not_ask_beside_its_result(
    loop: asyncio.Runner, docs: Servers, place: Surroundings
) -> None:
    async def body() -> None:
        tools = await offered(docs)
        with pytest.raises(ToolError) as caught:
            await run(tools["docs_ask"], Listener(place))
        assert "the person said" not in str(caught.value)

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
