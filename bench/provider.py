"""A model provider that costs almost no time: OpenAI Responses, streamed, with a time in every token.

The user's message says what to answer: `bench COUNT MS` gives COUNT tokens, MS apart. The first token is `r` and the
time at which the request arrived. Every other token is `t` and the time at which it was sent. Times are in nanoseconds
of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

ASKED = re.compile(rb"bench (\d+) (\d+)")
SHAPED = re.compile(rb"bench (paragraph|code|table)")
PIECE_CHARS = 100
"""The size of the pieces in which a shaped answer is sent, one every `APART_MS`."""
APART_MS = 1


def shaped(shape: str) -> str:
    """A large answer that is one block: 300,000 characters of a paragraph or of code, or 5,000 rows of a table."""
    if shape == "paragraph":
        line = "**a** [b](http://c) " * (15_000 // 20)
        return f"{line}\n" * 20
    if shape == "code":
        return "```python\n" + "print('one line of many')\n" * 12_000 + "```\n"
    return "| row | value | words |\n|---|--:|---|\n" + "".join(
        f"| {row} | {row * row} | words of row {row} |\n" for row in range(5_000)
    )


def frame(kind: str, **fields: Any) -> bytes:
    body = json.dumps({"type": kind, **fields}).encode()
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), body)


def response(status: str, text: str, input_tokens: int) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": "bench",
        "status": status,
        "output": [item] if status == "completed" else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens + 1,
        },
    }


HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    + frame("response.created", sequence_number=0, response=response("in_progress", "", 0))
    + frame(
        "response.output_item.added",
        sequence_number=1,
        output_index=0,
        item={"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []},
    )
    + frame(
        "response.content_part.added",
        sequence_number=2,
        item_id="msg_1",
        output_index=0,
        content_index=0,
        part={"type": "output_text", "text": "", "annotations": []},
    )
)
TOKEN = frame(
    "response.output_text.delta",
    sequence_number=3,
    item_id="msg_1",
    output_index=0,
    content_index=0,
    delta="@",
    logprobs=[],
)


def token(mark: str, moment_ns: int) -> bytes:
    return TOKEN.replace(b'"@"', b'"%s%d "' % (mark.encode(), moment_ns))


async def some(receiving: Coroutine[Any, Any, T]) -> T:
    """What was received. Raises: EOFError when the connection was closed."""
    if not (received := await receiving):
        raise EOFError("the request is cut off")
    return received


async def received(connection: socket.socket) -> bytearray:
    """The body of the request. It is read into memory of its size: a stream's reader would copy it several times."""
    loop = asyncio.get_running_loop()
    head, end = b"", -1
    while end < 0:
        head += await some(loop.sock_recv(connection, 1 << 16))
        end = head.find(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head[:end], re.IGNORECASE)
    body = bytearray(int(length[1]) if length else 0)
    size = len(head) - end - 4
    body[:size] = head[end + 4 :]
    while size < len(body):
        size += await some(loop.sock_recv_into(connection, memoryview(body)[size:]))
    return body


async def answer(connection: socket.socket) -> None:
    """Answer one request, then close the connection."""
    try:
        body = await received(connection)
    except (EOFError, OSError):
        connection.close()
        return
    arrived_ns = time.monotonic_ns()
    _, writer = await asyncio.open_connection(sock=connection)
    if shape := SHAPED.findall(body):
        await say(writer, shaped(shape[-1].decode()))
        return
    asked = ASKED.findall(body)
    count, apart_ms = (int(number) for number in asked[-1]) if asked else (1, 0)
    writer.write(HEAD + token("r", arrived_ns))
    for number in range(1, count):
        if apart_ms:
            await writer.drain()
            await asyncio.sleep(apart_ms / 1000)
        elif number % 100 == 0:
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(token("t", time.monotonic_ns()))
    await finish(writer, len(body) // 4)


async def say(writer: asyncio.StreamWriter, text: str) -> None:
    """Send a text in pieces of equal size."""
    writer.write(HEAD)
    for at in range(0, len(text), PIECE_CHARS):
        writer.write(TOKEN.replace(b'"@"', json.dumps(text[at : at + PIECE_CHARS]).encode()))
        await writer.drain()
        await asyncio.sleep(APART_MS / 1000)
    await finish(writer, 1)


async def finish(writer: asyncio.StreamWriter, input_tokens: int) -> None:
    done = response("completed", "said", input_tokens)
    writer.write(frame("response.completed", sequence_number=9, response=done))
    await writer.drain()
    writer.close()


async def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    print(listening.getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    answers: set[asyncio.Task[None]] = set()
    while True:
        connection, _ = await loop.sock_accept(listening)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = loop.create_task(answer(connection))
        answers.add(task)
        task.add_done_callback(answers.discard)


if __name__ == "__main__":
    asyncio.run(main())
