"""API calls about folders: where conversations can work."""

from __future__ import annotations

import asyncio
from functools import partial

from aster_sidecar.api.identity import Identity
from aster_sidecar.companion import folder_picker
from aster_sidecar.companion.timed_reading import TimedReading
from aster_sidecar.config.settings import Config
from aster_sidecar.contract import wire
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.sessions import select_folders

LIST_S = 5.0
"""How long reading the names in a directory may take."""
LOOK_S = 2.0
"""How long reading the properties of all these directories may take."""
RECENT_MOST = 10


class FolderCalls:
    """Calls about folders."""

    def __init__(self, journal: Journal, identity: Identity, config: Config, reading: TimedReading) -> None:
        self._journal = journal
        self._identity = identity
        self._config = config
        self._reading = reading

    async def list(self, path: str | None, *, hidden: bool) -> wire.FolderList:
        """The directories in a directory, by default in the daemon's work folder.

        Raises: InvalidShape, FolderUnusable, StoreError.
        """
        asked = path if path is not None else str(self._config.work_dir)
        found = await self._reading.one(asked, partial(folder_picker.scan, hidden=hidden), LIST_S)
        chosen = self._journal.rows(select_folders(RECENT_MOST))
        recent = list(dict.fromkeys((*chosen, str(self._config.work_dir))))
        folders, known = await asyncio.gather(self._look(found.paths), self._look(recent))
        shown = [folders.get(path, folder_picker.unanswered(path)) for path in found.paths]
        listed = [folder for folder in shown if folder is not None]
        return wire.FolderList(
            path=found.path,
            parent=folder_picker.parent_of(found.path),
            home=folder_picker.home(self._identity.settings.environment),
            roots=folder_picker.roots(),
            folders=listed[: folder_picker.FOLDERS_MOST],
            truncated=found.truncated or len(listed) > folder_picker.FOLDERS_MOST,
            unnamed=found.unnamed,
            recent=[folder for path in recent if (folder := known.get(path)) is not None],
        )

    async def _look(self, paths: list[str]) -> dict[str, wire.FolderInfo | None]:
        """What is known of each path in time; None: it is no directory, or can't be read."""
        found = await self._reading.each(paths, folder_picker.look, LOOK_S)
        return {path: None if isinstance(folder, Exception) else folder for path, folder in found.items()}
