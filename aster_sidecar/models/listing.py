"""The list of models for `GET /api/models`: which ones there are, and what each one lacks for a turn."""

from __future__ import annotations

from collections.abc import Mapping

from aster_sidecar.contract import wire
from aster_sidecar.errors import ModelError
from aster_sidecar.models import network
from aster_sidecar.models.catalog import DEMO, LOCAL, ON_THIS_MACHINE, SUGGESTED, Provider, provider_of
from aster_sidecar.models.local_servers import LocalModel
from aster_sidecar.models.provider_settings import ProviderSettings
from aster_sidecar.text.addresses import is_loopback


def list_models(current: str, running: list[LocalModel], settings: ProviderSettings) -> list[wire.ModelInfo]:
    """The chosen model (`current`; empty: none), the models of this machine (`running`), the demo, suggestions."""
    by_name = {model.name: model for model in running}
    names = [*([current] if current else []), LOCAL, *by_name, DEMO, *SUGGESTED]
    return [info(name, current, by_name, settings) for name in dict.fromkeys(names)]


def info(name: str, current: str, running: Mapping[str, LocalModel], settings: ProviderSettings) -> wire.ModelInfo:
    """One entry of the list. Never raises: an invalid setting is the reason why a model is not ready."""
    provider = provider_of(name)
    try:
        reason = why_not(name, provider, running, settings)
    except ModelError as error:
        reason = error.message
    here = running.get(name)
    return wire.ModelInfo(
        name=name,
        provider=name.partition(":")[0],
        ready=reason is None,
        chosen=name == current,
        why_not=reason,
        loaded=here.loaded if here is not None else None,
        context_window=here.window_tokens if here is not None else None,
    )


def why_not(
    name: str, provider: Provider | None, running: Mapping[str, LocalModel], settings: ProviderSettings
) -> str | None:
    """What a turn with this model would lack; None when nothing. Raises: ModelError when a setting is invalid."""
    if name == LOCAL:
        return None if running else "no model server answers on this machine"
    if provider is None:
        return None if name.partition(":")[0] == DEMO else "unknown provider"
    base_url = settings.base_url(provider)
    if settings.key(provider) is None and provider.needs_key and base_url == provider.default_url:
        return settings.why_no_key(provider)
    network.way(base_url or "https://", settings.environment)
    if provider.name not in ON_THIS_MACHINE or name in running or not is_loopback(base_url):
        return None
    others = any(model.provider == provider.name for model in running.values())
    latest = f"{name}:latest" in running  # Ollama's meaning of a name without a tag
    return None if latest else "the server does not offer it" if others else "its server does not answer"
