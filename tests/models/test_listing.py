"""The list of models: each once, with what it still needs before it can be used."""

from __future__ import annotations

import pytest

from aster_sidecar.contract import wire
from aster_sidecar.models.catalog import SUGGESTED
from aster_sidecar.models.listing import list_models
from aster_sidecar.models.local_servers import LocalModel
from aster_sidecar.models.provider_settings import ProviderSettings


def listed(current: str = "", *running: LocalModel, **environment: str) -> dict[str, wire.ModelInfo]:
    found = list_models(current, list(running), ProviderSettings(environment, lambda _: None, lambda key, value: None))
    by_name = {one.name: one for one in found}
    assert len(by_name) == len(found), "each is listed once"
    return by_name


def test_the_order_is_chosen_local_running_demo_suggested() -> None:
    names = [*listed("openai:x", LocalModel("ollama", "a"), LocalModel("lmstudio", "b"))]
    assert names == ["openai:x", "local", "ollama:a", "lmstudio:b", "demo", *SUGGESTED]
    assert next(iter(listed(SUGGESTED[1]))) == SUGGESTED[1]
    assert [name for name, one in listed("demo").items() if one.chosen] == ["demo"]


def test_a_running_model_has_what_its_server_reports() -> None:
    found = listed("", LocalModel("ollama", "a", loaded=True, window_tokens=8192))
    assert (found["ollama:a"].loaded, found["ollama:a"].context_window) == (True, 8192)
    assert (found["local"].ready, found["demo"].ready) == (True, True)
    assert (found["demo"].loaded, found["demo"].context_window) == (None, None)


@pytest.mark.parametrize(
    ("name", "environment", "why_not"),
    [
        ("openai:m", {"OPENAI_API_KEY": "k"}, None),
        ("openai:m", {}, "OPENAI_API_KEY is not set"),
        ("openai:m", {"OPENAI_BASE_URL": "http://box.example/v1"}, None),
        ("openai:m", {"OPENAI_API_KEY": "k", "HTTPS_PROXY": "foo://x"}, "HTTPS_PROXY is not a usable proxy"),
        ("nobody:m", {}, "unknown provider"),
        ("local", {}, "no model server answers on this machine"),
        ("ollama:m", {}, "its server does not answer"),
        ("ollama:m", {"OLLAMA_BASE_URL": "http://box.example:11434"}, None),
    ],
)
def test_what_a_model_lacks_is_said(name: str, environment: dict[str, str], why_not: str | None) -> None:
    found = listed(name, **environment)[name]
    assert found.ready is (why_not is None)
    assert (why_not or "") in (found.why_not or "")


def test_a_model_that_a_running_server_does_not_offer() -> None:
    running = LocalModel("ollama", "qwen3:latest")
    assert listed("ollama:other", running)["ollama:other"].why_not == "the server does not offer it"
    assert listed("ollama:qwen3", running)["ollama:qwen3"].ready, "a name without a tag means the latest"
