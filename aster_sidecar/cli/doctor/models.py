"""Checks of the API keys, the chosen model and the model servers of this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from aster_sidecar.cli.config_preview import own_environment
from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.config.settings import Config
from aster_sidecar.errors import AsterError, ConfigInvalid, ModelError
from aster_sidecar.text import addresses

if TYPE_CHECKING:
    from aster_sidecar.models.build import Models

LISTED = 10
"""Largest number of local models that are named."""


def keys(environment: Mapping[str, str]) -> Check:
    """Which providers have a key in this environment; a daemon that an app starts may have another environment."""
    from aster_sidecar.models.build import PROVIDERS

    named = ((provider.key, provider.key_too) for provider in PROVIDERS.values())
    names = list(dict.fromkeys(name for pair in named for name in pair if name))
    there = [name for name in names if environment.get(name)]
    for name in there:
        try:
            addresses.key(environment[name], name)
        except ModelError as error:
            return Check("keys", "failed", error.message, error.hint or f"set {name} to the key alone")
        if addresses.is_placeholder(environment[name]):
            return Check("keys", "warning", addresses.why_no_key(environment[name], name), f"set {name}, or unset it")
    if not there:
        return Check("keys", "ok", "none in this environment: the demo model and local models need none")
    return Check("keys", "ok", f"in this environment: {', '.join(there)}")


def models(config: Config | None, *, ask: bool) -> Iterator[Check]:
    """The chosen model, with one small request if `ask`, and the model servers of this machine.

    `config` is None where the configuration can't be read.
    """
    if config is None:
        yield Check("model", "skipped", "the configuration is wrong")
        return
    from aster_sidecar.models.build import DEMO, Models

    def forget(key: str, value: str) -> None:
        """Keep nothing: what is learned about a server belongs in the daemon's store."""

    try:
        known = Models(own_environment(), lambda: config.value("model"), lambda _: None, forget)
    except ConfigInvalid as error:
        yield Check("model", "failed", error.message, error.hint or "fix it")
        return
    name = known.name()
    if not ask:
        yield Check("model", "skipped", f"{name or 'none chosen'}: not asked because of --no-model")
    elif name.partition(":")[0] == DEMO:
        yield Check("model", "skipped", f"{name}: the offline demo model, which is always available")
    else:
        yield asyncio.run(model(known))
    local = known.local.find()
    if local:
        names = ", ".join(entry.name for entry in local[:LISTED])
        more = f" and {len(local) - LISTED} more" if len(local) > LISTED else ""
        yield Check("local models", "ok", names + more)
    else:
        yield Check("local models", "skipped", "no Ollama, LM Studio or llama-server with a model answers")


async def model(known: Models) -> Check:
    """Send one small request to the chosen model."""
    from aster_sidecar.models.probe import probe

    began = time.monotonic()
    try:
        chosen = await probe(known)
    except AsterError as error:
        return Check("model", "failed", f"{error.message} [{error.code}]", error.hint or "choose another model")
    finally:
        await known.close()
    return Check("model", "ok", f"{chosen.name} answered in {time.monotonic() - began:.1f} s")
