"""A real MCP server for the tests: over stdio, or with `http DESCRIPTOR` over streamable HTTP on a socket."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult, EmbeddedResource, ImageContent, TextContent, TextResourceContents
from pydantic import BaseModel

server = MCPServer("test")


@server.tool(structured_output=False)
def echo(text: str) -> str:
    """Say it back."""
    return text


@server.tool()
def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


@server.tool(structured_output=False)
def where() -> dict[str, Any]:
    """The environment and the process."""
    return {"env": dict(os.environ), "pid": os.getpid(), "cwd": os.getcwd()}


@server.tool(structured_output=False)
async def steps(ctx: Context) -> str:
    """Tell of four steps."""
    for step in range(1, 5):
        await ctx.report_progress(step, 4, f"step {step}")
    return "done"


@server.tool(structured_output=False)
async def wait(log: str) -> str:
    """Never end; write down that it began, and that it was cancelled."""
    note = Path(log).write_text
    note("began")
    try:
        await asyncio.Event().wait()
    except BaseException:
        note("cancelled")
        raise
    return "never"


@server.tool(structured_output=False)
def fail() -> str:
    """Fail."""
    raise ValueError("the disk is on fire")


@server.tool(structured_output=False)
def large(size: int) -> str:
    """Many characters."""
    return "\u00e4" * size


@server.tool(structured_output=False)
def mixed() -> CallToolResult:
    """Text, an image and a resource."""
    image = base64.b64encode(b"\x89PNG" + bytes(1020)).decode()
    resource = TextResourceContents(uri="file:///notes.txt", mime_type="text/plain", text="SECRET NOTES")
    return CallToolResult(
        content=[
            TextContent(type="text", text="see below"),
            ImageContent(type="image", data=image, mime_type="image/png"),
            EmbeddedResource(type="resource", resource=resource),
        ]
    )


class Answer(BaseModel):
    yes: bool


@server.tool(structured_output=False)
async def ask(ctx: Context) -> str:
    """Ask the person."""
    result = await ctx.elicit("may I?", Answer)
    return f"the person said {result.action}"


@server.tool(structured_output=False)
def spawn() -> int:
    """Start a process in another session that ignores TERM and has no environment, and leave it running."""
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], env={}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    return child.pid


@server.tool(structured_output=False)
def die() -> str:
    """End at once, without an answer."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        listening = socket.socket(fileno=int(sys.argv[2]))
        uvicorn.Server(uvicorn.Config(server.streamable_http_app())).run([listening])
    else:
        server.run()
