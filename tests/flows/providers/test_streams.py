"""Streams with one unusual detail: their content is read nevertheless, and the session continues."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.bytes_provider import Answer, RecordedRequest
from tests.support.stream_bytes import (
    ANTHROPIC,
    CHAT,
    DIALECTS,
    DONE,
    RESPONSES,
    Called,
    Dialect,
    Part,
    Said,
    Thought,
    anthropic,
    called,
    chat,
    chat_call,
    chat_usage,
    event,
    responses,
    say,
)
from tests.support.strict_servers import InTurn, WholePairs
from tests.support.talk import Talk, last_body

Begin = Callable[..., Talk]

# -- thinking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [{"output_index": 0, "content_index": 0}, {}], ids=["as vLLM", "as llama.cpp"])
def test_raw_thinking_is_shown(begin: Begin, place: dict[str, int]) -> None:
    talk = begin(RESPONSES)
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [], "status": "in_progress"}
    thought = [
        responses("response.output_item.added", item=item, output_index=0),
        *(
            responses("response.reasoning_text.delta", item_id="rs_1", delta=text, **place)
            for text in ("Let me", " see")
        ),
    ]
    first, *rest = RESPONSES.stream("Hello.")
    talk.provider.script(Answer([first, *thought, *rest]))
    outcome = talk.ask("hello")
    assert outcome.thought == "Let me see"
    talk.healthy(outcome, "Hello.")


def test_what_a_library_stumbles_over_is_no_fault_of_the_daemon(own: Begin) -> None:
    talk = own(ASTER_MODEL_EDGE="off")
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [7]}, "finish_reason": None}
    odd = event({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
    talk.provider.script(Answer([chat({"content": "Well"}), odd, *CHAT.stream("Hello.")[1:]]))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes, outcome.text) == ("failed", ["malformed_stream"], "Well")
    assert "a library could not read an answer" in talk.daemon.log
    talk.goes_on()


# -- characters --------------------------------------------------------------------------------------------------------

FACE = "😀"
HALVES = ("\ud83d", "\ude00")
LONE = "\udcaf"


def in_text(*pieces: str) -> tuple[Part, ...]:
    return (Said(pieces),)


def in_thought(*pieces: str) -> tuple[Part, ...]:
    return Thought(pieces), Said(["Done."])


@pytest.mark.parametrize("place", [in_text, in_thought], ids=["text", "thought"])
def test_a_character_cut_between_two_chunks_is_whole(
    begin: Begin, dialect: Dialect, place: Callable[..., tuple[Part, ...]]
) -> None:
    talk = begin(dialect)
    talk.provider.script(dialect.answer(*place(f"Hi {HALVES[0]}", f"{HALVES[1]}!")))
    outcome = talk.ask("hello")
    assert outcome.text + outcome.thought in (f"Hi {FACE}!", f"Done.Hi {FACE}!")
    talk.healthy(outcome)
    talk.daemon.restart()
    after = talk.goes_on()
    if place is in_text:
        assert talk.history()[1]["text"] == f"Hi {FACE}!"
        assert FACE in str(after.requests[0].messages)


@pytest.mark.parametrize("place", [in_text, in_thought], ids=["text", "thought"])
def test_half_a_character_without_its_other_half_is_replaced(
    begin: Begin, dialect: Dialect, place: Callable[..., tuple[Part, ...]]
) -> None:
    talk = begin(dialect)
    talk.provider.script(dialect.answer(*place(f"Hi {LONE} the", "re")))
    outcome = talk.ask("hello")
    assert outcome.text + outcome.thought in ("Hi \ufffd there", "Done.Hi \ufffd there")
    talk.healthy(outcome)
    talk.daemon.restart()
    talk.goes_on()


@pytest.mark.parametrize(
    ("pieces", "path"),
    [
        (['{"path":"a\ud83d', '\ude00.txt"}'], f"a{FACE}.txt"),
        (['{"path":"a\\ud83d', '\\ude00.txt"}'], f"a{FACE}.txt"),
        (['{"path":"a\udcaf.txt"}'], "a\ufffd.txt"),
        (['{"path":"a\\udcaf.txt"}'], "a\ufffd.txt"),
    ],
    ids=["cut", "cut escape", "lone", "lone escape"],
)
def test_characters_in_arguments_are_whole(begin: Begin, dialect: Dialect, pieces: list[str], path: str) -> None:
    talk = begin(dialect)
    (talk.daemon.work_dir / path).write_text("found\n")
    talk.provider.script(dialect.answer(Called("read_file", pieces)), say("Read."))
    outcome = talk.ask("read it")
    assert outcome.ran == [("read_file", {"path": path}, "done")]
    talk.healthy(outcome, "Read.")
    talk.daemon.restart()
    talk.goes_on()


@pytest.mark.parametrize("count", [1, 2])
def test_a_byte_order_mark_costs_nothing(begin: Begin, dialect: Dialect, count: int) -> None:
    talk = begin(dialect)
    pieces = ["whole ", "text"][:count]
    events = dialect.stream(Said(pieces))
    talk.provider.script(Answer("\ufeff" + "".join(events[1:] if dialect is CHAT else events)))
    talk.healthy(talk.ask("hello"), "".join(pieces))


# -- events that say nothing -------------------------------------------------------------------------------------------

FILLERS = {
    "null": "data: null\n\n",
    "comment": ": keep-alive\n\n",
    "no data": "data:\n\n",
    "an empty object": "data: {}\n\n",
    "an empty text": 'data: ""\n\n',
    "an empty list": "data: []\n\n",
    "ping": 'event: ping\ndata: {"type": "ping"}\n\n',
    "a named heartbeat": "event: heartbeat\ndata: {}\n\n",
    "a field alone": "retry: 1000\n\nid: 7\n\n",
}


@pytest.mark.parametrize("filler", FILLERS)
def test_events_that_only_keep_the_connection_are_passed_over(begin: Begin, dialect: Dialect, filler: str) -> None:
    talk = begin(dialect)
    events = dialect.stream(Said(["o", "k"]))
    talk.provider.script(Answer([part for sent in events for part in (FILLERS[filler], sent)], framing="chunked"))
    outcome = talk.ask("hello")
    talk.healthy(outcome, "ok")
    assert len(outcome.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_compressed_streams_are_read(begin: Begin, dialect: Dialect, framing: str, encoding: str) -> None:
    talk = begin(dialect)
    talk.provider.script(Answer(dialect.stream(Said(["o", "k"])), framing=framing, encoding=encoding))  # type: ignore[arg-type]
    talk.healthy(talk.ask("hello"), "ok")


@pytest.mark.parametrize("lines", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_line_ends_of_each_kind_are_read(begin: Begin, dialect: Dialect, lines: str) -> None:
    talk = begin(dialect)
    text = "".join(dialect.stream(Said(["o", "k ✓"]))).replace("\n", lines).encode()
    talk.provider.script(Answer([text[at : at + 17] for at in range(0, len(text), 17)]))
    talk.healthy(talk.ask("hello"), "ok ✓")


# -- tool calls --------------------------------------------------------------------------------------------------------

A, B = '{"path": "a.txt"}', '{"path": "b.txt"}'
BOTH = [("read_file", {"path": "a.txt"}, "done"), ("read_file", {"path": "b.txt"}, "done")]


def two_under_one_number(dialect: Dialect) -> list[str]:
    """Two complete calls with separate ids but the same number."""
    if dialect is CHAT:
        calls = [chat(chat_call(0, "call_a", "read_file", A)), chat(chat_call(0, "call_b", "read_file", B))]
        return [*calls, chat({}, "tool_calls"), DONE]
    events = dialect.stream(Called("read_file", [A], "call_a"), Called("read_file", [B], "call_b"))
    key = "output_index" if dialect is RESPONSES else "index"
    return [sent.replace(f'"{key}": 1', f'"{key}": 0') for sent in events]


CHAT_CALLS = {
    "two in pieces under one number": [
        chat(chat_call(0, "call_a", "read_file", "")),
        chat(chat_call(0, None, None, '{"path"')),
        chat(chat_call(0, None, None, ': "a.txt"}')),
        chat(chat_call(0, "call_b", "read_file", "")),
        chat(chat_call(0, None, None, B)),
    ],
    "no ids": [
        chat(chat_call(0, None, "read_file", '{"path"')),
        chat(chat_call(0, None, None, ': "a.txt"}')),
        chat(chat_call(1, None, "read_file", B)),
    ],
    "no numbers": [
        chat(chat_call(None, "call_a", "read_file", A)),
        chat(chat_call(None, "call_b", "read_file", B)),
    ],
    "no numbers, in one delta": [
        chat(
            {
                "tool_calls": [
                    *chat_call(None, "call_a", "read_file", A)["tool_calls"],
                    *chat_call(None, "call_b", "read_file", B)["tool_calls"],
                ]
            }
        )
    ],
    "no numbers, in pieces": [
        chat(chat_call(None, "call_a", "read_file", '{"pa')),
        chat(chat_call(None, None, None, 'th": "a')),
        chat(chat_call(None, None, None, '.txt"}')),
        chat(chat_call(None, "call_b", "read_file", '{"path": ')),
        chat(chat_call(None, None, None, '"b.txt"}')),
    ],
    "numbers from one on": [
        chat(chat_call(1, "call_a", "read_file", A)),
        chat(chat_call(2, "call_b", "read_file", B)),
    ],
    "id and name again with each piece": [
        chat(chat_call(0, "call_a", "read_file", '{"path"')),
        chat(chat_call(0, "call_a", "read_file", ': "a.txt"}')),
        chat(chat_call(1, "call_b", "read_file", B)),
    ],
    "empty id and name in later pieces": [
        chat(chat_call(0, "call_a", "read_file", '{"path"')),
        chat(chat_call(0, "", "", ': "a.txt"}')),
        chat(chat_call(1, "call_b", "read_file", B)),
    ],
    "one id for two": [
        chat(chat_call(0, "call_a", "read_file", A)),
        chat(chat_call(1, "call_a", "read_file", B)),
    ],
    "finish reason stop": [
        chat(chat_call(0, "call_a", "read_file", A)),
        chat(chat_call(1, "call_b", "read_file", B)),
        chat({}, "stop"),
    ],
}


def test_two_calls_under_one_number_are_two(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    strict = WholePairs(InTurn(Answer(two_under_one_number(dialect)), say("Read.")))
    talk.provider.script(strict)
    outcome = talk.ask("read both")
    assert sorted(outcome.ran, key=str) == BOTH, str(outcome)
    assert strict.refused == []
    talk.healthy(outcome, "Read.")


@pytest.mark.parametrize("calls", CHAT_CALLS)
def test_calls_that_are_numbered_oddly_run_once_with_whole_arguments(begin: Begin, calls: str) -> None:
    talk = begin()
    ending = [] if calls == "finish reason stop" else [chat({}, "tool_calls")]
    strict = WholePairs(InTurn(Answer([*CHAT_CALLS[calls], *ending, chat_usage(), DONE]), say("Read.")))
    talk.provider.script(strict)
    outcome = talk.ask("read both")
    assert sorted(outcome.ran, key=str) == BOTH, str(outcome)
    assert strict.refused == []
    talk.healthy(outcome, "Read.")


def test_a_call_in_three_pieces_without_number_is_one(begin: Begin) -> None:
    talk = begin()
    pieces = [
        chat(chat_call(None, "call_a", "read_file", '{"pa')),
        chat(chat_call(None, None, None, 'th": "a')),
        chat(chat_call(None, None, None, '.txt"}')),
    ]
    strict = WholePairs(InTurn(Answer([*pieces, chat({}, "tool_calls"), DONE]), say("Read.")))
    talk.provider.script(strict)
    outcome = talk.ask("read it")
    assert outcome.ran == BOTH[:1], str(outcome)
    assert strict.refused == []
    talk.healthy(outcome, "Read.")


READS_A = {
    "a number for an id": chat_call(0, 7, "read_file", A),
    "an object for arguments": chat_call(0, "call_a", "read_file", {"path": "a.txt"}),
}
"""Calls whose meaning is clear although their types are wrong."""
ODD_CALLS = {
    **READS_A,
    "a list for arguments": chat_call(0, "call_a", "read_file", []),
    "false for arguments": chat_call(0, "call_a", "read_file", False),
    "a number for arguments": chat_call(0, "call_a", "read_file", 5),
    "a number for a name": chat_call(0, "call_a", 5, A),
    "an object for an id": chat_call(0, {"a": 1}, "read_file", A),
    "a number for a number": chat_call(0, "call_a", "read_file", A) | {"role": 5},
    "an object for a text": {"content": {"text": "hm"}},
    "a number for a text": {"content": 5},
    "a number for reasoning": {"reasoning_content": 5, "content": "hm"},
}


@pytest.mark.parametrize("delta", ODD_CALLS)
def test_types_that_no_one_expects_cost_no_session(begin: Begin, delta: str) -> None:
    talk = begin()
    finish = "tool_calls" if "tool_calls" in ODD_CALLS[delta] else "stop"
    talk.provider.script(Answer([chat(ODD_CALLS[delta]), chat({}, finish), chat_usage(), DONE]), say("Read."))
    outcome = talk.ask("read it")
    if delta in READS_A:
        assert outcome.ran == BOTH[:1], str(outcome)
        assert outcome.stop_reason == "complete", str(outcome)
    assert "internal_error" not in outcome.codes, str(outcome)
    talk.goes_on()
    talk.daemon.restart()
    talk.goes_on()
    talk.daemon.call("POST", "/api/cancel", {"agent_id": "default", "session_id": talk.session_id})
    talk.daemon.call("DELETE", f"/api/sessions/{talk.session_id}")


# -- usage -------------------------------------------------------------------------------------------------------------

ODD_USAGE: dict[str, dict[str, tuple[object, set[tuple[int, int]]]]] = {
    "chat": {
        "null": ({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, {(0, 0)}),
        "texts": ({"prompt_tokens": "10", "completion_tokens": "5", "total_tokens": "15"}, {(10, 5)}),
        "text and float": ({"prompt_tokens": "10", "completion_tokens": 5.0, "total_tokens": 15}, {(10, 5)}),
        "fractions": ({"prompt_tokens": 10.5, "completion_tokens": 5.25, "total_tokens": 15}, {(10, 5), (11, 5)}),
        "a list": ([], {(0, 0)}),
        "a text": ("none", {(0, 0)}),
        "details only": ({"prompt_tokens_details": {"cached_tokens": 0}}, {(0, 0)}),
        "null in details": (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": None},
            },
            {(10, 5)},
        ),
        "fractions in details": (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "completion_tokens_details": {"reasoning_tokens": 2.5},
            },
            {(10, 5)},
        ),
        "negative": ({"prompt_tokens": -1, "completion_tokens": 5, "total_tokens": 4}, {(0, 5), (0, 0)}),
        "words": ({"prompt_tokens": "many", "completion_tokens": 5, "total_tokens": 5}, {(0, 5), (0, 0)}),
    },
    "responses": {
        "null": ({"input_tokens": None, "output_tokens": None, "total_tokens": None}, {(0, 0)}),
        "texts": ({"input_tokens": "10", "output_tokens": "5", "total_tokens": "15"}, {(10, 5)}),
        "fractions": (RESPONSES.usage(10.5, 5.25), {(10, 5), (11, 5)}),
        "a list": ([], {(0, 0)}),
        "no details": ({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}, {(10, 5)}),
        "null details": (
            {**RESPONSES.usage(), "input_tokens_details": None, "output_tokens_details": None},
            {(10, 5)},
        ),
        "fractions in details": ({**RESPONSES.usage(), "output_tokens_details": {"reasoning_tokens": 2.5}}, {(10, 5)}),
        "negative": (RESPONSES.usage(-1, 5), {(0, 5), (0, 0)}),
    },
    "anthropic": {
        "null": ({"input_tokens": None, "output_tokens": None}, {(0, 0), (0, 1)}),
        "texts": ({"input_tokens": "10", "output_tokens": "5"}, {(10, 5)}),
        "fractions": ({"input_tokens": 10.5, "output_tokens": 5.25}, {(10, 5), (11, 5)}),
        "null caches": (
            {
                "input_tokens": 10,
                "output_tokens": 5,
                "cache_read_input_tokens": None,
                "cache_creation_input_tokens": None,
            },
            {(10, 5)},
        ),
        "negative": ({"input_tokens": -1, "output_tokens": 5}, {(0, 5), (0, 0), (0, 1)}),
    },
}


@pytest.mark.parametrize(("name", "usage"), [(name, usage) for name in ODD_USAGE for usage in ODD_USAGE[name]])
def test_odd_usage_is_read_as_far_as_it_means_something(begin: Begin, name: str, usage: str) -> None:
    dialect = DIALECTS[name]
    talk = begin(dialect)
    sent, expected = ODD_USAGE[name][usage]
    talk.provider.script(dialect.answer("ok", usage=sent))
    outcome = talk.ask("hello")
    assert (outcome.usage["input_tokens"], outcome.usage["output_tokens"]) in expected
    talk.healthy(outcome, "ok")
    assert talk.daemon.status(session_id=talk.session_id)["state"] == "idle"


def test_sessions_with_odd_usage_are_there_after_a_restart(begin: Begin, dialect: Dialect) -> None:
    talks: list[Talk] = []
    for sent, _ in ODD_USAGE[dialect.name].values():
        talks.append(begin(dialect))
        talks[-1].provider.script(dialect.answer("ok", usage=sent))
        talks[-1].ask("hello")
    talks[0].daemon.restart()
    for talk in talks:
        talk.goes_on()


def test_usage_on_each_chunk_is_not_added_up(begin: Begin) -> None:
    talk = begin()
    counted = [
        chat({"content": piece}, usage=CHAT.usage(10, written)) for written, piece in enumerate(("a", "b", "c"), 1)
    ]
    talk.provider.script(Answer([*counted, chat({}, "stop", usage=CHAT.usage(10, 4)), DONE]))
    outcome = talk.ask("hello")
    assert (outcome.usage["input_tokens"], outcome.usage["output_tokens"]) == (10, 4)
    talk.healthy(outcome, "abc")


# -- fields ------------------------------------------------------------------------------------------------------------

OK = chat({"content": "ok"})
END = [chat({}, "stop"), chat_usage(), DONE]
CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
ODD_CHUNKS: dict[str, list[str]] = {
    "choices null": [event({**CHUNK, "choices": None}), OK, *END],
    "choices missing": [event(CHUNK), OK, *END],
    "choices empty first": [event({**CHUNK, "choices": []}), OK, *END],
    "choices of null": [event({**CHUNK, "choices": [None]}), OK, *END],
    "delta null": [event({**CHUNK, "choices": [{"index": 0, "delta": None, "finish_reason": None}]}), OK, *END],
    "delta missing": [OK, event({**CHUNK, "choices": [{"index": 0, "finish_reason": "stop"}]}), DONE],
    "usage early and partial": [
        event({**CHUNK, "choices": [], "usage": {"prompt_tokens_details": {"cached_tokens": 0}}}),
        OK,
        *END,
    ],
    "usage list": [OK, chat({}, "stop", usage=[]), DONE],
    "tool_calls object": [chat({"content": "ok", "tool_calls": {}}), *END],
    "tool_calls of null": [chat({"content": "ok", "tool_calls": [None]}), *END],
    "tool_calls null": [chat({"content": "ok", "tool_calls": None}), *END],
    "created in microseconds": [chat({"content": "ok"}, created=1_764_000_000_000_000), *END],
    "created fraction": [chat({"content": "ok"}, created=1_764_000_000.25), *END],
    "created text": [chat({"content": "ok"}, created="2026-01-01"), *END],
    "created null": [chat({"content": "ok"}, created=None), *END],
    "finish reason empty": [chat({"content": "ok"}, ""), *END],
    "role odd": [chat({"role": "bot", "content": "ok"}), *END],
    "id and model null": [chat({"content": "ok"}, id=None, model=None), *END],
    "id a number": [chat({"content": "ok"}, id=7), *END],
    "usage and finish in one chunk": [OK, chat({}, "stop", usage=CHAT.usage()), DONE],
    "no mark at the end": [OK, chat({}, "stop")],
    "content in parts": [chat({"content": [{"type": "text", "text": "ok"}]}), *END],
    "logprobs of another form": [
        event({**CHUNK, "choices": [{"index": 0, "delta": {"content": "ok"}, "logprobs": [], "finish_reason": None}]}),
        *END,
    ],
}


@pytest.mark.parametrize("chunks", ODD_CHUNKS)
def test_odd_fields_of_chat_are_read_or_passed_over(begin: Begin, chunks: str) -> None:
    talk = begin()
    talk.provider.script(Answer(ODD_CHUNKS[chunks]))
    outcome = talk.ask("hello")
    assert len(outcome.requests) == 1
    talk.healthy(outcome, "ok")


def between(dialect: Dialect, *odd: str) -> list[str]:
    """A good stream with unusual events after its first piece of text."""
    events = dialect.stream(Said(["o", "k"]))
    at = next(n for n, sent in enumerate(events) if '"o"' in sent and "delta" in sent) + 1
    return [*events[:at], *odd, *events[at:]]


def changed(dialect: Dialect, old: str, new: str) -> list[str]:
    """A good stream in which `old` is replaced by `new` in each event."""
    events = dialect.stream("ok")
    assert any(old in sent for sent in events), old
    return [sent.replace(old, new) for sent in events]


ODD_EVENTS: dict[str, tuple[Dialect, list[str]]] = {
    "anthropic: unknown event": (ANTHROPIC, between(ANTHROPIC, anthropic("content_block_note", index=0))),
    "anthropic: unknown delta": (
        ANTHROPIC,
        between(ANTHROPIC, anthropic("content_block_delta", index=0, delta={"type": "glow_delta", "glow": 1})),
    ),
    "anthropic: delta null": (ANTHROPIC, between(ANTHROPIC, anthropic("content_block_delta", index=0, delta=None))),
    "anthropic: unknown block": (
        ANTHROPIC,
        between(
            ANTHROPIC,
            anthropic("content_block_start", index=7, content_block={"type": "hologram", "x": 1}),
            anthropic("content_block_stop", index=7),
        ),
    ),
    "anthropic: text null": (
        ANTHROPIC,
        between(ANTHROPIC, anthropic("content_block_delta", index=0, delta={"type": "text_delta", "text": None})),
    ),
    "anthropic: ending without usage": (ANTHROPIC, ANTHROPIC.stream("ok", usage=None)),
    "anthropic: no event names": (ANTHROPIC, [s.partition("\n")[2] for s in ANTHROPIC.stream("ok")]),
    "responses: unknown event": (RESPONSES, between(RESPONSES, responses("response.glow.delta", output_index=0))),
    "responses: unknown item": (
        RESPONSES,
        between(
            RESPONSES,
            responses("response.output_item.added", output_index=7, item={"type": "hologram", "id": "h_1"}),
            responses("response.output_item.done", output_index=7, item={"type": "hologram", "id": "h_1"}),
        ),
    ),
    "responses: delta null": (
        RESPONSES,
        between(
            RESPONSES,
            responses("response.output_text.delta", item_id="msg_0", output_index=0, content_index=0, delta=None),
        ),
    ),
    "responses: created in microseconds": (
        RESPONSES,
        changed(RESPONSES, '"created_at": 1', '"created_at": 17640000000000000'),
    ),
    "responses: created null": (RESPONSES, changed(RESPONSES, '"created_at": 1', '"created_at": null')),
    "responses: annotations null": (RESPONSES, changed(RESPONSES, '"annotations": []', '"annotations": null')),
    "responses: output null": (RESPONSES, changed(RESPONSES, '"output": []', '"output": null')),
    "responses: tools null": (RESPONSES, changed(RESPONSES, '"tools": []', '"tools": null')),
    "responses: no event names": (RESPONSES, [s.partition("\n")[2] for s in RESPONSES.stream("ok")]),
    "responses: a mark at the end": (RESPONSES, [*RESPONSES.stream("ok"), DONE]),
}


@pytest.mark.parametrize("odd", ODD_EVENTS)
def test_odd_events_are_read_or_passed_over(begin: Begin, odd: str) -> None:
    dialect, events = ODD_EVENTS[odd]
    talk = begin(dialect)
    talk.provider.script(Answer(events))
    outcome = talk.ask("hello")
    assert len(outcome.requests) == 1
    talk.healthy(outcome, "ok")


# -- answers that are no stream ----------------------------------------------------------------------------------------

JSON_TYPE = {"content-type": "application/json"}


@pytest.mark.parametrize("headers", [JSON_TYPE, {"content-type": "text/event-stream"}, {}], ids=["json", "sse", "none"])
def test_a_whole_answer_instead_of_a_stream_is_used(begin: Begin, dialect: Dialect, headers: dict[str, str]) -> None:
    talk = begin(dialect)
    whole = Answer.json(dialect.whole("All at once."))
    talk.provider.script(Answer(whole.body, 200, headers, "length"))
    outcome = talk.ask("hello")
    assert len(outcome.requests) == 1
    assert (outcome.usage["input_tokens"], outcome.usage["output_tokens"]) == (10, 5)
    talk.healthy(outcome, "All at once.")


def test_a_whole_answer_with_a_call_instead_of_a_stream_is_used(begin: Begin) -> None:
    talk = begin()
    call = {"id": "call_a", "type": "function", "function": {"name": "read_file", "arguments": A}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    whole = CHAT.whole("") | {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    talk.provider.script(Answer.json(whole), say("Read."))
    outcome = talk.ask("read it")
    assert outcome.ran == BOTH[:1]
    talk.healthy(outcome, "Read.")


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json", "text/event-stream"])
def test_chunks_one_a_line_are_used(begin: Begin, dialect: Dialect, kind: str) -> None:
    talk = begin(dialect)
    sent = [line for line in "".join(dialect.stream(Said(["o", "k"]))).split("\n") if line.startswith("data: {")]
    lines = "".join(line.removeprefix("data: ") + "\n" for line in sent)
    talk.provider.script(Answer(lines, 200, {"content-type": kind}))
    outcome = talk.ask("hello")
    assert len(outcome.requests) == 1
    talk.healthy(outcome, "ok")


NO_STREAM = {
    "page": Answer(
        "<!DOCTYPE html><html><body>Sign in to Example Gateway</body></html>", headers={"content-type": "text/html"}
    ),
    "page as a stream": Answer("<html><body>Sign in to Example Gateway</body></html>"),
    "text": Answer("Sign in to Example Gateway", headers={"content-type": "text/plain"}),
    "another JSON": Answer.json({"hint": "Sign in to Example Gateway"}),
    "202": Answer("", 202),
    "204": Answer("", 204),
    "nothing": Answer(""),
}


@pytest.mark.parametrize("kind", NO_STREAM)
def test_what_is_no_answer_is_refused_once_with_its_first_words(begin: Begin, dialect: Dialect, kind: str) -> None:
    talk = begin(dialect)
    talk.provider.script(NO_STREAM[kind])
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["malformed_stream"]), str(outcome)
    if kind == "nothing":
        assert len(outcome.requests) <= 4, "a connection that closed at once may be a network problem"
    else:
        assert len(outcome.requests) == 1, str(outcome)
    said = outcome.errors[0]["message"]
    if kind in ("202", "204"):
        assert kind in said
    elif kind != "nothing":
        assert "Sign in to Example Gateway" in said
    talk.goes_on()


# -- what is sent back -------------------------------------------------------------------------------------------------


def test_ids_of_calls_and_results_agree_in_the_next_request(begin: Begin) -> None:
    talk = begin()
    call = Answer([chat(chat_call(0, None, "read_file", A)), chat({}, "tool_calls"), DONE])
    talk.provider.script(call, say("Read."))
    outcome = talk.ask("read it")
    [assistant] = [message for message in last_body(outcome)["messages"] if message.get("tool_calls")]
    [result] = [message for message in last_body(outcome)["messages"] if message["role"] == "tool"]
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"]
    talk.healthy(outcome, "Read.")


def test_ids_of_the_form_a_server_gave_keep_that_form(begin: Begin) -> None:
    talk = begin()
    twice = [chat(chat_call(n, "abcDEF123", "read_file", text)) for n, text in enumerate((A, B))]
    seen: list[str] = []

    def note(request: RecordedRequest) -> Answer:
        seen.extend(call["id"] for m in request.messages for call in m.get("tool_calls", []))
        return CHAT.answer("Read.")

    talk.provider.script(Answer([*twice, chat({}, "tool_calls"), DONE]), note)
    outcome = talk.ask("read both")
    assert len(outcome.ran) == 2
    assert len(set(seen)) == 2
    assert all(len(call_id) == 9 and call_id.isalnum() for call_id in seen), seen
    talk.healthy(outcome, "Read.")


def test_a_whole_call_has_an_answer(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    talk.provider.script(dialect.answer(Thought(["hm"]), called("read_file", path="a.txt")), say("Read."))
    outcome = talk.ask("read it")
    assert outcome.ran == BOTH[:1]
    talk.healthy(outcome, "Read.")
