"""Imports and builds in the background what the first turn needs, as soon as a client connects."""

from __future__ import annotations

import asyncio
from typing import Any

from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.garbage import long_lived
from aster_sidecar.models.api_keys import Keys
from aster_sidecar.models.build import Models
from aster_sidecar.sandbox.commands import CommandSandbox
from aster_sidecar.services import launch
from aster_sidecar.services.login_path import CommandPath


class WarmUp:
    """Runs once, in the background. Failures are ignored: the turn that needs a part tries again."""

    def __init__(
        self, keys: Keys, engine: EngineLoader, models: Models, command_path: CommandPath, sandbox: CommandSandbox
    ) -> None:
        self._keys = keys
        self._engine = engine
        self._models = models
        self._command_path = command_path
        self._sandbox = sandbox
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        """Start the warm-up, if it was not started before."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def cancel(self) -> None:
        """Cancel the warm-up."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        launch.begin()
        await self._keys.load()
        await self._engine.load()
        if self._models.name():
            with long_lived():  # it imports the SDK of a provider
                await asyncio.to_thread(self._models.build)
        self._command_path.begin()
        await self._sandbox.known()
