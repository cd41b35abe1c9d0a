"""Aster Sidecar: the local agent daemon that a desktop app ships inside itself.

`Agent`, `Sidecar`, `ToolContext`, `ToolError` and `tool` are for apps that add their own agents and tools; they are
imported at their first use.
"""

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from typing import Any

    from aster_sidecar.embedding.sidecar import Agent, Sidecar, ToolContext, ToolError, tool

__version__ = "0.1.0"
__all__ = ["Agent", "Sidecar", "ToolContext", "ToolError", "__version__", "tool"]


def __getattr__(name: str) -> "Any":
    if name in ("Agent", "Sidecar", "ToolContext", "ToolError", "tool"):
        from aster_sidecar.embedding import sidecar

        return getattr(sidecar, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
