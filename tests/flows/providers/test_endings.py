"""How answers end: complete, cut, filtered, empty, stalled, endless.

Each turn ends with a reason, and the next works.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.bytes_provider import Answer, BytesProvider, RecordedRequest, Repeat
from tests.support.daemon import Daemon, Json
from tests.support.stream_bytes import (
    ANTHROPIC,
    CHAT,
    DIALECTS,
    DONE,
    RESPONSES,
    Called,
    Dialect,
    Said,
    Thought,
    called,
    chat,
    chat_usage,
    event,
    numbered,
    responses,
    say,
)
from tests.support.strict_servers import InTurn, NothingEmpty, SystemFirst
from tests.support.talk import Outcome, Talk, environment, set_at_end

Begin = Callable[..., Talk]


def warned(outcome: Outcome, code: str) -> None:
    """The turn reported exactly this one problem, as a warning."""
    assert outcome.codes == [code], str(outcome)
    assert outcome.severities == ["warning"]


def noticed(talk: Talk, code: str) -> bool:
    """Whether the last answer in the history has this notice."""
    return code in [part["code"] for part in talk.history()[-1]["parts"] if part["type"] == "notice"]


# -- finish reasons ----------------------------------------------------------------------------------------------------

WHOLE = {
    "chat": ["eos", "eos_token", "stop_sequence", "end_turn", "STOP", "function_call", "glow"],
    "anthropic": ["stop_sequence", "stop", "eos", "END_TURN", "glow"],
}
LIMITED = {
    "chat": ["length", "max_tokens", "model_length", "MAX_TOKENS"],
    "responses": ["max_output_tokens", "max_tokens"],
    "anthropic": ["max_tokens", "model_context_window_exceeded", "length"],
}
FILTERED = {
    "chat": ["content_filter", "sensitive", "SAFETY"],
    "responses": ["content_filter"],
    "anthropic": ["refusal"],
}
FAILED = {"chat": ["abort", "network_error", "error"]}


def each(words: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, word) for name in words for word in words[name]]


@pytest.mark.parametrize(("name", "word"), each(WHOLE))
def test_a_whole_answer_is_complete_whatever_its_end_is_called(begin: Begin, name: str, word: str) -> None:
    talk = begin(DIALECTS[name])
    talk.provider.script(DIALECTS[name].answer("All done.", finish=word))
    outcome = talk.ask("hello")
    assert len(outcome.requests) == 1
    talk.healthy(outcome, "All done.")


@pytest.mark.parametrize(("name", "word"), each(LIMITED))
def test_an_answer_cut_by_its_length_says_so(begin: Begin, name: str, word: str) -> None:
    talk = begin(DIALECTS[name])
    talk.provider.script(DIALECTS[name].answer("The three steps are: first", finish=word))
    outcome = talk.ask("hello")
    assert outcome.stop_reason == "limit", str(outcome)
    warned(outcome, "output_limit")
    assert outcome.errors[0]["hint"]
    assert len(outcome.requests) == 1
    assert outcome.text == talk.history()[-1]["text"] == "The three steps are: first"
    assert noticed(talk, "output_limit")
    after = talk.goes_on()
    assert "The three steps are: first" in str(after.requests[0].messages), "the model sees what it said"


def test_a_call_cut_by_the_length_does_not_run(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    cut = Called("write_file", ['{"path": "cut.txt", "content": "only ha'])
    talk.provider.script(dialect.answer("I write it.", cut, finish="length"))
    outcome = talk.ask("write it")
    assert outcome.stop_reason == "limit", str(outcome)
    warned(outcome, "output_limit")
    assert outcome.ran == []
    assert not (talk.daemon.work_dir / "cut.txt").exists()
    talk.goes_on()


def test_an_answer_cut_while_it_thinks_says_so(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    talk.provider.script(dialect.answer(Thought(["Let me think about"]), finish="length"))
    outcome = talk.ask("hello")
    assert outcome.stop_reason == "limit", str(outcome)
    warned(outcome, "output_limit")
    assert len(outcome.requests) == 1
    talk.goes_on()


@pytest.mark.parametrize(("name", "word"), each(FILTERED))
def test_an_answer_that_a_filter_ends_says_so_and_is_kept(begin: Begin, name: str, word: str) -> None:
    talk = begin(DIALECTS[name])
    talk.provider.script(DIALECTS[name].answer("What I can say is", finish=word))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["content_refused"]), str(outcome)
    assert len(outcome.requests) == 1
    assert outcome.text == talk.history()[-1]["text"] == "What I can say is"
    talk.goes_on()


@pytest.mark.parametrize(("name", "word"), each(FAILED))
def test_an_answer_that_the_server_gave_up_names_its_word(begin: Begin, name: str, word: str) -> None:
    talk = begin(DIALECTS[name])
    talk.provider.script(DIALECTS[name].answer("Almost done", finish=word))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["provider_error"]), str(outcome)
    assert word in outcome.errors[0]["message"]
    assert outcome.text == talk.history()[-1]["text"] == "Almost done"
    talk.goes_on()


# -- answers without text ----------------------------------------------------------------------------------------------


def nothing(dialect: Dialect) -> Answer:
    return dialect.answer("")


def empty(dialect: Dialect) -> Answer:
    """An answer without any part."""
    return dialect.answer(finish="stop")


def thought_only(dialect: Dialect) -> Answer:
    return dialect.answer(Thought(["done."]))


def blank(dialect: Dialect) -> Answer:
    return dialect.answer(" \n")


SILENT = [nothing, empty, thought_only, blank]


@pytest.mark.parametrize("silent", SILENT)
def test_a_model_that_says_nothing_after_its_tools_is_asked_once_more(
    begin: Begin, dialect: Dialect, silent: Callable[[Dialect], Answer]
) -> None:
    talk = begin(dialect)
    talk.provider.script(dialect.answer(called("read_file", path="a.txt")), silent(dialect))
    outcome = talk.ask("read it")
    assert outcome.stop_reason == "complete", str(outcome)
    warned(outcome, "model_silent")
    assert len(outcome.requests) <= 3
    assert outcome.requests[-1].messages == outcome.requests[1].messages, "the same history, without additions"
    assert outcome.text.strip() == ""
    talk.provider.script(NothingEmpty(SystemFirst(say("Here again."))))
    after = talk.ask("and now")
    assert (after.stop_reason, after.errors, after.text) == ("complete", [], "Here again."), str(after)
    assert len(after.requests) == 1
    talk.daemon.restart()
    talk.goes_on()


def test_a_model_that_speaks_when_asked_once_more_is_heard(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    talk.provider.script(dialect.answer(called("read_file", path="a.txt")), nothing(dialect), say("It says a."))
    outcome = talk.ask("read it")
    assert len(outcome.requests) == 3
    talk.healthy(outcome, "It says a.")


@pytest.mark.parametrize("silent", SILENT)
def test_a_model_that_says_nothing_at_all_is_told(
    begin: Begin, dialect: Dialect, silent: Callable[[Dialect], Answer]
) -> None:
    talk = begin(dialect)
    talk.provider.script(silent(dialect))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["model_silent"]), str(outcome)
    assert len(outcome.requests) <= 2
    talk.provider.script(NothingEmpty(SystemFirst(say("Here again."))))
    after = talk.ask("and now")
    assert (after.stop_reason, after.errors, after.text) == ("complete", [], "Here again."), str(after)


# -- connections that stay open ----------------------------------------------------------------------------------------


def without_mark(dialect: Dialect) -> list[str]:
    """A complete answer without the events that only mark the end of the stream."""
    events = dialect.stream(Said(["All ", "there."]))
    return events if dialect is RESPONSES else events[:-1]


OPEN: dict[str, Callable[[Dialect], list[str]]] = {
    "no mark": without_mark,
    "marked": lambda dialect: dialect.stream(Said(["All ", "there."])),
    "no usage": lambda dialect: [sent for sent in without_mark(dialect) if '"choices": []' not in sent],
}


@pytest.mark.parametrize("framing", ["close", "chunked"])
@pytest.mark.parametrize("ending", OPEN)
def test_a_whole_answer_is_complete_while_its_connection_stays_open(
    begin: Begin, dialect: Dialect, ending: str, framing: str
) -> None:
    talk = begin(dialect)
    hold = threading.Event()
    talk.provider.script(Answer(OPEN[ending](dialect), framing=framing, hold=hold))  # type: ignore[arg-type]
    with set_at_end(hold):
        began = time.monotonic()
        outcome = talk.ask("hello", within_s=10)
        assert time.monotonic() - began < 10
        talk.healthy(outcome, "All there.")


def test_a_whole_answer_without_a_stream_is_complete_while_its_connection_stays_open(
    begin: Begin, dialect: Dialect
) -> None:
    talk = begin(dialect)
    hold = threading.Event()
    body = json.dumps(dialect.whole("All there."))
    talk.provider.script(Answer(body, headers={"content-type": "application/json"}, hold=hold))
    with set_at_end(hold):
        talk.healthy(talk.ask("hello", within_s=10), "All there.")


def test_an_answer_of_one_chunk_a_line_is_complete_while_its_connection_stays_open(
    begin: Begin, dialect: Dialect
) -> None:
    talk = begin(dialect)
    hold = threading.Event()
    sent = [line for line in "".join(dialect.stream("All there.")).split("\n") if line.startswith("data: {")]
    lines = [line.removeprefix("data: ") + "\n" for line in sent]
    talk.provider.script(Answer(lines, headers={"content-type": "application/x-ndjson"}, hold=hold))
    with set_at_end(hold):
        talk.healthy(talk.ask("hello", within_s=10), "All there.")


NO_ANSWERS = {
    "refused": (Answer(json.dumps({"error": {"message": "No."}}), 400), "request_refused"),
    "refused in words": (Answer("No such thing.", 400, {"content-type": "text/plain"}), "request_refused"),
    "an error instead of a stream": (Answer(json.dumps({"error": {"message": "No.", "code": 400}})), "request_refused"),
    "a page": (Answer("<html><body>Welcome</body></html>", 200, {"content-type": "text/html"}), "malformed_stream"),
}


@pytest.mark.parametrize("case", NO_ANSWERS)
def test_what_is_no_answer_is_told_while_its_connection_stays_open(begin: Begin, case: str) -> None:
    answer, code = NO_ANSWERS[case]
    talk = begin()
    hold = threading.Event()
    talk.provider.script(replace(answer, hold=hold))
    with set_at_end(hold):
        outcome = talk.ask("hello", within_s=20)
    assert (outcome.stop_reason, outcome.codes, len(outcome.requests)) == ("failed", [code], 1), str(outcome)
    talk.goes_on()


def test_whole_calls_run_while_their_connection_stays_open(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    events = dialect.stream(called("read_file", path="a.txt"))
    hold = threading.Event()
    talk.provider.script(Answer(events if dialect is RESPONSES else events[:-1], hold=hold), say("Read."))
    with set_at_end(hold):
        talk.healthy(talk.ask("read it", within_s=10), "Read.")


# -- stalls ------------------------------------------------------------------------------------------------------------


def empty_delta(dialect: Dialect) -> str:
    if dialect is CHAT:
        return chat({"content": ""})
    if dialect is RESPONSES:
        where: Json = {"item_id": "msg_0", "output_index": 0, "content_index": 0}
        return responses("response.output_text.delta", **where, delta="")
    delta = {"type": "text_delta", "text": ""}
    return event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")


STALLS: dict[str, Callable[[Dialect], Repeat | threading.Event]] = {
    "silence": lambda _: threading.Event(),
    "comments": lambda _: Repeat(": keep-alive\n\n"),
    "null": lambda _: Repeat("data: null\n\n"),
    "empty deltas": lambda dialect: Repeat(empty_delta(dialect)),
    "pings": lambda _: Repeat('event: ping\ndata: {"type": "ping"}\n\n'),
}


@pytest.fixture(scope="module")
def impatient(shared_provider: BytesProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(
        tmp_path_factory.mktemp("impatient"), environment=environment(shared_provider, ASTER_MODEL_TIMEOUT_S="2")
    )
    yield daemon.start()
    daemon.stop()


def test_a_stream_is_given_up_when_it_says_nothing_more_and_what_was_said_is_kept(
    impatient: Daemon, provider: BytesProvider, dialect: Dialect
) -> None:
    def answer(request: RecordedRequest) -> Answer:
        stall = STALLS.get(request.last_user_text)
        if request.last_user_text == "slow":
            *begun, last = dialect.open("one", ".")
            return Answer([*begun, Repeat(last, 0.3, 9), *dialect.rest("one", *"." * 9)])
        return Answer([*dialect.open("one ", "two"), stall(dialect)]) if stall else dialect.answer("Going on.")

    impatient.config(model=dialect.model)
    provider.script(answer)
    kinds = [*STALLS, "slow"]
    sessions = [impatient.call("POST", "/api/sessions", {})["session_id"] for _ in kinds]
    talks = [Talk(impatient, provider, session_id) for session_id in sessions]
    with ThreadPoolExecutor(len(kinds)) as pool:
        outcomes = dict(zip(kinds, pool.map(lambda talk, kind: talk.ask(kind), talks, kinds), strict=True))
    came = {kind: (outcome.stop_reason, outcome.codes, outcome.text) for kind, outcome in outcomes.items()}
    expected = dict.fromkeys(STALLS, ("failed", ["provider_timeout"], "one two"))
    assert came == expected | {"slow": ("complete", [], "one" + "." * 9)}, "text that keeps coming is no stall"
    for talk, (_, _, text) in zip(talks, came.values(), strict=True):
        assert talk.history()[-1]["text"] == text
        talk.goes_on()


# -- loops -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def five_requests(begin: Begin) -> Iterator[None]:
    daemon = begin().daemon
    daemon.config(max_requests=5)
    yield
    daemon.config(max_requests=None)


def counted(outcome: Outcome, provider: BytesProvider) -> int:
    asked_again = [one for one in provider.other_requests if "/responses/" in one.path and "/cancel" not in one.path]
    return len(outcome.requests) + len(asked_again)


@pytest.mark.usefixtures("five_requests")
@pytest.mark.parametrize("ids", ["one id", "new ids"])
def test_pauses_for_ever_count_as_requests(begin: Begin, ids: str) -> None:
    talk = begin(ANTHROPIC)
    made: list[int] = []

    def pause(request: RecordedRequest) -> Answer:
        made.append(len(made))
        text = "".join(ANTHROPIC.stream("Still at it.", finish="pause_turn"))
        return Answer(text.replace("msg_1", f"msg_{len(made)}") if ids == "new ids" else text)

    talk.provider.script(pause)
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("limit", ["limit_reached"]), str(outcome)
    assert counted(outcome, talk.provider) <= 5
    talk.daemon.config(max_requests=None)
    talk.goes_on()


def test_an_answer_in_the_background_that_never_comes_counts_its_requests(begin: Begin) -> None:
    talk = begin(RESPONSES)
    talk.daemon.config(max_requests=2)  # its requests are seconds apart
    waiting = RESPONSES.response("in_progress", background=True)
    events = numbered([responses("response.created", response=waiting), responses("response.queued", response=waiting)])
    talk.provider.script(Answer(events))
    talk.provider.pages["/v1/responses/resp_1"] = Answer(events)
    try:
        outcome = talk.ask("hello")
    finally:
        talk.daemon.config(max_requests=None)
    assert outcome.stop_reason in ("limit", "failed"), str(outcome)
    assert counted(outcome, talk.provider) <= 2
    talk.goes_on()


@pytest.mark.usefixtures("five_requests")
def test_calls_for_ever_end_at_the_limit(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    talk.provider.script(dialect.answer(called("read_file", path="a.txt")))
    outcome = talk.ask("read it")
    assert (outcome.stop_reason, outcome.codes) == ("limit", ["limit_reached"]), str(outcome)
    assert len(outcome.requests) <= 5
    talk.daemon.config(max_requests=None)
    talk.goes_on()


def test_a_pause_that_ends_is_one_answer(begin: Begin) -> None:
    talk = begin(ANTHROPIC)
    talk.provider.script(InTurn(ANTHROPIC.answer("Wait. ", finish="pause_turn"), ANTHROPIC.answer("Done.")))
    outcome = talk.ask("hello")
    assert len(outcome.requests) == 2
    assert outcome.text.split() == ["Wait.", "Done."]
    talk.healthy(outcome)


def test_an_answer_that_breaks_off_keeps_what_was_said(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    talk.provider.script(Answer(dialect.open("one ", "two")))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["malformed_stream"]), str(outcome)
    assert outcome.text == talk.history()[-1]["text"] == "one two"
    talk.goes_on()


def test_usage_after_the_end_is_counted(begin: Begin) -> None:
    talk = begin()
    talk.provider.script(Answer([chat({"content": "ok"}), chat({}, "stop"), chat_usage(70, 7), DONE]))
    outcome = talk.ask("hello")
    assert (outcome.usage["input_tokens"], outcome.usage["output_tokens"]) == (70, 7)
    talk.healthy(outcome, "ok")
