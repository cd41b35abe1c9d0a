"""Readers of provider streams get damaged ones: only declared failures, valid events, and no text lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from aster_sidecar.models.sdk_models import known_types
from aster_sidecar.models.streams import anthropic, reader, responses, shapes
from aster_sidecar.models.streams import chat as chat_reader
from aster_sidecar.models.streams.anthropic import AnthropicReader
from aster_sidecar.models.streams.chat import ChatReader
from aster_sidecar.models.streams.events import Malformed, NoStream, ProviderError
from aster_sidecar.models.streams.reader import Reader
from aster_sidecar.models.streams.responses import ResponsesReader
from tests.support import plain_reader
from tests.support.broken_streams import BROKEN
from tests.support.mangled import Answers, Mangled, made, mangled, raw, recorded
from tests.support.soak import TIMEOUT_S, try_all
from tests.support.stream_bytes import DIALECTS, Called, Said, chat, chat_call

pytestmark = pytest.mark.timeout(TIMEOUT_S)
READERS: dict[str, type[Reader]] = {"chat": ChatReader, "responses": ResponsesReader, "anthropic": AnthropicReader}


def read(dialect: str, pieces: list[bytes]) -> tuple[bytes, Exception | None]:
    """A reader's output and its failure, when it is fed as in the daemon."""
    kind = READERS[dialect]
    reading = kind(known_types(kind))
    out = b""
    try:
        for piece in pieces:
            if reading.failed is not None:
                out += reading.end()
            if not reading.whole:
                out += reading.feed(piece)
        return out + (b"" if reading.whole else reading.end()), None
    except (Malformed, NoStream, ProviderError) as failure:
        return out, failure


def check(dialect: str, stream: Mangled) -> None:
    out, failure = read(dialect, stream.pieces())
    said = "".join(plain_reader.text_of(value) for value in valid(out))
    assert said.startswith(stream.intact), f"{said!r} lacks {stream.intact!r}"
    if failure is None:
        at = 0
        for text in stream.survivors:
            at = said.find(text, at) + len(text)
            assert at >= len(text), f"{text!r} is lost from {said!r}"
    at_once, same = read(dialect, [stream.data])
    assert plain_reader.text(at_once) == said, "the text depends on how the bytes arrive"
    assert type(same) is type(failure), "whether it fails depends on how the bytes arrive"


def valid(out: bytes) -> list[Any]:
    """The JSON of a reader's output. Raises: AssertionError, when an SDK could not read it."""
    try:
        values = plain_reader.values(out)
        for value in values:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise AssertionError(f"the reader's output can't be read: {error}") from error
    return values


class Work:
    """Counts the work within the readers: each call, and each character of its text and bytes arguments."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_code.co_filename not in COUNTED:
            return
        handed = [frame.f_locals.get(name) for name in frame.f_code.co_varnames[: frame.f_code.co_argcount]]
        self.done += 1 + sum(len(one) for one in handed if isinstance(one, str | bytes))


COUNTED = {module.__file__ for module in (anthropic, chat_reader, reader, responses, shapes)}


def work_for(dialect: str, pieces: list[bytes]) -> int:
    """How much work a reader does for an answer."""
    known_types(READERS[dialect])  # loading the types is other work
    work = Work()
    before = sys.getprofile()
    sys.setprofile(work)
    try:
        read(dialect, pieces)
    finally:
        sys.setprofile(before)
    return work.done


def repeated_name(count: int) -> list[str]:
    """A tool call that repeats its name and id in each piece."""
    first = chat(chat_call(0, "call_a", "write_file", '{"content": "'))
    return [first, *(chat(chat_call(0, "call_a", "write_file", "some words ")) for _ in range(count))]


LONG: dict[str, tuple[str, Callable[[int], list[str]]]] = {
    **{
        f"{name}, pieces of text": (name, lambda n, by=by: by.stream(Said(["word "] * n)))
        for name, by in DIALECTS.items()
    },
    **{
        f"{name}, halves": (name, lambda n, by=by: by.stream(Said(["a\ud83d", "\ude00b"] * n)))
        for name, by in DIALECTS.items()
    },
    **{
        f"{name}, pieces of arguments": (
            name,
            lambda n, by=by: by.stream(Called("f", ['{"a": "', *["word "] * n, '"}'])),
        )
        for name, by in DIALECTS.items()
    },
    **{
        f"{name}, one long piece": (name, lambda n, by=by: by.stream("word " * 20 * n)) for name, by in DIALECTS.items()
    },
    "chat, the name in each piece": ("chat", repeated_name),
    "chat, comments": ("chat", lambda n: [": keep-alive\n\n"] * n),
}


@pytest.mark.parametrize("together", [1, 50])
@pytest.mark.parametrize("name", LONG)
def test_an_answer_that_is_twice_as_long_is_twice_the_work(name: str, together: int) -> None:
    dialect, make = LONG[name]
    work: list[int] = []
    for count in (200, 400):
        events = [event.encode() for event in make(count)]
        work.append(work_for(dialect, [b"".join(events[at : at + together]) for at in range(0, len(events), together)]))
    assert 1000 < work[0] < work[1] < 2.5 * work[0]


READ_BY = pytest.mark.xdist_group("fuzz-readers")
SHARE = 1 / (2 * len(READERS))


@pytest.mark.parametrize("name", BROKEN)
def test_streams_that_once_broke_a_reader_are_read(name: str) -> None:
    check(*BROKEN[name])


@READ_BY
@pytest.mark.parametrize("dialect", READERS)
def test_mangled_streams_are_read_as_far_as_they_go(dialect: str) -> None:
    answers = Answers([*recorded(dialect), *made(dialect)])
    try_all(f"reader-{dialect}", mangled(answers), lambda stream: check(dialect, stream), 250, share=SHARE)


@READ_BY
@pytest.mark.parametrize("dialect", READERS)
def test_any_bytes_are_read_or_refused(dialect: str) -> None:
    try_all(f"reader-bytes-{dialect}", raw(), lambda stream: check(dialect, stream), 150, share=SHARE)
