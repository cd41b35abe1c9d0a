"""Keys and base URLs from the environment. What people type is tested in tests/text/test_addresses.py."""

from __future__ import annotations

import pytest

from aster_sidecar.errors import ConfigInvalid, ModelError
from aster_sidecar.models.catalog import PROVIDERS
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.demo import demo_model
from aster_sidecar.models.provider_settings import ProviderSettings, positive_number

OPENAI, OLLAMA, GOOGLE = PROVIDERS["openai"], PROVIDERS["ollama"], PROVIDERS["google"]
SERVER = "http://box.example:8000"


def settings(kept: dict[str, str] | None = None, **environment: str) -> ProviderSettings:
    facts = kept if kept is not None else {}
    return ProviderSettings(environment, facts.get, facts.__setitem__)


def chosen(url: str, name: str = "openai:m") -> Chosen:
    return Chosen(name, demo_model(), 1, url)


def test_without_settings_a_provider_is_at_its_own_address_and_has_no_key() -> None:
    none = settings()
    assert none.configured() == []
    for provider in PROVIDERS.values():
        assert none.base_url(provider) == provider.default_url
        assert none.key(provider) is None
        assert f"{provider.key} is not set" in none.why_no_key(provider)


def test_a_provider_with_a_key_or_an_address_is_configured() -> None:
    assert settings(GEMINI_API_KEY="g-key-0123").configured() == ["google"]
    assert settings(OLLAMA_BASE_URL=SERVER).configured() == ["ollama"]
    assert settings(OPENAI_API_KEY="your-api-key", ANTHROPIC_API_KEY=" ").configured() == []


def test_the_second_name_of_a_key_counts_when_the_first_has_a_placeholder() -> None:
    both = settings(GOOGLE_API_KEY="<key>", GEMINI_API_KEY="g-key-0123")
    assert both.key(GOOGLE) == "g-key-0123"
    placeholder = settings(GOOGLE_API_KEY="", GEMINI_API_KEY="<key>")
    assert placeholder.key(GOOGLE) is None
    assert "placeholder" in placeholder.why_no_key(GOOGLE)


def test_an_invalid_setting_raises_where_it_is_read_and_hides_a_local_server() -> None:
    wrong = settings(OLLAMA_BASE_URL="ftp://x", OLLAMA_API_KEY="k")
    with pytest.raises(ModelError, match="OLLAMA_BASE_URL"):
        wrong.base_url(OLLAMA)
    assert wrong.server(OLLAMA) == ("", None)
    assert settings(OLLAMA_API_KEY="k").server(OLLAMA) == (OLLAMA.default_url, "k")


def test_ollamas_own_variable_is_used_and_named() -> None:
    own = settings(OLLAMA_HOST="127.0.0.1:9000")
    assert (own.base_url(OLLAMA), own.base_variable(OLLAMA)) == ("http://127.0.0.1:9000/v1", "OLLAMA_HOST")
    both = settings(OLLAMA_HOST="127.0.0.1:9000", OLLAMA_BASE_URL=SERVER)
    assert (both.base_url(OLLAMA), both.base_variable(OLLAMA)) == (f"{SERVER}/v1", "OLLAMA_BASE_URL")
    assert settings().base_variable(OPENAI) == "OPENAI_BASE_URL"


def test_an_address_that_was_found_is_used_and_stored() -> None:
    kept: dict[str, str] = {}
    own = settings(kept, OPENAI_BASE_URL=f"http://me:word@{SERVER[7:]}")
    given = own.base_url(OPENAI) or ""
    own.found(given, f"{given}/v1")
    assert own.base_url(OPENAI) == f"{given}/v1"
    assert kept == {f"base:{SERVER}": f"{SERVER}/v1"}, "without the password"
    assert settings(kept, OPENAI_BASE_URL=SERVER).base_url(OPENAI) == f"{SERVER}/v1"


def test_the_other_address_is_stored_only_after_an_answer() -> None:
    kept: dict[str, str] = {}
    own = settings(kept, OPENAI_BASE_URL=SERVER)
    assert not own.try_alternative(chosen(SERVER), confirmed=True), "the server listed its models there"
    assert own.try_alternative(chosen(SERVER), confirmed=False)
    assert own.base_url(OPENAI) == f"{SERVER}/v1"
    assert not own.try_alternative(chosen(f"{SERVER}/v1"), confirmed=False), "there is no third address"
    assert own.drop_alternative(chosen(f"{SERVER}/v1"))
    assert not own.drop_alternative(chosen(f"{SERVER}/v1"))
    assert (own.base_url(OPENAI), kept) == (SERVER, {})
    assert own.try_alternative(chosen(SERVER), confirmed=False)
    own.keep_alternative(chosen(f"{SERVER}/v1"))
    assert kept == {f"base:{SERVER}": f"{SERVER}/v1"}
    assert not own.drop_alternative(chosen(f"{SERVER}/v1")), "a later failure has another cause"


def test_a_providers_own_address_has_no_alternative() -> None:
    own = settings(OPENAI_API_KEY="k")
    assert not own.try_alternative(chosen(OPENAI.default_url or ""), confirmed=False)
    local = settings(OLLAMA_BASE_URL=SERVER)
    assert not local.try_alternative(chosen(f"{SERVER}/v1", "ollama:m"), confirmed=False)
    assert not local.try_alternative(chosen(SERVER, "demo"), confirmed=False)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much", "1e999"])
def test_a_number_above_0_is_demanded(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="ASTER_X"):
        positive_number({"ASTER_X": text}, "ASTER_X")


def test_a_number_may_be_missing() -> None:
    assert positive_number({"ASTER_X": "1.5"}, "ASTER_X") == 1.5
    assert positive_number({"ASTER_X": ""}, "ASTER_X") is None
    assert positive_number({}, "ASTER_X") is None
