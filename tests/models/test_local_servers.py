"""Model servers on this machine: found, listed with their own data, chosen by `local`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aster_sidecar.models import local_servers, server_facts
from aster_sidecar.models.local_servers import LocalModel, LocalModels, ask, fetch, is_loopback, ollama_url
from tests.support.daemon import Daemon
from tests.support.provider import ProviderDouble, Reply, Say


class Server:
    """Answers GET for each path with its JSON (or bytes) from `answers`."""

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
    """A server that the daemon's code waits for, however busy the machine is."""
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
        LocalModel("lmstudio", "qwen2-vl-7b", window_tokens=32768, vision=True),
        LocalModel("lmstudio", "llama-3.1-8b", loaded=True, window_tokens=4096, vision=False),
    ]
    assert {key for _, key in server.seen} == {"Bearer a-key"}


def test_llama_cpp_says_its_window(server: Server) -> None:
    server.answers["/v1/models"] = listed("model.gguf")
    server.answers["/props"] = {"default_generation_settings": {"n_ctx": 16384}}
    assert ask("llamacpp", server.root + "/v1", None) == [LocalModel("llamacpp", "model.gguf", True, 16384)]
    server.answers["/props"] = {"default_generation_settings": {"n_ctx": 16384}, "modalities": {"vision": True}}
    assert ask("llamacpp", server.root + "/v1", None) == [LocalModel("llamacpp", "model.gguf", True, 16384, True)]


def test_a_newer_lm_studio_says_it_elsewhere(server: Server) -> None:
    server.answers["/v1/models"] = listed("qwen3-4b", "qwen3-4b:2", "gemma-3", "vectors")
    loaded = [
        {"id": "qwen3-4b", "config": {"context_length": 16384}},
        {"id": "qwen3-4b:2", "config": {"context_length": 8192}},
    ]
    server.answers["/api/v1/models"] = {
        "models": [
            {"key": "qwen3-4b", "type": "llm", "loaded_instances": loaded, "max_context_length": 262144},
            {
                "key": "gemma-3",
                "type": "llm",
                "loaded_instances": [],
                "max_context_length": 131072,
                "capabilities": {"vision": True, "trained_for_tool_use": False},
            },
            {"key": "vectors", "type": "embedding", "loaded_instances": []},
        ]
    }
    assert ask("lmstudio", server.root + "/v1", None) == [
        LocalModel("lmstudio", "qwen3-4b", loaded=True, window_tokens=8192),
        LocalModel("lmstudio", "qwen3-4b:2", loaded=True, window_tokens=8192),
        LocalModel("lmstudio", "gemma-3", window_tokens=131072, vision=True),
    ]


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
    """Addresses at which no server answers."""
    dead = "http://127.0.0.1:9/v1"
    return {
        "ASTER_MODEL": "local",
        "OLLAMA_BASE_URL": dead,
        "LMSTUDIO_BASE_URL": dead,
        "LLAMACPP_BASE_URL": dead,
        **more,
    }


def found(daemon: Daemon, name: str) -> dict[str, Any]:
    """The models by name, once `name` is among them: a server on a busy machine may answer late."""
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
