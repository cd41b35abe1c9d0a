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

    def open(self, journal: Journal, wanted: bool) -> None:
        """Read the mark from the store; make one if there is none and it is `wanted`. Raises: StoreError."""
        self.text = journal.recall(FACT) or ""
        if not self.text and wanted:
            self.text = f"{clock.new_id('own')}-"
            journal.put(writes=[remember(FACT, self.text)])
