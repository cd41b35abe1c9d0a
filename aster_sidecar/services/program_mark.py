"""The beginning of the ids of MCP servers' and services' processes, by which the next daemon finds leftover ones."""

from __future__ import annotations

from aster_sidecar import clock
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.meta import remember

FACT = "mark"


class ProgramMark:
    """The beginning of those ids. `text` stays the same for a data directory, and is "" without programs."""

    def __init__(self) -> None:
        self.text = ""
        self._journal: Journal | None = None

    def open(self, journal: Journal, wanted: bool) -> None:
        """Read the mark from the store; make one if there is none and it is `wanted`. Raises: StoreError."""
        self._journal = journal
        self.text = journal.recall(FACT) or ""
        if wanted:
            self.needed()

    def needed(self) -> str:
        """The text for a program that is started; made if there is none yet."""
        if not self.text and self._journal is not None:
            self.text = f"{clock.new_id('own')}-"
            self._journal.put(writes=[remember(FACT, self.text)])
        return self.text
