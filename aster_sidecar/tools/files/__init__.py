"""The tools that read and change files: list, read, search, write, edit, delete, move."""

from __future__ import annotations

from typing import Any

from aster_sidecar.tools import Tool
from aster_sidecar.tools.files import changing, reading, searching

TOOLS: tuple[Tool[Any], ...] = (*reading.TOOLS, *searching.TOOLS, *changing.TOOLS)
