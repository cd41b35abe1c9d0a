"""MCP servers whose messages are not valid JSON or text."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator

import pytest

from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.servers import Servers
from tests.tools.mcp.support import MANGLED_WORDS, TEXTS, closed, offered, run
from tests.tools.support import Listener

pytest.importorskip("mcp")


# A server whose answer is broken in the way that the name of the tool says.
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
