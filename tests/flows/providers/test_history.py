"""What is sent back to strict servers: roles, pairs, reasoning and sizes, after anything that a session may contain."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aster_sidecar.conversation.request_prefix import LEAST_MESSAGES
from tests.support.bytes_provider import Answer, Answering, RecordedRequest
from tests.support.daemon import Daemon, Json
from tests.support.stream_bytes import (
    ANTHROPIC,
    CHAT,
    DIALECTS,
    DONE,
    Called,
    Dialect,
    Said,
    Thought,
    called,
    chat,
    chat_call,
    refuse,
    say,
)
from tests.support.strict_servers import (
    Alternating,
    InTurn,
    NothingEmpty,
    ReasoningBack,
    Strict,
    SystemFirst,
    TypedItems,
    WholePairs,
    Window,
    asks_for_summary,
    given,
)
from tests.support.talk import ANSWER_S, Outcome, Talk, set_at_end

Begin = Callable[..., Talk]


def answered(talk: Talk, strict: Strict, text: str = "and now") -> Outcome:
    """Ask a strict server. It must refuse nothing, and its answer must be complete."""
    talk.provider.script(strict)
    outcome = talk.ask(text)
    assert (outcome.stop_reason, outcome.errors) == ("complete", []), str(outcome)
    assert strict.refused == [], strict.why_not(strict.refused[0])
    return outcome


# -- roles -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("silent", [1, 2, 9])
def test_a_silent_answer_leaves_no_system_message_behind(begin: Begin, silent: int, status: int) -> None:
    talk = begin()
    read = CHAT.answer(called("read_file", path="a.txt"))
    quiet = [CHAT.answer("")] * silent
    strict = SystemFirst(InTurn(read, *quiet, say("It says a.")), status)
    talk.provider.script(strict)
    outcome = talk.ask("read it")
    assert outcome.stop_reason == "complete", str(outcome)
    assert strict.refused == []
    answered(talk, SystemFirst(NothingEmpty(say("Here."))))
    talk.daemon.restart()
    answered(talk, SystemFirst(NothingEmpty(say("Here."))))


@pytest.mark.parametrize("failed", [1, 2])
@pytest.mark.parametrize("status", [400, 500])
def test_messages_without_an_answer_do_not_break_the_order_of_roles(begin: Begin, failed: int, status: int) -> None:
    talk = begin()
    talk.provider.script(refuse("The server is in no mood.", 400))
    for number in range(failed):
        assert talk.ask(f"{number} hello").stop_reason == "failed"
    outcome = answered(talk, Alternating(say("Here."), status), "are you there")
    sent = str(outcome.requests[0].messages)
    assert all(f"{number} hello" in sent for number in range(failed)), "no message is lost"
    assert "are you there" in sent
    talk.daemon.restart()
    answered(talk, Alternating(say("Here."), status), "still there")


def test_a_cancelled_turn_does_not_break_the_order_of_roles(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    never = threading.Event()
    strict = Alternating if dialect is not DIALECTS["responses"] else WholePairs
    for said in ([], ["I was about to"]):
        talk.provider.reset()
        talk.provider.script(Answer([*dialect.open(*said)[: None if said else 1], never]))
        with set_at_end(never):
            outcome = talk.ask("hello", meanwhile=lambda: cancel(talk, bool(said)))  # noqa: B023
        assert outcome.stop_reason == "cancelled", str(outcome)
        never.clear()
        answered(talk, strict(say("Here.")))


def cancel(talk: Talk, spoken: bool) -> None:
    """Cancel the session's turn when its request has arrived, or (`spoken`) when the model has said something."""
    talk.provider.wait_for_requests(1)
    if spoken:
        with talk.daemon.watch(after=0, session_id=talk.session_id) as watcher:
            watcher.until("text_chunk", delta="I was about to")
    talk.daemon.call("POST", "/api/cancel", {"agent_id": "default", "session_id": talk.session_id})


def test_an_answer_that_broke_off_at_once_leaves_nothing_empty_behind(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    talk.provider.script(Answer(dialect.stream("x")[:1]), refuse("The server is in no mood.", 400))
    assert talk.ask("hello").stop_reason == "failed"
    answered(talk, NothingEmpty(say("Here.")))


# -- reasoning ---------------------------------------------------------------------------------------------------------

FIELDS = ["reasoning_content", "reasoning"]


def reasoned(field: str, *calls: tuple[str, Json]) -> Answer:
    """Reasoning in a field of this name, then calls."""
    made = [
        chat(chat_call(n, f"call_{n}_{name}", name, json.dumps(arguments))) for n, (name, arguments) in enumerate(calls)
    ]
    return Answer([chat({field: "let me look"}), *made, chat({}, "tool_calls"), DONE])


@pytest.fixture
def asking(begin: Begin) -> Iterator[Daemon]:
    """The shared daemon in a mode that asks for permission."""
    daemon = begin().daemon
    daemon.config(permission_mode="smart_approve")
    yield daemon
    daemon.config(permission_mode=None)


def writes(name: str) -> tuple[str, Json]:
    return "write_file", {"path": name, "content": "x"}


def wait_and_answer(
    talk: Talk, *, before: Callable[[], Any] = lambda: None, decision: str = "allow", **fields: Any
) -> Outcome:
    """Send a message that leads to one question, and answer it. Returns the outcome of the complete turn."""
    first = len(talk.provider.requests)
    with talk.daemon.watch() as watcher:
        turn_id = talk.say("go on")["turn_id"]
        events = watcher.until("status_change", state="waiting_approval")
    call_id = next(event["data"]["call_id"] for event in events if event["type"] == "approval_required")
    cursor = events[-1]["seq"]
    before()
    with talk.daemon.watch(after=cursor) as watcher:
        talk.daemon.approve(call_id, decision, **fields)
        events += watcher.until("done", turn_id=turn_id, within_s=ANSWER_S)
    return Outcome([event for event in events if event["turn_id"] == turn_id], talk.provider.requests[first:])


@pytest.mark.parametrize("field", FIELDS)
def test_reasoning_goes_back_with_its_calls(begin: Begin, field: str) -> None:
    talk = begin()
    reads = reasoned(field, ("read_file", {"path": "a.txt"}))
    outcome = answered(talk, ReasoningBack(WholePairs(InTurn(reads, reads, say("Read.")))))
    assert len(outcome.requests) == 3
    talk.healthy(outcome, "Read.")


@pytest.mark.parametrize("restarts", [False, True], ids=["awake", "killed"])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.usefixtures("asking")
def test_reasoning_goes_back_after_a_question(begin: Begin, field: str, restarts: bool) -> None:
    talk = begin()
    strict = ReasoningBack(WholePairs(InTurn(reasoned(field, writes("new.txt")), say("Written."))))
    talk.provider.script(strict)
    outcome = wait_and_answer(talk, before=talk.daemon.restart if restarts else lambda: None)
    assert strict.refused == []
    assert len(outcome.requests) == 2
    talk.healthy(outcome, "Written.")


@pytest.mark.parametrize("field", FIELDS)
def test_reasoning_goes_back_after_a_cancelled_call(begin: Begin, field: str) -> None:
    talk = begin()
    talk.provider.script(reasoned(field, ("run_command", {"command": "sleep 60"})))
    assert cancelled_in_call(talk) == "cancelled"
    answered(talk, ReasoningBack(WholePairs(say("Here."))))
    talk.daemon.restart()
    answered(talk, ReasoningBack(WholePairs(say("Here."))))


def cancelled_in_call(talk: Talk) -> str:
    """Cancel the turn while its call runs. Returns the stop reason."""
    with talk.daemon.watch() as watcher:
        turn_id = talk.say("go on")["turn_id"]
        watcher.until("tool_start", turn_id=turn_id)
        talk.daemon.call("POST", "/api/cancel", {"agent_id": "default", "session_id": talk.session_id})
        return watcher.until("done", turn_id=turn_id)[-1]["data"]["stop_reason"]


def test_signed_thinking_goes_back_with_its_calls(begin: Begin) -> None:
    talk = begin(ANTHROPIC)
    reads = ANTHROPIC.answer(Thought(["let me look"]), called("read_file", path="a.txt"))
    talk.provider.script(reads, say("Read."))
    outcome = talk.ask("read it")
    [assistant] = [message for message in outcome.requests[1].messages if message["role"] == "assistant"]
    thinking = {"type": "thinking", "thinking": "let me look", "signature": "c2lnbmVk"}
    assert assistant["content"][0] == thinking
    talk.healthy(outcome, "Read.")


def test_unsigned_thinking_goes_back_as_thinking_to_the_server_that_gave_it(begin: Begin) -> None:
    """llama.cpp, Ollama and LM Studio sign nothing. A user message instead of the thinking would break the order."""
    talk = begin(ANTHROPIC)
    reads = ANTHROPIC.answer(Thought(["let me look"], signature=""), called("read_file", path="a.txt"))
    strict = Alternating(WholePairs(InTurn(reads, ANTHROPIC.answer(Thought(["all of it"], ""), Said(["Read."])))))
    first = answered(talk, strict, "read it")
    thinking = {"type": "thinking", "thinking": "let me look", "signature": ""}
    [assistant] = [message for message in first.requests[1].messages if message["role"] == "assistant"]
    assert assistant["content"][0] == thinking
    for _ in range(LEAST_MESSAGES):  # until earlier messages are kept as they were sent
        later = answered(talk, Alternating(WholePairs(say("Here."))))
        said = [message["content"] for message in later.requests[0].messages if message["role"] == "assistant"]
        assert said[0][0] == thinking
        assert said[1][0]["thinking"] == "all of it"


def test_thinking_of_another_model_is_not_put_into_the_persons_mouth(begin: Begin) -> None:
    talk = begin(CHAT)
    talk.provider.script(Answer([chat({"reasoning_content": "let me look"}), *CHAT.stream("Hello.")]))
    assert talk.ask("hello").text == "Hello."
    talk.daemon.config(model=ANTHROPIC.model)
    outcome = answered(talk, Alternating(WholePairs(say("Here."))))
    assert outcome.requests[0].messages[1] == {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]}


def test_items_say_what_they_are_to_a_server_that_wants_it(own: Begin) -> None:
    talk = own("openai-responses:m")
    answered(talk, TypedItems(say("Hello.")), "hello")
    strict = TypedItems(WholePairs(say("Here.")))
    talk.provider.script(strict)
    outcome = talk.ask("and now")
    assert (outcome.stop_reason, outcome.errors, outcome.text) == ("complete", [], "Here."), str(outcome)
    assert len(strict.refused) == 1
    for _ in range(LEAST_MESSAGES):  # until earlier messages are kept as they were sent
        again = talk.ask("again")
        assert (again.stop_reason, len(again.requests)) == ("complete", 1), str(again)
    talk.daemon.kill()
    talk.daemon.start()
    after = talk.ask("after a restart")
    assert (after.stop_reason, len(after.requests)) == ("complete", 1), "the daemon remembers it"


# -- sizes -------------------------------------------------------------------------------------------------------------


def honest(text: str) -> Answering:
    """An answer with the usage that a tokenizer might count: a quarter of the characters."""

    def answer(request: RecordedRequest) -> Answer:
        size = len(json.dumps(request.messages, ensure_ascii=False))
        return given(say(text, size // 4, len(text) // 4), request)

    return answer


ENGLISH, CHINESE = "some more words of mine ", "我们继续讨论这个问题"
SIZES: dict[str, tuple[str, int, dict[str, str]]] = {
    "English": (ENGLISH, 32_000, {}),
    "Chinese": (CHINESE, 8192, {}),
    "told": (ENGLISH, 32_000, {"ASTER_CONTEXT_WINDOW": "8192"}),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_conversation_goes_on_for_ever_within_a_small_window(own: Begin, case: str) -> None:
    words, most, variables = SIZES[case]
    talk = own(**variables)
    text = "That is noted. " * 27 if words is ENGLISH else "好的，已经记下了。" * 45
    strict = Window(honest(text), most=most)
    talk.provider.script(strict)
    outcomes = [talk.ask(f"{number}. {words * (600 // len(words))}") for number in range(65)]
    assert [str(outcome) for outcome in outcomes if outcome.stop_reason != "complete" or outcome.errors] == []
    compactions = sum(len(outcome.compacted) for outcome in outcomes)
    assert compactions > 0
    assert len(strict.refused) <= (2 if case == "told" else compactions)
    assert not any(asks_for_summary(request) for request in strict.refused), "a summary request is never too long"
    assert all(len(outcome.requests) <= 4 for outcome in outcomes)
    talk.daemon.restart()
    assert talk.ask("and now").stop_reason == "complete"


def test_compactions_and_cancelled_calls_keep_pairs(own: Begin, dialect: Dialect) -> None:
    talk = own(dialect.model, arguments=[], ASTER_CONTEXT_WINDOW="2000")
    daemon = talk.daemon
    checked: list[Strict] = []

    def script(*answers: Answering) -> None:
        checked.append(WholePairs(InTurn(*answers)))
        talk.provider.script(checked[-1])

    def calls(*made: Called) -> Answer:
        return dialect.answer("I see to it.", *made)

    # Parallel calls, one of which is denied.
    several = [called("read_file", "call_1", path="a.txt"), called("read_file", "call_2", path="missing.txt")]
    script(calls(*several, called("write_file", "call_3", path="no.txt", content="x")), honest("One is denied."))
    assert wait_and_answer(talk, decision="deny").stop_reason == "complete"
    # A call that a person edits.
    script(calls(called("write_file", "call_4", path="yes.txt", content="x")), honest("It was edited."))
    edited = wait_and_answer(talk, arguments={"path": "yes.txt", "content": "edited"})
    assert edited.stop_reason == "complete", str(edited)
    assert (daemon.work_dir / "yes.txt").read_text() == "edited"
    # A call that is cancelled while it runs, and a call during which the daemon is killed.
    daemon.config(permission_mode="auto_approve")
    sleeps = called("run_command", "call_5", command="sleep 60")
    script(calls(sleeps, called("read_file", "call_6", path="a.txt")))
    assert cancelled_in_call(talk) == "cancelled"
    script(calls(called("run_command", "call_7", command="sleep 61")), honest("Nobody knows."))
    with daemon.watch() as watcher:
        turn_id = talk.say("go on")["turn_id"]
        watcher.until("tool_start", turn_id=turn_id)
    daemon.restart()
    # Then long texts, until the conversation has been summarised three times.
    reads = [called("read_file", f"call_8{n}", path="a.txt") for n in range(3)]
    compactions, number = 0, 0
    while compactions < 3 and number < 30:
        number += 1
        script(*([calls(*reads)] if number % 2 else []), honest("That is noted. " * 40))
        outcome = talk.ask(f"{number}. " + ENGLISH * 40)
        assert (outcome.stop_reason, outcome.errors) == ("complete", []), str(outcome)
        compactions += len(outcome.compacted)
    assert compactions >= 3
    assert [strict.why_not(request) for strict in checked for request in strict.refused] == []
