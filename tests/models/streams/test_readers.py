"""Readers: each unusual event is read as its server means it, or dropped, and everything else stays the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from aster_sidecar.models.sdk_models import known_types
from aster_sidecar.models.streams.anthropic import AnthropicReader
from aster_sidecar.models.streams.chat import ChatReader
from aster_sidecar.models.streams.events import Malformed, NoStream, ProviderError
from aster_sidecar.models.streams.reader import Reader
from aster_sidecar.models.streams.responses import ResponsesReader

Json: TypeAlias = Any
DONE = b"data: [DONE]\n\n"


@dataclass
class Read:
    """A reader's output, put together as an SDK does it."""

    text: str = ""
    thought: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    usage: Json = None
    finish: str | None = None


def chunk(delta: Json, finish: Json = None, **more: Json) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps({**head, **more}).encode() + b"\n\n"


def call(index: Json = None, given: Json = None, name: Json = None, arguments: Json = None) -> bytes:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    entry = {key: value for key, value in (("index", index), ("id", given)) if value is not None}
    return chunk({"tool_calls": [{**entry, "function": function}]})


def events(out: bytes) -> list[Json]:
    datas = [line[6:] for frame in out.split(b"\n\n") for line in frame.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(data) for data in datas if data != b"[DONE]"]


def read_chat(*pieces: bytes) -> Read:
    """Feed a chat reader piece by piece, and put its output together."""
    reader, read = ChatReader(), Read()
    out = b"".join(reader.feed(piece) for piece in pieces) + reader.end()
    for event in events(out):
        if event.get("usage"):
            assert read.usage is None, "usage must come once"
            read.usage = event["usage"]
        for choice in event["choices"]:
            delta = choice["delta"]
            read.text += delta.get("content") or ""
            read.thought += delta.get("reasoning_content") or delta.get("reasoning") or ""
            for entry in delta.get("tool_calls") or ():
                parts = read.calls.setdefault(entry["index"], ["", "", ""])
                function = entry.get("function") or {}
                parts[0] = parts[0] or entry.get("id") or ""
                parts[1] += function.get("name") or ""
                parts[2] += function.get("arguments") or ""
            read.finish = choice["finish_reason"] or read.finish
    return read


A, B = '{"path": "a.txt"}', '{"path": "b.txt"}'
CALLS = {
    "as documented": ([call(0, "x", "f", '{"path"'), call(0, arguments=': "a.txt"}')], [["x", "f", A]]),
    "two under one index": ([call(0, "x", "f", A), call(0, "y", "f", B)], [["x", "f", A], ["y", "f", B]]),
    "two under one index, without ids": ([call(0, None, "f", A), call(0, None, "g", B)], [["", "f", A], ["", "g", B]]),
    "no index, in three pieces": (
        [call(None, "x", "f", '{"pa'), call(arguments='th": "a'), call(arguments='.txt"}')],
        [["x", "f", A]],
    ),
    "no index, two calls": ([call(None, "x", "f", A), call(None, "y", "f", B)], [["x", "f", A], ["y", "f", B]]),
    "no index, no ids, two calls": ([call(None, None, "f", A), call(None, None, "f", B)], [["", "f", A], ["", "f", B]]),
    "name and id in each piece": ([call(0, "x", "f", '{"path"'), call(0, "x", "f", ': "a.txt"}')], [["x", "f", A]]),
    "a name in two pieces": (
        [call(0, "x", "read_"), call(0, name="file"), call(0, arguments=A)],
        [["x", "read_file", A]],
    ),
    "the index begins at one": ([call(1, "x", "f", A)], [["x", "f", A]]),
    "an id that is a number": ([call(0, 7, "f", A)], [["7", "f", A]]),
    "a name that is a number": ([call(0, "x", 5, A)], [["x", "5", A]]),
    "arguments that are an object": ([call(0, "x", "f", {"path": "a.txt"})], [["x", "f", A]]),
    "arguments that are an empty list": ([call(0, "x", "f", [])], [["x", "f", "{}"]]),
    "arguments that are a number": ([call(0, "x", "f", 5)], [["x", "f", "5"]]),
    "arguments before the name": ([call(0, "x", None, '{"path"'), call(0, None, "f", ': "a.txt"}')], [["x", "f", A]]),
    "a name that never comes": ([call(0, None, None, A), call(1, "y", "f", B)], [["y", "f", B]]),
    "of before: function_call": ([chunk({"function_call": {"name": "f", "arguments": A}})], [["", "f", A]]),
}


@pytest.mark.parametrize("case", CALLS)
def test_pieces_of_calls_are_put_together(case: str) -> None:
    pieces, expected = CALLS[case]
    read = read_chat(*pieces, chunk({}, "tool_calls"), DONE)
    assert [parts for _, parts in sorted(read.calls.items())] == expected
    assert read.finish == "tool_calls"


PASSED_OVER = {
    "null": b"data: null\n\n",
    "no data": b"data:\n\n",
    "an empty text": b'data: ""\n\n',
    "a number": b"data: 5\n\n",
    "a field alone": b"retry: 5\n\n",
    "a comment": b": wait\n\n",
    "no choices": b'data: {"id": "c1", "choices": null}\n\n',
    "no choices at all": b'data: {"id": "c1", "object": "chat.completion.chunk"}\n\n',
    "choices that are nothing": b'data: {"id": "c1", "choices": [null]}\n\n',
    "no delta": b'data: {"id": "c1", "choices": [{"index": 0, "delta": null, "finish_reason": null}]}\n\n',
    "an empty object of calls": chunk({"tool_calls": {}}),
    "a call that is nothing": chunk({"tool_calls": [None]}),
    "usage that is a list": chunk({}, None, usage=[]),
    "an error that is none": chunk({}, None, error=None),
    "a finish reason that is none": chunk({}, ""),
    "a word for no finish reason": chunk({}, "null"),
}


@pytest.mark.parametrize("case", PASSED_OVER)
def test_events_that_say_nothing_cost_nothing(case: str) -> None:
    odd = PASSED_OVER[case]
    read = read_chat(odd, chunk({"content": "One"}), odd, chunk({"content": " two"}), odd, chunk({}, "stop"), odd, DONE)
    assert (read.text, read.finish, read.calls, read.usage) == ("One two", "stop", {}, None)


TEXTS = {
    "a pair": (["Hi \ud83d", "\ude00!"], "Hi 😀!"),
    "a half that stays alone": (["Hi \ud83d", "!"], "Hi \ufffd!"),
    "a half at the end": (["Hi ", "\ud83d"], "Hi \ufffd"),
    "a lone second half": (["a\udcafb"], "a\ufffdb"),
    "two pairs": (["\ud83d", "\ude00\ud83d", "\ude01"], "😀😁"),
}


@pytest.mark.parametrize("field_name", ["content", "reasoning_content", "reasoning"])
@pytest.mark.parametrize("ends_with", ["its own", "the last piece"])
@pytest.mark.parametrize("case", TEXTS)
def test_characters_that_were_cut_are_whole(case: str, ends_with: str, field_name: str) -> None:
    pieces, expected = TEXTS[case]
    chunks = [chunk({field_name: piece}) for piece in pieces]
    if ends_with == "the last piece":
        chunks[-1] = chunk({field_name: pieces[-1]}, "stop")
    else:
        chunks.append(chunk({}, "stop"))
    for read in (read_chat(*chunks, DONE), read_chat(b"".join(chunks) + DONE)):
        assert (read.thought if "reasoning" in field_name else read.text) == expected


def test_a_byte_order_mark_is_taken_off_wherever_the_first_read_ends() -> None:
    data = b"\xef\xbb\xbf" + chunk({"content": "One"}) + chunk({}, "stop") + DONE
    for at in range(12):
        assert read_chat(data[:at], data[at:]).text == "One"


USAGE = {
    "texts and fractions": ({"prompt_tokens": "10", "completion_tokens": 5.0}, (10, 5)),
    "a fraction": ({"prompt_tokens": 10.5, "completion_tokens": 5}, (10, 5)),
    "null": ({"prompt_tokens": None, "completion_tokens": None}, None),
    "one of them": ({"prompt_tokens": 10}, (10, 0)),
    "negative": ({"prompt_tokens": -1, "completion_tokens": 5}, (0, 5)),
    "without end": ({"prompt_tokens": float("inf"), "completion_tokens": 5}, (0, 5)),
}


@pytest.mark.parametrize("case", USAGE)
def test_usage_is_whole_numbers_or_none(case: str) -> None:
    given, expected = USAGE[case]
    usage = read_chat(chunk({"content": "One"}), chunk({}, "stop", usage=given), DONE).usage
    assert (usage and (usage["prompt_tokens"], usage["completion_tokens"])) == expected


def test_usage_that_counts_on_is_that_of_the_last_event() -> None:
    pieces = [chunk({"content": "a"}, None, usage={"prompt_tokens": 10, "completion_tokens": n}) for n in range(4)]
    read = read_chat(*pieces, chunk({}, "stop", usage={"prompt_tokens": 10, "completion_tokens": 4}), DONE)
    assert (read.text, read.usage["completion_tokens"]) == ("aaaa", 4)


@pytest.mark.parametrize(
    ("word", "sent", "meaning"),
    [
        *[(word, "stop", "stop") for word in ("eos", "end_turn", "STOP", "of-tomorrow", "stop_sequence")],
        *[(word, "length", "length") for word in ("max_tokens", "model_length", "MAX_TOKENS")],
        *[(word, "content_filter", "content_filter") for word in ("sensitive", "SAFETY")],
        *[(word, "stop", "error") for word in ("abort", "network_error", "error")],
    ],
)
def test_words_for_the_end_mean_what_is_documented(word: str, sent: str, meaning: str) -> None:
    reader = ChatReader()
    out = reader.feed(chunk({"content": "All done."}) + chunk({}, word) + DONE)
    assert events(out)[-1]["choices"][0]["finish_reason"] == sent
    assert reader.ending is not None
    assert (reader.ending.meaning, reader.ending.word) == (meaning, word)
    assert reader.whole


def test_an_end_without_a_reason_is_whole_only_when_the_server_says_so() -> None:
    assert read_chat(chunk({"content": "One"}), DONE).finish == "stop"
    assert read_chat(chunk({"content": "One"})).finish is None


@pytest.mark.parametrize(
    ("body", "raises"),
    [
        (b'data: {"error": {"message": "no"}}\n\n', ProviderError),
        (b'data: {"error": "no"}\n\n', ProviderError),
        (b'event: error\ndata: {"message": "no"}\n\n', ProviderError),
        (b"event: error\ndata: upstream is gone\n\n", ProviderError),
        (b'data: {"object": "error", "message": "no", "code": 400}\n\n', ProviderError),
        (b'data: {"detail": "no"}\n\n', ProviderError),
        (b'{"error": {"message": "no"}}', ProviderError),
        (b'data: {"choices": [{"del\n\n', Malformed),
        (b"<html><body>Welcome</body></html>", NoStream),
        (b"welcome to this server", NoStream),
        (b'{"welcome": true}', NoStream),
        (b"[1, 2]", NoStream),
    ],
)
def test_what_is_no_answer_is_told_apart(body: bytes, raises: type[Exception]) -> None:
    with pytest.raises(raises):
        read_chat(body)
    begun = ChatReader()
    if raises is not NoStream and body.startswith((b"data:", b"event:")):
        assert events(begun.feed(chunk({"content": "One"}) + body))[0]["choices"][0]["delta"] == {"content": "One"}
        with pytest.raises(raises):
            begun.end()


def test_an_error_behind_the_end_changes_nothing() -> None:
    read = read_chat(chunk({"content": "One"}), chunk({}, "stop"), b'data: {"error": {"message": "late"}}\n\n')
    assert (read.text, read.finish) == ("One", "stop")


def test_a_whole_completion_is_read_as_a_stream() -> None:
    calls = [{"id": "x", "type": "function", "function": {"name": "f", "arguments": A}}]
    message = {"role": "assistant", "content": "One", "tool_calls": calls}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    body = {"object": "chat.completion", "created": 1, "choices": [{"message": message}], "usage": usage}
    read = read_chat(json.dumps(body).encode())
    assert (read.text, read.calls, read.finish, read.usage) == ("One", {0: ["x", "f", A]}, "tool_calls", usage)


def test_lines_of_ollamas_own_interface_are_read() -> None:
    lines = [
        {"model": "m", "message": {"role": "assistant", "content": "One"}, "done": False},
        {"model": "m", "message": {"content": " two"}, "done": True, "done_reason": "stop", "eval_count": 2},
    ]
    read = read_chat("\n".join(map(json.dumps, lines)).encode())
    assert (read.text, read.finish, read.usage["completion_tokens"]) == ("One two", "stop", 2)


def test_pieces_of_one_text_that_arrived_together_leave_as_one() -> None:
    reader = ChatReader()
    pieces = [chunk({"content": piece}) for piece in ("One", " two", " three")]
    assert len(events(reader.feed(b"".join(pieces)))) == 1
    apart = [
        chunk({"content": "One"}),
        chunk({"reasoning": "hm"}),
        chunk({"content": "<think>"}),
        chunk({"content": "x"}),
    ]
    assert len(events(ChatReader().feed(b"".join(apart)))) == 4, "text that SDKs look for stays an event by itself"


def test_a_response_that_did_not_begin_is_begun() -> None:
    reader = ResponsesReader(known_types(ResponsesReader))
    delta = {
        "type": "response.output_text.delta",
        "item_id": "m",
        "output_index": 0,
        "content_index": 0,
        "delta": "One",
    }
    out = events(reader.feed(b"data: " + json.dumps(delta).encode() + b"\n\n"))
    assert [event["type"] for event in out] == ["response.created", "response.output_text.delta"]
    late = {"type": "response.in_progress", "response": {"id": "r", "status": "in_progress"}}
    assert events(reader.feed(b"data: " + json.dumps(late).encode() + b"\n\n")) == []


def anthropic(*given: Json) -> bytes:
    return b"".join(
        b"event: " + one["type"].encode() + b"\ndata: " + json.dumps(one).encode() + b"\n\n" for one in given
    )


def test_blocks_that_share_an_index_are_told_apart() -> None:
    reader = AnthropicReader(known_types(AnthropicReader))
    blocks: list[Json] = []
    for number in range(2):
        block = {"type": "tool_use", "id": f"t{number}", "name": "f", "input": {}}
        blocks.append({"type": "content_block_start", "index": 0, "content_block": block})
        delta = {"type": "input_json_delta", "partial_json": A}
        blocks.append({"type": "content_block_delta", "index": 0, "delta": delta})
        blocks.append({"type": "content_block_stop", "index": 0})
    out = events(reader.feed(anthropic(*blocks)))
    assert next(event["type"] for event in out) == "message_start"
    assert [event["index"] for event in out[1:]] == [0, 0, 0, 1, 1, 1]


def test_deltas_that_nobody_knows_and_those_of_no_block_are_dropped() -> None:
    reader = AnthropicReader(known_types(AnthropicReader))
    odd = {"type": "content_block_delta", "index": 0, "delta": {"type": "of_tomorrow", "text": "x"}}
    lost = {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "{"}}
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "One"}}
    out = events(reader.feed(anthropic(odd, lost, text)))
    assert [event["type"] for event in out] == ["message_start", "content_block_start", "content_block_delta"]


@pytest.mark.parametrize("reader", [ChatReader, ResponsesReader, AnthropicReader])
def test_an_event_that_never_ends_is_not_held_for_ever(reader: type[Reader], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aster_sidecar.models.streams.framing.MOST_BYTES", 1000)
    one = reader()
    assert [one.feed(piece) for piece in (b'data: {"a": "', b"x" * 900)] == [b"", b""]
    with pytest.raises(Malformed):
        one.feed(b"x" * 100)
