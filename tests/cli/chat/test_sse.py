"""Server-sent events in pieces of any size."""

from __future__ import annotations

import pytest

from aster_sidecar.cli.chat.sse import Frames

STREAM = (
    'id: 1\ndata: {"text": "a\u2028b"}\n\n: ping\n\nevent: x\ndata: one\r\ndata: two\r\n\r\n'
    "id: 3\n\ndata:bare\n\ndata: cut"
)


def read(size: int) -> list[tuple[str, str]]:
    frames = Frames()
    return [frame for at in range(0, len(STREAM), size) for frame in frames.feed(STREAM[at : at + size])]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_frames_are_the_same_in_pieces_of_any_size(size: int) -> None:
    assert read(size) == [("1", '{"text": "a\u2028b"}'), ("", "one\ntwo"), ("", "bare")]
