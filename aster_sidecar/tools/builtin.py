"""The built-in tools: files, shell, web, and questions to the person."""

from __future__ import annotations

from typing import Any

from aster_sidecar.tools import ask_user, shell
from aster_sidecar.tools.base import Tool
from aster_sidecar.tools.files import changing, reading, searching
from aster_sidecar.tools.web import fetch_tool


def builtin_tools() -> list[Tool[Any]]:
    """The tools of every agent whose spec does not choose others."""
    return [*reading.TOOLS, *searching.TOOLS, *changing.TOOLS, *shell.TOOLS, *fetch_tool.TOOLS, *ask_user.TOOLS]
