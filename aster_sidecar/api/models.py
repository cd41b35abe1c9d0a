"""API calls about models and provider keys."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aster_sidecar.companion import onboarding
from aster_sidecar.companion.onboarding import Onboarding
from aster_sidecar.contract import wire
from aster_sidecar.errors import InvalidShape, ModelError
from aster_sidecar.models.api_keys import Keys, variable_of
from aster_sidecar.models.build import Models
from aster_sidecar.models.catalog import PROVIDERS
from aster_sidecar.models.probe import probe


class ModelCalls:
    """Calls about models and keys. `environment`: the daemon's variables together with the saved keys."""

    def __init__(self, models: Models, keys: Keys, environment: Mapping[str, str], onboarding: Onboarding) -> None:
        self._models = models
        self._keys = keys
        self._environment = environment
        self._onboarding = onboarding

    async def list(self) -> list[wire.ModelInfo]:
        """The models that can be chosen, the chosen one first, including those of model servers on this machine."""
        return await asyncio.to_thread(self._models.list)

    async def check(self, name: str | None) -> wire.ModelCheck:
        """Test a model (None: the chosen one) with a one-word request; onboarding records the result.

        Raises: StoreError.
        """
        await self._keys.load()
        check, error = await onboarding.check_model(self._models, name)
        if check.model == self._models.name():
            await self._onboarding.asked(check.model, error)
        return check

    # -- keys ------------------------------------------------------------------------------------------------------

    def secrets(self) -> list[wire.SecretInfo]:
        """Where each provider's key comes from. Keys themselves are never returned."""
        return self._keys.list()

    async def put_secret(self, provider: str, body: wire.SecretPut) -> wire.SecretInfo:
        """Save a provider's key; with `check`, only if a model answers with it.

        Raises: ModelError, InvalidShape, and what `Keys.put` raises.
        """
        variable = variable_of(provider)
        if body.check:
            await self._check_key(provider, variable, body)
        info = await self._keys.put(provider, body.value)
        if body.check and body.model in (None, self._models.name()):
            await self._onboarding.asked(self._models.name(), None)
        return info

    async def _check_key(self, provider: str, variable: str, body: wire.SecretPut) -> None:
        """Test the key with a one-word request to a model of the provider. Raises: ModelError, InvalidShape."""
        name = body.model or self._models.name()
        asked = PROVIDERS.get(name.partition(":")[0])
        if asked is None or asked.key != variable:
            raise InvalidShape(
                f"model: {name} is not a model of {provider}" if name else "model: no model is chosen",
                hint=f"name a model of {provider} to check the key with",
            )
        await self._keys.load()
        tried = Models(
            {**self._environment, variable: body.value}, lambda: name, lambda key: None, lambda key, value: None
        )
        try:
            await probe(tried, name)
        except ModelError as error:
            await self._onboarding.asked(name, error)
            raise
        finally:
            await tried.close()

    async def delete_secret(self, provider: str) -> wire.SecretInfo:
        """Delete a saved key. A key in the daemon's environment stays. Raises: what `Keys.drop` raises."""
        return await self._keys.drop(provider)
