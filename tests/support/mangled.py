"""Mangled provider streams: strategies that damage well-formed answers, and say how much of each answer is intact."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st

from tests.support import plain_reader
from tests.support.stream_bytes import DIALECTS, Called, Said, Thought, called

STREAMS = Path(__file__).parent.parent / "golden" / "streams"
EVENT = re.compile(rb".*?(?:\r\n\r\n|\n\n)", re.DOTALL)
DATA = re.compile(rb"^data: ?(.*)$", re.MULTILINE)

NESTED = "[" * 300 + "]" * 300
NASTY = (
    *("null", "true", "false", "0", "-1", "2.5", "1e400", "-1e400", "NaN", "9007199254740993", "1" + "0" * 400),
    *('""', '" "', '"x"', '"null"', '"0"', '"-1"', "[]", "{}", "[null]", "[[]]", "[{}]", '{"a": null}', '{"": [1]}'),
    *(r'"\ud83d"', r'"\ude00"', r'"\ud83d\ude00"', r'"\u0000"', r'"\u2028"', r'"\ufeff"', r'"a\r\n\r\nb"'),
    *('"\u2028\u0085"', '"<think>"', '"error"', '"stop"', NESTED, '{"a":' * 300 + "1" + "}" * 300, "[" * 3000),
)
"""JSON that a field may hold instead of its value. The last one is not JSON."""
BYTES = (
    b"",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\xbd",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b"\n\n",
    b'"',
    b"{",
    b"}",
    b":",
    b"\\",
)
FILLERS = (
    *(b": keep-alive\n\n", b"data:\n\n", b"data: null\n\n", b"data: {}\n\n", b"data: []\n\n", b'data: ""\n\n'),
    *(
        b"event: ping\ndata: {}\n\n",
        b"retry: 1\n\n",
        b"id: 7\n\n",
        b"\n\n",
        b": \xff\n\n",
        b"event: \xff\ndata: {}\n\n",
    ),
    *(b"data: 7\n\n", b"data: [{}]\n\n", b"data: [[]]\n\n", b"data: [DONE]\n\n", b"data: {\n\n", b"junk\n\n"),
    *(b'data: {"error": {"message": "overloaded"}}\n\n', b'data: {"error": null}\n\n', b"event: error\ndata: no\n\n"),
)
MOST_SHOWN = 600
ENDERS = (b"[DONE]", b"message_stop", b"response.completed", b"response.incomplete", b"response.failed", b"error")
"""Words in events after which an answer may be complete."""

ENDING = re.compile(
    rb'\[DONE\]|message_stop|response\.(?:completed|incomplete|done|cancelled)|(?:finish|stop|done)_reason"\s*:\s*(?!null)'
)
"""What an answer contains if it says that it is complete."""


@dataclass(frozen=True, repr=False)
class Mangled:
    """An answer's bytes. `reads`: how many of them arrive in each read; the others arrive in one read."""

    data: bytes
    reads: tuple[int, ...] = ()
    intact: str = ""
    """The text of the events before the first damaged one."""
    survivors: tuple[str, ...] = ()
    """The texts of all undamaged events, up to one that may end the answer."""

    def __repr__(self) -> str:
        shown = self.data if len(self.data) <= MOST_SHOWN else self.data[:MOST_SHOWN] + b"..."
        return f"Mangled({shown!r}, {self.reads[:8]})"

    @property
    def may_end(self) -> bool:
        """Whether anything in it says that it is complete."""
        return ENDING.search(self.data) is not None

    def pieces(self) -> list[bytes]:
        pieces, at = list[bytes](), 0
        for size in self.reads:
            pieces.append(self.data[at : at + size])
            at += size
        return [piece for piece in (*pieces, self.data[at:]) if piece]


# -- well-formed answers -----------------------------------------------------------------------------------------------


class Answers(list[list[bytes]]):
    """Well-formed answers, event by event. Failure reports don't print them."""

    def __repr__(self) -> str:
        return "..."


def dialect_of(name: str) -> str:
    """The dialect of a golden stream."""
    return next((part for part in name.split("-") if part in DIALECTS), "chat")


def recorded(dialect: str, *, tags: bool = True) -> Answers:
    """The golden streams of a dialect, event by event. `tags`: also those with thinking within the text."""
    paths = sorted(path for path in STREAMS.glob("*.sse") if not path.stem.startswith("gemini-"))
    paths = [path for path in paths if tags or not path.stem.startswith("tags-")]
    return Answers(EVENT.findall(path.read_bytes()) for path in paths if dialect_of(path.stem) == dialect)


def made(dialect: str) -> Answers:
    """Answers for a daemon that has the files a.txt and b.txt."""
    speak = DIALECTS[dialect].stream
    answers = (
        speak(Said(["One ", "two 😀", " three", " four."])),
        speak(Thought(["Let me", " see."]), Said(["It ", "is ", "so."])),
        speak(Said(["I read", " it."]), called("read_file", path="a.txt")),
        speak(
            Called("read_file", ['{"path"', ': "a.txt"}'], "call_a"),
            Called("read_file", ['{"path": "b.txt"}'], "call_b"),
        ),
        speak(Said(["The steps", " are"]), finish="length"),
    )
    return Answers([sent.encode() for sent in answer] for answer in answers)


# -- damage ------------------------------------------------------------------------------------------------------------

Events: TypeAlias = list[bytes]
Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]
MARK = "a nasty value"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values inside a JSON value."""
    if isinstance(value, dict):
        below = [place for key, one in value.items() for place in places(one, (*path, key))]
    elif isinstance(value, list):
        below = [place for index, one in enumerate(value) for place in places(one, (*path, index))]
    else:
        below = []
    return [path, *below]


def at(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        value = value[step]
    return value


def change_field(draw: Draw, events: Events) -> None:
    """Remove a field of an event, or replace it by another value, perhaps one from elsewhere in the event."""
    index = draw(st.integers(0, len(events) - 1))
    found = DATA.search(events[index])
    try:
        value = json.loads(found[1]) if found else None
    except (ValueError, RecursionError):
        return
    all_places = places(value)
    if found is None or len(all_places) == 1:
        return
    path = draw(st.sampled_from(all_places[1:]))
    holder = at(value, path[:-1])
    how = draw(st.sampled_from(("nasty", "nasty", "gone", "swap", "wrap", "kind")))
    nasty = ""
    if how == "gone":
        del holder[path[-1]]
    elif how == "swap":
        holder[path[-1]] = json.loads(json.dumps(at(value, draw(st.sampled_from(all_places)))))
    elif how == "wrap":
        holder[path[-1]] = [holder[path[-1]]]
    elif how == "kind":
        holder[path[-1]] = json.dumps(holder[path[-1]])
    else:
        nasty = draw(st.sampled_from(NASTY))
        holder[path[-1]] = MARK
    text = json.dumps(value, ensure_ascii=draw(st.booleans())).replace(f'"{MARK}"', nasty)
    events[index] = (
        events[index][: found.start(1)] + text.encode("utf-8", "surrogatepass") + events[index][found.end(1) :]
    )


def change_bytes(draw: Draw, events: Events) -> None:
    index = draw(st.integers(0, len(events) - 1))
    event = events[index]
    start = draw(st.integers(0, len(event)))
    gone = draw(st.integers(0, 3))
    events[index] = event[:start] + draw(st.sampled_from(BYTES)) + event[start + gone :]


def drop(draw: Draw, events: Events) -> None:
    if len(events) > 1:
        del events[draw(st.integers(0, len(events) - 1))]


def duplicate(draw: Draw, events: Events) -> None:
    events.insert(draw(st.integers(0, len(events))), draw(st.sampled_from(events)))


def move(draw: Draw, events: Events) -> None:
    event = events.pop(draw(st.integers(0, len(events) - 1)))
    events.insert(draw(st.integers(0, len(events))), event)


def fill(draw: Draw, events: Events) -> None:
    events.insert(draw(st.integers(0, len(events))), draw(st.sampled_from(FILLERS)))


def join(draw: Draw, events: Events) -> None:
    """Remove the blank line after an event, or also its line end."""
    index = draw(st.integers(0, len(events) - 1))
    events[index] = events[index].rstrip(b"\r\n") + draw(st.sampled_from((b"", b"\n")))


DAMAGES = (change_field, change_field, change_field, change_bytes, drop, duplicate, move, fill, join)


@st.composite
def mangled(draw: Draw, answers: Answers) -> Mangled:
    """One of the answers, damaged in up to three ways, cut anywhere, and read in any pieces."""
    sent = list(draw(st.sampled_from(answers)))
    events = list(sent)
    for _ in range(draw(st.integers(0, 3))):
        draw(st.sampled_from(DAMAGES))(draw, events)
    if draw(st.integers(0, 5)) == 0:
        events += draw(st.sampled_from(answers))
    size = sum(map(len, events))
    cut = draw(st.integers(0, size)) if draw(st.integers(0, 3)) == 0 else size
    whole, survivors = count_whole(sent, events, cut)
    line_end, between = b"\n", b""
    if b"\r" not in b"".join(events):
        line_end = draw(st.sampled_from((b"\n", b"\n", b"\r\n", b"\r")))
        between = draw(st.sampled_from((b"", b"", b": still here\n\n")))
    start = draw(st.sampled_from((b"", b"", b"", b"\xef\xbb\xbf", b"\n", b": hello\n\n")))
    parts = b"".join(events)[:cut]
    if between and cut == size:
        parts = b"".join(event + between if event.endswith(b"\n\n") else event for event in events)
    data = (start + parts).replace(b"\n", line_end)
    return Mangled(data, draw(reads(len(data))), "".join(map(plain_reader.text, sent[:whole])), survivors)


def count_whole(sent: Sequence[bytes], events: Sequence[bytes], cut: int) -> tuple[int, tuple[str, ...]]:
    """How many events are as sent before the first damaged one, and the texts of all undamaged events."""
    originals = set(sent)
    whole, survivors, end, over, before = 0, list[str](), 0, False, b"\n\n"
    for index, event in enumerate(events):
        end += len(event)
        good = end <= cut and before.endswith((b"\n\n", b"\r\n\r\n")) and event in originals
        before = event
        if good and whole == index and index < len(sent) and event == sent[index]:
            whole += 1
        over = over or any(word in event for word in ENDERS)
        if good and not over and (text := plain_reader.text(event)):
            survivors.append(text)
    return whole, tuple(survivors)


def reads(size: int) -> st.SearchStrategy[tuple[int, ...]]:
    """How bytes arrive: in one read, one by one, or in any pieces."""
    some = st.lists(st.integers(1, max(1, size)), max_size=8).map(tuple)
    even = st.integers(1, 40).map(lambda each: (each,) * (size // each))
    return st.one_of(st.just(()), some, even)


def raw() -> st.SearchStrategy[Mangled]:
    """Any bytes, and bytes that streams consist of."""
    words = (
        b"data: ",
        b"data:",
        b"event: error\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"null",
        b"1",
        b",",
        b":",
        b"\n\n",
        b"\r",
    )
    likely = st.lists(st.one_of(st.sampled_from((*words, *BYTES, *FILLERS)), st.binary(max_size=4)), max_size=12)
    data = st.one_of(st.binary(max_size=200), likely.map(b"".join))
    return data.flatmap(lambda data: reads(len(data)).map(lambda sizes: Mangled(data, sizes)))
