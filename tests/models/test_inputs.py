"""Which models take images and PDFs: what is known by their names, and what overrides it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aster_sidecar.errors import ModelError, Refused
from aster_sidecar.models.build import MOST_NAMED, Models
from aster_sidecar.models.catalog import PROVIDERS, SUGGESTED
from aster_sidecar.models.inputs import BOTH, Inputs, Kind, known
from tests.models.test_local_servers import Server, listed, server  # noqa: F401  # pyright: ignore[reportUnusedImport]

NAMES: dict[str, str] = {
    "openai:gpt-5.2": "image+ pdf+",
    "openai:gpt-4o-mini": "image+ pdf+",
    "openai-chat:gpt-4.1": "image+ pdf+",
    "openai:gpt-4-turbo": "image+ pdf+",
    "openai:o1": "image+ pdf+",
    "openai:o3": "image+ pdf+",
    "openai:o4-mini": "image+ pdf+",
    "openai:o3-mini": "image- pdf-",
    "openai:o1-mini": "image- pdf-",
    "openai:gpt-4": "image- pdf-",
    "openai:gpt-4-0613": "image- pdf-",
    "openai:gpt-3.5-turbo": "image- pdf-",
    "openai:gpt-4o-audio-preview": "",
    "openai:gpt-5.3-codex-spark": "",
    "anthropic:claude-3-haiku-20240307": "image+ pdf+",
    "anthropic:claude-sonnet-4-5": "image+ pdf+",
    "anthropic:claude-2.1": "image- pdf-",
    "google:gemini-2.5-pro": "image+ pdf+",
    "google:gemma-3-27b-it": "image+",
    "openrouter:openai/gpt-4o": "image+ pdf+",
    "openrouter:x-ai/grok-4": "image+ pdf+",
    "openrouter:x-ai/grok-3": "image- pdf+",
    "openrouter:deepseek/deepseek-r1:free": "image- pdf+",
    "openrouter:deepseek/deepseek-v4-flash": "pdf+",
    "openrouter:meta-llama/llama-4-scout": "image+ pdf+",
    "openrouter:mistralai/pixtral-large-2411": "image+ pdf+",
    "ollama:qwen3:8b": "image- pdf-",
    "ollama:qwen3-vl:8b": "image+ pdf-",
    "ollama:qwen2.5vl:7b": "image+ pdf-",
    "ollama:qwen3.5:9b": "image+ pdf-",
    "ollama:llama3.1": "image- pdf-",
    "ollama:llama3.2:3b": "image- pdf-",
    "ollama:llama3.2-vision": "image+ pdf-",
    "ollama:llava:13b": "image+ pdf-",
    "ollama:minicpm-v:8b": "image+ pdf-",
    "ollama:gemma3:4b": "image+ pdf-",
    "ollama:gemma3:1b": "image- pdf-",
    "ollama:gemma3n:e4b": "pdf-",
    "ollama:mistral": "image- pdf-",
    "ollama:mistral-small3.2:24b": "image+ pdf-",
    "ollama:ministral-3:8b": "image+ pdf-",
    "ollama:codestral": "image- pdf-",
    "ollama:devstral": "pdf-",
    "ollama:gpt-oss:20b": "image- pdf-",
    "ollama:granite3.2-vision": "image+ pdf-",
    "ollama:granite4": "image- pdf-",
    "ollama:glm-4.6": "image- pdf-",
    "ollama:glm-4.6v": "image+ pdf-",
    "ollama:kimi-k2:1t": "image- pdf-",
    "ollama:kimi-k2.5": "image+ pdf-",
    "lmstudio:qwen/qwen3-vl-8b": "image+ pdf-",
    "lmstudio:unknown": "pdf-",
    "llamacpp:hf.co/unsloth/Llama-3.2-3B-Instruct-GGUF:Q4_K_M": "image- pdf-",
    "llamacpp:gpt-3.5-turbo": "pdf-",
}
"""Model at its provider's own address → what it is known to take (+) and to refuse (-)."""


def said(inputs: Inputs) -> str:
    return " ".join(
        sorted([*(f"{kind}+" for kind in inputs.takes), *(f"{kind}-" for kind in inputs.refuses)]),
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_by_a_models_name(name: str) -> None:
    provider, _, model = name.partition(":")
    found = known(PROVIDERS[provider], model, None, speaks=PROVIDERS[provider].speaks)
    assert said(found) == NAMES[name]
    assert said(known(PROVIDERS[provider], model.upper(), None, speaks=PROVIDERS[provider].speaks)) == NAMES[name]


@pytest.mark.parametrize(
    ("model", "url", "speaks", "server", "told"),
    [
        ("gpt-3.5-turbo", "http://127.0.0.1:8000/v1", "responses", "", ""),
        ("gpt-4o", "https://gateway.example/v1", "chat", "", ""),
        ("qwen3-8b", "https://gateway.example/v1", "chat", "", "image-"),
        ("m", "http://127.0.0.1:8080/v1", "chat", "llamacpp", "pdf-"),
        ("m", "http://127.0.0.1:1234/v1", "responses", "lmstudio", ""),
        ("llama-3.3-70b-versatile", "https://api.groq.com/openai/v1", "chat", "", "image- pdf-"),
        ("meta-llama/llama-4-scout-17b", "https://api.groq.com/openai/v1", "chat", "", "image+ pdf-"),
        ("deepseek-chat", "https://api.deepseek.com", "chat", "", "pdf-"),
        ("deepseek-flash", "https://api.deepseek.com", "chat", "", "image+ pdf-"),
        ("mistral-medium-latest", "https://api.mistral.ai/v1", "chat", "", "image+ pdf-"),
        ("mistral-large-latest", "https://api.mistral.ai/v1", "chat", "", "pdf-"),
        ("grok-4", "https://api.x.ai/v1", "chat", "", "image+"),
        ("moonshot-v1-8k", "https://api.moonshot.ai/v1", "chat", "", "image- pdf-"),
        ("gpt-4o", "https://mine.openai.azure.com/openai/v1", "chat", "", "pdf-"),
        ("gpt-4o", "https://mine.openai.azure.com/openai/v1", "responses", "", ""),
    ],
)
def test_what_is_known_at_other_addresses(model: str, url: str, speaks: str, server: str, told: str) -> None:  # noqa: F811
    """A name that somebody gave to a model says nothing, unless it is the name of an open model."""
    assert said(known(PROVIDERS["openai"], model, url, speaks=speaks, server=server)) == told


def test_what_is_known_about_one_kind_is_replaced() -> None:
    assert said(BOTH) == "image+ pdf+"
    assert said(BOTH.but("image", None)) == "image+ pdf+"
    assert said(BOTH.but("image", False)) == "image- pdf+"
    assert said(BOTH.but("image", False).but("image", True)) == "image+ pdf+"


# -- chosen models -----------------------------------------------------------------------------------------------------


def models(
    server: Server,  # noqa: F811
    kept: dict[str, str],
    name: str = "openai-chat:m",
    vision: Callable[[], bool | None] = lambda: None,
    **environment: str,
) -> Models:
    here = {"OPENAI_BASE_URL": f"{server.root}/v1", **environment}
    return Models(here, lambda: name, kept.get, kept.__setitem__, vision)


def taken(known_models: Models, name: str | None = None) -> str:
    chosen = known_models.build(name)
    assert known_models.built(name) == chosen
    return said(Inputs(chosen.takes, chosen.refuses))


def refusal(lacks: str) -> ModelError:
    return Refused("attachment_unsupported", "no", hint="x", lacks=lacks)


def test_what_counts_about_images(server: Server) -> None:  # noqa: F811
    """In this order: the setting, a refusal, the server, the catalogue."""
    kept: dict[str, str] = {}
    server.answers["/v1/models"] = listed("m", "qwen3")
    assert taken(models(server, kept)) == ""
    assert taken(models(server, kept), "openai-chat:qwen3") == "image-"
    server.answers["/v1/models"] = {"data": [{"id": "qwen3", "capabilities": {"vision": True}}]}
    assert taken(models(server, kept), "openai-chat:qwen3") == "image+"
    known_models = models(server, kept, "openai-chat:qwen3")
    chosen = known_models.build()
    assert known_models.adapts(chosen, refusal("images"))
    assert taken(known_models) == "image-"
    assert not known_models.adapts(known_models.build(), refusal("images"))
    assert kept == {}
    known_models.worked(known_models.build())
    assert list(kept.values()) == ["images"]
    assert taken(models(server, kept), "openai-chat:qwen3") == "image+", "the server reports it after a restart"
    server.answers["/v1/models"] = listed("qwen3")
    assert taken(models(server, kept), "openai-chat:qwen3") == "image-"
    assert taken(models(server, kept, "openai-chat:qwen3", lambda: True)) == "image+"
    assert taken(models(server, kept, "openai-chat:m", lambda: True), "openai-chat:qwen3") == "image-"


def test_a_refused_pdf_is_learned(server: Server) -> None:  # noqa: F811
    kept: dict[str, str] = {}
    server.answers["/v1/models"] = listed("m")
    known_models = models(server, kept)
    assert known_models.adapts(known_models.build(), refusal("files"))
    assert taken(known_models) == "pdf-"
    known_models.worked(known_models.build())
    assert taken(models(server, kept)) == "pdf-"
    assert taken(models(server, kept), "openai-chat:other") == ""


def test_the_setting_applies_at_once_and_to_the_configured_model_only(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = listed("m")
    now: list[bool | None] = [None]
    known_models = models(server, {}, vision=lambda: now[0])
    chosen = known_models.build()
    assert known_models.built() is chosen
    for setting, told in ((True, "image+"), (False, "image-"), (None, "")):
        now[0] = setting
        assert taken(known_models) == told
        assert taken(known_models, "openai-chat:other") == ""
    assert known_models.built() is chosen


def test_the_demo_takes_everything() -> None:
    demo = Models({}, lambda: None, lambda _: None, lambda *_: None)
    assert taken(demo) == taken(demo, "demo:instant") == "image+ pdf+"


def test_llama_cpp_is_known_by_its_list(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = {"data": [{"id": "m", "owned_by": "llamacpp"}]}
    server.answers["/props"] = {"default_generation_settings": {"n_ctx": 16384}, "modalities": {"vision": True}}
    assert taken(models(server, {}), "openai:m") == "image+ pdf-"


# -- models that take something ----------------------------------------------------------------------------------------


def asked(kind: Kind, name: str | None, server: Server, **environment: str) -> list[str]:  # noqa: F811
    """`that_take` where the models of LM Studio are those of the server."""
    here = {"LMSTUDIO_BASE_URL": f"{server.root}/v1", "OLLAMA_BASE_URL": "http://127.0.0.1:9/v1", **environment}
    here.setdefault("LLAMACPP_BASE_URL", "http://127.0.0.1:9/v1")
    return Models(here, lambda: name, lambda _: None, lambda *_: None).that_take(kind)


def test_models_that_take_images_are_named(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = listed("blind", "sees", "unsure")
    rows: list[dict[str, Any]] = [{"id": "blind", "type": "llm"}, {"id": "sees", "type": "vlm"}]
    server.answers["/api/v0/models"] = {"data": rows}
    assert asked("image", "lmstudio:blind", server) == ["lmstudio:sees", "lmstudio:unsure"]
    assert asked("pdf", "lmstudio:blind", server) == []
    assert asked("image", "demo", server, OPENAI_API_KEY="k") == ["lmstudio:sees", SUGGESTED[0], "lmstudio:unsure"]
    assert asked("pdf", None, server, ANTHROPIC_API_KEY="k") == [SUGGESTED[1]]
    assert asked("image", "openai:gpt-3.5-turbo", server, OPENAI_API_KEY="not a key\n\n é") == [
        "lmstudio:sees",
        "lmstudio:unsure",
    ]
    server.answers["/v1/models"] = listed(*(f"m{number}" for number in range(9)))
    assert asked("image", "nobody:m", server) == [f"lmstudio:m{number}" for number in range(MOST_NAMED)]


def test_a_model_that_has_just_refused_is_not_named(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = listed("m")
    known_models = models(
        server,
        {},
        OLLAMA_BASE_URL="http://127.0.0.1:9",
        LMSTUDIO_BASE_URL="http://127.0.0.1:9",
        LLAMACPP_BASE_URL="http://127.0.0.1:9",
    )
    assert "openai-chat:m" in known_models.that_take("image")
    chosen = known_models.build()
    assert "openai-chat:m" in known_models.that_take("image")
    assert known_models.adapts(chosen, refusal("images"))
    assert "openai-chat:m" not in known_models.that_take("image")
    known_models.build()
    assert "openai-chat:m" not in known_models.that_take("image")
