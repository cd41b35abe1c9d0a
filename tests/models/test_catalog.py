"""The table of providers is consistent, and names of models are checked against it."""

from __future__ import annotations

import pytest

from aster_sidecar.models.catalog import (
    ON_THIS_MACHINE,
    PRICED_AS,
    PROVIDERS,
    SUGGESTED,
    misnamed,
    provider_of,
)


def test_every_provider_can_be_asked_and_priced() -> None:
    for name, provider in PROVIDERS.items():
        assert provider.name == name
        assert provider.speaks in PRICED_AS
        assert PRICED_AS[provider.speaks] in PROVIDERS
        assert provider.default_url, "requests need an address without a setting"
        assert provider.key, "the variable of its key is needed"


def test_servers_on_this_machine_need_no_key() -> None:
    assert {name for name, provider in PROVIDERS.items() if not provider.needs_key} == set(ON_THIS_MACHINE)


def test_suggested_models_are_well_named() -> None:
    assert [misnamed(name) for name in SUGGESTED] == [None] * len(SUGGESTED)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        *[("openai:gpt", True), ("ollama:qwen3:8b", True), ("demo", True), ("demo:instant", True)],
        *[("openai", False), ("openai:", False), ("opanai:gpt", False), ("", False), ("OpenAI:gpt", False)],
    ],
)
def test_a_models_name_is_provider_and_name(name: str, valid: bool) -> None:
    assert (misnamed(name) is None) is valid


def test_a_wrong_name_is_quoted_in_part_with_the_providers() -> None:
    why = misnamed("x" * 1000) or ""
    assert len(why) < 400
    assert all(provider in why for provider in PROVIDERS)


def test_the_provider_is_before_the_first_colon() -> None:
    assert provider_of("ollama:qwen3:8b") is PROVIDERS["ollama"]
    assert provider_of("demo:instant") is None
    assert provider_of("qwen3") is None
