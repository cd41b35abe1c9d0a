"""Google's Gemini API: what its servers stream and refuse, what is sent to them, and that the session continues."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.support.bytes_provider import Answer, BytesProvider, Repeat
from tests.support.daemon import Json
from tests.support.stream_bytes import GEMINI, Called, Said, Thought, called, event, say
from tests.support.strict_servers import InTurn
from tests.support.talk import Outcome, Talk, set_at_end

pytest.importorskip("google.genai", reason="needs the google extra")

Begin = Callable[..., Talk]
SIGNATURE = "EpwCCpkCAXLI2nwQ3Q=="
A, B = {"path": "a.txt"}, {"path": "b.txt"}
BOTH = [("read_file", A, "done"), ("read_file", B, "done")]
USAGE = GEMINI.usage()


@pytest.fixture
def talk(begin: Begin) -> Talk:
    return begin(GEMINI)


def last(usage: Json = USAGE, **more: Json) -> str:
    return GEMINI.chunk([{"text": ""}], "STOP", usage, **more)


def call(name: Json = "read_file", args: Json = A, **more: Json) -> Json:
    return {"functionCall": {"name": name, "args": args, **more}}


def kept(part: Json) -> Json:
    """A part of a request, without its fields that are None."""
    return {name: one for name, one in part.items() if one is not None}


def again(talk: Talk) -> Outcome:
    """The daemon restarts, and the session continues."""
    talk.daemon.restart()
    talk.daemon.config(model=GEMINI.model)
    return talk.goes_on()


# -- answers -----------------------------------------------------------------------------------------------------------


def test_text_and_figures_are_read_and_the_request_is_googles(talk: Talk) -> None:
    talk.provider.script(GEMINI.answer(Said(["Good ", "morning ☀️."]), usage=GEMINI.usage(31, 7)))
    outcome = talk.ask("hello")
    [request] = outcome.requests
    assert request.path == GEMINI.path
    assert request.headers["x-goog-api-key"] == "g-test-0123456789"
    assert "x-server-timeout" not in request.headers, "a server would cut off a long answer"
    assert request.last_user_text == "hello"
    assert "read_file" in request.tool_names
    assert (outcome.usage["input_tokens"], outcome.usage["output_tokens"]) == (31, 7)
    talk.healthy(outcome, "Good morning ☀️.")


def test_figures_that_count_on_with_each_event_are_not_added_up(talk: Talk) -> None:
    pieces = ["One, ", "two, ", "three."]
    events = [GEMINI.chunk([{"text": piece}], None, GEMINI.usage(20, n + 1)) for n, piece in enumerate(pieces)]
    talk.provider.script(Answer("".join(events) + last(GEMINI.usage(20, 4))))
    outcome = talk.ask("count")
    assert (outcome.usage["input_tokens"], outcome.usage["output_tokens"]) == (20, 4)
    talk.healthy(outcome, "One, two, three.")


def test_thinking_is_told_apart_and_its_signature_goes_back(talk: Talk) -> None:
    events = [
        GEMINI.chunk([{"text": "I need ", "thought": True}]),
        GEMINI.chunk([{"text": "the file.", "thought": True}]),
        GEMINI.chunk([{"text": "I read it."}]),
        GEMINI.chunk([{**call(id="c1"), "thoughtSignature": SIGNATURE}]),
        last(),
    ]
    talk.provider.script(Answer("".join(events)), say("Read."))
    outcome = talk.ask("read it")
    assert (outcome.thought, outcome.ran) == ("I need the file.", BOTH[:1])
    [back] = [m for m in outcome.requests[1].messages if m["role"] == "assistant"]
    parts = [kept(part) for part in back["content"] if "functionCall" in part]
    assert [(part["functionCall"]["id"], part["thoughtSignature"]) for part in parts] == [("c1", SIGNATURE)]
    after = again(talk)
    assert SIGNATURE in str(after.requests[0].messages), "kept after a restart"


def test_calls_run_side_by_side_and_their_results_go_back_together(talk: Talk) -> None:
    talk.provider.script(Answer(GEMINI.chunk([call(id="c1"), call(args=B, id="c2")]) + last()), say("Both are read."))
    outcome = talk.ask("read both")
    assert outcome.ran == BOTH
    assert [call_id for call_id, _ in outcome.requests[1].new_tool_results] == ["c1", "c2"]
    talk.healthy(outcome)
    again(talk)


CALLS: dict[str, list[Json]] = {
    "no ids": [call(), call(args=B)],
    "one id": [call(id="c1"), call(args=B, id="c1")],
    "empty ids": [call(id=""), call(args=B, id="")],
    "numbers as ids": [call(id=1), call(args=B, id=2)],
    "arguments as a text": [call(args='{"path": "a.txt"}'), call(args=B)],
    "one without a name": [call(), call(None), call(""), call(args=B)],
    "a null among them": [call(), None, call(args=B)],
    "with parts of no kind": [{}, call(), {"thought": True}, {"videoMetadata": {}}, call(args=B), {"text": None}],
    "with broken signatures": [{**call(), "thoughtSignature": "no base64!"}, {**call(args=B), "thoughtSignature": 7}],
    "with a result of no code": [{"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, call(), call(args=B)],
    "with a broken picture": [{"inlineData": {"mimeType": "image/png", "data": "?"}}, call(), call(args=B)],
    "with a picture of no kind": [{"inlineData": {"data": "aGk="}}, call(), call(args=B)],
}


@pytest.mark.parametrize("case", CALLS)
def test_odd_calls_run(talk: Talk, case: str) -> None:
    talk.provider.script(Answer(GEMINI.chunk(CALLS[case]) + last()), say("Read."))
    outcome = talk.ask("read both")
    assert outcome.ran == BOTH
    talk.healthy(outcome, "Read.")


@pytest.mark.parametrize("args", ["not JSON", [], ["a.txt"], 7], ids=str)
def test_a_call_whose_arguments_are_no_object_is_told_to_the_model(talk: Talk, args: Json) -> None:
    talk.provider.script(Answer(GEMINI.chunk([call(args=args)]) + last()), say("I see."))
    outcome = talk.ask("read it")
    assert "path" in outcome.requests[1].new_tool_results[0][1], "the model learns what is missing"
    talk.healthy(outcome)


# -- odd events --------------------------------------------------------------------------------------------------------


def whole(**changed: Json) -> Json:
    return {**GEMINI.whole("ok"), **changed}


def candidate(**changed: Json) -> Json:
    return whole(candidates=[{**GEMINI.whole("ok")["candidates"][0], **changed}])


ODD: dict[str, str] = {
    "no blank behind data": f"data:{event(whole())[6:]}",
    "a name": f"event: message\n{event(whole())}",
    "an id": f"id: 7\n{event(whole())}",
    "two lines": event(whole()).replace(', "usageMetadata"', ',\ndata: "usageMetadata"'),
    "a mark at the end": event(whole()) + "data: [DONE]\n\n",
    "only a mark at the end": GEMINI.chunk([{"text": "ok"}]) + "data: [DONE]\n\n",
    "a list": event([whole()]),
    "other events": event({"type": "ping"}) + event({}) + event(whole()),
    "no candidates first": event({"candidates": [], "modelVersion": "m"}) + event(whole()),
    "candidates of null": event(whole(candidates=None)) + event(whole()),
    "a candidate of null": event(whole(candidates=[None])) + event(whole()),
    "a candidate that is not in a list": event(whole(candidates=whole()["candidates"][0])),
    "two candidates": event(whole(candidates=[{**whole()["candidates"][0], "index": 1}, *whole()["candidates"]])),
    "content of null": event(candidate(content=None, finishReason=None)) + event(whole()),
    "parts of null": event(candidate(content={"parts": None}, finishReason=None)) + event(whole()),
    "a part that is not in a list": event(candidate(content={"parts": {"text": "ok"}})),
    "a role of null": event(candidate(content={"parts": [{"text": "ok"}], "role": None})),
    "an index as a text": event(candidate(index="0")),
    "another id in each event": GEMINI.chunk([{"text": "o"}])
    + event(candidate() | {"responseId": "r2"}).replace('"ok"', '"k"'),
    "figures of many kinds": event(
        whole(
            usageMetadata={
                "promptTokenCount": "10",
                "candidatesTokenCount": 5.5,
                "totalTokenCount": -1,
                "thoughtsTokenCount": None,
                "promptTokensDetails": {"modality": "TEXT", "tokenCount": 10},
                "cacheTokensDetails": [None, {"modality": "SMELL", "tokenCount": 2}],
                "trafficType": "BY_TRAIN",
            }
        )
    ),
    "figures that are none": event(whole(usageMetadata="many")),
    "figures behind the end": event(whole(usageMetadata=None)) + event({"usageMetadata": USAGE}),
    "ratings of no kind": event(candidate(safetyRatings=[None, {"category": 7}, {"category": "HARM_CATEGORY_NEW"}])),
    "numbers that are none": event(candidate(avgLogprobs="NaN", tokenCount="x", continuationToken="?")),
    "sources of no kind": event(candidate(citationMetadata=[], groundingMetadata={"webSearchQueries": "x"})),
    "a reason with each event": event(candidate(content={"parts": [{"text": "o"}]}))
    + event(candidate()).replace('"ok"', '"k"'),
    "no reason yet": event(candidate(content={"parts": [{"text": "o"}]}, finishReason="FINISH_REASON_UNSPECIFIED"))
    + event(candidate()).replace('"ok"', '"k"'),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_events_are_read(talk: Talk, case: str) -> None:
    talk.provider.script(Answer(ODD[case]))
    outcome = talk.ask("hello")
    assert len(outcome.requests) == 1, str(outcome)
    talk.healthy(outcome, "ok")


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x1e"], ids=ascii)
def test_signs_that_end_a_line_elsewhere_are_part_of_the_text(talk: Talk, sign: str) -> None:
    text = f"one{sign}two"
    sent = event(GEMINI.whole("TEXT")).replace("TEXT", text if sign != "\x1e" else r"one\u001etwo")
    talk.provider.script(Answer(sent))
    talk.healthy(talk.ask("hello"), text)


HALVES: dict[str, tuple[list[str], str]] = {
    "cut": (["Hi \ud83d", "\ude00!"], "Hi 😀!"),
    "alone": (["Hi \udcaf the", "re"], "Hi \ufffd there"),
    "without the other": (["Hi ", "\ud83d"], "Hi \ufffd"),
}


@pytest.mark.parametrize("case", HALVES)
def test_characters_are_whole(talk: Talk, case: str) -> None:
    pieces, text = HALVES[case]
    talk.provider.script(GEMINI.answer(Thought(pieces), Said(pieces)))
    outcome = talk.ask("hello")
    assert outcome.thought == text
    talk.healthy(outcome, text)
    again(talk)


def test_half_a_character_at_the_very_end_is_replaced(talk: Talk) -> None:
    talk.provider.script(
        Answer(GEMINI.chunk([{"text": "Hi \ud83d"}]) + GEMINI.chunk([{"text": "\ude00!\ud83d"}], "STOP", USAGE))
    )
    talk.healthy(talk.ask("hello"), "Hi 😀!\ufffd")


@pytest.mark.parametrize("path", ["a\ud83d\ude00.txt", "a\udcaf.txt"], ids=ascii)
def test_characters_in_arguments_are_whole(talk: Talk, path: str) -> None:
    right = path.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    (talk.daemon.work_dir / right).write_text("found\n")
    talk.provider.script(Answer(GEMINI.chunk([call(args={"path": path})]) + last()), say("Read."))
    outcome = talk.ask("read it")
    assert outcome.ran == [("read_file", {"path": right}, "done")]
    talk.healthy(outcome, "Read.")


WHOLE = {
    "one object": [GEMINI.whole("All there.")],
    "a list": [[GEMINI.whole("All there.")]],
    "a list of pieces": [[candidate(content={"parts": [{"text": "All "}]}, finishReason=None), GEMINI.whole("there.")]],
}


@pytest.mark.parametrize("case", WHOLE)
def test_an_answer_that_is_no_stream_is_read(talk: Talk, case: str) -> None:
    talk.provider.script(Answer.json(WHOLE[case][0]))
    talk.healthy(talk.ask("hello"), "All there.")


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["STOP", "stop", "FINISHED_WELL"])
def test_a_whole_answer_is_complete(talk: Talk, word: str) -> None:
    talk.provider.script(GEMINI.answer("All done.", finish=word))
    talk.healthy(talk.ask("hello"), "All done.")


def test_an_answer_cut_by_its_length_says_so(talk: Talk) -> None:
    talk.provider.script(GEMINI.answer("The three steps are: first", finish="length"))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("limit", ["output_limit"]), str(outcome)
    assert outcome.text == "The three steps are: first"
    talk.goes_on()


@pytest.mark.parametrize(
    "word", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "LANGUAGE", "MODEL_ARMOR", "IMAGE_SAFETY"]
)
def test_an_answer_that_a_filter_ends_says_so_and_is_kept(talk: Talk, word: str) -> None:
    talk.provider.script(GEMINI.answer("What I can say is", finish=word))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["content_refused"]), str(outcome)
    assert word in outcome.errors[0]["message"]
    assert outcome.text == talk.history()[-1]["text"] == "What I can say is"
    assert len(outcome.requests) == 1
    talk.goes_on()


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "OTHER", "SOMETHING_NEW"])
def test_a_blocked_prompt_is_told(talk: Talk, reason: str) -> None:
    talk.provider.script(Answer(event({"promptFeedback": {"blockReason": reason}, "usageMetadata": USAGE})))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["content_refused"]), str(outcome)
    assert reason in outcome.errors[0]["message"]
    assert len(outcome.requests) == 1
    talk.goes_on()


@pytest.mark.parametrize("word", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER"])
def test_an_answer_that_failed_before_a_word_is_asked_for_again(talk: Talk, word: str) -> None:
    failed = Answer(GEMINI.chunk(None, word, USAGE, finishMessage="Malformed function call: print(…)"))
    talk.provider.script(failed, say("Here it is."))
    outcome = talk.ask("read it")
    assert outcome.retried == ["provider_error"], str(outcome)
    assert word in outcome.of("model_retry")[0]["message"]
    talk.healthy(outcome, "Here it is.")


def test_an_answer_that_failed_keeps_its_words(talk: Talk) -> None:
    talk.provider.script(GEMINI.answer("Almost done", finish="OTHER"))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["provider_error"]), str(outcome)
    assert outcome.text == talk.history()[-1]["text"] == "Almost done"
    talk.goes_on()


@pytest.mark.parametrize("usage", [USAGE, None], ids=["figures", "no figures"])
def test_a_whole_answer_is_complete_while_its_connection_stays_open(talk: Talk, usage: Json) -> None:
    hold = threading.Event()
    talk.provider.script(Answer(GEMINI.stream(Said(["All ", "there."]), usage=usage), hold=hold))
    with set_at_end(hold):
        talk.healthy(talk.ask("hello", within_s=10), "All there.")


@pytest.mark.parametrize("events", [GEMINI.stream(), GEMINI.stream(Thought(["Hm."])), GEMINI.stream(" \n")])
def test_a_model_that_says_nothing_is_told(talk: Talk, events: list[str]) -> None:
    talk.provider.script(Answer(events))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["model_silent"]), str(outcome)
    talk.goes_on()


def test_an_answer_that_breaks_off_keeps_what_was_said(talk: Talk) -> None:
    talk.provider.script(Answer(GEMINI.open("one ", "two")))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["malformed_stream"]), str(outcome)
    assert outcome.text == talk.history()[-1]["text"] == "one two"
    talk.goes_on()


@pytest.mark.parametrize("broken", ['data: {"candidates": [\n\n', "data: tea?\n\n"])
def test_an_event_that_can_not_be_read_keeps_what_was_said(talk: Talk, broken: str) -> None:
    talk.provider.script(Answer([*GEMINI.open("one ", "two"), broken]))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes, outcome.text) == ("failed", ["malformed_stream"], "one two")
    talk.goes_on()


@pytest.mark.parametrize("stall", [": keep-alive\n\n", 'data: {"usageMetadata": {"promptTokenCount": 7}}\n\n'])
def test_a_stream_that_stalls_is_given_up(own: Begin, stall: str) -> None:
    talk = own(GEMINI.model, ASTER_MODEL_TIMEOUT_S="1")
    talk.provider.script(Answer([*GEMINI.open("one ", "two"), Repeat(stall)]))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes, outcome.text) == ("failed", ["provider_timeout"], "one two")
    talk.provider.wait_for_left()
    talk.goes_on()


def test_a_cancelled_answer_lets_go_of_its_connection(talk: Talk) -> None:
    hold = threading.Event()
    talk.provider.script(Answer([*GEMINI.open("one ", "two"), hold]))

    def cancel() -> None:
        talk.provider.wait_for_requests(1)
        talk.daemon.call("POST", "/api/cancel", {"agent_id": "default", "session_id": talk.session_id})

    with set_at_end(hold):
        assert talk.ask("hello", meanwhile=cancel).stop_reason == "cancelled"
        talk.provider.wait_for_left()
    talk.goes_on()


def test_requests_are_counted(own: Begin) -> None:
    talk = own(GEMINI.model)
    talk.daemon.config(max_requests=3)
    talk.provider.script(GEMINI.answer(called("read_file", path="a.txt")))
    outcome = talk.ask("read it")
    assert (outcome.stop_reason, outcome.codes) == ("limit", ["limit_reached"]), str(outcome)
    assert len(outcome.requests) <= 3
    talk.daemon.config(max_requests=None)
    talk.goes_on()


def test_answers_are_read_without_the_edge(own: Begin) -> None:
    talk = own(GEMINI.model, ASTER_MODEL_EDGE="off")
    talk.provider.script(GEMINI.answer(called("read_file", path="a.txt")), say("Read."))
    outcome = talk.ask("read it")
    assert outcome.ran == BOTH[:1]
    talk.healthy(outcome, "Read.")


# -- refusals ----------------------------------------------------------------------------------------------------------

RPC = "type.googleapis.com/google.rpc."
BAD_KEY = GEMINI.error(
    "API key not valid. Please pass a valid API key.",
    details=[{"@type": f"{RPC}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}],
)
PER_MINUTE = GEMINI.error(
    "You exceeded your current quota, please check your plan and billing details. Please retry in 0.01s.",
    "RESOURCE_EXHAUSTED",
    429,
    [
        {"@type": f"{RPC}QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
        {"@type": f"{RPC}RetryInfo", "retryDelay": "0.01s"},
    ],
)
OVERLOADED = GEMINI.error("The model is overloaded. Please try again later.", "UNAVAILABLE", 503)
UNKNOWN = GEMINI.error("models/m is not found for API version v1beta.", "NOT_FOUND", 404)
LONG = GEMINI.error("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).")
REFUSED = {
    "key": (BAD_KEY, 400, "key_refused"),
    "model": (UNKNOWN, 404, "model_unknown"),
    "length": (LONG, 400, "context_too_long"),
    "region": (
        GEMINI.error("User location is not supported for the API use.", "FAILED_PRECONDITION"),
        400,
        "request_refused",
    ),
}
PASSING = {"minute": (PER_MINUTE, 429, "rate_limited"), "load": (OVERLOADED, 503, "provider_unavailable")}


def forms(body: Json, status: int) -> dict[str, Answer]:
    """The same refusal in each form that Google uses: by status, as a list of one, and within a stream."""
    return {"object": Answer.json(body, status), "list": Answer.json([body], status), "stream": Answer(event(body))}


@pytest.mark.parametrize("form", ["object", "list", "stream"])
@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_told(begin: Begin, case: str, form: str) -> None:
    body, status, code = REFUSED[case]
    talk = begin(f"google:m-{case}-{form}")  # what is learned about a model's window must not affect others
    talk.provider.script(forms(body, status)[form])
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", [code]), str(outcome)
    assert len(outcome.requests) <= 2
    if code == "key_refused":
        assert "GOOGLE_API_KEY" in outcome.errors[0]["hint"]
    talk.goes_on()


@pytest.mark.parametrize("form", ["object", "list", "stream"])
@pytest.mark.parametrize("case", PASSING)
def test_what_passes_is_asked_again(talk: Talk, case: str, form: str) -> None:
    body, status, code = PASSING[case]
    talk.provider.script(forms(body, status)[form], say("Here it is."))
    outcome = talk.ask("hello")
    assert outcome.retried == [code], str(outcome)
    assert len(outcome.requests) == 2, "the SDK must not retry by itself"
    talk.healthy(outcome, "Here it is.")


def test_a_refusal_in_the_midst_of_an_answer_keeps_what_was_said(talk: Talk) -> None:
    talk.provider.script(Answer([*GEMINI.open("one ", "two"), event(OVERLOADED)]))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["provider_unavailable"]), str(outcome)
    assert outcome.text == talk.history()[-1]["text"] == "one two"
    talk.goes_on()


def test_a_conversation_that_is_too_long_is_summarised_and_answered(begin: Begin) -> None:
    talk = begin("google:m-long")
    talk.provider.script(say("I see. " * 60))
    for number in range(4):
        assert talk.ask(f"{number}. " + "words " * 100).stop_reason == "complete"
    talk.provider.script(Answer.json(LONG, 400), InTurn(say("Here is what you want.")))
    outcome = talk.ask("and now")
    assert outcome.compacted == ["over_window"], str(outcome)
    talk.healthy(outcome, "Here is what you want.")


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/", "/v1beta", "/v1beta/", "/v1", "/v1beta/models"])
def test_a_base_url_is_taken_as_people_give_it(own: Begin, provider: BytesProvider, path: str) -> None:
    talk = own(
        GEMINI.model, GOOGLE_BASE_URL=provider.url + path, GOOGLE_API_KEY="", GEMINI_API_KEY="g-other-0123456789"
    )
    talk.provider.script(say("Here."))
    outcome = talk.ask("hello")
    assert [request.path for request in outcome.requests] == [GEMINI.path]
    assert outcome.requests[0].headers["x-goog-api-key"] == "g-other-0123456789"
    talk.healthy(outcome, "Here.")


def test_a_server_that_is_away_is_named(own: Begin) -> None:
    talk = own(GEMINI.model, GOOGLE_BASE_URL="http://127.0.0.1:9")
    outcome = talk.ask("hello")
    assert outcome.codes == ["provider_unreachable"], str(outcome)
    assert "GOOGLE_BASE_URL" in outcome.errors[0]["message"] + outcome.errors[0]["hint"]


def test_another_dialect_goes_on_with_what_gemini_said_and_back(begin: Begin) -> None:
    talk = begin(GEMINI)
    cut = Called("read_file", ['{"path": "a.txt"}'], "call_a")
    talk.provider.script(GEMINI.answer(Thought(["Read it."]), cut), say("Read."))
    assert talk.ask("read it").ran == BOTH[:1]
    for model in ("openai-chat:m", "anthropic:m", "openai-responses:m", GEMINI.model):
        talk.daemon.config(model=model)
        talk.goes_on()
