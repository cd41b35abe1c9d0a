"""Refusals in the words of real servers: what each means, how the daemon reacts, and that the session continues."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from time import monotonic, time

import pytest

from tests.support.bytes_provider import Answer, Answering, BytesProvider, RecordedRequest
from tests.support.daemon import Daemon, Json
from tests.support.stream_bytes import ANTHROPIC, CHAT, DONE, RESPONSES, Called, Dialect, called, event, refuse, say
from tests.support.strict_servers import InTurn, MistralIds, TakesNoTools, WholePairs
from tests.support.talk import Outcome, Talk

Begin = Callable[..., Talk]

# -- the conversation is too long --------------------------------------------------------------------------------------

LLAMA = (
    '{"error":{"code":400,"message":"request (9001 tokens) exceeds the available context size (8192 tokens), try'
    ' increasing it","type":"exceed_context_size_error","n_prompt_tokens":9001,"n_ctx":8192}}'
)
LLAMA_OLD = "the request exceeds the available context size. try increasing the context size or enable context shift"
JSON = {"content-type": "application/json", "retry-after-ms": "10"}


def said(message: str, status: int = 400, kind: str = "invalid_request_error", code: Json = None) -> Answering:
    return refuse(message, status, kind, code)


TOO_LONG: dict[str, tuple[Dialect | str, Answering]] = {
    "chat: llama.cpp": (CHAT, Answer(LLAMA, 400, JSON, "length")),
    "llamacpp: llama.cpp": ("llamacpp:", Answer(LLAMA, 400, JSON, "length")),
    "chat: llama.cpp of before": (CHAT, said(LLAMA_OLD)),
    "chat: llama.cpp of before, as its failure": (CHAT, said(LLAMA_OLD, 500, "server_error", 500)),
    "chat: vLLM": (
        CHAT,
        said(
            "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
            kind="BadRequestError",
        ),
    ),
    "chat: OpenAI": (CHAT, said("Your input is too large.", code="context_length_exceeded")),
    "chat: Gemini": (
        CHAT,
        said(
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            kind="INVALID_ARGUMENT",
        ),
    ),
    "chat: Ollama": (CHAT, said("prompt too long; exceeded max context length by 4096 tokens", kind="api_error")),
    "chat: Copilot": (
        CHAT,
        said("prompt token count of 140000 exceeds the limit of 128000", code="model_max_prompt_tokens_exceeded"),
    ),
    "chat: too large an entity": (
        CHAT,
        Answer("Request Entity Too Large", 413, {"content-type": "text/plain"}, "length"),
    ),
    "chat: Groq": (
        CHAT,
        said("Please reduce the length of the messages or completion.", 413, code="context_length_exceeded"),
    ),
    "chat: LM Studio, in its stream": (
        CHAT,
        Answer(
            event(
                {
                    "error": {
                        "message": "Input does not fit in context length. The input has 31430 tokens, but the context"
                        " length only supports 30000 tokens."
                    },
                    "message": "Input does not fit in context length.",
                },
                "error",
            )
        ),
    ),
    "chat: a number for a code, in its stream": (
        CHAT,
        Answer(
            event(
                {
                    "error": {
                        "code": 400,
                        "message": "Input length (600013 tokens) exceeds the maximum allowed length (536826 tokens).",
                        "object": "error",
                        "param": None,
                        "type": "BAD_REQUEST",
                    },
                    "model": "m",
                }
            )
            + DONE
        ),
    ),
    "chat: a text for an error, in its stream": (
        CHAT,
        Answer(
            event(
                {
                    "error": "Trying to keep the first 111490 tokens when context the overflows. However, the model is"
                    " loaded with context length of only 32768 tokens, which is not enough."
                }
            )
        ),
    ),
    "responses: by code": (RESPONSES, said("Your input exceeds the window.", code="context_length_exceeded")),
    "responses: error event": (
        RESPONSES,
        Answer(
            RESPONSES.error_event(
                "Your input exceeds the context window of this model.", code="context_length_exceeded"
            )
        ),
    ),
    "responses: failed": (
        RESPONSES,
        Answer(
            RESPONSES.failed_event("Your input exceeds the context window of this model.", "context_length_exceeded")
        ),
    ),
    "anthropic: by status": (ANTHROPIC, said("prompt is too long: 210000 tokens > 200000 maximum")),
    "anthropic: too large": (ANTHROPIC, said("Request exceeds the maximum size", 413, "request_too_large")),
    "anthropic: with the answer's room": (
        ANTHROPIC,
        said("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length"),
    ),
    "anthropic: in its stream": (
        ANTHROPIC,
        Answer(ANTHROPIC.error_event("prompt is too long: 210000 tokens > 200000 maximum")),
    ),
}


def named(begin: Begin, which: Dialect | str, case: str) -> Talk:
    """A session with a separate model name, since the daemon remembers what a refusal says about a model."""
    provider = which.removesuffix(":") if isinstance(which, str) else which.model.partition(":")[0]
    return begin(f"{provider}:m-{sorted(TOO_LONG).index(case)}")


def converse(talk: Talk, count: int = 4, length: int = 600) -> None:
    """Run some turns, so that there is something to summarise."""
    talk.provider.script(say("I see. " * 60))
    for number in range(count):
        outcome = talk.ask(f"{number}. " + "words " * (length // 6))
        assert outcome.stop_reason == "complete", str(outcome)


@pytest.mark.parametrize("case", TOO_LONG)
def test_a_conversation_that_is_too_long_is_summarised_and_answered(begin: Begin, case: str) -> None:
    which, refusal = TOO_LONG[case]
    talk = named(begin, which, case)
    converse(talk)
    talk.provider.script(refusal, say("Here is what you want."))
    outcome = talk.ask("and now")
    assert outcome.compacted == ["over_window"], str(outcome)
    assert outcome.retried == [], str(outcome)
    assert len(outcome.requests) <= 4, str(outcome)
    talk.healthy(outcome, "Here is what you want.")


@pytest.mark.parametrize("case", TOO_LONG)
def test_a_message_that_is_too_long_alone_is_told(begin: Begin, case: str) -> None:
    which, refusal = TOO_LONG[case]
    talk = named(begin, which, case)
    talk.provider.script(refusal)
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["context_too_long"]), str(outcome)
    assert len(outcome.requests) <= 2, str(outcome)
    talk.goes_on()


def test_a_refusal_of_a_long_conversation_that_nobody_understands_is_worth_one_summary(
    begin: Begin, dialect: Dialect
) -> None:
    talk = begin(dialect)
    converse(talk, length=12_000)
    refused: list[RecordedRequest] = []

    def picky(request: RecordedRequest) -> Answer:
        if len(str(request.messages)) > 30_000:
            refused.append(request)
            return Answer.json(dialect.error("Invalid input."), 400)
        return say("I see.")(request)  # type: ignore[operator]

    talk.provider.script(picky)
    outcome = talk.ask("and now")
    assert outcome.compacted == ["over_window"], str(outcome)
    assert len(refused) == 1
    talk.healthy(outcome, "I see.")


# -- the same refusal by status and within a stream --------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A refusal, our code for it (`means`), and whether a retry may help (`passes`)."""

    dialect: Dialect
    status: int
    message: str
    kind: str
    code: Json
    means: str
    passes: bool = False


REFUSALS = {
    "chat: key": Case(
        CHAT, 401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key", "key_refused"
    ),
    "chat: key by number": Case(CHAT, 401, "No auth credentials found", "auth", 401, "key_refused"),
    "chat: model": Case(
        CHAT, 404, "The model `m` does not exist", "invalid_request_error", "model_not_found", "model_unknown"
    ),
    "chat: quota": Case(
        CHAT, 429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota", "quota_exhausted"
    ),
    "chat: credit by number": Case(CHAT, 402, "Insufficient credits", "payment", 402, "quota_exhausted"),
    "chat: rate": Case(CHAT, 429, "Rate limit reached", "requests", "rate_limit_exceeded", "rate_limited", True),
    "chat: rate by number": Case(CHAT, 429, "Rate limit exceeded", "rate", 429, "rate_limited", True),
    "chat: server": Case(CHAT, 500, "The server had an error", "server_error", None, "provider_error", True),
    "chat: gateway by number": Case(CHAT, 502, "Provider returned error", "upstream", 502, "provider_error", True),
    "chat: overloaded by number": Case(
        CHAT, 503, "No instances available", "overload", 503, "provider_unavailable", True
    ),
    "chat: request": Case(CHAT, 400, "Unknown parameter: foo", "invalid_request_error", None, "request_refused"),
    "responses: rate": Case(
        RESPONSES, 429, "Rate limit reached", "requests", "rate_limit_exceeded", "rate_limited", True
    ),
    "responses: quota": Case(
        RESPONSES, 429, "You exceeded your quota", "insufficient_quota", "insufficient_quota", "quota_exhausted"
    ),
    "responses: server": Case(
        RESPONSES, 500, "An error occurred", "server_error", "server_error", "provider_error", True
    ),
    "responses: request": Case(
        RESPONSES, 400, "Invalid prompt", "invalid_request_error", "invalid_prompt", "content_refused"
    ),
    "anthropic: key": Case(ANTHROPIC, 401, "invalid x-api-key", "authentication_error", None, "key_refused"),
    "anthropic: model": Case(ANTHROPIC, 404, "model: m", "not_found_error", None, "model_unknown"),
    "anthropic: rate": Case(ANTHROPIC, 429, "Too many tokens", "rate_limit_error", None, "rate_limited", True),
    "anthropic: server": Case(ANTHROPIC, 500, "Internal server error", "api_error", None, "provider_error", True),
    "anthropic: overloaded": Case(ANTHROPIC, 529, "Overloaded", "overloaded_error", None, "provider_unavailable", True),
    "anthropic: request": Case(
        ANTHROPIC, 400, "max_tokens: too large", "invalid_request_error", None, "request_refused"
    ),
}
WAYS = ["status", "stream", "instead of a stream"]


def worded(case: Case, way: str) -> Answer:
    if way == "status":
        return Answer.json(case.dialect.error(case.message, case.kind, case.code), case.status, retry_after_ms="10")
    if way == "stream":
        return Answer(case.dialect.error_event(case.message, case.kind, case.code))
    return Answer.json(case.dialect.error(case.message, case.kind, case.code))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_means_the_same_however_it_comes(begin: Begin, name: str, way: str) -> None:
    case = REFUSALS[name]
    talk = begin(case.dialect)
    talk.provider.script(worded(case, way), say("Here."))
    outcome = talk.ask("hello")
    if case.passes:
        assert outcome.retried == [case.means], str(outcome)
        talk.healthy(outcome, "Here.")
    else:
        assert (outcome.stop_reason, outcome.codes) == ("failed", [case.means]), str(outcome)
        assert len(outcome.requests) == 1
        assert outcome.errors[0]["hint"]
        talk.goes_on()


@pytest.mark.parametrize("name", ["responses: rate", "responses: server"])
def test_a_failed_response_means_the_same(begin: Begin, name: str) -> None:
    case = REFUSALS[name]
    talk = begin(RESPONSES)
    talk.provider.script(Answer(RESPONSES.failed_event(case.message, case.code)), say("Here."))
    outcome = talk.ask("hello")
    assert outcome.retried == [case.means], str(outcome)
    talk.healthy(outcome, "Here.")


def test_the_words_of_a_refusal_are_told(begin: Begin) -> None:
    talk = begin()
    talk.provider.script(Answer(event({"error": "The moon is in the wrong house."})))
    outcome = talk.ask("hello")
    assert outcome.stop_reason == "failed"
    assert "The moon is in the wrong house." in str(outcome.errors[0])
    talk.goes_on()


# -- how long to wait --------------------------------------------------------------------------------------------------

WAITS = {
    "date": lambda: formatdate(time() + 3, usegmt=True),
    "0": lambda: "0",
    "past": lambda: formatdate(time() - 60, usegmt=True),
    "1.5": lambda: "1.5",
    "-1": lambda: "-1",
    "soon": lambda: "soon",
    "nan": lambda: "nan",
}
ENDLESS = {"99999999999999999999", "inf"}
DATES: list[float] = []
"""The dates that were sent, in seconds since the epoch."""


@pytest.fixture(scope="module")
def limited(shared_provider: BytesProvider, shared_daemon: Daemon) -> Iterator[dict[str, Outcome]]:
    """The outcome of two 429 in a row for each form of Retry-After, all at the same time."""
    times: dict[str, int] = {}
    guard = threading.Lock()

    def answer(request: RecordedRequest) -> Answer:
        kind = request.last_user_text
        with guard:
            times[kind] = times.get(kind, 0) + 1
        if kind not in ENDLESS and times[kind] > 2:
            return CHAT.answer("Here.")
        header = WAITS[kind]() if kind in WAITS else kind
        if kind == "date":
            DATES.append(parsedate_to_datetime(header).timestamp())
        return Answer.json(CHAT.error("slow down", "requests", "rate_limit_exceeded"), 429, retry_after=header)

    shared_provider.reset()
    shared_provider.script(answer)
    shared_daemon.config(model=CHAT.model)

    def ask(kind: str) -> Outcome:
        session_id = shared_daemon.call("POST", "/api/sessions", {})["session_id"]
        outcome = Talk(shared_daemon, shared_provider, session_id).ask(kind)
        mine = [request for request in outcome.requests if request.last_user_text == kind]
        return Outcome(outcome.events, mine)

    kinds = [*WAITS, *sorted(ENDLESS)]
    with ThreadPoolExecutor(len(kinds)) as pool:
        yield dict(zip(kinds, pool.map(ask, kinds), strict=True))


@pytest.mark.parametrize("kind", WAITS)
def test_a_wait_that_the_provider_names_is_never_shorter_than_ours(limited: dict[str, Outcome], kind: str) -> None:
    outcome = limited[kind]
    assert (outcome.stop_reason, outcome.text) == ("complete", "Here."), str(outcome)
    assert outcome.retried == ["rate_limited"] * 2
    first, second = (retry["delay_s"] for retry in outcome.of("model_retry"))
    if kind == "1.5":
        assert first >= 1.5
    elif kind != "date":
        assert first >= 0.2, "no retry at once"
        assert second > first, "each wait is longer than the one before"
    arrived = [request.received_monotonic for request in outcome.requests]
    assert arrived[1] - arrived[0] >= first - 0.1
    if kind == "date":
        assert arrived[1] + time() - monotonic() >= DATES[0] - 0.1


@pytest.mark.parametrize("kind", sorted(ENDLESS))
def test_a_wait_without_end_is_told_in_a_number(limited: dict[str, Outcome], kind: str) -> None:
    outcome = limited[kind]
    assert (outcome.stop_reason, outcome.codes) == ("failed", ["rate_limited"]), str(outcome)
    assert len(outcome.requests) <= 4
    told = outcome.errors[0].get("retry_after_s")
    assert told is None or 0 <= told < 1e9


# -- what a server can't do --------------------------------------------------------------------------------------------


def moved(to: Answer) -> Callable[[RecordedRequest], Answer]:
    """A server that gives this answer at /responses, and otherwise speaks chat completions."""

    def answer(request: RecordedRequest) -> Answer:
        return to if request.path == RESPONSES.path else say("Hello.")(request)  # type: ignore[operator]

    return answer


PAGE = {"content-type": "text/html"}
NO_RESPONSES = {
    "405": Answer("", 405, {}, "length"),
    "501": Answer.json({"error": {"message": "Not Implemented"}}, 501),
    "400": Answer.json({"error": {"message": "Unsupported endpoint: use /v1/chat/completions"}}, 400),
    "404 page": Answer("<html><h1>404 Not Found</h1></html>", 404, PAGE, "length"),
    "404 detail": Answer.json({"detail": "Not Found"}, 404),
    "200 page": Answer("<html>Welcome</html>", 200, PAGE),
}


@pytest.mark.parametrize("kind", NO_RESPONSES)
def test_a_server_without_responses_is_spoken_to_in_chat_completions(own: Begin, kind: str) -> None:
    talk = own("openai:m")
    talk.provider.script(moved(NO_RESPONSES[kind]))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.errors, outcome.text) == ("complete", [], "Hello."), str(outcome)
    assert [request.path for request in outcome.requests] == [RESPONSES.path, CHAT.path]
    talk.daemon.restart()
    again = talk.ask("again")
    assert [request.path for request in again.requests] == [CHAT.path], "the daemon remembers it"
    assert again.text == "Hello."


@pytest.mark.parametrize("kind", ["bad parameter", "no such model"])
def test_other_refusals_of_responses_are_no_reason_to_speak_otherwise(own: Begin, kind: str) -> None:
    talk = own("openai:m")
    code = "model_not_found" if kind == "no such model" else "unknown_parameter"
    refused = CHAT.error(
        "The model `m` does not exist" if code == "model_not_found" else "Unknown parameter", code=code
    )
    talk.provider.script(moved(Answer.json(refused, 404 if code == "model_not_found" else 400)))
    outcome = talk.ask("hello")
    assert outcome.codes == ["model_unknown" if code == "model_not_found" else "request_refused"], str(outcome)
    assert [request.path for request in outcome.requests] == [RESPONSES.path]


NO_TOOLS = {
    "Ollama": ("registry.ollama.ai/library/m does not support tools", 400, "api_error"),
    "vLLM": (
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        400,
        "BadRequestError",
    ),
    "OpenRouter": ("No endpoints found that support tool use.", 404, "not_found"),
    "llama.cpp": ("tools param requires --jinja flag", 500, "server_error"),
}


@pytest.mark.parametrize("server", NO_TOOLS)
def test_a_model_that_takes_no_tools_answers_without_them(own: Begin, server: str) -> None:
    words, status, kind = NO_TOOLS[server]

    class NoTools(TakesNoTools):
        def why_not(self, request: RecordedRequest) -> str | None:
            return words if "tools" in request.body else None

        def more(self) -> dict[str, str]:
            return {"kind": kind}

    talk = own("ollama:m")
    talk.provider.script(NoTools(say("Hello."), status))
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.text) == ("complete", "Hello."), str(outcome)
    assert (outcome.codes, outcome.severities) == (["tools_unsupported"], ["warning"])
    assert len(outcome.requests) == 2
    again = talk.ask("again")
    assert (again.stop_reason, again.errors, len(again.requests)) == ("complete", [], 1), str(again)


def test_ids_are_made_for_a_server_that_wants_its_own_form(own: Begin) -> None:
    talk = own()
    call = CHAT.stream("I read it.", called_a("call_PTLP8xhu3uwZk4l3nlnrrJha"))
    talk.provider.script(Answer(call), say("Read."))
    assert talk.ask("read it").text.endswith("Read.")
    talk.daemon.config(model="openai-chat:mistral-x")
    strict = MistralIds(WholePairs(say("Hello.")))
    talk.provider.script(strict)
    outcome = talk.ask("hello")
    assert (outcome.stop_reason, outcome.errors, outcome.text) == ("complete", [], "Hello."), str(outcome)
    assert len(strict.refused) <= 1
    again = talk.ask("again")
    assert (again.stop_reason, len(again.requests)) == ("complete", 1), str(again)
    assert len(strict.refused) <= 1, "the daemon remembers it"
    # The server's own call ids, which already have this form, are accepted too.
    talk.provider.script(MistralIds(WholePairs(InTurn(CHAT.answer(called_a("abcDEF123")), say("Read.")))))
    third = talk.ask("read it again")
    assert (third.stop_reason, third.text, len(third.requests)) == ("complete", "Read.", 2), str(third)


def called_a(call_id: str) -> Called:
    return called("read_file", call_id, path="a.txt")


# -- addresses and keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "/", "/api", "/v1", "/v1/"])
def test_the_address_of_ollama_is_understood_as_people_give_it(
    own: Begin, provider: BytesProvider, ending: str
) -> None:
    provider.pages["/api/ps"] = Answer.json({"models": [{"model": "m", "context_length": 4096}]})
    provider.pages["/api/tags"] = Answer.json({"models": [{"name": "m", "model": "m"}]})
    provider.script(say("Hello."))
    talk = own("ollama:m", OLLAMA_BASE_URL=provider.url + ending)
    listed = {model["name"]: model for model in talk.daemon.call("GET", "/api/models")}
    assert listed["ollama:m"]["ready"] is True, listed["ollama:m"]
    outcome = talk.ask("hello")
    talk.healthy(outcome, "Hello.")


@pytest.mark.parametrize("model", ["openai-chat:m", "openai:m"])
def test_an_address_without_its_version_is_understood(own: Begin, provider: BytesProvider, model: str) -> None:
    provider.not_found = Answer.json({"detail": "Not Found"}, 404)
    provider.script(say("Hello."))
    talk = own(model, OPENAI_BASE_URL=provider.url)
    outcome = talk.ask("hello")
    if outcome.stop_reason == "failed":
        assert "OPENAI_BASE_URL" in str(outcome.errors[0]), "the error names the setting to change"
        assert outcome.codes != ["model_unknown"]
    else:
        assert outcome.text == "Hello."


KEYS = {
    "line end": "{}\n",
    "Windows line end": "{}\r\n",
    "space before": " {}",
    "space behind": "{} ",
    "no-break space": "{}\u00a0",
    "byte-order mark": "\ufeff{}",
    "quotes": '"{}"',
    "typographic quotes": "“{}”",
    "single typographic quotes": "‘{}’",
}


@pytest.mark.parametrize("around", KEYS)
def test_a_key_is_read_as_it_was_meant(own: Begin, provider: BytesProvider, around: str) -> None:
    key = "sk-test-0123456789"
    provider.script(say("Hello."))
    talk = own(OPENAI_API_KEY=KEYS[around].format(key))
    outcome = talk.ask("hello")
    if outcome.stop_reason == "failed":
        assert outcome.codes[0] in ("key_refused", "key_missing"), str(outcome)
        assert "OPENAI_API_KEY" in str(outcome.errors[0])
        assert len(outcome.requests) <= 1
    else:
        assert outcome.requests[0].headers["authorization"] == f"Bearer {key}"
    assert outcome.stop_reason == "complete" or "quotes" in around, "spaces are not part of a key"
    assert key not in str(outcome.events)
