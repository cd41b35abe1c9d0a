"""API calls about settings."""

from __future__ import annotations

from typing import Any

from aster_sidecar.api.identity import Identity
from aster_sidecar.config.settings import Config
from aster_sidecar.contract import wire
from aster_sidecar.models.catalog import PROVIDERS
from aster_sidecar.store.journal import Journal
from aster_sidecar.text.addresses import without_password

MASK = "••••••••"


class SettingsCalls:
    """Calls about settings."""

    def __init__(self, journal: Journal, identity: Identity, config: Config) -> None:
        self._journal = journal
        self._identity = identity
        self._config = config

    def view(self) -> wire.ConfigView:
        """The effective configuration, each value with its source, secrets masked."""
        return self._config.view(self._fixed_values())

    async def change(self, patch: wire.ConfigPatch) -> wire.ConfigView:
        """Change settable keys; `null` removes the value set here or in `config.toml`. Takes effect immediately.

        Raises: ConfigInvalid, then nothing has changed; StoreError.
        """
        changed = self._config.change(patch)
        if changed:
            await self._journal.record("config_changed", wire.ConfigChangedEvent(changed=changed))
        return self.view()

    def _fixed_values(self) -> dict[str, wire.ConfigValue]:
        """Effective values that can't be set through the API, secrets masked."""
        settings = self._identity.settings
        environment, flags = settings.environment, settings.flags
        given: dict[str, tuple[Any, bool]] = {
            "framework": (settings.framework, flags.get("framework") is not None),
            "port": (self._identity.port, flags.get("port") is not None),
            "allow_origins": (list(settings.allow_origins), bool(flags.get("allow_origin"))),
            "uds": (str(settings.uds) if settings.uds is not None else None, settings.uds is not None),
        }
        values = {
            key: wire.ConfigValue(value=value, source="flag" if from_flag else "default", settable=False)
            for key, (value, from_flag) in given.items()
        }
        if settings.token:
            source = "flag" if flags.get("supervised") else "environment"
            values["token"] = wire.ConfigValue(value=MASK, source=source, settable=False)
        for provider in PROVIDERS.values():
            for name, secret in ((provider.key, True), (provider.key_too, True), (provider.base, False)):
                if name and environment.get(name):
                    value = MASK if secret else without_password(environment[name])
                    values[name] = wire.ConfigValue(value=value, source="environment", settable=False)
        return values
