"""Server-sent events in pieces of any size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aster_sidecar.cli.chat.sse import frames, lines

STREAM = (
    'id: 1\ndata: {"text": "a\u2028b"}\n\n: ping\n\nevent: x\ndata: one\r\ndata: two\r\n\r\n'
    "id: 3\n\ndata:bare\n\ndata: cut"
)


def read(size: int) -> list[tuple[str, str]]:
    async def pieces() -> AsyncIterator[str]:
        for at in range(0, len(STREAM), size):
            yield STREAM[at : at + size]

    async def collect() -> list[tuple[str, str]]:
        return [frame async for frame in frames(lines(pieces()))]

    return asyncio.run(collect())


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_frames_are_the_same_in_pieces_of_any_size(size: int) -> None:
    assert read(size) == [("1", '{"text": "a\u2028b"}'), ("", "one\ntwo"), ("", "bare")]
