"""Streams that once broke the reader of their dialect or the daemon, as small as possible."""

from __future__ import annotations

import json

from tests.support.mangled import Mangled
from tests.support.stream_bytes import ANTHROPIC, CHAT, RESPONSES, Called, Said, anthropic, chat, responses
from tests.support.stream_bytes import event as one_event

NOT_TEXT = b"\xff"
EVENTS = {
    "chat": chat({"content": "Hi"}).encode(),
    "responses": responses(
        "response.output_text.delta", item_id="m", output_index=0, content_index=0, delta="Hi", logprobs=[]
    ).encode(),
    "anthropic": ANTHROPIC.stream("Hi")[2].encode(),
}
"""An event with the text "Hi" in each dialect."""


def without(events: list[str], *numbers: int) -> bytes:
    """A stream that lacks some of its events."""
    return "".join(event for n, event in enumerate(events) if n not in numbers).encode()


def in_each(dialects: dict[str, bytes], name: str, prefix: bytes) -> dict[str, tuple[str, Mangled]]:
    """Events after `prefix`, each in a stream of its dialect: the prefix must not cost their text."""
    streams = {"chat": CHAT.open("One"), "responses": RESPONSES.open("One"), "anthropic": ANTHROPIC.open("One")}
    found: dict[str, tuple[str, Mangled]] = {}
    for dialect, event in dialects.items():
        start = "".join(streams[dialect]).encode()
        data = start + prefix + event
        found[f"{dialect}, {name}"] = (dialect, Mangled(data, (len(start),), "One", ("One", "Hi")))
    return found


def usage(dialect: str, **figures: object) -> tuple[str, Mangled]:
    """An answer whose usage has only some of the usual fields."""
    speaks = {"chat": CHAT, "responses": RESPONSES, "anthropic": ANTHROPIC}[dialect]
    data = "".join(speaks.stream("One")).encode()
    old = json.dumps(speaks.usage()).encode()
    assert old in data
    return dialect, Mangled(data.replace(old, json.dumps(figures).encode()), (), "One")


def thinking(**place: int) -> Mangled:
    """An answer with raw thinking before its text."""
    events = RESPONSES.stream("One")
    told = responses("response.reasoning_text.delta", item_id="r", delta="hm", **place)
    return Mangled("".join([events[0], told, told, *events[1:]]).encode(), (), "One")


def logprob(ranks: list[object]) -> str:
    """A piece of text with its token's log probability and those of the alternatives."""
    told = {"token": "One", "logprob": -0.1, "bytes": None, "top_logprobs": ranks}
    choice = {"index": 0, "delta": {"content": "One"}, "logprobs": {"content": [told]}, "finish_reason": None}
    return one_event({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


TOOL = Called("read_file", ['{"path"', ': "a.txt"}'])
BROKEN: dict[str, tuple[str, Mangled]] = {
    **in_each(EVENTS, "a comment that is no text", b": " + NOT_TEXT + b"\n\n"),
    **in_each(EVENTS, "an id that is no text", b"id: " + NOT_TEXT + b"\n"),
    **in_each(EVENTS, "a field that is no text", NOT_TEXT + b": 1\n"),
    **in_each(EVENTS, "white space as data", b"data:\t\n\n"),
    **in_each(EVENTS, "empty data in two lines", b"data:\ndata:\n\n"),
    **in_each(EVENTS, "JSON in no field", b"dat\n{}\n\n"),
    **in_each(EVENTS, "a byte-order mark", b"\xef\xbb\xbf"),
    "chat, a line without its field's name": (
        "chat",
        Mangled(
            CHAT.open("One")[1].encode() + EVENTS["chat"].replace(b"data: ", b"dat\n"),
            (len(CHAT.open("One")[1].encode()),),
            "One",
            ("One", "Hi"),
        ),
    ),
    "chat, an end that is no text": ("chat", Mangled(b":" + NOT_TEXT + b"\ndata:[DONE]\n\n")),
    "chat, an end with more behind it": ("chat", Mangled(b"data: [DONE]" + NOT_TEXT + b"\n\n")),
    "chat, an end behind empty data": ("chat", Mangled(b"data:\rdata:[DONE]\r\r")),
    "chat, no figure": usage("chat", prompt_tokens=None, completion_tokens=5, total_tokens=15),
    "anthropic, no figure": usage("anthropic", input_tokens=10),
    "responses, no figure": usage("responses", input_tokens=10),
    "anthropic, a name that is no text": (
        "anthropic",
        Mangled("".join(ANTHROPIC.stream("One")).encode().replace(b"event: ", b"event: " + NOT_TEXT, 1)),
    ),
    "anthropic, an end at the beginning": (
        "anthropic",
        Mangled(b"data: [DONE]\n\n" + "".join(ANTHROPIC.stream("One")).encode()),
    ),
    "anthropic, no start": ("anthropic", Mangled(without(ANTHROPIC.stream("One"), 0), (), "", ("One",))),
    "anthropic, no start of a block": ("anthropic", Mangled(without(ANTHROPIC.stream("One"), 1), (), "", ("One",))),
    "anthropic, no start of a call": (
        "anthropic",
        Mangled(without(ANTHROPIC.stream(TOOL, Called("read_file", ['{"path": "b.txt"}'], "call_b")), 1)),
    ),
    "responses, a list as type": ("responses", Mangled(b'data: {"type": [], "sequence_number": 0}\n\n')),
    "responses, an object as type": ("responses", Mangled(b'data: {"type": {}, "sequence_number": 0}\n\n')),
    "chat, a rank that is no object": ("chat", Mangled(logprob([[None]]).encode())),
    "chat, a rank without its token": ("chat", Mangled(logprob([{"logprob": -1}]).encode())),
    "chat, an object for a count of details": usage(
        "chat", prompt_tokens=1, completion_tokens=1, completion_tokens_details={"audio_tokens": {"id": "x"}}
    ),
    "anthropic, a quotation without its text": (
        "anthropic",
        Mangled(
            "".join(
                [
                    *ANTHROPIC.stream("One")[:3],
                    anthropic(
                        "content_block_delta",
                        index=0,
                        delta={"type": "citations_delta", "citation": {"type": "char_location"}},
                    ),
                    *ANTHROPIC.stream("One")[3:],
                ]
            ).encode(),
            (),
            "One",
        ),
    ),
    "anthropic, a search's result without what was found": (
        "anthropic",
        Mangled(
            "".join(
                [
                    ANTHROPIC.stream("One")[0],
                    anthropic(
                        "content_block_start", index=0, content_block={"type": "web_search_tool_result", "content": [7]}
                    ),
                    anthropic("content_block_stop", index=0),
                    *(one.replace('"index": 0', '"index": 1') for one in ANTHROPIC.stream("One")[1:]),
                ]
            ).encode(),
            (),
            "One",
        ),
    ),
    "anthropic, a container that is a text": (
        "anthropic",
        Mangled(
            "".join(
                one.replace('"delta": {', '"delta": {"container": "c", ') for one in ANTHROPIC.stream("One")
            ).encode(),
            (),
            "One",
        ),
    ),
    "responses, in progress, of an unknown status": (
        "responses",
        Mangled(
            responses("response.in_progress", response={"id": "resp_a", "object": "response", "status": 2.5}).encode()
        ),
    ),
    "responses, completed without a list of items": (
        "responses",
        Mangled(
            "".join(RESPONSES.stream("One")[:-1]).encode()
            + responses("response.completed", response={"id": "resp_a", "status": "completed"}).encode(),
            (),
            "One",
        ),
    ),
    "responses, a search without what it did": (
        "responses",
        Mangled(
            "".join(RESPONSES.stream("One")[:-1]).encode()
            + responses(
                "response.completed",
                response={"id": "resp_a", "status": "completed", "output": [{"type": "web_search_call", "id": "ws_1"}]},
            ).encode(),
            (),
            "One",
        ),
    ),
    "responses, a place in a quotation that is a list": (
        "responses",
        Mangled(
            without(RESPONSES.stream("One"), 4)
            + responses(
                "response.output_text.annotation.added",
                item_id="msg_0",
                output_index=0,
                content_index=0,
                annotation_index=0,
                annotation={"type": "url_citation", "start_index": [{}], "end_index": 9, "url": "u", "title": "t"},
            ).encode()
        ),
    ),
    "responses, raw thinking without its number": ("responses", thinking()),
    "responses, raw thinking far beyond its number": ("responses", thinking(content_index=1 << 40)),
    "responses, arguments without their beginning": ("responses", Mangled(without(RESPONSES.stream(TOOL), 3))),
    "chat, no start of a call": (
        "chat",
        Mangled(without(CHAT.stream(TOOL, Called("read_file", ['{"path": "b.txt"}'], "call_b")), 1)),
    ),
    "responses, neither start nor end": (
        "responses",
        Mangled("".join(RESPONSES.stream("One")[2:-1]).encode(), (), "", ("One",)),
    ),
    "responses, a call, neither start nor end": (
        "responses",
        Mangled("".join(RESPONSES.stream(TOOL)[2:-1]).encode()),
    ),
    "responses, in progress though never created, and no end": (
        "responses",
        Mangled(
            (
                responses("response.in_progress", response=RESPONSES.response("in_progress"))
                + "".join(RESPONSES.stream(Said(["One ", " two"]))[2:-1])
            ).encode(),
            (),
            "One  two",
        ),
    ),
    "anthropic, a line that ends within its JSON": (
        "anthropic",
        Mangled(
            b'event: message_delta\ndata: {"type": "message_delta", "delta":\r{"stop_reason": "end_turn"},'
            b' "usage": {"input_tokens": 10, "output_tokens": 5}}\n\n',
            (),
        ),
    ),
    "responses, a start in the middle": (
        "responses",
        Mangled("".join(RESPONSES.stream(Said(["One"]))[n] for n in (2, 0)).encode()),
    ),
}
