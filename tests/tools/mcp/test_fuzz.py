"""Whatever an MCP server writes: each call ends, with a result or an error in words, and the next one works.

The server writes what the call's argument says, and then, if that was no answer, a proper one.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.tools.base import Outcome, Surroundings, ToolError
from aster_sidecar.tools.mcp import lists
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.contents import prompt_text, resource_files
from aster_sidecar.tools.mcp.servers import Servers
from tests.tools.mcp.support import closed, nth, offered, run, running
from tests.tools.support import Listener, until

pytest.importorskip("mcp")

UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
WRITES = r"""
import base64, json, sys
out = sys.stdout.buffer
def send(data):
    out.write(data)
    out.flush()
def answer(number, result):
    send(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode() + b"\n")
listed = [{"name": name, "inputSchema": {"type": "object"}} for name in ("raw", "plain", "list")]
for line in sys.stdin:
    asked = json.loads(line)
    method, number = asked.get("method"), asked.get("id")
    if method == "initialize":
        answer(number, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}},
                        "serverInfo": {"name": "w", "version": "1"}})
    elif method == "tools/list":
        answer(number, {"tools": listed})
    elif method == "tools/call" and asked["params"]["name"] == "plain":
        answer(number, {"content": [{"type": "text", "text": "fine"}]})
    elif method == "tools/call":
        given = asked["params"]["arguments"]
        if "tools" in given:
            listed = [*listed[:3], *given["tools"]]
        send(base64.b64decode(given["raw"]).replace(b"@ID@", str(number).encode()) + b"\n")
        answer(number, {"content": [{"type": "text", "text": "late"}]})
    elif method in ("resources/read", "prompts/get") and "raw:" in str(asked["params"]):
        given = asked["params"].get("uri") or asked["params"]["name"]
        send(base64.b64decode(given.partition(":")[2]).replace(b"@ID@", str(number).encode()) + b"\n")
        answer(number, {"contents": [{"uri": "a", "text": "late"}], "messages": [{"role": "user", "content": "late"}]})
    elif number is not None and method is not None:
        send(json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "no"}}).encode() + b"\n")
"""

texts = st.text(max_size=20) | st.sampled_from(["", "text", "image", "resource", "AAAA", "@ID@", "\ud83d", "\0", "2.0"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
KEYS = ("jsonrpc", "id", "result", "error", "method", "params")
INNER = ("content", "structuredContent", "isError", "_meta", "tools", "code", "message", "data", "nextCursor", "type")
BLOCK = ("type", "text", "data", "mimeType", "resource", "uri", "blob", "name", "annotations")
blocks = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(BLOCK, values)) | values, max_size=4)
results = (
    st.fixed_dictionaries({"content": blocks}, optional=dict.fromkeys(INNER[1:], values))
    | st.fixed_dictionaries({}, optional=dict.fromkeys(INNER, values))
    | values
)
ids = st.just("@ID@") | values
METHODS = (
    "notifications/progress",
    "notifications/message",
    "notifications/cancelled",
    "notifications/tools/list_changed",
    "notifications/resources/updated",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "ping",
    "no/such",
)
messages = (
    st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "id": ids, "result": results})
    | st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "id": ids, "error": values})
    | st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "method": st.sampled_from(METHODS), "params": values})
    | st.fixed_dictionaries({"jsonrpc": values, "id": ids, "method": st.sampled_from(METHODS), "params": values})
    | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, values))
    | st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, values)), max_size=3)
)


def line_of(message: Any) -> bytes:
    text = json.dumps(message, ensure_ascii=False).replace('"@ID@"', "@ID@")
    return text.encode("utf-8", "surrogatepass")


def broken(line: bytes, cut: float, where: float, noise: bytes) -> bytes:
    """The line, cut off, with something in it that does not belong there."""
    line = line[: int(len(line) * cut)]
    at = int(len(line) * where)
    return line[:at] + noise + line[at:]


written = st.builds(line_of, messages)
output = (
    st.lists(written, min_size=1, max_size=4).map(b"\n".join)
    | st.builds(broken, written, st.floats(0, 1), st.floats(0, 1), st.binary(max_size=6))
    | st.binary(max_size=200)
)


@pytest.fixture(scope="module")
def writing(loop: asyncio.Runner) -> Iterator[Servers]:
    patch = pytest.MonkeyPatch()
    patch.setattr(lists, "AGAIN_S", 0.0)
    servers = Servers([ServerSpec(name="w", command=sys.executable, args=("-c", WRITES), timeout_s=60)])
    yield servers
    loop.run(closed(servers))
    patch.undo()


async def ends(servers: Servers, context: Listener, **arguments: Any) -> None:
    """A call that ends with a result that can be stored, or with an error in words; the next call works."""
    tools, said = {tool.name: tool for tool in servers.tools()}, "a result"
    try:
        async with asyncio.timeout(50):
            outcome = await run(tools["w_raw"], context, **arguments)
        assert isinstance(outcome, Outcome)
        json.dumps(outcome.value, allow_nan=False).encode()
    except ToolError as error:
        said = str(error)
    assert said.strip()
    async with asyncio.timeout(50):
        try:
            after = await run(tools["w_plain"], context)
        except ToolError:  # an error without an id answers the request that is open when it is read
            after = await run(tools["w_plain"], context)
        assert after.value == {"text": "fine"}
    assert running(servers) == 1


@settings(max_examples=150, deadline=None, suppress_health_check=UNCHECKED)
@given(raw=output)
def test_whatever_a_server_writes_the_call_ends(
    loop: asyncio.Runner, writing: Servers, place: Surroundings, raw: bytes
) -> None:
    async def body() -> None:
        await offered(writing)
        pid = nth(writing).info().pid
        await ends(writing, Listener(place), raw=base64.b64encode(raw).decode())
        assert nth(writing).info().pid == pid, "one odd message must not end the session"

    loop.run(body())


things = values | st.fixed_dictionaries(
    {},
    optional={
        "uri": values,
        "text": values,
        "blob": values,
        "mimeType": values,
        "role": st.sampled_from(["user", "assistant"]) | values,
        "content": values,
        "type": st.sampled_from(["text", "image", "audio", "resource", "resource_link"]),
        "resource": values,
        "data": values,
    },
)
given_things = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": st.just("@ID@")},
    optional={
        "result": st.fixed_dictionaries(
            {}, optional={"contents": st.lists(things, max_size=3), "messages": st.lists(things, max_size=3)}
        )
    },
).map(line_of)


@settings(max_examples=120, deadline=None, suppress_health_check=UNCHECKED)
@given(raw=given_things | output)
def test_whatever_a_resource_or_a_prompt_is_reading_it_ends(
    loop: asyncio.Runner, writing: Servers, place: Surroundings, raw: bytes
) -> None:
    async def body() -> None:
        await offered(writing)
        server, address = nth(writing), f"raw:{base64.b64encode(raw).decode()}"
        pid = server.info().pid
        said = ""

        async def read() -> object:
            return resource_files(await server.connection.read(address, place.work_dir))

        async def fill() -> object:
            return prompt_text(await server.connection.prompt(address, {}, place.work_dir))

        for taking in (read, fill):
            try:
                async with asyncio.timeout(50):
                    said = repr(await taking())
            except ToolError as error:
                said = str(error)
            assert said.strip()
        await ends(writing, Listener(place), raw=base64.b64encode(b"{}").decode())
        assert server.info().pid == pid, "one odd message must not end the session"

    loop.run(body())


NUMBERS = itertools.count()
tool_lists = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(min_size=1, max_size=80) | values,
            "title": values,
            "description": values,
            "inputSchema": st.fixed_dictionaries(
                {},
                optional=dict.fromkeys(("type", "properties", "required", "$ref", "anyOf", "items", "$defs"), values),
            )
            | values,
            "annotations": values,
            "execution": values,
        },
    )
    | values,
    max_size=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=UNCHECKED)
@given(tools=tool_lists)
def test_whatever_a_server_lists_its_other_tools_stay(
    loop: asyncio.Runner, writing: Servers, place: Surroundings, tools: list[Any]
) -> None:
    async def body() -> None:
        if not writing.tools():
            await offered(writing)
        server, seen = nth(writing), f"seen{next(NUMBERS)}"
        changed = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
        listed = [*json.loads(json.dumps(tools).replace("\\ud", "\\uf"), parse_constant=len), {"name": seen}]
        tool = next(tool for tool in writing.tools() if tool.name == "w_raw")
        await run(tool, Listener(place), raw=base64.b64encode(changed).decode(), tools=listed)
        await until(lambda: f"w_{seen}" in {one.name for one in writing.tools()}, 30)
        assert {"w_raw", "w_plain", "w_list"} <= {one.name for one in writing.tools()}
        for one in server.tool_list():
            one.model_dump_json()
        names = [tool.name for tool in writing.tools()]
        assert len(names) == len(set(names))

    loop.run(body())
