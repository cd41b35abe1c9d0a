"""Bytes are cut into events wherever they are split, and responses that are no stream are recognised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_sidecar.models.streams import framing
from aster_sidecar.models.streams.events import Malformed, NoStream
from aster_sidecar.models.streams.framing import Framing

STREAMS = {
    "LF": b"data: 1\n\nevent: x\ndata: 2\n\n: c\n\n",
    "CRLF": b"data: 1\r\n\r\nevent: x\r\ndata: 2\r\n\r\n: c\r\n\r\n",
    "mixed": b"\xef\xbb\xbf\n data: 1\n\n\n\ndata: 2\r\n\r\ndata: 3\n\n",
}


def cut(data: bytes, places: list[int]) -> tuple[list[bytes], bytes]:
    reading, out = Framing(), list[bytes]()
    at = 0
    for place in [*sorted(place % (len(data) + 1) for place in places), len(data)]:
        if reading.add(data[at:place]):
            out += reading.frames()
        at = place
    return out, reading.rest()


@pytest.mark.parametrize("form", STREAMS)
@given(places=st.lists(st.integers(0, 100), max_size=12))
def test_events_are_whole_wherever_the_bytes_are_split(form: str, places: list[int]) -> None:
    frames, rest = cut(STREAMS[form], places)
    assert b"".join((*frames, rest)) == STREAMS[form].removeprefix(b"\xef\xbb\xbf")
    assert [frame.strip() for frame in frames if frame.strip()] == [
        frame.strip() for frame in cut(STREAMS[form], [])[0] if frame.strip()
    ]
    assert rest.strip() == b""


@pytest.mark.parametrize(
    ("first", "form"),
    [
        (b"data: {}\n\n", "events"),
        (b": ping\n\n  ", "events"),
        (b"\n\n event: x", "events"),
        (b'{"a": 12345}', "json"),
        (b"\xef\xbb\xbf[1, 2, 3, 4]", "json"),
        (b"<!doctype html>", "unknown"),
        (b"Ollama is running", "unknown"),
    ],
)
def test_the_form_is_recognised_by_the_first_bytes(first: bytes, form: str) -> None:
    reading = Framing()
    known = [reading.add(first[at : at + 1]) for at in range(len(first))]
    assert not known[0], "one byte is not enough"
    assert (known[-1], reading.form, reading.is_no_stream) == (True, form, form != "events")


def test_a_short_response_is_recognised_at_its_end() -> None:
    reading = Framing()
    assert not reading.add(b"{}")
    assert (reading.rest(), reading.form) == (b"{}", "json")


def test_an_event_without_an_end_is_the_rest() -> None:
    assert cut(b"data: 1\n\ndata: 2", []) == ([b"data: 1\n\n"], b"data: 2")
    assert cut(b"data: 1\n\ndata: 2\n", [9, 12]) == ([b"data: 1\n\n"], b"data: 2\n")


def test_too_much_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MOST_BYTES", 100)
    monkeypatch.setattr(framing, "MOST_FIRST_BYTES", 50)
    events = Framing()
    assert events.add(b"data: " + b"x" * 94)
    with pytest.raises(Malformed):
        events.add(b"x")
    other = Framing()
    with pytest.raises(NoStream) as raised:
        other.add(b"plain text " * 10)
    assert raised.value.first == b"plain text " * 10
