"""The floor: a short FastAPI, sse-starlette and httpx server. It forwards a provider's tokens and stores nothing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse
from sse_starlette.sse import EventSourceResponse

app = FastAPI()
readers: set[asyncio.Queue[dict[str, str]]] = set()
tasks: set[asyncio.Task[None]] = set()
client = httpx.AsyncClient(trust_env=False, timeout=60, verify=False)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).with_name("page.html"))


@app.get("/api/events")
async def events() -> EventSourceResponse:
    async def follow() -> AsyncGenerator[dict[str, str]]:
        queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        readers.add(queue)
        try:
            yield {"event": "connected", "data": "{}"}
            while True:
                yield await queue.get()
        finally:
            readers.discard(queue)

    return EventSourceResponse(follow())


@app.websocket("/ws")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


@app.post("/api/chat")
async def chat(body: dict[str, Any]) -> dict[str, bool]:
    task = asyncio.create_task(answer(str(body["message"])))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return {"success": True}


async def answer(message: str) -> None:
    asked = {"model": "bench", "stream": True, "input": [{"role": "user", "content": message}]}
    async with client.stream("POST", os.environ["OPENAI_BASE_URL"] + "/responses", json=asked) as told:
        async for line in told.aiter_lines():
            if line.startswith("data: "):
                event = json.loads(line[6:])
                if event["type"] == "response.output_text.delta":
                    tell("text_chunk", {"delta": event["delta"]})
    tell("done", {})


def tell(kind: str, data: dict[str, Any]) -> None:
    for queue in readers:
        queue.put_nowait({"event": kind, "data": json.dumps(data)})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
