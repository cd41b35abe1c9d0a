"""What a server reports about a model, and the context window that follows from it."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from aster_sidecar.models import server_facts
from aster_sidecar.models.build import Models
from aster_sidecar.models.chosen import DEFAULT_WINDOW_TOKENS, Chosen
from aster_sidecar.models.demo import demo_model
from tests.models.test_local_servers import Server, listed, server  # noqa: F401  # pyright: ignore[reportUnusedImport]


def window(server: Server, name: str, **environment: str) -> tuple[int | None, bool]:  # noqa: F811
    """A model's reported context window, and whether the report stays valid."""
    provider, _, model = name.partition(":")
    told = server_facts.ask(provider, model, f"{server.root}/v1", None, environment)
    return told.window_tokens, told.lasting


def test_ollama_tells_the_window_of_a_loaded_model(server: Server) -> None:  # noqa: F811
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
    server: Server,  # noqa: F811
    shown: Any,
    environment: dict[str, str],
    tokens: int,
    lasting: bool,
) -> None:
    server.answers["/v1/models"] = listed("qwen3:8b")
    server.answers["/api/ps"] = {"models": []}
    server.answers["/api/show qwen3:8b"] = shown
    assert window(server, "ollama:qwen3:8b", **environment) == (tokens, lasting)


def test_nothing_is_posted_to_what_is_no_ollama(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = listed("m")
    server.answers["/api/ps"] = listed("m")
    assert window(server, "ollama:m") == (None, True)
    assert "/api/show" not in [path for path, _ in server.seen]


def test_lm_studio_and_llama_cpp_tell_it_as_they_do_in_lists(server: Server) -> None:  # noqa: F811
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


def vision(server: Server, name: str) -> tuple[bool | None, bool]:  # noqa: F811
    """Whether a model's server reports that it takes images, and whether the report stays valid."""
    provider, _, model = name.partition(":")
    told = server_facts.ask(provider, model, f"{server.root}/v1", None, {})
    return told.vision, told.lasting


@pytest.mark.parametrize("loaded", [[], [{"model": "m", "context_length": 8192}]], ids=["not loaded", "loaded"])
@pytest.mark.parametrize(
    ("shown", "takes"),
    [
        ({"capabilities": ["completion", "vision", "tools"]}, True),
        ({"capabilities": ["completion", "tools"]}, False),
        ({"capabilities": "vision"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_ollama_says_whether_a_model_takes_images(
    server: Server,  # noqa: F811
    loaded: list[Any],
    shown: Any,
    takes: bool | None,
) -> None:
    server.answers["/v1/models"] = listed("m")
    server.answers["/api/ps"] = {"models": loaded}
    server.answers["/api/show m"] = shown
    assert vision(server, "ollama:m")[0] is takes


def test_llama_cpp_may_be_restarted_with_a_projector(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = listed("m")
    props: dict[str, Any] = {"default_generation_settings": {"n_ctx": 16384}}
    for modalities, told in (
        ({"vision": False, "audio": False}, (False, False)),
        ({"vision": True, "audio": False}, (True, True)),
        ({"vision": "yes"}, (None, True)),
        ([], (None, True)),
    ):
        server.answers["/props"] = {**props, "modalities": modalities}
        assert vision(server, "llamacpp:m") == told


def test_lm_studio_says_it_in_both_of_its_lists(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = listed("m")
    for kind, takes in (("vlm", True), ("llm", False), ("other", None), (None, None)):
        server.answers["/api/v0/models"] = {"data": [{"id": "m", "type": kind, "state": "loaded"}]}
        assert vision(server, "lmstudio:m") == (takes, True)
    server.answers["/api/v0/models"] = None
    for abilities, takes in (({"vision": True}, True), ({"vision": False}, False), ({}, None), (None, None)):
        row = {"key": "m", "type": "llm", "capabilities": abilities, "loaded_instances": [{"id": "m:2"}]}
        server.answers["/api/v1/models"] = {"models": [row]}
        assert vision(server, "lmstudio:m") == (takes, True)
        assert vision(server, "lmstudio:m:2") == (takes, True)


@pytest.mark.parametrize(
    ("row", "takes"),
    [
        ({"capabilities": {"vision": True}}, True),
        ({"capabilities": {"vision": False}}, False),
        ({"architecture": {"input_modalities": ["text", "image"]}}, True),
        ({"architecture": {"input_modalities": ["text"]}}, False),
        ({"capabilities": ["vision"], "architecture": {"input_modalities": "image"}}, None),
        ({}, None),
    ],
)
def test_lists_of_models_say_which_take_images(server: Server, row: dict[str, Any], takes: bool | None) -> None:  # noqa: F811
    server.answers["/v1/models"] = {"data": [{"id": "m", **row}]}
    assert vision(server, "openai-chat:m") == (takes, True)


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
def test_lists_of_models_tell_the_window(server: Server, row: dict[str, Any], tokens: int | None) -> None:  # noqa: F811
    server.answers["/v1/models"] = {"data": [{"id": "other", "max_model_len": 1024}, {"id": "m", **row}]}
    assert window(server, "openai-chat:m") == (tokens, True)


def test_a_server_is_known_by_who_it_says_owns_its_models(server: Server) -> None:  # noqa: F811
    server.answers["/props"] = {"default_generation_settings": {"n_ctx": 16384}}
    server.answers["/api/ps"] = {"models": [{"model": "m", "context_length": 8192}]}
    server.answers["/api/v0/models"] = {"data": [{"id": "m", "state": "loaded", "loaded_context_length": 4096}]}
    for owner, tokens in (("llamacpp", 16384), ("library", 8192), ("organization_owner", 4096), ("me", None)):
        server.answers["/v1/models"] = {"data": [{"id": "m", "owned_by": owner}]}
        assert window(server, "openai:m") == (tokens, True)


def test_llama_cpp_is_asked_where_it_says_why_an_answer_ends(server: Server) -> None:  # noqa: F811
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
def test_whatever_a_server_answers_the_model_is_built(server: Server, answer: bytes) -> None:  # noqa: F811
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
    assert not server_facts.ask("ollama", "m", silent_url, None, {}).lasting, "the server may be started later"


def kept_models(server: Server, facts: dict[str, str], **environment: str) -> Models:  # noqa: F811
    here = {"OPENAI_BASE_URL": f"{server.root}/v1", **environment}
    return Models(here, lambda: "openai-chat:m", facts.get, facts.__setitem__)


def test_which_window_counts(server: Server) -> None:  # noqa: F811
    """In this order: the setting, a refusal, the server, the catalogue, the default."""
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
    assert kept_models(server, facts).build().window_tokens == 65536, "the server restarted with another window"


def test_what_a_server_did_not_tell_yet_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
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


def test_a_model_that_was_built_has_its_servers_answer(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = {"data": [{"id": "m", "max_model_len": 9000}]}
    facts = server_facts.ServerFacts({})
    told = facts.ask("openai:m", "openai", "m", server.root, None)
    assert told == server_facts.Served(f"{server.root}/v1", 9000, lasting=True, found=True)
    asked = len(server.seen)
    assert facts.ask("openai:m", "openai", "m", server.root, None) is told
    assert len(server.seen) == asked, "the answer is kept"
    for url in (server.root, f"{server.root}/v1"):
        assert facts.of(Chosen("openai:m", demo_model(), 1, url)) is told
    assert facts.of(Chosen("openai:other", demo_model(), 1, server.root)) is None
    assert not facts.outdated("openai:m")
    facts.clear()
    assert facts.of(Chosen("openai:m", demo_model(), 1, server.root)) is None
