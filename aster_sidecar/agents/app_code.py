"""What an app's own Python code adds to the daemon: agents, tools and values for flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.tools.base import Tool


@dataclass(frozen=True, slots=True)
class AppCode:
    """The app's agents and tools. `shared`: the names of the tools that every agent gets."""

    agents: tuple[AgentSpec, ...] = ()
    tools: tuple[Tool[Any], ...] = ()
    shared: frozenset[str] = frozenset()


@runtime_checkable
class AppProgram(Protocol):
    """An app's program, as the command line needs it: `aster_sidecar.Sidecar`."""

    @property
    def flags(self) -> Mapping[str, Any]:
        """Values of the command line's flags by name; None where the code sets none."""
        ...

    def code(self) -> AppCode:
        """The agents and tools. Raises: ConfigInvalid."""
        ...
