"""Model servers on this machine: found, listed with what they say, chosen by `local`."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aster_sidecar.models import local_servers, server_facts
from aster_sidecar.models.build import Models
from aster_sidecar.models.chosen import DEFAULT_WINDOW_TOKENS
from aster_sidecar.models.local_servers import LocalModel, LocalModels, ask, fetch, is_loopback, ollama_url
from tests.support.daemon import Daemon
from tests.support.provider import ProviderDouble, Reply, Say


class Server:
    """Answers GET of each path with the JSON (or the bytes) that is there."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.seen: list[tuple[str, str | None]] = []
        answers, seen = self.answers, self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append((self.path, self.headers["Authorization"]))
                self.answer(answers.get(self.path))

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen.append((self.path, self.headers["Authorization"]))
                self.answer(answers.get(f"{self.path} {asked['model']}"))

            def answer(self, found: Any) -> None:
                body = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(200 if found is not None else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """One that is waited for, however busy the machine is."""
    monkeypatch.setattr(local_servers, "ASK_S", 30)
    monkeypatch.setattr(local_servers, "ANSWER_S", 30)
    monkeypatch.setattr(server_facts, "ASK_S", 30)
    monkeypatch.setattr(server_facts, "ALL_S", 60)
    one = Server()
    yield one
    one.close()


def listed(*names: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


def test_ollama_says_what_is_loaded_and_how_much_it_reads(server: Server) -> None:
    server.answers["/v1/models"] = listed("qwen3:8b", "nomic-embed-text:latest", "gemma3:4b")
    server.answers["/api/ps"] = {"models": [{"name": "gemma3:4b", "model": "gemma3:4b", "context_length": 8192}]}
    assert ask("ollama", server.root + "/v1", None) == [
        LocalModel("ollama", "qwen3:8b"),
        LocalModel("ollama", "gemma3:4b", loaded=True, window_tokens=8192),
    ]


def test_lm_studio_says_which_of_its_models_chat(server: Server) -> None:
    server.answers["/v1/models"] = listed("qwen2-vl-7b", "something-for-vectors", "llama-3.1-8b")
    server.answers["/api/v0/models"] = {
        "data": [
            {"id": "qwen2-vl-7b", "type": "vlm", "state": "not-loaded", "max_context_length": 32768},
            {"id": "something-for-vectors", "type": "embeddings", "state": "loaded"},
            {
                "id": "llama-3.1-8b",
                "type": "llm",
                "state": "loaded",
                "max_context_length": 131072,
                "loaded_context_length": 4096,
            },
        ]
    }
    assert ask("lmstudio", server.root + "/v1", "a-key") == [
        LocalModel("lmstudio", "qwen2-vl-7b", window_tokens=32768),
        LocalModel("lmstudio", "llama-3.1-8b", loaded=True, window_tokens=4096),
    ]
    assert {key for _, key in server.seen} == {"Bearer a-key"}


def test_llama_cpp_says_its_window(server: Server) -> None:
    server.answers["/v1/models"] = listed("model.gguf")
    server.answers["/props"] = {"default_generation_settings": {"n_ctx": 16384}}
    assert ask("llamacpp", server.root + "/v1", None) == [LocalModel("llamacpp", "model.gguf", True, 16384)]


def test_a_newer_lm_studio_says_it_elsewhere(server: Server) -> None:
    server.answers["/v1/models"] = listed("qwen3-4b", "qwen3-4b:2", "gemma-3", "vectors")
    loaded = [
        {"id": "qwen3-4b", "config": {"context_length": 16384}},
        {"id": "qwen3-4b:2", "config": {"context_length": 8192}},
    ]
    server.answers["/api/v1/models"] = {
        "models": [
            {"key": "qwen3-4b", "type": "llm", "loaded_instances": loaded, "max_context_length": 262144},
            {"key": "gemma-3", "type": "llm", "loaded_instances": [], "max_context_length": 131072},
            {"key": "vectors", "type": "embedding", "loaded_instances": []},
        ]
    }
    assert ask("lmstudio", server.root + "/v1", None) == [
        LocalModel("lmstudio", "qwen3-4b", loaded=True, window_tokens=8192),
        LocalModel("lmstudio", "qwen3-4b:2", loaded=True, window_tokens=8192),
        LocalModel("lmstudio", "gemma-3", window_tokens=131072),
    ]


# -- the window of the model that is asked -----------------------------------------------------------------------------


def window(server: Server, name: str, **environment: str) -> tuple[int | None, bool]:
    """What is told of a model's window, and whether that holds."""
    provider, _, model = name.partition(":")
    told = server_facts.ask(provider, model, f"{server.root}/v1", None, environment)
    return told.window_tokens, told.lasting


def test_ollama_tells_the_window_of_a_loaded_model(server: Server) -> None:
    server.answers["/v1/models"] = listed("qwen3:8b", "gemma3:latest")
    loaded = [{"model": "qwen3:8b", "context_length": 8192}, {"model": "gemma3:latest", "context_length": 2048}]
    server.answers["/api/ps"] = {"models": loaded}
    assert window(server, "ollama:qwen3:8b", OLLAMA_CONTEXT_LENGTH="65536") == (8192, True)
    assert window(server, "ollama:gemma3") == (2048, True)


@pytest.mark.parametrize(
    ("shown", "environment", "tokens", "lasting"),
    [
        ({"model_info": {"qwen3.context_length": 40960}}, {}, 4096, False),
        ({"model_info": {"qwen3.context_length": 40960}}, {"OLLAMA_CONTEXT_LENGTH": "16384"}, 16384, False),
        ({"model_info": {"qwen3.context_length": 40960}}, {"OLLAMA_CONTEXT_LENGTH": "much"}, 4096, False),
        ({"model_info": {"qwen3.context_length": 40960}, "parameters": "stop x\nnum_ctx    32768"}, {}, 32768, False),
        ({"model_info": {"tiny.context_length": 2048}, "parameters": "num_ctx 32768"}, {}, 2048, False),
        ({"model_info": {"gpt.context_length": 131072}, "remote_host": "https://ollama.example"}, {}, 131072, True),
        ({"model_info": [], "parameters": 5}, {}, 4096, False),
        (b"not json", {}, 4096, False),
        (None, {}, 4096, False),
    ],
)
def test_what_ollama_will_load_is_guessed_too_small_rather_than_too_large(
    server: Server, shown: Any, environment: dict[str, str], tokens: int, lasting: bool
) -> None:
    server.answers["/v1/models"] = listed("qwen3:8b")
    server.answers["/api/ps"] = {"models": []}
    server.answers["/api/show qwen3:8b"] = shown
    assert window(server, "ollama:qwen3:8b", **environment) == (tokens, lasting)


def test_nothing_is_posted_to_what_is_no_ollama(server: Server) -> None:
    server.answers["/v1/models"] = listed("m")
    server.answers["/api/ps"] = listed("m")
    assert window(server, "ollama:m") == (None, True)
    assert "/api/show" not in [path for path, _ in server.seen]


def test_lm_studio_and_llama_cpp_tell_it_as_they_do_in_lists(server: Server) -> None:
    server.answers["/v1/models"] = listed("m")
    row = {"id": "m", "type": "llm", "state": "loaded", "max_context_length": 131072, "loaded_context_length": 4096}
    server.answers["/api/v0/models"] = {"data": [row]}
    assert window(server, "lmstudio:m") == (4096, True)
    server.answers["/api/v0/models"] = {"data": [{**row, "state": "not-loaded", "loaded_context_length": None}]}
    assert window(server, "lmstudio:m") == (131072, False)
    server.answers["/props"] = {"default_generation_settings": {"n_ctx": 16384}}
    assert window(server, "llamacpp:m") == (16384, True)
    server.answers["/props?model=m&autoload=false"] = {"default_generation_settings": {"n_ctx": 32768}}
    assert window(server, "llamacpp:m") == (32768, True)


@pytest.mark.parametrize(
    ("row", "tokens"),
    [
        ({"max_model_len": 32768}, 32768),
        ({"context_length": 163840, "top_provider": {"context_length": 131072}}, 131072),
        ({"max_context_length": 65536}, 65536),
        ({"context_window": 131072}, 131072),
        ({"meta": {"n_ctx_train": 131072}}, None),
        ({"meta": {"n_ctx_train": 131072, "n_ctx": 8192}}, 8192),
        ({"max_model_len": "many", "context_length": True, "context_window": -5, "meta": [], "top_provider": 7}, None),
        ({"owned_by": ["llamacpp"]}, None),
    ],
)
def test_lists_of_models_tell_the_window(server: Server, row: dict[str, Any], tokens: int | None) -> None:
    server.answers["/v1/models"] = {"data": [{"id": "other", "max_model_len": 1024}, {"id": "m", **row}]}
    assert window(server, "openai-chat:m") == (tokens, True)


def test_a_server_is_known_by_who_it_says_owns_its_models(server: Server) -> None:
    server.answers["/props"] = {"default_generation_settings": {"n_ctx": 16384}}
    server.answers["/api/ps"] = {"models": [{"model": "m", "context_length": 8192}]}
    server.answers["/api/v0/models"] = {"data": [{"id": "m", "state": "loaded", "loaded_context_length": 4096}]}
    for owner, tokens in (("llamacpp", 16384), ("library", 8192), ("organization_owner", 4096), ("me", None)):
        server.answers["/v1/models"] = {"data": [{"id": "m", "owned_by": owner}]}
        assert window(server, "openai:m") == (tokens, True)


def test_llama_cpp_is_asked_where_it_says_why_an_answer_ends(server: Server) -> None:
    spoken: dict[str, str | None] = {}
    for owner in ("llamacpp", "vllm"):
        server.answers["/v1/models"] = {"data": [{"id": "m", "owned_by": owner}]}
        for provider in ("openai", "openai-responses"):
            known = Models(
                {"OPENAI_BASE_URL": f"{server.root}/v1"}, lambda: None, lambda _: None, lambda key, value: None
            )
            spoken[f"{provider} at {owner}"] = known.build(f"{provider}:m").dialect
    assert spoken == {
        "openai at llamacpp": "chat",
        "openai-responses at llamacpp": "responses",
        "openai at vllm": "responses",
        "openai-responses at vllm": "responses",
    }


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"null", b'{"data": 5}', b"[" * 100_000, b"x" * (5 << 20)], ids=lambda x: str(x[:9])
)
def test_whatever_a_server_answers_the_model_is_built(server: Server, answer: bytes) -> None:
    for path in ("/v1/models", "/api/ps", "/api/show m", "/api/v0/models", "/api/v1/models", "/props"):
        server.answers[path] = answer
    for name in ("ollama", "lmstudio", "llamacpp", "openai-chat", "openai", "anthropic"):
        variable = {"openai-chat": "OPENAI"}.get(name, name.upper())
        known = Models(
            {f"{variable}_BASE_URL": f"{server.root}/v1"}, lambda: None, lambda _: None, lambda key, value: None
        )
        assert known.build(f"{name}:m").window_tokens == DEFAULT_WINDOW_TOKENS


def test_a_server_that_keeps_silent_is_waited_for_once_and_not_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_facts, "ASK_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        told = server_facts.ask("ollama", "m", silent_url, None, {})
        assert told == server_facts.Served(silent_url, None, lasting=True, found=False, kind="ollama")
        silent.settimeout(5)
        silent.accept()[0].close()
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert not server_facts.ask("ollama", "m", silent_url, None, {}).lasting, "it may be started"


def kept_models(server: Server, facts: dict[str, str], **environment: str) -> Models:
    here = {"OPENAI_BASE_URL": f"{server.root}/v1", **environment}
    return Models(here, lambda: "openai-chat:m", facts.get, facts.__setitem__)


def test_which_window_counts(server: Server) -> None:
    """As set, as a refusal named it, as the server says, as the catalogue says, else the default."""
    server.answers["/v1/models"] = listed("m", "gpt-4")
    facts: dict[str, str] = {}
    known = kept_models(server, facts)
    assert known.build().window_tokens == DEFAULT_WINDOW_TOKENS
    assert known.build("openai-chat:gpt-4").window_tokens == 8192
    server.answers["/v1/models"] = {
        "data": [{"id": "m", "max_model_len": 32768}, {"id": "gpt-4", "max_model_len": 9000}]
    }
    known = kept_models(server, facts)
    chosen = known.build()
    assert chosen.window_tokens == 32768
    assert known.build("openai-chat:gpt-4").window_tokens == 9000
    assert known.learn_window(chosen, 40000) is chosen
    assert known.learn_window(chosen, 5) is chosen
    learned = known.learn_window(chosen, 16384)
    assert learned.window_tokens == 16384
    assert known.built() is learned
    assert known.build() is learned
    assert kept_models(server, facts).build().window_tokens == 16384
    assert kept_models(server, facts, ASTER_CONTEXT_WINDOW="20000").build().window_tokens == 20000
    server.answers["/v1/models"] = {"data": [{"id": "m", "max_model_len": 65536}]}
    assert kept_models(server, facts).build().window_tokens == 65536, "it was started anew with another window"


def test_what_a_server_did_not_tell_yet_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers["/v1/models"] = listed("m")
    server.answers["/api/ps"] = {"models": []}
    known = Models({"OLLAMA_BASE_URL": server.root}, lambda: "ollama:m", lambda _: None, lambda key, value: None)
    assert known.build().window_tokens == server_facts.OLLAMA_WINDOW_TOKENS
    assert known.built() is not None
    server.answers["/api/ps"] = {"models": [{"model": "m", "context_length": 32768}]}
    monkeypatch.setattr(server_facts, "ASK_AGAIN_S", 0)
    assert known.built() is None
    loaded = known.build()
    assert loaded.window_tokens == 32768
    asked = len(server.seen)
    assert known.built() is loaded
    assert known.build() is loaded
    assert len(server.seen) == asked


@pytest.mark.parametrize(
    "answer",
    [b"", b"not json", b"[]", b"null", b"1", b'{"data": 5}', b'{"data": [5, null, {"id": 7}, {}]}', b"[" * 100_000],
    ids=lambda answer: answer[:12].decode() or "empty",
)
def test_whatever_else_answers_there_is_no_model_server(server: Server, answer: bytes) -> None:
    server.answers["/v1/models"] = answer
    for provider in ("ollama", "lmstudio", "llamacpp"):
        assert ask(provider, server.root + "/v1", None) == []


def test_an_endless_answer_is_not_read_to_its_end(server: Server) -> None:
    server.answers["/v1/models"] = json.dumps(listed("x" * (3 << 20))).encode()
    assert fetch(server.root + "/v1/models") is None


def test_only_this_machine_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.answers["/v1/models"] = listed("here")
    found = LocalModels(
        {"ollama": (server.root + "/v1", None), "lmstudio": ("http://192.0.2.1:1234/v1", None), "llamacpp": ("", None)}
    )
    assert [model.name for model in found.find()] == ["ollama:here"]
    assert not any(map(is_loopback, ("http://127.0.0.1.evil.example/v1", "http://[", "ftp:", "", None)))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:12000", "http://127.0.0.1:12000/v1"),
        ("http://localhost:5000/", "http://localhost:5000/v1"),
        ("https://models.example/ollama", "https://models.example:443/ollama/v1"),
        ("[::1]:7000", "http://[::1]:7000/v1"),
        (":13000", "http://127.0.0.1:13000/v1"),
        ("127.0.0.1:port", None),
    ],
)
def test_ollamas_own_variable(host: str, url: str | None) -> None:
    assert ollama_url(host) == url


def nowhere(**more: str) -> dict[str, str]:
    """No server answers at these."""
    dead = "http://127.0.0.1:9/v1"
    return {
        "ASTER_MODEL": "local",
        "OLLAMA_BASE_URL": dead,
        "LMSTUDIO_BASE_URL": dead,
        "LLAMACPP_BASE_URL": dead,
        **more,
    }


def found(daemon: Daemon, name: str) -> dict[str, Any]:
    """The models by name, once this one is among them: on a busy machine a server may answer too late for one look."""
    deadline = time.monotonic() + 40
    while True:
        models = {model["name"]: model for model in daemon.call("GET", "/api/models")}
        if name in models or time.monotonic() > deadline:
            return models
        time.sleep(0.2)


def test_local_chats_with_what_runs_here(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    provider.models[:] = ["text-embedding-9", "small-one"]
    provider.script(Reply([Say("from this machine")]))
    daemon = launch(environment=nowhere(LMSTUDIO_BASE_URL=provider.url + "/v1"))
    models = found(daemon, "lmstudio:small-one")
    assert (models["local"]["ready"], models["local"]["chosen"]) == (True, True)
    assert models["lmstudio:small-one"]["ready"]
    assert "lmstudio:text-embedding-9" not in models
    assert (models["ollama:qwen3"]["ready"], models["ollama:qwen3"]["why_not"]) == (False, "its server does not answer")
    assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
    assert daemon.history()[-1]["text"] == "from this machine"
    assert provider.requests[-1].body["model"] == "small-one"


def test_local_without_a_server_says_what_to_start(launch: Callable[..., Daemon]) -> None:
    daemon = launch(environment=nowhere())
    [error] = [event["data"] for event in daemon.ask("hello") if event["type"] == "error"]
    assert (error["code"], error["retryable"]) == ("no_local_model", False)
    assert "Ollama" in error["hint"]
    [entry] = [model for model in daemon.call("GET", "/api/models") if model["name"] == "local"]
    assert (entry["ready"], entry["chosen"]) == (False, True)
    assert "no model server answers" in entry["why_not"]


def test_the_window_of_a_local_model_is_the_servers(launch: Callable[..., Daemon], server: Server) -> None:
    server.answers["/v1/models"] = listed("tiny")
    server.answers["/api/ps"] = {"models": [{"model": "tiny", "context_length": 2048}]}
    daemon = launch(environment=nowhere(OLLAMA_BASE_URL="", OLLAMA_HOST=server.root))
    entry = found(daemon, "ollama:tiny")["ollama:tiny"]
    assert (entry["loaded"], entry["context_window"]) == (True, 2048)
