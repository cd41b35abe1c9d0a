"""A real MCP server that asks the person: of protocol 2026-07-28, or with `old` of the one before it.

Its state can be read after it was started again. With `http DESCRIPTOR` it serves streamable HTTP on a socket.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import uvicorn
from mcp.server.context import CallNext, ServerRequestContext
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve
from mcp.server.request_state import RequestStateSecurity
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError
from mcp.shared.message import SessionMessage
from mcp.types import (
    METHOD_NOT_FOUND,
    ElicitRequest,
    ElicitRequestFormParams,
    ErrorData,
    JSONRPCError,
    JSONRPCRequest,
    ListRootsResult,
)
from mcp_types import CallToolResult, ElicitRequestURLParams, InputRequiredResult, TextContent
from pydantic import BaseModel, Field

OLD = "old" in sys.argv


async def without_discovery(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> Any:
    """Answer over HTTP as a server that does not know the newest protocol."""
    if ctx.method == "server/discover":
        raise MCPError(code=METHOD_NOT_FOUND, message="Method not found")
    return await call_next(ctx)


server = MCPServer(
    "asking",
    request_state_security=RequestStateSecurity(keys=["a key that outlives the process, 32 bytes"], ttl=3600),
    middleware=[without_discovery] if OLD else [],
)


class Booking(BaseModel):
    name: str = Field(min_length=2, description="Who comes")
    seats: int = Field(default=2, ge=1, le=8)
    table: Literal["window", "garden"] = "window"


class Sure(BaseModel):
    sure: bool


def booking(day: str) -> Elicit[Booking]:
    return Elicit(f"A table for {day}:", Booking)


def sure(found: Annotated[ElicitationResult[Booking], Resolve(booking)]) -> Elicit[Sure]:
    return Elicit(f"Really, {found.data.name if found.action == 'accept' else found.action}?", Sure)


def weather() -> Elicit[Sure]:
    return Elicit("Also when it rains?", Sure)


def done(log: str, words: str) -> str:
    """Write down that a tool came to its end."""
    with open(log, "a") as file:
        file.write(words + "\n")
    return words


def said(found: Any) -> str:
    return json.dumps(found.data.model_dump()) if found.action == "accept" else found.action


@server.tool(structured_output=False)
async def book(day: str, log: str, found: Annotated[ElicitationResult[Booking], Resolve(booking)]) -> str:
    """Ask once."""
    return done(log, f"{day}: {said(found)}")


@server.tool(structured_output=False)
async def book_twice(
    day: str,
    log: str,
    found: Annotated[ElicitationResult[Booking], Resolve(booking)],
    confirmed: Annotated[ElicitationResult[Sure], Resolve(sure)],
) -> str:
    """Ask, and then once more."""
    return done(log, f"{day}: {said(found)}, {said(confirmed)}")


@server.tool(structured_output=False)
async def book_both(
    day: str,
    log: str,
    found: Annotated[ElicitationResult[Booking], Resolve(booking)],
    rain: Annotated[ElicitationResult[Sure], Resolve(weather)],
    roots: Annotated[ListRootsResult, Resolve(lambda: ListRoots())],
) -> str:
    """Ask two things at once, and for roots."""
    return done(log, f"{day}: {said(found)}, {said(rain)}, {[str(root.uri) for root in roots.roots]}")


def at_round(ctx: Context, params: ElicitRequestFormParams | ElicitRequestURLParams) -> InputRequiredResult:
    return InputRequiredResult(input_requests={"one": ElicitRequest(params=params)}, request_state="waiting")


def answered(ctx: Context) -> CallToolResult | None:
    told = (ctx.input_responses or {}).get("one")
    if told is None:
        return None
    return CallToolResult(content=[TextContent(type="text", text=told.model_dump_json(exclude_none=True))])


@server.tool(structured_output=False)
async def ask_form(schema: dict[str, Any], ctx: Context, message: str = "?") -> CallToolResult | InputRequiredResult:
    """Ask with any schema."""
    if not OLD:
        return answered(ctx) or at_round(ctx, ElicitRequestFormParams(message=message, requested_schema=schema))
    found = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return CallToolResult(content=[TextContent(type="text", text=found.model_dump_json(exclude_none=True))])


@server.tool(structured_output=False)
async def visit(url: str, ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask to visit an address."""
    if not OLD:
        return answered(ctx) or at_round(ctx, ElicitRequestURLParams(message="Please sign in.", url=url))
    found = await ctx.session.elicit_url("Please sign in.", url, "e1", related_request_id=ctx.request_id)
    return CallToolResult(content=[TextContent(type="text", text=found.model_dump_json(exclude_none=True))])


@server.tool(structured_output=False)
async def sign_in(log: str) -> str:
    """Need a visit to an address first; refuse the first call."""
    calls = Path(log).read_text().count("called") if os.path.exists(log) else 0  # noqa: ASYNC240
    done(log, "called")
    if calls == 0:
        url = "https://login.example.com/"
        raise UrlElicitationRequiredError(
            [ElicitRequestURLParams(message="Please sign in.", url=url, elicitation_id="e1")]
        )
    return "signed in"


@server.tool(structured_output=False)
async def again(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Need some more time, three times."""
    count = int(ctx.request_state or 0)
    if count < 3:
        return InputRequiredResult(request_state=str(count + 1))
    return CallToolResult(content=[TextContent(type="text", text=f"after {count}")])


@server.tool(structured_output=False)
async def forever(ctx: Context) -> InputRequiredResult:
    """Always need more time."""
    return InputRequiredResult(request_state="again")


@server.tool(structured_output=False)
async def nag(ctx: Context) -> InputRequiredResult:
    """Ask again and again."""
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
    return at_round(ctx, ElicitRequestFormParams(message="Sure?", requested_schema=schema))


@server.tool(structured_output=False)
async def give_up(log: str, ctx: Context) -> str:
    """Ask, and cancel the question after a moment."""
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
    asking = asyncio.create_task(ctx.session.elicit_form("Sure?", schema, related_request_id=ctx.request_id))
    await asyncio.wait({asking}, timeout=1.0)
    asking.cancel()
    await asyncio.wait({asking})
    return done(log, "gave up")


@server.tool(structured_output=False)
async def leave(ctx: Context) -> str:
    """Ask, and give the result while the question is open."""
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
    asking = asyncio.create_task(ctx.session.elicit_form("Sure?", schema, related_request_id=ctx.request_id))
    await asyncio.wait({asking}, timeout=1.0)
    return "did not wait"


@server.tool(structured_output=False)
async def flood(ctx: Context) -> str:
    """Ask 25 times, one after the other."""
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
    actions: list[str] = []
    for _ in range(25):
        try:
            found = await ctx.session.elicit_form("Sure?", schema, related_request_id=ctx.request_id)
            actions.append(found.action)
        except MCPError as error:
            actions.append(error.message)
    return json.dumps(actions)


@server.tool(structured_output=False)
async def idle(flag: str) -> str:
    """Wait until a file is there."""
    while not os.path.exists(flag):  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.05)
    return "done"


@server.tool(structured_output=False)
def pid() -> str:
    return str(os.getpid())


@server.prompt()
async def asked_prompt(ctx: Context) -> InputRequiredResult:
    """A prompt that asks."""
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
    return at_round(ctx, ElicitRequestFormParams(message="Sure?", requested_schema=schema))


async def run_old() -> None:
    """Serve as a server that does not know the newest protocol."""
    async with stdio_server() as (reading, writing):
        told, told_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)

        async def without_discovery() -> None:
            async for item in reading:
                message = item.message if isinstance(item, SessionMessage) else None
                if isinstance(message, JSONRPCRequest) and message.method == "server/discover":
                    error = ErrorData(code=METHOD_NOT_FOUND, message="Method not found")
                    await writing.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=message.id, error=error)))
                else:
                    await told.send(item)
            await told.aclose()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(without_discovery)
            low = server._lowlevel_server
            await low.run(told_server, writing, low.create_initialization_options())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "http" in sys.argv:
        listening = socket.socket(fileno=int(sys.argv[-1]))
        uvicorn.Server(uvicorn.Config(server.streamable_http_app())).run([listening])
    elif OLD:
        anyio.run(run_old)
    else:
        server.run()
