"""Which definition of a tool the person has accepted, and how the present one differs from it.

A definition is accepted when it is seen for the first time, and when a person allows a call after the difference was
shown to them. While it differs, no rule and no mode but "Never ask" allows the tool's calls.
"""

from __future__ import annotations

import difflib
import json
from typing import Any, Protocol

from aster_sidecar import clock
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import tool_definitions as rows
from aster_sidecar.store.sql import Write
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.mcp.definitions import Definition

DIFF_LINES, DIFF_CHARS = 80, 300
"""How much of a difference a question shows."""
MOVED = "The configuration of the server has changed: its command, arguments or address."


class Source(Protocol):
    """Whose tools they are: `digest` changes when something else stands behind the name."""

    @property
    def name(self) -> str: ...
    def digest(self) -> str: ...


class AcceptedDefinitions:
    """The accepted definitions of all servers' tools, in memory and in the table `tool_definitions`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._accepted: dict[tuple[str, str], rows.DefinitionRow] = {}
        journal.lost.subscribe(self.open)

    def open(self) -> None:
        """Read them; also called after a failed transaction. Raises: StoreError."""
        found = self._journal.rows(rows.select_definitions())
        self._accepted = {(row.server, row.tool): row for row in found}

    def saw(self, spec: Source, definition: Definition) -> None:
        """Accept the definition of a tool that is listed for the first time."""
        if (spec.name, definition.name) not in self._accepted:
            self._journal.put(writes=self.accept(spec, definition))

    def accept(self, spec: Source, definition: Definition) -> list[Write]:
        """Accept a definition. Returns the rows to write."""
        if self.change(spec, definition) == "":
            return []
        row = rows.DefinitionRow(spec.name, definition.name, spec.digest(), definition.text, clock.stamp())
        self._accepted[spec.name, definition.name] = row
        return [rows.upsert_definition(row)]

    def change(self, spec: Source, definition: Definition) -> str | None:
        """What changed since the definition was accepted, in lines; "": nothing. None: none was accepted."""
        row = self._accepted.get((spec.name, definition.name))
        if row is None:
            return None
        moved = [MOVED] if row.source != spec.digest() else []
        if row.definition == definition.text:
            return "\n".join(moved)
        before, now = _lines(row.definition), _lines(definition.text)
        changed = [
            visible(line[:DIFF_CHARS], newlines=False)
            for line in difflib.unified_diff(before, now, n=0, lineterm="")
            if not line.startswith(("---", "+++", "@@"))
        ]
        rest = [f"[{len(changed) - DIFF_LINES} more lines]"] if len(changed) > DIFF_LINES else []
        return "\n".join([*moved, *changed[:DIFF_LINES], *rest])


def _lines(definition: str) -> list[str]:
    """A definition in lines: its description, then its schema."""
    told: dict[str, Any] = json.loads(definition)
    schema = json.dumps(told["schema"], ensure_ascii=False, indent=2, sort_keys=True)
    return [*str(told["description"]).splitlines(), *schema.splitlines(), *told.get("hints", [])]
