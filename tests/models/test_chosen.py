"""The context that a chosen model gives its requests."""

from __future__ import annotations

import pytest

from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.demo import demo_model


@pytest.mark.parametrize(
    ("name", "url", "key", "base", "here"),
    [
        ("openai:m", "https://api.openai.com/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL", False),
        ("ollama:m", "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY", "OLLAMA_BASE_URL", True),
        ("ollama:m", "http://10.0.0.5:11434/v1", "OLLAMA_API_KEY", "OLLAMA_BASE_URL", False),
        ("demo", None, None, None, False),
    ],
)
def test_a_request_knows_the_variables_and_whether_its_server_is_here(
    name: str, url: str | None, key: str | None, base: str | None, here: bool
) -> None:
    left: list[str] = []
    exchange = Chosen(name, demo_model(), 1, url, wait_s=7.0).exchange(lambda: left.append(name))
    assert (exchange.name, exchange.key, exchange.base, exchange.here) == (name, key, base, here)
    assert exchange.wait_s == 7.0
    exchange.leave()
    assert left == [name]
