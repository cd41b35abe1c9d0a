"""What the first turn will need, imported and built in the background as soon as a client is there."""

from __future__ import annotations

import asyncio
from typing import Any

from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.models.api_keys import Keys
from aster_sidecar.models.build import Models
from aster_sidecar.services import launch
from aster_sidecar.services.login_path import CommandPath


class WarmUp:
    """Done once, in the background; what fails is tried again by the turn that needs it."""

    def __init__(self, keys: Keys, engine: EngineLoader, models: Models, command_path: CommandPath) -> None:
        self._keys = keys
        self._engine = engine
        self._models = models
        self._command_path = command_path
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        """Begin it, if it has not begun yet."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def cancel(self) -> None:
        """End it where it is."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        launch.begin()
        await self._keys.load()
        await self._engine.load()
        if self._models.name():
            await asyncio.to_thread(self._models.build)
        self._command_path.begin()
