"""Conversations that outgrow the model's window: they are shortened and continue, whatever the size of the window."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.conftest import PROTOCOLS, provider_environment
from tests.support.daemon import Daemon, Json, text_of
from tests.support.provider import Call, Fault, ProviderDouble, RecordedRequest, Reply, Say

ENGLISH = "Please look at the report again and tell me which of the numbers changed since last week, and why. "
CHINESE = "请再看一遍这份报告，告诉我自上周以来哪些数字发生了变化，并说明原因。"
SUMMARISE = "Summarise the conversation"


def plain(request: RecordedRequest) -> int:
    return len(json.dumps(request.messages, ensure_ascii=False))


def escaped(request: RecordedRequest) -> int:
    return len(json.dumps(request.messages))


@dataclass
class Limited:
    """A provider that refuses requests above its limit, and reports a quarter of the characters as tokens."""

    limit: int
    measure: Callable[[RecordedRequest], int] = plain
    says: str = "This model's maximum context length is {window} tokens. However, your prompt contains at least {asked}"
    window: int = 8192
    answer: str = "The third number went down. " * 14
    summary: str = "The person compares two reports. " * 4
    refused: list[RecordedRequest] = field(default_factory=list[RecordedRequest])
    summaries: list[RecordedRequest] = field(default_factory=list[RecordedRequest])

    def __call__(self, request: RecordedRequest) -> Reply | Fault:
        asked = self.measure(request)
        summary = SUMMARISE in request.last_user_text
        if summary:
            assert request.streamed
            assert not request.tool_names
            self.summaries.append(request)
        if asked > self.limit:
            self.refused.append(request)
            words = self.says.format(window=self.window, asked=asked * self.window // self.limit + 1)
            return Fault(400, body={"error": {"message": words, "type": "BadRequestError", "code": 400}})
        answer = self.summary if summary else self.answer
        return Reply([Say(answer, chunk=100)], input_tokens=asked // 4, output_tokens=len(answer) // 4)


def chat_with(launch: Callable[..., Daemon], provider: ProviderDouble, **environment: str) -> Daemon:
    return launch(environment=provider_environment(provider, PROTOCOLS["chat"]) | environment)


def of(events: list[Json], kind: str) -> list[Json]:
    return [event["data"] for event in events if event["type"] == kind]


def stops(events: list[Json]) -> str:
    return events[-1]["data"]["stop_reason"]


def test_a_window_that_only_the_refusal_tells_of_is_learned(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    limited = provider.otherwise = Limited(32_000)
    daemon = chat_with(launch, provider)
    for number in range(70):
        events = daemon.ask(f"{number}: " + ENGLISH * 6)
        assert stops(events) == "complete"
        assert text_of(events) == limited.answer
    assert len(limited.refused) == 1, "after the first refusal the window is known"
    assert not any(SUMMARISE in request.last_user_text for request in limited.refused)
    assert len(limited.summaries) >= 2


@pytest.mark.parametrize("measure", [plain, escaped])
def test_a_window_that_is_counted_in_another_way(
    launch: Callable[..., Daemon], provider: ProviderDouble, measure: Callable[[RecordedRequest], int]
) -> None:
    limited = provider.otherwise = Limited(8192 if measure is plain else 16_384, measure, answer=CHINESE * 10)
    daemon = chat_with(launch, provider)
    overflows = 0
    for number in range(40):
        before = len(limited.refused)
        events = daemon.ask(f"{number}：" + CHINESE * 15)
        assert stops(events) == "complete"
        assert text_of(events) == limited.answer
        assert len(limited.refused) - before <= 1, "one wasted request for each overflow"
        overflows += len(limited.refused) - before
    assert 1 <= overflows <= 6
    assert not any(SUMMARISE in request.last_user_text for request in limited.refused)


def test_a_window_that_is_known_is_never_run_into(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    limited = provider.otherwise = Limited(32_000)
    daemon = chat_with(launch, provider, ASTER_CONTEXT_WINDOW="8192")
    reasons: list[str] = []
    for number in range(60):
        events = daemon.ask(f"{number}: " + ENGLISH * 6)
        assert stops(events) == "complete"
        reasons += [compacted["reason"] for compacted in of(events, "history_compacted")]
    assert not limited.refused
    assert set(reasons) == {"near_window"}
    assert len(reasons) <= 12, "each compaction frees space for several turns"


def test_even_a_short_conversation_is_summarised_when_it_is_refused(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = chat_with(launch, provider)
    for number in range(6):
        assert stops(daemon.ask(f"count {number}")) == "complete"
    message = "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens."
    provider.script(Fault(400, body={"error": {"message": message, "code": 400}}))
    events = daemon.ask("and now")
    [compacted] = of(events, "history_compacted")
    assert compacted["reason"] == "over_window"
    assert compacted["context_window"] <= 8192
    assert stops(events) == "complete"
    assert len(provider.requests) == 9
    assert events[-1]["data"]["usage"]["requests"] == 3, "the refused request, the summary and the answer"
    assert stops(daemon.ask("and then")) == "complete"


@pytest.mark.parametrize("fault", ["empty", "refused", "too long"])
def test_a_conversation_goes_on_without_a_summary_when_none_can_be_had(
    launch: Callable[..., Daemon], provider: ProviderDouble, fault: str
) -> None:
    limited = Limited(32_000)
    provider.otherwise = limited
    too_long = "This model's maximum context length is 8192 tokens."
    answers: dict[str, Reply | Fault] = {
        "empty": Reply([Say("")]),
        "refused": Fault(400, body={"error": {"message": "No.", "code": "content_filter"}}),
        "too long": Fault(400, body={"error": {"message": too_long, "code": 400}}),
    }
    provider.on(SUMMARISE, answers[fault])
    daemon = chat_with(launch, provider)
    daemon.ask("My name is Ada.")
    compactions = 0
    for number in range(40):
        events = daemon.ask(f"{number}: " + ENGLISH * 6)
        assert stops(events) == "complete"
        compactions += len(of(events, "history_compacted"))
    assert compactions >= 1
    assert "earlier messages were left out" in str(provider.requests[-1].body)
    asked = [request for request in provider.requests if SUMMARISE in request.last_user_text]
    assert len(asked) <= 2 * compactions


def test_a_message_that_is_too_long_alone_is_said_once_and_the_session_goes_on(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    limited = provider.otherwise = Limited(32_000)
    daemon = chat_with(launch, provider)
    for number in range(3):
        daemon.ask(f"{number}: " + ENGLISH * 6)
    events = daemon.ask(ENGLISH * 500)
    [error] = of(events, "error")
    assert error["code"] == "context_too_long"
    assert error["hint"]
    assert len(limited.refused) <= 2
    for number in range(5):
        events = daemon.ask(f"{number}: " + ENGLISH * 6)
        assert stops(events) == "complete"
    assert len(limited.refused) <= 3


def test_a_tool_result_that_is_too_long_is_cut(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    limited = Limited(32_000)
    provider.otherwise = limited
    daemon = chat_with(launch, provider)
    (daemon.work_dir / "long.txt").write_text((ENGLISH + "\n") * 450)
    provider.script(Reply([Call("read_file", {"path": "long.txt"})]))
    events = daemon.ask("Read long.txt and say what it is about.")
    assert stops(events) == "complete"
    assert text_of(events) == limited.answer
    assert len(of(events, "tool_start")) == 1
    assert not limited.summaries, "there was nothing to summarise"
    [[_, result]] = provider.requests[-1].tool_results
    assert "characters left out" in result
    assert len(limited.refused) == 1


def test_a_refusal_that_nobody_understands_is_worth_one_compaction_of_a_long_history(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    limited = Limited(20_000, says="Nope.")
    provider.otherwise = limited
    daemon = chat_with(launch, provider, ASTER_CONTEXT_WINDOW="8192")
    reasons: list[str] = []
    while not limited.refused:
        events = daemon.ask(ENGLISH * 6)
        assert stops(events) == "complete"
        reasons += [compacted["reason"] for compacted in of(events, "history_compacted")]
    assert reasons == ["over_window"]
    provider.otherwise = Fault(400, body={"error": {"message": "Nope.", "code": 400}})
    requests = len(provider.requests)
    events = daemon.ask("short")
    assert [error["code"] for error in of(events, "error")] == ["request_refused"]
    assert len(provider.requests) == requests + 1, "a short history can't be the reason"


def test_a_refusal_that_nobody_understands_is_told_as_it_is_where_nothing_can_be_left_out(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    provider.otherwise = Fault(400, body={"error": {"message": "Nope.", "code": 400}})
    events = chat_with(launch, provider, ASTER_CONTEXT_WINDOW="8192").ask(ENGLISH * 300)
    [error] = of(events, "error")
    assert error["code"] == "request_refused"
    assert "Nope." in error["message"]
    assert len(provider.requests) == 1, "the same content is never sent twice"


def in_pairs(request: RecordedRequest) -> str | None:
    """What a strict server finds wrong with the order of calls and results; None if nothing."""
    waiting: set[str] = set()
    for message in request.messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return f"a result without its call: {message['tool_call_id']}"
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            return f"calls without results: {waiting}"
        waiting = {call["id"] for call in message.get("tool_calls") or []}
    return f"calls without results: {waiting}" if waiting else None


def test_calls_and_results_stay_together_over_many_compactions(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    wrong: list[str] = []
    called: set[str] = set()

    def strict(request: RecordedRequest) -> Reply | Fault | str:
        fault = in_pairs(request)
        if fault is not None:
            wrong.append(fault)
            return Fault(400, body={"error": {"message": fault}})
        said = request.last_user_text
        if "look" in said and SUMMARISE not in said and said not in called:
            called.add(said)
            names = ("a.txt", "b.txt", "none.txt")
            return Reply([Say("Looking."), *(Call("read_file", {"path": name}) for name in names)])
        return "They looked at files. " * 10

    provider.otherwise = strict
    daemon = chat_with(launch, provider, ASTER_CONTEXT_WINDOW="4000")
    for name in ("a.txt", "b.txt"):
        (daemon.work_dir / name).write_text(ENGLISH * 15)
    compactions = 0
    for number in range(12):
        events = daemon.ask(f"look {number}")
        assert stops(events) == "complete"
        compactions += len(of(events, "history_compacted"))
    assert compactions >= 3
    assert not wrong
