"""The model's history: everything that was said can be read back, and is sent in a form that strict servers accept."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RetryFeedbackPart,
    RetryInfo,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from aster_sidecar.conversation.model_history import ModelHistory
from aster_sidecar.conversation.run_request import Usage
from aster_sidecar.conversation.stored_messages import LOST, LOST_PART, UNNAMED, read_row, stored, validated
from aster_sidecar.conversation.strict_history import BEGINNING, NO_RESULT, SEEN, as_sent, unique_ids, with_unique_ids
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.models.streams.shapes import readable
from aster_sidecar.store.journal import Journal
from aster_sidecar.text.numbers import MOST, count, price
from aster_sidecar.text.repair import valid_text, without_nul
from aster_sidecar.text.values import as_text, json_value

HALVES = re.compile("[\ud800-\udfff]")
TEXTS = st.text(st.characters() | st.sampled_from("\ud83d\ude00\udcaf"), max_size=8)
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | st.binary(max_size=4)
    | st.just(Decimal("NaN"))
    | st.just(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def odd(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return usual | ODD


ANSWER_PARTS = st.one_of(
    st.builds(TextPart, odd(TEXTS), id=odd(TEXTS), provider_details=ODD),
    st.builds(ThinkingPart, odd(TEXTS), signature=odd(TEXTS), provider_details=ODD),
    st.builds(ToolCallPart, odd(TEXTS), odd(TEXTS), odd(TEXTS), provider_details=ODD, tool_kind=st.none() | TEXTS),
)


def prompted(content: Any) -> UserPromptPart:
    """A prompt whose content is set after its constructor's check."""
    part = UserPromptPart("")
    part.content = content
    return part


REQUEST_PARTS = st.one_of(
    st.builds(prompted, odd(TEXTS)),
    st.builds(ToolReturnPart, odd(TEXTS), ODD, odd(TEXTS), metadata=ODD),
    st.builds(SystemPromptPart, odd(TEXTS)),
)
USAGES = st.builds(
    RequestUsage,
    input_tokens=odd(st.integers()),
    output_tokens=odd(st.floats()),
    details=st.dictionaries(TEXTS, odd(st.integers()), max_size=2),
)
MESSAGES = st.one_of(
    st.builds(ModelRequest, st.lists(REQUEST_PARTS, max_size=3), instructions=odd(TEXTS), metadata=ODD),
    st.builds(
        ModelResponse,
        st.lists(ANSWER_PARTS, max_size=3),
        usage=USAGES | ODD,
        model_name=odd(TEXTS),
        provider_details=ODD,
        finish_reason=odd(st.just("stop")),
    ),
)


# -- text and numbers --------------------------------------------------------------------------------------------------


@given(TEXTS)
@example("one\0two")
@example("\0\ud83d\ude00\udcaf")
def test_whole_text_joins_pairs_and_replaces_lone_halves_and_nul(text: str) -> None:
    joined = re.sub(
        "[\ud800-\udbff][\udc00-\udfff]",
        lambda pair: pair[0].encode("utf-16-be", "surrogatepass").decode("utf-16-be"),
        text,
    )
    assert valid_text(text) == HALVES.sub("\ufffd", joined).replace("\0", "\ufffd")


@given(st.text(st.sampled_from('\0\\u0"a'), max_size=12))
def test_a_json_text_without_nul_says_the_same_otherwise(text: str) -> None:
    assert json.loads(without_nul(json.dumps({text: text}))) == {valid_text(text): valid_text(text)}
    arguments = readable(json.dumps({"a": text}))
    assert json.loads(arguments) == {"a": valid_text(text)}


@given(ODD)
def test_plain_values_have_a_form_in_json(value: Any) -> None:
    as_text(json_value(value)).encode()


@given(ODD)
def test_counts_are_whole_numbers_from_0_up(value: Any) -> None:
    number = count(value)
    assert type(number) is int
    assert 0 <= number <= MOST
    amount = price(value)
    assert amount is None or 0 <= amount < float("inf")


@pytest.mark.parametrize(
    ("value", "number"),
    [(10.5, 10), ("10", 10), (5.0, 5), (None, 0), (-3, 0), (float("nan"), 0), (float("inf"), 0), ([], 0), (True, 1)],
)
def test_counts_of_providers_are_rounded(value: object, number: int) -> None:
    assert count(value) == number


def test_usage_holds_whole_numbers_whatever_it_is_given() -> None:
    usage = Usage()
    given_counts: Any = 10.5
    usage.input_tokens = given_counts
    usage.cost_usd = float("nan")
    usage.tool_calls += 1
    assert (usage.input_tokens, usage.cost_usd, usage.tool_calls) == (10, None, 1)
    assert usage.to_wire().model_dump() == {"input_tokens": 10, "output_tokens": 0, "requests": 0, "cost_usd": None}


@pytest.mark.parametrize(
    "text",
    ['{"input_tokens": 2.5, "gone": 1}', '{"input_tokens": "2"}', "[]", "{", "", '{"cost_usd": NaN}', "[" * 100_000],
)
def test_usage_of_any_row_is_read(text: str) -> None:
    assert Usage.stored(text).input_tokens in (0, 2)


# -- writing and reading -----------------------------------------------------------------------------------------------


@given(MESSAGES)
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_reads_back_as_what_is_in_memory(message: ModelMessage) -> None:
    kind = message.kind
    text = stored(message)
    assert validated(text) == message
    assert message.kind == kind
    assert not HALVES.search(text)
    assert stored(message) == text
    assert [stored(sent) for sent in as_sent([message])]


@given(MESSAGES)
@settings(deadline=None)
def test_what_was_said_is_never_lost_in_writing(message: ModelMessage) -> None:
    said = [
        valid_text(part.content)
        for part in message.parts
        if isinstance(part, TextPart | ThinkingPart | UserPromptPart) and isinstance(part.content, str)
    ]
    stored(message)
    kept = [part.content for part in message.parts if isinstance(part, TextPart | ThinkingPart | UserPromptPart)]
    assert [text for text in said if text not in kept] == []


def test_odd_values_are_brought_into_form_in_the_message_itself() -> None:
    odd_call: Any = ToolCallPart
    message = ModelResponse(
        parts=[
            odd_call(5, [], 7),
            odd_call("a", False, None, provider_details="odd"),
            odd_call("b", [1], "c"),
            odd_call("d", 5, "e"),
            TextPart("Hi \ud83d\ude00 \udcaf"),
        ],
    )
    stored(message)
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    assert [(call.tool_name, call.args) for call in calls] == [("5", "{}"), ("a", "{}"), ("b", "[1]"), ("d", "5")]
    assert calls[0].tool_call_id == "7"
    assert calls[1].provider_details is None
    assert message.parts[-1] == TextPart("Hi 😀 \ufffd")


def test_a_call_and_its_result_keep_the_same_id() -> None:
    for value in (7, None, 2.5, [1], ""):
        odd_id: Any = value
        call, result = (
            ModelResponse(parts=[ToolCallPart("t", {}, odd_id)]),
            ModelRequest(parts=[ToolReturnPart("t", 1, odd_id)]),
        )
        stored(call)
        stored(result)
        assert call.parts[0].tool_call_id == result.parts[0].tool_call_id  # pyright: ignore


def test_arguments_nested_too_deep_and_numbers_too_long_are_stored() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    message = ModelResponse(parts=[ToolCallPart("t", deep, "c"), TextPart("said")], provider_details={"n": 10**5000})
    assert validated(stored(message)) == message
    assert message.parts[-1] == TextPart("said")


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ('{"kind":"response","parts":[{"part_kind":"text","content":"a\\ud83d"}]}', [TextPart("a\ufffd")]),
        (
            '{"kind":"response","parts":[{"part_kind":"text","content":"\\ud83d\\ud83d\\ude00"}]}',
            [TextPart("\ufffd😀")],
        ),
        (
            '{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"t","args":[],"tool_call_id":7}],'
            '"usage":{"input_tokens":10.5}}',
            [ToolCallPart("t", "{}", "7")],
        ),
        ('{"kind":"response","parts":[{"part_kind":"thought-2","content":"so"}]}', [TextPart("so")]),
        ('{"kind":"response","parts":[{"part_kind":"dance","steps":3}]}', [TextPart(LOST_PART)]),
        (
            '{"kind":"response","parts":[{"part_kind":"tool-call-2","tool_name":"t","args":{"a":1},"tool_call_id":"c"}]}',
            [ToolCallPart("t", {"a": 1}, "c")],
        ),
        ('{"parts":[{"part_kind":"text","content":"one"},{"part_ki', [TextPart("one"), TextPart(LOST_PART)]),
        ('{"kind":"response","parts":[7,null,"x"]}', [TextPart("7"), TextPart("x")]),
        ('{"kind":"response","parts":[{"part_kind":"tool-call"}]}', None),
    ],
)
def test_rows_of_earlier_and_later_versions_are_mended(row: str, parts: list[Any] | None) -> None:
    message, right = read_row(row)
    assert message is not None
    assert not right
    if parts is None:
        assert isinstance(message.parts[0], ToolCallPart)
        assert message.parts[0].tool_name == UNNAMED
    else:
        assert message.parts == parts
    validated(stored(message))


@pytest.mark.parametrize("row", ["", "null", "7", "{", "[]", "\x00\xff", '{"kind":"response"}', "[" * 100_000])
def test_a_row_without_a_message_is_nothing(row: str) -> None:
    assert read_row(row) == (None, False)


@given(MESSAGES, st.data())
@settings(deadline=None)
def test_any_cut_row_is_read_without_an_error(message: ModelMessage, data: st.DataObject) -> None:
    text = stored(message)
    cut = text[: data.draw(st.integers(0, len(text)))]
    read, right = read_row(cut)
    if read is not None and not right:
        validated(stored(read))


def test_a_broken_row_costs_one_message_and_open_calls_are_closed(tmp_path: Path) -> None:
    async def scenario() -> list[ModelMessage]:
        journal = Journal(tmp_path / "aster.db")
        journal.open()
        now = "2026-11-20T12:00:00.000Z"
        journal.put(
            writes=[
                (
                    "INSERT INTO sessions (session_id, agent_id, title, created_at, updated_at) VALUES (?,?,?,?,?)",
                    ("s", "default", "t", now, now),
                )
            ]
        )
        memory = ModelHistory(journal)
        memory.append("s", "gone", [ModelRequest.user_text_prompt("one")])
        memory.append("s", "gone", [ModelResponse(parts=[TextPart("first answer")])])
        await journal.commit()
        with sqlite3.connect(tmp_path / "aster.db") as store:
            for row in (
                "garbage",
                '{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"t","args":{},"tool_call_id":7}]}',
            ):
                store.execute(
                    "INSERT INTO model_messages (session_id, turn_id, message) VALUES ('s', 'gone', ?)", (row,)
                )
            store.execute(
                "INSERT INTO model_messages (session_id, turn_id, message) VALUES ('s', 'gone', CAST(? AS TEXT))",
                (b'{"kind":"response","parts":[{"part_kind":"text","content":"\xff"}]}',),
            )
        store.close()
        memory.forget("s")
        read = memory.of("s")
        await journal.close()
        return read

    read = asyncio.run(scenario())
    assert [message.kind for message in read[:3]] == ["request", "response", "request"]
    assert read[1].parts == [TextPart("first answer")]
    assert str(read[2].parts[0].content) == LOST  # pyright: ignore
    assert isinstance(read[3].parts[0], ToolCallPart)
    assert read[4].parts == [TextPart("\ufffd")]
    pairs_are_whole(as_sent(read))


# -- the form in which it is sent --------------------------------------------------------------------------------------

IDS = st.sampled_from(["a", "b", "abcdefghi", "", "call_PTLP8xhu3uwZk4l3nlnrrJha", "functions.x:0", "7", "é" * 70])
SAID = st.sampled_from(["", " ", "yes", "no\n"])
SENT = st.lists(
    st.one_of(
        st.builds(
            ModelRequest,
            st.lists(
                st.one_of(
                    st.builds(UserPromptPart, SAID | st.lists(SAID, max_size=2)),
                    st.builds(ToolReturnPart, st.sampled_from(["t", "read file"]), SAID, IDS),
                    st.builds(SystemPromptPart, SAID),
                    st.builds(
                        RetryFeedbackPart,
                        st.just("Please return text."),
                        retry=st.builds(RetryInfo[Any], st.sampled_from(["no_output", "model_retry"])),
                    ),
                ),
                max_size=4,
            ),
        ),
        st.builds(
            ModelResponse,
            st.lists(
                st.one_of(
                    st.builds(TextPart, SAID),
                    st.builds(ThinkingPart, SAID, signature=st.none() | st.just("sig")),
                    st.builds(ToolCallPart, st.sampled_from(["t", "read file"]), st.just({}), IDS),
                ),
                max_size=4,
            ),
        ),
    ),
    max_size=8,
)


def pairs_are_whole(messages: Iterable[ModelMessage]) -> None:
    """Every call has one result in the next request; no other call has the same id."""
    sent = [*messages]
    seen: list[str] = []
    for message, after in pairwise([*sent, ModelRequest(parts=[])]):
        if isinstance(message, ModelResponse):
            calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
            results = [part for part in after.parts if isinstance(part, ToolReturnPart)]
            assert sorted((c.tool_call_id, c.tool_name) for c in calls) == sorted(
                (r.tool_call_id, r.tool_name) for r in results
            )
            seen += [call.tool_call_id for call in calls]
    assert len(seen) == len(set(seen))
    assert all(
        re.fullmatch("[a-zA-Z0-9_-]+", p.tool_name) for m in sent for p in m.parts if isinstance(p, ToolCallPart)
    )
    assert sum(isinstance(p, ToolReturnPart) for m in sent for p in m.parts) == len(seen)


@given(SENT, st.booleans(), st.booleans())
@settings(max_examples=400, deadline=None)
def test_what_is_sent_has_the_form_that_strict_servers_take(
    messages: list[ModelMessage], strict_roles: bool, short_ids: bool
) -> None:
    before = ModelMessagesTypeAdapter.dump_json(messages)
    sent = as_sent(messages, strict_roles=strict_roles, short_ids=short_ids)
    assert ModelMessagesTypeAdapter.dump_json(messages) == before, "the stored history must not change"
    assert isinstance(sent[0], ModelRequest)
    assert [type(one) is type(two) for one, two in pairwise(sent)].count(True) == 0
    pairs_are_whole(sent)
    for position, message in enumerate(sent):
        assert message.parts
        assert not any(isinstance(part, RetryFeedbackPart) for part in message.parts)
        if isinstance(message, ModelResponse):
            assert any(
                isinstance(part, ToolCallPart) or (isinstance(part, TextPart) and part.content.strip())
                for part in message.parts
            )
        else:
            assert position == 0 or not any(isinstance(part, SystemPromptPart) for part in message.parts)
            results = [isinstance(part, ToolReturnPart) for part in message.parts]
            assert results == sorted(results, reverse=True)
            assert not (strict_roles and any(results) and not all(results))
            assert sum(isinstance(part, UserPromptPart) for part in message.parts) <= 1
        for part in message.parts:
            if isinstance(part, ToolCallPart | ToolReturnPart):
                assert re.fullmatch("[a-zA-Z0-9]{9}" if short_ids else "[!-~]{1,64}", part.tool_call_id)
    if messages and isinstance(messages[-1], ModelRequest):
        assert isinstance(sent[-1], ModelRequest)
    again = as_sent(sent, strict_roles=strict_roles, short_ids=short_ids)
    assert [*map(id, again)] == [*map(id, sent)], "messages that need no change are sent as they are"
    assert as_sent(messages, strict_roles=strict_roles, short_ids=short_ids) == sent


def test_a_healthy_history_is_sent_as_the_same_objects() -> None:
    history: list[ModelMessage] = [
        ModelRequest.user_text_prompt("read it"),
        ModelResponse(parts=[ThinkingPart("hm", signature="s"), ToolCallPart("read_file", "{}", "call_1")]),
        ModelRequest(parts=[ToolReturnPart("read_file", "text", "call_1")]),
        ModelResponse(parts=[TextPart("It says text.")]),
        ModelRequest.user_text_prompt("thanks"),
    ]
    assert [*map(id, as_sent(history))] == [*map(id, history)]


def test_silent_answers_and_old_nudges_leave_no_trace() -> None:
    nudge = RetryFeedbackPart("Please return text.", retry=RetryInfo(cause="no_output"))
    asked, called = ModelRequest.user_text_prompt("a"), ModelResponse(parts=[ToolCallPart("t", {}, "c")])
    result = ModelRequest(parts=[ToolReturnPart("t", "r", "c")])
    silent = ModelResponse(parts=[ThinkingPart("hm")])
    history = [asked, called, result, silent, ModelRequest(parts=[nudge])]
    now = as_sent(history)
    assert [type(part) for message in now[2:] for part in message.parts] == [ToolReturnPart, UserPromptPart]
    later = as_sent([*history, ModelResponse(parts=[TextPart("ok")]), ModelRequest.user_text_prompt("b")])
    assert [[type(part) for part in message.parts] for message in later] == [
        [UserPromptPart],
        [ToolCallPart],
        [ToolReturnPart],
        [TextPart],
        [UserPromptPart],
    ]


def test_two_messages_of_a_person_in_a_row_become_one() -> None:
    [sent] = as_sent([ModelRequest.user_text_prompt("first"), ModelRequest.user_text_prompt("second")])
    assert sent.parts[0].content == "first\n\nsecond"  # pyright: ignore


def test_strict_roles_put_an_answer_between_results_and_a_person() -> None:
    history: list[ModelMessage] = [
        ModelRequest.user_text_prompt("a"),
        ModelResponse(parts=[ToolCallPart("t", {}, "c")]),
        ModelRequest(parts=[ToolReturnPart("t", "r", "c"), UserPromptPart("and b")]),
    ]
    assert as_sent(history) == history
    strict = as_sent(history, strict_roles=True)
    assert [message.kind for message in strict] == ["request", "response", "request", "response", "request"]
    assert strict[3].parts == [TextPart(SEEN)]


def test_missing_results_are_said_and_duplicates_dropped() -> None:
    history: list[ModelMessage] = [
        ModelResponse(parts=[ToolCallPart("t", {}, "a"), ToolCallPart("t", {}, "b")]),
        ModelRequest(
            parts=[ToolReturnPart("t", 1, "b"), ToolReturnPart("t", 2, "b"), ToolReturnPart("t", 3, "never called")]
        ),
    ]
    first, _, results = as_sent(history)
    assert first.parts[0].content == BEGINNING  # pyright: ignore
    assert [(part.tool_call_id, part.content) for part in results.parts] == [("b", 1), ("a", NO_RESULT)]  # pyright: ignore


def test_short_ids_stay_the_same_from_request_to_request() -> None:
    history: list[ModelMessage] = [
        ModelRequest.user_text_prompt("a"),
        ModelResponse(
            parts=[ToolCallPart("t", {}, "call_PTLP8xhu3uwZk4l3nlnrrJha"), ToolCallPart("t", {}, "abcdefghi")]
        ),
        ModelRequest(
            parts=[ToolReturnPart("t", 1, "call_PTLP8xhu3uwZk4l3nlnrrJha"), ToolReturnPart("t", 2, "abcdefghi")]
        ),
    ]
    first = as_sent(history, short_ids=True)
    more = as_sent([*history, ModelResponse(parts=[TextPart("x")]), *history[:1]], short_ids=True)
    assert more[:3] == first
    assert first[1].parts[1].tool_call_id == "abcdefghi"  # pyright: ignore


@given(st.lists(IDS, max_size=12))
def test_ids_are_made_unique_in_the_form_that_the_server_gave(ids: list[str]) -> None:
    unique = unique_ids(ids)
    assert len(set(unique)) == len(unique) == len(ids)
    for given_id, made in zip(ids, unique, strict=True):
        assert re.fullmatch("[!-~]{1,64}", made)
        if re.fullmatch("[a-zA-Z0-9]{9}", given_id):
            assert re.fullmatch("[a-zA-Z0-9]{9}", made)
        elif made != given_id and re.fullmatch("[a-zA-Z0-9_-]+", given_id):
            assert re.fullmatch("[a-zA-Z0-9_-]{1,40}", made)
    assert unique_ids(unique) == unique


# -- a turn's text -----------------------------------------------------------------------------------------------------


def test_half_a_pair_comes_out_where_it_was_said(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[tuple[str, str]], str]:
        journal = Journal(tmp_path / "aster.db")
        journal.open()
        voice = TurnLog(journal, "default", "s", "t", "m")
        voice.say("thinking_chunk", "so \ud83d")
        voice.say("text_chunk", "\ude00 a\ud83d")
        voice.say("text_chunk", "\ude00b\ud83d")
        voice.new_paragraph()
        voice.say("text_chunk", "c\ud83d")
        for delta in (None, 5, ["x"]):
            voice.say("text_chunk", delta)
        voice.say("text_chunk", "\ud83d")
        await voice.commit()
        rows = journal.all("SELECT type, json_extract(data, '$.delta') FROM events ORDER BY seq")
        await journal.close()
        return [(row[0], row[1]) for row in rows], voice.transcript.text

    rows, text = asyncio.run(scenario())
    assert rows[0] == ("thinking_chunk", "so \ufffd")
    assert text == '\ufffd a😀b\ufffd\n\nc\ufffd5["x"]\ufffd'
    assert "".join(delta for kind, delta in rows if kind == "text_chunk") == text


def test_a_write_that_no_column_takes_is_mended_and_takes_nothing_with_it(tmp_path: Path) -> None:
    async def scenario() -> list[Any]:
        journal = Journal(tmp_path / "aster.db")
        journal.open()
        insert = "INSERT INTO meta (key, value) VALUES (?,?)"
        odd_values: list[Any] = ["\ud83d", ["x"], 1 << 70]
        journal.put(writes=[(insert, (f"k{n}", value)) for n, value in enumerate(odd_values)])
        journal.put(writes=[(insert, ("whole", "yes"))], durable=False)
        await journal.commit()
        rows = journal.all("SELECT value FROM meta WHERE key LIKE 'k_' OR key='whole' ORDER BY key")
        await journal.close()
        return [row[0] for row in rows]

    assert asyncio.run(scenario()) == ["\ufffd", '["x"]', str(1 << 70), "yes"]


def test_ids_that_come_again_in_later_turns_are_told_apart() -> None:
    def turn(number: int) -> list[ModelMessage]:
        call = ToolCallPart("t", {}, tool_call_id="call_0")
        result = ToolReturnPart(tool_name="t", content=number, tool_call_id="call_0")
        return [ModelRequest.user_text_prompt("x"), ModelResponse(parts=[call]), ModelRequest(parts=[result])]

    history = [message for number in range(3) for message in turn(number)]
    mended = with_unique_ids(history)
    calls = [part.tool_call_id for message in mended for part in message.parts if isinstance(part, ToolCallPart)]
    results = [part.tool_call_id for message in mended for part in message.parts if isinstance(part, ToolReturnPart)]
    assert calls == results
    assert len(set(calls)) == 3
    assert calls[-1] == "call_0", "the newest may be open, so it keeps its id"
    assert unique_ids(["call_0", "call_1"], {"call_0"}) == ["call_0_1", "call_1"]
    assert with_unique_ids(mended) == mended
