"""Parses server-sent events from text in pieces of any size. `connection` uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def lines(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines of the stream, without their ends.

    httpx's own line iterator also ends a line at U+2028 and the like, which occur in texts.
    """
    rest = ""
    async for piece in pieces:
        *ended, rest = (rest + piece).split("\n")
        for line in ended:
            yield line.removesuffix("\r")


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """The frames of these lines that have data, as (id, data); the id is "" where the frame has none."""
    frame_id, data = "", list[str]()
    async for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield frame_id, "\n".join(data)
            frame_id, data = "", []
        elif name == "id":
            frame_id = value
        elif name == "data":
            data.append(value)
