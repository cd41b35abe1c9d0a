"""The providers that the daemon knows: their names, environment variables, addresses and protocols.

A model's name is `provider:name`, where `name` is the provider's own name for the model.
"""

from __future__ import annotations

from dataclasses import dataclass

DEMO = "demo"
"""The offline demo model: it needs neither a key nor the network."""
LOCAL = "local"
"""Stands for whatever model a server on this machine offers."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of models. `speaks` is its protocol: responses, chat, anthropic or google.

    `key` and `base` are the environment variables of its API key and base URL; `key_too` is a second name for `key`
    that the provider's own programs use. `root` is passed to `addresses.base_url`. `extra` is the optional dependency
    it needs. `window_tokens` is the usual context window. Source: the providers' lists of models.
    """

    name: str
    speaks: str
    key: str | None
    base: str | None = None
    default_url: str | None = None
    needs_key: bool = True
    extra: str | None = None
    root: str | None = None
    key_too: str | None = None
    window_tokens: int | None = None


PROVIDERS = {
    p.name: p
    for p in (
        Provider("openai", "responses", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        Provider("openai-chat", "chat", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        Provider("openai-responses", "responses", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        Provider(
            *("anthropic", "anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"), root=""
        ),
        Provider("openrouter", "chat", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1"),
        Provider(
            *("ollama", "chat", "OLLAMA_API_KEY", "OLLAMA_BASE_URL", "http://127.0.0.1:11434/v1"),
            needs_key=False,
            root="/v1",
        ),
        Provider(
            *("lmstudio", "chat", "LMSTUDIO_API_KEY", "LMSTUDIO_BASE_URL", "http://127.0.0.1:1234/v1"),
            needs_key=False,
            root="/v1",
            key_too="LM_API_TOKEN",
        ),
        Provider(
            *("llamacpp", "chat", "LLAMACPP_API_KEY", "LLAMACPP_BASE_URL", "http://127.0.0.1:8080/v1"),
            needs_key=False,
            root="/v1",
            key_too="LLAMA_API_KEY",
        ),
        Provider(
            *("google", "google", "GOOGLE_API_KEY", "GOOGLE_BASE_URL", "https://generativelanguage.googleapis.com"),
            extra="google",
            root="",
            key_too="GEMINI_API_KEY",
            window_tokens=1_048_576,
        ),
    )
}
ON_THIS_MACHINE = ("ollama", "lmstudio", "llamacpp")
"""Providers that usually run on the user's machine."""
PRICED_AS = {"responses": "openai", "chat": "openai", "anthropic": "anthropic", "google": "google"}
"""Protocol → the provider whose prices apply when the price list does not know the base URL."""
SUGGESTED = ("openai:gpt-5.2", "anthropic:claude-sonnet-4-5", "google:gemini-2.5-pro", "ollama:qwen3")
"""Models to suggest when none is chosen. Any other model of a provider works as well."""


def provider_of(model: str) -> Provider | None:
    """The provider of a model's name; None for the demo model and for unknown providers."""
    return PROVIDERS.get(model.partition(":")[0])


def misnamed(name: str) -> str | None:
    """Why a text is not a model's name; None when it is one."""
    provider, _, model_name = name.partition(":")
    if provider == DEMO or (provider in PROVIDERS and model_name):
        return None
    return f"{name[:100]!r} is not provider:name; providers: {', '.join([DEMO, *PROVIDERS])}"
