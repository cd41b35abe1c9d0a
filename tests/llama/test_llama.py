"""The daemon with llama.cpp's own server, which behaves as the doubles in other tests do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aster_sidecar.tools.schemas import for_models
from tests.llama.conftest import MODELS, WINDOW_TOKENS
from tests.llama.server import LlamaServer
from tests.support.daemon import Daemon, Json, text_of

Serve = Callable[..., LlamaServer]
Talk = Callable[..., Daemon]
HELLO = "Hello from a model of two layers."


def of(events: list[Json], kind: str) -> list[Json]:
    return [event["data"] for event in events if event["type"] == kind]


def whole(events: list[Json], text: str) -> None:
    """The turn completed without an error, with this text."""
    assert of(events, "error") == []
    assert of(events, "done")[0]["stop_reason"] == "complete"
    assert text_of(events) == text


def codes(events: list[Json]) -> list[str]:
    return [data["code"] for data in of(events, "error")]


def begin(daemon: Daemon, message: str, then: Callable[[str], None]) -> list[Json]:
    """Send a message, call `then` once some text has come, and return the turn's events."""
    with daemon.watch() as watcher:
        turn_id = daemon.chat(message)["turn_id"]
        watcher.until("text_chunk", 3)
        then(turn_id)
        return watcher.until("done", turn_id=turn_id)


@pytest.mark.parametrize("dialect", MODELS)
def test_text_thinking_calls_and_characters(server: LlamaServer, talk: Talk, dialect: str) -> None:
    daemon = talk(server, MODELS[dialect])
    said = daemon.ask("well")
    whole(said, HELLO)
    usage = of(said, "done")[0]["usage"]
    assert usage["output_tokens"] == 9
    assert usage["input_tokens"] > 1000

    pondered = daemon.ask("ponder")
    whole(pondered, "Here it is;")
    assert "".join(data["delta"] for data in of(pondered, "thinking_chunk")).strip() == "Somebody wants a thought"

    looked = daemon.ask("look")
    assert [(data["name"], data["arguments"]) for data in of(looked, "tool_start")] == [
        ("read_file", {"path": "notes.txt"})
    ]
    assert [data["outcome"] for data in of(looked, "tool_end")] == ["done"]
    whole(looked, "The file was read:")

    whole(daemon.ask("greet"), "Grüß dich!")
    daemon.kill()
    daemon.start()
    whole(daemon.ask("and after that"), HELLO)


@pytest.mark.parametrize("dialect", MODELS)
def test_an_endless_answer_is_stopped_and_the_next_one_is_whole(server: LlamaServer, talk: Talk, dialect: str) -> None:
    daemon = talk(server, MODELS[dialect])

    def cancel(turn_id: str) -> None:
        daemon.call("POST", "/api/cancel", {"agent_id": "default", "turn_id": turn_id})

    events = begin(daemon, "forever", cancel)
    assert of(events, "done")[0]["stop_reason"] == "cancelled"
    assert text_of(events).startswith("and so")
    assert server.idle(), "the server went on with an answer that has no reader"
    whole(daemon.ask("well"), HELLO)


@pytest.mark.parametrize("dialect", ["chat", "openai"])
def test_an_answer_that_the_servers_limit_cuts_says_so(serve: Serve, talk: Talk, dialect: str) -> None:
    daemon = talk(serve("--predict", "40"), MODELS[dialect])
    events = daemon.ask("forever")
    assert of(events, "done")[0]["stop_reason"] == "limit"
    assert codes(events) == ["output_limit"]
    assert daemon.history()[-1]["text"] == text_of(events)
    whole(daemon.ask("well"), HELLO)


@pytest.mark.parametrize("dialect", MODELS)
def test_a_conversation_that_outgrows_the_window_goes_on(serve: Serve, talk: Talk, dialect: str) -> None:
    """A character is a token here, several times our estimate: only the server's refusal reports the limit."""
    daemon = talk(serve(window_tokens=16384), MODELS[dialect])
    reasons: list[str] = []
    for _ in range(8):
        events = daemon.ask("Tell me more of it. " * 100)
        whole(events, HELLO)
        reasons += [data["reason"] for data in of(events, "history_compacted")]
    assert reasons
    assert len(reasons) < 8, "not for every message"
    whole(daemon.ask("well"), HELLO)


def test_the_window_that_the_server_has_is_known(server: LlamaServer, talk: Talk) -> None:
    daemon = talk(server)
    models: list[dict[str, Any]] = daemon.call("GET", "/api/models")
    mine = next(model for model in models if model["name"] == MODELS["chat"])
    assert mine["context_window"] == WINDOW_TOKENS
    assert daemon.call("POST", "/api/models/check", {"model": MODELS["chat"]})["ok"] is True


def test_no_schema_of_a_tool_makes_the_server_refuse_the_request(server: LlamaServer) -> None:
    """Schemas from which the server can't make a grammar: each as it is refused, as models get it accepted."""
    text = {"type": "string"}

    def status(properties: dict[str, Any], simpler: bool) -> int:
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        tool = {"name": "t", "description": "d", "parameters": for_models(schema) if simpler else schema}
        asked = {
            "model": "two-layers",
            "messages": [{"role": "user", "content": "well"}],
            "max_tokens": 2,
            "tools": [{"type": "function", "function": tool}],
        }
        return httpx.post(f"{server.url}/v1/chat/completions", json=asked, timeout=60, trust_env=False).status_code

    for limit in (
        text | {"maxLength": 2000},
        text | {"minLength": 3000},
        {"type": "array", "items": text, "minItems": 3000},
        {"type": "object", "additionalProperties": text | {"maxLength": 2000}},
        {"anyOf": [text | {"pattern": "abc"}, {"type": "null"}]},
        text | {"pattern": "^a{5000}$"},
        text | {"pattern": r"^\p{L}$"},
        {"type": "integer", "minimum": -(10**30), "maximum": 10**30},
        True,
    ):
        assert (status({"a": limit}, simpler=False), status({"a": limit}, simpler=True)) == (400, 200), limit


def test_a_server_that_is_killed_and_comes_back(serve: Serve, talk: Talk) -> None:
    server = serve()
    daemon = talk(server)
    events = begin(daemon, "forever", lambda _: server.kill())
    assert codes(events) == ["malformed_stream"]
    assert text_of(events).startswith("and so")
    assert daemon.history()[-1]["text"] == text_of(events)
    server.start()
    whole(daemon.ask("well"), HELLO)


def test_a_server_that_is_away_is_named_until_it_is_there(serve: Serve, talk: Talk) -> None:
    server = serve()
    daemon = talk(server)
    server.stop()
    events = daemon.ask("well")
    assert of(events, "model_retry")
    assert codes(events) == ["provider_unreachable"]
    assert "llama-server" in str(of(events, "error"))
    server.start()
    whole(daemon.ask("well"), HELLO)


def test_a_server_without_a_template_for_tools_answers_without_them(serve: Serve, talk: Talk) -> None:
    daemon = talk(serve("--no-jinja", "--chat-template", "chatml"))
    events = daemon.ask("well")
    assert of(events, "done")[0]["stop_reason"] == "complete"
    assert text_of(events) == HELLO
    assert [(data["code"], data["severity"]) for data in of(events, "error")] == [("tools_unsupported", "warning")]
    whole(daemon.ask("well"), HELLO)


def test_a_key_that_the_server_does_not_know(serve: Serve, talk: Talk) -> None:
    daemon = talk(serve("--api-key", "the-right-one"), LLAMACPP_API_KEY="a-wrong-one")
    events = daemon.ask("well")
    assert codes(events) == ["key_refused"]
    assert "LLAMACPP_API_KEY" in str(of(events, "error"))
    checked = daemon.call("POST", "/api/models/check", {"model": MODELS["chat"]})
    assert checked["error"]["code"] == "key_refused"
