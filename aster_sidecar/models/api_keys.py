"""API keys of providers that the user saved; `config/kept_secrets.py` keeps them.

A key in the daemon's environment takes precedence. The saved keys are read when the first client connects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from aster_sidecar.config.kept_secrets import KeptSecrets, SecretStorage
from aster_sidecar.contract import wire
from aster_sidecar.errors import InvalidShape, NotFound
from aster_sidecar.models.catalog import PROVIDERS
from aster_sidecar.publisher import Publisher
from aster_sidecar.store.journal import Journal
from aster_sidecar.text import addresses

KEYED = {provider.key: name for name, provider in reversed(PROVIDERS.items()) if provider.key}
"""Environment variable of a key → the first provider that uses it."""


class Keys:
    """The saved keys. `learn` gets each one, so that logs can mask it."""

    def __init__(
        self, journal: Journal, storage: SecretStorage, environment: Mapping[str, str], learn: Callable[[str], None]
    ) -> None:
        self._journal = journal
        self._storage = storage
        self._environment = environment
        self._kept = KeptSecrets(journal, storage, learn, "key", self._is_wanted)
        self._changing = asyncio.Lock()

    def _is_wanted(self, variable: str) -> bool:
        return variable in KEYED and not is_given(self._environment, variable)

    # -- reading -------------------------------------------------------------------------------------------------------

    def value(self, variable: str) -> str | None:
        """A saved key; None before `load` has read it."""
        return self._kept.value(variable)

    async def load(self) -> None:
        """Read the saved keys, once. A key that the keychain does not return is treated as missing."""
        await self._kept.load()

    @property
    def changed(self) -> Publisher[[]]:
        """Publishes after a key was saved or deleted."""
        return self._kept.changed

    @property
    def why_no_keychain(self) -> str | None:
        """Why keys are saved in a file; None when a keychain is used. The first use blocks for an import."""
        return self._storage.why_no_keychain

    def list(self) -> list[wire.SecretInfo]:
        """Where each provider's key comes from, without the keys."""
        return [self._info(variable) for variable in KEYED]

    def _info(self, variable: str) -> wire.SecretInfo:
        given = is_given(self._environment, variable)
        place = self._kept.place(variable)
        return wire.SecretInfo(
            provider=KEYED[variable],
            variable=variable,
            set=given or place is not None,
            source="environment" if given else place,
            protected=not given and place == "keychain",
        )

    # -- writing -------------------------------------------------------------------------------------------------------

    async def put(self, provider: str, value: str) -> wire.SecretInfo:
        """Save a provider's key. Raises: NotFound, InvalidShape, StoreError."""
        variable = variable_of(provider)
        async with self._changing:
            await self._kept.put(variable, value)
            return await self._report(variable)

    async def drop(self, provider: str) -> wire.SecretInfo:
        """Delete a provider's saved key. Raises: NotFound, InvalidShape, StoreError."""
        variable = variable_of(provider)
        async with self._changing:
            if not await self._kept.drop(variable):
                return self._info(variable)
            return await self._report(variable)

    async def _report(self, variable: str) -> wire.SecretInfo:
        """Record the event of a change that the store has by now."""
        info = self._info(variable)
        await self._journal.record("secrets_changed", wire.SecretsChangedEvent(**dict(info)))
        return info


class WithKeys(Mapping[str, str]):
    """The daemon's environment, with saved keys for the variables that it lacks."""

    def __init__(self, environment: Mapping[str, str], keys: Keys) -> None:
        self._environment = environment
        self._keys = keys

    def __getitem__(self, name: str) -> str:
        saved = None if is_given(self._environment, name) else self._keys.value(name)
        return self._environment[name] if saved is None else saved

    def __iter__(self) -> Iterator[str]:
        yield from self._environment
        yield from (
            name
            for name in KEYED
            if name not in self._environment and not is_given(self._environment, name) and self._keys.value(name)
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


def is_given(environment: Mapping[str, str], variable: str) -> bool:
    """Whether the environment has a provider's key, under one of its names."""
    provider = PROVIDERS.get(KEYED.get(variable, ""))
    names = (variable, provider.key_too if provider is not None else None)
    return any(name and addresses.unwrap(environment.get(name, "")) for name in names)


def variable_of(provider: str) -> str:
    """The environment variable of a provider's key. Raises: NotFound, InvalidShape."""
    known = PROVIDERS.get(provider)
    if known is None:
        raise NotFound(f"no such provider: {provider[:100]!r}", hint=f"providers: {', '.join(PROVIDERS)}")
    if not known.key:
        raise InvalidShape(f"{provider} does not use a key")
    return known.key
