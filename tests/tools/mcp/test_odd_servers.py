"""MCP servers of older protocols, and servers whose lists and answers follow the protocol only in part."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from aster_sidecar.asking.forms import Form
from aster_sidecar.tools.base import QuestionEnd, Surroundings, ToolError
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.servers import Servers
from tests.tools.mcp.support import answered, closed, run, serving, troubles
from tests.tools.support import Listener, Told

pytest.importorskip("mcp")


# A server of an older protocol, as most servers are. It has no discovery, declares a tool harmless, and sends requests.
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
            tools = await answered(servers)
            context = Listener(place, answers=[QuestionEnd("", "declined", {}, None)])
            assert "broken: its schema is not valid" in troubles(servers)["old"]
            asks, odd = tools.values()
            assert odd.name.startswith("old_odd_name___")
            assert odd.assess(odd.arguments(), place).display.startswith("odd name/‹U+202E› from the MCP server old\n")
            assert asks.assess(asks.arguments(), place).risk == "high"
            told, answers = json.loads((await run(asks, context)).value["text"])
            assert told == {"roots": {"listChanged": True}, "elicitation": {"form": {}, "url": {}}}
            assert answers == {"elicitation/create": False, "sampling/createMessage": True, "roots/list": False}
            assert context.asked == [Form((), "?", "old")]
            assert context.told == [Told("a‹U+202E›b", None, None)]

    loop.run(body())


# A server whose lists and answers are partly wrong. The name of a tool says what is wrong.
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
    """A regular expression in the schema could block the daemon."""

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
