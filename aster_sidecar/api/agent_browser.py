"""API calls about the agent's browser."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aster_sidecar.api.companion import CompanionCalls
from aster_sidecar.companion.feature_flags import Flags
from aster_sidecar.config.toml_file import read_file, write_in_table
from aster_sidecar.contract import wire
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.tools.browser.programs import NotInstalled
from aster_sidecar.tools.browser.service import NAME, BrowserService, browser_settings
from aster_sidecar.tools.mcp.servers import Servers

TABLE = "browser"


class AgentBrowserCalls:
    """Calls about the agent's browser. It is on while the flag `browser` is."""

    def __init__(
        self, config_path: Path, flags: Flags, companion: CompanionCalls, servers: Servers, service: BrowserService
    ) -> None:
        """Raises: ConfigInvalid if the table `[browser]` is invalid."""
        self._path = config_path
        self._flags = flags
        self._companion = companion
        self._servers = servers
        self._service = service
        self._changing = asyncio.Lock()
        service.settings = browser_settings(read_file(config_path).get(TABLE, {}))
        flags.changed.subscribe(self._apply)
        servers.told.subscribe(lambda name: self._apply() if name == NAME else None)
        self._apply()

    @property
    def _taken(self) -> bool:
        """Whether the person's configuration has a server of this name."""
        return NAME in self._servers.names() and self._servers.get(NAME).knowledge is not self._service

    @property
    def enabled(self) -> bool:
        return self._flags.value("browser") is True

    def info(self) -> wire.BrowserInfo:
        """The browser's settings and its state."""
        service, program, problem, hint = self._service, None, None, None
        try:
            program = service.found()
        except NotInstalled as error:
            problem, hint = str(error), error.hint
        if self._taken:
            problem, hint = name_taken().message, name_taken().hint
        on = self.enabled and not self._taken
        return wire.BrowserInfo(
            enabled=self.enabled,
            allow=list(service.settings.allow),
            headless=service.settings.headless,
            isolated=service.settings.isolated,
            program=program,
            problem=problem,
            hint=hint,
            downloads=str(service.downloads),
            unsandboxed=service.launched.unsandboxed if service.launched is not None else None,
            refused=list(service.refusals),
            server=self._servers.get(NAME).info() if on else None,
        )

    async def change(self, patch: wire.BrowserPatch) -> wire.BrowserInfo:
        """Turn the browser on or off, or change its settings; a running one is started again.

        Raises: ConfigInvalid, StoreError; then nothing has changed.
        """
        given = patch.model_dump(include=patch.model_fields_set)
        enabled = given.pop("enabled", None) if "enabled" in given else self.enabled
        if enabled and self._taken:
            raise name_taken()
        async with self._changing:
            if given:
                table: Any = (await asyncio.to_thread(read_file, self._path)).get(TABLE, {})
                kept: dict[str, Any] = {**table, **given} if isinstance(table, dict) else given
                settings = browser_settings({key: value for key, value in kept.items() if value is not None})
                await asyncio.to_thread(write_in_table, self._path, TABLE, given)
                self._service.settings = settings
                if self.enabled and NAME in self._servers.names():
                    self._servers.get(NAME).restart()
            if bool(enabled) is not self.enabled:
                on = {"browser": True if enabled else None}
                await self._companion.set_flags(wire.FlagsPatch.model_validate(on))
        return self.info()

    def _apply(self) -> None:
        """Follow the flag, also when a server of the person has given up the name."""
        if self._taken:
            return
        here = NAME in self._servers.names()
        if self.enabled and not here:
            self._servers.put(self._service.spec, self._service)
        elif here and not self.enabled:
            self._servers.remove(NAME)


def name_taken() -> ConfigInvalid:
    """The problem that an MCP server of the person's configuration has the browser's name."""
    return ConfigInvalid(
        f"config.toml has an MCP server that is called {NAME}, so the agent's browser can't have this name",
        hint=f"rename [mcp.{NAME}] in config.toml, and restart",
    )
