"""Real provider protocols and their failures: one `error` with code, cause and remedy, then `done`."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.conftest import PROTOCOLS, provider_environment
from tests.support.daemon import Daemon, Json, text_of
from tests.support.held import HeldPort
from tests.support.provider import Call, Fault, ProviderDouble, Reply, Say, Think
from tests.support.provider_wire import FaultKind


@pytest.fixture(params=PROTOCOLS)
def spoken(request: pytest.FixtureRequest, launch: Callable[..., Daemon], provider: ProviderDouble) -> Daemon:
    """A daemon that talks to the double over each protocol in turn."""
    return launch(environment=provider_environment(provider, PROTOCOLS[request.param]))


def error_of(events: list[Json]) -> Json:
    [error] = [event["data"] for event in events if event["type"] == "error"]
    return error


def test_text_thinking_tools_and_usage(spoken: Daemon, provider: ProviderDouble) -> None:
    (spoken.work_dir / "a.txt").write_text("alpha\n")
    provider.script(
        Reply([Think("Let me look."), Say("Reading."), Call("read_file", {"path": "a.txt"})]),
        Reply([Say("It says alpha. ✓ 😀")]),
    )
    events = spoken.ask("read a.txt")
    thought = "".join(event["data"]["delta"] for event in events if event["type"] == "thinking_chunk")
    assert thought == "Let me look."
    assert text_of(events) == "Reading.\n\nIt says alpha. ✓ 😀"
    assert [event["type"] for event in events if event["type"].startswith("tool_")] == ["tool_start", "tool_end"]
    assert events[-1]["data"]["usage"]["requests"] == 2
    assert spoken.history()[-1]["text"] == text_of(events)
    [[_, result]] = provider.requests[-1].new_tool_results
    assert "alpha" in result


CASES = {
    "wrong key": (Fault(401), "key_refused", False),
    "unknown model": (Fault(code="model_not_found"), "model_unknown", False),
    "no credit": (Fault(code="insufficient_quota"), "quota_exhausted", False),
    "too long": (Fault(code="context_length_exceeded"), "context_too_long", False),
    "bad request": (Fault(code="invalid_request"), "request_refused", False),
    "rate limit": (Fault(429, headers={"retry-after-ms": "10"}), "rate_limited", True),
    "server error": (Fault(500, headers={"retry-after-ms": "10"}), "provider_error", True),
    "overloaded": (Fault(code="overloaded", headers={"retry-after-ms": "10"}), "provider_unavailable", True),
}


@pytest.mark.parametrize("case", CASES)
def test_refusals_become_one_error_with_code_and_remedy(spoken: Daemon, provider: ProviderDouble, case: str) -> None:
    fault, code, retried = CASES[case]
    provider.otherwise = fault
    events = spoken.ask("hello")
    error = error_of(events)
    assert error["code"] == code
    assert error["hint"]
    assert error["message"]
    assert error["retryable"] is retried
    assert events[-1]["data"]["stop_reason"] == "failed"
    retries = [event["data"] for event in events if event["type"] == "model_retry"]
    assert [retry["attempt"] for retry in retries] == ([1, 2, 3] if retried else [])
    assert spoken.status()["last_error"]["code"] == code
    provider.otherwise = Reply([Say("Back again.")])
    assert text_of(spoken.ask("hello?")) == "Back again."


@pytest.mark.parametrize("kind", ["reset", "hang", "cut", "stall", "malformed", "truncate", "error_event"])
def test_broken_connections_and_streams_become_one_error(
    spoken: Daemon, provider: ProviderDouble, kind: FaultKind
) -> None:
    if kind in ("hang", "stall"):  # only these should reach the timeout: with the others, a slow machine could
        spoken.environment["ASTER_MODEL_TIMEOUT_S"] = "0.7" if kind == "hang" else "2"
        spoken.restart()
    code = "overloaded" if kind == "error_event" else None
    reply = Reply([Say("one two three four", chunk=4)])
    provider.script(*[Fault(kind=kind, reply=reply, after=2, code=code)] * 4)
    events = spoken.ask("hello")
    error = error_of(events)
    expected = {
        "reset": {"provider_unreachable", "malformed_stream"},
        "hang": {"provider_timeout"},
        "stall": {"provider_timeout"},
        "error_event": {"provider_unavailable"},
    }
    assert error["code"] in expected.get(kind, {"malformed_stream"}), error
    assert events[-1]["data"]["stop_reason"] == "failed"
    assert spoken.history()[-1]["text"] == text_of(events)
    if kind in ("cut", "stall", "malformed", "truncate", "error_event"):
        assert text_of(events).startswith("one "), "the text before the failure is kept"


def test_a_passing_failure_is_retried_visibly_and_then_answered(spoken: Daemon, provider: ProviderDouble) -> None:
    provider.script(Fault(503, headers={"retry-after-ms": "10"}), Fault(429, headers={"retry-after-ms": "10"}))
    events = spoken.ask("hello")
    assert [event["data"]["code"] for event in events if event["type"] == "model_retry"] == [
        "provider_unavailable",
        "rate_limited",
    ]
    assert text_of(events) == "You said: hello"
    assert events[-1]["data"]["stop_reason"] == "complete"
    assert len(provider.requests) == 3
    assert [message["role"] for message in spoken.history()] == ["user", "assistant"]


def test_a_wait_the_provider_wants_too_long_is_told_not_slept(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Fault(429, headers={"retry-after": "3600"}))
    error = error_of(real.ask("hello"))
    assert (error["code"], error["retry_after_s"]) == ("rate_limited", 3600)
    assert "3600" in error["hint"]


def test_a_server_without_responses_is_spoken_to_in_chat_completions_and_that_is_remembered(
    real: Daemon, provider: ProviderDouble
) -> None:
    provider.disable("/v1/responses")
    assert text_of(real.ask("hello")) == "You said: hello"
    real.restart()
    assert text_of(real.ask("again")) == "You said: again"
    paths = [request.path for request in provider.requests]
    assert paths == ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"], "the daemon must remember it"


def test_an_unreachable_provider_is_named(launch: Callable[..., Daemon]) -> None:
    nobody = HeldPort()
    environment = {
        "ASTER_MODEL": "openai:double",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{nobody.port}/v1",
    }
    daemon = launch(environment=environment)
    error = error_of(daemon.ask("hello"))
    assert error["code"] == "provider_unreachable"
    assert "OPENAI_BASE_URL" in error["hint"]


def test_a_missing_key_names_its_variable(launch: Callable[..., Daemon]) -> None:
    daemon = launch(environment={"ASTER_MODEL": "anthropic:claude"})
    error = error_of(daemon.ask("hello"))
    assert error["code"] == "key_missing"
    assert "ANTHROPIC_API_KEY" in error["message"]


def test_a_long_history_is_summarised_before_it_outgrows_the_window(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = launch(environment={**provider_environment(provider), "ASTER_CONTEXT_WINDOW": "1000"})
    provider.on("Summarise the conversation", Reply([Say("They counted to five.")]))
    for number in range(5):
        provider.script(Reply([Say(f"Number {number}.")], input_tokens=180 * (number + 1), output_tokens=10))
    for number in range(5):
        daemon.ask(f"count {number}")
    provider.script(Reply([Say("Six.")]))
    events = daemon.ask("count on")
    [compacted] = [event["data"] for event in events if event["type"] == "history_compacted"]
    assert compacted["messages_before"] > compacted["messages_after"]
    assert "They counted to five." in str(provider.requests[-1].body)
    assert "count 0" not in str(provider.requests[-1].body)
    assert len(daemon.history()) == 12, "people still see every message"
    assert daemon.history()[0]["text"] == "count 0"


def test_a_context_that_is_too_long_after_all_is_summarised_once(real: Daemon, provider: ProviderDouble) -> None:
    provider.on("Summarise the conversation", Reply([Say("A short summary.")]))
    for number in range(4):
        real.ask(f"count {number}")
    provider.script(Fault(code="context_length_exceeded"), Reply([Say("Done.")]))
    events = real.ask("and now")
    assert [event["data"]["reason"] for event in events if event["type"] == "history_compacted"] == ["over_window"]
    assert text_of(events) == "Done."


def test_keys_appear_nowhere(real: Daemon, provider: ProviderDouble) -> None:
    real.config(permission_mode="auto_approve")
    provider.script(Reply([Call("run_command", {"command": "env"})]), Reply([Say("ok")]))
    with real.watch(after=0) as watcher:
        real.chat("show the environment")
        watcher.until("done")
        streamed = str(watcher.events)
    config = str(real.call("GET", "/api/config"))
    stored = (real.data_dir / "aster.db").read_bytes() + b"".join(
        path.read_bytes() for path in real.data_dir.glob("aster.db-*")
    )
    for canary in ("sk-canary-openai-5f0c", "sk-canary-anthropic-5f0c"):
        assert canary not in streamed
        assert canary not in config
        assert canary.encode() not in stored
        assert canary not in real.log
    assert threading.active_count() < 50
