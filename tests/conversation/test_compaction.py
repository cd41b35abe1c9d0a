"""Shortening a conversation: token estimates, what follows a refusal, and the history that remains."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_ai import RequestUsage, TextPart, ThinkingPart, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest, ModelResponse

from aster_sidecar.conversation.compaction import (
    ASSUMED_TOKENS,
    MOST_COMPACTIONS,
    Step,
    after_refusal,
    compact,
    cut_at,
    estimated,
    fixed_tokens,
    last_said,
    nearly_full,
    size,
)
from aster_sidecar.conversation.summary import GO_ON, SUMMARY_HEAD, script, summarise
from aster_sidecar.conversation.transcript import compacted
from aster_sidecar.errors import ModelError, Refused
from aster_sidecar.models.token_estimate import cut_text, estimate_tokens

# What cl100k, o200k and Llama 3's tokenizer count for these texts, repeated: the largest of the three counts.
MEASURED = {
    "prose": ("Please look at the report again and tell me which of the numbers changed since last week and why. ", 20),
    "code": ("    for index, part in enumerate(message.parts):\n        total += len(part.content or '')\n", 18),
    "json": ('{"id": 4711, "name": "user_17", "active": true, "score": 0.5312, "tags": ["a", "b"]}\n', 38),
    "hex": ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 42),
    "base64": ("iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4", 32),
    "German": ("Überraschend kam die Ankündigung, dass Anträge ausschließlich elektronisch eingereicht werden. ", 26),
    "Russian": ("Владельцы домов смогут подать заявку через интернет, если выполнены условия. ", 31),
    "Chinese": ("政府昨日宣布将延长对家庭节能改造的补贴计划，直至今年年底。", 37),
    "Japanese": ("条件を満たす所有者は、インターネットから申請することができます。", 29),
    "Korean": ("정부는 어제 주택 에너지 절감 보조금 제도를 연말까지 연장한다고 발표했습니다. ", 41),
    "emoji": ("😀🎉🚀🔥💡", 13),
}


@pytest.mark.parametrize("kind", MEASURED)
def test_estimates_are_not_far_below_what_tokenizers_give(kind: str) -> None:
    text, measured = MEASURED[kind]
    assert 0.85 * measured <= estimate_tokens(text * 20) / 20 <= 2 * measured


@given(st.text(max_size=300))
def test_an_estimate_grows_with_the_text_and_takes_any_text(text: str) -> None:
    assert estimate_tokens(text) <= estimate_tokens(text + "word " * 3)
    assert estimate_tokens(text) <= 4 * len(text) + 1


@given(st.text(min_size=1, max_size=2000), st.integers(0, 500), st.sampled_from([0.0, 0.3]))
def test_a_cut_text_fits_and_says_what_is_missing(text: str, most: int, tail_share: float) -> None:
    short = cut_text(text, most, tail_share=tail_share)
    if estimate_tokens(text) <= most:
        assert short == text
    else:
        assert estimate_tokens(short) <= max(most, estimate_tokens("[… 10000 characters left out …]"))
        assert "characters left out" in short


# -- sizes -------------------------------------------------------------------------------------------------------------


def person(text: str) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(content=text)])


def answer(text: str, input_tokens: int = 0, output_tokens: int = 0) -> ModelResponse:
    return ModelResponse(
        parts=[TextPart(content=text)], usage=RequestUsage(input_tokens=input_tokens, output_tokens=output_tokens)
    )


def calls(*named: str, **arguments: Any) -> ModelResponse:
    return ModelResponse(
        parts=[
            ToolCallPart(tool_name="read_file", args=arguments or {"path": name}, tool_call_id=name) for name in named
        ]
    )


def results(*named: str, text: str = "contents") -> ModelRequest:
    return ModelRequest(
        parts=[ToolReturnPart(tool_name="read_file", content=text, tool_call_id=name) for name in named]
    )


LONG = "many words that mean nothing in particular " * 100


def test_a_size_is_the_providers_count_and_the_estimate_of_what_came_after() -> None:
    history: list[ModelMessage] = [person(LONG), answer(LONG, input_tokens=800, output_tokens=700), person("more")]
    assert 1500 < size(history).tokens < 1530
    assert size([person(LONG)], 500).tokens == 500 + estimated([person(LONG)])


@pytest.mark.parametrize("told", [1, 10**6, 10**12])
def test_a_count_that_has_nothing_to_do_with_the_messages_is_not_believed(told: int) -> None:
    history: list[ModelMessage] = [person(LONG), answer(LONG, input_tokens=told), person("more")]
    assert size(history, 100).tokens == 100 + estimated(history)


def test_tools_and_instructions_count() -> None:
    schema = {"type": "object", "properties": {"path": {"type": "string", "description": "the file to read"}}}
    one = fixed_tokens("Be brief.", [("read_file", "Reads a file.", schema)])
    assert fixed_tokens("Be brief.", []) + 30 < one < fixed_tokens("Be brief.", [("read_file", LONG, schema)])


@pytest.mark.parametrize(
    ("tokens", "answer_tokens", "full"),
    [
        (8000, 0, False),
        (8001, 0, True),
        (6000, 4000, False),
        (6001, 4000, True),
        (5001, 10**6, True),
        (4000, 10**6, False),
    ],
)
def test_a_window_is_nearly_full_with_room_for_the_answer(tokens: int, answer_tokens: int, full: bool) -> None:
    assert nearly_full(tokens, 10_000, answer_tokens) is full


# -- policy ------------------------------------------------------------------------------------------------------------


def refused(code: str = "context_too_long", status: int = 400, **said: Any) -> Refused:
    """A refusal as the policy receives it."""
    return Refused(code, "refused", hint="send less", provider_status=status, **said)


WINDOW = 128_000
POLICY: dict[str, tuple[Refused, int, int, tuple[int, float, bool] | None]] = {
    # refusal, tokens, compactions before → (window, share of it, learned), or give up
    "the window is named": (refused(window_tokens=8192), 9000, 0, (8192, 0.5, True)),
    "named again": (refused(window_tokens=8192), 9000, 1, (8192, 0.25, True)),
    "and again": (refused(window_tokens=8192), 9000, 2, (8192, 0.125, True)),
    "never a fourth time": (refused(window_tokens=8192), 9000, MOST_COMPACTIONS, None),
    "no number": (refused(), 8000, 0, (6000, 0.5, True)),
    "counted otherwise": (refused(window_tokens=8000, asked_tokens=16_000), 6000, 0, (3000, 0.5, True)),
    "counted otherwise, by how much is not said": (refused(window_tokens=8000), 6000, 0, (5400, 0.5, True)),
    "a window that nobody has": (refused(window_tokens=10**12), 8000, 0, (6000, 0.5, True)),
    "larger than what was believed": (refused(window_tokens=200_000), 300_000, 0, (WINDOW, 0.5, True)),
    "not understood, and long": (refused("request_refused"), 110_000, 0, (WINDOW, 0.5, False)),
    "not understood, as an error of the server": (refused("provider_error", 500), 110_000, 0, (WINDOW, 0.5, False)),
    "not understood, a second time": (refused("request_refused"), 110_000, 1, None),
    "not understood, and short": (refused("request_refused"), 60_000, 0, None),
    "something else is missing": (refused("request_refused", lacks="tools"), 110_000, 0, None),
    "the key is wrong": (refused("key_refused", 401), 110_000, 0, None),
    "overloaded": (refused("provider_unavailable", 503), 110_000, 0, None),
}


@pytest.mark.parametrize("case", POLICY)
def test_what_follows_a_refusal(case: str) -> None:
    refusal, tokens, compacted, expected = POLICY[case]
    step = after_refusal(refusal, tokens=tokens, window_tokens=WINDOW, compacted=compacted)
    assert (step and (step.window_tokens, step.target_share, step.learned)) == expected
    assert step is None or step.reason == "over_window"


def test_a_window_that_nobody_knows_may_be_a_small_one() -> None:
    refusal = refused("request_refused")
    assert after_refusal(refusal, tokens=25_000, window_tokens=WINDOW, compacted=0) is None
    step = after_refusal(refusal, tokens=25_000, window_tokens=WINDOW, compacted=0, assumed=True)
    assert step is not None
    assert step.window_tokens == ASSUMED_TOKENS
    assert not step.learned


# -- the history that remains ------------------------------------------------------------------------------------------


def over(window_tokens: int, share: float = 0.5) -> Step:
    return Step("over_window", window_tokens, share)


def shortened(history: Sequence[ModelMessage], step: Step, says: str = "They talked.") -> list[ModelMessage] | None:
    async def ask(_prompt: str) -> str:
        return says

    return asyncio.run(compact(history, step, 0, ask))


def chatter(count: int, text: str = LONG) -> list[ModelMessage]:
    return [message for n in range(count) for message in (person(f"{n} {text}"), answer(f"{n} {text}"))]


def test_a_summary_stands_for_the_older_messages() -> None:
    history = [*chatter(10), person("and now?")]
    shorter = shortened(history, over(4000))
    assert shorter is not None
    assert estimated(shorter) < 2000
    assert shorter[0].parts[0].content == SUMMARY_HEAD + "They talked."  # type: ignore[union-attr]
    assert shorter[-1] == history[-1]


def test_a_summary_that_is_too_long_is_cut() -> None:
    shorter = shortened([*chatter(10), person("and now?")], over(4000), says=LONG * 20)
    assert shorter is not None
    assert estimated(shorter) < 2000
    assert "left out" in str(shorter[0])


def test_a_turn_of_many_calls_keeps_what_the_person_said_word_for_word() -> None:
    wanted = "Rename `a` to `b` in all files; don't touch the tests."
    history: list[ModelMessage] = [*chatter(3), person(wanted)]
    for n in range(30):
        history += [calls(f"c{n}"), results(f"c{n}", text=LONG)]
    for share in (0.5, 0.25, 0.125):
        shorter = shortened(history, over(6000, share))
        assert shorter is not None
        assert last_said(shorter) == (0, [wanted])
        assert estimated(shorter) < 6000 * share + 200
        history = [*shorter, calls("next"), results("next", text=LONG)]


def test_a_result_that_is_too_long_is_cut_without_a_summary() -> None:
    async def ask(_prompt: str) -> str:
        raise AssertionError("nothing should be summarised here")

    history: list[ModelMessage] = [person("read it"), calls("c1"), results("c1", text=LONG * 50)]
    shorter = asyncio.run(compact(history, over(8000), 500, ask))
    assert shorter is not None
    assert estimated(shorter) < 4000
    assert shorter[:2] == history[:2]
    assert "characters left out" in str(shorter[2])


def test_older_results_are_cut_before_the_newest() -> None:
    history: list[ModelMessage] = [person("read both")]
    history += [calls("c1"), results("c1", text=LONG * 3), calls("c2"), results("c2", text=LONG)]
    shorter = shortened(history, over(5000))
    assert shorter is not None
    assert shorter[-1] == history[-1]


def test_what_a_tool_was_called_with_stays_an_object() -> None:
    history: list[ModelMessage] = [person("write it"), calls("c1", path="a.txt", content=LONG * 50), results("c1")]
    shorter = shortened(history, over(4000))
    assert shorter is not None
    [call] = shorter[1].parts
    assert isinstance(call, ToolCallPart)
    assert call.args_as_dict()["path"] == "a.txt"
    assert estimated(shorter) < 2000


def test_a_persons_message_that_is_too_long_alone_cannot_be_helped() -> None:
    assert shortened([person(LONG * 50)], over(4000)) is None


def test_short_messages_are_summarised_when_the_provider_says_they_are_too_many() -> None:
    history = [*chatter(6, ""), person("and now?")]
    shorter = shortened(history, over(2000))
    assert shorter is not None
    assert len(shorter) < len(history)
    assert shortened(history, Step("near_window", 128_000)) is not None, "a provider may count more tokens than we do"
    assert shortened(history[-3:], Step("near_window", 128_000)) is None


def test_a_summary_that_was_made_before_is_shortened_without_asking() -> None:
    async def ask(_prompt: str) -> str:
        raise AssertionError("this would only summarise an earlier summary")

    before: list[ModelMessage] = [person(SUMMARY_HEAD + LONG), answer(GO_ON), person("and now?")]
    shorter = asyncio.run(compact(before, over(800), 0, ask))
    assert shorter is not None
    assert len(shorter) == 3
    assert estimated(shorter) < 400


def test_an_earlier_summary_is_told_to_whoever_makes_the_next() -> None:
    history: list[ModelMessage] = [person(SUMMARY_HEAD + "The code word is swordfish."), answer(GO_ON), *chatter(30)]
    text = script(history, 1500)
    assert "swordfish" in text
    assert "29 many words" in text
    assert GO_ON not in text
    assert estimate_tokens(text) <= 1500


def test_thinking_is_not_part_of_a_summary() -> None:
    message = ModelResponse(parts=[ThinkingPart(content="hmm, secretly"), TextPart(content="Openly.")])
    assert script([person("a"), message], 1000) == "person: a\nassistant: Openly."


@pytest.mark.parametrize(
    ("failures", "asked", "told"),
    [
        (["context_too_long"], 2, "made it"),
        (["request_refused"], 2, "made it"),
        (["context_too_long", "context_too_long"], 2, "no summary"),
        (["content_refused"], 1, "no summary"),
        (["provider_error"], 1, "no summary"),
        ([""], 1, "no summary"),
    ],
)
def test_there_is_always_a_summary(failures: list[str], asked: int, told: str) -> None:
    prompts: list[str] = []

    async def ask(prompt: str) -> str:
        prompts.append(prompt)
        if len(prompts) > len(failures):
            return "made it"
        if failures[len(prompts) - 1]:
            raise ModelError(failures[len(prompts) - 1], "no", hint="none")
        return " "

    history: list[ModelMessage] = [
        *chatter(20),
        person("Mend the parser."),
        calls("src/parser.py"),
        results("src/parser.py"),
    ]
    summary, _ = asyncio.run(summarise(history, ask, 3000, 500))
    assert len(prompts) == asked
    assert told in summary
    assert [estimate_tokens(prompt) <= most for prompt, most in zip(prompts, (3000, 1500), strict=False)] == [
        True
    ] * asked
    if told == "no summary":
        assert "Mend the parser." in summary
        assert "src/parser.py" in summary
        assert "read_file (1)" in summary


def test_without_a_key_nothing_is_lost() -> None:
    async def ask(_prompt: str) -> str:
        raise ModelError("key_refused", "no", hint="none")

    with pytest.raises(ModelError):
        asyncio.run(compact([*chatter(10), person("and now?")], over(4000), 0, ask))


# -- any conversation, any limit ---------------------------------------------------------------------------------------


def form_of(history: Sequence[ModelMessage]) -> None:
    """Check what strict servers check: first a user message, alternating roles, no call or result without the other."""
    assert isinstance(history[0], ModelRequest)
    assert isinstance(history[-1], ModelRequest)
    for one, two in pairwise(history):
        assert type(one) is not type(two)
    open_calls: set[str] = set()
    for message in history:
        answered = {part.tool_call_id for part in message.parts if isinstance(part, ToolReturnPart)}
        if isinstance(message, ModelRequest):
            assert answered == open_calls
        open_calls = {part.tool_call_id for part in message.parts if isinstance(part, ToolCallPart)}


TEXTS = (
    "the quick brown fox jumps over the lazy dog ",
    "政府昨日宣布将延长对家庭节能改造的补贴计划。",
    "コンピューターのプログラミング、",
    'if (a[i] != "x") { return f(0x1F, b - 1); }\n',
    "9f86d081884c7d659a2feaa0c55ad015",
    "😀🎉 ok ",
)
MEASURES: dict[str, Callable[[str], int]] = {
    "characters": lambda text: len(text) // 2,
    "bytes": lambda text: len(text.encode()) // 3,
    "tokens": estimate_tokens,
    "more tokens": lambda text: estimate_tokens(text) * 2,
    "few tokens": lambda text: len(text) // 5,
    "escaped": lambda text: len(json.dumps(text)) // 3,
}
"""Ways in which providers may count; Chinese then counts up to three times our estimate."""


@dataclass
class Provider:
    """A provider that enforces a limit. It counts its requests and keeps the texts that it refused."""

    limit: int
    measure: Callable[[str], int]
    names_it: bool
    verbose: bool
    refused: list[str] = field(default_factory=list[str])
    requests: int = 0

    def check(self, text: str) -> None:
        self.requests += 1
        asked = self.measure(text)
        if asked > self.limit:
            assert text not in self.refused, "the same content was sent a second time"
            self.refused.append(text)
            failure = ModelError("context_too_long", "no", hint="none")
            raise TooLong(failure, self.limit if self.names_it else None, asked if self.names_it else None)

    async def ask(self, prompt: str) -> str:
        try:
            self.check(prompt)
        except TooLong as error:
            raise error.failure from error
        return "A summary. " * (1000 if self.verbose else 3)


@dataclass
class TooLong(Exception):
    failure: ModelError
    window_tokens: int | None
    asked_tokens: int | None


def as_text(history: Sequence[ModelMessage]) -> str:
    return "\n".join(
        part.args_as_json_str() if isinstance(part, ToolCallPart) else str(part.content)  # type: ignore[union-attr]
        for message in history
        for part in message.parts
    )


async def send(provider: Provider, history: list[ModelMessage], window: int) -> tuple[list[ModelMessage], int, bool]:
    """Send a history as the engine does.

    Returns the history and window afterwards, and whether the request succeeded.
    """
    compacted, step = 0, None
    if nearly_full(size(history).tokens, window):
        step = Step("near_window", window)
    while True:
        if step is not None:
            shorter = await compact(history, step, 0, provider.ask, size(history).ratio)
            if shorter is None and step.reason == "over_window":
                return history, window, False
            if shorter is not None:
                assert estimated(shorter) < estimated(history) or len(shorter) < len(history)
                form_of(shorter)
                assert (last_said(shorter) or (0, None))[1] == (last_said(history) or (0, None))[1]
                history, compacted = shorter, compacted + 1
        try:
            provider.check(as_text(history))
            return history, window, True
        except TooLong as error:
            refusal = refused(window_tokens=error.window_tokens, asked_tokens=error.asked_tokens)
            tokens = size(history).tokens
            step = after_refusal(refusal, tokens=tokens, window_tokens=window, compacted=compacted)
            if step is None:
                return history, window, False
            window = step.window_tokens


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    limit=st.one_of(st.integers(500, 4000), st.integers(500, 200_000)),
    measure=st.sampled_from(sorted(MEASURES)),
    names_it=st.booleans(),
    verbose=st.booleans(),
    counts=st.sampled_from([None, 0.25, 1.0, 3.0, 50.0]),
    seed=st.integers(0, 10**6),
)
def test_any_conversation_goes_on_under_any_limit(
    limit: int, measure: str, names_it: bool, verbose: bool, counts: float | None, seed: int
) -> None:
    rnd = random.Random(seed)
    provider = Provider(limit, MEASURES[measure], names_it, verbose)
    history: list[ModelMessage] = []
    window = 128_000

    def words(most: int) -> str:
        text = rnd.choice(TEXTS)
        return text * max(1, rnd.randrange(1, most) // len(text))

    async def talk() -> None:
        nonlocal history, window
        for number in range(12):
            said = f"{number}: " + words(max(limit // 60, 40))
            history = [*history, person(said)]
            while True:
                before = provider.requests
                history, window, taken = await send(provider, history, window)
                assert provider.requests - before <= 1 + 3 * (MOST_COMPACTIONS + 1)
                assert taken, f"given up at a window of {window}"
                count = int(provider.measure(as_text(history)) * counts) if counts else 0
                if rnd.random() < 0.5:
                    history = [*history, answer(words(limit // 4), input_tokens=count)]
                    break
                names = [f"{number}-{n}-{rnd.random()}" for n in range(rnd.randrange(1, 4))]
                history = [*history, calls(*names), results(*names, text=words(limit // 2))]

    asyncio.run(talk())
    ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(history))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (9, 2, "Earlier messages were summarised for the model (9 became 2)."),
        (3, 3, "Earlier messages were shortened for the model."),
        (1, 2, "Earlier messages were shortened for the model."),
    ],
)
def test_a_compaction_is_told_as_it_was(before: int, after: int, words: str) -> None:
    assert compacted(before, after) == words


@given(st.lists(st.sampled_from(["say", "call", "two calls"]), min_size=1, max_size=30), st.integers(0, 20_000))
def test_a_cut_never_parts_a_call_from_its_result(turns: list[str], keep_tokens: int) -> None:
    history: list[ModelMessage] = []
    for number, turn in enumerate(turns):
        history.append(person(f"{number} {LONG}"))
        if turn != "say":
            names = [f"c{number}"] if turn == "call" else [f"c{number}", f"d{number}"]
            history += [calls(*names), results(*names, text=LONG)]
        history.append(answer(LONG))
    history.append(person("last"))
    cut = cut_at(history, keep_tokens)
    assert 0 <= cut < len(history)
    older = {part.tool_call_id for m in history[:cut] for part in m.parts if isinstance(part, ToolCallPart)}
    newer = {part.tool_call_id for m in history[cut:] for part in m.parts if isinstance(part, ToolReturnPart)}
    assert not older & newer
